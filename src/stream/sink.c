// SPDX-License-Identifier: MIT
#include "stream/sink.h"

#include "base/ensure.h"
#include "stream_priv.h"

void sink_open(struct sink *sink, struct stream *stream, const struct sink_events *events,
               void *arg)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    *sink = (struct sink){.stream = stream, .events = events, .arg = arg, .state = SINK_WAIT_KEY};
    list_append(&stream->sinks, &sink->node);
    if (!stream->live)
        return; // the ring is not there yet: its first key frame will be the beginning
    sink->cursor = ring_end(&stream->live->ring);
    uint64_t key;
    if (stream->state != STREAM_LOST && ring_last_key(&stream->live->ring, &key)) {
        sink->cursor = key;
        sink->state = SINK_HUNGRY;
        stream_news(stream);
    }
}

void sink_close(struct sink *sink)
{
    if (!sink->stream)
        return;
    list_remove(&sink->stream->sinks, &sink->node);
    sink->stream = NULL;
    sink->state = SINK_CLOSED;
}

int sink_next(struct sink *sink, struct frame **frame)
{
    *frame = NULL;
    struct live *live = sink->stream ? sink->stream->live : NULL;
    if (!live)
        return ERR_AGAIN;
    struct ring *ring = &live->ring;
    uint64_t key;
    if (sink->state == SINK_WAIT_KEY) {
        if (!ring_last_key(ring, &key) || key < sink->cursor)
            return ERR_AGAIN;
        sink->cursor = key;
        sink->state = SINK_HUNGRY;
    }
    if (sink->cursor < ring->base) {
        uint64_t from = sink->cursor;
        if (!ring_last_key(ring, &key)) {
            sink->state = SINK_WAIT_KEY;
            sink->cursor = ring_end(ring);
            return ERR_AGAIN;
        }
        sink->cursor = key;
        sink->skipped += key - from;
        sink->jumped = true;
    }
    *frame = ring_get(ring, sink->cursor);
    if (!*frame)
        return ERR_AGAIN;
    sink->cursor++;
    sink->frames++;
    return 0;
}

void sink_busy(struct sink *sink)
{
    if (sink->state == SINK_HUNGRY)
        sink->state = SINK_BUSY;
}

void sink_ready(struct sink *sink)
{
    if (!sink->stream)
        return;
    if (sink->state == SINK_BUSY)
        sink->state = SINK_HUNGRY;
    stream_news(sink->stream);
}

struct tracks *sink_tracks(const struct sink *sink, uint32_t generation)
{
    struct live *live = sink->stream ? sink->stream->live : NULL;
    for (unsigned i = 0; live && i < TRACKS_KEPT && live->tracks[i]; i++)
        if (live->tracks[i]->generation == generation)
            return live->tracks[i];
    return NULL;
}

void sinks_visit(struct stream *stream)
{
    LIST_FOREACH(&stream->sinks, it, after)
    {
        struct sink *sink = LIST_OWNER(it, struct sink, node);
        if (sink->state == SINK_HUNGRY || sink->state == SINK_WAIT_KEY)
            sink->events->on_news(sink->arg);
    }
}

void sinks_lost(struct stream *stream)
{
    LIST_FOREACH(&stream->sinks, it, after)
    {
        struct sink *sink = LIST_OWNER(it, struct sink, node);
        if (sink->events->on_lost)
            sink->events->on_lost(sink->arg);
    }
}

void sinks_end(struct stream *stream, enum reason reason)
{
    struct list_node *node;
    while ((node = list_take_first(&stream->sinks)) != NULL) {
        struct sink *sink = LIST_OWNER(node, struct sink, node);
        sink->stream = NULL;
        sink->state = SINK_CLOSED;
        sink->events->on_end(sink->arg, reason);
    }
}
