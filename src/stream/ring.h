// SPDX-License-Identifier: MIT
// The bounded ring of a stream's frames. Frames have consecutive sequence numbers; a reader is a
// sequence number. At least the last GOP is kept, plus what came in the 1.5 seconds before it
// began, so that a reader who is a moment late loses nothing; never more than RING_BYTES_MAX or
// RING_FRAMES_MAX.
//
// Invariants: frames [base, base + count) are held, one reference each; key positions are those of
// key frames of the leading track, ascending, all within the ring.
#ifndef STREAM_RING_H
#define STREAM_RING_H

#include "media/frame.h"

struct ring {
    struct frame **frames; // capacity entries, a power of two; frame seq is at seq & (capacity - 1)
    uint32_t capacity;
    uint64_t base; // seq of the oldest frame held
    uint64_t count;
    uint64_t bytes; // payload held
    struct {
        uint64_t seq;
        int64_t came_us;
    } * keys; // key_capacity entries, a power of two, used as a ring from key_first
    uint32_t key_capacity, key_first, key_count;
};

void ring_init(struct ring *ring);
void ring_fini(struct ring *ring);
// Gives frame->seq and holds a reference. came_us: monotonic; decode times jump when a clock is
// set. leading_key: a key frame of the leading track.
void ring_append(struct ring *ring, struct frame *frame, int64_t came_us, bool leading_key);
struct frame *ring_get(const struct ring *ring, uint64_t seq); // NULL when not held
static inline uint64_t ring_end(const struct ring *ring)
{
    return ring->base + ring->count;
}
// Newest key frame's seq; false when there is none.
bool ring_last_key(const struct ring *ring, uint64_t *seq);

#endif
