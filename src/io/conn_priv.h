// SPDX-License-Identifier: MIT
// Inside of a connection, for the files conn*.c.
//
// conn.c owns state, queues and callbacks; a transport moves the bytes: TCP (conn_tcp.c), TLS over
// it (conn_tls.c), memory (conn_pair.c). conn_dial.c brings a TCP socket to a connecting conn.
#ifndef IO_CONN_PRIV_H
#define IO_CONN_PRIV_H

#include <sys/types.h>

#include "io/conn.h"
#include "loop_priv.h"

enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN, CONN_CLOSED };

// Results of transports that are not a count.
enum { CONN_AGAIN = -1, CONN_TROUBLE = -2 };

struct conn_transport {
    // Takes bytes towards the peer. Count taken; less than given: full, and the transport is to
    // call conn_writable when there is room. CONN_TROUBLE: conn->trouble says why. With count 0:
    // what the transport itself holds back.
    ssize_t (*send)(struct conn *conn, const struct iovec *vectors, int count);
    // Count received, 0 at the peer's end, CONN_AGAIN or CONN_TROUBLE.
    ssize_t (*receive)(struct conn *conn, uint8_t *data, size_t room);
    // conn_wants_read or conn->blocked may have changed.
    void (*watch)(struct conn *conn);
    // No more output: tell the peer.
    void (*shut)(struct conn *conn);
    // Lets go of everything. After it the conn has no transport.
    void (*fini)(struct conn *conn);
};

struct conn_pair_end; // conn_pair.c
struct conn_dial;     // conn_dial.c
struct conn_tls;      // conn_tls.c

struct conn {
    uint32_t magic;
    uint8_t state;        // enum conn_state
    bool blocked : 1;     // the transport took less than it was given
    bool paused : 1;      // by the owner
    bool ended : 1;       // the peer's end was received
    bool finishing : 1;   // conn_finish was called
    bool shut : 1;        // our end was sent; waiting for the peer's
    bool drain_due : 1;   // the queue was over CONN_OUT_LOW
    bool try_due : 1;     // conn_try_write took less than it was given
    bool offering : 1;    // inside on_data
    bool offer_again : 1; // what on_data leaves is to be offered in the next turn
    uint8_t reason;       // enum reason: of closing, or of finishing
    uint8_t trouble;      // enum reason: what the transport met
    int descriptor;       // -1: none
    uint32_t held;        // bytes the transport took and could not send yet
    uint32_t watched;     // libev events of watcher; 0: stopped
    struct loop *loop;
    const struct conn_transport *transport; // NULL while connecting and when closed
    const struct conn_events *events;
    void *arg;
    struct chain out; // not yet taken by the transport
    uint8_t *in;      // received and not eaten: in_length bytes at in_start; NULL when none
    uint32_t in_start, in_length, in_room;
    struct ev_io watcher;
    struct defer work;    // end of turn: flush, or report and free
    struct defer resume;  // next turn: offer input again
    struct timeout timer; // connecting, handshake, finishing
    struct address peer;
    char *name;            // made when asked for
    struct address *local; // made when asked for
    uint64_t bytes_in, bytes_out;
    int64_t progress_us;
    union {
        struct conn_dial *dial;         // while CONNECTING
        struct conn_tls *tls;           // transport TLS
        struct conn_pair_end *pair_end; // transport pair
    };
};

_Static_assert(sizeof(struct conn) < 500, "a plain viewer stays small");

extern const struct conn_transport conn_tcp;
extern const struct conn_transport conn_tls;

// conn.c
struct conn *conn_new(struct loop *loop, const struct conn_events *events, void *arg);
bool conn_wants_read(const struct conn *conn);
void conn_readable(struct conn *conn);       // the transport has bytes, its end, or trouble
void conn_readable_later(struct conn *conn); // the same, in the next turn
void conn_writable(struct conn *conn);       // the transport may take bytes again
void conn_opened(struct conn *conn);         // becomes OPEN; calls on_open
void conn_trouble_close(struct conn *conn);

// conn_tcp.c: takes the descriptor.
void conn_tcp_attach(struct conn *conn, int descriptor);
void conn_tcp_watch(struct conn *conn);
ssize_t conn_tcp_send(struct conn *conn, const struct iovec *vectors, int count);
ssize_t conn_tcp_receive(struct conn *conn, uint8_t *data, size_t room);
void conn_tcp_shut(struct conn *conn);
void conn_tcp_fini(struct conn *conn);
enum reason conn_reason_of_errno(int error, bool connecting);

// conn_dial.c
void conn_dial_start(struct conn *conn, const char *host, uint16_t port, struct tls_context *tls);
void conn_dial_cancel(struct conn *conn); // no-op when not dialling
// The name was resolved to these; tests call it too, for a name that has several.
void conn_dial_addresses(struct conn *conn, const struct address *addresses, unsigned count);

// conn_tls.c: a connected TCP conn becomes a TLS one, in state HANDSHAKE; a dialling one says
// hello.
void conn_tls_attach(struct conn *conn, struct tls_context *context, bool accepted);
// What waits in conn->in are the first bytes of the handshake: takes them over.
void conn_tls_take_early(struct conn *conn);

#endif
