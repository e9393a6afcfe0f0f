// SPDX-License-Identifier: MIT
// Append-only builder of bytes over a growing buf, with big-endian numbers and patched lengths.
// For headers, boxes, packets and playlists that we make; sizes are ours, so it dies without
// memory.
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct writer {
    struct buf *buf; // NULL before the first byte; owned
};

void writer_init(struct writer *writer, size_t capacity); // a zeroed writer is fine too
void writer_fini(struct writer *writer);                  // drops what was not taken
struct buf *writer_take(struct writer *writer); // ownership to the caller; never NULL; writer empty
size_t writer_length(const struct writer *writer);
uint8_t *writer_reserve(struct writer *writer, size_t length); // room to fill, already counted
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u24(struct writer *writer, uint32_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_varint(struct writer *writer, uint64_t value);
void writer_varint_signed(struct writer *writer, int64_t value);
void writer_bytes(struct writer *writer, const void *data, size_t length);
void writer_text(struct writer *writer, const char *text);  // without the final zero
void writer_decimal(struct writer *writer, uint64_t value); // as text
void writer_printf(struct writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);
void writer_patch_u32(struct writer *writer, size_t at, uint32_t value);

// Encodes into out (room for 10 bytes); returns the length. For heads built on the stack.
size_t varint_encode(uint8_t *out, uint64_t value);
static inline uint64_t varint_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

#endif
