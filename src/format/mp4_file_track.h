// SPDX-License-Identifier: MIT
// The tracks of a whole file, and where the tracks of its segments go. A stream's tracks change
// (size, parameter sets, sound that comes and goes); a file has them all: what one decoder can go
// on with is one track of it with several sample entries, another codec is a track of its own.
#ifndef FORMAT_MP4_FILE_TRACK_H
#define FORMAT_MP4_FILE_TRACK_H

#include "media/track.h"

#include "mp4_stbl.h"

enum {
    FILE_TRACKS_MAX = 64,
    FILE_DESCRIPTIONS_MAX = 1024, // of one track; who has more is not one camera
};

struct file_description {
    struct tracks *tracks; // one reference
    unsigned number;       // in tracks
    // Its parameter sets as they stand before a key frame, NULL when its codec has none.
    struct buf *sets;
};

struct file_track {
    struct mp4_stbl stbl;
    uint32_t timescale;
    unsigned rank; // among the tracks of its codec in the list it came from
    struct file_description *descriptions;
    unsigned count, capacity; // of descriptions
    // Ticks of `timescale`.
    int64_t first;        // shifted decode time of its first sample
    int64_t begins, ends; // shifted: from when to when it has something to show
    int64_t from, to;     // the range
    int64_t begin;        // what the file begins with, UTC
    int64_t shift;        // that holes have taken
};

struct file_tracks {
    struct file_track *track[FILE_TRACKS_MAX];
    unsigned count;
};

// The first of them.
const struct track *file_track_media(const struct file_track *track);

void file_tracks_fini(struct file_tracks *tracks); // empty afterwards
// Where track `number` of a segment's list goes: the one there is, or a new one whose times are
// still to be set (*is_new), which has the description. NULL past FILE_TRACKS_MAX.
struct file_track *file_tracks_find(struct file_tracks *tracks, struct tracks *from,
                                    unsigned number, bool *is_new);
// Number (from 1) of the sample entry for track `number` of a segment's list; it is added when it
// is new. ERR_LIMIT.
MUST_USE int file_track_describe(struct file_track *track, struct tracks *from, unsigned number);

#endif
