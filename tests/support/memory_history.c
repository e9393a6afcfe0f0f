// SPDX-License-Identifier: MIT
#include "memory_history.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "format/cmaf.h"

struct request {
    struct history_request base;
    struct list_node node;
    struct memory_history *memory;
    int64_t from_us, to_us;
    enum history_what what;
    const struct history_events *events;
    history_ranges_fn on_ranges;
    history_list_fn on_list;
    void *arg;
    unsigned at, sent;
    bool wanted;
    struct defer work, freeing;
};

static void request_free(void *arg)
{
    mem_free(arg);
}

static void drop(struct request *request)
{
    struct loop *loop = request->memory->loop;
    list_remove(&request->memory->requests, &request->node);
    request->memory->open--;
    loop_defer_cancel(loop, &request->work);
    loop_defer(loop, &request->freeing, request_free, request);
}

static bool overlaps(const struct request *request, const struct segment_info *info)
{
    return info->utc_start_us < request->to_us &&
           info->utc_start_us + info->duration_us > request->from_us;
}

static void end(struct request *request, int err)
{
    drop(request);
    if (request->on_ranges)
        request->on_ranges(request->arg, err, NULL, 0);
    else if (request->on_list)
        request->on_list(request->arg, err, NULL, 0, false);
    else
        request->events->on_end(request->arg, err);
}

static void give(struct request *request, struct segment *segment)
{
    struct memory_history *memory = request->memory;
    request->wanted = false;
    request->sent++;
    memory->given++;
    if (request->what == HISTORY_HEADS) {
        struct buf *heads = cmaf_segment_heads(segment);
        request->events->on_heads(request->arg, &segment->info, segment->tracks, buf_bytes(heads));
        buf_unref(&heads);
    } else {
        struct segment *given = segment_ref(segment);
        request->events->on_segment(request->arg, &given);
    }
}

static void work_read(struct request *request)
{
    struct memory_history *memory = request->memory;
    if (memory->fail && request->sent >= memory->fail_after) {
        end(request, memory->fail);
        return;
    }
    while (request->at < memory->count) {
        struct segment *segment = memory->segment[request->at++];
        if (overlaps(request, &segment->info)) {
            give(request, segment);
            return;
        }
    }
    end(request, request->sent ? 0 : ERR_NOT_FOUND);
}

static void work_list(struct request *request)
{
    struct memory_history *memory = request->memory;
    unsigned repeat = memory->list_repeat ? memory->list_repeat : 1, count = 0;
    struct segment_info *infos = mem_alloc((memory->count * repeat + 1) * sizeof *infos);
    struct history_range *ranges = mem_alloc((memory->count * repeat + 1) * sizeof *ranges);
    unsigned holes = 0;
    for (unsigned i = 0; i < memory->count * repeat; i++) {
        const struct segment_info *info = &memory->segment[i / repeat]->info;
        if (!overlaps(request, info))
            continue;
        ranges[count] =
            (struct history_range){info->utc_start_us, info->utc_start_us + info->duration_us,
                                   info->flags & SEGMENT_THINNED ? REASON_THINNED : REASON_NONE};
        infos[count++] = *info;
    }
    if (memory->hole != REASON_NONE && count > 0) {
        int64_t end_us = ranges[count - 1].to_us;
        ranges[count] = (struct history_range){end_us, end_us + US_PER_S, memory->hole};
        holes = 1;
    }
    drop(request);
    if (request->on_ranges)
        request->on_ranges(request->arg, 0, ranges, count + holes);
    else
        request->on_list(request->arg, 0, infos, count, false);
    mem_free(infos);
    mem_free(ranges);
}

static void work(void *arg)
{
    struct request *request = arg;
    if (request->memory->silent)
        return;
    if (request->on_ranges || request->on_list) {
        if (request->memory->fail)
            end(request, request->memory->fail);
        else
            work_list(request);
    } else if (request->wanted) {
        work_read(request);
    }
}

static struct request *request_new(struct history *history, int64_t from_us, int64_t to_us,
                                   void *arg)
{
    struct memory_history *memory = (struct memory_history *)history;
    struct request *request = mem_alloc(sizeof *request);
    ENSURE(!memory->closed);
    request->base.history = history;
    request->memory = memory;
    request->from_us = from_us;
    request->to_us = to_us;
    request->arg = arg;
    request->wanted = true;
    memory->open++;
    memory->asked++;
    list_append(&memory->requests, &request->node);
    loop_later(memory->loop, &request->work, work, request);
    return request;
}

static void note(struct history *history, const struct history_via *via)
{
    struct memory_history *memory = (struct memory_history *)history;
    memory->via = via ? *via : (struct history_via){0};
}

static struct history_request *ranges(struct history *history, const struct history_via *via,
                                      int64_t from_us, int64_t to_us, history_ranges_fn done,
                                      void *arg)
{
    note(history, via);
    struct request *request = request_new(history, from_us, to_us, arg);
    request->on_ranges = done;
    return &request->base;
}

static struct history_request *list(struct history *history, const struct history_via *via,
                                    int64_t from_us, int64_t to_us, history_list_fn done, void *arg)
{
    note(history, via);
    struct request *request = request_new(history, from_us, to_us, arg);
    request->on_list = done;
    request->memory->lists++;
    return &request->base;
}

static struct history_request *read_range(struct history *history, const struct history_via *via,
                                          int64_t from_us, int64_t to_us, enum history_what what,
                                          const struct history_events *events, void *arg)
{
    note(history, via);
    struct request *request = request_new(history, from_us, to_us, arg);
    request->what = what;
    request->events = events;
    struct memory_history *memory = request->memory;
    ++memory->reads;
    if (memory->reads == 2 && memory->thin)
        memory->segment[memory->thin]->info.flags |= SEGMENT_THINNED;
    if (memory->reads == 2 && memory->lose) {
        segment_unref(&memory->segment[memory->lose]);
        memory->count--;
        for (unsigned i = memory->lose; i < memory->count; i++)
            memory->segment[i] = memory->segment[i + 1];
    }
    return &request->base;
}

static void next(struct history_request *base)
{
    struct request *request = (struct request *)base;
    ENSURE(!request->wanted); // one at a time
    request->wanted = true;
    request->memory->asked++;
    loop_later(request->memory->loop, &request->work, work, request);
}

static void cancel(struct history_request *base)
{
    struct request *request = (struct request *)base;
    request->memory->cancelled++;
    drop(request);
}

static void close_history(struct history *history)
{
    struct memory_history *memory = (struct memory_history *)history;
    struct list_node *node;
    memory->closed = true;
    while ((node = list_first(&memory->requests)) != NULL)
        end(LIST_OWNER(node, struct request, node), ERR_CANCELLED);
}

static bool summary(struct history *history, struct history_range *whole, uint64_t *bytes)
{
    const struct memory_history *memory = (const struct memory_history *)history;
    if (memory->count == 0)
        return false;
    const struct segment_info *last = &memory->segment[memory->count - 1]->info;
    *whole = (struct history_range){memory->segment[0]->info.utc_start_us,
                                    last->utc_start_us + last->duration_us, REASON_NONE};
    *bytes = 0;
    return true;
}

static const struct history_ops ops = {.name = "memory",
                                       .ranges = ranges,
                                       .list = list,
                                       .read = read_range,
                                       .next = next,
                                       .cancel = cancel,
                                       .summary = summary,
                                       .close = close_history};

void memory_history_init(struct memory_history *memory, struct loop *loop)
{
    *memory = (struct memory_history){.history.ops = &ops, .loop = loop};
    list_init(&memory->requests);
}

void memory_history_add(struct memory_history *memory, struct segment **segment)
{
    ENSURE(memory->count < MEMORY_HISTORY_MAX);
    memory->segment[memory->count++] = *segment;
    *segment = NULL;
}

void memory_history_fini(struct memory_history *memory)
{
    for (unsigned i = 0; i < memory->count; i++)
        segment_unref(&memory->segment[i]);
    memory->count = 0;
}
