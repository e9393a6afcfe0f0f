// SPDX-License-Identifier: MIT
// What the files of this folder share.
//
// Invariants:
//  1. A stream in `remote` was made here, has conf.remote set, and at least one source offers it.
//  2. An offer lives from the entry that told of it until its server says gone, or a complete
//     catalogue lacks it; a lost link changes nothing.
//  3. Whoever was told of a stream is told when it is not for him any more. Two servers that offer
//     each other what a third one had would otherwise keep it alive between them for ever.
#ifndef CLUSTER_CLUSTER_PRIV_H
#define CLUSTER_CLUSTER_PRIV_H

#include "base/list.h"
#include "base/map.h"
#include "catalogue_wire.h"
#include "cluster/cluster.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "link/link.h"
#include "source_rules.h"
#include "stream/protocol.h"
#include "stream/stream.h"

// Streams are offered on over at most so many servers: a circle of sources dies out.
enum { HOPS_MAX = 4 };

struct offer {
    uint8_t flags, hops;
    bool seen; // told since the link came up last
    int64_t archive_from_us;
    char *title; // owned, NULL when empty
};

struct cluster_source {
    struct list_node node;
    struct cluster *cluster;
    struct source_conf conf;
    char *key;      // owned: the one the link was asked for with
    char name[288]; // "source=host:port", for logs
    struct link *link;
    struct link_watch watch;
    struct channel *channel; // NULL when down
    struct timeout again;    // asks anew after the channel alone was lost
    uint64_t peer_id;        // of the process that was there last, 0 before the first
    struct map *offers;      // by remote name: struct offer, owned
    bool complete;
    enum reason last_reason;
    unsigned taken; // streams here that have an input from it
};

struct remote {
    struct stream *stream; // NULL while being removed
    uint8_t hops;
};

struct cluster {
    const struct protocol_env *env;
    struct list sources; // in the order of the configuration
    struct map *remote;  // by name: struct remote, owned
    struct map *dirty;   // names to look at again at the end of the turn
    struct defer update;
    struct streams_watch watch;
    struct list askers; // servers that follow our catalogue
};

// catalogue.c: our own catalogue, told to those who ask.
void catalogue_init(struct cluster *cluster);
void catalogue_fini(struct cluster *cluster);
void catalogue_changed(struct cluster *cluster, struct stream *stream, bool gone);
// The same for a stream of others whose offers changed: who may hear of it may have changed too.
void catalogue_changed_offers(struct cluster *cluster, struct stream *stream);
// cluster_source.c: one other server's catalogue.
struct cluster_source *cluster_source_new(struct cluster *cluster, const struct source_conf *conf);
// The same server under the same key, other rules: its link and its offers stay.
bool cluster_source_serves(const struct cluster_source *source, const struct source_conf *conf);
void cluster_source_configure(struct cluster_source *source, const struct source_conf *conf);
void cluster_source_free(struct cluster_source **source); // its offers go: names become dirty
// cluster.c
void cluster_look_again(struct cluster *cluster, const char *name);

#endif
