// SPDX-License-Identifier: MIT
// Fetching a configuration.
//
// States: FETCHING (files and folders, each of them once, as includes name them) -> CHECKING
// (archive paths) -> done. Cancelled in any state: goes on silently until the workers have
// answered.
//
// CHECKING lasts as long as a disk takes to answer, but for a bounded time: then it goes on without
// the answers that are missing, and the load is one that was cancelled.
//
// 1. `waiting` counts the answers of workers that are to come; the object is freed when it is zero
//    and there is nothing more to do.
#include "conf_load.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf_files.h"
#include "conf_parse.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"

enum { FETCHES_AT_ONCE = 32 };
// A disk that spins up answers within it; one that hangs shall not keep the others from recording.
#define PATIENCE_US (15 * US_PER_S)

struct conf_load {
    struct loop *loop;
    struct file_queue *queue;
    char *path;
    const struct conf *known;
    conf_load_fn done; // NULL when cancelled
    void *arg;
    struct conf_files *files;
    struct list todo; // of fetches that are not submitted
    unsigned fetched; // in all
    unsigned waiting;
    struct conf *conf;
    struct conf_problems problems;
    struct conf_paths paths;
    struct timeout patience;
    struct defer defer;
};

// What a fetch was for.
struct fetch {
    struct list_node node; // in todo
    struct conf_load *load;
    char *path;
    char *pattern; // of names in a folder; NULL for a file
};

static void load_fetch(struct conf_load *load, const char *path, const char *pattern);

static void load_free(struct conf_load *load)
{
    conf_paths_fini(&load->paths);
    conf_problems_fini(&load->problems);
    conf_free(&load->conf);
    conf_files_free(&load->files);
    file_queue_free(&load->queue);
    loop_defer_cancel(load->loop, &load->defer);
    timeout_stop(&load->patience);
    mem_free(load->path);
    mem_free(load);
}

static void load_finish(struct conf_load *load)
{
    if (load->done)
        load->done(load->arg, &load->conf, &load->problems);
    load_free(load);
}

// ---- archive paths ------------------------------------------------------------------------------

static int64_t run_check(void *arg) // in a worker
{
    conf_paths_check(arg);
    return 0;
}

static void on_checked(void *arg, const struct file_result *result)
{
    struct conf_load *load = arg;
    (void)result;
    load->waiting--;
    if (load->done)
        conf_paths_apply(&load->paths, load->conf, &load->problems);
    load_finish(load);
}

static void on_patience(void *arg)
{
    struct conf_load *load = arg;
    struct conf_paths told;
    if (!load->done)
        return;
    conf_paths_answered(&load->paths, &told);
    conf_paths_apply(&told, load->conf, &load->problems);
    conf_paths_fini(&told);
    conf_load_fn done = load->done;
    load->done = NULL;
    done(load->arg, &load->conf, &load->problems);
}

static void on_fetched(void *arg)
{
    struct conf_load *load = arg;
    if (!load->done) {
        load_free(load);
        return;
    }
    load->conf = conf_read(load->files, load->path, &load->problems);
    conf_paths_init(&load->paths, load->conf, load->known);
    if (load->paths.count > 0 && file_run(load->queue, run_check, &load->paths, on_checked, load)) {
        load->waiting++;
        timeout_start(&load->patience, PATIENCE_US);
    } else {
        load_finish(load);
    }
}

// ---- files --------------------------------------------------------------------------------------

static void on_file(void *arg, const struct file_result *result);

static void fetch_free(struct fetch *fetch)
{
    mem_free(fetch->path);
    mem_free(fetch->pattern);
    mem_free(fetch);
}

// Submits what there is to do, a few at a time: the queue is bounded, the number of files hardly.
static void load_go_on(struct conf_load *load)
{
    while (load->waiting < FETCHES_AT_ONCE && !list_empty(&load->todo)) {
        struct fetch *fetch = LIST_OWNER(list_take_first(&load->todo), struct fetch, node);
        struct file_op *op = fetch->pattern
                                 ? file_list(load->queue, fetch->path, on_file, fetch)
                                 : file_read_whole(load->queue, fetch->path,
                                                   (size_t)CONF_TEXT_MAX + 1, on_file, fetch);
        ENSURE(op != NULL);
        load->waiting++;
    }
    if (load->waiting == 0)
        loop_defer(load->loop, &load->defer, on_fetched, load);
}

static void fetch_match(void *arg, const char *path)
{
    load_fetch(arg, path, NULL);
}

static void fetch_include(void *arg, const char *pattern)
{
    struct fetch *from = arg;
    char path[CONF_PATH_MAX], folder[CONF_PATH_MAX], names[CONF_PATH_MAX];
    if (!conf_files_resolve(from->path, pattern, path, sizeof(path)))
        return; // conf_parse tells
    switch (conf_files_split(path, folder, names)) {
    case 0:
        load_fetch(from->load, path, NULL);
        break;
    case 1:
        load_fetch(from->load, folder, names);
        break;
    default:
        break; // conf_parse tells
    }
}

static void on_file(void *arg, const struct file_result *result)
{
    struct fetch *fetch = arg;
    struct conf_load *load = fetch->load;
    const char *why;
    if (result->err != 0) {
        conf_files_put_error(load->files, fetch->path,
                             result->os_error ? strerror(result->os_error) : "it cannot be read");
    } else if (fetch->pattern) {
        conf_files_put_folder(load->files, fetch->path, buf_bytes(result->data));
        (void)conf_files_match(load->files, fetch->path, fetch->pattern, fetch_match, load, &why);
    } else if (result->data->length > CONF_TEXT_MAX) {
        conf_files_put_error(load->files, fetch->path, "it is too large");
    } else {
        conf_files_put(load->files, fetch->path, buf_bytes(result->data));
        conf_parse_includes(fetch->path, buf_bytes(result->data), fetch_include, fetch);
    }
    fetch_free(fetch);
    load->waiting--;
    load_go_on(load);
}

// Wants a file, or the listing of a folder, unless it is known or on its way. A folder with several
// patterns is listed for each: it may be on its way only for the other.
static void load_fetch(struct conf_load *load, const char *path, const char *pattern)
{
    if (!pattern && conf_files_has(load->files, path))
        return;
    if (load->fetched == CONF_FILES_MAX)
        return; // conf_parse tells
    load->fetched++;
    if (!pattern)
        conf_files_put_error(load->files, path, "it was not read"); // until it is
    struct fetch *fetch = mem_alloc(sizeof(*fetch));
    fetch->load = load;
    fetch->path = mem_strdup(path);
    fetch->pattern = pattern ? mem_strdup(pattern) : NULL;
    list_append(&load->todo, &fetch->node);
}

// ---- life ---------------------------------------------------------------------------------------

struct conf_load *conf_load_start(struct loop *loop, const char *path, const struct conf *known,
                                  conf_load_fn done, void *arg)
{
    struct conf_load *load = mem_alloc(sizeof(*load));
    load->loop = loop;
    load->queue = file_queue_new(loop, "configuration", 1);
    load->path = mem_strdup(path);
    load->known = known;
    load->done = done;
    load->arg = arg;
    load->files = conf_files_new();
    list_init(&load->todo);
    timeout_init(&load->patience, loop, on_patience, load);
    load_fetch(load, path, NULL);
    load_go_on(load);
    return load;
}

void conf_load_cancel(struct conf_load **load)
{
    if (*load)
        (*load)->done = NULL;
    *load = NULL;
}
