// SPDX-License-Identifier: MIT
// MP4 over HTTP: stretches of the past, and single pictures. docs/protocols/mp4.md.
#include "http/http.h"
#include "mp4_priv.h"
#include "stream/protocol.h"

static const struct http_route routes[] = {
    {"archive-*-*.mp4", HTTP_GET, mp4_handle_past},
    {"preview.mp4", HTTP_GET, mp4_handle_preview_live},
    {"*-preview.mp4", HTTP_GET, mp4_handle_preview_past},
    {"*/*/*/*/*/*-preview.mp4", HTTP_GET, mp4_handle_preview_past},
    {0},
};

const struct protocol proto_mp4 = {
    .name = "mp4",
    .help = "a stretch of the archive as an MP4 file, and pictures",
    .routes = routes,
    .route_help = "archive-FROM-DUR.mp4, preview.mp4, UTC-preview.mp4",
};
