// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"
#include "tree.h"

static void make(const char *name)
{
    char path[512], why[100];
    (void)text_format(path, sizeof path, "%s/%s", room.folder.path, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(archive_path_usable(path, why, sizeof why));
    *slash = '/';
    int descriptor = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "0123456789", 10), 10);
    close(descriptor);
}

static bool exists(const char *name)
{
    return access(temp_path(&room.folder, name), F_OK) == 0;
}

static void tree_lists_hours_in_order_and_leaves_others_alone(void **state)
{
    (void)state;
    room_open_plain("cam");
    make("cam/2025/12/31/235959.mp4");
    make("cam/2025/12/31/235959.idx");
    make("cam/2024/02/29/010203.mp4");
    make("cam/2025/01/01/000000-2.mp4");
    make("cam/2025/01/01/000000.mp4");
    make("cam/2025/01/01/000000-2.idx");
    // Not ours.
    make("cam/2025/02/30/000000.mp4");
    make("cam/2025/13/01/000000.mp4");
    make("cam/2025/1/01/000000.mp4");
    make("cam/notes.txt");
    make("cam/2025/01/01/evening.mp4");
    make("cam/2025/01/01/000000.mp4.bak");
    make("cam/2025/01/000000.mp4");
    make("cam/inner/2025/01/01/050505.mp4");
    // What a crash may leave of an index.
    make("cam/2025/06/01/120000.idx");
    make("cam/2025/12/31/235959.idx.new");
    file_faults_fail(FAULT_OPEN, 1, true, EIO); // nothing is looked into
    room_attach();
    room_settle();
    static const int64_t seconds[] = {1709168523, 1735689600, 1735689600, 1767225599};
    struct hours *hours = &room_archive()->hours;
    assert_int_equal(hours->count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(hours->hour[i].second, seconds[i]);
    assert_int_equal(hours->hour[1].suffix, 0);
    assert_int_equal(hours->hour[2].suffix, 2);
    assert_int_equal(hours->hour[2].bytes, 20);
    assert_int_equal(hours->bytes, 60);
    assert_false(exists("cam/2025/06"));
    assert_false(exists("cam/2025/12/31/235959.idx.new"));
    assert_true(exists("cam/2025/12/31/235959.idx"));
    assert_true(exists("cam/2025/02/30/000000.mp4"));
    assert_true(exists("cam/2025/01/01/000000.mp4.bak"));
    assert_true(exists("cam/notes.txt"));
    file_faults_fail(FAULT_OPEN, 0, false, 0);
    room_close();
}

static void tree_without_a_folder_is_empty(void **state)
{
    (void)state;
    room_open();
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_int_equal(room_stats().files, 0);
    struct history_range whole;
    assert_true(stream_has_archive(room.stream, &whole));
    assert_int_equal(whole.to_us, 0);
    room_close();
}

// A stream within the folder of another: neither sees the other's files.
static void tree_streams_within_one_another_are_apart(void **state)
{
    (void)state;
    room_open_plain("cam/2025");
    make("cam/2025/12/31/235959.mp4");
    make("cam/2025/2025/12/31/101010.mp4");
    file_faults_fail(FAULT_OPEN, 1, true, EIO);
    room_attach();
    room_settle();
    struct hours *hours = &room_archive()->hours;
    assert_int_equal(hours->count, 1);
    assert_int_equal(hours->hour[0].second, 1767175810);
    file_faults_fail(FAULT_OPEN, 0, false, 0);
    room_close();
}

static struct tree *tree_here(void)
{
    return &room_archive()->place[0].tree;
}

static struct tree_day *day_of(int32_t number)
{
    struct tree *tree = tree_here();
    for (unsigned i = 0; i < tree->count; i++)
        if (tree->day[i].number == number)
            return &tree->day[i];
    return NULL;
}

// Other streams of the disk keep it busy: nothing is listed for its own sake.
static struct disk *disk_busy(void)
{
    struct disk *disk = disk_get(room.archives, room.folder.path);
    disk->walking = ARCHIVE_WALKS_MAX;
    return disk;
}

static void disk_free_again(struct disk *disk)
{
    disk->walking = 0;
    tree_walk(disk);
    disk_put(disk);
    room_settle();
}

// A start does not grow with the archive: nothing that is there is looked at before the first
// segment is written (peers.md 2.1.9, 2.4.46).
static void tree_recording_does_not_wait_for_what_is_there(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_reconnect(10 * US_PER_S);
    struct disk *disk = disk_busy();
    room_attach();
    room_record(3);
    assert_int_equal(room_stats().segments_written, 3);
    assert_int_equal(room_stats().files, 1);
    assert_int_equal(room_stats().state, ARCHIVE_OPENING);
    disk_free_again(disk);
    assert_int_equal(room_stats().files, 2);
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    room_align();
    assert_known(room_read_all(), 0, room.known_count);
    room_close();
}

// Seeking into a long history lists the days it is about, not all, and waits for no other stream
// (peers.md 2.1.9).
static void tree_request_lists_its_own_days_only(void **state)
{
    (void)state;
    room_open_plain("cam");
    for (unsigned day = 1; day <= 28; day++)
        for (unsigned month = 1; month <= 3; month++) {
            char name[64];
            (void)text_format(name, sizeof name, "cam/2025/%02u/%02u/010000.mp4", month, day);
            make(name);
        }
    struct disk *disk = disk_busy();
    room_attach();
    room_settle();
    assert_int_equal(tree_here()->count, 0);
    int64_t from_us = (hour_day(2025, 2, 14) + 3700) * US_PER_S;
    assert_int_equal(room_list(from_us, from_us + 60 * US_PER_S)->err, 0);
    assert_int_equal(tree_here()->count, 84);
    assert_int_equal(room_archive()->hours.count, 1);
    assert_int_equal(day_of((int32_t)(hour_day(2025, 2, 14) / 86400))->state, DAY_LISTED);
    disk_free_again(disk);
    assert_true(tree_here()->complete);
    assert_int_equal(room_archive()->hours.count, 84);
    room_close();
}

// What is not known yet is not taken for what is not there.
static void tree_retention_waits_for_the_oldest(void **state)
{
    (void)state;
    room_open_plain("cam");
    make("cam/2025/12/30/010000.mp4");
    make("cam/2025/12/31/010000.mp4");
    room.conf.dvr.size_bytes = 1;
    struct disk *disk = disk_busy();
    room_attach();
    int64_t from_us = (hour_day(2025, 12, 31) + 3600) * US_PER_S;
    assert_int_equal(room_list(from_us, from_us + 7200 * US_PER_S)->err, 0);
    assert_int_equal(room_archive()->hours.count, 1);
    room_wait(60 * US_PER_S); // too much is there, but that is not the oldest
    assert_false(retention_make_room(disk));
    assert_true(exists("cam/2025/12/30/010000.mp4") && exists("cam/2025/12/31/010000.mp4"));
    disk_free_again(disk);
    assert_true(retention_make_room(room_archive()->place[0].disk));
    room_settle();
    assert_false(exists("cam/2025/12/30"));
    assert_true(exists("cam/2025/12/31/010000.mp4"));
    room_wait(60 * US_PER_S);
    assert_false(exists("cam/2025/12/31"));
    room_close();
}

// A day with two files and a hole inside of one, and the next one, begun.
static void record_a_day(void)
{
    room_open();
    room_after_roll();
    room_record(3);
    room_lose();
    room_reconnect(20 * US_PER_S);
    room_record(3);
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(2);
    room_lose();
    room_reconnect(24 * 3600 * US_PER_S);
    room_record(2);
    room_lose();
    room_wait(60 * US_PER_S);
}

#define SUMMARY "cam/2026/01/01/day.sum"

static void attach_again(void)
{
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
}

static unsigned known_of_first_day(void)
{
    struct hours *hours = &room_archive()->hours;
    unsigned known = 0;
    for (unsigned i = 0; i < hours->count && hours->hour[i].second < 1767225600 + 86400; i++)
        known += hours->hour[i].known;
    return known;
}

static void tree_day_is_summed_up_and_known_without_a_look(void **state)
{
    (void)state;
    record_a_day();
    assert_true(exists(SUMMARY));
    struct got before = *room_ranges(0, INT64_MAX / 2);
    assert_int_equal(before.ranges, 8); // four, and what is not there after each
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    assert_true(day_of(1767225600 / 86400)->summed);
    assert_int_equal(known_of_first_day(), 2);
    assert_int_equal(room_archive()->hours.holes, 1);
    unsigned opens = file_faults_count(FAULT_OPEN);
    int64_t first_day_us = ROOM_START_US + 86400 * US_PER_S;
    struct got *got = room_ranges(0, first_day_us);
    assert_int_equal(file_faults_count(FAULT_OPEN), opens); // no index was read
    assert_int_equal(got->ranges, 6);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(got->range[i].from_us, before.range[i].from_us);
        assert_int_equal(got->range[i].to_us, before.range[i].to_us);
    }
    assert_known(room_read_all(), 0, room.known_count);
    room_close();
}

static void tree_summary_is_thrown_away_when_names_differ(void **state)
{
    (void)state;
    record_a_day();
    archive_detach(room.archives, room.stream);
    room_settle();
    assert_true(exists(SUMMARY));
    assert_int_equal(unlink(room_files(".idx")->path[0]), 0);
    room_attach();
    room_settle();
    assert_false(exists(SUMMARY));
    assert_int_equal(known_of_first_day(), 0);
    assert_known(room_read_all(), 0, room.known_count); // looks at all of them
    room_wait(60 * US_PER_S);
    assert_true(exists(SUMMARY));
    room_close();
}

static void tree_damaged_summary_is_thrown_away(void **state)
{
    (void)state;
    record_a_day();
    file_write_byte(temp_path(&room.folder, SUMMARY), 40, 0x55);
    attach_again();
    assert_false(exists(SUMMARY));
    assert_int_equal(known_of_first_day(), 0);
    assert_known(room_read_all(), 0, room.known_count);
    room_close();
}

static void tree_summary_goes_with_the_first_file_of_its_day(void **state)
{
    (void)state;
    record_a_day();
    assert_true(exists(SUMMARY));
    assert_true(retention_remove(room_archive(), &room_archive()->hours.hour[0]));
    room_settle();
    assert_false(exists(SUMMARY));
    room_wait(3600 * US_PER_S);
    assert_false(exists(SUMMARY)); // nor is another one made for each hour that goes
    assert_true(retention_remove(room_archive(), &room_archive()->hours.hour[0]));
    room_settle();
    assert_false(exists("cam/2026/01/01"));
    room_close();
}

// Of the day that ends, files of earlier lives are looked at; one that cannot be read ends it.
static void tree_day_with_an_unreadable_file_is_not_summed_up(void **state)
{
    (void)state;
    room_open();
    make("cam/2026/01/01/000000-5.mp4"); // older than the newest, which is looked at anyway
    room_record(2);
    room_lose();
    room_reconnect(3600 * US_PER_S);
    room_record(2);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    room_wait(25 * 3600 * US_PER_S);
    assert_true(day_of(1767225600 / 86400)->unfit);
    assert_false(exists(SUMMARY));
    room_close();
}

TEST_MAIN(TEST(tree_lists_hours_in_order_and_leaves_others_alone),
          TEST(tree_without_a_folder_is_empty), TEST(tree_streams_within_one_another_are_apart),
          TEST(tree_recording_does_not_wait_for_what_is_there),
          TEST(tree_request_lists_its_own_days_only), TEST(tree_retention_waits_for_the_oldest),
          TEST(tree_day_is_summed_up_and_known_without_a_look),
          TEST(tree_summary_is_thrown_away_when_names_differ),
          TEST(tree_damaged_summary_is_thrown_away),
          TEST(tree_summary_goes_with_the_first_file_of_its_day),
          TEST(tree_day_with_an_unreadable_file_is_not_summed_up))
