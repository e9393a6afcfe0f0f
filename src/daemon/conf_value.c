// SPDX-License-Identifier: MIT
// Values and units of the configuration.
#include "conf_value.h"

#include <string.h>

#include "base/text.h"
#include "io/address.h"

#define SECONDS_MAX (100LL * 366 * 86400)

int conf_value_flag(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return 0;
        }
    }
    return ERR_INVALID;
}

// A number with one of the units behind it, or with none where bare is not 0.
static int number_with_unit(const char *text, const char *units, const uint64_t *factors,
                            uint64_t bare, int64_t most, int64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    char number[24];
    int64_t value;
    uint64_t factor = bare;
    if (digits == 0 || !text_copy_n(number, sizeof(number), text, digits))
        return ERR_INVALID;
    if (text[digits]) {
        const char *unit = strchr(units, text[digits]);
        if (!unit || text[digits + 1])
            return ERR_INVALID;
        factor = factors[unit - units];
    }
    if (factor == 0 || text_to_int(number, 0, most / (int64_t)factor, &value) != 0)
        return ERR_INVALID;
    *out = value * (int64_t)factor;
    return 0;
}

int conf_value_duration(const char *text, int64_t *seconds)
{
    static const uint64_t factors[] = {1, 60, 3600, 86400};
    return number_with_unit(text, "smhd", factors, 1, SECONDS_MAX, seconds);
}

int conf_value_size(const char *text, uint64_t *bytes)
{
    static const uint64_t factors[] = {1ULL << 10, 1ULL << 10, 1ULL << 20, 1ULL << 30,
                                       1ULL << 30, 1ULL << 40, 1ULL << 40};
    int64_t value;
    if (number_with_unit(text, "KkMGgTt", factors, 0, INT64_MAX, &value) != 0)
        return ERR_INVALID;
    *bytes = (uint64_t)value;
    return 0;
}

int conf_value_percent(const char *text, unsigned *percent)
{
    static const uint64_t one = 1;
    int64_t value;
    if (number_with_unit(text, "%", &one, 0, 100, &value) != 0 || value < 1)
        return ERR_INVALID;
    *percent = (unsigned)value;
    return 0;
}

// "8", "8:00", up to `most` minutes.
static bool time_of_day(const char *text, size_t length, unsigned most, uint16_t *minutes)
{
    char hour[8], minute[8] = "00";
    size_t colon = 0;
    int64_t h, m;
    while (colon < length && text[colon] != ':')
        colon++;
    if (colon == 0 || colon > 2 || !text_copy_n(hour, sizeof(hour), text, colon))
        return false;
    if (colon < length &&
        (length - colon != 3 || !text_copy_n(minute, sizeof(minute), text + colon + 1, 2)))
        return false;
    if (strspn(hour, "0123456789") != colon || strspn(minute, "0123456789") != 2 ||
        text_to_int(hour, 0, 24, &h) != 0 || text_to_int(minute, 0, 59, &m) != 0 ||
        h * 60 + m > (int64_t)most)
        return false;
    *minutes = (uint16_t)(h * 60 + m);
    return true;
}

int conf_value_span(const char *text, struct dvr_span *out)
{
    enum { DAY_M = 24 * 60 };
    struct dvr_span span;
    const char *dash = strchr(text, '-');
    if (!dash || !time_of_day(text, (size_t)(dash - text), DAY_M - 1, &span.from_m) ||
        !time_of_day(dash + 1, strlen(dash + 1), DAY_M, &span.to_m) || span.from_m == span.to_m)
        return ERR_INVALID;
    *out = span;
    return 0;
}

int conf_value_listen(const char *text, char *host, size_t room, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    const char *number = colon ? colon + 1 : text;
    int64_t value;
    struct address address;
    if (text_to_int(number, 1, 65535, &value) != 0)
        return ERR_INVALID;
    if (!colon) {
        text_copy(host, room, "");
    } else {
        size_t length = (size_t)(colon - text);
        bool bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
        char literal[64];
        // An IPv6 address without brackets could not be told from its port.
        if (!text_copy_n(literal, sizeof(literal), text + bracketed, length - 2 * bracketed) ||
            bracketed != (strchr(literal, ':') != NULL) || strpbrk(literal, "[]") ||
            address_parse(literal, 1, &address) != 0 || !text_copy(host, room, literal))
            return ERR_INVALID;
    }
    *port = (uint16_t)value;
    return 0;
}

void conf_print_duration(int64_t seconds, char *out, size_t room)
{
    if (seconds && seconds % 86400 == 0)
        text_format(out, room, "%lldd", (long long)(seconds / 86400));
    else if (seconds && seconds % 3600 == 0)
        text_format(out, room, "%lldh", (long long)(seconds / 3600));
    else
        text_format(out, room, "%llds", (long long)seconds);
}

void conf_print_size(uint64_t bytes, char *out, size_t room)
{
    unsigned unit = 0;
    bytes >>= 10;
    while (unit < 3 && bytes && bytes % 1024 == 0) {
        bytes >>= 10;
        unit++;
    }
    text_format(out, room, "%llu%c", (unsigned long long)bytes, "KMGT"[unit]);
}

bool conf_print_word(const char *word, char *out, size_t room)
{
    bool quotes = !*word || strpbrk(word, " \t\r;{}\"\\") || word[0] == '#';
    if (!quotes)
        return text_copy(out, room, word);
    size_t length = 0;
    if (room < 3)
        return false;
    out[length++] = '"';
    for (const char *at = word; *at && length + 4 < room; at++) {
        if (*at == '"' || *at == '\\')
            out[length++] = '\\';
        out[length++] = *at;
        word = at + 1;
    }
    out[length++] = '"';
    out[length] = 0;
    return !*word;
}
