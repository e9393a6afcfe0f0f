// SPDX-License-Identifier: MIT
// A downloadable MP4 (ISO/IEC 14496-12): `ftyp moov mdat` of a range of the past, laid out by
// arithmetic over the chunk heads, so that its exact length is known before the first byte and any
// byte range can be produced. The mdat is the chunks' payloads in order; nothing is copied or
// moved. The bytes depend only on the range and the heads: every server that has them makes the
// same file.
//
// Holes of more than MP4_FILE_HOLE_US in the media are left out: what follows is moved up.
//
// Tracks may change from segment to segment. What has another size or other parameter sets goes on
// in its track behind a further sample entry, and key frames from there on have their parameter
// sets before them too; another codec has a track of its own; a track that is not there for a while
// has a last sample that lasts until it is there again.
#ifndef FORMAT_MP4_FILE_H
#define FORMAT_MP4_FILE_H

#include "base/chain.h"
#include "media/segment.h"

#define MP4_FILE_HOLE_US 1000000LL
// Grows with every change of what is made of the same heads: part of what tells two files apart.
#define MP4_FILE_LAYOUT 2

struct mp4_file;

// Range [from_us, to_us) UTC: the first sample is the last key frame at or before from_us among the
// heads given, or the first key frame after it; edit lists make presentation begin exactly at
// from_us (or where the media begins) and end at to_us. ENSUREs from_us < to_us, both not negative.
struct mp4_file *mp4_file_new(int64_t from_us, int64_t to_us);
// The same range as a time-lapse: the key frames of the first video track that are shown in it,
// at 25 pictures a second, or so that they last length_us when that is not 0.
struct mp4_file *mp4_file_new_timelapse(int64_t from_us, int64_t to_us, int64_t length_us);
void mp4_file_free(struct mp4_file **file); // NULL is fine, is NULL afterwards
// Adds the chunk heads of the next segment (concatenated, as cmaf_segment_heads gives them), oldest
// first. Takes references of its own. After an error the file can still be finished with what was
// added before. ERR_INVALID (nothing of the segment was taken), ERR_LIMIT (too many samples,
// MP4_FILE_SAMPLES_MAX, or tracks that changed too often: the file ends there).
MUST_USE int mp4_file_add(struct mp4_file *file, const struct segment_info *info,
                          struct tracks *tracks, struct bytes heads);
// Lays the file out; after that the length is fixed and nothing can be added. ERR_NOT_FOUND when
// there is no sample in the range.
MUST_USE int mp4_file_finish(struct mp4_file *file);
uint64_t mp4_file_length(const struct mp4_file *file);
// What comes before the payload: ftyp, moov and the head of mdat. Borrowed; its slices may be
// referenced by other chains beyond the life of the file.
const struct chain *mp4_file_head(const struct mp4_file *file);
// What stands at `offset` (less than the length), *length bytes in one run: either *head (borrowed
// from the file: of mp4_file_head, or parameter sets), then *segment is -1; or bytes of the payload
// of segment number *segment (of those that mp4_file_add took): its chunks' payload from
// *segment_offset on, and *head is empty.
void mp4_file_at(const struct mp4_file *file, uint64_t offset, struct bytes *head, int *segment,
                 uint64_t *segment_offset, uint64_t *length);
// Adds slices [offset, offset + length) of the concatenated payloads (mdat contents) of a segment
// to a chain. ERR_INVALID when the segment has fewer: it is not the one that was laid out.
MUST_USE int mp4_file_payload(struct segment *segment, uint64_t offset, uint64_t length,
                              struct chain *out);

// A file of one picture: a key frame of that track. The payload goes along by reference.
void mp4_picture_write(const struct track *track, const struct frame *frame, struct chain *out);

#endif
