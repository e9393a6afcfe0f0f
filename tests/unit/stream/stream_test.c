// SPDX-License-Identifier: MIT
#include "unit.h"

#include "stream_fixture.h"
#include "stream/viewer.h"

static void stream_create_bad_or_double_name_is_refused(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("a b", 1);
    struct stream *stream;
    assert_int_equal(stream_create(fixture.env.streams, &conf, &stream), ERR_INVALID);
    stream_conf_fini(&conf);
    conf = fixture_conf("main", 1);
    stream = fixture_stream(&conf);
    conf = fixture_conf("main", 1);
    assert_int_equal(stream_create(fixture.env.streams, &conf, &stream), ERR_EXISTS);
    stream_conf_fini(&conf);
    fixture_fini();
}

static void stream_static_runs_and_fills_its_window(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    conf.segment_duration_us = 1000000;
    conf.segment_count = 3;
    struct stream *stream = fixture_stream(&conf);
    assert_int_equal(stream_state(stream), STREAM_STARTING);
    fixture_tracks(0);
    fixture_play(0, 10100);
    assert_int_equal(stream_state(stream), STREAM_LIVE);
    size_t count, listed = 0;
    const struct window_entry *window = stream_window(stream, &count);
    for (size_t i = 0; i < count; i++)
        listed += window[i].listed;
    assert_int_equal(listed, 3);
    assert_int_equal(count, 6);
    assert_true(window[count - 1].listed);
    for (size_t i = 1; i < count; i++)
        assert_int_equal(window[i].info.number, window[i - 1].info.number + 1);
    int64_t ms = window[count - 1].info.utc_start_us / 1000;
    assert_ptr_equal(stream_find_segment(stream, ms), window[count - 1].segment);
    fixture_fini();
}

static void stream_on_demand_starts_for_a_viewer_and_stops_after_the_last(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    conf.is_static = false;
    conf.clients_timeout_us = 5000000;
    struct stream *stream = fixture_stream(&conf);
    assert_int_equal(fixture.pulls, 0);
    struct viewer *viewer = viewer_open(stream, VIEWER_LIVE, "test", "192.0.2.1");
    assert_int_equal(fixture.pulls, 1);
    fixture_tracks(0);
    fixture_play(0, 20000);
    assert_int_equal(stream_state(stream), STREAM_LIVE);
    viewer_close(&viewer);
    fixture_play(0, 4000);
    assert_int_equal(stream_state(stream), STREAM_LIVE);
    fixture_play(0, 4000);
    assert_int_equal(stream_state(stream), STREAM_IDLE);
    assert_int_equal(fixture.stops, 1);
    fixture_fini();
}

static void stream_viewer_of_the_past_starts_nothing(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    conf.is_static = false;
    struct stream *stream = fixture_stream(&conf);
    viewer_touch(stream, VIEWER_PAST, "hls", "192.0.2.1", "player");
    loop_fixture_run(fixture.loop, 3000000);
    assert_int_equal(fixture.pulls, 0);
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    assert_int_equal(stats.viewers, 1);
    loop_fixture_run(fixture.loop, 40000000);
    stream_get_stats(stream, &stats);
    assert_int_equal(stats.viewers, 0);
    fixture_fini();
}

static enum reason answered;
static unsigned answers;

static void on_ready(void *arg, enum reason reason)
{
    (void)arg;
    answered = reason;
    answers++;
}

static void stream_wait_answers_when_the_window_is_there(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    conf.is_static = false;
    conf.segment_duration_us = 1000000;
    struct stream *stream = fixture_stream(&conf);
    struct stream_waiter waiter;
    answers = 0;
    assert_int_equal(stream_wait(stream, STREAM_NEED_WINDOW, 10000000, &waiter, on_ready, NULL), 0);
    fixture_tracks(0);
    fixture_play(0, 900);
    assert_int_equal(answers, 0);
    fixture_play(0, 400);
    assert_int_equal(answers, 1);
    assert_int_equal(answered, REASON_NONE);
    fixture_fini();
}

static void stream_wait_times_out_and_fails_when_the_stream_goes(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    struct stream_waiter first, second;
    answers = 0;
    assert_int_equal(stream_wait(stream, STREAM_NEED_TRACKS, 3000000, &first, on_ready, NULL), 0);
    assert_int_equal(stream_wait(stream, STREAM_NEED_TRACKS, 60000000, &second, on_ready, NULL), 0);
    loop_fixture_run(fixture.loop, 5000000);
    assert_int_equal(answers, 1);
    assert_int_equal(answered, REASON_TIMEOUT);
    stream_close(&stream, REASON_CONFIG);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(answers, 2);
    assert_int_equal(answered, REASON_NOT_FOUND);
    fixture_fini();
}

static void stream_configure_same_input_is_not_disturbed(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    fixture_play(0, 2000);
    conf = fixture_conf("main", 1);
    conf.title = mem_strdup("another title");
    stream_configure(stream, &conf);
    stream_conf_fini(&conf);
    fixture_play(0, 2000);
    assert_int_equal(fixture.pulls, 1);
    assert_int_equal(fixture.stops, 0);
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    assert_int_equal(stats.frames_in, 100);
    assert_int_equal(stats.discontinuities, 0);
    fixture_fini();
}

static void stream_configure_disabled_stops(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    conf = fixture_conf("main", 1);
    conf.disabled = true;
    stream_configure(stream, &conf);
    stream_conf_fini(&conf);
    assert_int_equal(stream_state(stream), STREAM_IDLE);
    assert_int_equal(fixture.stops, 1);
    fixture_fini();
}

static unsigned changes, gone_changes;

static void on_change(void *arg, struct stream *stream, bool gone)
{
    (void)arg, (void)stream;
    changes++;
    gone_changes += gone;
}

static void streams_watch_tells_changes_at_the_end_of_a_turn(void **state)
{
    (void)state;
    fixture_init();
    struct streams_watch watch = {.on_change = on_change};
    changes = gone_changes = 0;
    streams_watch_add(fixture.env.streams, &watch);
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream;
    assert_int_equal(stream_create(fixture.env.streams, &conf, &stream), 0);
    stream_conf_fini(&conf);
    assert_int_equal(changes, 0);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(changes, 1);
    stream_close(&stream, REASON_CONFIG);
    assert_int_equal(gone_changes, 1);
    assert_null(streams_get(fixture.env.streams, "main"));
    loop_fixture_settle(fixture.loop);
    streams_watch_remove(fixture.env.streams, &watch);
    fixture_fini();
}

TEST_MAIN(TEST(stream_create_bad_or_double_name_is_refused),
          TEST(stream_static_runs_and_fills_its_window),
          TEST(stream_on_demand_starts_for_a_viewer_and_stops_after_the_last),
          TEST(stream_viewer_of_the_past_starts_nothing),
          TEST(stream_wait_answers_when_the_window_is_there),
          TEST(stream_wait_times_out_and_fails_when_the_stream_goes),
          TEST(stream_configure_same_input_is_not_disturbed), TEST(stream_configure_disabled_stops),
          TEST(streams_watch_tells_changes_at_the_end_of_a_turn))
