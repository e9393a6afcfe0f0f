// SPDX-License-Identifier: MIT
#ifndef PROTO_MPEGTS_PRIV_H
#define PROTO_MPEGTS_PRIV_H

struct http_request;
struct stream;

// Handlers; arg is the protocol_env. mpegts_push.c, mpegts_past.c
void mpegts_handle_live(void *arg, struct http_request *request);
void mpegts_handle_past(void *arg, struct http_request *request);

#endif
