// SPDX-License-Identifier: MIT
#include "hls_playlist.h"

#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "hls_session.h"

void hls_address(const struct segment_info *info, const char *suffix, char *out, size_t room)
{
    time_t second = info->utc_start_us / US_PER_S;
    struct tm utc;
    gmtime_r(&second, &utc);
    char kind[32] = "init.mp4";
    if (suffix)
        (void)text_format(kind, sizeof kind, "%lld.%s",
                          (long long)((info->duration_us + 500) / US_PER_MS), suffix);
    (void)text_format(out, room, "%04d/%02d/%02d/%02d/%02d/%02d.%03d-%s", utc.tm_year + 1900,
                      utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                      (int)(info->utc_start_us / US_PER_MS % 1000), kind);
}

static bool follows(const struct segment_info *before, const struct segment_info *after)
{
    int64_t hole_us = after->utc_start_us - (before->utc_start_us + before->duration_us);
    return !(after->flags & SEGMENT_DISCONTINUITY) && hole_us < HLS_HOLE_US &&
           hole_us > -HLS_HOLE_US;
}

static void head(const struct hls_playlist *playlist, struct writer *out)
{
    int64_t longest_us = (int64_t)playlist->target_s * US_PER_S;
    for (size_t i = 0; i < playlist->count; i++)
        if (playlist->infos[i].duration_us > longest_us)
            longest_us = playlist->infos[i].duration_us;
    writer_printf(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n",
                  playlist->fmp4 ? 7 : 3);
    writer_printf(out, "#EXT-X-TARGETDURATION:%lld\n",
                  (long long)((longest_us + US_PER_S / 2) / US_PER_S));
    if (playlist->kind == HLS_VOD)
        writer_text(out, "#EXT-X-PLAYLIST-TYPE:VOD\n");
    if (playlist->kind == HLS_EVENT)
        writer_text(out, "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    uint64_t sequence =
        playlist->kind == HLS_LIVE && playlist->count ? playlist->infos[0].number : 0;
    writer_printf(out, "#EXT-X-MEDIA-SEQUENCE:%llu\n", (unsigned long long)sequence);
    if (playlist->kind == HLS_LIVE && playlist->discontinuity_sequence)
        writer_printf(out, "#EXT-X-DISCONTINUITY-SEQUENCE:%llu\n",
                      (unsigned long long)playlist->discontinuity_sequence);
}

void hls_playlist_write(const struct hls_playlist *playlist, struct writer *out)
{
    char address[64], utc[40];
    head(playlist, out);
    for (size_t i = 0; i < playlist->count; i++) {
        const struct segment_info *info = &playlist->infos[i];
        const struct segment_info *before = i ? info - 1 : NULL;
        bool broken = before ? !follows(before, info)
                             : playlist->kind == HLS_LIVE && info->flags & SEGMENT_DISCONTINUITY;
        if (broken)
            writer_text(out, "#EXT-X-DISCONTINUITY\n");
        if (playlist->fmp4 && (!before || broken || before->generation != info->generation)) {
            hls_address(info, NULL, address, sizeof address);
            writer_printf(out, "#EXT-X-MAP:URI=\"%s\"\n", address);
        }
        text_utc(utc, sizeof utc, info->utc_start_us);
        hls_address(info, playlist->fmp4 ? "m4s" : "ts", address, sizeof address);
        writer_printf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%lld.%06lld,\n%s\n", utc,
                      (long long)(info->duration_us / US_PER_S),
                      (long long)(info->duration_us % US_PER_S), address);
    }
    if (playlist->kind == HLS_VOD)
        writer_text(out, "#EXT-X-ENDLIST\n");
}
