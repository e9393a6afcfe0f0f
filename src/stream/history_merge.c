// SPDX-License-Identifier: MIT
// A request has two stages. PLANNING: the holders are asked one after another what they have, and
// the plan is made of it. Then a list or ranges are answered; a reading WALKS the plan: runs of
// items of one holder are one request to it.
//
// 1. At most one request to a holder is under way for a request here (`asked`).
// 2. Callbacks to who asked come from work() or from a callback of a holder, never from inside the
//    functions of history.h but close.
// 3. After a callback the request may be gone: nothing is touched after it.
// 4. An item is tried at each holder at most once; a holder that failed is not tried again.
#include "history_merge.h"

#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "history_plan.h"
#include "io/loop.h"

enum kind { RANGES, LIST, READ };

struct merge {
    struct history history;
    struct loop *loop;
    struct history_holder holder[HISTORY_HOLDERS_MAX];
    unsigned count;
    struct list requests;
};

struct request {
    struct history_request base;
    struct list_node node;
    struct merge *merge;
    enum kind kind;
    bool via_set;
    struct history_via via;
    int64_t from_us, to_us;
    void *arg;
    history_ranges_fn on_ranges;
    history_list_fn on_list;
    enum history_what what;
    const struct history_events *events;
    struct history_request *asked; // of a holder
    unsigned holder;               // it, or who is asked next
    bool planned;
    bool single;     // one segment is asked for by its time
    uint16_t failed; // holders that could not answer, by bit
    int err;         // why the last of them
    struct plan plan;
    struct plan_ranges ranges;
    struct segment_info *copies;
    size_t copy_count;
    // The walk.
    size_t at, run_end; // the next item to give; `asked` reads up to run_end
    bool wild;          // read from the last holder, whatever it has
    bool wanted;
    bool gap; // one was left out
    struct defer work, freeing;
};

static void work(void *arg);

static void request_free(void *arg)
{
    mem_free(arg);
}

// Nothing is called after this; the memory goes at the end of the turn.
static void drop(struct request *request)
{
    struct loop *loop = request->merge->loop;
    list_remove(&request->merge->requests, &request->node);
    history_cancel(&request->asked);
    loop_defer_cancel(loop, &request->work);
    loop_defer(loop, &request->freeing, request_free, request);
}

static void finish(struct request *request, int err)
{
    struct plan plan = request->plan;
    struct plan_ranges ranges = request->ranges;
    struct segment_info *infos = request->copies;
    drop(request);
    if (request->kind == RANGES) {
        request->on_ranges(request->arg, err, ranges.range, err ? 0 : ranges.count);
    } else if (request->kind == READ) {
        request->events->on_end(request->arg, err);
    } else {
        size_t count = err ? 0 : plan.count;
        infos = mem_resize(infos, (count + 1) * sizeof *infos);
        for (size_t i = 0; i < count; i++)
            infos[i] = plan.item[i].info;
        request->on_list(request->arg, err, infos, count, plan.cut);
    }
    mem_free(infos);
    plan_fini(&plan);
    plan_ranges_fini(&ranges);
}

static const struct history_via *via_of(const struct request *request)
{
    return request->via_set ? &request->via : NULL;
}

static uint16_t bit(unsigned holder)
{
    return (uint16_t)(1u << holder);
}

static void note_failure(struct request *request, int err)
{
    bool copy = request->merge->holder[request->holder].kind == HOLDER_COPY;
    if (err == 0 || err == ERR_NOT_FOUND || (copy && !request->planned))
        return; // a cache that cannot be asked has nothing
    request->failed |= bit(request->holder);
    request->err = err;
}

static int copy_of(const struct merge *merge)
{
    for (unsigned i = 0; i < merge->count; i++)
        if (merge->holder[i].kind == HOLDER_COPY)
            return (int)i;
    return -1;
}

// ---- planning ----------------------------------------------------------------------------------

static void plan_on(struct request *request);

static void on_listed(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct request *request = arg;
    request->asked = NULL;
    note_failure(request, err);
    bool copies = request->merge->holder[request->holder].kind == HOLDER_COPY && !request->single;
    if (err == 0 && copies) {
        request->copies = mem_dup(infos, count * sizeof *infos);
        request->copy_count = count;
    } else if (err == 0) {
        plan_add(&request->plan, infos, count, cut, request->holder);
    }
    request->holder++;
    plan_on(request);
}

static void on_ranged(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct request *request = arg;
    request->asked = NULL;
    if (request->holder < request->merge->count)
        note_failure(request, err);
    if (err == 0)
        plan_ranges_add(&request->ranges, ranges, count);
    request->holder++;
    plan_on(request);
}

// A single segment is known when it is there whole, with all its pictures: a cache and other
// servers have no others, and here the next one follows.
static bool is_found(const struct request *request)
{
    const struct plan *plan = &request->plan;
    size_t i = plan_find(plan, request->from_us);
    if (i >= plan->count || plan->item[i].info.utc_start_us > request->from_us)
        return false;
    const struct segment_info *info = &plan->item[i].info;
    if (info->flags & SEGMENT_THINNED)
        return false;
    return request->merge->holder[plan->item[i].holder].kind != HOLDER_OWN ||
           (i + 1 < plan->count && plan->item[i + 1].info.utc_start_us <=
                                       info->utc_start_us + info->duration_us + PLAN_HOLE_US);
}

// What the next holder is asked about; false: nothing is missing.
static bool missing(const struct request *request, struct history_range *stretch)
{
    const struct history_holder *holder = &request->merge->holder[request->holder];
    *stretch = (struct history_range){request->from_us, request->to_us, REASON_NONE};
    if (request->kind == RANGES)
        return plan_ranges_hole(&request->ranges, request->from_us, request->to_us, stretch);
    if (request->single) {
        if (holder->kind == HOLDER_OWN)
            stretch->to_us += SEGMENT_DURATION_MAX_US;
        return !is_found(request);
    }
    struct history_range hole;
    if (!plan_hole(&request->plan, request->from_us, request->to_us, &hole))
        return false;
    if (holder->kind != HOLDER_COPY) // whose list is held against that of the others
        *stretch = hole;
    return true;
}

// A cache has what was fetched once: whether it is still to be had is for the others to say, unless
// they cannot.
static void settle_copies(struct request *request)
{
    int copy = copy_of(request->merge);
    if (copy < 0 || request->copy_count == 0)
        return;
    if (request->failed)
        plan_add(&request->plan, request->copies, request->copy_count, false, (unsigned)copy);
    plan_use_copies(&request->plan, request->copies, request->copy_count, (unsigned)copy,
                    (unsigned)copy);
}

static void plan_done(struct request *request)
{
    request->planned = true;
    settle_copies(request);
    plan_mark(&request->plan);
    bool empty = request->kind == RANGES ? request->ranges.count == 0 : request->plan.count == 0;
    if (request->kind == READ && (request->wild || !(empty && request->err))) {
        request->at = plan_find(&request->plan, request->from_us);
        while (request->plan.count > request->at &&
               request->plan.item[request->plan.count - 1].info.utc_start_us >= request->to_us)
            request->plan.count--; // of a longer look for a single one
        work(request);
    } else {
        finish(request, empty ? request->err : 0);
    }
}

// Asks the next holder that is needed, or ends the planning.
static void plan_on(struct request *request)
{
    struct merge *merge = request->merge;
    struct history_range stretch;
    for (; request->holder < merge->count; request->holder++) {
        const struct history_holder *holder = &merge->holder[request->holder];
        bool last = request->holder + 1 == merge->count;
        bool skipped = request->kind == RANGES && holder->kind == HOLDER_COPY;
        if (skipped || !missing(request, &stretch))
            continue;
        if (request->single && last && request->plan.count == 0) {
            request->wild = true; // it need not be listed to be read
            continue;
        }
        if (request->kind == RANGES)
            request->asked = history_ranges_via(holder->history, via_of(request), stretch.from_us,
                                                stretch.to_us, on_ranged, request);
        else
            request->asked = history_list_via(holder->history, via_of(request), stretch.from_us,
                                              stretch.to_us, on_listed, request);
        return;
    }
    int copy = copy_of(merge);
    if (request->kind == RANGES && request->failed && copy >= 0 &&
        request->holder == merge->count) {
        // Its turn comes last, when others could not answer. Counted on in on_ranged: done then.
        request->asked = history_ranges_via(merge->holder[copy].history, via_of(request),
                                            request->from_us, request->to_us, on_ranged, request);
        return;
    }
    plan_done(request);
}

// ---- walking -----------------------------------------------------------------------------------

static void wake(struct request *request)
{
    loop_defer(request->merge->loop, &request->work, work, request);
}

static struct plan_item *current(struct request *request)
{
    return &request->plan.item[request->at];
}

// The item that this is, when it is the next one. A holder that gives a later one has left it out.
static bool is_current(struct request *request, const struct segment_info *info)
{
    if (request->wild)
        return true;
    const struct segment_info *due = &current(request)->info;
    if (info->utc_start_us == due->utc_start_us && info->number == due->number)
        return true;
    if (info->utc_start_us < due->utc_start_us) {
        history_next(request->asked);
        return false;
    }
    current(request)->tried |= bit(request->holder);
    history_cancel(&request->asked);
    wake(request);
    return false;
}

// What is given says where it is not continuous.
static uint8_t flags_now(struct request *request, uint8_t flags)
{
    if (!request->wild)
        flags |= current(request)->info.flags & SEGMENT_DISCONTINUITY;
    if (request->gap)
        flags |= SEGMENT_DISCONTINUITY;
    request->gap = request->wanted = false;
    request->at += !request->wild;
    if (!request->wild && request->at == request->run_end)
        history_cancel(&request->asked);
    return flags;
}

static void on_segment(void *arg, struct segment **given)
{
    struct request *request = arg;
    struct merge *merge = request->merge;
    struct segment *segment = *given;
    int copy = copy_of(merge);
    *given = NULL;
    if (!is_current(request, &segment->info)) {
        segment_unref(&segment);
        return;
    }
    if (merge->holder[request->holder].kind == HOLDER_FAR && copy >= 0)
        history_keep(merge->holder[copy].history, segment);
    segment->info.flags = flags_now(request, segment->info.flags);
    request->events->on_segment(request->arg, &segment);
}

static void on_heads(void *arg, const struct segment_info *given, struct tracks *tracks,
                     struct bytes heads)
{
    struct request *request = arg;
    struct segment_info info = *given;
    if (!is_current(request, &info))
        return;
    info.flags = flags_now(request, info.flags);
    request->events->on_heads(request->arg, &info, tracks, heads);
}

static void on_end(void *arg, int err)
{
    struct request *request = arg;
    request->asked = NULL;
    if (request->wild) {
        finish(request, err);
        return;
    }
    note_failure(request, err);
    if (request->at < request->run_end)
        current(request)->tried |= bit(request->holder);
    work(request);
}

static const struct history_events events = {
    .on_segment = on_segment, .on_heads = on_heads, .on_end = on_end};

static bool may_try(const struct request *request, const struct plan_item *item, unsigned holder)
{
    return !((item->tried | request->failed) & bit(holder));
}

static void read_from(struct request *request, unsigned holder, int64_t from_us, int64_t to_us)
{
    request->holder = holder;
    request->asked = history_read_via(request->merge->holder[holder].history, via_of(request),
                                      from_us, to_us, request->what, &events, request);
}

// Items that follow one another at one holder are one reading.
static void start_run(struct request *request)
{
    const struct plan_item *item = current(request);
    size_t end = request->at + 1;
    while (end < request->plan.count && request->plan.item[end].holder == item->holder)
        end++;
    request->run_end = end;
    read_from(request, item->holder, item->info.utc_start_us,
              request->plan.item[end - 1].info.utc_start_us + 1);
}

// At the holder of the plan, or at one of the others. False: nobody is left.
static bool start_reading(struct request *request)
{
    const struct plan_item *item = current(request);
    if (may_try(request, item, item->holder)) {
        start_run(request);
        return true;
    }
    for (unsigned i = 0; i < request->merge->count; i++)
        if (may_try(request, item, i)) {
            request->run_end = request->at + 1;
            read_from(request, i, item->info.utc_start_us, item->info.utc_start_us + 1);
            return true;
        }
    return false;
}

static void plan_again(struct request *request)
{
    const struct segment_info *last = &request->plan.item[request->plan.count - 1].info;
    request->from_us = last->utc_start_us + last->duration_us;
    plan_fini(&request->plan);
    mem_free(request->copies);
    request->copies = NULL;
    request->copy_count = 0;
    request->at = request->run_end = 0;
    request->holder = 0;
    request->planned = false;
    plan_on(request);
}

// Goes on reading for who waits.
static void walk(struct request *request)
{
    if (request->wild) {
        read_from(request, request->merge->count - 1, request->from_us, request->to_us);
        return;
    }
    for (; request->at < request->plan.count; request->at++) {
        if (start_reading(request))
            return;
        if (request->failed & bit(current(request)->holder)) {
            finish(request, request->err);
            return;
        }
        request->gap = true;
    }
    if (request->plan.cut && request->plan.count > 0)
        plan_again(request);
    else
        finish(request, 0);
}

static void work(void *arg)
{
    struct request *request = arg;
    if (request->asked)
        return;
    if (!request->planned)
        plan_on(request);
    else if (request->wanted)
        walk(request);
}

// ---- the table ---------------------------------------------------------------------------------

static struct request *request_new(struct history *history, const struct history_via *via,
                                   enum kind kind, int64_t from_us, int64_t to_us, void *arg)
{
    struct merge *merge = (struct merge *)history;
    struct request *request = mem_alloc(sizeof *request);
    request->base.history = history;
    request->merge = merge;
    request->kind = kind;
    request->via_set = via != NULL;
    request->via = via ? *via : (struct history_via){0};
    request->from_us = from_us;
    request->to_us = to_us;
    request->arg = arg;
    request->wanted = true;
    request->single = kind == READ && to_us - from_us <= 1;
    list_append(&merge->requests, &request->node);
    wake(request);
    return request;
}

static struct history_request *op_ranges(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, history_ranges_fn done,
                                         void *arg)
{
    struct request *request = request_new(history, via, RANGES, from_us, to_us, arg);
    request->on_ranges = done;
    return &request->base;
}

static struct history_request *op_list(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, history_list_fn done,
                                       void *arg)
{
    struct request *request = request_new(history, via, LIST, from_us, to_us, arg);
    request->on_list = done;
    return &request->base;
}

static struct history_request *op_read(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, enum history_what what,
                                       const struct history_events *asked, void *arg)
{
    struct request *request = request_new(history, via, READ, from_us, to_us, arg);
    request->what = what;
    request->events = asked;
    return &request->base;
}

static void op_next(struct history_request *base)
{
    struct request *request = (struct request *)base;
    if (request->wanted)
        return;
    request->wanted = true;
    if (request->asked)
        history_next(request->asked);
    else
        wake(request);
}

static void op_cancel(struct history_request *base)
{
    struct request *request = (struct request *)base;
    struct plan plan = request->plan;
    struct plan_ranges ranges = request->ranges;
    mem_free(request->copies);
    plan_fini(&plan);
    plan_ranges_fini(&ranges);
    drop(request);
}

static bool op_summary(struct history *history, struct history_range *whole, uint64_t *bytes)
{
    const struct merge *merge = (const struct merge *)history;
    bool found = false;
    *whole = (struct history_range){0};
    *bytes = 0;
    for (unsigned i = 0; i < merge->count; i++) {
        struct history_range one;
        uint64_t size;
        if (merge->holder[i].kind == HOLDER_COPY ||
            !history_summary(merge->holder[i].history, &one, &size))
            continue;
        whole->from_us = !found || one.from_us < whole->from_us ? one.from_us : whole->from_us;
        whole->to_us = one.to_us > whole->to_us ? one.to_us : whole->to_us;
        *bytes += size;
        found = true;
    }
    return found;
}

static void op_close(struct history *history)
{
    struct merge *gone = (struct merge *)history;
    while (!list_empty(&gone->requests))
        finish(LIST_OWNER(list_first(&gone->requests), struct request, node), ERR_CANCELLED);
    for (unsigned i = 0; i < gone->count; i++)
        if (gone->holder[i].owned)
            history_close(&gone->holder[i].history);
    mem_free(gone);
}

static const struct history_ops ops = {.name = "merged",
                                       .ranges = op_ranges,
                                       .list = op_list,
                                       .read = op_read,
                                       .next = op_next,
                                       .cancel = op_cancel,
                                       .summary = op_summary,
                                       .close = op_close};

struct history *history_merge_new(struct loop *loop, const struct history_holder *holders,
                                  unsigned count)
{
    struct merge *merge = mem_alloc(sizeof *merge);
    ENSURE(count > 0 && count <= HISTORY_HOLDERS_MAX);
    merge->history.ops = &ops;
    merge->loop = loop;
    memcpy(merge->holder, holders, count * sizeof holders[0]);
    merge->count = count;
    list_init(&merge->requests);
    return &merge->history;
}
