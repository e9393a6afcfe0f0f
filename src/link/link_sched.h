// SPDX-License-Identifier: MIT
// What goes out next: queues of whole messages, one per channel, cut into fragments. No IO.
//
// Strict between levels (0: the link's own messages; then the classes of link/link.h), deficit
// round robin by bytes between the queues of a level, order kept within a queue. Payload stays
// where it is: slices move.
#ifndef LINK_LINK_SCHED_H
#define LINK_LINK_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/list.h"
#include "link/link.h"

enum { LINK_SCHED_LEVELS = 1 + LINK_CLASSES };

struct link_queue {
    struct list_node node; // in the list of its level while it has something to send
    uint32_t channel;      // number on the wire
    unsigned level;
    struct chain chain; // bytes of all messages, what was sent is gone
    uint32_t *lengths;  // ring of the messages' lengths; capacity is a power of two or 0
    size_t first, count, capacity;
    size_t sent;    // of the first message; not 0: it is under way
    size_t deficit; // bytes it may still send in its turn
    bool in_turn;   // it is the first of its level and was given its quantum
};

struct link_sched {
    struct list levels[LINK_SCHED_LEVELS];
    size_t underway[LINK_SCHED_LEVELS]; // totals of the messages begun and not complete
    size_t bytes;                       // in all queues
};

void link_sched_init(struct link_sched *sched);
void link_queue_init(struct link_queue *queue, uint32_t channel, unsigned level);
// Drops everything, also what is under way.
void link_queue_fini(struct link_sched *sched, struct link_queue *queue);
// One message of at most LINK_MESSAGE_MAX bytes; moves the slices.
void link_sched_push(struct link_sched *sched, struct link_queue *queue, struct chain *message);
// Drops the messages that are not under way.
void link_sched_drop(struct link_sched *sched, struct link_queue *queue);
// Moves the next fragment, head and bytes, to the end of *out. Returns the queue it came from and
// its bytes without the head, or NULL: nothing is waiting.
struct link_queue *link_sched_take(struct link_sched *sched, struct chain *out, size_t *length);
// What a queue is held to have in its bounds: its bytes, and something for each message.
static inline size_t link_queue_weight(const struct link_queue *queue)
{
    return queue->chain.bytes + 64 * queue->count;
}

#endif
