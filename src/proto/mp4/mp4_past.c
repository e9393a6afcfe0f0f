// SPDX-License-Identifier: MIT
// archive-FROM-DUR.mp4: a stretch of the past as one seekable MP4 file. First the chunk heads of
// the stretch are read (the tables, not the media), the file is laid out and its length is known;
// then the bytes asked for are produced, the media straight from the segments.
// docs/protocols/mp4.md.
//
// States of a download: HEADS (reading tables) -> BODY (answer under way; segments are asked for
// one by one as the connection takes them) -> gone.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/cmaf.h"
#include "http/http.h"
#include "mp4_layout.h"
#include "mp4_priv.h"
#include "stream/protocol.h"
#include "stream/stream.h"
#include "stream/viewer.h"

// Of the tables, given at a time: those of hours have many megabytes.
enum { PIECE_BYTES = 256 << 10 };

struct download {
    const struct protocol_env *env;
    struct http_request *request;
    struct viewer *viewer;
    struct history_request *reading; // of heads, then of segments
    struct mp4_wanted wanted;
    struct mp4_layout layout;
    uint64_t at, end;    // of the file: next byte to give, end of what was asked for
    bool wants;          // the connection has room
    bool asked;          // a segment is on its way
    int reading_segment; // index that on_segment will bring; -1: none is being read
};

static void download_free(struct download *download)
{
    history_cancel(&download->reading);
    viewer_close(&download->viewer);
    mp4_layout_fini(&download->layout);
    mem_free(download);
}

static void fail(struct download *download, int status, const char *why)
{
    struct http_request *request = download->request;
    http_on_gone(request, NULL, NULL);
    download_free(download);
    http_respond_error(request, status, why);
}

// ---- body --------------------------------------------------------------------------------------

static const struct history_events segment_events; // below: it and read_from need each other

static void read_from(struct download *download, int segment)
{
    struct stream *stream = streams_get(download->env->streams, http_prefix(download->request));
    struct history *history = stream ? stream_history(stream) : NULL;
    if (!history) {
        http_body_end(download->request);
        return;
    }
    if (download->reading && download->reading_segment == segment) {
        if (!download->asked)
            history_next(download->reading);
        download->asked = true;
        return;
    }
    history_cancel(&download->reading);
    const struct segment_info *last = &download->layout.infos[download->layout.count - 1];
    download->reading_segment = segment;
    download->asked = true;
    download->reading =
        history_read(history, download->layout.infos[segment].utc_start_us, last->utc_start_us + 1,
                     HISTORY_WHOLE, &segment_events, download);
}

// Gives what it can without the disk; asks for a segment when it needs one.
static void give(struct download *download)
{
    while (download->wants && download->at < download->end) {
        struct bytes head;
        int segment;
        uint64_t offset, length;
        mp4_file_at(download->layout.file, download->at, &head, &segment, &offset, &length);
        if (segment >= 0) {
            read_from(download, segment);
            return;
        }
        uint64_t left = download->end - download->at;
        size_t piece = head.length < left ? head.length : left;
        piece = piece < PIECE_BYTES ? piece : PIECE_BYTES;
        struct chain bytes = {0};
        chain_add_copy(&bytes, head.data, piece);
        download->at += piece;
        download->wants = http_body_write(download->request, &bytes);
    }
}

static void on_segment(void *arg, struct segment **segment)
{
    struct download *download = arg;
    struct bytes head;
    int index;
    uint64_t offset, length;
    struct chain bytes = {0};
    download->asked = false;
    mp4_file_at(download->layout.file, download->at, &head, &index, &offset, &length);
    if (index < 0 || (*segment)->info.utc_start_us != download->layout.infos[index].utc_start_us) {
        segment_unref(segment); // not the one: the read began a little earlier
        download->asked = true;
        history_next(download->reading);
        return;
    }
    int err = mp4_layout_payload(&download->layout, download->at, download->end, *segment, &bytes);
    segment_unref(segment);
    if (err != 0) {
        chain_fini(&bytes);
        http_body_abort(download->request); // what was promised is not there any more
        return;
    }
    download->at += bytes.bytes;
    download->reading_segment = index + 1;
    viewer_count_bytes(download->viewer, bytes.bytes);
    download->wants = http_body_write(download->request, &bytes);
    give(download);
}

static void on_segment_end(void *arg, int err)
{
    struct download *download = arg;
    (void)err;
    download->reading = NULL;
    download->reading_segment = -1;
    if (download->at < download->end)
        http_body_end(download->request);
}

static const struct history_events segment_events = {.on_segment = on_segment,
                                                     .on_end = on_segment_end};

static void proceed(void *arg, struct http_request *request)
{
    struct download *download = arg;
    (void)request;
    download->wants = true;
    if (!download->asked)
        give(download);
}

static void stop(void *arg)
{
    download_free(arg);
}

static const struct http_body body = {.proceed = proceed, .stop = stop};

// ---- tables ------------------------------------------------------------------------------------

static void begin_body(struct download *download)
{
    struct http_request *request = download->request;
    const char *name = http_prefix(request);
    const char *slash = strrchr(name, '/');
    long long from_s = download->wanted.from_us / US_PER_S;
    long long duration_s = (download->wanted.to_us - download->wanted.from_us) / US_PER_S;
    char text[400];
    uint64_t length = mp4_file_length(download->layout.file), first = 0, count = 0;
    (void)text_format(text, sizeof text, "attachment; filename=\"%s_%lld_%lld.mp4\"",
                      slash ? slash + 1 : name, from_s, duration_s);
    http_set_header(request, "Content-Disposition", text);
    (void)text_format(
        text, sizeof text, "\"%d-%llx-%llx-%llx-%llx-%s%llx\"", MP4_FILE_LAYOUT,
        (unsigned long long)download->layout.infos[0].utc_start_us,
        (unsigned long long)download->layout.infos[download->layout.count - 1].utc_start_us,
        from_s * 100000 + duration_s, (unsigned long long)length,
        download->wanted.is_lapse ? "t" : "", (unsigned long long)download->wanted.lapse_us);
    http_set_header(request, "ETag", text);
    http_on_gone(request, NULL, NULL);
    download->reading_segment = -1;
    http_respond_stream(request, "video/mp4", (int64_t)length, &body, download, &first, &count);
    download->at = first;
    download->end = first + count;
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    struct download *download = arg;
    int err = mp4_layout_add(&download->layout, info, tracks, heads);
    if (err != 0)
        fail(download, 400, "too long a stretch for one file");
    else
        history_next(download->reading);
}

static void on_heads_end(void *arg, int err)
{
    struct download *download = arg;
    download->reading = NULL;
    if (err != 0 && err != ERR_NOT_FOUND)
        fail(download, 503, err_name(err));
    else if (mp4_layout_finish(&download->layout) != 0)
        fail(download, 404, "nothing is recorded there");
    else
        begin_body(download);
}

static const struct history_events heads_events = {.on_heads = on_heads, .on_end = on_heads_end};

static void on_gone(void *arg)
{
    download_free(arg);
}

void mp4_handle_past(void *arg, struct http_request *request)
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
    if (from_s <= 0 || duration_s <= 0 || from_s > 1LL << 40 || *end != '.' ||
        duration_s > MP4_DURATION_MOST_S) {
        http_respond_error(request, 400,
                           "expected archive-FROM-DURATION.mp4 in seconds, 12 hours at most");
        return;
    }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    struct mp4_wanted wanted = {.from_us = from_s * US_PER_S,
                                .to_us = (from_s + duration_s) * US_PER_S};
    if (!mp4_wanted_lapse(request, &wanted)) {
        http_respond_error(request, 400, "expected timelapse or timelapse=SECONDS");
        return;
    }
    struct download *download = mem_alloc(sizeof *download);
    download->env = env;
    download->request = request;
    download->wanted = wanted;
    mp4_layout_init(&download->layout, &wanted);
    download->viewer = viewer_open(stream, VIEWER_PAST, "mp4", http_client(request));
    http_on_gone(request, on_gone, download);
    download->reading = history_read(history, mp4_wanted_read_from(&wanted), wanted.to_us,
                                     HISTORY_HEADS, &heads_events, download);
}
