// SPDX-License-Identifier: MIT
// Ports of a configuration, tried.
#include "main_check.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/http.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/timeout.h"

enum { ANSWER_MAX = 8192 };
#define ANSWER_US (1 * US_PER_S)

// Who listens there: asked for its liveness.
struct question {
    struct conn *conn;
    char answer[ANSWER_MAX];
    bool closed;
};

static void on_open(void *arg)
{
    static const char request[] = "GET /streamer/api/v3/monitoring/liveness HTTP/1.1\r\n"
                                  "Host: localhost\r\nConnection: close\r\n\r\n";
    struct question *question = arg;
    conn_write_copy(question->conn, request, sizeof(request) - 1);
}

static size_t on_data(void *arg, const uint8_t *data, size_t length)
{
    struct question *question = arg;
    size_t have = strlen(question->answer);
    size_t take = length < ANSWER_MAX - 1 - have ? length : ANSWER_MAX - 1 - have;
    memcpy(question->answer + have, data, strnlen((const char *)data, take));
    if (take < length)
        conn_close(question->conn, REASON_LIMIT);
    return length;
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    ((struct question *)arg)->closed = true;
}

static void on_late(void *arg)
{
    conn_close(((struct question *)arg)->conn, REASON_TIMEOUT);
}

static bool sluice_answers(struct loop *loop, const struct conf_listen *listen)
{
    static const struct conn_events events = {
        .on_open = on_open, .on_data = on_data, .on_closed = on_closed};
    struct question question = {.closed = false};
    const char *host = listen->host[0] ? listen->host : "127.0.0.1";
    struct timeout late;
    question.conn = conn_connect(loop, host, listen->port, NULL, ANSWER_US, &events, &question);
    timeout_init(&late, loop, on_late, &question);
    timeout_start(&late, ANSWER_US);
    while (!question.closed)
        loop_turn(loop, true);
    timeout_stop(&late);
    return strstr(question.answer, "\"server\":\"sluice\"") != NULL;
}

void main_check_ports(struct loop *loop, const struct conf *conf, struct conf_problems *problems)
{
    for (unsigned i = 0; i < conf->listen_count; i++) {
        const struct conf_listen *listen = &conf->listen[i];
        struct http_server *http = http_server_new(loop);
        int error = http_server_listen(http, listen->host, listen->port) == 0 ? 0 : errno;
        http_server_free(&http);
        loop_turn(loop, false);
        if (error == EADDRINUSE && sluice_answers(loop, listen))
            conf_warning(problems, &listen->at,
                         "found port %u in use by a running sluice, "
                         "expected a free one unless this is its configuration",
                         listen->port);
        else if (error == EACCES)
            conf_warning(problems, &listen->at,
                         "found port %u: %s, expected one that this user may "
                         "open (the service may)",
                         listen->port, strerror(error));
        else if (error)
            conf_error(problems, &listen->at, "found port %u: %s, expected one that can be opened",
                       listen->port, strerror(error));
    }
    conf_problems_sort(problems);
}
