// SPDX-License-Identifier: MIT
// The inside of a file, shared by mp4_file.c (segments in) and mp4_file_write.c (bytes out).
#ifndef FORMAT_MP4_FILE_PRIV_H
#define FORMAT_MP4_FILE_PRIV_H

#include "format/mp4_file.h"

#include "mp4_file_track.h"

// A stretch of mdat: a part of a segment's payload, or parameter sets. A whole file has at least
// one of each segment added; a time-lapse has an empty one of each, and one more for each picture.
struct piece {
    const struct buf *sets; // NULL: of a segment. Of a description, which lives as long
    uint64_t at;            // in mdat
    uint64_t offset, bytes; // in the segment's payload
    uint32_t index;         // of mp4_file_add
    uint16_t track;         // of the file; of a picture of a time-lapse
    uint16_t description;
};

// Where the tracks of the segment being added go.
struct target {
    struct file_track *track;
    uint16_t number; // in the file
    uint16_t description;
};

struct mp4_file {
    int64_t from_us, to_us;
    struct file_tracks tracks;
    struct tracks *current;           // of the segment added last; NULL before the first
    struct target target[TRACKS_MAX]; // of current
    struct piece *pieces;
    uint32_t piece_count, piece_capacity;
    uint32_t added;   // segments, as the caller counts: those that were taken
    bool is_lapse;    // key frames only
    int64_t lapse_us; // to be fitted into this; 0: 25 pictures a second
    uint64_t payload; // bytes in mdat so far
    uint32_t samples;
    bool begun;        // a key frame was found, samples are taken
    bool ended;        // finished, or nothing more can be added
    int64_t begin_dts; // of that key frame, in ticks
    uint32_t begin_timescale;
    int64_t shift_us;    // length of the holes left out
    int64_t last_end_us; // UTC end of the leading track so far
    struct chain head;
};

// Makes file->head of the finished samples. ERR_NOT_FOUND: none of them is shown in the range.
MUST_USE int mp4_file_lay_out(struct mp4_file *file);

#endif
