// SPDX-License-Identifier: MIT
// A disk that is behind: what is taken whole, thinned, or left out.
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static void hold_the_disk(bool hold)
{
    file_faults_hold(FAULT_WRITE, hold);
}

// While the disk takes nothing; pictures of 200 KB are 40 Mbit/s.
static void push_large(unsigned pictures, size_t picture_bytes)
{
    room.picture_bytes = picture_bytes;
    for (unsigned i = 0; i < pictures; i++) {
        room_push_picture();
        loop_fixture_settle(room.loop);
        // And a part, half a second.
        assert_true(room_stats().bytes_queued <
                    ARCHIVE_QUEUE_BYTES_MAX + 14 * (picture_bytes + 1000));
    }
    room.picture_bytes = 400;
}

static const struct known *known_of_number(uint64_t number)
{
    for (unsigned i = 0; i < room.known_count; i++)
        if (room.known[i].info.number == number)
            return &room.known[i];
    fail();
    return NULL;
}

// What is whole is what was given out, what is thinned lasts as long and is less. Returns how many
// are thinned.
static unsigned assert_whole_or_thinned(const struct got *got)
{
    unsigned thinned = 0;
    for (unsigned i = 0; i < got->count; i++) {
        const struct segment_info *info = &got->segment[i].info;
        const struct known *known = known_of_number(info->number);
        assert_int_equal(info->utc_start_us, known->info.utc_start_us);
        if (info->flags & SEGMENT_THINNED) {
            thinned++;
            assert_int_equal(info->duration_us, known->info.duration_us);
            assert_true(info->bytes < known->info.bytes / 10);
        } else if (got->segment[i].sum != known->sum) {
            assert_int_equal(info->flags & SEGMENT_KEY, SEGMENT_KEY);
            assert_true(info->bytes < known->info.bytes); // its end was left out
        }
    }
    return thinned;
}

// The states that follow one another: w whole, t thinned, | a hole before it.
static const char *course(const struct got *got)
{
    static char text[64];
    size_t length = 0;
    for (unsigned i = 0; i < got->count; i++) {
        uint8_t flags = got->segment[i].info.flags;
        char now = flags & SEGMENT_THINNED ? 't' : 'w';
        bool hole = i > 0 && flags & SEGMENT_DISCONTINUITY;
        if (length + 2 < sizeof text && hole)
            text[length++] = '|';
        if (length + 1 < sizeof text && (length == 0 || text[length - 1] != now))
            text[length++] = now;
    }
    text[length] = 0;
    return text;
}

// peers.md 2.1.15. First whole, then key pictures and sound, then nothing; and whole again.
static void recorder_hung_disk_thins_then_sheds_within_bounds_and_goes_on(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    room_record(2);
    hold_the_disk(true);
    push_large(60 * ROOM_SEGMENT_PICTURES, 200000);
    struct archive_stats stats = room_stats();
    assert_true(stats.segments_thinned > 20);
    assert_true(stats.segments_shed > 0);
    assert_string_equal(stats.problem, "disk_slow");
    assert_int_equal(room_logged("recording failed reason=disk_slow"), 1);
    hold_the_disk(false);
    room_settle();
    room_align();
    room_record(3);
    stats = room_stats();
    assert_null(stats.problem);
    assert_int_equal(stats.bytes_queued, 0);
    assert_int_equal(room_logged("recording goes on"), 1);
    struct got *got = room_read_all();
    assert_string_equal(course(got), "wt|w");
    assert_int_equal(assert_whole_or_thinned(got), stats.segments_thinned);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(got->segment[i].sum, room.known[i].sum);
        assert_int_equal(got->segment[got->count - 1 - i].info.number,
                         room.known[room.known_count - 1 - i].info.number);
    }
    struct got *ranges = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(ranges->ranges, 4);
    assert_int_equal(ranges->range[1].reason, REASON_THINNED);
    assert_int_equal(ranges->range[2].reason, REASON_DISK_SLOW);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(ranges->range[i].from_us, ranges->range[i - 1].to_us);
    assert_list_is_read();
    // The same from the files alone, with and without their indexes.
    unsigned count = got->count;
    for (unsigned round = 0; round < 2; round++) {
        archive_detach(room.archives, room.stream);
        room_settle();
        struct files *files = room_files(".idx");
        for (unsigned i = 0; round == 1 && i < files->count; i++)
            assert_int_equal(unlink(files->path[i]), 0);
        room_attach();
        room_settle();
        got = room_read_all();
        assert_string_equal(course(got), "wt|w");
        assert_int_equal(got->count, count);
        assert_list_is_read();
        ranges = room_ranges(0, INT64_MAX / 2);
        assert_true(ranges->ranges >= 4);
        assert_int_equal(ranges->range[1].reason, REASON_THINNED);
    }
    room_close();
}

// Behind for a while and not more: nothing is left out.
static void recorder_slow_disk_thins_and_leaves_nothing_out(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    room_record(1);
    for (unsigned round = 0; round < 2; round++) {
        hold_the_disk(true);
        push_large(6 * ROOM_SEGMENT_PICTURES, 200000);
        assert_int_equal(room_archive()->problem, REASON_DISK_SLOW);
        hold_the_disk(false);
        room_settle();
        room_align();
        room_record(3);
        room_align();
    }
    struct archive_stats stats = room_stats();
    assert_int_equal(stats.segments_shed, 0);
    struct got *got = room_read_all();
    assert_string_equal(course(got), "wtwtw");
    assert_int_equal(got->count, room.known_count);
    assert_int_equal(assert_whole_or_thinned(got), stats.segments_thinned);
    assert_true(stats.segments_thinned >= 2 * 3);
    struct got *ranges = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(ranges->ranges, 5);
    assert_int_equal(ranges->range[3].reason, REASON_THINNED);
    room_close();
}

// One that would not fit leaves the queue while it is being received, and comes back thinned.
static void recorder_segment_that_does_not_fit_is_thinned(void **state)
{
    (void)state;
    for (unsigned begun = 0; begun < 2; begun++) { // the disk has its beginning already
        room_open();
        room_after_roll();
        room_record(1);
        room_align();
        if (begun) {
            push_large(14, 1300000);
            room_settle();
        }
        hold_the_disk(true);
        if (!begun)
            room_push(ROOM_SEGMENT_PICTURES);
        push_large(begun ? 36 : ROOM_SEGMENT_PICTURES, begun ? 1300000 : 900000);
        assert_true(room_stats().bytes_queued > 32u << 20); // less than all of it
        room_push(1);
        assert_true(begun || room_stats().bytes_queued < 8u << 20);
        hold_the_disk(false);
        room_settle();
        room_align();
        room_record(2);
        room_align();
        struct archive_stats stats = room_stats();
        assert_int_equal(stats.segments_shed, begun);
        assert_int_equal(stats.segments_thinned, !begun);
        struct got *got = room_read_all();
        assert_string_equal(course(got), begun ? "w|w" : "wtw");
        assert_int_equal(got->count, room.known_count);
        assert_int_equal(assert_whole_or_thinned(got), !begun);
        assert_list_is_read();
        room_close();
    }
}

// What waits of other streams counts, and how many parts wait.
static void recorder_thins_for_the_disk_and_by_parts(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    room_record(2);
    struct disk *disk = room_archive()->recorder.disk;
    disk->queued_bytes += ARCHIVE_DISK_THIN_BYTES;
    room_record(2);
    disk->queued_bytes -= ARCHIVE_DISK_THIN_BYTES;
    assert_int_equal(room_stats().segments_thinned, 2);
    room_align();
    room_record(2);
    assert_string_equal(course(room_read_all()), "wtw");
    hold_the_disk(true);
    room.picture_bytes = 20;
    room_push(ARCHIVE_THIN_PARTS / 4 * ROOM_SEGMENT_PICTURES);
    assert_true(room_stats().bytes_queued < ARCHIVE_THIN_BYTES);
    assert_true(room_stats().segments_thinned > 2);
    hold_the_disk(false);
    room_settle();
    room_close();
}

// Nothing of it can be spared: what fits is whole, what does not is left out as a whole.
static void recorder_pictures_of_keys_only_are_whole_or_left_out(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    room_record(1);
    room.keys_only = true;
    hold_the_disk(true);
    push_large(10 * ROOM_SEGMENT_PICTURES, 100000);
    struct archive_stats stats = room_stats();
    assert_int_equal(stats.segments_thinned, 0);
    assert_true(stats.segments_shed > 0);
    hold_the_disk(false);
    room_settle();
    room_align();
    room_record(2);
    struct got *got = room_read_all();
    assert_string_equal(course(got), "w|w");
    for (unsigned i = 0; i < got->count; i++)
        assert_int_equal(got->segment[i].sum, known_of_number(got->segment[i].info.number)->sum);
    room_close();
}

// A group of pictures that is longer than a segment may be: what follows a thinned one and does not
// begin with a key picture could not be shown.
static void recorder_rest_of_a_thinned_group_is_left_out(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    room_record(1);
    room_align();
    hold_the_disk(true);
    push_large(2 * ROOM_SEGMENT_PICTURES, 200000);
    room_push(1);
    room.no_keys = true;
    for (unsigned before = room.known_count; room.known_count == before;)
        room_push(1); // to the bound of 60 s
    hold_the_disk(false);
    room_settle();
    room_push(20 * 25); // not behind any more
    room_settle();
    assert_int_equal(room_stats().segments_thinned, 1);
    room.no_keys = false;
    room_align();
    room_record(2);
    room.no_keys = true; // after one that is whole the rest is as good
    room_push(70 * 25);
    room.no_keys = false;
    room_align();
    room_record(1);
    room_align();
    struct got *got = room_read_all();
    assert_string_equal(course(got), "wt|w");
    unsigned rests = 0, gone = 0;
    for (unsigned i = 0; i < room.known_count; i++)
        rests += !(room.known[i].info.flags & SEGMENT_KEY);
    for (unsigned i = 0; i < got->count; i++)
        gone += !(got->segment[i].info.flags & SEGMENT_KEY);
    assert_int_equal(rests, 2);
    assert_int_equal(gone, 1);
    assert_int_equal(got->count, room.known_count - 1);
    assert_int_equal(room_stats().segments_shed, 1);
    room_close();
}

TEST_MAIN(TEST(recorder_hung_disk_thins_then_sheds_within_bounds_and_goes_on),
          TEST(recorder_slow_disk_thins_and_leaves_nothing_out),
          TEST(recorder_segment_that_does_not_fit_is_thinned),
          TEST(recorder_thins_for_the_disk_and_by_parts),
          TEST(recorder_pictures_of_keys_only_are_whole_or_left_out),
          TEST(recorder_rest_of_a_thinned_group_is_left_out))
