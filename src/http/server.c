// SPDX-License-Identifier: MIT
// Listeners, connections and their requests, one after another.
//
// 1. While a request is being answered nothing more is eaten from its connection, but it is still
//    read, so that a client that goes away is noticed; behind UNREAD_MAX waiting bytes reading
//    stops.
// 2. A client that only ends its own direction still gets its answers, then the connection closes.
// 3. Every waiting connection has a deadline (due_us); there is one timeout each, moved lazily.
// 4. After a head that was refused the connection closes: nothing after it can be trusted.
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http_priv.h"
#include "io/listener.h"

enum {
    TLS_RECORD_HANDSHAKE = 0x16, // RFC 8446, 5.1
    UNREAD_MAX = 64 << 10,       // requests sent ahead, while one is answered
    REQUESTS_PER_TURN = 32,      // of one connection
};

struct http_listener {
    struct list_node node;
    struct listener *listener;
    char host[64]; // "" for all addresses
    uint16_t port;
};

// ---- connections -------------------------------------------------------------------------------

static void run_free_conn(void *arg)
{
    mem_free(arg);
}

static void conn_forget(struct http_conn *conn)
{
    timeout_stop(&conn->timeout);
    list_remove(&conn->server->conns, &conn->node);
    conn->server->stats.connections--;
    loop_defer(conn->server->loop, &conn->freeing, run_free_conn, conn);
}

static int64_t due_us(const struct http_conn *conn)
{
    int64_t progress_us = conn_last_progress_us(conn->conn);
    if (conn_queued(conn->conn) > 0)
        return progress_us + HTTP_SEND_TIMEOUT_US;
    if (conn->request) // a handler has timeouts of its own; look again
        return now_us() + HTTP_SEND_TIMEOUT_US;
    if (conn->reading && conn->needed == 0)
        return conn->since_us + HTTP_HEAD_TIMEOUT_US;
    if (conn->reading)
        return conn->since_us + HTTP_IDLE_TIMEOUT_US;
    if (!conn->answered)
        return conn->since_us + HTTP_HEAD_TIMEOUT_US;
    return (progress_us > conn->since_us ? progress_us : conn->since_us) + HTTP_IDLE_TIMEOUT_US;
}

static void on_timeout(void *arg)
{
    struct http_conn *conn = arg;
    int64_t due = due_us(conn);
    if (now_us() < due) {
        timeout_start_at(&conn->timeout, due);
    } else if (conn->reading && conn_queued(conn->conn) == 0) {
        response_refuse(conn, 408, "the request did not come to its end");
        conn_finish(conn->conn, REASON_TIMEOUT);
    } else {
        conn_close(conn->conn, conn_queued(conn->conn) > 0 ? REASON_SLOW_RECEIVER : REASON_TIMEOUT);
    }
}

// A state began: its deadline may be earlier than the one that is set.
static void set_deadline(struct http_conn *conn)
{
    conn->since_us = now_us();
    int64_t due = due_us(conn);
    if (!timeout_active(&conn->timeout) || due < conn->timeout.due_us)
        timeout_start_at(&conn->timeout, due);
}

static void refuse(struct http_conn *conn, int status, const char *why)
{
    conn->server->stats.bad_heads++;
    response_refuse(conn, status, why);
    conn_finish(conn->conn, REASON_BAD_REQUEST);
}

static void begin_request(struct http_conn *conn, struct head *head, struct bytes body)
{
    conn->reading = false;
    conn->needed = 0;
    conn->answered = true;
    struct http_request *request = http_request_new(conn, head, body);
    conn->request = request;
    set_deadline(conn);
    request->handling = true;
    http_request_dispatch(request);
    request->handling = false;
    if (request->done_early)
        http_answer_done(request);
}

// Eats one request and hands it to its handler; false when more bytes are needed, or none are
// wanted.
static bool read_request(struct http_conn *conn, struct bytes *in)
{
    // An empty line before a request is to be ignored (RFC 9112, 2.2).
    while (in->length >= 2 && in->data[0] == '\r' && in->data[1] == '\n')
        (void)bytes_skip(in, 2);
    if (in->length == 0)
        return false;
    if (!conn->reading) {
        conn->reading = true;
        set_deadline(conn);
    }
    if (in->length < conn->needed)
        return false;
    size_t head_length = head_find(*in);
    if (head_length > HTTP_HEAD_MAX || (head_length == 0 && in->length >= HTTP_HEAD_MAX)) {
        refuse(conn, 431, "the head is too large");
        return false;
    }
    if (head_length == 0)
        return false;
    struct head head;
    const char *why;
    int status = head_parse(bytes_of(in->data, head_length), &head, &why);
    if (status != 0) {
        refuse(conn, status, why);
        return false;
    }
    size_t whole = head_length + head.body_length;
    if (in->length < whole) {
        if (head.expects_continue && conn->needed == 0)
            conn_write_copy(conn->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        conn->needed = whole;
        head_fini(&head);
        return false;
    }
    struct bytes body = bytes_of(in->data + head_length, head.body_length);
    (void)bytes_skip(in, whole);
    begin_request(conn, &head, body);
    return true;
}

static size_t on_data(void *arg, const uint8_t *data, size_t length)
{
    struct http_conn *conn = arg;
    struct bytes in = bytes_of(data, length);
    conn->processing = true;
    for (int i = 0; conn->conn && !conn->request; i++) {
        if (conn_full(conn->conn)) {
            conn->full = true;
            break;
        }
        if (i == REQUESTS_PER_TURN) {
            conn_pause(conn->conn, false); // the rest is offered again
            break;
        }
        if (!read_request(conn, &in))
            break;
    }
    conn->processing = false;
    conn->unread = in.length;
    if (!conn->conn)
        return length - in.length; // taken over: the rest is for the new owner
    if (conn->unread > UNREAD_MAX && conn->needed == 0) {
        conn->paused = true;
        conn_pause(conn->conn, true);
    }
    if (conn->ended && !conn->request && !conn->full)
        conn_finish(conn->conn, REASON_PEER_CLOSED); // what is left will never be a request
    return length - in.length;
}

static void read_on(struct http_conn *conn)
{
    conn->paused = false;
    conn->full = false;
    conn_pause(conn->conn, false); // offers what waits again
}

static void on_end(void *arg)
{
    struct http_conn *conn = arg;
    conn->ended = true;
    if (!conn->request && !conn->full)
        conn_finish(conn->conn, REASON_PEER_CLOSED);
}

static void on_drained(void *arg)
{
    struct http_conn *conn = arg;
    if (conn->request)
        response_drained(conn->request);
    else if (conn->full)
        read_on(conn);
}

static void on_closed(void *arg, enum reason reason)
{
    struct http_conn *conn = arg;
    (void)reason;
    struct http_request *request = conn->request;
    conn->conn = NULL;
    conn->request = NULL;
    if (request)
        http_request_client_gone(request);
    conn_forget(conn);
}

static void on_first(void *arg, uint8_t byte)
{
    struct http_conn *conn = arg;
    struct http_server *server = conn->server;
    if (byte != TLS_RECORD_HANDSHAKE || !server->take_tls)
        return;
    struct address from = *conn_peer(conn->conn);
    server->take_tls(server->take_arg, conn_take_descriptor(conn->conn), &from);
}

static const struct conn_events events = {
    .on_first = on_first,
    .on_data = on_data,
    .on_drained = on_drained,
    .on_end = on_end,
    .on_closed = on_closed,
};

void http_answer_done(struct http_request *request)
{
    struct http_conn *conn = request->owner;
    if (request->handling) {
        request->done_early = true; // told again when the handler has returned
        return;
    }
    if (!conn)
        return; // the client is gone, and the request with it
    ENSURE(conn->request == request);
    conn->request = NULL;
    request->owner = NULL;
    http_request_free_later(request);
    if (!conn->conn) {
        conn_forget(conn); // taken over
        return;
    }
    if (request->close_after || conn->server->closing) {
        conn_finish(conn->conn, REASON_DONE);
        return;
    }
    set_deadline(conn);
    if (conn->processing)
        return; // on_data goes on
    if (conn->unread > 0)
        read_on(conn);
    else if (conn->ended)
        conn_finish(conn->conn, REASON_PEER_CLOSED);
}

static void on_accept(void *arg, int descriptor, const struct address *from)
{
    struct http_server *server = arg;
    if (server->stats.connections >= HTTP_CONNECTIONS_MAX) {
        server->stats.refused++;
        close(descriptor);
        return;
    }
    struct http_conn *conn = mem_alloc(sizeof(*conn));
    conn->server = server;
    timeout_init(&conn->timeout, server->loop, on_timeout, conn);
    conn->conn = conn_accepted(server->loop, descriptor, from, NULL, &events, conn);
    list_append(&server->conns, &conn->node);
    server->stats.connections++;
    server->stats.connections_total++;
    set_deadline(conn);
}

// ---- life --------------------------------------------------------------------------------------

struct http_server *http_server_new(struct loop *loop)
{
    struct http_server *server = mem_alloc(sizeof(*server));
    server->loop = loop;
    list_init(&server->listeners);
    list_init(&server->conns);
    return server;
}

static void run_free(void *arg)
{
    struct http_server *server = arg;
    if (!list_empty(&server->conns)) { // they report in this same end of the turn
        loop_defer(server->loop, &server->freeing, run_free, server);
        return;
    }
    router_fini(&server->router);
    mem_free(server);
}

static void listener_drop(struct http_server *server, struct http_listener *listener)
{
    listener_close(&listener->listener);
    list_remove(&server->listeners, &listener->node);
    mem_free(listener);
}

void http_server_free(struct http_server **where)
{
    struct http_server *server = *where;
    *where = NULL;
    if (!server)
        return;
    server->closing = true;
    LIST_FOREACH(&server->listeners, it, after)
    {
        listener_drop(server, LIST_OWNER(it, struct http_listener, node));
    }
    LIST_FOREACH(&server->conns, at, next)
    {
        struct http_conn *conn = LIST_OWNER(at, struct http_conn, node);
        if (conn->conn)
            conn_close(conn->conn, REASON_SHUTDOWN);
    }
    loop_defer(server->loop, &server->freeing, run_free, server);
}

void http_server_add_routes(struct http_server *server, const struct http_route *routes, void *arg)
{
    router_add(&server->router, routes, arg);
}

int http_server_listen(struct http_server *server, const char *host, uint16_t port)
{
    struct http_listener *listener = mem_alloc(sizeof(*listener));
    int err = listener_open(server->loop, host, port, on_accept, server, &listener->listener);
    if (err != 0) {
        mem_free(listener);
        return err;
    }
    (void)text_copy(listener->host, sizeof(listener->host), host ? host : "");
    listener->port = port;
    list_append(&server->listeners, &listener->node);
    return 0;
}

void http_server_unlisten(struct http_server *server, const char *host, uint16_t port)
{
    LIST_FOREACH(&server->listeners, it, after)
    {
        struct http_listener *listener = LIST_OWNER(it, struct http_listener, node);
        if (listener->port == port && strcmp(listener->host, host ? host : "") == 0)
            listener_drop(server, listener);
    }
}

uint16_t http_server_port(const struct http_server *server)
{
    struct list_node *first = list_first(&server->listeners);
    return first ? listener_port(LIST_OWNER(first, struct http_listener, node)->listener) : 0;
}

void http_server_on_tls(struct http_server *server,
                        void (*take)(void *arg, int descriptor, const struct address *from),
                        void *arg)
{
    server->take_tls = take;
    server->take_arg = arg;
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
    return &server->stats;
}
