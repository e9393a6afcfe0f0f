// SPDX-License-Identifier: MIT
// What cache.c (what is kept), cache_scan.c (found at start) and cache_history.c (read) share.
//
// Invariants:
//  1. An entry is in its stream's array, in order of start and once for each start, and in the
//     cache's list, in the order in which they were fetched.
//  2. `bytes` counts the files of all entries.
//  3. Nothing is kept before the scan is over: what it finds is older.
#ifndef ARCHIVE_CACHE_PRIV_H
#define ARCHIVE_CACHE_PRIV_H

#include "archive/cache.h"
#include "base/limits.h"
#include "base/list.h"
#include "cache_parse.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "stream/history.h"

// 100 bytes of memory each.
struct cached {
    struct list_node node; // cache->kept
    struct cached_stream *stream;
    struct segment_info info;
    int64_t hour; // since 1970, when it was fetched
    uint32_t tail;
    bool writing;
};

struct cached_stream {
    struct cache *cache;
    char name[STREAM_NAME_MAX];
    struct cached **at; // by start
    size_t count, capacity;
};

struct cache {
    struct list_node node;
    struct caches *owner;
    char *path, *log_name;
    int64_t depth_us; // 0: no limit
    uint64_t size_bytes;
    unsigned users;
    struct file_queue *writes, *reads;
    struct map *streams;     // by name: struct cached_stream, owned
    struct list kept;        // struct cached, first fetched first
    struct list writing;     // struct cache_write
    struct list waiting;     // struct cache_request: until the scan, or a writing, is over
    struct cache_scan *scan; // under way
    uint64_t bytes;
    bool unmounted;          // as a look said: nothing is kept, or written there
    size_t belongs;          // length of the mount point that fstab names for it, 0 none
    size_t mount;            // and of the one it had when it was seen first; 0 not seen
    uint64_t device;         // then
    int64_t paused_until_us; // monotonic: the disk failed
    struct timeout ageing;
    struct cache_stats stats; // the counters
};

struct caches {
    struct loop *loop;
    const char *fstab; // its path: tests have another
    struct list caches;
};

enum { CACHE_PATH_ROOM = 4096 };

// cache.c
struct cached_stream *cache_stream(struct cache *cache, const char *name); // made when absent
// Index of the first that ends after this moment.
size_t cached_find(const struct cached_stream *stream, int64_t utc_us);
void cache_file_path(const struct cached *cached, char out[CACHE_PATH_ROOM]);
// Adds entries of one stream (owned from now on), in order of start. One whose start is there
// already goes, with its file.
void cached_add(struct cached_stream *stream, struct cached **more, size_t count);
void cache_remove(struct cached *cached); // with its file
void cache_make_room(struct cache *cache, uint64_t bytes);
void cache_failed(struct cache *cache, int os_error);
bool cache_paused(const struct cache *cache);
// What file_mount says of its path: true when the file system that belongs there is there, as it
// was. Else nothing is known to be there any more, and it is scanned again when it is back.
bool cache_is_mounted(struct cache *cache, const struct file_result *look);
// cache_scan.c: what is there. cache->scan is NULL when it is over.
void cache_scan_start(struct cache *cache);
void cache_scan_stop(struct cache *cache);
// cache_history.c
struct history *cache_history_new(struct cached_stream *stream);
void cache_requests_wake(struct cache *cache);
// cache.c: what the history calls.
void cache_keep(struct cached_stream *stream, struct segment *segment);
void cache_let_go(struct cache *cache); // a history of it was closed

#endif
