// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/text.h"
#include "format/rtp_dts.h"
#include "rtp_fixture.h"

enum { FRAME = 3600 }; // ticks at 25 a second

struct seen {
    int64_t dts[256], pts[256];
    unsigned count;
};

static void on_frame(void *arg, struct frame **frame)
{
    struct seen *seen = arg;
    assert_true(seen->count < 256);
    assert_true((*frame)->cts >= 0);
    seen->dts[seen->count] = (*frame)->dts;
    seen->pts[seen->count++] = (*frame)->dts + (*frame)->cts;
    frame_unref(frame);
}

static void feed_at(struct rtp_dts *dts, char kind, int64_t pts)
{
    struct buf *buf = buf_new(12);
    uint8_t slice[8];
    fixture_h264_slice(slice, sizeof(slice), kind, true);
    buf_append(buf, "\0\0\0\10", 4);
    buf_append(buf, slice, sizeof(slice));
    struct frame *frame = frame_new(0, &buf);
    frame->dts = pts;
    rtp_dts_input(dts, &frame);
    assert_null(frame);
}

// "I0 P3 B1 B2": kinds and presentation times in frames.
static void feed(struct rtp_dts *dts, const char *list)
{
    for (char *end; *list; list = end + (*end == ' '))
        feed_at(dts, list[0], strtol(list + 1, &end, 10) * FRAME);
}

static void assert_rising(const struct seen *seen)
{
    for (unsigned i = 1; i < seen->count; i++)
        if (seen->dts[i] <= seen->dts[i - 1])
            fail_msg("frame %u: %ld after %ld", i, (long)seen->dts[i], (long)seen->dts[i - 1]);
}

static void assert_times(const struct seen *seen, const char *dts, const char *pts)
{
    char all_dts[1024] = "", all_pts[1024] = "";
    for (unsigned i = 0; i < seen->count; i++) {
        text_append(all_dts, sizeof(all_dts), "%g ", (double)seen->dts[i] / FRAME);
        text_append(all_pts, sizeof(all_pts), "%g ", (double)seen->pts[i] / FRAME);
    }
    assert_string_equal(all_dts, dts);
    assert_string_equal(all_pts, pts);
}

static void begin(struct rtp_dts *dts, struct seen *seen, unsigned profile, int reorder)
{
    struct track track = {0};
    memset(seen, 0, sizeof(*seen));
    rtp_dts_init(dts, on_frame, seen);
    if (profile)
        fixture_h264_track(&track, profile, reorder);
    else
        fixture_h265_track(&track);
    assert_int_equal(track.timescale, 90000);
    rtp_dts_set_track(dts, &track);
    track_fini(&track);
}

static void rtp_dts_input_without_reordering_is_presentation_time(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 66, -1);
    feed(&dts, "I0");
    assert_int_equal(seen.count, 1); // at once
    feed(&dts, "P1 P2 P2 P1 P2 P90000 P90001 P5");
    assert_times(&seen, "0 1 2 2 1 2 90000 90001 5 ", "0 1 2 2 1 2 90000 90001 5 ");
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_announced_depth_lags_and_gives_at_once(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 100, 2);
    static const char *const frames[] = {"I0", "P4", "B2",  "B1",  "B3", "P8", "B6",
                                         "B5", "B7", "I12", "B10", "B9", "B11"};
    for (unsigned i = 0; i < 13; i++) {
        feed(&dts, frames[i]);
        assert_int_equal(seen.count, i + 1);
    }
    assert_times(&seen, "-2 -1 0 1 2 3 4 5 6 7 8 9 10 ", "0 4 2 1 3 8 6 5 7 12 10 9 11 ");
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_h265_depth_comes_from_the_sps(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 0, 0);
    feed(&dts, "I0 P4 B2 B1 B3 P8 B6 B5 B7");
    assert_times(&seen, "-2 -1 0 1 2 3 4 5 6 ", "0 4 2 1 3 8 6 5 7 ");
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_unknown_depth_is_seen_in_the_first_frames(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 77, -1);
    feed(&dts, "I0 P3 B1 B2 P6");
    assert_int_equal(seen.count, 0);
    feed(&dts, "B4 B5 P9 B7 B8");
    assert_times(&seen, "-1 0 1 2 3 4 5 6 7 8 ", "0 3 1 2 6 4 5 9 7 8 ");
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_unknown_depth_without_b_frames_does_not_lag(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 77, -1);
    feed(&dts, "I0 P1 P2 P3 P4");
    assert_int_equal(seen.count, 0);
    feed(&dts, "P5");
    assert_int_equal(seen.count, 6);
    feed(&dts, "P6");
    assert_times(&seen, "0 1 2 3 4 5 6 ", "0 1 2 3 4 5 6 ");
    rtp_dts_fini(&dts);
    // Ten frames of media are enough to wait for, however few they are.
    begin(&dts, &seen, 77, -1);
    feed(&dts, "I0 P10");
    assert_int_equal(seen.count, 2);
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_b_frames_nobody_announced(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 100, 0);
    feed(&dts, "I0 P1 P2 P5 B3 B4 P8 B6 B7 P11 B9 B10 P14");
    assert_rising(&seen);
    // The first two came too late; from then on all is as it should be.
    for (unsigned i = 6; i < seen.count; i++)
        assert_int_equal(seen.pts[i] % FRAME, 0);
    assert_int_equal(seen.pts[6], 8 * FRAME);
    assert_int_equal(seen.dts[9], 8 * FRAME);
    assert_int_equal(dts.depth, 1);
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_deeper_than_announced(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 100, 1);
    feed(&dts, "I0 P4 B2 B1 B3 P8 B6 B5 B7 P12 B10 B9 B11 P16 B14 B13 B15");
    assert_rising(&seen);
    assert_int_equal(dts.depth, 2);
    assert_int_equal(seen.pts[9], 12 * FRAME);
    assert_int_equal(seen.pts[11], 9 * FRAME);
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_h265_one_step_back_is_a_clock_two_are_b_frames(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 0, 0);
    dts.depth = 0; // as if the SPS had said none
    feed(&dts, "I0 P1 P2 P1 P2");
    assert_times(&seen, "0 1 2 1 2 ", "0 1 2 1 2 ");
    feed(&dts, "P5 B3");
    assert_int_equal(dts.depth, 1);
    rtp_dts_fini(&dts);
}

static void rtp_dts_input_jumps_do_not_stretch_presentation_offsets(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 100, 2);
    feed(&dts, "I0 P3 B1 B2 P90006 B90004 B90005 P90009 B90007 P9 B7 B8 P12 P12 P12");
    for (unsigned i = 0; i < seen.count; i++)
        assert_in_range(seen.pts[i] - seen.dts[i], 0, 5 * FRAME);
    rtp_dts_fini(&dts);
}

static void rtp_dts_set_track_another_depth_goes_on_rising(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    struct track track;
    begin(&dts, &seen, 66, -1);
    feed(&dts, "I0 P1 P2 P3");
    fixture_h264_track(&track, 100, 2);
    rtp_dts_set_track(&dts, &track);
    track_fini(&track);
    feed(&dts, "I4 P8 B6 B5 B7 P12 B10 B9 B11");
    assert_rising(&seen);
    assert_int_equal(seen.pts[4], 4 * FRAME);
    assert_int_equal(seen.dts[8], 6 * FRAME);
    fixture_h264_track(&track, 66, -1);
    rtp_dts_set_track(&dts, &track);
    track_fini(&track);
    feed(&dts, "I13 P14");
    assert_rising(&seen);
    assert_int_equal(seen.dts[seen.count - 1], 14 * FRAME);
    rtp_dts_fini(&dts);
}

static void rtp_dts_fini_drops_what_waits(void **state)
{
    (void)state;
    struct rtp_dts dts;
    struct seen seen;
    begin(&dts, &seen, 77, -1);
    feed(&dts, "I0 P1");
    rtp_dts_fini(&dts);
    assert_int_equal(seen.count, 0);
    assert_int_equal(frame_live_count(), 0);
}

TEST_MAIN(TEST(rtp_dts_input_without_reordering_is_presentation_time),
          TEST(rtp_dts_input_announced_depth_lags_and_gives_at_once),
          TEST(rtp_dts_input_h265_depth_comes_from_the_sps),
          TEST(rtp_dts_input_unknown_depth_is_seen_in_the_first_frames),
          TEST(rtp_dts_input_unknown_depth_without_b_frames_does_not_lag),
          TEST(rtp_dts_input_b_frames_nobody_announced), TEST(rtp_dts_input_deeper_than_announced),
          TEST(rtp_dts_input_h265_one_step_back_is_a_clock_two_are_b_frames),
          TEST(rtp_dts_input_jumps_do_not_stretch_presentation_offsets),
          TEST(rtp_dts_set_track_another_depth_goes_on_rising), TEST(rtp_dts_fini_drops_what_waits))
