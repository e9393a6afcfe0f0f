// SPDX-License-Identifier: MIT
// GET /streamer/api/v3/streams and /streamer/api/v3/streams/NAME. docs/API.md has the fields.
#include <string.h>

#include "api.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "base/writer.h"
#include "conf_problem.h"
#include "http/http.h"
#include "server.h"

enum { LIMIT_STANDARD = 100, LIMIT_MAX = 1000 };

// A stream without a frame for longer is not alive, whatever its state.
#define ALIVE_US (12 * US_PER_S)

// ---- one stream ---------------------------------------------------------------------------------

static void json_key_ms(struct json *json, const char *key, int64_t utc_us_value)
{
    if (utc_us_value)
        json_key_int(json, key, utc_us_value / US_PER_MS);
}

static void json_input(struct json *json, const struct input_conf *input, bool active)
{
    struct url *url = mem_alloc(sizeof(*url));
    char safe[URL_TEXT_MAX] = "";
    const char *why;
    if (url_parse(input->url, url, &why) == 0)
        url_print_safe(url, safe, sizeof(safe));
    mem_free(url);
    json_object_begin(json);
    json_key_text(json, "url", safe);
    for (unsigned i = 0; i < input->option_count; i++)
        json_key_text(json, input->option[i].key,
                      conf_key_is_secret(input->option[i].key) ? "***" : input->option[i].value);
    json_key_bool(json, "active", active);
    json_object_end(json);
}

// Pairs as [800, 1600].
static void json_dvr_schedule(struct json *json, const struct dvr_conf *dvr)
{
    if (dvr->span_count == 0)
        return;
    json_key(json, "schedule");
    json_array_begin(json);
    for (unsigned i = 0; i < dvr->span_count; i++) {
        json_array_begin(json);
        json_int(json, dvr->span[i].from_m / 60 * 100 + dvr->span[i].from_m % 60);
        json_int(json, dvr->span[i].to_m / 60 * 100 + dvr->span[i].to_m % 60);
        json_array_end(json);
    }
    json_array_end(json);
}

static void json_dvr_conf(struct json *json, const struct dvr_conf *dvr)
{
    json_key(json, "dvr");
    json_object_begin(json);
    json_key_text(json, "root", dvr->path[0]);
    if (dvr->path_count > 1) {
        json_key(json, "roots");
        json_array_begin(json);
        for (unsigned i = 0; i < dvr->path_count; i++)
            json_text(json, dvr->path[i]);
        json_array_end(json);
    }
    if (dvr->depth_s)
        json_key_int(json, "expiration", dvr->depth_s);
    json_key_int(json, "disk_usage_limit", dvr->percent);
    if (dvr->size_bytes)
        json_key_int(json, "storage_limit", (int64_t)dvr->size_bytes);
    if (dvr->free_bytes)
        json_key_int(json, "free_limit", (int64_t)dvr->free_bytes);
    json_key_int(json, "sync", dvr->sync_us / US_PER_S);
    json_dvr_schedule(json, dvr);
    if (dvr->mounted)
        json_key_bool(json, "mounted", true);
    if (dvr->offline)
        json_key_bool(json, "offline", true);
    json_object_end(json);
}

static void json_archive(struct json *json, struct stream *stream)
{
    static const char *const states[] = {"opening", "ready", "failed"};
    struct history_range whole;
    struct archive_stats archive;
    bool there = api_archive(stream, &whole);
    json_key_bool(json, "dvr_enabled", there);
    if (!there)
        return;
    json_key(json, "dvr_info");
    json_object_begin(json);
    if (whole.to_us > whole.from_us) {
        json_key_int(json, "from", whole.from_us / US_PER_S);
        json_key_int(json, "depth", (whole.to_us - whole.from_us) / US_PER_S);
    }
    if (archive_get_stats(stream, &archive)) {
        json_key_int(json, "bytes", (int64_t)archive.bytes);
        json_key_int(json, "files", (int64_t)archive.files);
        json_key_text(json, "state", states[archive.state]);
        json_key_text(json, "paused", archive.paused);
        json_key_text(json, "problem", archive.problem);
        json_key_int(json, "segments_written", (int64_t)archive.segments_written);
        json_key_int(json, "segments_thinned", (int64_t)archive.segments_thinned);
        json_key_int(json, "segments_skipped", (int64_t)archive.segments_shed);
        json_key_int(json, "errors", (int64_t)archive.errors);
    }
    json_object_end(json);
}

static void json_stats(struct json *json, struct stream *stream)
{
    static const char *const status[] = {[STREAM_IDLE] = "waiting",
                                         [STREAM_STARTING] = "waiting",
                                         [STREAM_LIVE] = "running",
                                         [STREAM_LOST] = "error"};
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    int64_t silent_us = stats.last_frame_us ? now_us() - stats.last_frame_us : -1;
    bool live = stream_state(stream) == STREAM_LIVE;
    json_key(json, "stats");
    json_object_begin(json);
    json_key_text(json, "status", status[stream_state(stream)]);
    json_key_text(json, "state", stream_state_name(stream_state(stream)));
    json_key_bool(json, "alive", live && silent_us >= 0 && silent_us <= ALIVE_US);
    json_key_int(json, "bitrate", stats.bitrate_bps / 1000);
    json_key_int(json, "online_clients", stats.viewers);
    json_key_int(json, "client_count", stats.viewers);
    json_key_int(json, "retry_count", (int64_t)stats.retries);
    if (silent_us >= 0)
        json_key_int(json, "ts_delay", silent_us / US_PER_MS);
    json_key_ms(json, "last_dts", stats.last_dts_utc_us);
    json_key_ms(json, "opened_at", stats.started_utc_us);
    json_key_ms(json, "start_running_at", stats.live_since_utc_us);
    if (live && stats.live_since_utc_us)
        json_key_int(json, "lifetime", (utc_us() - stats.live_since_utc_us) / US_PER_MS);
    json_key_int(json, "frames_in", (int64_t)stats.frames_in);
    json_key_int(json, "bytes_in", (int64_t)stats.bytes_in);
    json_key_int(json, "input_bytes", (int64_t)stats.input_bytes);
    json_key_int(json, "bytes_out", (int64_t)stats.viewer_bytes);
    json_key_int(json, "input_errors", (int64_t)stats.frame_errors);
    json_key_int(json, "discontinuities", (int64_t)stats.discontinuities);
    json_key_int(json, "segments", (int64_t)stats.segments);
    json_key_bool(json, "remote", stream_conf(stream)->remote);
    if (stats.last_reason != REASON_NONE) {
        json_key_text(json, "source_error", reason_name(stats.last_reason));
        json_key_text(json, "source_error_detail", stats.last_detail);
    }
    json_archive(json, stream);
    json_key(json, "media_info");
    json_object_begin(json);
    json_key(json, "tracks");
    api_json_tracks(json, stream_known_tracks(stream));
    json_object_end(json);
    json_object_end(json);
}

void api_json_stream(struct json *json, struct stream *stream)
{
    const struct stream_conf *conf = stream_conf(stream);
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    bool runs = stream_state(stream) != STREAM_IDLE;
    json_object_begin(json);
    json_key_text(json, "name", conf->name);
    if (conf->title)
        json_key_text(json, "title", conf->title);
    json_key_text(json, "named_by", conf->remote ? "remote" : conf->kept ? "archive" : "config");
    json_key_bool(json, "static", conf->is_static);
    json_key_bool(json, "disabled", conf->disabled);
    json_key_int(json, "segment_duration", conf->segment_duration_us / US_PER_MS);
    json_key_int(json, "segment_count", conf->segment_count);
    json_key_int(json, "clients_timeout", conf->clients_timeout_us / US_PER_S);
    json_key_int(json, "source_timeout", conf->source_timeout_us / US_PER_S);
    json_key(json, "inputs");
    json_array_begin(json);
    for (unsigned i = 0; i < conf->input_count; i++)
        json_input(json, &conf->input[i], runs && stats.active_input == i);
    json_array_end(json);
    if (conf->dvr.path_count > 0)
        json_dvr_conf(json, &conf->dvr);
    json_stats(json, stream);
    json_object_end(json);
}

// ---- the list -----------------------------------------------------------------------------------

// A cursor names the first stream of a page: where it stood among all, and its name in case the
// place is another's by now. Opaque to clients.
struct page {
    struct server *server;
    size_t first, limit;
    char name[STREAM_NAME_MAX];
};

static void cursor_print(size_t place, const char *name, char *out, size_t room)
{
    char plain[STREAM_NAME_MAX + 24];
    text_format(plain, sizeof(plain), "%zu:%s", place, name);
    ENSURE(room > 2 * sizeof(plain));
    hex_encode(plain, strlen(plain), out);
}

static bool cursor_read(const char *text, struct page *page)
{
    char plain[STREAM_NAME_MAX + 24];
    size_t length;
    int64_t place;
    if (!hex_decode(text, strlen(text), (uint8_t *)plain, sizeof(plain) - 1, &length))
        return false;
    plain[length] = 0;
    char *colon = strchr(plain, ':');
    if (!colon || !text_copy(page->name, sizeof(page->name), colon + 1))
        return false;
    *colon = 0;
    if (text_to_int(plain, 0, INT32_MAX, &place) != 0)
        return false;
    page->first = (size_t)place;
    return true;
}

static bool page_read(struct http_request *request, struct page *page)
{
    char text[512];
    int64_t limit = LIMIT_STANDARD;
    if (http_query_get(request, "limit", text, sizeof(text)) &&
        text_to_int(text, 1, LIMIT_MAX, &limit) != 0)
        return false;
    page->limit = (size_t)limit;
    return !http_query_get(request, "cursor", text, sizeof(text)) || cursor_read(text, page);
}

// Where the page begins now: at the stream it is named for, or where that one stood.
static size_t page_begin(const struct page *page)
{
    const struct stream *wanted = streams_get(page->server->streams, page->name);
    size_t cursor = 0, place = 0;
    for (struct stream *stream; (stream = streams_next(page->server->streams, &cursor)) != NULL;
         place++) {
        if (wanted ? stream == wanted : place == page->first)
            return place;
    }
    return page->first < place ? page->first : place;
}

static void handle_list(void *arg, struct http_request *request)
{
    struct page page = {.server = arg};
    if (!page_read(request, &page)) {
        http_respond_error(request, 400, "limit is 1 to 1000, cursor comes from an answer");
        return;
    }
    struct streams *streams = page.server->streams;
    struct writer out;
    struct json json;
    char next[2 * (STREAM_NAME_MAX + 24) + 1] = "", previous[sizeof(next)] = "";
    size_t begin = page.name[0] || page.first ? page_begin(&page) : 0;
    size_t back = begin > page.limit ? begin - page.limit : 0;
    size_t cursor = 0, place = 0;
    writer_init(&out, 4096);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, "streams");
    json_array_begin(&json);
    for (struct stream *stream; (stream = streams_next(streams, &cursor)) != NULL; place++) {
        if (place == back && begin > 0)
            cursor_print(place, stream_name(stream), previous, sizeof(previous));
        if (place >= begin && place < begin + page.limit)
            api_json_stream(&json, stream);
        if (place == begin + page.limit) {
            cursor_print(place, stream_name(stream), next, sizeof(next));
            break;
        }
    }
    json_array_end(&json);
    json_key_int(&json, "estimated_count", (int64_t)streams_count(streams));
    json_key_text(&json, "next", next[0] ? next : NULL);
    json_key_text(&json, "prev", previous[0] ? previous : NULL);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

static void handle_one(void *arg, struct http_request *request)
{
    struct server *server = arg;
    struct stream *stream = streams_get(server->streams, http_prefix(request));
    if (!stream && api_dvr_get(server, request))
        return;
    if (!stream) {
        http_respond_error(request, 404, "there is no stream of that name");
        return;
    }
    struct writer out;
    struct json json;
    writer_init(&out, 2048);
    json_init(&json, &out);
    api_json_stream(&json, stream);
    api_respond(request, 200, &out);
}

const struct http_route api_stream_routes[] = {
    {"/streamer/api/v3/streams", HTTP_GET, handle_list},
    {"/streamer/api/v3/streams/*", HTTP_GET, handle_one},
    {NULL, 0, NULL},
};
