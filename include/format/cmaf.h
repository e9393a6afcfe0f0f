// SPDX-License-Identifier: MIT
// The fragment: unit on disk, body of M4F, fMP4 segment of HLS. Plain CMAF (ISO/IEC 23000-19 on
// ISO/IEC 14496-12): per part one chunk `uuid prft moof mdat`; a segment is the concatenation of its
// chunks; all tracks in one moof, payload grouped by track inside mdat so that one track of a chunk
// is one byte range. docs/formats/fragment.md has the offset tables.
//
// tfdt is absolute: ticks since 1970 UTC. Equal frames give equal bytes on every server.
#ifndef FORMAT_CMAF_H
#define FORMAT_CMAF_H

#include "base/chain.h"
#include "media/segment.h"

// ---- init segment -----------------------------------------------------------------------------
// ftyp + moov (mvex, one trak per track). Count one.
struct buf *cmaf_init_write(const struct tracks *tracks);
// Reads an init segment (ours or a foreign one): the track list, count one. ERR_INVALID,
// ERR_UNSUPPORTED. Unknown sample entries become CODEC_OTHER_* with the entry kept.
MUST_USE int cmaf_init_parse(struct bytes in, struct tracks **out);

// ---- chunks -----------------------------------------------------------------------------------
// What our uuid box says of the chunk it precedes.
struct cmaf_head {
    uint64_t segment_number;
    int64_t segment_utc_us;   // utc_start_us of the segment
    uint32_t part;            // index of this chunk in its segment, from 0
    uint32_t generation;      // of the track list
    uint8_t segment_flags;    // enum segment_flags
    uint32_t head_length;     // bytes of uuid + prft + moof + the 8 or 16 byte mdat header
    uint64_t payload_length;  // bytes of mdat content
    uint32_t checksum;        // CRC-32C of prft + moof + mdat as they stand
    // From the moof:
    int64_t utc_first_us;     // earliest decode time of the leading track in this chunk, or of all
    int64_t duration_us;      // of the leading track in this chunk
};

// One chunk from frames[0..count) of one part, in decode order, payload by reference.
void cmaf_chunk_write(const struct tracks *tracks, struct frame *const *frames, unsigned count,
                      const struct segment_info *info, unsigned part, struct chain *out);

// Reads the head of a chunk at the front of `in` (not moved). ERR_AGAIN: more bytes are needed;
// ERR_INVALID: not a chunk of ours. Does not check the checksum.
MUST_USE int cmaf_head_parse(struct bytes in, const struct tracks *tracks, struct cmaf_head *out);
// Checks the checksum of a whole chunk.
bool cmaf_chunk_intact(struct bytes chunk);

// One sample of a chunk as the moof tells it.
struct cmaf_sample {
    uint8_t track;
    uint8_t flags;        // enum frame_flags
    int64_t dts;          // ticks
    int32_t cts;
    uint32_t duration, length;
    uint64_t offset;      // of its bytes, from the start of the chunk
};
// The samples of a chunk from its head bytes alone, in the order of the payload (by track). Calls
// `each` for every sample; a non-zero return stops and is returned. ERR_INVALID when the tables
// disagree with themselves or the payload. Bounded by SEGMENT_FRAMES_MAX.
MUST_USE int cmaf_samples_parse(struct bytes head, const struct tracks *tracks,
                                int (*each)(void *arg, const struct cmaf_sample *), void *arg);

// ---- whole segments ---------------------------------------------------------------------------
// The CMAF rendition of a segment, made on first demand from frames and parts. Borrowed.
const struct chain *cmaf_segment(struct segment *segment);
// Key under which that rendition is kept.
extern const char cmaf_rendition_key;
// A segment from archived or received bytes: one or more whole chunks of one segment. Takes the
// reference of *buf (blanked always). Checks structure and every checksum. Frames (decode order: by
// decode time, ties by track) are made by segment_frames() when asked for. ERR_INVALID.
MUST_USE int cmaf_segment_from_bytes(struct buf **buf, struct tracks *tracks,
                                     struct segment **out);
// Info from the chunk heads in `in` (whole chunks, or heads only when heads_only).
// The concatenated heads (uuid prft moof mdat-header of each chunk) of a segment. Count one.
struct buf *cmaf_segment_heads(struct segment *segment);

#endif
