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

// Which boot of the machine this is, and how long it has been up, suspended time included. Wall
// time minus this is the moment of the boot: it moves when, and only when, the wall clock is set.
enum { CLOCK_BOOT_BYTES = 16 };
void clock_boot_id(uint8_t out[CLOCK_BOOT_BYTES]); // zeros when it is not to be had
int64_t boot_us(void);
// Whether the kernel says that the wall clock follows a reference (NTP).
bool clock_is_synchronised(void);

// From now on both return these values until changed again. For tests.
void clock_set_test(int64_t mono_us, int64_t wall_us);
void clock_advance_test(int64_t us); // both
// Another boot, and what the kernel says; a boot id of zeros and false before.
void clock_set_boot_test(uint8_t id, bool synchronised);
void clock_use_system(void);

#endif
