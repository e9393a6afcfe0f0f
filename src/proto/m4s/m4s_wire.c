// SPDX-License-Identifier: MIT
#include "m4s_wire.h"

#include <string.h>

#include "base/writer.h"

enum { SEGMENT_WHOLE = 0x10, SEGMENT_SKIPPED = 0x20 };
enum { FRAME_BIT_KEY = 0x40, FRAME_BIT_EXTENDED = 0x20 };
enum { FLAGS_CARRIED = FRAME_DISCONTINUITY | FRAME_DROPPABLE | FRAME_CORRUPT };

static void take(struct writer *writer, struct chain *out)
{
    struct buf *buf = writer_take(writer);
    chain_take(out, &buf);
}

void m4s_subscribe_write(const char *name, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4S_SUBSCRIBE);
    writer_text(&writer, name);
    take(&writer, out);
}

void m4s_tracks_write(uint32_t generation, struct buf *init, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4S_TRACKS);
    writer_u32(&writer, generation);
    take(&writer, out);
    chain_add(out, init, 0, init->length);
}

void m4s_window_write(const struct segment_info *infos, size_t count, unsigned listed,
                      struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4S_WINDOW);
    writer_varint(&writer, listed);
    writer_varint(&writer, count);
    for (size_t i = 0; i < count; i++) {
        writer_varint(&writer, infos[i].number);
        writer_varint(&writer, (uint64_t)infos[i].utc_start_us);
        writer_varint(&writer, (uint64_t)infos[i].duration_us);
        writer_varint(&writer, infos[i].bytes);
        writer_u8(&writer, infos[i].flags);
    }
    take(&writer, out);
}

void m4s_segment_write(const struct segment_info *info, bool whole, bool skipped, struct chain *out)
{
    struct writer writer = {0};
    writer_u8(&writer, M4S_SEGMENT);
    writer_u8(&writer, (uint8_t)((info->flags & 15) | (whole ? SEGMENT_WHOLE : 0) |
                                 (skipped ? SEGMENT_SKIPPED : 0)));
    writer_varint(&writer, info->number);
    writer_varint(&writer, (uint64_t)info->utc_start_us);
    take(&writer, out);
}

void m4s_state_write(bool live, struct chain *out)
{
    const uint8_t bytes[2] = {M4S_STATE, live};
    chain_add_copy(out, bytes, sizeof bytes);
}

void m4s_frame_write(struct m4s_clock *clock, struct frame *frame, struct chain *out)
{
    uint8_t head[48];
    size_t length = 1;
    int64_t step = frame->dts - clock->track[frame->track].dts;
    uint8_t flags = frame->flags & FLAGS_CARRIED;
    bool extended = flags || frame->cts || frame->duration;
    head[0] = (uint8_t)(M4S_FRAME | (frame_is_key(frame) ? FRAME_BIT_KEY : 0) |
                        (extended ? FRAME_BIT_EXTENDED : 0) | frame->track);
    length += varint_encode(head + length, varint_zigzag(step - clock->track[frame->track].step));
    if (extended) {
        head[length++] = flags;
        length += varint_encode(head + length, varint_zigzag(frame->cts));
        length += varint_encode(head + length, frame->duration);
    }
    clock->track[frame->track].dts = frame->dts;
    clock->track[frame->track].step = step;
    chain_add_copy(out, head, length);
    chain_add(out, frame->buf, frame->offset, frame->length);
}

int m4s_subscribe_parse(struct bytes in, char *name, size_t room)
{
    uint8_t kind;
    if (!bytes_read_u8(&in, &kind) || kind != M4S_SUBSCRIBE || in.length == 0 ||
        in.length >= room || memchr(in.data, 0, in.length))
        return ERR_INVALID;
    memcpy(name, in.data, in.length);
    name[in.length] = '\0';
    return 0;
}

static bool read_time(struct bytes *in, int64_t *out)
{
    uint64_t value;
    if (!bytes_read_varint(in, &value) || value > INT64_MAX / 4)
        return false;
    *out = (int64_t)value;
    return true;
}

static int window_parse(struct bytes in, struct m4s_message *out)
{
    uint64_t listed, count;
    if (!bytes_read_varint(&in, &listed) || listed == 0 || listed > STREAM_SEGMENT_COUNT_MAX ||
        !bytes_read_varint(&in, &count) || count > M4S_WINDOW_MAX)
        return ERR_INVALID;
    out->listed = (unsigned)listed;
    for (unsigned i = 0; i < count; i++) {
        struct segment_info *info = &out->window[i];
        *info = (struct segment_info){0};
        if (!bytes_read_varint(&in, &info->number) || !read_time(&in, &info->utc_start_us) ||
            !read_time(&in, &info->duration_us) || !bytes_read_varint(&in, &info->bytes) ||
            !bytes_read_u8(&in, &info->flags))
            return ERR_INVALID;
    }
    out->window_count = (unsigned)count;
    return in.length ? ERR_INVALID : 0;
}

static int segment_parse(struct bytes in, struct m4s_message *out)
{
    uint8_t flags;
    out->segment = (struct segment_info){0};
    if (!bytes_read_u8(&in, &flags) || !bytes_read_varint(&in, &out->segment.number) ||
        !read_time(&in, &out->segment.utc_start_us) || in.length)
        return ERR_INVALID;
    out->segment.flags = flags & 15;
    out->whole = flags & SEGMENT_WHOLE;
    out->skipped = flags & SEGMENT_SKIPPED;
    return 0;
}

static int frame_parse(struct m4s_clock *clock, uint8_t head, struct bytes in,
                       struct m4s_message *out)
{
    int64_t change, cts = 0;
    uint64_t duration = 0;
    uint8_t flags = 0;
    out->track = head & 15;
    if (!bytes_read_varint_signed(&in, &change))
        return ERR_INVALID;
    if (head & FRAME_BIT_EXTENDED &&
        (!bytes_read_u8(&in, &flags) || !bytes_read_varint_signed(&in, &cts) ||
         !bytes_read_varint(&in, &duration)))
        return ERR_INVALID;
    if (cts < INT32_MIN || cts > INT32_MAX || duration > INT32_MAX || in.length == 0 ||
        in.length > FRAME_BYTES_MAX)
        return ERR_INVALID;
    // Sums of what a peer chose: in unsigned arithmetic, then checked.
    uint64_t step = (uint64_t)clock->track[out->track].step + (uint64_t)change;
    uint64_t dts = (uint64_t)clock->track[out->track].dts + step;
    if (dts > INT64_MAX / 2)
        return ERR_INVALID;
    clock->track[out->track].step = (int64_t)step;
    clock->track[out->track].dts = (int64_t)dts;
    out->type = M4S_FRAME;
    out->dts = (int64_t)dts;
    out->cts = (int32_t)cts;
    out->duration = (uint32_t)duration;
    out->flags = (uint8_t)((flags & FLAGS_CARRIED) | (head & FRAME_BIT_KEY ? FRAME_KEY : 0));
    out->payload = in;
    return 0;
}

int m4s_message_parse(struct m4s_clock *clock, struct bytes in, struct m4s_message *out)
{
    uint8_t type, live;
    if (!bytes_read_u8(&in, &type))
        return ERR_INVALID;
    if (type & M4S_FRAME)
        return frame_parse(clock, type, in, out);
    out->type = type;
    switch (type) {
    case M4S_TRACKS:
        memset(clock, 0, sizeof *clock);
        out->init = in;
        if (!bytes_read_u32(&out->init, &out->generation) || out->generation == 0)
            return ERR_INVALID;
        return 0;
    case M4S_WINDOW:
        return window_parse(in, out);
    case M4S_SEGMENT:
        return segment_parse(in, out);
    case M4S_STATE:
        if (!bytes_read_u8(&in, &live) || live > 1 || in.length)
            return ERR_INVALID;
        out->live = live;
        return 0;
    default:
        return ERR_INVALID;
    }
}
