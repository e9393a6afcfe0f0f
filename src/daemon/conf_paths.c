// SPDX-License-Identifier: MIT
// Archive paths of a configuration: asked of the disk once each, and what hangs on a bad one.
#include <string.h>

#include "archive/archive.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf.h"

static void paths_add(struct conf_paths *paths, struct map *seen, const char *path)
{
    if (!path || map_set(seen, path, paths))
        return;
    paths->item = mem_resize(paths->item, (paths->count + 1) * sizeof(paths->item[0]));
    paths->item[paths->count++] = (struct conf_path){.path = mem_strdup(path)};
}

void conf_paths_init(struct conf_paths *paths, const struct conf *conf, const struct conf *known)
{
    struct map *seen = map_new();
    *paths = (struct conf_paths){0};
    for (unsigned i = 0; known && i < known->stream_count; i++) {
        if (known->stream[i]->conf.dvr.path)
            map_set(seen, known->stream[i]->conf.dvr.path, paths);
    }
    for (unsigned i = 0; known && i < known->source_count; i++) {
        if (known->source[i]->conf.defaults.dvr.path)
            map_set(seen, known->source[i]->conf.defaults.dvr.path, paths);
    }
    for (unsigned i = 0; i < conf->stream_count; i++)
        paths_add(paths, seen, conf->stream[i]->conf.dvr.path);
    for (unsigned i = 0; i < conf->source_count; i++)
        paths_add(paths, seen, conf->source[i]->conf.defaults.dvr.path);
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
        item->usable = archive_path_usable(item->path, item->why, sizeof(item->why));
    }
}

// Whether a line that begins at `at` records to a bad path; reports it.
static bool path_bad(const struct conf_paths *paths, const struct dvr_conf *dvr,
                     const struct conf_place *at, struct conf_problems *problems)
{
    for (size_t i = 0; dvr->path && i < paths->count; i++) {
        const struct conf_path *item = &paths->item[i];
        if (item->usable || strcmp(item->path, dvr->path) != 0)
            continue;
        conf_error(problems, at,
                   "found archive path '%s', expected a folder that can be found or made, and "
                   "written (%s)",
                   dvr->path, item->why);
        return true;
    }
    return false;
}

void conf_paths_apply(const struct conf_paths *paths, struct conf *conf,
                      struct conf_problems *problems)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < conf->stream_count; i++) {
        struct conf_stream *stream = conf->stream[i];
        if (path_bad(paths, &stream->conf.dvr, &stream->dvr_at, problems))
            conf_leave_out(conf, stream);
        else
            conf->stream[kept++] = stream;
    }
    conf->stream_count = kept;
    kept = 0;
    for (unsigned i = 0; i < conf->source_count; i++) {
        struct conf_source *source = conf->source[i];
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
