// SPDX-License-Identifier: MIT
// Listening sockets.
//
// 1. Each accepted descriptor is handed over or closed.
// 2. Without descriptors the watcher is off until the timeout: a level-triggered event that cannot
//    be served would spin.
// 3. on_accept may close the listener; its memory goes at the end of the turn.
#include "io/listener.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop_priv.h"

#define LISTENER_MAGIC 0x4c53544eu
enum { ACCEPTS_PER_TURN = 64, BACKLOG = 4096 };

struct listener {
    uint32_t magic;
    int descriptor; // -1 when closed
    struct loop *loop;
    struct ev_io watcher;
    struct timeout pause;
    struct defer gone;
    void (*on_accept)(void *arg, int descriptor, const struct address *from);
    void *arg;
    uint16_t port;
};

static void accept_failed(struct listener *listener, int error)
{
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        log_error("listener", "no more descriptors or memory port=%u errno=%d", listener->port,
                  error);
        ev_io_stop(listener->loop->ev, &listener->watcher);
        timeout_start(&listener->pause, US_PER_S);
    }
    // Anything else belongs to the connection that was not accepted (accept(2)).
}

static void on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct listener *listener = watcher->data;
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->descriptor >= 0; i++) {
        struct sockaddr_storage from;
        socklen_t length = sizeof(from);
        int descriptor = accept4(listener->descriptor, (struct sockaddr *)&from, &length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            accept_failed(listener, errno);
            return;
        }
        struct address address;
        if (address_from_system((struct sockaddr *)&from, length, &address))
            listener->on_accept(listener->arg, descriptor, &address);
        else
            close(descriptor);
    }
}

static void on_pause_over(void *arg)
{
    struct listener *listener = arg;
    ev_io_start(listener->loop->ev, &listener->watcher);
}

// A bound, listening socket or -1 with errno.
static int open_socket(const struct address *address, bool dual)
{
    int descriptor = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    int on = 1, v6only = !dual;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->any.sa_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
    if (bind(descriptor, &address->any, address->length) == 0 && listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static int open_any(uint16_t port)
{
    struct address any;
    int descriptor = -1;
    if (address_parse("::", port, &any) == 0)
        descriptor = open_socket(&any, true);
    bool no_v6 = descriptor < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
    if (no_v6 && address_parse("0.0.0.0", port, &any) == 0)
        descriptor = open_socket(&any, false);
    return descriptor;
}

int listener_open(struct loop *loop, const char *host, uint16_t port,
                  void (*on_accept)(void *arg, int descriptor, const struct address *from),
                  void *arg, struct listener **out)
{
    *out = NULL;
    int descriptor;
    if (host && *host) {
        struct address address;
        if (address_parse(host, port, &address) != 0)
            return ERR_INVALID;
        descriptor = open_socket(&address, false);
    } else {
        descriptor = open_any(port);
    }
    if (descriptor < 0)
        return ERR_IO;
    struct listener *listener = mem_alloc(sizeof(*listener));
    listener->magic = LISTENER_MAGIC;
    listener->loop = loop;
    listener->descriptor = descriptor;
    listener->on_accept = on_accept;
    listener->arg = arg;
    timeout_init(&listener->pause, loop, on_pause_over, listener);
    struct address bound;
    socklen_t length = sizeof(bound.v6);
    if (getsockname(descriptor, &bound.any, &length) == 0) {
        bound.length = length;
        listener->port = address_port(&bound);
    }
    ev_io_init(&listener->watcher, on_readable, descriptor, EV_READ);
    listener->watcher.data = listener;
    ev_io_start(loop->ev, &listener->watcher);
    *out = listener;
    return 0;
}

static void listener_gone(void *arg)
{
    mem_free(arg);
}

void listener_close(struct listener **where)
{
    struct listener *listener = *where;
    *where = NULL;
    if (!listener)
        return;
    OBJ_CHECK(listener, LISTENER_MAGIC);
    ev_io_stop(listener->loop->ev, &listener->watcher);
    timeout_stop(&listener->pause);
    close(listener->descriptor);
    listener->descriptor = -1;
    listener->magic = 0;
    loop_defer(listener->loop, &listener->gone, listener_gone, listener);
}

uint16_t listener_port(const struct listener *listener)
{
    OBJ_CHECK(listener, LISTENER_MAGIC);
    return listener->port;
}
