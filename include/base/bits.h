// SPDX-License-Identifier: MIT
// Bit reader and writer, most significant bit first, with exp-Golomb codes (ITU-T H.264, 9.1).
// The reader never runs past its bytes: it sets `overrun` and yields zeros.
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct bits {
    const uint8_t *data;
    size_t length; // bytes
    size_t bit;    // position in bits
    bool overrun;  // a read went past the end; sticky
};

struct bits bits_of(struct bytes bytes);
uint32_t bits_read(struct bits *bits, unsigned count); // 0..32 bits
bool bits_read_flag(struct bits *bits);
void bits_skip(struct bits *bits, size_t count);
uint32_t bits_read_ue(struct bits *bits); // more than 32 leading zeros: overrun
int32_t bits_read_se(struct bits *bits);
size_t bits_left(const struct bits *bits);

struct bits_writer {
    uint8_t *data; // borrowed, `capacity` bytes
    size_t capacity;
    size_t bit;
    bool full; // a write did not fit; sticky
};

void bits_write(struct bits_writer *out, uint32_t value, unsigned count); // 0..32 bits
void bits_write_ue(struct bits_writer *out, uint32_t value);
void bits_write_se(struct bits_writer *out, int32_t value);
// rbsp_trailing_bits: a one, then zeros to the byte border (ITU-T H.264, 7.3.2.11).
void bits_write_trailing(struct bits_writer *out);

#endif
