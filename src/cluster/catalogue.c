// SPDX-License-Identifier: MIT
// Our catalogue, told to every link that asks: all of it once, then what changes, when it changes.
#include <string.h>

#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cluster_priv.h"

struct asker {
    struct list_node node;
    struct cluster *cluster;
    struct channel *channel;
    struct defer telling; // the first, full telling
    bool told;
};

// What was last told of a stream, so that a change nobody can see is not sent.
struct told {
    uint32_t sum;
};

static void describe(const struct cluster *cluster, struct stream *stream,
                     struct catalogue_record *out)
{
    const struct stream_conf *conf = stream_conf(stream);
    struct history_range whole;
    *out = (struct catalogue_record){.type = CATALOGUE_ENTRY};
    (void)text_copy(out->name, sizeof out->name, conf->name);
    (void)text_copy(out->title, sizeof out->title, conf->title ? conf->title : "");
    if (stream_state(stream) == STREAM_LIVE)
        out->flags |= CATALOGUE_LIVE;
    if (conf->is_static)
        out->flags |= CATALOGUE_STATIC;
    if (stream_has_archive(stream, &whole)) {
        out->flags |= CATALOGUE_ARCHIVE;
        out->archive_from_us = whole.from_us > 0 ? whole.from_us : 0;
    }
    struct remote *remote = map_get(cluster->remote, conf->name);
    out->hops = remote ? remote->hops : 0;
    const struct tracks *tracks = stream_known_tracks(stream);
    for (unsigned i = 0; tracks && i < tracks->count; i++) {
        const struct track *track = &tracks->track[i];
        (void)text_append(out->tracks, sizeof out->tracks, "%s%s", i ? "," : "",
                          codec_info(track->codec)->name);
        if (track->width)
            (void)text_append(out->tracks, sizeof out->tracks, ":%ux%u", track->width,
                              track->height);
    }
}

// A server is not told of streams that only it gives us.
static bool is_for(const struct cluster *cluster, const struct asker *asker, const char *name)
{
    struct remote *remote = map_get(cluster->remote, name);
    if (!remote)
        return true;
    uint64_t id = link_peer_id(channel_link(asker->channel));
    LIST_FOREACH(&cluster->sources, it, after)
    {
        struct cluster_source *source = LIST_OWNER(it, struct cluster_source, node);
        if (map_get(source->offers, name) && source->peer_id != id &&
            source_rules_take(&source->conf, name) != SOURCE_IGNORE)
            return true;
    }
    return false;
}

static void flush(struct asker *asker, struct writer *writer)
{
    if (writer_length(writer) == 0)
        return;
    struct chain message = {0};
    struct buf *buf = writer_take(writer);
    chain_take(&message, &buf);
    channel_send(asker->channel, &message);
}

static void tell_all(void *arg)
{
    struct asker *asker = arg;
    struct writer writer = {0};
    size_t cursor = 0;
    struct stream *stream;
    while ((stream = streams_next(asker->cluster->env->streams, &cursor)) != NULL) {
        struct catalogue_record record;
        if (stream_conf(stream)->disabled || !is_for(asker->cluster, asker, stream_name(stream)))
            continue;
        describe(asker->cluster, stream, &record);
        catalogue_write(&writer, &record);
        if (writer_length(&writer) > 16000)
            flush(asker, &writer);
    }
    catalogue_write(&writer, &(struct catalogue_record){.type = CATALOGUE_COMPLETE});
    flush(asker, &writer);
    asker->told = true;
}

static void let_go(struct asker *asker)
{
    loop_defer_cancel(asker->cluster->env->loop, &asker->telling);
    list_remove(&asker->cluster->askers, &asker->node);
    mem_free(asker);
}

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    (void)arg, (void)buf, (void)offset, (void)length; // an asker has nothing more to say
}

static void on_closed(void *arg, enum reason reason)
{
    (void)reason;
    let_go(arg);
}

static const struct channel_events events = {.on_message = on_message, .on_closed = on_closed};

static enum reason serve(void *hub_arg, struct link *link, struct channel *channel,
                         struct bytes open, const struct channel_events **out, void **arg)
{
    struct cluster *cluster = hub_arg;
    uint8_t version;
    (void)link;
    if (!bytes_read_u8(&open, &version))
        return REASON_PROTOCOL;
    if (version != CATALOGUE_VERSION)
        return REASON_VERSION;
    struct asker *asker = mem_alloc(sizeof *asker);
    asker->cluster = cluster;
    asker->channel = channel;
    list_append(&cluster->askers, &asker->node);
    loop_defer(cluster->env->loop, &asker->telling, tell_all, asker);
    *out = &events;
    *arg = asker;
    return REASON_NONE;
}

void catalogue_init(struct cluster *cluster)
{
    list_init(&cluster->askers);
    link_hub_serve(cluster->env->links, LINK_CATALOGUE, serve, cluster);
}

void catalogue_fini(struct cluster *cluster)
{
    link_hub_serve(cluster->env->links, LINK_CATALOGUE, NULL, NULL);
    LIST_FOREACH(&cluster->askers, it, after)
    {
        struct asker *asker = LIST_OWNER(it, struct asker, node);
        channel_close(&asker->channel, REASON_SHUTDOWN);
        let_go(asker);
    }
    size_t cursor = 0;
    struct stream *stream;
    while ((stream = streams_next(cluster->env->streams, &cursor)) != NULL) {
        mem_free(stream_slot(stream, STREAM_SLOT_CLUSTER));
        stream_set_slot(stream, STREAM_SLOT_CLUSTER, NULL);
    }
}

static void write_gone(struct writer *writer, const char *name)
{
    struct catalogue_record record = {.type = CATALOGUE_GONE};
    (void)text_copy(record.name, sizeof record.name, name);
    catalogue_write(writer, &record);
}

static void tell_gone(struct cluster *cluster, struct stream *stream)
{
    struct writer writer = {0};
    write_gone(&writer, stream_name(stream));
    LIST_FOREACH(&cluster->askers, it, after)
    {
        struct asker *asker = LIST_OWNER(it, struct asker, node);
        if (asker->told)
            channel_send_copy(asker->channel, writer.buf->data, writer.buf->length);
    }
    writer_fini(&writer);
    mem_free(stream_slot(stream, STREAM_SLOT_CLUSTER));
    stream_set_slot(stream, STREAM_SLOT_CLUSTER, NULL);
}

static void tell(struct cluster *cluster, struct stream *stream, bool always)
{
    struct told *told = stream_slot(stream, STREAM_SLOT_CLUSTER);
    struct catalogue_record record;
    struct writer entry = {0}, gone = {0};
    if (!told) {
        told = mem_alloc(sizeof *told);
        stream_set_slot(stream, STREAM_SLOT_CLUSTER, told);
    }
    describe(cluster, stream, &record);
    catalogue_write(&entry, &record);
    write_gone(&gone, record.name);
    uint32_t sum = crc32c(0, entry.buf->data, entry.buf->length);
    bool news = always || told->sum != sum;
    told->sum = sum;
    LIST_FOREACH(&cluster->askers, it, after)
    {
        struct asker *asker = LIST_OWNER(it, struct asker, node);
        if (!news || !asker->told)
            continue;
        // He may have been told before: a word too many about what he does not know does no harm.
        const struct buf *message = is_for(cluster, asker, record.name) ? entry.buf : gone.buf;
        channel_send_copy(asker->channel, message->data, message->length);
    }
    writer_fini(&entry);
    writer_fini(&gone);
}

void catalogue_changed(struct cluster *cluster, struct stream *stream, bool gone)
{
    if (gone || stream_conf(stream)->disabled)
        tell_gone(cluster, stream);
    else
        tell(cluster, stream, false);
}

void catalogue_changed_offers(struct cluster *cluster, struct stream *stream)
{
    if (!stream_conf(stream)->disabled)
        tell(cluster, stream, true);
}
