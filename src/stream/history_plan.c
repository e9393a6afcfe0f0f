// SPDX-License-Identifier: MIT
#include "history_plan.h"

#include "base/mem.h"

static int64_t end_of(const struct segment_info *info)
{
    return info->utc_start_us + info->duration_us;
}

void plan_fini(struct plan *plan)
{
    mem_free(plan->item);
    *plan = (struct plan){0};
}

// ---- segments ----------------------------------------------------------------------------------

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// By more than what is lost in rounding; of the shortest ones half.
static bool overlap(const struct segment_info *a, const struct segment_info *b)
{
    int64_t start_us = a->utc_start_us > b->utc_start_us ? a->utc_start_us : b->utc_start_us;
    int64_t shorter_us = smaller(a->duration_us, b->duration_us);
    return smaller(end_of(a), end_of(b)) - start_us > smaller(PLAN_HOLE_US, shorter_us / 2);
}

static bool before(const struct segment_info *a, const struct segment_info *b)
{
    return a->utc_start_us < b->utc_start_us && !overlap(a, b);
}

struct adding {
    struct plan_item *out;
    size_t count;
    unsigned holder;
    bool cut;
};

static void put(struct adding *to, const struct plan_item *item)
{
    if (to->count < HISTORY_LIST_MAX)
        to->out[to->count++] = *item;
    else
        to->cut = true;
}

static bool is_thinned(const struct segment_info *info)
{
    return info->flags & SEGMENT_THINNED;
}

// A segment of the holder that overlaps items[0..count), all that it touches. Longer is better than
// whole: pictures that are missing are less than nothing at all.
static bool replaces(const struct segment_info *info, const struct plan_item *items, size_t count)
{
    if (count != 1 || items[0].info.number != info->number)
        return false;
    int64_t longer_us = info->duration_us - items[0].info.duration_us;
    return longer_us > PLAN_HOLE_US ||
           (longer_us >= -PLAN_HOLE_US && is_thinned(&items[0].info) && !is_thinned(info));
}

void plan_add(struct plan *plan, const struct segment_info *infos, size_t count, bool cut,
              unsigned holder)
{
    struct adding to = {.holder = holder};
    const struct plan_item *old = plan->item;
    size_t at = 0;
    if (count == 0 && !cut)
        return;
    to.out = mem_alloc((plan->count + count + 1) * sizeof *to.out);
    for (size_t i = 0; i < count; i++) {
        const struct segment_info *info = &infos[i];
        const struct plan_item item = {.info = *info, .holder = (uint8_t)holder};
        size_t touched = 0;
        while (at < plan->count && before(&old[at].info, info))
            put(&to, &old[at++]);
        while (at + touched < plan->count && overlap(&old[at + touched].info, info))
            touched++;
        bool follows = to.count == 0 || !overlap(&to.out[to.count - 1].info, info);
        if (touched == 0 && follows && info->duration_us > 0) {
            put(&to, &item);
        } else if (follows && replaces(info, old + at, touched)) {
            put(&to, &item);
            at++;
        }
    }
    while (at < plan->count)
        put(&to, &old[at++]);
    // Where one list was cut, what others have behind it would stand beside a hole that is none.
    if (cut && count > 0) {
        int64_t last_us = infos[count - 1].utc_start_us;
        while (to.count > 0 && to.out[to.count - 1].info.utc_start_us > last_us)
            to.count--;
    }
    mem_free(plan->item);
    plan->item = to.out;
    plan->count = to.count;
    plan->cut |= cut || to.cut;
}

void plan_use_copies(struct plan *plan, const struct segment_info *copies, size_t count,
                     unsigned holder, unsigned from_holder)
{
    size_t k = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_item *item = &plan->item[i];
        while (k < count && copies[k].utc_start_us < item->info.utc_start_us)
            k++;
        if (k < count && item->holder >= from_holder &&
            copies[k].utc_start_us == item->info.utc_start_us &&
            copies[k].number == item->info.number && copies[k].bytes == item->info.bytes)
            item->holder = (uint8_t)holder;
    }
}

void plan_mark(struct plan *plan)
{
    for (size_t i = 1; i < plan->count; i++) {
        const struct segment_info *last = &plan->item[i - 1].info;
        struct segment_info *info = &plan->item[i].info;
        bool other =
            plan->item[i - 1].holder != plan->item[i].holder && info->number != last->number + 1;
        if (other || info->utc_start_us > end_of(last) + PLAN_HOLE_US)
            info->flags |= SEGMENT_DISCONTINUITY;
    }
}

size_t plan_find(const struct plan *plan, int64_t utc_us)
{
    size_t low = 0, high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_of(&plan->item[middle].info) <= utc_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool plan_hole(const struct plan *plan, int64_t from_us, int64_t to_us, struct history_range *hole)
{
    int64_t at_us = from_us;
    bool found = false;
    for (size_t i = plan_find(plan, from_us); at_us < to_us; i++) {
        while (i < plan->count && is_thinned(&plan->item[i].info))
            i++;
        int64_t next_us = i < plan->count ? plan->item[i].info.utc_start_us : INT64_MAX;
        int64_t end_us = next_us < to_us ? next_us : to_us;
        // At the end of the stretch anything may come; within it a short pause is none.
        if (end_us > at_us + PLAN_HOLE_US || (next_us >= to_us && at_us < to_us)) {
            if (!found)
                hole->from_us = at_us;
            hole->to_us = end_us;
            found = true;
        }
        if (i >= plan->count)
            break;
        at_us = end_of(&plan->item[i].info);
    }
    return found;
}

// ---- ranges ------------------------------------------------------------------------------------

void plan_ranges_fini(struct plan_ranges *ranges)
{
    mem_free(ranges->range);
    *ranges = (struct plan_ranges){0};
}

static void add_range(struct plan_ranges *to, int64_t from_us, int64_t to_us, enum reason reason)
{
    struct history_range *last = to->count ? &to->range[to->count - 1] : NULL;
    int64_t pause_us = last ? from_us - last->to_us : 0;
    if (last && last->reason == reason &&
        (pause_us == 0 || (pause_us <= PLAN_HOLE_US && history_has_media(last)))) {
        last->to_us = to_us;
        return;
    }
    if (to->count == HISTORY_RANGES_MAX)
        return;
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 16;
        to->range = mem_resize(to->range, to->capacity * sizeof *to->range);
    }
    to->range[to->count++] = (struct history_range){from_us, to_us, reason};
}

// Where what holds at `at_us` ends, or what comes next begins.
static int64_t boundary(const struct history_range *range, int64_t at_us)
{
    if (!range)
        return INT64_MAX;
    return range->from_us > at_us ? range->from_us : range->to_us;
}

static enum reason reason_of(const struct history_range *near, const struct history_range *far)
{
    if (!near || !far)
        return near ? near->reason : far->reason;
    if (near->reason == REASON_NONE || far->reason == REASON_NONE)
        return REASON_NONE;
    if (near->reason == REASON_THINNED || far->reason == REASON_THINNED)
        return REASON_THINNED;
    return far->reason == REASON_UNKNOWN ? near->reason : far->reason;
}

void plan_ranges_add(struct plan_ranges *ranges, const struct history_range *more, size_t count)
{
    struct plan_ranges out = {0};
    size_t a = 0, b = 0;
    int64_t at_us = INT64_MIN;
    for (;;) {
        while (a < ranges->count && ranges->range[a].to_us <= at_us)
            a++;
        while (b < count && more[b].to_us <= at_us)
            b++;
        const struct history_range *near = a < ranges->count ? &ranges->range[a] : NULL;
        const struct history_range *far = b < count ? &more[b] : NULL;
        int64_t end_us = boundary(near, at_us), other_us = boundary(far, at_us);
        end_us = other_us < end_us ? other_us : end_us;
        if (end_us == INT64_MAX)
            break;
        near = near && near->from_us <= at_us ? near : NULL;
        far = far && far->from_us <= at_us ? far : NULL;
        if (near || far)
            add_range(&out, at_us, end_us, reason_of(near, far));
        at_us = end_us;
    }
    mem_free(ranges->range);
    *ranges = out;
}

bool plan_ranges_hole(const struct plan_ranges *ranges, int64_t from_us, int64_t to_us,
                      struct history_range *hole)
{
    int64_t at_us = from_us;
    bool found = false;
    for (size_t i = 0; at_us < to_us; i++) {
        bool last = i >= ranges->count;
        if (!last && (ranges->range[i].reason != REASON_NONE || ranges->range[i].to_us <= at_us))
            continue;
        int64_t next_us = last ? to_us : ranges->range[i].from_us;
        next_us = next_us < to_us ? next_us : to_us;
        if (next_us > at_us) {
            if (!found)
                hole->from_us = at_us;
            hole->to_us = next_us;
            found = true;
        }
        if (last)
            break;
        at_us = ranges->range[i].to_us;
    }
    return found;
}
