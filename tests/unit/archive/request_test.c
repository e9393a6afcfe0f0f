// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static int64_t start_of(unsigned number)
{
    return room.known[number].info.utc_start_us;
}

static int64_t end_of(unsigned number)
{
    return room.known[number].info.utc_start_us + room.known[number].info.duration_us;
}

// Two stretches with a hole between, in three files: one rolled, one of another life.
static unsigned record_two_stretches(void)
{
    room_open_plain("cam");
    clock_advance_test(3595 * US_PER_S);
    room_attach();
    room_settle();
    room_record(5);
    room_push(20);
    room_lose();
    unsigned first = room.known_count;
    room_reconnect(60 * US_PER_S);
    room_record(3);
    return first;
}

static void ranges_merge_what_touches_and_split_at_holes(void **state)
{
    (void)state;
    unsigned first = record_two_stretches();
    for (unsigned round = 0; round < 3; round++) {
        struct got *got = room_ranges(0, INT64_MAX / 2);
        assert_int_equal(got->err, 0);
        assert_int_equal(got->ranges, 2);
        assert_int_equal(got->range[0].from_us, start_of(0));
        assert_int_equal(got->range[0].to_us, end_of(first - 1));
        assert_int_equal(got->range[1].from_us, start_of(first));
        assert_true(got->range[1].to_us >= end_of(first + 2));
        if (round == 0) { // the same from the files alone
            room_lose();
            archive_detach(room.archives, room.stream);
            room_settle();
            room_attach();
            room_settle();
        }
    }
    // Only what touches the window, whole.
    struct got *got = room_ranges(start_of(first), start_of(first) + 1);
    assert_int_equal(got->ranges, 1);
    assert_int_equal(got->range[0].from_us, start_of(first));
    assert_int_equal(room_ranges(end_of(first - 1), start_of(first))->ranges, 0);
    room_close();
}

// What was listed once needs no disk any more.
static void ranges_of_known_files_do_not_read(void **state)
{
    (void)state;
    (void)record_two_stretches();
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    struct got first = *room_ranges(0, INT64_MAX / 2);
    unsigned reads = file_faults_count(FAULT_READ), opens = file_faults_count(FAULT_OPEN);
    opened_drop_all(room_archive()); // but files with a hole inside are looked at again
    struct got *again = room_ranges(0, start_of(0) + 1);
    assert_int_equal(again->ranges, 1);
    assert_int_equal(file_faults_count(FAULT_READ), reads);
    assert_int_equal(file_faults_count(FAULT_OPEN), opens);
    assert_int_equal(first.ranges, 2);
    room_close();
}

static void list_is_what_can_be_read(void **state)
{
    (void)state;
    unsigned first = record_two_stretches();
    struct got *got = room_list(0, INT64_MAX / 2);
    assert_int_equal(got->count, first + 3);
    assert_false(got->cut);
    for (unsigned i = 0; i < got->count; i++)
        assert_same_info(&got->segment[i].info, &room.known[i].info);
    assert_list_is_read();
    assert_int_equal(room_list(start_of(2), start_of(2) + 1)->count, 1);
    assert_int_equal(room_list(end_of(first - 1), start_of(first))->count, 0);
    room_close();
}

static void requests_wait_until_the_tree_is_listed(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    archive_detach(room.archives, room.stream);
    room_settle();
    file_faults_hold(FAULT_STAT, true);
    room_attach();
    static struct got got;
    got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
    loop_fixture_run(room.loop, 5 * US_PER_S);
    assert_false(got.ended);
    assert_int_equal(room_stats().state, ARCHIVE_OPENING);
    file_faults_hold(FAULT_STAT, false);
    room_settle();
    assert_true(got.ended);
    assert_int_equal(got.err, 0);
    assert_known(&got, 0, 3);
    room_close();
}

static void requests_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    room_open();
    room_record(1);
    room.archives->requests += ARCHIVE_REQUESTS_MAX;
    struct got *got = room_read(0, INT64_MAX / 2, HISTORY_WHOLE);
    assert_int_equal(got->err, ERR_LIMIT);
    assert_int_equal(got->count, 0);
    assert_int_equal(room_list(0, 1)->err, ERR_LIMIT);
    room.archives->requests -= ARCHIVE_REQUESTS_MAX;
    assert_int_equal(room.archives->requests, 0);
    assert_known(room_read_all(), 0, 1);
    room_close();
}

static void damaged_file_is_said_once_and_left_out(void **state)
{
    (void)state;
    unsigned first = record_two_stretches();
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    struct files *files = room_files(".mp4");
    for (off_t at = 0; at < 300; at++)
        file_write_byte(files->path[1], at, 0xee);
    unlink(room_files(".idx")->path[1]);
    room_attach();
    room_settle();
    for (unsigned round = 0; round < 3; round++) {
        struct got *got = room_read_all();
        assert_in_range(got->count, 1, first + 2);
        assert_int_equal(got->segment[0].sum, room.known[0].sum);
        assert_int_equal(room_logged("unreadable file="), 1);
    }
    // The file is still there for somebody to look at.
    assert_int_equal(room_files(".mp4")->count, files->count);
    assert_list_is_read();
    room_close();
}

TEST_MAIN(TEST(ranges_merge_what_touches_and_split_at_holes),
          TEST(ranges_of_known_files_do_not_read), TEST(list_is_what_can_be_read),
          TEST(requests_wait_until_the_tree_is_listed), TEST(requests_beyond_the_limit_are_refused),
          TEST(damaged_file_is_said_once_and_left_out))
