// SPDX-License-Identifier: MIT
// A whole server in the test's process, on a free port of 127.0.0.1, asked over HTTP. Its inputs
// are those of a protocol that only counts ("count://name"), unless the test installs others.
#ifndef TESTS_UNIT_DAEMON_SERVER_FIXTURE_H
#define TESTS_UNIT_DAEMON_SERVER_FIXTURE_H

#include "unit.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "conf_files.h"
#include "io/conn.h"
#include "loop_fixture.h"
#include "server.h"
#include "stream/source.h"

// ---- a protocol that counts ---------------------------------------------------------------------

static int count_pulls, count_stops;

static inline void count_stop(struct source *source)
{
    (void)source;
    count_stops++;
}

static const struct source_ops count_ops = {.stop = count_stop};

static inline int count_pull(const struct protocol_env *env, struct source *source)
{
    (void)env;
    count_pulls++;
    source_set_engine(source, &count_ops, NULL);
    return 0;
}

static const struct protocol count_protocol = {
    .name = "count", .help = "counts", .schemes = {"count"}, .pull = count_pull};
static const struct protocol *const count_table[] = {&count_protocol, NULL};

// ---- the server ---------------------------------------------------------------------------------

struct fixture {
    struct loop *loop;
    struct server *server;
    unsigned port;
    char lines[4096]; // problems of the last configuration
};

static inline unsigned fixture_port(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(to);
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(probe, (struct sockaddr *)&to, length), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&to, &length), 0);
    close(probe);
    return ntohs(to.sin_port);
}

// Applies a configuration; "$" in it stands for the port.
static inline void fixture_apply(struct fixture *fixture, const char *form)
{
    char text[4096] = "";
    for (const char *at = form; *at; at++) {
        if (*at == '$')
            text_append(text, sizeof(text), "%u", fixture->port);
        else
            text_append(text, sizeof(text), "%c", *at);
    }
    struct conf_files *files = conf_files_new();
    struct conf_problems problems = {0};
    conf_files_put(files, "a.conf", bytes_of(text, strlen(text)));
    struct conf *conf = conf_read(files, "a.conf", &problems);
    conf_files_free(&files);
    server_apply(fixture->server, &conf, &problems);
    fixture->lines[0] = 0;
    for (size_t i = 0; i < problems.count; i++)
        text_append(fixture->lines, sizeof(fixture->lines), "%s\n", problems.item[i].line);
    conf_problems_fini(&problems);
    loop_turn(fixture->loop, false);
}

static inline void fixture_start(struct fixture *fixture, struct loop *loop,
                                 const struct protocol *const *table, const char *form)
{
    count_pulls = count_stops = 0;
    log_set_level(LOG_LEVEL_ERROR);
    protocols_install(table);
    *fixture = (struct fixture){.loop = loop, .port = fixture_port()};
    fixture->server = server_new(loop, "a.conf");
    fixture_apply(fixture, form);
}

static inline void fixture_stop(struct fixture *fixture)
{
    server_free(&fixture->server, US_PER_S);
    protocols_install(NULL);
}

static inline struct stream *fixture_stream(struct fixture *fixture, const char *name)
{
    return streams_get(fixture->server->streams, name);
}

// ---- asking it ----------------------------------------------------------------------------------

struct answer {
    struct conn *conn;
    bool closed;
    int status;
    char *text; // owned: head and body
    size_t length;
    const char *body;
};

static inline size_t answer_data(void *arg, const uint8_t *data, size_t length)
{
    struct answer *answer = arg;
    answer->text = mem_resize(answer->text, answer->length + length + 1);
    memcpy(answer->text + answer->length, data, length);
    answer->length += length;
    answer->text[answer->length] = 0;
    return length;
}

static inline void answer_closed(void *arg, enum reason reason)
{
    (void)reason;
    ((struct answer *)arg)->closed = true;
}

// Free answer->text. headers: lines, each with its end; "" none.
static inline void fixture_ask(struct fixture *fixture, const char *method, const char *path,
                               const char *headers, struct answer *answer)
{
    static const struct conn_events events = {.on_data = answer_data, .on_closed = answer_closed};
    char request[1024];
    text_format(request, sizeof(request), "%s %s HTTP/1.0\r\nHost: a\r\n%s\r\n", method, path,
                headers);
    *answer = (struct answer){0};
    answer->conn = conn_connect(fixture->loop, "127.0.0.1", (uint16_t)fixture->port, NULL,
                                5 * US_PER_S, &events, answer);
    conn_write_copy(answer->conn, request, strlen(request));
    LOOP_UNTIL(fixture->loop, answer->closed);
    assert_non_null(answer->text);
    assert_int_equal(sscanf(answer->text, "HTTP/1.%*d %d", &answer->status), 1);
    answer->body = strstr(answer->text, "\r\n\r\n");
    assert_non_null(answer->body);
    answer->body += 4;
}

static inline void fixture_get(struct fixture *fixture, const char *path, struct answer *answer)
{
    fixture_ask(fixture, "GET", path, "", answer);
}

// The JSON of an answer with that status; decref it.
static inline json_t *fixture_json_of(struct fixture *fixture, const char *method, const char *path,
                                      const char *headers, int status)
{
    struct answer answer;
    json_error_t error;
    fixture_ask(fixture, method, path, headers, &answer);
    assert_int_equal(answer.status, status);
    json_t *json = json_loads(answer.body, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s in %s", path, error.text, answer.body);
    mem_free(answer.text);
    return json;
}

static inline json_t *fixture_json(struct fixture *fixture, const char *path, int status)
{
    return fixture_json_of(fixture, "GET", path, "", status);
}

// A member by its path: "stats.status", "streams.0.name".
static inline json_t *json_at(json_t *json, const char *path)
{
    char part[64];
    while (json && *path) {
        size_t length = strcspn(path, ".");
        text_copy_n(part, sizeof(part), path, length);
        int64_t number;
        json = text_to_int(part, 0, INT32_MAX, &number) == 0 ? json_array_get(json, (size_t)number)
                                                             : json_object_get(json, part);
        path += length + (path[length] == '.');
    }
    return json;
}

static inline const char *json_text_at(json_t *json, const char *path)
{
    return json_string_value(json_at(json, path));
}

#endif
