// SPDX-License-Identifier: MIT
// GET /streamer/api/v3/config/stats, /monitoring/liveness, /monitoring/readiness and
// /cluster/sources, /caches. docs/API.md has the fields.
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/text.h"
#include "base/writer.h"
#include "archive/archive.h"
#include "archive/cache.h"
#include "cluster/cluster.h"
#include "http/http.h"
#include "link/link.h"
#include "server.h"

// What every answer about the server begins with.
static void json_identity(struct json *json, const struct server *server)
{
    json_key_text(json, "server", "sluice");
    json_key_text(json, "server_version", SLUICE_VERSION);
    json_key_int(json, "now", utc_us() / US_PER_MS);
    json_key_int(json, "started_at", server->started_utc_us / US_PER_MS);
    json_key_int(json, "uptime", (now_us() - server->started_us) / US_PER_S);
}

// ---- config/stats -------------------------------------------------------------------------------

static void handle_stats(void *arg, struct http_request *request)
{
    struct server *server = arg;
    const struct loop_stats *loop = loop_stats(server->loop);
    char host[256] = "";
    uint64_t clients = 0, online = 0, input_bps = 0;
    size_t cursor = 0;
    for (struct stream *stream; (stream = streams_next(server->streams, &cursor)) != NULL;) {
        struct stream_stats stats;
        stream_get_stats(stream, &stats);
        clients += stats.viewers;
        online += stream_state(stream) == STREAM_LIVE;
        input_bps += stats.bitrate_bps;
    }
    gethostname(host, sizeof(host) - 1);
    struct writer out;
    struct json json;
    writer_init(&out, 2048);
    json_init(&json, &out);
    json_object_begin(&json);
    json_identity(&json, server);
    json_key_text(&json, "hostname", host);
    json_key_text(&json, "streamer_status", "running");
    json_key_int(&json, "total_streams", (int64_t)streams_count(server->streams));
    json_key_int(&json, "online_streams", (int64_t)online);
    json_key_int(&json, "total_clients", (int64_t)clients);
    json_key_int(&json, "input_kbit", (int64_t)(input_bps / 1000));
    json_key_int(&json, "bytes_out", (int64_t)http_server_stats(server->http)->bytes_out);
    json_key_int(&json, "connections", http_server_stats(server->http)->connections);
    json_key_int(&json, "memory_usage", (int64_t)process_memory_bytes());
    json_key(&json, "cpu_seconds");
    json_double(&json, process_cpu_seconds());
    json_key_int(&json, "loop_turns", (int64_t)loop->turns);
    json_key_int(&json, "loop_slow_turns", (int64_t)loop->slow_turns);
    json_key_int(&json, "config_reloads", server->reloads);
    json_key_int(&json, "config_errors", (int64_t)server->conf_errors);
    json_key_text(&json, "config_error", server->conf_error);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// ---- monitoring ---------------------------------------------------------------------------------

static void handle_liveness(void *arg, struct http_request *request)
{
    struct writer out;
    struct json json;
    writer_init(&out, 256);
    json_init(&json, &out);
    json_object_begin(&json);
    json_identity(&json, arg);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// Ready: every archive can be written and read. 503 with the streams whose archive cannot.
static void handle_readiness(void *arg, struct http_request *request)
{
    struct server *server = arg;
    bool ready = true;
    struct writer out;
    struct json json;
    writer_init(&out, 512);
    json_init(&json, &out);
    json_object_begin(&json);
    json_identity(&json, server);
    json_key(&json, "errors");
    json_array_begin(&json);
    size_t cursor = 0;
    for (struct stream *stream; (stream = streams_next(server->streams, &cursor)) != NULL;) {
        struct archive_stats archive;
        if (!archive_get_stats(stream, &archive) || archive.state == ARCHIVE_READY)
            continue;
        ready = false;
        json_object_begin(&json);
        json_key_text(&json, "stream", stream_name(stream));
        json_key_text(&json, "archive", archive.state == ARCHIVE_OPENING ? "opening" : "failed");
        json_key_text(&json, "problem", archive.problem);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_key_bool(&json, "ready", ready);
    json_object_end(&json);
    api_respond(request, ready ? 200 : 503, &out);
}

// ---- cluster/sources ----------------------------------------------------------------------------

static void json_key_milliseconds(struct json *json, const char *key, int64_t us)
{
    json_key(json, key);
    json_double(json, (double)us / 1000);
}

static void json_source(void *arg, const struct cluster_source_stats *source)
{
    struct json *json = arg;
    json_object_begin(json);
    json_key_text(json, "name", source->name);
    json_key_text(json, "status", source->up ? "running" : "error");
    if (!source->up)
        json_key_text(json, "error", reason_name(source->last_reason));
    json_key_text(json, "hostname", source->peer_name);
    json_key_int(json, "streams", source->streams);
    if (source->up && source->rtt_us >= 0) {
        json_key_milliseconds(json, "rtt", source->rtt_us);
        json_key_milliseconds(json, "utc_offset", source->utc_offset_us);
    }
    json_object_end(json);
}

static void json_link(void *arg, struct link *link, bool dialled)
{
    static const char *const classes[LINK_CLASSES] = {"control", "live", "archive", "bulk"};
    struct json *json = arg;
    struct link_stats stats;
    link_get_stats(link, &stats);
    json_object_begin(json);
    json_key_text(json, "name", link_name(link));
    json_key_text(json, "direction", dialled ? "out" : "in");
    json_key_text(json, "status", link_is_up(link) ? "running" : "error");
    json_key_text(json, "error", link_is_up(link) ? NULL : reason_name(stats.last_reason));
    json_key_text(json, "by", link_by(link) ? link_name(link_by(link)) : NULL);
    json_key_text(json, "hostname", link_peer_name(link));
    if (link_is_up(link)) {
        json_key_int(json, "lifetime", (now_us() - stats.up_since_us) / US_PER_MS);
        if (link_rtt_us(link) >= 0)
            json_key_milliseconds(json, "rtt", link_rtt_us(link));
        json_key_milliseconds(json, "utc_offset", link_utc_offset_us(link));
    }
    json_key_int(json, "channels", stats.channels);
    json_key_int(json, "attempts", (int64_t)stats.attempts);
    json_key_int(json, "connects", (int64_t)stats.ups);
    json_key_int(json, "bytes_in", (int64_t)stats.bytes_in);
    json_key_int(json, "bytes_out", (int64_t)stats.bytes_out);
    json_key_int(json, "payload_in", (int64_t)stats.payload_in);
    json_key_int(json, "payload_out", (int64_t)stats.payload_out);
    json_key(json, "class_out");
    json_object_begin(json);
    for (unsigned i = 0; i < LINK_CLASSES; i++)
        json_key_int(json, classes[i], (int64_t)stats.class_out[i]);
    json_object_end(json);
    json_object_end(json);
}

static void handle_sources(void *arg, struct http_request *request)
{
    struct server *server = arg;
    struct writer out;
    struct json json;
    writer_init(&out, 2048);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, "sources");
    json_array_begin(&json);
    cluster_each_source(server->cluster, json_source, &json);
    json_array_end(&json);
    json_key(&json, "links");
    json_array_begin(&json);
    link_hub_each(server->links, json_link, &json);
    json_array_end(&json);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// ---- caches -------------------------------------------------------------------------------------

static void handle_caches(void *arg, struct http_request *request)
{
    const struct server *server = arg;
    struct cache_stats stats;
    struct writer out;
    struct json json;
    unsigned cursor = 0;
    writer_init(&out, 512);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, "caches");
    json_array_begin(&json);
    while (caches_next(server->caches, &cursor, &stats)) {
        json_object_begin(&json);
        json_key_text(&json, "path", stats.path);
        json_key_text(&json, "status",
                      stats.unmounted ? "unmounted"
                      : stats.ready   ? "running"
                                      : "opening");
        json_key_int(&json, "bytes", (int64_t)stats.bytes);
        json_key_int(&json, "segments", (int64_t)stats.segments);
        json_key_int(&json, "hits", (int64_t)stats.hits);
        json_key_int(&json, "hit_bytes", (int64_t)stats.hit_bytes);
        json_key_int(&json, "misses", (int64_t)stats.misses);
        json_key_int(&json, "written", (int64_t)stats.written);
        json_key_int(&json, "removed", (int64_t)stats.removed);
        json_key_int(&json, "refused", (int64_t)stats.refused);
        json_key_int(&json, "damaged", (int64_t)stats.damaged);
        json_key_int(&json, "errors", (int64_t)stats.errors);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// ---- disks --------------------------------------------------------------------------------------

static void handle_disks(void *arg, struct http_request *request)
{
    const struct server *server = arg;
    struct disk_stats stats;
    struct writer out;
    struct json json;
    unsigned cursor = 0;
    writer_init(&out, 512);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, "disks");
    json_array_begin(&json);
    while (archives_next_disk(server->archives, &cursor, &stats)) {
        json_object_begin(&json);
        json_key_text(&json, "path", stats.path);
        json_key_text(&json, "status", stats.problem ? "error" : "running");
        json_key_text(&json, "problem", stats.problem);
        if (stats.total_bytes) {
            json_key_int(&json, "total", (int64_t)stats.total_bytes);
            json_key_int(&json, "used", (int64_t)(stats.total_bytes - stats.free_bytes));
            json_key_int(&json, "free", (int64_t)stats.free_bytes);
        }
        json_key_int(&json, "queued", (int64_t)stats.queued_bytes);
        json_key_int(&json, "silent_ms", stats.silent_us / US_PER_MS);
        json_key_int(&json, "streams", stats.streams);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

const struct http_route api_server_routes[] = {
    {"/streamer/api/v3/config/stats", HTTP_GET, handle_stats},
    {"/streamer/api/v3/monitoring/liveness", HTTP_GET, handle_liveness},
    {"/streamer/api/v3/monitoring/readiness", HTTP_GET, handle_readiness},
    {"/streamer/api/v3/cluster/sources", HTTP_GET, handle_sources},
    {"/streamer/api/v3/caches", HTTP_GET, handle_caches},
    {"/streamer/api/v3/disks", HTTP_GET, handle_disks},
    {NULL, 0, NULL},
};
