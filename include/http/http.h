// SPDX-License-Identifier: MIT
// HTTP/1.1 server (RFC 9110, 9112) on io/conn and llhttp in strict mode behind our own guard.
//
// A handler gets a request and answers it now or in a later turn, exactly once. Until the answer is
// complete the request is valid, and to the end of that turn; when the client goes away first,
// on_gone is called and the request is gone at the end of that turn. Requests of a connection are
// answered one after another. A client that ends only its own direction still gets its answer.
// Bodies of requests need a Content-Length (else 411) and come whole, at most HTTP_BODY_MAX -
// HTTP_HEAD_MAX.
//
// The first byte of a connection is looked at before HTTP: a TLS hello goes to the upgrade hook
// (the link between servers uses it).
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/json_write.h"
#include "base/reason.h"
#include "io/address.h"

struct loop;
struct conn;
struct http_server;
struct http_request;

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32
};

// A route. The pattern is matched against the path's components from the end: "index.m3u8" matches
// /any/name/index.m3u8 with prefix "any/name"; a star inside a component matches within it, so
// "archive-*-*.m3u8" and "*/*/*/*/*/*.ts" are patterns; the components before are the prefix (the
// stream's name). A pattern that begins with '/' is matched whole from the front, and a final "/*"
// takes the rest as prefix ("/streamer/api/v3/streams/*"). Of several that match, the one with the
// most characters that are not stars wins. Nothing matches without a prefix but patterns with '/'.
struct http_route {
    const char *pattern; // NULL ends the table
    unsigned methods;    // HEAD and OPTIONS are answered by the server for every GET route
    void (*handle)(void *arg, struct http_request *request);
};

struct http_server *http_server_new(struct loop *loop);
// Closes everything; the memory goes at the end of the turn.
void http_server_free(struct http_server **server);
void http_server_add_routes(struct http_server *server, const struct http_route *routes, void *arg);
// ERR_IO with errno set.
MUST_USE int http_server_listen(struct http_server *server, const char *host, uint16_t port);
// Stops listening there; connections stay. No-op when it is not listening.
void http_server_unlisten(struct http_server *server, const char *host, uint16_t port);
uint16_t http_server_port(const struct http_server *server); // of the first listener
// A connection whose first byte is that of a TLS record is given away, untouched.
void http_server_on_tls(struct http_server *server,
                        void (*take)(void *arg, int descriptor, const struct address *from),
                        void *arg);

struct http_stats {
    uint64_t requests, connections_total, bytes_out;
    unsigned connections;
    uint64_t status[6]; // by class: [2] = 2xx; [0] unused
    uint64_t bad_heads, refused;
};
const struct http_stats *http_server_stats(const struct http_server *server);

// ---- request ----------------------------------------------------------------------------------
enum http_method http_method(const struct http_request *request); // HEAD is seen as GET
const char *http_path(const struct http_request *request);        // percent-decoded
const char *http_prefix(const struct http_request *request);      // see http_route
const char *http_tail(const struct http_request *request);        // what the pattern matched
const char *http_query(const struct http_request *request);       // raw, without '?'
bool http_query_get(const struct http_request *request, const char *key, char *out, size_t room);
const char *http_header(const struct http_request *request, const char *name); // NULL when absent
struct bytes http_body(const struct http_request *request);
const char *http_client(const struct http_request *request); // address text, for logs and sessions
const struct address *http_peer(const struct http_request *request);
struct loop *http_loop(const struct http_request *request);
// Called when the client goes away before one of the answers below was begun. For handlers that
// keep the request beyond their return; they must not answer it any more. on_gone NULL: not called.
void http_on_gone(struct http_request *request, void (*on_gone)(void *arg), void *arg);

// With whom changes are taken from other machines: "USER:PASSWORD"; NULL or "": with nobody.
void http_server_set_admin(struct http_server *server, const char *credentials);
// True when the request may change something: it comes from this machine, or has user and password
// of the admin (Basic), and is not made by a page of another site. Else it was answered: 401 when a
// password would help, 403 when not.
MUST_USE bool http_may_change(struct http_request *request);

// ---- answers: exactly one of these per request
// --------------------------------------------------- A header for the answer to come; text is
// copied. Content-Length, Date, Connection, CORS and ETag comparison are the server's business. A
// value with a line break is left out. An ETag has its quotes; one of more than 95 characters is
// left out.
void http_set_header(struct http_request *request, const char *name, const char *value);
// Whole body; takes the reference of *body (NULL: empty). Compressed with gzip when the client
// accepts it, the type is a text, playlist or JSON and the body is over 1 KB. type may be NULL.
// With an ETag set and status 200, If-None-Match gives 304.
void http_respond(struct http_request *request, int status, const char *type, struct buf **body);
// Whole body by reference; moves the slices. With status 200: If-None-Match gives 304 when an ETag
// header is set, and range requests are served from it (206, 416; several ranges at once give all).
void http_respond_chain(struct http_request *request, int status, const char *type,
                        struct chain *body);
// {"error":"name","reason":"text"} with the status (400..599). detail may be NULL.
void http_respond_error(struct http_request *request, int status, const char *detail);
void http_redirect(struct http_request *request, int status, const char *location);

// Body made piece by piece, asked for as the connection takes it.
struct http_body {
    // Give bytes with http_body_write, now or later. Called first at the end of the turn, and again
    // each time after http_body_write has returned false, when there is room.
    void (*proceed)(void *arg, struct http_request *request);
    // The answer is complete or the client is gone: let go of everything. Exactly once, at the end
    // of a turn, never inside a call of the owner.
    void (*stop)(void *arg);
};
// length: of the whole representation, or -1 when unknown (then chunked or, for HTTP/1.0, up to the
// end of the connection; no Range). With a known length a Range header (and If-Range with the ETag
// set) selects [*first, *first + *count): exactly these bytes are to be written, none more. *count
// is 0 when 304 or 416 was sent, or UINT64_MAX for an unknown length. stop follows in every case; a
// HEAD request gets it without proceed.
void http_respond_stream(struct http_request *request, const char *type, int64_t length,
                         const struct http_body *body, void *arg, uint64_t *first, uint64_t *count);
// Moves the slices; *bytes holds nothing afterwards. True: go on, more fits. False: wait for
// proceed, or the body is complete (the last byte of a known length was written). Not after stop.
bool http_body_write(struct http_request *request, struct chain *bytes);
// The end of a body of unknown length. Before the end of a known length it closes the connection,
// so that the client sees that something is missing.
void http_body_end(struct http_request *request);
// What is missing cannot be had: ends the answer so that the client sees that it is not whole. The
// connection closes, without the last chunk; or is reset where its end would be that of the body
// (HTTP/1.0).
void http_body_abort(struct http_request *request);

// Live bodies that keep their own place in a ring: sends the head (no length, Connection: close)
// and hands the connection over for good. The request is gone after this. Ownership of the conn:
// yours. NULL for a HEAD request, which is answered completely then.
struct conn *http_take_over(struct http_request *request, const char *type);

#endif
