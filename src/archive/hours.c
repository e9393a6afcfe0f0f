// SPDX-License-Identifier: MIT
// The hour files of a stream.
//
// 1. hour[] is sorted by name, names differ, `bytes` is the sum of hour_used.
// 2. A file that is not known is taken to reach from its second to two minutes after its hour, by
//    its own times: it is rolled with the first segment of the next one, and segments are bounded.
// 3. span_us bounds end_us - second for all files, so that the files around a time are found by
//    binary search although ends need not be in order.
#include "hours.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

enum { HOUR_S = 3600, AFTER_HOUR_S = 120, OFFSET_DIGITS_MAX = 12 };
// Until the year 10000.
#define SECOND_MAX 253402300800LL

void hours_fini(struct hours *hours)
{
    mem_free(hours->hour);
    mem_free(hours->hole);
    *hours = (struct hours){0};
}

int hour_name_compare(struct hour_name a, struct hour_name b)
{
    if (a.second != b.second)
        return a.second < b.second ? -1 : 1;
    if (a.suffix != b.suffix)
        return a.suffix < b.suffix ? -1 : 1;
    if (a.offset_s != b.offset_s)
        return a.offset_s < b.offset_s ? -1 : 1;
    return a.disk < b.disk ? -1 : a.disk > b.disk;
}

// The first file whose name is not below.
static unsigned lower_bound(const struct hours *hours, struct hour_name name)
{
    unsigned low = 0, high = hours->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (hour_name_compare(hour_name_of(&hours->hour[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

unsigned hours_from(const struct hours *hours, int64_t second)
{
    return lower_bound(hours, (struct hour_name){.second = second, .offset_s = INT64_MIN});
}

static void note_span(struct hours *hours, const struct hour *hour)
{
    int64_t span_us = hour->end_us - hour->second * US_PER_S;
    if (span_us > hours->span_us)
        hours->span_us = span_us;
}

int hours_add(struct hours *hours, struct hour_name name, uint64_t bytes)
{
    unsigned at = lower_bound(hours, name);
    if (at < hours->count && hour_name_compare(hour_name_of(&hours->hour[at]), name) == 0)
        return ERR_EXISTS;
    if (hours->count >= ARCHIVE_HOURS_MAX)
        return ERR_LIMIT;
    if (hours->count == hours->capacity) {
        hours->capacity += hours->capacity / 8 + 8; // months of them: twice as many is too much
        hours->hour = mem_resize(hours->hour, hours->capacity * sizeof *hours->hour);
    }
    memmove(hours->hour + at + 1, hours->hour + at, (hours->count - at) * sizeof *hours->hour);
    hours->count++;
    hours->hour[at] = (struct hour){.second = name.second,
                                    .offset_s = name.offset_s,
                                    .suffix = name.suffix,
                                    .disk = name.disk,
                                    .bytes = bytes};
    hours->bytes += bytes;
    hours_forget(hours, &hours->hour[at]);
    return 0;
}

void hours_forget(struct hours *hours, struct hour *hour)
{
    hours_set_holes(hours, hour, NULL, 0, true);
    hour->known = hour->writing = false;
    int64_t own_s = hour->second - hour->offset_s;
    int64_t own_end_s = (own_s / HOUR_S + 1) * HOUR_S + AFTER_HOUR_S;
    hour->start_us = hour->second * US_PER_S;
    hour->end_us = (own_end_s + hour->offset_s) * US_PER_S;
    note_span(hours, hour);
}

void hours_remove(struct hours *hours, struct hour *hour)
{
    size_t index = (size_t)(hour - hours->hour);
    ENSURE(index < hours->count);
    hours_set_holes(hours, hour, NULL, 0, true);
    hours->bytes -= hour_used(hour);
    hours->count--;
    memmove(hour, hour + 1, (hours->count - index) * sizeof *hour);
}

void hours_remove_disk(struct hours *hours, uint8_t disk)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < hours->count; i++) {
        struct hour *hour = &hours->hour[i];
        if (hour->disk == disk && !hour->writing) {
            hours_set_holes(hours, hour, NULL, 0, true);
            hours->bytes -= hour_used(hour);
        } else {
            hours->hour[kept++] = *hour;
        }
    }
    hours->count = kept;
}

struct hour *hours_get(struct hours *hours, struct hour_name name)
{
    unsigned at = lower_bound(hours, name);
    if (at == hours->count || hour_name_compare(hour_name_of(&hours->hour[at]), name) != 0)
        return NULL;
    return &hours->hour[at];
}

void hours_set_times(struct hours *hours, struct hour *hour, int64_t start_us, int64_t end_us)
{
    hour->known = true;
    hour->start_us = start_us;
    hour->end_us = end_us;
    note_span(hours, hour);
}

void hours_set_bytes(struct hours *hours, struct hour *hour, uint64_t bytes)
{
    hours->bytes -= hour_used(hour);
    hour->bytes = bytes;
    hours->bytes += hour_used(hour);
}

void hours_set_freed(struct hours *hours, struct hour *hour, uint64_t freed)
{
    uint64_t units = freed / HOUR_FREED_UNIT;
    hours->bytes -= hour_used(hour);
    hour->freed = units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
    hours->bytes += hour_used(hour);
}

struct hour *hours_next(struct hours *hours, const struct hour_name *after, int64_t from_us,
                        int64_t to_us)
{
    // Rounded down by a second, which costs at most a look at one file more.
    int64_t second = (from_us > INT64_MIN + hours->span_us ? from_us - hours->span_us : INT64_MIN);
    unsigned at = hours_from(hours, second / US_PER_S - 1);
    if (after) {
        unsigned next = lower_bound(hours, *after);
        if (next < hours->count && hour_name_compare(hour_name_of(&hours->hour[next]), *after) == 0)
            next++;
        if (next > at)
            at = next;
    }
    for (; at < hours->count; at++) {
        struct hour *hour = &hours->hour[at];
        if (hour->second >= to_us / US_PER_S + 1)
            break;
        if (hour->start_us < to_us && hour->end_us > from_us)
            return hour;
    }
    return NULL;
}

// The first file that begins at utc_us or later. Names are seconds, so that the file around the
// limit is looked at by its start.
static unsigned first_from(const struct hours *hours, int64_t utc_us)
{
    int64_t second = utc_us >= 0 ? utc_us / US_PER_S : -1;
    unsigned at = hours_from(hours, second);
    while (at < hours->count && hours->hour[at].start_us < utc_us)
        at++;
    return at;
}

const struct hour *hours_before(const struct hours *hours, int64_t utc_us)
{
    unsigned at = first_from(hours, utc_us);
    return at > 0 ? &hours->hour[at - 1] : NULL;
}

const struct hour *hours_after(const struct hours *hours, int64_t utc_us)
{
    unsigned at = first_from(hours, utc_us);
    return at < hours->count ? &hours->hour[at] : NULL;
}

// ---- names -------------------------------------------------------------------------------------

void hour_path(char out[HOUR_PATH], const char *folder, struct hour_name name,
               const char *extension)
{
    time_t seconds = (time_t)name.second;
    struct tm utc;
    ENSURE(gmtime_r(&seconds, &utc) != NULL);
    char suffix[8 + OFFSET_DIGITS_MAX] = "";
    if (name.suffix)
        (void)text_format(suffix, sizeof suffix, "-%u", name.suffix);
    if (name.offset_s)
        (void)text_append(suffix, sizeof suffix, "o%lld", (long long)name.offset_s);
    bool whole = text_format(out, HOUR_PATH, "%s/%04d/%02d/%02d/%02d%02d%02d%s.%s", folder,
                             utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                             utc.tm_min, utc.tm_sec, suffix, extension);
    ENSURE(whole);
}

static bool digits_parse(const char *text, size_t count, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(text[i] - '0');
    }
    return true;
}

// "-3", no zeros before it.
static bool suffix_take(const char *text, size_t length, size_t *at, uint16_t *out)
{
    unsigned value;
    size_t digits = 0;
    if (*at >= length || text[*at] != '-')
        return true;
    ++*at;
    while (*at + digits < length && digits < 4 && text[*at + digits] >= '0' &&
           text[*at + digits] <= '9')
        digits++;
    if (digits < 1 || digits > 3 || text[*at] == '0' || !digits_parse(text + *at, digits, &value))
        return false;
    *out = (uint16_t)value;
    *at += digits;
    return true;
}

// "o7200", "o-7200"; no zeros before it.
static bool offset_take(const char *text, size_t length, size_t *at, int64_t *out)
{
    if (*at >= length || text[*at] != 'o')
        return true;
    ++*at;
    bool back = *at < length && text[*at] == '-';
    *at += back;
    int64_t value = 0;
    size_t digits = 0;
    for (; *at < length && text[*at] >= '0' && text[*at] <= '9'; ++*at, digits++) {
        if (digits == OFFSET_DIGITS_MAX || (digits == 0 && text[*at] == '0'))
            return false;
        value = value * 10 + (text[*at] - '0');
    }
    *out = back ? -value : value;
    return digits > 0;
}

bool hour_name_parse(const char *text, size_t length, int64_t day_s, struct hour_name *out,
                     const char **extension)
{
    unsigned hour, minute, second;
    if (length < 7 || !digits_parse(text, 2, &hour) || !digits_parse(text + 2, 2, &minute) ||
        !digits_parse(text + 4, 2, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    size_t at = 6;
    *out = (struct hour_name){.second = day_s + hour * 3600 + minute * 60 + second};
    if (!suffix_take(text, length, &at, &out->suffix) ||
        !offset_take(text, length, &at, &out->offset_s))
        return false;
    int64_t own_s = out->second - out->offset_s;
    if (own_s < 0 || own_s > SECOND_MAX || at + 1 >= length || text[at] != '.')
        return false;
    *extension = text + at + 1;
    return true;
}

bool hour_folder_parse(const char *text, size_t length, unsigned depth, unsigned *out)
{
    return length == (depth == 0 ? 4 : 2) && digits_parse(text, length, out);
}

int64_t hour_day(unsigned year, unsigned month, unsigned day)
{
    struct tm utc = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return -1;
    int64_t seconds = timegm(&utc);
    return utc.tm_mday == (int)day ? seconds : -1;
}
