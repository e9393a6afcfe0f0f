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

// m4f_send.c: one segment after another, as the channel takes them. Embedded; zeroed but for
// channel.
struct m4f_sender {
    struct channel *channel;  // borrowed
    uint32_t generation;      // of the tracks told last
    struct segment_info info; // of the segment under way
    struct chain body;        // what has not been sent of it; empty: nothing is under way
    bool begun;               // its head has been sent
};
void m4f_sender_fini(struct m4f_sender *sender);
// Tracks when they changed, then this body. Nothing may be under way. Moves the slices.
void m4f_sender_begin(struct m4f_sender *sender, const struct segment_info *info,
                      const struct tracks *tracks, struct chain *body);
void m4f_sender_segment(struct m4f_sender *sender, struct segment *segment); // the same, whole
// Sends while the channel has room. True when nothing is under way any more; else again on_room.
bool m4f_sender_pump(struct m4f_sender *sender);
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
// Feeds a TRACKS, SEGMENT or DATA message. 0: body complete, take receiver->body; ERR_AGAIN: more
// to come; ERR_INVALID; ERR_LIMIT: no memory for it.
MUST_USE int m4f_receiver_feed(struct m4f_receiver *receiver, const struct m4f_message *message);

// URL parts of an m4f:// or m4s:// input, or host:port/name. ERR_INVALID.
struct m4f_place {
    char host[256];
    uint16_t port;
    char name[STREAM_NAME_MAX];
};
MUST_USE int m4f_place_parse(const char *url, struct m4f_place *out, const char **why);

#endif
