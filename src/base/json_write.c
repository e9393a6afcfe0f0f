// SPDX-License-Identifier: MIT
// Streaming JSON out.
#include "base/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { JSON_DEPTH_MAX = 16 };

void json_init(struct json *json, struct writer *out)
{
    *json = (struct json){.out = out};
}

// Before each value and key: the comma that the one before it owes.
static void json_separate(struct json *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->comma[json->depth])
        writer_u8(json->out, ',');
    json->comma[json->depth] = true;
}

static void json_open(struct json *json, char bracket)
{
    json_separate(json);
    writer_u8(json->out, (uint8_t)bracket);
    ENSURE(json->depth < JSON_DEPTH_MAX);
    json->comma[++json->depth] = false;
}

static void json_close(struct json *json, char bracket)
{
    ENSURE(json->depth > 0 && !json->after_key);
    json->depth--;
    writer_u8(json->out, (uint8_t)bracket);
}

void json_object_begin(struct json *json)
{
    json_open(json, '{');
}

void json_object_end(struct json *json)
{
    json_close(json, '}');
}

void json_array_begin(struct json *json)
{
    json_open(json, '[');
}

void json_array_end(struct json *json)
{
    json_close(json, ']');
}

// Length of the UTF-8 character at `text`, or 0 when it is not one (RFC 3629: no overlong forms, no
// surrogates, nothing above 10FFFF). The final zero of the text stops every sequence.
static unsigned utf8_length(const uint8_t *text)
{
    uint8_t lead = text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    uint8_t low = 0x80, high = 0xbf; // bounds of the second byte
    if (lead == 0xe0)
        low = 0xa0;
    if (lead == 0xed)
        high = 0x9f;
    if (lead == 0xf0)
        low = 0x90;
    if (lead == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    unsigned length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    for (unsigned i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static void json_quoted(struct json *json, const char *value)
{
    struct writer *out = json->out;
    writer_u8(out, '"');
    const uint8_t *text = (const uint8_t *)value;
    while (*text) {
        unsigned length = utf8_length(text);
        if (length == 0)
            writer_text(out, "\xef\xbf\xbd"); // U+FFFD for each byte that is wrong
        else if (*text == '"' || *text == '\\')
            writer_printf(out, "\\%c", *text);
        else if (*text == '\n')
            writer_text(out, "\\n");
        else if (*text < 0x20 || *text == 0x7f)
            writer_printf(out, "\\u%04x", *text);
        else
            writer_bytes(out, text, length);
        text += length ? length : 1;
    }
    writer_u8(out, '"');
}

void json_key(struct json *json, const char *key)
{
    ENSURE(!json->after_key && json->depth > 0);
    json_separate(json);
    json_quoted(json, key);
    writer_u8(json->out, ':');
    json->after_key = true;
}

static void write_null(struct json *json)
{
    json_separate(json);
    writer_text(json->out, "null");
}

void json_text(struct json *json, const char *value)
{
    if (!value) {
        write_null(json);
        return;
    }
    json_separate(json);
    json_quoted(json, value);
}

void json_int(struct json *json, int64_t value)
{
    json_separate(json);
    writer_printf(json->out, "%lld", (long long)value);
}

void json_uint(struct json *json, uint64_t value)
{
    json_separate(json);
    writer_printf(json->out, "%llu", (unsigned long long)value);
}

void json_double(struct json *json, double value)
{
    if (!isfinite(value)) {
        write_null(json);
        return;
    }
    json_separate(json);
    // The shorter form, when it reads back as the same number.
    char text[32];
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof(text), "%.17g", value);
    writer_text(json->out, text);
}

void json_bool(struct json *json, bool value)
{
    json_separate(json);
    writer_text(json->out, value ? "true" : "false");
}

void json_key_text(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_text(json, value);
}

void json_key_int(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void json_key_bool(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}
