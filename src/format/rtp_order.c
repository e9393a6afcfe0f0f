// SPDX-License-Identifier: MIT
// Reordering of RTP packets.
//
// 1. `held` is empty unless the packet numbered `next` is missing.
// 2. Every held packet is ahead of `next` by at least one and by less than AHEAD_MAX.
// 3. on_packet sees strictly growing numbers between two new beginnings.
#include "format/rtp_order.h"

#include "base/ensure.h"
#include "base/mem.h"

enum { AHEAD_MAX = 3000, BEHIND_MAX = 100 }; // RFC 3550, A.1: MAX_DROPOUT, MAX_MISORDER

struct rtp_order_held {
    struct list_node node;
    struct rtp_packet packet; // its payload is behind this structure
    int64_t arrived_us;
};

void rtp_order_init(struct rtp_order *order, bool reliable, rtp_order_fn on_packet, void *arg)
{
    *order = (struct rtp_order){.reliable = reliable, .on_packet = on_packet, .arg = arg};
    list_init(&order->held);
}

static struct rtp_order_held *held_first(const struct rtp_order *order)
{
    return LIST_OWNER(list_first(&order->held), struct rtp_order_held, node);
}

static void held_drop_all(struct rtp_order *order)
{
    struct list_node *node;
    while ((node = list_take_first(&order->held)))
        mem_free(LIST_OWNER(node, struct rtp_order_held, node));
    order->held_bytes = 0;
}

void rtp_order_fini(struct rtp_order *order)
{
    held_drop_all(order);
    mem_free(order->stranger);
    order->stranger = NULL;
}

// NULL without memory: the packet is then lost, like many another.
static struct rtp_order_held *held_new(const struct rtp_packet *packet, int64_t now)
{
    struct rtp_order_held *held = mem_try_alloc(sizeof(*held) + packet->payload.length);
    if (!held)
        return NULL;
    held->packet = *packet;
    held->packet.payload.data = (const uint8_t *)(held + 1);
    if (packet->payload.length)
        memcpy(held + 1, packet->payload.data, packet->payload.length);
    held->arrived_us = now;
    return held;
}

static void deliver(struct rtp_order *order, const struct rtp_packet *packet, unsigned lost,
                    int64_t arrived_us)
{
    order->next = (uint16_t)(packet->sequence + 1);
    order->lost += lost;
    order->on_packet(order->arg, packet, lost, arrived_us);
}

// Gives out the first held packet, whatever is missing in front of it, and all that follow it.
static void release(struct rtp_order *order)
{
    bool first = true;
    while (!list_empty(&order->held)) {
        struct rtp_order_held *held = held_first(order);
        unsigned missing = (uint16_t)(held->packet.sequence - order->next);
        if (missing > 0 && !first)
            return;
        first = false;
        list_remove(&order->held, &held->node);
        order->held_bytes -= held->packet.payload.length;
        deliver(order, &held->packet, missing, held->arrived_us);
        mem_free(held);
    }
}

static void hold(struct rtp_order *order, const struct rtp_packet *packet, int64_t now)
{
    uint16_t ahead = (uint16_t)(packet->sequence - order->next);
    struct list_node *at = &order->held.head;
    while (at->prev != &order->held.head) {
        struct rtp_order_held *before = LIST_OWNER(at->prev, struct rtp_order_held, node);
        uint16_t other = (uint16_t)(before->packet.sequence - order->next);
        if (other == ahead) {
            order->late++;
            return;
        }
        if (other < ahead)
            break;
        at = at->prev;
    }
    struct rtp_order_held *held = held_new(packet, now);
    if (!held)
        return;
    list_insert_before(&order->held, at, &held->node);
    order->held_bytes += packet->payload.length;
    while (order->held.count > RTP_ORDER_PACKETS_MAX || order->held_bytes > RTP_ORDER_BYTES_MAX)
        release(order);
}

static void begin(struct rtp_order *order, const struct rtp_packet *packet, unsigned lost,
                  int64_t now)
{
    order->started = true;
    order->ssrc = packet->ssrc;
    deliver(order, packet, lost, now);
}

// Two packets that follow one another and belong to nothing known: a new beginning.
static void stranger_input(struct rtp_order *order, const struct rtp_packet *packet, int64_t now)
{
    struct rtp_order_held *before = order->stranger;
    order->stranger = NULL;
    if (before && before->packet.ssrc == packet->ssrc &&
        (uint16_t)(before->packet.sequence + 1) == packet->sequence) {
        while (!list_empty(&order->held))
            release(order);
        begin(order, &before->packet, 1, before->arrived_us);
        deliver(order, packet, 0, now);
    } else {
        order->late += before != NULL;
        order->stranger = held_new(packet, now);
    }
    mem_free(before);
}

static void input_reliable(struct rtp_order *order, const struct rtp_packet *packet, int64_t now)
{
    int16_t ahead = (int16_t)(uint16_t)(packet->sequence - order->next);
    // The transport lost nothing: a number that stands still is a sender who does not count, one
    // that jumps far or back is a sender who counts anew.
    unsigned lost = ahead == 0 || ahead == -1 ? 0 : ahead > 0 && ahead < AHEAD_MAX ? ahead : 1;
    deliver(order, packet, lost, now);
}

void rtp_order_input(struct rtp_order *order, const struct rtp_packet *packet, int64_t now)
{
    if (!order->started) {
        begin(order, packet, 0, now);
        return;
    }
    if (packet->ssrc != order->ssrc) {
        stranger_input(order, packet, now);
        return;
    }
    if (order->reliable) {
        input_reliable(order, packet, now);
        return;
    }
    int16_t ahead = (int16_t)(uint16_t)(packet->sequence - order->next);
    if (ahead >= AHEAD_MAX || ahead < -BEHIND_MAX) {
        stranger_input(order, packet, now);
    } else if (ahead < 0) {
        order->late++;
    } else if (ahead > 0) {
        hold(order, packet, now);
    } else {
        deliver(order, packet, 0, now);
        if (!list_empty(&order->held) && held_first(order)->packet.sequence == order->next)
            release(order);
    }
}

int64_t rtp_order_due_us(const struct rtp_order *order)
{
    // The first to give out may have come after others; the gap is as old as the oldest arrival.
    int64_t oldest = 0;
    LIST_FOREACH(&order->held, it, after)
    {
        struct rtp_order_held *held = LIST_OWNER(it, struct rtp_order_held, node);
        if (oldest == 0 || held->arrived_us < oldest)
            oldest = held->arrived_us;
    }
    return oldest ? oldest + RTP_ORDER_DELAY_US : 0;
}

void rtp_order_expire(struct rtp_order *order, int64_t now)
{
    int64_t due;
    while ((due = rtp_order_due_us(order)) != 0 && due <= now)
        release(order);
}
