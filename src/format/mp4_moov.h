// SPDX-License-Identifier: MIT
// The parts of `moov` that an init segment and a whole file have in common (ISO/IEC 14496-12, 8.2
// to 8.8), written and read.
#ifndef FORMAT_MP4_MOOV_H
#define FORMAT_MP4_MOOV_H

#include "media/track.h"

#include "mp4_box.h"

// Of durations in mvhd, tkhd and elst: exact for all usual video rates.
#define MP4_MOVIE_TIMESCALE 90000

struct mp4_edit {
    uint64_t duration;  // in the movie's timescale; 0 in a fragmented file: to the end
    int64_t media_time; // in the track's timescale; -1: nothing is shown
};

struct mp4_trak {
    const struct track *track;
    const struct track *const *more; // further sample entries, from number 2 on
    unsigned more_count;
    unsigned id;             // track_ID, from 1
    uint64_t created_s;      // seconds since 1904
    uint64_t duration;       // of the presentation, in the movie's timescale
    uint64_t media_duration; // in the track's timescale
    const struct mp4_edit *edits;
    unsigned edit_count; // 0: no edit list
    size_t tables_size;  // bytes of the sample tables that follow; 0: empty ones are written
};

void mp4_mvhd_write(struct writer *out, uint64_t created_s, uint64_t duration,
                    unsigned track_count);
// From `trak` to the end of `stsd`; the sizes of the open boxes count tables_size bytes more, which
// the caller puts behind.
void mp4_trak_write(struct writer *out, const struct mp4_trak *trak);

// A `trak` as it was read, everything borrowed from its bytes.
struct mp4_trak_found {
    uint32_t id, timescale; // timescale > 0
    uint32_t handler;       // type, such as "vide"; 0 when it was not found
    enum media_kind kind;
    char language[4];
    struct bytes entry; // first sample entry, whole box
    struct bytes stbl;  // body
};

// trak: the body of the box. ERR_INVALID; ERR_UNSUPPORTED: neither video nor audio.
MUST_USE int mp4_trak_parse(struct bytes trak, struct mp4_trak_found *out);

// `trex` of a track.
struct mp4_trex {
    uint32_t duration, size, flags;
};
// moov: the body. Zeros when there is none.
struct mp4_trex mp4_trex_find(struct bytes moov, uint32_t id);

#endif
