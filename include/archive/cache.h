// SPDX-License-Identifier: MIT
// Segments that other servers gave, kept on disk so that a second look costs no uplink. A stream's
// cache is a `history` that lists and reads what it keeps; stream/history_merge decides when.
//
// One file for each segment: PATH/HOUR/STREAM/NAME, HOUR being when it was fetched
// (docs/formats/cache.md). The disk is only touched through io/file with queues of its own. Nothing
// is given that was not checked; a damaged file is removed. A disk that is full, slow or broken
// only means that segments are fetched again.
#ifndef ARCHIVE_CACHE_H
#define ARCHIVE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/conf.h"

struct caches;
struct loop;
struct stream;

struct caches *caches_new(struct loop *loop);
// Every stream that has one must be closed before. What was not yet written is lost.
void caches_free(struct caches **caches);
// Gives the stream a cache, or takes it away (conf->path NULL). Streams with one PATH share it, and
// the limits said last count.
void cache_attach(struct caches *caches, struct stream *stream, const struct cache_conf *conf);

struct cache_stats {
    const char *path;
    uint64_t bytes, segments;  // kept now
    uint64_t hits, hit_bytes;  // segments (or heads) given
    uint64_t misses;           // segments that had to be fetched
    uint64_t written, removed; // segments, since the start
    uint64_t damaged, refused; // files that were not what was written; segments not kept: slow disk
    uint64_t errors;           // of the disk
    bool ready;                // what is there is known
    bool unmounted;            // another file system than its own is there: it is not used
};
// Each one in turn: start with *cursor = 0; false at the end.
bool caches_next(const struct caches *caches, unsigned *cursor, struct cache_stats *out);

#endif
