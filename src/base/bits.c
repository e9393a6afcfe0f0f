// SPDX-License-Identifier: MIT
// Bit reader and writer.
#include "base/bits.h"

#include "base/ensure.h"

struct bits bits_of(struct bytes bytes)
{
    return (struct bits){.data = bytes.data, .length = bytes.length};
}

size_t bits_left(const struct bits *bits)
{
    return bits->length * 8 - bits->bit;
}

// True when `count` more bits are there; otherwise the reader stands at its end for good.
static bool bits_have(struct bits *bits, size_t count)
{
    if (!bits->overrun && count <= bits_left(bits))
        return true;
    bits->overrun = true;
    bits->bit = bits->length * 8;
    return false;
}

uint32_t bits_read(struct bits *bits, unsigned count)
{
    ENSURE(count <= 32);
    if (!bits_have(bits, count))
        return 0;
    uint64_t value = 0;
    while (count > 0) {
        unsigned left = 8 - (unsigned)(bits->bit & 7); // bits of this byte not yet read
        unsigned part = count < left ? count : left;
        unsigned byte = bits->data[bits->bit >> 3];
        value = value << part | ((byte >> (left - part)) & ((1u << part) - 1));
        bits->bit += part;
        count -= part;
    }
    return (uint32_t)value;
}

bool bits_read_flag(struct bits *bits)
{
    return bits_read(bits, 1) != 0;
}

void bits_skip(struct bits *bits, size_t count)
{
    if (bits_have(bits, count))
        bits->bit += count;
}

static uint32_t bits_fail(struct bits *bits)
{
    bits_have(bits, SIZE_MAX);
    return 0;
}

uint32_t bits_read_ue(struct bits *bits)
{
    unsigned zeros = 0;
    while (!bits_read_flag(bits)) {
        if (bits->overrun || ++zeros > 32)
            return bits_fail(bits);
    }
    // 2^zeros - 1 + suffix must fit; with 32 zeros only the suffix 0 does.
    uint64_t value = ((uint64_t)1 << zeros) - 1 + bits_read(bits, zeros);
    if (bits->overrun || value > UINT32_MAX)
        return bits_fail(bits);
    return (uint32_t)value;
}

int32_t bits_read_se(struct bits *bits)
{
    uint32_t code = bits_read_ue(bits);
    if (code == UINT32_MAX) // stands for 2^31, which does not fit
        return (int32_t)bits_fail(bits);
    int64_t magnitude = ((int64_t)code + 1) / 2;
    return (int32_t)(code & 1 ? magnitude : -magnitude);
}

void bits_write(struct bits_writer *out, uint32_t value, unsigned count)
{
    ENSURE(count <= 32);
    if (out->full || count > out->capacity * 8 - out->bit) {
        out->full = true;
        return;
    }
    while (count > 0) {
        unsigned left = 8 - (unsigned)(out->bit & 7);
        unsigned part = count < left ? count : left;
        unsigned mask = (1u << part) - 1;
        unsigned piece = (value >> (count - part)) & mask;
        unsigned shift = left - part;
        uint8_t *byte = &out->data[out->bit >> 3];
        *byte = (uint8_t)((*byte & ~(mask << shift)) | piece << shift);
        out->bit += part;
        count -= part;
    }
}

void bits_write_ue(struct bits_writer *out, uint32_t value)
{
    uint64_t code = (uint64_t)value + 1;
    unsigned zeros = 63 - (unsigned)__builtin_clzll(code);
    // Whole or not at all, so that a full writer holds no half code.
    if (out->full || 2 * zeros + 1 > out->capacity * 8 - out->bit) {
        out->full = true;
        return;
    }
    bits_write(out, 0, zeros);
    bits_write(out, 1, 1);
    bits_write(out, (uint32_t)code, zeros); // its leading one went before
}

void bits_write_se(struct bits_writer *out, int32_t value)
{
    ENSURE(value != INT32_MIN); // has no 32-bit code number
    uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
    bits_write_ue(out, value > 0 ? 2 * magnitude - 1 : 2 * magnitude);
}

void bits_write_trailing(struct bits_writer *out)
{
    bits_write(out, 1, 1);
    if (out->bit & 7)
        bits_write(out, 0, 8 - (unsigned)(out->bit & 7));
}
