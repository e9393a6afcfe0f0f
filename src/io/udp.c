// SPDX-License-Identifier: MIT
// Datagram sockets.
//
// 1. A batch is received into shared slots; nothing of it is kept after its callbacks.
// 2. A callback may close the socket; its memory goes at the end of the turn.
#include "io/udp.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "loop_priv.h"

#define UDP_MAGIC 0x55445053u
enum {
    BATCH = 32,
    BATCHES_PER_TURN = 8,
    DATAGRAM_MAX = 65536,
    RECEIVE_BUFFER = 2 << 20,
    PAIR_TRIES = 64,
};

struct udp {
    uint32_t magic;
    int descriptor; // -1 when closed
    struct loop *loop;
    struct ev_io watcher;
    struct defer gone;
    void (*on_datagram)(void *arg, const uint8_t *data, size_t length, const struct address *from);
    void *arg;
    uint16_t port;
};

// Only the pages that datagrams really reach become memory.
static uint8_t slots[BATCH][DATAGRAM_MAX];

// False when the socket has no more for now, or was closed.
static bool receive_batch(struct udp *udp)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH];
    struct sockaddr_in6 from[BATCH];
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){slots[i], DATAGRAM_MAX};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &from[i];
        messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
    }
    int count = recvmmsg(udp->descriptor, messages, BATCH, MSG_DONTWAIT, NULL);
    // An error is one that an earlier datagram of ours met (ICMP); it is over with that.
    if (count < 0)
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF;
    for (int i = 0; i < count && udp->descriptor >= 0; i++) {
        struct address address;
        if (address_from_system((struct sockaddr *)&from[i], messages[i].msg_hdr.msg_namelen,
                                &address))
            udp->on_datagram(udp->arg, slots[i], messages[i].msg_len, &address);
    }
    return count == BATCH && udp->descriptor >= 0;
}

static void on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct udp *udp = watcher->data;
    for (int i = 0; i < BATCHES_PER_TURN && receive_batch(udp); i++)
        continue;
}

int udp_open(struct loop *loop, const struct address *local,
             void (*on_datagram)(void *arg, const uint8_t *data, size_t length,
                                 const struct address *from),
             void *arg, struct udp **out)
{
    *out = NULL;
    int descriptor = socket(local->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return ERR_IO;
    int size = RECEIVE_BUFFER;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    struct address bound;
    socklen_t length = sizeof(bound.v6);
    if (bind(descriptor, &local->any, local->length) != 0 ||
        getsockname(descriptor, &bound.any, &length) != 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return ERR_IO;
    }
    bound.length = length;
    struct udp *udp = mem_alloc(sizeof(*udp));
    udp->magic = UDP_MAGIC;
    udp->loop = loop;
    udp->descriptor = descriptor;
    udp->on_datagram = on_datagram;
    udp->arg = arg;
    udp->port = address_port(&bound);
    ev_io_init(&udp->watcher, on_readable, descriptor, EV_READ);
    udp->watcher.data = udp;
    ev_io_start(loop->ev, &udp->watcher);
    *out = udp;
    return 0;
}

static struct address with_port(const struct address *address, uint16_t port)
{
    struct address changed = *address;
    if (changed.any.sa_family == AF_INET6)
        changed.v6.sin6_port = htons(port);
    else
        changed.v4.sin_port = htons(port);
    return changed;
}

int udp_open_pair(struct loop *loop, const struct address *local,
                  void (*on_rtp)(void *arg, const uint8_t *, size_t, const struct address *),
                  void (*on_rtcp)(void *arg, const uint8_t *, size_t, const struct address *),
                  void *arg, struct udp **rtp, struct udp **rtcp)
{
    *rtp = *rtcp = NULL;
    uint16_t wanted = address_port(local);
    if (wanted & 1)
        return ERR_INVALID;
    for (int i = 0; i < PAIR_TRIES; i++) {
        // The system gives any free port; of an odd one the even neighbour below may be free too.
        struct address at = *local;
        struct udp *probe;
        if (wanted == 0) {
            int err = udp_open(loop, &at, on_rtp, arg, &probe);
            if (err != 0)
                return err;
            at = with_port(local, udp_port(probe) & 0xfffe);
            udp_close(&probe);
        }
        struct address next = with_port(&at, (uint16_t)(address_port(&at) + 1));
        if (udp_open(loop, &at, on_rtp, arg, rtp) == 0) {
            if (udp_open(loop, &next, on_rtcp, arg, rtcp) == 0)
                return 0;
            int error = errno;
            udp_close(rtp);
            errno = error;
        }
        if (wanted != 0)
            break;
    }
    return ERR_IO;
}

static void udp_gone(void *arg)
{
    mem_free(arg);
}

void udp_close(struct udp **where)
{
    struct udp *udp = *where;
    *where = NULL;
    if (!udp)
        return;
    OBJ_CHECK(udp, UDP_MAGIC);
    ev_io_stop(udp->loop->ev, &udp->watcher);
    close(udp->descriptor);
    udp->descriptor = -1;
    udp->magic = 0;
    loop_defer(udp->loop, &udp->gone, udp_gone, udp);
}

uint16_t udp_port(const struct udp *udp)
{
    OBJ_CHECK(udp, UDP_MAGIC);
    return udp->port;
}

void udp_send(struct udp *udp, const void *data, size_t length, const struct address *to)
{
    OBJ_CHECK(udp, UDP_MAGIC);
    ssize_t sent =
        sendto(udp->descriptor, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to->any, to->length);
    (void)sent; // lost on the way, as any datagram may be
}
