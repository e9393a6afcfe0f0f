// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http_priv.h"
#include "io/listener.h"

enum { TLS_RECORD_HANDSHAKE = 0x16 };

struct http_listener {
    struct list_node node;
    struct listener *listener;
    char host[256];
    uint16_t port;
};

static void read_request(struct http_conn *conn, struct bytes in, size_t *eaten);

// ---- connections -------------------------------------------------------------------------------

static void run_free_conn(void *arg) { mem_free(arg); }

static void conn_forget(struct http_conn *conn)
{
    timeout_stop(&conn->timeout);
    list_remove(&conn->server->conns, &conn->node);
    conn->server->stats.connections--;
    loop_defer(conn->server->loop, &conn->freeing, run_free_conn, conn);
}

static void on_timeout(void *arg)
{
    struct http_conn *conn = arg;
    int64_t mono_us = now_us(), due_us;
    if (conn->request && conn_queued(conn->conn) > 0)
        due_us = conn_last_progress_us(conn->conn) + HTTP_SEND_TIMEOUT_US;
    else if (conn->request)
        due_us = mono_us + HTTP_SEND_TIMEOUT_US; // a handler has timeouts of its own
    else
        due_us = conn->since_us + (conn->reading ? HTTP_HEAD_TIMEOUT_US : HTTP_IDLE_TIMEOUT_US);
    if (mono_us < due_us) {
        timeout_start_at(&conn->timeout, due_us);
        return;
    }
    if (conn->reading)
        response_refuse(conn, 408, "the request did not come to its end");
    if (conn->reading)
        conn_finish(conn->conn, REASON_TIMEOUT);
    else
        conn_close(conn->conn, conn->request ? REASON_SLOW_RECEIVER : REASON_TIMEOUT);
}

static void set_state(struct http_conn *conn, bool reading)
{
    conn->reading = reading;
    conn->since_us = now_us();
    if (!timeout_active(&conn->timeout))
        timeout_start(&conn->timeout, HTTP_HEAD_TIMEOUT_US);
    else if (reading)
        timeout_start(&conn->timeout, HTTP_HEAD_TIMEOUT_US);
}

static size_t on_data(void *arg, const uint8_t *data, size_t length)
{
    struct http_conn *conn = arg;
    size_t eaten = 0;
    if (!conn->request)
        read_request(conn, bytes_of(data, length), &eaten);
    return eaten;
}

static void on_drained(void *arg)
{
    struct http_conn *conn = arg;
    if (conn->request)
        response_drained(conn->request);
}

static void on_closed(void *arg, enum reason reason)
{
    struct http_conn *conn = arg;
    (void)reason;
    conn->conn = NULL;
    if (conn->request) {
        struct http_request *request = conn->request;
        conn->request = NULL;
        request_client_gone(request);
    }
    conn_forget(conn);
}

static const struct conn_events conn_events = {
    .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed};

static void refuse(struct http_conn *conn, int status, const char *why, size_t length,
                   size_t *eaten)
{
    conn->server->stats.bad_heads++;
    *eaten = length; // nothing after this can be trusted
    response_refuse(conn, status, why);
    conn_finish(conn->conn, REASON_BAD_REQUEST);
}

static void read_request(struct http_conn *conn, struct bytes in, size_t *eaten)
{
    // Empty lines before a request are allowed (RFC 9112, 2.2).
    size_t skip = 0;
    while (skip + 2 <= in.length && in.data[skip] == '\r' && in.data[skip + 1] == '\n')
        skip += 2;
    (void)bytes_skip(&in, skip);
    *eaten = skip;
    if (in.length == 0)
        return;
    if (!conn->reading)
        set_state(conn, true);
    size_t head_length = head_find(in);
    if (head_length > HTTP_HEAD_MAX || (head_length == 0 && in.length > HTTP_HEAD_MAX)) {
        refuse(conn, 431, "the head is too large", skip + in.length, eaten);
        return;
    }
    if (head_length == 0)
        return;
    struct head head;
    const char *why;
    int status = head_parse(bytes_of(in.data, head_length), &head, &why);
    if (status != 0) {
        refuse(conn, status, why, skip + in.length, eaten);
        return;
    }
    if (in.length < head_length + head.body_length) {
        if (head.expects_continue && !conn->greeted) {
            conn->greeted = true;
            conn_write_copy(conn->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
        head_fini(&head);
        return;
    }
    *eaten = skip + head_length + head.body_length;
    conn->greeted = false;
    set_state(conn, false);
    struct bytes body = bytes_of(in.data + head_length, head.body_length);
    struct http_request *request = request_new(conn, &head, body);
    conn->request = request;
    conn_pause(conn->conn, true);
    request->handling = true;
    request_dispatch(request);
    request->handling = false;
    if (request->state == ANSWER_DONE)
        http_answer_done(request);
}

// The answer is queued as a whole: the connection goes on with the next request, or closes.
void http_answer_done(struct http_request *request)
{
    if (request->handling || request->gone)
        return; // told again when the handler has returned, or nobody is there
    struct http_conn *conn = request->owner;
    ENSURE(conn && conn->request == request);
    conn->request = NULL;
    request->owner = NULL;
    request->gone = true;
    request_free_later(request);
    if (!conn->conn) {
        conn_forget(conn); // taken over
    } else if (request->close_after || conn->server->closing) {
        conn_finish(conn->conn, REASON_DONE);
    } else {
        set_state(conn, false);
        conn_pause(conn->conn, false);
    }
}

static void on_knock(void *arg, int descriptor, const struct address *from, uint8_t first)
{
    struct http_server *server = arg;
    if (first == TLS_RECORD_HANDSHAKE && server->take_tls) {
        server->take_tls(server->take_arg, descriptor, from);
        return;
    }
    struct http_conn *conn = mem_alloc(sizeof *conn);
    conn->server = server;
    timeout_init(&conn->timeout, server->loop, on_timeout, conn);
    conn->conn = conn_accepted(server->loop, descriptor, from, NULL, &conn_events, conn);
    list_append(&server->conns, &conn->node);
    server->stats.connections++;
    server->stats.connections_total++;
    set_state(conn, false);
    if (server->stats.connections > HTTP_CONNECTIONS_MAX) {
        server->stats.refused++;
        conn_close(conn->conn, REASON_LIMIT);
    }
}

static void on_accept(void *arg, int descriptor, const struct address *from)
{
    struct http_server *server = arg;
    knock_wait(&server->door, descriptor, from);
}

// ---- life --------------------------------------------------------------------------------------

struct http_server *http_server_new(struct loop *loop)
{
    struct http_server *server = mem_alloc(sizeof *server);
    server->loop = loop;
    list_init(&server->listeners);
    list_init(&server->conns);
    knock_init(&server->door, loop, on_knock, server);
    return server;
}

static void run_free(void *arg)
{
    struct http_server *server = arg;
    if (!list_empty(&server->conns)) { // they report in this turn's end
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

void http_server_free(struct http_server **server)
{
    struct http_server *gone = *server;
    *server = NULL;
    if (!gone)
        return;
    gone->closing = true;
    LIST_FOREACH(&gone->listeners, it, after)
    {
        listener_drop(gone, LIST_OWNER(it, struct http_listener, node));
    }
    knock_fini(&gone->door);
    LIST_FOREACH(&gone->conns, at, next)
    {
        conn_close(LIST_OWNER(at, struct http_conn, node)->conn, REASON_SHUTDOWN);
    }
    loop_defer(gone->loop, &gone->freeing, run_free, gone);
}

void http_server_add_routes(struct http_server *server, const struct http_route *routes, void *arg)
{
    router_add(&server->router, routes, arg);
}

int http_server_listen(struct http_server *server, const char *host, uint16_t port)
{
    struct http_listener *listener = mem_alloc(sizeof *listener);
    int err = listener_open(server->loop, host, port, on_accept, server, &listener->listener);
    if (err != 0) {
        mem_free(listener);
        return err;
    }
    (void)text_copy(listener->host, sizeof listener->host, host ? host : "");
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
                        void (*take)(void *, int, const struct address *), void *arg)
{
    server->take_tls = take;
    server->take_arg = arg;
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
    return &server->stats;
}
