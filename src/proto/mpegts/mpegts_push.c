// SPDX-License-Identifier: MIT
// Live MPEG-TS over HTTP: each frame is muxed once into a ring of bytes, whoever watches. The muxer
// exists while there are viewers.
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/ts_mux.h"
#include "http/http.h"
#include "io/conn.h"
#include "mpegts_priv.h"
#include "stream/protocol.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"
#include "stream/wire_ring.h"

#define WAIT_US (10 * US_PER_S)

struct push {
    struct stream *stream;
    struct sink sink;
    struct ts_mux *mux; // NULL before the first frame that can go into TS
    struct wire_ring *ring;
    uint32_t generation; // of the tracks seen last
    bool carried;        // they can go into TS
    unsigned leading;    // the track whose frames are flushed and whose key frames are marked
    struct writer writer;
};

struct waiting {
    const struct protocol_env *env;
    struct http_request *request;
    struct stream_waiter waiter;
    struct viewer *viewer;
    bool low_delay;
};

static void push_free(struct push *push, enum reason reason)
{
    stream_set_slot(push->stream, STREAM_SLOT_MPEGTS, NULL);
    sink_close(&push->sink);
    wire_ring_free(&push->ring, reason);
    ts_mux_free(&push->mux);
    writer_fini(&push->writer);
    mem_free(push);
}

static int make_mux(struct ts_mux **mux, const struct stream *stream, struct tracks *tracks)
{
    const struct stream_conf *conf = stream_conf(stream);
    return ts_mux_new(mux, tracks, conf->title ? conf->title : conf->name);
}

// The leading track of those that TS carries.
static unsigned carried_leading(const struct ts_mux *mux, const struct tracks *tracks)
{
    unsigned leading = tracks_leading(tracks);
    for (unsigned i = 0; i < tracks->count && !ts_mux_carries(mux, leading); i++)
        leading = i;
    return leading;
}

// False when frames of this generation cannot go out.
static bool follow_tracks(struct push *push, uint32_t generation)
{
    if (push->generation == generation)
        return push->carried;
    push->generation = generation;
    struct tracks *tracks = sink_tracks(&push->sink, generation);
    int err = ERR_NOT_FOUND;
    if (tracks)
        err = push->mux ? ts_mux_set_tracks(push->mux, tracks)
                        : make_mux(&push->mux, push->stream, tracks);
    push->carried = err == 0;
    if (push->carried)
        push->leading = carried_leading(push->mux, tracks);
    else
        log_warn(stream_log_name(push->stream), "mpegts: these tracks cannot be carried");
    return push->carried;
}

static void on_news(void *arg)
{
    struct push *push = arg;
    struct frame *frame;
    bool video = false;
    while (sink_next(&push->sink, &frame) == 0) {
        if (!follow_tracks(push, frame->generation) || !ts_mux_carries(push->mux, frame->track))
            continue;
        bool leading = frame->track == push->leading;
        if (leading && frame_is_key(frame))
            wire_ring_mark_key(push->ring);
        ts_mux_frame(push->mux, frame, &push->writer);
        if (push->writer.buf) {
            wire_ring_write(push->ring, push->writer.buf->data, push->writer.buf->length);
            push->writer.buf->length = 0;
        }
        video |= leading;
    }
    push->sink.jumped = false;
    // One send per viewer and picture: audio rides along with the next one.
    if (video)
        wire_ring_flush(push->ring);
}

static void on_end(void *arg, enum reason reason)
{
    push_free(arg, reason);
}

static const struct sink_events sink_events = {.on_news = on_news, .on_end = on_end};

static void on_empty(void *arg)
{
    push_free(arg, REASON_NO_CLIENTS);
}

static struct push *push_of(struct stream *stream)
{
    struct push *push = stream_slot(stream, STREAM_SLOT_MPEGTS);
    if (push)
        return push;
    push = mem_alloc(sizeof *push);
    push->stream = stream;
    push->ring = wire_ring_new(stream_loop(stream), on_empty, push);
    stream_set_slot(stream, STREAM_SLOT_MPEGTS, push);
    sink_open(&push->sink, stream, &sink_events, push);
    return push;
}

static void on_viewer_gone(void *arg, uint64_t bytes, enum reason reason)
{
    struct viewer *viewer = arg;
    viewer_count_bytes(viewer, bytes);
    viewer_gone(&viewer, reason);
}

static void on_gone(void *arg)
{
    struct waiting *waiting = arg;
    stream_wait_cancel(&waiting->waiter);
    viewer_close(&waiting->viewer);
    mem_free(waiting);
}

static void on_ready(void *arg, enum reason reason)
{
    struct waiting *waiting = arg;
    struct http_request *request = waiting->request;
    struct stream *stream = streams_get(waiting->env->streams, http_prefix(request));
    struct ts_mux *trial = NULL;
    http_on_gone(request, NULL, NULL);
    if (stream && reason == REASON_NONE && make_mux(&trial, stream, stream_tracks(stream)) != 0) {
        viewer_close(&waiting->viewer);
        http_respond_error(request, 404, "none of its tracks can be carried in MPEG-TS");
    } else if (!stream || reason != REASON_NONE) {
        viewer_close(&waiting->viewer);
        http_respond_error(request, reason == REASON_NOT_FOUND ? 404 : 503, reason_text(reason));
    } else {
        struct conn *conn = http_take_over(request, "video/mp2t");
        if (conn)
            wire_ring_add(push_of(stream)->ring, conn, waiting->low_delay, on_viewer_gone,
                          waiting->viewer);
        else
            viewer_close(&waiting->viewer); // HEAD
    }
    ts_mux_free(&trial);
    mem_free(waiting);
}

void mpegts_handle_live(void *arg, struct http_request *request)
{
    const struct protocol_env *env = arg;
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    char value[16];
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    if (stream_conf(stream)->disabled) {
        http_respond_error(request, 503, "the stream is disabled");
        return;
    }
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    waiting->env = env;
    waiting->request = request;
    waiting->low_delay = http_query_get(request, "low_delay", value, sizeof value) &&
                         strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
    if (stream_wait(stream, STREAM_NEED_TRACKS, WAIT_US, &waiting->waiter, on_ready, waiting) !=
        0) {
        mem_free(waiting);
        http_respond_error(request, 503, "too many requests wait for this stream");
        return;
    }
    waiting->viewer = viewer_open(stream, VIEWER_LIVE, "mpegts", http_client(request));
    http_on_gone(request, on_gone, waiting);
}
