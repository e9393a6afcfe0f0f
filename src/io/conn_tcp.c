// SPDX-License-Identifier: MIT
// The TCP transport of connections: one libev watcher whose interest is changed only when the state
// asks for it, so a send that is taken whole costs one system call and nothing else.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "conn_priv.h"

enum reason conn_reason_of_errno(int error, bool connecting)
{
    switch (error) {
    case ECONNREFUSED:
        return REASON_REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return REASON_PEER_RESET;
    case ETIMEDOUT:
        return connecting ? REASON_CONNECT_TIMEOUT : REASON_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES: // a broadcast address, or a firewall's rule
    case EPERM:
    case EINVAL: // a link-local address without scope
        return connecting ? REASON_UNREACHABLE : REASON_IO;
    default:
        return REASON_IO;
    }
}

static bool is_again(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

ssize_t conn_tcp_send(struct conn *conn, const struct iovec *vectors, int count)
{
    if (count == 0)
        return 0;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vectors,
                             .msg_iovlen = (size_t)count};
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t taken = count == 1 // the system has less to look at
                        ? send(conn->descriptor, vectors->iov_base, vectors->iov_len, flags)
                        : sendmsg(conn->descriptor, &message, flags);
    if (taken < 0) {
        if (is_again(errno))
            return 0;
        conn->trouble = (uint8_t)conn_reason_of_errno(errno, false);
        return CONN_TROUBLE;
    }
    if (taken > 0) {
        conn->bytes_out += (uint64_t)taken;
        conn->progress_us = now_us();
    }
    return taken;
}

ssize_t conn_tcp_receive(struct conn *conn, uint8_t *data, size_t room)
{
    ssize_t got = recv(conn->descriptor, data, room, MSG_DONTWAIT);
    if (got < 0) {
        if (is_again(errno))
            return CONN_AGAIN;
        conn->trouble = (uint8_t)conn_reason_of_errno(errno, false);
        return CONN_TROUBLE;
    }
    if (got > 0) {
        conn->bytes_in += (uint64_t)got;
        conn->progress_us = now_us();
    }
    return got;
}

static void on_io(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    struct conn *conn = watcher->data;
    if (events & EV_WRITE)
        conn_writable(conn);
    if ((events & EV_READ) && conn_wants_read(conn))
        conn_readable(conn);
}

void conn_tcp_watch(struct conn *conn)
{
    uint32_t wanted = 0;
    if (conn->state != CONN_CLOSED)
        wanted = (conn_wants_read(conn) ? EV_READ : 0) | (conn->blocked ? EV_WRITE : 0);
    if (wanted == conn->watched)
        return;
    ev_io_stop(conn->loop->ev, &conn->watcher);
    conn->watched = wanted;
    if (!wanted)
        return;
    ev_io_modify(&conn->watcher, (int)wanted); // when nothing changed in the end: no system call
    ev_io_start(conn->loop->ev, &conn->watcher);
}

void conn_tcp_shut(struct conn *conn)
{
    shutdown(conn->descriptor, SHUT_WR); // when it fails, the next read says so
}

void conn_tcp_fini(struct conn *conn)
{
    ev_io_stop(conn->loop->ev, &conn->watcher);
    if (conn->descriptor >= 0)
        close(conn->descriptor);
    conn->descriptor = -1;
}

const struct conn_transport conn_tcp = {
    .send = conn_tcp_send,
    .receive = conn_tcp_receive,
    .watch = conn_tcp_watch,
    .shut = conn_tcp_shut,
    .fini = conn_tcp_fini,
};

void conn_tcp_attach(struct conn *conn, int descriptor)
{
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn->descriptor = descriptor;
    conn->transport = &conn_tcp;
    ev_io_init(&conn->watcher, on_io, descriptor, EV_READ);
    conn->watcher.data = conn;
}

// Hints: when the system refuses, the connection works without.
void conn_set_notsent_low(struct conn *conn, unsigned bytes)
{
    if (conn->descriptor >= 0)
        setsockopt(conn->descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void conn_set_send_buffer(struct conn *conn, unsigned bytes)
{
    if (conn->descriptor >= 0)
        setsockopt(conn->descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void conn_reset(struct conn *conn, enum reason reason)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (conn->descriptor >= 0)
        (void)setsockopt(conn->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    conn_close(conn, reason);
}
