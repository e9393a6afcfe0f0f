// SPDX-License-Identifier: MIT
// The inside of a movie, shared by mp4_parse.c (moov, samples in order) and mp4_fragment.c (moof).
#ifndef FORMAT_MP4_MOVIE_H
#define FORMAT_MP4_MOVIE_H

#include "format/mp4_parse.h"

#include "mp4_moov.h"
#include "mp4_table.h"

// A `trun`, ready to be walked. Widths are checked: table has count * width bytes.
struct mp4_run {
    uint32_t count, width;
    uint32_t fields; // trun flags
    uint32_t duration, size, flags, first_flags;
    int64_t dts;     // of its first sample
    uint64_t offset; // of its first sample in the file
    const uint8_t *table;
    uint32_t group_most;
};

struct mp4_movie_track {
    uint32_t id, timescale; // of the file
    struct mp4_trex trex;
    unsigned nal_width;
    int64_t shift;       // decode time of the file minus shift is that of the presentation
    uint32_t group_most; // samples of one tick and one size handed out as one
    struct mp4_table table;
    struct mp4_run *runs; // of the fragments, in order
    uint32_t run_count, run_capacity;
    int64_t fragment_end; // decode time where the next fragment begins when it does not say
    // Cursor behind the tables: run, sample in it, what was summed up.
    uint32_t run_at, sample_at;
    int64_t run_dts;
    uint64_t run_offset;
    bool has_ahead;
    struct mp4_sample ahead; // next sample of this track
};

struct mp4_movie {
    struct buf *moov;   // copy; tables are borrowed from it
    struct buf **moofs; // copies; runs are borrowed from them
    uint32_t moof_count, moof_capacity;
    size_t moof_bytes;
    struct tracks *tracks;
    bool is_fragmented;
    char left_out[256];
    struct mp4_movie_track track[TRACKS_MAX]; // as many as tracks has
};

// Next sample of a run list of one track. ERR_NOT_FOUND at the end.
MUST_USE int mp4_runs_next(struct mp4_movie_track *track, struct mp4_raw_sample *out);

#endif
