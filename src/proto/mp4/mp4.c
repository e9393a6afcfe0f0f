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
    {"save-mp4-*-*", HTTP_GET, mp4_handle_save},
    // A name of a stream has up to four parts here.
    {"/streamer/api/v3/streams/*/dvr/export", HTTP_POST, mp4_handle_export},
    {"/streamer/api/v3/streams/*/*/dvr/export", HTTP_POST, mp4_handle_export},
    {"/streamer/api/v3/streams/*/*/*/dvr/export", HTTP_POST, mp4_handle_export},
    {"/streamer/api/v3/streams/*/*/*/*/dvr/export", HTTP_POST, mp4_handle_export},
    {"/streamer/api/v3/dvr_export_jobs", HTTP_GET, mp4_handle_jobs},
    {"/streamer/api/v3/dvr_export_jobs/*", HTTP_GET, mp4_handle_job},
    {"/streamer/api/v3/dvr_export_jobs/*", HTTP_DELETE, mp4_handle_job_delete},
    {0},
};

static int init(const struct protocol_env *env)
{
    mp4_export_init(env);
    return 0;
}

static void fini(const struct protocol_env *env)
{
    (void)env;
    mp4_export_fini();
}

const struct protocol proto_mp4 = {
    .name = "mp4",
    .help = "a stretch of the archive as an MP4 file, and pictures",
    .routes = routes,
    .route_help = "archive-FROM-DUR.mp4, preview.mp4, UTC-preview.mp4, "
                  "save-mp4-FROM-DUR?file=NAME.mp4",
    .init = init,
    .fini = fini,
};
