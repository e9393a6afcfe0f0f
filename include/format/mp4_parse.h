// SPDX-License-Identifier: MIT
// MP4 files in (ISO/IEC 14496-12): progressive and fragmented, H.264, H.265, AAC and what has a
// sample entry, B-frames, edit lists. Works on moov and moof in memory and yields samples in the
// order of decode time; reading the bytes is the caller's business: he walks the top-level boxes
// with mp4_box_peek, hands over moov and each moof, and reads each sample's range of the file.
//
// Times are in the timescale of the track list: 90000 for video, the sample rate for audio.
#ifndef FORMAT_MP4_PARSE_H
#define FORMAT_MP4_PARSE_H

#include "media/frame.h"
#include "media/track.h"

struct mp4_movie;

struct mp4_sample {
    unsigned track; // index into mp4_movie_tracks
    bool key;
    int64_t dts; // edit lists applied: 0 is the start of the presentation in all tracks; what
                 // is decoded but not shown before it has a negative dts + cts
    int32_t cts;
    uint32_t duration; // of the last sample of a file 0 when it does not say
    uint64_t offset;   // in the file
    uint32_t length;   // 1..FRAME_BYTES_MAX
};

// Top-level box at the front of `in`: its type and whole size (0: to the end of file). ERR_AGAIN
// when fewer than 8 bytes are there, or 16 for a long size; ERR_INVALID.
MUST_USE int mp4_box_peek(struct bytes in, char type[5], uint64_t *size);
// moov: a whole moov box; it is copied. ERR_INVALID, ERR_UNSUPPORTED (no usable track), ERR_LIMIT
// (past MP4_MOOV_BYTES_MAX, or no memory).
MUST_USE int mp4_movie_parse(struct bytes moov, struct mp4_movie **out);
// True when moof boxes may follow (there is an mvex).
bool mp4_movie_is_fragmented(const struct mp4_movie *movie);
// moof: a whole moof box that stands at `offset` in the file; it is copied. Its samples come after
// those before. ERR_INVALID (nothing of it was taken), ERR_LIMIT (MP4_FRAGMENT_BYTES_MAX in all).
MUST_USE int mp4_movie_add_fragment(struct mp4_movie *movie, struct bytes moof, uint64_t offset);
void mp4_movie_free(struct mp4_movie **movie);                  // NULL is fine, is NULL afterwards
struct tracks *mp4_movie_tracks(const struct mp4_movie *movie); // borrowed
// Tracks of the file that were left out, as a text ("tmcd, text"), empty when none.
const char *mp4_movie_left_out(const struct mp4_movie *movie);
// Next sample of all tracks by decode time. Samples without bytes or with too many are left out.
// ERR_NOT_FOUND at the end; goes on after that when a fragment was added.
MUST_USE int mp4_movie_next(struct mp4_movie *movie, struct mp4_sample *out);
// Back to the first sample. Fragments stay.
void mp4_movie_rewind(struct mp4_movie *movie);
// Canonical payload from the sample's bytes (NAL length width is made 4, parameter sets dropped).
// Count one. ERR_INVALID: other length than the sample's, broken, or no picture in it; ERR_LIMIT.
MUST_USE int mp4_sample_payload(const struct mp4_movie *movie, const struct mp4_sample *sample,
                                struct bytes bytes, struct buf **out);

#endif
