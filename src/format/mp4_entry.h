// SPDX-License-Identifier: MIT
// Sample entries (ISO/IEC 14496-12, 8.5.2): a track's codec and its configuration as `stsd` holds
// it. H.264 and H.265: ISO/IEC 14496-15; AAC and MP3: `mp4a` with `esds` (ISO/IEC 14496-14); the
// Opus and AV1 mappings; G.711 `alaw`, `ulaw`. Anything else is kept as it is.
#ifndef FORMAT_MP4_ENTRY_H
#define FORMAT_MP4_ENTRY_H

#include "media/track.h"

#include "mp4_box.h"

// The whole box.
void mp4_entry_write(struct writer *out, const struct track *track);

// entry: the whole box, type first. kind: what the track's handler says. Fills *out (codec, kind,
// config or sample_entry, sizes, rates, timescale as media/track.h has it; it owns what it refers
// to) or leaves it undefined and owning nothing. *nal_width: bytes of a NAL unit's length in the
// samples (1, 2 or 4; 4 for other codecs; those of out->config are always 4). ERR_INVALID,
// ERR_LIMIT; ERR_UNSUPPORTED: encrypted.
MUST_USE int mp4_entry_parse(struct bytes entry, enum media_kind kind, struct track *out,
                             unsigned *nal_width);
// Width and height as the entry of a video track says; false when it is cut short.
bool mp4_entry_size(struct bytes entry, uint32_t *width, uint32_t *height);

#endif
