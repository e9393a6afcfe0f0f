// SPDX-License-Identifier: MIT
// In place of the stream, for tests of input engines: a source that writes down what is called. The
// test program includes this once; the linker then leaves the stream's own source out.
#ifndef TESTS_SUPPORT_SOURCE_STUB_H
#define TESTS_SUPPORT_SOURCE_STUB_H

#include "base/mem.h"
#include "base/text.h"
#include "media/timebase.h"
#include "stream/protocol.h"
#include "stream/source.h"

enum { STUB_FRAMES_MAX = 4096 };

struct stub_frame {
    unsigned track, list; // list: how many lists of tracks had been given before
    unsigned flags;
    int64_t dts, dts_us, pts_us, arrived_us;
    uint32_t duration, length;
};

struct source {
    struct loop *loop;
    struct input_conf input;
    const struct source_ops *ops;
    void *engine;
    struct tracks *tracks; // the newest list
    unsigned lists;
    struct stub_frame frame[STUB_FRAMES_MAX]; // the newest at frame[(frames - 1) % STUB_FRAMES_MAX]
    unsigned frames;
    uint64_t bytes;
    unsigned errors;
    bool lost;
    enum reason reason;
    char detail[128];
    void (*on_frame)(struct source *source, const struct frame *frame); // may be NULL
};

void source_set_engine(struct source *source, const struct source_ops *ops, void *engine)
{
    source->ops = ops;
    source->engine = engine;
}

void *source_engine(const struct source *source)
{
    return source->engine;
}
const struct input_conf *source_input(const struct source *source)
{
    return &source->input;
}
const char *source_name(const struct source *source)
{
    return source ? "stub" : "";
}
const char *source_stream_name(const struct source *source)
{
    return source ? "stub" : "";
}
struct loop *source_loop(const struct source *source)
{
    return source->loop;
}
void source_count_bytes(struct source *source, size_t bytes)
{
    source->bytes += bytes;
}
void source_count_error(struct source *source)
{
    source->errors++;
}

void source_tracks(struct source *source, struct tracks **tracks)
{
    tracks_unref(&source->tracks);
    source->tracks = *tracks;
    *tracks = NULL;
    source->lists++;
}

void source_push_frame(struct source *source, struct frame **frame)
{
    const struct frame *given = *frame;
    uint32_t timescale = source->tracks->track[given->track].timescale;
    source->frame[source->frames++ % STUB_FRAMES_MAX] = (struct stub_frame){
        .track = given->track,
        .list = source->lists,
        .flags = given->flags,
        .dts = given->dts,
        .dts_us = ticks_to_us(given->dts, timescale),
        .pts_us = ticks_to_us(given->dts + given->cts, timescale),
        .arrived_us = given->arrived_us,
        .duration = given->duration,
        .length = given->length,
    };
    if (source->on_frame)
        source->on_frame(source, given);
    frame_unref(frame);
}

void source_lost(struct source *source, enum reason reason, const char *detail)
{
    if (source->lost)
        return;
    source->lost = true;
    source->reason = reason;
    text_copy(source->detail, sizeof(source->detail), detail ? detail : "");
}

// url is copied. Options are added as pairs: stub_option(source, "rtp", "udp").
static inline struct source *stub_new(struct loop *loop, const char *url)
{
    struct source *source = mem_alloc(sizeof(*source));
    source->loop = loop;
    source->input.url = mem_strdup(url);
    return source;
}

static inline void stub_option(struct source *source, const char *key, const char *value)
{
    source->input.option = mem_resize(source->input.option, (source->input.option_count + 1) *
                                                                sizeof(struct input_option));
    struct input_option *option = &source->input.option[source->input.option_count++];
    option->key = mem_strdup(key);
    option->value = mem_strdup(value);
}

static inline int stub_pull(struct source *source, const struct protocol *protocol)
{
    const struct protocol_env env = {.loop = source->loop};
    return protocol->pull(&env, source);
}

// What the stream does after a loss, or when it is closed.
static inline void stub_stop(struct source *source)
{
    if (source->ops)
        source->ops->stop(source);
    source->ops = NULL;
}

static inline void stub_free(struct source **source)
{
    struct source *gone = *source;
    *source = NULL;
    stub_stop(gone);
    tracks_unref(&gone->tracks);
    mem_free(gone->input.url);
    for (unsigned i = 0; i < gone->input.option_count; i++) {
        mem_free(gone->input.option[i].key);
        mem_free(gone->input.option[i].value);
    }
    mem_free(gone->input.option);
    mem_free(gone);
}

#endif
