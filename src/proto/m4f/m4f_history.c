// SPDX-License-Identifier: MIT
// The past of a stream at another server: each request is a channel of the shared link, below live
// in class. The receiver sets the pace: the request asks for the first segment, each NEXT for one
// more.
//
// States of a request: DIALLING (only while the link is dialled for the first time) -> ASKED ->
// (segments) -> ENDED (end or closed came; on_end is called once the last segment held has been
// taken; after a failure at once) ; cancelled at any time.
//
// Nothing is called from inside a function of history.h but close: messages only mark, and `run`,
// at the end of the turn, gives and ends.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "link/link.h"
#include "m4f_priv.h"

// A far disk that hangs, or a line so thin that not one message came through.
#define ANSWER_US (60 * US_PER_S)

struct m4f_history {
    struct history history;
    const struct protocol_env *env;
    struct link *link;
    char *key;     // owned: what the link was asked for with
    char *own_key; // owned: the input's; NULL: the global one
    struct list requests;
    struct m4f_place place;
};

struct request {
    struct history_request base;
    struct list_node node;
    struct m4f_history *owner;
    struct link_watch dialling;
    struct channel *channel; // NULL before it was opened and after it closed
    struct m4f_request ask;
    void *arg;
    history_ranges_fn on_ranges;
    history_list_fn on_list;
    const struct history_events *events;
    // ranges and list, as they come
    struct history_range *ranges;
    struct segment_info *infos;
    size_t count, capacity;
    bool cut;
    // read
    struct m4f_receiver receiver;
    struct {
        struct segment_info info;
        struct tracks *tracks;
        struct buf *body;
    } held[2]; // arrived and not yet given
    unsigned held_count;
    unsigned asked;  // segments to ask for when the channel is opened
    unsigned wanted; // segments the caller waits for: 0 or 1
    uint64_t except; // the peer it is asked for; 0: none
    bool ended, cancelled;
    int result;
    struct timeout answer; // while something is due
    struct defer defer, freeing;
};

static void request_free(void *arg)
{
    struct request *request = arg;
    for (unsigned i = 0; i < request->held_count; i++) {
        tracks_unref(&request->held[i].tracks);
        buf_unref(&request->held[i].body);
    }
    m4f_receiver_fini(&request->receiver);
    mem_free(request->ranges);
    mem_free(request->infos);
    mem_free(request);
}

// Out of everything; the memory goes at the end of the turn, because callers may be above us.
static void request_drop(struct request *request)
{
    struct loop *loop = request->owner->env->loop;
    request->cancelled = true; // nothing is called after this
    list_remove(&request->owner->requests, &request->node);
    link_watch_remove(request->owner->link, &request->dialling);
    channel_close(&request->channel, REASON_DONE);
    timeout_stop(&request->answer);
    loop_defer_cancel(loop, &request->defer);
    loop_defer(loop, &request->freeing, request_free, request);
}

static void finish(struct request *request)
{
    int result = request->result;
    size_t count = result ? 0 : request->count;
    request_drop(request);
    if (request->ask.kind == M4F_RANGES)
        request->on_ranges(request->arg, result, request->ranges, count);
    else if (request->ask.kind == M4F_LIST)
        request->on_list(request->arg, result, request->infos, count, request->cut);
    else
        request->events->on_end(request->arg, result);
}

// The far server owes us something as long as the caller waits and nothing is held.
static void watch_due(struct request *request)
{
    bool due = request->wanted && !request->held_count && request->channel;
    if (request->channel)
        channel_expect_data(request->channel, due);
    if (due)
        timeout_start(&request->answer, ANSWER_US);
    else
        timeout_stop(&request->answer);
}

static void give(struct request *request)
{
    struct segment_info info = request->held[0].info;
    struct tracks *tracks = request->held[0].tracks;
    struct buf *body = request->held[0].body;
    request->held[0] = request->held[1];
    request->held_count--;
    request->wanted = 0;
    struct segment *segment = NULL;
    if (request->ask.kind == M4F_HEADS) {
        request->events->on_heads(request->arg, &info, tracks, buf_bytes(body));
    } else if (cmaf_segment_from_bytes(&body, tracks, &segment) == 0) {
        segment->info.duration_us = info.duration_us; // all else stands in the bytes
        request->events->on_segment(request->arg, &segment);
    } else {
        request->result = ERR_INVALID;
        request->ended = true;
        request->wanted = 1; // so that the end is told
    }
    tracks_unref(&tracks);
    buf_unref(&body);
}

// At the end of a turn: gives what is held to who waits for it, or tells the end.
static void run(void *arg)
{
    struct request *request = arg;
    if (request->cancelled)
        return;
    if (request->wanted && request->held_count && !(request->ended && request->result))
        give(request);
    if (!request->cancelled && request->ended && request->wanted &&
        (request->held_count == 0 || request->result))
        finish(request);
}

static void schedule(struct request *request)
{
    if (!request->cancelled)
        loop_defer(request->owner->env->loop, &request->defer, run, request);
}

static void end(struct request *request, int result)
{
    if (request->ended)
        return;
    request->ended = true;
    request->result = result;
    channel_close(&request->channel, REASON_DONE);
    timeout_stop(&request->answer);
    schedule(request);
}

static void on_answer_timeout(void *arg)
{
    end(arg, ERR_TIMEOUT);
}

static bool grow(struct request *request, void **array, size_t size, size_t more, size_t most)
{
    if (request->count + more > most)
        return false;
    if (request->count + more > request->capacity) {
        request->capacity = (request->count + more) * 2;
        *array = mem_resize(*array, request->capacity * size);
    }
    return true;
}

static void on_body(struct request *request)
{
    if (request->held_count == 2) {
        end(request, ERR_INVALID); // more than was asked for
        return;
    }
    unsigned at = request->held_count++;
    request->held[at].info = request->receiver.info;
    request->held[at].tracks = tracks_ref(request->receiver.tracks);
    request->held[at].body = request->receiver.body;
    request->receiver.body = NULL;
    watch_due(request);
    schedule(request);
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct request *request = arg;
    static struct m4f_message message; // 40 KB of lists: not for the stack, and one thread
    if (m4f_message_parse(bytes_of(buf->data + offset, length), &message) != 0) {
        end(request, ERR_INVALID);
        return;
    }
    watch_due(request);
    if (message.type == M4F_END) {
        request->cut |= request->ask.kind == M4F_LIST && request->count == HISTORY_LIST_MAX;
        end(request, message.result);
    } else if (message.type == M4F_RANGE_LIST && request->ask.kind == M4F_RANGES) {
        if (!grow(request, (void **)&request->ranges, sizeof *request->ranges, message.count,
                  HISTORY_RANGES_MAX)) {
            end(request, 0);
            return;
        }
        memcpy(request->ranges + request->count, message.ranges,
               message.count * sizeof *request->ranges);
        request->count += message.count;
    } else if (message.type == M4F_INFOS && request->ask.kind == M4F_LIST) {
        if (!grow(request, (void **)&request->infos, sizeof *request->infos, message.count,
                  HISTORY_LIST_MAX)) {
            request->cut = true;
            end(request, 0);
            return;
        }
        memcpy(request->infos + request->count, message.infos,
               message.count * sizeof *request->infos);
        request->count += message.count;
    } else if (request->ask.kind == M4F_READ || request->ask.kind == M4F_HEADS) {
        int err = m4f_receiver_feed(&request->receiver, &message);
        if (err == 0)
            on_body(request);
        else if (err != ERR_AGAIN)
            end(request, err);
    } else {
        end(request, ERR_INVALID);
    }
}

static void on_closed(void *arg, enum reason reason)
{
    struct request *request = arg;
    request->channel = NULL;
    end(request, reason == REASON_NOT_FOUND ? ERR_NOT_FOUND : ERR_CLOSED);
}

static const struct channel_events channel_events = {.on_message = on_message,
                                                     .on_closed = on_closed};

static void send_next(struct request *request)
{
    if (!request->channel)
        return;
    struct chain message = {0};
    m4f_next_write(&message);
    channel_send(request->channel, &message);
}

// A reload may have changed the global key since the link was asked for.
static void refresh_link(struct m4f_history *owner)
{
    const char *key = owner->own_key ? owner->own_key : owner->env->cluster_key;
    if (owner->link && strcmp(owner->key, key) == 0)
        return;
    LIST_FOREACH(&owner->requests, it, after)
    {
        struct request *request = LIST_OWNER(it, struct request, node);
        if (list_linked(&request->dialling.node))
            end(request, ERR_CLOSED);
        link_watch_remove(owner->link, &request->dialling);
    }
    link_release(&owner->link);
    mem_free(owner->key);
    owner->key = mem_strdup(key);
    owner->link = link_hold(owner->env->links, owner->place.host, owner->place.port, key);
}

static void open_channel(struct request *request)
{
    if (request->except && request->except == link_peer_id(request->owner->link)) {
        end(request, ERR_NOT_FOUND); // it wants to know what others have
        return;
    }
    struct buf *open = m4f_request_write(&request->ask);
    request->channel = channel_open(request->owner->link, LINK_M4F, LINK_ARCHIVE, buf_bytes(open),
                                    &channel_events, request);
    buf_unref(&open);
    for (unsigned i = 1; i < request->asked; i++)
        send_next(request);
    watch_due(request);
}

static void on_dialled(void *arg)
{
    struct request *request = arg;
    link_watch_remove(request->owner->link, &request->dialling);
    open_channel(request);
}

static void on_not_dialled(void *arg, enum reason reason)
{
    (void)reason; // the link itself logs it
    end(arg, ERR_CLOSED);
}

// Whether the link is being dialled and has not failed yet: worth waiting for.
static bool is_dialling(const struct link *link)
{
    struct link_stats stats;
    link_get_stats(link, &stats);
    return !link_is_up(link) && stats.last_reason == REASON_NONE;
}

static struct request *request_new(struct history *history, const struct history_via *via,
                                   enum m4f_kind kind, int64_t from_us, int64_t to_us, void *arg)
{
    struct m4f_history *owner = (struct m4f_history *)history;
    struct request *request = mem_alloc(sizeof *request);
    request->base.history = history;
    request->owner = owner;
    request->arg = arg;
    request->wanted = 1;
    // One ahead, so that a round trip does not stand between two segments.
    request->asked = (kind == M4F_READ || kind == M4F_HEADS) && to_us - from_us > 1 ? 2 : 1;
    request->ask.kind = kind;
    request->ask.from_us = from_us > 0 ? from_us : 0;
    request->ask.to_us = to_us > 0 ? to_us : 0;
    request->ask.hops = via ? via->hops : 0;
    request->except = via ? via->peer : 0;
    memcpy(request->ask.name, owner->place.name, sizeof request->ask.name);
    timeout_init(&request->answer, owner->env->loop, on_answer_timeout, request);
    list_append(&owner->requests, &request->node);
    refresh_link(owner);
    if (request->ask.hops >= HISTORY_HOPS_MAX) {
        end(request, ERR_NOT_FOUND);
    } else if (is_dialling(owner->link)) {
        request->dialling =
            (struct link_watch){.on_up = on_dialled, .on_down = on_not_dialled, .arg = request};
        link_watch_add(owner->link, &request->dialling);
    } else {
        open_channel(request);
    }
    return request;
}

static struct history_request *ranges(struct history *history, const struct history_via *via,
                                      int64_t from_us, int64_t to_us, history_ranges_fn done,
                                      void *arg)
{
    struct request *request = request_new(history, via, M4F_RANGES, from_us, to_us, arg);
    request->on_ranges = done;
    return &request->base;
}

static struct history_request *list(struct history *history, const struct history_via *via,
                                    int64_t from_us, int64_t to_us, history_list_fn done, void *arg)
{
    struct request *request = request_new(history, via, M4F_LIST, from_us, to_us, arg);
    request->on_list = done;
    return &request->base;
}

static struct history_request *read_range(struct history *history, const struct history_via *via,
                                          int64_t from_us, int64_t to_us, enum history_what what,
                                          const struct history_events *events, void *arg)
{
    enum m4f_kind kind = what == HISTORY_HEADS ? M4F_HEADS : M4F_READ;
    struct request *request = request_new(history, via, kind, from_us, to_us, arg);
    request->events = events;
    return &request->base;
}

static void next(struct history_request *base)
{
    struct request *request = (struct request *)base;
    if (request->wanted)
        return;
    request->wanted = 1;
    send_next(request);
    watch_due(request);
    schedule(request);
}

static void cancel(struct history_request *base)
{
    struct request *request = (struct request *)base;
    if (!request->cancelled)
        request_drop(request);
}

static void close_history(struct history *history)
{
    struct m4f_history *gone = (struct m4f_history *)history;
    struct list_node *node;
    while ((node = list_first(&gone->requests)) != NULL) {
        struct request *request = LIST_OWNER(node, struct request, node);
        request->result = ERR_CANCELLED;
        finish(request);
    }
    link_release(&gone->link);
    mem_free(gone->key);
    mem_free(gone->own_key);
    mem_free(gone);
}

static const struct history_ops ops = {
    .name = "m4f",
    .ranges = ranges,
    .list = list,
    .read = read_range,
    .next = next,
    .cancel = cancel,
    .close = close_history,
};

struct history *m4f_history(const struct protocol_env *env, const struct input_conf *input,
                            const char *stream_name)
{
    (void)stream_name; // the far name is in the url
    struct m4f_place place;
    const char *why;
    if (m4f_place_parse(input->url, &place, &why) != 0)
        return NULL;
    const char *key = input_conf_get(input, "cluster_key");
    struct m4f_history *history = mem_alloc(sizeof *history);
    history->history.ops = &ops;
    history->env = env;
    history->place = place;
    list_init(&history->requests);
    history->own_key = key ? mem_strdup(key) : NULL;
    refresh_link(history); // now: the first request should not have to dial
    return &history->history;
}
