// SPDX-License-Identifier: MIT
// Signaling between servers: who the other one is, and its catalogue. Serves ours to every link
// that asks; holds one link per `source`, and turns its catalogue into streams here.
//
// A remote stream gets one input per source that offers it (m4s://host:port/name, or m4f://); the
// stream layer attaches the far archive by itself. On demand unless named by `only`. A local stream
// with the same name wins. When a source is down its streams stay; when its new catalogue lacks
// one, that one goes.
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "cluster/source_conf.h"

struct cluster;
struct protocol_env;

struct cluster *cluster_new(const struct protocol_env *env);
void cluster_free(struct cluster **cluster); // remote streams are closed
// The whole list; sources that are equal to ones running go on undisturbed. list is copied.
void cluster_set_sources(struct cluster *cluster, const struct source_conf *list, unsigned count);
// Whether a stream of this name was made by a source (a local one may replace it: it is closed
// first).
bool cluster_owns(const struct cluster *cluster, const char *stream_name);
// Before a local stream is created: a remote one of the same name is closed.
void cluster_yield(struct cluster *cluster, const char *stream_name);

struct cluster_source_stats {
    const char *name; // host:port
    bool up;
    enum reason last_reason;
    unsigned streams; // offered and taken
    int64_t rtt_us, utc_offset_us;
    const char *peer_name;
};
void cluster_each_source(const struct cluster *cluster,
                         void (*each)(void *arg, const struct cluster_source_stats *stats),
                         void *arg);

#endif
