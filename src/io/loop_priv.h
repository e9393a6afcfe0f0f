// SPDX-License-Identifier: MIT
// Inside of the loop, for the files of this folder.
#ifndef IO_LOOP_PRIV_H
#define IO_LOOP_PRIV_H

#include <ev.h>

#include "io/loop.h"
#include "io/timeout.h"

struct loop_timer {
    int64_t key_us; // when to look at it; its due_us is this or later
    struct timeout *timeout;
};

struct loop {
    uint32_t magic;
    struct ev_loop *ev;
    struct ev_check check;     // begins a turn: after the wait
    struct ev_prepare prepare; // ends it: before the wait
    struct ev_timer alarm;     // wakes the loop for the first of the heap
    struct ev_idle idle;       // active while calls are pending: the loop must not sleep
    int64_t alarm_us;          // what alarm is set to; 0 when it is not
    struct list deferred;      // struct defer, this turn
    struct list later;         // struct defer, next turn
    struct list ready;         // struct defer, moved from later and being run
    struct list hooks;         // struct loop_hook
    struct list signals;       // struct loop_signal
    struct loop_timer *heap;   // binary heap by key_us; [1, timers]
    uint32_t timers, heap_room;
    bool news;
    bool stopped;
    bool ending;           // inside the end of a turn
    bool stepping;         // inside loop_turn
    int64_t turn_began_us; // -1 between turns
    size_t turn_sent;      // bytes that connections have flushed in this turn
    int64_t log_flushed_us;
    int64_t slow_logged_us; // 0: never
    struct loop_stats stats;
};

// Runs the timeouts that are due.
void loop_run_timeouts(struct loop *loop, int64_t now);

#endif
