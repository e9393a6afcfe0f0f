// SPDX-License-Identifier: MIT
// Append-only builder of bytes.
//
// 1. The buf of a writer has a count of one: it may move when it grows.
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

enum { WRITER_FIRST_CAPACITY = 256 };

void writer_init(struct writer *writer, size_t capacity)
{
    writer->buf = capacity ? buf_new(capacity) : NULL;
}

void writer_fini(struct writer *writer)
{
    buf_unref(&writer->buf);
}

struct buf *writer_take(struct writer *writer)
{
    struct buf *taken = writer->buf ? writer->buf : buf_new(0);
    writer->buf = NULL;
    return taken;
}

size_t writer_length(const struct writer *writer)
{
    return writer->buf ? writer->buf->length : 0;
}

// Room for `length` more bytes, not yet counted.
static uint8_t *writer_room(struct writer *writer, size_t length)
{
    if (!writer->buf)
        writer->buf = buf_new(length > WRITER_FIRST_CAPACITY ? length : WRITER_FIRST_CAPACITY);
    buf_reserve(&writer->buf, length);
    return writer->buf->data + writer->buf->length;
}

uint8_t *writer_reserve(struct writer *writer, size_t length)
{
    uint8_t *room = writer_room(writer, length);
    writer->buf->length += length;
    return room;
}

static void put_uint(uint8_t *out, uint64_t value, unsigned width)
{
    for (unsigned i = width; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
}

void writer_u8(struct writer *writer, uint8_t value)
{
    *writer_reserve(writer, 1) = value;
}

void writer_u16(struct writer *writer, uint16_t value)
{
    put_uint(writer_reserve(writer, 2), value, 2);
}

void writer_u24(struct writer *writer, uint32_t value)
{
    ENSURE(value < 1u << 24);
    put_uint(writer_reserve(writer, 3), value, 3);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    put_uint(writer_reserve(writer, 4), value, 4);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    put_uint(writer_reserve(writer, 8), value, 8);
}

size_t varint_encode(uint8_t *out, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        out[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[length++] = (uint8_t)value;
    return length;
}

void writer_varint(struct writer *writer, uint64_t value)
{
    uint8_t *room = writer_room(writer, 10);
    writer->buf->length += varint_encode(room, value);
}

void writer_varint_signed(struct writer *writer, int64_t value)
{
    writer_varint(writer, varint_zigzag(value));
}

void writer_bytes(struct writer *writer, const void *data, size_t length)
{
    if (length)
        memcpy(writer_reserve(writer, length), data, length);
}

void writer_text(struct writer *writer, const char *text)
{
    writer_bytes(writer, text, strlen(text));
}

void writer_decimal(struct writer *writer, uint64_t value)
{
    char digits[20];
    size_t first = sizeof(digits);
    do
        digits[--first] = (char)('0' + value % 10);
    while (value /= 10);
    writer_bytes(writer, digits + first, sizeof(digits) - first);
}

void writer_printf(struct writer *writer, const char *format, ...)
{
    // The first try goes into what room there is; the second, rarely, into what it asked for.
    size_t room = 128;
    for (;;) {
        char *out = (char *)writer_room(writer, room);
        va_list args;
        va_start(args, format);
        int length = vsnprintf(out, room, format, args);
        va_end(args);
        ENSURE(length >= 0);
        if ((size_t)length < room) {
            writer->buf->length += (size_t)length;
            return;
        }
        room = (size_t)length + 1;
    }
}

void writer_patch_u32(struct writer *writer, size_t at, uint32_t value)
{
    ENSURE(at <= writer_length(writer) && writer_length(writer) - at >= 4);
    put_uint(writer->buf->data + at, value, 4);
}
