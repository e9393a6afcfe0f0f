// SPDX-License-Identifier: MIT
// Boxes of ISO/IEC 14496-12.
#include "mp4_box.h"

#include "base/ensure.h"

size_t mp4_box_open(struct writer *out, const char *type)
{
    size_t box = writer_length(out);
    writer_u32(out, 0);
    writer_bytes(out, type, 4);
    return box;
}

size_t mp4_full_box_open(struct writer *out, const char *type, uint8_t version, uint32_t flags)
{
    size_t box = mp4_box_open(out, type);
    writer_u8(out, version);
    writer_u24(out, flags);
    return box;
}

void mp4_box_close(struct writer *out, size_t box)
{
    size_t size = writer_length(out) - box;
    ENSURE(size <= UINT32_MAX);
    writer_patch_u32(out, box, (uint32_t)size);
}

void mp4_zeros_write(struct writer *out, size_t count)
{
    memset(writer_reserve(out, count), 0, count);
}

int mp4_box_next(struct bytes *in, struct mp4_box *out)
{
    if (in->length < MP4_BOX_HEAD)
        return ERR_NOT_FOUND;
    uint64_t size = mp4_u32_at(in->data), head = MP4_BOX_HEAD;
    if (size == 1) {
        if (in->length < 16)
            return ERR_INVALID;
        size = mp4_u64_at(in->data + 8);
        head = 16;
    } else if (size == 0) {
        size = in->length;
    }
    if (size < head || size > in->length)
        return ERR_INVALID;
    out->type = mp4_u32_at(in->data + 4);
    out->whole = bytes_of(in->data, (size_t)size);
    out->body = bytes_of(in->data + head, (size_t)(size - head));
    bytes_skip(in, (size_t)size);
    return 0;
}

int mp4_box_find(struct bytes in, uint32_t type, struct bytes *body)
{
    struct mp4_box box;
    int result;
    while ((result = mp4_box_next(&in, &box)) == 0) {
        if (box.type == type) {
            *body = box.body;
            return 0;
        }
    }
    return result;
}

bool mp4_full_box_read(struct bytes *body, uint8_t *version, uint32_t *flags)
{
    if (body->length < 4)
        return false;
    *version = body->data[0];
    *flags = mp4_u32_at(body->data) & 0xffffff;
    return bytes_skip(body, 4);
}
