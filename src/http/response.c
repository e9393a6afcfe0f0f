// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "http_priv.h"
#include "range.h"

// Texts shorter than this are not worth compressing: they fit one packet.
enum { GZIP_LEAST = 1024 };

const char *response_status_text(int status)
{
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
    }
}

static const char *date(struct http_server *server)
{
    int64_t utc = utc_us();
    if (utc / US_PER_S != server->date_us / US_PER_S || !server->date[0]) {
        time_t now = utc / US_PER_S;
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        server->date_us = utc;
    }
    return server->date;
}

static void write_head(struct http_server *server, int status, bool close, struct writer *out)
{
    writer_printf(out, "HTTP/1.1 %d %s\r\nServer: sluice\r\nDate: %s\r\n", status,
                  response_status_text(status), date(server));
    if (close)
        writer_text(out, "Connection: close\r\n");
    writer_text(out, "Access-Control-Allow-Origin: *\r\n"
                     "Access-Control-Expose-Headers: Content-Length, Content-Range, ETag, Date\r\n");
    unsigned class = (unsigned)status / 100;
    if (class < 6)
        server->stats.status[class]++;
}

// length: -1 none is told.
void response_head(struct http_request *request, int status, const char *type, int64_t length,
                   struct writer *out)
{
    write_head(request->server, status, request->close_after, out);
    if (request->head.minor == 0 && !request->close_after)
        writer_text(out, "Connection: keep-alive\r\n");
    if (type)
        writer_printf(out, "Content-Type: %s\r\n", type);
    if (length >= 0 && status != 204 && status != 304)
        writer_printf(out, "Content-Length: %lld\r\n", (long long)length);
    if (request->etag[0])
        writer_printf(out, "ETag: %s\r\n", request->etag);
    if (request->extra.buf)
        writer_bytes(out, request->extra.buf->data, request->extra.buf->length);
    writer_text(out, "\r\n");
}

void http_set_header(struct http_request *request, const char *name, const char *value)
{
    // A line break would begin another header.
    if (strpbrk(value, "\r\n"))
        return;
    if (strcmp(name, "ETag") == 0)
        (void)text_copy(request->etag, sizeof request->etag, value);
    else
        writer_printf(&request->extra, "%s: %s\r\n", name, value);
}

static void send_answer(struct http_request *request, struct writer *head, struct chain *body)
{
    ENSURE(request->state == ANSWER_NONE);
    request->state = ANSWER_DONE;
    struct chain out = {0};
    struct buf *buf = writer_take(head);
    chain_take(&out, &buf);
    if (body && !request->head_only)
        chain_move(&out, body);
    if (body)
        chain_fini(body);
    if (request->owner) {
        request->server->stats.bytes_out += out.bytes;
        conn_write(request->owner->conn, &out);
    }
    chain_fini(&out);
    http_answer_done(request);
}

// ---- whole bodies ------------------------------------------------------------------------------

static bool accepts_gzip(const struct http_request *request, const char *type)
{
    const char *accepts = http_header(request, "Accept-Encoding");
    return accepts && strstr(accepts, "gzip") && type &&
           (text_starts(type, "text/") || strstr(type, "json") || strstr(type, "mpegurl") ||
            strstr(type, "openmetrics") || strstr(type, "javascript"));
}

static struct buf *gzip(const struct buf *body)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t room = deflateBound(&stream, body->length);
    struct buf *out = buf_new(room);
    stream.next_in = body->data;
    stream.avail_in = (unsigned)body->length;
    stream.next_out = out->data;
    stream.avail_out = (unsigned)room;
    int result = deflate(&stream, Z_FINISH);
    out->length = stream.total_out;
    deflateEnd(&stream);
    if (result != Z_STREAM_END)
        buf_unref(&out);
    return out;
}

void http_respond(struct http_request *request, int status, const char *type, struct buf **body)
{
    struct chain chain = {0};
    if (*body && (*body)->length >= GZIP_LEAST && accepts_gzip(request, type)) {
        struct buf *small = gzip(*body);
        if (small) {
            buf_unref(body);
            *body = small;
            http_set_header(request, "Content-Encoding", "gzip");
        }
        http_set_header(request, "Vary", "Accept-Encoding");
    }
    if (*body)
        chain_take(&chain, body);
    struct writer head = {0};
    response_head(request, status, type, (int64_t)chain.bytes, &head);
    send_answer(request, &head, &chain);
}

static bool not_modified(const struct http_request *request)
{
    const char *asked = http_header(request, "If-None-Match");
    return asked && request->etag[0] &&
           (strcmp(asked, "*") == 0 || strstr(asked, request->etag) != NULL);
}

// The range a request asks for, if its If-Range still holds.
static enum range_result wanted_range(const struct http_request *request, uint64_t length,
                                      uint64_t *first, uint64_t *count)
{
    const char *if_range = http_header(request, "If-Range");
    const char *range = http_header(request, "Range");
    if (if_range && (!request->etag[0] || strcmp(if_range, request->etag) != 0))
        range = NULL;
    return range_parse(range, length, first, count);
}

static int apply_range(struct http_request *request, uint64_t length, uint64_t *first,
                       uint64_t *count)
{
    char text[96];
    http_set_header(request, "Accept-Ranges", "bytes");
    switch (wanted_range(request, length, first, count)) {
    case RANGE_PART:
        (void)text_format(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)*first,
                          (unsigned long long)(*first + *count - 1), (unsigned long long)length);
        http_set_header(request, "Content-Range", text);
        return 206;
    case RANGE_UNSATISFIABLE:
        (void)text_format(text, sizeof text, "bytes */%llu", (unsigned long long)length);
        http_set_header(request, "Content-Range", text);
        return 416;
    default:
        return 200;
    }
}

void http_respond_chain(struct http_request *request, int status, const char *type,
                        struct chain *body)
{
    struct writer head = {0};
    struct chain part = {0};
    uint64_t first = 0, count = body->bytes;
    if (status == 200 && not_modified(request)) {
        response_head(request, 304, type, -1, &head);
        chain_fini(body);
        send_answer(request, &head, NULL);
        return;
    }
    if (status == 200)
        status = apply_range(request, body->bytes, &first, &count);
    if (status == 416) {
        chain_fini(body);
        http_respond_error(request, 416, "nothing of this range is there");
        return;
    }
    chain_add_range(&part, body, first, count);
    chain_fini(body);
    response_head(request, status, type, (int64_t)count, &head);
    send_answer(request, &head, &part);
}

static const char *error_name(int status)
{
    switch (status) {
    case 400: return "bad_request";
    case 401: return "unauthorized";
    case 403: return "forbidden";
    case 404: return "not_found";
    case 405: return "method_not_allowed";
    case 416: return "range_not_satisfiable";
    case 503: return "unavailable";
    default: return "error";
    }
}

static struct buf *error_body(int status, const char *detail)
{
    struct writer writer = {0};
    struct json json;
    json_init(&json, &writer);
    json_object_begin(&json);
    json_key_text(&json, "error", error_name(status));
    json_key_text(&json, "reason", detail ? detail : response_status_text(status));
    json_object_end(&json);
    writer_text(&writer, "\n");
    return writer_take(&writer);
}

void http_respond_error(struct http_request *request, int status, const char *detail)
{
    struct buf *body = error_body(status, detail);
    struct writer head = {0};
    struct chain chain = {0};
    chain_take(&chain, &body);
    request->etag[0] = '\0';
    if (status == 503)
        http_set_header(request, "Retry-After", "2");
    response_head(request, status, "application/json", (int64_t)chain.bytes, &head);
    send_answer(request, &head, &chain);
}

void http_redirect(struct http_request *request, int status, const char *location)
{
    struct buf *none = NULL;
    http_set_header(request, "Location", location);
    http_respond(request, status, NULL, &none);
}

void response_refuse(struct http_conn *conn, int status, const char *why)
{
    struct writer out = {0};
    struct buf *body = error_body(status, why);
    write_head(conn->server, status, true, &out);
    writer_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  body->length);
    writer_bytes(&out, body->data, body->length);
    conn_write_copy(conn->conn, out.buf->data, out.buf->length);
    writer_fini(&out);
    buf_unref(&body);
}

// ---- bodies made piece by piece ----------------------------------------------------------------

static void run_proceed(void *arg)
{
    struct http_request *request = arg;
    if (request->stream && request->owner)
        request->stream->proceed(request->stream_arg, request);
}

static void run_stop(void *arg)
{
    struct http_request *request = arg;
    request->stop(request->stream_arg);
}

// Its owner is above us on the stack, as a rule: it lets go at the end of the turn.
static void stop_later(struct http_request *request, const struct http_body *body, void *arg)
{
    request->stream = NULL;
    request->stop = body->stop;
    request->stream_arg = arg;
    loop_defer(request->server->loop, &request->stopping, run_stop, request);
}

static void finish_stream(struct http_request *request, bool whole)
{
    stop_later(request, request->stream, request->stream_arg);
    request->state = ANSWER_DONE;
    request->close_after |= !whole;
    http_answer_done(request);
}

void http_respond_stream(struct http_request *request, const char *type, int64_t length,
                         const struct http_body *body, void *arg, uint64_t *first,
                         uint64_t *count)
{
    struct writer head = {0};
    int status = 200;
    *first = 0;
    *count = length < 0 ? UINT64_MAX : (uint64_t)length;
    if (length >= 0)
        status = apply_range(request, (uint64_t)length, first, count);
    if (status == 416) {
        *count = 0;
        stop_later(request, body, arg);
        http_respond_error(request, 416, "nothing of this range is there");
        return;
    }
    request->left = *count;
    if (length < 0 && request->head.minor == 1) {
        request->chunked = true;
        http_set_header(request, "Transfer-Encoding", "chunked");
    } else if (length < 0) {
        request->close_after = true;
    }
    response_head(request, status, type, length < 0 ? -1 : (int64_t)*count, &head);
    if (request->owner)
        conn_write_copy(request->owner->conn, head.buf->data, head.buf->length);
    writer_fini(&head);
    request->state = ANSWER_STREAM;
    request->stream = body;
    request->stream_arg = arg;
    if (request->head_only || *count == 0) {
        request->chunked = false;
        finish_stream(request, true);
        return;
    }
    loop_defer(request->server->loop, &request->proceeding, run_proceed, request);
}

bool http_body_write(struct http_request *request, struct chain *bytes)
{
    if (!request->stream || !request->owner || bytes->bytes == 0) {
        chain_fini(bytes);
        return false;
    }
    ENSURE(bytes->bytes <= request->left);
    request->left -= bytes->bytes;
    request->server->stats.bytes_out += bytes->bytes;
    if (request->chunked) {
        char size[24];
        (void)text_format(size, sizeof size, "%zx\r\n", bytes->bytes);
        conn_write_copy(request->owner->conn, size, strlen(size));
        conn_write(request->owner->conn, bytes);
        conn_write_copy(request->owner->conn, "\r\n", 2);
    } else {
        conn_write(request->owner->conn, bytes);
    }
    if (request->left == 0) {
        finish_stream(request, true);
        return false;
    }
    return !conn_full(request->owner->conn);
}

void http_body_end(struct http_request *request)
{
    if (!request->stream)
        return;
    if (request->chunked && request->owner)
        conn_write_copy(request->owner->conn, "0\r\n\r\n", 5);
    finish_stream(request, request->chunked);
}

void response_drained(struct http_request *request)
{
    if (request->stream)
        loop_defer(request->server->loop, &request->proceeding, run_proceed, request);
}

struct conn *http_take_over(struct http_request *request, const char *type)
{
    struct http_conn *owner = request->owner;
    ENSURE(owner && request->state == ANSWER_NONE);
    struct writer head = {0};
    request->close_after = true;
    http_set_header(request, "Cache-Control", "no-cache");
    response_head(request, 200, type, -1, &head);
    if (request->head_only) {
        send_answer(request, &head, NULL);
        return NULL;
    }
    struct conn *conn = owner->conn;
    conn_pause(conn, false);
    conn_write_copy(conn, head.buf->data, head.buf->length);
    writer_fini(&head);
    request->state = ANSWER_DONE;
    request->close_after = true;
    owner->conn = NULL; // it lives on with its new owner
    http_answer_done(request);
    return conn;
}
