// SPDX-License-Identifier: MIT
// A segment: a closed run of frames that a player can start with, immutable once published, shared
// by count. The live window, the archive on disk and another server yield the same type.
//
// Two ways to exist:
//   - made here by the segmenter: `frames` and `parts` are there, encoded bytes are made on demand;
//   - read from disk or from a peer: the archived bytes are there as the CMAF rendition (see
//     format/cmaf.h), frames are made on demand by segment_frames().
//
// Identity: (stream name, utc_start_us). The same on every server that carries the stream; so are
// number, duration and the CMAF bytes. Audio belongs to the segment in which it arrived.
#ifndef MEDIA_SEGMENT_H
#define MEDIA_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/err.h"
#include "media/frame.h"
#include "media/track.h"

enum segment_flags {
    SEGMENT_KEY = 1,           // begins with a key frame of the leading track
    SEGMENT_DISCONTINUITY = 2, // not continuous with the segment before it (hole, new run)
    // Another one under the same number and time, that a disk had no room for as it was: of its
    // video only the key pictures are left (cmaf_segment_thin).
    SEGMENT_THINNED = 4,
};

// What is known of a segment without having it: entries of lists, indexes and catalogues.
struct segment_info {
    uint64_t number;      // grows by one within a run; starts at the UTC second of the run's start
    int64_t utc_start_us; // decode time of its first leading-track frame
    int64_t duration_us;  // up to the start of the next one
    uint64_t bytes;       // size of its CMAF form
    int64_t clock_us;     // wall clock less monotonic one by which it was dated; 0: not here
    uint32_t generation;  // of its track list, as numbered where it was made
    uint8_t flags;        // enum segment_flags
};

// A part (CMAF chunk): frames [first, first + count) of the segment.
struct segment_part {
    uint32_t first, count;
};

enum { SEGMENT_RENDITIONS_MAX = 6 }; // TS, CMAF, and some per-track forms; more are not kept

struct segment {
    uint32_t magic;
    uint32_t refs;
    struct segment_info info;
    struct tracks *tracks; // one reference
    struct frame **frames; // parts in order, each in decode order; one reference each
    unsigned frame_count, frame_capacity;
    struct segment_part *parts; // they cover frames[] without holes
    unsigned part_count, part_capacity;
    // Makes frames and parts from the CMAF rendition by segment_add_frame; 0 or ERR_INVALID. NULL
    // when the frames are there already.
    int (*unpack)(struct segment *segment);
    struct {
        const void *key; // address that names the format
        struct chain bytes;
    } rendition[SEGMENT_RENDITIONS_MAX];
    unsigned rendition_count;
    unsigned rendition_next; // slot that gives way next when all are in use; never slot 0
};

// Count one, no frames, no renditions. Holds a reference on tracks.
struct segment *segment_new(const struct segment_info *info, struct tracks *tracks);
struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment **segment); // NULL is fine, is NULL afterwards
long segment_live_count(void);                // segments that exist, for tests and metrics
// For whoever makes the segment, while its count is one: appends a frame (takes the reference,
// blanks the pointer), to a new part when begins_part or when it is the first, else to the last
// part. ENSUREs fewer than SEGMENT_FRAMES_MAX frames.
void segment_add_frame(struct segment *segment, struct frame **frame, bool begins_part);
// Makes sure that frames and parts are there. 0, or ERR_INVALID when the bytes are damaged: then
// there are none, and asking again gives the same answer.
MUST_USE int segment_frames(struct segment *segment);
// Where the last frame of a track ends, in its ticks, among frames in decode order: after its
// duration, else the step before it, else 1/25 s. False: the track has none.
bool segment_frames_end(const struct tracks *tracks, struct frame *const *frames, unsigned count,
                        unsigned track, int64_t *end);
// The bytes of this segment in a format, or NULL when not made yet. Borrowed until the next
// segment_rendition_set on this segment.
const struct chain *segment_rendition(const struct segment *segment, const void *key);
// Moves *bytes in under a key that is not there yet and returns the stored chain, borrowed as
// above. When the table is full the oldest gives way (slices in flight hold their own references),
// but never the first one set: a segment from disk or from a peer is made of it.
const struct chain *segment_rendition_set(struct segment *segment, const void *key,
                                          struct chain *bytes);

#endif
