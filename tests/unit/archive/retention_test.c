// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

#include <sys/statvfs.h>

#include "io/file_calls.h"

// One segment in each of so many hours.
static void record_hours(unsigned hours)
{
    for (unsigned i = 0; i < hours; i++) {
        room_record(1);
        room_lose();
        room_reconnect(3660 * US_PER_S);
    }
}

static void set_limits(int64_t depth_s, unsigned percent, uint64_t size_bytes)
{
    room.conf.dvr.depth_s = depth_s;
    room.conf.dvr.percent = percent;
    room.conf.dvr.size_bytes = size_bytes;
    room_attach(); // the same path: only the limits change
}

static void retention_removes_by_age(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    unsigned before = room_files(".mp4")->count;
    char oldest[256];
    (void)text_copy(oldest, sizeof oldest, room_files(".mp4")->path[0]);
    set_limits(3 * 3600, 0, 0);
    room_wait(30 * US_PER_S);
    struct files *files = room_files(".mp4");
    assert_true(files->count < before && files->count > 0);
    assert_string_not_equal(files->path[0], oldest);
    assert_int_equal(room_stats().files, files->count);
    struct got *got = room_read_all();
    int64_t limit_us = utc_us() - 3 * 3600 * US_PER_S;
    for (unsigned i = 0; i < got->count; i++)
        assert_true(got->segment[i].info.utc_start_us + got->segment[i].info.duration_us >
                    limit_us - 40 * US_PER_S);
    assert_list_is_read();
    // No index without its file.
    assert_true(room_files(".idx")->count <= room_files(".mp4")->count);
    room_close();
}

// peers.md 2.1.6: a clock that is wrong deletes nothing.
static void retention_by_age_waits_for_a_clock_that_is_believed(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    unsigned before = room_files(".mp4")->count;
    room.archives->began_us = now_us();
    clock_set_boot_test(1, false);
    clock_set_test(now_us(), utc_us() + 400 * 86400 * US_PER_S);
    set_limits(30 * 86400, 0, 0);
    room_wait(60 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before);
    clock_set_test(now_us(), utc_us() - 400 * 86400 * US_PER_S);
    clock_set_boot_test(1, true);
    room_wait(60 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before);
    clock_set_test(now_us(), utc_us() + 31 * 86400 * US_PER_S);
    room_wait(60 * US_PER_S);
    assert_true(room_files(".mp4")->count < before);
    room_close();
}

// Recorded before the clock was set, in a boot of which nobody knows when it was: dated 1970, and
// nobody knows how old.
static void retention_by_age_keeps_what_has_no_date(void **state)
{
    (void)state;
    room_open_plain("cam");
    clock_set_boot_test(0, true);
    room_attach();
    room_settle();
    record_hours(3);
    int64_t right_us = utc_us() - now_us();
    clock_set_test(now_us(), 300 * US_PER_S);
    record_hours(2);
    clock_set_test(now_us(), now_us() + right_us);
    record_hours(1);
    unsigned before = room_files(".mp4")->count, undated = 0;
    set_limits(1800, 0, 0);
    room_wait(60 * US_PER_S);
    assert_true(room_files(".mp4")->count < before);
    for (unsigned i = 0; i < room_files(".mp4")->count; i++)
        undated += strstr(room_files(".mp4")->path[i], "/1970/01/01/") != NULL;
    assert_int_equal(undated, 2);
    room_close();
}

// A machine that boots in 1970 with a full disk does not eat what it records.
static void retention_of_a_wrong_clock_takes_what_has_a_date_first(void **state)
{
    (void)state;
    room_open();
    record_hours(4);
    archive_detach(room.archives, room.stream);
    room_settle();
    clock_set_boot_test(2, false);
    clock_set_test(now_us(), 300 * US_PER_S);
    room_attach();
    room_settle();
    record_hours(4);
    uint64_t bytes = 0;
    struct files *files = room_files(".mp4");
    for (unsigned i = 0; i < files->count; i++)
        bytes += (uint64_t)files->size[i];
    assert_int_equal(files->count, 8);
    set_limits(0, 0, bytes * 3 / 4);
    room_wait(60 * US_PER_S);
    unsigned undated = 0;
    files = room_files(".mp4");
    for (unsigned i = 0; i < files->count; i++)
        undated += strstr(files->path[i], "/1970/01/01/") != NULL;
    assert_true(files->count < 8);
    assert_int_equal(undated, 4);
    room_close();
}

// peers.md 2.1.5, 6.8.
static void retention_removes_by_size_and_keeps_the_newest(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    uint64_t bytes = room_stats().bytes;
    struct known newest = room.known[room.known_count - 1];
    set_limits(0, 0, bytes / 2);
    room_wait(30 * US_PER_S);
    struct archive_stats stats = room_stats();
    assert_true(stats.bytes <= bytes / 2 && stats.bytes > 0);
    struct got *got = room_read_all();
    assert_int_equal(got->segment[got->count - 1].sum, newest.sum);
    assert_list_is_read();
    room_close();
}

static void retention_removes_empty_folders_up_to_the_stream(void **state)
{
    (void)state;
    room_open();
    record_hours(30); // two days
    char day[256];
    (void)text_copy(day, sizeof day, room_files(".mp4")->path[0]);
    *strrchr(day, '/') = 0;
    assert_int_equal(access(day, F_OK), 0);
    set_limits(2 * 3600, 0, 0);
    room_wait(30 * US_PER_S);
    assert_int_not_equal(access(day, F_OK), 0);
    set_limits(1, 0, 0);
    room_lose();
    room_wait(7200 * US_PER_S);
    assert_int_equal(access(temp_path(&room.folder, "cam"), F_OK), 0);
    room_close();
}

// What is being written stays, however small the limit is; a new file is begun, so that the old one
// can go.
static void retention_file_being_written_is_rolled_first(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    set_limits(0, 0, 1000);
    room_wait(25 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, 1);
    room_align();
    room_record(2);
    assert_int_equal(room_files(".mp4")->count, 2);
    room_wait(25 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, 1);
    struct got *got = room_read_all();
    assert_true(got->count >= 1);
    assert_int_equal(got->segment[got->count - 1].sum, room.known[room.known_count - 1].sum);
    room_close();
}

// ---- the fill of the disk ----------------------------------------------------------------------

static unsigned fill_permille;

static int fill_statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = 1024, .f_blocks = 1000};
    out->f_bfree = out->f_bavail = 1000 - fill_permille;
    return 0;
}

static void set_fill(unsigned permille)
{
    static struct file_calls calls;
    calls = file_calls_system;
    calls.statvfs = fill_statvfs;
    fill_permille = permille;
    file_set_calls_test(&calls);
}

// peers.md 2.1.5.
static void retention_full_disk_removes_the_oldest_first(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    unsigned before = room_files(".mp4")->count;
    set_limits(0, 90, 0);
    set_fill(900);
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before); // 90.0 is not over 90
    // A file has some 38 KB of the megabyte: two of them for 61 per mille.
    set_fill(961);
    struct known second = room.known[1];
    room_wait(6 * US_PER_S);
    fill_permille = 900;
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before - 2);
    struct got *got = room_read_all();
    assert_true(got->segment[0].info.utc_start_us > second.info.utc_start_us);
    file_set_calls_test(NULL);
    room_close();
}

// 2.1.5: so much is kept free, whatever the percentage.
// peers.md 2.1.5.
static void retention_keeps_free_what_was_asked_for(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    unsigned before = room_files(".mp4")->count;
    room.conf.dvr.free_bytes = 200 << 10;
    set_limits(0, 100, 0);
    set_fill(800); // 200 KB of the megabyte are free
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before);
    set_fill(861); // 61 KB too few: two files of some 38
    room_wait(6 * US_PER_S);
    fill_permille = 800;
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before - 2);
    file_set_calls_test(NULL);
    room_close();
}

// 2.1.5: a limit that holds less than an hour: files are short, so that the oldest can go, and what
// is kept is most of what may be.
static void retention_small_limit_makes_short_files(void **state)
{
    (void)state;
    room_open();
    room.picture_bytes = 40000; // a megabyte a second
    set_limits(0, 0, 16 << 20);
    for (unsigned i = 0; i < 40; i++) {
        room_record(1);
        room_align();
        room_wait(20 * US_PER_S);
        assert_true(room_stats().bytes <= 16u << 20 || i < 8);
    }
    assert_true(room_stats().bytes >= 10u << 20);
    struct files *files = room_files(".mp4");
    assert_true(files->count >= 4);
    for (unsigned i = 0; i < files->count; i++)
        assert_true(files->size[i] <= (off_t)(6 << 20)); // an eighth and a segment
    assert_list_is_read();
    room_close();
}

static void retention_default_is_97_percent(void **state)
{
    (void)state;
    room_open();
    record_hours(3);
    unsigned before = room_files(".mp4")->count;
    set_fill(970);
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before);
    set_fill(971);
    room_wait(30 * US_PER_S);
    assert_true(room_files(".mp4")->count < before);
    file_set_calls_test(NULL);
    room_close();
}

static void retention_file_that_cannot_be_removed_is_known_again(void **state)
{
    (void)state;
    room_open();
    record_hours(3);
    unsigned before = room_files(".mp4")->count;
    file_faults_fail(FAULT_UNLINK, 1, true, EROFS);
    set_limits(1, 0, 0);
    room_wait(30 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, before);
    assert_int_equal(room_stats().files, before);
    assert_true(room_logged("file not removed") > 0);
    assert_true(room_read_all()->count > 0);
    file_faults_fail(FAULT_UNLINK, 0, false, 0);
    room_wait(30 * US_PER_S);
    assert_true(room_files(".mp4")->count < before);
    room_close();
}

// Whether a file in which this moment lies is still there.
static bool is_there(int64_t utc_us)
{
    struct got *got = room_ranges(utc_us, utc_us + 1);
    return got->ranges == 1 && got->range[0].reason == REASON_NONE;
}

static void lock(int64_t from_us, int64_t to_us, bool on)
{
    assert_int_equal(archive_lock(room.stream, from_us, to_us, on), 0);
    room_settle();
}

// peers.md 1.3, pins: by age, by size, over a restart; and gone when unlocked.
static void retention_keeps_what_is_locked(void **state)
{
    (void)state;
    room_open();
    record_hours(6);
    int64_t at_us = room.known[2].info.utc_start_us;
    assert_true(is_there(at_us));
    lock(at_us, at_us + US_PER_S, true);
    set_limits(3600, 0, 0);
    room_wait(30 * US_PER_S);
    assert_false(is_there(room.known[0].info.utc_start_us));
    assert_true(is_there(at_us));
    archive_detach(room.archives, room.stream);
    room_settle();
    set_limits(0, 0, 1);
    room_settle();
    room_wait(60 * US_PER_S);
    assert_true(is_there(at_us));
    lock(at_us, at_us + US_PER_S, false);
    set_limits(3600, 0, 0);
    room_wait(30 * US_PER_S);
    assert_false(is_there(at_us));
    room_close();
}

// Nothing but what is locked is left on a full disk: said, and nothing is removed.
static void retention_full_disk_of_locked_files_stops_with_a_reason(void **state)
{
    (void)state;
    room_open();
    record_hours(3);
    int64_t from_us = room.known[0].info.utc_start_us;
    lock(from_us, utc_us(), true);
    unsigned files = room_files(".mp4")->count;
    file_faults_space(0);
    room_record(1);
    room_wait(60 * US_PER_S);
    assert_string_equal(room_stats().problem, "disk_full");
    assert_true(room_files(".mp4")->count >= files);
    assert_true(is_there(from_us));
    file_faults_space(SIZE_MAX);
    room_wait(60 * US_PER_S);
    room_align();
    room_record(2);
    for (int i = 0; i < 10 && room_stats().problem; i++)
        room_wait(10 * US_PER_S); // the sync that shows it is done by a thread
    assert_null(room_stats().problem);
    room_close();
}

// What was deleted is in no list, no reading and no range, and everything else is.
static void assert_gone(int64_t from_us, int64_t to_us)
{
    struct got *got = room_read_all();
    unsigned kept = 0, at = 0;
    for (unsigned i = 0; i < room.known_count; i++) {
        const struct segment_info *info = &room.known[i].info;
        if (info->utc_start_us < to_us && info->utc_start_us + info->duration_us > from_us)
            continue;
        kept++;
        assert_true(at < got->count);
        assert_int_equal(got->segment[at++].info.utc_start_us, info->utc_start_us);
    }
    assert_int_equal(got->count, kept);
    assert_list_is_read();
}

static void delete_takes_files_and_hides_the_rest(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(3);
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(6);
    // From within the first file, all of the second, into the one that is being written.
    int64_t from_us = room.known[1].info.utc_start_us + 7;
    int64_t to_us = room.known[room.known_count - 4].info.utc_start_us + 7;
    lock(from_us, to_us, true); // locks do not hinder
    unsigned files = room_files(".mp4")->count;
    assert_int_equal(archive_delete(room.stream, from_us, to_us), 0);
    room_settle();
    assert_int_equal(room_files(".mp4")->count, files - 1);
    assert_gone(from_us, to_us);
    struct got *got = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(got->ranges, 3);
    assert_int_equal(got->range[1].reason, REASON_DELETED);
    // Recording goes on, and it is the same in the next life.
    room_align();
    room_record(2);
    assert_gone(from_us, to_us);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    assert_gone(from_us, to_us);
    assert_int_equal(room_ranges(0, to_us)->range[1].reason, REASON_DELETED);
    // A file that goes takes what was hidden of it along.
    set_limits(60, 0, 0);
    room_wait(3600 * US_PER_S);
    assert_int_equal(room_archive()->journal.records.deleted.count, 0);
    room_close();
}

static void delete_until_the_future_spares_what_is_to_come(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    unsigned first = room.known_count;
    assert_int_equal(archive_delete(room.stream, 0, utc_us() + 3600 * US_PER_S), 0);
    room_settle();
    assert_int_equal(room_read_all()->count, 0);
    room_align();
    room_record(3);
    struct got *got = room_read_all();
    assert_int_equal(got->count, room.known_count - first);
    for (unsigned i = 0; i < got->count; i++)
        assert_int_equal(got->segment[i].sum, room.known[first + i].sum);
    assert_int_equal(archive_delete(room.stream, utc_us() + 5, utc_us() + 9), 0);
    room_close();
}

TEST_MAIN(TEST(delete_takes_files_and_hides_the_rest),
          TEST(delete_until_the_future_spares_what_is_to_come),
          TEST(retention_keeps_what_is_locked),
          TEST(retention_full_disk_of_locked_files_stops_with_a_reason),
          TEST(retention_removes_by_age), TEST(retention_by_age_waits_for_a_clock_that_is_believed),
          TEST(retention_by_age_keeps_what_has_no_date),
          TEST(retention_of_a_wrong_clock_takes_what_has_a_date_first),
          TEST(retention_removes_by_size_and_keeps_the_newest),
          TEST(retention_removes_empty_folders_up_to_the_stream),
          TEST(retention_file_being_written_is_rolled_first),
          TEST(retention_full_disk_removes_the_oldest_first),
          TEST(retention_keeps_free_what_was_asked_for),
          TEST(retention_small_limit_makes_short_files), TEST(retention_default_is_97_percent),
          TEST(retention_file_that_cannot_be_removed_is_known_again))
