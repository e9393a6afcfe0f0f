// SPDX-License-Identifier: MIT
// Segments that were read lately, for whoever reads the same next: several viewers of one moment
// are served from one copy, which is read, checked and repackaged once. Bounded by bytes; what
// nobody asked for between two ticks goes.
#ifndef ARCHIVE_KEPT_H
#define ARCHIVE_KEPT_H

#include <stdint.h>

#include "base/list.h"
#include "media/segment.h"

struct opened;

// A zeroed one has to be initialised.
struct kept {
    struct list segments; // struct kept_segment, the one used last at the end
    uint64_t bytes;
};

void kept_init(struct kept *kept);
// One reference on the segment that stands at the offset of the file and of which the same is
// known; NULL when it is not kept.
struct segment *kept_find(struct kept *kept, const struct opened *opened, uint64_t offset,
                          const struct segment_info *info);
// Takes a reference of its own; it was read from there.
void kept_add(struct kept *kept, const struct opened *opened, uint64_t offset,
              struct segment *segment);
void kept_drop(struct kept *kept, const struct opened *opened); // of that file; NULL: all
void kept_tick(struct kept *kept); // what was not asked for since the last tick goes

#endif
