// SPDX-License-Identifier: MIT
// Requests that wait for a stream: until it is live, until its window is there, until a segment has
// been fetched.
#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "stream_priv.h"

// ---- waiters -----------------------------------------------------------------------------------

static bool satisfied(const struct stream *stream, enum stream_need need)
{
    if (need == STREAM_NEED_WINDOW)
        return live_has_window(stream);
    return stream->live && stream->live->tracks[0];
}

int stream_wait(struct stream *stream, enum stream_need need, int64_t timeout_us,
                struct stream_waiter *waiter, void (*on_ready)(void *, enum reason), void *arg)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    if (stream->waiters.count >= STREAM_WAITERS_MAX)
        return ERR_LIMIT;
    *waiter = (struct stream_waiter){
        .stream = stream,
        .need = need,
        .due_us = now_us() + timeout_us,
        .on_ready = on_ready,
        .arg = arg,
    };
    list_append(&stream->waiters, &waiter->node);
    stream_start(stream);
    stream_activate(stream);
    stream_news(stream); // the end of the turn looks at the waiters
    return 0;
}

void stream_wait_cancel(struct stream_waiter *waiter)
{
    if (!waiter->stream)
        return;
    list_remove(&waiter->stream->waiters, &waiter->node);
    waiter->stream = NULL;
}

static void answer(struct stream_waiter *waiter, enum reason reason)
{
    stream_wait_cancel(waiter);
    waiter->on_ready(waiter->arg, reason);
}

// Marks the stream; the answers are given at the end of the turn, by stream.c's hook.
void waiters_check(struct stream *stream)
{
    if (stream->waiters.count)
        stream_news(stream);
}

void waiters_answer(struct stream *stream)
{
    LIST_FOREACH(&stream->waiters, it, after)
    {
        struct stream_waiter *waiter = LIST_OWNER(it, struct stream_waiter, node);
        if (satisfied(stream, waiter->need))
            answer(waiter, REASON_NONE);
    }
}

void waiters_tick(struct stream *stream, int64_t mono_us)
{
    LIST_FOREACH(&stream->waiters, it, after)
    {
        struct stream_waiter *waiter = LIST_OWNER(it, struct stream_waiter, node);
        if (mono_us >= waiter->due_us) {
            enum reason why = stream->stats.last_reason;
            answer(waiter, why == REASON_NONE ? REASON_TIMEOUT : why);
        }
    }
}

void waiters_fail(struct stream *stream, enum reason reason)
{
    while (stream->waiters.count)
        answer(LIST_OWNER(list_first(&stream->waiters), struct stream_waiter, node), reason);
}

// ---- fetching a segment
// ---------------------------------------------------------------------------- A load is one read
// from history (or one look into the window); the fetches of a segment join it.

struct segment_load {
    struct list_node node; // in stream->fetches
    struct stream *stream;
    struct history_via via; // zeroes: for viewers here
    int64_t utc_start_ms;
    struct history_request *request; // NULL when done or not needed
    struct segment *found;           // one reference
    int err;
    bool done;
    struct list fetches;
    struct defer answering;
};

struct segment_fetch {
    struct list_node node;
    struct segment_load *load;
    void (*on_done)(void *arg, int err, struct segment **segment);
    void *arg;
};

static void load_free(struct segment_load *load)
{
    history_cancel(&load->request);
    loop_defer_cancel(load->stream->owner->loop, &load->answering);
    list_remove(&load->stream->fetches, &load->node);
    segment_unref(&load->found);
    mem_free(load);
}

static void load_answer(void *arg)
{
    struct segment_load *load = arg;
    struct list_node *node;
    while ((node = list_take_first(&load->fetches)) != NULL) {
        struct segment_fetch *fetch = LIST_OWNER(node, struct segment_fetch, node);
        struct segment *segment = load->found ? segment_ref(load->found) : NULL;
        void (*on_done)(void *, int, struct segment **) = fetch->on_done;
        void *fetch_arg = fetch->arg;
        mem_free(fetch);
        on_done(fetch_arg, load->err, &segment);
        segment_unref(&segment);
    }
    load_free(load);
}

static void load_done(struct segment_load *load, int err)
{
    load->done = true;
    load->err = load->found ? 0 : err ? err : ERR_NOT_FOUND;
    if (load->found && load->stream->live) {
        struct window_entry *entry = live_find(load->stream, load->utc_start_ms);
        if (entry && !entry->segment)
            entry->segment = segment_ref(load->found);
    }
    loop_defer(load->stream->owner->loop, &load->answering, load_answer, load);
}

static void on_segment(void *arg, struct segment **segment)
{
    struct segment_load *load = arg;
    struct segment *given = *segment;
    *segment = NULL;
    if (!load->found && given->info.utc_start_us / US_PER_MS == load->utc_start_ms) {
        load->found = given;
        history_cancel(&load->request);
        load_done(load, 0);
        return;
    }
    segment_unref(&given);
    history_next(load->request);
}

static void on_end(void *arg, int err)
{
    struct segment_load *load = arg;
    load->request = NULL;
    load_done(load, err);
}

static const struct history_events load_events = {.on_segment = on_segment, .on_end = on_end};

static struct segment_load *load_begin(struct stream *stream, const struct history_via *via,
                                       int64_t utc_start_ms)
{
    struct segment_load *load = mem_alloc(sizeof *load);
    load->stream = stream;
    load->via = via ? *via : (struct history_via){0};
    load->utc_start_ms = utc_start_ms;
    list_init(&load->fetches);
    list_append(&stream->fetches, &load->node);
    struct segment *here = stream_find_segment(stream, utc_start_ms);
    struct history *history = stream_history(stream);
    if (here) {
        load->found = segment_ref(here);
        load_done(load, 0);
    } else if (!history) {
        load_done(load, ERR_NOT_FOUND);
    } else {
        // Names have milliseconds, starts have microseconds: the last one of that millisecond.
        int64_t from_us = utc_start_ms * US_PER_MS + US_PER_MS - 1;
        load->request =
            history_read_via(history, via, from_us, from_us + 1, HISTORY_WHOLE, &load_events, load);
    }
    return load;
}

// Those for different servers do not join: each may be asked by the other.
static bool joins(const struct segment_load *load, const struct history_via *via,
                  int64_t utc_start_ms)
{
    return load->utc_start_ms == utc_start_ms && !load->done &&
           load->via.peer == (via ? via->peer : 0) && load->via.hops == (via ? via->hops : 0);
}

struct segment_fetch *stream_fetch_segment(struct stream *stream, int64_t utc_start_ms,
                                           void (*on_done)(void *, int, struct segment **),
                                           void *arg)
{
    return stream_fetch_segment_via(stream, NULL, utc_start_ms, on_done, arg);
}

struct segment_fetch *stream_fetch_segment_via(struct stream *stream, const struct history_via *via,
                                               int64_t utc_start_ms,
                                               void (*on_done)(void *, int, struct segment **),
                                               void *arg)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    struct segment_load *load = NULL;
    LIST_FOREACH(&stream->fetches, it, after)
    {
        struct segment_load *other = LIST_OWNER(it, struct segment_load, node);
        if (joins(other, via, utc_start_ms))
            load = other;
    }
    if (!load)
        load = load_begin(stream, via, utc_start_ms);
    struct segment_fetch *fetch = mem_alloc(sizeof *fetch);
    fetch->load = load;
    fetch->on_done = on_done;
    fetch->arg = arg;
    list_append(&load->fetches, &fetch->node);
    return fetch;
}

void segment_fetch_cancel(struct segment_fetch **fetch)
{
    struct segment_fetch *gone = *fetch;
    *fetch = NULL;
    if (!gone)
        return;
    struct segment_load *load = gone->load;
    list_remove(&load->fetches, &gone->node);
    mem_free(gone);
    if (list_empty(&load->fetches) && !load->done)
        load_free(load); // nobody waits for it any more: the far server need not send it
}

void fetches_fail(struct stream *stream)
{
    LIST_FOREACH(&stream->fetches, it, after)
    {
        struct segment_load *load = LIST_OWNER(it, struct segment_load, node);
        history_cancel(&load->request);
        load->err = load->found ? 0 : ERR_CLOSED;
        load_answer(load);
    }
}
