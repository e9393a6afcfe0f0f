// SPDX-License-Identifier: MIT
// What the parts of the API share.
#include "api.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/writer.h"
#include "http/http.h"
#include "media/track.h"
#include "server.h"

void api_add_routes(struct server *server)
{
    http_server_add_routes(server->http, api_stream_routes, server);
    http_server_add_routes(server->http, api_server_routes, server);
    http_server_add_routes(server->http, api_record_routes, server);
    http_server_add_routes(server->http, api_dvr_routes, server);
    http_server_add_routes(server->http, metrics_routes, server);
    http_server_add_routes(server->http, pages_routes, server);
}

void api_respond(struct http_request *request, int status, struct writer *out)
{
    struct buf *body = writer_take(out);
    http_set_header(request, "Cache-Control", "no-store");
    http_respond(request, status, "application/json", &body);
}

bool api_archive(const struct stream *stream, struct history_range *whole)
{
    if (!stream_has_archive(stream, whole))
        return false;
    if (whole->from_us && whole->to_us <= whole->from_us)
        whole->to_us = utc_us();
    return true;
}

static void json_video(struct json *json, const struct track *track)
{
    if (track->width && track->height) {
        json_key_int(json, "width", track->width);
        json_key_int(json, "height", track->height);
    }
    if (track->fps_num && track->fps_den) {
        json_key(json, "fps");
        json_double(json, (double)track->fps_num / track->fps_den);
    }
}

void api_json_tracks(struct json *json, const struct tracks *tracks)
{
    json_array_begin(json);
    for (unsigned i = 0; tracks && i < tracks->count; i++) {
        static const char *const kinds[] = {"video", "audio", "text"};
        const struct track *track = &tracks->track[i];
        char id[8], codec[64];
        tracks_id(tracks, i, id);
        track_codec_string(track, codec, sizeof(codec));
        json_object_begin(json);
        json_key_text(json, "track_id", id);
        json_key_text(json, "content", kinds[track->kind]);
        json_key_text(json, "codec", codec_info(track->codec)->name);
        json_key_text(json, "codec_string", codec);
        json_key_text(json, "lang", track->language);
        if (track->bitrate)
            json_key_int(json, "bitrate", track->bitrate / 1000);
        if (track->kind == MEDIA_VIDEO)
            json_video(json, track);
        if (track->kind == MEDIA_AUDIO) {
            json_key_int(json, "sample_rate", track->sample_rate);
            json_key_int(json, "channels", track->channels);
        }
        json_object_end(json);
    }
    json_array_end(json);
}

uint64_t process_memory_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re"); // answered by the kernel, no disk behind it
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

double process_cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
