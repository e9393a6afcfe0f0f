// SPDX-License-Identifier: MIT
// Sample tables of a whole file, built sample by sample in the form in which they are written
// (ISO/IEC 14496-12, 8.6 and 8.7): run lengths for durations and composition offsets, four bytes
// per sample for sizes. mp4_table.h is the reader.
#ifndef FORMAT_MP4_STBL_H
#define FORMAT_MP4_STBL_H

#include "base/chain.h"
#include "base/writer.h"

// Equal values in a row.
struct mp4_stbl_run {
    uint32_t value, count, rows; // rows: written before this run
};

struct mp4_stbl {
    struct writer stts, ctts, stss, stsz, stsc, co64; // whole boxes; empty before the first row
    struct mp4_stbl_run durations, offsets;
    uint32_t samples, keys, chunks;
    // Of the last chunk, and of the last row of stsc.
    struct mp4_stbl_chunks {
        uint32_t samples, description;
    } chunk, row;
    uint32_t rows;          // of stsc
    uint64_t time;          // decode time of the last sample, ticks since the first one's
    uint32_t last_duration; // of the last sample as it was given
    uint32_t size;          // of the first sample
    bool sizes_differ, has_negative;
};

void mp4_stbl_fini(struct mp4_stbl *stbl);
// A chunk (samples without gaps between them in the file, of one sample entry) begins at `offset`
// of the payload. description: number of the entry, from 1.
void mp4_stbl_chunk(struct mp4_stbl *stbl, uint64_t offset, uint32_t description);
// Adds a sample to the chunk. time: ticks since the first one's decode time; one that is earlier
// than the sample before gets the same time. duration counts only while it is the last sample.
void mp4_stbl_add(struct mp4_stbl *stbl, int64_t time, uint32_t duration, uint32_t size,
                  int32_t cts, bool key);
// Ends the tables; `time` is then the end of the last sample. Without a sample that is no key there
// is no table of keys.
void mp4_stbl_finish(struct mp4_stbl *stbl);
// Bytes of all boxes, after mp4_stbl_finish.
size_t mp4_stbl_size(const struct mp4_stbl *stbl);
// Moves the boxes to the end of `out`, with `base` added to each chunk offset.
void mp4_stbl_take(struct mp4_stbl *stbl, uint64_t base, struct chain *out);

#endif
