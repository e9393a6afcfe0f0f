// SPDX-License-Identifier: MIT
// The sending end: one subscription is one sink, however many viewers the receiver serves. It is
// visited at the end of the turn in which frames came, and sends them in that turn. When the
// channel is full it waits; when the ring has passed it, it jumps to the newest key frame and says
// so.
#include <string.h>

#include "base/mem.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4s_priv.h"
#include "m4s_wire.h"
#include "media/timebase.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"

struct subscription {
    struct channel *channel;
    struct stream *stream; // borrowed: sink.stream until on_end
    struct sink sink;
    struct viewer *viewer;
    struct m4s_clock clock;
    uint32_t generation; // last told; 0 none
    unsigned listed;     // of the window, as last told
    bool started;        // state was told: frames are to be expected
};

static void let_go(struct subscription *sub)
{
    sink_close(&sub->sink);
    viewer_close(&sub->viewer);
    mem_free(sub);
}

static void send_window(struct subscription *sub)
{
    struct segment_info infos[M4S_WINDOW_MAX];
    size_t count, used = 0;
    const struct window_entry *window = stream_window(sub->stream, &count);
    for (size_t i = count > M4S_WINDOW_MAX ? count - M4S_WINDOW_MAX : 0; i < count; i++)
        if (window[i].info.generation == sub->generation)
            infos[used++] = window[i].info;
    struct chain message = {0};
    sub->listed = stream_window_listed(sub->stream);
    m4s_window_write(infos, used, sub->listed, &message);
    channel_send(sub->channel, &message);
}

// What the segment of a frame is called: the open one, or one of the window.
static bool find_segment(struct subscription *sub, uint64_t number, struct segment_info *info)
{
    if (stream_open_segment(sub->stream, info) && info->number == number)
        return true;
    size_t count;
    const struct window_entry *window = stream_window(sub->stream, &count);
    for (size_t i = count; i-- > 0;)
        if (window[i].info.number == number) {
            *info = window[i].info;
            return true;
        }
    return false;
}

// Names the segment of this frame. False when that is not known: the frame is in the middle of one
// that is neither open nor in the window any more, and the receiver could not say where it belongs.
static bool send_segment(struct subscription *sub, const struct frame *frame)
{
    struct segment_info info = {0};
    const struct tracks *tracks = sink_tracks(&sub->sink, frame->generation);
    bool whole = frame->flags & FRAME_SEGMENT;
    if (!find_segment(sub, frame->segment_number, &info)) {
        if (!whole)
            return false;
        bool key = frame_is_key(frame) && frame->track == tracks_leading(tracks);
        info.number = frame->segment_number;
        info.utc_start_us = ticks_to_us(frame->dts, tracks->track[frame->track].timescale);
        info.flags = (uint8_t)((key ? SEGMENT_KEY : 0) |
                               (frame->flags & FRAME_SEGMENT_GAP ? SEGMENT_DISCONTINUITY : 0));
    }
    // Segments may have been passed over: the window tells which.
    if (!sub->started || sub->sink.jumped || sub->listed != stream_window_listed(sub->stream))
        send_window(sub);
    struct chain message = {0};
    m4s_segment_write(&info, whole, sub->started && sub->sink.jumped, &message);
    channel_send(sub->channel, &message);
    sub->sink.jumped = false;
    return true;
}

static bool send_tracks(struct subscription *sub, uint32_t generation)
{
    struct tracks *tracks = sink_tracks(&sub->sink, generation);
    if (!tracks)
        return false;
    struct buf *init = cmaf_init_write(tracks);
    struct chain message = {0};
    m4s_tracks_write(generation, init, &message);
    channel_send(sub->channel, &message);
    buf_unref(&init);
    memset(&sub->clock, 0, sizeof sub->clock);
    sub->generation = generation;
    return true;
}

static void send_frame(struct subscription *sub, struct frame *frame)
{
    if (frame->generation != sub->generation && !send_tracks(sub, frame->generation)) {
        sub->sink.jumped = true; // its track list is forgotten: nobody could read it
        return;
    }
    struct chain message = {0};
    if ((frame->flags & FRAME_SEGMENT || !sub->started || sub->sink.jumped) &&
        !send_segment(sub, frame)) {
        sub->sink.jumped = true;
        return;
    }
    if (!sub->started) {
        sub->started = true;
        m4s_state_write(true, &message);
        channel_send(sub->channel, &message);
    }
    m4s_frame_write(&sub->clock, frame, &message);
    channel_send(sub->channel, &message);
    viewer_count_bytes(sub->viewer, frame->length);
}

static void on_news(void *arg)
{
    struct subscription *sub = arg;
    struct frame *frame;
    while (!channel_full(sub->channel) && sink_next(&sub->sink, &frame) == 0)
        send_frame(sub, frame);
    if (channel_full(sub->channel))
        sink_busy(&sub->sink);
}

static void on_end(void *arg, enum reason reason)
{
    struct subscription *sub = arg;
    channel_close(&sub->channel, reason);
    let_go(sub);
}

// The receiver is told, so that it can use another input.
static void on_lost(void *arg)
{
    struct subscription *sub = arg;
    struct chain message = {0};
    if (!sub->started)
        return;
    sub->started = false;
    m4s_state_write(false, &message);
    channel_send(sub->channel, &message);
}

static const struct sink_events sink_events = {
    .on_news = on_news, .on_end = on_end, .on_lost = on_lost};

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    (void)arg, (void)buf, (void)offset, (void)length; // a receiver has nothing to say yet
}

static void on_room(void *arg)
{
    struct subscription *sub = arg;
    sink_ready(&sub->sink);
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    let_go(arg);
}

static const struct channel_events channel_events = {
    .on_message = on_message, .on_room = on_room, .on_closed = on_closed};

static enum reason serve(void *hub_arg, struct link *link, struct channel *channel,
                         struct bytes open, const struct channel_events **events, void **arg)
{
    const struct protocol_env *env = hub_arg;
    char name[STREAM_NAME_MAX];
    if (m4s_subscribe_parse(open, name, sizeof name) != 0)
        return REASON_PROTOCOL;
    struct stream *stream = streams_get(env->streams, name);
    if (!stream || stream_conf(stream)->disabled)
        return REASON_NOT_FOUND;
    struct subscription *sub = mem_alloc(sizeof *sub);
    sub->channel = channel;
    sub->stream = stream;
    sub->viewer = viewer_open(stream, VIEWER_LIVE, "m4s", link_name(link));
    sink_open(&sub->sink, stream, &sink_events, sub);
    *events = &channel_events;
    *arg = sub;
    return REASON_NONE;
}

int m4s_serve_init(const struct protocol_env *env)
{
    link_hub_serve(env->links, LINK_M4S, serve, (void *)env);
    return 0;
}

void m4s_serve_fini(const struct protocol_env *env)
{
    link_hub_serve(env->links, LINK_M4S, NULL, NULL);
}
