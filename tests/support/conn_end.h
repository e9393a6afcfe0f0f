// SPDX-License-Identifier: MIT
// The owner of a connection in tests: collects what arrives and counts what happens.
#ifndef TESTS_SUPPORT_CONN_END_H
#define TESTS_SUPPORT_CONN_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/conn.h"
#include "io/listener.h"

struct conn_end {
    struct conn *conn; // NULL after on_closed
    uint8_t *got;      // everything eaten; conn_end_fini frees it
    size_t got_length, got_room;
    size_t eat_most;    // on_data eats at most this much; 0: all
    size_t leave_least; // on_data waits until it has more than this
    size_t offered;     // length of the last offer
    bool keep_open;     // has on_end: the peer's end does not close
    int opened, offers, drained, ended, closed;
    enum reason reason;                       // of on_closed
    void (*on_data)(struct conn_end *end);    // after each offer
    void (*on_drained)(struct conn_end *end); // may be NULL
    void *arg;
};

const struct conn_events *conn_end_events(const struct conn_end *end);
void conn_end_fini(struct conn_end *end);
bool conn_end_got(const struct conn_end *end, const char *text);
void conn_end_send(struct conn_end *end, const char *text);

// A listener on 127.0.0.1 whose first connection goes to *accepted.
struct conn_server {
    struct listener *listener;
    struct loop *loop;
    struct tls_context *tls; // borrowed; NULL: plain
    struct conn_end *accepted;
    int count;
};
void conn_server_open(struct conn_server *server, struct loop *loop, struct conn_end *accepted);

#endif
