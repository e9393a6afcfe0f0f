// SPDX-License-Identifier: MIT
// Variable-length numbers; the fixed ones are inline in the header.
#include "base/bytes.h"

bool bytes_read_varint(struct bytes *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < in->length; i++) {
        uint8_t byte = in->data[i];
        if (i == 9 && byte > 1)
            return false; // more than 64 bits
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *out = value;
            return bytes_skip(in, i + 1);
        }
    }
    return false;
}

bool bytes_read_varint_signed(struct bytes *in, int64_t *out)
{
    uint64_t value;
    if (!bytes_read_varint(in, &value))
        return false;
    *out = (int64_t)(value >> 1 ^ (0 - (value & 1)));
    return true;
}
