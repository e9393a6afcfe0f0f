// SPDX-License-Identifier: MIT
#include "io/knock.h"

#include <errno.h>
#include <ev.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "io/timeout.h"
#include "loop_priv.h"

struct knocking {
    struct list_node node;
    struct knock_door *door;
    struct ev_io watcher;
    struct timeout timeout;
    struct defer freeing;
    struct address from;
};

static void free_later(void *arg) { mem_free(arg); }

static void let_go(struct knocking *knocking)
{
    ev_io_stop(knocking->door->loop->ev, &knocking->watcher);
    timeout_stop(&knocking->timeout);
    list_remove(&knocking->door->waiting, &knocking->node);
    loop_defer(knocking->door->loop, &knocking->freeing, free_later, knocking);
}

static void on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct knocking *knocking = watcher->data;
    struct knock_door *door = knocking->door;
    uint8_t first;
    (void)loop, (void)events;
    ssize_t got = recv(watcher->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int descriptor = watcher->fd;
    struct address from = knocking->from;
    let_go(knocking);
    if (got == 1)
        door->on_knock(door->arg, descriptor, &from, first);
    else
        (void)close(descriptor);
}

static void on_timeout(void *arg)
{
    struct knocking *knocking = arg;
    int descriptor = knocking->watcher.fd;
    let_go(knocking);
    (void)close(descriptor);
}

void knock_init(struct knock_door *door, struct loop *loop,
                void (*on_knock)(void *, int, const struct address *, uint8_t), void *arg)
{
    *door = (struct knock_door){.loop = loop, .on_knock = on_knock, .arg = arg};
    list_init(&door->waiting);
}

void knock_fini(struct knock_door *door)
{
    LIST_FOREACH(&door->waiting, it, after)
    {
        on_timeout(LIST_OWNER(it, struct knocking, node));
    }
}

void knock_wait(struct knock_door *door, int descriptor, const struct address *from)
{
    struct knocking *knocking = mem_alloc(sizeof *knocking);
    knocking->door = door;
    knocking->from = *from;
    list_append(&door->waiting, &knocking->node);
    ev_io_init(&knocking->watcher, on_readable, descriptor, EV_READ);
    knocking->watcher.data = knocking;
    ev_io_start(door->loop->ev, &knocking->watcher);
    timeout_init(&knocking->timeout, door->loop, on_timeout, knocking);
    timeout_start(&knocking->timeout, HTTP_HEAD_TIMEOUT_US);
}
