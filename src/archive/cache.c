// SPDX-License-Identifier: MIT
// What a cache keeps, and for how long. Goes first what was fetched first: that order survives a
// restart without a write for each look, and the limits of age and size follow the same one. What
// is watched again after it went is fetched once more.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "cache_priv.h"
#include "disk.h"
#include "format/cmaf.h"
#include "stream/stream.h"

enum { WRITE_THREADS = 1, READ_THREADS = 2, AGED_AT_ONCE = 1000 };

#define HOUR_US (3600 * US_PER_S)
#define AGEING_US (10 * US_PER_S)
// A disk that failed is left alone for so long; one that is full loses so much besides.
#define PAUSE_US (10 * US_PER_S)
#define FULL_BYTES (64ull << 20)

// A file being written.
struct cache_write {
    struct list_node node;
    struct cache *cache;
    struct cached *cached; // not removed while it is written
    struct chain bytes;
    struct file *file;
};

// ---- entries -----------------------------------------------------------------------------------

struct cached_stream *cache_stream(struct cache *cache, const char *name)
{
    struct cached_stream *stream = map_get(cache->streams, name);
    if (stream)
        return stream;
    stream = mem_alloc(sizeof *stream);
    stream->cache = cache;
    (void)text_copy(stream->name, sizeof stream->name, name);
    (void)map_set(cache->streams, name, stream);
    return stream;
}

size_t cached_find(const struct cached_stream *stream, int64_t utc_us)
{
    size_t low = 0, high = stream->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct segment_info *info = &stream->at[middle]->info;
        if (info->utc_start_us + info->duration_us <= utc_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void cache_file_path(const struct cached *cached, char out[CACHE_PATH_ROOM])
{
    char name[CACHE_NAME_ROOM], folder[STREAM_NAME_MAX];
    cache_name_write(&cached->info, name);
    (void)text_copy(folder, sizeof folder, cached->stream->name);
    for (char *at = folder; *at; at++) // one folder, and ',' is in no name
        *at = *at == '/' ? ',' : *at;
    (void)text_format(out, CACHE_PATH_ROOM, "%s/%lld/%s/%s", cached->stream->cache->path,
                      (long long)cached->hour, folder, name);
}

static uint64_t file_bytes(const struct cached *cached)
{
    return cached->info.bytes + cached->tail;
}

static void remove_file(const struct cached *cached)
{
    struct cache *cache = cached->stream->cache;
    char path[CACHE_PATH_ROOM];
    cache_file_path(cached, path);
    (void)file_remove(cache->writes, path, cache->path, NULL, NULL);
}

static size_t index_of(const struct cached *cached)
{
    const struct cached_stream *stream = cached->stream;
    size_t low = 0, high = stream->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->at[middle]->info.utc_start_us < cached->info.utc_start_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void cached_add(struct cached_stream *stream, struct cached **more, size_t count)
{
    struct cache *cache = stream->cache;
    size_t fresh = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = index_of(more[i]);
        bool known =
            (k < stream->count && stream->at[k]->info.utc_start_us == more[i]->info.utc_start_us) ||
            (fresh > 0 && more[fresh - 1]->info.utc_start_us == more[i]->info.utc_start_us);
        if (known) {
            remove_file(more[i]);
            mem_free(more[i]);
            continue;
        }
        list_append(&cache->kept, &more[i]->node);
        cache->bytes += file_bytes(more[i]);
        more[fresh++] = more[i];
    }
    if (stream->count + fresh > stream->capacity) {
        stream->capacity = (stream->count + fresh) * 3 / 2 + 16;
        stream->at = mem_resize(stream->at, stream->capacity * sizeof stream->at[0]);
    }
    size_t old = stream->count, to = old + fresh;
    stream->count = to;
    while (fresh > 0) { // from the end, so that nothing is in the way
        bool later =
            old > 0 && stream->at[old - 1]->info.utc_start_us > more[fresh - 1]->info.utc_start_us;
        stream->at[--to] = later ? stream->at[--old] : more[--fresh];
    }
}

static void forget(struct cached *cached)
{
    struct cached_stream *stream = cached->stream;
    size_t at = index_of(cached);
    memmove(stream->at + at, stream->at + at + 1, (stream->count - at - 1) * sizeof stream->at[0]);
    stream->count--;
    list_remove(&stream->cache->kept, &cached->node);
    stream->cache->bytes -= file_bytes(cached);
    mem_free(cached);
}

void cache_remove(struct cached *cached)
{
    cached->stream->cache->stats.removed++;
    remove_file(cached);
    forget(cached);
}

static void forget_all(struct cache *cache)
{
    LIST_FOREACH(&cache->kept, it, after)
    {
        struct cached *cached = LIST_OWNER(it, struct cached, node);
        if (!cached->writing)
            forget(cached);
    }
}

bool cache_is_mounted(struct cache *cache, const struct file_result *look)
{
    uint64_t device[2]; // under the path, and of "/"
    if (look->err != 0 || !look->data || look->data->length < sizeof device) {
        cache_failed(cache, look->os_error);
        return false;
    }
    memcpy(device, look->data->data, sizeof device);
    size_t mount = (size_t)look->value;
    bool is = mount >= cache->mount && disk_is_its_own(mount, device, cache->belongs, false);
    bool other = is && cache->mount != 0 && cache->device != device[0];
    if (is == cache->unmounted || other) {
        if (is)
            log_info(cache->log_name, other ? "the disk is another one" : "used again");
        else
            log_error(cache->log_name, "not used reason=unmounted");
        cache->unmounted = !is;
        forget_all(cache);
        if (is && !cache->scan)
            cache_scan_start(cache);
    }
    if (is) {
        cache->mount = mount;
        cache->device = device[0];
    }
    return is;
}

void cache_make_room(struct cache *cache, uint64_t bytes)
{
    LIST_FOREACH(&cache->kept, it, after)
    {
        struct cached *cached = LIST_OWNER(it, struct cached, node);
        bool fits = !cache->size_bytes || cache->bytes + bytes <= cache->size_bytes;
        if (fits && cache->kept.count < CACHE_ENTRIES_MAX)
            break;
        if (!cached->writing)
            cache_remove(cached);
    }
}

static void on_ageing(void *arg)
{
    struct cache *cache = arg;
    int64_t oldest_hour = (utc_us() - cache->depth_us) / HOUR_US;
    unsigned left = AGED_AT_ONCE;
    LIST_FOREACH(&cache->kept, it, after)
    {
        struct cached *cached = LIST_OWNER(it, struct cached, node);
        if (!cache->depth_us || cached->hour >= oldest_hour || left-- == 0)
            break;
        if (!cached->writing)
            cache_remove(cached);
    }
    cache_make_room(cache, 0);
    if (cache->unmounted && !cache->scan)
        cache_scan_start(cache);
    timeout_start(&cache->ageing, AGEING_US);
}

// ---- keeping -----------------------------------------------------------------------------------

bool cache_paused(const struct cache *cache)
{
    return now_us() < cache->paused_until_us;
}

void cache_failed(struct cache *cache, int os_error)
{
    cache->stats.errors++;
    if (!cache_paused(cache))
        log_warn(cache->log_name, "the disk refused errno=%d", os_error);
    cache->paused_until_us = now_us() + PAUSE_US;
    uint64_t freed = cache->bytes;
    LIST_FOREACH(&cache->kept, it, after)
    {
        struct cached *cached = LIST_OWNER(it, struct cached, node);
        if ((os_error != ENOSPC && os_error != EDQUOT) || freed - cache->bytes >= FULL_BYTES)
            break;
        if (!cached->writing)
            cache_remove(cached);
    }
}

static void write_end(struct cache_write *write, const struct file_result *result)
{
    struct cache *cache = write->cache;
    write->cached->writing = false;
    file_close(&write->file);
    if (!result) { // the queue is full, or nothing is mounted
        cache->stats.refused++;
        cache_remove(write->cached);
    } else if (result->err != 0) {
        int os_error = result->os_error;
        cache_remove(write->cached);
        cache_failed(cache, os_error);
    } else {
        cache->stats.written++;
    }
    list_remove(&cache->writing, &write->node);
    chain_fini(&write->bytes);
    mem_free(write);
    cache_requests_wake(cache);
}

static void on_written(void *arg, const struct file_result *result)
{
    write_end(arg, result);
}

static void on_open(void *arg, const struct file_result *result);

// Nothing is written behind a mount that is not there.
static void on_look(void *arg, const struct file_result *result)
{
    struct cache_write *write = arg;
    char path[CACHE_PATH_ROOM];
    cache_file_path(write->cached, path);
    if (!cache_is_mounted(write->cache, result) ||
        !file_open(write->cache->writes, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, on_open, write))
        write_end(write, NULL);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct cache_write *write = arg;
    write->file = result->file;
    if (result->err != 0)
        write_end(write, result);
    else if (!file_append(write->file, &write->bytes, on_written, write))
        write_end(write, NULL);
}

void cache_keep(struct cached_stream *stream, struct segment *segment)
{
    struct cache *cache = stream->cache;
    const struct chain *bytes = segment_rendition(segment, &cmaf_rendition_key);
    struct file_stats queue;
    cache->stats.misses++;
    file_queue_stats(cache->writes, &queue);
    if (cache->scan || cache->unmounted || cache_paused(cache) ||
        queue.bytes_queued > CACHE_QUEUE_BYTES_MAX || !bytes ||
        (cache->size_bytes && bytes->bytes > cache->size_bytes / 2)) {
        cache->stats.refused++;
        return;
    }
    struct buf *init = cmaf_init_write(segment->tracks), *heads = cmaf_segment_heads(segment);
    struct buf *tail = cache_tail_write(init, heads);
    struct cached *cached = mem_alloc(sizeof *cached);
    *cached = (struct cached){.stream = stream,
                              .info = segment->info,
                              .hour = utc_us() / HOUR_US,
                              .tail = (uint32_t)tail->length,
                              .writing = true};
    cached->info.bytes = bytes->bytes;
    size_t at = index_of(cached);
    bool known =
        at < stream->count && stream->at[at]->info.utc_start_us == cached->info.utc_start_us;
    if (known && stream->at[at]->info.flags & ~cached->info.flags & SEGMENT_THINNED &&
        !stream->at[at]->writing) {
        cache_remove(stream->at[at]); // now it is there whole
        known = false;
    }
    if (known) {
        mem_free(cached); // two asked for it at once, or it is there whole already
    } else {
        struct cache_write *write = mem_alloc(sizeof *write);
        cache_make_room(cache, bytes->bytes);
        cached_add(stream, &cached, 1);
        *write = (struct cache_write){.cache = cache, .cached = cached};
        chain_add_range(&write->bytes, bytes, 0, bytes->bytes);
        chain_add(&write->bytes, tail, 0, tail->length);
        list_append(&cache->writing, &write->node);
        if (!file_mount(cache->writes, cache->path, on_look, write))
            write_end(write, NULL);
    }
    buf_unref(&init);
    buf_unref(&heads);
    buf_unref(&tail);
}

// ---- life --------------------------------------------------------------------------------------

static struct cache *cache_get(struct caches *caches, const char *path)
{
    LIST_FOREACH(&caches->caches, it, after)
    {
        struct cache *cache = LIST_OWNER(it, struct cache, node);
        if (strcmp(cache->path, path) == 0)
            return cache;
    }
    struct cache *cache = mem_alloc(sizeof *cache);
    char name[64];
    (void)text_format(name, sizeof name, "cache=%s", path);
    cache->owner = caches;
    cache->path = mem_strdup(path);
    cache->log_name = mem_strdup(name);
    cache->writes = file_queue_new(caches->loop, name, WRITE_THREADS);
    cache->reads = file_queue_new(caches->loop, name, READ_THREADS);
    cache->streams = map_new();
    list_init(&cache->kept);
    list_init(&cache->writing);
    list_init(&cache->waiting);
    timeout_init(&cache->ageing, caches->loop, on_ageing, cache);
    timeout_start(&cache->ageing, AGEING_US);
    list_append(&caches->caches, &cache->node);
    cache_scan_start(cache);
    return cache;
}

static void cache_free(struct cache *cache)
{
    struct list_node *node;
    size_t cursor = 0;
    void *value;
    cache_scan_stop(cache);
    timeout_stop(&cache->ageing);
    while ((node = list_take_first(&cache->writing)) != NULL) {
        struct cache_write *write = LIST_OWNER(node, struct cache_write, node);
        file_close(&write->file);
        chain_fini(&write->bytes);
        mem_free(write);
    }
    file_queue_free(&cache->writes);
    file_queue_free(&cache->reads);
    while ((node = list_take_first(&cache->kept)) != NULL)
        mem_free(LIST_OWNER(node, struct cached, node));
    while (map_next(cache->streams, &cursor, NULL, &value)) {
        mem_free(((struct cached_stream *)value)->at);
        mem_free(value);
    }
    map_free(&cache->streams);
    list_remove(&cache->owner->caches, &cache->node);
    mem_free(cache->path);
    mem_free(cache->log_name);
    mem_free(cache);
}

struct caches *caches_new(struct loop *loop)
{
    struct caches *caches = mem_alloc(sizeof *caches);
    caches->loop = loop;
    caches->fstab = "/etc/fstab";
    list_init(&caches->caches);
    return caches;
}

void caches_free(struct caches **caches)
{
    struct caches *gone = *caches;
    *caches = NULL;
    if (!gone)
        return;
    LIST_FOREACH(&gone->caches, it, after)
    cache_free(LIST_OWNER(it, struct cache, node));
    mem_free(gone);
}

void cache_let_go(struct cache *cache)
{
    // One that nobody uses any more stays until the end: its files are still its own, and a reload
    // that brings it back need not look for them again.
    cache->users--;
}

void cache_attach(struct caches *caches, struct stream *stream, const struct cache_conf *conf)
{
    struct cached_stream *known = stream_slot(stream, STREAM_SLOT_CACHE);
    struct history *history = NULL;
    bool same = known && conf->path && strcmp(known->cache->path, conf->path) == 0;
    struct cache *cache = conf->path ? cache_get(caches, conf->path) : NULL;
    if (cache) {
        cache->depth_us = conf->depth_s * US_PER_S;
        cache->size_bytes = conf->size_bytes;
    }
    if (same || (!known && !cache))
        return;
    stream_set_slot(stream, STREAM_SLOT_CACHE, NULL);
    if (cache) {
        struct cached_stream *cached = cache_stream(cache, stream_name(stream));
        history = cache_history_new(cached);
        cache->users++;
        stream_set_slot(stream, STREAM_SLOT_CACHE, cached);
    }
    stream_set_cache(stream, &history);
}

bool caches_next(const struct caches *caches, unsigned *cursor, struct cache_stats *out)
{
    unsigned at = 0;
    LIST_FOREACH(&caches->caches, it, after)
    {
        const struct cache *cache = LIST_OWNER(it, struct cache, node);
        if (at++ < *cursor)
            continue;
        *out = cache->stats;
        out->path = cache->path;
        out->bytes = cache->bytes;
        out->segments = cache->kept.count;
        out->ready = !cache->scan;
        out->unmounted = cache->unmounted;
        (*cursor)++;
        return true;
    }
    return false;
}
