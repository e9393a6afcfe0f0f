// SPDX-License-Identifier: MIT
// The live subscription, serving end: the window when it begins and its newest segment whole, so
// that viewers begin at once; then each segment the moment it is closed. A receiver too slow for
// that gets the newest one once it has taken the one before, and the window, which tells what it
// missed. The window comes again, too, when the playlist here lists another number.
#include "base/mem.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4f_priv.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"

struct publication {
    struct stream *stream;
    struct viewer *viewer;
    struct sink sink; // only tells the end of the stream
    struct segment_listener listener;
    struct channel *channel;
    struct m4f_sender sender;
    struct segment *next; // closed and not begun; one reference or NULL
    unsigned listed;      // of the window, as last told
    bool window_due;      // to be sent before the next one
};

static void send_window(struct publication *publication, uint32_t generation)
{
    struct segment_info infos[M4F_LIST_PIECE];
    size_t count, used = 0;
    const struct window_entry *window = stream_window(publication->stream, &count);
    for (size_t i = 0; i < count && used < M4F_LIST_PIECE; i++)
        if (window[i].info.generation == generation)
            infos[used++] = window[i].info;
    struct chain message = {0};
    publication->listed = stream_window_listed(publication->stream);
    m4f_infos_write(infos, used, publication->listed, &message);
    channel_send(publication->channel, &message);
}

static void pump(struct publication *publication)
{
    while (m4f_sender_pump(&publication->sender) && publication->next) {
        struct segment *segment = publication->next;
        publication->next = NULL;
        viewer_count_bytes(publication->viewer, cmaf_segment(segment)->bytes);
        m4f_sender_segment(&publication->sender, segment);
        if (publication->window_due)
            send_window(publication, segment->tracks->generation);
        publication->window_due = false;
        segment_unref(&segment);
    }
}

static void on_segment(void *arg, struct segment *segment)
{
    struct publication *publication = arg;
    if (publication->next || publication->listed != stream_window_listed(publication->stream))
        publication->window_due = true; // one is passed over, or others are listed
    segment_unref(&publication->next);
    publication->next = segment_ref(segment);
    pump(publication);
}

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    (void)arg, (void)tracks, (void)info, (void)part, (void)frames, (void)count;
}

static void on_lost(void *arg, enum reason reason)
{
    (void)arg, (void)reason;
}

static void let_go(struct publication *publication)
{
    stream_unlisten_segments(publication->stream, &publication->listener);
    sink_close(&publication->sink);
    viewer_close(&publication->viewer);
    m4f_sender_fini(&publication->sender);
    segment_unref(&publication->next);
    mem_free(publication);
}

static void on_news(void *arg)
{
    struct publication *publication = arg;
    struct frame *frame;
    if (sink_next(&publication->sink, &frame) == 0)
        sink_busy(&publication->sink); // and is not visited any more
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

static void on_room(void *arg)
{
    pump(arg);
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    let_go(arg);
}

static const struct channel_events channel_events = {
    .on_message = on_message, .on_room = on_room, .on_closed = on_closed};

static void begin(struct publication *publication)
{
    size_t count;
    const struct window_entry *window = stream_window(publication->stream, &count);
    if (count && window[count - 1].segment)
        publication->next = segment_ref(window[count - 1].segment);
    publication->window_due = true;
    pump(publication);
}

enum reason m4f_publish(const struct protocol_env *env, struct link *link, struct channel *channel,
                        const char *name, const struct channel_events **events, void **arg)
{
    struct stream *stream = streams_get(env->streams, name);
    if (stream_conf(stream)->disabled)
        return REASON_NOT_FOUND;
    struct publication *publication = mem_alloc(sizeof *publication);
    publication->channel = publication->sender.channel = channel;
    publication->stream = stream;
    publication->viewer = viewer_open(stream, VIEWER_LIVE, "m4f", link_name(link));
    publication->listener = (struct segment_listener){
        .on_part = on_part, .on_segment = on_segment, .on_lost = on_lost, .arg = publication};
    stream_listen_segments(stream, &publication->listener);
    sink_open(&publication->sink, stream, &sink_events, publication);
    begin(publication);
    *events = &channel_events;
    *arg = publication;
    return REASON_NONE;
}
