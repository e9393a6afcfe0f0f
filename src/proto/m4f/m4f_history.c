// SPDX-License-Identifier: MIT
// The past of a stream at another server: each request is a channel of the shared link, below live
// in class. The receiver sets the pace: the request asks for the first segment, each NEXT for one more;
// one is asked for ahead, so that a round trip does not stand between two segments.
//
// States of a request: ASKED -> (segments) -> ENDED (end or closed came; on_end is called once the last
// segment held has been taken) ; cancelled at any time.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "io/loop.h"
#include "link/link.h"
#include "m4f_priv.h"

struct m4f_history {
    struct history history;
    const struct protocol_env *env;
    struct link *link;
    struct list requests;
    struct m4f_place place;
};

struct request {
    struct history_request base;
    struct list_node node;
    struct m4f_history *owner;
    struct channel *channel; // NULL after it closed
    enum m4f_kind kind;
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
    unsigned wanted; // segments the caller waits for: 0 or 1
    bool ended, cancelled;
    int result;
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

// Out of the owner's list; the memory goes at the end of the turn, because callers may be above us.
static void request_drop(struct request *request)
{
    request->cancelled = true;
    list_remove(&request->owner->requests, &request->node);
    channel_close(&request->channel, REASON_DONE);
    loop_defer_cancel(request->owner->env->loop, &request->defer);
    loop_defer(request->owner->env->loop, &request->freeing, request_free, request);
}

static void finish(struct request *request)
{
    int result = request->result;
    void *arg = request->arg;
    request->cancelled = true; // nothing is called after this
    list_remove(&request->owner->requests, &request->node);
    channel_close(&request->channel, REASON_DONE);
    if (request->kind == M4F_RANGES)
        request->on_ranges(arg, result, request->ranges, result ? 0 : request->count);
    else if (request->kind == M4F_LIST)
        request->on_list(arg, result, request->infos, result ? 0 : request->count, request->cut);
    else
        request->events->on_end(arg, result);
    loop_defer_cancel(request->owner->env->loop, &request->defer);
    loop_defer(request->owner->env->loop, &request->freeing, request_free, request);
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
    if (request->kind == M4F_HEADS) {
        request->events->on_heads(request->arg, &info, tracks, buf_bytes(body));
    } else if (cmaf_segment_from_bytes(&body, tracks, &segment) == 0) {
        segment->info = info;
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
    schedule(request);
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
    if (message.type == M4F_END) {
        end(request, message.result);
    } else if (message.type == M4F_RANGE_LIST && request->kind == M4F_RANGES) {
        if (!grow(request, (void **)&request->ranges, sizeof *request->ranges, message.count,
                  HISTORY_RANGES_MAX)) {
            end(request, 0);
            return;
        }
        memcpy(request->ranges + request->count, message.ranges,
               message.count * sizeof *request->ranges);
        request->count += message.count;
    } else if (message.type == M4F_INFOS && request->kind == M4F_LIST) {
        if (!grow(request, (void **)&request->infos, sizeof *request->infos, message.count,
                  HISTORY_LIST_MAX)) {
            request->cut = true;
            end(request, 0);
            return;
        }
        memcpy(request->infos + request->count, message.infos,
               message.count * sizeof *request->infos);
        request->count += message.count;
    } else if (request->kind == M4F_READ || request->kind == M4F_HEADS) {
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

static void ask_next(struct request *request)
{
    if (!request->channel)
        return;
    struct chain message = {0};
    m4f_next_write(&message);
    channel_send(request->channel, &message);
}

static struct request *request_new(struct history *history, enum m4f_kind kind, int64_t from_us,
                                   int64_t to_us, void *arg)
{
    struct m4f_history *owner = (struct m4f_history *)history;
    struct request *request = mem_alloc(sizeof *request);
    request->base.history = history;
    request->owner = owner;
    request->kind = kind;
    request->arg = arg;
    request->wanted = 1;
    list_append(&owner->requests, &request->node);
    struct m4f_request ask = {.kind = kind, .from_us = from_us > 0 ? from_us : 0,
                              .to_us = to_us > 0 ? to_us : 0};
    memcpy(ask.name, owner->place.name, sizeof ask.name);
    struct buf *open = m4f_request_write(&ask);
    request->channel = channel_open(owner->link, LINK_M4F, LINK_ARCHIVE, buf_bytes(open),
                                    &channel_events, request);
    buf_unref(&open);
    return request;
}

static struct history_request *ranges(struct history *history, int64_t from_us, int64_t to_us,
                                      history_ranges_fn done, void *arg)
{
    struct request *request = request_new(history, M4F_RANGES, from_us, to_us, arg);
    request->on_ranges = done;
    return &request->base;
}

static struct history_request *list(struct history *history, int64_t from_us, int64_t to_us,
                                    history_list_fn done, void *arg)
{
    struct request *request = request_new(history, M4F_LIST, from_us, to_us, arg);
    request->on_list = done;
    return &request->base;
}

static struct history_request *read_range(struct history *history, int64_t from_us, int64_t to_us,
                                          enum history_what what,
                                          const struct history_events *events, void *arg)
{
    enum m4f_kind kind = what == HISTORY_HEADS ? M4F_HEADS : M4F_READ;
    struct request *request = request_new(history, kind, from_us, to_us, arg);
    request->events = events;
    if (to_us - from_us > 1)
        ask_next(request); // one ahead
    return &request->base;
}

static void next(struct history_request *base)
{
    struct request *request = (struct request *)base;
    if (request->wanted)
        return;
    request->wanted = 1;
    ask_next(request);
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
    LIST_FOREACH(&gone->requests, it, after)
    {
        struct request *request = LIST_OWNER(it, struct request, node);
        request->ended = true;
        request->result = ERR_CANCELLED;
        finish(request);
    }
    link_release(&gone->link);
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
    history->link = link_hold(env->links, place.host, place.port, key ? key : env->cluster_key);
    return &history->history;
}
