// SPDX-License-Identifier: MIT
// The only place that reads clocks. Tests replace both.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define US_PER_S 1000000LL
#define US_PER_MS 1000LL

int64_t now_us(void); // monotonic microseconds; for intervals and timeouts
int64_t utc_us(void); // wall clock, microseconds since 1970 UTC; may step

// From now on both return these values until changed again. For tests.
void clock_set_test(int64_t mono_us, int64_t wall_us);
void clock_advance_test(int64_t us); // both
void clock_use_system(void);

#endif
