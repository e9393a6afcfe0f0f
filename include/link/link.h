// SPDX-License-Identifier: MIT
// The link: one authenticated, encrypted connection between two servers, on the ordinary HTTP port,
// carrying any number of channels. It knows nothing of streams or media. docs/formats/link.md has
// the offset tables; docs/design/cluster.md the reasons.
//
// Two servers have one connection, whoever dialled it, also when each asks for the other: a dialled
// link to a server that is connected already goes by way of that connection (link_by).
//
// TLS 1.3 with a pre-shared key made from cluster_key: mutual authentication, the key never on the
// wire. Either side may have dialled; above the handshake the two ends are equal.
//
// Sending: messages wait in user space, per class and channel, above a small TCP_NOTSENT_LOWAT.
// Strict between classes, deficit round robin between the channels of a class, messages cut into
// fragments of at most 16 KB so that a class never waits longer than one fragment for the one
// below it. Within a channel order is kept. What is given in a turn leaves at the end of that turn
// when the socket has room; small messages of one turn share TLS records.
//
// Receiving: a peer that stops reading (10 s without progress), is silent while data is due (4.5 s)
// or when idle (40 s), floods, or breaks the protocol is cut off with a named reason on both sides
// and a counter; nothing else is affected.
//
// Callbacks come from the loop, never inside a function of this header. In a callback everything
// may be called, also what ends the channel or the link it is about.
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

// The table must live as long as the channel; its members may be NULL.
struct channel_events {
    // One whole message, borrowed for the call; take a reference on buf to keep it (the message is
    // buf->data[offset, offset + length)). The buf holds nothing else.
    void (*on_message)(void *arg, struct buf *buf, size_t offset, size_t length);
    // The channel's queue has fallen under its low mark after channel_full was true.
    void (*on_room)(void *arg);
    // Exactly once, at the end of a turn; the channel is gone after it. Not after channel_close.
    void (*on_closed)(void *arg, enum reason reason);
};

// True for a key that can be guessed (under 16 characters, or few different ones): worth a warning.
bool link_key_is_weak(const char *cluster_key);

// ---- the hub: all links of this server ---------------------------------------------------------
struct link_hub *link_hub_new(struct loop *loop, const char *software_version); // "sluice/0.1.0"
// Says goodbye to every peer (SHUTDOWN); channels and watches hear of it, then the memory goes, at
// the end of the turn. No link may be used after that. The goodbyes themselves need the loop to be
// turned for a moment: a peer that does not close its side is waited for two seconds.
void link_hub_free(struct link_hub **hub);
// Key that dialling peers must know; NULL or "": nobody is let in (NO_KEY). Links that came in
// under another key are closed (CONFIG). A key not seen before costs about 50 ms once, here and in
// link_hold; the same key again costs nothing.
void link_hub_set_key(struct link_hub *hub, const char *cluster_key);
// An accepted descriptor whose first byte is that of a TLS record (http_server_on_tls); takes it.
// At most LINK_HANDSHAKES_MAX at a time; addresses that fail again and again are answered slowly.
void link_hub_accept(struct link_hub *hub, int descriptor, const struct address *from);
// Asked for every channel that a peer opens. open: the opening message, at most LINK_OPEN_MAX
// bytes, borrowed. Return REASON_NONE and set *events and *arg to accept (messages may be sent at
// once), or another reason to refuse: the peer's on_closed gets it. It may not end the link
// meanwhile.
typedef enum reason (*link_serve_fn)(void *hub_arg, struct link *link, struct channel *channel,
                                     struct bytes open, const struct channel_events **events,
                                     void **arg);
void link_hub_serve(struct link_hub *hub, enum link_service service, link_serve_fn serve,
                    void *hub_arg);

// ---- dialled links -----------------------------------------------------------------------------
// The shared link to host:port under a key; dialled while somebody holds it, redialled for ever
// with growing, jittered delay: from 0.3 s to 10 s; after WRONG_KEY, NO_KEY, VERSION and SELF (it
// is this server itself) from 10 s to a minute. Without a key it stays down (NO_KEY). Holders
// count.
struct link *link_hold(struct link_hub *hub, const char *host, uint16_t port,
                       const char *cluster_key);
// The last holder, who has closed his channels: goodbye, unless the other side uses the connection
// too; then it stays until that ends. *link may be NULL.
void link_release(struct link **link);
// Watching: on_up when channels can be opened (at the end of the turn if it is up already), on_down
// with the reason of every failed attempt and every loss, after on_closed of the channels. A watch
// holds no link: remove it before link_release. Watches of an accepted link are removed when it is
// gone, after their on_down.
struct link_watch {
    struct list_node node;
    void (*on_up)(void *arg); // may be NULL, as the next
    void (*on_down)(void *arg, enum reason reason);
    void *arg;
    uint64_t seen; // private
    bool told_up;  // private
};
void link_watch_add(struct link *link, struct link_watch *watch);
void link_watch_remove(struct link *link, struct link_watch *watch); // no-op when not added

bool link_is_up(const struct link *link);
// The link whose connection a dialled one uses instead of its own, NULL: none.
const struct link *link_by(const struct link *link);
const char *link_name(const struct link *link);      // "host:port", or the peer's address
const char *link_peer_name(const struct link *link); // the other server's own name, "" when down
uint64_t link_peer_id(const struct link *link);      // identity of the other process, 0 when down
int64_t link_rtt_us(const struct link *link);        // smallest of the last exchanges, -1 unknown
int64_t link_utc_offset_us(const struct link *link); // peer's wall clock minus ours, 0 unknown

struct link_stats {
    uint64_t bytes_in, bytes_out;     // wire, TLS included
    uint64_t payload_in, payload_out; // messages, without any head
    uint64_t class_out[LINK_CLASSES]; // payload by class
    uint64_t attempts, ups;
    unsigned channels;
    int64_t up_since_us; // monotonic, 0 when down
    enum reason last_reason;
};
void link_get_stats(const struct link *link, struct link_stats *out);
// Every link, dialled (up or not) and accepted (up), for the API and metrics. `each` may not end
// any.
void link_hub_each(struct link_hub *hub, void (*each)(void *arg, struct link *link, bool dialled),
                   void *arg);
// Refusals of the accepting side by reason (index: enum reason).
const uint64_t *link_hub_refusals(const struct link_hub *hub);
// Failed attempts of dialled links, and losses of links that were up, by reason.
const uint64_t *link_hub_losses(const struct link_hub *hub);

// ---- channels ----------------------------------------------------------------------------------
// Opens a channel; `open` is the opening message (copied, at most LINK_OPEN_MAX bytes). When the
// link is down on_closed comes in a later turn, with the reason of the link. Messages may be sent
// at once.
struct channel *channel_open(struct link *link, enum link_service service, enum link_class cls,
                             struct bytes open, const struct channel_events *events, void *arg);
// Sends one message in the channel's class; moves the slices. At most LINK_MESSAGE_MAX bytes, also
// none. With more than LINK_QUEUE_MAX queued the channel is closed (SLOW_RECEIVER); on a channel
// that is closed it drops the message. The chain holds no memory afterwards.
void channel_send(struct channel *channel, struct chain *message);
void channel_send_copy(struct channel *channel, const void *data, size_t length);
size_t channel_queued(const struct channel *channel); // bytes that can still be overtaken
// True from the high mark (256 KB) until on_room: producers that can wait, wait.
bool channel_full(const struct channel *channel);
// Drops the queued messages that have not begun (a late live cursor jumped).
void channel_drop_queued(struct channel *channel);
// Data is due on this channel: silence of the peer is checked within 5 s (a live subscription).
void channel_expect_data(struct channel *channel, bool expected);
// No callback afterwards; the other end gets the reason. Queued messages are dropped. *channel may
// be NULL, and is afterwards.
void channel_close(struct channel **channel, enum reason reason);
// The same after the queue has been sent.
void channel_finish(struct channel **channel, enum reason reason);
struct link *channel_link(const struct channel *channel);

#endif
