// SPDX-License-Identifier: MIT
// A stream in virtual time with an input that the test plays by hand: scheme "test", one engine per
// pull, remembered by its address.
#ifndef TESTS_STREAM_FIXTURE_H
#define TESTS_STREAM_FIXTURE_H

#include "base/clock.h"
#include "loop_fixture.h"
#include "media/timebase.h"
#include "stream/protocol.h"
#include "stream/source.h"
#include "stream/stream.h"

enum { FIXTURE_PULLS = 64 };

struct fixture {
    struct loop *loop;
    struct protocol_env env;
    struct source *source[FIXTURE_PULLS]; // by pull; NULL once stopped
    char path[FIXTURE_PULLS][32];         // what was pulled
    unsigned pulls, stops;
    int64_t ticks[FIXTURE_PULLS]; // next video dts
    unsigned pictures[FIXTURE_PULLS];
};

static struct fixture fixture;

static void fixture_stop(struct source *source)
{
    fixture.stops++;
    for (unsigned i = 0; i < fixture.pulls; i++)
        if (fixture.source[i] == source)
            fixture.source[i] = NULL;
}

static int fixture_pull(const struct protocol_env *env, struct source *source)
{
    static const struct source_ops ops = {.stop = fixture_stop};
    (void)env;
    unsigned at = fixture.pulls++;
    fixture.source[at] = source;
    snprintf(fixture.path[at], sizeof fixture.path[at], "%s",
             source_input(source)->url + strlen("test://"));
    source_set_engine(source, &ops, &fixture);
    return 0;
}

static const struct protocol fixture_protocol = {
    .name = "test", .schemes = {"test"}, .pull = fixture_pull};
static const struct protocol *const fixture_table[] = {&fixture_protocol, NULL};

static void fixture_init(void)
{
    memset(&fixture, 0, sizeof fixture);
    fixture.loop = loop_fixture_new_virtual();
    fixture.env.loop = fixture.loop;
    fixture.env.cluster_key = "";
    protocols_install(fixture_table);
    fixture.env.streams = streams_new(fixture.loop, &fixture.env);
}

static void fixture_fini(void)
{
    streams_free(&fixture.env.streams);
    loop_fixture_settle(fixture.loop);
    loop_fixture_free(&fixture.loop);
}

static struct stream_conf fixture_conf(const char *name, unsigned inputs)
{
    struct stream_conf conf;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "%s", name);
    for (unsigned i = 0; i < inputs; i++) {
        char url[32];
        snprintf(url, sizeof url, "test://%c", 'a' + i);
        (void)stream_conf_add_input(&conf, url);
    }
    return conf;
}

static struct stream *fixture_stream(struct stream_conf *conf)
{
    struct stream *stream;
    assert_int_equal(stream_create(fixture.env.streams, conf, &stream), 0);
    stream_conf_fini(conf);
    loop_fixture_settle(fixture.loop);
    return stream;
}

static inline void fixture_tracks(unsigned pull)
{
    struct track track = {.codec = CODEC_H264,
                          .kind = MEDIA_VIDEO,
                          .timescale = 90000,
                          .language = "und",
                          .width = 640,
                          .height = 360 + pull % 2};
    struct tracks *tracks = tracks_new(&track, 1);
    source_tracks(fixture.source[pull], &tracks);
}

static inline void fixture_frame(unsigned pull, bool key)
{
    struct buf *buf = buf_new(100);
    buf->length = 100;
    struct frame *frame = frame_new(0, &buf);
    frame->dts = fixture.ticks[pull];
    frame->flags = key ? FRAME_KEY : 0;
    fixture.ticks[pull] += 3600;
    source_push_frame(fixture.source[pull], &frame);
}

// Pictures for so many milliseconds of virtual time, a key frame each second.
static inline void fixture_play(unsigned pull, int64_t duration_ms)
{
    for (int64_t at = 0; at < duration_ms && fixture.source[pull]; at += 40) {
        fixture_frame(pull, fixture.pictures[pull]++ % 25 == 0);
        loop_fixture_run(fixture.loop, 40000);
    }
}

#endif
