// SPDX-License-Identifier: MIT
// Downloads over real sockets from a past in memory.
#include "unit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "hand.h"
#include "http/http.h"
#include "http_client.h"
#include "loop_fixture.h"
#include "memory_history.h"
#include "stream/protocol.h"
#include "stream/stream.h"

#define START_S 1700000000LL

extern const struct protocol proto_mp4;

struct world {
    struct protocol_env env;
    struct stream *stream;
    struct memory_history past;
    struct http_client client;
};

static void world_init(struct world *world, unsigned segments)
{
    *world = (struct world){0};
    world->env.loop = loop_fixture_new();
    world->env.cluster_key = "";
    world->env.streams = streams_new(world->env.loop, &world->env);
    world->env.http = http_server_new(world->env.loop);
    http_server_add_routes(world->env.http, proto_mp4.routes, &world->env);
    assert_int_equal(http_server_listen(world->env.http, "127.0.0.1", 0), 0);
    struct stream_conf conf;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof(conf.name), "main");
    assert_int_equal(stream_create(world->env.streams, &conf, &world->stream), 0);
    memory_history_init(&world->past, world->env.loop);
    struct tracks *tracks = hand_tracks_new(0, false);
    for (unsigned i = 0; i < segments; i++) {
        struct segment *segment =
            hand_segment(tracks, 10 + i, (START_S + 2 * i) * US_PER_S, 50, 2000);
        memory_history_add(&world->past, &segment);
    }
    tracks_unref(&tracks);
    if (segments) {
        struct history *history = &world->past.history;
        stream_set_history(world->stream, &history);
    }
    http_client_open(&world->client, world->env.loop, http_server_port(world->env.http));
}

static void world_fini(struct world *world)
{
    http_client_close(&world->client);
    streams_free(&world->env.streams);
    http_server_free(&world->env.http);
    loop_turn(world->env.loop, false);
    memory_history_fini(&world->past);
    loop_fixture_free(&world->env.loop);
}

static void mp4_download_has_its_length_and_every_range(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 5);
    const char *path = "/main/archive-1700000001-6.mp4";
    assert_int_equal(http_client_get(&world.client, path, ""), 200);
    size_t length = world.client.body_length;
    uint8_t *whole = mem_dup(world.client.body, length);
    assert_memory_equal(whole + 4, "ftyp", 4);
    assert_int_equal(strtoll(http_client_header(&world.client, "Content-Length"), NULL, 10),
                     length);
    assert_true(length > 150 * 2000); // six seconds of pictures
    assert_non_null(
        strstr(http_client_header(&world.client, "Content-Disposition"), "main_1700000001_6.mp4"));
    const size_t first[] = {0, 100, length / 2, length - 7};
    for (unsigned i = 0; i < 4; i++) {
        size_t last = first[i] + 60000 < length ? first[i] + 60000 : length - 1;
        char range[64];
        snprintf(range, sizeof(range), "Range: bytes=%zu-%zu\r\n", first[i], last);
        assert_int_equal(http_client_get(&world.client, path, range), 206);
        assert_int_equal(world.client.body_length, last - first[i] + 1);
        assert_memory_equal(world.client.body, whole + first[i], world.client.body_length);
    }
    mem_free(whole);
    assert_int_equal(world.past.open, 0);
    world_fini(&world);
}

static void mp4_head_reads_tables_only(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 3);
    http_client_ask(&world.client, "HEAD", "/main/archive-1700000000-4.mp4", "");
    assert_int_equal(http_client_wait(&world.client, true), 200);
    assert_true(strtoll(http_client_header(&world.client, "Content-Length"), NULL, 10) >
                100 * 2000);
    assert_int_equal(world.past.reads, 1);
    world_fini(&world);
}

static void mp4_nothing_there_or_malformed_is_an_error(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 2);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1600000000-5.mp4", ""), 404);
    assert_int_equal(http_client_get(&world.client, "/main/archive-x-5.mp4", ""), 400);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1700000000-99999999.mp4", ""),
                     400);
    assert_int_equal(http_client_get(&world.client, "/other/archive-1700000000-5.mp4", ""), 404);
    world_fini(&world);
    world_init(&world, 0);
    assert_int_equal(http_client_get(&world.client, "/main/archive-1700000000-5.mp4", ""), 404);
    world_fini(&world);
}

static void mp4_client_gone_cancels_the_reading(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 5);
    world.past.silent = true;
    http_client_ask(&world.client, "GET", "/main/archive-1700000000-8.mp4", "");
    LOOP_UNTIL(world.env.loop, world.past.open == 1);
    http_server_free(&world.env.http); // the end of the server is the end of its clients
    LOOP_UNTIL(world.env.loop, world.past.open == 0);
    world.env.http = NULL;
    world_fini(&world);
}

TEST_MAIN(TEST(mp4_download_has_its_length_and_every_range), TEST(mp4_head_reads_tables_only),
          TEST(mp4_nothing_there_or_malformed_is_an_error),
          TEST(mp4_client_gone_cancels_the_reading))
