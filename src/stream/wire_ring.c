// SPDX-License-Identifier: MIT
// Invariants:
//  1. Bytes [tail, head) are in the ring; head - tail <= size. Positions only grow.
//  2. key <= head; `keyed` says that a mark was ever made and is still within the ring.
//  3. A viewer is in the array exactly once, at its index; it leaves by on_closed only.
#include "stream/wire_ring.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/timeout.h"

#define RING_MAGIC 0x57495245u
#define RING_SIZE_FIRST (256u << 10)
#define RING_SIZE_MOST (32u << 20) // a GOP of 10 s at 20 Mbit/s, and slack
#define BATCH_US 100000LL
#define STALLED_US (10 * US_PER_S)
#define JUMPS_US (60 * US_PER_S)
// A socket buffer holds about half a second of a fat stream: what is late can still be skipped.
#define SEND_BUFFER (512u << 10)

struct wire_viewer {
    struct wire_ring *ring;
    struct conn *conn;
    uint64_t position;
    size_t index;
    void (*on_gone)(void *arg, uint64_t bytes, enum reason reason);
    void *arg;
    uint64_t bytes;
    int64_t stalled_since_us; // 0: its socket has room
    int64_t jumps_since_us;   // the minute of `jumps` began with a jump
    uint8_t jumps;
    bool low_delay, begun;
};

struct wire_ring {
    uint32_t magic;
    struct loop *loop;
    uint8_t *data;
    size_t size; // a power of two
    uint64_t head, tail, key;
    bool keyed;
    struct wire_viewer **viewers;
    size_t count, capacity;
    uint64_t jumps;
    struct timeout batch; // flush of the others
    struct timeout check; // once a second: stalled viewers
    struct defer emptied;
    void (*on_empty)(void *arg);
    void *arg;
};

static void on_batch(void *arg);
static void on_check(void *arg);

struct wire_ring *wire_ring_new(struct loop *loop, void (*on_empty)(void *), void *arg)
{
    struct wire_ring *ring = mem_alloc(sizeof *ring);
    ring->magic = RING_MAGIC;
    ring->loop = loop;
    ring->size = RING_SIZE_FIRST;
    ring->data = mem_alloc(ring->size);
    ring->on_empty = on_empty;
    ring->arg = arg;
    timeout_init(&ring->batch, loop, on_batch, ring);
    timeout_init(&ring->check, loop, on_check, ring);
    return ring;
}

static void run_emptied(void *arg)
{
    struct wire_ring *ring = arg;
    if (ring->count == 0)
        ring->on_empty(ring->arg);
}

static void forget(struct wire_viewer *viewer)
{
    struct wire_ring *ring = viewer->ring;
    struct wire_viewer *last = ring->viewers[--ring->count];
    ring->viewers[viewer->index] = last;
    last->index = viewer->index;
    if (ring->count == 0)
        loop_defer(ring->loop, &ring->emptied, run_emptied, ring);
}

static void on_closed(void *arg, enum reason reason)
{
    struct wire_viewer *viewer = arg;
    if (viewer->ring)
        forget(viewer);
    if (viewer->on_gone)
        viewer->on_gone(viewer->arg, viewer->bytes, reason);
    mem_free(viewer);
}

void wire_ring_free(struct wire_ring **ring, enum reason reason)
{
    struct wire_ring *gone = *ring;
    *ring = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, RING_MAGIC);
    for (size_t i = 0; i < gone->count; i++) {
        gone->viewers[i]->ring = NULL;
        conn_close(gone->viewers[i]->conn, reason);
    }
    timeout_stop(&gone->batch);
    timeout_stop(&gone->check);
    loop_defer_cancel(gone->loop, &gone->emptied);
    mem_free(gone->viewers);
    mem_free(gone->data);
    mem_free(gone);
}

// ---- writing -----------------------------------------------------------------------------------

static void copy_in(uint8_t *to, size_t size, uint64_t at, const uint8_t *data, size_t length)
{
    size_t offset = at & (size - 1);
    size_t first = length < size - offset ? length : size - offset;
    memcpy(to + offset, data, first);
    memcpy(to, data + first, length - first);
}

static void grow(struct wire_ring *ring, size_t needed)
{
    size_t size = ring->size;
    while (size < needed && size < RING_SIZE_MOST)
        size *= 2;
    if (size == ring->size)
        return;
    uint8_t *data = mem_alloc(size);
    for (uint64_t at = ring->tail; at < ring->head;) {
        size_t offset = at & (ring->size - 1);
        size_t run = ring->size - offset;
        if (run > ring->head - at)
            run = ring->head - at;
        copy_in(data, size, at, ring->data + offset, run);
        at += run;
    }
    mem_free(ring->data);
    ring->data = data;
    ring->size = size;
}

void wire_ring_mark_key(struct wire_ring *ring)
{
    ring->key = ring->head;
    ring->keyed = true;
}

void wire_ring_write(struct wire_ring *ring, const void *data, size_t length)
{
    OBJ_CHECK(ring, RING_MAGIC);
    // The GOP under way must stay whole, with half as much again for who is a little late.
    uint64_t gop = ring->keyed ? ring->head - ring->key : 0;
    size_t needed = (size_t)(gop + length) * 3 / 2;
    if (needed > ring->size)
        grow(ring, needed);
    const uint8_t *from = data;
    if (length > ring->size) { // larger than any frame can be: only its end would remain
        from += length - ring->size;
        ring->head += length - ring->size;
        length = ring->size;
    }
    copy_in(ring->data, ring->size, ring->head, from, length);
    ring->head += length;
    if (ring->head - ring->tail > ring->size)
        ring->tail = ring->head - ring->size;
    if (ring->key < ring->tail)
        ring->keyed = false;
}

// ---- viewers -----------------------------------------------------------------------------------

// Whether it has fallen out more often than a viewer may. A connection that is bad now and then,
// over days, is not.
static bool jumps_too_often(struct wire_viewer *viewer)
{
    if (viewer->jumps == 0 || now_us() - viewer->jumps_since_us >= JUMPS_US) {
        viewer->jumps_since_us = now_us();
        viewer->jumps = 0;
    }
    return ++viewer->jumps > WIRE_JUMPS_MAX;
}

static bool place(struct wire_ring *ring, struct wire_viewer *viewer)
{
    if (viewer->begun && viewer->position >= ring->tail)
        return true;
    if (!ring->keyed)
        return false; // waits for the next mark
    if (viewer->begun) {
        ring->jumps++;
        if (jumps_too_often(viewer)) {
            conn_close(viewer->conn, REASON_SLOW_RECEIVER);
            return false;
        }
    }
    viewer->begun = true;
    viewer->position = ring->key;
    return true;
}

static void send_to(struct wire_ring *ring, struct wire_viewer *viewer)
{
    if (viewer->stalled_since_us || !place(ring, viewer) || viewer->position == ring->head)
        return;
    size_t length = ring->head - viewer->position;
    size_t offset = viewer->position & (ring->size - 1);
    size_t first = length < ring->size - offset ? length : ring->size - offset;
    size_t sent;
    if (first == length) {
        sent = conn_try_write(viewer->conn, ring->data + offset, length);
    } else {
        struct iovec vectors[2] = {{ring->data + offset, first}, {ring->data, length - first}};
        sent = conn_try_writev(viewer->conn, vectors, 2);
    }
    viewer->position += sent;
    viewer->bytes += sent;
    if (sent < length)
        viewer->stalled_since_us = now_us();
}

static void on_drained(void *arg)
{
    struct wire_viewer *viewer = arg;
    viewer->stalled_since_us = 0;
    if (viewer->ring)
        send_to(viewer->ring, viewer);
}

static const struct conn_events viewer_events = {.on_drained = on_drained, .on_closed = on_closed};

static void flush(struct wire_ring *ring, bool low_delay)
{
    // conn_close inside only marks: the array changes at the end of the turn. Nobody waits for the
    // clock with the first bytes.
    for (size_t i = 0; i < ring->count; i++)
        if (ring->viewers[i]->low_delay == low_delay || !ring->viewers[i]->begun)
            send_to(ring, ring->viewers[i]);
}

static void on_batch(void *arg)
{
    flush(arg, false);
}

static void on_check(void *arg)
{
    struct wire_ring *ring = arg;
    int64_t mono_us = now_us();
    for (size_t i = 0; i < ring->count; i++) {
        struct wire_viewer *viewer = ring->viewers[i];
        if (viewer->stalled_since_us && mono_us - viewer->stalled_since_us > STALLED_US)
            conn_close(viewer->conn, REASON_SLOW_RECEIVER);
    }
    if (ring->count)
        timeout_start(&ring->check, US_PER_S);
}

void wire_ring_flush(struct wire_ring *ring)
{
    OBJ_CHECK(ring, RING_MAGIC);
    flush(ring, true);
    if (!timeout_active(&ring->batch))
        timeout_start(&ring->batch, BATCH_US);
}

void wire_ring_add(struct wire_ring *ring, struct conn *conn, bool low_delay,
                   void (*on_gone)(void *, uint64_t, enum reason), void *arg)
{
    OBJ_CHECK(ring, RING_MAGIC);
    struct wire_viewer *viewer = mem_alloc(sizeof *viewer);
    viewer->ring = ring;
    viewer->conn = conn;
    viewer->low_delay = low_delay;
    viewer->on_gone = on_gone;
    viewer->arg = arg;
    if (ring->count == ring->capacity) {
        ring->capacity = ring->capacity ? ring->capacity * 2 : 16;
        ring->viewers = mem_resize(ring->viewers, ring->capacity * sizeof *ring->viewers);
    }
    viewer->index = ring->count;
    ring->viewers[ring->count++] = viewer;
    conn_set_events(conn, &viewer_events, viewer);
    conn_set_send_buffer(conn, SEND_BUFFER);
    send_to(ring, viewer); // or, while the head of the answer is queued, when it has gone
    if (!timeout_active(&ring->check))
        timeout_start(&ring->check, US_PER_S);
}

size_t wire_ring_viewers(const struct wire_ring *ring)
{
    return ring->count;
}
uint64_t wire_ring_jumps(const struct wire_ring *ring)
{
    return ring->jumps;
}
