// SPDX-License-Identifier: MIT
#ifndef PROTO_MP4_PRIV_H
#define PROTO_MP4_PRIV_H

struct http_request;

// Handlers; arg is the protocol_env. mp4_past.c, mp4_preview.c
void mp4_handle_past(void *arg, struct http_request *request);
void mp4_handle_preview_live(void *arg, struct http_request *request);
void mp4_handle_preview_past(void *arg, struct http_request *request);

#endif
