// SPDX-License-Identifier: MIT
// The one event loop (libev), the end-of-turn queue, and the watch on turns that take too long.
// One thread: everything but io/file's worker runs here.
//
// A turn: descriptors fire; then due timeouts run; then the end-of-turn hooks run (streams with
// news visit their receivers); then deferred calls run (queues are flushed, closed objects are
// reported and freed). Hooks and deferred calls repeat until there is no news and no call left (at
// most LOOP_ROUNDS_MAX times, the rest goes to the next turn); then the loop sleeps. Whatever is
// done outside a turn (at start, in tests) is finished at the end of the next one.
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { LOOP_ROUNDS_MAX = 64 };

struct loop;

// SIGPIPE is ignored from here on: a peer that went away is a result of write.
struct loop *loop_new(void);
// Runs what is deferred, then frees. Everything made on the loop must be closed before.
void loop_free(struct loop **loop);
// Until loop_stop, which may be called before or from inside a turn.
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
// One whole turn (tests): with wait true sleeps until something happens, unless calls are pending;
// with wait false only what is ready.
void loop_turn(struct loop *loop, bool wait);

// A call at the end of this turn, or in the next one. Embedded in its owner, zeroed before its
// first use, and in at most one of the two queues: asking again while it waits changes nothing.
struct defer {
    struct list_node node;
    struct list *queue; // the loop's, that node is in
    void (*run)(void *arg);
    void *arg;
};
void loop_defer(struct loop *loop, struct defer *defer, void (*run)(void *), void *arg);
// At the beginning of the next turn, which comes without sleeping.
void loop_later(struct loop *loop, struct defer *defer, void (*run)(void *), void *arg);
void loop_defer_cancel(struct loop *loop, struct defer *defer); // of either; idle is fine

// A hook that runs at the end of every turn in which loop_news was called, before deferred calls.
struct loop_hook {
    struct list_node node;
    void (*run)(void *arg);
    void *arg;
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook, void (*run)(void *), void *arg);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook);
void loop_news(struct loop *loop);

// Signals, delivered as ordinary calls in a turn. The loop keeps the registration until its end.
void loop_on_signal(struct loop *loop, int number, void (*run)(void *arg, int number), void *arg);

// For tests in virtual time: is a call or news waiting; the earliest timeout (0: none), which may
// be an early guess for one that was pushed back.
bool loop_pending(const struct loop *loop);
int64_t loop_next_due_us(const struct loop *loop);

enum { LOOP_HISTOGRAM = 24 };
struct loop_stats {
    uint64_t turns;
    uint64_t slow_turns;                // longer than 5 ms
    int64_t longest_us;                 // since the last loop_stats_reset_longest
    uint64_t histogram[LOOP_HISTOGRAM]; // turns by duration: bucket i counts those under 2^i us
};
// Sleeping does not count. Durations are by now_us, so they are zero in virtual time.
const struct loop_stats *loop_stats(const struct loop *loop);
void loop_stats_reset_longest(struct loop *loop);

#endif
