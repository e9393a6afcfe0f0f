// SPDX-License-Identifier: MIT
#include "conn_end.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"

static void on_open(void *arg)
{
    ((struct conn_end *)arg)->opened++;
}

static size_t on_data(void *arg, const uint8_t *data, size_t length)
{
    struct conn_end *end = arg;
    end->offers++;
    end->offered = length;
    size_t eaten = end->eat_most && end->eat_most < length ? end->eat_most : length;
    if (length <= end->leave_least)
        eaten = 0;
    if (end->got_length + eaten > end->got_room) {
        end->got_room = (end->got_length + eaten) * 2;
        end->got = mem_resize(end->got, end->got_room);
    }
    if (eaten)
        memcpy(end->got + end->got_length, data, eaten);
    end->got_length += eaten;
    if (end->on_data)
        end->on_data(end);
    return eaten;
}

static void on_drained(void *arg)
{
    struct conn_end *end = arg;
    end->drained++;
    if (end->on_drained)
        end->on_drained(end);
}

static void on_end(void *arg)
{
    ((struct conn_end *)arg)->ended++;
}

static void on_closed(void *arg, enum reason reason)
{
    struct conn_end *end = arg;
    end->closed++;
    end->reason = reason;
    end->conn = NULL;
}

const struct conn_events *conn_end_events(const struct conn_end *end)
{
    static const struct conn_events plain = {
        .on_open = on_open, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed};
    static const struct conn_events half = {.on_open = on_open,
                                            .on_data = on_data,
                                            .on_drained = on_drained,
                                            .on_closed = on_closed,
                                            .on_end = on_end};
    return end->keep_open ? &half : &plain;
}

void conn_end_fini(struct conn_end *end)
{
    mem_free(end->got);
    end->got = NULL;
    end->got_length = end->got_room = 0;
}

bool conn_end_got(const struct conn_end *end, const char *text)
{
    return end->got_length == strlen(text) && memcmp(end->got, text, end->got_length) == 0;
}

void conn_end_send(struct conn_end *end, const char *text)
{
    conn_write_copy(end->conn, text, strlen(text));
}

static void on_accept(void *arg, int descriptor, const struct address *from)
{
    struct conn_server *server = arg;
    ENSURE(server->count == 0);
    server->count++;
    server->accepted->conn = conn_accepted(server->loop, descriptor, from, server->tls,
                                           conn_end_events(server->accepted), server->accepted);
}

void conn_server_open(struct conn_server *server, struct loop *loop, struct conn_end *accepted)
{
    server->loop = loop;
    server->accepted = accepted;
    server->count = 0;
    int err = listener_open(loop, "127.0.0.1", 0, on_accept, server, &server->listener);
    ENSURE(err == 0);
}
