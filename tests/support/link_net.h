// SPDX-License-Identifier: MIT
// Servers of a test, each with its link hub, joined by connections in memory: dialling a host by
// the name it was added under reaches that hub. No TLS: keys are not compared.
#ifndef TESTS_SUPPORT_LINK_NET_H
#define TESTS_SUPPORT_LINK_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "stream/protocol.h"

enum { LINK_NET_SITES = 8 };

// One server: what protocols and the cluster need of it.
struct site {
    const char *host;
    struct protocol_env env;
    enum reason down; // what dialling it meets; NONE: it can be reached
    struct link_net *net;
};

struct link_net {
    struct loop *loop; // virtual time
    size_t piece;      // bytes delivered at a time; 0: all
    struct site *site[LINK_NET_SITES];
    unsigned count, dials;
};

struct link;

void link_net_open(struct link_net *net);
void link_net_close(struct link_net *net); // after its sites
void link_net_run(struct link_net *net, int64_t duration_us);
// A server with streams and links, cluster_key "123".
void site_open(struct site *site, struct link_net *net, const char *host);
void site_close(struct site *site); // after its cluster and protocols
// Breaks off every connection of the site, and refuses new ones to it until NONE is set.
void site_cut(struct site *site, enum reason down);
// Holds back what the site sends on its connections, accepted and dialled, or lets it go.
void site_stall(struct site *site, bool stalled);

#endif
