// SPDX-License-Identifier: MIT
// Boxes of ISO/IEC 14496-12 (4.2): writing them over a writer, walking them in borrowed bytes.
#ifndef FORMAT_MP4_BOX_H
#define FORMAT_MP4_BOX_H

#include "base/bytes.h"
#include "base/writer.h"

// A box type as a number, as it stands in the first bytes: MP4_TYPE("moov").
#define MP4_TYPE(four)                                                                             \
    ((uint32_t)(uint8_t)(four)[0] << 24 | (uint32_t)(uint8_t)(four)[1] << 16 |                     \
     (uint32_t)(uint8_t)(four)[2] << 8 | (uint8_t)(four)[3])

enum { MP4_BOX_HEAD = 8 };

// Opens a box; the result is for mp4_box_close.
size_t mp4_box_open(struct writer *out, const char *type);
size_t mp4_full_box_open(struct writer *out, const char *type, uint8_t version, uint32_t flags);
// Sets the size of the box: all that was written since it was opened.
void mp4_box_close(struct writer *out, size_t box);
void mp4_zeros_write(struct writer *out, size_t count);

struct mp4_box {
    uint32_t type;
    struct bytes whole, body; // body: behind the size and type
};

// Next box of a container; moves *in past it. A size of 0 means up to the end. ERR_NOT_FOUND at the
// end (up to seven bytes that are left over are ignored: some writers end a container with zeros),
// ERR_INVALID when the size does not fit.
MUST_USE int mp4_box_next(struct bytes *in, struct mp4_box *out);
// Body of the first box of that type in a container. ERR_NOT_FOUND, ERR_INVALID.
MUST_USE int mp4_box_find(struct bytes in, uint32_t type, struct bytes *body);
// Version and flags at the front of a full box; moves *body past them.
bool mp4_full_box_read(struct bytes *body, uint8_t *version, uint32_t *flags);

// Big-endian numbers in tables whose bounds were checked before.
static inline uint32_t mp4_u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t mp4_u64_at(const uint8_t *at)
{
    return (uint64_t)mp4_u32_at(at) << 32 | mp4_u32_at(at + 4);
}

#endif
