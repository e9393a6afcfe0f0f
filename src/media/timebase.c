// SPDX-License-Identifier: MIT
// Rescaling and unwrapping. Halves round up (towards later), not away from zero, so that a shift of
// the whole timeline, even across zero, never changes a distance by one tick.
#include "media/timebase.h"

#include "base/clock.h"
#include "base/ensure.h"

int64_t ticks_rescale(int64_t value, uint32_t from, uint32_t to)
{
    ENSURE(from > 0 && to > 0);
    if (from == to)
        return value;
    __int128 twice = (__int128)value * to * 2 + from;
    __int128 divisor = (__int128)from * 2;
    __int128 quotient = twice / divisor;
    if (twice % divisor < 0)
        quotient--; // division truncates towards zero, the floor is wanted
    // Foreign files may say anything in their 64 bits; a bound is as good as a wrap is bad.
    if (quotient > INT64_MAX)
        return INT64_MAX;
    if (quotient < INT64_MIN)
        return INT64_MIN;
    return (int64_t)quotient;
}

int64_t ticks_to_us(int64_t ticks, uint32_t timescale)
{
    return ticks_rescale(ticks, timescale, US_PER_S);
}

int64_t ticks_from_us(int64_t us, uint32_t timescale)
{
    return ticks_rescale(us, US_PER_S, timescale);
}

int64_t unwrap_next(struct unwrap *unwrap, uint64_t value)
{
    ENSURE(unwrap->bits > 0 && unwrap->bits < 64);
    uint64_t mask = (1ULL << unwrap->bits) - 1;
    if (!unwrap->started) {
        unwrap->started = 1;
        unwrap->last = (int64_t)(value & mask);
        return unwrap->last;
    }
    uint64_t step = (value - (uint64_t)unwrap->last) & mask;
    uint64_t half = 1ULL << (unwrap->bits - 1);
    if (step >= half)
        step -= mask + 1; // backwards, as a two's complement
    unwrap->last = (int64_t)((uint64_t)unwrap->last + step);
    return unwrap->last;
}
