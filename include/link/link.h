// SPDX-License-Identifier: MIT
// The link: one authenticated, encrypted connection between two servers, on the ordinary HTTP port,
// carrying any number of channels. It knows nothing of streams or media. docs/formats/link.md has
// the offset tables; docs/design/cluster.md the reasons.
//
// TLS 1.3 with a pre-shared key made from cluster_key: mutual authentication, the key never on the
// wire. Either side may have dialled; above the handshake the two ends are equal.
//
// Sending: messages wait in user space, per class and channel, above a small TCP_NOTSENT_LOWAT.
// Strict between classes, deficit round robin between the channels of a class, messages cut into
// fragments of at most 16 KB so that a class never waits longer than one fragment for the one
// below it. Within a channel and class, order is kept. Small messages given in one turn share TLS records.
//
// Receiving: a peer that stops reading, is silent while data is due, floods, or breaks the protocol
// is cut off with a named reason and a counter; nothing else is affected.
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/list.h"
#include "base/reason.h"
#include "io/address.h"

struct loop;
struct link_hub;
struct link;
struct channel;

enum link_class { LINK_CONTROL, LINK_LIVE, LINK_ARCHIVE, LINK_BULK, LINK_CLASSES };

// Who serves a channel at the other end. Numbers are on the wire.
enum link_service { LINK_CATALOGUE = 1, LINK_M4S = 2, LINK_M4F = 3, LINK_SERVICES = 8 };

struct channel_events {
    // One whole message, borrowed for the call; take a reference on buf to keep it (the message is
    // buf->data[offset, offset + length)).
    void (*on_message)(void *arg, struct buf *buf, size_t offset, size_t length);
    // The channel's queue has fallen under its low mark after channel_full was true. May be NULL.
    void (*on_room)(void *arg);
    // Exactly once, at the end of a turn; the channel is gone after it. Not after channel_close.
    void (*on_closed)(void *arg, enum reason reason);
};

// True for a key that can be guessed (under 16 characters, or few different ones): worth a warning.
bool link_key_is_weak(const char *cluster_key);

// ---- the hub: all links of this server ---------------------------------------------------------
struct link_hub *link_hub_new(struct loop *loop, const char *software_version);
void link_hub_free(struct link_hub **hub); // says goodbye to every peer; memory at the end of turn
// Key that dialling peers must know; NULL or "": nobody is let in (NO_KEY). Links that came in under
// another key are closed.
void link_hub_set_key(struct link_hub *hub, const char *cluster_key);
// An accepted descriptor whose first byte is that of a TLS record (http_server_on_tls).
void link_hub_accept(struct link_hub *hub, int descriptor, const struct address *from);
// Asked for every channel that a peer opens. open: the opening message. Return 0 and set *events
// and *arg to accept, or a reason other than REASON_NONE to refuse: the peer's on_closed gets it.
typedef enum reason (*link_serve_fn)(void *hub_arg, struct link *link, struct channel *channel,
                                     struct bytes open, const struct channel_events **events,
                                     void **arg);
void link_hub_serve(struct link_hub *hub, enum link_service service, link_serve_fn serve,
                    void *hub_arg);

// ---- dialled links -----------------------------------------------------------------------------
// The shared link to host:port under a key; dialled while somebody holds it, redialled for ever
// with growing, jittered delay (slow after WRONG_KEY, NO_KEY, VERSION). Holders count.
struct link *link_hold(struct link_hub *hub, const char *host, uint16_t port,
                       const char *cluster_key);
void link_release(struct link **link);
// Watching: on_up when channels can be opened (in a later turn if it is up already), on_down with
// the reason of every failed attempt and every loss.
struct link_watch {
    struct list_node node;
    void (*on_up)(void *arg);
    void (*on_down)(void *arg, enum reason reason);
    void *arg;
    uint64_t seen; // private
    bool told_up;  // private
};
void link_watch_add(struct link *link, struct link_watch *watch);
void link_watch_remove(struct link *link, struct link_watch *watch);

bool link_is_up(const struct link *link);
const char *link_name(const struct link *link);      // "host:port", or the peer's address
const char *link_peer_name(const struct link *link); // the other server's own name, "" when down
uint64_t link_peer_id(const struct link *link);      // random identity of the other process
int64_t link_rtt_us(const struct link *link);        // smallest of the last exchanges, -1 unknown
int64_t link_utc_offset_us(const struct link *link); // peer's wall clock minus ours

struct link_stats {
    uint64_t bytes_in, bytes_out;           // wire, TLS included
    uint64_t payload_in, payload_out;       // messages, without any head
    uint64_t class_out[LINK_CLASSES];       // payload by class
    uint64_t attempts, ups;
    unsigned channels;
    int64_t up_since_us;                    // monotonic, 0 when down
    enum reason last_reason;
};
void link_get_stats(const struct link *link, struct link_stats *out);
// Every link, dialled and accepted, for the API and metrics.
void link_hub_each(struct link_hub *hub, void (*each)(void *arg, struct link *link, bool dialled),
                   void *arg);
// Refusals of the accepting side by reason (index: enum reason).
const uint64_t *link_hub_refusals(const struct link_hub *hub);
// Failed attempts of dialled links, and losses of links that were up, by reason.
const uint64_t *link_hub_losses(const struct link_hub *hub);

// ---- channels ----------------------------------------------------------------------------------
// Opens a channel; `open` is the opening message (copied). When the link is down on_closed comes in
// a later turn. Messages may be sent at once.
struct channel *channel_open(struct link *link, enum link_service service, enum link_class cls,
                             struct bytes open, const struct channel_events *events, void *arg);
// Sends one message in the channel's class; moves the slices. At most LINK_MESSAGE_MAX bytes.
void channel_send(struct channel *channel, struct chain *message);
void channel_send_copy(struct channel *channel, const void *data, size_t length);
size_t channel_queued(const struct channel *channel); // bytes not yet handed to the kernel
// True from the high mark (256 KB) until on_room: producers that can wait, wait.
bool channel_full(const struct channel *channel);
// Drops queued messages not begun yet, oldest first, that are not sent (a late live cursor jumped).
void channel_drop_queued(struct channel *channel);
// Data is due on this channel: silence of the peer is checked within 5 s (a live subscription).
void channel_expect_data(struct channel *channel, bool expected);
// No on_closed afterwards; the other end gets the reason. Queued messages are dropped.
void channel_close(struct channel **channel, enum reason reason);
// The same after the queue has been sent.
void channel_finish(struct channel **channel, enum reason reason);
struct link *channel_link(const struct channel *channel);

#endif
