// SPDX-License-Identifier: MIT
#include "archive_disks.h"
#include "archive_files.h"
#include "archive_reading.h"

static void record_hour(void)
{
    room_record(2);
    room_lose();
    room_reconnect(3660 * US_PER_S); // it is another hour for each stream
}

static void place_files_of_all_are_one_past(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_attach_disks("one", NULL);
    record_hour();
    room_attach_disks("two", "one"); // records to the new one, plays both
    record_hour();
    assert_int_equal(room_hours_on(0), 1);
    assert_int_equal(room_hours_on(1), 1);
    room_attach_disks("one", "two");
    record_hour();
    assert_int_equal(room_hours_on(0), 2);
    assert_known(room_read_all(), 0, room.known_count);
    assert_int_equal(room_ranges(0, INT64_MAX / 2)->media, 3);
    assert_list_is_read();
    room_close();
}

// Two disks may have files of one name.
static void place_same_name_on_two_is_two_files(void **state)
{
    (void)state;
    room_open_plain("cam");
    struct hours *hours;
    room_attach_disks("one", "two");
    hours = &room_archive()->hours;
    struct hour_name name = {.second = 1000}, other = {.second = 1000, .disk = 1};
    assert_int_equal(hours_add(hours, name, 5), 0);
    assert_int_equal(hours_add(hours, other, 7), 0);
    assert_int_equal(hours_add(hours, other, 7), ERR_EXISTS);
    assert_int_equal(hours_get(hours, other)->bytes, 7);
    hours_remove_disk(hours, 1);
    assert_true(hours->count == 1 && hours->bytes == 5);
    hours_remove_disk(hours, 0);
    room_close();
}

static void place_that_cannot_be_listed_does_not_hide_the_others(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_attach_disks("two", NULL);
    record_hour();
    unsigned there = room.known_count;
    archive_detach(room.archives, room.stream);
    room_settle();
    // A file where the stream's folder of the first disk should be.
    assert_int_equal(mkdir(temp_path(&room.folder, "one"), 0755), 0);
    int file = open(temp_path(&room.folder, "one/cam"), O_WRONLY | O_CREAT, 0644);
    assert_true(file >= 0);
    close(file);
    room_attach_disks("one", "two");
    room_wait(US_PER_S);
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_int_equal(room_read_all()->count, there);
    room_close();
}

static void place_retention_goes_over_all(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_attach_disks("one", NULL);
    record_hour();
    record_hour();
    room.conf.dvr.depth_s = 3 * 3600;
    room_attach_disks("two", "one");
    record_hour();
    assert_true(room_hours_on(0) == 1 && room_hours_on(1) == 2);
    room_wait(3600 * US_PER_S + 1800 * US_PER_S);
    assert_int_equal(room_hours_on(1), 0);
    assert_int_equal(room_files(".mp4")->count, 1);
    room_close();
}

TEST_MAIN(TEST(place_files_of_all_are_one_past), TEST(place_same_name_on_two_is_two_files),
          TEST(place_that_cannot_be_listed_does_not_hide_the_others),
          TEST(place_retention_goes_over_all))
