// SPDX-License-Identifier: MIT
#include "m4f_wire.h"

#include <string.h>

static void take(struct writer *writer, struct chain *out)
{
    struct buf *buf = writer_take(writer);
    chain_take(out, &buf);
}

// A segment's bound is one of payload; its chunk heads come on top (16 bytes a sample at most).
#define HEADS_MOST (SEGMENT_FRAMES_MAX * 16u + (1u << 20))

struct buf *m4f_request_write(const struct m4f_request *request)
{
    struct writer writer = {0};
    writer_u8(&writer, (uint8_t)(request->kind | request->hops << 4));
    writer_varint(&writer, (uint64_t)request->from_us);
    writer_varint(&writer, (uint64_t)request->to_us);
    writer_text(&writer, request->name);
    return writer_take(&writer);
}

static bool read_time(struct bytes *in, int64_t *out)
{
    uint64_t value;
    if (!bytes_read_varint(in, &value) || value > INT64_MAX / 4)
        return false;
    *out = (int64_t)value;
    return true;
}

int m4f_request_parse(struct bytes in, struct m4f_request *out)
{
    uint8_t kind;
    *out = (struct m4f_request){0};
    if (!bytes_read_u8(&in, &kind) || (kind & 15) < M4F_LIVE || (kind & 15) > M4F_HEADS ||
        !read_time(&in, &out->from_us) || !read_time(&in, &out->to_us) || in.length == 0 ||
        in.length >= sizeof out->name || memchr(in.data, 0, in.length))
        return ERR_INVALID;
    out->kind = kind & 15;
    out->hops = kind >> 4;
    memcpy(out->name, in.data, in.length);
    return 0;
}

void m4f_tracks_write(uint32_t generation, struct buf *init, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4F_TRACKS);
    writer_u32(&writer, generation);
    take(&writer, out);
    chain_add(out, init, 0, init->length);
}

static void info_write(struct writer *writer, const struct segment_info *info)
{
    writer_varint(writer, info->number);
    writer_varint(writer, (uint64_t)info->utc_start_us);
    writer_varint(writer, (uint64_t)info->duration_us);
    writer_varint(writer, info->bytes);
}

void m4f_infos_write(const struct segment_info *infos, size_t count, unsigned listed,
                     struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4F_INFOS);
    writer_varint(&writer, listed);
    writer_varint(&writer, count);
    for (size_t i = 0; i < count; i++) {
        info_write(&writer, &infos[i]);
        writer_u8(&writer, infos[i].flags);
        writer_u32(&writer, infos[i].generation);
    }
    take(&writer, out);
}

void m4f_segment_write(const struct segment_info *info, uint64_t length, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4F_SEGMENT);
    writer_u32(&writer, info->generation);
    writer_u8(&writer, info->flags);
    info_write(&writer, info);
    writer_varint(&writer, length);
    take(&writer, out);
}

void m4f_data_write(struct chain *out)
{
    const uint8_t type = M4F_DATA;
    chain_add_copy(out, &type, 1);
}

void m4f_ranges_write(const struct history_range *ranges, size_t count, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4F_RANGE_LIST);
    writer_varint(&writer, count);
    for (size_t i = 0; i < count; i++) {
        writer_varint(&writer, (uint64_t)ranges[i].from_us);
        writer_varint(&writer, (uint64_t)(ranges[i].to_us - ranges[i].from_us));
        writer_u8(&writer, history_reason_code(ranges[i].reason));
    }
    take(&writer, out);
}

void m4f_end_write(int result, struct chain *out)
{
    const uint8_t bytes[2] = {M4F_END, (uint8_t)-result};
    chain_add_copy(out, bytes, sizeof bytes);
}

void m4f_next_write(struct chain *out)
{
    const uint8_t type = M4F_NEXT;
    chain_add_copy(out, &type, 1);
}

static bool info_parse(struct bytes *in, struct segment_info *info)
{
    return bytes_read_varint(in, &info->number) && read_time(in, &info->utc_start_us) &&
           read_time(in, &info->duration_us) && bytes_read_varint(in, &info->bytes);
}

static int infos_parse(struct bytes in, struct m4f_message *out)
{
    uint64_t listed, count;
    if (!bytes_read_varint(&in, &listed) || listed > STREAM_SEGMENT_COUNT_MAX ||
        !bytes_read_varint(&in, &count) || count > M4F_LIST_PIECE)
        return ERR_INVALID;
    out->listed = (unsigned)listed;
    for (unsigned i = 0; i < count; i++) {
        struct segment_info *info = &out->infos[i];
        if (!info_parse(&in, info) || !bytes_read_u8(&in, &info->flags) ||
            !bytes_read_u32(&in, &info->generation))
            return ERR_INVALID;
    }
    out->count = (unsigned)count;
    return in.length ? ERR_INVALID : 0;
}

static int ranges_parse(struct bytes in, struct m4f_message *out)
{
    uint64_t count;
    if (!bytes_read_varint(&in, &count) || count > M4F_LIST_PIECE)
        return ERR_INVALID;
    for (unsigned i = 0; i < count; i++) {
        int64_t length_us;
        uint8_t code;
        if (!read_time(&in, &out->ranges[i].from_us) || !read_time(&in, &length_us) ||
            !bytes_read_u8(&in, &code))
            return ERR_INVALID;
        out->ranges[i].to_us = out->ranges[i].from_us + length_us;
        out->ranges[i].reason = history_reason_of(code);
    }
    out->count = (unsigned)count;
    return in.length ? ERR_INVALID : 0;
}

static int segment_parse(struct bytes in, struct m4f_message *out)
{
    struct segment_info *info = &out->info;
    *info = (struct segment_info){0};
    if (!bytes_read_u32(&in, &info->generation) || !bytes_read_u8(&in, &info->flags) ||
        !info_parse(&in, info) || !bytes_read_varint(&in, &out->length) ||
        out->length > SEGMENT_BYTES_MAX + HEADS_MOST || in.length > out->length)
        return ERR_INVALID;
    out->generation = info->generation;
    out->bytes = in;
    return 0;
}

int m4f_message_parse(struct bytes in, struct m4f_message *out)
{
    uint8_t type, result;
    if (!bytes_read_u8(&in, &type))
        return ERR_INVALID;
    out->type = type;
    switch (type) {
    case M4F_TRACKS:
        if (!bytes_read_u32(&in, &out->generation) || out->generation == 0)
            return ERR_INVALID;
        out->bytes = in;
        return 0;
    case M4F_INFOS:
        return infos_parse(in, out);
    case M4F_SEGMENT:
        return segment_parse(in, out);
    case M4F_DATA:
        out->bytes = in;
        return in.length ? 0 : ERR_INVALID;
    case M4F_RANGE_LIST:
        return ranges_parse(in, out);
    case M4F_END:
        if (!bytes_read_u8(&in, &result) || in.length)
            return ERR_INVALID;
        out->result = -(int)result;
        return 0;
    case M4F_NEXT:
        return in.length ? ERR_INVALID : 0;
    default:
        return ERR_INVALID;
    }
}
