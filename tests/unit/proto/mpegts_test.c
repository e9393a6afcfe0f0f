// SPDX-License-Identifier: MIT
// Viewers over real sockets: live from a stream played by hand, and files of a past in memory.
#include "unit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "format/ts_demux.h"
#include "hand.h"
#include "http/http.h"
#include "http_client.h"
#include "loop_fixture.h"
#include "memory_history.h"
#include "stream/stream.h"

#define START_S 1700000000LL

extern const struct protocol proto_mpegts;

static const struct protocol *const table[] = {&hand_protocol, NULL};

struct world {
    struct protocol_env env;
    struct stream *stream;
    struct memory_history past;
    struct http_client client;
};

static void world_init(struct world *world, bool on_demand)
{
    *world = (struct world){0};
    hand_reset();
    protocols_install(table);
    world->env.loop = loop_fixture_new();
    world->env.cluster_key = "";
    world->env.streams = streams_new(world->env.loop, &world->env);
    world->env.http = http_server_new(world->env.loop);
    http_server_add_routes(world->env.http, proto_mpegts.routes, &world->env);
    assert_int_equal(http_server_listen(world->env.http, "127.0.0.1", 0), 0);
    struct stream_conf conf;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof(conf.name), "main");
    conf.input_count = 1;
    conf.input[0].url = mem_strdup("hand://a");
    conf.is_static = !on_demand;
    assert_int_equal(stream_create(world->env.streams, &conf, &world->stream), 0);
    stream_conf_fini(&conf);
    memory_history_init(&world->past, world->env.loop);
    http_client_open(&world->client, world->env.loop, http_server_port(world->env.http));
}

static void world_fini(struct world *world)
{
    http_client_close(&world->client);
    streams_close_all(world->env.streams);
    http_server_free(&world->env.http);
    loop_turn(world->env.loop, false);
    streams_free(&world->env.streams);
    memory_history_fini(&world->past);
    loop_fixture_free(&world->env.loop);
}

static void pictures(struct world *world, unsigned count)
{
    struct hand *hand = hand_find("a");
    for (unsigned i = 0; i < count; i++)
        hand_picture(hand);
    loop_turn(world->env.loop, false);
}

struct heard {
    unsigned frames, keys;
    bool first_is_key;
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    (void)arg;
    tracks_unref(tracks);
}

static void on_frame(void *arg, struct frame **frame)
{
    struct heard *heard = arg;
    if ((*frame)->track == 0) {
        if (heard->frames++ == 0)
            heard->first_is_key = frame_is_key(*frame);
        heard->keys += frame_is_key(*frame);
    }
    frame_unref(frame);
}

static struct heard demux(const void *data, size_t length)
{
    static const struct ts_demux_events events = {.on_tracks = on_tracks, .on_frame = on_frame};
    struct heard heard = {0};
    struct ts_demux *demux = ts_demux_new(&events, &heard);
    ts_demux_input(demux, bytes_of(data, length));
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 0);
    ts_demux_free(&demux);
    return heard;
}

// Body bytes of an endless answer that are there.
static size_t live_bytes(struct world *world, const uint8_t **from)
{
    struct conn_end *end = &world->client.end;
    uint8_t *body = memmem(end->got, end->got_length, "\r\n\r\n", 4);
    *from = body ? body + 4 : NULL;
    return body ? (size_t)(end->got + end->got_length - (body + 4)) : 0;
}

static void mpegts_live_begins_with_the_last_key_frame(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    hand_tracks(hand_find("a"));
    pictures(&world, 60);
    http_client_ask(&world.client, "GET", "/main/mpegts?low_delay=1", "");
    const uint8_t *body;
    LOOP_UNTIL(world.env.loop, live_bytes(&world, &body) > 188 * 10);
    pictures(&world, 3);
    size_t before = live_bytes(&world, &body);
    LOOP_UNTIL(world.env.loop, live_bytes(&world, &body) > before);
    size_t length = live_bytes(&world, &body);
    assert_int_equal(length % 188, 0);
    struct heard heard = demux(body, length);
    assert_true(heard.first_is_key);
    assert_true(heard.frames >= 3);
    struct stream_stats stats;
    stream_get_stats(world.stream, &stats);
    assert_int_equal(stats.viewers, 1);
    assert_int_equal(stats.sinks, 1);
    conn_close(world.client.end.conn, REASON_DONE);
    do { // the server hears of it when it sends
        pictures(&world, 1);
        stream_get_stats(world.stream, &stats);
    } while (stats.viewers || stats.sinks);
    world_fini(&world);
}

static void mpegts_viewer_starts_an_on_demand_stream(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true);
    assert_int_equal(hand_pulls, 0);
    http_client_ask(&world.client, "GET", "/main/mpegts?low_delay=1", "");
    LOOP_UNTIL(world.env.loop, hand_pulls == 1);
    hand_tracks(hand_find("a"));
    pictures(&world, 2);
    const uint8_t *body;
    LOOP_UNTIL(world.env.loop, live_bytes(&world, &body) >= 188 * 4);
    world_fini(&world);
}

static void mpegts_unknown_or_ended_stream_is_an_error(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true);
    assert_int_equal(http_client_get(&world.client, "/other/mpegts", ""), 404);
    http_client_ask(&world.client, "GET", "/main/mpegts", "");
    LOOP_UNTIL(world.env.loop, hand_pulls == 1);
    stream_close(&world.stream, REASON_CONFIG);
    assert_int_equal(http_client_wait(&world.client, false), 404);
    world_fini(&world);
}

static void mpegts_file_of_the_past_holds_every_frame_and_starts_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true);
    struct tracks *tracks = hand_tracks_new(0, false);
    for (unsigned i = 0; i < 4; i++) {
        struct segment *segment =
            hand_segment(tracks, 10 + i, (START_S + 2 * i) * US_PER_S, 50, 1000);
        memory_history_add(&world.past, &segment);
    }
    tracks_unref(&tracks);
    struct history *history = &world.past.history;
    stream_set_history(world.stream, &history);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1700000002-4.ts", ""), 200);
    struct heard heard = demux(world.client.body, world.client.body_length);
    assert_int_equal(heard.frames, 100);
    assert_true(heard.first_is_key);
    assert_int_equal(hand_pulls, 0);
    assert_int_equal(world.past.open, 0);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1600000002-4.ts", ""), 404);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1-x.ts", ""), 400);
    world_fini(&world);
}

TEST_MAIN(TEST(mpegts_live_begins_with_the_last_key_frame),
          TEST(mpegts_viewer_starts_an_on_demand_stream),
          TEST(mpegts_unknown_or_ended_stream_is_an_error),
          TEST(mpegts_file_of_the_past_holds_every_frame_and_starts_nothing))
