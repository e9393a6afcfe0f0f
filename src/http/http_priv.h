// SPDX-License-Identifier: MIT
// What the files of this folder share.
//
// A connection waits (for a request, `reading` once a part of it is there), then has a request
// until that is answered, then waits again or closes. What a waiting connection keeps is struct
// http_conn; a request exists only from its whole head to the end of its answer.
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include "base/digest.h"
#include "base/list.h"
#include "base/writer.h"
#include "head_parse.h"
#include "http/http.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "router.h"

struct http_server {
    struct loop *loop;
    struct router router;
    struct list listeners; // struct http_listener
    struct list conns;     // struct http_conn
    void (*take_tls)(void *arg, int descriptor, const struct address *from);
    void *take_arg;
    struct http_stats stats;
    bool has_admin;
    uint8_t admin[SHA256_SIZE]; // of "user:password"
    int64_t common_s;           // UTC second for which `common` was written
    char common[256];           // header lines of every answer
    bool closing;
    struct defer freeing;
};

struct http_conn {
    struct list_node node; // in the server's conns
    struct http_server *server;
    struct conn *conn; // NULL once closed or taken over
    struct http_request *request;
    struct timeout timeout;
    struct defer freeing;
    int64_t since_us; // when this request's first byte came, or when waiting began
    size_t needed;    // bytes of the request under way, when its head is known; 0 before
    size_t unread;    // bytes that were offered and not eaten
    bool reading;     // a part of a request is there
    bool answered;    // at least one request was
    bool ended;       // the client sends no more
    bool paused;      // too much waits behind the request being answered
    bool processing;  // inside on_data
    bool full;        // requests wait until the client has taken answers
};

enum answer_state { ANSWER_NONE, ANSWER_STREAM, ANSWER_DONE };

struct http_request {
    struct http_conn *owner; // NULL once answered or the client has gone
    struct http_server *server;
    struct head head;
    enum http_method method; // HEAD as GET, see head_only; 0: none that we know
    bool head_only;
    bool handling;               // inside its handler: an immediate answer is finished after it
    bool done_early;             // was answered inside its handler
    char *path, *prefix, *query; // owned; NULL before they are known
    const char *tail;            // in path
    struct buf *body;            // owned, or NULL
    char client[48];
    struct address peer;
    void (*on_gone)(void *arg);
    void *gone_arg;
    // The answer.
    enum answer_state state;
    bool close_after, chunked;
    struct writer extra;            // header lines
    char etag[96];                  // with its quotes; empty when none
    const struct http_body *stream; // NULL once it was stopped or none
    void *stream_arg;
    void (*stop)(void *arg); // due at the end of the turn
    uint64_t left;           // of the length that was promised
    struct defer proceeding, stopping, freeing;
};

// server.c
// Everything of the answer has been queued.
void http_answer_done(struct http_request *request);

// request.c
// Takes what *head holds. body: copied.
struct http_request *http_request_new(struct http_conn *owner, struct head *head,
                                      struct bytes body);
void http_request_dispatch(struct http_request *request);
void http_request_client_gone(struct http_request *request);
void http_request_free_later(struct http_request *request);

// response.c
void response_drained(struct http_request *request);
// An answer without a request, after which the connection is to be closed.
void response_refuse(struct http_conn *conn, int status, const char *why);

#endif
