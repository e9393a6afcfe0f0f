// SPDX-License-Identifier: MIT
// All links of a server: accepting, services, refusals.
//
// An accepted descriptor is a greeting until its handshake is done, then a link in HELLO.
//
// 1. At most LINK_HANDSHAKES_MAX greetings, LINK_HANDSHAKES_PER_ADDRESS of one address; more are
//    closed at once.
// 2. An address that fails again and again is answered slowly: half a second more for each failure
//    beyond the first three, at most ten seconds. One failure is forgotten every ten seconds, about
//    as fast as an honest server with a wrong key comes back.
// 3. The hub is freed when the last of its links has settled and the last greeting is closed.
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "link_priv.h"

#define HUB_MAGIC 0x4c485542u
#define STRANGER_FORGET_US (10 * US_PER_S)
#define STRANGER_DELAY_US (500 * US_PER_MS)
#define STRANGER_DELAY_MOST_US (10 * US_PER_S)
enum { STRANGER_PATIENCE = 3 };

struct greeting {
    struct list_node node;
    struct link_hub *hub;
    struct conn *conn; // NULL while it has to wait
    int descriptor;    // while it has to wait
    struct address from;
    struct timeout wait;
};

// ---- life --------------------------------------------------------------------------------------

static bool find_key(void *arg, const char *identity, uint8_t key[TLS_PSK_SIZE])
{
    const struct link_hub *hub = arg;
    if (!hub->has_key || strcmp(identity, hub->secret.identity) != 0)
        return false;
    memcpy(key, hub->secret.psk, TLS_PSK_SIZE);
    return true;
}

struct link_hub *link_hub_new(struct loop *loop, const char *software_version)
{
    struct link_hub *hub = mem_alloc(sizeof(*hub));
    hub->magic = HUB_MAGIC;
    hub->loop = loop;
    while (hub->id == 0)
        hub->id = digest_random_u64();
    if (gethostname(hub->name, sizeof(hub->name) - 1) != 0 || !hub->name[0])
        text_copy(hub->name, sizeof(hub->name), "unnamed");
    text_copy(hub->software, sizeof(hub->software), software_version);
    list_init(&hub->dialled);
    list_init(&hub->accepted);
    list_init(&hub->greetings);
    ENSURE(tls_psk_server(find_key, NULL, LINK_ALPN, hub, &hub->tls) == 0);
    return hub;
}

static void hub_gone(void *arg)
{
    struct link_hub *hub = arg;
    if (hub->links > 0 || hub->greetings.count > 0)
        return; // the last of them comes back here
    tls_context_unref(&hub->tls);
    explicit_bzero(&hub->secret, sizeof(hub->secret));
    hub->magic = 0;
    mem_free(hub);
}

static void hub_gone_soon(struct link_hub *hub)
{
    if (hub->closing)
        loop_defer(hub->loop, &hub->gone, hub_gone, hub);
}

void link_hub_settled(struct link_hub *hub)
{
    hub->links--;
    hub_gone_soon(hub);
}

static void bury_all(struct list *links, enum reason reason)
{
    LIST_FOREACH(links, node, after)
    {
        link_bury(LIST_OWNER(node, struct link, node), reason);
    }
}

static void greeting_end(struct greeting *greeting);

void link_hub_free(struct link_hub **where)
{
    struct link_hub *hub = *where;
    *where = NULL;
    if (!hub)
        return;
    OBJ_CHECK(hub, HUB_MAGIC);
    hub->closing = true;
    bury_all(&hub->dialled, REASON_SHUTDOWN);
    bury_all(&hub->accepted, REASON_SHUTDOWN);
    LIST_FOREACH(&hub->greetings, node, after)
    {
        greeting_end(LIST_OWNER(node, struct greeting, node));
    }
    hub_gone_soon(hub);
}

void link_hub_set_key(struct link_hub *hub, const char *cluster_key)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    hub->has_key = cluster_key && cluster_key[0];
    hub->secret = (struct link_secret){0};
    if (hub->has_key)
        link_key_derive(cluster_key, &hub->secret);
    LIST_FOREACH(&hub->accepted, node, after)
    {
        struct link *link = LIST_OWNER(node, struct link, node);
        if (strcmp(link->secret.identity, hub->secret.identity) != 0)
            link_bury(link, REASON_CONFIG);
    }
}

void link_hub_serve(struct link_hub *hub, enum link_service service, link_serve_fn serve,
                    void *hub_arg)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    ENSURE(service > 0 && service < LINK_SERVICES);
    hub->services[service].serve = serve;
    hub->services[service].arg = hub_arg;
}

// ---- strangers ---------------------------------------------------------------------------------

// The entry of an address; with `make` in the place of whoever failed longest ago.
static struct link_stranger *stranger(struct link_hub *hub, const struct address *from, bool make)
{
    char host[ADDRESS_TEXT_MAX];
    struct link_stranger *oldest = &hub->strangers[0];
    address_print_host(from, host, sizeof(host));
    for (unsigned i = 0; i < LINK_STRANGERS; i++) {
        struct link_stranger *entry = &hub->strangers[i];
        if (strcmp(entry->host, host) == 0)
            return entry;
        if (!entry->host[0] || (oldest->host[0] && entry->since_us < oldest->since_us))
            oldest = entry;
    }
    if (!make)
        return NULL;
    *oldest = (struct link_stranger){.since_us = now_us()};
    text_copy(oldest->host, sizeof(oldest->host), host);
    return oldest;
}

static void forget_failures(struct link_stranger *entry)
{
    int64_t forgotten = (now_us() - entry->since_us) / STRANGER_FORGET_US;
    entry->since_us += forgotten * STRANGER_FORGET_US;
    entry->failures -= forgotten < entry->failures ? (unsigned)forgotten : entry->failures;
}

static int64_t answer_delay_us(struct link_hub *hub, const struct address *from)
{
    struct link_stranger *entry = stranger(hub, from, false);
    if (!entry)
        return 0;
    forget_failures(entry);
    if (entry->failures <= STRANGER_PATIENCE)
        return 0;
    int64_t delay = (entry->failures - STRANGER_PATIENCE) * STRANGER_DELAY_US;
    return delay < STRANGER_DELAY_MOST_US ? delay : STRANGER_DELAY_MOST_US;
}

void link_hub_refused(struct link_hub *hub, const struct address *from, enum reason reason,
                      const char *detail)
{
    struct link_stranger *entry = stranger(hub, from, true);
    char object[ADDRESS_TEXT_MAX + 8];
    hub->refusals[reason]++;
    forget_failures(entry);
    entry->failures++;
    text_format(object, sizeof(object), "link=%s", entry->host);
    LOG_AT(reason == entry->logged ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, object,
           "refused reason=%s%s%s", reason_name(reason), detail ? " what=" : "",
           detail ? detail : "");
    entry->logged = reason;
}

void link_hub_welcome(struct link_hub *hub, const struct address *from)
{
    struct link_stranger *entry = stranger(hub, from, false);
    if (entry)
        entry->host[0] = 0;
}

const uint64_t *link_hub_refusals(const struct link_hub *hub)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    return hub->refusals;
}

const uint64_t *link_hub_losses(const struct link_hub *hub)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    return hub->losses;
}

// ---- accepting ---------------------------------------------------------------------------------

static const struct conn_events no_events = {.on_data = NULL};

static void close_descriptor(struct link_hub *hub, int descriptor, const struct address *from)
{
    conn_close(conn_accepted(hub->loop, descriptor, from, NULL, &no_events, NULL), REASON_LIMIT);
}

// Tells a dialling server that there is no key here, before the handshake and in clear, by the
// alert access_denied (RFC 8446, 6.2).
static void refuse_without_key(struct link_hub *hub, int descriptor, const struct address *from)
{
    static const uint8_t alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 49};
    struct conn *conn = conn_accepted(hub->loop, descriptor, from, NULL, &no_events, NULL);
    link_hub_refused(hub, from, REASON_NO_KEY, NULL);
    conn_write_copy(conn, alert, sizeof(alert));
    conn_finish(conn, REASON_NO_KEY);
}

static void greeting_free(struct greeting *greeting)
{
    struct link_hub *hub = greeting->hub;
    timeout_stop(&greeting->wait);
    list_remove(&hub->greetings, &greeting->node);
    mem_free(greeting);
    hub_gone_soon(hub);
}

// Without a word, for the hub is closing.
static void greeting_end(struct greeting *greeting)
{
    if (greeting->conn) {
        conn_set_events(greeting->conn, &no_events, NULL);
        conn_close(greeting->conn, REASON_SHUTDOWN);
    } else {
        close_descriptor(greeting->hub, greeting->descriptor, &greeting->from);
    }
    greeting_free(greeting);
}

static void greeting_open(void *arg)
{
    struct greeting *greeting = arg;
    struct link_hub *hub = greeting->hub;
    struct conn *conn = greeting->conn;
    if (hub->accepted.count >= LINK_PEERS_MAX) {
        conn_close(conn, REASON_LIMIT); // greeting_closed tells and frees
        return;
    }
    struct link *link = link_hub_accept_conn(hub, conn);
    text_copy(link->secret.identity, sizeof(link->secret.identity), conn_tls_identity(conn));
    greeting_free(greeting);
}

static void greeting_closed(void *arg, enum reason reason)
{
    struct greeting *greeting = arg;
    link_hub_refused(greeting->hub, &greeting->from, reason, NULL);
    greeting_free(greeting);
}

static const struct conn_events greeting_events = {
    .on_open = greeting_open,
    .on_closed = greeting_closed,
};

static void greeting_begin(void *arg)
{
    struct greeting *greeting = arg;
    struct link_hub *hub = greeting->hub;
    greeting->conn = conn_accepted(hub->loop, greeting->descriptor, &greeting->from, hub->tls,
                                   &greeting_events, greeting);
}

void link_hub_accept(struct link_hub *hub, int descriptor, const struct address *from)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    unsigned same = 0;
    char host[ADDRESS_TEXT_MAX], other[ADDRESS_TEXT_MAX];
    address_print_host(from, host, sizeof(host));
    LIST_FOREACH(&hub->greetings, node, after)
    {
        address_print_host(&LIST_OWNER(node, struct greeting, node)->from, other, sizeof(other));
        same += strcmp(host, other) == 0;
    }
    if (hub->greetings.count >= LINK_HANDSHAKES_MAX || same >= LINK_HANDSHAKES_PER_ADDRESS) {
        link_hub_refused(hub, from, REASON_LIMIT, "too many handshakes");
        close_descriptor(hub, descriptor, from);
        return;
    }
    if (!hub->has_key) {
        refuse_without_key(hub, descriptor, from);
        return;
    }
    struct greeting *greeting = mem_alloc(sizeof(*greeting));
    greeting->hub = hub;
    greeting->descriptor = descriptor;
    greeting->from = *from;
    list_append(&hub->greetings, &greeting->node);
    timeout_init(&greeting->wait, hub->loop, greeting_begin, greeting);
    int64_t delay = answer_delay_us(hub, from);
    if (delay > 0)
        timeout_start(&greeting->wait, delay);
    else
        greeting_begin(greeting);
}

struct link *link_hub_accept_conn(struct link_hub *hub, struct conn *conn)
{
    struct link *link = link_new(hub, conn_name(conn), false);
    link->secret = hub->secret;
    conn_set_events(conn, &link_conn_events, link);
    link_begin(link, conn);
    return link;
}

void link_hub_each(struct link_hub *hub, void (*each)(void *arg, struct link *link, bool dialled),
                   void *arg)
{
    OBJ_CHECK(hub, HUB_MAGIC);
    LIST_FOREACH(&hub->dialled, node, after)
    {
        each(arg, LIST_OWNER(node, struct link, node), true);
    }
    LIST_FOREACH(&hub->accepted, accepted, next)
    {
        struct link *link = LIST_OWNER(accepted, struct link, node);
        if (link->state == LINK_UP)
            each(arg, link, false);
    }
}
