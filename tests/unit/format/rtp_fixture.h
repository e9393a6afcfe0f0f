// SPDX-License-Identifier: MIT
// Parameter sets and slices, just enough of them to be read, for tests of RTP.
#ifndef TESTS_UNIT_FORMAT_RTP_FIXTURE_H
#define TESTS_UNIT_FORMAT_RTP_FIXTURE_H

#include <string.h>

#include "base/bits.h"
#include "base/code.h"
#include "media/frame.h"
#include "media/h265.h"

// From an encoder (320x240, 25 a second): H.265 with two frames reordered.
#define H265_VPS_HEX "40010c01ffff01600000030090000003000003003c959409"
#define H265_SPS_HEX                                                                               \
    "42010101600000030090000003000003003ca00a080f16595964932bc05a020000030002000003003210"
#define H265_PPS_HEX "4401c172b46240"

static inline size_t fixture_hex(const char *hex, uint8_t out[64])
{
    size_t length = 0;
    if (!hex_decode(hex, strlen(hex), out, 64, &length))
        return 0;
    return length;
}

// An SPS of `width` pixels; reorder < 0: no VUI. fields: frame_mbs_only_flag 0.
static inline size_t fixture_h264_sps(uint8_t out[64], unsigned profile, unsigned width,
                                      int reorder, bool fields)
{
    memset(out, 0, 64);
    struct bits_writer bits = {.data = out, .capacity = 64};
    bits_write(&bits, 0x67, 8);
    bits_write(&bits, profile, 8);
    bits_write(&bits, 0, 8);
    bits_write(&bits, 31, 8);
    bits_write_ue(&bits, 0); // id
    if (profile == 100) {
        bits_write_ue(&bits, 1); // 4:2:0, eight bits, no scaling matrices
        bits_write_ue(&bits, 0);
        bits_write_ue(&bits, 0);
        bits_write(&bits, 0, 2);
    }
    bits_write_ue(&bits, 0); // log2_max_frame_num
    bits_write_ue(&bits, 0); // picture order type 0
    bits_write_ue(&bits, 4);
    bits_write_ue(&bits, 4); // reference frames
    bits_write(&bits, 0, 1);
    bits_write_ue(&bits, width / 16 - 1);
    bits_write_ue(&bits, fields ? 7 : 14);
    bits_write(&bits, !fields, 1);
    if (fields)
        bits_write(&bits, 0, 1);
    bits_write(&bits, 1, 1); // direct_8x8_inference
    bits_write(&bits, 0, 1); // cropping
    bits_write(&bits, reorder >= 0, 1);
    if (reorder >= 0) {
        bits_write(&bits, 0, 4); // aspect, overscan, signal, chroma location
        bits_write(&bits, 0, 1); // timing
        bits_write(&bits, 0, 2); // HRDs
        bits_write(&bits, 0, 1); // pic_struct
        bits_write(&bits, 1, 1); // bitstream restriction
        bits_write(&bits, 1, 1);
        for (unsigned i = 0; i < 4; i++)
            bits_write_ue(&bits, 0);
        bits_write_ue(&bits, (uint32_t)reorder);
        bits_write_ue(&bits, 4);
    }
    bits_write_trailing(&bits);
    return bits.bit / 8;
}

static inline size_t fixture_h264_pps(uint8_t out[8], unsigned id)
{
    memset(out, 0, 8);
    struct bits_writer bits = {.data = out, .capacity = 8};
    bits_write(&bits, 0x68, 8);
    bits_write_ue(&bits, id);
    bits_write_ue(&bits, 0);
    bits_write(&bits, 0x38, 8);
    bits_write_trailing(&bits);
    return bits.bit / 8;
}

// A slice NAL unit of `length` bytes. kind: I (IDR), i (I, not IDR), P, B; first: of its picture.
static inline void fixture_h264_slice(uint8_t *out, size_t length, char kind, bool first)
{
    memset(out, 0x55, length);
    memset(out, 0, 4);
    struct bits_writer bits = {.data = out, .capacity = 4};
    bits_write(&bits, kind == 'I' ? 0x65 : kind == 'B' ? 0x01 : 0x41, 8);
    bits_write_ue(&bits, first ? 0 : 5);
    bits_write_ue(&bits, kind == 'P' ? 0 : kind == 'B' ? 1 : 2);
    bits_write_trailing(&bits);
    out[3] = 0x55;
}

static inline void fixture_h265_slice(uint8_t *out, size_t length, bool key, bool first)
{
    memset(out, 0x55, length);
    out[0] = key ? 19 << 1 : 1 << 1;
    out[1] = 1;
    out[2] = first ? 0x80 : 0x20;
}

static inline void fixture_h264_track(struct track *track, unsigned profile, int reorder)
{
    uint8_t sps[64], pps[8];
    struct param_sets sets = {0};
    struct buf *config = NULL;
    size_t length = fixture_h264_sps(sps, profile, 320, reorder, false);
    if (h264_param_sets_add(&sets, bytes_of(sps, length)) == 0 &&
        h264_param_sets_add(&sets, bytes_of(pps, fixture_h264_pps(pps, 0))) == 0 &&
        h264_config_make(&sets, &config) == 0 && h264_track_from_config(config, track) < 0)
        memset(track, 0, sizeof(*track));
    buf_unref(&config);
    param_sets_fini(&sets);
}

static inline void fixture_h265_track(struct track *track)
{
    static const char *const hex[] = {H265_VPS_HEX, H265_SPS_HEX, H265_PPS_HEX};
    struct param_sets sets = {0};
    struct buf *config = NULL;
    uint8_t nal[64];
    int result = 0;
    for (unsigned i = 0; i < 3 && result == 0; i++) {
        size_t length = fixture_hex(hex[i], nal);
        result = h265_param_sets_add(&sets, bytes_of(nal, length));
    }
    if (result < 0 || h265_config_make(&sets, &config) < 0 ||
        h265_track_from_config(config, track) < 0)
        memset(track, 0, sizeof(*track));
    buf_unref(&config);
    param_sets_fini(&sets);
}

#endif
