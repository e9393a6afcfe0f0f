// SPDX-License-Identifier: MIT
// A request from its head to its end: address, route, what handlers ask.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "http_priv.h"

static enum http_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
                 {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0)
            return known[i].method;
    }
    return 0;
}

// No control characters, and no "." or ".." between slashes: whoever looks at a path must not have
// to think of these.
static bool path_is_clean(const char *path)
{
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
        if (at[0] != '/' || at[1] != '.')
            continue;
        const char *end = at + 2 + (at[2] == '.');
        if (*end == '/' || *end == 0)
            return false;
    }
    return true;
}

// Path and query of a target in origin form or absolute form (RFC 9112, 3.2).
static bool split_target(struct http_request *request)
{
    const char *target = request->head.target;
    if (text_starts(target, "http://") || text_starts(target, "https://")) {
        target = strstr(target, "://") + 3;
        target += strcspn(target, "/?");
    }
    size_t length = (size_t)(strchrnul(target, '?') - target);
    const char *query = target[length] ? target + length + 1 : "";
    request->path = length ? mem_strndup(target, length) : mem_strdup("/");
    request->query = mem_strdup(query);
    return request->path[0] == '/' && !strchr(target, '#') && url_decode(request->path) &&
           path_is_clean(request->path);
}

struct http_request *http_request_new(struct http_conn *owner, struct head *head, struct bytes body)
{
    struct http_request *request = mem_alloc(sizeof(*request));
    request->owner = owner;
    request->server = owner->server;
    request->head = *head;
    *head = (struct head){0};
    request->method = method_of(request->head.method);
    request->head_only = request->method == HTTP_HEAD;
    if (request->head_only)
        request->method = HTTP_GET;
    request->peer = *conn_peer(owner->conn);
    request->close_after = !request->head.keep_alive;
    if (body.length)
        request->body = buf_new_copy(body.data, body.length);
    return request;
}

static void answer_methods(struct http_request *request, unsigned methods)
{
    char allow[96] = "OPTIONS";
    if (methods & HTTP_GET)
        (void)text_append(allow, sizeof(allow), ", GET, HEAD");
    if (methods & HTTP_POST)
        (void)text_append(allow, sizeof(allow), ", POST");
    if (methods & HTTP_PUT)
        (void)text_append(allow, sizeof(allow), ", PUT");
    if (methods & HTTP_DELETE)
        (void)text_append(allow, sizeof(allow), ", DELETE");
    http_set_header(request, "Allow", allow);
    if (request->method != HTTP_OPTIONS) {
        http_respond_error(request, 405, "this method is not for this address");
        return;
    }
    http_set_header(request, "Access-Control-Allow-Methods", allow);
    http_set_header(request, "Access-Control-Allow-Headers",
                    "Range, If-Range, If-None-Match, Authorization, Content-Type");
    http_set_header(request, "Access-Control-Max-Age", "86400");
    struct buf *none = NULL;
    http_respond(request, 204, NULL, &none);
}

void http_request_dispatch(struct http_request *request)
{
    request->server->stats.requests++;
    if (!request->method) {
        http_respond_error(request, 501, "this method is not known here");
        return;
    }
    if (request->method == HTTP_OPTIONS && strcmp(request->head.target, "*") == 0) {
        answer_methods(request, HTTP_GET);
        return;
    }
    if (!split_target(request)) {
        http_respond_error(request, 400, "the address is malformed");
        return;
    }
    size_t length;
    unsigned methods;
    const struct router_entry *entry =
        router_find(&request->server->router, request->path, request->method, &length,
                    &request->tail, &methods);
    if (!entry && !methods) {
        http_respond_error(request, 404, "there is nothing at this address");
        return;
    }
    if (!entry) {
        answer_methods(request, methods);
        return;
    }
    const char *prefix = entry->route->pattern[0] == '/' ? request->tail : request->path + 1;
    request->prefix = mem_strndup(prefix, length);
    entry->route->handle(entry->arg, request);
}

// ---- what handlers ask -------------------------------------------------------------------------

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_prefix(const struct http_request *request)
{
    return request->prefix;
}

const char *http_tail(const struct http_request *request)
{
    return request->tail;
}

const char *http_query(const struct http_request *request)
{
    return request->query;
}

bool http_query_get(const struct http_request *request, const char *key, char *out, size_t room)
{
    return url_query_get(request->query, key, out, room);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return head_field(&request->head, name);
}

struct bytes http_body(const struct http_request *request)
{
    return request->body ? buf_bytes(request->body) : bytes_of(NULL, 0);
}

const char *http_client(const struct http_request *request)
{
    if (!request->client[0]) { // made when asked for
        char *client = ((struct http_request *)(uintptr_t)request)->client;
        address_print_host(&request->peer, client, sizeof(request->client));
    }
    return request->client;
}

const struct address *http_peer(const struct http_request *request)
{
    return &request->peer;
}

struct loop *http_loop(const struct http_request *request)
{
    return request->server->loop;
}

void http_on_gone(struct http_request *request, void (*on_gone)(void *arg), void *arg)
{
    request->on_gone = on_gone;
    request->gone_arg = arg;
}

// ---- the end -----------------------------------------------------------------------------------

static void run_free(void *arg)
{
    struct http_request *request = arg;
    head_fini(&request->head);
    mem_free(request->path);
    mem_free(request->prefix);
    mem_free(request->query);
    buf_unref(&request->body);
    writer_fini(&request->extra);
    mem_free(request);
}

void http_request_free_later(struct http_request *request)
{
    loop_defer_cancel(request->server->loop, &request->proceeding);
    loop_defer(request->server->loop, &request->freeing, run_free, request);
}

void http_request_client_gone(struct http_request *request)
{
    request->owner = NULL;
    if (request->stream) {
        const struct http_body *stream = request->stream;
        request->stream = NULL;
        stream->stop(request->stream_arg);
    } else if (request->on_gone && request->state == ANSWER_NONE) {
        request->on_gone(request->gone_arg);
    }
    http_request_free_later(request);
}
