// SPDX-License-Identifier: MIT
// The receiving end: a source that subscribes to a stream of another sluice.
//
// States: DOWN (the link is not up; the engine waits for it, the stream may try other inputs) ->
// ASKED (channel open, nothing came) -> RUNNING (tracks came). A lost channel is source_lost, and
// so is a far server that has lost its input; the stream comes back through pull.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4s_priv.h"
#include "m4s_wire.h"

struct m4s_source {
    const struct protocol_env *env;
    struct source *source;
    struct link *link;
    struct link_watch watch;
    struct channel *channel; // NULL when down
    struct tracks *tracks;   // as last told, one reference
    struct m4s_clock clock;
    bool announced; // the segment of the frames to come
    char *key;      // owned: what the link was asked for with
    struct m4s_place place;
};

// The input's own key, or the global one, which a reload may change.
static const char *key_now(const struct m4s_source *m4s)
{
    const char *own = input_conf_get(source_input(m4s->source), "cluster_key");
    return own ? own : m4s->env->cluster_key;
}

static void broken(struct m4s_source *m4s, const char *detail)
{
    channel_close(&m4s->channel, REASON_PROTOCOL);
    source_lost(m4s->source, REASON_PROTOCOL, detail);
}

static void on_tracks(struct m4s_source *m4s, const struct m4s_message *message)
{
    struct tracks *tracks;
    if (cmaf_init_parse(message->init, &tracks) != 0) {
        broken(m4s, "unreadable track list");
        return;
    }
    tracks->generation = message->generation;
    tracks_unref(&m4s->tracks);
    m4s->tracks = tracks_ref(tracks);
    source_tracks(m4s->source, &tracks);
}

static void on_frame(struct m4s_source *m4s, const struct m4s_message *message, struct buf *buf)
{
    if (!m4s->tracks || message->track >= m4s->tracks->count || !m4s->announced) {
        broken(m4s, "frame of an unknown track or segment");
        return;
    }
    // A time that cannot be told in microseconds.
    if (message->dts / m4s->tracks->track[message->track].timescale > INT64_MAX / 4 / US_PER_S) {
        broken(m4s, "frame beyond all time");
        return;
    }
    struct buf *payload = buf_ref(buf);
    struct frame *frame = frame_new(message->track, &payload);
    frame->offset = (uint32_t)(message->payload.data - buf->data);
    frame->length = (uint32_t)message->payload.length;
    frame->dts = message->dts;
    frame->cts = message->cts;
    frame->duration = message->duration;
    frame->flags = message->flags;
    source_push_frame(m4s->source, &frame);
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct m4s_source *m4s = arg;
    static struct m4s_message message; // 12 KB of window: not for the stack, and one thread
    if (m4s_message_parse(&m4s->clock, bytes_of(buf->data + offset, length), &message) != 0) {
        broken(m4s, "malformed message");
        return;
    }
    source_count_bytes(m4s->source, length);
    switch (message.type) {
    case M4S_TRACKS:
        on_tracks(m4s, &message);
        break;
    case M4S_WINDOW:
        if (m4s->tracks)
            source_window(m4s->source, message.window, message.window_count, message.listed,
                          m4s->tracks);
        break;
    case M4S_SEGMENT:
        m4s->announced = true;
        if (message.skipped)
            source_skipped(m4s->source);
        source_segment(m4s->source, message.segment.number, message.segment.utc_start_us,
                       message.segment.flags, message.whole);
        break;
    case M4S_STATE:
        channel_expect_data(m4s->channel, message.live);
        if (!message.live)
            source_lost(m4s->source, REASON_SOURCE_TIMEOUT, "the far server has lost its input");
        break;
    case M4S_FRAME:
        on_frame(m4s, &message, buf);
        break;
    }
}

static void on_closed(void *arg, enum reason reason)
{
    struct m4s_source *m4s = arg;
    m4s->channel = NULL;
    source_lost(m4s->source, reason, NULL);
}

static const struct channel_events channel_events = {.on_message = on_message,
                                                     .on_closed = on_closed};

static void on_up(void *arg)
{
    struct m4s_source *m4s = arg;
    if (m4s->channel)
        return;
    struct chain open = {0};
    m4s->announced = false;
    m4s_subscribe_write(m4s->place.name, &open);
    struct buf *bytes = chain_join(&open);
    chain_fini(&open);
    m4s->channel =
        channel_open(m4s->link, LINK_M4S, LINK_LIVE, buf_bytes(bytes), &channel_events, m4s);
    buf_unref(&bytes);
}

static void on_down(void *arg, enum reason reason)
{
    struct m4s_source *m4s = arg;
    if (m4s->channel)
        return; // its on_closed tells
    if (strcmp(m4s->key, key_now(m4s)) != 0)
        source_lost(m4s->source, reason, "the cluster_key has changed");
    else
        source_unavailable(m4s->source, reason);
}

static void stop(struct source *source)
{
    struct m4s_source *m4s = source_engine(source);
    channel_close(&m4s->channel, REASON_NO_CLIENTS);
    link_watch_remove(m4s->link, &m4s->watch);
    link_release(&m4s->link);
    tracks_unref(&m4s->tracks);
    mem_free(m4s->key);
    mem_free(m4s);
}

static const struct source_ops ops = {.stop = stop};

int m4s_pull(const struct protocol_env *env, struct source *source)
{
    struct m4s_place place;
    const char *why;
    if (m4s_place_parse(source_input(source)->url, &place, &why) != 0)
        return ERR_INVALID;
    struct m4s_source *m4s = mem_alloc(sizeof *m4s);
    m4s->env = env;
    m4s->source = source;
    m4s->place = place;
    m4s->key = mem_strdup(key_now(m4s));
    source_set_engine(source, &ops, m4s);
    source_follow(source);
    m4s->link = link_hold(env->links, place.host, place.port, m4s->key);
    m4s->watch = (struct link_watch){.on_up = on_up, .on_down = on_down, .arg = m4s};
    link_watch_add(m4s->link, &m4s->watch);
    return 0;
}
