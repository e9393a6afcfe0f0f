// SPDX-License-Identifier: MIT
// Segments that were read lately.
//
// 1. `bytes` is the sum of info.bytes, at most ARCHIVE_KEPT_BYTES_MAX.
// 2. An opened file is named by its address: kept_drop comes before it is freed.
#include "kept.h"

#include <stdbool.h>

#include "base/limits.h"
#include "base/mem.h"

struct kept_segment {
    struct list_node node;
    const struct opened *opened;
    uint64_t offset;
    bool used; // since the last tick
    struct segment *segment;
};

void kept_init(struct kept *kept)
{
    *kept = (struct kept){0};
    list_init(&kept->segments);
}

static void drop(struct kept *kept, struct kept_segment *gone)
{
    list_remove(&kept->segments, &gone->node);
    kept->bytes -= gone->segment->info.bytes;
    segment_unref(&gone->segment);
    mem_free(gone);
}

static bool same(const struct segment_info *a, const struct segment_info *b)
{
    return a->number == b->number && a->utc_start_us == b->utc_start_us &&
           a->duration_us == b->duration_us && a->bytes == b->bytes &&
           a->generation == b->generation && a->flags == b->flags;
}

struct segment *kept_find(struct kept *kept, const struct opened *opened, uint64_t offset,
                          const struct segment_info *info)
{
    LIST_FOREACH(&kept->segments, it, after)
    {
        struct kept_segment *found = LIST_OWNER(it, struct kept_segment, node);
        if (found->opened != opened || found->offset != offset ||
            !same(&found->segment->info, info))
            continue;
        found->used = true;
        list_remove(&kept->segments, &found->node);
        list_append(&kept->segments, &found->node);
        return segment_ref(found->segment);
    }
    return NULL;
}

void kept_add(struct kept *kept, const struct opened *opened, uint64_t offset,
              struct segment *segment)
{
    uint64_t bytes = segment->info.bytes;
    if (bytes > ARCHIVE_KEPT_BYTES_MAX / 4)
        return;
    while (kept->bytes + bytes > ARCHIVE_KEPT_BYTES_MAX || kept->segments.count >= ARCHIVE_KEPT_MAX)
        drop(kept, LIST_OWNER(list_first(&kept->segments), struct kept_segment, node));
    struct kept_segment *added = mem_alloc(sizeof *added);
    added->opened = opened;
    added->offset = offset;
    added->used = true;
    added->segment = segment_ref(segment);
    kept->bytes += bytes;
    list_append(&kept->segments, &added->node);
}

void kept_drop(struct kept *kept, const struct opened *opened)
{
    LIST_FOREACH(&kept->segments, it, after)
    {
        struct kept_segment *gone = LIST_OWNER(it, struct kept_segment, node);
        if (!opened || gone->opened == opened)
            drop(kept, gone);
    }
}

void kept_tick(struct kept *kept)
{
    LIST_FOREACH(&kept->segments, it, after)
    {
        struct kept_segment *segment = LIST_OWNER(it, struct kept_segment, node);
        if (!segment->used)
            drop(kept, segment);
        else
            segment->used = false;
    }
}
