// SPDX-License-Identifier: MIT
// The archive of a stream by the API: /streamer/api/v3/streams/NAME/dvr/ranges, .../dvr/locks,
// .../dvr/enable and .../dvr/disable.
#include <jansson.h>
#include <string.h>

#include "api.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/text.h"
#include "base/writer.h"
#include "http/http.h"
#include "server.h"

// Nothing is locked for longer than a century: a number typed wrong.
#define DURATION_MAX_S 3155760000LL

// The stream of "NAME/dvr/what"; NULL when the path does not end so, or there is no such stream.
static struct stream *stream_of(struct server *server, const struct http_request *request,
                                const char *what)
{
    char name[STREAM_NAME_MAX], tail[32];
    const char *path = http_prefix(request);
    (void)text_format(tail, sizeof tail, "/dvr/%s", what);
    size_t length = strlen(path), rest = strlen(tail);
    if (length <= rest || strcmp(path + length - rest, tail) != 0 ||
        !text_copy_n(name, sizeof name, path, length - rest))
        return NULL;
    return streams_get(server->streams, name);
}

static void json_lock(void *arg, int64_t from_us, int64_t to_us)
{
    struct json *json = arg;
    json_object_begin(json);
    json_key_int(json, "from", from_us / US_PER_S);
    json_key_int(json, "duration", (to_us - from_us) / US_PER_S);
    json_object_end(json);
}

static void respond_locks(struct stream *stream, struct http_request *request)
{
    struct writer out;
    struct json json;
    writer_init(&out, 256);
    json_init(&json, &out);
    json_object_begin(&json);
    json_key(&json, "locks");
    json_array_begin(&json);
    archive_locks(stream, json_lock, &json);
    json_array_end(&json);
    json_object_end(&json);
    api_respond(request, 200, &out);
}

bool api_dvr_get(struct server *server, struct http_request *request)
{
    struct stream *stream = stream_of(server, request, "ranges");
    if (stream) {
        api_dvr_ranges(stream, request);
        return true;
    }
    stream = stream_of(server, request, "locks");
    if (stream)
        respond_locks(stream, request);
    return stream != NULL;
}

// from=SECONDS&duration=SECONDS, or to= in place of duration.
static bool query_stretch(struct http_request *request, int64_t *from_us, int64_t *to_us)
{
    char text[32];
    int64_t duration_s;
    if (!api_query_time(request, "from", -1, from_us) || *from_us < 0 ||
        !api_query_time(request, "to", -1, to_us))
        return false;
    if (http_query_get(request, "duration", text, sizeof(text))) {
        if (text_to_int(text, 1, DURATION_MAX_S, &duration_s) != 0)
            return false;
        *to_us = *from_us + duration_s * US_PER_S;
    }
    return *to_us > *from_us;
}

static void respond_error(struct http_request *request, int err)
{
    if (err == ERR_NOT_FOUND)
        http_respond_error(request, 404, "the stream has no archive on this server");
    else if (err == ERR_AGAIN)
        http_respond_error(request, 503, "the archive is not ready, ask again");
    else
        http_respond_error(request, 409, "there are too many stretches of this stream");
}

static void respond_switched(struct stream *stream, struct http_request *request, bool on)
{
    int err = archive_switch(stream, on);
    if (err != 0)
        respond_error(request, err);
    else
        http_respond(request, 204, NULL, &(struct buf *){NULL});
}

static void handle_change(void *arg, struct http_request *request)
{
    int64_t from_us, to_us;
    struct stream *locks = stream_of(arg, request, "locks");
    struct stream *ranges = stream_of(arg, request, "ranges");
    bool post = http_method(request) == HTTP_POST;
    if (!http_may_change(request))
        return;
    struct stream *enable = post ? stream_of(arg, request, "enable") : NULL;
    struct stream *disable = post ? stream_of(arg, request, "disable") : NULL;
    if (enable || disable) {
        respond_switched(enable ? enable : disable, request, enable != NULL);
        return;
    }
    if (!locks && !(ranges && !post)) {
        http_respond_error(request, 404, "there is nothing of that name that can be changed");
        return;
    }
    if (!query_stretch(request, &from_us, &to_us)) {
        http_respond_error(request, 400, "from and duration are seconds, or from and to");
        return;
    }
    int err =
        locks ? archive_lock(locks, from_us, to_us, post) : archive_delete(ranges, from_us, to_us);
    if (err != 0)
        respond_error(request, err);
    else if (locks)
        respond_locks(locks, request);
    else
        http_respond(request, 204, NULL, &(struct buf *){NULL});
}

static void handle_old_switch(void *arg, struct http_request *request, bool on)
{
    struct server *server = arg;
    if (!http_may_change(request))
        return;
    struct stream *stream = streams_get(server->streams, http_prefix(request));
    if (stream)
        respond_switched(stream, request, on);
    else
        http_respond_error(request, 404, "there is no stream of that name");
}

static void handle_old_enable(void *arg, struct http_request *request)
{
    handle_old_switch(arg, request, true);
}

static void handle_old_disable(void *arg, struct http_request *request)
{
    handle_old_switch(arg, request, false);
}

// {"stream": NAME, "from": SECONDS, "duration": SECONDS}. The stream; NULL when it was answered.
static struct stream *old_stretch(struct server *server, struct http_request *request,
                                  int64_t *from_us, int64_t *to_us)
{
    struct bytes body = http_body(request);
    const char *name = NULL;
    json_int_t from_s = -1, duration_s = 0;
    json_t *root = json_loadb((const char *)body.data, body.length, 0, NULL);
    int err = json_unpack(root, "{s:s, s:I, s:I}", "stream", &name, "from", &from_s, "duration",
                          &duration_s);
    bool right = err == 0 && from_s >= 0 && from_s <= DURATION_MAX_S && duration_s >= 1 &&
                 duration_s <= DURATION_MAX_S;
    struct stream *stream = right ? streams_get(server->streams, name) : NULL;
    json_decref(root);
    *from_us = from_s * US_PER_S;
    *to_us = *from_us + duration_s * US_PER_S;
    if (!right)
        http_respond_error(request, 400, "stream, from and duration (seconds) are wanted as JSON");
    else if (!stream)
        http_respond_error(request, 404, "there is no stream of that name");
    return stream;
}

static void handle_old_stretch(void *arg, struct http_request *request)
{
    int64_t from_us, to_us;
    if (!http_may_change(request))
        return;
    struct stream *stream = old_stretch(arg, request, &from_us, &to_us);
    if (!stream)
        return;
    const char *what = strrchr(http_path(request), '/') + 1;
    int err = strcmp(what, "delete") == 0
                  ? archive_delete(stream, from_us, to_us)
                  : archive_lock(stream, from_us, to_us, strcmp(what, "lock") == 0);
    if (err != 0)
        respond_error(request, err);
    else
        http_respond(request, 204, NULL, &(struct buf *){NULL});
}

const struct http_route api_dvr_routes[] = {
    {"/streamer/api/v3/streams/*", HTTP_POST | HTTP_DELETE, handle_change},
    // As scripts know them.
    {"/flussonic/api/dvr_enable/*", HTTP_POST, handle_old_enable},
    {"/flussonic/api/dvr_disable/*", HTTP_POST, handle_old_disable},
    {"/flussonic/api/dvr/lock", HTTP_POST, handle_old_stretch},
    {"/flussonic/api/dvr/unlock", HTTP_POST, handle_old_stretch},
    {"/flussonic/api/dvr/delete", HTTP_POST, handle_old_stretch},
    {NULL, 0, NULL},
};
