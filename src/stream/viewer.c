// SPDX-License-Identifier: MIT
#include "stream/viewer.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "stream_priv.h"

#define VIEWER_MAGIC 0x56494557u
// A player of segments asks at least once in a target duration; thirty seconds cover a stalled one.
#define TOUCHED_LIFE_US (30 * 1000000LL)
// Viewers counted one by one; past that only their effect (the stream stays alive) is kept.
#define TOUCHED_MAX 100000
#define TOUCHED_KEY_MAX 256

struct viewer {
    uint32_t magic;
    struct stream *stream; // NULL when the stream went first
    struct list_node node;
    enum viewer_kind kind;
    const char *protocol;
    char *client;
};

struct touched {
    int64_t last_us;
    enum viewer_kind kind;
};

static void arrived(struct stream *stream, enum viewer_kind kind)
{
    if (kind == VIEWER_LIVE) {
        stream->no_viewers_since_us = 0;
        stream_start(stream);
    }
    stream_activate(stream); // the tick lets touched ones expire
}

struct viewer *viewer_open(struct stream *stream, enum viewer_kind kind, const char *protocol,
                           const char *client)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    struct viewer *viewer = mem_alloc(sizeof *viewer);
    viewer->magic = VIEWER_MAGIC;
    viewer->stream = stream;
    viewer->kind = kind;
    viewer->protocol = protocol;
    viewer->client = mem_strdup(client);
    list_append(&stream->viewers, &viewer->node);
    stream->live_viewers += kind == VIEWER_LIVE;
    arrived(stream, kind);
    return viewer;
}

void viewer_count_bytes(struct viewer *viewer, uint64_t bytes)
{
    if (viewer->stream)
        viewer->stream->stats.viewer_bytes += bytes;
}

void viewer_close(struct viewer **viewer)
{
    struct viewer *gone = *viewer;
    *viewer = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, VIEWER_MAGIC);
    if (gone->stream) {
        list_remove(&gone->stream->viewers, &gone->node);
        gone->stream->live_viewers -= gone->kind == VIEWER_LIVE;
    }
    mem_free(gone->client);
    mem_free(gone);
}

void viewer_gone(struct viewer **viewer, enum reason reason)
{
    const struct viewer *gone = *viewer;
    if (gone->stream && reason == REASON_SLOW_RECEIVER) {
        gone->stream->stats.viewers_slow++;
        log_info(gone->stream->log_name, "viewer=%s %s closed reason=%s", gone->client,
                 gone->protocol, reason_name(reason));
    }
    viewer_close(viewer);
}

// What tells viewers of short requests apart; what does not fit is cut. Without printf: each
// playlist and segment needs one.
static void touched_key(enum viewer_kind kind, const char *const part[3], char key[TOUCHED_KEY_MAX])
{
    char *at = key, *end = key + TOUCHED_KEY_MAX - 1;
    *at++ = (char)('0' + kind);
    for (unsigned i = 0; i < 3 && at < end; i++) {
        *at++ = '|';
        size_t length = strnlen(part[i], (size_t)(end - at));
        memcpy(at, part[i], length);
        at += length;
    }
    *at = 0;
}

void viewer_touch(struct stream *stream, enum viewer_kind kind, const char *protocol,
                  const char *client, const char *agent)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    char key[TOUCHED_KEY_MAX];
    touched_key(kind, (const char *const[]){protocol, client, agent}, key);
    if (!stream->touched)
        stream->touched = map_new();
    struct touched *touched = map_get(stream->touched, key);
    if (!touched && map_count(stream->touched) < TOUCHED_MAX) {
        touched = mem_alloc(sizeof *touched);
        touched->kind = kind;
        stream->live_viewers += kind == VIEWER_LIVE;
        (void)map_set(stream->touched, key, touched);
    }
    if (touched)
        touched->last_us = now_us();
    arrived(stream, kind);
}

unsigned viewers_count(const struct stream *stream)
{
    return (unsigned)(stream->viewers.count + (stream->touched ? map_count(stream->touched) : 0));
}

void viewers_tick(struct stream *stream, int64_t mono_us)
{
    size_t cursor = 0;
    const char *key;
    void *value;
    while (stream->touched && map_next(stream->touched, &cursor, &key, &value)) {
        struct touched *touched = value;
        if (mono_us - touched->last_us > TOUCHED_LIFE_US) {
            stream->live_viewers -= touched->kind == VIEWER_LIVE;
            (void)map_remove(stream->touched, key);
            mem_free(touched);
        }
    }
    if (stream->touched && map_count(stream->touched) == 0)
        map_free(&stream->touched);
    if (stream->live_viewers > 0)
        stream->no_viewers_since_us = 0;
    else if (!stream->no_viewers_since_us)
        stream->no_viewers_since_us = mono_us;
}

void viewers_free(struct stream *stream)
{
    struct list_node *node;
    while ((node = list_take_first(&stream->viewers)) != NULL)
        LIST_OWNER(node, struct viewer, node)->stream = NULL;
    size_t cursor = 0;
    const char *key;
    void *value;
    while (stream->touched && map_next(stream->touched, &cursor, &key, &value))
        mem_free(value);
    map_free(&stream->touched);
}
