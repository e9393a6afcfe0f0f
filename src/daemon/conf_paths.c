// SPDX-License-Identifier: MIT
// Paths of archives and caches of a configuration: asked of the disk once each, and what hangs on a
// bad one.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf.h"

// Some ten thousand names of a usual length.
enum { FOLDERS_ROOM = 256 << 10 };

static void paths_know(struct map *seen, const struct stream_conf *conf)
{
    for (unsigned i = 0; i < conf->dvr.path_count; i++)
        map_set(seen, conf->dvr.path[i], seen);
    if (conf->cache.path)
        map_set(seen, conf->cache.path, seen);
}

// search: for streams without a line, see gather_kept.
static void add(struct conf_paths *paths, struct map *seen, const char *path, bool mounted,
                bool dvr, bool search)
{
    if (map_set(seen, path, seen))
        return;
    paths->item = mem_resize(paths->item, (paths->count + 1) * sizeof(paths->item[0]));
    paths->item[paths->count++] =
        (struct conf_path){.path = mem_strdup(path),
                           .mounted = mounted,
                           .real = search ? mem_alloc(PATH_MAX) : NULL,
                           .folders = search && dvr ? mem_alloc(FOLDERS_ROOM) : NULL};
}

static void paths_add(struct conf_paths *paths, struct map *seen, const struct stream_conf *conf,
                      bool search)
{
    for (unsigned i = 0; i < conf->dvr.path_count; i++)
        add(paths, seen, conf->dvr.path[i], conf->dvr.mounted, true, search);
    if (conf->cache.path)
        add(paths, seen, conf->cache.path, false, false, search);
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
        paths_add(paths, seen, &conf->stream[i]->conf, !known);
    for (unsigned i = 0; i < conf->source_count; i++)
        paths_add(paths, seen, &conf->source[i]->conf.defaults, !known);
    map_free(&seen);
}

void conf_paths_fini(struct conf_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        mem_free(paths->item[i].path);
        mem_free(paths->item[i].real);
        mem_free(paths->item[i].folders);
    }
    mem_free(paths->item);
    *paths = (struct conf_paths){0};
}

void conf_paths_check(struct conf_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        struct conf_path *item = &paths->item[i];
        item->waits = !archive_path_mounted(item->path, item->mounted);
        item->usable = item->waits || archive_path_usable(item->path, item->why, sizeof(item->why));
        if (item->real && !realpath(item->path, item->real))
            text_copy(item->real, PATH_MAX, item->path);
        if (item->folders && !item->waits && item->usable)
            (void)archive_folders(item->path, item->folders, FOLDERS_ROOM);
    }
}

static void warn_waiting(const struct conf_paths *paths, const struct dvr_conf *dvr,
                         const struct conf_place *at, struct conf_problems *problems)
{
    for (size_t i = 0; i < paths->count; i++)
        for (unsigned k = 0; k < dvr->path_count; k++)
            if (paths->item[i].waits && strcmp(paths->item[i].path, dvr->path[k]) == 0)
                conf_warning(problems, at,
                             "found nothing mounted at archive path '%s', expected the file system "
                             "that belongs there (it is not used before)",
                             dvr->path[k]);
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

// ---- streams without a line ---------------------------------------------------------------------

static bool is_longer(const struct dvr_conf *a, const struct dvr_conf *b)
{
    return b->path_count == 0 || (b->depth_s != 0 && (a->depth_s == 0 || a->depth_s > b->depth_s));
}

static void note_longest(const struct dvr_conf *dvr, const char *path, struct dvr_conf *longest)
{
    for (unsigned i = 0; i < dvr->path_count; i++)
        if (strcmp(dvr->path[i], path) == 0 && is_longer(dvr, longest)) {
            dvr_conf_fini(longest);
            dvr_conf_copy(longest, dvr);
            return;
        }
}

// Of all lines with this path the one that keeps longest: what nobody speaks of any more is not
// lost sooner than anything else there.
static void longest_of(const struct conf *conf, const char *path, struct dvr_conf *longest)
{
    dvr_conf_init(longest);
    for (unsigned i = 0; i < conf->stream_count; i++)
        note_longest(&conf->stream[i]->conf.dvr, path, longest);
    for (unsigned i = 0; i < conf->source_count; i++)
        note_longest(&conf->source[i]->conf.defaults.dvr, path, longest);
}

static void add_kept(struct conf *conf, const char *name, const char *path)
{
    conf->kept = mem_resize(conf->kept, (conf->kept_count + 1) * sizeof conf->kept[0]);
    struct stream_conf *kept = &conf->kept[conf->kept_count++];
    stream_conf_init(kept);
    (void)text_copy(kept->name, sizeof kept->name, name);
    kept->is_static = false;
    kept->kept = true;
    longest_of(conf, path, &kept->dvr);
}

// Whether the folder lies in another path of the configuration, below this one: whose it is knows
// that one.
static bool is_of_another(const struct conf_paths *paths, const struct conf_path *item,
                          const char *name)
{
    char folder[PATH_MAX + STREAM_NAME_MAX + 1];
    (void)text_format(folder, sizeof folder, "%s/%s", strcmp(item->real, "/") ? item->real : "",
                      name);
    for (size_t i = 0; i < paths->count; i++) {
        const char *real = paths->item[i].real;
        size_t length = strlen(real);
        if (length > strlen(item->real) && strncmp(folder, real, length) == 0 &&
            (folder[length] == '/' || folder[length] == 0))
            return true;
    }
    return false;
}

static void gather_kept(const struct conf_paths *paths, struct conf *conf)
{
    struct map *seen = map_new();
    for (unsigned i = 0; i < conf->stream_count; i++)
        map_set(seen, conf->stream[i]->conf.name, seen);
    for (unsigned i = 0; i < conf->bad_stream_count; i++)
        map_set(seen, conf->bad_stream[i], seen);
    for (size_t i = 0; i < paths->count; i++) {
        const char *at = paths->item[i].folders;
        for (const char *end; at && (end = strchr(at, '\n')); at = end + 1) {
            char name[STREAM_NAME_MAX];
            text_copy_n(name, sizeof name, at, (size_t)(end - at));
            if (!is_of_another(paths, &paths->item[i], name) && !map_set(seen, name, seen))
                add_kept(conf, name, paths->item[i].path);
        }
    }
    map_free(&seen);
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
    gather_kept(paths, conf);
    conf_problems_sort(problems);
}
