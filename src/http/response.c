// SPDX-License-Identifier: MIT
// Answers: heads, whole bodies, errors.
#include "response.h"

#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "range.h"

enum {
    GZIP_LEAST = 1024, // a shorter text fits one packet as it is
    HEAD_ROOM = 512,
};

struct status {
    int code;
    const char *line; // reason phrase, RFC 9110, 15
    const char *name; // in error bodies
};

static const struct status *status_of(int code)
{
    static const struct status known[] = {
        {200, "200 OK", ""},
        {206, "206 Partial Content", ""},
        {304, "304 Not Modified", ""},
        {404, "404 Not Found", "not_found"},
        {201, "201 Created", ""},
        {204, "204 No Content", ""},
        {301, "301 Moved Permanently", ""},
        {302, "302 Found", ""},
        {307, "307 Temporary Redirect", ""},
        {400, "400 Bad Request", "bad_request"},
        {401, "401 Unauthorized", "unauthorized"},
        {403, "403 Forbidden", "forbidden"},
        {405, "405 Method Not Allowed", "method_not_allowed"},
        {408, "408 Request Timeout", "request_timeout"},
        {409, "409 Conflict", "conflict"},
        {411, "411 Length Required", "length_required"},
        {413, "413 Content Too Large", "content_too_large"},
        {414, "414 URI Too Long", "uri_too_long"},
        {415, "415 Unsupported Media Type", "unsupported_media_type"},
        {416, "416 Range Not Satisfiable", "range_not_satisfiable"},
        {417, "417 Expectation Failed", "expectation_failed"},
        {431, "431 Request Header Fields Too Large", "head_too_large"},
        {501, "501 Not Implemented", "not_implemented"},
        {502, "502 Bad Gateway", "bad_gateway"},
        {503, "503 Service Unavailable", "unavailable"},
        {504, "504 Gateway Timeout", "gateway_timeout"},
        {505, "505 HTTP Version Not Supported", "version_not_supported"},
    };
    static const struct status unknown = {500, "500 Internal Server Error", "internal_error"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].code == code)
            return &known[i];
    }
    return &unknown;
}

// ---- heads -------------------------------------------------------------------------------------

// The lines of every answer, written once a second.
static const char *common_lines(struct http_server *server)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_s = utc_us() / US_PER_S;
    if (now_s == server->common_s && server->common[0])
        return server->common;
    server->common_s = now_s;
    time_t now = (time_t)now_s;
    struct tm at;
    gmtime_r(&now, &at);
    bool whole = text_format(
        server->common, sizeof(server->common),
        "Server: sluice\r\nDate: %s, %02d %s %d %02d:%02d:%02d GMT\r\n" // RFC 9110, 5.6.7
        "Access-Control-Allow-Origin: *\r\n"
        "Access-Control-Expose-Headers: Content-Length, Content-Range, Date, ETag\r\n",
        days[at.tm_wday], at.tm_mday, months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min,
        at.tm_sec);
    ENSURE(whole);
    return server->common;
}

static void write_first_lines(struct http_server *server, int code, struct writer *out)
{
    writer_init(out, HEAD_ROOM);
    writer_text(out, "HTTP/1.1 ");
    writer_text(out, status_of(code)->line);
    writer_text(out, "\r\n");
    writer_text(out, common_lines(server));
    if (code >= 100 && code < 600)
        server->stats.status[code / 100]++;
}

static void write_line(struct writer *out, const char *name, const char *value)
{
    writer_text(out, name);
    writer_text(out, ": ");
    writer_text(out, value);
    writer_text(out, "\r\n");
}

void response_head(struct http_request *request, int status, const char *type, int64_t length,
                   struct writer *out)
{
    write_first_lines(request->server, status, out);
    if (request->owner && request->owner->ended)
        request->close_after = true;
    if (request->close_after)
        write_line(out, "Connection", "close");
    else if (request->head.minor == 0)
        write_line(out, "Connection", "keep-alive");
    if (type)
        write_line(out, "Content-Type", type);
    if (length >= 0 && status != 204 && status != 304) {
        writer_text(out, "Content-Length: ");
        writer_decimal(out, (uint64_t)length);
        writer_text(out, "\r\n");
    }
    if (request->etag[0])
        write_line(out, "ETag", request->etag);
    if (request->extra.buf)
        writer_bytes(out, request->extra.buf->data, request->extra.buf->length);
    writer_text(out, "\r\n");
}

void http_set_header(struct http_request *request, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n")) // would begin another header
        return;
    if (strcmp(name, "ETag") != 0)
        write_line(&request->extra, name, value);
    else if (!text_copy(request->etag, sizeof(request->etag), value))
        request->etag[0] = 0; // a part of it would name something else
}

// Moves the slices of *body, which may be NULL. The answer is complete with it.
static void send_whole(struct http_request *request, struct writer *head, struct chain *body)
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

// ---- conditions and ranges ---------------------------------------------------------------------

static bool not_modified(const struct http_request *request)
{
    const char *asked = request->etag[0] ? http_header(request, "If-None-Match") : NULL;
    // Quotes are part of the tag, so it is not found inside another one; W/ before it does not
    // matter here (RFC 9110, 13.1.2).
    return asked && (strcmp(asked, "*") == 0 || strstr(asked, request->etag) != NULL);
}

static void answer_not_modified(struct http_request *request)
{
    struct writer head;
    response_head(request, 304, NULL, -1, &head);
    send_whole(request, &head, NULL);
}

int response_select(struct http_request *request, uint64_t length, uint64_t *first, uint64_t *count)
{
    char text[96];
    *first = 0;
    *count = length;
    if (not_modified(request))
        return 304;
    const char *range = request->head_only ? NULL : http_header(request, "Range");
    const char *if_range = http_header(request, "If-Range");
    if (if_range && (!request->etag[0] || strcmp(if_range, request->etag) != 0))
        range = NULL; // it has changed since (RFC 9110, 13.1.5)
    http_set_header(request, "Accept-Ranges", "bytes");
    switch (range_parse(range, length, first, count)) {
    case RANGE_PART:
        (void)text_format(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)*first,
                          (unsigned long long)(*first + *count - 1), (unsigned long long)length);
        http_set_header(request, "Content-Range", text);
        return 206;
    case RANGE_UNSATISFIABLE:
        (void)text_format(text, sizeof(text), "bytes */%llu", (unsigned long long)length);
        http_set_header(request, "Content-Range", text);
        return 416;
    case RANGE_WHOLE:
        break;
    }
    return 200;
}

void response_without_body(struct http_request *request, int status)
{
    if (status == 304)
        answer_not_modified(request);
    else
        http_respond_error(request, 416, "nothing of this range is there");
}

// ---- whole bodies ------------------------------------------------------------------------------

static bool is_text(const char *type)
{
    return type && (text_starts(type, "text/") || strstr(type, "json") || strstr(type, "mpegurl") ||
                    strstr(type, "xml") || strstr(type, "javascript"));
}

static bool accepts_gzip(const struct http_request *request)
{
    const char *accepts = http_header(request, "Accept-Encoding");
    for (; accepts && *accepts; accepts += strcspn(accepts, ",")) {
        accepts += strspn(accepts, ", \t");
        size_t name = strcspn(accepts, "; \t,");
        if (name != 4 || strncasecmp(accepts, "gzip", 4) != 0)
            continue;
        const char *weight = accepts + name + strspn(accepts + name, "; \t");
        // q=0, q=0.0 ... refuse it (RFC 9110, 12.4.2)
        if (strncasecmp(weight, "q=0", 3) != 0)
            return true;
        return weight[3] == '.' && weight[4 + strspn(weight + 4, "0")] >= '1' &&
               weight[4 + strspn(weight + 4, "0")] <= '9';
    }
    return false;
}

// NULL when it would not be shorter.
static struct buf *gzip(const struct buf *body)
{
    static z_stream stream; // kept: setting one up costs more than a playlist
    if (stream.state)
        (void)deflateReset(&stream);
    else if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    struct buf *out = buf_new(body->length);
    stream.next_in = body->data;
    stream.avail_in = (unsigned)body->length;
    stream.next_out = out->data;
    stream.avail_out = (unsigned)out->capacity;
    if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
        out->length = stream.total_out;
    else
        buf_unref(&out);
    return out;
}

void http_respond(struct http_request *request, int status, const char *type, struct buf **body)
{
    struct chain chain = {0};
    struct buf *mine = *body;
    *body = NULL;
    if (status == 200 && not_modified(request)) {
        buf_unref(&mine);
        answer_not_modified(request);
        return;
    }
    if (mine && mine->length >= GZIP_LEAST && is_text(type)) {
        struct buf *small = accepts_gzip(request) ? gzip(mine) : NULL;
        http_set_header(request, "Vary", "Accept-Encoding");
        if (small) {
            http_set_header(request, "Content-Encoding", "gzip");
            buf_unref(&mine);
            mine = small;
        }
    }
    if (mine)
        chain_take(&chain, &mine);
    struct writer head;
    response_head(request, status, type, (int64_t)chain.bytes, &head);
    send_whole(request, &head, &chain);
}

void http_respond_chain(struct http_request *request, int status, const char *type,
                        struct chain *body)
{
    struct chain part = {0};
    uint64_t first = 0, count = body->bytes;
    if (status == 200)
        status = response_select(request, body->bytes, &first, &count);
    if (status == 304 || status == 416) {
        chain_fini(body);
        response_without_body(request, status);
        return;
    }
    if (count == body->bytes)
        chain_move(&part, body);
    else
        chain_add_range(&part, body, first, count);
    chain_fini(body);
    struct writer head;
    response_head(request, status, type, (int64_t)count, &head);
    send_whole(request, &head, &part);
}

static struct buf *error_body(int status, const char *detail)
{
    struct writer writer = {0};
    struct json json;
    json_init(&json, &writer);
    json_object_begin(&json);
    json_key_text(&json, "error", status_of(status)->name);
    json_key_text(&json, "reason", detail ? detail : status_of(status)->line + 4);
    json_object_end(&json);
    writer_text(&writer, "\n");
    return writer_take(&writer);
}

void http_respond_error(struct http_request *request, int status, const char *detail)
{
    struct buf *body = error_body(status, detail);
    struct chain chain = {0};
    chain_take(&chain, &body);
    request->etag[0] = 0;
    if (status == 503)
        http_set_header(request, "Retry-After", "2");
    struct writer head;
    response_head(request, status, "application/json", (int64_t)chain.bytes, &head);
    send_whole(request, &head, &chain);
}

void http_redirect(struct http_request *request, int status, const char *location)
{
    struct buf *none = NULL;
    http_set_header(request, "Location", location);
    http_respond(request, status, NULL, &none);
}

void response_refuse(struct http_conn *conn, int status, const char *why)
{
    struct writer out;
    struct chain chain = {0};
    struct buf *body = error_body(status, why);
    write_first_lines(conn->server, status, &out);
    writer_printf(&out,
                  "Connection: close\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  body->length);
    struct buf *head = writer_take(&out);
    chain_take(&chain, &head);
    chain_take(&chain, &body);
    conn->server->stats.bytes_out += chain.bytes;
    conn_write(conn->conn, &chain);
}
