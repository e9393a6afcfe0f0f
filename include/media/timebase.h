// SPDX-License-Identifier: MIT
// Rescaling between timescales without overflow, and unwrapping of short counters.
#ifndef MEDIA_TIMEBASE_H
#define MEDIA_TIMEBASE_H

#include <stdint.h>

// value * to / from, rounded to nearest, exact for all values that occur (128-bit inside).
int64_t ticks_rescale(int64_t value, uint32_t from, uint32_t to);
int64_t ticks_to_us(int64_t ticks, uint32_t timescale); // rounded to nearest
int64_t ticks_from_us(int64_t us, uint32_t timescale);  // rounded to nearest

// Unwraps a counter of `bits` bits (32 for RTP, 33 for MPEG-TS) to the 64-bit value nearest to the
// one given before. Start with a zeroed structure; the first value is taken as it is.
struct unwrap {
    unsigned bits;
    int64_t last;
    int started;
};
int64_t unwrap_next(struct unwrap *unwrap, uint64_t value);

#endif
