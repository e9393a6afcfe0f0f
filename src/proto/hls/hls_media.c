// SPDX-License-Identifier: MIT
// Segments and init segments: from the window at once, from the past when it has been fetched. The
// bytes are made once per format and shared.
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/cmaf.h"
#include "format/ts_segment.h"
#include "hls_priv.h"

// Immutable: the address names the very bytes.
#define CACHE_CONTROL "public, max-age=86400, immutable"

struct fetching {
    struct http_request *request;
    struct segment_fetch *fetch;
    struct history_request *heads; // init: only the track list is needed
    bool fmp4;
};

// A segment says nothing of whether its player is live or in the past: the playlists do.
static struct stream *media_stream(const struct protocol_env *env, struct http_request *request)
{
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    if (!stream)
        http_respond_error(request, 404, "no such stream");
    return stream;
}

static void answer_failure(struct http_request *request, int err)
{
    if (err == ERR_NOT_FOUND)
        http_respond_error(request, 404, "no such segment");
    else
        http_respond_error(request, 503, err_name(err));
}

static void answer_segment(struct http_request *request, struct segment *segment, bool fmp4)
{
    const struct chain *bytes = NULL;
    int err = 0;
    if (fmp4)
        bytes = cmaf_segment(segment);
    else
        err = ts_segment(segment, &bytes);
    if (err != 0 || !bytes) {
        http_respond_error(request, 404, "this segment cannot be given in this format");
        return;
    }
    char etag[48];
    (void)text_format(etag, sizeof etag, "\"%llx-%llx\"",
                      (unsigned long long)segment->info.utc_start_us,
                      (unsigned long long)bytes->bytes);
    struct chain body = {0};
    chain_add_range(&body, bytes, 0, bytes->bytes);
    http_set_header(request, "ETag", etag);
    http_set_header(request, "Cache-Control", CACHE_CONTROL);
    http_respond_chain(request, 200, fmp4 ? "video/mp4" : "video/mp2t", &body);
}

static void on_gone(void *arg)
{
    struct fetching *fetching = arg;
    segment_fetch_cancel(&fetching->fetch);
    history_cancel(&fetching->heads);
    mem_free(fetching);
}

static void on_fetched(void *arg, int err, struct segment **segment)
{
    struct fetching *fetching = arg;
    struct http_request *request = fetching->request;
    bool fmp4 = fetching->fmp4;
    http_on_gone(request, NULL, NULL);
    mem_free(fetching);
    if (*segment)
        answer_segment(request, *segment, fmp4);
    else
        answer_failure(request, err);
    segment_unref(segment);
}

static void handle_segment(const struct protocol_env *env, struct http_request *request, bool fmp4)
{
    int64_t utc_ms;
    struct stream *stream = media_stream(env, request);
    if (!stream)
        return;
    if (hls_address_parse(http_tail(request), &utc_ms) != 0) {
        http_respond_error(request, 404, "no such segment");
        return;
    }
    struct segment *segment = stream_find_segment(stream, utc_ms);
    if (segment) {
        answer_segment(request, segment, fmp4);
        return;
    }
    struct fetching *fetching = mem_alloc(sizeof *fetching);
    fetching->request = request;
    fetching->fmp4 = fmp4;
    fetching->fetch = stream_fetch_segment(stream, utc_ms, on_fetched, fetching);
    http_on_gone(request, on_gone, fetching);
}

void hls_handle_segment_ts(void *arg, struct http_request *request)
{
    handle_segment(arg, request, false);
}

void hls_handle_segment_fmp4(void *arg, struct http_request *request)
{
    handle_segment(arg, request, true);
}

// ---- init segments -----------------------------------------------------------------------------

static void answer_init(struct http_request *request, const struct tracks *tracks)
{
    struct chain body = {0};
    struct buf *init = cmaf_init_write(tracks);
    chain_take(&body, &init);
    http_set_header(request, "Cache-Control", CACHE_CONTROL);
    http_respond_chain(request, 200, "video/mp4", &body);
}

static void on_init_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                          struct bytes heads)
{
    struct fetching *fetching = arg;
    struct http_request *request = fetching->request;
    (void)info, (void)heads;
    history_cancel(&fetching->heads);
    http_on_gone(request, NULL, NULL);
    mem_free(fetching);
    answer_init(request, tracks);
}

static void on_init_end(void *arg, int err)
{
    struct fetching *fetching = arg;
    struct http_request *request = fetching->request;
    http_on_gone(request, NULL, NULL);
    mem_free(fetching);
    answer_failure(request, err ? err : ERR_NOT_FOUND);
}

static const struct history_events init_events = {.on_heads = on_init_heads, .on_end = on_init_end};

void hls_handle_init(void *arg, struct http_request *request)
{
    int64_t utc_ms;
    struct stream *stream = media_stream(arg, request);
    if (!stream)
        return;
    if (hls_address_parse(http_tail(request), &utc_ms) != 0) {
        http_respond_error(request, 404, "no such segment");
        return;
    }
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    for (size_t i = 0; i < count; i++)
        if (window[i].tracks && window[i].info.utc_start_us / US_PER_MS == utc_ms) {
            answer_init(request, window[i].tracks);
            return;
        }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "no such segment");
        return;
    }
    struct fetching *fetching = mem_alloc(sizeof *fetching);
    int64_t from_us = utc_ms * US_PER_MS + US_PER_MS - 1;
    fetching->request = request;
    fetching->heads =
        history_read(history, from_us, from_us + 1, HISTORY_HEADS, &init_events, fetching);
    http_on_gone(request, on_gone, fetching);
}
