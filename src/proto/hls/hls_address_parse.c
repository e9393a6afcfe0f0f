// SPDX-License-Identifier: MIT
#include "hls_address_parse.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

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
    struct tm utc = {.tm_year = value[0] - 1900,
                     .tm_mon = value[1] - 1,
                     .tm_mday = value[2],
                     .tm_hour = value[3],
                     .tm_min = value[4],
                     .tm_sec = value[5]};
    // A moment has one name only: no 31st of February, no second 60.
    time_t second = timegm(&utc);
    if (value[0] < 1970 || utc.tm_mon != value[1] - 1 || utc.tm_mday != value[2] ||
        utc.tm_hour != value[3] || utc.tm_min != value[4] || utc.tm_sec != value[5])
        return ERR_INVALID;
    *utc_ms = (int64_t)second * 1000 + value[6];
    return 0;
}

static bool starts(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool seconds(const char **at, int64_t *out)
{
    if (**at < '0' || **at > '9')
        return false;
    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (**at - '0');
        if (*out > HLS_SECONDS_MAX)
            return false;
    }
    return true;
}

static bool window(const char **at, struct hls_past_name *out)
{
    out->kind = HLS_WINDOW;
    if (!seconds(at, &out->from_s) || !starts(at, "-"))
        return false;
    return starts(at, "now") || (seconds(at, &out->length_s) && out->length_s > 0);
}

int hls_past_parse(const char *tail, struct hls_past_name *out)
{
    bool good;
    *out = (struct hls_past_name){0};
    bool ts = starts(&tail, "video-") || starts(&tail, "video1-") || starts(&tail, "mono-");
    if (starts(&tail, "timeshift_abs-")) {
        out->kind = HLS_SHIFT_ABS;
        good = seconds(&tail, &out->from_s) && out->from_s > 0;
    } else if (starts(&tail, "timeshift_rel-")) {
        out->kind = HLS_SHIFT_REL;
        good = seconds(&tail, &out->length_s) && out->length_s > 0;
    } else if (starts(&tail, "rewind-")) {
        out->kind = HLS_REWIND;
        good = seconds(&tail, &out->length_s) && out->length_s > 0;
    } else {
        good = (ts || starts(&tail, "archive-") || starts(&tail, "index-")) && window(&tail, out);
    }
    if (!good)
        return ERR_INVALID;
    out->format = ts || starts(&tail, ".ts") ? HLS_TS
                  : starts(&tail, ".fmp4")   ? HLS_FMP4
                                             : HLS_AUTO;
    return strcmp(tail, ".m3u8") == 0 ? 0 : ERR_INVALID;
}
