// SPDX-License-Identifier: MIT
#include "cluster/cluster.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "cluster_priv.h"

// ---- the streams of others, here
// -------------------------------------------------------------------

static void add_input(struct stream_conf *conf, const struct cluster_source *source,
                      const char *name)
{
    char url[512], path[400];
    bool v6 = strchr(source->conf.host, ':') != NULL;
    (void)url_encode(name, path, sizeof path);
    (void)text_format(url, sizeof url, "%s://%s%s%s:%u/%s", source->conf.m4s ? "m4s" : "m4f",
                      v6 ? "[" : "", source->conf.host, v6 ? "]" : "", source->conf.port, path);
    struct input_conf *input = stream_conf_add_input(conf, url);
    if (source->conf.cluster_key)
        input_conf_add_option(input, "cluster_key", source->conf.cluster_key);
}

// The stream that the sources' offers of this name come to. False: nobody offers it.
static bool gather(struct cluster *cluster, const char *name, struct stream_conf *conf,
                   uint8_t *hops, bool *archive, struct history_range *range)
{
    const char *title = NULL;
    bool found = false;
    *hops = HOPS_MAX;
    *archive = false;
    *range = (struct history_range){0};
    LIST_FOREACH(&cluster->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        struct offer *offer = map_get(source->offers, name);
        enum source_take take = offer ? source_rules_take(&source->conf, name) : SOURCE_IGNORE;
        if (take == SOURCE_IGNORE)
            continue;
        if (!found)
            stream_conf_copy(conf, &source->conf.defaults);
        found = true;
        if (conf->input_count < STREAM_INPUTS_MAX)
            add_input(conf, source, name);
        conf->is_static |= take == SOURCE_KEEP;
        title = title ? title : offer->title;
        if (offer->hops + 1 < *hops)
            *hops = (uint8_t)(offer->hops + 1);
        if (offer->flags & CATALOGUE_ARCHIVE) {
            *archive = true;
            if (!range->from_us || offer->archive_from_us < range->from_us)
                range->from_us = offer->archive_from_us;
        }
    }
    if (!found)
        return false;
    (void)text_copy(conf->name, sizeof conf->name, name);
    conf->remote = true;
    if (title && !conf->title)
        conf->title = mem_strdup(title);
    return true;
}

static void drop(struct cluster *cluster, const char *name)
{
    struct remote *remote = map_remove(cluster->remote, name);
    if (!remote)
        return;
    stream_close(&remote->stream, REASON_NOT_FOUND);
    mem_free(remote);
}

static void update_one(struct cluster *cluster, const char *name)
{
    struct remote *remote = map_get(cluster->remote, name);
    struct stream_conf conf;
    struct history_range range;
    uint8_t hops;
    bool archive;
    struct stream *local = remote ? NULL : streams_get(cluster->env->streams, name);
    if (local && !stream_conf(local)->kept)
        return; // a local stream of the same name wins
    if (!gather(cluster, name, &conf, &hops, &archive, &range)) {
        drop(cluster, name);
        return;
    }
    if (local) // what was recorded of it before: its archive is taken over
        stream_close(&local, REASON_REPLACED);
    if (remote) {
        stream_configure(remote->stream, &conf);
    } else {
        struct stream *stream;
        int err = stream_create(cluster->env->streams, &conf, &stream);
        if (err != 0) {
            log_warn("cluster", "stream %s is not taken: %s", name, err_name(err));
            stream_conf_fini(&conf);
            return;
        }
        remote = mem_alloc(sizeof *remote);
        remote->stream = stream;
        (void)map_set(cluster->remote, name, remote);
    }
    remote->hops = hops;
    stream_set_far_archive(remote->stream, archive, range);
    catalogue_changed_offers(cluster, remote->stream);
    stream_conf_fini(&conf);
}

static void count_taken(struct cluster *cluster)
{
    LIST_FOREACH(&cluster->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        size_t cursor = 0;
        const char *name;
        void *value;
        source->taken = 0;
        while (map_next(source->offers, &cursor, &name, &value))
            source->taken += map_get(cluster->remote, name) != NULL &&
                             source_rules_take(&source->conf, name) != SOURCE_IGNORE;
    }
}

static void run_update(void *arg)
{
    struct cluster *cluster = arg;
    struct map *dirty = cluster->dirty;
    size_t cursor = 0;
    const char *name;
    void *value;
    cluster->dirty = map_new(); // what becomes dirty meanwhile has its own turn
    while (map_next(dirty, &cursor, &name, &value))
        update_one(cluster, name);
    map_free(&dirty);
    count_taken(cluster);
}

void cluster_look_again(struct cluster *cluster, const char *name)
{
    (void)map_set(cluster->dirty, name, cluster);
    loop_defer(cluster->env->loop, &cluster->update, run_update, cluster);
}

static void on_change(void *arg, struct stream *stream, bool gone)
{
    struct cluster *cluster = arg;
    catalogue_changed(cluster, stream, gone);
    struct remote *remote = gone ? map_get(cluster->remote, stream_name(stream)) : NULL;
    if (remote && remote->stream == stream) // closed by somebody else
        mem_free(map_remove(cluster->remote, stream_name(stream)));
    // When a local stream goes, a remote one of its name may take its place.
    if (gone && !map_get(cluster->remote, stream_name(stream)))
        cluster_look_again(cluster, stream_name(stream));
}

// ---- life --------------------------------------------------------------------------------------

struct cluster *cluster_new(const struct protocol_env *env)
{
    struct cluster *cluster = mem_alloc(sizeof *cluster);
    cluster->env = env;
    list_init(&cluster->sources);
    cluster->remote = map_new();
    cluster->dirty = map_new();
    cluster->watch = (struct streams_watch){.on_change = on_change, .arg = cluster};
    streams_watch_add(env->streams, &cluster->watch);
    catalogue_init(cluster);
    return cluster;
}

void cluster_free(struct cluster **cluster)
{
    struct cluster *gone = *cluster;
    *cluster = NULL;
    if (!gone)
        return;
    LIST_FOREACH(&gone->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        cluster_source_free(&source);
    }
    size_t cursor = 0;
    const char *name;
    void *value;
    while (map_next(gone->remote, &cursor, &name, &value))
        drop(gone, name);
    catalogue_fini(gone);
    streams_watch_remove(gone->env->streams, &gone->watch);
    loop_defer_cancel(gone->env->loop, &gone->update);
    map_free(&gone->remote);
    map_free(&gone->dirty);
    mem_free(gone);
}

// One that serves this line: with the same rules or, second, with others.
static struct cluster_source *find_serving(struct list *sources, const struct source_conf *conf)
{
    struct cluster_source *found = NULL;
    LIST_FOREACH(sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        if (!cluster_source_serves(source, conf))
            continue;
        if (source_conf_equal(&source->conf, conf))
            return source;
        found = found ? found : source;
    }
    return found;
}

void cluster_set_sources(struct cluster *cluster, const struct source_conf *list, unsigned count)
{
    struct list before;
    struct list_node *node;
    list_init(&before);
    while ((node = list_take_first(&cluster->sources)) != NULL)
        list_append(&before, node);
    for (unsigned i = 0; i < count; i++) {
        struct cluster_source *known = find_serving(&before, &list[i]);
        if (known) {
            list_remove(&before, &known->node);
            list_append(&cluster->sources, &known->node);
            cluster_source_configure(known, &list[i]);
        } else {
            (void)cluster_source_new(cluster, &list[i]);
        }
    }
    while ((node = list_take_first(&before)) != NULL) {
        list_append(&cluster->sources, node);
        struct cluster_source *source = LIST_OWNER(node, struct cluster_source, node);
        cluster_source_free(&source);
    }
    // Rules and order may have changed for every name that is offered.
    LIST_FOREACH(&cluster->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        size_t cursor = 0;
        const char *name;
        void *value;
        while (map_next(source->offers, &cursor, &name, &value))
            cluster_look_again(cluster, name);
    }
}

bool cluster_owns(const struct cluster *cluster, const char *stream_name)
{
    return map_get(cluster->remote, stream_name) != NULL;
}

void cluster_yield(struct cluster *cluster, const char *stream_name)
{
    drop(cluster, stream_name);
}

void cluster_each_source(const struct cluster *cluster,
                         void (*each)(void *arg, const struct cluster_source_stats *stats),
                         void *arg)
{
    LIST_FOREACH(&cluster->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        const struct cluster_source_stats stats = {
            .name = source->name + strlen("source="),
            .up = link_is_up(source->link),
            .last_reason = source->last_reason,
            .streams = source->taken,
            .rtt_us = link_rtt_us(source->link),
            .utc_offset_us = link_utc_offset_us(source->link),
            .peer_name = link_peer_name(source->link),
        };
        each(arg, &stats);
    }
}
