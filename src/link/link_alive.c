// SPDX-License-Identifier: MIT
// Keep-alive: pings, the other side's clock, silence, and receivers that take nothing.
//
// One timer per link, set to the next moment at which something may have to be done. What happens
// meanwhile (bytes that arrive) only moves the facts it will look at, never the timer.
//
// 1. Silence counts from the last byte heard, whatever it was; while data is due from the moment
//    when it became due, if that was later.
// 2. progress_us is meaningful while `blocked` only.
// 3. A time exchange is as good as its round trip is short: the best of the last eight counts. One
//    that contradicts the best by more than both could be wrong means that a clock was set: the
//    older ones are forgotten.
#include "base/clock.h"
#include "base/digest.h"
#include "base/ensure.h"
#include "link_priv.h"

#define HELLO_TIMEOUT_US (10 * US_PER_S)
#define PING_MIN_US (25 * US_PER_S) // and up to 5 s more
#define PING_SPREAD_US (5 * US_PER_S)
#define PONG_TIMEOUT_US (10 * US_PER_S)
// While data is due.
#define QUIET_US (2 * US_PER_S)
#define SILENT_US (4500 * US_PER_MS)
#define STALLED_US (10 * US_PER_S)
#define EXCHANGE_SLACK_US US_PER_MS

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Since when the other side is silent although data is due.
static int64_t quiet_since(const struct link *link)
{
    return link->heard_us > link->expecting_since_us ? link->heard_us : link->expecting_since_us;
}

static bool pong_overdue_from(const struct link *link, int64_t *from)
{
    *from = link->pinged_us;
    return link->ping_pending && link->heard_us < link->pinged_us;
}

static int64_t next_look_us(const struct link *link)
{
    int64_t from;
    if (link->state != LINK_UP)
        return link->began_us + HELLO_TIMEOUT_US;
    int64_t due = link->ping_due_us;
    if (link->expecting) {
        int64_t since = quiet_since(link);
        due = earlier(due, since + (link->pinged_us < since + QUIET_US ? QUIET_US : SILENT_US));
    }
    if (pong_overdue_from(link, &from))
        due = earlier(due, from + PONG_TIMEOUT_US);
    if (link->blocked)
        due = earlier(due, link->progress_us + STALLED_US);
    return due;
}

void link_alive_arm(struct link *link)
{
    if (link->state >= LINK_HELLO)
        timeout_start_at(&link->tick, next_look_us(link));
}

void link_ping(struct link *link)
{
    link->ping++;
    link->ping_pending = true;
    link->pinged_us = now_us();
    // The first few find a good round trip soon; after that they keep the connection alive.
    int64_t wait = (int64_t)link->ping * US_PER_S / 4;
    if (link->ping > 3)
        wait = PING_MIN_US + (int64_t)(digest_random_u64() % PING_SPREAD_US);
    link->ping_due_us = link->pinged_us + wait;
    link_send_control(link,
                      &(struct link_wire_message){.type = LINK_WIRE_PING, .number = link->ping});
}

// True when the link was lost.
static bool check_progress(struct link *link, int64_t now)
{
    if (!link->blocked)
        return false;
    uint64_t bytes = conn_bytes_out(link->conn);
    if (bytes != link->progress_bytes) {
        link->progress_bytes = bytes;
        link->progress_us = now;
        return false;
    }
    if (now < link->progress_us + STALLED_US)
        return false;
    link_lost(link, REASON_SLOW_RECEIVER, true, "nothing taken for 10 s");
    return true;
}

static void look(void *arg)
{
    struct link *link = arg;
    int64_t now = now_us(), from;
    if (link->state == LINK_HELLO) {
        if (now >= link->began_us + HELLO_TIMEOUT_US)
            link_lost(link, REASON_TIMEOUT, true, "no hello");
        else
            link_alive_arm(link);
        return;
    }
    int64_t since = quiet_since(link);
    bool silent = link->expecting && now >= since + SILENT_US;
    if (pong_overdue_from(link, &from) && now >= from + PONG_TIMEOUT_US)
        silent = true;
    if (silent) {
        link_lost(link, REASON_SILENT_PEER, true, NULL);
        return;
    }
    if (check_progress(link, now))
        return;
    bool quiet = link->expecting && now >= since + QUIET_US && link->pinged_us < since + QUIET_US;
    if (now >= link->ping_due_us || quiet)
        link_ping(link);
    link_alive_arm(link);
}

void link_alive_init(struct link *link)
{
    timeout_init(&link->tick, link->hub->loop, look, link);
    link->rtt_us = -1;
}

// The connection is open (LINK_HELLO), then the hello was heard (LINK_UP).
void link_alive_begin(struct link *link)
{
    int64_t now = now_us();
    link->heard_us = now;
    if (link->state == LINK_UP) {
        link_ping(link);
    } else {
        link->began_us = now;
        link->ping = 0;
        link->ping_pending = false;
        link->pinged_us = 0;
    }
    link_alive_arm(link);
}

void link_alive_stop(struct link *link)
{
    timeout_stop(&link->tick);
    link->rtt_us = -1;
    link->utc_minus_mono_us = 0;
    link->exchange_count = 0;
}

void link_alive_blocked(struct link *link)
{
    link->progress_bytes = conn_bytes_out(link->conn);
    link->progress_us = now_us();
    link_alive_arm(link);
}

static const struct link_exchange *best_exchange(const struct link *link)
{
    const struct link_exchange *best = &link->exchanges[0];
    for (unsigned i = 1; i < LINK_EXCHANGES && i < link->exchange_count; i++) {
        if (link->exchanges[i].rtt_us < best->rtt_us)
            best = &link->exchanges[i];
    }
    return best;
}

void link_pong(struct link *link, const struct link_wire_message *message)
{
    unsigned epoch = link->epoch;
    link_pair_heard(link);
    if (link->epoch != epoch || !link->ping_pending || message->number != link->ping)
        return; // of an earlier ping: its time is not known any more
    link->ping_pending = false;
    int64_t rtt = now_us() - link->pinged_us;
    struct link_exchange now = {
        .rtt_us = rtt,
        // A peer may claim any time; the sum is only ever shown, so let it wrap.
        .utc_minus_mono_us =
            (int64_t)(message->utc_us - (uint64_t)link->pinged_us - (uint64_t)rtt / 2),
    };
    if (link->exchange_count > 0) {
        const struct link_exchange *best = best_exchange(link);
        int64_t apart =
            (int64_t)((uint64_t)now.utc_minus_mono_us - (uint64_t)best->utc_minus_mono_us);
        int64_t most = (now.rtt_us + best->rtt_us) / 2 + EXCHANGE_SLACK_US;
        if (apart > most || apart < -most)
            link->exchange_count = 0;
    }
    link->exchanges[link->exchange_count++ % LINK_EXCHANGES] = now;
    const struct link_exchange *best = best_exchange(link);
    link->rtt_us = best->rtt_us;
    link->utc_minus_mono_us = best->utc_minus_mono_us;
}

int64_t link_rtt_us(const struct link *link)
{
    return link_carrier(link)->rtt_us;
}

int64_t link_utc_offset_us(const struct link *link)
{
    link = link_carrier(link);
    if (link->rtt_us < 0)
        return 0;
    return (int64_t)((uint64_t)link->utc_minus_mono_us + (uint64_t)now_us() - (uint64_t)utc_us());
}
