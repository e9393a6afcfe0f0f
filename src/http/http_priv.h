// SPDX-License-Identifier: MIT
// What the files of this folder share.
//
// A connection: IDLE (no byte of a request) -> READING (some) -> ANSWERING (a request exists) -> IDLE or
// closing. The request exists only while ANSWERING; what a waiting connection keeps is struct http_conn.
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include "base/list.h"
#include "base/writer.h"
#include "head_parse.h"
#include "http/http.h"
#include "io/conn.h"
#include "io/knock.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "router.h"

struct http_server {
    struct loop *loop;
    struct router router;
    struct list listeners, conns;
    struct knock_door door;
    void (*take_tls)(void *arg, int descriptor, const struct address *from);
    void *take_arg;
    struct http_stats stats;
    int64_t date_us;  // when `date` was written
    char date[40];
    bool closing;
    struct defer freeing;
};

struct http_conn {
    struct list_node node;
    struct http_server *server;
    struct conn *conn; // NULL once closed or taken over
    struct http_request *request;
    struct timeout timeout;
    struct defer freeing;
    int64_t since_us; // when the state began
    bool reading;     // a part of a head is there
    bool greeted;     // 100 Continue was sent for the request being read
};

enum answer_state { ANSWER_NONE, ANSWER_STREAM, ANSWER_DONE };

struct http_request {
    struct http_conn *owner; // NULL once the client has gone
    struct http_server *server;
    struct head head;
    enum http_method method; // HEAD as GET, see head_only
    bool head_only, gone;
    char *path, *prefix, *query; // owned
    const char *tail;            // in path
    struct buf *body;            // owned, or NULL
    char client[64];
    struct address peer;
    struct writer extra;         // header lines of the answer
    char etag[64];
    void (*on_gone)(void *arg);
    void *gone_arg;
    // The answer.
    enum answer_state state;
    bool close_after, chunked;
    const struct http_body *stream;
    void *stream_arg;
    void (*stop)(void *arg); // due at the end of the turn
    uint64_t left;        // of a known length
    struct defer proceeding, stopping, freeing;
    bool handling;        // inside its handler: an immediate answer is finished after it
};

// server.c
void http_answer_done(struct http_request *request); // everything has been queued
// request.c
struct http_request *request_new(struct http_conn *owner, struct head *head, struct bytes body);
void request_dispatch(struct http_request *request);
void request_client_gone(struct http_request *request);
void request_free_later(struct http_request *request);
// response.c
void response_head(struct http_request *request, int status, const char *type, int64_t length,
                   struct writer *out);
void response_drained(struct http_request *request);
void response_refuse(struct http_conn *conn, int status, const char *why); // no request: then close
const char *response_status_text(int status);

#endif
