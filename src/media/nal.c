// SPDX-License-Identifier: MIT
// NAL units: splitting and the emulation-prevention layer.
#include "media/nal.h"

#include "base/ensure.h"

// Offset of the next 00 00 01 at or after `at`, or the length when there is none. Looking at the
// third byte first lets most steps be three bytes long.
static size_t find_start_code(struct bytes in, size_t at)
{
    while (at + 3 <= in.length) {
        const uint8_t *three = in.data + at;
        if (three[2] > 1)
            at += 3;
        else if (three[2] == 1 && three[1] == 0 && three[0] == 0)
            return at;
        else
            at++;
    }
    return in.length;
}

int nal_next_annexb(struct bytes *in, struct bytes *nal)
{
    struct bytes rest = *in;
    for (;;) {
        size_t start = find_start_code(rest, 0);
        if (start == rest.length) {
            if (in->length > 0) // a pointer that is NULL stays as it is
                bytes_skip(in, in->length);
            return ERR_NOT_FOUND;
        }
        bytes_skip(&rest, start + 3);
        size_t end = find_start_code(rest, 0), length = end;
        while (length > 0 && rest.data[length - 1] == 0)
            length--; // trailing_zero_8bits, or the first zero of a four-byte start code
        *nal = bytes_of(rest.data, length);
        bytes_skip(&rest, end);
        if (length > 0) {
            *in = rest;
            return 0;
        }
    }
}

int nal_next_prefixed(struct bytes *in, unsigned width, struct bytes *nal)
{
    ENSURE(width == 1 || width == 2 || width == 4);
    if (in->length == 0)
        return ERR_NOT_FOUND;
    struct bytes rest = *in;
    uint64_t length;
    if (!bytes_read_uint(&rest, width, &length) || !bytes_take(&rest, length, nal))
        return ERR_INVALID;
    *in = rest;
    return 0;
}

size_t nal_unescape(struct bytes nal, uint8_t *out, size_t room)
{
    size_t length = 0;
    unsigned zeros = 0;
    for (size_t i = 0; i < nal.length && length < room; i++) {
        uint8_t byte = nal.data[i];
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        out[length++] = byte;
    }
    return length;
}
