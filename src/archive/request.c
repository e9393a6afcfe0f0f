// SPDX-License-Identifier: MIT
// Requests of readers: their common part, ranges, lists, and the table that makes an archive a
// history.
#include "request.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"

// A disk that does not answer for so long: the request ends with ERR_TIMEOUT.
#define PATIENCE_US (30 * US_PER_S)

// ---- common ------------------------------------------------------------------------------------

static void end_now(struct request *request, int err)
{
    if (request->dead)
        return;
    request->ops->end(request, err);
    request_free(request);
}

static void on_wake(void *arg)
{
    struct request *request = arg;
    OBJ_CHECK(request, REQUEST_MAGIC);
    if (request->refused)
        end_now(request, ERR_LIMIT);
    else if (request->begun || // else requests_wake comes later
             archive_ready(request->archive, request->from_us, request->to_us, request->wide))
        request->ops->run(request);
}

static void on_patience(void *arg)
{
    end_now(arg, ERR_TIMEOUT);
}

struct request *request_new(struct archive *archive, size_t size, const struct request_ops *ops,
                            int64_t from_us, int64_t to_us, void *arg)
{
    struct request *request = mem_alloc(size);
    request->base.history = &archive->history;
    request->magic = REQUEST_MAGIC;
    request->ops = ops;
    request->archive = archive;
    request->from_us = from_us;
    request->to_us = to_us;
    request->arg = arg;
    list_append(&archive->requests, &request->node);
    request->refused = archive->owner->requests++ >= ARCHIVE_REQUESTS_MAX;
    timeout_init(&request->patience, archive->owner->loop, on_patience, request);
    request_await(request);
    request_wake(request);
    return request;
}

static void on_gone(void *arg)
{
    struct request *request = arg;
    request->magic = 0;
    mem_free(request);
}

void request_free(struct request *request)
{
    if (request->dead)
        return;
    struct loop *loop = request->archive->owner->loop;
    request->dead = true;
    request->ops->fini(request);
    request_leave_hour(request);
    timeout_stop(&request->patience);
    loop_defer_cancel(loop, &request->wake);
    list_remove(&request->archive->requests, &request->node);
    request->archive->owner->requests--;
    loop_defer(loop, &request->gone, on_gone, request);
}

void request_wake(struct request *request)
{
    loop_later(request->archive->owner->loop, &request->wake, on_wake, request);
}

void request_await(struct request *request)
{
    timeout_start(&request->patience, PATIENCE_US);
}

void request_answered(struct request *request)
{
    timeout_stop(&request->patience);
}

static void on_opened(void *arg)
{
    struct request *request = arg;
    if (!request->dead)
        request->ops->run(request);
}

static void say_damaged(struct request *request, int err)
{
    struct archive *archive = request->archive;
    struct hour *hour = hours_get(&archive->hours, request->cursor);
    if (!hour || hour->damaged)
        return;
    hour->damaged = true;
    archive->errors++;
    char path[HOUR_PATH];
    archive_path(archive, request->cursor, "mp4", path);
    log_error(archive->log_name, "unreadable file=%s reason=%s", path, err_name(err));
}

int request_hour(struct request *request, unsigned want, bool *fresh)
{
    struct archive *archive = request->archive;
    *fresh = false;
    for (;;) {
        if (!request->opened) {
            struct hour *hour =
                hours_next(&archive->hours, request->begun ? &request->cursor : NULL,
                           request->from_us, request->to_us);
            if (!hour) {
                request_answered(request);
                return ERR_NOT_FOUND;
            }
            request->begun = true;
            request->cursor = hour_name_of(hour);
            request->opened = opened_get(archive, request->cursor);
            request->entered = false;
        }
        int err = opened_want(request->opened, want, &request->waiter, on_opened, request);
        if (err == ERR_AGAIN) {
            request_await(request);
            return err;
        }
        request_answered(request);
        if (err == 0) {
            *fresh = !request->entered;
            request->entered = true;
            return 0;
        }
        if (err != ERR_NOT_FOUND)
            say_damaged(request, err);
        request_leave_hour(request);
    }
}

void request_leave_hour(struct request *request)
{
    opened_forget(&request->waiter);
    opened_put(&request->opened);
}

void requests_wake(struct archive *archive)
{
    LIST_FOREACH(&archive->requests, it, after)
    {
        struct request *request = LIST_OWNER(it, struct request, node);
        if (!request->begun)
            request_wake(request);
    }
}

void requests_end(struct archive *archive, int err)
{
    while (!list_empty(&archive->requests))
        end_now(LIST_OWNER(list_first(&archive->requests), struct request, node), err);
}

// ---- ranges ------------------------------------------------------------------------------------

// What was asked for is widened by a file on either side, so that the hole at an edge is known from
// end to end, and its reason with it.
struct ranges_request {
    struct request request; // first
    history_ranges_fn done;
    int64_t from_us, to_us;       // as asked
    bool widened, last;           // last: nothing of the archive is behind what is looked at
    struct history_range *ranges; // media; then, with holes, the answer
    size_t count, capacity;
    struct history_range *thinned; // stretches of the media
    size_t thinned_count, thinned_capacity;
};

// In order of start, but for files whose times overlap.
static void add_range(struct ranges_request *to, int64_t from_us, int64_t to_us)
{
    if (from_us >= to_us || from_us >= to->request.to_us || to_us <= to->request.from_us)
        return;
    while (to->count > 0) {
        struct history_range *last = &to->ranges[to->count - 1];
        if (from_us > last->to_us + INDEX_HOLE_US)
            break;
        if (last->to_us > to_us)
            to_us = last->to_us;
        if (from_us >= last->from_us) {
            last->to_us = to_us;
            return;
        }
        to->count--; // it begins earlier than the last one: joined, and compared with the one
                     // before
    }
    if (to->count == HISTORY_RANGES_MAX)
        return;
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 16;
        to->ranges = mem_resize(to->ranges, to->capacity * sizeof *to->ranges);
    }
    to->ranges[to->count++] =
        (struct history_range){.from_us = from_us, .to_us = to_us, .reason = REASON_NONE};
}

static void add_thinned(struct ranges_request *to, int64_t from_us, int64_t to_us)
{
    struct history_range *last = to->thinned_count ? &to->thinned[to->thinned_count - 1] : NULL;
    if (last && from_us >= last->from_us && from_us <= last->to_us + INDEX_HOLE_US) {
        last->to_us = to_us > last->to_us ? to_us : last->to_us;
        return;
    }
    if (to->thinned_count == HISTORY_RANGES_MAX)
        return;
    if (to->thinned_count == to->thinned_capacity) {
        to->thinned_capacity = to->thinned_capacity ? to->thinned_capacity * 2 : 16;
        to->thinned = mem_resize(to->thinned, to->thinned_capacity * sizeof *to->thinned);
    }
    to->thinned[to->thinned_count++] = (struct history_range){from_us, to_us, REASON_THINNED};
}

static void add_index(struct ranges_request *to, const struct index *index)
{
    for (unsigned i = index_find(index, to->request.from_us); i < index->count; i++) {
        const struct index_entry *entry = &index->entries[i];
        if (entry->utc_start_us >= to->request.to_us)
            break;
        if (archive_hides(to->request.archive, to->request.cursor, entry))
            continue;
        add_range(to, entry->utc_start_us, index_entry_end_us(entry));
        if (entry->flags & SEGMENT_THINNED)
            add_thinned(to, entry->utc_start_us, index_entry_end_us(entry));
    }
}

static void add_hour(struct ranges_request *to, const struct hour *hour)
{
    unsigned count;
    const struct hours_hole *holes = hours_holes_of(&to->request.archive->hours, hour, &count);
    int64_t from_us = hour->start_us;
    for (unsigned i = 0; i < count; i++) {
        add_range(to, from_us, holes[i].hole.from_us);
        from_us = holes[i].hole.to_us;
    }
    add_range(to, from_us, hour->end_us);
}

// Files whose times and holes are known are not looked at.
static void skip_known(struct ranges_request *to)
{
    struct request *request = &to->request;
    struct hour *hour;
    while (!request->opened &&
           (hour = hours_next(&request->archive->hours, request->begun ? &request->cursor : NULL,
                              request->from_us, request->to_us)) &&
           hour->known && (!hour->holes || hour->holes_known) && !hour->writing &&
           !journal_deleted_any(&request->archive->journal.records, hour_name_of(hour))) {
        add_hour(to, hour);
        request->begun = true;
        request->cursor = hour_name_of(hour);
    }
}

static void widen_before(struct ranges_request *ranges)
{
    struct request *request = &ranges->request;
    const struct hour *before = hours_before(&request->archive->hours, request->from_us);
    ranges->widened = true;
    if (before)
        request->from_us = before->start_us;
}

// False when the end of what was asked for lies in no hole, or the next file was looked at, or
// there is none.
static bool widen_after(struct ranges_request *ranges)
{
    struct request *request = &ranges->request;
    if (request->to_us != ranges->to_us ||
        (ranges->count > 0 && ranges->ranges[ranges->count - 1].to_us >= ranges->to_us))
        return false;
    const struct hour *after = hours_after(&request->archive->hours, request->to_us);
    ranges->last = !after;
    if (after)
        request->to_us = after->start_us + 1;
    return after != NULL;
}

// ---- holes

struct holes {
    const struct ranges_request *of;
    struct history_range *out;
    size_t count, room;
};

static void put_range(struct holes *holes, int64_t from_us, int64_t to_us, enum reason reason)
{
    if (from_us < holes->of->to_us && to_us > holes->of->from_us && holes->count < holes->room)
        holes->out[holes->count++] =
            (struct history_range){.from_us = from_us, .to_us = to_us, .reason = reason};
}

// Holes are cut to what was asked for.
static void put_piece(void *arg, int64_t from_us, int64_t to_us, enum reason reason)
{
    struct holes *holes = arg;
    if (from_us < holes->of->from_us)
        from_us = holes->of->from_us;
    if (to_us > holes->of->to_us)
        to_us = holes->of->to_us;
    if (from_us < to_us)
        put_range(holes, from_us, to_us, reason);
}

// Media, cut where a part of them is thinned. *next: the first such stretch that may lie in them.
static void put_media(struct holes *holes, const struct history_range *media, size_t *next)
{
    int64_t at_us = media->from_us;
    for (; *next < holes->of->thinned_count; ++*next) {
        const struct history_range *thinned = &holes->of->thinned[*next];
        int64_t from_us = thinned->from_us > at_us ? thinned->from_us : at_us;
        int64_t to_us = thinned->to_us < media->to_us ? thinned->to_us : media->to_us;
        if (from_us >= media->to_us)
            break; // of the next ones
        if (to_us <= from_us)
            continue;
        if (from_us > at_us)
            put_range(holes, at_us, from_us, REASON_NONE);
        put_range(holes, from_us, to_us, REASON_THINNED);
        at_us = to_us;
    }
    if (at_us < media->to_us)
        put_range(holes, at_us, media->to_us, REASON_NONE);
}

static void put_hole(struct holes *holes, int64_t from_us, int64_t to_us)
{
    journal_explain(&holes->of->request.archive->journal.records, from_us, to_us, REASON_UNKNOWN,
                    put_piece, holes);
}

// Nothing is recorded now, and somebody has said why: from the end of what there is until now, or
// until where the segment begins that is being recorded.
static void put_ongoing(struct holes *holes, int64_t end_us)
{
    const struct archive *archive = holes->of->request.archive;
    const struct journal_record *mark = journal_mark_at(&archive->journal.records, INT64_MAX - 1);
    int64_t until_us = recorder_open_us(&archive->recorder), wall_us = utc_us();
    if (wall_us < until_us)
        until_us = wall_us;
    if (mark && mark->from_us >= end_us - INDEX_HOLE_US && until_us > end_us + INDEX_HOLE_US)
        put_hole(holes, end_us, until_us);
}

// In place of the media alone: media and holes.
static void add_holes(struct ranges_request *ranges)
{
    struct holes holes = {.of = ranges, .room = HISTORY_RANGES_MAX};
    if (ranges->count == 0)
        return;
    size_t thinned = 0;
    holes.out = mem_alloc(holes.room * sizeof *holes.out);
    for (size_t i = 0; i < ranges->count; i++) {
        if (i > 0)
            put_hole(&holes, ranges->ranges[i - 1].to_us, ranges->ranges[i].from_us);
        put_media(&holes, &ranges->ranges[i], &thinned);
    }
    if (ranges->last)
        put_ongoing(&holes, ranges->ranges[ranges->count - 1].to_us);
    mem_free(ranges->ranges);
    ranges->ranges = holes.out;
    ranges->count = holes.count;
}

static void ranges_run(struct request *request)
{
    struct ranges_request *ranges = (struct ranges_request *)request;
    bool fresh;
    if (!ranges->widened)
        widen_before(ranges);
    for (;;) {
        skip_known(ranges);
        int err = request_hour(request, OPENED_INDEX, &fresh);
        if (err == ERR_AGAIN)
            return;
        if (err != 0 && !widen_after(ranges))
            break;
        if (err != 0)
            continue;
        add_index(ranges, request->opened->index);
        request_leave_hour(request);
    }
    add_holes(ranges);
    end_now(request, 0);
}

static void ranges_end(struct request *request, int err)
{
    struct ranges_request *ranges = (struct ranges_request *)request;
    ranges->done(request->arg, err, err ? NULL : ranges->ranges, err ? 0 : ranges->count);
}

static void ranges_fini(struct request *request)
{
    mem_free(((struct ranges_request *)request)->ranges);
    mem_free(((struct ranges_request *)request)->thinned);
}

static const struct request_ops ranges_ops = {
    .run = ranges_run, .end = ranges_end, .fini = ranges_fini};

static struct archive *archive_of(struct history *history)
{
    struct archive *archive = (struct archive *)history;
    OBJ_CHECK(archive, ARCHIVE_MAGIC);
    return archive;
}

static struct history_request *op_ranges(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, history_ranges_fn done,
                                         void *arg)
{
    (void)via;
    struct ranges_request *ranges = (struct ranges_request *)request_new(
        archive_of(history), sizeof *ranges, &ranges_ops, from_us, to_us, arg);
    ranges->done = done;
    ranges->request.wide = true;
    ranges->from_us = from_us;
    ranges->to_us = to_us;
    return &ranges->request.base;
}

// ---- lists -------------------------------------------------------------------------------------

struct list_request {
    struct request request; // first
    history_list_fn done;
    struct segment_info *infos;
    size_t count, capacity;
    bool cut;
};

static void list_add(struct list_request *to, const struct segment_info *info)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 256;
        to->infos = mem_resize(to->infos, to->capacity * sizeof *to->infos);
    }
    to->infos[to->count++] = *info;
}

static void list_index(struct list_request *to, const struct index *index)
{
    bool gap = false;
    for (unsigned i = index_find(index, to->request.from_us); i < index->count; i++) {
        if (index->entries[i].utc_start_us >= to->request.to_us)
            return;
        if (archive_hides(to->request.archive, to->request.cursor, &index->entries[i])) {
            gap = true;
            continue;
        }
        if (to->count == HISTORY_LIST_MAX) {
            to->cut = true;
            return;
        }
        struct segment_info info = index_info(index, i);
        if (gap)
            info.flags |= SEGMENT_DISCONTINUITY;
        gap = false;
        list_add(to, &info);
    }
}

static void list_run(struct request *request)
{
    struct list_request *list = (struct list_request *)request;
    bool fresh;
    while (!list->cut) {
        int err = request_hour(request, OPENED_INDEX, &fresh);
        if (err == ERR_AGAIN)
            return;
        if (err != 0)
            break;
        list_index(list, request->opened->index);
        request_leave_hour(request);
    }
    end_now(request, 0);
}

static void list_end(struct request *request, int err)
{
    struct list_request *list = (struct list_request *)request;
    list->done(request->arg, err, err ? NULL : list->infos, err ? 0 : list->count, list->cut);
}

static void list_fini(struct request *request)
{
    mem_free(((struct list_request *)request)->infos);
}

static const struct request_ops list_ops = {.run = list_run, .end = list_end, .fini = list_fini};

static struct history_request *op_list(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, history_list_fn done,
                                       void *arg)
{
    (void)via;
    struct list_request *list = (struct list_request *)request_new(
        archive_of(history), sizeof *list, &list_ops, from_us, to_us, arg);
    list->done = done;
    return &list->request.base;
}

// ---- the table ---------------------------------------------------------------------------------

static struct history_request *op_read(struct history *history, const struct history_via *via,
                                       int64_t from_us, int64_t to_us, enum history_what what,
                                       const struct history_events *events, void *arg)
{
    (void)via;
    return reader_new(archive_of(history), from_us, to_us, what, events, arg);
}

static struct request *request_of(struct history_request *base)
{
    struct request *request = (struct request *)base;
    OBJ_CHECK(request, REQUEST_MAGIC);
    return request;
}

static void op_next(struct history_request *request)
{
    reader_next(request_of(request));
}

static void op_cancel(struct history_request *request)
{
    request_free(request_of(request));
}

static bool op_summary(struct history *history, struct history_range *whole, uint64_t *bytes)
{
    const struct archive *archive = archive_of(history);
    *bytes = archive->hours.bytes;
    return archive_span(archive, whole);
}

static void op_close(struct history *history)
{
    archive_close(archive_of(history));
}

const struct history_ops archive_history_ops = {
    .name = "archive",
    .ranges = op_ranges,
    .list = op_list,
    .read = op_read,
    .next = op_next,
    .cancel = op_cancel,
    .summary = op_summary,
    .close = op_close,
};
