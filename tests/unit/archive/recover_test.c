// SPDX-License-Identifier: MIT
// What a crash leaves behind, made by hand: files of a recorded stream, cut and damaged, and a new
// life of the server on them.
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

#include "base/mem.h"

struct copy {
    char path[256];
    uint8_t *bytes;
    size_t length;
};

static struct copy copy_take(const char *path, size_t length)
{
    struct copy copy = {.bytes = mem_alloc(length), .length = length};
    (void)text_copy(copy.path, sizeof copy.path, path);
    int descriptor = open(path, O_RDONLY);
    assert_true(descriptor >= 0);
    assert_int_equal(read(descriptor, copy.bytes, length), (ssize_t)length);
    close(descriptor);
    return copy;
}

// The first `length` bytes of it, in place of what is there.
static void copy_put(const struct copy *copy, size_t length)
{
    char folder[256], why[100];
    (void)text_copy(folder, sizeof folder, copy->path);
    *strrchr(folder, '/') = 0;
    assert_true(archive_path_usable(folder, why, sizeof why));
    int descriptor = open(copy->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, copy->bytes, length), (ssize_t)length);
    close(descriptor);
}

// A stream that recorded `segments` and 30 pictures more, and died: its files as they were then.
struct crash {
    struct copy data, idx;
    size_t synced; // bytes that the index speaks of
    unsigned indexed;
};

static struct crash crash_of(unsigned segments)
{
    struct crash crash = {0};
    room_open();
    room_record(segments);
    room_push(30);
    room_settle();
    const struct volume *volume = room_archive()->recorder.volume;
    assert_non_null(volume);
    crash.indexed = volume->indexed;
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 1);
    crash.data = copy_take(files->path[0], (size_t)files->size[0]);
    files = room_files(".idx");
    if (files->count == 1) {
        crash.idx = copy_take(files->path[0], (size_t)files->size[0]);
        const struct index_entry *last = &volume->index->entries[volume->indexed - 1];
        crash.synced = last->offset + last->bytes;
    }
    return crash;
}

static void crash_fini(struct crash *crash)
{
    mem_free(crash->data.bytes);
    mem_free(crash->idx.bytes);
}

// The server dies; its files are these; another life begins on them.
static void live_again(const struct crash *crash, size_t length, bool with_idx)
{
    archive_detach(room.archives, room.stream);
    room_settle();
    struct files *files = room_files(".mp4");
    for (unsigned i = 0; i < files->count; i++)
        unlink(files->path[i]);
    files = room_files(".idx");
    for (unsigned i = 0; i < files->count; i++)
        unlink(files->path[i]);
    copy_put(&crash->data, length);
    if (with_idx && crash->idx.bytes)
        copy_put(&crash->idx, crash->idx.length);
    room_attach();
    room_settle();
}

// Segments [0, whole) are there as they were, and perhaps the beginning of one more.
static struct got *assert_whole(unsigned whole)
{
    struct got *got = room_read_all();
    assert_in_range(got->count, whole, whole + 1);
    for (unsigned i = 0; i < whole; i++) {
        assert_int_equal(got->segment[i].sum, room.known[i].sum);
        assert_int_equal(got->segment[i].info.utc_start_us, room.known[i].info.utc_start_us);
        assert_int_equal(got->segment[i].info.number, room.known[i].info.number);
    }
    return got;
}

// How many of the known segments end before this length of the file.
static unsigned whole_before(size_t length, size_t init)
{
    unsigned whole = 0;
    for (size_t at = init; whole < room.known_count; whole++) {
        at += room.known[whole].info.bytes;
        if (at > length)
            break;
    }
    return whole;
}

static size_t init_of(const struct crash *crash)
{
    size_t all = 0;
    struct bytes in = bytes_of(crash->data.bytes, crash->data.length);
    all = cmaf_chunk_find(in, 0);
    assert_true(all > 0 && all < in.length);
    return all;
}

static void recovery_after_a_kill_loses_at_most_a_part(void **state)
{
    (void)state;
    struct crash crash = crash_of(7);
    assert_true(crash.indexed > 0); // there was a sync
    size_t init = init_of(&crash);
    // kill -9 leaves the file as long as writes went, torn anywhere in the last one.
    for (size_t length = crash.data.length; length > crash.data.length - 40000; length -= 1709) {
        live_again(&crash, length, true);
        unsigned whole = whole_before(length, init);
        struct got *got = assert_whole(whole);
        int64_t end_us = 0;
        for (unsigned i = 0; i < got->count; i++)
            end_us = got->segment[i].info.utc_start_us + got->segment[i].info.duration_us;
        // All but less than a second of what the bytes hold: 25 pictures of some 400 bytes and as
        // many of 320 bytes of sound are a second.
        size_t per_s = 25 * (320 + 403) + 500;
        int64_t held_us = (int64_t)(length - init) * US_PER_S / (int64_t)(per_s + 700);
        assert_true(end_us - room.known[0].info.utc_start_us > held_us - US_PER_S);
        assert_list_is_read();
        // The torn part is cut off, and the file is closed: nothing is left to do.
        size_t kept = (size_t)room_files(".mp4")->size[0];
        struct bytes all = bytes_of(crash.data.bytes, crash.data.length);
        assert_in_range(kept, length - 12000, length);
        assert_int_equal(cmaf_chunk_find(all, kept), kept);
        assert_int_equal(room_ranges(0, INT64_MAX / 2)->media, 1);
        unsigned recovered = room_logged(" recovered ");
        archive_detach(room.archives, room.stream);
        room_settle();
        room_attach();
        room_settle();
        assert_int_equal(room_logged(" recovered "), recovered);
        assert_int_equal(room_read_all()->count, got->count);
    }
    crash_fini(&crash);
    room_close();
}

// peers.md 6.5.
static void recovery_of_every_sync_point_keeps_all_of_it(void **state)
{
    (void)state;
    struct crash crash = crash_of(7);
    // A power cut: behind what was synced there may be anything, also of the right length.
    for (unsigned round = 0; round < 4; round++) {
        struct crash torn = crash;
        torn.data.bytes = mem_dup(crash.data.bytes, crash.data.length);
        size_t lost = crash.data.length - crash.synced;
        if (round == 0)
            memset(torn.data.bytes + crash.synced, 0, lost);
        for (size_t at = crash.synced; round == 1 && at < crash.data.length; at += 4096)
            torn.data.bytes[at] ^= 0xff;
        if (round == 2)
            memset(torn.data.bytes + crash.synced + lost / 2, 0x55, lost / 2);
        live_again(&torn, crash.data.length, true);
        struct got *got = room_read_all();
        assert_true(got->count >= crash.indexed);
        for (unsigned i = 0; i < crash.indexed; i++)
            assert_int_equal(got->segment[i].sum, room.known[i].sum);
        assert_list_is_read();
        // Nothing that is given is damaged: reading checked it, and left nothing out.
        assert_int_equal(room_logged("left out"), 0);
        mem_free(torn.data.bytes);
    }
    crash_fini(&crash);
    room_close();
}

// peers.md 6.1.
static void recovery_without_an_index_reads_the_file(void **state)
{
    (void)state;
    struct crash crash = crash_of(7);
    live_again(&crash, crash.data.length, false);
    assert_int_equal(assert_whole(7)->count, 8);
    assert_int_equal(room_files(".idx")->count, 1);
    // And makes the index that the recorder would have made.
    struct files *files = room_files(".idx");
    assert_int_equal(files->size[0], (1 + 8 + 1) * INDEX_RECORD);
    for (unsigned i = 0; i < (1 + crash.indexed) * INDEX_RECORD; i++)
        assert_int_equal(file_read_byte(files->path[0], i), crash.idx.bytes[i]);
    crash_fini(&crash);
    room_close();
}

static void recovery_of_a_damaged_index_keeps_everything(void **state)
{
    (void)state;
    struct crash crash = crash_of(7);
    for (size_t at = 0; at < crash.idx.length; at += 11) {
        crash.idx.bytes[at] ^= 0x80;
        live_again(&crash, crash.data.length, true);
        assert_int_equal(assert_whole(7)->count, 8);
        crash.idx.bytes[at] ^= 0x80;
    }
    // One of another file, that is well in itself.
    struct index *other = index_new(1, (uint32_t)init_of(&crash));
    struct index_entry entry = {.number = 1,
                                .utc_start_us = 5,
                                .offset = 1000000,
                                .bytes = 10,
                                .head_bytes = 1,
                                .duration_us = 1,
                                .parts = 1};
    assert_true(index_add(other, &entry));
    other->closed = true;
    other->file_length = crash.data.length + 1000000;
    struct writer out = {0};
    index_write(&out, other);
    struct buf *bytes = writer_take(&out);
    struct crash wrong = crash;
    wrong.idx.bytes = bytes->data;
    wrong.idx.length = bytes->length;
    live_again(&wrong, crash.data.length, true);
    assert_int_equal(assert_whole(7)->count, 8);
    buf_unref(&bytes);
    index_unref(&other);
    crash_fini(&crash);
    room_close();
}

static void recovery_of_a_file_without_media_removes_it(void **state)
{
    (void)state;
    struct crash crash = crash_of(1);
    size_t init = init_of(&crash);
    static const size_t more[] = {0, 1, 60, 400};
    for (unsigned i = 0; i < 4; i++) {
        live_again(&crash, init + more[i], false);
        assert_int_equal(room_read_all()->count, 0);
        assert_int_equal(room_files("")->count, 0);
    }
    for (size_t length = 0; length < init; length += 100) {
        live_again(&crash, length, false);
        assert_int_equal(room_read_all()->count, 0);
        assert_int_equal(room_files("")->count, 0);
    }
    assert_false(room_stats().bytes);
    crash_fini(&crash);
    room_close();
}

// Not the newest file, and its index is gone or speaks of another length: made anew when asked for.
static void recovery_of_an_older_file_waits_until_asked(void **state)
{
    (void)state;
    struct crash crash = crash_of(3);
    live_again(&crash, crash.data.length, true);
    room_reconnect(10 * US_PER_S);
    clock_advance_test(3600 * US_PER_S);
    unsigned before = room.known_count;
    room_lose();
    room_reconnect(10 * US_PER_S);
    room_record(2);
    archive_detach(room.archives, room.stream);
    room_settle();
    struct files *files = room_files(".mp4");
    assert_true(files->count >= 2);
    char data[256];
    (void)text_copy(data, sizeof data, files->path[0]);
    unlink(room_files(".idx")->path[0]);
    unsigned recovered = room_logged(" recovered ");
    room_attach();
    room_settle();
    assert_int_equal(room_logged(" recovered "), recovered);
    struct got *got = room_read(0, room.known[2].info.utc_start_us + 1, HISTORY_WHOLE);
    assert_int_equal(room_logged(" recovered "), recovered + 1);
    assert_int_equal(got->count, 3);
    assert_true(before >= 3);
    // An older file is not cut, whatever stands at its end.
    int descriptor = open(data, O_WRONLY | O_APPEND);
    assert_int_equal(write(descriptor, "garbage", 7), 7);
    close(descriptor);
    struct stat found;
    assert_int_equal(stat(data, &found), 0);
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    got = room_read(0, room.known[2].info.utc_start_us + 1, HISTORY_WHOLE);
    assert_int_equal(got->count, 3);
    assert_int_equal(room_logged(" recovered "), recovered + 2);
    off_t size = found.st_size;
    assert_int_equal(stat(data, &found), 0);
    assert_int_equal(found.st_size, size);
    opened_drop_all(room_archive());
    got = room_read(0, room.known[2].info.utc_start_us + 1, HISTORY_WHOLE);
    assert_int_equal(got->count, 3);
    assert_int_equal(room_logged(" recovered "), recovered + 2);
    crash_fini(&crash);
    room_close();
}

// Every call that a recovery makes fails once: then it is done by the next who asks.
static void recovery_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct crash crash = crash_of(3);
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_READ,   FAULT_WRITE,
                                            FAULT_SYNC, FAULT_RENAME, FAULT_TRUNCATE};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (unsigned n = 1; n < 40; n++) {
            archive_detach(room.archives, room.stream);
            room_settle();
            unsigned before = file_faults_count(calls[i]);
            copy_put(&crash.data, crash.data.length - 100);
            struct files *files = room_files(".idx");
            for (unsigned k = 0; k < files->count; k++)
                unlink(files->path[k]);
            file_faults_fail(calls[i], n, false, EIO);
            room_attach();
            room_settle();
            unsigned made = file_faults_count(calls[i]) - before;
            file_faults_fail(calls[i], 0, false, 0);
            room_wait(30 * US_PER_S); // lists again if that failed
            assert_int_equal(assert_whole(3)->count, 4);
            assert_list_is_read();
            if (made < n)
                break;
        }
    }
    crash_fini(&crash);
    room_close();
}

// Retention takes the file while it is being looked at: its index does not come back.
static void recovery_of_a_file_that_is_removed_leaves_nothing(void **state)
{
    (void)state;
    struct crash crash = crash_of(3);
    archive_detach(room.archives, room.stream);
    room_settle();
    struct files *files = room_files(".idx");
    for (unsigned i = 0; i < files->count; i++)
        unlink(files->path[i]);
    room_attach();
    while (!room_archive()->place[0].tree.started) // the journal is read before
        loop_turn(room.loop, false);
    file_faults_hold(FAULT_READ, true);
    while (file_faults_waiting() == 0) // the alarm of the loop's fixture bounds it
        loop_turn(room.loop, false);
    assert_int_equal(file_faults_waiting(), 1);
    struct archive *archive = room_archive();
    assert_true(retention_remove(archive, &archive->hours.hour[0]));
    file_faults_hold(FAULT_READ, false);
    room_settle();
    assert_int_equal(room_files("")->count, 0);
    assert_int_equal(room_read_all()->count, 0);
    crash_fini(&crash);
    room_close();
}

TEST_MAIN(TEST(recovery_after_a_kill_loses_at_most_a_part),
          TEST(recovery_of_every_sync_point_keeps_all_of_it),
          TEST(recovery_without_an_index_reads_the_file),
          TEST(recovery_of_a_damaged_index_keeps_everything),
          TEST(recovery_of_a_file_without_media_removes_it),
          TEST(recovery_of_an_older_file_waits_until_asked),
          TEST(recovery_that_fails_is_tried_again),
          TEST(recovery_of_a_file_that_is_removed_leaves_nothing))
