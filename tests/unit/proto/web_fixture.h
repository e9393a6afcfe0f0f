// SPDX-License-Identifier: MIT
// A server with one stream, "main", played by hand, and an HTTP client; sockets are real, time is
// virtual. The past is in memory.
#ifndef TESTS_UNIT_PROTO_WEB_FIXTURE_H
#define TESTS_UNIT_PROTO_WEB_FIXTURE_H

#include "unit.h"

#include "base/clock.h"
#include "base/text.h"
#include "format/cmaf.h"
#include "hand.h"
#include "http/http.h"
#include "http_client.h"
#include "loop_fixture.h"
#include "memory_history.h"
#include "stream/stream.h"

// 2026-11-23 00:35:30.5 UTC, a moment long before the test's clock begins.
#define PAST_S 1763858130LL
#define PAST_US (PAST_S * US_PER_S + 500000)

struct web {
    struct loop *loop;
    struct protocol_env env;
    struct stream *stream;
    struct http_client client;
    struct memory_history memory;
    const struct protocol *protocol;
};

static inline void web_open(struct web *web, const struct protocol *protocol, bool is_static)
{
    static const struct protocol *const table[] = {&hand_protocol, NULL};
    struct stream_conf conf;
    memset(web, 0, sizeof *web);
    hand_reset();
    web->protocol = protocol;
    web->loop = loop_fixture_new_virtual();
    web->env.loop = web->loop;
    web->env.cluster_key = "";
    web->env.export_path = "";
    protocols_install(table);
    web->env.http = http_server_new(web->loop);
    web->env.streams = streams_new(web->loop, &web->env);
    if (protocol->init)
        assert_int_equal(protocol->init(&web->env), 0);
    http_server_add_routes(web->env.http, protocol->routes, &web->env);
    assert_int_equal(http_server_listen(web->env.http, "127.0.0.1", 0), 0);
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "main");
    conf.segment_duration_us = 2 * US_PER_S;
    conf.segment_count = 3;
    conf.is_static = is_static;
    (void)stream_conf_add_input(&conf, "hand://main");
    assert_int_equal(stream_create(web->env.streams, &conf, &web->stream), 0);
    stream_conf_fini(&conf);
    memory_history_init(&web->memory, web->loop);
    http_client_open(&web->client, web->loop, http_server_port(web->env.http));
}

static inline void web_close(struct web *web)
{
    http_client_close(&web->client);
    if (web->protocol->fini)
        web->protocol->fini(&web->env);
    streams_free(&web->env.streams);
    assert_int_equal(web->memory.open, 0);
    http_server_free(&web->env.http);
    loop_fixture_settle(web->loop);
    memory_history_fini(&web->memory);
    loop_fixture_free(&web->loop);
}

static inline void web_play(struct web *web, int64_t duration_ms)
{
    struct hand *hand = hand_find("main");
    assert_non_null(hand);
    hand_play(web->loop, hand, duration_ms);
}

// Until the server has seen what was sent and nothing is left to do now.
static inline void web_settle(struct web *web)
{
    for (int i = 0; i < 20; i++) {
        loop_turn(web->loop, false); // bytes on loopback are there at once
        loop_fixture_settle(web->loop);
    }
}

static inline int web_get(struct web *web, const char *path)
{
    return http_client_get(&web->client, path, "");
}

// Asks, and leaves an answer unread, so that closing the client resets the connection: a client
// that merely ends its own direction may still listen.
static inline void web_ask_without_reading(struct web *web, struct http_client *client,
                                           const char *path)
{
    conn_pause(client->end.conn, true);
    http_client_ask(client, "GET", "/none", "");
    http_client_ask(client, "GET", path, "");
    web_settle(web);
}

static inline void web_client_again(struct web *web)
{
    http_client_close(&web->client);
    http_client_open(&web->client, web->loop, http_server_port(web->env.http));
    web_settle(web);
}

// Gives the stream a past: `count` segments of two seconds from PAST_US on; `hole`: index of the
// one that begins ten seconds late, 0 for none.
static inline void web_record(struct web *web, unsigned count, unsigned hole)
{
    struct tracks *tracks = hand_tracks_new(0, true);
    tracks->generation = 5;
    int64_t at_us = PAST_US;
    for (unsigned i = 0; i < count; i++) {
        if (hole && i == hole)
            at_us += 10 * US_PER_S;
        struct segment *segment = hand_segment(tracks, (uint64_t)PAST_S + i, at_us, 50, 300);
        at_us += 2 * US_PER_S;
        memory_history_add(&web->memory, &segment);
    }
    tracks_unref(&tracks);
    struct history *history = &web->memory.history;
    stream_set_history(web->stream, &history);
}

static inline bool body_is(const struct web *web, const struct chain *bytes)
{
    struct buf *whole = chain_join(bytes);
    bool same = whole->length == web->client.body_length &&
                memcmp(whole->data, web->client.body, whole->length) == 0;
    buf_unref(&whole);
    return same;
}

#endif
