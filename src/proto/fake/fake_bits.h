// SPDX-License-Identifier: MIT
// Writes the bits of one NAL unit, most significant bit first, and puts in the emulation prevention
// bytes on the way (ITU-T H.264, 7.3.1), so that a picture needs no second buffer and no second
// pass. base/bits.h has the general writer; this one is on the path of every coefficient.
#ifndef FAKE_BITS_H
#define FAKE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_bits {
    uint8_t *at, *end;   // next byte, and the end of the room; borrowed
    uint64_t held;       // bits not yet written, right-aligned
    unsigned held_count; // how many, at most 7 between calls
    unsigned zeros;      // zero bytes written last
    size_t count;        // bits given so far, without emulation prevention
    bool full;           // the room was too small; sticky
};

static inline void fake_bits_byte(struct fake_bits *out, uint8_t byte)
{
    bool escape = out->zeros >= 2 && byte <= 3;

    if (out->end - out->at < 2) {
        out->full = true;
        return;
    }
    if (escape)
        *out->at++ = 3;
    *out->at++ = byte;
    out->zeros = byte ? 0 : (escape ? 1 : out->zeros + 1);
}

// value < 2^count, count 0..32.
static inline void fake_bits_put(struct fake_bits *out, uint32_t value, unsigned count)
{
    out->held = out->held << count | value;
    out->held_count += count;
    out->count += count;
    while (out->held_count >= 8) {
        out->held_count -= 8;
        fake_bits_byte(out, (uint8_t)(out->held >> out->held_count));
    }
}

// Exp-Golomb codes, 9.1. value < 2^31 - 1.
static inline void fake_bits_put_ue(struct fake_bits *out, uint32_t value)
{
    unsigned length = 32 - (unsigned)__builtin_clz(value + 1);

    fake_bits_put(out, 0, length - 1);
    fake_bits_put(out, value + 1, length);
}

static inline void fake_bits_put_se(struct fake_bits *out, int32_t value)
{
    fake_bits_put_ue(out, value > 0 ? 2 * (uint32_t)value - 1 : 2 * (uint32_t)-value);
}

// Begins a NAL unit behind four bytes that fake_bits_end fills with its length. size is at least 4.
static inline struct fake_bits fake_bits_begin(uint8_t *room, size_t size, uint8_t nal_header)
{
    struct fake_bits out = {.at = room + 4, .end = room + size};

    fake_bits_put(&out, nal_header, 8);
    return out;
}

// Stop bit and alignment, 7.3.2.11, then the length in front. Returns the bytes used, length
// included; 0 when the room was too small.
static inline size_t fake_bits_end(struct fake_bits *out, uint8_t *room)
{
    size_t length;

    fake_bits_put(out, 1, 1);
    fake_bits_put(out, 0, (8 - out->held_count) % 8);
    if (out->full)
        return 0;
    length = (size_t)(out->at - room) - 4;
    room[0] = (uint8_t)(length >> 24);
    room[1] = (uint8_t)(length >> 16);
    room[2] = (uint8_t)(length >> 8);
    room[3] = (uint8_t)length;
    return length + 4;
}

#endif
