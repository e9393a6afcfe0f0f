// SPDX-License-Identifier: MIT
// The TS rendition of a segment.
#include "format/ts_segment.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/ts_mux.h"

// The address is the key; the value is never read.
static const char ts_rendition_key;

// The frames of a part in the order of their decode times, tracks in order where they are equal: as
// cmaf_segment.c unpacks them. A live segment has them as they arrived; the same segment read from
// disk or from another server must give the same bytes.
struct entry {
    struct frame *frame;
    uint32_t timescale, order;
};

static int entry_compare(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;
    __int128 first = (__int128)one->frame->dts * two->timescale;
    __int128 second = (__int128)two->frame->dts * one->timescale;
    if (first != second)
        return first < second ? -1 : 1;
    if (one->frame->track != two->frame->track)
        return one->frame->track < two->frame->track ? -1 : 1;
    return one->order < two->order ? -1 : 1;
}

static void mux_part(struct ts_mux *mux, const struct segment *segment,
                     const struct segment_part *part, struct entry *entries, struct writer *out)
{
    for (unsigned i = 0; i < part->count; i++) {
        struct frame *frame = segment->frames[part->first + i];
        entries[i] = (struct entry){frame, segment->tracks->track[frame->track].timescale, i};
    }
    qsort(entries, part->count, sizeof(*entries), entry_compare);
    for (unsigned i = 0; i < part->count; i++)
        ts_mux_frame(mux, entries[i].frame, out);
}

int ts_segment(struct segment *segment, const struct chain **out)
{
    *out = segment_rendition(segment, &ts_rendition_key);
    if (*out)
        return 0;
    struct ts_mux *mux;
    int result = segment_frames(segment);
    if (result == 0)
        result = ts_mux_new(&mux, segment->tracks, NULL);
    if (result < 0)
        return result;
    struct writer packets;
    uint64_t payload = 0;
    for (unsigned i = 0; i < segment->frame_count; i++)
        payload += segment->frames[i]->length;
    // Packet heads and tables are 3 to 6 percent of a camera's stream.
    writer_init(&packets, payload + payload / 16 + 4096);
    ts_mux_set_collect(mux, true);
    struct entry *entries = mem_alloc((segment->frame_count + 1) * sizeof(*entries));
    for (unsigned i = 0; i < segment->part_count; i++)
        mux_part(mux, segment, &segment->parts[i], entries, &packets);
    mem_free(entries);
    ts_mux_flush(mux, &packets);
    ts_mux_free(&mux);
    struct chain bytes = {0};
    struct buf *block = writer_take(&packets);
    chain_take(&bytes, &block);
    *out = segment_rendition_set(segment, &ts_rendition_key, &bytes);
    return 0;
}

bool ts_carries_all(struct tracks *tracks)
{
    // The muxer knows best: of one codec it carries some configurations and not others.
    struct ts_mux *mux;
    if (ts_mux_new(&mux, tracks, NULL) < 0)
        return false;
    bool all = true;
    for (unsigned i = 0; i < tracks->count; i++)
        all = all && ts_mux_carries(mux, i);
    ts_mux_free(&mux);
    return all;
}
