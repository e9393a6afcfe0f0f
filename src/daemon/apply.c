// SPDX-License-Identifier: MIT
// The difference between a configuration and what runs.
//
// 1. What is equal is not touched: no call is made for a stream, source or listener that did not
//    change.
// 2. What was left out of the configuration because its lines are bad stays as it runs.
// 3. Old things go before new ones come, so that a name, a file or a limit is free again; listeners
//    the other way round, and last, so that nobody meets a server without its streams.
#include <errno.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/cache.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "cluster/cluster.h"
#include "http/http.h"
#include "server.h"

// ---- streams ------------------------------------------------------------------------------------

static void set_archive(struct server *server, struct stream *stream, const struct dvr_conf *dvr)
{
    if (dvr->path_count == 0)
        archive_detach(server->archives, stream);
    else if (archive_attach(server->archives, stream, dvr) != 0)
        log_error(stream_log_name(stream), "has no archive path=%s", dvr->path[0]);
}

static void apply_one(struct server *server, const struct stream_conf *conf)
{
    struct stream *stream = streams_get(server->streams, conf->name);
    if (stream && stream_conf(stream)->remote) {
        cluster_yield(server->cluster, conf->name);
        stream = NULL;
    }
    if (!stream) {
        int err = stream_create(server->streams, conf, &stream);
        if (err != 0)
            log_error("config", "no stream %s: %s", conf->name, err_name(err));
        if (err == 0 && conf->dvr.path_count > 0)
            set_archive(server, stream, &conf->dvr);
        if (err == 0)
            cache_attach(server->caches, stream, &conf->cache);
    } else if (!stream_conf_equal(stream_conf(stream), conf)) {
        bool archive_same = dvr_conf_equal(&stream_conf(stream)->dvr, &conf->dvr);
        log_info(stream_log_name(stream), "configured anew");
        stream_configure(stream, conf);
        if (!archive_same)
            set_archive(server, stream, &conf->dvr);
        cache_attach(server->caches, stream, &conf->cache);
    }
}

// Nothing speaks of it any more: its archive stays readable, and goes by its age.
static bool keep_archive(struct stream *stream)
{
    const struct stream_conf *conf = stream_conf(stream);
    struct archive_stats stats;
    bool known = archive_get_stats(stream, &stats);
    if (conf->dvr.path_count == 0 || !known || (stats.state == ARCHIVE_READY && stats.files == 0))
        return false;
    if (conf->kept)
        return true;
    struct stream_conf kept;
    stream_conf_init(&kept);
    (void)text_copy(kept.name, sizeof kept.name, conf->name);
    kept.is_static = false;
    kept.kept = true;
    dvr_conf_fini(&kept.dvr);
    dvr_conf_copy(&kept.dvr, &conf->dvr);
    log_info(stream_log_name(stream), "removed, its archive is kept");
    stream_configure(stream, &kept);
    stream_conf_fini(&kept);
    return true;
}

static void close_gone(struct server *server, const struct map *wanted)
{
    size_t count = 0, cursor = 0;
    struct stream **gone = mem_alloc((streams_count(server->streams) + 1) * sizeof(gone[0]));
    for (struct stream *stream; (stream = streams_next(server->streams, &cursor)) != NULL;) {
        if (!stream_conf(stream)->remote && !map_get(wanted, stream_name(stream)) &&
            !keep_archive(stream))
            gone[count++] = stream;
    }
    for (size_t i = 0; i < count; i++) {
        log_info(stream_log_name(gone[i]), "removed");
        stream_close(&gone[i], REASON_CONFIG);
    }
    mem_free(gone);
}

void apply_streams(struct server *server, const struct conf *conf)
{
    struct map *wanted = map_new();
    for (unsigned i = 0; i < conf->stream_count; i++)
        map_set(wanted, conf->stream[i]->conf.name, server);
    for (unsigned i = 0; i < conf->bad_stream_count; i++)
        map_set(wanted, conf->bad_stream[i], server);
    close_gone(server, wanted);
    map_free(&wanted);
    for (unsigned i = 0; i < conf->stream_count; i++)
        apply_one(server, &conf->stream[i]->conf);
}

void apply_kept(struct server *server, const struct stream_conf *kept)
{
    if (streams_get(server->streams, kept->name))
        return;
    log_info("config", "stream=%s has no line, its archive is kept", kept->name);
    apply_one(server, kept);
}

// ---- sources ------------------------------------------------------------------------------------

void apply_sources(struct server *server, const struct conf *conf)
{
    if (conf->bad_source && server->conf)
        return;
    struct source_conf *list = mem_alloc((conf->source_count + 1) * sizeof(list[0]));
    for (unsigned i = 0; i < conf->source_count; i++)
        list[i] = conf->source[i]->conf; // borrowed for the call
    cluster_set_sources(server->cluster, list, conf->source_count);
    mem_free(list);
}

// ---- listeners ----------------------------------------------------------------------------------

static bool listens(const struct server *server, const struct conf_listen *wanted)
{
    for (unsigned i = 0; i < server->listen_count; i++) {
        const struct server_listen *listen = &server->listen[i];
        if (listen->port == wanted->port && strcmp(listen->host, wanted->host) == 0)
            return true;
    }
    return false;
}

static bool wants(const struct conf *conf, const struct server_listen *listen)
{
    for (unsigned i = 0; i < conf->listen_count; i++) {
        if (conf->listen[i].port == listen->port && strcmp(conf->listen[i].host, listen->host) == 0)
            return true;
    }
    return false;
}

static void close_listeners(struct server *server, const struct conf *conf)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < server->listen_count; i++) {
        struct server_listen *listen = &server->listen[i];
        if (wants(conf, listen)) {
            server->listen[kept++] = *listen;
            continue;
        }
        log_info("http", "no more at port=%u", listen->port);
        http_server_unlisten(server->http, listen->host, listen->port);
        mem_free(listen->host);
    }
    server->listen_count = kept;
}

static bool open_listener(struct server *server, const struct conf_listen *wanted)
{
    if (http_server_listen(server->http, wanted->host, wanted->port) != 0)
        return false;
    log_info("http", "listens at %s port=%u", wanted->host[0] ? wanted->host : "all addresses",
             wanted->port);
    server->listen =
        mem_resize(server->listen, (server->listen_count + 1) * sizeof(server->listen[0]));
    server->listen[server->listen_count++] =
        (struct server_listen){mem_strdup(wanted->host), wanted->port};
    return true;
}

void apply_listen(struct server *server, const struct conf *conf, struct conf_problems *problems)
{
    if (conf->bad_listen && server->conf)
        return;
    // A port may move from all addresses to one of them: what goes is closed first where the new
    // one could not be opened beside it.
    bool closed = false;
    for (unsigned i = 0; i < conf->listen_count; i++) {
        const struct conf_listen *wanted = &conf->listen[i];
        if (listens(server, wanted) || open_listener(server, wanted))
            continue;
        int error = errno;
        if (!closed)
            close_listeners(server, conf);
        closed = true;
        if (open_listener(server, wanted))
            continue;
        conf_error(problems, &wanted->at, "found port %u: %s, expected one that can be opened",
                   wanted->port, strerror(error));
    }
    if (!closed)
        close_listeners(server, conf);
}
