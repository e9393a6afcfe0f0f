// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "cmaf_priv.h"
#include "base/mem.h"

#define LENGTH_US 4000000LL

// Four seconds, a key picture each two; as the segmenter has it: the next one begins behind it.
static struct segment *segment_at(struct tracks *tracks, int64_t from_us)
{
    struct frames frames = {0};
    camera_frames(&frames, from_us, LENGTH_US, 50);
    struct segment *segment = segment_of(tracks, &frames, 1700000000, 500000);
    segment->info.duration_us = LENGTH_US;
    frames_drop(&frames);
    return segment;
}

// Decode time at which a track of a segment of one chunk ends, and where it begins.
struct times {
    uint8_t track;
    unsigned count;
    int64_t from, to;
};

static int add_times(void *arg, const struct cmaf_sample *sample)
{
    struct times *times = arg;
    if (sample->track != times->track)
        return 0;
    if (times->count++ == 0)
        times->from = sample->dts;
    else
        assert_int_equal(sample->dts, times->to); // no gap inside
    times->to = sample->dts + sample->duration;
    return 0;
}

static struct times times_of(struct segment *segment, uint8_t track)
{
    struct times times = {.track = track};
    struct buf *bytes = chain_join(cmaf_segment(segment));
    assert_int_equal(cmaf_samples_parse(buf_bytes(bytes), segment->tracks, add_times, &times), 0);
    buf_unref(&bytes);
    return times;
}

static void cmaf_thin_leaves_key_pictures_and_sound(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = segment_at(tracks, 0), *thinned = cmaf_segment_thin(segment);
    unsigned sound = 0, expected = 0;
    for (unsigned i = 0; i < segment->frame_count; i++)
        sound += segment->frames[i]->track == 1;
    assert_non_null(thinned);
    assert_int_equal(thinned->info.number, segment->info.number);
    assert_int_equal(thinned->info.utc_start_us, segment->info.utc_start_us);
    assert_int_equal(thinned->info.duration_us, LENGTH_US);
    assert_int_equal(thinned->info.generation, 3);
    assert_int_equal(thinned->info.flags, SEGMENT_KEY | SEGMENT_THINNED);
    assert_int_equal(thinned->info.bytes, cmaf_segment(thinned)->bytes);
    assert_int_equal(segment->info.flags, SEGMENT_KEY); // nothing of it was changed
    assert_int_equal(segment_frames(thinned), 0);
    assert_int_equal(thinned->part_count, 1);
    assert_int_equal(thinned->frame_count, 2 + sound);
    for (unsigned i = 0; i < segment->frame_count; i++) {
        const struct frame *frame = segment->frames[i];
        if (!frame_is_key(frame))
            continue;
        const struct frame *left = thinned->frames[expected++];
        assert_int_equal(left->track, frame->track);
        assert_int_equal(left->dts, frame->dts);
        assert_int_equal(left->length, frame->length);
        assert_memory_equal(frame_data(left), frame_data(frame), left->length);
        assert_int_equal(frame->duration, 0); // as it came
    }
    assert_int_equal(expected, thinned->frame_count);
    segment_unref(&thinned);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// A run of thinned and whole segments has no gap and no overlap, however they take turns.
static void cmaf_thin_lasts_until_the_next_one_begins(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    for (unsigned turn = 0; turn < 4; turn++) {
        int64_t at[2] = {0};
        for (unsigned i = 0; i < 3; i++) {
            struct segment *whole = segment_at(tracks, i * LENGTH_US);
            struct segment *thinned = turn >> i & 1 ? NULL : cmaf_segment_thin(whole);
            struct segment *segment = thinned ? thinned : whole;
            for (uint8_t track = 0; thinned && track < 2; track++) {
                struct times times = times_of(segment, track);
                if (i > 0)
                    assert_int_equal(times.from, at[track]);
            }
            // Of a whole one the last frame's time is its own, as the segmenter gives it.
            int64_t next_us = whole->info.utc_start_us + LENGTH_US;
            if (thinned)
                assert_int_equal(times_of(segment, 0).to, ticks_from_us(next_us, 90000));
            at[0] = ticks_from_us(next_us, 90000);
            at[1] = whole->frames[whole->frame_count - 1]->track == 1
                        ? whole->frames[whole->frame_count - 1]->dts + 1024
                        : whole->frames[whole->frame_count - 2]->dts + 1024;
            if (thinned)
                assert_int_equal(times_of(segment, 1).to, at[1]);
            segment_unref(&thinned);
            segment_unref(&whole);
        }
    }
    // A camera that is late with the picture after it.
    struct segment *segment = segment_at(tracks, 0);
    segment->info.duration_us += 15000;
    struct segment *thinned = cmaf_segment_thin(segment);
    assert_int_equal(times_of(thinned, 0).to,
                     ticks_from_us(segment->info.utc_start_us + LENGTH_US + 15000, 90000));
    segment_unref(&thinned);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// Two cameras in one stream, pictures with composition offsets: each of them goes on.
static void cmaf_thin_keeps_each_video_track_going(void **state)
{
    (void)state;
    struct track track[3] = {h264_track_of(AVCC), h264_track_of(AVCC), g711_track_of(CODEC_PCMA)};
    struct tracks *tracks = tracks_new(track, 3);
    struct frames frames = {0};
    int64_t start = ticks_from_us(START_US, 90000);
    for (int64_t i = 0; i < 50; i++) {
        frames_add(&frames, frame_make(0, (unsigned)i, start + i * 3600, 20, i == 0))->cts = 7200;
        frames_add(&frames, frame_make(1, (unsigned)i, start + 100 + i * 3600, 20, i % 20 == 10));
        frames_add(&frames, frame_make(2, (unsigned)i, i * 320, 320, FRAME_KEY));
    }
    struct segment *segment = segment_of(tracks, &frames, 1700000000, 500000);
    segment->info.duration_us = 2000000;
    struct segment *thinned = cmaf_segment_thin(segment);
    assert_non_null(thinned);
    struct times first = times_of(thinned, 0), second = times_of(thinned, 1);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.to, start + 50 * 3600);
    assert_int_equal(second.count, 2);
    assert_int_equal(second.from, start + 100 + 10 * 3600);
    assert_int_equal(second.to, start + 100 + 50 * 3600);
    assert_int_equal(times_of(thinned, 2).count, 50);
    assert_int_equal(segment_frames(thinned), 0);
    for (unsigned i = 0; i < thinned->frame_count; i++)
        assert_int_equal(thinned->frames[i]->cts, thinned->frames[i]->track == 0 ? 7200 : 0);
    frames_drop(&frames);
    segment_unref(&thinned);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// From the link: frames are parts of one large block, which the thinned one does not hold.
static void cmaf_thin_holds_no_more_than_it_is(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = segment_at(tracks, 0), *far;
    struct segment *thinned = cmaf_segment_thin(segment), *of_far;
    struct buf *bytes = chain_join(cmaf_segment(segment));
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &far), 0);
    far->info.duration_us = LENGTH_US;
    of_far = cmaf_segment_thin(far);
    assert_non_null(of_far);
    struct buf *one = chain_join(cmaf_segment(thinned)), *two = chain_join(cmaf_segment(of_far));
    assert_int_equal(one->length, two->length);
    assert_memory_equal(one->data, two->data, one->length);
    buf_unref(&one);
    buf_unref(&two);
    segment_unref(&segment);
    segment_unref(&far);
    const struct chain *left = cmaf_segment(of_far);
    assert_int_equal(left->count, 1);
    assert_int_equal(left->slices[left->first].buf->length, left->bytes);
    assert_int_equal(left->slices[left->first].buf->refs, 1);
    assert_true(left->slices[left->first].buf->capacity <= left->bytes + 64);
    assert_int_equal(frame_live_count(), 0);
    segment_unref(&thinned);
    segment_unref(&of_far);
    tracks_unref(&tracks);
}

static void assert_stays_whole(struct tracks *tracks, struct frames *frames)
{
    struct segment *segment = segment_of(tracks, frames, 1700000000, 500000);
    segment->info.duration_us = LENGTH_US;
    assert_null(cmaf_segment_thin(segment));
    segment_unref(&segment);
    frames_drop(frames);
}

static void cmaf_thin_what_cannot_be_stays_whole(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    camera_frames(&frames, 0, LENGTH_US, 1); // key pictures only
    assert_stays_whole(tracks, &frames);
    camera_frames(&frames, 40000, LENGTH_US, 50); // begins in the middle
    assert_stays_whole(tracks, &frames);
    for (unsigned i = 0; i < 20; i++)
        frames_add(&frames, frame_make(1, i, i * 1024, 9, FRAME_KEY)); // the camera is blind
    assert_stays_whole(tracks, &frames);
    camera_frames(&frames, 0, LENGTH_US, 50);
    struct segment *segment = segment_of(tracks, &frames, 1, 500000), *again;
    segment->info.duration_us = LENGTH_US;
    struct segment *thinned = cmaf_segment_thin(segment);
    again = cmaf_segment_thin(thinned);
    assert_null(again);
    frames_drop(&frames);
    segment_unref(&thinned);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// Times of other servers: odd ones make odd durations, nothing else.
static void cmaf_thin_of_odd_times_is_a_segment(void **state)
{
    (void)state;
    static const int64_t odd[][3] = {{INT64_MIN, 0, INT64_MAX},
                                     {INT64_MAX, INT64_MIN, 0},
                                     {5, 5, 5},
                                     {1LL << 61, -(1LL << 62), 1LL << 62}};
    struct track track[2] = {h264_track_of(AVCC), h264_track_of(AVCC)};
    struct tracks *tracks = tracks_new(track, 2);
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct frames frames = {0};
        for (unsigned k = 0; k < 3; k++)
            for (unsigned t = 0; t < 2; t++)
                frames_add(&frames, frame_make(t, k, odd[i][k], 9, k == 0));
        struct segment_info info = {.number = 1, .utc_start_us = START_US, .duration_us = 1};
        struct segment *segment = segment_new(&info, tracks);
        for (unsigned k = 0; k < frames.count; k++) {
            struct frame *frame = frame_ref(frames.frame[k]);
            segment_add_frame(segment, &frame, false);
        }
        struct segment *thinned = cmaf_segment_thin(segment);
        assert_non_null(thinned);
        assert_int_equal(segment_frames(thinned), 0);
        assert_int_equal(thinned->frame_count, 2);
        segment_unref(&thinned);
        segment_unref(&segment);
        frames_drop(&frames);
    }
    tracks_unref(&tracks);
}

TEST_MAIN(TEST(cmaf_thin_leaves_key_pictures_and_sound),
          TEST(cmaf_thin_lasts_until_the_next_one_begins),
          TEST(cmaf_thin_keeps_each_video_track_going), TEST(cmaf_thin_holds_no_more_than_it_is),
          TEST(cmaf_thin_what_cannot_be_stays_whole), TEST(cmaf_thin_of_odd_times_is_a_segment))
