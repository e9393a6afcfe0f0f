// SPDX-License-Identifier: MIT
// The live subscription, receiving end: a source whose frames come segment by segment.
// States as in M4S: DOWN -> ASKED -> RUNNING; a lost channel is source_lost.
#include <string.h>

#include "base/mem.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4f_priv.h"

struct m4f_source {
    const struct protocol_env *env;
    struct source *source;
    struct link *link;
    struct link_watch watch;
    struct channel *channel; // NULL when down
    struct m4f_receiver receiver;
    char *key; // owned: what the link was asked for with
    struct m4f_place place;
};

// The input's own key, or the global one, which a reload may change.
static const char *key_now(const struct m4f_source *m4f)
{
    const char *own = input_conf_get(source_input(m4f->source), "cluster_key");
    return own ? own : m4f->env->cluster_key;
}

static void broken(struct m4f_source *m4f, const char *detail)
{
    channel_close(&m4f->channel, REASON_PROTOCOL);
    source_lost(m4f->source, REASON_PROTOCOL, detail);
}

static void on_body(struct m4f_source *m4f)
{
    struct segment *segment = NULL;
    int64_t duration_us = m4f->receiver.info.duration_us;
    channel_expect_data(m4f->channel, true); // the next one is due
    int err = cmaf_segment_from_bytes(&m4f->receiver.body, m4f->receiver.tracks, &segment);
    if (err != 0) {
        source_count_error(m4f->source);
        return;
    }
    // Everything else stands in the bytes themselves.
    segment->info.duration_us = duration_us;
    source_push_segment(m4f->source, &segment);
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct m4f_source *m4f = arg;
    static struct m4f_message message; // 40 KB of lists: not for the stack, and one thread
    if (m4f_message_parse(bytes_of(buf->data + offset, length), &message) != 0) {
        broken(m4f, "malformed message");
        return;
    }
    source_count_bytes(m4f->source, length);
    if (message.type == M4F_INFOS) {
        if (m4f->receiver.tracks)
            source_window(m4f->source, message.infos, message.count, message.listed,
                          m4f->receiver.tracks);
        return;
    }
    int err = m4f_receiver_feed(&m4f->receiver, &message);
    if (err == 0) {
        on_body(m4f);
    } else if (err != ERR_AGAIN) {
        broken(m4f, err == ERR_LIMIT ? "no memory for a segment" : "malformed segment");
    } else if (message.type == M4F_TRACKS) {
        struct tracks *tracks = tracks_ref(m4f->receiver.tracks);
        source_tracks(m4f->source, &tracks);
    }
}

static void on_closed(void *arg, enum reason reason)
{
    struct m4f_source *m4f = arg;
    m4f->channel = NULL;
    source_lost(m4f->source, reason, NULL);
}

static const struct channel_events channel_events = {.on_message = on_message,
                                                     .on_closed = on_closed};

static void on_up(void *arg)
{
    struct m4f_source *m4f = arg;
    if (m4f->channel)
        return;
    struct m4f_request ask = {.kind = M4F_LIVE};
    memcpy(ask.name, m4f->place.name, sizeof ask.name);
    struct buf *open = m4f_request_write(&ask);
    m4f->channel =
        channel_open(m4f->link, LINK_M4F, LINK_LIVE, buf_bytes(open), &channel_events, m4f);
    buf_unref(&open);
}

static void on_down(void *arg, enum reason reason)
{
    struct m4f_source *m4f = arg;
    if (m4f->channel)
        return; // its on_closed tells
    if (strcmp(m4f->key, key_now(m4f)) != 0)
        source_lost(m4f->source, reason, "the cluster_key has changed");
    else
        source_unavailable(m4f->source, reason);
}

static void stop(struct source *source)
{
    struct m4f_source *m4f = source_engine(source);
    channel_close(&m4f->channel, REASON_NO_CLIENTS);
    link_watch_remove(m4f->link, &m4f->watch);
    link_release(&m4f->link);
    m4f_receiver_fini(&m4f->receiver);
    mem_free(m4f->key);
    mem_free(m4f);
}

static const struct source_ops ops = {.stop = stop};

int m4f_pull(const struct protocol_env *env, struct source *source)
{
    struct m4f_place place;
    const char *why;
    if (m4f_place_parse(source_input(source)->url, &place, &why) != 0)
        return ERR_INVALID;
    struct m4f_source *m4f = mem_alloc(sizeof *m4f);
    m4f->env = env;
    m4f->source = source;
    m4f->place = place;
    m4f->key = mem_strdup(key_now(m4f));
    source_set_engine(source, &ops, m4f);
    source_follow(source);
    m4f->link = link_hold(env->links, place.host, place.port, m4f->key);
    m4f->watch = (struct link_watch){.on_up = on_up, .on_down = on_down, .arg = m4f};
    link_watch_add(m4f->link, &m4f->watch);
    return 0;
}
