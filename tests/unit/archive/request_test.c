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
    room_before_roll(5 * US_PER_S);
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
        assert_int_equal(got->media, 2);
        assert_int_equal(got->range[0].from_us, start_of(0));
        assert_int_equal(got->range[0].to_us, end_of(first - 1));
        assert_int_equal(got->range[1].reason, REASON_SOURCE_LOST);
        assert_int_equal(got->range[1].from_us, end_of(first - 1));
        assert_int_equal(got->range[1].to_us, start_of(first));
        assert_int_equal(got->range[2].from_us, start_of(first));
        assert_true(got->range[2].to_us >= end_of(first + 2));
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
    got = room_ranges(end_of(first - 1) + 7, start_of(first) - 7);
    assert_int_equal(got->ranges, 1);
    assert_int_equal(got->range[0].reason, REASON_SOURCE_LOST);
    assert_int_equal(got->range[0].from_us, end_of(first - 1) + 7);
    assert_int_equal(got->range[0].to_us, start_of(first) - 7);
    room_close();
}

// What was listed once needs no disk any more.
// peers.md 2.1.9, 6.2.
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
    assert_int_equal(first.media, 2);
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

// Sixty hours of segments of 4 s, as closed indexes beside hour files that nobody looks into.
// thinned: the last two of each second hour and the first one of the next, and one in the middle.
static void make_hours(bool thinned)
{
    char folder[200], path[HOUR_PATH], why[100];
    (void)text_format(folder, sizeof folder, "%s/cam", room.folder.path);
    for (int64_t hour = 0; hour < 60; hour++) {
        struct hour_name name = {.second = ROOM_START_US / US_PER_S + hour * 3600};
        struct index *index = index_new(5, 100);
        for (unsigned i = 0; i < 900; i++) {
            struct index_entry entry = {.number = i,
                                        .utc_start_us = (name.second + i * 4) * US_PER_S,
                                        .offset = 100 + i * 10,
                                        .bytes = 10,
                                        .head_bytes = 5,
                                        .duration_us = 4000000,
                                        .parts = 1};
            if (thinned && (hour % 2 ? i == 0 : i >= 898 || i == 400))
                entry.flags = SEGMENT_THINNED;
            assert_true(index_add(index, &entry));
        }
        index->closed = true;
        index->file_length = 100 + 9000;
        struct writer out = {0};
        index_write(&out, index);
        struct buf *bytes = writer_take(&out);
        for (unsigned i = 0; i < 2; i++) {
            hour_path(path, folder, name, i ? "mp4" : "idx");
            char *slash = strrchr(path, '/');
            *slash = 0;
            assert_true(archive_path_usable(path, why, sizeof why));
            *slash = '/';
            int descriptor = open(path, O_WRONLY | O_CREAT, 0644);
            size_t length = i ? 1 : bytes->length;
            assert_int_equal(write(descriptor, bytes->data, length), (ssize_t)length);
            // A file that is as long as its index says is not looked at.
            assert_true(!i || ftruncate(descriptor, (off_t)index->file_length) == 0);
            close(descriptor);
        }
        buf_unref(&bytes);
        index_unref(&index);
    }
}

static void list_longer_than_the_bound_is_cut(void **state)
{
    (void)state;
    room_open_plain("cam");
    make_hours(false);
    room_attach();
    room_settle();
    struct got *got = room_list(0, INT64_MAX / 2);
    assert_int_equal(got->err, 0);
    assert_int_equal(got->count, HISTORY_LIST_MAX);
    assert_true(got->cut);
    got = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(got->ranges, 1);
    assert_int_equal(got->range[0].to_us - got->range[0].from_us, 60 * 3600 * US_PER_S);
    struct history_range whole;
    uint64_t bytes;
    assert_true(history_summary(stream_history(room.stream), &whole, &bytes));
    assert_int_equal(whole.from_us, got->range[0].from_us);
    assert_int_equal(whole.to_us, got->range[0].to_us);
    room_close();
}

static void ranges_say_what_is_thinned(void **state)
{
    (void)state;
    room_open_plain("cam");
    make_hours(true);
    room_attach();
    room_settle();
    for (unsigned round = 0; round < 2; round++) { // and when the files are known
        struct got *got = room_ranges(0, ROOM_START_US + 4 * 3600 * US_PER_S);
        int64_t hour_us = ROOM_START_US;
        assert_int_equal(got->ranges, 9);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(got->range[i].reason, i % 2 ? REASON_THINNED : REASON_NONE);
            assert_int_equal(got->range[i].to_us, got->range[i + 1].from_us);
        }
        assert_int_equal(got->range[1].from_us, hour_us + 1600 * US_PER_S);
        assert_int_equal(got->range[1].to_us, hour_us + 1604 * US_PER_S);
        assert_int_equal(got->range[3].from_us, hour_us + 3592 * US_PER_S);
        assert_int_equal(got->range[3].to_us, hour_us + 3604 * US_PER_S);
    }
    struct got *got = room_list(ROOM_START_US, ROOM_START_US + 1601 * US_PER_S);
    assert_int_equal(got->count, 401);
    assert_int_equal(got->segment[400].info.flags, SEGMENT_THINNED);
    room_close();
}

TEST_MAIN(TEST(ranges_merge_what_touches_and_split_at_holes),
          TEST(ranges_of_known_files_do_not_read), TEST(list_is_what_can_be_read),
          TEST(list_longer_than_the_bound_is_cut), TEST(ranges_say_what_is_thinned),
          TEST(requests_wait_until_the_tree_is_listed), TEST(requests_beyond_the_limit_are_refused),
          TEST(damaged_file_is_said_once_and_left_out))
