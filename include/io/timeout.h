// SPDX-License-Identifier: MIT
// Timers, embedded in their owner. One-shot; the callback may start it again. A timeout that was
// given timeout_init is idle; stopping an idle one is fine; it must be stopped before its memory
// goes. Restarting to a later time costs nothing (the deadline is moved lazily), so an activity
// timeout may be pushed on every packet. They follow now_us, so tests set the time and turn the
// loop.
#ifndef IO_TIMEOUT_H
#define IO_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct timeout {
    struct loop *loop;
    void (*run)(void *arg);
    void *arg;
    int64_t due_us; // monotonic; 0 when idle
    uint32_t at;    // place in the loop's heap, from 1; 0 when not there. Private.
};

void timeout_init(struct timeout *timeout, struct loop *loop, void (*run)(void *arg), void *arg);
// From now; replaces what was set. A delay of 0 or less fires in the next turn.
void timeout_start(struct timeout *timeout, int64_t delay_us);
void timeout_start_at(struct timeout *timeout, int64_t due_us);
void timeout_stop(struct timeout *timeout);
bool timeout_active(const struct timeout *timeout);

// Growing delays with jitter for everything that retries: 1, 2, 4 ... times base up to most, each
// times a random factor of 0.75..1.25.
struct backoff {
    int64_t base_us, most_us;
    unsigned failures;
};
int64_t backoff_next_us(struct backoff *backoff);
void backoff_reset(struct backoff *backoff);

#endif
