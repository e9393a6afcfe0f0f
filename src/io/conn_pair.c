// SPDX-License-Identifier: MIT
// Connections in memory, for tests: two conns joined by two bounded pipes.
//
// 1. What an end sends lies in its own `sent` until the other end takes it, at most PIPE_ROOM.
// 2. An end is woken by its tick, in the next turn; a tick takes at most one piece.
// 3. After one conn is gone the other still reads what was under way, then the end.
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "conn_priv.h"

enum { PIPE_ROOM = 64 << 10 };

struct conn_pair_end {
    struct conn *conn;           // NULL when gone
    struct conn_pair_end *other; // freed together with it, when both conns are gone
    struct loop *loop;
    size_t piece;  // most bytes taken in one tick; 0: all
    uint8_t *sent; // PIPE_ROOM bytes: what the other end has not taken yet
    size_t sent_length;
    bool shut;    // nothing more comes from this end
    bool stalled; // what this end sends is held back
    bool broken;
    struct defer tick;
};

static void end_tick(void *arg);

static void wake(struct conn_pair_end *end)
{
    if (end->conn)
        loop_later(end->loop, &end->tick, end_tick, end);
}

// True when the end's conn has something to take.
static bool end_has_input(const struct conn_pair_end *end)
{
    const struct conn_pair_end *from = end->other;
    return end->broken || (!from->stalled && (from->sent_length > 0 || from->shut));
}

static void end_tick(void *arg)
{
    struct conn_pair_end *end = arg;
    struct conn *conn = end->conn;
    if (!conn || conn->state == CONN_CLOSED)
        return;
    if (conn->blocked && (end->sent_length < PIPE_ROOM || end->broken))
        conn_writable(conn);
    if (conn_wants_read(conn) && end_has_input(end))
        conn_readable(conn);
}

static ssize_t pair_send(struct conn *conn, const struct iovec *vectors, int count)
{
    struct conn_pair_end *end = conn->pair_end;
    if (end->broken || !end->other->conn) {
        conn->trouble = REASON_PEER_RESET;
        return CONN_TROUBLE;
    }
    size_t taken = 0;
    for (int i = 0; i < count && end->sent_length < PIPE_ROOM; i++) {
        size_t part = vectors[i].iov_len;
        if (part > PIPE_ROOM - end->sent_length)
            part = PIPE_ROOM - end->sent_length;
        memcpy(end->sent + end->sent_length, vectors[i].iov_base, part);
        end->sent_length += part;
        taken += part;
    }
    conn->bytes_out += taken;
    if (taken)
        conn->progress_us = now_us();
    wake(end->other);
    return (ssize_t)taken;
}

static ssize_t pair_receive(struct conn *conn, uint8_t *data, size_t room)
{
    struct conn_pair_end *end = conn->pair_end;
    struct conn_pair_end *from = end->other;
    if (end->broken) {
        conn->trouble = REASON_PEER_RESET;
        return CONN_TROUBLE;
    }
    if (!end_has_input(end))
        return CONN_AGAIN;
    if (from->sent_length == 0)
        return 0;
    size_t count = from->sent_length < room ? from->sent_length : room;
    if (end->piece && count > end->piece)
        count = end->piece;
    memcpy(data, from->sent, count);
    from->sent_length -= count;
    memmove(from->sent, from->sent + count, from->sent_length);
    conn->bytes_in += count;
    conn->progress_us = now_us();
    if (from->conn && from->conn->blocked)
        wake(from);
    return (ssize_t)count;
}

static void pair_watch(struct conn *conn)
{
    struct conn_pair_end *end = conn->pair_end;
    if (conn->state == CONN_CLOSED)
        return;
    bool write = conn->blocked && (end->sent_length < PIPE_ROOM || end->broken);
    if (write || (conn_wants_read(conn) && end_has_input(end)))
        wake(end);
}

static void pair_shut(struct conn *conn)
{
    conn->pair_end->shut = true;
    wake(conn->pair_end->other);
}

static void end_free(struct conn_pair_end *end)
{
    mem_free(end->sent);
    mem_free(end);
}

static void pair_fini(struct conn *conn)
{
    struct conn_pair_end *end = conn->pair_end;
    loop_defer_cancel(end->loop, &end->tick);
    end->conn = NULL;
    if (!end->other->conn) {
        end_free(end->other);
        end_free(end);
        return;
    }
    pair_shut(conn);
    if (end->other->conn->blocked) // it writes to nobody: let it see that
        end->other->broken = true;
}

static const struct conn_transport conn_pair_transport = {
    .send = pair_send,
    .receive = pair_receive,
    .watch = pair_watch,
    .shut = pair_shut,
    .fini = pair_fini,
};

static struct conn_pair_end *end_new(struct loop *loop, size_t piece,
                                     const struct conn_events *events, void *arg)
{
    struct conn_pair_end *end = mem_alloc(sizeof(*end));
    end->loop = loop;
    end->piece = piece;
    end->sent = mem_alloc(PIPE_ROOM);
    end->conn = conn_new(loop, events, arg);
    end->conn->name = mem_strdup("pair");
    end->conn->state = CONN_OPEN;
    end->conn->transport = &conn_pair_transport;
    end->conn->pair_end = end;
    return end;
}

void conn_pair(struct loop *loop, size_t piece, const struct conn_events *events_a, void *arg_a,
               const struct conn_events *events_b, void *arg_b, struct conn **a, struct conn **b)
{
    struct conn_pair_end *end_a = end_new(loop, piece, events_a, arg_a);
    struct conn_pair_end *end_b = end_new(loop, piece, events_b, arg_b);
    end_a->other = end_b;
    end_b->other = end_a;
    *a = end_a->conn;
    *b = end_b->conn;
}

void conn_pair_stall(struct conn *conn, bool stalled)
{
    ENSURE(conn->transport == &conn_pair_transport);
    conn->pair_end->stalled = stalled;
    if (!stalled)
        wake(conn->pair_end->other);
}

void conn_pair_break(struct conn *conn)
{
    ENSURE(conn->transport == &conn_pair_transport);
    conn->pair_end->broken = conn->pair_end->other->broken = true;
    wake(conn->pair_end);
    wake(conn->pair_end->other);
}
