// SPDX-License-Identifier: MIT
#include "link_net.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "link_priv.h"
#include "loop_fixture.h"
#include "stream/stream.h"

static struct conn *dial(void *arg, const char *host, uint16_t port,
                         const struct conn_events *events, void *events_arg, bool *open)
{
    static const struct conn_events none = {.on_data = NULL};
    struct link_net *net = ((struct site *)arg)->net;
    struct site *to = NULL;
    struct conn *here, *there;
    (void)port;
    for (unsigned i = 0; i < net->count; i++)
        if (strcmp(net->site[i]->host, host) == 0)
            to = net->site[i];
    conn_pair(net->loop, net->piece, events, events_arg, &none, NULL, &here, &there);
    *open = to && to->down == REASON_NONE;
    if (*open) {
        net->dials++;
        link_hub_accept_conn(to->env.links, there);
    } else {
        conn_close(here, to ? to->down : REASON_DNS);
        conn_close(there, REASON_DONE);
    }
    return here;
}

void link_net_open(struct link_net *net)
{
    *net = (struct link_net){.loop = loop_fixture_new_virtual()};
}

void link_net_close(struct link_net *net)
{
    loop_fixture_run(net->loop, 60 * US_PER_S);
    loop_fixture_free(&net->loop);
}

void link_net_run(struct link_net *net, int64_t duration_us)
{
    loop_fixture_run(net->loop, duration_us);
}

void site_open(struct site *site, struct link_net *net, const char *host)
{
    *site = (struct site){.host = host, .net = net};
    site->env.loop = net->loop;
    site->env.cluster_key = "123";
    site->env.links = link_hub_new(net->loop, "test/1");
    link_hub_set_key(site->env.links, "123");
    site->env.links->dial = dial;
    site->env.links->dial_arg = site;
    site->env.streams = streams_new(net->loop, &site->env);
    ENSURE(net->count < LINK_NET_SITES);
    net->site[net->count++] = site;
}

void site_close(struct site *site)
{
    site->down = REASON_REFUSED;
    streams_free(&site->env.streams);
    link_hub_free(&site->env.links);
    loop_fixture_settle(site->net->loop);
}

static void each_conn(struct site *site, void (*each)(struct conn *conn))
{
    struct list *lists[] = {&site->env.links->dialled, &site->env.links->accepted};
    for (unsigned i = 0; i < 2; i++)
        LIST_FOREACH(lists[i], it, after)
        {
            struct conn *conn = LIST_OWNER(it, struct link, node)->conn;
            if (conn)
                each(conn);
        }
}

void site_cut(struct site *site, enum reason down)
{
    site->down = down;
    if (down != REASON_NONE)
        each_conn(site, conn_pair_break);
}

static void stall(struct conn *conn)
{
    conn_pair_stall(conn, true);
}
static void go_on(struct conn *conn)
{
    conn_pair_stall(conn, false);
}

void site_stall(struct site *site, bool stalled)
{
    each_conn(site, stalled ? stall : go_on);
}
