// SPDX-License-Identifier: MIT
// A small H.264 encoder (ITU-T H.264, Constrained Baseline, CAVLC) for the test picture, and only
// for it: it knows which macroblocks changed and how the box moved, so it need not search. No
// socket, no clock, nothing allocated after fake_h264_new.
//
// IDR pictures are Intra_16x16; the others P_Skip and P_L0_16x16. One slice a picture, one
// reference, no reordering (decoders may show a picture as soon as they have it), no deblocking
// filter.
//
// Each picture carries an SEI message, user_data_unregistered (D.2.6):
//
//   offset size
//   0      16   FAKE_SEI_UUID
//   16     8    UTC of the picture, microseconds since 1970, big endian
//   24     4    frame number, big endian
//
// Memory: 4.5 bytes a pixel (source, reconstruction and reference picture), about 0.2 for letters.
// The same numbers and times given in the same order give the same bytes.
#ifndef FAKE_H264_H
#define FAKE_H264_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fake_h264;

// 0fa1e5a9-3c1d-4b7e-9d52-7f10c6a8e4b3, as the bytes stand in the message.
#define FAKE_SEI_UUID "\x0f\xa1\xe5\xa9\x3c\x1d\x4b\x7e\x9d\x52\x7f\x10\xc6\xa8\xe4\xb3"
enum { FAKE_SEI_LENGTH = 28, FAKE_CONFIG_MAX = 64 };

enum {
    FAKE_SIZE_MIN = 64,
    FAKE_SIZE_MAX = 3840,
    FAKE_FPS_MAX = 120,
    FAKE_GOP_FRAMES_MAX = 6000,
    FAKE_BITRATE_MAX = 240000000, // level 5.2
};

struct fake_h264_options {
    const char *name;       // drawn in the picture; NULL for none; copied
    unsigned width, height; // FAKE_SIZE_MIN..FAKE_SIZE_MAX, even
    unsigned fps;           // 1..FAKE_FPS_MAX
    unsigned bitrate;       // bits a second; the range depends on the other options
    unsigned gop_frames;    // 1..FAKE_GOP_FRAMES_MAX, from one IDR picture to the next
};

// ERR_LIMIT, with a sentence in why, when an option is out of its range or all of them together are
// beyond level 5.2.
MUST_USE int fake_h264_check(const struct fake_h264_options *options, char *why, size_t room);

// A bitrate that looks well for the size, fps and gop_frames: 1 Mbit/s for 640x360 at 25. These
// need not have been checked, and the bitrate is not read.
unsigned fake_h264_bitrate_usual(const struct fake_h264_options *options);

// options have passed fake_h264_check. Never fails.
struct fake_h264 *fake_h264_new(const struct fake_h264_options *options);
void fake_h264_free(struct fake_h264 **encoder); // NULL is fine

// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) into FAKE_CONFIG_MAX bytes; its length.
size_t fake_h264_config(const struct fake_h264 *encoder, uint8_t out[FAKE_CONFIG_MAX]);

// The most that fake_h264_encode writes.
size_t fake_h264_size_max(const struct fake_h264 *encoder);

// Draws and codes one picture: SEI and slice, each behind a 4-byte length. out has room for
// fake_h264_size_max bytes. frame_number goes up by one from call to call; utc_us is not negative.
// Returns the length; *key is set to whether it is an IDR picture.
size_t fake_h264_encode(struct fake_h264 *encoder, uint32_t frame_number, int64_t utc_us,
                        uint8_t *out, bool *key);

// The picture as a decoder has it: plane 0 luma, 1 and 2 chroma, uncropped. For tests.
const uint8_t *fake_h264_reconstruction(const struct fake_h264 *encoder, unsigned plane,
                                        size_t *stride);

#endif
