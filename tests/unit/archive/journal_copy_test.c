// SPDX-License-Identifier: MIT
// The journal on several paths: what was said outlives any one of them, is the same on all that
// work, and what was taken back does not come back with a path that was away.
// Points of the list of peers' troubles: 1.3, pins that a disk takes along.
#include "archive_disks.h"
#include "archive_files.h"

#define HOUR_US (3600 * US_PER_S)

static const char *path_of(const char *name)
{
    return temp_path(&room.folder, name);
}

static int64_t stretch_us(unsigned number)
{
    return ROOM_START_US + number * HOUR_US;
}

static void lock(unsigned number, bool on)
{
    int64_t from_us = stretch_us(number);
    assert_int_equal(archive_lock(room.stream, from_us, from_us + US_PER_S, on), 0);
    room_settle();
}

static bool is_locked(unsigned number)
{
    return journal_locked(&room_archive()->journal.records, stretch_us(number),
                          stretch_us(number) + 1);
}

// Bits: numbers that are locked.
static unsigned locks(void)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < 10; i++)
        bits |= (unsigned)is_locked(i) << i;
    assert_int_equal(room_archive()->journal.records.locks.count, __builtin_popcount(bits));
    return bits;
}

// Those that work get so long for it.
static void attach(const char *first, const char *second)
{
    room.conf.dvr = (struct dvr_conf){0};
    room_attach_disks(first, second);
    room_wait(30 * US_PER_S);
}

static void detach(void)
{
    archive_detach(room.archives, room.stream);
    room_settle();
}

static struct buf *file_of(const char *disk)
{
    char path[256];
    (void)text_format(path, sizeof path, "%s/%s/cam/journal", room.folder.path, disk);
    int descriptor = open(path, O_RDONLY);
    struct buf *buf = buf_new(1 << 20);
    ssize_t got = descriptor >= 0 ? read(descriptor, buf->data, buf->capacity) : 0;
    buf->length = got > 0 ? (size_t)got : 0;
    if (descriptor >= 0)
        close(descriptor);
    return buf;
}

// Both files say the same, and as of one view.
static void assert_alike(void)
{
    struct buf *one = file_of("one"), *two = file_of("two");
    struct bytes in[2] = {buf_bytes(one), buf_bytes(two)};
    struct writer out[2] = {{0}, {0}};
    struct journal_head head[2];
    for (unsigned i = 0; i < 2; i++) {
        struct journal_records records = {0};
        struct journal_record record;
        unsigned skipped = 0;
        assert_int_equal(journal_head_parse(&in[i], &head[i]), 0);
        while (journal_record_parse(&in[i], &record, &skipped) == 0)
            assert_int_equal(journal_apply(&records, &record), 0);
        assert_int_equal(skipped, 0);
        journal_records_write(&out[i], &records);
        journal_records_fini(&records);
    }
    assert_int_equal(head[0].view, head[1].view);
    assert_int_equal(head[0].members, 2);
    assert_int_equal(head[1].members, 2);
    assert_int_equal(writer_length(&out[0]), writer_length(&out[1]));
    assert_memory_equal(out[0].buf->data, out[1].buf->data, writer_length(&out[0]));
    for (unsigned i = 0; i < 2; i++)
        writer_fini(&out[i]);
    buf_unref(&one);
    buf_unref(&two);
}

static void fail_disk(const char *name, bool on)
{
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_WRITE, FAULT_SYNC};
    file_faults_only_under(on ? path_of(name) : NULL);
    for (unsigned i = 0; i < 3; i++)
        file_faults_fail(calls[i], on, on, EIO);
}

static void open_two(void)
{
    room_open_plain("cam");
    attach("one", "two");
    room_record(3);
    lock(0, true);
    lock(1, true);
    assert_alike();
}

// peers.md 1.3.
static void journal_outlives_each_of_its_paths(void **state)
{
    (void)state;
    static const char *const names[] = {"one", "two"};
    for (unsigned i = 0; i < 2; i++) {
        open_two();
        int64_t from_us = room.known[1].info.utc_start_us;
        assert_int_equal(archive_delete(room.stream, from_us, from_us + 1), 0);
        room_settle();
        assert_int_equal(room_archive()->journal.records.deleted.count, 1);
        struct journal_record deleted = room_archive()->journal.records.deleted.item[0];
        detach();
        fail_disk(names[i], true);
        attach("one", "two");
        assert_int_equal(locks(), 3);
        // Of a file that can be reached its bytes have gone by now, and it is done.
        assert_int_equal(journal_deleted(&room_archive()->journal.records, deleted.file,
                                         deleted.from_us, deleted.to_us),
                         i == 0);
        lock(2, true);
        detach();
        // And when it has come back, it has what it missed.
        fail_disk(names[i], false);
        attach("one", "two");
        assert_int_equal(locks(), 7);
        assert_alike();
        detach();
        attach(names[i], NULL);
        assert_int_equal(locks(), 7);
        room_close();
    }
}

static void journal_path_that_fails_catches_up(void **state)
{
    (void)state;
    static const char *const names[] = {"one", "two"};
    for (unsigned i = 0; i < 2; i++) {
        open_two();
        fail_disk(names[i], true);
        lock(1, false);
        lock(2, true);
        room_wait(60 * US_PER_S);
        fail_disk(names[i], false);
        room_wait(120 * US_PER_S);
        assert_alike();
        lock(3, true);
        assert_int_equal(locks(), 1 | 4 | 8);
        room_wait(US_PER_S);
        assert_alike();
        room_close();
    }
}

// What was unlocked while a path was away stays so, in whatever order they come back.
static void journal_path_that_was_away_takes_nothing_back(void **state)
{
    (void)state;
    static const char *const names[] = {"one", "two"};
    for (unsigned i = 0; i < 4; i++) {
        const char *there = names[i % 2], *away = names[!(i % 2)];
        open_two();
        detach();
        if (i < 2) {
            attach(there, NULL); // it has no line at all
        } else {
            fail_disk(away, true);
            attach("one", "two");
        }
        lock(1, false);
        lock(2, true);
        room_record(1);
        detach();
        fail_disk(away, false);
        attach("one", "two");
        assert_int_equal(locks(), 1 | 4);
        assert_alike();
        detach();
        attach(away, NULL);
        assert_int_equal(locks(), 1 | 4);
        room_close();
    }
}

// Each was used without the other: nothing that one of them says is lost.
static void journal_of_paths_that_went_apart_is_what_both_say(void **state)
{
    (void)state;
    open_two();
    detach();
    attach("one", NULL);
    lock(2, true);
    room_record(1);
    detach();
    attach("two", NULL);
    lock(3, true);
    room_record(1);
    detach();
    attach("one", "two");
    assert_int_equal(locks(), 15);
    assert_alike();
    // Which is one view again: what is taken back now is so everywhere.
    lock(0, false);
    detach();
    attach("two", NULL);
    assert_int_equal(locks(), 14);
    detach();
    attach("one", "two");
    assert_int_equal(locks(), 14);
    assert_alike();
    room_close();
}

// A path fails, and after that life it is the only one for another: the other one has something of
// its own, too.
static void journal_path_that_failed_and_was_then_alone(void **state)
{
    (void)state;
    open_two();
    fail_disk("one", true);
    lock(2, true);
    detach();
    fail_disk("one", false);
    attach("one", NULL);
    assert_int_equal(locks(), 3);
    lock(3, true);
    detach();
    attach("one", "two");
    assert_int_equal(locks(), 15);
    assert_alike();
    room_close();
}

// What went apart was joined while one of them could only be read: it is known when it comes back.
static void journal_joined_with_a_path_that_can_only_be_read(void **state)
{
    (void)state;
    open_two();
    detach();
    attach("one", NULL);
    lock(2, true);
    detach();
    attach("two", NULL);
    lock(3, true);
    detach();
    file_faults_only_under(path_of("two"));
    file_faults_fail(FAULT_WRITE, 1, true, EROFS);
    attach("one", "two");
    assert_int_equal(locks(), 15);
    lock(3, false);
    detach();
    file_faults_fail(FAULT_WRITE, 0, false, 0);
    attach("one", "two");
    assert_int_equal(locks(), 7);
    assert_alike();
    room_close();
}

// Another disk is mounted where one was: it gets all of it.
static void journal_comes_to_another_disk_at_the_same_place(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("one"), 0755), 0);
    file_faults_mount(path_of("one"), 77);
    attach("one", "two");
    room_record(2);
    lock(0, true);
    assert_alike();
    file_faults_mount(NULL, 0);
    room_wait(25 * US_PER_S); // a look
    lock(1, true);
    char away[256];
    (void)text_format(away, sizeof away, "%s/away", room.folder.path);
    assert_int_equal(rename(path_of("one"), away), 0);
    assert_int_equal(mkdir(path_of("one"), 0755), 0);
    file_faults_mount(path_of("one"), 78);
    room_wait(60 * US_PER_S);
    assert_int_equal(locks(), 3);
    assert_alike();
    room_close();
}

// An older server, or one path, wrote the one; the other is new.
static void journal_is_brought_to_a_new_path(void **state)
{
    (void)state;
    room_open_plain("cam");
    attach("two", NULL);
    room_record(1);
    lock(0, true);
    detach();
    struct buf *before = file_of("two");
    struct journal_head head;
    struct bytes in = buf_bytes(before);
    assert_int_equal(journal_head_parse(&in, &head), 0);
    assert_int_equal(head.view, 0); // as it always was
    buf_unref(&before);
    attach("one", "two");
    assert_int_equal(locks(), 1);
    assert_alike();
    room_close();
}

// A start that finds all paths as they were writes none of them anew.
static void journal_of_paths_that_are_well_is_only_appended_to(void **state)
{
    (void)state;
    open_two();
    detach();
    unsigned renames = file_faults_count(FAULT_RENAME);
    for (unsigned i = 0; i < 3; i++) {
        attach("one", "two");
        room_record(1);
        lock(2, i % 2);
        detach();
    }
    assert_int_equal(file_faults_count(FAULT_RENAME), renames);
    attach("one", "two");
    assert_alike();
    room_close();
}

// One call fails, whichever; both have all in the end, and in a later life.
static void journal_copies_each_call_fails_once(void **state)
{
    (void)state;
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_WRITE, FAULT_SYNC, FAULT_RENAME,
                                            FAULT_TRUNCATE};
    for (unsigned k = 0; k < 5; k++) {
        for (unsigned n = 1; n < 14; n++) {
            open_two();
            detach();
            file_faults_fail(calls[k], n, false, EIO);
            attach("one", "two");
            lock(2, true);
            lock(0, false);
            room_record(2);
            room_wait(60 * US_PER_S);
            file_faults_fail(calls[k], 0, false, 0);
            room_wait(60 * US_PER_S);
            assert_int_equal(locks(), 2 | 4);
            assert_alike();
            detach();
            attach("one", "two");
            assert_int_equal(locks(), 2 | 4);
            room_close();
        }
    }
}

// It hangs: the other one is read and written meanwhile, and nothing waits for it.
static void journal_on_a_path_that_hangs_holds_up_nobody(void **state)
{
    (void)state;
    open_two();
    detach();
    file_faults_only_under(path_of("one"));
    file_faults_hold(FAULT_OPEN, true);
    room.conf.dvr = (struct dvr_conf){0};
    struct dvr_conf dvr = room.conf.dvr;
    char paths[2][256];
    for (unsigned i = 0; i < 2; i++) {
        (void)text_copy(paths[i], sizeof paths[i], path_of(i ? "two" : "one"));
        dvr.path[dvr.path_count++] = paths[i];
    }
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    LOOP_UNTIL(room.loop, room_archive()->journal.state == JOURNAL_READY);
    assert_int_equal(locks(), 3);
    assert_int_equal(archive_lock(room.stream, stretch_us(1), stretch_us(2), false), 0);
    for (unsigned i = 0; i < 12; i++) {
        clock_advance_test(US_PER_S);
        loop_fixture_settle(room.loop);
    }
    LOOP_UNTIL(room.loop, journal_safe(&room_archive()->journal));
    file_faults_hold(FAULT_OPEN, false);
    file_faults_only_under(NULL);
    room_wait(120 * US_PER_S);
    assert_int_equal(locks(), 1);
    assert_alike();
    room_close();
}

TEST_MAIN(TEST(journal_outlives_each_of_its_paths), TEST(journal_path_that_fails_catches_up),
          TEST(journal_path_that_was_away_takes_nothing_back),
          TEST(journal_of_paths_that_went_apart_is_what_both_say),
          TEST(journal_path_that_failed_and_was_then_alone),
          TEST(journal_joined_with_a_path_that_can_only_be_read),
          TEST(journal_comes_to_another_disk_at_the_same_place),
          TEST(journal_is_brought_to_a_new_path),
          TEST(journal_of_paths_that_are_well_is_only_appended_to),
          TEST(journal_copies_each_call_fails_once),
          TEST(journal_on_a_path_that_hangs_holds_up_nobody))
