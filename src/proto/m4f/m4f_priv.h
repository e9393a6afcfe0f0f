// SPDX-License-Identifier: MIT
#ifndef PROTO_M4F_PRIV_H
#define PROTO_M4F_PRIV_H

#include "base/chain.h"
#include "link/link.h"
#include "m4f_wire.h"
#include "stream/protocol.h"

int m4f_pull(const struct protocol_env *env, struct source *source);
struct history *m4f_history(const struct protocol_env *env, const struct input_conf *input,
                            const char *stream_name);
int m4f_serve_init(const struct protocol_env *env);
void m4f_serve_fini(const struct protocol_env *env);

// m4f_serve.c: tracks when they changed, then a segment in pieces. *generation: last told.
void m4f_send_tracks(struct channel *channel, struct tracks *tracks, uint32_t *generation);
void m4f_send_body(struct channel *channel, const struct segment_info *info,
                   const struct chain *body);
// m4f_publish.c: the live subscription of a stream, served.
enum reason m4f_publish(const struct protocol_env *env, struct link *link, struct channel *channel,
                        const char *name, const struct channel_events **events, void **arg);

// m4f_receive.c: segments arriving in pieces, with their track lists. Embedded.
struct m4f_receiver {
    struct tracks *tracks;    // as last told; one reference or NULL
    struct segment_info info; // of the segment under way
    struct buf *body;         // growing; NULL between segments
    uint64_t length;          // of the whole body
};
void m4f_receiver_fini(struct m4f_receiver *receiver);
// Feeds a TRACKS, SEGMENT or DATA message. 0: body complete, take receiver->body; ERR_AGAIN: more to
// come; ERR_INVALID; ERR_LIMIT: no memory for it.
MUST_USE int m4f_receiver_feed(struct m4f_receiver *receiver, const struct m4f_message *message);

// URL parts of an m4f:// or m4s:// input, or host:port/name. ERR_INVALID.
struct m4f_place {
    char host[256];
    uint16_t port;
    char name[STREAM_NAME_MAX];
};
MUST_USE int m4f_place_parse(const char *url, struct m4f_place *out, const char **why);

#endif
