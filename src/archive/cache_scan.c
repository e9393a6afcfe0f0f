// SPDX-License-Identifier: MIT
// What is on the disk of a cache when the server starts, or when the disk is there again: folder by
// folder, hours in their order, so that what was fetched first is found first. A listing is a
// worker's; a turn of the loop takes the names of one folder (an hour of one stream).
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "cache_priv.h"
#include "fstab_parse.h"

enum { FSTAB_BYTES_MAX = 1 << 20 };

struct cache_scan {
    struct cache *cache;
    struct file_op *op;
    struct buf *hours, *streams; // listings under way
    size_t hour_at, stream_at;
    int64_t hour;
    char folder[CACHE_PATH_ROOM], name[STREAM_NAME_MAX];
};

static void step(struct cache_scan *scan);

void cache_scan_stop(struct cache *cache)
{
    struct cache_scan *scan = cache->scan;
    cache->scan = NULL;
    if (!scan)
        return;
    file_op_cancel(&scan->op);
    buf_unref(&scan->hours);
    buf_unref(&scan->streams);
    mem_free(scan);
}

static void end(struct cache_scan *scan)
{
    struct cache *cache = scan->cache;
    cache_scan_stop(cache);
    if (!cache->unmounted)
        log_info(cache->log_name, "ready segments=%zu bytes=%llu", cache->kept.count,
                 (unsigned long long)cache->bytes);
    cache_make_room(cache, 0);
    cache_requests_wake(cache);
}

// The next line of a listing that begins with this letter, without it; false at the end.
static bool next_line(const struct buf *listing, size_t *at, char kind, struct bytes *out)
{
    while (listing && *at < listing->length) {
        const uint8_t *line = listing->data + *at;
        const uint8_t *end = memchr(line, '\n', listing->length - *at);
        size_t length = end ? (size_t)(end - line) : listing->length - *at;
        *at += length + 1;
        if (length > 2 && line[0] == (uint8_t)kind && line[1] == ' ') {
            *out = bytes_of(line + 2, length - 2);
            return true;
        }
    }
    return false;
}

static int by_start(const void *a, const void *b)
{
    int64_t x = (*(struct cached *const *)a)->info.utc_start_us;
    int64_t y = (*(struct cached *const *)b)->info.utc_start_us;
    return (x > y) - (x < y);
}

// "NAME SIZE": what is not one of ours stays where it is and is not counted.
static struct cached *read_line(struct cache_scan *scan, struct cached_stream *stream,
                                struct bytes line)
{
    const uint8_t *space = memchr(line.data, ' ', line.length);
    struct segment_info info;
    char text[24];
    int64_t size;
    size_t length = space ? (size_t)(space - line.data) : 0;
    if (!space || cache_name_parse(bytes_of(line.data, length), &info) != 0 ||
        !text_copy_n(text, sizeof text, (const char *)space + 1, line.length - length - 1) ||
        text_to_int(text, 0, INT64_MAX, &size) != 0)
        return NULL;
    struct cached *cached = mem_alloc(sizeof *cached);
    uint64_t tail = (uint64_t)size > info.bytes ? (uint64_t)size - info.bytes : 0;
    // One that was cut off has no tail: found out, and removed, when it is read.
    *cached = (struct cached){.stream = stream,
                              .info = info,
                              .hour = scan->hour,
                              .tail = tail < CACHE_TAIL_MAX ? (uint32_t)tail : 0};
    return cached;
}

static void take_folder(struct cache_scan *scan, const struct buf *listing)
{
    struct cached_stream *stream = cache_stream(scan->cache, scan->name);
    struct cached **found = mem_alloc(sizeof found[0]);
    size_t count = 0, at = 0, room = 1;
    struct bytes line;
    while (next_line(listing, &at, 'f', &line) &&
           scan->cache->kept.count + count < CACHE_ENTRIES_MAX) {
        struct cached *cached = read_line(scan, stream, line);
        if (!cached)
            continue;
        if (count == room) {
            room *= 2;
            found = mem_resize(found, room * sizeof found[0]);
        }
        found[count++] = cached;
    }
    qsort(found, count, sizeof found[0], by_start); // an hour's
    cached_add(stream, found, count);
    mem_free(found);
}

static void on_files(void *arg, const struct file_result *result)
{
    struct cache_scan *scan = arg;
    scan->op = NULL;
    if (result->err == 0)
        take_folder(scan, result->data);
    step(scan);
}

static void on_streams(void *arg, const struct file_result *result)
{
    struct cache_scan *scan = arg;
    scan->op = NULL;
    buf_unref(&scan->streams);
    scan->streams = result->err == 0 ? buf_ref(result->data) : NULL;
    scan->stream_at = 0;
    step(scan);
}

static void on_hours(void *arg, const struct file_result *result)
{
    struct cache_scan *scan = arg;
    scan->op = NULL;
    if (result->err == 0)
        scan->hours = buf_ref(result->data);
    else if (result->err != ERR_NOT_FOUND)
        cache_failed(scan->cache, result->os_error);
    step(scan);
}

static void under_way(struct cache_scan *scan, struct file_op *op)
{
    scan->op = op;
    if (!op)
        end(scan);
}

static void ask(struct cache_scan *scan, const char *path, file_done_fn done)
{
    under_way(scan, file_list(scan->cache->reads, path, done, scan));
}

static void on_mount(void *arg, const struct file_result *result)
{
    struct cache_scan *scan = arg;
    scan->op = NULL;
    if (cache_is_mounted(scan->cache, result))
        ask(scan, scan->cache->path, on_hours);
    else
        end(scan);
}

static void on_fstab(void *arg, const struct file_result *result)
{
    struct cache_scan *scan = arg;
    struct cache *cache = scan->cache;
    scan->op = NULL;
    if (result->err == 0 && result->data)
        cache->belongs = fstab_mount_point(buf_bytes(result->data), cache->path);
    under_way(scan, file_mount(cache->reads, cache->path, on_mount, scan));
}

static void step(struct cache_scan *scan)
{
    char path[CACHE_PATH_ROOM];
    struct bytes line;
    if (next_line(scan->streams, &scan->stream_at, 'd', &line)) {
        if (!text_copy_n(scan->name, sizeof scan->name, (const char *)line.data, line.length))
            scan->name[0] = 0;
        (void)text_format(path, sizeof path, "%s/%s", scan->folder, scan->name);
        for (char *at = scan->name; *at; at++)
            *at = *at == ',' ? '/' : *at;
        ask(scan, path, on_files);
    } else if (next_line(scan->hours, &scan->hour_at, 'd', &line)) {
        char hour[24];
        if (!text_copy_n(hour, sizeof hour, (const char *)line.data, line.length) ||
            text_to_int(hour, 0, INT32_MAX, &scan->hour) != 0)
            hour[0] = 0; // not ours: its folders are looked for in vain
        (void)text_format(scan->folder, sizeof scan->folder, "%s/%s", scan->cache->path,
                          hour[0] ? hour : ".none");
        ask(scan, scan->folder, on_streams);
    } else {
        end(scan);
    }
}

void cache_scan_start(struct cache *cache)
{
    struct cache_scan *scan = mem_alloc(sizeof *scan);
    cache->scan = scan;
    scan->cache = cache;
    under_way(scan,
              file_read_whole(cache->reads, cache->owner->fstab, FSTAB_BYTES_MAX, on_fstab, scan));
}
