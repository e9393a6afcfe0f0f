// SPDX-License-Identifier: MIT
// Connections: states, queues and callbacks. The bytes are moved by a transport (conn_priv.h).
//
// 1. CONNECTING -> HANDSHAKE or OPEN: conn_dial.c. HANDSHAKE -> OPEN: conn_opened.
//    Any -> CLOSED: conn_close. OPEN -> HANDSHAKE: conn_start_tls.
// 2. Once CLOSED, `work` is deferred; it alone reports on_closed and frees.
// 3. Callbacks come from the transport's events, from `work` or from `resume`: never from inside a
//    call of the owner.
// 4. `in` and the array of `out` exist only while there are bytes in them.
// 5. Write interest exists only while `blocked`: a send that takes everything costs one system
//    call.
#include "io/conn.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "conn_priv.h"
#include "io/tls.h"

#define CONN_MAGIC 0x434f4e4eu
#define HANDSHAKE_TIMEOUT_US (10 * US_PER_S)
#define LINGER_US (2 * US_PER_S)
#define FLUSH_MOST (4u << 20)
enum { SCRATCH_SIZE = 64 << 10, READS_PER_TURN = 4, IN_ROOM_MIN = 1024, IN_READ_MIN = 4096 };

// Input is received here and kept only when it is not eaten at once. One thread, no nesting.
static uint8_t scratch[SCRATCH_SIZE];

static void conn_work(void *arg);

// ---- life --------------------------------------------------------------------------------------

static void on_timer(void *arg)
{
    struct conn *conn = arg;
    if (conn->shut) {
        conn_close(conn, conn->reason); // the peer had its time to say goodbye
    } else if (conn->finishing) {
        int64_t limit = conn->progress_us + HTTP_SEND_TIMEOUT_US;
        if (now_us() >= limit)
            conn_close(conn, REASON_SLOW_RECEIVER);
        else
            timeout_start_at(&conn->timer, limit);
    } else {
        conn_close(conn, conn->trouble != REASON_NONE ? conn->trouble : REASON_CONNECT_TIMEOUT);
    }
}

struct conn *conn_new(struct loop *loop, const struct conn_events *events, void *arg)
{
    struct conn *conn = mem_alloc(sizeof(*conn));
    conn->magic = CONN_MAGIC;
    conn->loop = loop;
    conn->events = events;
    conn->arg = arg;
    conn->descriptor = -1;
    conn->progress_us = now_us();
    timeout_init(&conn->timer, loop, on_timer, conn);
    return conn;
}

struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                          struct tls_context *tls, int64_t timeout_us,
                          const struct conn_events *events, void *arg)
{
    struct conn *conn = conn_new(loop, events, arg);
    conn->state = CONN_CONNECTING;
    timeout_start(&conn->timer, timeout_us);
    conn_dial_start(conn, host, port, tls);
    return conn;
}

struct conn *conn_accepted(struct loop *loop, int descriptor, const struct address *from,
                           struct tls_context *tls, const struct conn_events *events, void *arg)
{
    struct conn *conn = conn_new(loop, events, arg);
    conn->peer = *from;
    conn_tcp_attach(conn, descriptor);
    if (tls) {
        conn->trouble = REASON_TIMEOUT; // what on_timer will say
        timeout_start(&conn->timer, HANDSHAKE_TIMEOUT_US);
        conn_tls_attach(conn, tls, true);
    } else {
        conn->state = CONN_OPEN;
    }
    conn->transport->watch(conn);
    return conn;
}

void conn_opened(struct conn *conn)
{
    ENSURE(conn->state == CONN_CONNECTING || conn->state == CONN_HANDSHAKE);
    conn->state = CONN_OPEN;
    timeout_stop(&conn->timer);
    conn->transport->watch(conn);
    if (conn->out.count)
        loop_defer(conn->loop, &conn->work, conn_work, conn);
    if (conn->events->on_open)
        conn->events->on_open(conn->arg);
}

void conn_close(struct conn *conn, enum reason reason)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED)
        return;
    if (conn->state == CONN_CONNECTING)
        conn_dial_cancel(conn);
    conn->state = CONN_CLOSED;
    conn->reason = (uint8_t)reason;
    timeout_stop(&conn->timer);
    if (conn->transport)
        conn->transport->watch(conn);
    loop_defer_cancel(conn->loop, &conn->resume);
    loop_defer_cancel(conn->loop, &conn->work); // it may wait for the next turn
    loop_defer(conn->loop, &conn->work, conn_work, conn);
}

void conn_trouble_close(struct conn *conn)
{
    conn_close(conn, conn->trouble);
}

static void in_drop(struct conn *conn)
{
    mem_free(conn->in);
    conn->in = NULL;
    conn->in_start = conn->in_length = conn->in_room = 0;
}

static void conn_gone(struct conn *conn)
{
    if (conn->transport)
        conn->transport->fini(conn);
    conn->transport = NULL;
    chain_fini(&conn->out);
    in_drop(conn);
    if (conn->events->on_closed)
        conn->events->on_closed(conn->arg, conn->reason);
    mem_free(conn->name);
    mem_free(conn->local);
    conn->magic = 0;
    mem_free(conn);
}

// ---- output ------------------------------------------------------------------------------------

// Sends what is queued as far as it is taken. No callbacks; may close.
static void conn_flush(struct conn *conn)
{
    while (conn->state == CONN_OPEN && !conn->blocked && (conn->out.count || conn->held)) {
        if (conn->loop->turn_sent > FLUSH_MOST) {
            loop_later(conn->loop, &conn->work, conn_work, conn);
            break;
        }
        struct iovec vectors[CONN_VECTORS_MAX];
        int count = chain_iovec(&conn->out, vectors, CONN_VECTORS_MAX);
        size_t given = 0;
        for (int i = 0; i < count; i++)
            given += vectors[i].iov_len;
        ssize_t taken = conn->transport->send(conn, vectors, count);
        if (taken < 0) {
            conn_trouble_close(conn);
            return;
        }
        chain_consume(&conn->out, (size_t)taken);
        conn->loop->turn_sent += (size_t)taken;
        conn->blocked = (size_t)taken < given || conn->held;
    }
    if (!conn->out.count && conn->out.capacity)
        chain_fini(&conn->out);
    conn->transport->watch(conn);
}

static bool queue_empty(const struct conn *conn)
{
    return !conn->out.count && !conn->held;
}

// The queue of a finishing connection is empty.
static void finish_output(struct conn *conn)
{
    if (conn->ended) {
        conn_close(conn, conn->reason);
        return;
    }
    conn->shut = true;
    conn->transport->shut(conn);
    timeout_start(&conn->timer, LINGER_US);
}

static void tell_drained(struct conn *conn)
{
    bool low = conn->drain_due && conn_queued(conn) <= CONN_OUT_LOW;
    bool free_socket = conn->try_due && queue_empty(conn) && !conn->blocked;
    if (!low && !free_socket)
        return;
    if (low)
        conn->drain_due = false;
    if (free_socket)
        conn->try_due = false;
    if (conn->events->on_drained)
        conn->events->on_drained(conn->arg);
}

static void conn_work(void *arg)
{
    struct conn *conn = arg;
    if (conn->state == CONN_OPEN)
        conn_flush(conn);
    if (conn->state == CONN_CLOSED) {
        // Closed by the flush just now: `work` may be waiting again.
        loop_defer_cancel(conn->loop, &conn->work);
        conn_gone(conn);
        return;
    }
    if (conn->state != CONN_OPEN)
        return;
    if (conn->finishing) {
        if (queue_empty(conn) && !conn->shut)
            finish_output(conn);
        return;
    }
    tell_drained(conn);
}

void conn_writable(struct conn *conn)
{
    conn->blocked = false;
    if (conn->state == CONN_HANDSHAKE) {
        if (conn->transport->send(conn, NULL, 0) < 0)
            conn_trouble_close(conn);
        conn->blocked = conn->held > 0;
        conn->transport->watch(conn);
    } else {
        // At the end of the turn, together with what this turn adds.
        loop_defer(conn->loop, &conn->work, conn_work, conn);
    }
}

static void queue_grown(struct conn *conn, bool was_empty)
{
    if (was_empty) // whoever watches for a stall counts from here
        conn->progress_us = now_us();
    if (conn->out.bytes > CONN_OUT_LOW)
        conn->drain_due = true;
    if (conn->state == CONN_OPEN && !conn->blocked)
        loop_defer(conn->loop, &conn->work, conn_work, conn);
}

void conn_write(struct conn *conn, struct chain *chain)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state != CONN_CLOSED && !conn->finishing) {
        bool was_empty = queue_empty(conn);
        chain_move(&conn->out, chain);
        queue_grown(conn, was_empty);
    }
    chain_fini(chain);
}

void conn_write_copy(struct conn *conn, const void *data, size_t length)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return;
    bool was_empty = queue_empty(conn);
    chain_add_copy(&conn->out, data, length);
    queue_grown(conn, was_empty);
}

size_t conn_queued(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    return conn->out.bytes + conn->held;
}

bool conn_full(const struct conn *conn)
{
    return conn_queued(conn) > CONN_OUT_HIGH;
}

size_t conn_try_writev(struct conn *conn, const struct iovec *vectors, int count)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    ENSURE(count >= 0 && count <= CONN_VECTORS_MAX);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return 0;
    size_t given = 0;
    for (int i = 0; i < count; i++)
        given += vectors[i].iov_len;
    if (conn->state == CONN_OPEN && !queue_empty(conn)) {
        conn_flush(conn);
        if (conn->state == CONN_CLOSED)
            return 0;
        if (conn->drain_due) // tell_drained does not happen here
            loop_defer(conn->loop, &conn->work, conn_work, conn);
    }
    ssize_t taken = 0;
    if (given > 0 && conn->state == CONN_OPEN && queue_empty(conn) && !conn->blocked) {
        taken = conn->transport->send(conn, vectors, count);
        if (taken < 0) {
            conn_trouble_close(conn);
            return 0;
        }
        if ((size_t)taken < given || conn->held) {
            conn->blocked = true;
            conn->transport->watch(conn);
        }
    }
    if ((size_t)taken < given)
        conn->try_due = true;
    return (size_t)taken;
}

size_t conn_try_write(struct conn *conn, const void *data, size_t length)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    return conn_try_writev(conn, &vector, 1);
}

void conn_finish(struct conn *conn, enum reason reason)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return;
    if (conn->state != CONN_OPEN) {
        conn_close(conn, reason);
        return;
    }
    conn->finishing = true;
    conn->paused = false;
    conn->reason = (uint8_t)reason;
    conn->progress_us = now_us();
    in_drop(conn);
    loop_defer_cancel(conn->loop, &conn->resume);
    timeout_start(&conn->timer, HTTP_SEND_TIMEOUT_US);
    conn->transport->watch(conn);
    loop_defer(conn->loop, &conn->work, conn_work, conn);
}

// ---- input -------------------------------------------------------------------------------------

bool conn_wants_read(const struct conn *conn)
{
    if (conn->state == CONN_HANDSHAKE)
        return true;
    return conn->state == CONN_OPEN && !conn->paused && !conn->ended;
}

// Room for more in `in`; false when there is no memory or the owner eats nothing (closed then).
static bool in_grow(struct conn *conn, size_t more)
{
    if (conn->in_start + conn->in_length + more <= conn->in_room)
        return true;
    size_t room = conn->in_room ? conn->in_room : IN_ROOM_MIN;
    while (room < conn->in_length + more)
        room *= 2;
    uint8_t *grown = mem_try_alloc(room);
    if (!grown) {
        conn_close(conn, REASON_LIMIT);
        return false;
    }
    if (conn->in_length)
        memcpy(grown, conn->in + conn->in_start, conn->in_length);
    mem_free(conn->in);
    conn->in = grown;
    conn->in_start = 0;
    conn->in_room = (uint32_t)room;
    return true;
}

static void in_consume(struct conn *conn, size_t count)
{
    conn->in_start += (uint32_t)count;
    conn->in_length -= (uint32_t)count;
    if (conn->in_length == 0)
        in_drop(conn);
}

static void conn_resume(void *arg);

// Shows bytes to the owner; how many it ate.
static size_t offer(struct conn *conn, const uint8_t *data, size_t length)
{
    if (conn->finishing || !conn->events->on_data)
        return length;
    conn->offering = true;
    size_t eaten = conn->events->on_data(conn->arg, data, length);
    conn->offering = false;
    ENSURE(eaten <= length);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return length;
    if (conn->offer_again && eaten < length)
        loop_later(conn->loop, &conn->resume, conn_resume, conn);
    conn->offer_again = false;
    return eaten;
}

// One read. Count received; 0 or less: nothing more to do now.
static ssize_t receive_some(struct conn *conn, size_t *room)
{
    if (conn->in_length == 0) {
        *room = SCRATCH_SIZE;
        ssize_t got = conn->transport->receive(conn, scratch, SCRATCH_SIZE);
        if (got <= 0)
            return got;
        size_t eaten = offer(conn, scratch, (size_t)got);
        size_t rest = (size_t)got - eaten;
        if (rest > 0 && in_grow(conn, rest)) {
            memcpy(conn->in + conn->in_start + conn->in_length, scratch + eaten, rest);
            conn->in_length += (uint32_t)rest;
        }
        return got;
    }
    if (conn->in_length >= CONN_IN_MAX) {
        conn_close(conn, REASON_FLOOD);
        return CONN_AGAIN;
    }
    // As much again: memory follows what the peer really sent.
    *room = conn->in_length < IN_READ_MIN ? IN_READ_MIN : conn->in_length;
    if (*room > SCRATCH_SIZE)
        *room = SCRATCH_SIZE;
    if (*room > CONN_IN_MAX - conn->in_length)
        *room = CONN_IN_MAX - conn->in_length;
    if (!in_grow(conn, *room))
        return CONN_AGAIN;
    ssize_t got =
        conn->transport->receive(conn, conn->in + conn->in_start + conn->in_length, *room);
    if (got > 0) {
        conn->in_length += (uint32_t)got;
        size_t eaten = offer(conn, conn->in + conn->in_start, conn->in_length);
        if (conn->state != CONN_CLOSED && !conn->finishing)
            in_consume(conn, eaten);
    }
    return got;
}

static void input_ended(struct conn *conn)
{
    conn->ended = true;
    conn->transport->watch(conn);
    if (conn->finishing) {
        if (conn->shut)
            conn_close(conn, conn->reason);
    } else if (conn->events->on_end) {
        conn->events->on_end(conn->arg);
    } else {
        conn_close(conn, REASON_PEER_CLOSED);
    }
}

void conn_readable_later(struct conn *conn)
{
    loop_later(conn->loop, &conn->resume, conn_resume, conn);
}

void conn_readable(struct conn *conn)
{
    uint8_t first;
    if (conn->bytes_in == 0 && conn->transport == &conn_tcp && conn->events->on_first &&
        recv(conn->descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
        conn->events->on_first(conn->arg, first);
    for (int i = 0; conn_wants_read(conn); i++) {
        if (i == READS_PER_TURN) {
            if (conn->transport == &conn_tls) // the socket may not announce again what TLS holds
                conn_readable_later(conn);
            break;
        }
        size_t room = 0;
        ssize_t got = receive_some(conn, &room);
        if (conn->state == CONN_CLOSED)
            return;
        if (got == CONN_TROUBLE) {
            conn_trouble_close(conn);
            return;
        }
        if (got == 0) {
            input_ended(conn);
            return;
        }
        if (got < 0 || (size_t)got < room)
            break;
        if (conn->state == CONN_HANDSHAKE && conn->in_length)
            break; // conn_start_tls: `resume` comes first
    }
    conn->transport->watch(conn);
}

static void conn_resume(void *arg)
{
    struct conn *conn = arg;
    if (conn->state == CONN_HANDSHAKE)
        conn_tls_take_early(conn);
    if (conn->paused)
        return;
    if (conn->state == CONN_OPEN && conn->in_length) {
        size_t eaten = offer(conn, conn->in + conn->in_start, conn->in_length);
        if (conn->state == CONN_CLOSED || conn->finishing)
            return;
        in_consume(conn, eaten);
    }
    // TLS may hold bytes.
    if (conn->transport == &conn_tls && conn_wants_read(conn))
        conn_readable(conn);
}

static void offer_later(struct conn *conn)
{
    if (conn->offering)
        conn->offer_again = true; // decided when on_data says what it ate
    else if (conn->in_length || conn->transport == &conn_tls)
        loop_later(conn->loop, &conn->resume, conn_resume, conn);
}

void conn_pause(struct conn *conn, bool paused)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return;
    conn->paused = paused;
    if (conn->transport)
        conn->transport->watch(conn);
    if (!paused)
        offer_later(conn);
}

void conn_set_events(struct conn *conn, const struct conn_events *events, void *arg)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    conn->events = events;
    conn->arg = arg;
    if (conn->state == CONN_OPEN && !conn->finishing)
        offer_later(conn);
}

void conn_start_tls(struct conn *conn, struct tls_context *tls)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED || conn->finishing)
        return;
    ENSURE(conn->state == CONN_OPEN && conn->transport == &conn_tcp && queue_empty(conn));
    conn->trouble = REASON_TIMEOUT;
    timeout_start(&conn->timer, HANDSHAKE_TIMEOUT_US);
    conn_tls_attach(conn, tls, true);
    // The hello is in `in` once on_data has returned.
    loop_later(conn->loop, &conn->resume, conn_resume, conn);
}

int conn_take_descriptor(struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    ENSURE(conn->state == CONN_OPEN && conn->transport == &conn_tcp && conn->bytes_in == 0);
    int descriptor = conn->descriptor;
    conn_close(conn, REASON_REPLACED); // no event is wanted any more
    conn->descriptor = -1;
    return descriptor;
}

// ---- questions ---------------------------------------------------------------------------------

const char *conn_name(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (!conn->name) {
        char text[ADDRESS_TEXT_MAX];
        address_print(&conn->peer, text, sizeof(text));
        ((struct conn *)(uintptr_t)conn)->name = mem_strdup(text); // a cache
    }
    return conn->name;
}

const struct address *conn_peer(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    return &conn->peer;
}

const struct address *conn_local(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    if (!conn->local) {
        struct sockaddr_storage found;
        socklen_t length = sizeof(found);
        struct address *local = mem_alloc(sizeof(*local));
        if (conn->descriptor >= 0 &&
            getsockname(conn->descriptor, (struct sockaddr *)&found, &length) == 0)
            address_from_system((struct sockaddr *)&found, length, local);
        ((struct conn *)(uintptr_t)conn)->local = local; // a cache
    }
    return conn->local;
}

uint64_t conn_bytes_in(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    return conn->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    return conn->bytes_out;
}

int64_t conn_last_progress_us(const struct conn *conn)
{
    OBJ_CHECK(conn, CONN_MAGIC);
    return conn->progress_us;
}
