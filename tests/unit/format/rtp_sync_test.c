// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "format/rtp_sync.h"
#include "media/timebase.h"

#define UTC 1700000000000000LL

// Microseconds on the common clock of a frame at `ticks`.
static int64_t at_us(struct rtp_sync_track *track, int64_t ticks)
{
    return ticks_to_us(ticks + rtp_sync_offset(track, ticks), track->clock);
}

static void rtp_sync_anchor_aligns_on_arrival(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    assert_false(rtp_sync_anchored(&audio));
    rtp_sync_anchor(&video, 4000000000, 7000000);
    rtp_sync_anchor(&audio, 123, 7010000);
    assert_int_equal(at_us(&video, 4000000000), 7000000);
    assert_in_range(at_us(&audio, 123), 7009900, 7010100);
    assert_in_range(at_us(&audio, 123 + 8000), 8009900, 8010100);
}

static void rtp_sync_align_before_the_first_frame_is_exact(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 900000, 20000000);
    rtp_sync_anchor(&audio, 80000, 20100000); // 100 ms late for some reason of the network
    assert_false(rtp_sync_align(&audio, &video));
    rtp_sync_report(&video, 900000, UTC);
    rtp_sync_report(&audio, 80000, UTC + 30000); // in truth 30 ms after the picture
    assert_true(rtp_sync_align(&audio, &video));
    assert_int_equal(at_us(&video, 900000), 20000000);
    assert_int_equal(at_us(&audio, 80000), 20030000);
}

static void rtp_sync_align_later_moves_slowly_and_arrives(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 900000, 20000000);
    rtp_sync_anchor(&audio, 80000, 20100000);
    int64_t before = at_us(&audio, 80000);
    rtp_sync_report(&video, 900000, UTC);
    rtp_sync_report(&audio, 80000, UTC);
    assert_true(rtp_sync_align(&audio, &video)); // 100 ms too late
    for (int i = 1; i <= 500; i++) {             // ten seconds of frames of 20 ms
        int64_t now = at_us(&audio, 80000 + i * 160);
        assert_in_range(now - before, 20000 - 600, 20000);
        before = now;
    }
    assert_in_range(before - 30000000, 0, RTP_SYNC_ERROR_MIN_US);
}

static void rtp_sync_align_drifting_audio_clock_is_followed(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 0, 1000000);
    rtp_sync_anchor(&audio, 0, 1000000);
    // A sound card that counts 8004 a second: half a millisecond off each second, for an hour.
    int64_t worst = 0;
    for (int64_t second = 0; second < 3600; second++) {
        int64_t out = at_us(&audio, second * 8004);
        int64_t off = llabs(out - (1000000 + second * 1000000));
        worst = off > worst ? off : worst;
        if (second % 5 == 0) {
            rtp_sync_report(&video, second * 90000, UTC + second * 1000000);
            rtp_sync_report(&audio, second * 8004, UTC + second * 1000000);
            rtp_sync_align(&audio, &video);
        }
    }
    assert_in_range(worst, 0, 12000);
}

static void rtp_sync_report_step_of_the_senders_clock_moves_nothing(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 0, 1000000);
    rtp_sync_anchor(&audio, 0, 1000000);
    rtp_sync_report(&video, 0, UTC);
    rtp_sync_report(&audio, 0, UTC);
    assert_true(rtp_sync_align(&audio, &video));
    // Somebody sets the camera's clock an hour back; the video's report says so first.
    rtp_sync_report(&video, 450000, UTC + 5000000 - 3600000000LL);
    assert_true(rtp_sync_align(&audio, &video));
    assert_int_equal(at_us(&audio, 40000), 6000000);
    rtp_sync_report(&audio, 48000, UTC + 6000000 - 3600000000LL);
    assert_true(rtp_sync_align(&audio, &video));
    assert_int_equal(at_us(&audio, 48000), 7000000);
    // And small corrections still come through.
    rtp_sync_report(&audio, 88000, UTC + 11000000 - 3600000000LL + 40000);
    assert_true(rtp_sync_align(&audio, &video));
    assert_int_equal(audio.wanted_us - audio.offset_us, 40000);
}

static void rtp_sync_align_an_absurd_difference_is_not_believed(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 0, 1000000);
    rtp_sync_anchor(&audio, 0, 1000000);
    rtp_sync_report(&video, 0, UTC);
    rtp_sync_report(&audio, 0, UTC + 11000000);
    assert_false(rtp_sync_align(&audio, &video));
    assert_int_equal(at_us(&audio, 8000), 2000000);
}

static void rtp_sync_anchor_another_source_forgets_reports(void **state)
{
    (void)state;
    struct rtp_sync_track video, audio;
    rtp_sync_init(&video, 90000);
    rtp_sync_init(&audio, 8000);
    rtp_sync_anchor(&video, 0, 1000000);
    rtp_sync_anchor(&audio, 0, 1000000);
    rtp_sync_report(&video, 0, UTC);
    rtp_sync_report(&audio, 0, UTC);
    assert_true(rtp_sync_align(&audio, &video));
    rtp_sync_anchor(&audio, 777777, 9000000);
    assert_false(rtp_sync_align(&audio, &video));
    assert_in_range(at_us(&audio, 777777), 8999900, 9000100);
}

TEST_MAIN(TEST(rtp_sync_anchor_aligns_on_arrival),
          TEST(rtp_sync_align_before_the_first_frame_is_exact),
          TEST(rtp_sync_align_later_moves_slowly_and_arrives),
          TEST(rtp_sync_align_drifting_audio_clock_is_followed),
          TEST(rtp_sync_report_step_of_the_senders_clock_moves_nothing),
          TEST(rtp_sync_align_an_absurd_difference_is_not_believed),
          TEST(rtp_sync_anchor_another_source_forgets_reports))
