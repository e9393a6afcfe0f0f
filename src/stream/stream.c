// SPDX-License-Identifier: MIT
#include "stream/stream.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "history_merge.h"
#include "stream_priv.h"

static const char *const state_names[] = {
    [STREAM_IDLE] = "idle",
    [STREAM_STARTING] = "starting",
    [STREAM_LIVE] = "running",
    [STREAM_LOST] = "lost",
};

const char *stream_state_name(enum stream_state state)
{
    return state_names[state];
}

// ---- marks: news for sinks, changes for watchers, the tick
// ---------------------------------------

void stream_news(struct stream *stream)
{
    if (!stream->pending && !stream->closing) {
        stream->pending = true;
        list_append(&stream->owner->news, &stream->news_node);
    }
    loop_news(stream->owner->loop);
}

static void run_changes(void *arg)
{
    struct streams *streams = arg;
    struct list_node *node;
    while ((node = list_take_first(&streams->changes)) != NULL) {
        struct stream *stream = LIST_OWNER(node, struct stream, change_node);
        stream->changed = false;
        LIST_FOREACH(&streams->watches, it, after)
        {
            struct streams_watch *watch = LIST_OWNER(it, struct streams_watch, node);
            watch->on_change(watch->arg, stream, false);
        }
    }
}

void stream_changed(struct stream *stream)
{
    struct streams *streams = stream->owner;
    if (stream->changed || stream->closing)
        return;
    stream->changed = true;
    list_append(&streams->changes, &stream->change_node);
    loop_defer(streams->loop, &streams->change_defer, run_changes, streams);
}

void stream_activate(struct stream *stream)
{
    struct streams *streams = stream->owner;
    if (stream->closing || list_linked(&stream->active_node))
        return;
    list_append(&streams->active, &stream->active_node);
    if (!timeout_active(&streams->tick))
        timeout_start(&streams->tick, US_PER_S);
}

static void run_tick(void *arg)
{
    struct streams *streams = arg;
    int64_t mono_us = now_us();
    LIST_FOREACH(&streams->active, it, after)
    {
        struct stream *stream = LIST_OWNER(it, struct stream, active_node);
        live_tick(stream);
        inputs_tick(stream, mono_us);
        viewers_tick(stream, mono_us);
        waiters_tick(stream, mono_us);
        bool unwatched = stream->live_viewers == 0 && list_empty(&stream->waiters);
        bool kept = stream->conf->is_static && !stream->conf->disabled;
        if (!kept && stream->live && unwatched && stream->no_viewers_since_us &&
            mono_us - stream->no_viewers_since_us >= stream->conf->clients_timeout_us)
            stream_stop(stream, REASON_NO_CLIENTS);
        if (!stream->live && list_empty(&stream->waiters) && viewers_count(stream) == 0)
            list_remove(&streams->active, &stream->active_node);
    }
    if (!list_empty(&streams->active))
        timeout_start(&streams->tick, US_PER_S);
}

static void run_news(void *arg)
{
    struct streams *streams = arg;
    // Streams that get news while others are visited are visited in the next turn's end.
    size_t most = streams->news.count;
    while (most-- > 0 && !list_empty(&streams->news)) {
        struct stream *stream =
            LIST_OWNER(list_take_first(&streams->news), struct stream, news_node);
        stream->pending = false;
        waiters_answer(stream);
        sinks_visit(stream);
    }
    if (!list_empty(&streams->news))
        loop_news(streams->loop);
}

// ---- the registry ------------------------------------------------------------------------------

struct streams *streams_new(struct loop *loop, const struct protocol_env *env)
{
    struct streams *streams = mem_alloc(sizeof *streams);
    streams->loop = loop;
    streams->env = env;
    streams->by_name = map_new();
    list_init(&streams->news);
    list_init(&streams->changes);
    list_init(&streams->active);
    list_init(&streams->watches);
    loop_hook_add(loop, &streams->hook, run_news, streams);
    timeout_init(&streams->tick, loop, run_tick, streams);
    return streams;
}

void streams_close_all(struct streams *streams)
{
    for (size_t i = 0; i < streams->slot_count; i++) {
        struct stream *stream = streams->slots[i];
        stream_close(&stream, REASON_SHUTDOWN);
    }
    // The closed ones are freed by their deferred calls, which need the registry: run them now.
    loop_turn(streams->loop, false);
}

void streams_free(struct streams **streams)
{
    struct streams *gone = *streams;
    *streams = NULL;
    if (!gone)
        return;
    streams_close_all(gone);
    timeout_stop(&gone->tick);
    loop_defer_cancel(gone->loop, &gone->change_defer);
    loop_hook_remove(gone->loop, &gone->hook);
    map_free(&gone->by_name);
    mem_free(gone->slots);
    mem_free(gone);
}

struct stream *streams_get(struct streams *streams, const char *name)
{
    return map_get(streams->by_name, name);
}

struct stream *streams_next(struct streams *streams, size_t *cursor)
{
    while (*cursor < streams->slot_count) {
        struct stream *stream = streams->slots[(*cursor)++];
        if (stream)
            return stream;
    }
    return NULL;
}

size_t streams_count(const struct streams *streams)
{
    return map_count(streams->by_name);
}

void streams_watch_add(struct streams *streams, struct streams_watch *watch)
{
    list_append(&streams->watches, &watch->node);
}

void streams_watch_remove(struct streams *streams, struct streams_watch *watch)
{
    if (list_linked(&watch->node))
        list_remove(&streams->watches, &watch->node);
}

static void registry_add(struct streams *streams, struct stream *stream)
{
    // Forget the holes once they are the larger part.
    if (streams->slot_count == streams->slot_capacity &&
        map_count(streams->by_name) < streams->slot_count / 2) {
        size_t kept = 0;
        for (size_t i = 0; i < streams->slot_count; i++)
            if (streams->slots[i]) {
                streams->slots[kept] = streams->slots[i];
                streams->slots[kept]->order = kept;
                kept++;
            }
        streams->slot_count = kept;
    }
    if (streams->slot_count == streams->slot_capacity) {
        streams->slot_capacity = streams->slot_capacity ? streams->slot_capacity * 2 : 64;
        streams->slots =
            mem_resize(streams->slots, streams->slot_capacity * sizeof *streams->slots);
    }
    stream->order = streams->slot_count;
    streams->slots[streams->slot_count++] = stream;
    (void)map_set(streams->by_name, stream->conf->name, stream);
}

// ---- life --------------------------------------------------------------------------------------

static struct stream_conf *conf_dup(const struct stream_conf *conf)
{
    struct stream_conf *copy = mem_alloc(sizeof *copy);
    stream_conf_copy(copy, conf);
    return copy;
}

static void conf_drop(struct stream_conf **conf)
{
    stream_conf_fini(*conf);
    mem_free(*conf);
    *conf = NULL;
}

static bool kept_running(const struct stream_conf *conf)
{
    return conf->is_static && !conf->disabled && conf->input_count > 0;
}

int stream_create(struct streams *streams, const struct stream_conf *conf, struct stream **out)
{
    *out = NULL;
    if (!stream_name_valid(conf->name))
        return ERR_INVALID;
    if (streams_get(streams, conf->name))
        return ERR_EXISTS;
    if (map_count(streams->by_name) >= STREAMS_MAX)
        return ERR_LIMIT;
    struct stream *stream = mem_alloc(sizeof *stream);
    stream->magic = STREAM_MAGIC;
    stream->owner = streams;
    stream->conf = conf_dup(conf);
    stream->active = -1;
    (void)text_format(stream->log_name, sizeof stream->log_name, "stream=%s", conf->name);
    list_init(&stream->sinks);
    list_init(&stream->waiters);
    list_init(&stream->listeners);
    list_init(&stream->fetches);
    list_init(&stream->viewers);
    registry_add(streams, stream);
    stream_changed(stream);
    if (kept_running(conf))
        stream_start(stream);
    *out = stream;
    return 0;
}

void stream_start(struct stream *stream)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    if (stream->live || stream->closing || stream->conf->disabled || stream->conf->input_count == 0)
        return;
    stream->live = live_new(stream);
    stream->stats.started_utc_us = utc_us();
    stream_set_state(stream, STREAM_STARTING);
    stream_activate(stream);
    inputs_start(stream);
}

void stream_stop(struct stream *stream, enum reason reason)
{
    if (!stream->live)
        return;
    inputs_stop(stream, reason);
    stream->stats.last_reason = REASON_NONE;
    sinks_end(stream, reason);
    live_free(&stream->live);
    stream->stats.bitrate_bps = 0;
    stream->stats.started_utc_us = stream->stats.live_since_utc_us = 0;
    stream_set_state(stream, STREAM_IDLE);
    log_info(stream->log_name, "stopped reason=%s", reason_name(reason));
}

void stream_set_state(struct stream *stream, enum stream_state state)
{
    if (stream->state == state)
        return;
    stream->state = state;
    if (state == STREAM_LIVE) {
        stream->stats.live_since_utc_us = utc_us();
        stream->stats.last_reason = REASON_NONE;
        stream->stats.last_detail[0] = '\0';
    }
    if (state == STREAM_LOST)
        sinks_lost(stream);
    stream_changed(stream);
}

static bool same_inputs(const struct stream_conf *a, const struct stream_conf *b)
{
    if (a->input_count != b->input_count)
        return false;
    for (unsigned i = 0; i < a->input_count; i++)
        if (!input_conf_equal(&a->input[i], &b->input[i]))
            return false;
    return true;
}

// Its parts stay; it is made anew on the next use.
static void history_dissolve(struct stream *stream)
{
    struct history *gone = stream->history_made ? stream->history : NULL;
    fetches_fail(stream);
    stream->history = NULL;
    stream->history_made = false;
    history_close(&gone); // who is told of it may ask anew
}

void stream_configure(struct stream *stream, const struct stream_conf *conf)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    if (stream_conf_equal(stream->conf, conf))
        return;
    struct stream_conf *before = stream->conf;
    stream->conf = conf_dup(conf);
    bool inputs_same = same_inputs(before, conf);
    if (!inputs_same)
        history_dissolve(stream);
    if (stream->live) {
        segmenter_set_duration(stream->live->segmenter, conf->segment_duration_us);
        if (conf->disabled || conf->input_count == 0)
            stream_stop(stream, REASON_CONFIG);
        else if (!inputs_same)
            inputs_configure(stream, before);
    }
    if (kept_running(conf))
        stream_start(stream);
    stream_activate(stream); // static turned into on demand: the tick decides
    conf_drop(&before);
    stream_changed(stream);
}

static void run_closing(void *arg)
{
    struct stream *stream = arg;
    history_dissolve(stream);
    history_close(&stream->own);
    history_close(&stream->cache);
    tracks_unref(&stream->known_tracks);
    conf_drop(&stream->conf);
    stream->magic = 0;
    mem_free(stream);
}

void stream_close(struct stream **stream, enum reason reason)
{
    struct stream *gone = *stream;
    *stream = NULL;
    if (!gone || gone->closing)
        return;
    OBJ_CHECK(gone, STREAM_MAGIC);
    struct streams *streams = gone->owner;
    LIST_FOREACH(&streams->watches, it, after)
    {
        struct streams_watch *watch = LIST_OWNER(it, struct streams_watch, node);
        watch->on_change(watch->arg, gone, true);
    }
    stream_stop(gone, reason);
    gone->stats.last_reason = reason;
    sinks_end(gone, reason);
    waiters_fail(gone, reason == REASON_CONFIG ? REASON_NOT_FOUND : reason);
    fetches_fail(gone);
    viewers_free(gone);
    gone->closing = true;
    (void)map_remove(streams->by_name, gone->conf->name);
    streams->slots[gone->order] = NULL;
    if (gone->pending)
        list_remove(&streams->news, &gone->news_node);
    if (gone->changed)
        list_remove(&streams->changes, &gone->change_node);
    if (list_linked(&gone->active_node))
        list_remove(&streams->active, &gone->active_node);
    loop_defer(streams->loop, &gone->closing_defer, run_closing, gone);
}

// ---- what others ask ---------------------------------------------------------------------------

const char *stream_name(const struct stream *stream)
{
    return stream->conf->name;
}
const char *stream_log_name(const struct stream *stream)
{
    return stream->log_name;
}
const struct stream_conf *stream_conf(const struct stream *stream)
{
    return stream->conf;
}
enum stream_state stream_state(const struct stream *stream)
{
    return stream->state;
}
struct loop *stream_loop(const struct stream *stream)
{
    return stream->owner->loop;
}

void stream_set_slot(struct stream *stream, enum stream_slot slot, void *value)
{
    stream->slot[slot] = value;
}

void *stream_slot(const struct stream *stream, enum stream_slot slot)
{
    return stream->slot[slot];
}

struct tracks *stream_known_tracks(const struct stream *stream)
{
    struct tracks *live = stream_tracks(stream);
    return live ? live : stream->known_tracks;
}

void stream_set_known_tracks(struct stream *stream, struct tracks *tracks)
{
    struct tracks *old = stream->known_tracks;
    stream->known_tracks = tracks ? tracks_ref(tracks) : NULL;
    tracks_unref(&old);
    stream_changed(stream);
}

static void set_part(struct stream *stream, struct history **part, struct history **history)
{
    struct history *gone = *part;
    *part = NULL;
    history_dissolve(stream);
    history_close(&gone);
    history_dissolve(stream); // who was told of the end may have asked again
    *part = *history;
    *history = NULL;
    stream_changed(stream);
}

void stream_set_history(struct stream *stream, struct history **history)
{
    set_part(stream, &stream->own, history);
}

void stream_set_cache(struct stream *stream, struct history **cache)
{
    set_part(stream, &stream->cache, cache);
}

// The archive here, the cache, and what the inputs' servers have. Returns how many; a cache alone
// is none.
static unsigned gather_holders(struct stream *stream, struct history_holder *holders)
{
    unsigned count = 0;
    if (stream->own)
        holders[count++] = (struct history_holder){stream->own, HOLDER_OWN, false};
    unsigned near = count;
    if (stream->cache)
        holders[count++] = (struct history_holder){stream->cache, HOLDER_COPY, false};
    unsigned here = count;
    for (unsigned i = 0; i < stream->conf->input_count; i++) {
        const struct input_conf *input = &stream->conf->input[i];
        const char *why;
        const struct protocol *protocol = protocol_by_url(input->url, &why);
        struct history *far = NULL;
        if (protocol && protocol->history)
            far = protocol->history(stream->owner->env, input, stream->conf->name);
        if (far)
            holders[count++] = (struct history_holder){far, HOLDER_FAR, true};
    }
    return count == here ? near : count;
}

struct history *stream_history(const struct stream *stream)
{
    if (stream->history || stream->closing)
        return stream->history;
    // Made on first use: a thousand remote streams nobody asks for cost nothing.
    struct stream *self = (struct stream *)stream;
    struct history_holder holders[HISTORY_HOLDERS_MAX];
    unsigned count = gather_holders(self, holders);
    if (count == 1)
        self->history = holders[0].history;
    else if (count > 1)
        self->history = history_merge_new(stream->owner->loop, holders, count);
    self->history_made = count > 1 || (count == 1 && holders[0].owned);
    return self->history;
}

bool stream_has_archive(const struct stream *stream, struct history_range *whole)
{
    uint64_t bytes;
    *whole = (struct history_range){0};
    if (stream->own)
        (void)history_summary(stream->own, whole, &bytes);
    if (!stream->far_archive)
        return stream->own != NULL;
    const struct history_range *far = &stream->far_range;
    if (far->from_us && (!whole->from_us || far->from_us < whole->from_us))
        whole->from_us = far->from_us;
    whole->to_us = far->to_us; // unknown: it goes on
    return true;
}

void stream_set_far_archive(struct stream *stream, bool present, struct history_range whole)
{
    bool same = stream->far_archive == present;
    stream->far_archive = present;
    stream->far_range = whole;
    if (!same)
        stream_changed(stream);
}

void stream_listen_segments(struct stream *stream, struct segment_listener *listener)
{
    list_append(&stream->listeners, &listener->node);
}

void stream_unlisten_segments(struct stream *stream, struct segment_listener *listener)
{
    if (list_linked(&listener->node))
        list_remove(&stream->listeners, &listener->node);
}

void stream_get_stats(const struct stream *stream, struct stream_stats *out)
{
    *out = stream->stats;
    out->viewers = viewers_count(stream);
    out->sinks = (unsigned)stream->sinks.count;
}
