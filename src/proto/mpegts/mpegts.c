// SPDX-License-Identifier: MIT
// MPEG-TS over HTTP, live and past. docs/protocols/mpegts.md.
#include "http/http.h"
#include "mpegts_priv.h"
#include "stream/protocol.h"

static const struct http_route routes[] = {
    {"mpegts", HTTP_GET, mpegts_handle_live},
    {"archive-*-*.ts", HTTP_GET, mpegts_handle_past},
    {"timeshift_abs-*.ts", HTTP_GET, mpegts_handle_past},
    {"timeshift_rel-*.ts", HTTP_GET, mpegts_handle_past},
    {"timeshift_abs/*", HTTP_GET, mpegts_handle_past},
    {"timeshift_rel/*", HTTP_GET, mpegts_handle_past},
    {0},
};

const struct protocol proto_mpegts = {
    .name = "mpegts",
    .help = "MPEG-TS over HTTP, live and as a file",
    .routes = routes,
    .route_help = "mpegts, mpegts?low_delay=1, archive-FROM-DUR.ts, "
                  "timeshift_abs-FROM.ts, timeshift_rel-N.ts",
};
