// SPDX-License-Identifier: MIT
// A plain HTTP client for tests of the server and of what answers through it.
#ifndef TESTS_SUPPORT_HTTP_CLIENT_H
#define TESTS_SUPPORT_HTTP_CLIENT_H

#include "conn_end.h"

struct loop;

struct http_client {
    struct loop *loop;
    struct conn_end end;
    size_t at; // of end.got: where the next answer begins
    // The last answer.
    int status;
    char *head; // with its empty line, terminated
    char *body; // de-chunked, terminated
    size_t body_length;
    bool cut; // the connection closed before the answer was whole
};

void http_client_open(struct http_client *client, struct loop *loop, uint16_t port);
void http_client_close(struct http_client *client);
void http_client_send(struct http_client *client, const char *text);
// "GET path HTTP/1.1" with Host and the extra header lines (each with CRLF; may be "").
void http_client_ask(struct http_client *client, const char *method, const char *path,
                     const char *lines);
// Turns the loop until the next answer is whole (no_body: it has a head only) or the connection is
// closed. Returns the status, 0 when no head came.
int http_client_wait(struct http_client *client, bool no_body);
// ask and wait.
int http_client_get(struct http_client *client, const char *path, const char *lines);
// Value of a header of the last answer, or NULL; in a static buffer.
const char *http_client_header(const struct http_client *client, const char *name);
// Bytes that came after the last answer.
size_t http_client_rest(const struct http_client *client);

#endif
