// SPDX-License-Identifier: MIT
// Recording that is switched, or due at certain hours: segments are taken whole or not at all, and
// the hole says why.
#include "archive_feeding.h"
#include "archive_reading.h"

static void set_dvr(bool offline, unsigned from_m, unsigned to_m)
{
    struct dvr_conf dvr = room.conf.dvr;
    dvr.path[0] = room.folder.path;
    dvr.path_count = 1;
    dvr.offline = offline;
    dvr.span_count = to_m > 0;
    dvr.span[0] = (struct dvr_span){.from_m = (uint16_t)from_m, .to_m = (uint16_t)to_m};
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    room_settle();
}

static unsigned written(void)
{
    room_settle();
    return (unsigned)room_stats().segments_written;
}

static void offline_records_when_switched_on_and_so_in_lives_to_come(void **state)
{
    (void)state;
    room_open_plain("cam");
    set_dvr(true, 0, 0);
    room_record(3);
    assert_int_equal(written(), 0);
    assert_string_equal(room_stats().paused, "disabled");
    assert_int_equal(archive_switch(room.stream, true), 0);
    assert_null(room_stats().paused);
    room_record(3);
    unsigned taken = written();
    assert_in_range(taken, 2, 3);
    archive_detach(room.archives, room.stream);
    room_settle();
    set_dvr(true, 0, 0);
    room_record(2);
    assert_in_range(written(), 1, 2); // counted anew
    room_close();
}

static void switched_off_the_hole_says_disabled(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    assert_int_equal(archive_switch(room.stream, false), 0);
    unsigned before = written();
    room_record(3);
    assert_in_range(written(), before, before + 1); // the one that was being collected
    assert_int_equal(archive_switch(room.stream, true), 0);
    room_record(3);
    struct got *got = room_ranges(0, INT64_MAX / 2);
    assert_int_equal(got->ranges, 3);
    assert_int_equal(got->range[1].reason, REASON_DISABLED);
    room_close();
}

// The fixture's segments are a few seconds long: the schedule ends in the middle of them.
static void schedule_is_kept_and_wraps_midnight(void **state)
{
    (void)state;
    room_open_plain("cam");
    unsigned minute = (unsigned)(utc_us() / (60 * US_PER_S) % 1440);
    unsigned next = (minute + 1) % 1440;
    set_dvr(false, next, (next + 1) % 1440 ? (next + 1) % 1440 : 1440);
    const struct archive *archive = room_archive();
    int64_t begin_us = (utc_us() / (60 * US_PER_S) + 1) * 60 * US_PER_S;
    assert_int_equal(duty_pause(archive, begin_us - 1), REASON_SCHEDULE);
    assert_int_equal(duty_pause(archive, begin_us), REASON_NONE);
    assert_int_equal(duty_pause(archive, begin_us + 60 * US_PER_S - 1), REASON_NONE);
    assert_int_equal(duty_pause(archive, begin_us + 60 * US_PER_S), REASON_SCHEDULE);
    room_record(2);
    assert_int_equal(written(), 0);
    assert_string_equal(room_stats().paused, "schedule");
    set_dvr(false, 22 * 60, 90); // 22:00 to 1:30
    int64_t day_us = utc_us() / (86400 * US_PER_S) * 86400 * US_PER_S;
    assert_int_equal(duty_pause(archive, day_us), REASON_NONE);
    assert_int_equal(duty_pause(archive, day_us + 90 * 60 * US_PER_S), REASON_SCHEDULE);
    assert_int_equal(duty_pause(archive, day_us + 22 * 3600 * US_PER_S), REASON_NONE);
    assert_int_equal(duty_pause(archive, day_us + 22 * 3600 * US_PER_S - 1), REASON_SCHEDULE);
    room_close();
}

TEST_MAIN(TEST(offline_records_when_switched_on_and_so_in_lives_to_come),
          TEST(switched_off_the_hole_says_disabled), TEST(schedule_is_kept_and_wraps_midnight))
