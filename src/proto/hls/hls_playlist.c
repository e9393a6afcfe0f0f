// SPDX-License-Identifier: MIT
#include "hls_playlist.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

// Starts and ends that differ by more than this leave a hole between two segments.
#define HOLE_US 500000LL

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

static bool digits(const char **at, unsigned count, int *out)
{
    *out = 0;
    for (unsigned i = 0; i < count; i++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return true;
}

int hls_address_parse(const char *tail, int64_t *utc_ms)
{
    static const struct {
        unsigned digits;
        char after;
    } form[] = {{4, '/'}, {2, '/'}, {2, '/'}, {2, '/'}, {2, '/'}, {2, '.'}, {3, '-'}};
    int value[7];
    for (unsigned i = 0; i < 7; i++)
        if (!digits(&tail, form[i].digits, &value[i]) || *tail++ != form[i].after)
            return ERR_INVALID;
    struct tm utc = {.tm_year = value[0] - 1900, .tm_mon = value[1] - 1, .tm_mday = value[2],
                     .tm_hour = value[3], .tm_min = value[4], .tm_sec = value[5]};
    if (value[0] < 1970 || value[1] < 1 || value[1] > 12 || value[2] < 1 || value[2] > 31 ||
        value[3] > 23 || value[4] > 59 || value[5] > 60)
        return ERR_INVALID;
    *utc_ms = (int64_t)timegm(&utc) * 1000 + value[6];
    return 0;
}

static bool second(const char **at, int64_t *out)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    long long value = strtoll(*at, &end, 10);
    *at = end;
    *out = value;
    return value <= INT64_MAX / US_PER_S / 4;
}

int hls_window_parse(const char *text, int64_t *from_s, int64_t *to_s)
{
    if (!second(&text, from_s) || *text++ != '-')
        return ERR_INVALID;
    *to_s = 0;
    if (strcmp(text, "now") == 0)
        return 0;
    int64_t duration_s;
    if (!second(&text, &duration_s) || *text != '\0' || duration_s == 0)
        return ERR_INVALID;
    *to_s = *from_s + duration_s;
    return 0;
}

static bool follows(const struct segment_info *before, const struct segment_info *after)
{
    int64_t hole_us = after->utc_start_us - (before->utc_start_us + before->duration_us);
    return !(after->flags & SEGMENT_DISCONTINUITY) && hole_us < HOLE_US && hole_us > -HOLE_US;
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
                  (long long)((longest_us + US_PER_S / 2 - 1) / US_PER_S));
    if (playlist->kind == HLS_VOD)
        writer_text(out, "#EXT-X-PLAYLIST-TYPE:VOD\n");
    if (playlist->kind == HLS_EVENT)
        writer_text(out, "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    uint64_t sequence = playlist->kind == HLS_LIVE && playlist->count ? playlist->infos[0].number : 0;
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
            writer_printf(out, "#EXT-X-MAP:URI=\"%s%s\"\n", playlist->up, address);
        }
        text_utc(utc, sizeof utc, info->utc_start_us);
        hls_address(info, playlist->fmp4 ? "m4s" : "ts", address, sizeof address);
        writer_printf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%lld.%06lld,\n%s%s\n", utc,
                      (long long)(info->duration_us / US_PER_S),
                      (long long)(info->duration_us % US_PER_S), playlist->up, address);
    }
    if (playlist->kind == HLS_VOD)
        writer_text(out, "#EXT-X-ENDLIST\n");
}
