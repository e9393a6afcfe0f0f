// SPDX-License-Identifier: MIT
// The server as a whole.
//
// 1. Objects are made from the bottom up and freed from the top down: inputs first, then what is in
//    memory goes to disk, then peers and players are let go.
// 2. env.cluster_key always points to text, and changes before links and sources hear of it.
#include "server.h"

#include "kept.h"

#include <string.h>

#include "api.h"
#include "archive/archive.h"
#include "archive/cache.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/cluster.h"
#include "http/http.h"
#include "link/link.h"
#include "notify.h"

#define GOODBYE_US (50 * US_PER_MS)
#define GOODBYE_MAX_US (1 * US_PER_S)

// Remote streams come and go by themselves; those whose source has a dvr line are recorded here,
// and kept in its cache.
static void on_change(void *arg, struct stream *stream, bool gone)
{
    struct server *server = arg;
    const struct stream_conf *conf = stream_conf(stream);
    if (!conf->remote || gone)
        return; // the archive of a stream that is closed goes with it
    if (conf->dvr.path_count == 0)
        archive_detach(server->archives, stream);
    else if (archive_attach(server->archives, stream, &conf->dvr) != 0)
        log_error(stream_log_name(stream), "has no archive path=%s", conf->dvr.path[0]);
    cache_attach(server->caches, stream, &conf->cache);
}

static void on_tls(void *arg, int descriptor, const struct address *from)
{
    struct server *server = arg;
    link_hub_accept(server->links, descriptor, from);
}

struct server *server_new(struct loop *loop, const char *conf_path)
{
    struct server *server = mem_alloc(sizeof(*server));
    server->loop = loop;
    server->conf_path = mem_strdup(conf_path);
    server->cluster_key = mem_strdup("");
    server->export_path = mem_strdup("");
    server->started_us = now_us();
    server->started_utc_us = utc_us();
    server->http = http_server_new(loop);
    server->links = link_hub_new(loop, SLUICE_VERSION);
    server->env = (struct protocol_env){.loop = loop,
                                        .http = server->http,
                                        .links = server->links,
                                        .export_path = server->export_path,
                                        .cluster_key = server->cluster_key};
    server->streams = streams_new(loop, &server->env);
    server->env.streams = server->streams;
    server->archives = archives_new(loop);
    server->caches = caches_new(loop);
    server->cluster = cluster_new(&server->env);
    server->watch = (struct streams_watch){.on_change = on_change, .arg = server};
    streams_watch_add(server->streams, &server->watch);
    http_server_on_tls(server->http, on_tls, server);
    for (const struct protocol *const *protocol = protocols_all(); *protocol; protocol++) {
        if ((*protocol)->init && (*protocol)->init(&server->env) != 0)
            log_error("protocol", "%s cannot be used", (*protocol)->name);
        if ((*protocol)->routes)
            http_server_add_routes(server->http, (*protocol)->routes, &server->env);
    }
    api_add_routes(server);
    return server;
}

static void on_time(void *arg)
{
    *(bool *)arg = true;
}

// Turns the loop for a moment: goodbyes go out, workers of disks answer. Longer only for a reload
// or a search that is under way, whose worker writes into memory of ours.
static void settle(struct server *server)
{
    int64_t end_us = now_us() + GOODBYE_MAX_US;
    do {
        struct timeout timeout;
        bool over = false;
        timeout_init(&timeout, server->loop, on_time, &over);
        timeout_start(&timeout, GOODBYE_US);
        while (!over)
            loop_turn(server->loop, true);
    } while ((server->load || server->search) && now_us() < end_us);
}

void server_free(struct server **where, int64_t flush_us)
{
    struct server *server = *where;
    *where = NULL;
    server->ending = true;
    streams_watch_remove(server->streams, &server->watch);
    for (unsigned i = 0; i < server->listen_count; i++)
        http_server_unlisten(server->http, server->listen[i].host, server->listen[i].port);
    cluster_free(&server->cluster);
    streams_close_all(server->streams); // before their protocols go
    for (const struct protocol *const *protocol = protocols_all(); *protocol; protocol++) {
        if ((*protocol)->fini)
            (*protocol)->fini(&server->env);
    }
    streams_free(&server->streams);
    if (!archives_flush(server->archives, flush_us))
        log_error("archive", "not everything was written within %lld s",
                  (long long)(flush_us / US_PER_S));
    archives_free(&server->archives);
    caches_free(&server->caches);
    link_hub_free(&server->links);
    http_server_free(&server->http);
    settle(server);
    conf_load_cancel(&server->load); // its disk hangs
    kept_search_cancel(&server->search);
    conf_free(&server->conf);
    for (unsigned i = 0; i < server->listen_count; i++)
        mem_free(server->listen[i].host);
    mem_free(server->listen);
    mem_free(server->cluster_key);
    mem_free(server->export_path);
    mem_free(server->conf_path);
    mem_free(server->conf_error);
    mem_free(server);
}

// ---- configuration ------------------------------------------------------------------------------

static void log_problems(struct server *server, const struct conf_problems *problems)
{
    mem_free(server->conf_error);
    server->conf_error = NULL;
    server->conf_errors = problems->errors;
    for (size_t i = 0; i < problems->count; i++) {
        const struct conf_problem *problem = &problems->item[i];
        if (problem->warning)
            log_warn("config", "%s", problem->line);
        else
            log_error("config", "%s", problem->line);
        if (!problem->warning && !server->conf_error)
            server->conf_error = mem_strdup(problem->line);
    }
    if (problems->errors + problems->warnings > problems->count)
        log_error("config", "%zu more problems",
                  problems->errors + problems->warnings - problems->count);
}

static void apply_key(struct server *server, const struct conf *conf)
{
    const char *key = conf->cluster_key ? conf->cluster_key : "";
    if ((conf->bad_key && server->conf) || strcmp(key, server->cluster_key) == 0)
        return;
    mem_free(server->cluster_key);
    server->cluster_key = mem_strdup(key);
    server->env.cluster_key = server->cluster_key;
    link_hub_set_key(server->links, server->cluster_key);
}

static void apply_export_path(struct server *server, const struct conf *conf)
{
    mem_free(server->export_path);
    server->export_path = mem_strdup(conf->export_path ? conf->export_path : "");
    server->env.export_path = server->export_path;
}

void server_apply(struct server *server, struct conf **conf, struct conf_problems *problems)
{
    bool reload = server->conf != NULL;
    // An editor that is still writing leaves an empty file for a moment.
    bool empty = !(*conf)->listen_count && !(*conf)->stream_count && !(*conf)->source_count;
    if (reload && (problems->structure || (empty && problems->errors == 0))) {
        log_problems(server, problems);
        log_error("config", "nothing changed: the file %s errors=%zu",
                  problems->structure ? "cannot be understood" : "says nothing", problems->errors);
        conf_free(conf);
        return;
    }
    log_set_level((*conf)->loglevel);
    apply_key(server, *conf);
    apply_export_path(server, *conf);
    http_server_set_admin(server->http, (*conf)->edit_auth);
    apply_streams(server, *conf);
    apply_sources(server, *conf);
    apply_listen(server, *conf, problems);
    log_problems(server, problems);
    for (unsigned i = 0; i < (*conf)->bad_stream_count; i++)
        log_error("config", "stream=%s %s: its lines are bad", (*conf)->bad_stream[i],
                  streams_get(server->streams, (*conf)->bad_stream[i]) ? "stays as it was"
                                                                       : "is left out");
    if (reload)
        log_info("config", "applied streams=%u sources=%u errors=%zu", (*conf)->stream_count,
                 (*conf)->source_count, problems->errors);
    conf_free(&server->conf);
    server->conf = *conf;
    *conf = NULL;
    if (!reload)
        server->search = kept_search_start(server);
}

static void on_loaded(void *arg, struct conf **conf, struct conf_problems *problems)
{
    struct server *server = arg;
    server->load = NULL;
    if (server->ending)
        return;
    server_apply(server, conf, problems);
    server->reloads++;
    notify_send("READY=1");
    if (server->load_again)
        server_reload(server);
}

void server_reload(struct server *server)
{
    server->load_again = server->load != NULL;
    if (server->load)
        return;
    log_info("config", "reading %s again", server->conf_path);
    notify_reloading();
    server->load =
        conf_load_start(server->loop, server->conf_path, server->conf, on_loaded, server);
}
