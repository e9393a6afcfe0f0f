// SPDX-License-Identifier: MIT
// The live playlist. It is written once per change of the window and format and shared by every
// request until the next change.
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hls_priv.h"

struct hls_cache {
    struct {
        struct buf *text; // NULL when not written
        uint64_t first, last;
        size_t count;
    } of[2]; // TS, fMP4
};

struct waiting {
    const struct protocol_env *env;
    struct http_request *request;
    struct stream_waiter waiter;
    enum hls_format format;
};

bool hls_wants_fmp4(const struct tracks *tracks, enum hls_format format)
{
    if (format != HLS_AUTO)
        return format == HLS_FMP4;
    // Apple's rules: H.265 and what is newer only in fMP4.
    for (unsigned i = 0; tracks && i < tracks->count; i++)
        switch (tracks->track[i].codec) {
        case CODEC_H265:
        case CODEC_AV1:
        case CODEC_OPUS:
        case CODEC_OTHER_VIDEO:
            return true;
        default:
            break;
        }
    return false;
}

int hls_status_of(enum reason reason)
{
    return reason == REASON_NOT_FOUND ? 404 : 503;
}

struct stream *hls_stream(const struct protocol_env *env, struct http_request *request,
                          enum viewer_kind kind)
{
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    if (!stream) {
        http_respond_error(request, 404, "no such stream");
        return NULL;
    }
    if (stream_conf(stream)->disabled) {
        http_respond_error(request, 503, "the stream is disabled");
        return NULL;
    }
    const char *agent = http_header(request, "User-Agent");
    viewer_touch(stream, kind, "hls", http_client(request), agent ? agent : "");
    return stream;
}

static void cache_drop(struct hls_cache *cache)
{
    for (unsigned i = 0; i < 2; i++)
        buf_unref(&cache->of[i].text);
    mem_free(cache);
}

void hls_live_forget(struct stream *stream)
{
    struct hls_cache *cache = stream_slot(stream, STREAM_SLOT_HLS);
    stream_set_slot(stream, STREAM_SLOT_HLS, NULL);
    if (cache)
        cache_drop(cache);
}

static void write_live(struct stream *stream, bool fmp4, const struct window_entry *window,
                       size_t count, struct writer *out)
{
    // A remote stream is cut where its server cuts it.
    const struct stream_conf *conf = stream_conf(stream);
    const int64_t segment_us = conf->remote ? 0 : conf->segment_duration_us;
    struct segment_info *infos = mem_alloc(count * sizeof *infos);
    for (size_t i = 0; i < count; i++)
        infos[i] = window[i].info;
    const struct hls_playlist playlist = {
        .kind = HLS_LIVE,
        .fmp4 = fmp4,
        .target_s = (unsigned)((segment_us + US_PER_S / 2) / US_PER_S),
        .discontinuity_sequence = stream_discontinuity_sequence(stream),
        .infos = infos,
        .count = count,
    };
    hls_playlist_write(&playlist, out);
    mem_free(infos);
}

static void respond_live(struct http_request *request, struct stream *stream,
                         enum hls_format format)
{
    size_t count, first = 0;
    const struct window_entry *window = stream_window(stream, &count);
    while (first + 1 < count && !window[first].listed)
        first++;
    bool fmp4 = hls_wants_fmp4(stream_tracks(stream), format);
    struct hls_cache *cache = stream_slot(stream, STREAM_SLOT_HLS);
    if (!cache) {
        cache = mem_alloc(sizeof *cache);
        stream_set_slot(stream, STREAM_SLOT_HLS, cache);
    }
    __typeof__(&cache->of[0]) kept = &cache->of[fmp4];
    uint64_t last = window[count - 1].info.number;
    if (!kept->text || kept->first != window[first].info.number || kept->last != last ||
        kept->count != count - first) {
        struct writer writer = {0};
        write_live(stream, fmp4, window + first, count - first, &writer);
        buf_unref(&kept->text);
        kept->text = writer_take(&writer);
        kept->first = window[first].info.number;
        kept->last = last;
        kept->count = count - first;
    }
    struct buf *body = buf_ref(kept->text);
    http_set_header(request, "Cache-Control", "no-cache");
    http_respond(request, 200, "application/vnd.apple.mpegurl", &body);
}

static void on_gone(void *arg)
{
    struct waiting *waiting = arg;
    stream_wait_cancel(&waiting->waiter);
    mem_free(waiting);
}

static void on_ready(void *arg, enum reason reason)
{
    struct waiting *waiting = arg;
    struct http_request *request = waiting->request;
    struct stream *stream = streams_get(waiting->env->streams, http_prefix(request));
    enum hls_format format = waiting->format;
    http_on_gone(request, NULL, NULL);
    mem_free(waiting);
    size_t count = 0;
    if (stream && reason == REASON_NONE)
        (void)stream_window(stream, &count);
    if (count)
        respond_live(request, stream, format);
    else
        http_respond_error(request, hls_status_of(reason), reason_text(reason));
}

static void handle_live(const struct protocol_env *env, struct http_request *request,
                        enum hls_format format)
{
    struct stream *stream = hls_stream(env, request, VIEWER_LIVE);
    if (!stream)
        return;
    size_t count;
    (void)stream_window(stream, &count);
    if (count && stream_tracks(stream)) {
        respond_live(request, stream, format);
        return;
    }
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    waiting->env = env;
    waiting->request = request;
    waiting->format = format;
    if (stream_wait(stream, STREAM_NEED_WINDOW, HLS_WAIT_US, &waiting->waiter, on_ready, waiting) !=
        0) {
        mem_free(waiting);
        http_respond_error(request, 503, "too many requests wait for this stream");
        return;
    }
    http_on_gone(request, on_gone, waiting);
}

void hls_handle_live_auto(void *arg, struct http_request *request)
{
    handle_live(arg, request, HLS_AUTO);
}

void hls_handle_live_ts(void *arg, struct http_request *request)
{
    handle_live(arg, request, HLS_TS);
}

void hls_handle_live_fmp4(void *arg, struct http_request *request)
{
    handle_live(arg, request, HLS_FMP4);
}
