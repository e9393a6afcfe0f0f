// SPDX-License-Identifier: MIT
// Segments: made, filled, counted, freed; their table of renditions.
//
// 1. parts[] cover frames[0..frame_count) in order and without holes; no part is empty.
// 2. Frames are added while the count is one, or by `unpack`; a published segment never changes for
//    those who read it, it only learns more forms of the same content.
// 3. Rendition slot 0 is written once; the others are used round and round.
#include "media/segment.h"

#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

enum { SEGMENT_MAGIC = 0x5345474d, SEGMENT_FIRST_FRAMES = 64, SEGMENT_FIRST_PARTS = 4 };

static long live;

long segment_live_count(void)
{
    return live;
}

struct segment *segment_new(const struct segment_info *info, struct tracks *tracks)
{
    ENSURE(info && tracks);
    struct segment *segment = mem_alloc(sizeof(*segment));
    segment->magic = SEGMENT_MAGIC;
    segment->refs = 1;
    segment->info = *info;
    segment->tracks = tracks_ref(tracks);
    segment->rendition_next = 1;
    live++;
    return segment;
}

struct segment *segment_ref(struct segment *segment)
{
    OBJ_CHECK(segment, SEGMENT_MAGIC);
    ENSURE(segment->refs < UINT32_MAX);
    segment->refs++;
    return segment;
}

static void segment_drop_frames(struct segment *segment)
{
    for (unsigned i = 0; i < segment->frame_count; i++)
        frame_unref(&segment->frames[i]);
    mem_free(segment->frames);
    mem_free(segment->parts);
    segment->frames = NULL;
    segment->parts = NULL;
    segment->frame_count = segment->frame_capacity = 0;
    segment->part_count = segment->part_capacity = 0;
}

void segment_unref(struct segment **segment)
{
    struct segment *gone = *segment;
    *segment = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, SEGMENT_MAGIC);
    ENSURE(gone->refs > 0);
    if (--gone->refs > 0)
        return;
    segment_drop_frames(gone);
    for (unsigned i = 0; i < gone->rendition_count; i++)
        chain_fini(&gone->rendition[i].bytes);
    tracks_unref(&gone->tracks);
    gone->magic = 0;
    live--;
    mem_free(gone);
}

static void segment_grow(struct segment *segment)
{
    if (segment->frame_count == segment->frame_capacity) {
        segment->frame_capacity =
            segment->frame_capacity ? segment->frame_capacity * 2 : SEGMENT_FIRST_FRAMES;
        segment->frames =
            mem_resize(segment->frames, segment->frame_capacity * sizeof(*segment->frames));
    }
    if (segment->part_count == segment->part_capacity) {
        segment->part_capacity =
            segment->part_capacity ? segment->part_capacity * 2 : SEGMENT_FIRST_PARTS;
        segment->parts =
            mem_resize(segment->parts, segment->part_capacity * sizeof(*segment->parts));
    }
}

void segment_add_frame(struct segment *segment, struct frame **frame, bool begins_part)
{
    OBJ_CHECK(segment, SEGMENT_MAGIC);
    ENSURE(segment->refs == 1 || segment->unpack);
    ENSURE(segment->frame_count < SEGMENT_FRAMES_MAX && (*frame)->track < segment->tracks->count);
    segment_grow(segment);
    if (begins_part || segment->part_count == 0)
        segment->parts[segment->part_count++] =
            (struct segment_part){.first = segment->frame_count, .count = 0};
    segment->parts[segment->part_count - 1].count++;
    segment->frames[segment->frame_count++] = *frame;
    *frame = NULL;
}

int segment_frames(struct segment *segment)
{
    OBJ_CHECK(segment, SEGMENT_MAGIC);
    if (!segment->unpack)
        return 0;
    int result = segment->unpack(segment);
    if (result < 0)
        segment_drop_frames(segment);
    else
        segment->unpack = NULL;
    return result;
}

bool segment_frames_end(const struct tracks *tracks, struct frame *const *frames, unsigned count,
                        unsigned track, int64_t *end)
{
    const struct frame *last = NULL;
    uint64_t step = 0; // times of other servers may be any: they wrap
    for (unsigned i = 0; i < count; i++) {
        if (frames[i]->track != track)
            continue;
        if (last && frames[i]->dts > last->dts)
            step = (uint64_t)frames[i]->dts - (uint64_t)last->dts;
        last = frames[i];
    }
    if (!last)
        return false;
    if (last->duration)
        step = last->duration;
    *end = (int64_t)((uint64_t)last->dts + (step ? step : tracks->track[track].timescale / 25));
    return true;
}

const struct chain *segment_rendition(const struct segment *segment, const void *key)
{
    OBJ_CHECK(segment, SEGMENT_MAGIC);
    for (unsigned i = 0; i < segment->rendition_count; i++)
        if (segment->rendition[i].key == key)
            return &segment->rendition[i].bytes;
    return NULL;
}

const struct chain *segment_rendition_set(struct segment *segment, const void *key,
                                          struct chain *bytes)
{
    ENSURE(key && !segment_rendition(segment, key));
    unsigned slot = segment->rendition_count;
    if (slot < SEGMENT_RENDITIONS_MAX) {
        segment->rendition_count++;
    } else {
        slot = segment->rendition_next;
        segment->rendition_next = slot + 1 < SEGMENT_RENDITIONS_MAX ? slot + 1 : 1;
        chain_fini(&segment->rendition[slot].bytes);
    }
    segment->rendition[slot].key = key;
    chain_init(&segment->rendition[slot].bytes);
    chain_move(&segment->rendition[slot].bytes, bytes);
    return &segment->rendition[slot].bytes;
}
