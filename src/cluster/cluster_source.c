// SPDX-License-Identifier: MIT
// One `source` line: the link to that server, and what its catalogue offers.
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cluster_priv.h"

static void offer_free(struct offer *offer)
{
    mem_free(offer->title);
    mem_free(offer);
}

static void offer_drop(struct cluster_source *source, const char *name)
{
    char copy[STREAM_NAME_MAX]; // name may be the map's own key
    (void)text_copy(copy, sizeof copy, name);
    struct offer *offer = map_remove(source->offers, copy);
    if (!offer)
        return;
    offer_free(offer);
    cluster_look_again(source->cluster, copy);
}

// A server that refuses, or whose catalogue cannot be read, is asked again so much later.
#define AGAIN_US (10 * US_PER_S)

static void on_entry(struct cluster_source *source, const struct catalogue_record *record)
{
    if (!stream_name_valid(record->name))
        return;
    if (record->hops >= HOPS_MAX) {
        offer_drop(source, record->name); // it came nearer before
        return;
    }
    struct offer *offer = map_get(source->offers, record->name);
    bool same = offer && offer->flags == record->flags && offer->hops == record->hops &&
                offer->archive_from_us == record->archive_from_us &&
                strcmp(offer->title ? offer->title : "", record->title) == 0;
    if (!offer) {
        if (map_count(source->offers) >= STREAMS_MAX)
            return;
        offer = mem_alloc(sizeof *offer);
        (void)map_set(source->offers, record->name, offer);
    }
    offer->seen = true;
    if (same)
        return; // servers that offer streams to each other must not answer each word with one
    offer->flags = record->flags;
    offer->hops = record->hops;
    offer->archive_from_us = record->archive_from_us;
    mem_free(offer->title);
    offer->title = record->title[0] ? mem_strdup(record->title) : NULL;
    cluster_look_again(source->cluster, record->name);
}

static void on_complete(struct cluster_source *source)
{
    size_t cursor = 0;
    const char *name;
    void *value;
    while (map_next(source->offers, &cursor, &name, &value))
        if (!((struct offer *)value)->seen)
            offer_drop(source, name);
    if (!source->complete)
        log_info(source->name, "catalogue streams=%zu", map_count(source->offers));
    source->complete = true;
}

static void lost(struct cluster_source *source, enum reason reason)
{
    source->channel = NULL;
    source->last_reason = reason;
    source->complete = false;
    timeout_start(&source->again, AGAIN_US); // unless the link comes up anew before
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct cluster_source *source = arg;
    struct bytes in = bytes_of(buf->data + offset, length);
    struct catalogue_record record;
    int err;
    while ((err = catalogue_parse(&in, &record)) == 0) {
        if (record.type == CATALOGUE_ENTRY)
            on_entry(source, &record);
        else if (record.type == CATALOGUE_GONE)
            offer_drop(source, record.name);
        else
            on_complete(source);
    }
    if (err != ERR_NOT_FOUND) {
        log_warn(source->name, "malformed catalogue");
        channel_close(&source->channel, REASON_PROTOCOL);
        lost(source, REASON_PROTOCOL);
    }
}

static void on_closed(void *arg, enum reason reason)
{
    lost(arg, reason);
}

static const struct channel_events events = {.on_message = on_message, .on_closed = on_closed};

static void on_up(void *arg)
{
    struct cluster_source *source = arg;
    if (source->channel || !link_is_up(source->link))
        return;
    timeout_stop(&source->again);
    bool restarted = source->peer_id != link_peer_id(source->link);
    source->peer_id = link_peer_id(source->link);
    size_t cursor = 0;
    const char *name;
    void *value;
    while (map_next(source->offers, &cursor, &name, &value)) {
        ((struct offer *)value)->seen = false;
        if (restarted) // whom our catalogue tells of it depends on who offers it
            cluster_look_again(source->cluster, name);
    }
    const uint8_t version = CATALOGUE_VERSION;
    source->last_reason = REASON_NONE;
    source->channel = channel_open(source->link, LINK_CATALOGUE, LINK_CONTROL,
                                   bytes_of(&version, 1), &events, source);
}

static void on_down(void *arg, enum reason reason)
{
    struct cluster_source *source = arg;
    source->last_reason = reason; // the link itself logs it
}

struct cluster_source *cluster_source_new(struct cluster *cluster, const struct source_conf *conf)
{
    struct cluster_source *source = mem_alloc(sizeof *source);
    source->cluster = cluster;
    source_conf_copy(&source->conf, conf);
    (void)text_format(source->name, sizeof source->name, "source=%s:%u", conf->host, conf->port);
    timeout_init(&source->again, cluster->env->loop, on_up, source);
    source->offers = map_new();
    source->key = mem_strdup(conf->cluster_key ? conf->cluster_key : cluster->env->cluster_key);
    source->link = link_hold(cluster->env->links, conf->host, conf->port, source->key);
    source->watch = (struct link_watch){.on_up = on_up, .on_down = on_down, .arg = source};
    link_watch_add(source->link, &source->watch);
    list_append(&cluster->sources, &source->node);
    return source;
}

bool cluster_source_serves(const struct cluster_source *source, const struct source_conf *conf)
{
    const char *key = conf->cluster_key ? conf->cluster_key : source->cluster->env->cluster_key;
    return strcmp(source->conf.host, conf->host) == 0 && source->conf.port == conf->port &&
           strcmp(source->key, key) == 0;
}

void cluster_source_configure(struct cluster_source *source, const struct source_conf *conf)
{
    source_conf_fini(&source->conf);
    source_conf_copy(&source->conf, conf);
}

void cluster_source_free(struct cluster_source **source)
{
    struct cluster_source *gone = *source;
    *source = NULL;
    list_remove(&gone->cluster->sources, &gone->node);
    size_t cursor = 0;
    const char *name;
    void *value;
    while (map_next(gone->offers, &cursor, &name, &value))
        offer_drop(gone, name);
    map_free(&gone->offers);
    timeout_stop(&gone->again);
    channel_close(&gone->channel, REASON_CONFIG);
    link_watch_remove(gone->link, &gone->watch);
    link_release(&gone->link);
    source_conf_fini(&gone->conf);
    mem_free(gone->key);
    mem_free(gone);
}
