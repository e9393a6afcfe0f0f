// SPDX-License-Identifier: MIT
// The order of sending.
//
// 1. A queue is in its level's list exactly while it has messages.
// 2. chain.bytes = the sum of lengths - sent.
// 3. underway of a level = the sum of the totals of its queues' first messages with sent > 0. A
//    message of several fragments is begun only when that stays within LINK_UNDERWAY_CLASS_MAX, or
//    nothing else is under way: the receiver's memory is bounded, and what is under way goes on, so
//    room comes. Messages of one fragment are never under way.
// 4. QUANTUM >= the cost of the largest fragment: a queue whose turn comes sends at least one.
#include "link_sched.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "link_wire.h"

// What a fragment costs besides its bytes: heads are paid for, and empty messages are not free.
enum { FRAGMENT_COST = 16, QUANTUM = LINK_FRAGMENT_MAX + FRAGMENT_COST };

void link_sched_init(struct link_sched *sched)
{
    *sched = (struct link_sched){0};
    for (unsigned i = 0; i < LINK_SCHED_LEVELS; i++)
        list_init(&sched->levels[i]);
}

void link_queue_init(struct link_queue *queue, uint32_t channel, unsigned level)
{
    ENSURE(level < LINK_SCHED_LEVELS);
    *queue = (struct link_queue){.channel = channel, .level = level};
}

static uint32_t *queue_length(struct link_queue *queue, size_t i)
{
    return &queue->lengths[(queue->first + i) & (queue->capacity - 1)];
}

static void queue_leave(struct link_sched *sched, struct link_queue *queue)
{
    if (list_linked(&queue->node))
        list_remove(&sched->levels[queue->level], &queue->node);
    queue->in_turn = false;
    queue->deficit = 0;
}

void link_queue_fini(struct link_sched *sched, struct link_queue *queue)
{
    queue_leave(sched, queue);
    if (queue->sent > 0)
        sched->underway[queue->level] -= *queue_length(queue, 0);
    sched->bytes -= queue->chain.bytes;
    chain_fini(&queue->chain);
    mem_free(queue->lengths);
    queue->lengths = NULL;
    queue->first = queue->count = queue->capacity = queue->sent = 0;
}

static void queue_grow(struct link_queue *queue)
{
    size_t capacity = queue->capacity ? queue->capacity * 2 : 8;
    uint32_t *lengths = mem_alloc(capacity * sizeof(*lengths));
    for (size_t i = 0; i < queue->count; i++)
        lengths[i] = *queue_length(queue, i);
    mem_free(queue->lengths);
    queue->lengths = lengths;
    queue->first = 0;
    queue->capacity = capacity;
}

void link_sched_push(struct link_sched *sched, struct link_queue *queue, struct chain *message)
{
    ENSURE(message->bytes <= LINK_MESSAGE_MAX);
    if (queue->count == queue->capacity)
        queue_grow(queue);
    *queue_length(queue, queue->count++) = (uint32_t)message->bytes;
    sched->bytes += message->bytes;
    chain_move(&queue->chain, message);
    if (!list_linked(&queue->node))
        list_append(&sched->levels[queue->level], &queue->node);
}

void link_sched_drop(struct link_sched *sched, struct link_queue *queue)
{
    struct chain kept = {0};
    if (queue->sent > 0)
        chain_add_range(&kept, &queue->chain, 0, *queue_length(queue, 0) - queue->sent);
    sched->bytes -= queue->chain.bytes - kept.bytes;
    chain_fini(&queue->chain);
    queue->chain = kept;
    queue->count = queue->sent > 0 ? 1 : 0;
    if (queue->count == 0)
        queue_leave(sched, queue);
}

// The queue of a level whose turn it is, with enough deficit for its next fragment; NULL: none.
static struct link_queue *level_choose(struct link_sched *sched, unsigned level, size_t *length)
{
    struct list *list = &sched->levels[level];
    // Twice around: whoever has room but a used-up turn begins its next one on the second visit
    // (4).
    for (size_t visits = 2 * list->count; visits > 0; visits--) {
        struct link_queue *queue = LIST_OWNER(list_first(list), struct link_queue, node);
        size_t total = *queue_length(queue, 0), left = total - queue->sent;
        size_t next = left < LINK_FRAGMENT_MAX ? left : LINK_FRAGMENT_MAX;
        bool begins = queue->sent == 0 && next < total;
        bool room = !begins || sched->underway[level] == 0 ||
                    sched->underway[level] + total <= LINK_UNDERWAY_CLASS_MAX;
        if (!queue->in_turn && room) {
            queue->in_turn = true;
            queue->deficit += QUANTUM;
        }
        if (room && queue->deficit >= next + FRAGMENT_COST) {
            *length = next;
            return queue;
        }
        // Its turn is over; what it saved counts in its next one. Without room nothing is saved.
        queue->in_turn = false;
        if (!room)
            queue->deficit = 0;
        list_remove(list, &queue->node);
        list_append(list, &queue->node);
    }
    return NULL;
}

static void queue_advance(struct link_sched *sched, struct link_queue *queue, size_t length)
{
    size_t total = *queue_length(queue, 0);
    bool whole = length == total, last = queue->sent + length == total;
    if (!whole && queue->sent == 0)
        sched->underway[queue->level] += total;
    if (!whole && last)
        sched->underway[queue->level] -= total;
    queue->sent = last ? 0 : queue->sent + length;
    queue->deficit -= length + FRAGMENT_COST;
    if (last) {
        queue->first = (queue->first + 1) & (queue->capacity - 1);
        if (--queue->count == 0)
            queue_leave(sched, queue);
    }
}

struct link_queue *link_sched_take(struct link_sched *sched, struct chain *out, size_t *length)
{
    struct link_queue *queue = NULL;
    for (unsigned level = 0; level < LINK_SCHED_LEVELS && !queue; level++)
        queue = level_choose(sched, level, length);
    if (!queue)
        return NULL;
    size_t total = *queue_length(queue, 0);
    struct link_wire_head head = {.channel = queue->channel, .length = (uint32_t)*length};
    if (queue->sent > 0)
        head.kind = queue->sent + *length == total ? LINK_WIRE_LAST : LINK_WIRE_MIDDLE;
    else if (*length < total)
        head.kind = LINK_WIRE_FIRST, head.total = (uint32_t)total;
    uint8_t bytes[LINK_WIRE_HEAD_MAX];
    chain_add_copy(out, bytes, link_wire_head_write(bytes, &head));
    chain_add_range(out, &queue->chain, 0, *length);
    chain_consume(&queue->chain, *length);
    sched->bytes -= *length;
    queue_advance(sched, queue, *length);
    return queue;
}
