// SPDX-License-Identifier: MIT
// Puts the RTP packets of one source into their order. A packet that is in order goes straight
// through, without a copy; one that is ahead waits until the gap in front of it is filled, or until
// it has waited RTP_ORDER_DELAY_US (time, not a count of packets, is what a listener hears), or
// until too much waits. What comes after its turn is dropped.
//
// On a transport that keeps order (RTSP interleaved) nothing waits: a gap is a loss at once.
//
// A packet of another source (SSRC) or with a far-off number is believed when the next one follows
// it (RFC 3550, A.1); then everything begins anew from those two.
#ifndef FORMAT_RTP_ORDER_H
#define FORMAT_RTP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "format/rtp_parse.h"

#define RTP_ORDER_DELAY_US 150000LL
enum { RTP_ORDER_PACKETS_MAX = 1024, RTP_ORDER_BYTES_MAX = 2 << 20 };

// lost: packets missing in front of this one; 0 when it follows the one before. After a new
// beginning at least 1. arrived_us: when the packet came in. The packet is borrowed for the call.
typedef void (*rtp_order_fn)(void *arg, const struct rtp_packet *packet, unsigned lost,
                             int64_t arrived_us);

struct rtp_order_held;

struct rtp_order {
    bool reliable; // the transport keeps order
    bool started;
    uint32_t ssrc;
    uint16_t next;    // the number that is due
    struct list held; // ascending, all ahead of `next`; copies
    size_t held_bytes;
    struct rtp_order_held *stranger; // a packet that may be a new beginning, or NULL
    rtp_order_fn on_packet;
    void *arg;
    uint64_t late, lost; // counters: dropped because too late or doubled; never came
};

void rtp_order_init(struct rtp_order *order, bool reliable, rtp_order_fn on_packet, void *arg);
void rtp_order_fini(struct rtp_order *order); // what waits is dropped
// May call on_packet any number of times before it returns.
void rtp_order_input(struct rtp_order *order, const struct rtp_packet *packet, int64_t now_us);
// When rtp_order_expire is due, monotonic; 0 when nothing waits.
int64_t rtp_order_due_us(const struct rtp_order *order);
void rtp_order_expire(struct rtp_order *order, int64_t now_us);

#endif
