// SPDX-License-Identifier: MIT
// Timeouts: one binary heap in the loop.
//
// 1. A timeout with due_us != 0 is in the heap under a key that is not later than its due_us. A
//    later due_us moves the key only when the key comes up.
// 2. heap[i].timeout->at == i for all i in [1, timers].
// 3. A pass runs at most as many timeouts as there were at its start, so one that restarts itself
//    with no delay cannot hold the turn.
#include "io/timeout.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "loop_priv.h"

static void heap_put(struct loop *loop, uint32_t at, struct loop_timer timer)
{
    loop->heap[at] = timer;
    timer.timeout->at = at;
}

static void heap_up(struct loop *loop, uint32_t at)
{
    struct loop_timer timer = loop->heap[at];
    for (; at > 1 && loop->heap[at / 2].key_us > timer.key_us; at /= 2)
        heap_put(loop, at, loop->heap[at / 2]);
    heap_put(loop, at, timer);
}

static void heap_down(struct loop *loop, uint32_t at)
{
    struct loop_timer timer = loop->heap[at];
    for (;;) {
        uint32_t child = at * 2;
        if (child > loop->timers)
            break;
        if (child < loop->timers && loop->heap[child + 1].key_us < loop->heap[child].key_us)
            child++;
        if (loop->heap[child].key_us >= timer.key_us)
            break;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

static void heap_add(struct loop *loop, struct timeout *timeout)
{
    if (loop->timers + 2 > loop->heap_room) {
        loop->heap_room = loop->heap_room ? loop->heap_room * 2 : 16;
        loop->heap = mem_resize(loop->heap, loop->heap_room * sizeof(*loop->heap));
    }
    loop->timers++;
    heap_put(loop, loop->timers, (struct loop_timer){timeout->due_us, timeout});
    heap_up(loop, loop->timers);
}

static void heap_remove(struct loop *loop, struct timeout *timeout)
{
    uint32_t at = timeout->at;
    ENSURE(at >= 1 && at <= loop->timers && loop->heap[at].timeout == timeout);
    timeout->at = 0;
    struct loop_timer last = loop->heap[loop->timers--];
    if (last.timeout == timeout)
        return;
    heap_put(loop, at, last);
    heap_up(loop, at);
    heap_down(loop, last.timeout->at);
}

void timeout_init(struct timeout *timeout, struct loop *loop, void (*run)(void *arg), void *arg)
{
    *timeout = (struct timeout){.loop = loop, .run = run, .arg = arg};
}

void timeout_start_at(struct timeout *timeout, int64_t due_us)
{
    ENSURE(timeout->loop != NULL);
    struct loop *loop = timeout->loop;
    timeout->due_us = due_us > 0 ? due_us : 1;
    if (!timeout->at) {
        heap_add(loop, timeout);
    } else if (timeout->due_us < loop->heap[timeout->at].key_us) {
        loop->heap[timeout->at].key_us = timeout->due_us;
        heap_up(loop, timeout->at);
    }
}

void timeout_start(struct timeout *timeout, int64_t delay_us)
{
    timeout_start_at(timeout, now_us() + (delay_us > 0 ? delay_us : 0));
}

void timeout_stop(struct timeout *timeout)
{
    if (timeout->at)
        heap_remove(timeout->loop, timeout);
    timeout->due_us = 0;
}

bool timeout_active(const struct timeout *timeout)
{
    return timeout->due_us != 0;
}

void loop_run_timeouts(struct loop *loop, int64_t now)
{
    for (uint32_t left = loop->timers; left > 0 && loop->timers > 0; left--) {
        struct loop_timer *first = &loop->heap[1];
        struct timeout *timeout = first->timeout;
        if (first->key_us > now)
            return;
        if (timeout->due_us > now) { // was pushed back meanwhile
            first->key_us = timeout->due_us;
            heap_down(loop, 1);
            left++; // has not run; its key is past now, so this cannot repeat
            continue;
        }
        timeout_stop(timeout);
        timeout->run(timeout->arg);
    }
}

int64_t backoff_next_us(struct backoff *backoff)
{
    int64_t delay = backoff->base_us;
    for (unsigned i = 0; i < backoff->failures && delay < backoff->most_us; i++)
        delay *= 2;
    if (delay > backoff->most_us)
        delay = backoff->most_us;
    if (backoff->failures < 62)
        backoff->failures++;
    // 0.75 .. 1.25 in steps of 1/1024.
    return delay / 4 * 3 + delay / 2 * (int64_t)(digest_random_u64() % 1025) / 1024;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
