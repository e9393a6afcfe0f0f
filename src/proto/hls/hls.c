// SPDX-License-Identifier: MIT
// HLS (RFC 8216): live and past, MPEG-TS and fMP4, repackaged when somebody asks.
// docs/protocols/hls.md.
#include "hls_priv.h"

static struct streams_watch watch;

static void on_change(void *arg, struct stream *stream, bool gone)
{
    (void)arg;
    if (gone || stream_state(stream) == STREAM_IDLE)
        hls_live_forget(stream);
}

static int init(const struct protocol_env *env)
{
    watch = (struct streams_watch){.on_change = on_change};
    streams_watch_add(env->streams, &watch);
    return 0;
}

static void fini(const struct protocol_env *env)
{
    size_t cursor = 0;
    struct stream *stream;
    while ((stream = streams_next(env->streams, &cursor)) != NULL)
        hls_live_forget(stream);
    streams_watch_remove(env->streams, &watch);
}

static const struct http_route routes[] = {
    {"index.m3u8", HTTP_GET, hls_handle_live_auto},
    {"playlist.m3u8", HTTP_GET, hls_handle_live_auto},
    {"index.ts.m3u8", HTTP_GET, hls_handle_live_ts},
    {"index.fmp4.m3u8", HTTP_GET, hls_handle_live_fmp4},
    {"video.m3u8", HTTP_GET, hls_handle_live_auto},
    {"video1.m3u8", HTTP_GET, hls_handle_live_auto},
    {"mono.m3u8", HTTP_GET, hls_handle_live_auto},
    {"*/*/*/*/*/*.ts", HTTP_GET, hls_handle_segment_ts},
    {"*/*/*/*/*/*.m4s", HTTP_GET, hls_handle_segment_fmp4},
    {"*/*/*/*/*/*-init.mp4", HTTP_GET, hls_handle_init},
    {"archive-*-*.m3u8", HTTP_GET, hls_handle_past},
    {"index-*-*.m3u8", HTTP_GET, hls_handle_past},
    {"video-*-*.m3u8", HTTP_GET, hls_handle_past},
    {"video1-*-*.m3u8", HTTP_GET, hls_handle_past},
    {"mono-*-*.m3u8", HTTP_GET, hls_handle_past},
    {"rewind-*.m3u8", HTTP_GET, hls_handle_past},
    {"mono-rewind-*.m3u8", HTTP_GET, hls_handle_past},
    {"video-rewind-*.m3u8", HTTP_GET, hls_handle_past},
    {"video1-rewind-*.m3u8", HTTP_GET, hls_handle_past},
    {"timeshift_rel-*.m3u8", HTTP_GET, hls_handle_past},
    {"mono-timeshift_rel-*.m3u8", HTTP_GET, hls_handle_past},
    {"video-timeshift_rel-*.m3u8", HTTP_GET, hls_handle_past},
    {"video1-timeshift_rel-*.m3u8", HTTP_GET, hls_handle_past},
    {"timeshift_abs-*.m3u8", HTTP_GET, hls_handle_past},
    {"mono-timeshift_abs-*.m3u8", HTTP_GET, hls_handle_past},
    {"video-timeshift_abs-*.m3u8", HTTP_GET, hls_handle_past},
    {"video1-timeshift_abs-*.m3u8", HTTP_GET, hls_handle_past},
    {0},
};

const struct protocol proto_hls = {
    .name = "hls",
    .help = "HLS playlists and segments, live and past",
    .routes = routes,
    .route_help = "index.m3u8, index.fmp4.m3u8, video.m3u8, mono.m3u8, archive-FROM-DUR.m3u8, "
                  "archive-FROM-now.m3u8, rewind-N.m3u8, timeshift_abs-FROM.m3u8, "
                  "timeshift_rel-N.m3u8",
    .init = init,
    .fini = fini,
};
