// SPDX-License-Identifier: MIT
// The fragment: unit on disk, body of M4F, fMP4 segment of HLS. Plain CMAF (ISO/IEC 23000-19 on
// ISO/IEC 14496-12): per part one chunk `uuid prft moof mdat`; a segment is the concatenation of
// its chunks; all tracks in one moof, payload grouped by track inside mdat so that one track of a
// chunk is one byte range. docs/formats/fragment.md has the offset tables.
//
// tfdt is absolute: ticks since 1970 UTC. Equal frames, tracks and segment_info (number,
// utc_start_us, generation, flags) give equal bytes on every server.
#ifndef FORMAT_CMAF_H
#define FORMAT_CMAF_H

#include "base/chain.h"
#include "base/writer.h"
#include "media/segment.h"

// ---- init segment -----------------------------------------------------------------------------
// ftyp + moov (mvex, one trak per track, in the order of the list). Count one.
struct buf *cmaf_init_write(const struct tracks *tracks);
// The same for the front of an archived file whose chunks begin at start_us: edit lists make
// players count from there instead of from 1970. Not for HLS, DASH or a peer.
struct buf *cmaf_init_write_at(const struct tracks *tracks, int64_t start_us);
// Reads an init segment (ours or a foreign one): the track list, count one, generation 0. What
// cmaf_init_write wrote gives an equal list, picture rate included, and so the same bytes again
// (the declared bit rate is not kept). Unknown sample entries become CODEC_OTHER_* with the entry
// kept. ERR_INVALID, ERR_LIMIT; ERR_UNSUPPORTED: no track, or one that chunks cannot have.
MUST_USE int cmaf_init_parse(struct bytes in, struct tracks **out);

// ---- chunks -----------------------------------------------------------------------------------
// What our uuid box says of the chunk it precedes, and what the moof sums up to.
struct cmaf_head {
    uint64_t segment_number;
    int64_t segment_utc_us;  // utc_start_us of the segment
    uint32_t part;           // index of this chunk in its segment, from 0
    uint32_t generation;     // of the track list
    uint8_t segment_flags;   // enum segment_flags
    uint32_t checksum;       // CRC-32C of the chunk without these four bytes
    uint32_t head_length;    // bytes up to the content of mdat
    uint64_t payload_length; // bytes of the content of mdat, at most SEGMENT_BYTES_MAX
    unsigned samples;        // of all tracks, 1..SEGMENT_FRAMES_MAX
    bool has_leading;        // the leading track has samples here
    int64_t utc_first_us;    // first decode time of the leading track, or of the track that begins
                             // first when the leading one has no sample here
    int64_t duration_us;     // of that track in this chunk
};

// One chunk from frames[0..count) of one part (1..SEGMENT_FRAMES_MAX; each track's frames in decode
// order), payload by reference, one slice for the head and one for each frame. Uses number,
// utc_start_us, generation and flags of info. part: 0..65535.
void cmaf_chunk_write(const struct tracks *tracks, struct frame *const *frames, unsigned count,
                      const struct segment_info *info, unsigned part, struct chain *out);

// Reads the head of a chunk at the front of `in` (not moved); the payload need not be there. Safe
// and quick on anything. ERR_AGAIN: more bytes are needed, at most about 1 MB; ERR_INVALID: not a
// chunk of ours; ERR_UNSUPPORTED: a chunk of a later version. Does not check the checksum.
MUST_USE int cmaf_head_parse(struct bytes in, const struct tracks *tracks, struct cmaf_head *out);
// Offset of the first place at or after `from` where a chunk may begin, for finding the way after
// damage; in.length when there is none. A mark that is cut off by the end is not seen: go on with
// at least the last 23 bytes again.
size_t cmaf_chunk_find(struct bytes in, size_t from);
// True when `chunk` is exactly one whole chunk by its boxes and its checksum is right.
bool cmaf_chunk_intact(struct bytes chunk);

// ---- what was deleted --------------------------------------------------------------------------
// The beginning of a `free` box of so many bytes, at least CMAF_FREE_HEAD: that many are written,
// and what comes behind them is of no matter.
enum { CMAF_FREE_HEAD = 16 };
void cmaf_free_write(struct writer *out, uint64_t length);
// Length of the free box of which `in` is the beginning; 0: it is none, or too short for one of
// ours.
uint64_t cmaf_free_length(struct bytes in);

// ---- samples -----------------------------------------------------------------------------------
// One sample of a chunk as the moof tells it.
struct cmaf_sample {
    uint8_t track;
    uint8_t flags; // enum frame_flags
    int64_t dts;   // ticks
    int32_t cts;
    uint32_t duration, length; // length at most FRAME_BYTES_MAX
    uint64_t offset;           // of its bytes, from the start of the chunk
};
// The samples of a chunk from its head bytes alone, in the order of the payload (by track). Calls
// `each` for every sample; a non-zero return stops and is returned. ERR_INVALID when the tables
// disagree with themselves, the tracks or the payload. Bounded by SEGMENT_FRAMES_MAX.
MUST_USE int cmaf_samples_parse(struct bytes head, const struct tracks *tracks,
                                int (*each)(void *arg, const struct cmaf_sample *), void *arg);

// ---- times ------------------------------------------------------------------------------------
// Whole chunks, one behind the other, as if they had been written by a clock that is by_s seconds
// ahead: what cmaf_chunk_write makes of the same frames at times so much later. Changed in place,
// checksums made anew. ERR_INVALID, ERR_UNSUPPORTED: one is damaged (checksums are compared first)
// or is not ours; those before it are changed already.
MUST_USE int cmaf_shift(uint8_t *data, size_t length, const struct tracks *tracks, int64_t by_s);
// The same for heads without payload; checksums stay what they were, and are wrong then.
MUST_USE int cmaf_shift_heads(uint8_t *data, size_t length, const struct tracks *tracks,
                              int64_t by_s);

// ---- whole segments ---------------------------------------------------------------------------
// The CMAF rendition of a segment, made on first demand from frames and parts. Borrowed as by
// segment_rendition. The segment must have at least one frame.
const struct chain *cmaf_segment(struct segment *segment);
// Key under which that rendition is kept.
extern const char cmaf_rendition_key;
// A segment from archived or received bytes: one or more whole chunks of one segment, parts in
// growing order (leading ones may be missing). Takes the reference of *buf (blanked always). Checks
// structure, tables and every checksum. Frames (by decode time within a part, ties by track) are
// made by segment_frames() when asked for; they borrow their payload from the one buf. info comes
// from the chunks; duration_us is up to the end of the last leading-track frame: a caller who knows
// where the next segment begins may set it before sharing the segment. ERR_INVALID, ERR_LIMIT,
// ERR_UNSUPPORTED; *out is set on success only.
MUST_USE int cmaf_segment_from_bytes(struct buf **buf, struct tracks *tracks, struct segment **out);
// The same segment with SEGMENT_THINNED: of its video the key pictures only, and all of its sound,
// as one chunk. A picture lasts until the next one of its track, the last one to the end of the
// segment, so that nothing is a gap. Count one; it has a block of its own, no longer than it is.
// NULL when it cannot be: no video, nothing that could be left out, it does not begin with a key
// picture, its bytes are damaged. Makes the frames of `segment` (segment_frames), which is not
// changed else.
struct segment *cmaf_segment_thin(struct segment *segment);
// The concatenated heads (uuid prft moof mdat-header of each chunk) of a segment, as mp4_file_add
// wants them. Count one.
struct buf *cmaf_segment_heads(struct segment *segment);

#endif
