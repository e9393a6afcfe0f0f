// SPDX-License-Identifier: MIT
// A `source` line of the configuration as plain values: another server whose streams are brought
// here. Owned by the configuration; the cluster copies what it keeps.
#ifndef CLUSTER_SOURCE_CONF_H
#define CLUSTER_SOURCE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/conf.h"

enum { SOURCE_PORT_STANDARD = 80 };

struct source_conf {
    char *host; // owned; name or literal without brackets
    uint16_t port;
    char *prefix_in_url; // owned: only streams of the other server under this prefix; "" for all
    bool m4s;            // frames; false: whole segments (m4f://, or no scheme)
    char *cluster_key;   // owned; NULL: the global one
    // Names, or prefixes that end in "/*", or "*". Owned, and so are the arrays.
    char **only;
    unsigned only_count;
    bool has_only; // an `only` line stands there, perhaps without names
    char **except;
    unsigned except_count;
    // What its streams begin with: dvr, segment_duration, timeouts ... The name is empty, remote is
    // true, is_static is false and there are no inputs.
    struct stream_conf defaults;
};

void source_conf_init(struct source_conf *conf); // empty host, defaults of a remote stream
void source_conf_fini(struct source_conf *conf);
// `to` is overwritten; it must not hold anything.
void source_conf_copy(struct source_conf *to, const struct source_conf *from);
bool source_conf_equal(const struct source_conf *a, const struct source_conf *b);

#endif
