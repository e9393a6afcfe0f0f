// SPDX-License-Identifier: MIT
#include "fake_h264_head.h"

#include <string.h>

#include "base/ensure.h"

enum {
    PROFILE = 66,       // Baseline ...
    CONSTRAINTS = 0xc0, // ... constrained (set 0 and 1): also a Main stream
    FRAME_NUM_BITS = 8,
    NAL_SLICE = 0x61,
    NAL_IDR = 0x65,
    NAL_SEI = 0x06,
    NAL_SPS = 0x67,
    NAL_PPS = 0x68,
    SLICE_P = 5,
    SLICE_I = 7, // all slices of the picture are of this type
    SEI_USER_DATA_UNREGISTERED = 5,
    BT709 = 1,
    SETS_ROOM = 48,
};

// Table A-1: macroblocks a second, macroblocks a picture, kbit/s.
static const struct level {
    uint8_t number;
    uint32_t rate, size, kbits;
} levels[] = {
    {10, 1485, 99, 64},           {11, 3000, 396, 192},        {12, 6000, 396, 384},
    {13, 11880, 396, 768},        {20, 11880, 396, 2000},      {21, 19800, 792, 4000},
    {22, 20250, 1620, 4000},      {30, 40500, 1620, 10000},    {31, 108000, 3600, 14000},
    {32, 216000, 5120, 20000},    {40, 245760, 8192, 20000},   {41, 245760, 8192, 50000},
    {42, 522240, 8704, 50000},    {50, 589824, 22080, 135000}, {51, 983040, 36864, 240000},
    {52, 2073600, 36864, 240000},
};

unsigned fake_h264_level(const struct fake_h264_options *options)
{
    uint32_t columns = (options->width + 15) / 16, rows = (options->height + 15) / 16;
    uint32_t size = columns * rows;

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        const struct level *level = &levels[i];
        uint32_t side = columns > rows ? columns : rows;

        if (size <= level->size && size * options->fps <= level->rate &&
            side * side <= 8 * level->size && options->bitrate <= level->kbits * 1000)
            return level->number;
    }
    return 0;
}

// Annex E: how wide a colour means what, how fast, and that nothing is reordered.
static void put_vui(struct fake_bits *out, const struct fake_h264_options *options)
{
    fake_bits_put(out, 0, 2); // no aspect ratio: square; no overscan
    fake_bits_put(out, 1, 1); // video_signal_type_present_flag
    fake_bits_put(out, 5, 3); // video_format: unspecified
    fake_bits_put(out, 0, 1); // limited range
    fake_bits_put(out, 1, 1); // colour_description_present_flag
    for (unsigned i = 0; i < 3; i++)
        fake_bits_put(out, BT709, 8); // primaries, transfer, matrix
    fake_bits_put(out, 0, 1);         // chroma_loc_info_present_flag
    fake_bits_put(out, 1, 1);         // timing_info_present_flag
    fake_bits_put(out, 1, 32);        // num_units_in_tick; two ticks are a frame
    fake_bits_put(out, 2 * options->fps, 32);
    fake_bits_put(out, 1, 1);  // fixed_frame_rate_flag
    fake_bits_put(out, 0, 3);  // no HRD of either kind, no pic_struct
    fake_bits_put(out, 1, 1);  // bitstream_restriction_flag
    fake_bits_put(out, 1, 1);  // motion_vectors_over_pic_boundaries_flag
    fake_bits_put_ue(out, 0);  // max_bytes_per_pic_denom: no promise
    fake_bits_put_ue(out, 0);  // max_bits_per_mb_denom: no promise
    fake_bits_put_ue(out, 13); // log2 of the longest motion, quarter samples, across
    fake_bits_put_ue(out, 8);  // and down
    fake_bits_put_ue(out, 0);  // max_num_reorder_frames
    fake_bits_put_ue(out, 1);  // max_dec_frame_buffering
}

static size_t write_sps(const struct fake_h264_options *options, uint8_t *room)
{
    struct fake_bits out = fake_bits_begin(room, SETS_ROOM, NAL_SPS);
    unsigned columns = (options->width + 15) / 16, rows = (options->height + 15) / 16;

    fake_bits_put(&out, PROFILE, 8);
    fake_bits_put(&out, CONSTRAINTS, 8);
    fake_bits_put(&out, fake_h264_level(options), 8);
    fake_bits_put_ue(&out, 0); // seq_parameter_set_id
    fake_bits_put_ue(&out, FRAME_NUM_BITS - 4);
    fake_bits_put_ue(&out, 2); // pic_order_cnt_type: shown in the order of decoding
    fake_bits_put_ue(&out, 1); // max_num_ref_frames
    fake_bits_put(&out, 0, 1); // no gaps in frame_num
    fake_bits_put_ue(&out, columns - 1);
    fake_bits_put_ue(&out, rows - 1);
    fake_bits_put(&out, 1, 1); // frame_mbs_only_flag
    fake_bits_put(&out, 1, 1); // direct_8x8_inference_flag
    if (columns * 16 == options->width && rows * 16 == options->height) {
        fake_bits_put(&out, 0, 1);
    } else {
        fake_bits_put(&out, 1, 1); // frame_cropping_flag, in units of two pixels
        fake_bits_put_ue(&out, 0);
        fake_bits_put_ue(&out, (columns * 16 - options->width) / 2);
        fake_bits_put_ue(&out, 0);
        fake_bits_put_ue(&out, (rows * 16 - options->height) / 2);
    }
    fake_bits_put(&out, 1, 1); // vui_parameters_present_flag
    put_vui(&out, options);
    return fake_bits_end(&out, room);
}

static size_t write_pps(uint8_t *room)
{
    struct fake_bits out = fake_bits_begin(room, SETS_ROOM, NAL_PPS);

    fake_bits_put_ue(&out, 0); // pic_parameter_set_id
    fake_bits_put_ue(&out, 0); // seq_parameter_set_id
    fake_bits_put(&out, 0, 2); // CAVLC; no bottom_field_pic_order
    fake_bits_put_ue(&out, 0); // one slice group
    fake_bits_put_ue(&out, 0); // one reference in each list
    fake_bits_put_ue(&out, 0);
    fake_bits_put(&out, 0, 3); // no weighted prediction
    fake_bits_put_se(&out, FAKE_PPS_QP - 26);
    fake_bits_put_se(&out, 0); // pic_init_qs
    fake_bits_put_se(&out, 0); // chroma_qp_index_offset
    fake_bits_put(&out, 1, 1); // deblocking_filter_control_present_flag: slices switch it off
    fake_bits_put(&out, 0, 2); // no constrained_intra_pred, no redundant pictures
    return fake_bits_end(&out, room);
}

size_t fake_h264_write_config(const struct fake_h264_options *options, uint8_t *out)
{
    uint8_t sps[SETS_ROOM], pps[SETS_ROOM];
    size_t sps_length = write_sps(options, sps), pps_length = write_pps(pps);
    const uint8_t head[6] = {
        1,   PROFILE, CONSTRAINTS, (uint8_t)fake_h264_level(options), 0xff /* 4-byte lengths */,
        0xe1 /* one SPS */};
    uint8_t *at = out;

    // In the record lengths have two bytes: the upper two of our four are left out.
    ENSURE(sps_length > 4 && pps_length > 4);
    ENSURE(sizeof(head) + sps_length - 2 + 1 + pps_length - 2 <= FAKE_CONFIG_MAX);
    memcpy(at, head, sizeof(head));
    at += sizeof(head);
    memcpy(at, sps + 2, sps_length - 2);
    at += sps_length - 2;
    *at++ = 1; // one PPS
    memcpy(at, pps + 2, pps_length - 2);
    return (size_t)(at - out) + pps_length - 2;
}

size_t fake_h264_write_sei(uint32_t frame_number, int64_t utc_us, uint8_t *room, size_t size)
{
    static const char uuid[] = FAKE_SEI_UUID;
    struct fake_bits out = fake_bits_begin(room, size, NAL_SEI);

    fake_bits_put(&out, SEI_USER_DATA_UNREGISTERED, 8);
    fake_bits_put(&out, FAKE_SEI_LENGTH, 8);
    for (unsigned i = 0; i < 16; i++)
        fake_bits_put(&out, (uint8_t)uuid[i], 8);
    fake_bits_put(&out, (uint32_t)((uint64_t)utc_us >> 32), 32);
    fake_bits_put(&out, (uint32_t)utc_us, 32);
    fake_bits_put(&out, frame_number, 32);
    return fake_bits_end(&out, room);
}

struct fake_bits fake_h264_begin_slice(const struct fake_slice *slice, uint8_t *room, size_t size)
{
    struct fake_bits out = fake_bits_begin(room, size, slice->idr ? NAL_IDR : NAL_SLICE);

    fake_bits_put_ue(&out, 0); // first_mb_in_slice
    fake_bits_put_ue(&out, slice->idr ? SLICE_I : SLICE_P);
    fake_bits_put_ue(&out, 0); // pic_parameter_set_id
    fake_bits_put(&out, slice->frame_num & ((1u << FRAME_NUM_BITS) - 1), FRAME_NUM_BITS);
    if (slice->idr) {
        fake_bits_put_ue(&out, slice->idr_pic_id);
        fake_bits_put(&out, 0, 2); // earlier pictures are shown; no long-term reference
    } else {
        fake_bits_put(&out, 0, 3); // one reference, not reordered, sliding window
    }
    fake_bits_put_se(&out, (int32_t)slice->qp - FAKE_PPS_QP);
    fake_bits_put_ue(&out, 1); // disable_deblocking_filter_idc
    return out;
}
