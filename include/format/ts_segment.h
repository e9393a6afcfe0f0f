// SPDX-License-Identifier: MIT
// A whole segment as MPEG-TS, made once for all viewers: PAT, PMT, then every frame.
#ifndef FORMAT_TS_SEGMENT_H
#define FORMAT_TS_SEGMENT_H

#include "media/segment.h"

// The TS rendition, made on first demand. Borrowed in *out. ERR_UNSUPPORTED when no codec of the
// segment is carried in TS; ERR_INVALID when its bytes are damaged.
MUST_USE int ts_segment(struct segment *segment, const struct chain **out);
// True when every track's codec can be carried, so that HLS may use TS for this stream.
bool ts_carries_all(const struct tracks *tracks);

#endif
