// SPDX-License-Identifier: MIT
// The serving end: ranges, lists and segments of a stream's past, from its archive or from whatever its
// history is; the live window answers where it holds the segment asked for, so that a stream without an
// archive can still give its ready segments. One segment is sent for each one asked for.
#include "base/list.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "io/loop.h"
#include "m4f_priv.h"
#include "stream/stream.h"

struct reader {
    struct channel *channel; // NULL once closed
    const struct protocol_env *env;
    struct m4f_request ask;
    struct history_request *request; // ranges, list or read under way
    struct segment_fetch *fetch;
    struct segment **held;  // of the window, to be sent; one reference each
    unsigned held_count, held_next;
    unsigned credits;       // segments asked for and not yet sent
    bool waiting;           // history has been asked for one
    uint32_t generation;
    bool sent_any;
    struct defer pump;
};

void m4f_send_tracks(struct channel *channel, struct tracks *tracks, uint32_t *generation)
{
    if (tracks->generation == *generation)
        return;
    struct buf *init = cmaf_init_write(tracks);
    struct chain message = {0};
    m4f_tracks_write(tracks->generation, init, &message);
    channel_send(channel, &message);
    buf_unref(&init);
    *generation = tracks->generation;
}

void m4f_send_body(struct channel *channel, const struct segment_info *info,
                   const struct chain *body)
{
    struct chain message = {0};
    m4f_segment_write(info, body->bytes, &message);
    for (size_t at = 0; at < body->bytes;) {
        size_t piece = body->bytes - at < M4F_BYTES_PIECE ? body->bytes - at : M4F_BYTES_PIECE;
        if (at)
            m4f_data_write(&message);
        chain_add_range(&message, body, at, piece);
        channel_send(channel, &message);
        at += piece;
    }
}

static void reader_free(struct reader *reader)
{
    loop_defer_cancel(reader->env->loop, &reader->pump);
    history_cancel(&reader->request);
    segment_fetch_cancel(&reader->fetch);
    for (unsigned i = 0; i < reader->held_count; i++)
        segment_unref(&reader->held[i]);
    mem_free(reader->held);
    mem_free(reader);
}

static void finish(struct reader *reader, int result)
{
    struct chain message = {0};
    m4f_end_write(result, &message);
    channel_send(reader->channel, &message);
    channel_finish(&reader->channel, REASON_DONE);
    reader_free(reader);
}

static void send_segment(struct reader *reader, struct segment *segment)
{
    struct chain heads_chain = {0};
    const struct chain *body = NULL;
    if (reader->ask.kind == M4F_HEADS) {
        struct buf *heads = cmaf_segment_heads(segment);
        chain_take(&heads_chain, &heads);
        body = &heads_chain;
    } else {
        body = cmaf_segment(segment);
    }
    struct segment_info info = segment->info;
    info.generation = segment->tracks->generation;
    info.bytes = cmaf_segment(segment)->bytes;
    m4f_send_tracks(reader->channel, segment->tracks, &reader->generation);
    m4f_send_body(reader->channel, &info, body);
    chain_fini(&heads_chain);
    reader->sent_any = true;
    if (reader->credits)
        reader->credits--;
}

// Sends or asks for as much as was asked of us and fits.
static void pump(void *arg)
{
    struct reader *reader = arg;
    while (reader->held_next < reader->held_count && reader->credits &&
           !channel_full(reader->channel))
        send_segment(reader, reader->held[reader->held_next++]);
    if (reader->held_count && reader->held_next == reader->held_count) {
        finish(reader, 0);
        return;
    }
    if (reader->request && !reader->waiting && reader->credits &&
        !channel_full(reader->channel)) {
        reader->waiting = true;
        history_next(reader->request);
    }
}

static void schedule(struct reader *reader)
{
    loop_defer(reader->env->loop, &reader->pump, pump, reader);
}

// ---- history's answers -----------------------------------------------------------------------------

static void on_segment(void *arg, struct segment **segment)
{
    struct reader *reader = arg;
    reader->waiting = false;
    send_segment(reader, *segment);
    segment_unref(segment);
    schedule(reader);
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    struct reader *reader = arg;
    struct chain body = {0};
    struct segment_info sent = *info;
    reader->waiting = false;
    sent.generation = tracks->generation;
    chain_add_copy(&body, heads.data, heads.length);
    m4f_send_tracks(reader->channel, tracks, &reader->generation);
    m4f_send_body(reader->channel, &sent, &body);
    chain_fini(&body);
    if (reader->credits)
        reader->credits--;
    schedule(reader);
}

static void on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    finish(reader, err);
}

static const struct history_events history_events = {
    .on_segment = on_segment, .on_heads = on_heads, .on_end = on_end};

static void on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct reader *reader = arg;
    reader->request = NULL;
    for (size_t at = 0; at < count; at += M4F_LIST_PIECE) {
        size_t piece = count - at < M4F_LIST_PIECE ? count - at : M4F_LIST_PIECE;
        struct chain message = {0};
        m4f_ranges_write(ranges + at, piece, &message);
        channel_send(reader->channel, &message);
    }
    finish(reader, err);
}

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct reader *reader = arg;
    (void)cut; // the receiver has the same bound
    reader->request = NULL;
    for (size_t at = 0; at < count; at += M4F_LIST_PIECE) {
        size_t piece = count - at < M4F_LIST_PIECE ? count - at : M4F_LIST_PIECE;
        struct chain message = {0};
        m4f_infos_write(infos + at, piece, &message);
        channel_send(reader->channel, &message);
    }
    finish(reader, err);
}

static void on_fetched(void *arg, int err, struct segment **segment)
{
    struct reader *reader = arg;
    reader->fetch = NULL;
    if (*segment)
        send_segment(reader, *segment);
    segment_unref(segment);
    finish(reader, err);
}

// ---- the request -------------------------------------------------------------------------------

static bool overlaps(const struct segment_info *info, const struct m4f_request *ask)
{
    return info->utc_start_us < ask->to_us &&
           info->utc_start_us + info->duration_us > ask->from_us;
}

static void begin_from_window(struct reader *reader, struct stream *stream)
{
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    reader->held = mem_alloc((count ? count : 1) * sizeof *reader->held);
    for (size_t i = 0; i < count; i++)
        if (window[i].segment && overlaps(&window[i].info, &reader->ask))
            reader->held[reader->held_count++] = segment_ref(window[i].segment);
}

static void send_window_list(struct reader *reader, struct stream *stream)
{
    struct segment_info infos[M4F_LIST_PIECE];
    size_t count, used = 0;
    const struct window_entry *window = stream_window(stream, &count);
    for (size_t i = 0; i < count && used < M4F_LIST_PIECE; i++)
        if (overlaps(&window[i].info, &reader->ask))
            infos[used++] = window[i].info;
    on_list(reader, 0, infos, used, false);
}

static void begin_read(struct reader *reader, struct stream *stream)
{
    struct history *history = stream_history(stream);
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    bool one = reader->ask.to_us - reader->ask.from_us <= 1;
    for (size_t i = 0; one && i < count; i++)
        if (overlaps(&window[i].info, &reader->ask)) {
            reader->fetch = stream_fetch_segment(
                stream, window[i].info.utc_start_us / 1000, on_fetched, reader);
            return;
        }
    if (!history) {
        begin_from_window(reader, stream);
        return;
    }
    reader->waiting = true; // the first comes unasked
    reader->request =
        history_read(history, reader->ask.from_us, reader->ask.to_us,
                     reader->ask.kind == M4F_HEADS ? HISTORY_HEADS : HISTORY_WHOLE,
                     &history_events, reader);
}

// In a deferred call: the channel may not be used before the hub knows its events.
static void begin(void *arg)
{
    struct reader *reader = arg;
    struct stream *stream = streams_get(reader->env->streams, reader->ask.name);
    if (!stream) {
        finish(reader, ERR_NOT_FOUND);
        return;
    }
    struct history *history = stream_history(stream);
    switch (reader->ask.kind) {
    case M4F_RANGES:
        if (history)
            reader->request = history_ranges(history, reader->ask.from_us, reader->ask.to_us,
                                             on_ranges, reader);
        else
            finish(reader, 0);
        return;
    case M4F_LIST:
        if (history)
            reader->request = history_list(history, reader->ask.from_us, reader->ask.to_us,
                                           on_list, reader);
        else
            send_window_list(reader, stream);
        return;
    default:
        begin_read(reader, stream);
        if (!reader->request && !reader->fetch) {
            if (reader->held_count)
                schedule(reader);
            else
                finish(reader, ERR_NOT_FOUND);
        }
    }
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct reader *reader = arg;
    if (length != 1 || buf->data[offset] != M4F_NEXT || reader->credits >= 64) {
        channel_close(&reader->channel, REASON_PROTOCOL);
        reader_free(reader);
        return;
    }
    reader->credits++;
    if (reader->request || reader->held_count)
        schedule(reader);
}

static void on_room(void *arg)
{
    struct reader *reader = arg;
    if (reader->request || reader->held_count)
        schedule(reader);
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    reader_free(arg);
}

static const struct channel_events channel_events = {
    .on_message = on_message, .on_room = on_room, .on_closed = on_closed};

static enum reason serve(void *hub_arg, struct link *link, struct channel *channel,
                         struct bytes open, const struct channel_events **events, void **arg)
{
    const struct protocol_env *env = hub_arg;
    struct m4f_request ask;
    if (m4f_request_parse(open, &ask) != 0)
        return REASON_PROTOCOL;
    if (!streams_get(env->streams, ask.name))
        return REASON_NOT_FOUND;
    if (ask.kind == M4F_LIVE)
        return m4f_publish(env, link, channel, ask.name, events, arg);
    struct reader *reader = mem_alloc(sizeof *reader);
    reader->channel = channel;
    reader->env = env;
    reader->ask = ask;
    reader->credits = 1;
    loop_defer(env->loop, &reader->pump, begin, reader);
    *events = &channel_events;
    *arg = reader;
    return REASON_NONE;
}

int m4f_serve_init(const struct protocol_env *env)
{
    link_hub_serve(env->links, LINK_M4F, serve, (void *)env);
    return 0;
}

void m4f_serve_fini(const struct protocol_env *env) { (void)env; }
