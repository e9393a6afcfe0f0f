// SPDX-License-Identifier: MIT
#include "cache_parse.h"

#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/writer.h"

void cache_name_write(const struct segment_info *info, char out[CACHE_NAME_ROOM])
{
    (void)text_format(out, CACHE_NAME_ROOM, "%lld-%llu-%lld-%llu-%x-%x.seg",
                      (long long)info->utc_start_us, (unsigned long long)info->number,
                      (long long)info->duration_us, (unsigned long long)info->bytes,
                      info->generation, info->flags);
}

// A number without sign and leading zeros up to `most`, and the byte behind it.
static bool read_number(const char **at, int base, uint64_t most, char behind, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *first = *at;
    uint64_t value = 0;
    for (; **at && **at != behind; (*at)++) {
        const char *digit = strchr(digits, **at);
        if (!digit || digit - digits >= base ||
            value > (most - (uint64_t)(digit - digits)) / (uint64_t)base)
            return false;
        value = value * (uint64_t)base + (uint64_t)(digit - digits);
    }
    if (*at == first || **at != behind || (*first == '0' && *at != first + 1))
        return false;
    (*at)++;
    *out = value;
    return true;
}

int cache_name_parse(struct bytes name, struct segment_info *out)
{
    char text[CACHE_NAME_ROOM];
    const char *at = text;
    uint64_t start, number, duration, bytes, generation, flags;
    if (name.length >= sizeof text || memchr(name.data, 0, name.length))
        return ERR_INVALID;
    memcpy(text, name.data, name.length);
    text[name.length] = 0;
    if (!read_number(&at, 10, INT64_MAX / 4, '-', &start) ||
        !read_number(&at, 10, UINT64_MAX, '-', &number) ||
        !read_number(&at, 10, INT64_MAX / 4, '-', &duration) ||
        !read_number(&at, 10, 2 * SEGMENT_BYTES_MAX, '-', &bytes) ||
        !read_number(&at, 16, UINT32_MAX, '-', &generation) ||
        !read_number(&at, 16, UINT8_MAX, '.', &flags) || strcmp(at, "seg") != 0 || bytes == 0)
        return ERR_INVALID;
    *out = (struct segment_info){.number = number,
                                 .utc_start_us = (int64_t)start,
                                 .duration_us = (int64_t)duration,
                                 .bytes = bytes,
                                 .generation = (uint32_t)generation,
                                 .flags = (uint8_t)flags};
    return 0;
}

struct buf *cache_tail_write(const struct buf *init, const struct buf *heads)
{
    struct writer out = {0};
    writer_u32(&out, (uint32_t)init->length);
    writer_u32(&out, (uint32_t)heads->length);
    writer_u32(&out, 0);
    writer_bytes(&out, init->data, init->length);
    writer_bytes(&out, heads->data, heads->length);
    writer_patch_u32(&out, 8, crc32c(0, out.buf->data, out.buf->length));
    return writer_take(&out);
}

int cache_tail_parse(struct bytes in, struct bytes *init, struct bytes *heads)
{
    uint32_t init_length, heads_length, sum;
    static const uint8_t zero[4];
    struct bytes rest = in;
    if (!bytes_read_u32(&rest, &init_length) || !bytes_read_u32(&rest, &heads_length) ||
        !bytes_read_u32(&rest, &sum) || (uint64_t)init_length + heads_length != rest.length)
        return ERR_INVALID;
    uint32_t found = crc32c(crc32c(0, in.data, 8), zero, sizeof zero);
    if (crc32c(found, rest.data, rest.length) != sum)
        return ERR_INVALID;
    *init = bytes_of(rest.data, init_length);
    *heads = bytes_of(rest.data + init_length, heads_length);
    return 0;
}
