// SPDX-License-Identifier: MIT
#ifndef PROTO_HLS_PRIV_H
#define PROTO_HLS_PRIV_H

#include "hls_address_parse.h"
#include "hls_playlist.h"
#include "http/http.h"
#include "stream/protocol.h"
#include "stream/stream.h"
#include "stream/viewer.h"

// A player that waits longer for its first playlist has given up.
#define HLS_WAIT_US (10 * US_PER_S)

// The stream of a request, touched for its viewer; NULL after an error answer.
struct stream *hls_stream(const struct protocol_env *env, struct http_request *request,
                          enum viewer_kind kind);
// Whether these tracks go out as fMP4 when the address does not say.
bool hls_wants_fmp4(const struct tracks *tracks, enum hls_format format);
void hls_respond_playlist(struct http_request *request, const struct hls_playlist *playlist);
int hls_status_of(enum reason reason); // of HTTP

// Handlers; arg is the protocol_env. hls_live.c, hls_media.c, hls_past.c
void hls_handle_live_auto(void *arg, struct http_request *request);
void hls_handle_live_ts(void *arg, struct http_request *request);
void hls_handle_live_fmp4(void *arg, struct http_request *request);
void hls_handle_segment_ts(void *arg, struct http_request *request);
void hls_handle_segment_fmp4(void *arg, struct http_request *request);
void hls_handle_init(void *arg, struct http_request *request);
void hls_handle_past(void *arg, struct http_request *request);
// Frees what hls_live.c keeps with a stream that goes.
void hls_live_forget(struct stream *stream);

#endif
