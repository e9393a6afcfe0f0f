// SPDX-License-Identifier: MIT
// A borrowed run of bytes and readers over it that cannot run past its end. Every reader moves the
// slice past what it ate and returns true, or returns false and leaves the slice as it was.
// Numbers are big-endian unless the name says otherwise.
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t length;
};

static inline struct bytes bytes_of(const void *data, size_t length)
{
    return (struct bytes){.data = data, .length = length};
}

static inline bool bytes_skip(struct bytes *in, size_t count)
{
    if (in->length < count)
        return false;
    in->data += count;
    in->length -= count;
    return true;
}

// Borrows the next `count` bytes.
static inline bool bytes_take(struct bytes *in, size_t count, struct bytes *out)
{
    if (in->length < count)
        return false;
    *out = bytes_of(in->data, count);
    return bytes_skip(in, count);
}

static inline bool bytes_read_uint(struct bytes *in, unsigned width, uint64_t *out)
{
    if (in->length < width)
        return false;
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | in->data[i];
    *out = value;
    return bytes_skip(in, width);
}

static inline bool bytes_read_u8(struct bytes *in, uint8_t *out)
{
    uint64_t value;
    if (!bytes_read_uint(in, 1, &value))
        return false;
    *out = (uint8_t)value;
    return true;
}

static inline bool bytes_read_u16(struct bytes *in, uint16_t *out)
{
    uint64_t value;
    if (!bytes_read_uint(in, 2, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

static inline bool bytes_read_u24(struct bytes *in, uint32_t *out)
{
    uint64_t value;
    if (!bytes_read_uint(in, 3, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static inline bool bytes_read_u32(struct bytes *in, uint32_t *out)
{
    uint64_t value;
    if (!bytes_read_uint(in, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static inline bool bytes_read_u64(struct bytes *in, uint64_t *out)
{
    return bytes_read_uint(in, 8, out);
}

// Variable-length unsigned number: seven bits a byte, least significant first, high bit = more
// follow, at most ten bytes. The wire and archive formats of this program use it.
bool bytes_read_varint(struct bytes *in, uint64_t *out);
// The same with zigzag: 0, -1, 1, -2, ...
bool bytes_read_varint_signed(struct bytes *in, int64_t *out);

#endif
