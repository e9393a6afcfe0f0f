// SPDX-License-Identifier: MIT
// The live subscription, serving end: the window when it begins, then each segment the moment it is
// closed, whole. A receiver too slow for that gets the newest ones: what waits is dropped first.
#include "base/mem.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4f_priv.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"

struct publication {
    struct channel *channel;
    struct stream *stream;
    struct viewer *viewer;
    struct sink sink; // tells the end of the stream
    struct segment_listener listener;
    uint32_t generation;
    bool window_sent;
};

static void send_one(struct publication *publication, struct segment *segment)
{
    struct segment_info info = segment->info;
    const struct chain *body = cmaf_segment(segment);
    info.generation = segment->tracks->generation;
    info.bytes = body->bytes;
    m4f_send_tracks(publication->channel, segment->tracks, &publication->generation);
    m4f_send_body(publication->channel, &info, body);
    viewer_count_bytes(publication->viewer, body->bytes);
}

// The window's descriptions, and its newest segment whole, so that viewers begin at once.
static void send_window(struct publication *publication)
{
    struct segment_info infos[M4F_LIST_PIECE];
    size_t count, used = 0;
    const struct window_entry *window = stream_window(publication->stream, &count);
    struct segment *newest = count ? window[count - 1].segment : NULL;
    if (!newest)
        return;
    publication->window_sent = true;
    for (size_t i = 0; i < count && used < M4F_LIST_PIECE; i++)
        infos[used++] = window[i].info;
    m4f_send_tracks(publication->channel, newest->tracks, &publication->generation);
    struct chain message = {0};
    m4f_infos_write(infos, used, &message);
    channel_send(publication->channel, &message);
    send_one(publication, newest);
}

static void on_segment(void *arg, struct segment *segment)
{
    struct publication *publication = arg;
    if (!publication->window_sent) {
        send_window(publication); // this one is in it already
        return;
    }
    if (!channel_full(publication->channel))
        send_one(publication, segment);
}

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    (void)arg, (void)tracks, (void)info, (void)part, (void)frames, (void)count;
}

static void on_lost(void *arg, enum reason reason) { (void)arg, (void)reason; }

static void let_go(struct publication *publication)
{
    stream_unlisten_segments(publication->stream, &publication->listener);
    sink_close(&publication->sink);
    viewer_close(&publication->viewer);
    mem_free(publication);
}

static void on_news(void *arg)
{
    struct publication *publication = arg;
    if (!publication->window_sent)
        send_window(publication);
    struct frame *frame;
    while (sink_next(&publication->sink, &frame) == 0)
        ; // segments are what is sent; the cursor only keeps up
}

static void on_end(void *arg, enum reason reason)
{
    struct publication *publication = arg;
    channel_close(&publication->channel, reason);
    let_go(publication);
}

static const struct sink_events sink_events = {.on_news = on_news, .on_end = on_end};

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    (void)arg, (void)buf, (void)offset, (void)length; // a receiver has nothing to say
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    let_go(arg);
}

static const struct channel_events channel_events = {.on_message = on_message,
                                                     .on_closed = on_closed};

enum reason m4f_publish(const struct protocol_env *env, struct link *link, struct channel *channel,
                        const char *name, const struct channel_events **events, void **arg)
{
    struct stream *stream = streams_get(env->streams, name);
    if (stream_conf(stream)->disabled)
        return REASON_NOT_FOUND;
    struct publication *publication = mem_alloc(sizeof *publication);
    publication->channel = channel;
    publication->stream = stream;
    publication->viewer = viewer_open(stream, VIEWER_LIVE, "m4f", link_name(link));
    publication->listener = (struct segment_listener){
        .on_part = on_part, .on_segment = on_segment, .on_lost = on_lost, .arg = publication};
    stream_listen_segments(stream, &publication->listener);
    sink_open(&publication->sink, stream, &sink_events, publication);
    *events = &channel_events;
    *arg = publication;
    return REASON_NONE;
}
