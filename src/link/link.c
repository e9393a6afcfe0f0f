// SPDX-License-Identifier: MIT
// Links: states, redialling, who watches.
//
// IDLE -> DIALLING: link_dial. DIALLING -> HELLO: link_begin (an accepted link starts there).
// HELLO -> UP: link_greeted. Any -> IDLE: link_lost, and from there a dialled link redials while
// somebody holds it; an accepted one is over.
//
// 1. conn != NULL exactly in DIALLING (once it dials), HELLO and UP.
// 2. Channels exist in UP only; those that have to report are counted in `ending`.
// 3. A link is freed in `settle`, when it is dead and no channel has to report: after the last
//    callback about it, at the end of a turn.
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "link_priv.h"

#define LINK_MAGIC 0x4c494e4bu
#define CONNECT_TIMEOUT_US (10 * US_PER_S)
#define REDIAL_US (300 * US_PER_MS)
#define REDIAL_MOST_US (10 * US_PER_S)
// After answers that do not change by themselves.
#define REDIAL_SLOW_US (10 * US_PER_S)
#define REDIAL_SLOW_MOST_US (60 * US_PER_S)
// Up for so long: the next loss starts with the shortest delay again.
#define STABLE_US (5 * US_PER_S)

static void link_dial(void *arg);
static void settle(void *arg);

// ---- life --------------------------------------------------------------------------------------

struct link *link_new(struct link_hub *hub, const char *name, bool dialled)
{
    struct link *link = mem_alloc(sizeof(*link));
    link->magic = LINK_MAGIC;
    link->hub = hub;
    link->dialled = dialled;
    link->name = mem_strdup(name);
    list_init(&link->watches);
    link_sched_init(&link->sched);
    link_queue_init(&link->control, 0, 0);
    link_alive_init(link);
    link_pair_init(link);
    timeout_init(&link->redial, hub->loop, link_dial, link);
    link->backoff = (struct backoff){.base_us = REDIAL_US, .most_us = REDIAL_MOST_US};
    link->backoff_slow =
        (struct backoff){.base_us = REDIAL_SLOW_US, .most_us = REDIAL_SLOW_MOST_US};
    list_append(dialled ? &hub->dialled : &hub->accepted, &link->node);
    hub->links++;
    return link;
}

static void link_free(struct link *link)
{
    while (list_take_first(&link->watches))
        continue;
    loop_defer_cancel(link->hub->loop, &link->settle);
    loop_defer_cancel(link->hub->loop, &link->flush);
    timeout_stop(&link->spare_wait);
    link_hub_settled(link->hub); // frees nothing in this call
    tls_context_unref(&link->tls);
    mem_free(link->name);
    mem_free(link->host);
    link->magic = 0;
    mem_free(link);
}

void link_bury(struct link *link, enum reason reason)
{
    if (link->dead)
        return;
    link->dead = true;
    list_remove(link->dialled ? &link->hub->dialled : &link->hub->accepted, &link->node);
    timeout_stop(&link->redial);
    if (link->via) {
        link_settle_soon(link->via); // nobody may need it any more
        link->via = NULL;
        link->downs++;
        link->stats.last_reason = reason;
    }
    if (link->state != LINK_IDLE)
        link_lost(link, reason, true, NULL);
    link_settle_soon(link);
}

static struct link *find_dialled(struct link_hub *hub, const char *name,
                                 const struct link_secret *secret, bool has_key)
{
    LIST_FOREACH(&hub->dialled, node, after)
    {
        struct link *link = LIST_OWNER(node, struct link, node);
        if (strcmp(link->name, name) == 0 && link->has_key == has_key &&
            strcmp(link->secret.identity, secret->identity) == 0)
            return link;
    }
    return NULL;
}

struct link *link_hold(struct link_hub *hub, const char *host, uint16_t port,
                       const char *cluster_key)
{
    char name[300];
    struct link_secret secret = {0};
    bool has_key = cluster_key && cluster_key[0];
    if (has_key)
        link_key_derive(cluster_key, &secret);
    text_format(name, sizeof(name), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    struct link *link = find_dialled(hub, name, &secret, has_key);
    if (!link) {
        link = link_new(hub, name, true);
        link->host = mem_strdup(host);
        link->port = port;
        link->has_key = has_key;
        link->secret = secret;
        if (has_key)
            ENSURE(tls_psk_client(secret.identity, secret.psk, LINK_ALPN, &link->tls) == 0);
        timeout_start(&link->redial, 0);
    }
    link->holders++;
    return link;
}

void link_release(struct link **where)
{
    struct link *link = *where;
    *where = NULL;
    if (!link)
        return;
    OBJ_CHECK(link, LINK_MAGIC);
    ENSURE(link->dialled && link->holders > 0);
    if (--link->holders == 0 && !link_pair_needed(link))
        link_bury(link, REASON_LOCAL);
}

// ---- connecting --------------------------------------------------------------------------------

static void on_open(void *arg)
{
    struct link *link = arg;
    link_begin(link, link->conn);
}

static void on_closed(void *arg, enum reason reason)
{
    struct link *link = arg;
    link_lost(link, reason, false, NULL);
}

const struct conn_events link_conn_events = {
    .on_open = on_open,
    .on_data = link_on_data,
    .on_drained = link_on_drained,
    .on_closed = on_closed,
};

static void link_dial(void *arg)
{
    struct link *link = arg;
    struct link_hub *hub = link->hub;
    bool open = false;
    link->stats.attempts++;
    link->state = LINK_DIALLING;
    if (!link->has_key)
        link_lost(link, REASON_NO_KEY, false, NULL);
    else if (hub->dial)
        link->conn =
            hub->dial(hub->dial_arg, link->host, link->port, &link_conn_events, link, &open);
    else
        link->conn = conn_connect(hub->loop, link->host, link->port, link->tls, CONNECT_TIMEOUT_US,
                                  &link_conn_events, link);
    if (open)
        link_begin(link, link->conn);
}

void link_begin(struct link *link, struct conn *conn)
{
    link->conn = conn;
    link->state = LINK_HELLO;
    link->blocked = false;
    link->turn_bytes = 0;
    link->opens = link->controls = (struct link_bucket){0};
    conn_set_notsent_low(conn, LINK_NOTSENT_LOW);
    link_alive_begin(link);
    struct link_hub *hub = link->hub;
    link_send_control(link, &(struct link_wire_message){
                                .type = LINK_WIRE_HELLO,
                                .number = hub->id,
                                .name = bytes_of(hub->name, strlen(hub->name)),
                                .software = bytes_of(hub->software, strlen(hub->software)),
                            });
}

// For logs and pages: printable ASCII only.
static void copy_text(char *out, size_t room, struct bytes text)
{
    text_copy_n(out, room, (const char *)text.data, text.length);
    for (char *at = out; *at; at++) {
        if (*at < 0x21 || *at > 0x7e)
            *at = '?';
    }
}

static void link_greeted(struct link *link, const struct link_wire_message *hello)
{
    if (hello->number == link->hub->id) {
        link_lost(link, REASON_SELF, true, NULL);
        return;
    }
    link->state = LINK_UP;
    link->peer_id = link->known_id = hello->number;
    copy_text(link->peer_name, sizeof(link->peer_name), hello->name);
    copy_text(link->peer_software, sizeof(link->peer_software), hello->software);
    link->stats.ups++;
    link->stats.up_since_us = now_us();
    backoff_reset(&link->backoff_slow);
    if (!link->dialled)
        link_hub_welcome(link->hub, conn_peer(link->conn));
    link_alive_begin(link);
    link_pair_greeted(link);
}

void link_announce(struct link *link)
{
    char object[320];
    link->logged = REASON_NONE;
    text_format(object, sizeof(object), "link=%s", link->name);
    log_info(object, "up peer=%s software=%s dialled=%s", link->peer_name, link->peer_software,
             link->dialled ? "here" : "there");
    link_settle_soon(link);
    link_pair_up(link);
}

// ---- losing ------------------------------------------------------------------------------------

static bool is_slow_reason(enum reason reason)
{
    return reason == REASON_WRONG_KEY || reason == REASON_NO_KEY || reason == REASON_VERSION ||
           reason == REASON_SELF;
}

static int64_t redial_delay_us(struct link *link, enum reason reason)
{
    if (is_slow_reason(reason))
        return backoff_next_us(&link->backoff_slow);
    return backoff_next_us(&link->backoff);
}

static void log_lost(struct link *link, enum reason reason, const char *by, const char *detail,
                     int64_t retry_us)
{
    char object[320], retry[32] = "";
    text_format(object, sizeof(object), "link=%s", link->name);
    if (retry_us >= 0)
        text_format(retry, sizeof(retry), " retry=%lld.%llds", (long long)(retry_us / US_PER_S),
                    (long long)(retry_us % US_PER_S / (US_PER_S / 10)));
    enum log_level level = reason_is_error(reason) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
    if (reason == link->logged)
        level = LOG_LEVEL_DEBUG;
    LOG_AT(level, object, "down reason=%s%s%s%s%s", reason_name(reason), by, detail ? " what=" : "",
           detail ? detail : "", retry);
    link->logged = reason;
}

void link_lost(struct link *link, enum reason reason, bool tell, const char *detail)
{
    bool was_up = link->state == LINK_UP, begun = link->state >= LINK_HELLO;
    bool told = was_up && !link->spare;
    int64_t retry_us = -1;
    link->epoch++;
    link_alive_stop(link);
    if (was_up && now_us() - link->stats.up_since_us >= STABLE_US)
        backoff_reset(&link->backoff);
    if (!link->dialled && !was_up)
        link_hub_refused(link->hub, conn_peer(link->conn), reason, detail);
    if (link->conn)
        link_farewell(link, reason, tell);
    link->state = LINK_IDLE;
    link_channels_end(link, reason);
    link_queue_fini(&link->sched, &link->control);
    ENSURE(link->sched.bytes == 0 && link->underway == 0 && link->expecting == 0);
    chain_fini(&link->out);
    link->left = 0;
    link->blocked = false;
    link->peer_name[0] = 0;
    link->stats.up_since_us = 0;
    link->stats.last_reason = reason;
    if (link->dialled || was_up)
        link->hub->losses[reason]++;
    link_pair_lost(link);
    bool rides = link->dialled && !link->dead && (link->via || link_pair_ride(link));
    if (told || !rides)
        link->downs++;
    if (link->dialled && !link->dead && !rides && link->holders > 0) {
        retry_us = redial_delay_us(link, reason);
        timeout_start(&link->redial, retry_us);
    }
    if (told || (link->dialled && !rides))
        log_lost(link, reason, !begun ? "" : tell ? " by=here" : " by=there", detail, retry_us);
    link_settle_soon(link);
    if (!link->dialled || link->holders == 0)
        link_bury(link, reason);
}

void link_unlinked(struct link *link, enum reason reason)
{
    link->downs++;
    link->stats.up_since_us = 0;
    link->stats.last_reason = reason;
    if (!link_pair_ride(link)) {
        int64_t retry_us = redial_delay_us(link, reason);
        timeout_start(&link->redial, retry_us);
        log_lost(link, reason, "", NULL, retry_us);
    }
    link_settle_soon(link);
}

// ---- watching ----------------------------------------------------------------------------------

// One thing at a time: it may be gone after it.
static void tell_watch(struct link *link, struct link_watch *watch)
{
    if (watch->seen != link->downs) {
        watch->seen = link->downs;
        watch->told_up = false;
        if (watch->on_down)
            watch->on_down(watch->arg, link->stats.last_reason);
    } else if (link_is_up(link) && !watch->told_up) {
        watch->told_up = true;
        if (watch->on_up)
            watch->on_up(watch->arg);
    }
}

// The watch after this one; NULL at the end.
static struct link_watch *watch_after(const struct link *link, const struct list_node *node)
{
    return node->next == &link->watches.head ? NULL
                                             : LIST_OWNER(node->next, struct link_watch, node);
}

static void settle(void *arg)
{
    struct link *link = arg;
    if (link->ending > 0)
        return; // the last of the channels comes back here
    link_pair_settle(link);
    if (link->ending > 0)
        return;
    bool dead = link->dead;
    link->watch_next = watch_after(link, &link->watches.head);
    while (link->watch_next) {
        struct link_watch *watch = link->watch_next;
        link->watch_next = watch_after(link, &watch->node);
        tell_watch(link, watch);
    }
    LIST_FOREACH(&link->watches, node, after)
    {
        if (link_is_up(link) && !LIST_OWNER(node, struct link_watch, node)->told_up)
            link_settle_soon(link); // it was told of the end of what was before
    }
    if (dead && link->ending == 0)
        link_free(link);
}

void link_settle_soon(struct link *link)
{
    loop_defer(link->hub->loop, &link->settle, settle, link);
}

void link_watch_add(struct link *link, struct link_watch *watch)
{
    OBJ_CHECK(link, LINK_MAGIC);
    watch->seen = link->downs;
    watch->told_up = false;
    list_append(&link->watches, &watch->node);
    link_settle_soon(link);
}

void link_watch_remove(struct link *link, struct link_watch *watch)
{
    OBJ_CHECK(link, LINK_MAGIC);
    if (!list_linked(&watch->node))
        return;
    if (link->watch_next == watch)
        link->watch_next = watch_after(link, &watch->node);
    list_remove(&link->watches, &watch->node);
}

// ---- messages of channel 0 ---------------------------------------------------------------------

bool link_bucket_take(struct link_bucket *bucket, double burst, double per_s)
{
    int64_t now = now_us();
    if (bucket->filled_us == 0)
        bucket->tokens = burst;
    else
        bucket->tokens += (double)(now - bucket->filled_us) * per_s / US_PER_S;
    bucket->filled_us = now > 0 ? now : 1;
    if (bucket->tokens > burst)
        bucket->tokens = burst;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

static void obey(struct link *link, const struct link_wire_message *message)
{
    bool good = true;
    switch (message->type) {
    case LINK_WIRE_HELLO:
        break;
    case LINK_WIRE_PING:
        link_send_control(link, &(struct link_wire_message){.type = LINK_WIRE_PONG,
                                                            .number = message->number,
                                                            .utc_us = (uint64_t)utc_us()});
        break;
    case LINK_WIRE_PONG:
        link_pong(link, message);
        break;
    case LINK_WIRE_OPEN:
        good = channel_peer_open(link, message);
        break;
    case LINK_WIRE_CLOSE:
        good = channel_peer_close(link, message);
        break;
    case LINK_WIRE_GOODBYE:
        link_lost(link, message->reason != REASON_NONE ? message->reason : REASON_PEER_CLOSED,
                  false, NULL);
        break;
    }
    if (!good)
        link_lost(link, REASON_PROTOCOL, true, "a channel that cannot be");
}

void link_control(struct link *link, struct bytes bytes)
{
    struct link_wire_message message;
    const char *why = NULL;
    int err = link_wire_parse(bytes, &message, &why);
    bool hello = err == 0 && message.type == LINK_WIRE_HELLO;
    bool goodbye = err == 0 && message.type == LINK_WIRE_GOODBYE;
    if (err == 0 && hello != (link->state == LINK_HELLO) && !goodbye) {
        err = ERR_INVALID;
        why = hello ? "a second hello" : "a message before the hello";
    }
    if (err == ERR_INVALID)
        link_lost(link, REASON_PROTOCOL, true, why);
    else if (!link_bucket_take(&link->controls, LINK_CONTROL_BURST, LINK_CONTROL_PER_S) ||
             link_queue_weight(&link->control) > LINK_QUEUE_MAX)
        link_lost(link, REASON_FLOOD, true, "too many messages of the link");
    else if (hello)
        link_greeted(link, &message);
    else if (err == 0)
        obey(link, &message);
}

// ---- questions ---------------------------------------------------------------------------------

bool link_is_up(const struct link *link)
{
    OBJ_CHECK(link, LINK_MAGIC);
    const struct link *carrier = link_carrier(link);
    return carrier->state == LINK_UP && !carrier->spare &&
           (!link->via || link->via_epoch == carrier->epoch);
}

const char *link_name(const struct link *link)
{
    return link->name;
}

const char *link_peer_name(const struct link *link)
{
    return link_carrier(link)->peer_name;
}

uint64_t link_peer_id(const struct link *link)
{
    return link_carrier(link)->state == LINK_UP ? link_carrier(link)->peer_id : 0;
}

const struct link *link_by(const struct link *link)
{
    OBJ_CHECK(link, LINK_MAGIC);
    return link->via;
}

void link_get_stats(const struct link *link, struct link_stats *out)
{
    OBJ_CHECK(link, LINK_MAGIC);
    *out = link->stats;
    if (link->conn) {
        out->bytes_in += conn_bytes_in(link->conn);
        out->bytes_out += conn_bytes_out(link->conn);
    }
}
