// SPDX-License-Identifier: MIT
// The TS rendition of a segment.
#include "format/ts_segment.h"

#include "format/ts_mux.h"

// The address is the key; the value is never read.
static const char ts_rendition_key;

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
    for (unsigned i = 0; i < segment->frame_count; i++)
        ts_mux_frame(mux, segment->frames[i], &packets);
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
