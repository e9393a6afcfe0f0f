// SPDX-License-Identifier: MIT
// What stands around the macroblocks: parameter sets, level, slice header, SEI.
#ifndef FAKE_H264_HEAD_H
#define FAKE_H264_HEAD_H

#include "fake_bits.h"
#include "fake_h264.h"

// The QP that slice_qp_delta counts from.
enum { FAKE_PPS_QP = 26 };

// The lowest level_idc (table A-1) for this size, rate and bitrate; 0 when there is none up to 5.2.
unsigned fake_h264_level(const struct fake_h264_options *options);

// As fake_h264_config.
size_t fake_h264_write_config(const struct fake_h264_options *options, uint8_t *out);

// The whole SEI NAL unit behind its length; returns the bytes written.
size_t fake_h264_write_sei(uint32_t frame_number, int64_t utc_us, uint8_t *room, size_t size);

struct fake_slice {
    bool idr;
    unsigned frame_num;  // pictures since the IDR picture
    unsigned idr_pic_id; // differs from that of the IDR picture before
    unsigned qp;
};

// Begins the slice's NAL unit, 7.3.3; the macroblocks follow, then fake_bits_end.
struct fake_bits fake_h264_begin_slice(const struct fake_slice *slice, uint8_t *room, size_t size);

#endif
