// SPDX-License-Identifier: MIT
#include "stream/sink.h"

#include "unit.h"

#include "stream_fixture.h"

struct taker {
    struct sink sink;
    unsigned visits, frames, keys;
    bool greedy;
    bool ended;
    uint64_t first, last;
};

static void on_news(void *arg)
{
    struct taker *taker = arg;
    struct frame *frame;
    taker->visits++;
    while (taker->greedy && sink_next(&taker->sink, &frame) == 0) {
        if (taker->frames++ == 0)
            taker->first = frame->seq;
        else
            assert_true(frame->seq > taker->last);
        taker->last = frame->seq;
        taker->keys += frame_is_key(frame);
        assert_non_null(sink_tracks(&taker->sink, frame->generation));
    }
    if (!taker->greedy)
        sink_busy(&taker->sink);
}

static void on_end(void *arg, enum reason reason)
{
    struct taker *taker = arg;
    (void)reason;
    taker->ended = true;
}

static const struct sink_events events = {.on_news = on_news, .on_end = on_end};

static struct stream *live_stream(void)
{
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    fixture_tracks(0);
    return stream;
}

static void sink_open_begins_at_the_last_key_frame(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    fixture_play(0, 1400); // key frames at 0 and 1 s
    struct taker taker = {.greedy = true};
    sink_open(&taker.sink, stream, &events, &taker);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(taker.first, 25);
    assert_int_equal(taker.frames, 10);
    fixture_play(0, 400);
    assert_int_equal(taker.frames, 20);
    sink_close(&taker.sink);
    fixture_fini();
}

static void sink_open_before_the_first_frame_waits_for_a_key(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    struct taker taker = {.greedy = true};
    sink_open(&taker.sink, stream, &events, &taker);
    assert_int_equal(taker.sink.state, SINK_WAIT_KEY);
    fixture_play(0, 80);
    assert_int_equal(taker.sink.state, SINK_HUNGRY);
    assert_int_equal(taker.frames, 2);
    assert_int_equal(taker.keys, 1);
    sink_close(&taker.sink);
    fixture_fini();
}

static void sink_burst_is_one_visit(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    struct taker taker = {.greedy = true};
    fixture_frame(0, true);
    sink_open(&taker.sink, stream, &events, &taker);
    loop_fixture_settle(fixture.loop);
    unsigned visits = taker.visits;
    for (int i = 0; i < 30; i++)
        fixture_frame(0, false);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(taker.visits, visits + 1);
    assert_int_equal(taker.frames, 31);
    sink_close(&taker.sink);
    fixture_fini();
}

static void sink_busy_is_not_visited_until_ready(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    fixture_play(0, 200);
    struct taker taker = {.greedy = false};
    sink_open(&taker.sink, stream, &events, &taker);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(taker.visits, 1);
    fixture_play(0, 400);
    assert_int_equal(taker.visits, 1);
    taker.greedy = true;
    sink_ready(&taker.sink);
    loop_fixture_settle(fixture.loop);
    assert_int_equal(taker.visits, 2);
    assert_int_equal(taker.frames, 15);
    sink_close(&taker.sink);
    fixture_fini();
}

static void sink_next_late_jumps_to_the_newest_key_frame(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    fixture_play(0, 200);
    struct taker taker = {.greedy = false};
    sink_open(&taker.sink, stream, &events, &taker);
    fixture_play(0, 10000);
    taker.greedy = true;
    sink_ready(&taker.sink);
    loop_fixture_settle(fixture.loop);
    assert_true(taker.sink.jumped);
    assert_int_equal(taker.first % 25, 0);
    assert_int_equal(taker.sink.skipped, taker.first);
    assert_true(taker.frames <= 25);
    sink_close(&taker.sink);
    fixture_fini();
}

static void sink_end_comes_once_when_the_stream_goes(void **state)
{
    (void)state;
    struct stream *stream = live_stream();
    struct taker taker = {.greedy = true};
    sink_open(&taker.sink, stream, &events, &taker);
    stream_close(&stream, REASON_CONFIG);
    loop_fixture_settle(fixture.loop);
    assert_true(taker.ended);
    sink_close(&taker.sink); // closed already is fine
    struct frame *frame;
    assert_int_equal(sink_next(&taker.sink, &frame), ERR_AGAIN);
    fixture_fini();
}

TEST_MAIN(TEST(sink_open_begins_at_the_last_key_frame),
          TEST(sink_open_before_the_first_frame_waits_for_a_key), TEST(sink_burst_is_one_visit),
          TEST(sink_busy_is_not_visited_until_ready),
          TEST(sink_next_late_jumps_to_the_newest_key_frame),
          TEST(sink_end_comes_once_when_the_stream_goes))
