// SPDX-License-Identifier: MIT
// archive-FROM-DUR.ts: a stretch of the past as one MPEG-TS file, as fast as the client takes it.
// One segment is asked of history when the connection wants more.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/ts_segment.h"
#include "http/http.h"
#include "mpegts_priv.h"
#include "stream/protocol.h"
#include "stream/stream.h"
#include "stream/viewer.h"

struct download {
    struct http_request *request;
    struct viewer *viewer;
    struct history_request *reading;
    struct chain ready; // of a segment that came before the connection asked
    bool answered;      // the head has gone out
    bool wants, ended;
    int err; // why it ended
};

static void download_free(struct download *download)
{
    history_cancel(&download->reading);
    viewer_close(&download->viewer);
    chain_fini(&download->ready);
    mem_free(download);
}

static void give(struct download *download)
{
    if (!download->wants)
        return;
    if (download->ready.bytes) {
        download->wants = http_body_write(download->request, &download->ready);
        if (download->reading)
            history_next(download->reading);
    } else if (download->ended && download->err) {
        http_body_abort(download->request);
    } else if (download->ended) {
        http_body_end(download->request);
    }
}

static void proceed(void *arg, struct http_request *request)
{
    struct download *download = arg;
    (void)request;
    download->wants = true;
    give(download);
}

static void stop(void *arg)
{
    download_free(arg);
}

static const struct http_body body = {.proceed = proceed, .stop = stop};

static void on_segment(void *arg, struct segment **segment)
{
    struct download *download = arg;
    const struct chain *bytes;
    if (ts_segment(*segment, &bytes) == 0) {
        chain_add_range(&download->ready, bytes, 0, bytes->bytes);
        viewer_count_bytes(download->viewer, bytes->bytes);
    }
    segment_unref(segment);
    if (!download->answered) {
        uint64_t first, count;
        download->answered = true;
        http_on_gone(download->request, NULL, NULL);
        http_respond_stream(download->request, "video/mp2t", -1, &body, download, &first, &count);
    }
    if (download->ready.bytes)
        give(download);
    else
        history_next(download->reading);
}

static void on_end(void *arg, int err)
{
    struct download *download = arg;
    download->reading = NULL;
    download->ended = true;
    download->err = err;
    if (!download->answered) {
        struct http_request *request = download->request;
        http_on_gone(request, NULL, NULL);
        download_free(download);
        http_respond_error(request, err && err != ERR_NOT_FOUND ? 503 : 404,
                           err ? err_name(err) : "nothing is recorded there");
        return;
    }
    give(download);
}

static const struct history_events events = {.on_segment = on_segment, .on_end = on_end};

static void on_gone(void *arg)
{
    download_free(arg);
}

void mpegts_handle_past(void *arg, struct http_request *request)
{
    const struct protocol_env *env = arg;
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    char *end;
    const char *text = http_tail(request) + strlen("archive-");
    long long from_s = strtoll(text, &end, 10);
    long long duration_s = *end == '-' ? strtoll(end + 1, &end, 10) : 0;
    if (from_s <= 0 || duration_s <= 0 || from_s > 1LL << 40 || duration_s > 1LL << 30 ||
        *end != '.') {
        http_respond_error(request, 400, "expected archive-FROM-DURATION.ts in seconds");
        return;
    }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    struct download *download = mem_alloc(sizeof *download);
    download->request = request;
    download->viewer = viewer_open(stream, VIEWER_PAST, "mpegts", http_client(request));
    download->reading = history_read(history, from_s * US_PER_S, (from_s + duration_s) * US_PER_S,
                                     HISTORY_WHOLE, &events, download);
    http_on_gone(request, on_gone, download);
}
