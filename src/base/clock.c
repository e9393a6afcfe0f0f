// SPDX-License-Identifier: MIT
// The only reader of clocks.
#include "base/clock.h"

#include <time.h>

static bool frozen;
static int64_t frozen_mono_us, frozen_wall_us;

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t now_us(void)
{
    return frozen ? frozen_mono_us : read_clock(CLOCK_MONOTONIC);
}

int64_t utc_us(void)
{
    return frozen ? frozen_wall_us : read_clock(CLOCK_REALTIME);
}

void clock_set_test(int64_t mono_us, int64_t wall_us)
{
    frozen = true;
    frozen_mono_us = mono_us;
    frozen_wall_us = wall_us;
}

void clock_advance_test(int64_t us)
{
    clock_set_test(now_us() + us, utc_us() + us);
}

void clock_use_system(void)
{
    frozen = false;
}
