// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static void recorder_writes_each_part_within_its_turn(void **state)
{
    (void)state;
    room_open();
    unsigned parts = 0;
    for (unsigned i = 0; i < 60; i++) {
        off_t before = room_files(".mp4")->count ? room_files(".mp4")->size[0] : 0;
        room_push_picture();
        room_settle();
        parts += room_files(".mp4")->count && room_files(".mp4")->size[0] > before;
    }
    // 2.4 s of pictures: a part each 0.52 s (13 pictures), the last one of the segment shorter.
    assert_int_equal(parts, 4);
    assert_int_equal(room_stats().bytes_queued, 0);
    room_close();
}

// peers.md 2.1.2.
static void recorder_hour_rolls_without_a_gap(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_before_roll(5 * US_PER_S);
    room_attach();
    room_settle();
    room_record(6);
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 2);
    assert_true(text_ends(files->path[0], "/cam/2026/01/01/000023.mp4"));
    assert_true(text_ends(files->path[1], "/cam/2026/01/01/000029.mp4"));
    assert_known(room_read_all(), 0, 6);
    struct got *ranges = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(ranges->ranges, 1);
    assert_int_equal(ranges->range[0].from_us, room.known[0].info.utc_start_us);
    assert_int_equal(ranges->range[0].to_us,
                     room.known[5].info.utc_start_us + room.known[5].info.duration_us);
    // The first file is closed: its index says so.
    files = room_files(".idx");
    assert_true(files->count >= 1);
    assert_int_equal(files->size[0], (1 + 3 + 1) * INDEX_RECORD);
    room_close();
}

// peers.md 2.1.8.
static void recorder_new_tracks_begin_a_new_file(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room.width = 128;
    room_give_tracks();
    room_align();
    room_record(2);
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 2);
    struct got *got = room_read_all();
    // The third one was cut short by the new tracks.
    assert_int_equal(got->count, room.known_count);
    assert_int_not_equal(got->segment[0].info.generation,
                         got->segment[got->count - 1].info.generation);
    for (unsigned i = 0; i < got->count; i++)
        assert_int_equal(got->segment[i].sum, room.known[i].sum);
    room_close();
}

static void recorder_attached_in_the_middle_takes_the_segment_whole(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_record(1);
    room_push(20);
    room_attach();
    room_settle();
    room_align();
    room_record(2);
    assert_known(room_read_all(), 1, room.known_count - 1);
    room_close();
}

// peers.md 2.1.3, 2.1.16.
static void recorder_lost_input_ends_the_segment(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_push(20);
    room_lose();
    assert_int_equal(room.known_count, 3);
    assert_known(room_read_all(), 0, 3);
    room_reconnect(10 * US_PER_S);
    room_record(2);
    assert_known(room_read_all(), 0, 5);
    struct got *got = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(got->ranges, 3);
    assert_int_equal(got->range[1].reason, REASON_SOURCE_LOST);
    room_close();
}

// A name that is taken: two track lists within one second.
static void recorder_name_that_is_taken_gets_a_suffix(void **state)
{
    (void)state;
    room_open();
    room_push(2);
    for (unsigned i = 0; i < 3; i++) {
        room.width = 100 + i;
        room_give_tracks();
        room_push_frame(0, room.picture * 3600, FRAME_KEY, 500);
        room.picture++;
        clock_advance_test(40000);
        room_settle();
    }
    room_align();
    room_record(1);
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 4);
    assert_true(text_ends(files->path[0], "/000000-1.mp4"));
    assert_true(text_ends(files->path[3], "/000000.mp4"));
    assert_int_equal(room_read_all()->count, room.known_count);
    room_close();
}

// ---- when is synced ----------------------------------------------------------------------------

// What a power cut may take is what was asked for.
static void recorder_syncs_as_often_as_configured(void **state)
{
    (void)state;
    static const int64_t every_us[] = {0, 3 * US_PER_S, 30 * US_PER_S}; // 0: 10 s
    for (unsigned i = 0; i < 3; i++) {
        room_open_plain("cam");
        room.conf.dvr.sync_us = every_us[i];
        room_attach();
        room_settle();
        room_record(2);
        unsigned before = file_faults_count(FAULT_SYNC);
        room_record(30); // a minute
        unsigned syncs = file_faults_count(FAULT_SYNC) - before;
        unsigned wanted = (unsigned)(60 * US_PER_S / (every_us[i] ? every_us[i] : 10 * US_PER_S));
        assert_true(syncs >= wanted && syncs <= wanted + 8); // and the first one of its folders
        room_close();
    }
}

// 2.1.15 and the lesson on staggering: many streams of a disk do not sync in the same moment.
// peers.md 6.4.
static void recorder_syncs_of_many_streams_are_spread(void **state)
{
    (void)state;
    static const char *const names[] = {"cam%u", "site/yard-%03u", "%u"};
    for (unsigned kind = 0; kind < 3; kind++) {
        unsigned in_second[10] = {0};
        for (unsigned i = 1; i <= 200; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, names[kind], i);
            int64_t in_us = recorder_sync_in_us(name, 10 * US_PER_S, 12345 * US_PER_S);
            assert_true(in_us > 0 && in_us <= 10 * US_PER_S);
            in_second[(in_us - 1) / US_PER_S]++;
        }
        for (unsigned i = 0; i < 10; i++)
            assert_true(in_second[i] >= 8 && in_second[i] <= 36); // 20 each when even
    }
}

static void recorder_rolls_of_many_streams_are_spread_over_a_minute(void **state)
{
    (void)state;
    unsigned in_second[60] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "site/camera-%u", i);
        int64_t roll_us = recorder_roll_us(name, 7 * 3600 * US_PER_S + 61 * US_PER_S);
        assert_int_equal(recorder_roll_us(name, roll_us), roll_us + 3600 * US_PER_S);
        int64_t after_us = roll_us - 8 * 3600 * US_PER_S;
        assert_true(after_us >= 0 && after_us < 60 * US_PER_S);
        in_second[after_us / US_PER_S]++;
    }
    for (unsigned i = 0; i < 60; i++)
        assert_true(in_second[i] >= 4 && in_second[i] <= 34); // 17 each when even
}

// ---- a disk that is slow, full, or broken ------------------------------------------------------

static bool has_segment(const struct got *got, const struct known *known)
{
    for (unsigned i = 0; i < got->count; i++)
        if (got->segment[i].sum == known->sum &&
            got->segment[i].info.utc_start_us == known->info.utc_start_us)
            return true;
    return false;
}

// peers.md 2.1.4.
static void recorder_full_disk_is_said_once_and_recording_goes_on(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room.width = 128; // the first two are in a file of their own
    room_give_tracks();
    room_align();
    room_record(1);
    unsigned before = room.known_count;
    file_faults_space(3000);
    room_record(2);
    struct archive_stats stats = room_stats();
    assert_int_equal(stats.state, ARCHIVE_FAILED);
    assert_string_equal(stats.problem, "disk_full");
    room_wait(US_PER_S);
    assert_int_equal(room_logged("recording failed reason=disk_full"), 1);
    assert_true(room_logged("removed file=") > 0); // the oldest went
    file_faults_space(SIZE_MAX);
    room_wait(40 * US_PER_S);
    assert_null(room_stats().problem);
    room_align();
    room_record(2);
    // Of what was recorded since, only the segment that was being written is not whole: the others
    // waited in memory.
    struct got *got = room_read_all();
    unsigned missing = 0;
    for (unsigned i = before; i < room.known_count; i++)
        missing += !has_segment(got, &room.known[i]);
    assert_true(missing <= 1);
    assert_false(has_segment(got, &room.known[0]));
    assert_list_is_read();
    room_close();
}

// Each call of a kind in turn fails once: recording goes on, at most the segment that was being
// written is not whole, nothing is there twice, and what is listed can be read.
static void each_call_fails(enum fault_call call, int error)
{
    // Hundreds of syncs: in memory where there is such a place.
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    for (unsigned n = 1;; n++) {
        room_open_plain("cam");
        clock_advance_test(3587 * US_PER_S); // a roll in the middle
        room_attach();
        file_faults_fail(call, n, false, error);
        room_settle();
        for (unsigned i = 0; i < 10; i++) {
            room_record(1);
            room_align();
        }
        room_wait(40 * US_PER_S); // every retry
        bool reached = file_faults_count(call) >= n;
        file_faults_fail(call, 0, false, 0);
        room_record(2);
        room_align();
        room_wait(20 * US_PER_S);
        struct got *got = room_read_all();
        unsigned missing = 0;
        for (unsigned i = 0; i < room.known_count; i++)
            missing += !has_segment(got, &room.known[i]);
        assert_true(missing <= 1 || error == ENOSPC); // then the oldest file goes
        for (unsigned i = 1; i < got->count; i++)
            assert_true(got->segment[i].info.utc_start_us > got->segment[i - 1].info.utc_start_us);
        assert_list_is_read();
        assert_null(room_stats().problem);
        struct known last = room.known[room.known_count - 1];
        assert_true(has_segment(got, &last));
        // And the same after a restart.
        unsigned count = got->count + 1; // the one that is open is ended where it is
        archive_detach(room.archives, room.stream);
        room_settle();
        room_attach();
        room_settle();
        got = room_read_all();
        assert_int_equal(got->count, count);
        assert_true(has_segment(got, &last));
        room_close();
        if (!reached || n > 400)
            break;
    }
    unsetenv("TMPDIR");
}

static void recorder_each_write_fails_once(void **state)
{
    (void)state;
    each_call_fails(FAULT_WRITE, EIO);
    each_call_fails(FAULT_WRITE, ENOSPC);
}

static void recorder_each_sync_fails_once(void **state)
{
    (void)state;
    each_call_fails(FAULT_SYNC, EIO);
}

static void recorder_each_open_fails_once(void **state)
{
    (void)state;
    each_call_fails(FAULT_OPEN, EIO);
    each_call_fails(FAULT_OPEN, EMFILE);
}

static void recorder_short_writes_change_nothing(void **state)
{
    (void)state;
    room_open();
    for (unsigned i = 0; i < 4; i++) {
        file_faults_shorten_write(1, 10 + i * 100);
        room_record(1);
        room_align();
    }
    assert_known(room_read_all(), 0, room.known_count);
    room_close();
}

TEST_MAIN(TEST(recorder_writes_each_part_within_its_turn), TEST(recorder_hour_rolls_without_a_gap),
          TEST(recorder_rolls_of_many_streams_are_spread_over_a_minute),
          TEST(recorder_new_tracks_begin_a_new_file),
          TEST(recorder_attached_in_the_middle_takes_the_segment_whole),
          TEST(recorder_lost_input_ends_the_segment),
          TEST(recorder_name_that_is_taken_gets_a_suffix),
          TEST(recorder_syncs_as_often_as_configured),
          TEST(recorder_syncs_of_many_streams_are_spread),
          TEST(recorder_full_disk_is_said_once_and_recording_goes_on),
          TEST(recorder_each_write_fails_once), TEST(recorder_each_sync_fails_once),
          TEST(recorder_each_open_fails_once), TEST(recorder_short_writes_change_nothing))
