// SPDX-License-Identifier: MIT
// GET /metrics: OpenMetrics text (openmetrics.io, 1.0). One row per family; docs/API.md lists them.
//
// 1. A family's samples stand together, so each family walks the streams by itself. The answer is
//    made family by family as the connection takes it: many streams do not hold up a loop turn.
// 2. A stream that never ran gives only its name and state: idle remote streams stay cheap.
// 3. Label values are escaped: a title or a peer's name cannot forge a sample.
#include <stddef.h>
#include <string.h>

#include "api.h"
#include "archive/archive.h"
#include "archive/cache.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "cluster/cluster.h"
#include "http/http.h"
#include "link/link.h"
#include "server.h"

struct metric {
    struct server *server;
    struct writer *out;
    const struct family *family;
};

struct family {
    const char *name; // without _total
    const char *type; // "counter", "gauge", "info", "histogram"
    const char *help;
    void (*print)(const struct metric *metric);
    size_t offset; // for families of one field: in struct stream_stats, archive_stats ...
    char kind;     // of that field: 'u' unsigned, 'l' uint64_t, 'm' int64_t microseconds
};

static void escape(struct writer *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            writer_text(out, "\\n");
        else if (*value == '"' || *value == '\\')
            writer_printf(out, "\\%c", *value);
        else
            writer_bytes(out, value, 1);
    }
}

// The name of a sample and its labels: pairs of name and value, NULL ends. A value follows.
static void sample(const struct metric *metric, const char *suffix, const char *const *labels)
{
    bool counter = strcmp(metric->family->type, "counter") == 0;
    writer_printf(metric->out, "%s%s", metric->family->name, counter ? "_total" : suffix);
    for (size_t i = 0; labels && labels[i]; i += 2) {
        writer_printf(metric->out, "%s%s=\"", i ? "," : "{", labels[i]);
        escape(metric->out, labels[i + 1]);
        writer_text(metric->out, "\"");
    }
    writer_text(metric->out, labels && labels[0] ? "} " : " ");
}

static void sample_uint(const struct metric *metric, const char *const *labels, uint64_t value)
{
    sample(metric, "", labels);
    writer_printf(metric->out, "%llu\n", (unsigned long long)value);
}

static void sample_double(const struct metric *metric, const char *const *labels, double value)
{
    sample(metric, "", labels);
    writer_printf(metric->out, "%.6f\n", value);
}

// The field that the family names, of a structure.
static void sample_field(const struct metric *metric, const char *const *labels, const void *object)
{
    const void *field = (const char *)object + metric->family->offset;
    if (metric->family->kind == 'u')
        sample_uint(metric, labels, *(const unsigned *)field);
    else if (metric->family->kind == 'l')
        sample_uint(metric, labels, *(const uint64_t *)field);
    else
        sample_double(metric, labels, (double)*(const int64_t *)field / (double)US_PER_S);
}

// ---- streams ------------------------------------------------------------------------------------

static struct stream *next_stream(const struct metric *metric, size_t *cursor)
{
    return streams_next(metric->server->streams, cursor);
}

static void print_states(const struct metric *metric)
{
    unsigned count[STREAM_LOST + 1] = {0};
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;)
        count[stream_state(stream)]++;
    for (unsigned i = 0; i <= STREAM_LOST; i++)
        sample_uint(metric, (const char *const[]){"state", stream_state_name(i), NULL}, count[i]);
}

static void print_info(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;) {
        const struct stream_conf *conf = stream_conf(stream);
        const char *title = conf->title ? conf->title : "";
        const char *named_by = conf->remote ? "remote" : conf->kept ? "archive" : "config";
        sample(metric, "_info",
               (const char *const[]){"stream", conf->name, "title", title, "named_by", named_by,
                                     NULL});
        writer_text(metric->out, "1\n");
    }
}

static void print_up(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;)
        sample_uint(metric, (const char *const[]){"stream", stream_name(stream), NULL},
                    stream_state(stream) == STREAM_LIVE);
}

static void print_stream(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;) {
        struct stream_stats stats;
        stream_get_stats(stream, &stats);
        if (stream_state(stream) == STREAM_IDLE && !stats.frames_in && !stats.viewers)
            continue;
        sample_field(metric, (const char *const[]){"stream", stream_name(stream), NULL}, &stats);
    }
}

static void print_silence(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;) {
        struct stream_stats stats;
        stream_get_stats(stream, &stats);
        if (stream_state(stream) != STREAM_IDLE && stats.last_frame_us)
            sample_double(metric, (const char *const[]){"stream", stream_name(stream), NULL},
                          (double)(now_us() - stats.last_frame_us) / (double)US_PER_S);
    }
}

static void print_archive(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;) {
        struct archive_stats stats;
        if (archive_get_stats(stream, &stats))
            sample_field(metric, (const char *const[]){"stream", stream_name(stream), NULL},
                         &stats);
    }
}

static void print_archive_up(const struct metric *metric)
{
    size_t cursor = 0;
    for (struct stream *stream; (stream = next_stream(metric, &cursor)) != NULL;) {
        struct archive_stats stats;
        if (archive_get_stats(stream, &stats))
            sample_uint(metric, (const char *const[]){"stream", stream_name(stream), NULL},
                        stats.state == ARCHIVE_READY && !stats.problem);
    }
}

static void print_disk_up(const struct metric *metric)
{
    unsigned cursor = 0;
    struct disk_stats stats;
    while (archives_next_disk(metric->server->archives, &cursor, &stats))
        sample_uint(metric, (const char *const[]){"path", stats.path, NULL}, !stats.problem);
}

static void print_disk(const struct metric *metric)
{
    unsigned cursor = 0;
    struct disk_stats stats;
    while (archives_next_disk(metric->server->archives, &cursor, &stats))
        sample_field(metric, (const char *const[]){"path", stats.path, NULL}, &stats);
}

static void print_cache(const struct metric *metric)
{
    unsigned cursor = 0;
    struct cache_stats stats;
    while (caches_next(metric->server->caches, &cursor, &stats))
        sample_field(metric, (const char *const[]){"path", stats.path, NULL}, &stats);
}

// ---- links and sources --------------------------------------------------------------------------

static const char *direction(bool dialled)
{
    return dialled ? "out" : "in";
}

static void print_link_up_one(void *arg, struct link *link, bool dialled)
{
    sample_uint(arg,
                (const char *const[]){"link", link_name(link), "dialled", direction(dialled), NULL},
                link_is_up(link));
}

static void print_link_up(const struct metric *metric)
{
    link_hub_each(metric->server->links, print_link_up_one, (void *)(uintptr_t)metric);
}

static void print_link_one(void *arg, struct link *link, bool dialled)
{
    struct link_stats stats;
    link_get_stats(link, &stats);
    sample_field(
        arg, (const char *const[]){"link", link_name(link), "dialled", direction(dialled), NULL},
        &stats);
}

static void print_link(const struct metric *metric)
{
    link_hub_each(metric->server->links, print_link_one, (void *)(uintptr_t)metric);
}

static void print_link_class_one(void *arg, struct link *link, bool dialled)
{
    static const char *const classes[LINK_CLASSES] = {"control", "live", "archive", "bulk"};
    struct link_stats stats;
    link_get_stats(link, &stats);
    for (unsigned i = 0; i < LINK_CLASSES; i++)
        sample_uint(arg,
                    (const char *const[]){"link", link_name(link), "dialled", direction(dialled),
                                          "class", classes[i], NULL},
                    stats.class_out[i]);
}

static void print_link_class(const struct metric *metric)
{
    link_hub_each(metric->server->links, print_link_class_one, (void *)(uintptr_t)metric);
}

static void print_link_rtt_one(void *arg, struct link *link, bool dialled)
{
    if (link_is_up(link) && link_rtt_us(link) >= 0)
        sample_double(
            arg,
            (const char *const[]){"link", link_name(link), "dialled", direction(dialled), NULL},
            (double)link_rtt_us(link) / (double)US_PER_S);
}

static void print_link_rtt(const struct metric *metric)
{
    link_hub_each(metric->server->links, print_link_rtt_one, (void *)(uintptr_t)metric);
}

static void print_refusals(const struct metric *metric)
{
    const uint64_t *refusals = link_hub_refusals(metric->server->links);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (refusals[i])
            sample_uint(metric, (const char *const[]){"reason", reason_name(i), NULL}, refusals[i]);
    }
}

static void print_source_up_one(void *arg, const struct cluster_source_stats *source)
{
    sample_uint(arg, (const char *const[]){"source", source->name, NULL}, source->up);
}

static void print_source_up(const struct metric *metric)
{
    cluster_each_source(metric->server->cluster, print_source_up_one, (void *)(uintptr_t)metric);
}

static void print_source_streams_one(void *arg, const struct cluster_source_stats *source)
{
    sample_uint(arg, (const char *const[]){"source", source->name, NULL}, source->streams);
}

static void print_source_streams(const struct metric *metric)
{
    cluster_each_source(metric->server->cluster, print_source_streams_one,
                        (void *)(uintptr_t)metric);
}

// ---- the server ---------------------------------------------------------------------------------

static void print_http(const struct metric *metric)
{
    sample_field(metric, NULL, http_server_stats(metric->server->http));
}

static void print_http_status(const struct metric *metric)
{
    static const char *const classes[] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};
    for (unsigned i = 1; i < 6; i++)
        sample_uint(metric, (const char *const[]){"status", classes[i], NULL},
                    http_server_stats(metric->server->http)->status[i]);
}

static void print_loop(const struct metric *metric)
{
    sample_field(metric, NULL, loop_stats(metric->server->loop));
}

static void print_loop_turns(const struct metric *metric)
{
    const struct loop_stats *stats = loop_stats(metric->server->loop);
    uint64_t sum = 0;
    char bound[24];
    // Bucket i counts turns under 2^i us; the last one has no bound.
    for (unsigned i = 0; i < LOOP_HISTOGRAM; i++) {
        sum += stats->histogram[i];
        if (i + 1 < LOOP_HISTOGRAM)
            text_format(bound, sizeof(bound), "%.6f", (double)(1u << i) / 1e6);
        else
            text_copy(bound, sizeof(bound), "+Inf");
        sample(metric, "_bucket", (const char *const[]){"le", bound, NULL});
        writer_printf(metric->out, "%llu\n", (unsigned long long)sum);
    }
}

static void print_build(const struct metric *metric)
{
    sample(metric, "_info", (const char *const[]){"version", SLUICE_VERSION, NULL});
    writer_text(metric->out, "1\n");
}

static void print_config_errors(const struct metric *metric)
{
    sample_uint(metric, NULL, metric->server->conf_errors);
}

static void print_memory(const struct metric *metric)
{
    sample_uint(metric, NULL, process_memory_bytes());
}

static void print_cpu(const struct metric *metric)
{
    sample_double(metric, NULL, process_cpu_seconds());
}

static void print_started(const struct metric *metric)
{
    sample_double(metric, NULL, (double)metric->server->started_utc_us / (double)US_PER_S);
}

// ---- the table ----------------------------------------------------------------------------------

#define OF_STREAM(field, kind) print_stream, offsetof(struct stream_stats, field), kind
#define OF_ARCHIVE(field, kind) print_archive, offsetof(struct archive_stats, field), kind
#define OF_DISK(field) print_disk, offsetof(struct disk_stats, field), 'l'
#define OF_CACHE(field) print_cache, offsetof(struct cache_stats, field), 'l'
#define OF_LINK(field, kind) print_link, offsetof(struct link_stats, field), kind
#define OF_HTTP(field, kind) print_http, offsetof(struct http_stats, field), kind
#define OF_LOOP(field, kind) print_loop, offsetof(struct loop_stats, field), kind
#define WHOLE(print) print, 0, 0

static const struct family families[] = {
    {"sluice_build", "info", "The version that runs.", WHOLE(print_build)},
    {"sluice_config_errors", "gauge", "Mistakes in the configuration that was read last.",
     WHOLE(print_config_errors)},

    {"sluice_streams", "gauge", "Streams by state.", WHOLE(print_states)},
    {"sluice_stream", "info", "What the stream is called.", WHOLE(print_info)},
    {"sluice_stream_up", "gauge", "1 while frames come in.", WHOLE(print_up)},
    {"sluice_stream_frames", "counter", "Frames that came in.", OF_STREAM(frames_in, 'l')},
    {"sluice_stream_bytes", "counter", "Payload of those frames.", OF_STREAM(bytes_in, 'l')},
    {"sluice_stream_input_bytes", "counter", "Bytes read from the inputs.",
     OF_STREAM(input_bytes, 'l')},
    {"sluice_stream_bitrate_bits", "gauge", "Bits a second over the last ten seconds.",
     OF_STREAM(bitrate_bps, 'u')},
    {"sluice_stream_input_errors", "counter", "Frames or packets lost or unusable.",
     OF_STREAM(frame_errors, 'l')},
    {"sluice_stream_discontinuities", "counter", "Breaks of the timeline.",
     OF_STREAM(discontinuities, 'l')},
    {"sluice_stream_retries", "counter", "Attempts to get an input back.", OF_STREAM(retries, 'l')},
    {"sluice_stream_segments", "counter", "Segments closed.", OF_STREAM(segments, 'l')},
    {"sluice_stream_viewers", "gauge", "Who watches.", OF_STREAM(viewers, 'u')},
    {"sluice_stream_sent_bytes", "counter", "Media bytes given to viewers.",
     OF_STREAM(viewer_bytes, 'l')},
    {"sluice_stream_viewers_slow", "counter", "Viewers closed because they took too little.",
     OF_STREAM(viewers_slow, 'l')},
    {"sluice_stream_silence_seconds", "gauge", "Since the last frame.", WHOLE(print_silence)},

    {"sluice_archive_up", "gauge", "1 while it can be written and read.", WHOLE(print_archive_up)},
    {"sluice_archive_bytes", "gauge", "On disk.", OF_ARCHIVE(bytes, 'l')},
    {"sluice_archive_files", "gauge", "On disk.", OF_ARCHIVE(files, 'l')},
    {"sluice_archive_segments_written", "counter", "Segments on disk.",
     OF_ARCHIVE(segments_written, 'l')},
    {"sluice_archive_written_bytes", "counter", "Bytes on disk.", OF_ARCHIVE(bytes_written, 'l')},
    {"sluice_archive_segments_thinned", "counter",
     "Segments written without all their pictures: the disk was too slow.",
     OF_ARCHIVE(segments_thinned, 'l')},
    {"sluice_archive_segments_shed", "counter", "Segments not written: the disk was too slow.",
     OF_ARCHIVE(segments_shed, 'l')},
    {"sluice_archive_segments_read", "counter", "Segments read for viewers.",
     OF_ARCHIVE(segments_read, 'l')},
    {"sluice_archive_errors", "counter", "Refusals of the disk.", OF_ARCHIVE(errors, 'l')},
    {"sluice_archive_queued_bytes", "gauge", "Waiting for the disk.",
     OF_ARCHIVE(bytes_queued, 'l')},

    {"sluice_disk_up", "gauge", "Whether what archives record to works.", WHOLE(print_disk_up)},
    {"sluice_disk_total_bytes", "gauge", "Of its file system.", OF_DISK(total_bytes)},
    {"sluice_disk_free_bytes", "gauge", "Of its file system.", OF_DISK(free_bytes)},
    {"sluice_disk_queued_bytes", "gauge", "Waiting to be written.", OF_DISK(queued_bytes)},
    {"sluice_cache_bytes", "gauge", "Kept of other servers' archives.", OF_CACHE(bytes)},
    {"sluice_cache_segments", "gauge", "Kept of other servers' archives.", OF_CACHE(segments)},
    {"sluice_cache_hits", "counter", "Segments, or their heads, given from the cache.",
     OF_CACHE(hits)},
    {"sluice_cache_hit_bytes", "counter", "Given from the cache.", OF_CACHE(hit_bytes)},
    {"sluice_cache_misses", "counter", "Segments that had to be fetched.", OF_CACHE(misses)},
    {"sluice_cache_segments_written", "counter", "Segments kept.", OF_CACHE(written)},
    {"sluice_cache_segments_removed", "counter", "Segments that went.", OF_CACHE(removed)},
    {"sluice_cache_segments_refused", "counter", "Segments not kept: the disk was too slow.",
     OF_CACHE(refused)},
    {"sluice_cache_damaged", "counter", "Files that were not what was written.", OF_CACHE(damaged)},
    {"sluice_cache_errors", "counter", "Refusals of the disk.", OF_CACHE(errors)},

    {"sluice_source_up", "gauge", "1 while the other server is connected.", WHOLE(print_source_up)},
    {"sluice_source_streams", "gauge", "Streams it offers that are taken.",
     WHOLE(print_source_streams)},
    {"sluice_link_up", "gauge", "1 while channels can be opened.", WHOLE(print_link_up)},
    {"sluice_link_attempts", "counter", "Times it was dialled.", OF_LINK(attempts, 'l')},
    {"sluice_link_connects", "counter", "Times it came up.", OF_LINK(ups, 'l')},
    {"sluice_link_received_bytes", "counter", "On the wire, TLS included.", OF_LINK(bytes_in, 'l')},
    {"sluice_link_sent_bytes", "counter", "On the wire, TLS included.", OF_LINK(bytes_out, 'l')},
    {"sluice_link_received_payload_bytes", "counter", "Messages without their heads.",
     OF_LINK(payload_in, 'l')},
    {"sluice_link_sent_payload_bytes", "counter", "Messages without their heads.",
     OF_LINK(payload_out, 'l')},
    {"sluice_link_class_sent_bytes", "counter", "Payload by class.", WHOLE(print_link_class)},
    {"sluice_link_channels", "gauge", "Open channels.", OF_LINK(channels, 'u')},
    {"sluice_link_rtt_seconds", "gauge", "Smallest of the last round trips.",
     WHOLE(print_link_rtt)},
    {"sluice_link_refusals", "counter", "Servers that were not let in, by reason.",
     WHOLE(print_refusals)},

    {"sluice_http_requests", "counter", "Requests.", OF_HTTP(requests, 'l')},
    {"sluice_http_responses", "counter", "Answers by class of status.", WHOLE(print_http_status)},
    {"sluice_http_sent_bytes", "counter", "Bytes sent.", OF_HTTP(bytes_out, 'l')},
    {"sluice_http_connections", "gauge", "Open connections.", OF_HTTP(connections, 'u')},
    {"sluice_http_connections_opened", "counter", "Connections accepted.",
     OF_HTTP(connections_total, 'l')},
    {"sluice_http_bad_heads", "counter", "Requests whose head was refused.",
     OF_HTTP(bad_heads, 'l')},
    {"sluice_http_refused", "counter", "Connections refused at a limit.", OF_HTTP(refused, 'l')},

    {"sluice_loop_turn_seconds", "histogram", "Duration of turns of the event loop.",
     WHOLE(print_loop_turns)},
    {"sluice_loop_slow_turns", "counter", "Turns of more than 5 ms.", OF_LOOP(slow_turns, 'l')},
    {"sluice_loop_longest_turn_seconds", "gauge", "Longest turn since the start.",
     OF_LOOP(longest_us, 'm')},

    {"process_resident_memory_bytes", "gauge", "Resident memory.", WHOLE(print_memory)},
    {"process_cpu_seconds", "counter", "User and system time.", WHOLE(print_cpu)},
    {"process_start_time_seconds", "gauge", "Start, seconds since 1970 UTC.", WHOLE(print_started)},
};
enum { FAMILY_COUNT = sizeof(families) / sizeof(families[0]) };

// ---- the answer ---------------------------------------------------------------------------------

struct scrape {
    struct server *server;
    struct http_request *request;
    unsigned next;      // family
    struct defer again; // the next piece, in the next turn
};

static void print_family(struct server *server, const struct family *family, struct writer *out)
{
    struct metric metric = {.server = server, .out = out, .family = family};
    writer_printf(out, "# TYPE %s %s\n# HELP %s %s\n", family->name, family->type, family->name,
                  family->help);
    family->print(&metric);
}

static void proceed_again(void *arg);

static void proceed(void *arg, struct http_request *request)
{
    struct scrape *scrape = arg;
    struct chain chain = {0};
    bool more;
    do {
        struct writer out;
        writer_init(&out, 1024);
        if (scrape->next < FAMILY_COUNT)
            print_family(scrape->server, &families[scrape->next], &out);
        else
            writer_text(&out, "# EOF\n");
        struct buf *buf = writer_take(&out);
        chain_take(&chain, &buf);
        more = scrape->next++ < FAMILY_COUNT;
        // Small families share a piece; a big one is a turn of its own.
    } while (more && chain.bytes < 16384);
    bool room = http_body_write(request, &chain);
    scrape->request = request;
    if (!more)
        http_body_end(request);
    else if (room)
        loop_later(scrape->server->loop, &scrape->again, proceed_again, scrape);
}

static void proceed_again(void *arg)
{
    struct scrape *scrape = arg;
    proceed(scrape, scrape->request);
}

static void stop(void *arg)
{
    struct scrape *scrape = arg;
    loop_defer_cancel(scrape->server->loop, &scrape->again);
    mem_free(scrape);
}

static void handle_metrics(void *arg, struct http_request *request)
{
    static const struct http_body body = {.proceed = proceed, .stop = stop};
    struct scrape *scrape = mem_alloc(sizeof(*scrape));
    uint64_t first, count;
    scrape->server = arg;
    http_set_header(request, "Cache-Control", "no-store");
    http_respond_stream(request, "application/openmetrics-text; version=1.0.0; charset=utf-8", -1,
                        &body, scrape, &first, &count);
}

const struct http_route metrics_routes[] = {
    {"/metrics", HTTP_GET, handle_metrics},
    {NULL, 0, NULL},
};
