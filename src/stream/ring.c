// SPDX-License-Identifier: MIT
#include "ring.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

// How much longer than its GOP a ring remembers.
#define RING_BEFORE_KEY_US 1500000LL

void ring_init(struct ring *ring)
{
    *ring = (struct ring){.capacity = 64, .key_capacity = 8};
    ring->frames = mem_alloc(ring->capacity * sizeof *ring->frames);
    ring->keys = mem_alloc(ring->key_capacity * sizeof *ring->keys);
}

static void drop_oldest(struct ring *ring)
{
    struct frame **slot = &ring->frames[ring->base & (ring->capacity - 1)];
    ring->bytes -= (*slot)->length;
    frame_unref(slot);
    if (ring->key_count && ring->keys[ring->key_first].seq == ring->base) {
        ring->key_first = (ring->key_first + 1) & (ring->key_capacity - 1);
        ring->key_count--;
    }
    ring->base++;
    ring->count--;
}

void ring_fini(struct ring *ring)
{
    while (ring->count)
        drop_oldest(ring);
    mem_free(ring->frames);
    mem_free(ring->keys);
    *ring = (struct ring){0};
}

static void grow(struct ring *ring)
{
    uint32_t capacity = ring->capacity * 2;
    struct frame **frames = mem_alloc(capacity * sizeof *frames);
    for (uint64_t seq = ring->base; seq < ring_end(ring); seq++)
        frames[seq & (capacity - 1)] = ring->frames[seq & (ring->capacity - 1)];
    mem_free(ring->frames);
    ring->frames = frames;
    ring->capacity = capacity;
}

static void grow_keys(struct ring *ring)
{
    uint32_t capacity = ring->key_capacity * 2;
    void *old = ring->keys;
    __typeof__(ring->keys) keys = mem_alloc(capacity * sizeof *keys);
    for (uint32_t i = 0; i < ring->key_count; i++)
        keys[i] = ring->keys[(ring->key_first + i) & (ring->key_capacity - 1)];
    mem_free(old);
    ring->keys = keys;
    ring->key_capacity = capacity;
    ring->key_first = 0;
}

void ring_append(struct ring *ring, struct frame *frame, int64_t came_us, bool leading_key)
{
    while (ring->count &&
           (ring->count >= RING_FRAMES_MAX || ring->bytes + frame->length > RING_BYTES_MAX))
        drop_oldest(ring);
    if (ring->count == ring->capacity)
        grow(ring);
    frame->seq = ring_end(ring);
    ring->frames[frame->seq & (ring->capacity - 1)] = frame_ref(frame);
    ring->count++;
    ring->bytes += frame->length;
    if (leading_key) {
        if (ring->key_count == ring->key_capacity)
            grow_keys(ring);
        uint32_t at = (ring->key_first + ring->key_count++) & (ring->key_capacity - 1);
        ring->keys[at].seq = frame->seq;
        ring->keys[at].came_us = came_us;
    }
    // The first GOP goes once the second has lasted a while.
    while (ring->key_count > 1) {
        uint32_t second = (ring->key_first + 1) & (ring->key_capacity - 1);
        int64_t since_us = came_us - ring->keys[second].came_us;
        if (since_us < RING_BEFORE_KEY_US)
            break;
        uint64_t keep = ring->keys[second].seq;
        while (ring->base < keep)
            drop_oldest(ring);
    }
}

struct frame *ring_get(const struct ring *ring, uint64_t seq)
{
    if (seq < ring->base || seq >= ring_end(ring))
        return NULL;
    return ring->frames[seq & (ring->capacity - 1)];
}

bool ring_last_key(const struct ring *ring, uint64_t *seq)
{
    if (!ring->key_count)
        return false;
    *seq = ring->keys[(ring->key_first + ring->key_count - 1) & (ring->key_capacity - 1)].seq;
    return true;
}
