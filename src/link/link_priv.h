// SPDX-License-Identifier: MIT
// Inside of hubs, links and channels, for the files of this folder.
//
// link_hub.c accepts and keeps the lists; link.c has the states and the redialling; link_io.c moves
// bytes between the connection, the scheduler and the channels; link_alive.c pings, measures clocks
// and notices silence; link_channel.c opens, closes and sends; link_pair.c sees to it that two
// servers have one connection.
#ifndef LINK_LINK_PRIV_H
#define LINK_LINK_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "link/link.h"
#include "link_key.h"
#include "link_pair.h"
#include "link_sched.h"
#include "link_wire.h"

#define LINK_ALPN "sluice-link/2"

// A connection to host:port of a link that begins to dial. *open: it is up already (memory pairs);
// otherwise on_open says so. For tests; NULL in a hub: conn_connect.
typedef struct conn *(*link_dial_fn)(void *arg, const char *host, uint16_t port,
                                     const struct conn_events *events, void *events_arg,
                                     bool *open);

// An address whose handshakes fail.
struct link_stranger {
    char host[ADDRESS_TEXT_MAX]; // empty: free
    unsigned failures;           // one is forgotten every STRANGER_FORGET_US
    int64_t since_us;            // of the last failure, moved on as failures are forgotten
    enum reason logged;          // the last one that was said aloud
};

enum { LINK_STRANGERS = 128 };

struct link_hub {
    uint32_t magic;
    struct loop *loop;
    uint64_t id; // random, not 0
    char name[LINK_WIRE_NAME_MAX + 1], software[LINK_WIRE_SOFTWARE_MAX + 1];
    bool has_key;
    struct link_secret secret; // that dialling peers must know, when has_key
    struct tls_context *tls;   // for accepting
    struct {
        link_serve_fn serve;
        void *arg;
    } services[LINK_SERVICES];
    struct list dialled, accepted; // struct link
    struct list greetings;         // accepted, the handshake is not done
    struct link_stranger strangers[LINK_STRANGERS];
    uint64_t refusals[REASON_COUNT], losses[REASON_COUNT];
    link_dial_fn dial;
    void *dial_arg;
    unsigned links; // not freed yet
    bool closing;
    struct defer gone;
};

// So many at once, then so many a second.
struct link_bucket {
    double tokens;
    int64_t filled_us; // 0: never used, full
};

enum link_state {
    LINK_IDLE,     // no connection; a dialled link waits for its next attempt
    LINK_DIALLING, // connecting, and the handshake of TLS
    LINK_HELLO,    // waiting for the other side's hello
    LINK_UP
};

enum { LINK_EXCHANGES = 8 };

// One time exchange.
struct link_exchange {
    int64_t rtt_us;
    int64_t utc_minus_mono_us; // the peer's wall clock minus our monotonic one
};

struct link {
    uint32_t magic;
    struct link_hub *hub;
    struct list_node node; // of the hub's list; in none once nobody can find it
    bool dialled;
    bool dead; // freed when it has settled
    enum link_state state;
    char *name;
    unsigned epoch; // grows whenever the connection is lost: loops around callbacks look at it
    struct link_secret secret; // that the connection is made under

    // dialling
    char *host;
    uint16_t port;
    bool has_key;
    struct tls_context *tls;
    unsigned holders;
    struct timeout redial;
    struct backoff backoff, backoff_slow;
    enum reason logged; // last reason of being down that was said aloud; NONE when it was up

    // the only one of its pair (link_pair.c)
    uint64_t known_id;  // of the process that was last there, 0: none yet
    struct link *via;   // whose connection is used, NULL: its own
    unsigned via_epoch; // of via when that began
    bool spare;         // UP, and nobody is told: there is another
    struct timeout spare_wait;

    // watches
    struct list watches;
    struct link_watch *watch_next; // where notifying goes on
    uint64_t downs;                // failed attempts and losses
    struct defer settle;
    unsigned ending; // channels that have not reported yet

    // the connection: output
    struct conn *conn;
    struct link_sched sched;
    struct link_queue control;
    struct chain out; // cut into fragments and not yet taken by conn
    bool blocked;     // conn takes nothing; on_drained will come
    uint64_t turn;    // of the loop, that turn_bytes is about
    size_t turn_bytes;
    struct defer flush;

    // input
    struct link_wire_head fragment; // that the next `left` bytes belong to
    size_t left;
    size_t underway; // totals of the messages begun and not complete
    struct link_bucket opens, controls;

    // channels by side: number / 2 is the place
    struct channel **channels[2]; // [0] even, [1] odd
    size_t room[2];
    size_t hint; // no free place of our side is before it
    unsigned expecting;
    int64_t expecting_since_us;

    // keep-alive (link_alive.c)
    struct timeout tick;
    int64_t began_us;  // the connection was up
    int64_t heard_us;  // last byte came in
    uint64_t ping;     // number of the last one sent
    int64_t pinged_us; // when
    bool ping_pending; // no pong yet
    int64_t ping_due_us;
    uint64_t progress_bytes; // conn_bytes_out when it last moved while blocked
    int64_t progress_us;
    struct link_exchange exchanges[LINK_EXCHANGES];
    unsigned exchange_count;           // ever
    int64_t rtt_us, utc_minus_mono_us; // of the best exchange; -1 and 0 unknown

    // the other side
    uint64_t peer_id;
    char peer_name[LINK_WIRE_NAME_MAX + 1], peer_software[LINK_WIRE_SOFTWARE_MAX + 1];

    struct link_stats stats; // bytes: of connections that are gone
};

enum channel_state {
    CHANNEL_OPEN,
    CHANNEL_FINISHING, // nobody owns it any more; closes when its queue is empty
    CHANNEL_CLOSED,    // our close was sent; in the table until the other side's comes
    CHANNEL_DEAD       // in no table
};

struct channel {
    uint32_t magic;
    struct link *link;
    uint32_t number;
    enum channel_state state;
    enum link_class cls;
    const struct channel_events *events; // NULL: nobody owns it
    void *arg;
    struct link_queue queue;
    bool full, expecting;
    enum reason reason;  // for on_closed, or for the other side while FINISHING
    struct buf *message; // incoming, begun and not complete
    size_t message_total;
    bool message_split; // of several fragments: counted in the link's underway
    bool ending;        // `ended` is on its way
    struct defer room, ended;
};

// ---- link_hub.c ------------------------------------------------------------------------------
// An accepted connection without TLS, open; for tests.
struct link *link_hub_accept_conn(struct link_hub *hub, struct conn *conn);
// Counts and says it, and remembers the address for a while.
void link_hub_refused(struct link_hub *hub, const struct address *from, enum reason reason,
                      const char *detail);
// A server at that address knew the key: what it did before is forgotten.
void link_hub_welcome(struct link_hub *hub, const struct address *from);
void link_hub_settled(struct link_hub *hub); // a link is freed

// ---- link.c -----------------------------------------------------------------------------------
struct link *link_new(struct link_hub *hub, const char *name, bool dialled);
// Takes an open connection whose handshake is done: says hello.
void link_begin(struct link *link, struct conn *conn);
// The connection is over: channels end, watchers hear of it, a dialled link redials.
// tell: say goodbye with the reason. detail: for the log, or NULL.
void link_lost(struct link *link, enum reason reason, bool tell, const char *detail);
// It is up, and everybody may know.
void link_announce(struct link *link);
// What it rode on was lost.
void link_unlinked(struct link *link, enum reason reason);
// Not to be found or redialled any more; freed when it has settled.
void link_bury(struct link *link, enum reason reason);
void link_settle_soon(struct link *link);
void link_control(struct link *link, struct bytes message); // of channel 0
bool link_bucket_take(struct link_bucket *bucket, double burst, double per_s);
extern const struct conn_events link_conn_events;

// ---- link_io.c --------------------------------------------------------------------------------
void link_send_control(struct link *link, const struct link_wire_message *message);
void link_flush_soon(struct link *link);
size_t link_on_data(void *arg, const uint8_t *data, size_t length);
void link_on_drained(void *arg);
// Lets go of the connection, which closes by itself; says goodbye before when it is to tell.
void link_farewell(struct link *link, enum reason reason, bool tell);

// ---- link_alive.c -----------------------------------------------------------------------------
void link_alive_init(struct link *link);
void link_alive_begin(struct link *link);
void link_alive_stop(struct link *link);
void link_alive_arm(struct link *link);
void link_alive_blocked(struct link *link); // output has begun to wait for the connection
void link_ping(struct link *link);
void link_pong(struct link *link, const struct link_wire_message *message);

// ---- link_channel.c ---------------------------------------------------------------------------
struct channel *link_channel(const struct link *link, uint32_t number); // NULL: no such
// False: it breaks the protocol.
bool channel_peer_open(struct link *link, const struct link_wire_message *message);
bool channel_peer_close(struct link *link, const struct link_wire_message *message);
// The owner hears of it, the other side too; the number stays taken until that has answered.
void channel_fail(struct channel *channel, enum reason reason);
void channel_drop_message(struct channel *channel);
void channel_sent(struct channel *channel); // its queue has become shorter
void link_channels_end(struct link *link, enum reason reason);
bool link_channels_of_peer(const struct link *link); // some are open

#endif
