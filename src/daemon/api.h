// SPDX-License-Identifier: MIT
// What the server tells over HTTP about itself: the API (docs/API.md), metrics, and the page at
// "/".
#ifndef DAEMON_API_H
#define DAEMON_API_H

#include <stdbool.h>
#include <stdint.h>

#include "http/http.h"

struct history_range;
struct json;
struct server;
struct stream;
struct tracks;
struct writer;

// Adds every route below to the server's HTTP server.
void api_add_routes(struct server *server);

// Handlers get the server as arg.
extern const struct http_route api_stream_routes[]; // api_streams.c
extern const struct http_route api_server_routes[]; // api_server.c
extern const struct http_route api_record_routes[]; // api_record.c
extern const struct http_route api_dvr_routes[];    // api_dvr.c
extern const struct http_route metrics_routes[];    // metrics.c
extern const struct http_route pages_routes[];      // pages.c

// Answers with what was written, 200 or another status; takes the bytes.
void api_respond(struct http_request *request, int status, struct writer *out);
// "tracks": [ ... ], the value.
void api_json_tracks(struct json *json, const struct tracks *tracks);
// Whether the stream has an archive, here or at the server it comes from, and from when to when; a
// far one that is being written ends now. All zero when nothing is in it yet.
bool api_archive(const struct stream *stream, struct history_range *whole);
// One stream as /streamer/api/v3/streams lists it.
void api_json_stream(struct json *json, struct stream *stream);

// A time of the query in UTC seconds, or "now"; absent_us when it is not there. False: neither.
MUST_USE bool api_query_time(struct http_request *request, const char *key, int64_t absent_us,
                             int64_t *out_us);
// GET .../streams/NAME/dvr/..., answered when the path is one of these; else false.
MUST_USE bool api_dvr_get(struct server *server, struct http_request *request);
// Media and holes of from..to (api_record.c).
void api_dvr_ranges(struct stream *stream, struct http_request *request);

// Resident memory in bytes and open descriptors of this process; 0 when unknown.
uint64_t process_memory_bytes(void);
double process_cpu_seconds(void);

#endif
