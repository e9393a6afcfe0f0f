// SPDX-License-Identifier: MIT
#include "unit.h"

#include "stream_fixture.h"

static unsigned active(struct stream *stream)
{
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    return stats.active_input;
}

static void inputs_lost_one_retries_with_growing_delay(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    int64_t last_us = now_us(), delay_us[6];
    for (unsigned i = 0; i < 6; i++) {
        source_lost(fixture.source[i], REASON_REFUSED, NULL);
        while (fixture.pulls == i + 1)
            loop_fixture_run(fixture.loop, 50000);
        delay_us[i] = now_us() - last_us;
        last_us = now_us();
    }
    assert_true(delay_us[0] < 1000000);
    assert_true(delay_us[5] > 4 * delay_us[0]);
    assert_int_equal(stream_state(stream), STREAM_STARTING);
    fixture_fini();
}

static void inputs_refused_password_is_tried_far_more_slowly(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    (void)fixture_stream(&conf);
    source_lost(fixture.source[0], REASON_AUTH, NULL);
    loop_fixture_run(fixture.loop, 20000000);
    assert_int_equal(fixture.pulls, 1);
    loop_fixture_run(fixture.loop, 25000000);
    assert_int_equal(fixture.pulls, 2);
    fixture_fini();
}

static void inputs_next_one_starts_at_once_when_a_connection_drops(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 2);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    fixture_play(0, 2000);
    assert_int_equal(active(stream), 0);
    source_lost(fixture.source[0], REASON_PEER_CLOSED, NULL);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(fixture.pulls, 2);
    assert_string_equal(fixture.path[1], "b");
    fixture_tracks(1);
    fixture_play(1, 200);
    assert_int_equal(active(stream), 1);
    assert_int_equal(stream_state(stream), STREAM_LIVE);
    fixture_fini();
}

static void inputs_silence_loses_the_input_after_source_timeout(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 2);
    conf.source_timeout_us = 5000000;
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    fixture_play(0, 2000);
    loop_fixture_run(fixture.loop, 4000000);
    assert_int_equal(fixture.pulls, 1);
    loop_fixture_run(fixture.loop, 3000000);
    assert_true(fixture.pulls >= 2);
    assert_int_equal(stream_state(stream), STREAM_LOST);
    fixture_fini();
}

static void inputs_better_one_takes_over_on_a_key_frame(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 2);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    fixture_play(0, 1000);
    source_lost(fixture.source[0], REASON_PEER_CLOSED, NULL);
    loop_fixture_settle(fixture.loop);
    fixture_tracks(1);
    fixture_play(1, 3000); // meanwhile the first is tried again
    assert_int_equal(fixture.pulls, 3);
    assert_string_equal(fixture.path[2], "a");
    fixture_tracks(2);
    fixture_frame(2, false);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(active(stream), 1);
    fixture_frame(2, true);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(active(stream), 0);
    assert_null(fixture.source[1]); // the other one is let go
    loop_fixture_run(fixture.loop, 60000000 - 1000000);
    assert_int_equal(fixture.pulls, 3); // and not tried again while a better one runs
    fixture_fini();
}

static void inputs_unavailable_one_lets_others_be_tried(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 2);
    struct stream *stream = fixture_stream(&conf);
    source_unavailable(fixture.source[0], REASON_REFUSED);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(fixture.pulls, 2);
    assert_non_null(fixture.source[0]); // it goes on trying by itself
    fixture_tracks(1);
    fixture_play(1, 200);
    assert_int_equal(active(stream), 1);
    fixture_tracks(0);
    fixture_play(0, 200);
    assert_int_equal(active(stream), 0);
    fixture_fini();
}

static void inputs_configure_keeps_the_running_line_under_its_new_number(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 2);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    fixture_play(0, 1000);
    struct stream_conf swapped = fixture_conf("main", 2);
    char *first = swapped.input[0].url;
    swapped.input[0].url = swapped.input[1].url;
    swapped.input[1].url = first;
    stream_configure(stream, &swapped);
    stream_conf_fini(&swapped);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(stream_state(stream), STREAM_LIVE);
    assert_non_null(fixture.source[0]);
    assert_int_equal(fixture.pulls, 2); // the better one is tried
    assert_string_equal(fixture.path[1], "b");
    fixture_fini();
}

static void inputs_frames_of_a_lost_source_are_dropped(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    source_lost(fixture.source[0], REASON_PEER_CLOSED, NULL);
    fixture_frame(0, true);
    loop_fixture_settle(fixture.loop);
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    assert_int_equal(stats.frames_in, 0);
    fixture_fini();
}

TEST_MAIN(TEST(inputs_lost_one_retries_with_growing_delay),
          TEST(inputs_refused_password_is_tried_far_more_slowly),
          TEST(inputs_next_one_starts_at_once_when_a_connection_drops),
          TEST(inputs_silence_loses_the_input_after_source_timeout),
          TEST(inputs_better_one_takes_over_on_a_key_frame),
          TEST(inputs_unavailable_one_lets_others_be_tried),
          TEST(inputs_configure_keeps_the_running_line_under_its_new_number),
          TEST(inputs_frames_of_a_lost_source_are_dropped))
