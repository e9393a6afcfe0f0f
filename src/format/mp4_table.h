// SPDX-License-Identifier: MIT
// The sample tables of a track (ISO/IEC 14496-12, 8.6 and 8.7) as a cursor over the bytes as they
// stand: nothing is unfolded, so counts in a file cost no memory.
#ifndef FORMAT_MP4_TABLE_H
#define FORMAT_MP4_TABLE_H

#include "base/bytes.h"
#include "base/err.h"

// Decode times beyond this end a track; sums of what 32-bit fields say stay far below overflow.
#define MP4_TICKS_MAX (1LL << 61)

// A sample as the tables tell it, in the file's timescale and before edit lists.
struct mp4_raw_sample {
    int64_t dts;
    int32_t cts;
    uint32_t duration;
    uint64_t offset;
    uint32_t length;
    bool key;
};

// One table: `count` entries, checked to be there.
struct mp4_rows {
    const uint8_t *data;
    uint32_t count;
};

struct mp4_table {
    struct mp4_rows stts, ctts, stss, stsc, chunks, sizes;
    unsigned size_bits; // of an entry of sizes: 4, 8, 16, 32; 0: all samples have `size`
    uint32_t size;
    uint32_t samples;    // in all
    bool long_offsets;   // chunks is co64
    bool has_stss;       // without it every sample is a key
    uint32_t group_most; // samples handed out as one; more than 1 for PCM
    struct mp4_table_cursor {
        uint32_t sample;              // number of the next one, from 0
        uint32_t stts_row, stts_done; // samples taken of that row
        uint32_t ctts_row, ctts_done;
        uint32_t stss_row, stsc_row;
        uint32_t chunk, chunk_done; // chunk_done: samples taken of it
        uint64_t offset;            // of the next sample, when chunk_done > 0
        int64_t dts;
    } at;
};

// stbl: the body. Tables stay borrowed. audio: samples of one tick each and one size are handed out
// in groups of at most `group_most`. ERR_INVALID; ERR_UNSUPPORTED: several sample descriptions.
MUST_USE int mp4_table_parse(struct bytes stbl, uint32_t group_most, struct mp4_table *out);
// ERR_NOT_FOUND at the end, also where the tables contradict each other. length may be 0.
MUST_USE int mp4_table_next(struct mp4_table *table, struct mp4_raw_sample *out);
// Samples of `size` > 0 bytes that may be handed out as one: `wanted`, less when it is too many
// bytes.
uint32_t mp4_group_most(uint32_t wanted, uint32_t size);
void mp4_table_rewind(struct mp4_table *table);
// Ticks a sample, when most samples have the same number; else 0.
uint32_t mp4_table_usual_duration(const struct mp4_table *table);

#endif
