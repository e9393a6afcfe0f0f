// SPDX-License-Identifier: MIT
// Dialling: brings a TCP socket to a conn in state CONNECTING.
//
// The addresses of a name are tried in the resolver's order. The next one starts STAGGER_US after
// the one before, or at once when no attempt is left under way; the first that connects wins and
// the others are closed (the idea of RFC 8305, 5). The conn's own timer bounds the whole.
//
// 1. `dial` lives exactly as long as the conn is CONNECTING.
// 2. An attempt with descriptor -1 is over or not begun; `running` counts the others.
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "conn_priv.h"
#include "io/dns.h"
#include "io/tls.h"

#define STAGGER_US (250 * US_PER_MS)
enum { ATTEMPTS_MAX = 8 };

struct attempt {
    struct conn *conn;
    struct ev_io watcher;
    int descriptor;
    const struct address *address;
};

struct conn_dial {
    struct dns_query *query; // NULL when it is answered
    struct tls_context *tls; // counted; NULL for plain
    struct address addresses[ATTEMPTS_MAX];
    struct attempt attempts[ATTEMPTS_MAX];
    unsigned count, next, running;
    struct timeout stagger;
    enum reason reason; // the most telling failure so far
};

static void try_next(struct conn *conn);

static void attempt_end(struct attempt *attempt)
{
    if (attempt->descriptor < 0)
        return;
    ev_io_stop(attempt->conn->loop->ev, &attempt->watcher);
    attempt->descriptor = -1;
    attempt->conn->dial->running--;
}

static void attempt_drop(struct attempt *attempt)
{
    int descriptor = attempt->descriptor;
    attempt_end(attempt);
    if (descriptor >= 0)
        close(descriptor);
}

void conn_dial_cancel(struct conn *conn)
{
    struct conn_dial *dial = conn->dial;
    if (!dial)
        return;
    dns_cancel(&dial->query);
    for (unsigned i = 0; i < dial->next; i++)
        attempt_drop(&dial->attempts[i]);
    timeout_stop(&dial->stagger);
    if (dial->tls)
        tls_context_unref(&dial->tls);
    conn->dial = NULL;
    mem_free(dial);
}

static void dial_failed(struct conn *conn, enum reason reason)
{
    struct conn_dial *dial = conn->dial;
    // That a host refused says more than that another address was out of reach.
    if (dial->reason == REASON_NONE || reason == REASON_REFUSED)
        dial->reason = reason;
    if (dial->running == 0)
        try_next(conn);
}

static void dial_succeeded(struct attempt *attempt)
{
    struct conn *conn = attempt->conn;
    int descriptor = attempt->descriptor;
    conn->peer = *attempt->address;
    attempt_end(attempt);
    struct tls_context *tls = conn->dial->tls;
    conn->dial->tls = NULL;
    conn_dial_cancel(conn);
    conn_tcp_attach(conn, descriptor);
    if (!tls) {
        conn_opened(conn);
        return;
    }
    conn_tls_attach(conn, tls, false);
    tls_context_unref(&tls);
}

static void on_connected(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct attempt *attempt = watcher->data;
    struct conn *conn = attempt->conn;
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(attempt->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0) {
        dial_succeeded(attempt);
        return;
    }
    attempt_drop(attempt);
    dial_failed(conn, conn_reason_of_errno(error, true));
}

// 0, or an errno.
static int attempt_begin(struct conn *conn, struct attempt *attempt, const struct address *address)
{
    attempt->conn = conn;
    attempt->address = address;
    attempt->descriptor =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->descriptor < 0)
        return errno;
    if (connect(attempt->descriptor, &address->any, address->length) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(attempt->descriptor);
        attempt->descriptor = -1;
        return error;
    }
    conn->dial->running++;
    ev_io_init(&attempt->watcher, on_connected, attempt->descriptor, EV_WRITE);
    attempt->watcher.data = attempt;
    ev_io_start(conn->loop->ev, &attempt->watcher);
    return 0;
}

static void try_next(struct conn *conn)
{
    struct conn_dial *dial = conn->dial;
    while (dial->next < dial->count) {
        struct attempt *attempt = &dial->attempts[dial->next];
        int error = attempt_begin(conn, attempt, &dial->addresses[dial->next]);
        dial->next++;
        if (error == 0) {
            if (dial->next < dial->count)
                timeout_start(&dial->stagger, STAGGER_US);
            return;
        }
        enum reason reason = conn_reason_of_errno(error, true);
        if (dial->reason == REASON_NONE || reason == REASON_REFUSED)
            dial->reason = reason;
    }
    if (dial->running == 0)
        conn_close(conn, dial->reason);
}

static void on_stagger(void *arg)
{
    try_next(arg);
}

void conn_dial_addresses(struct conn *conn, const struct address *addresses, unsigned count)
{
    struct conn_dial *dial = conn->dial;
    dns_cancel(&dial->query);
    dial->count = count < ATTEMPTS_MAX ? count : ATTEMPTS_MAX;
    for (unsigned i = 0; i < dial->count; i++)
        dial->addresses[i] = addresses[i];
    try_next(conn);
}

static void on_resolved(void *arg, int err, const struct address *addresses, unsigned count)
{
    struct conn *conn = arg;
    conn->dial->query = NULL;
    if (err == 0)
        conn_dial_addresses(conn, addresses, count);
    else
        conn_close(conn, REASON_DNS);
}

void conn_dial_start(struct conn *conn, const char *host, uint16_t port, struct tls_context *tls)
{
    char text[300];
    const char *form = strchr(host, ':') && host[0] != '[' ? "[%s]:%u" : "%s:%u";
    text_format(text, sizeof(text), form, host, port);
    conn->name = mem_strdup(text);
    struct conn_dial *dial = mem_alloc(sizeof(*dial));
    conn->dial = dial;
    dial->tls = tls ? tls_context_ref(tls) : NULL;
    timeout_init(&dial->stagger, conn->loop, on_stagger, conn);
    struct address literal;
    if (address_parse(host, port, &literal) == 0)
        conn_dial_addresses(conn, &literal, 1);
    else
        dial->query = dns_resolve(conn->loop, host, port, on_resolved, conn);
}
