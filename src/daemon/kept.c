// SPDX-License-Identifier: MIT
// Streams without a line, by their footage.
//
// 1. One operation at a time; while it is under way its worker writes into `real` or `folders` and
//    nobody else touches them.
// 2. What is found counts by the configuration of that moment: a reload may come before.
#include "kept.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf.h"
#include "io/file.h"
#include "server.h"

// Some ten thousand names of a usual length.
enum { FOLDERS_ROOM = 256 << 10 };

struct kept_path {
    char *path, *real; // owned
    bool dvr, mounted; // one of a cache is only not searched through
};

struct kept_search {
    struct server *server; // NULL: cancelled
    struct file_queue *queue;
    struct kept_path *path;
    unsigned count, at;
    bool named;
    char real[PATH_MAX];
    char folders[FOLDERS_ROOM];
};

static void search_free(struct kept_search *search)
{
    for (unsigned i = 0; i < search->count; i++) {
        mem_free(search->path[i].path);
        mem_free(search->path[i].real);
    }
    mem_free(search->path);
    file_queue_free(&search->queue);
    mem_free(search);
}

// ---- what is found -----------------------------------------------------------------------------

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
// lost sooner than anything else there. None: a reload took the path away.
static void longest_of(const struct conf *conf, const char *path, struct dvr_conf *longest)
{
    dvr_conf_init(longest);
    for (unsigned i = 0; i < conf->stream_count; i++)
        note_longest(&conf->stream[i]->conf.dvr, path, longest);
    for (unsigned i = 0; i < conf->source_count; i++)
        note_longest(&conf->source[i]->conf.defaults.dvr, path, longest);
}

static void keep(struct server *server, const char *name, const char *path)
{
    struct stream_conf kept;
    stream_conf_init(&kept);
    (void)text_copy(kept.name, sizeof kept.name, name);
    kept.is_static = false;
    kept.kept = true;
    longest_of(server->conf, path, &kept.dvr);
    if (kept.dvr.path_count > 0)
        apply_kept(server, &kept);
    stream_conf_fini(&kept);
}

// Whether the folder lies in another path of the configuration, below this one: whose it is knows
// that one.
static bool is_of_another(const struct kept_search *search, const char *name)
{
    char folder[PATH_MAX + STREAM_NAME_MAX + 1];
    const char *from = search->path[search->at].real;
    (void)text_format(folder, sizeof folder, "%s/%s", strcmp(from, "/") ? from : "", name);
    for (unsigned i = 0; i < search->count; i++) {
        const char *real = search->path[i].real;
        size_t length = strlen(real);
        if (length > strlen(from) && strncmp(folder, real, length) == 0 &&
            (folder[length] == '/' || folder[length] == 0))
            return true;
    }
    return false;
}

static bool is_bad(const struct conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->bad_stream_count; i++)
        if (strcmp(conf->bad_stream[i], name) == 0)
            return true;
    return false;
}

static void take_folders(const struct kept_search *search)
{
    struct server *server = search->server;
    const char *at = search->folders;
    for (const char *end; (end = strchr(at, '\n')); at = end + 1) {
        char name[STREAM_NAME_MAX];
        text_copy_n(name, sizeof name, at, (size_t)(end - at));
        if (!is_of_another(search, name) && !is_bad(server->conf, name))
            keep(server, name, search->path[search->at].path);
    }
}

// ---- the search --------------------------------------------------------------------------------

static int64_t run_name(void *arg) // in a worker, as the next
{
    struct kept_search *search = arg;
    const char *path = search->path[search->at].path;
    if (!realpath(path, search->real))
        text_copy(search->real, sizeof search->real, path);
    return 0;
}

static int64_t run_search(void *arg)
{
    struct kept_search *search = arg;
    const struct kept_path *path = &search->path[search->at];
    search->folders[0] = 0;
    if (path->dvr && archive_path_mounted(path->path, path->mounted))
        (void)archive_folders(path->path, search->folders, FOLDERS_ROOM);
    return 0;
}

static void on_done(void *arg, const struct file_result *result);

static void step(struct kept_search *search)
{
    if (search->at == search->count && !search->named) {
        search->named = true;
        search->at = 0;
    }
    if (search->at == search->count || !search->server) {
        if (search->server)
            search->server->search = NULL;
        search_free(search);
        return;
    }
    struct file_op *op =
        file_run(search->queue, search->named ? run_search : run_name, search, on_done, search);
    ENSURE(op != NULL); // one at a time
}

static void on_done(void *arg, const struct file_result *result)
{
    struct kept_search *search = arg;
    (void)result;
    if (search->server && !search->server->ending) {
        if (search->named)
            take_folders(search);
        else
            search->path[search->at].real = mem_strdup(search->real);
        search->at++;
    } else {
        search->at = search->count;
        search->named = true;
    }
    step(search);
}

static void add(struct kept_search *search, struct map *seen, const char *path, bool dvr,
                bool mounted)
{
    if (map_set(seen, path, seen))
        return;
    search->path = mem_resize(search->path, (search->count + 1) * sizeof search->path[0]);
    search->path[search->count++] =
        (struct kept_path){.path = mem_strdup(path), .dvr = dvr, .mounted = mounted};
}

static void add_all(struct kept_search *search, struct map *seen, const struct stream_conf *conf)
{
    for (unsigned i = 0; i < conf->dvr.path_count; i++)
        add(search, seen, conf->dvr.path[i], true, conf->dvr.mounted);
    if (conf->cache.path)
        add(search, seen, conf->cache.path, false, false);
}

struct kept_search *kept_search_start(struct server *server)
{
    struct kept_search *search = mem_alloc(sizeof *search);
    struct map *seen = map_new();
    const struct conf *conf = server->conf;
    search->server = server;
    search->queue = file_queue_new(server->loop, "search", 1);
    for (unsigned i = 0; i < conf->stream_count; i++)
        add_all(search, seen, &conf->stream[i]->conf);
    for (unsigned i = 0; i < conf->source_count; i++)
        add_all(search, seen, &conf->source[i]->conf.defaults);
    map_free(&seen);
    if (search->count == 0) {
        search_free(search);
        return NULL;
    }
    step(search);
    return search;
}

void kept_search_cancel(struct kept_search **search)
{
    if (*search)
        (*search)->server = NULL;
    *search = NULL;
}
