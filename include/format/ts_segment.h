// SPDX-License-Identifier: MIT
// A whole segment as MPEG-TS, made once for all viewers: PAT, PMT, then every frame.
#ifndef FORMAT_TS_SEGMENT_H
#define FORMAT_TS_SEGMENT_H

#include "media/segment.h"

// The TS rendition, made on first demand; one slice. Borrowed in *out as by segment_rendition. The
// bytes are complete in themselves and may follow those of any other segment. ERR_UNSUPPORTED when
// no codec of the segment is carried in TS; ERR_INVALID, ERR_LIMIT when its frames cannot be had.
MUST_USE int ts_segment(struct segment *segment, const struct chain **out);
// True when every track can be carried, so that HLS may use TS for this stream. Holds no reference
// afterwards.
bool ts_carries_all(struct tracks *tracks);

#endif
