// SPDX-License-Identifier: MIT
// GET /NAME/media_info.json and /NAME/recording_status.json: what a player asks of one stream.
// Neither starts an on-demand stream.
//
// recording_status.json without a query tells where the archive begins and ends. With from= and to=
// or request=ranges it tells what is there in between: exactly, or in whole hours when the stretch
// is longer than four days and nobody insists (request=ranges,force_detailed).
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "http/http.h"
#include "server.h"

#define COARSE_OVER_US (4 * 86400 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
// Beyond this a number is not a time of this millennium.
#define UTC_SECONDS_MAX 32503680000LL

// A question to the history of a stream that is under way.
struct question {
    struct http_request *request;
    struct history_request *history;
    bool coarse, plain; // plain: the answer of dvr/ranges
    char name[STREAM_NAME_MAX];
};

static struct stream *find_stream(struct server *server, struct http_request *request)
{
    struct stream *stream = streams_get(server->streams, http_prefix(request));
    if (!stream)
        http_respond_error(request, 404, "there is no stream of that name");
    return stream;
}

static void handle_media_info(void *arg, struct http_request *request)
{
    struct stream *stream = find_stream(arg, request);
    if (!stream)
        return;
    struct writer out;
    struct json json;
    writer_init(&out, 512);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key_text(&json, "name", stream_name(stream));
    if (stream_conf(stream)->title)
        json_key_text(&json, "title", stream_conf(stream)->title);
    json_key(&json, "tracks");
    api_json_tracks(&json, stream_known_tracks(stream));
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// ---- where the archive begins and ends ----------------------------------------------------------

static void respond_summary(struct http_request *request, struct stream *stream)
{
    struct history_range whole;
    struct writer out;
    struct json json;
    writer_init(&out, 256);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, stream_name(stream));
    json_object_begin(&json);
    if (!api_archive(stream, &whole)) {
        json_key_text(&json, "error", "no_dvr");
    } else if (whole.to_us > whole.from_us) {
        json_key_int(&json, "from", whole.from_us / US_PER_S);
        json_key_int(&json, "to", whole.to_us / US_PER_S);
    }
    json_object_end(&json);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

// ---- what is there in between -------------------------------------------------------------------

// Whole hours around each range, joined where they meet. Returns how many; in place.
static size_t make_coarse(struct history_range *ranges, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!history_has_media(&ranges[i]))
            continue;
        int64_t from_us = ranges[i].from_us / HOUR_US * HOUR_US;
        int64_t to_us = (ranges[i].to_us + HOUR_US - 1) / HOUR_US * HOUR_US;
        if (kept > 0 && from_us <= ranges[kept - 1].to_us)
            ranges[kept - 1].to_us = to_us;
        else
            ranges[kept++] = (struct history_range){from_us, to_us, REASON_NONE};
    }
    return kept;
}

// What is there, thinned or not.
static void json_ranges(struct json *json, const struct history_range *ranges, size_t count)
{
    json_key(json, "ranges");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        if (!history_has_media(&ranges[i]))
            continue;
        int64_t from_s = ranges[i].from_us / US_PER_S;
        while (i + 1 < count && history_has_media(&ranges[i + 1]) &&
               ranges[i + 1].from_us <= ranges[i].to_us)
            i++;
        json_object_begin(json);
        json_key_int(json, "from", from_s);
        json_key_int(json, "duration", (ranges[i].to_us + US_PER_S - 1) / US_PER_S - from_s);
        json_object_end(json);
    }
    json_array_end(json);
}

// Where nothing is, or thinned: where not all is that was; and why.
static void json_lacks(struct json *json, const struct history_range *ranges, size_t count,
                       bool thinned)
{
    json_key(json, thinned ? "thinned" : "holes");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        if (thinned ? ranges[i].reason != REASON_THINNED : history_has_media(&ranges[i]))
            continue;
        json_object_begin(json);
        json_key(json, "from");
        json_double(json, (double)(ranges[i].from_us / US_PER_MS) / 1000);
        json_key(json, "duration");
        json_double(json, (double)((ranges[i].to_us - ranges[i].from_us) / US_PER_MS) / 1000);
        json_key_text(json, "reason", reason_name(ranges[i].reason));
        json_key_text(json, "text", reason_text(ranges[i].reason));
        json_object_end(json);
    }
    json_array_end(json);
}

static void respond_plain(struct http_request *request, const struct history_range *ranges,
                          size_t count)
{
    struct writer out;
    struct json json;
    writer_init(&out, 1024);
    json_init(&json, &out);
    json_object_begin(&json);
    json_ranges(&json, ranges, count);
    json_lacks(&json, ranges, count, false);
    json_lacks(&json, ranges, count, true);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

static void respond_ranges(struct http_request *request, const char *name, const char *error,
                           const char *warning, const struct history_range *ranges, size_t count)
{
    struct writer out;
    struct json json;
    writer_init(&out, 1024);
    json_init(&json, &out);
    json_array_begin(&json);
    json_object_begin(&json);
    json_key_text(&json, "stream", name);
    if (error)
        json_key_text(&json, "error", error);
    if (warning)
        json_key_text(&json, "warning", warning);
    json_ranges(&json, ranges, count);
    json_lacks(&json, ranges, count, false);
    json_lacks(&json, ranges, count, true);
    json_key(&json, "motion_log");
    json_array_begin(&json);
    json_array_end(&json);
    json_object_end(&json);
    json_array_end(&json);
    api_respond(request, 200, &out);
}

static void on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct question *question = arg;
    http_on_gone(question->request, NULL, NULL);
    if (err != 0) {
        http_respond_error(question->request, err == ERR_NOT_FOUND ? 404 : 503,
                           "the archive cannot be read now");
    } else if (question->plain) {
        respond_plain(question->request, ranges, count);
    } else if (question->coarse) {
        struct history_range *copy = mem_dup(ranges, count * sizeof(copy[0]));
        count = make_coarse(copy, count);
        respond_ranges(question->request, question->name, NULL, "too_big_range", copy, count);
        mem_free(copy);
    } else {
        respond_ranges(question->request, question->name, NULL, NULL, ranges, count);
    }
    mem_free(question);
}

static void on_gone(void *arg)
{
    struct question *question = arg;
    history_cancel(&question->history);
    mem_free(question);
}

bool api_query_time(struct http_request *request, const char *key, int64_t absent_us,
                    int64_t *out_us)
{
    char text[32];
    int64_t seconds;
    *out_us = absent_us;
    if (!http_query_get(request, key, text, sizeof(text)))
        return true;
    if (strcmp(text, "now") == 0) {
        *out_us = utc_us();
        return true;
    }
    if (text_to_int(text, 0, UTC_SECONDS_MAX, &seconds) != 0)
        return false;
    *out_us = seconds * US_PER_S;
    return true;
}

static void ask_ranges(struct http_request *request, struct stream *stream, int64_t from_us,
                       int64_t to_us, bool coarse, bool plain)
{
    struct history *history = stream_history(stream);
    if (!history) {
        respond_ranges(request, stream_name(stream), "no_dvr", NULL, NULL, 0);
        return;
    }
    struct question *question = mem_alloc(sizeof(*question));
    question->request = request;
    question->coarse = coarse;
    question->plain = plain;
    text_copy(question->name, sizeof(question->name), stream_name(stream));
    http_on_gone(request, on_gone, question);
    question->history = history_ranges(history, from_us, to_us, on_ranges, question);
    if (!question->history) {
        http_on_gone(request, NULL, NULL);
        http_respond_error(request, 503, "the archive cannot be read now");
        mem_free(question);
    }
}

static void handle_recording_status(void *arg, struct http_request *request)
{
    struct stream *stream = find_stream(arg, request);
    char wanted[64] = "", unused[32];
    struct history_range whole;
    int64_t from_us, to_us;
    if (!stream)
        return;
    bool detailed = http_query_get(request, "request", wanted, sizeof(wanted));
    if (!detailed && !http_query_get(request, "from", unused, sizeof(unused)) &&
        !http_query_get(request, "to", unused, sizeof(unused))) {
        respond_summary(request, stream);
        return;
    }
    if (!api_archive(stream, &whole)) {
        respond_ranges(request, stream_name(stream), "no_dvr", NULL, NULL, 0);
        return;
    }
    if (!api_query_time(request, "from", whole.from_us, &from_us) ||
        !api_query_time(request, "to", utc_us(), &to_us) || to_us < from_us) {
        http_respond_error(request, 400, "from and to are UTC seconds, to may be now");
        return;
    }
    bool coarse = to_us - from_us > COARSE_OVER_US && !strstr(wanted, "force_detailed");
    ask_ranges(request, stream, from_us, to_us, coarse, false);
}

void api_dvr_ranges(struct stream *stream, struct http_request *request)
{
    struct history_range whole;
    int64_t from_us, to_us;
    if (!api_archive(stream, &whole)) {
        http_respond_error(request, 404, "the stream has no archive");
        return;
    }
    if (!api_query_time(request, "from", whole.from_us, &from_us) ||
        !api_query_time(request, "to", utc_us(), &to_us) || to_us < from_us) {
        http_respond_error(request, 400, "from and to are UTC seconds, to may be now");
        return;
    }
    ask_ranges(request, stream, from_us, to_us, false, true);
}

const struct http_route api_record_routes[] = {
    {"media_info.json", HTTP_GET, handle_media_info},
    {"recording_status.json", HTTP_GET, handle_recording_status},
    {NULL, 0, NULL},
};
