// SPDX-License-Identifier: MIT
// The event loop.
//
// 1. The check watcher runs before any other callback of a turn, the prepare watcher after all.
// 2. The loop never sleeps while a call is pending: then the idle watcher is active.
// 3. The alarm is set to the first key of the heap, or off: with nothing to do nothing wakes us.
// 4. Timeouts run after descriptors, so that after a stall the bytes which arrived in time are seen
//    before the timeout that would call them late.
#include "io/loop.h"

#include <signal.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop_priv.h"

#define LOOP_MAGIC 0x4c4f4f50u
#define SLOW_TURN_US 5000
#define LOGGED_TURN_US 50000
#define LOG_PAUSE_US (10 * US_PER_S)
#define LOG_FLUSH_US US_PER_S

struct loop_signal {
    struct list_node node;
    struct ev_signal watcher;
    void (*run)(void *arg, int number);
    void *arg;
};

static void run_calls(struct list *queue)
{
    struct list_node *node;
    while ((node = list_take_first(queue))) {
        struct defer *defer = LIST_OWNER(node, struct defer, node);
        defer->queue = NULL;
        defer->run(defer->arg);
    }
}

static void begin_turn(struct loop *loop)
{
    loop->turn_began_us = now_us();
    loop->turn_sent = 0;
    // Calls asked for while these run belong to the turn after.
    struct list_node *node;
    while ((node = list_take_first(&loop->later))) {
        LIST_OWNER(node, struct defer, node)->queue = &loop->ready;
        list_append(&loop->ready, node);
    }
    run_calls(&loop->ready);
}

static void run_hooks(struct loop *loop)
{
    loop->news = false;
    LIST_FOREACH(&loop->hooks, node, after)
    {
        struct loop_hook *hook = LIST_OWNER(node, struct loop_hook, node);
        hook->run(hook->arg);
    }
}

static void count_turn(struct loop *loop)
{
    int64_t now = now_us();
    int64_t spent = now - loop->turn_began_us;
    loop->turn_began_us = -1;
    struct loop_stats *stats = &loop->stats;
    stats->turns++;
    stats->slow_turns += spent > SLOW_TURN_US;
    if (spent > stats->longest_us)
        stats->longest_us = spent;
    unsigned bucket = 0;
    while (bucket + 1 < LOOP_HISTOGRAM && spent >> bucket > 0)
        bucket++;
    stats->histogram[bucket]++;
    // A machine that is too small has many of these: one line in a while says it.
    bool quiet = !loop->slow_logged_us || now - loop->slow_logged_us > LOG_PAUSE_US;
    if (spent > LOGGED_TURN_US && quiet) {
        loop->slow_logged_us = now;
        log_warn("loop", "slow turn ms=%lld turns=%llu slow=%llu", (long long)(spent / US_PER_MS),
                 (unsigned long long)stats->turns, (unsigned long long)stats->slow_turns);
    }
    if (now - loop->log_flushed_us > LOG_FLUSH_US) {
        loop->log_flushed_us = now;
        log_flush();
    }
}

// Sets the watchers that decide how long the loop may sleep.
static void set_alarm(struct loop *loop)
{
    if (loop_pending(loop))
        ev_idle_start(loop->ev, &loop->idle);
    else
        ev_idle_stop(loop->ev, &loop->idle);
    int64_t due = loop_next_due_us(loop);
    if (due == loop->alarm_us)
        return;
    ev_timer_stop(loop->ev, &loop->alarm);
    loop->alarm_us = due;
    if (due == 0)
        return;
    int64_t wait = due - now_us();
    // libev counts from its own idea of now, which is the beginning of the turn.
    ev_now_update(loop->ev);
    ev_timer_set(&loop->alarm, wait > 0 ? (double)wait * 1e-6 : 0., 0.);
    ev_timer_start(loop->ev, &loop->alarm);
}

static void end_turn(struct loop *loop)
{
    ENSURE(!loop->ending);
    loop->ending = true;
    if (loop->turn_began_us < 0)
        loop->turn_began_us = now_us();
    if (loop->timers)
        loop_run_timeouts(loop, now_us());
    for (int i = 0; i < LOOP_ROUNDS_MAX && (loop->news || !list_empty(&loop->deferred)); i++) {
        if (loop->news)
            run_hooks(loop);
        // Only those that wait now: what they defer comes after the hooks again.
        for (size_t left = loop->deferred.count; left > 0; left--) {
            struct list_node *node = list_take_first(&loop->deferred);
            if (!node)
                break;
            struct defer *defer = LIST_OWNER(node, struct defer, node);
            defer->queue = NULL;
            defer->run(defer->arg);
        }
    }
    count_turn(loop);
    set_alarm(loop);
    loop->ending = false;
}

static void on_check(struct ev_loop *ev, struct ev_check *watcher, int events)
{
    (void)events;
    (void)ev;
    begin_turn(watcher->data);
}

static void on_prepare(struct ev_loop *ev, struct ev_prepare *watcher, int events)
{
    (void)events;
    (void)ev;
    struct loop *loop = watcher->data;
    // loop_turn ends its turn itself; at the start of loop_run there may be nothing to end.
    if (!loop->stepping && (loop->turn_began_us >= 0 || loop->news || loop->deferred.count))
        end_turn(loop);
    else
        set_alarm(loop);
}

static void on_alarm(struct ev_loop *ev, struct ev_timer *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = watcher->data;
    loop->alarm_us = 0; // one-shot: has to be set again
}

static void on_idle(struct ev_loop *ev, struct ev_idle *watcher, int events)
{
    (void)ev;
    (void)watcher;
    (void)events;
}

struct loop *loop_new(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct loop *loop = mem_alloc(sizeof(*loop));
    loop->magic = LOOP_MAGIC;
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    ENSURE(loop->ev != NULL);
    list_init(&loop->deferred);
    list_init(&loop->later);
    list_init(&loop->ready);
    list_init(&loop->hooks);
    list_init(&loop->signals);
    loop->turn_began_us = -1;
    ev_check_init(&loop->check, on_check);
    ev_set_priority(&loop->check, EV_MAXPRI);
    loop->check.data = loop;
    ev_check_start(loop->ev, &loop->check);
    ev_prepare_init(&loop->prepare, on_prepare);
    loop->prepare.data = loop;
    ev_prepare_start(loop->ev, &loop->prepare);
    ev_timer_init(&loop->alarm, on_alarm, 0., 0.);
    loop->alarm.data = loop;
    ev_idle_init(&loop->idle, on_idle);
    return loop;
}

void loop_free(struct loop **where)
{
    struct loop *loop = *where;
    *where = NULL;
    OBJ_CHECK(loop, LOOP_MAGIC);
    for (int i = 0; i < LOOP_ROUNDS_MAX && loop_pending(loop); i++) {
        begin_turn(loop);
        end_turn(loop);
    }
    struct list_node *node;
    while ((node = list_take_first(&loop->signals))) {
        struct loop_signal *entry = LIST_OWNER(node, struct loop_signal, node);
        ev_signal_stop(loop->ev, &entry->watcher);
        mem_free(entry);
    }
    ev_loop_destroy(loop->ev);
    mem_free(loop->heap);
    loop->magic = 0;
    mem_free(loop);
}

void loop_run(struct loop *loop)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    while (!loop->stopped)
        ev_run(loop->ev, 0);
    loop->stopped = false;
    end_turn(loop);
}

void loop_stop(struct loop *loop)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    loop->stopped = true;
    ev_break(loop->ev, EVBREAK_ALL);
}

void loop_turn(struct loop *loop, bool wait)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    bool sleeps = wait && !loop_pending(loop);
    loop->stepping = true;
    ev_run(loop->ev, sleeps ? EVRUN_ONCE : EVRUN_NOWAIT);
    loop->stepping = false;
    end_turn(loop);
}

void loop_defer(struct loop *loop, struct defer *defer, void (*run)(void *), void *arg)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    if (defer->queue)
        return;
    defer->run = run;
    defer->arg = arg;
    defer->queue = &loop->deferred;
    list_append(&loop->deferred, &defer->node);
}

void loop_later(struct loop *loop, struct defer *defer, void (*run)(void *), void *arg)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    if (defer->queue)
        return;
    defer->run = run;
    defer->arg = arg;
    defer->queue = &loop->later;
    list_append(&loop->later, &defer->node);
}

void loop_defer_cancel(struct loop *loop, struct defer *defer)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    if (!defer->queue)
        return;
    list_remove(defer->queue, &defer->node);
    defer->queue = NULL;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook, void (*run)(void *), void *arg)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    hook->run = run;
    hook->arg = arg;
    list_append(&loop->hooks, &hook->node);
}

void loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    list_remove(&loop->hooks, &hook->node);
}

void loop_news(struct loop *loop)
{
    loop->news = true;
}

static void on_signal(struct ev_loop *ev, struct ev_signal *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_signal *entry = watcher->data;
    entry->run(entry->arg, watcher->signum);
}

void loop_on_signal(struct loop *loop, int number, void (*run)(void *arg, int number), void *arg)
{
    OBJ_CHECK(loop, LOOP_MAGIC);
    struct loop_signal *entry = mem_alloc(sizeof(*entry));
    entry->run = run;
    entry->arg = arg;
    entry->watcher.data = entry;
    ev_signal_init(&entry->watcher, on_signal, number);
    entry->watcher.data = entry;
    list_append(&loop->signals, &entry->node);
    ev_signal_start(loop->ev, &entry->watcher);
}

bool loop_pending(const struct loop *loop)
{
    return loop->news || !list_empty(&loop->deferred) || !list_empty(&loop->later);
}

int64_t loop_next_due_us(const struct loop *loop)
{
    return loop->timers ? loop->heap[1].key_us : 0;
}

const struct loop_stats *loop_stats(const struct loop *loop)
{
    return &loop->stats;
}

void loop_stats_reset_longest(struct loop *loop)
{
    loop->stats.longest_us = 0;
}
