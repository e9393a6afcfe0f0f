// SPDX-License-Identifier: MIT
// The only reader of clocks.
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "base/code.h"

static bool frozen;
static int64_t frozen_mono_us, frozen_wall_us;
static uint8_t frozen_boot;
static bool frozen_synchronised;

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

int64_t boot_us(void)
{
    return frozen ? frozen_mono_us : read_clock(CLOCK_BOOTTIME);
}

// "8f9c0d6e-....-............\n"; answered by the kernel, no disk behind it.
static bool boot_id_read(uint8_t out[CLOCK_BOOT_BYTES])
{
    char text[64], digits[2 * CLOCK_BOOT_BYTES + 1];
    size_t count = 0, length = 0;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file)
        return false;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    for (const char *at = text; read && *at && count < sizeof digits - 1; at++)
        if (*at != '-')
            digits[count++] = *at;
    return hex_decode(digits, count, out, CLOCK_BOOT_BYTES, &length) && length == CLOCK_BOOT_BYTES;
}

void clock_boot_id(uint8_t out[CLOCK_BOOT_BYTES])
{
    memset(out, 0, CLOCK_BOOT_BYTES);
    if (frozen)
        out[0] = frozen_boot;
    else if (!boot_id_read(out))
        memset(out, 0, CLOCK_BOOT_BYTES);
}

bool clock_is_synchronised(void)
{
    struct timex about = {0};
    if (frozen)
        return frozen_synchronised;
    int state = adjtimex(&about);
    return state != -1 && state != TIME_ERROR && !(about.status & STA_UNSYNC);
}

void clock_set_boot_test(uint8_t id, bool synchronised)
{
    frozen_boot = id;
    frozen_synchronised = synchronised;
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
    frozen = frozen_synchronised = false;
    frozen_boot = 0;
}
