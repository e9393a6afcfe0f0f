// SPDX-License-Identifier: MIT
// preview.mp4: the newest key frame, or the one that is shown at a moment of the past, as a file of
// one picture. Nothing is decoded.
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/mp4_file.h"
#include "http/http.h"
#include "io/timeout.h"
#include "media/timebase.h"
#include "mp4_priv.h"
#include "stream/protocol.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"

// Who waits longer for a picture has given up.
#define WAIT_US (10 * US_PER_S)
// Where nothing is recorded at the moment asked for, what comes this soon will do.
#define NEAR_US (10 * US_PER_S)
// A segment begins with its first decode time; with B frames its first picture is shown later, and
// until then the one before it is. Not by more than this.
#define EARLIER_US US_PER_S
#define SECONDS_MOST (1LL << 40)

struct preview {
    const struct protocol_env *env;
    struct http_request *request;
    struct viewer *viewer;
    // Live.
    struct stream_waiter waiter;
    struct sink sink;
    struct timeout late;
    // Past.
    struct history_request *reading;
    int64_t at_us;
    struct frame *best; // one reference; NULL: none yet
    struct tracks *tracks;
    int64_t best_end_us; // of the segment it is in
};

static void preview_free(struct preview *preview)
{
    stream_wait_cancel(&preview->waiter);
    sink_close(&preview->sink);
    timeout_stop(&preview->late);
    history_cancel(&preview->reading);
    viewer_close(&preview->viewer);
    frame_unref(&preview->best);
    tracks_unref(&preview->tracks);
    mem_free(preview);
}

static void on_gone(void *arg)
{
    preview_free(arg);
}

static void fail(struct preview *preview, int status, const char *why)
{
    struct http_request *request = preview->request;
    http_on_gone(request, NULL, NULL);
    preview_free(preview);
    http_respond_error(request, status, why);
}

static void answer(struct preview *preview, const struct tracks *tracks, const struct frame *frame)
{
    struct http_request *request = preview->request;
    const struct track *track = &tracks->track[frame->track];
    struct chain body = {0};
    char text[48];
    int64_t shown_us = ticks_to_us(frame->dts + frame->cts, track->timescale);
    mp4_picture_write(track, frame, &body);
    (void)text_format(text, sizeof text, "%lld", (long long)(shown_us / US_PER_S));
    http_set_header(request, "X-Thumbnail-Utc", text);
    (void)text_format(text, sizeof text, "\"%llx-%llx\"", (unsigned long long)shown_us,
                      (unsigned long long)body.bytes);
    http_set_header(request, "ETag", text);
    http_set_header(request, "Cache-Control", preview->at_us ? "public, max-age=60" : "no-cache");
    viewer_count_bytes(preview->viewer, body.bytes);
    http_on_gone(request, NULL, NULL);
    preview_free(preview);
    http_respond_chain(request, 200, "video/mp4", &body);
}

static bool is_picture(const struct tracks *tracks, const struct frame *frame)
{
    return frame_is_key(frame) && tracks && frame->track < tracks->count &&
           tracks->track[frame->track].kind == MEDIA_VIDEO;
}

// ---- live --------------------------------------------------------------------------------------

static void on_news(void *arg)
{
    struct preview *preview = arg;
    struct frame *frame;
    while (sink_next(&preview->sink, &frame) == 0) {
        struct tracks *tracks = sink_tracks(&preview->sink, frame->generation);
        if (is_picture(tracks, frame)) {
            answer(preview, tracks, frame);
            return;
        }
    }
}

static void on_end(void *arg, enum reason reason)
{
    fail(arg, 503, reason_text(reason));
}

static const struct sink_events sink_events = {.on_news = on_news, .on_end = on_end};

static void on_late(void *arg)
{
    fail(arg, 503, "no key frame came");
}

static void on_ready(void *arg, enum reason reason)
{
    struct preview *preview = arg;
    struct stream *stream = streams_get(preview->env->streams, http_prefix(preview->request));
    if (!stream || reason != REASON_NONE) {
        fail(preview, !stream || reason == REASON_NOT_FOUND ? 404 : 503, reason_text(reason));
        return;
    }
    const struct tracks *tracks = stream_tracks(stream);
    if (!tracks || tracks->track[tracks_leading(tracks)].kind != MEDIA_VIDEO) {
        fail(preview, 404, "this stream has no pictures");
        return;
    }
    sink_open(&preview->sink, stream, &sink_events, preview);
    timeout_start(&preview->late, WAIT_US);
}

static struct preview *preview_new(const struct protocol_env *env, struct http_request *request,
                                   struct stream *stream, enum viewer_kind kind)
{
    struct preview *preview = mem_alloc(sizeof *preview);
    preview->env = env;
    preview->request = request;
    preview->viewer = viewer_open(stream, kind, "mp4", http_client(request));
    timeout_init(&preview->late, env->loop, on_late, preview);
    http_on_gone(request, on_gone, preview);
    return preview;
}

void mp4_handle_preview_live(void *arg, struct http_request *request)
{
    const struct protocol_env *env = arg;
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    if (stream_conf(stream)->disabled) {
        http_respond_error(request, 503, "the stream is disabled");
        return;
    }
    struct preview *preview = preview_new(env, request, stream, VIEWER_LIVE);
    if (stream_wait(stream, STREAM_NEED_TRACKS, WAIT_US, &preview->waiter, on_ready, preview) != 0)
        fail(preview, 503, "too many requests wait for this stream");
}

// ---- the past ----------------------------------------------------------------------------------

// Nothing is recorded at the moment: what ended before it is not shown then.
static void drop_ended(struct preview *preview)
{
    if (preview->best && preview->best_end_us <= preview->at_us)
        frame_unref(&preview->best);
}

static void on_segment(void *arg, struct segment **segment)
{
    struct preview *preview = arg;
    struct segment *mine = *segment;
    *segment = NULL;
    bool beyond = false;
    if (mine->info.utc_start_us > preview->at_us)
        drop_ended(preview);
    for (unsigned i = 0; segment_frames(mine) == 0 && i < mine->frame_count && !beyond; i++) {
        struct frame *frame = mine->frames[i];
        if (!is_picture(mine->tracks, frame))
            continue;
        uint32_t timescale = mine->tracks->track[frame->track].timescale;
        beyond = ticks_to_us(frame->dts + frame->cts, timescale) > preview->at_us;
        if (beyond && preview->best)
            break; // the one before is what is shown then
        frame_unref(&preview->best);
        preview->best = frame_ref(frame);
        tracks_unref(&preview->tracks);
        preview->tracks = tracks_ref(mine->tracks);
        preview->best_end_us = mine->info.utc_start_us + mine->info.duration_us;
    }
    segment_unref(&mine);
    if (beyond)
        answer(preview, preview->tracks, preview->best);
    else
        history_next(preview->reading);
}

static void on_past_end(void *arg, int err)
{
    struct preview *preview = arg;
    preview->reading = NULL;
    drop_ended(preview);
    if (preview->best)
        answer(preview, preview->tracks, preview->best);
    else
        fail(preview, err && err != ERR_NOT_FOUND ? 503 : 404,
             err && err != ERR_NOT_FOUND ? err_name(err) : "nothing is recorded there");
}

static const struct history_events events = {.on_segment = on_segment, .on_end = on_past_end};

// "UTC-preview.mp4" or "YYYY/MM/DD/HH/MM/SS-preview.mp4".
static bool moment(const char *tail, int64_t *utc_us)
{
    char text[32];
    size_t length = strcspn(tail, "-");
    struct tm utc = {0};
    if (strcmp(tail + length, "-preview.mp4") != 0 || !text_copy_n(text, sizeof text, tail, length))
        return false;
    int64_t second;
    if (strchr(text, '/')) {
        const char *end = strptime(text, "%Y/%m/%d/%H/%M/%S", &utc);
        if (!end || *end)
            return false;
        second = timegm(&utc);
    } else if (text_to_int(text, 0, SECONDS_MOST, &second) != 0) {
        return false;
    }
    *utc_us = second * US_PER_S;
    return second > 0;
}

void mp4_handle_preview_past(void *arg, struct http_request *request)
{
    const struct protocol_env *env = arg;
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    int64_t at_us;
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    if (!moment(http_tail(request), &at_us)) {
        http_respond_error(request, 400,
                           "expected UTC-preview.mp4 or YYYY/MM/DD/HH/MM/SS-preview.mp4");
        return;
    }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    struct preview *preview = preview_new(env, request, stream, VIEWER_PAST);
    preview->at_us = at_us;
    int64_t from_us = at_us > EARLIER_US ? at_us - EARLIER_US : 0;
    preview->reading =
        history_read(history, from_us, at_us + NEAR_US, HISTORY_WHOLE, &events, preview);
}
