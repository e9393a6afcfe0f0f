// SPDX-License-Identifier: MIT
// Two hubs joined by connections in memory, in virtual time; `here` dials, `there` accepts.
#ifndef TESTS_UNIT_LINK_LINK_FIXTURE_H
#define TESTS_UNIT_LINK_LINK_FIXTURE_H

#include "base/clock.h"
#include "base/limits.h"
#include "conn_end.h"
#include "link_priv.h"
#include "loop_fixture.h"
#include "unit.h"

enum { DIALS_MAX = 4096 };

struct ends {
    struct loop *loop;
    struct link_hub *here, *there;
    size_t piece;                        // of the pairs; 0: all at once
    enum reason refuse;                  // what dialling meets; NONE: it works
    struct conn *conn_here, *conn_there; // of the last dialling that worked
    int64_t dialled_us[DIALS_MAX];
    int dials;
};

static inline struct conn *ends_dial(void *arg, const char *host, uint16_t port,
                                     const struct conn_events *events, void *events_arg, bool *open)
{
    static const struct conn_events none = {.on_data = NULL};
    struct ends *ends = arg;
    struct conn *here, *there;
    assert_string_equal(host, "site");
    assert_int_equal(port, 8888);
    assert_in_range(ends->dials, 0, DIALS_MAX - 1);
    ends->dialled_us[ends->dials++] = now_us();
    conn_pair(ends->loop, ends->piece, events, events_arg, &none, NULL, &here, &there);
    *open = ends->refuse == REASON_NONE;
    if (*open) {
        ends->conn_here = here;
        ends->conn_there = there;
        link_hub_accept_conn(ends->there, there);
    } else {
        conn_close(here, ends->refuse);
        conn_close(there, REASON_DONE);
    }
    return here;
}

static inline void ends_open(struct ends *ends)
{
    memset(ends, 0, sizeof(*ends));
    ends->loop = loop_fixture_new_virtual();
    ends->here = link_hub_new(ends->loop, "test/1");
    ends->there = link_hub_new(ends->loop, "test/2");
    link_hub_set_key(ends->there, "123");
    ends->here->dial = ends_dial;
    ends->here->dial_arg = ends;
}

static inline void ends_close(struct ends *ends)
{
    link_hub_free(&ends->here);
    link_hub_free(&ends->there);
    loop_fixture_run(ends->loop, 60 * US_PER_S);
    loop_fixture_free(&ends->loop);
}

static inline struct link *ends_hold(struct ends *ends)
{
    return link_hold(ends->here, "site", 8888, "123");
}

// The link as `there` sees it; NULL when there is none.
static inline struct link *ends_accepted(struct ends *ends)
{
    struct list_node *node = list_first(&ends->there->accepted);
    return node ? LIST_OWNER(node, struct link, node) : NULL;
}

// Somebody with a channel.
struct user {
    struct channel *channel; // NULL after on_closed
    int messages, rooms, closed;
    enum reason reason;
    size_t bytes;  // of all messages
    uint8_t *last; // copy of the last message; user_fini frees it
    size_t last_length;
    void (*on_message)(struct user *user);
    void (*on_room)(struct user *user);
    void (*on_closed)(struct user *user);
    void *arg;
};

static inline void user_on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct user *user = arg;
    user->messages++;
    user->bytes += length;
    mem_free(user->last);
    user->last = mem_dup(buf->data + offset, length);
    user->last_length = length;
    if (user->on_message)
        user->on_message(user);
}

static inline void user_on_room(void *arg)
{
    struct user *user = arg;
    user->rooms++;
    if (user->on_room)
        user->on_room(user);
}

static inline void user_on_closed(void *arg, enum reason reason)
{
    struct user *user = arg;
    user->channel = NULL;
    user->closed++;
    user->reason = reason;
    if (user->on_closed)
        user->on_closed(user);
}

static const struct channel_events user_events = {
    .on_message = user_on_message, .on_room = user_on_room, .on_closed = user_on_closed};

static inline void user_fini(struct user *user)
{
    mem_free(user->last);
    user->last = NULL;
}

// Serves channels: each one that a peer opens goes to the next of `users`.
struct service {
    struct user users[64];
    int count;
    enum reason refuse;
    struct link *link;
    char open[64]; // of the last one
};

static inline enum reason service_serve(void *hub_arg, struct link *link, struct channel *channel,
                                        struct bytes open, const struct channel_events **events,
                                        void **arg)
{
    struct service *service = hub_arg;
    assert_in_range(open.length, 0, sizeof(service->open) - 1);
    memcpy(service->open, open.data, open.length);
    service->open[open.length] = 0;
    service->link = link;
    if (service->refuse != REASON_NONE)
        return service->refuse;
    assert_in_range(service->count, 0, 63);
    struct user *user = &service->users[service->count++];
    user->channel = channel;
    *events = &user_events;
    *arg = user;
    return REASON_NONE;
}

static inline void service_fini(struct service *service)
{
    for (int i = 0; i < service->count; i++)
        user_fini(&service->users[i]);
}

static inline struct channel *user_open(struct user *user, struct link *link, enum link_class cls,
                                        const char *open)
{
    user->channel =
        channel_open(link, LINK_M4S, cls, bytes_of(open, strlen(open)), &user_events, user);
    return user->channel;
}

// A message of so many bytes that depend on its seed.
static inline void send_pattern(struct channel *channel, size_t length, unsigned seed)
{
    struct buf *buf = buf_new(length);
    for (size_t i = 0; i < length; i++)
        buf->data[i] = (uint8_t)(i * 31 + i / 251 + seed);
    buf->length = length;
    struct chain chain = {0};
    // In three slices, as a head and a payload are.
    chain_add(&chain, buf, 0, length / 7);
    chain_add(&chain, buf, length / 7, length / 3);
    chain_add(&chain, buf, length / 7 + length / 3, length - length / 7 - length / 3);
    buf_unref(&buf);
    channel_send(channel, &chain);
    assert_int_equal(chain.bytes, 0);
    chain_fini(&chain);
}

static inline bool is_pattern(const uint8_t *data, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != (uint8_t)(i * 31 + i / 251 + seed))
            return false;
    }
    return true;
}

struct watcher {
    struct link_watch watch;
    int ups, downs;
    enum reason reason;
};

static inline void watcher_on_up(void *arg)
{
    ((struct watcher *)arg)->ups++;
}

static inline void watcher_on_down(void *arg, enum reason reason)
{
    struct watcher *watcher = arg;
    watcher->downs++;
    watcher->reason = reason;
}

static inline void watcher_add(struct watcher *watcher, struct link *link)
{
    *watcher = (struct watcher){
        .watch = {.on_up = watcher_on_up, .on_down = watcher_on_down, .arg = watcher}};
    link_watch_add(link, &watcher->watch);
}

#endif
