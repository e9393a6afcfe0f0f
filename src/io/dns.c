// SPDX-License-Identifier: MIT
// Host names to addresses, by c-ares in our loop.
//
// 1. One channel per query: queries are rare (a dial), a cancelled one takes its sockets with it,
//    and a changed resolv.conf is read by the next.
// 2. The answer is given by `answer` alone, in a later turn; the channel is destroyed there, never
//    inside one of its own callbacks.
#include "io/dns.h"

#include <ares.h>
#include <netdb.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop_priv.h"

#define DNS_MAGIC 0x444e5351u
#define DNS_TIMEOUT_US (5 * US_PER_S)
enum { TRY_TIMEOUT_MS = 1500, TRIES = 3 };

struct dns_socket {
    struct list_node node;
    struct ev_io watcher;
    struct dns_query *query;
};

struct dns_query {
    uint32_t magic;
    struct loop *loop;
    void (*on_done)(void *arg, int err, const struct address *addresses, unsigned count);
    void *arg;
    ares_channel channel; // NULL for literals and when it could not be made
    struct list sockets;  // struct dns_socket
    struct timeout retry; // when c-ares wants to look at its own timeouts
    struct timeout limit; // of the whole
    struct defer answering;
    bool answered; // err, addresses and count are final
    int err;
    unsigned count;
    struct address addresses[DNS_ADDRESSES_MAX];
};

static void query_free(struct dns_query *query)
{
    query->answered = true; // ares_destroy calls back
    if (query->channel)
        ares_destroy(query->channel);
    struct list_node *node;
    while ((node = list_take_first(&query->sockets))) {
        struct dns_socket *socket = LIST_OWNER(node, struct dns_socket, node);
        ev_io_stop(query->loop->ev, &socket->watcher);
        mem_free(socket);
    }
    timeout_stop(&query->retry);
    timeout_stop(&query->limit);
    loop_defer_cancel(query->loop, &query->answering);
    query->magic = 0;
    mem_free(query);
}

static void answer(void *arg)
{
    struct dns_query *query = arg;
    void (*on_done)(void *, int, const struct address *, unsigned) = query->on_done;
    void *on_done_arg = query->arg;
    int err = query->err;
    unsigned count = query->count;
    struct address addresses[DNS_ADDRESSES_MAX];
    memcpy(addresses, query->addresses, sizeof(addresses));
    query_free(query);
    on_done(on_done_arg, err, addresses, count);
}

static void set_answer(struct dns_query *query, int err)
{
    query->answered = true;
    query->err = err;
    loop_later(query->loop, &query->answering, answer, query);
}

static void on_resolved(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct dns_query *query = arg;
    if (!query->answered) {
        for (struct ares_addrinfo_node *node = info ? info->nodes : NULL;
             node && query->count < DNS_ADDRESSES_MAX; node = node->ai_next) {
            struct address *address = &query->addresses[query->count];
            query->count += address_from_system(node->ai_addr, node->ai_addrlen, address);
        }
        if (query->count > 0)
            set_answer(query, 0);
        else
            set_answer(query, status == ARES_ETIMEOUT ? ERR_TIMEOUT : ERR_NOT_FOUND);
    }
    if (info)
        ares_freeaddrinfo(info);
}

static void on_limit(void *arg)
{
    struct dns_query *query = arg;
    if (!query->answered)
        set_answer(query, ERR_TIMEOUT);
}

static void set_retry(struct dns_query *query)
{
    struct timeval wait;
    if (query->answered || !ares_timeout(query->channel, NULL, &wait))
        timeout_stop(&query->retry);
    else
        timeout_start(&query->retry, wait.tv_sec * US_PER_S + wait.tv_usec);
}

static void on_retry(void *arg)
{
    struct dns_query *query = arg;
    ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_retry(query);
}

static void on_io(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    struct dns_query *query = ((struct dns_socket *)watcher->data)->query;
    int descriptor = watcher->fd; // the socket may go inside
    ares_process_fd(query->channel, events & EV_READ ? descriptor : ARES_SOCKET_BAD,
                    events & EV_WRITE ? descriptor : ARES_SOCKET_BAD);
    set_retry(query);
}

// c-ares says what it wants to know of a socket; nothing: the socket is about to be closed.
static void on_socket_state(void *arg, ares_socket_t descriptor, int readable, int writable)
{
    struct dns_query *query = arg;
    struct dns_socket *found = NULL;
    LIST_FOREACH(&query->sockets, node, after)
    {
        struct dns_socket *socket = LIST_OWNER(node, struct dns_socket, node);
        if (socket->watcher.fd == descriptor)
            found = socket;
    }
    if (!found) {
        if (!readable && !writable)
            return;
        found = mem_alloc(sizeof(*found));
        found->query = query;
        list_append(&query->sockets, &found->node);
        ev_io_init(&found->watcher, on_io, descriptor, EV_READ);
        found->watcher.data = found;
    }
    ev_io_stop(query->loop->ev, &found->watcher);
    if (!readable && !writable) {
        list_remove(&query->sockets, &found->node);
        mem_free(found);
        return;
    }
    ev_io_set(&found->watcher, descriptor, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(query->loop->ev, &found->watcher);
}

static const char *test_server;

void dns_set_server_test(const char *server)
{
    test_server = server;
}

static void ask(struct dns_query *query, const char *host, uint16_t port)
{
    static bool library_ready;
    if (!library_ready)
        library_ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    struct ares_options options = {
        .timeout = TRY_TIMEOUT_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = query,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&query->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        log_error("dns", "resolver cannot start: %s", ares_strerror(status));
        query->channel = NULL;
        set_answer(query, ERR_NOT_FOUND);
        return;
    }
    if (test_server)
        ENSURE(ares_set_servers_ports_csv(query->channel, test_server) == ARES_SUCCESS);
    char service[8];
    text_format(service, sizeof(service), "%u", port);
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    timeout_start(&query->limit, DNS_TIMEOUT_US);
    ares_getaddrinfo(query->channel, host, service, &hints, on_resolved, query);
    set_retry(query);
}

struct dns_query *dns_resolve(struct loop *loop, const char *host, uint16_t port,
                              void (*on_done)(void *arg, int err, const struct address *addresses,
                                              unsigned count),
                              void *arg)
{
    struct dns_query *query = mem_alloc(sizeof(*query));
    query->magic = DNS_MAGIC;
    query->loop = loop;
    query->on_done = on_done;
    query->arg = arg;
    list_init(&query->sockets);
    timeout_init(&query->retry, loop, on_retry, query);
    timeout_init(&query->limit, loop, on_limit, query);
    if (address_parse(host, port, &query->addresses[0]) == 0) {
        query->count = 1;
        set_answer(query, 0);
    } else {
        ask(query, host, port);
    }
    return query;
}

void dns_cancel(struct dns_query **where)
{
    struct dns_query *query = *where;
    *where = NULL;
    if (!query)
        return;
    OBJ_CHECK(query, DNS_MAGIC);
    query_free(query);
}
