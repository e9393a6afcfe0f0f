// SPDX-License-Identifier: MIT
// A frame: one access unit of one track (a picture, an audio packet). Made by an input with one
// reference, handed over to the stream, immutable from then on, shared by count.
//
// The payload has one canonical form per codec: NAL units each behind a 4-byte length and without
// parameter sets or delimiters for H.264 and H.265 (SEI stays), raw access units for AAC (no ADTS),
// packets for Opus, samples for G.711, temporal units without delimiters for AV1.
//
// dts is on the *stream's* timeline once the stream has taken the frame: the number of ticks since
// 1970-01-01 UTC, 64 bits, never wrapping (docs/design/time.md). Before that it is whatever
// the input counts in, unwrapped, in the track's timescale.
#ifndef MEDIA_FRAME_H
#define MEDIA_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum frame_flags {
    FRAME_KEY = 1,           // decoding can begin here; every audio frame has it
    FRAME_DISCONTINUITY = 2, // not continuous with the frame before it in this track
    FRAME_DROPPABLE = 4,     // no other frame refers to it
    FRAME_CORRUPT = 8,       // known to be incomplete
    FRAME_SEGMENT = 16,      // set by the stream: first frame of a segment, see segment_number
    FRAME_SEGMENT_GAP = 32,  // with FRAME_SEGMENT: that segment has SEGMENT_DISCONTINUITY
};

struct frame {
    uint32_t magic;
    uint32_t refs;
    uint8_t track; // index into the track list
    uint8_t flags;
    uint32_t generation; // of the track list it belongs to; given by the stream
    int64_t dts;         // decode time, ticks of the track's timescale
    int32_t cts;         // presentation time minus dts, ticks
    uint32_t duration;   // ticks, 0 when not known
    uint64_t seq;        // given by the stream: grows by one, never reused in a run of the process
    int64_t arrived_us;  // monotonic
    uint64_t segment_number; // number of the segment this frame belongs to; given by the stream
    struct buf *buf;         // one reference
    uint32_t offset, length; // the payload within buf
};

// Takes the caller's reference of *buf and blanks the pointer. Count one. Payload is all of buf.
struct frame *frame_new(unsigned track, struct buf **buf);
struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame **frame); // NULL is fine, is NULL afterwards
long frame_live_count(void);            // frames that exist, for tests and metrics
static inline bool frame_is_key(const struct frame *frame)
{
    return frame->flags & FRAME_KEY;
}
static inline const uint8_t *frame_data(const struct frame *frame)
{
    return frame->buf->data + frame->offset;
}

#endif
