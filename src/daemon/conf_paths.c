// SPDX-License-Identifier: MIT
// Paths of archives and caches of a configuration: asked of the disk once each, and what hangs on a
// bad one.
#include <string.h>

#include "archive/archive.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf.h"

static void paths_know(struct map *seen, const struct stream_conf *conf)
{
    for (unsigned i = 0; i < conf->dvr.path_count; i++)
        map_set(seen, conf->dvr.path[i], seen);
    if (conf->cache.path)
        map_set(seen, conf->cache.path, seen);
}

static void add(struct conf_paths *paths, struct map *seen, const char *path, bool mounted)
{
    if (map_set(seen, path, seen))
        return;
    paths->item = mem_resize(paths->item, (paths->count + 1) * sizeof(paths->item[0]));
    paths->item[paths->count++] = (struct conf_path){.path = mem_strdup(path), .mounted = mounted};
}

static void paths_add(struct conf_paths *paths, struct map *seen, const struct stream_conf *conf)
{
    for (unsigned i = 0; i < conf->dvr.path_count; i++)
        add(paths, seen, conf->dvr.path[i], conf->dvr.mounted);
    if (conf->cache.path)
        add(paths, seen, conf->cache.path, false);
}

void conf_paths_init(struct conf_paths *paths, const struct conf *conf, const struct conf *known)
{
    struct map *seen = map_new();
    *paths = (struct conf_paths){0};
    for (unsigned i = 0; known && i < known->stream_count; i++)
        paths_know(seen, &known->stream[i]->conf);
    for (unsigned i = 0; known && i < known->source_count; i++)
        paths_know(seen, &known->source[i]->conf.defaults);
    for (unsigned i = 0; i < conf->stream_count; i++)
        paths_add(paths, seen, &conf->stream[i]->conf);
    for (unsigned i = 0; i < conf->source_count; i++)
        paths_add(paths, seen, &conf->source[i]->conf.defaults);
    map_free(&seen);
}

void conf_paths_fini(struct conf_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        mem_free(paths->item[i].path);
    mem_free(paths->item);
    *paths = (struct conf_paths){0};
}

void conf_paths_check(struct conf_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        struct conf_path *item = &paths->item[i];
        item->waits = !archive_path_mounted(item->path, item->mounted);
        item->usable = item->waits || archive_path_usable(item->path, item->why, sizeof(item->why));
        item->answered = true;
    }
}

void conf_paths_answered(const struct conf_paths *paths, struct conf_paths *out)
{
    *out = (struct conf_paths){.count = paths->count};
    out->item = mem_alloc((paths->count + 1) * sizeof(out->item[0]));
    for (size_t i = 0; i < paths->count; i++) {
        const struct conf_path *from = &paths->item[i];
        struct conf_path *item = &out->item[i];
        item->path = mem_strdup(from->path);
        item->silent = !from->answered;
        item->usable = item->silent || from->usable;
        item->waits = !item->silent && from->waits;
        if (!item->silent)
            text_copy(item->why, sizeof(item->why), from->why);
    }
}

static void warn_waiting(const struct conf_paths *paths, const struct dvr_conf *dvr,
                         const struct conf_place *at, struct conf_problems *problems)
{
    for (size_t i = 0; i < paths->count; i++)
        for (unsigned k = 0; k < dvr->path_count; k++) {
            const struct conf_path *item = &paths->item[i];
            if (strcmp(item->path, dvr->path[k]) != 0)
                continue;
            if (item->waits)
                conf_warning(problems, at,
                             "found nothing mounted at archive path '%s', expected the file system "
                             "that belongs there (it is not used before)",
                             item->path);
            else if (item->silent)
                conf_warning(
                    problems, at,
                    "found no answer from the disk of archive path '%s', expected one (what "
                    "is recorded waits for it)",
                    item->path);
        }
}

static const struct conf_path *find_bad(const struct conf_paths *paths, const char *path)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (!paths->item[i].usable && strcmp(paths->item[i].path, path) == 0)
            return &paths->item[i];
    }
    return NULL;
}

// Whether a line that begins at `at` has no path that works; reports it, and each bad one where
// another takes over.
static bool path_bad(const struct conf_paths *paths, const struct dvr_conf *dvr,
                     const struct conf_place *at, struct conf_problems *problems)
{
    static const char text[] = "found archive path '%s', expected a folder that can be found or "
                               "made, and written (%s)";
    unsigned bad = 0;
    warn_waiting(paths, dvr, at, problems);
    for (unsigned i = 0; i < dvr->path_count; i++)
        bad += find_bad(paths, dvr->path[i]) != NULL;
    for (unsigned i = 0; bad > 0 && i < dvr->path_count; i++) {
        const struct conf_path *item = find_bad(paths, dvr->path[i]);
        if (item && bad == dvr->path_count)
            conf_error(problems, at, text, item->path, item->why);
        else if (item)
            conf_warning(problems, at, text, item->path, item->why);
    }
    return bad > 0 && bad == dvr->path_count;
}

// A cache is only a cache: what it cannot keep is fetched again.
static void say_cache(const struct conf_paths *paths, const struct cache_conf *cache,
                      const struct conf_place *at, struct conf_problems *problems)
{
    for (size_t i = 0; cache->path && i < paths->count; i++) {
        const struct conf_path *item = &paths->item[i];
        if (strcmp(item->path, cache->path) != 0)
            continue;
        if (item->waits)
            conf_warning(problems, at,
                         "found nothing mounted at cache path '%s', expected the file system that "
                         "belongs there (it is not used before)",
                         item->path);
        else if (!item->usable)
            conf_warning(problems, at,
                         "found cache path '%s', expected a folder that can be found or made, and "
                         "written (%s)",
                         item->path, item->why);
    }
}

void conf_paths_apply(const struct conf_paths *paths, struct conf *conf,
                      struct conf_problems *problems)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < conf->stream_count; i++) {
        struct conf_stream *stream = conf->stream[i];
        say_cache(paths, &stream->conf.cache, &stream->cache_at, problems);
        if (path_bad(paths, &stream->conf.dvr, &stream->dvr_at, problems))
            conf_leave_out(conf, stream);
        else
            conf->stream[kept++] = stream;
    }
    conf->stream_count = kept;
    kept = 0;
    for (unsigned i = 0; i < conf->source_count; i++) {
        struct conf_source *source = conf->source[i];
        say_cache(paths, &source->conf.defaults.cache, &source->cache_at, problems);
        if (path_bad(paths, &source->conf.defaults.dvr, &source->dvr_at, problems)) {
            conf->bad_source = true;
            source_conf_fini(&source->conf);
            mem_free(source);
        } else {
            conf->source[kept++] = source;
        }
    }
    conf->source_count = kept;
    conf_problems_sort(problems);
}
