// SPDX-License-Identifier: MIT
// The past as MPEG-TS: archive-FROM-DUR.ts is a stretch as one file, as fast as the client takes
// it; timeshift_abs and timeshift_rel are what was sent then, in real time and without end. One
// segment is asked of history when the connection wants more.
//
// 1. At most one segment waits, for the connection or for its time.
// 2. What is paced reads on for ever: where the recording ends it asks again, until the client
//    goes or the archive fails.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/ts_segment.h"
#include "http/http.h"
#include "io/timeout.h"
#include "mpegts_priv.h"
#include "stream/protocol.h"
#include "stream/stream.h"
#include "stream/viewer.h"

// A paced player has this much more than it has played, so that it does not run dry.
#define AHEAD_US (5 * US_PER_S)
// How long a paced player waits for what is not recorded yet, before history is asked again.
#define AGAIN_US US_PER_S
#define GAP_US 500000LL

struct download {
    const struct protocol_env *env;
    struct http_request *request;
    struct viewer *viewer;
    struct history_request *reading;
    struct chain ready; // of a segment that came before the connection asked
    bool answered;      // the head has gone out
    bool wants, ended;
    int err; // why it ended
    // Of what is paced.
    bool paced, ignore_gaps;
    int64_t at_us;       // UTC end of what came so far, or where it begins
    int64_t lead_us;     // UTC of the media less the monotonic time at which they are due
    struct timeout wait; // for the time of what is ready, or before asking again
};

static void download_free(struct download *download)
{
    history_cancel(&download->reading);
    viewer_close(&download->viewer);
    chain_fini(&download->ready);
    timeout_stop(&download->wait);
    mem_free(download);
}

static void give(struct download *download)
{
    if (!download->wants || timeout_active(&download->wait))
        return;
    if (download->ready.bytes) {
        download->wants = http_body_write(download->request, &download->ready);
        if (download->reading)
            history_next(download->reading);
        else if (download->paced)
            timeout_start(&download->wait, AGAIN_US);
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

// What starts at info's time is not sent before its time.
static void pace(struct download *download, const struct segment_info *info)
{
    if (!download->answered) // the first one is there at once
        download->lead_us = info->utc_start_us < download->at_us ? download->at_us - now_us()
                                                                 : info->utc_start_us - now_us();
    else if (download->ignore_gaps && info->utc_start_us - download->at_us > GAP_US)
        download->lead_us += info->utc_start_us - download->at_us;
    download->at_us = info->utc_start_us + info->duration_us;
    int64_t due_us = info->utc_start_us - download->lead_us - AHEAD_US;
    if (due_us > now_us())
        timeout_start_at(&download->wait, due_us);
}

static void on_segment(void *arg, struct segment **segment)
{
    struct download *download = arg;
    const struct chain *bytes;
    if (download->paced)
        pace(download, &(*segment)->info);
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
    if (download->paced && download->answered && (err == 0 || err == ERR_NOT_FOUND)) {
        if (!download->ready.bytes)
            timeout_start(&download->wait, AGAIN_US);
        return;
    }
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

// Until far behind now: what is recorded meanwhile is read too.
static int64_t far_us(void)
{
    return utc_us() + 24 * 3600 * US_PER_S;
}

// The time of what is ready has come, or that of asking for more.
static void on_time(void *arg)
{
    struct download *download = arg;
    struct stream *stream = streams_get(download->env->streams, http_prefix(download->request));
    struct history *history = stream ? stream_history(stream) : NULL;
    if (!download->ready.bytes && !download->reading && !download->ended) {
        if (history) {
            download->reading =
                history_read(history, download->at_us, far_us(), HISTORY_WHOLE, &events, download);
        } else {
            download->ended = true;
            download->err = ERR_NOT_FOUND;
        }
    }
    give(download);
}

static void on_gone(void *arg)
{
    download_free(arg);
}

// ---- addresses ---------------------------------------------------------------------------------

struct name {
    bool paced;
    int64_t from_us, to_us;
};

// Digits only, at most `most`.
static bool number(const char **at, long long most, long long *out)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    *out = strtoll(*at, &end, 10);
    *at = end;
    return *out > 0 && *out <= most;
}

static bool starts(const char **at, const char *word)
{
    if (!text_starts(*at, word))
        return false;
    *at += strlen(word);
    return true;
}

static bool name_read(const char *tail, struct name *out)
{
    long long from_s, length_s;
    if (starts(&tail, "archive-")) {
        out->paced = false;
        if (!number(&tail, 1LL << 40, &from_s) || !starts(&tail, "-") ||
            !number(&tail, 1LL << 30, &length_s))
            return false;
        out->from_us = from_s * US_PER_S;
        out->to_us = (from_s + length_s) * US_PER_S;
        return strcmp(tail, ".ts") == 0;
    }
    out->paced = true;
    out->to_us = far_us();
    if (!starts(&tail, "timeshift_"))
        return false;
    bool absolute = starts(&tail, "abs");
    bool folder = false;
    if (!absolute && !starts(&tail, "rel"))
        return false;
    if (!starts(&tail, "-"))
        folder = starts(&tail, "/");
    if (!number(&tail, 1LL << 40, &from_s))
        return false;
    out->from_us = absolute ? from_s * US_PER_S : utc_us() - from_s * US_PER_S;
    if (out->from_us < 0)
        out->from_us = 0;
    return strcmp(tail, folder ? "" : ".ts") == 0 && out->from_us < out->to_us;
}

void mpegts_handle_past(void *arg, struct http_request *request)
{
    const struct protocol_env *env = arg;
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    struct name name;
    char text[8];
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    if (!name_read(http_tail(request), &name)) {
        http_respond_error(request, 400,
                           "expected archive-FROM-DURATION.ts, timeshift_abs-FROM.ts or "
                           "timeshift_rel-N.ts in seconds");
        return;
    }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    struct download *download = mem_alloc(sizeof *download);
    download->env = env;
    download->request = request;
    download->paced = name.paced;
    download->at_us = name.from_us;
    download->ignore_gaps = http_query_get(request, "ignore_gaps", text, sizeof text) &&
                            strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
    timeout_init(&download->wait, env->loop, on_time, download);
    download->viewer = viewer_open(stream, VIEWER_PAST, "mpegts", http_client(request));
    download->reading =
        history_read(history, name.from_us, name.to_us, HISTORY_WHOLE, &events, download);
    http_on_gone(request, on_gone, download);
}
