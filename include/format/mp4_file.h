// SPDX-License-Identifier: MIT
// A downloadable MP4 (ISO/IEC 14496-12): `ftyp moov mdat` of a range of the past, laid out by
// arithmetic over the chunk heads, so that its exact length is known before the first byte and any
// byte range can be produced. The mdat is the chunks' payloads in order; nothing is copied or moved.
#ifndef FORMAT_MP4_FILE_H
#define FORMAT_MP4_FILE_H

#include "base/chain.h"
#include "media/segment.h"

struct mp4_file;

// Range [from_us, to_us) UTC: the first sample is the key frame at or before from_us when it is in
// the heads given; an edit list makes presentation begin exactly at from_us and end at to_us.
struct mp4_file *mp4_file_new(int64_t from_us, int64_t to_us);
void mp4_file_free(struct mp4_file **file);
// Adds the chunk heads of the next segment (concatenated, as cmaf_segment_heads gives them), oldest
// first. Takes references of its own. ERR_INVALID, ERR_UNSUPPORTED (other tracks than the first
// segment's: the file ends there), ERR_LIMIT.
MUST_USE int mp4_file_add(struct mp4_file *file, const struct segment_info *info,
                          struct tracks *tracks, struct bytes heads);
// Lays the file out; after that the length is fixed. ERR_NOT_FOUND when there is no sample.
MUST_USE int mp4_file_finish(struct mp4_file *file);
uint64_t mp4_file_length(const struct mp4_file *file);
// What stands at `offset`: either *head (a borrowed part of ftyp/moov/mdat header, up to its end),
// then *segment is -1; or bytes of the payload of segment number *segment (index of mp4_file_add):
// its chunks' payload from *segment_offset on, *length bytes in one run within that segment.
void mp4_file_at(const struct mp4_file *file, uint64_t offset, struct bytes *head, int *segment,
                 uint64_t *segment_offset, uint64_t *length);
// Adds slices [offset, offset + length) of the concatenated payloads (mdat contents) of a segment
// to a chain. ERR_INVALID when the segment is not the one that was laid out.
MUST_USE int mp4_file_payload(struct segment *segment, uint64_t offset, uint64_t length,
                              struct chain *out);

#endif
