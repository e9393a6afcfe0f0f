// SPDX-License-Identifier: MIT
// A stream connection: plain TCP, TLS, or an in-memory pair in tests, behind one set of calls.
//
// States: CONNECTING -> (HANDSHAKE ->) OPEN -> CLOSED. conn_close may be called any number of times
// from any place; on_closed comes exactly once, at the end of the turn, and the memory goes after
// it. After conn_close no other callback comes.
//
// Output: either queued (conn_write: a chain, sent at the end of the turn and then as the socket
// takes it), or unqueued (conn_try_write: straight to the socket, for receivers that keep their own
// position in a ring). TCP_NODELAY is always set. The kernel's send buffer is kept small
// (TCP_NOTSENT_LOWAT) where asked for, so that what is late can still be dropped by its owner.
#ifndef IO_CONN_H
#define IO_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/reason.h"
#include "io/address.h"

struct loop;
struct conn;
struct tls_context;

// The table must live as long as the connection; name its members when you fill it. Any may be
// NULL.
struct conn_events {
    // The connection (and TLS handshake) is up. Not called for accepted plain connections.
    void (*on_open)(void *arg);
    // Bytes have arrived: all that were not eaten yet. Returns how many were eaten (0..length);
    // the rest is offered again with more. May be NULL: then input is discarded. More than
    // CONN_IN_MAX uneaten closes the connection (FLOOD).
    size_t (*on_data)(void *arg, const uint8_t *data, size_t length);
    // There is room again: the queue had grown over CONN_OUT_LOW and fell under it, or
    // conn_try_write had taken less than it was given and the socket takes bytes again.
    void (*on_drained)(void *arg);
    // Exactly once, at the end of a turn. The conn must not be used after this returned.
    void (*on_closed)(void *arg, enum reason reason);
    // The peer has sent its last byte, which on_data has seen; it may still listen. From now on
    // nothing is read. Without this callback the connection closes (PEER_CLOSED).
    void (*on_end)(void *arg);
    // Accepted plain connections: the first byte is there and nothing has been read yet. The place
    // to call conn_take_descriptor.
    void (*on_first)(void *arg, uint8_t byte);
};

// Connects to host (name or literal) and port; resolves without blocking; tries the addresses one
// after another, each 250 ms after the one before or as soon as that failed. timeout_us covers
// everything up to on_open. tls (a reference is taken) may be NULL. on_open or on_closed come
// later, never inside; reasons of failure: DNS, REFUSED, UNREACHABLE, CONNECT_TIMEOUT, and those of
// TLS.
struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                          struct tls_context *tls, int64_t timeout_us,
                          const struct conn_events *events, void *arg);
// Wraps an accepted, non-blocking socket (takes it). tls NULL: plain. The handshake, if any, must
// be done within ten seconds.
struct conn *conn_accepted(struct loop *loop, int descriptor, const struct address *from,
                           struct tls_context *tls, const struct conn_events *events, void *arg);
// Two OPEN ends in memory. Delivery happens in later turns, in pieces of at most `piece` bytes
// (0: all). A direction holds at most 64 KB, like a socket buffer.
void conn_pair(struct loop *loop, size_t piece, const struct conn_events *events_a, void *arg_a,
               const struct conn_events *events_b, void *arg_b, struct conn **a, struct conn **b);
// Test faults of a pair: hold back what this end sends, its end included; break off both ends
// (PEER_RESET) with what was under way.
void conn_pair_stall(struct conn *conn, bool stalled);
void conn_pair_break(struct conn *conn);

// Hands the connection to another protocol: later events go there. Bytes not eaten are offered to
// the new owner in a later turn.
void conn_set_events(struct conn *conn, const struct conn_events *events, void *arg);
// Switches an OPEN plain connection whose first bytes turned out to be a TLS hello to TLS; no byte
// may have been eaten (from inside on_data return 0). on_open comes after the handshake.
void conn_start_tls(struct conn *conn, struct tls_context *tls);
// From inside on_first: takes the socket out, untouched; the conn closes with REASON_REPLACED.
int conn_take_descriptor(struct conn *conn);

// Queues bytes; moves the chain's slices out of *chain, which is empty and holds no memory
// afterwards. After conn_close does nothing but drop them.
void conn_write(struct conn *conn, struct chain *chain);
void conn_write_copy(struct conn *conn, const void *data, size_t length);
// Bytes queued and not yet taken by the kernel.
size_t conn_queued(const struct conn *conn);
// True when more than CONN_OUT_HIGH is queued: a polite producer waits for on_drained.
bool conn_full(const struct conn *conn);
// Straight to the socket when nothing is queued (what is queued is tried first); returns how many
// were taken (0 when full or not open). When fewer than `length`, on_drained comes once there is
// room. Never fails: trouble closes the conn.
size_t conn_try_write(struct conn *conn, const void *data, size_t length);
// The same for vectors, at most CONN_VECTORS_MAX.
enum { CONN_VECTORS_MAX = 64 };
size_t conn_try_writev(struct conn *conn, const struct iovec *vectors, int count);

// Stops and restarts reading (back pressure towards the peer; its end is not seen meanwhile).
// conn_pause(conn, false) also has bytes that were not eaten offered again, in a later turn.
void conn_pause(struct conn *conn, bool paused);
// After conn_finish no callback but on_closed comes; the connection closes by itself when the queue
// is empty (answer, then close). What the peer still sends is read and dropped for at most two
// seconds, so that a reset does not overtake the answer; a peer that takes nothing is closed after
// HTTP_SEND_TIMEOUT_US.
void conn_finish(struct conn *conn, enum reason reason);
void conn_close(struct conn *conn, enum reason reason);
// conn_close with a reset instead of an end (TCP), so that the peer cannot take what it has for
// everything. What is still queued is dropped.
void conn_reset(struct conn *conn, enum reason reason);

const char *conn_name(const struct conn *conn); // "192.0.2.1:5000", for logs
const struct address *conn_peer(const struct conn *conn);
const struct address *conn_local(const struct conn *conn);
uint64_t conn_bytes_in(const struct conn *conn);  // on the wire, TLS included
uint64_t conn_bytes_out(const struct conn *conn); // the same
// When the socket last took or gave bytes, or something was queued that it has to take.
int64_t conn_last_progress_us(const struct conn *conn);
// Keeps at most this many unsent bytes in the kernel (TCP_NOTSENT_LOWAT).
void conn_set_notsent_low(struct conn *conn, unsigned bytes);
void conn_set_send_buffer(struct conn *conn, unsigned bytes); // SO_SNDBUF

#endif
