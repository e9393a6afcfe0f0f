// SPDX-License-Identifier: MIT
// MP4 files in (ISO/IEC 14496-12): progressive and fragmented, H.264, H.265, AAC and what has a
// sample entry, B-frames, edit lists. Works on the moov in memory and yields samples in the order of
// decode time; reading the bytes is the caller's business.
#ifndef FORMAT_MP4_PARSE_H
#define FORMAT_MP4_PARSE_H

#include "media/frame.h"
#include "media/track.h"

struct mp4_movie;

struct mp4_sample {
    unsigned track;
    bool key;
    int64_t dts;       // ticks; edit lists applied, so tracks are in sync at 0
    int32_t cts;
    uint32_t duration;
    uint64_t offset;   // in the file
    uint32_t length;   // at most FRAME_BYTES_MAX
};

// Top-level box at the front of `in`: its type and whole size (0: to the end of file).
// ERR_AGAIN when fewer than 16 bytes are there, ERR_INVALID.
MUST_USE int mp4_box_peek(struct bytes in, char type[5], uint64_t *size);
// moov: a whole moov box. ERR_INVALID, ERR_UNSUPPORTED (no usable track), ERR_LIMIT.
MUST_USE int mp4_movie_parse(struct bytes moov, struct mp4_movie **out);
// moof: a whole moof box at `offset` in the file; its samples come after those before.
MUST_USE int mp4_movie_add_fragment(struct mp4_movie *movie, struct bytes moof, uint64_t offset);
void mp4_movie_free(struct mp4_movie **movie);
struct tracks *mp4_movie_tracks(const struct mp4_movie *movie); // borrowed
// Tracks of the file that were left out, as a text ("tmcd, text"), empty when none.
const char *mp4_movie_left_out(const struct mp4_movie *movie);
// Next sample of all tracks by decode time; ERR_NOT_FOUND at the end.
MUST_USE int mp4_movie_next(struct mp4_movie *movie, struct mp4_sample *out);
void mp4_movie_rewind(struct mp4_movie *movie);
// Canonical payload from the sample's bytes (NAL length width is made 4, parameter sets dropped).
// Count one; ERR_INVALID.
MUST_USE int mp4_sample_payload(const struct mp4_movie *movie, const struct mp4_sample *sample,
                                struct bytes bytes, struct buf **out);

#endif
