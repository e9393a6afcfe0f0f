// SPDX-License-Identifier: MIT
// Deleted bytes are given back to the disk, out of the middle of files that stay: whatever happens
// meanwhile, what was deleted is not given to anybody, and everything else is there byte for byte.
// Points of the list of peers' troubles: 2.1.13, a power cut leaves files that can be read.
#include "archive_files.h"
#include "memory_room.h"

enum { SEGMENTS = 8, FIRST = 2, LAST = 4 }; // of the first file; those that are deleted

// Of the first file.
static struct {
    uint64_t from, to; // of the deleted segments
    unsigned left;     // bytes of them that are not 0
    unsigned whole;    // at first
    bool free;         // they are a free box
    unsigned files;
} stretch;

static void attach(void)
{
    room.conf.dvr.depth_s = 0;
    room_attach();
    room_settle();
}

// A file of eight segments that is closed, and one that is being written.
static void record(void)
{
    room_after_roll();
    for (unsigned i = 0; i < SEGMENTS; i++) {
        room_push(ROOM_SEGMENT_PICTURES);
        // A last picture right before the next segment: a recovery that does not know where that
        // begins takes this one to last beyond it.
        if (i == FIRST - 1)
            room_push_frame(0, room.picture * 3600 - 360, 0, 100);
        room_settle();
    }
    room_push(1);
    room_settle();
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(2);
    room_wait(15 * US_PER_S);
}

static void open_room(struct memory_disk *disk, uint64_t seed)
{
    memory_room_open(disk, seed);
    attach();
    record();
}

static int64_t start_of(unsigned number)
{
    return room.known[number].info.utc_start_us;
}

static int64_t end_of(unsigned number)
{
    return start_of(number) + room.known[number].info.duration_us;
}

// From where the first one begins to inside of the last one.
static void take_away(unsigned first, unsigned last)
{
    CHECK(archive_delete(room.stream, start_of(first), start_of(last) + 7) == 0);
}

static void find_stretch(void *arg, const char *path, const uint8_t *data, size_t length)
{
    const bool *learn = arg;
    struct index *index;
    if (*learn && text_ends(path, ".idx") && stretch.files++ == 0) {
        CHECK(index_parse(bytes_of(data, length), &index) == 0);
        CHECK(index->closed && index->count >= SEGMENTS);
        stretch.from = index->entries[FIRST].offset;
        stretch.to = index->entries[LAST].offset + index->entries[LAST].bytes;
        index_unref(&index);
    }
    if (*learn || !text_ends(path, ".mp4") || stretch.files++ > 0)
        return;
    stretch.left = 0;
    CHECK(length > stretch.to);
    for (uint64_t at = stretch.from + CMAF_FREE_HEAD; at < stretch.to; at++)
        stretch.left += data[at] != 0;
    stretch.free = cmaf_free_length(bytes_of(data + stretch.from, CMAF_FREE_HEAD)) ==
                   stretch.to - stretch.from;
}

// Where it lies; or how many of its bytes are left.
static unsigned look_at_stretch(const struct memory_disk *disk, bool learn)
{
    stretch.files = 0;
    memory_disk_walk(disk, find_stretch, &learn);
    return stretch.left;
}

// All but [first, last] are there, byte for byte; those are not (or, may: all of them are).
static void check_all_but(unsigned first, unsigned last, bool may)
{
    struct got *got = room_read_all();
    bool there = got_whole(got, &room.known[first]);
    CHECK(!there || may);
    for (unsigned i = 0; i + 1 < room.known_count; i++)
        CHECK(got_whole(got, &room.known[i]) == (i < first || i > last || there));
    for (unsigned i = 0; i < got->count; i++) {
        int known = known_at(got->segment[i].info.utc_start_us);
        CHECK(known >= 0 && got->segment[i].sum == room.known[known].sum);
        if (!there && known == (int)last + 1)
            CHECK(got->segment[i].info.flags & SEGMENT_DISCONTINUITY);
    }
    assert_list_is_read();
    struct got *ranges = room_ranges(start_of(0), end_of(SEGMENTS - 1));
    CHECK(ranges->ranges == (there ? 1 : 3));
    if (!there) {
        CHECK(ranges->range[1].reason == REASON_DELETED);
        CHECK(ranges->range[0].to_us >= end_of(first - 1) - 50000);
        CHECK(ranges->range[0].to_us <= start_of(first) + 40000);
        CHECK(ranges->range[2].from_us == start_of(last + 1));
    }
}

static unsigned deleted_count(void)
{
    return room_archive()->journal.records.deleted.count;
}

// ---- crashes -----------------------------------------------------------------------------------

enum { IMAGES_MAX = 600 };

static struct {
    struct memory_disk *disk;
    enum memory_cut kind;
    unsigned effect;
} image[IMAGES_MAX];
static unsigned images, effects;
static struct known known[ROOM_SEGMENTS];
static unsigned known_count;
static int64_t mono_us, wall_us;

static void take_images(void *arg)
{
    effects++;
    for (unsigned i = 0; i < CUT_KINDS + 10; i++) {
        enum memory_cut kind = i < CUT_KINDS ? (enum memory_cut)i : CUT_RANDOM;
        assert_true(images < IMAGES_MAX);
        image[images].kind = kind;
        image[images].effect = effects;
        image[images++].disk = memory_disk_cut(arg, kind, effects * 16 + i);
    }
}

static void live_and_delete(struct memory_disk *disk, uint64_t seed)
{
    images = effects = 0;
    (void)text_copy(doing, sizeof doing, "first life");
    open_room(disk, seed);
    look_at_stretch(disk, true);
    stretch.whole = look_at_stretch(disk, false);
    memory_disk_on_effect(disk, take_images, disk);
    take_away(FIRST, LAST);
    room_settle();
    memory_disk_on_effect(disk, NULL, NULL);
    CHECK(deleted_count() == 0);
    CHECK(look_at_stretch(disk, false) == 0);
    check_all_but(FIRST, LAST, false);
    memcpy(known, room.known, sizeof known);
    known_count = room.known_count;
    mono_us = now_us();
    wall_us = utc_us();
    memory_room_close();
}

struct removal {
    const char *ending;
    char path[8][256];
    unsigned count;
};

static void note_path(void *arg, const char *path, const uint8_t *data, size_t length)
{
    struct removal *removal = arg;
    (void)data, (void)length;
    if (text_ends(path, removal->ending))
        (void)text_copy(removal->path[removal->count++], 256, path);
}

static void lose_files(const struct memory_disk *disk, const char *ending)
{
    struct removal removal = {.ending = ending};
    memory_disk_walk(disk, note_path, &removal);
    for (unsigned i = 0; i < removal.count; i++)
        CHECK(memory_disk_calls.unlink(removal.path[i]) == 0);
}

// What the next life makes of it.
static void open_image(unsigned number, const char *lost)
{
    struct memory_disk *disk = image[number].disk;
    snprintf(doing, sizeof doing, "effect %u, cut %d, without %s", image[number].effect,
             (int)image[number].kind, lost);
    memory_room_open(disk, number);
    memcpy(room.known, known, sizeof known);
    room.known_count = known_count;
    clock_set_test(mono_us, wall_us);
    room.base_us = wall_us;
    if (lost[0])
        lose_files(disk, lost);
    // Players find no bytes that are gone without a box around them.
    CHECK(look_at_stretch(disk, false) == stretch.whole || stretch.free);
    attach();
    check_all_but(FIRST, LAST, true);
    bool was_said = !got_whole(room_read_all(), &room.known[FIRST]);
    room_wait(90 * US_PER_S);
    check_all_but(FIRST, LAST, !was_said);
    CHECK(deleted_count() == 0);
    CHECK(!was_said || look_at_stretch(disk, false) == 0);
    // And the one after it.
    archive_detach(room.archives, room.stream);
    room_settle();
    attach();
    room_wait(90 * US_PER_S);
    check_all_but(FIRST, LAST, !was_said);
    CHECK(room_logged("left out") == 0);
    memory_room_close();
    CHECK(memory_disk_open_count(disk) == 0);
}

// peers.md 2.1.13.
static void erasure_survives_a_power_cut_at_every_effect(void **state)
{
    (void)state;
    static const char *const lost[] = {"", ".idx", "day.sum"};
    for (unsigned k = 0; k < 9; k++) {
        struct memory_disk *disk = memory_room_disk();
        live_and_delete(disk, k / 3);
        memory_disk_free(&disk);
        assert_true(effects > 10);
        for (unsigned i = 0; i < images; i++) {
            open_image(i, lost[k % 3]);
            memory_disk_free(&image[i].disk);
        }
    }
}

static void erasure_is_tried_again_after_each_failed_call(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        snprintf(doing, sizeof doing, "call %u", n);
        struct memory_disk *disk = memory_room_disk();
        open_room(disk, 0);
        look_at_stretch(disk, true);
        unsigned before = file_faults_count(FAULT_ANY);
        file_faults_fail(FAULT_ANY, n, false, EIO);
        take_away(FIRST, LAST);
        room_settle();
        bool met = file_faults_count(FAULT_ANY) - before >= n;
        check_all_but(FIRST, LAST, false);
        file_faults_fail(FAULT_ANY, 0, false, 0);
        room_wait(100 * US_PER_S);
        check_all_but(FIRST, LAST, false);
        CHECK(deleted_count() == 0);
        CHECK(look_at_stretch(disk, false) == 0);
        memory_room_close();
        memory_disk_free(&disk);
        if (!met) {
            CHECK(n > 10);
            return;
        }
    }
}

// ---- readers -----------------------------------------------------------------------------------

// Somebody reads while it is deleted and given back: what comes is right, and there is no error.
static void erasure_under_a_reader_gives_him_nothing_damaged(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 120; seed++) {
        static struct got got;
        snprintf(doing, sizeof doing, "seed %u", seed);
        struct memory_disk *disk = memory_room_disk();
        open_room(disk, seed);
        file_faults_uncached(true); // each read waits for its worker
        uint64_t errors = room_stats().errors;
        got_begin(&got, 0, INT64_MAX / 2, seed % 2 ? HISTORY_WHOLE : HISTORY_HEADS);
        got.pause_after = seed % 5;
        for (unsigned i = 0; i < seed; i++) {
            loop_fixture_settle(room.loop);
            file_hand_step();
        }
        take_away(FIRST, LAST);
        room_settle();
        if (got.pause_after && got.count == got.pause_after) // he comes back when all is done
            history_next(got.request);
        room_settle();
        CHECK(got.ended && got.err == 0);
        CHECK(room_stats().errors == errors);
        unsigned others = 0;
        for (unsigned i = 0; i < got.count; i++) {
            int number = known_at(got.segment[i].info.utc_start_us);
            CHECK(number >= 0 && (i == 0 || got.segment[i].info.utc_start_us >
                                                got.segment[i - 1].info.utc_start_us));
            CHECK(seed % 2 == 0 || got.segment[i].sum == room.known[number].sum);
            others += number < FIRST || number > LAST;
        }
        CHECK(others >= room.known_count - (LAST - FIRST + 1) - 1);
        check_all_but(FIRST, LAST, false);
        memory_room_close();
        memory_disk_free(&disk);
    }
}

// What is in memory for others who read the same is gone, too.
static void erasure_takes_what_was_kept_in_memory(void **state)
{
    (void)state;
    static struct got got;
    struct memory_disk *disk = memory_room_disk();
    open_room(disk, 0);
    room_read_all();
    got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
    got.pause_after = 1;
    room_settle();
    take_away(FIRST, LAST);
    room_settle();
    assert_int_equal(deleted_count(), 0);
    history_next(got.request);
    room_settle();
    for (unsigned i = 0; i < got.count; i++)
        assert_false(got.segment[i].info.utc_start_us >= start_of(FIRST) &&
                     got.segment[i].info.utc_start_us <= start_of(LAST));
    assert_true(got.count >= SEGMENTS - 3);
    memory_room_close();
    memory_disk_free(&disk);
}

// ---- on a real disk ----------------------------------------------------------------------------

static uint64_t taken(const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    return (uint64_t)found.st_blocks * 512;
}

static void open_real(void)
{
    (void)text_copy(doing, sizeof doing, "on a real disk");
    room_open_plain("cam");
    room.picture_bytes = 4000;
    attach();
    record();
}

static void erasure_gives_back_and_counts_what_is_left(void **state)
{
    (void)state;
    open_real();
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 2);
    off_t size = files->size[0];
    uint64_t before = taken(files->path[0]), counted = room_stats().bytes, deleted = 0;
    for (unsigned i = FIRST; i <= LAST; i++)
        deleted += room.known[i].info.bytes;
    take_away(FIRST, LAST);
    room_settle();
    assert_int_equal(room_files(".mp4")->size[0], size);
    assert_in_range(before - taken(files->path[0]), deleted - 8192, deleted + 8192);
    assert_in_range(counted - room_stats().bytes, deleted - 8192, deleted + 8192);
    assert_int_equal(deleted_count(), 0);
    assert_int_equal(room_logged("deleted of file="), 1);
    check_all_but(FIRST, LAST, false);
    // The next life counts the same, and finds the same without the index.
    uint64_t errors = room_stats().errors;
    counted = room_stats().bytes;
    for (unsigned i = 0; i < 2; i++) {
        archive_detach(room.archives, room.stream);
        room_settle();
        files = room_files(".idx");
        if (i == 1)
            assert_int_equal(unlink(files->path[0]), 0);
        attach();
        assert_in_range(room_stats().bytes, counted - 16384, counted + 16384);
        check_all_but(FIRST, LAST, false);
    }
    assert_int_equal(room_stats().errors, errors);
    room_close();
}

// What a day is known by is not what it was before.
static void erasure_takes_the_summary_of_the_day(void **state)
{
    (void)state;
    open_real();
    room_lose();
    room_wait(86400 * US_PER_S);
    room_reconnect(US_PER_S);
    room_record(2);
    room_wait(60 * US_PER_S);
    assert_int_equal(room_files("day.sum")->count, 1);
    uint64_t counted = room_stats().bytes;
    take_away(FIRST, LAST);
    room_settle();
    assert_int_equal(room_files("day.sum")->count, 0);
    assert_true(room_stats().bytes < counted - 2 * room.known[FIRST].info.bytes);
    for (unsigned i = 0; i < 2; i++) {
        room_wait(1200 * US_PER_S); // one that is made again says no less
        counted = room_stats().bytes;
        check_all_but(FIRST, LAST, false);
        archive_detach(room.archives, room.stream);
        room_settle();
        attach();
        assert_in_range(room_stats().bytes, counted - 16384, counted + 16384);
    }
    room_close();
}

static void erasure_first_and_last_segments(void **state)
{
    (void)state;
    open_real();
    uint64_t before = taken(room_files(".mp4")->path[0]);
    assert_int_equal(archive_delete(room.stream, start_of(0), end_of(0)), 0);
    room_settle();
    assert_int_equal(archive_delete(room.stream, start_of(SEGMENTS - 1), end_of(SEGMENTS - 1)), 0);
    room_settle();
    assert_int_equal(deleted_count(), 0);
    assert_in_range(before - taken(room_files(".mp4")->path[0]),
                    room.known[0].info.bytes + room.known[SEGMENTS - 1].info.bytes - 16384, before);
    struct got *got = room_ranges(start_of(0), end_of(SEGMENTS - 1));
    // The neighbours that only touch are whole.
    for (unsigned i = 0; i < got->ranges; i++)
        if (got->range[i].reason == REASON_NONE) {
            assert_int_equal(got->range[i].from_us, start_of(1));
            assert_int_equal(got->range[i].to_us, end_of(SEGMENTS - 2));
        }
    assert_int_equal(got->media, 1);
    room_close();
}

// The last of its segments: the file goes.
// A file whose name says another time than what stands in it.
static void erasure_of_a_file_dated_anew(void **state)
{
    (void)state;
    enum { BY_S = 7200 };
    open_real();
    archive_detach(room.archives, room.stream);
    room_settle();
    for (unsigned i = 0; i < 2; i++) {
        char from[256], to[256];
        (void)text_copy(from, sizeof from, room_files(i ? ".idx" : ".mp4")->path[0]);
        (void)text_format(to, sizeof to, "%.*s/020028o%d.%s", (int)(strrchr(from, '/') - from),
                          from, BY_S, i ? "idx" : "mp4");
        assert_non_null(strstr(from, "/000028."));
        assert_int_equal(rename(from, to), 0);
    }
    clock_advance_test(3 * 3600 * US_PER_S);
    attach();
    static struct got before;
    before = *room_read_all();
    uint64_t counted = room_stats().bytes;
    int64_t from_us = start_of(FIRST) + BY_S * US_PER_S, to_us = end_of(LAST) + BY_S * US_PER_S;
    assert_int_equal(archive_delete(room.stream, from_us, to_us), 0);
    room_settle();
    assert_int_equal(deleted_count(), 0);
    assert_true(room_stats().bytes < counted - 2 * room.known[FIRST].info.bytes);
    for (unsigned life = 0; life < 3; life++) {
        struct got *got = room_read_all();
        unsigned at = 0;
        assert_int_equal(got->count, before.count - (LAST - FIRST + 1));
        for (unsigned i = 0; i < before.count; i++) {
            int64_t start_us = before.segment[i].info.utc_start_us;
            if (start_us >= from_us && start_us < to_us)
                continue;
            assert_int_equal(got->segment[at].info.utc_start_us, start_us);
            assert_int_equal(got->segment[at++].sum, before.segment[i].sum);
        }
        archive_detach(room.archives, room.stream);
        room_settle();
        if (life == 1)
            assert_int_equal(unlink(room_files("o7200.idx")->path[0]), 0);
        attach();
    }
    room_close();
}

static void erasure_of_all_removes_the_file(void **state)
{
    (void)state;
    open_real();
    take_away(0, 4);
    room_settle();
    assert_int_equal(room_files(".mp4")->count, 2);
    take_away(5, SEGMENTS); // the one that the loss of the source cut short, too
    room_settle();
    assert_int_equal(room_files(".mp4")->count, 1);
    assert_int_equal(room_files(".idx")->count, 1);
    assert_int_equal(deleted_count(), 0);
    room_close();
}

static void erasure_spares_what_is_locked_until_it_is_unlocked(void **state)
{
    (void)state;
    open_real();
    uint64_t before = taken(room_files(".mp4")->path[0]);
    int64_t from_us = start_of(LAST) + US_PER_S; // in the last one that is touched
    assert_int_equal(archive_lock(room.stream, from_us, end_of(SEGMENTS - 1), true), 0);
    take_away(FIRST, LAST);
    room_settle();
    uint64_t of_others = room.known[FIRST].info.bytes + room.known[FIRST + 1].info.bytes;
    uint64_t after = taken(room_files(".mp4")->path[0]);
    assert_in_range(before - after, of_others - 8192, of_others + 8192);
    assert_int_equal(deleted_count(), 1);
    check_all_but(FIRST, LAST, false);
    assert_int_equal(archive_lock(room.stream, from_us, end_of(SEGMENTS - 1), false), 0);
    room_settle();
    assert_int_equal(deleted_count(), 0);
    uint64_t freed = after - taken(room_files(".mp4")->path[0]);
    assert_in_range(freed, room.known[LAST].info.bytes - 8192, room.known[LAST].info.bytes + 8192);
    check_all_but(FIRST, LAST, false);
    room_close();
}

static void erasure_of_a_file_that_is_written_waits_for_its_end(void **state)
{
    (void)state;
    (void)text_copy(doing, sizeof doing, "being written");
    room_open_plain("cam");
    room.picture_bytes = 4000;
    attach();
    room_after_roll();
    room_record(SEGMENTS);
    take_away(FIRST, LAST);
    room_wait(60 * US_PER_S);
    assert_int_equal(deleted_count(), 1);
    uint64_t before = taken(room_files(".mp4")->path[0]);
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(2);
    room_settle();
    assert_int_equal(deleted_count(), 0);
    assert_true(taken(room_files(".mp4")->path[0]) < before - room.known[FIRST].info.bytes * 2);
    check_all_but(FIRST, LAST, false);
    room_close();
}

// As it was before: hidden, and the bytes stay until the file goes. Said once.
static void erasure_where_the_file_system_cannot(void **state)
{
    (void)state;
    open_real();
    uint64_t before = taken(room_files(".mp4")->path[0]), counted = room_stats().bytes;
    file_faults_fail(FAULT_PUNCH, 1, true, EOPNOTSUPP);
    take_away(FIRST, LAST);
    room_settle();
    check_all_but(FIRST, LAST, false);
    take_away(FIRST, LAST + 1);
    room_settle();
    check_all_but(FIRST, LAST + 1, false);
    assert_int_equal(room_logged("cannot give back parts of files"), 1);
    assert_int_equal(taken(room_files(".mp4")->path[0]), before);
    assert_in_range(room_stats().bytes, counted - 1000, counted); // the index is shorter
    assert_int_equal(deleted_count(), 0);
    archive_detach(room.archives, room.stream);
    room_settle();
    assert_int_equal(unlink(room_files(".idx")->path[0]), 0);
    attach();
    check_all_but(FIRST, LAST + 1, false);
    room_close();
}

TEST_MAIN(TEST(erasure_survives_a_power_cut_at_every_effect),
          TEST(erasure_is_tried_again_after_each_failed_call),
          TEST(erasure_under_a_reader_gives_him_nothing_damaged),
          TEST(erasure_takes_what_was_kept_in_memory),
          TEST(erasure_gives_back_and_counts_what_is_left),
          TEST(erasure_takes_the_summary_of_the_day), TEST(erasure_first_and_last_segments),
          TEST(erasure_of_all_removes_the_file), TEST(erasure_of_a_file_dated_anew),
          TEST(erasure_spares_what_is_locked_until_it_is_unlocked),
          TEST(erasure_of_a_file_that_is_written_waits_for_its_end),
          TEST(erasure_where_the_file_system_cannot))
