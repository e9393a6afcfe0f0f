// SPDX-License-Identifier: MIT
// Answers made piece by piece, as the connection takes them, and connections given away.
//
// 1. `stream` is set from the head to the end of the body; exactly then its stop is owed: at the
//    end of the turn in which the body became complete, or when the client goes.
// 2. proceed is asked for at first and after each time http_body_write returned false; on_drained
//    of the connection brings it, which comes because the connection was full.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "response.h"

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

static void finish(struct http_request *request, bool whole)
{
    stop_later(request, request->stream, request->stream_arg);
    request->state = ANSWER_DONE;
    request->close_after |= !whole;
    http_answer_done(request);
}

void http_respond_stream(struct http_request *request, const char *type, int64_t length,
                         const struct http_body *body, void *arg, uint64_t *first, uint64_t *count)
{
    ENSURE(request->state == ANSWER_NONE);
    int status = 200;
    *first = 0;
    *count = UINT64_MAX;
    if (length >= 0)
        status = response_select(request, (uint64_t)length, first, count);
    if (status == 304 || status == 416) {
        *count = 0;
        stop_later(request, body, arg);
        response_without_body(request, status);
        return;
    }
    request->left = *count;
    if (length < 0 && request->head.minor == 1) {
        request->chunked = true;
        http_set_header(request, "Transfer-Encoding", "chunked");
    } else if (length < 0) {
        request->close_after = true; // its end is the end of the connection
    }
    struct writer head;
    response_head(request, status, type, length < 0 ? -1 : (int64_t)*count, &head);
    request->server->stats.bytes_out += writer_length(&head);
    struct chain out = {0};
    struct buf *buf = writer_take(&head);
    chain_take(&out, &buf);
    conn_write(request->owner->conn, &out);
    request->state = ANSWER_STREAM;
    request->stream = body;
    request->stream_arg = arg;
    if (request->head_only || *count == 0)
        finish(request, true);
    else
        loop_defer(request->server->loop, &request->proceeding, run_proceed, request);
}

// The bytes as one chunk (RFC 9112, 7.1).
static void frame_chunk(struct chain *bytes)
{
    char size[24];
    struct chain framed = {0};
    (void)text_format(size, sizeof(size), "%zx\r\n", bytes->bytes);
    chain_add_copy(&framed, size, strlen(size));
    chain_move(&framed, bytes);
    chain_add_copy(&framed, "\r\n", 2);
    chain_fini(bytes);
    *bytes = framed;
}

bool http_body_write(struct http_request *request, struct chain *bytes)
{
    if (!request->stream || !request->owner || bytes->bytes == 0) {
        bool wants = request->stream && request->owner && !conn_full(request->owner->conn);
        chain_fini(bytes);
        return wants;
    }
    ENSURE(bytes->bytes <= request->left);
    request->left -= bytes->bytes;
    if (request->chunked)
        frame_chunk(bytes);
    request->server->stats.bytes_out += bytes->bytes;
    conn_write(request->owner->conn, bytes);
    if (request->left == 0) {
        finish(request, true);
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
    finish(request, request->chunked);
}

void http_body_abort(struct http_request *request)
{
    if (!request->stream)
        return;
    bool end_is_close = request->left > INT64_MAX && !request->chunked; // of unknown length
    if (end_is_close && request->owner)
        conn_reset(request->owner->conn, REASON_LOCAL);
    finish(request, false);
}

void response_drained(struct http_request *request)
{
    if (request->stream)
        loop_defer(request->server->loop, &request->proceeding, run_proceed, request);
}

struct conn *http_take_over(struct http_request *request, const char *type)
{
    static const struct conn_events nobody; // until the new owner has set its own
    struct http_conn *owner = request->owner;
    ENSURE(owner && request->state == ANSWER_NONE);
    struct writer head;
    request->state = ANSWER_DONE;
    request->close_after = true;
    http_set_header(request, "Cache-Control", "no-cache");
    response_head(request, 200, type, -1, &head);
    request->server->stats.bytes_out += writer_length(&head);
    struct chain out = {0};
    struct buf *buf = writer_take(&head);
    chain_take(&out, &buf);
    struct conn *conn = owner->conn;
    conn_write(conn, &out);
    if (request->head_only) {
        http_answer_done(request);
        return NULL;
    }
    conn_set_events(conn, &nobody, NULL);
    conn_pause(conn, false);
    owner->conn = NULL; // it lives on with its new owner
    http_answer_done(request);
    return conn;
}
