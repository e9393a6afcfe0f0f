// SPDX-License-Identifier: MIT
#include "timeline.h"

#include "media/timebase.h"
#include "unit.h"

#define WALL_US 1700000000000000LL

struct world {
    struct timeline timeline;
    int64_t mono_us, wall_us;
    int64_t out[TRACKS_MAX]; // of the last frame, ticks
    uint8_t flags;
    bool key; // the next frame is one
};

static void world_init(struct world *world)
{
    *world = (struct world){.mono_us = 1000000, .wall_us = WALL_US};
    timeline_init(&world->timeline);
}

static int64_t give(struct world *world, unsigned track, int64_t dts, uint32_t timescale)
{
    struct frame frame = {.track = (uint8_t)track, .dts = dts};
    if (world->key)
        frame.flags = FRAME_KEY;
    int64_t before = world->out[track];
    timeline_map(&world->timeline, &frame, timescale, track == 0, world->mono_us, world->wall_us);
    world->out[track] = frame.dts;
    world->flags = frame.flags;
    return frame.dts - before;
}

static void pass(struct world *world, int64_t us)
{
    world->mono_us += us;
    world->wall_us += us;
}

static void timeline_first_frame_gets_the_wall_clock(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 123456, 90000);
    assert_int_equal(ticks_to_us(world.out[0], 90000), WALL_US);
}

static void timeline_good_steps_are_kept_exactly(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    for (int i = 1; i < 1000; i++) {
        pass(&world, i % 7 == 0 ? 113567 : 20000); // the network jitters
        assert_int_equal(give(&world, 0, i * 3003, 90000), 3003);
    }
    assert_int_equal(world.timeline.repairs, 0);
}

static void timeline_tracks_share_the_origin(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 900000, 90000); // both at 10 s of the input's time
    pass(&world, 30000);
    give(&world, 1, 480000, 48000);
    assert_int_equal(ticks_to_us(world.out[0], 90000), ticks_to_us(world.out[1], 48000));
}

// peers.md 2.1.1.
static void timeline_one_odd_time_moves_one_frame(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    for (int i = 1; i < 10; i++) {
        pass(&world, 40000);
        give(&world, 0, i * 3600, 90000);
    }
    pass(&world, 40000);
    assert_int_equal(give(&world, 0, 88200000, 90000), 3600); // 980 s ahead
    pass(&world, 40000);
    assert_int_equal(give(&world, 0, 11 * 3600, 90000), 3600);
    assert_int_equal(world.timeline.repairs, 1);
}

static void timeline_new_origin_is_believed_when_confirmed(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 9000000, 90000);
    pass(&world, 40000);
    give(&world, 0, 9003600, 90000);
    for (int i = 0; i < 100; i++) { // the camera counts from zero again
        pass(&world, 40000);
        assert_int_equal(give(&world, 0, i * 3600, 90000), 3600);
    }
}

static void timeline_other_track_joins_a_new_origin(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 9000000, 90000);
    give(&world, 1, 4800000, 48000);
    for (int i = 1; i < 20; i++) {
        pass(&world, 40000);
        give(&world, 0, 9000000 + i * 3600, 90000);
        give(&world, 1, 4800000 + i * 1920, 48000);
    }
    for (int i = 0; i < 50; i++) {
        pass(&world, 40000);
        give(&world, 0, i * 3600, 90000);
        give(&world, 1, i * 1920, 48000);
    }
    int64_t apart_us = ticks_to_us(world.out[0], 90000) - ticks_to_us(world.out[1], 48000);
    assert_in_range(apart_us + 60000, 0, 120000);
}

static void timeline_standing_still_goes_on(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    pass(&world, 40000);
    give(&world, 0, 3600, 90000);
    for (int i = 0; i < 250; i++) {
        pass(&world, 40000);
        assert_true(give(&world, 0, 3600, 90000) > 0);
    }
    assert_in_range(ticks_to_us(world.out[0], 90000) - WALL_US, 9500000, 10500000);
    pass(&world, 40000);
    assert_true(give(&world, 0, 7200, 90000) > 1000); // and it begins to count again
    pass(&world, 40000);
    assert_int_equal(give(&world, 0, 10800, 90000), 3600);
}

// peers.md 2.1.1.
static void timeline_running_backwards_never_goes_back(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 90000000, 90000);
    for (int i = 1; i < 200; i++) {
        pass(&world, 40000);
        assert_true(give(&world, 0, 90000000 - i * 3600, 90000) > 0);
    }
}

static void timeline_a_new_run_begins_above_the_old_one(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    give(&world, 0, 450000, 90000); // a burst: five seconds in no time
    int64_t last_us = ticks_to_us(world.out[0], 90000);
    timeline_new_run(&world.timeline);
    pass(&world, 500000);
    give(&world, 0, 77, 48000); // other tracks: another timescale
    assert_true(ticks_to_us(world.out[0], 48000) > last_us);
}

// peers.md 2.1.6: the clock is set; no frame is lost and none is dated wrong from then on.
static void timeline_wall_clock_is_set_goes_along_at_a_key_frame(void **state)
{
    (void)state;
    static const int64_t steps_us[] = {7200 * 1000000LL, -7200 * 1000000LL, 1700000000000000LL};
    for (size_t k = 0; k < sizeof steps_us / sizeof *steps_us; k++) {
        struct world world;
        unsigned said[2] = {0};
        world_init(&world);
        if (k == 2)
            world.wall_us = 30 * 1000000LL; // a board that begins in 1970
        for (int i = 0; i < 200; i++) {
            int64_t by_us = i == 60 ? steps_us[k] : 0;
            world.wall_us += by_us;
            world.key = i % 50 == 0;
            int64_t went = give(&world, 0, i * 3600, 90000);
            said[0] += (world.flags & FRAME_DISCONTINUITY) != 0;
            if (i == 100)
                assert_int_equal(went, 3600 + ticks_from_us(steps_us[k] + 1003, 90000));
            else if (i > 0)
                assert_int_equal(went, 3600);
            world.key = true; // as all sound is
            went = give(&world, 1, i * 1920, 48000);
            said[1] += (world.flags & FRAME_DISCONTINUITY) != 0;
            if (i == 100)
                assert_int_equal(went, 1920 + ticks_from_us(steps_us[k] + 1003, 48000));
            else if (i > 0)
                assert_int_equal(went, 1920);
            pass(&world, 40000);
        }
        assert_true(said[0] == 1 && said[1] == 1);
        int64_t late_us = world.wall_us - ticks_to_us(world.out[0], 90000);
        assert_in_range(late_us + 2000, 0, 100000);
        assert_int_equal(world.timeline.repairs, 0);
    }
}

static void timeline_wall_clock_is_set_without_a_key_frame_is_followed_later(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    world.wall_us -= 3600 * 1000000LL;
    for (int i = 1; i < 25 * 20; i++) {
        pass(&world, 40000);
        give(&world, 0, i * 3600, 90000);
    }
    int64_t late_us = world.wall_us - ticks_to_us(world.out[0], 90000);
    assert_in_range(late_us + 2000, 0, 100000);
}

static void timeline_wall_clock_is_set_between_runs_the_next_begins_by_it(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (int i = 0; i < 50; i++) {
        give(&world, 0, i * 3600, 90000);
        pass(&world, 40000);
    }
    timeline_new_run(&world.timeline);
    world.wall_us -= 7200 * 1000000LL;
    give(&world, 0, 777, 90000);
    assert_int_equal(ticks_to_us(world.out[0], 90000), world.wall_us);
}

// A leap second, or a clock that NTP sets by little: drift.
static void timeline_wall_clock_is_set_by_a_second_is_drift(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    world.wall_us -= 1000000;
    for (int i = 1; i < 1000; i++) {
        pass(&world, 40000);
        world.key = i % 50 == 0;
        // At most 500 ppm of a window.
        assert_in_range(give(&world, 0, i * 3600, 90000), 3100, 3601);
    }
}

// A camera that gives what it held back when something moves (peers.md 2.1.17).
static void timeline_burst_is_taken_as_it_is(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (int i = 0; i < 1000; i++) {
        world.key = i % 50 == 0;
        int64_t went = give(&world, 0, i * 3600, 90000);
        if (i > 0)
            assert_in_range(went, 3100, 3700);
        pass(&world, i < 125 ? 1000 : 40000); // five seconds at once
    }
    assert_int_equal(world.timeline.repairs, 0);
}

static void timeline_far_behind_jumps_ahead_once_and_says_so(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    world.wall_us += 3600 * 1000000LL;
    unsigned said = 0;
    for (int i = 1; i < 1000; i++) {
        pass(&world, 40000);
        give(&world, 0, i * 3600, 90000);
        said += (world.flags & FRAME_DISCONTINUITY) != 0;
    }
    assert_int_equal(said, 1);
    int64_t late_us = world.wall_us - ticks_to_us(world.out[0], 90000);
    assert_in_range(late_us + 200000, 0, 400000);
}

static void timeline_fast_camera_clock_is_followed_slowly(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    give(&world, 0, 0, 90000);
    for (int i = 1; i < 25 * 3600; i++) { // an hour at 200 ppm too fast
        pass(&world, 40000);
        give(&world, 0, i * 3600 + i * 3600LL / 5000, 90000);
    }
    int64_t ahead_us = ticks_to_us(world.out[0], 90000) - world.wall_us;
    assert_in_range(ahead_us, 0, 130000); // 720 ms without steering
}

TEST_MAIN(TEST(timeline_first_frame_gets_the_wall_clock),
          TEST(timeline_good_steps_are_kept_exactly), TEST(timeline_tracks_share_the_origin),
          TEST(timeline_one_odd_time_moves_one_frame),
          TEST(timeline_new_origin_is_believed_when_confirmed),
          TEST(timeline_other_track_joins_a_new_origin), TEST(timeline_standing_still_goes_on),
          TEST(timeline_running_backwards_never_goes_back),
          TEST(timeline_a_new_run_begins_above_the_old_one),
          TEST(timeline_wall_clock_is_set_goes_along_at_a_key_frame),
          TEST(timeline_wall_clock_is_set_without_a_key_frame_is_followed_later),
          TEST(timeline_wall_clock_is_set_between_runs_the_next_begins_by_it),
          TEST(timeline_wall_clock_is_set_by_a_second_is_drift),
          TEST(timeline_burst_is_taken_as_it_is),
          TEST(timeline_far_behind_jumps_ahead_once_and_says_so),
          TEST(timeline_fast_camera_clock_is_followed_slowly))
