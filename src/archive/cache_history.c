// SPDX-License-Identifier: MIT
// What a cache keeps of a stream, as a history. Segments are read one after another, a file each:
// its segment and its tail, or the tail alone for heads. One that is not what was written is
// removed and left out: who reads asks others for it.
//
// States of a request: WAITING (for the scan, or for a file being written) -> IDLE -> (opening,
// body, tail) -> given, IDLE ... ; ended or cancelled at any time. Callbacks come from the loop
// only, and close.
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cache_priv.h"
#include "format/cmaf.h"

// A disk that does not answer for so long is left alone; a scan may take longer.
#define READ_US (3 * US_PER_S)
#define SCAN_US (5 * US_PER_S)

enum kind { RANGES, LIST, READ };

struct cache_history {
    struct history history;
    struct cached_stream *stream;
    struct list requests;
};

struct cache_request {
    struct history_request base;
    struct list_node node, waiting; // of the history, of the cache
    struct cache_history *owner;
    enum kind kind;
    int64_t from_us, to_us;
    void *arg;
    history_ranges_fn on_ranges;
    history_list_fn on_list;
    enum history_what what;
    const struct history_events *events;
    int64_t last_us; // start of the one that was given or left out last
    struct segment_info info;
    uint32_t tail;
    struct file *file;
    struct file_op *op;
    struct buf *body;
    bool wanted, busy;
    struct timeout patience;
    struct defer work, freeing;
};

static void work(void *arg);

static struct cache *cache_of(const struct cache_request *request)
{
    return request->owner->stream->cache;
}

static struct loop *loop_of(const struct cache_request *request)
{
    return cache_of(request)->owner->loop;
}

static void request_free(void *arg)
{
    mem_free(arg);
}

static void let_go_of_file(struct cache_request *request)
{
    file_op_cancel(&request->op);
    file_close(&request->file);
    buf_unref(&request->body);
    timeout_stop(&request->patience);
    request->busy = false;
}

static void drop(struct cache_request *request)
{
    let_go_of_file(request);
    list_remove(&request->owner->requests, &request->node);
    if (list_linked(&request->waiting))
        list_remove(&cache_of(request)->waiting, &request->waiting);
    loop_defer_cancel(loop_of(request), &request->work);
    loop_defer(loop_of(request), &request->freeing, request_free, request);
}

static void finish(struct cache_request *request, int err)
{
    drop(request);
    if (request->kind == RANGES)
        request->on_ranges(request->arg, err, NULL, 0);
    else if (request->kind == LIST)
        request->on_list(request->arg, err, NULL, 0, false);
    else
        request->events->on_end(request->arg, err);
}

static void on_patience(void *arg)
{
    struct cache_request *request = arg;
    if (request->busy)
        cache_failed(cache_of(request), ETIMEDOUT);
    finish(request, ERR_TIMEOUT);
}

// ---- lists and ranges --------------------------------------------------------------------------

static void answer_list(struct cache_request *request)
{
    const struct cached_stream *stream = request->owner->stream;
    size_t first = cached_find(stream, request->from_us), count = 0;
    struct segment_info *infos = mem_alloc((stream->count - first + 1) * sizeof *infos);
    bool cut = false;
    for (size_t i = first; i < stream->count && !cut; i++) {
        const struct cached *cached = stream->at[i];
        if (cached->info.utc_start_us >= request->to_us)
            break;
        cut = count == HISTORY_LIST_MAX;
        if (!cut)
            infos[count++] = cached->info;
    }
    drop(request);
    request->on_list(request->arg, 0, infos, count, cut);
    mem_free(infos);
}

static void answer_ranges(struct cache_request *request)
{
    const struct cached_stream *stream = request->owner->stream;
    size_t first = cached_find(stream, request->from_us), count = 0;
    struct history_range *ranges = mem_alloc((stream->count - first + 1) * sizeof *ranges);
    for (size_t i = first; i < stream->count && count < HISTORY_RANGES_MAX; i++) {
        const struct segment_info *info = &stream->at[i]->info;
        int64_t end_us = info->utc_start_us + info->duration_us;
        if (info->utc_start_us >= request->to_us)
            break;
        enum reason reason = info->flags & SEGMENT_THINNED ? REASON_THINNED : REASON_NONE;
        struct history_range *last = count > 0 ? &ranges[count - 1] : NULL;
        bool follows = last && info->utc_start_us <= last->to_us + 100000;
        if (follows && end_us <= last->to_us)
            continue;
        if (follows && reason == last->reason)
            last->to_us = end_us;
        else
            ranges[count++] =
                (struct history_range){follows ? last->to_us : info->utc_start_us, end_us, reason};
    }
    drop(request);
    request->on_ranges(request->arg, 0, ranges, count);
    mem_free(ranges);
}

// ---- reading -----------------------------------------------------------------------------------

// The file is not what was written, or not there.
static void leave_out(struct cache_request *request, const struct file_result *result)
{
    const struct cached_stream *stream = request->owner->stream;
    size_t at = cached_find(stream, request->info.utc_start_us);
    bool refused = result && result->err != 0 && result->err != ERR_NOT_FOUND;
    let_go_of_file(request);
    if (at < stream->count && stream->at[at]->info.utc_start_us == request->info.utc_start_us &&
        stream->at[at]->info.bytes == request->info.bytes && !stream->at[at]->writing) {
        stream->cache->stats.damaged++;
        cache_remove(stream->at[at]);
    }
    if (refused)
        cache_failed(stream->cache, result->os_error);
    loop_later(loop_of(request), &request->work, work, request);
}

static int give_segment(struct cache_request *request, struct tracks *tracks)
{
    struct segment *segment;
    int err = cmaf_segment_from_bytes(&request->body, tracks, &segment);
    if (err == 0 && (segment->info.utc_start_us != request->info.utc_start_us ||
                     segment->info.number != request->info.number)) {
        segment_unref(&segment);
        err = ERR_INVALID;
    }
    if (err != 0)
        return err;
    segment->info.duration_us = request->info.duration_us;
    let_go_of_file(request);
    cache_of(request)->stats.hits++;
    cache_of(request)->stats.hit_bytes += request->info.bytes;
    request->wanted = false;
    request->events->on_segment(request->arg, &segment);
    return 0;
}

static void on_tail(void *arg, const struct file_result *result)
{
    struct cache_request *request = arg;
    struct bytes init, heads;
    struct tracks *tracks;
    request->op = NULL;
    if (result->err != 0 || result->data->length != request->tail ||
        cache_tail_parse(buf_bytes(result->data), &init, &heads) != 0 ||
        cmaf_init_parse(init, &tracks) != 0) {
        leave_out(request, result);
        return;
    }
    tracks->generation = request->info.generation;
    if (request->what == HISTORY_HEADS) {
        struct segment_info info = request->info;
        let_go_of_file(request);
        cache_of(request)->stats.hits++;
        cache_of(request)->stats.hit_bytes += heads.length;
        request->wanted = false;
        request->events->on_heads(request->arg, &info, tracks, heads);
    } else if (give_segment(request, tracks) != 0) {
        leave_out(request, NULL);
    }
    tracks_unref(&tracks);
}

static void read_tail(struct cache_request *request)
{
    request->op = file_read(request->file, request->info.bytes, request->tail, on_tail, request);
    if (!request->op)
        finish(request, ERR_LIMIT);
}

static void on_body(void *arg, const struct file_result *result)
{
    struct cache_request *request = arg;
    request->op = NULL;
    if (result->err != 0 || result->data->length != request->info.bytes) {
        leave_out(request, result);
        return;
    }
    request->body = buf_ref(result->data);
    read_tail(request);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct cache_request *request = arg;
    request->op = NULL;
    request->file = result->file;
    if (result->err != 0 || request->tail <= CACHE_TAIL_HEAD) {
        leave_out(request, result);
    } else if (request->what == HISTORY_HEADS) {
        read_tail(request);
    } else {
        request->op = file_read(request->file, 0, request->info.bytes, on_body, request);
        if (!request->op)
            finish(request, ERR_LIMIT);
    }
}

// For the end of the scan, or of a writing: cache_requests_wake.
static void wait_for_cache(struct cache_request *request, int64_t most_us)
{
    if (!list_linked(&request->waiting))
        list_append(&cache_of(request)->waiting, &request->waiting);
    timeout_start(&request->patience, most_us);
}

static void read_next(struct cache_request *request)
{
    const struct cached_stream *stream = request->owner->stream;
    char path[CACHE_PATH_ROOM];
    size_t at = cached_find(stream, request->from_us);
    while (at < stream->count && stream->at[at]->info.utc_start_us <= request->last_us)
        at++;
    if (at == stream->count || stream->at[at]->info.utc_start_us >= request->to_us ||
        cache_paused(stream->cache)) {
        finish(request, at == stream->count ? 0 : ERR_NOT_FOUND);
        return;
    }
    const struct cached *cached = stream->at[at];
    if (cached->writing) {
        wait_for_cache(request, READ_US);
        return;
    }
    request->info = cached->info;
    request->tail = cached->tail;
    request->from_us = request->last_us = cached->info.utc_start_us;
    request->busy = true;
    cache_file_path(cached, path);
    timeout_start(&request->patience, READ_US);
    request->op = file_open(stream->cache->reads, path, O_RDONLY, 0, on_open, request);
    if (!request->op)
        finish(request, ERR_LIMIT);
}

static void work(void *arg)
{
    struct cache_request *request = arg;
    if (cache_of(request)->scan) {
        wait_for_cache(request, SCAN_US);
        return;
    }
    timeout_stop(&request->patience);
    if (request->kind != READ && cache_paused(cache_of(request)))
        finish(request, 0);
    else if (request->kind == LIST)
        answer_list(request);
    else if (request->kind == RANGES)
        answer_ranges(request);
    else if (request->wanted && !request->busy)
        read_next(request);
}

void cache_requests_wake(struct cache *cache)
{
    struct list_node *node;
    while ((node = list_take_first(&cache->waiting)) != NULL) {
        struct cache_request *request = LIST_OWNER(node, struct cache_request, waiting);
        loop_later(cache->owner->loop, &request->work, work, request);
    }
}

// ---- the table ---------------------------------------------------------------------------------

static struct cache_request *request_new(struct history *history, enum kind kind, int64_t from_us,
                                         int64_t to_us, void *arg)
{
    struct cache_history *owner = (struct cache_history *)history;
    struct cache_request *request = mem_alloc(sizeof *request);
    request->base.history = history;
    request->owner = owner;
    request->kind = kind;
    request->from_us = from_us;
    request->to_us = to_us;
    request->last_us = INT64_MIN;
    request->arg = arg;
    request->wanted = true;
    timeout_init(&request->patience, owner->stream->cache->owner->loop, on_patience, request);
    list_append(&owner->requests, &request->node);
    loop_later(loop_of(request), &request->work, work, request);
    return request;
}

static struct history_request *op_ranges(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, history_ranges_fn done,
                                         void *arg)
{
    struct cache_request *request = request_new(history, RANGES, from_us, to_us, arg);
    (void)via;
    request->on_ranges = done;
    return &request->base;
}

static struct history_request *op_list(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, history_list_fn done,
                                       void *arg)
{
    struct cache_request *request = request_new(history, LIST, from_us, to_us, arg);
    (void)via;
    request->on_list = done;
    return &request->base;
}

static struct history_request *op_read(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, enum history_what what,
                                       const struct history_events *events, void *arg)
{
    struct cache_request *request = request_new(history, READ, from_us, to_us, arg);
    (void)via;
    request->what = what;
    request->events = events;
    return &request->base;
}

static void op_next(struct history_request *base)
{
    struct cache_request *request = (struct cache_request *)base;
    request->wanted = true;
    loop_later(loop_of(request), &request->work, work, request);
}

static void op_cancel(struct history_request *base)
{
    drop((struct cache_request *)base);
}

static void op_keep(struct history *history, struct segment *segment)
{
    cache_keep(((struct cache_history *)history)->stream, segment);
}

static void op_close(struct history *history)
{
    struct cache_history *gone = (struct cache_history *)history;
    while (!list_empty(&gone->requests))
        finish(LIST_OWNER(list_first(&gone->requests), struct cache_request, node), ERR_CANCELLED);
    cache_let_go(gone->stream->cache);
    mem_free(gone);
}

static const struct history_ops ops = {.name = "cache",
                                       .ranges = op_ranges,
                                       .list = op_list,
                                       .read = op_read,
                                       .next = op_next,
                                       .cancel = op_cancel,
                                       .keep = op_keep,
                                       .close = op_close};

struct history *cache_history_new(struct cached_stream *stream)
{
    struct cache_history *history = mem_alloc(sizeof *history);
    history->history.ops = &ops;
    history->stream = stream;
    list_init(&history->requests);
    return &history->history;
}
