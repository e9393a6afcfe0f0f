// SPDX-License-Identifier: MIT
// Footage recorded under a wrong clock, and what becomes of it when the clock is set.
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

#define HOUR_US (3600 * US_PER_S)
#define YEAR_1970_US (300 * US_PER_S)

// The wall clock is set; the boot is where it was.
static void set_clock(int64_t wall_us)
{
    clock_set_test(now_us(), wall_us);
}

// Until files have moved, which may wait for the journal.
static void let_move(void)
{
    room_wait(60 * US_PER_S);
}

// The archive of another life, the clock having been set or the machine booted meanwhile.
static void live_again(void)
{
    room_attach();
    room_settle();
    let_move();
}

static void end_life(void)
{
    archive_detach(room.archives, room.stream);
    room_settle();
}

static unsigned files_of(const char *part)
{
    unsigned count = 0;
    struct files *files = room_files(".mp4");
    for (unsigned i = 0; i < files->count; i++)
        count += strstr(files->path[i] + strlen(room.folder.path), part) != NULL;
    return count;
}

// All media as one stretch, but for holes shorter than most_us: [from, to).
static struct history_range stretch(int64_t most_us)
{
    struct got *got = room_ranges(0, INT64_MAX / 2);
    struct history_range all = {0};
    int64_t behind_us = 0;
    for (size_t i = 0; i < got->ranges; i++) {
        if (got->range[i].reason != REASON_NONE)
            continue;
        assert_true(behind_us == 0 || got->range[i].from_us - behind_us <= most_us);
        behind_us = all.to_us = got->range[i].to_us;
        if (!all.from_us)
            all.from_us = got->range[i].from_us;
    }
    return all;
}

// The archive of a machine that booted in 1970.
static void open_in_1970(void)
{
    room_open_plain("cam");
    set_clock(YEAR_1970_US);
    room_attach();
    room_settle();
}

// A machine that boots in 1970 and learns the time later: one past, in order, nothing in 1970.
static void redate_moves_what_was_recorded_before_the_clock_was_set(void **state)
{
    (void)state;
    static const int64_t wrong_us[] = {YEAR_1970_US, ROOM_START_US - 2 * HOUR_US,
                                       ROOM_START_US + 2 * HOUR_US,
                                       ROOM_START_US + 20 * 365 * 24 * HOUR_US};
    for (unsigned i = 0; i < sizeof wrong_us / sizeof *wrong_us; i++) {
        room_open_plain("cam");
        set_clock(wrong_us[i] + 123456);
        room_attach();
        room_settle();
        int64_t began_us = now_us();
        room_record(5);
        room_align();
        set_clock(ROOM_START_US + (now_us() - began_us) + 123456 + 400 * US_PER_MS);
        room_record(5);
        room_lose();
        let_move();
        assert_int_equal(files_of("o"), 1);
        assert_int_equal(files_of("cam/2026/01/01/"), 2);
        struct history_range all = stretch(500 * US_PER_MS);
        assert_true(all.from_us >= ROOM_START_US && all.from_us < ROOM_START_US + 2 * US_PER_S);
        assert_true(all.to_us - all.from_us >= 19 * US_PER_S);
        assert_true(room_read_all()->count >= 10);
        assert_list_is_read();
        assert_int_equal(room_logged("dated anew files=1"), 1);
        // And it is the same for the next life.
        end_life();
        live_again();
        assert_int_equal(files_of("o"), 1);
        assert_true(stretch(500 * US_PER_MS).from_us == all.from_us);
        room_close();
    }
}

// The timeline goes by whole seconds with the clock, and so do files: not even a frame is missing.
static void redate_leaves_no_gap(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_align();
    set_clock(ROOM_START_US);
    room_record(4);
    room_align();
    let_move();
    (void)stretch(0);
    assert_int_equal(room_ranges(0, utc_us() - 40 * US_PER_S)->media, 1);
    room_close();
}

static void redate_goes_on_in_another_life_of_the_same_boot(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_lose();
    end_life();
    set_clock(ROOM_START_US);
    live_again();
    assert_int_equal(files_of("/1970/"), 0);
    assert_int_equal(files_of("/2025/12/31/"), 1); // it was recorded before the clock was set
    assert_list_is_read();
    room_close();
}

// Which boot files are of is what tells: those of an earlier one were under another clock.
static void redate_of_another_boot_is_not_known(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_lose();
    end_life();
    clock_set_boot_test(2, true);
    set_clock(ROOM_START_US);
    live_again();
    assert_int_equal(files_of("/1970/"), 1);
    assert_int_equal(room_archive()->journal.records.files.count, 0);
    room_close();
}

// The power goes when the clock is known and not all files have moved.
static void redate_goes_on_after_another_boot(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_lose();
    room_reconnect(10 * US_PER_S);
    file_faults_fail(FAULT_RENAME, 1, true, EIO);
    set_clock(ROOM_START_US);
    room_record(2);
    room_lose();
    assert_int_equal(files_of("/1970/"), 1);
    end_life();
    clock_set_boot_test(2, true);
    file_faults_fail(FAULT_RENAME, 0, true, 0);
    set_clock(ROOM_START_US + 10 * HOUR_US);
    live_again();
    assert_int_equal(files_of("/1970/"), 0);
    assert_list_is_read();
    room_close();
}

static void redate_takes_reasons_locks_and_what_is_deleted_along(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    int64_t first_us = room.known[0].info.utc_start_us;
    room_lose();
    room_reconnect(10 * US_PER_S);
    room_record(4);
    room_lose();
    room_wait(US_PER_S);
    struct got before = *room_ranges(0, utc_us());
    assert_int_equal(before.range[1].reason, REASON_SOURCE_LOST);
    assert_int_equal(archive_delete(room.stream, first_us + 4000000, first_us + 4000001), 0);
    assert_int_equal(archive_lock(room.stream, first_us, first_us + 2000000, true), 0);
    room_settle();
    unsigned segments = room_read_all()->count;
    int64_t by_us = (ROOM_START_US - utc_us() + US_PER_S / 2) / US_PER_S * US_PER_S;
    set_clock(ROOM_START_US);
    room_reconnect(20 * US_PER_S);
    let_move();
    assert_int_equal(files_of("/1970/"), 0);
    assert_int_equal(room_read_all()->count, segments);
    struct got *after = room_ranges(0, ROOM_START_US);
    assert_int_equal(after->range[0].from_us, before.range[0].from_us + by_us);
    bool lost = false;
    for (size_t i = 0; i < after->ranges; i++)
        lost |= after->range[i].reason == REASON_SOURCE_LOST &&
                after->range[i].from_us == before.range[1].from_us + by_us;
    assert_true(lost);
    assert_true(journal_locked(&room_archive()->journal.records, first_us + by_us,
                               first_us + by_us + 1000000));
    room_close();
}

// Somebody put a file there that has the very name.
static void redate_never_replaces(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_lose();
    end_life();
    set_clock(ROOM_START_US);
    live_again();
    char name[256];
    (void)text_copy(name, sizeof name, room_files(".mp4")->path[0]);
    room_close();
    // The same again, its name taken.
    const char *tail = strstr(name, "/cam/");
    open_in_1970();
    room_record(4);
    room_lose();
    set_clock(ROOM_START_US);
    char folder[256], path[256];
    (void)text_format(path, sizeof path, "%s%s", room.folder.path, tail);
    for (char *at = path + strlen(room.folder.path) + 1; (at = strchr(at, '/')); at++) {
        (void)text_copy_n(folder, sizeof folder, path, (size_t)(at - path));
        (void)mkdir(folder, 0755);
    }
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(descriptor >= 0);
    close(descriptor);
    room_reconnect(20 * US_PER_S);
    let_move();
    assert_int_equal(files_of("/1970/"), 0);
    assert_int_equal(files_of("-1o"), 1);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 0);
    room_close();
}

static void redate_is_tried_again(void **state)
{
    (void)state;
    open_in_1970();
    room_record(4);
    room_lose();
    file_faults_fail(FAULT_RENAME, 1, true, EIO);
    set_clock(ROOM_START_US);
    room_reconnect(20 * US_PER_S);
    room_wait(20 * US_PER_S);
    assert_int_equal(files_of("/1970/"), 1);
    assert_true(room_read_all()->count >= 4); // it is there, where it was
    file_faults_fail(FAULT_RENAME, 0, true, 0);
    room_wait(60 * US_PER_S);
    assert_int_equal(files_of("/1970/"), 0);
    assert_list_is_read();
    room_close();
}

// What was recorded by a clock that was right for an hour stays where it is.
static void redate_is_over_when_the_clock_was_right_for_an_hour(void **state)
{
    (void)state;
    room_open();
    room_record(4);
    room_lose();
    assert_int_equal(room_archive()->journal.records.files.count, 1);
    room_wait(2 * HOUR_US);
    assert_int_equal(room_archive()->journal.records.files.count, 0);
    set_clock(utc_us() + 2 * HOUR_US);
    let_move();
    assert_int_equal(files_of("o"), 0);
    room_close();
}

TEST_MAIN(TEST(redate_moves_what_was_recorded_before_the_clock_was_set), TEST(redate_leaves_no_gap),
          TEST(redate_goes_on_in_another_life_of_the_same_boot),
          TEST(redate_of_another_boot_is_not_known), TEST(redate_goes_on_after_another_boot),
          TEST(redate_takes_reasons_locks_and_what_is_deleted_along), TEST(redate_never_replaces),
          TEST(redate_is_tried_again), TEST(redate_is_over_when_the_clock_was_right_for_an_hour))
