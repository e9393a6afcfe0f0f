// SPDX-License-Identifier: MIT
#include "hls_playlist.h"

#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "hls_session.h"

// A list of a day has 21,600 lines of each kind: digits are put by hand, and the date of a day is
// reckoned once.
struct line {
    char text[160], *at; // longer than any
    int64_t day;         // that date is of, since 1970; -1 none
    unsigned date[3];    // year, month, day
};

static void put_text(struct line *line, const char *text)
{
    while (*text)
        *line->at++ = *text++;
}

static void put_digits(struct line *line, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        line->at[i] = (char)('0' + value % 10);
    line->at += digits;
}

static void put_number(struct line *line, uint64_t value)
{
    unsigned digits = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    put_digits(line, value, digits);
}

// YYYY/MM/DD/hh/mm/ss.mmm, or with the other marks of `marks`. Moments before 1970 are none of
// ours.
static void put_moment(struct line *line, int64_t utc_us, const char marks[3])
{
    int64_t ms = utc_us > 0 ? utc_us / US_PER_MS : 0, second = ms / 1000, day = second / 86400;
    unsigned of_day = (unsigned)(second % 86400);
    if (line->day != day) {
        time_t at = (time_t)second;
        struct tm utc = {0};
        gmtime_r(&at, &utc);
        line->day = day;
        line->date[0] = (unsigned)utc.tm_year + 1900;
        line->date[1] = (unsigned)utc.tm_mon + 1;
        line->date[2] = (unsigned)utc.tm_mday;
    }
    put_digits(line, line->date[0], 4);
    for (unsigned i = 1; i < 3; i++) {
        *line->at++ = marks[0];
        put_digits(line, line->date[i], 2);
    }
    *line->at++ = marks[1];
    put_digits(line, of_day / 3600, 2);
    *line->at++ = marks[2];
    put_digits(line, of_day / 60 % 60, 2);
    *line->at++ = marks[2];
    put_digits(line, of_day % 60, 2);
    *line->at++ = '.';
    put_digits(line, (uint64_t)(ms % 1000), 3);
}

static void put_address(struct line *line, const struct segment_info *info, const char *suffix)
{
    put_moment(line, info->utc_start_us, "///");
    *line->at++ = '-';
    if (suffix) {
        put_number(line, (uint64_t)(info->duration_us + 500) / US_PER_MS);
        *line->at++ = '.';
    }
    put_text(line, suffix ? suffix : "init.mp4");
}

void hls_address(const struct segment_info *info, const char *suffix, char *out, size_t room)
{
    struct line line = {.at = line.text, .day = -1};
    put_address(&line, info, suffix);
    *line.at = 0;
    text_copy(out, room, line.text);
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
    char address[64];
    struct line line = {.day = -1};
    const char *suffix = playlist->fmp4 ? "m4s" : "ts";
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
        line.at = line.text;
        put_text(&line, "#EXT-X-PROGRAM-DATE-TIME:");
        put_moment(&line, info->utc_start_us, "-T:");
        put_text(&line, "Z\n#EXTINF:");
        put_number(&line, (uint64_t)info->duration_us / US_PER_S);
        *line.at++ = '.';
        put_digits(&line, (uint64_t)info->duration_us % US_PER_S, 6);
        put_text(&line, ",\n");
        put_address(&line, info, suffix);
        *line.at++ = '\n';
        writer_bytes(out, line.text, (size_t)(line.at - line.text));
    }
    if (playlist->kind == HLS_VOD)
        writer_text(out, "#EXT-X-ENDLIST\n");
}
