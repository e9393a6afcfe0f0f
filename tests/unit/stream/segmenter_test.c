// SPDX-License-Identifier: MIT
#include "segmenter.h"

#include "media/timebase.h"
#include "unit.h"

#define START_US 1700000000000000LL

struct world {
    struct segmenter *segmenter;
    struct tracks *tracks;
    struct segment_info closed[64];
    unsigned frames[64], parts[64];
    unsigned closed_count, partial_count, part_count, part_frames;
};

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    struct world *world = arg;
    (void)tracks, (void)info, (void)part, (void)frames;
    world->part_count++;
    world->part_frames += count;
}

static void on_segment(void *arg, struct segment **segment)
{
    struct world *world = arg;
    world->frames[world->closed_count] = (*segment)->frame_count;
    world->parts[world->closed_count] = (*segment)->part_count;
    world->closed[world->closed_count++] = (*segment)->info;
    segment_unref(segment);
}

static void on_partial(void *arg, const struct segment_info *info, struct tracks *tracks)
{
    struct world *world = arg;
    (void)tracks;
    world->closed[world->closed_count++] = *info;
    world->partial_count++;
}

static const struct segmenter_events events = {
    .on_part = on_part, .on_segment = on_segment, .on_partial = on_partial};

static struct tracks *make_tracks(uint32_t generation)
{
    struct track track[2] = {
        {.codec = CODEC_H264, .kind = MEDIA_VIDEO, .timescale = 90000, .language = "und"},
        {.codec = CODEC_AAC, .kind = MEDIA_AUDIO, .timescale = 48000, .language = "und"},
    };
    struct tracks *tracks = tracks_new(track, 2);
    tracks->generation = generation;
    return tracks;
}

static void world_init(struct world *world)
{
    *world = (struct world){.segmenter = segmenter_new(&events, world)};
    world->tracks = make_tracks(1);
    segmenter_set_duration(world->segmenter, 4000000);
    segmenter_set_tracks(world->segmenter, world->tracks);
}

static void world_fini(struct world *world)
{
    segmenter_free(&world->segmenter);
    tracks_unref(&world->tracks);
}

static uint8_t push(struct world *world, unsigned track, int64_t offset_us, uint8_t flags)
{
    struct buf *buf = buf_new(100);
    buf->length = 100;
    struct frame *frame = frame_new(track, &buf);
    frame->dts = ticks_from_us(START_US + offset_us, track ? 48000 : 90000);
    frame->flags = flags;
    segmenter_push(world->segmenter, frame);
    uint8_t got = frame->flags;
    frame_unref(&frame);
    return got;
}

// 25 pictures a second with a key frame every two seconds, and sound.
static void push_seconds(struct world *world, int from_s, int to_s)
{
    for (int i = from_s * 25; i < to_s * 25; i++) {
        push(world, 0, i * 40000, i % 50 == 0 ? FRAME_KEY : 0);
        push(world, 1, i * 40000 + 10000, FRAME_KEY);
    }
}

// peers.md 2.1.16.
static void segmenter_push_cuts_at_key_frames_of_the_duration(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push_seconds(&world, 0, 13);
    assert_int_equal(world.closed_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(world.closed[i].duration_us, 4000000);
        assert_int_equal(world.closed[i].utc_start_us, START_US + i * 4000000);
        assert_int_equal(world.closed[i].number, START_US / 1000000 + i);
        assert_int_equal(world.frames[i], 200);
    }
    assert_int_equal(world.closed[0].flags, SEGMENT_KEY | SEGMENT_DISCONTINUITY);
    assert_int_equal(world.closed[1].flags, SEGMENT_KEY);
    world_fini(&world);
}

static void segmenter_push_parts_last_half_a_second_and_hold_every_frame(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push_seconds(&world, 0, 5);
    assert_int_equal(world.closed_count, 1);
    assert_in_range(world.parts[0], 7, 8); // 13 pictures make the first half second full
    push_seconds(&world, 5, 9);
    assert_int_equal(world.closed_count, 2);
    segmenter_end_run(world.segmenter);
    assert_int_equal(world.part_frames, 9 * 50);
    world_fini(&world);
}

static void segmenter_push_frames_before_the_first_key_are_not_kept(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    assert_int_equal(push(&world, 0, 0, 0) & FRAME_SEGMENT, 0);
    assert_int_equal(push(&world, 1, 0, FRAME_KEY) & FRAME_SEGMENT, 0);
    assert_int_not_equal(push(&world, 0, 40000, FRAME_KEY) & FRAME_SEGMENT, 0);
    world_fini(&world);
}

// peers.md 2.1.12.
static void segmenter_push_no_key_frame_cuts_at_the_bound(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push(&world, 0, 0, FRAME_KEY);
    for (int i = 1; i < 25 * 70; i++)
        push(&world, 0, i * 40000, 0);
    assert_int_equal(world.closed_count, 1);
    assert_in_range(world.closed[0].duration_us, 60000000, 60100000);
    world_fini(&world);
}

static void segmenter_push_discontinuity_ends_segment_and_marks_the_next(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push_seconds(&world, 0, 1);
    push(&world, 0, 60000000, FRAME_KEY | FRAME_DISCONTINUITY);
    assert_int_equal(world.closed_count, 1);
    assert_int_equal(world.closed[0].duration_us, 1000000); // to the end of its last picture
    push_seconds(&world, 62, 67);
    assert_true(world.closed[1].flags & SEGMENT_DISCONTINUITY);
    world_fini(&world);
}

static void segmenter_end_run_closes_and_marks_the_next(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push_seconds(&world, 0, 2);
    segmenter_end_run(world.segmenter);
    assert_int_equal(world.closed_count, 1);
    assert_int_equal(world.closed[0].duration_us, 2000000);
    uint8_t flags = push(&world, 0, 100000000, FRAME_KEY);
    assert_true(flags & FRAME_SEGMENT_GAP);
    world_fini(&world);
}

static void segmenter_set_tracks_closes_the_open_segment(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    push_seconds(&world, 0, 2);
    struct tracks *other = make_tracks(2);
    segmenter_set_tracks(world.segmenter, other);
    tracks_unref(&other);
    assert_int_equal(world.closed_count, 1);
    assert_int_equal(world.closed[0].generation, 1);
    push_seconds(&world, 2, 7);
    assert_int_equal(world.closed[1].generation, 2);
    assert_true(world.closed[1].flags & SEGMENT_DISCONTINUITY);
    world_fini(&world);
}

static void segmenter_announced_cuts_where_the_far_server_did(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    segmenter_announce(world.segmenter, 77, START_US - 2000000, SEGMENT_KEY, false);
    push_seconds(&world, 0, 2);
    segmenter_announce(world.segmenter, 78, START_US + 2000000, SEGMENT_KEY, true);
    push_seconds(&world, 2, 6);
    assert_int_equal(world.closed_count, 1); // the first was joined in its middle
    assert_int_equal(world.partial_count, 1);
    assert_int_equal(world.closed[0].number, 77);
    assert_int_equal(world.closed[0].duration_us, 4000000);
    segmenter_announce(world.segmenter, 79, START_US + 6000000, SEGMENT_KEY, true);
    push_seconds(&world, 6, 7);
    assert_int_equal(world.closed_count, 2);
    assert_int_equal(world.closed[1].number, 78);
    assert_int_equal(world.frames[1], 200);
    world_fini(&world);
}

static void segmenter_skipped_makes_the_open_one_partial(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    segmenter_announce(world.segmenter, 5, START_US, SEGMENT_KEY, true);
    push_seconds(&world, 0, 2);
    segmenter_skipped(world.segmenter);
    segmenter_announce(world.segmenter, 6, START_US + 4000000, SEGMENT_KEY, true);
    push_seconds(&world, 4, 5);
    assert_int_equal(world.partial_count, 1);
    world_fini(&world);
}

static void segmenter_announced_again_goes_on_as_a_partial_one(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    segmenter_announce(world.segmenter, 70, START_US, SEGMENT_KEY, true);
    (void)push(&world, 0, 0, FRAME_KEY);
    (void)push(&world, 0, 40000, 0);
    segmenter_announce(world.segmenter, 70, START_US, SEGMENT_KEY, false); // frames were left out
    (void)push(&world, 0, 2000000, FRAME_KEY);
    assert_int_equal(world.closed_count, 0);
    segmenter_announce(world.segmenter, 71, START_US + 4000000, SEGMENT_KEY, true);
    (void)push(&world, 0, 4000000, FRAME_KEY);
    assert_int_equal(world.closed_count, 1);
    assert_int_equal(world.partial_count, 1);
    assert_int_equal(world.closed[0].number, 70);
    assert_int_equal(world.closed[0].duration_us, 4000000);
    world_fini(&world);
}

static void segmenter_announced_after_a_hole_does_not_count_the_hole(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    segmenter_announce(world.segmenter, 70, START_US, SEGMENT_KEY, true);
    for (int i = 0; i < 25; i++)
        (void)push(&world, 0, i * 40000, i ? 0 : FRAME_KEY);
    segmenter_announce(world.segmenter, 71, START_US + 20000000,
                       SEGMENT_KEY | SEGMENT_DISCONTINUITY, true);
    (void)push(&world, 0, 20000000, FRAME_KEY);
    assert_int_equal(world.closed[0].duration_us, 1000000);
    world_fini(&world);
}

static void segmenter_same_frames_give_the_same_parts(void **state)
{
    (void)state;
    struct world own, follows;
    world_init(&own);
    world_init(&follows);
    push_seconds(&own, 0, 9);
    segmenter_announce(follows.segmenter, own.closed[0].number, START_US, SEGMENT_KEY, true);
    push_seconds(&follows, 0, 4);
    segmenter_announce(follows.segmenter, own.closed[1].number, START_US + 4000000, SEGMENT_KEY,
                       true);
    push_seconds(&follows, 4, 8);
    segmenter_announce(follows.segmenter, own.closed[1].number + 1, START_US + 8000000, SEGMENT_KEY,
                       true);
    push_seconds(&follows, 8, 9);
    assert_int_equal(follows.closed_count, 2);
    assert_memory_equal(follows.parts, own.parts, 2 * sizeof *own.parts);
    assert_memory_equal(follows.frames, own.frames, 2 * sizeof *own.frames);
    world_fini(&own);
    world_fini(&follows);
}

TEST_MAIN(TEST(segmenter_push_cuts_at_key_frames_of_the_duration),
          TEST(segmenter_push_parts_last_half_a_second_and_hold_every_frame),
          TEST(segmenter_push_frames_before_the_first_key_are_not_kept),
          TEST(segmenter_push_no_key_frame_cuts_at_the_bound),
          TEST(segmenter_push_discontinuity_ends_segment_and_marks_the_next),
          TEST(segmenter_end_run_closes_and_marks_the_next),
          TEST(segmenter_set_tracks_closes_the_open_segment),
          TEST(segmenter_announced_cuts_where_the_far_server_did),
          TEST(segmenter_skipped_makes_the_open_one_partial),
          TEST(segmenter_announced_again_goes_on_as_a_partial_one),
          TEST(segmenter_announced_after_a_hole_does_not_count_the_hole),
          TEST(segmenter_same_frames_give_the_same_parts))
