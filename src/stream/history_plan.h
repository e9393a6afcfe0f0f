// SPDX-License-Identifier: MIT
// One timeline out of what several holders have: which segment comes from whom. Pure; what asks and
// reads is history_merge.c.
//
// Invariants of a plan: items are in order of time and none overlaps another. A holder that was
// added earlier is preferred; a later one fills its holes, and replaces a segment that was cut
// short or thinned there by the same segment at its full length, or whole.
#ifndef STREAM_HISTORY_PLAN_H
#define STREAM_HISTORY_PLAN_H

#include "stream/history.h"

// A pause between segments from here on is a hole; two that overlap by less do not.
#define PLAN_HOLE_US 100000

struct plan_item {
    struct segment_info info;
    uint16_t tried; // holders that left it out, by bit
    uint8_t holder;
};

struct plan {
    struct plan_item *item; // owned
    size_t count;           // at most HISTORY_LIST_MAX
    bool cut;               // there are more behind the last one
};

void plan_fini(struct plan *plan);
// infos in order of time, as history_list gives them.
void plan_add(struct plan *plan, const struct segment_info *infos, size_t count, bool cut,
              unsigned holder);
// Items of which `holder` has a copy come from there, when they come from `from_holder` or later.
void plan_use_copies(struct plan *plan, const struct segment_info *copies, size_t count,
                     unsigned holder, unsigned from_holder);
// What lies between is said to be not continuous. Once, when all were added.
void plan_mark(struct plan *plan);
// Index of the item that covers this moment, or of the next one; count when there is none.
size_t plan_find(const struct plan *plan, int64_t utc_us);
// The stretch of [from, to) from its first moment without media, or with thinned ones, to its last;
// false: none.
bool plan_hole(const struct plan *plan, int64_t from_us, int64_t to_us, struct history_range *hole);

// ---- ranges ------------------------------------------------------------------------------------
struct plan_ranges {
    struct history_range *range; // owned
    size_t count, capacity;      // at most HISTORY_RANGES_MAX
};
void plan_ranges_fini(struct plan_ranges *ranges);
// Media of either, whole ones rather than thinned; where neither has any, the reason of the one
// that was added later, who is nearer to the camera, unless it does not know.
void plan_ranges_add(struct plan_ranges *ranges, const struct history_range *more, size_t count);
// The stretch from the first moment without whole media to the last; false: none.
bool plan_ranges_hole(const struct plan_ranges *ranges, int64_t from_us, int64_t to_us,
                      struct history_range *hole);

#endif
