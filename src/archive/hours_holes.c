// SPDX-License-Identifier: MIT
// Holes inside of hour files.
//
// hole[] is sorted by name and time; exactly the files with holes_known have theirs in it.
#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "hours.h"
#include "index_parse.h"

static unsigned lower_bound(const struct hours *hours, struct hour_name name)
{
    unsigned low = 0, high = hours->holes;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (hour_name_compare(hours->hole[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct hours_hole *hours_holes_of(const struct hours *hours, const struct hour *hour,
                                        unsigned *count)
{
    *count = 0;
    if (!hour->holes || !hour->holes_known)
        return NULL;
    struct hour_name name = hour_name_of(hour);
    unsigned first = lower_bound(hours, name), last = first;
    while (last < hours->holes && hour_name_compare(hours->hole[last].name, name) == 0)
        last++;
    *count = last - first;
    return &hours->hole[first];
}

static void remove_holes(struct hours *hours, const struct hour *hour)
{
    unsigned count;
    const struct hours_hole *first = hours_holes_of(hours, hour, &count);
    if (count == 0)
        return;
    size_t at = (size_t)(first - hours->hole);
    hours->holes -= count;
    memmove(hours->hole + at, hours->hole + at + count, (hours->holes - at) * sizeof *first);
}

void hours_set_holes(struct hours *hours, struct hour *hour, const struct hour_hole *hole,
                     unsigned count, bool all)
{
    remove_holes(hours, hour);
    hour->holes = count > 0 || !all;
    hour->holes_known = all && hours->holes + count <= ARCHIVE_HOLES_MAX;
    if (!hour->holes_known || count == 0)
        return;
    if (hours->holes + count > hours->hole_capacity) {
        hours->hole_capacity = (hours->holes + count) * 2;
        hours->hole = mem_resize(hours->hole, hours->hole_capacity * sizeof *hours->hole);
    }
    struct hour_name name = hour_name_of(hour);
    unsigned at = lower_bound(hours, name);
    memmove(hours->hole + at + count, hours->hole + at, (hours->holes - at) * sizeof *hours->hole);
    for (unsigned i = 0; i < count; i++)
        hours->hole[at + i] = (struct hours_hole){.name = name, .hole = hole[i]};
    hours->holes += count;
}

void hours_note_index(struct hours *hours, struct hour *hour, const struct index *index)
{
    struct hour_hole hole[HOUR_HOLES_MAX];
    unsigned count = 0;
    bool all = true;
    for (unsigned i = 0; i < index->count && all; i++) {
        all = !(index->entries[i].flags & SEGMENT_THINNED);
        if (!all || !index_hole_before(index, i))
            continue;
        all = count < HOUR_HOLES_MAX;
        if (all)
            hole[count++] =
                (struct hour_hole){.from_us = index_entry_end_us(&index->entries[i - 1]),
                                   .to_us = index->entries[i].utc_start_us};
    }
    hours_set_holes(hours, hour, hole, all ? count : 0, all);
}
