// SPDX-License-Identifier: MIT
// NAL units of H.264 and H.265: splitting byte streams, the canonical length-prefixed form, and the
// emulation-prevention layer (ITU-T H.264, 7.3.1 and annex B; H.265 the same).
#ifndef MEDIA_NAL_H
#define MEDIA_NAL_H

#include "base/buf.h"
#include "base/err.h"

// Next NAL unit of an annex B byte stream, without start code and trailing zeros; moves *in past
// it. ERR_NOT_FOUND at the end.
MUST_USE int nal_next_annexb(struct bytes *in, struct bytes *nal);
// Next NAL unit behind a big-endian length of `width` (1, 2 or 4) bytes. ERR_NOT_FOUND at the end,
// ERR_INVALID when the length runs past the end.
MUST_USE int nal_next_prefixed(struct bytes *in, unsigned width, struct bytes *nal);
// Copies without emulation prevention bytes; returns the length, at most room.
size_t nal_unescape(struct bytes nal, uint8_t *out, size_t room);

#endif
