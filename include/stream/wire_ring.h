// SPDX-License-Identifier: MIT
// The bytes of one push format of a stream, made once exactly as they go out, in one bounded ring.
// A viewer is a connection and a position; a flush is one send per viewer. The ring, not the
// viewers, sets the memory.
//
// Viewers of low delay are flushed by wire_ring_flush (on each video frame); the others every 100
// ms, which costs a third less. A viewer that falls out of the ring jumps to the newest key frame;
// after more than WIRE_JUMPS_MAX jumps within a minute, or ten seconds in which its socket takes
// nothing, it is closed (SLOW_RECEIVER).
#ifndef STREAM_WIRE_RING_H
#define STREAM_WIRE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"

struct conn;
struct loop;
struct wire_ring;

enum { WIRE_JUMPS_MAX = 8 };

// on_empty: the last viewer has gone; in a later call, never inside wire_ring_add.
struct wire_ring *wire_ring_new(struct loop *loop, void (*on_empty)(void *arg), void *arg);
void wire_ring_free(struct wire_ring **ring, enum reason reason); // closes every viewer
// The bytes that follow begin with something a decoder can start at.
void wire_ring_mark_key(struct wire_ring *ring);
void wire_ring_write(struct wire_ring *ring, const void *data, size_t length);
// Sends what is new to the viewers of low delay; starts the clock for the others.
void wire_ring_flush(struct wire_ring *ring);
// Takes the connection for good, begins at the newest key mark. on_gone(arg, bytes sent, reason) is
// called when the viewer has gone; REASON_SLOW_RECEIVER: it took nothing for ten seconds or fell
// out of the ring too often.
void wire_ring_add(struct wire_ring *ring, struct conn *conn, bool low_delay,
                   void (*on_gone)(void *arg, uint64_t bytes, enum reason reason), void *arg);
size_t wire_ring_viewers(const struct wire_ring *ring);
uint64_t
wire_ring_jumps(const struct wire_ring *ring); // viewers that fell out, since the beginning

#endif
