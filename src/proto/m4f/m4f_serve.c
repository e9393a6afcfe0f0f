// SPDX-License-Identifier: MIT
// The serving end: ranges, lists and segments of a stream's past, from its archive or from whatever
// its history is; the live window answers where it holds the segment asked for, so that a stream
// without an archive can still give its ready segments. One segment is sent for each one asked for,
// as fast as the channel takes it.
//
// States: ASKED (begin is deferred) -> READING (history, a fetch, or the window's segments) ->
// ENDED (work sends the rest and the result) -> gone.
#include "base/list.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "io/loop.h"
#include "m4f_priv.h"
#include "stream/stream.h"

struct reader {
    struct channel *channel;
    const struct protocol_env *env;
    struct m4f_request ask;
    struct history_via via;
    struct history_request *request; // ranges, list or read under way
    struct segment_fetch *fetch;
    struct segment **held; // of the window, to be sent; one reference each; NULL: not from there
    unsigned held_count, held_next;
    struct m4f_sender sender;
    unsigned credits; // segments asked for and not yet begun
    bool waiting;     // history has been asked for one
    bool ended;       // nothing comes after what is being sent
    int result;
    struct defer work;
};

static void reader_free(struct reader *reader)
{
    loop_defer_cancel(reader->env->loop, &reader->work);
    history_cancel(&reader->request);
    segment_fetch_cancel(&reader->fetch);
    for (unsigned i = reader->held_next; i < reader->held_count; i++)
        segment_unref(&reader->held[i]);
    m4f_sender_fini(&reader->sender);
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
    if (reader->ask.kind == M4F_HEADS) {
        struct segment_info info = segment->info;
        struct buf *heads = cmaf_segment_heads(segment);
        struct chain body = {0};
        info.bytes = cmaf_segment(segment)->bytes;
        chain_take(&body, &heads);
        m4f_sender_begin(&reader->sender, &info, segment->tracks, &body);
    } else {
        m4f_sender_segment(&reader->sender, segment);
    }
    if (reader->credits)
        reader->credits--;
}

// Sends or asks for as much as was asked of us and fits.
static void work(void *arg)
{
    struct reader *reader = arg;
    if (!m4f_sender_pump(&reader->sender))
        return; // goes on when there is room
    while (reader->held_next < reader->held_count && reader->credits) {
        struct segment *segment = reader->held[reader->held_next++];
        send_segment(reader, segment);
        segment_unref(&segment);
        if (!m4f_sender_pump(&reader->sender))
            return;
    }
    if (reader->held && reader->held_next == reader->held_count)
        reader->ended = true;
    if (reader->ended) {
        finish(reader, reader->result);
    } else if (reader->request && !reader->waiting && reader->credits) {
        reader->waiting = true;
        history_next(reader->request);
    }
}

static void schedule(struct reader *reader)
{
    loop_defer(reader->env->loop, &reader->work, work, reader);
}

static void end(struct reader *reader, int result)
{
    reader->ended = true;
    reader->result = result;
    schedule(reader);
}

// ---- history's answers
// -----------------------------------------------------------------------------

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
    reader->waiting = false;
    chain_add_copy(&body, heads.data, heads.length);
    m4f_sender_begin(&reader->sender, info, tracks, &body);
    if (reader->credits)
        reader->credits--;
    schedule(reader);
}

static void on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    end(reader, err);
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
    end(reader, err);
}

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct reader *reader = arg;
    (void)cut; // the receiver has the same bound and sees by the count
    reader->request = NULL;
    for (size_t at = 0; at < count; at += M4F_LIST_PIECE) {
        size_t piece = count - at < M4F_LIST_PIECE ? count - at : M4F_LIST_PIECE;
        struct chain message = {0};
        m4f_infos_write(infos + at, piece, 0, &message);
        channel_send(reader->channel, &message);
    }
    end(reader, err);
}

static void on_fetched(void *arg, int err, struct segment **segment)
{
    struct reader *reader = arg;
    reader->fetch = NULL;
    if (*segment)
        send_segment(reader, *segment);
    segment_unref(segment);
    end(reader, err);
}

// ---- the request -------------------------------------------------------------------------------

static bool overlaps(const struct segment_info *info, const struct m4f_request *ask)
{
    return info->utc_start_us < ask->to_us && info->utc_start_us + info->duration_us > ask->from_us;
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
            reader->fetch = stream_fetch_segment_via(
                stream, &reader->via, window[i].info.utc_start_us / 1000, on_fetched, reader);
            return;
        }
    if (!history) {
        begin_from_window(reader, stream);
        if (reader->held_count)
            schedule(reader);
        else
            end(reader, ERR_NOT_FOUND);
        return;
    }
    reader->waiting = true; // the first comes unasked
    reader->request = history_read_via(
        history, &reader->via, reader->ask.from_us, reader->ask.to_us,
        reader->ask.kind == M4F_HEADS ? HISTORY_HEADS : HISTORY_WHOLE, &history_events, reader);
}

// In a deferred call: what is served may end the request, and the hub must know of it first.
static void begin(void *arg)
{
    struct reader *reader = arg;
    struct stream *stream = streams_get(reader->env->streams, reader->ask.name);
    if (!stream) {
        end(reader, ERR_NOT_FOUND);
        return;
    }
    struct history *history = stream_history(stream);
    switch (reader->ask.kind) {
    case M4F_RANGES:
        if (history)
            reader->request = history_ranges_via(history, &reader->via, reader->ask.from_us,
                                                 reader->ask.to_us, on_ranges, reader);
        else
            end(reader, 0);
        return;
    case M4F_LIST:
        if (history)
            reader->request = history_list_via(history, &reader->via, reader->ask.from_us,
                                               reader->ask.to_us, on_list, reader);
        else
            send_window_list(reader, stream);
        return;
    default:
        begin_read(reader, stream);
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
    schedule(reader);
}

static void on_room(void *arg)
{
    schedule(arg);
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
    reader->channel = reader->sender.channel = channel;
    reader->env = env;
    reader->ask = ask;
    reader->via = (struct history_via){link_peer_id(link), (uint8_t)(ask.hops + 1)};
    reader->credits = 1;
    loop_defer(env->loop, &reader->work, begin, reader);
    *events = &channel_events;
    *arg = reader;
    return REASON_NONE;
}

int m4f_serve_init(const struct protocol_env *env)
{
    link_hub_serve(env->links, LINK_M4F, serve, (void *)env);
    return 0;
}

void m4f_serve_fini(const struct protocol_env *env)
{
    link_hub_serve(env->links, LINK_M4F, NULL, NULL);
}
