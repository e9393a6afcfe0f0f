// SPDX-License-Identifier: MIT
// The days of a place, found and listed.
//
// 1. One operation of a tree is under way at a time. Of those that nobody asked for, at most
//    ARCHIVE_WALKS_MAX of a disk are; the trees of a disk take turns, a step each.
// 2. Who asks for a time waits for the names of the days and for the days of that time only.
// 3. day[] is sorted. A day that begins to exist in this life is LISTED: its files are known.
#include "tree.h"

#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "request.h"

#define DAY_US (86400 * US_PER_S)
// A file reaches over the end of its day by the segment that began in it (hours.c).
#define OVER_US (120 * US_PER_S)
#define AGAIN_US (10 * US_PER_S)
#define BUSY_US (200 * US_PER_MS)
// Days are summed up within so long after their end, each stream at its own moment.
#define SUM_SPREAD_US (600 * US_PER_S)

static void schedule(struct tree *tree);

static bool alive(const struct tree *tree)
{
    return tree->started && tree->place->archive->stream;
}

// ---- days --------------------------------------------------------------------------------------

// The first one that is not before.
static unsigned day_place(const struct tree *tree, int32_t number)
{
    unsigned low = 0, high = tree->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (tree->day[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tree_day *day_find(struct tree *tree, int32_t number)
{
    unsigned at = day_place(tree, number);
    return at < tree->count && tree->day[at].number == number ? &tree->day[at] : NULL;
}

static void day_add(struct tree *tree, int32_t number, enum day_state state)
{
    unsigned at = day_place(tree, number);
    if (at < tree->count && tree->day[at].number == number)
        return;
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? tree->capacity * 2 : 8;
        tree->day = mem_resize(tree->day, tree->capacity * sizeof *tree->day);
    }
    memmove(tree->day + at + 1, tree->day + at, (tree->count - at) * sizeof *tree->day);
    tree->count++;
    tree->day[at] = (struct tree_day){.number = number, .state = (uint8_t)state};
    if (at < tree->low)
        tree->low = at;
}

static unsigned lowest_unlisted(struct tree *tree)
{
    while (tree->low < tree->count && tree->day[tree->low].state != DAY_UNLISTED)
        tree->low++;
    return tree->low;
}

static bool has_files(const struct tree *tree, unsigned at)
{
    const struct hours *hours = &tree->place->archive->hours;
    int64_t day_s = tree->day[at].number * 86400LL;
    return hours_from(hours, day_s) < hours_from(hours, day_s + 86400);
}

// The first day that is missing for [from, to), wide: and for its neighbours; count: none.
static unsigned missing(struct tree *tree, int64_t from_us, int64_t to_us, bool wide)
{
    int64_t number = from_us > OVER_US ? (from_us - OVER_US) / DAY_US : 0;
    unsigned first = number > INT32_MAX ? tree->count : day_place(tree, (int32_t)number);
    unsigned last = first; // behind the days
    while (last < tree->count && tree->day[last].number * DAY_US < to_us) {
        if (tree->day[last].state == DAY_UNLISTED)
            return last;
        last++;
    }
    while (wide && first > 0) {
        if (tree->day[--first].state == DAY_UNLISTED)
            return first;
        if (has_files(tree, first))
            break;
    }
    for (; wide && last < tree->count; last++) {
        if (tree->day[last].state == DAY_UNLISTED)
            return last;
        if (has_files(tree, last))
            break;
    }
    return tree->count;
}

static unsigned wanted(struct tree *tree)
{
    unsigned found = tree->count;
    LIST_FOREACH(&tree->place->archive->requests, it, after)
    {
        const struct request *request = LIST_OWNER(it, struct request, node);
        if (!request->begun && found == tree->count)
            found = missing(tree, request->from_us, request->to_us, request->wide);
    }
    return found;
}

bool tree_ready(struct tree *tree, int64_t from_us, int64_t to_us, bool wide)
{
    if (tree->named && missing(tree, from_us, to_us, wide) == tree->count)
        return true;
    schedule(tree);
    return false;
}

bool tree_known_before(struct tree *tree, int64_t second)
{
    unsigned low = lowest_unlisted(tree);
    return tree->named && (low == tree->count || second / 86400 < tree->day[low].number);
}

void tree_day_changed(struct tree *tree, int64_t second, bool removed)
{
    if (!tree->named)
        return; // it will be found by its name
    int32_t number = (int32_t)(second / 86400);
    day_add(tree, number, DAY_LISTED);
    struct tree_day *day = day_find(tree, number);
    if (day->summed) {
        char path[HOUR_PATH];
        hour_path(path, tree->place->folder, (struct hour_name){.second = number * 86400LL}, "mp4");
        (void)text_copy(strrchr(path, '/') + 1, 16, "day.sum");
        (void)file_remove(tree->place->disk->chores, path, NULL, NULL, NULL);
    }
    day->summed = day->due = false;
    day->unfit = removed;
    tree->sum_after_us = 0;
}

// ---- names of days -----------------------------------------------------------------------------

// Numbers stand behind the last spaces: names may have spaces.
static uint64_t last_number(struct tree_line *line)
{
    const char *end = line->name + line->length;
    const char *space = memrchr(line->name, ' ', line->length);
    uint64_t number = 0;
    for (const char *at = space ? space + 1 : end; at < end; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    line->length = space ? (size_t)(space - line->name) : 0;
    return number;
}

bool tree_line_take(struct bytes *in, struct tree_line *out)
{
    const uint8_t *end = in->length ? memchr(in->data, '\n', in->length) : NULL;
    if (!end || end - in->data < 3)
        return false;
    const char *text = (const char *)in->data;
    size_t length = (size_t)(end - in->data);
    *out = (struct tree_line){.kind = text[0], .name = text + 2, .length = length - 2};
    if (out->kind == 'f') {
        out->used = last_number(out);
        out->size = last_number(out);
    }
    return bytes_skip(in, length + 1);
}

static void forget_listings(struct tree *tree)
{
    for (unsigned i = 0; i < TREE_DEPTH; i++)
        buf_unref(&tree->listing[i]);
    tree->depth = 0;
}

// The days of a month.
static void take_days(struct tree *tree, struct bytes in)
{
    struct tree_line line;
    while (tree_line_take(&in, &line)) {
        if (line.kind != 'd' || !hour_folder_parse(line.name, line.length, 2, &tree->number[2]))
            continue;
        int64_t day_s = hour_day(tree->number[0], tree->number[1], tree->number[2]);
        if (day_s >= 0)
            day_add(tree, (int32_t)(day_s / 86400), DAY_UNLISTED);
    }
}

// Goes to the next year or month; false when there is none.
static bool descend(struct tree *tree)
{
    while (tree->depth > 0) {
        struct tree_line line;
        unsigned above = tree->depth - 1;
        while (tree_line_take(&tree->rest[above], &line))
            if (line.kind == 'd' &&
                hour_folder_parse(line.name, line.length, above, &tree->number[above]))
                return true;
        buf_unref(&tree->listing[above]);
        tree->depth--;
    }
    return false;
}

static void step_done(struct tree *tree)
{
    struct place *place = tree->place;
    tree->busy = false;
    if (tree->walking)
        place->disk->walking--;
    tree->walking = false;
    if (!tree->complete && tree->named && lowest_unlisted(tree) == tree->count) {
        tree->complete = true;
        log_info(place->archive->log_name, "archive listed path=%s days=%u files=%u bytes=%llu",
                 place->folder, tree->count, place->archive->hours.count,
                 (unsigned long long)place->archive->hours.bytes);
        erasure_want(place->archive);
    }
    archive_listed(place->archive);
    schedule(tree);
    tree_walk(place->disk);
}

static bool submit_names(struct tree *tree);

static void names_end(struct tree *tree, int err, int os_error)
{
    struct place *place = tree->place;
    forget_listings(tree);
    tree->named = err == 0;
    tree->started = err == 0;
    if (err != 0)
        timeout_start(&tree->again, AGAIN_US);
    place_named(place, err, os_error);
    step_done(tree);
}

static void on_names(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    tree->op = NULL;
    if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        names_end(tree, ERR_IO, result->os_error);
        return;
    }
    if (result->err == 0 && tree->depth == 2) {
        take_days(tree, buf_bytes(result->data));
    } else if (result->err == 0) {
        tree->listing[tree->depth] = buf_ref(result->data);
        tree->rest[tree->depth] = buf_bytes(result->data);
        tree->depth++;
    }
    if (!descend(tree))
        names_end(tree, 0, 0);
    else if (!submit_names(tree))
        names_end(tree, ERR_LIMIT, 0);
}

// The folder at tree->depth.
static bool submit_names(struct tree *tree)
{
    char path[HOUR_PATH];
    (void)text_copy(path, sizeof path, tree->place->folder);
    for (unsigned i = 0; i < tree->depth; i++)
        (void)text_append(path, sizeof path, i == 0 ? "/%04u" : "/%02u", tree->number[i]);
    tree->op = file_names(tree->place->disk->reads, path, on_names, tree);
    return tree->op != NULL;
}

// ---- the newest file ---------------------------------------------------------------------------

static void on_opened(void *arg)
{
    struct tree *tree = arg;
    struct archive *archive = tree->place->archive;
    struct hour *hour = hours_get(&archive->hours, tree->opened->name);
    struct tree_day *day = hour ? day_find(tree, (int32_t)(hour->second / 86400)) : NULL;
    if (day && hour && !hour->known) { // it cannot be read, and neither can its day be summed up
        day->unfit = true;
        day->due = false;
    }
    opened_put(&tree->opened);
    if (tree->mending)
        tree->place->disk->walking--;
    tree->mending = false;
    if (archive->stream)
        stream_changed(archive->stream);
    schedule(tree);
    tree_walk(tree->place->disk);
}

static bool look_into(struct tree *tree, const struct hour *hour)
{
    tree->opened = opened_get(tree->place->archive, hour_name_of(hour));
    if (opened_want(tree->opened, OPENED_INDEX, &tree->waiter, on_opened, tree) == ERR_AGAIN) {
        tree->mending = true;
        return true;
    }
    opened_put(&tree->opened);
    return false;
}

// The newest file that earlier lives left on that day; NULL: none.
static struct hour *newest_of(struct tree *tree, int32_t number)
{
    struct hours *hours = &tree->place->archive->hours;
    unsigned first = hours_from(hours, number * 86400LL);
    for (unsigned i = hours_from(hours, (number + 1) * 86400LL); i > first; i--) {
        struct hour *hour = &hours->hour[i - 1];
        if (hour->disk == tree->place->number && !hour->own)
            return hour;
    }
    return NULL;
}

// The newest day that has to be listed to know the newest file; count: it is known. A file that was
// perhaps being written when the server died is recovered.
static unsigned look_for_newest(struct tree *tree)
{
    for (unsigned i = tree->count; i > 0 && !tree->looked; i--) {
        if (tree->day[i - 1].state == DAY_UNLISTED)
            return i - 1;
        struct hour *hour = newest_of(tree, tree->day[i - 1].number);
        if (!hour)
            continue;
        tree->looked = true;
        if (hour->known)
            break; // of a day that was summed up
        hour->suspect = true;
        (void)look_into(tree, hour);
    }
    tree->looked = true;
    archive_listed(tree->place->archive);
    return tree->count;
}

// ---- summaries ---------------------------------------------------------------------------------

static int64_t closes_us(const struct tree *tree, const struct tree_day *day)
{
    const char *folder = tree->place->folder;
    int64_t later_us = crc32c(0, folder, strlen(folder)) % SUM_SPREAD_US;
    return (day->number + 1) * DAY_US + OVER_US + later_us;
}

// Whether all files of the day are closed and their times known. *unknown: one that is not.
static bool all_known(const struct tree *tree, const struct tree_day *day, struct hour **unknown)
{
    const struct hours *hours = &tree->place->archive->hours;
    unsigned last = hours_from(hours, (day->number + 1) * 86400LL), files = 0;
    *unknown = NULL;
    for (unsigned i = hours_from(hours, day->number * 86400LL); i < last; i++) {
        struct hour *hour = &hours->hour[i];
        if (hour->disk != tree->place->number)
            continue;
        files++;
        if (hour->writing)
            return false;
        if (!hour->known)
            *unknown = hour;
    }
    return files > 0 && !*unknown;
}

// Of days that ended while others were recording, the files of earlier lives are looked at: that is
// yesterday. Older ones are summed up when somebody asked for all of them.
static bool is_due(const struct tree *tree, const struct tree_day *day, int64_t utc_now_us)
{
    struct hour *unknown;
    if (day->state != DAY_LISTED || day->summed || day->unfit || closes_us(tree, day) > utc_now_us)
        return false;
    return all_known(tree, day, &unknown) || (unknown && (day->number + 2) * DAY_US > utc_now_us);
}

void tree_tick(struct tree *tree)
{
    int64_t utc_now_us = utc_us();
    bool any = false;
    if (!alive(tree) || !tree->named || utc_now_us < tree->sum_after_us)
        return;
    tree->sum_after_us = INT64_MAX;
    for (unsigned i = 0; i < tree->count; i++) {
        struct tree_day *day = &tree->day[i];
        int64_t closed_us = closes_us(tree, day);
        day->due = is_due(tree, day, utc_now_us);
        any |= day->due;
        if (closed_us > utc_now_us && closed_us < tree->sum_after_us)
            tree->sum_after_us = closed_us;
    }
    if (any)
        schedule(tree);
}

static struct tree_day *next_due(const struct tree *tree)
{
    for (unsigned i = tree->count; tree->complete && i > 0; i--)
        if (tree->day[i - 1].due)
            return &tree->day[i - 1];
    return NULL;
}

static bool sum_up(struct tree *tree, struct tree_day *day)
{
    struct hour *unknown;
    if (!all_known(tree, day, &unknown)) {
        if (unknown && !unknown->damaged && look_into(tree, unknown))
            return false; // which counts apart; on when it is known
        day->unfit = true;
        day->due = false;
        return false;
    }
    day->due = false;
    tree->current = day->number;
    tree->summing = tree_day_sum(tree);
    return tree->summing;
}

// ---- steps -------------------------------------------------------------------------------------

static bool list_day(struct tree *tree, unsigned at)
{
    tree->current = tree->day[at].number;
    return tree_day_list(tree);
}

void tree_day_done(struct tree *tree, enum day_state state, bool summed)
{
    struct tree_day *day = day_find(tree, tree->current);
    buf_unref(&tree->names);
    if (day) {
        day->state = (uint8_t)state;
        day->summed = summed;
        day->unfit |= tree->summing && !summed;
        if (state == DAY_BAD && !timeout_active(&tree->again))
            timeout_start(&tree->again, AGAIN_US);
        if (state == DAY_LISTED && !summed)
            tree->sum_after_us = 0;
    }
    tree->summing = false;
    step_done(tree);
}

// False when there is nothing to do, or the queue is full (then again soon). own: also what nobody
// asked for.
static bool step(struct tree *tree, bool own)
{
    unsigned day;
    bool begun = false, full = true;
    if (tree->busy || !alive(tree))
        return false;
    if (!tree->named)
        begun = submit_names(tree);
    else if ((day = wanted(tree)) < tree->count)
        begun = list_day(tree, day);
    else if (own && !tree->looked && (day = look_for_newest(tree)) < tree->count)
        begun = list_day(tree, day);
    else if (own && (day = lowest_unlisted(tree)) < tree->count)
        begun = list_day(tree, day);
    else if (own && !tree->opened && next_due(tree))
        begun = full = sum_up(tree, next_due(tree));
    else
        full = false;
    tree->busy = begun;
    if (full && !begun && !timeout_active(&tree->again))
        timeout_start(&tree->again, BUSY_US);
    return begun;
}

static bool has_work(struct tree *tree)
{
    return !timeout_active(&tree->again) &&
           (!tree->named || !tree->looked || lowest_unlisted(tree) < tree->count ||
            (next_due(tree) && !tree->opened));
}

static void schedule(struct tree *tree)
{
    struct disk *disk = tree->place->disk;
    if (!alive(tree))
        return;
    if (!list_empty(&tree->place->archive->requests))
        (void)step(tree, false);
    if (!list_linked(&tree->node) && has_work(tree))
        list_append(&disk->walks, &tree->node);
    tree_walk(disk);
}

void tree_walk(struct disk *disk)
{
    struct list_node *node;
    while (disk->walking < ARCHIVE_WALKS_MAX && (node = list_take_first(&disk->walks))) {
        struct tree *tree = LIST_OWNER(node, struct tree, node);
        bool mending = tree->mending;
        tree->walking = step(tree, true);
        disk->walking += tree->walking;
        disk->walking += tree->mending && !mending;
        if (!tree->walking && !tree->busy && has_work(tree) && !list_linked(&tree->node))
            list_append(&disk->walks, &tree->node);
    }
}

static void on_again(void *arg)
{
    struct tree *tree = arg;
    for (unsigned i = 0; i < tree->count; i++)
        if (tree->day[i].state == DAY_BAD)
            tree->day[i].state = DAY_UNLISTED;
    tree->low = 0;
    tree_start(tree);
}

void tree_start(struct tree *tree)
{
    tree->started = true;
    schedule(tree);
}

void tree_stop(struct tree *tree)
{
    tree->started = false;
    timeout_stop(&tree->again);
    if (list_linked(&tree->node))
        list_remove(&tree->place->disk->walks, &tree->node);
    file_op_cancel(&tree->op);
    if (tree->walking)
        tree->place->disk->walking--;
    tree->busy = tree->walking = tree->summing = false;
    tree_walk(tree->place->disk);
}

void tree_forget(struct tree *tree)
{
    tree_stop(tree);
    opened_forget(&tree->waiter);
    opened_put(&tree->opened);
    if (tree->mending)
        tree->place->disk->walking--;
    tree->mending = tree->named = tree->looked = tree->complete = false;
    forget_listings(tree);
    buf_unref(&tree->names);
    tree->count = tree->low = 0;
}

void tree_init(struct tree *tree, struct place *place)
{
    *tree = (struct tree){.place = place};
    timeout_init(&tree->again, place->archive->owner->loop, on_again, tree);
}

void tree_fini(struct tree *tree)
{
    tree_forget(tree);
    mem_free(tree->day);
}
