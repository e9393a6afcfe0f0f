// SPDX-License-Identifier: MIT
// Bounded strings and small parsers.
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DISTANCE_TEXT_MAX = 128 };

bool text_copy_n(char *out, size_t room, const char *text, size_t length)
{
    if (room == 0)
        return false;
    size_t fits = length < room ? length : room - 1;
    if (fits)
        memcpy(out, text, fits);
    out[fits] = 0;
    return fits == length;
}

bool text_copy(char *out, size_t room, const char *text)
{
    return text_copy_n(out, room, text, strlen(text));
}

bool text_format(char *out, size_t room, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out, room, format, args);
    va_end(args);
    return length >= 0 && (size_t)length < room;
}

bool text_append(char *out, size_t room, const char *format, ...)
{
    size_t used = strnlen(out, room);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out + used, room - used, format, args);
    va_end(args);
    return length >= 0 && (size_t)length < room - used;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    return length >= end && memcmp(text + length - end, suffix, end) == 0;
}

bool text_equal_nocase(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

int text_to_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = *text == '-';
    const char *digit = text + negative;
    if (!*digit)
        return ERR_INVALID;
    int64_t value = 0;
    bool overflow = false;
    for (; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return ERR_INVALID;
        int step = *digit - '0';
        overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
                   __builtin_add_overflow(value, negative ? -step : step, &value);
    }
    if (overflow || value < min || value > max)
        return ERR_LIMIT;
    *out = value;
    return 0;
}

bool text_glob(const char *pattern, const char *text)
{
    const char *star = NULL; // the last '*' seen, and where in the text its run ends
    const char *run = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            run = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++run;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

unsigned text_distance(const char *a, const char *b, unsigned most)
{
    size_t a_length = strnlen(a, DISTANCE_TEXT_MAX + 1);
    size_t b_length = strnlen(b, DISTANCE_TEXT_MAX + 1);
    if (a_length > DISTANCE_TEXT_MAX || b_length > DISTANCE_TEXT_MAX)
        return most + 1;
    // row[j]: the distance between the first i characters of a and the first j of b.
    unsigned row[DISTANCE_TEXT_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_length] > most ? most + 1 : row[b_length];
}

void text_utc(char *out, size_t room, int64_t utc_us)
{
    int64_t seconds = utc_us / 1000000, us = utc_us % 1000000;
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm parts;
    if (!gmtime_r(&when, &parts)) {
        text_copy(out, room, "?");
        return;
    }
    text_format(out, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                (int)(us / 1000));
}
