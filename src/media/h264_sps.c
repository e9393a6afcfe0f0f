// SPDX-License-Identifier: MIT
// The sequence parameter set of H.264 (7.3.2.1.1) and its VUI (E.1.1).
#include "media/h264.h"

#include <string.h>

#include "base/bits.h"
#include "nal_sets.h"

enum {
    MBS_MAX = 1055 * 2
}; // a side of level 6.2 has 1055 macroblocks (A.3.1); twice for the brave

static bool profile_has_chroma(unsigned profile)
{
    static const uint8_t list[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    return memchr(list, (int)profile, sizeof(list)) != NULL;
}

static void skip_scaling_list(struct bits *bits, unsigned size)
{
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < size && !bits->overrun; i++) {
        if (next != 0)
            next = (int32_t)(((uint32_t)last + (uint32_t)bits_read_se(bits)) & 255); // foreign
        last = next == 0 ? last : next;
    }
}

static int read_chroma(struct bits *bits, struct h264_sps *sps)
{
    uint32_t format = bits_read_ue(bits);
    if (format > 3)
        return ERR_INVALID;
    sps->chroma_format = (uint8_t)format;
    if (format == 3)
        sps->separate_colour_planes = bits_read_flag(bits);
    uint32_t luma = bits_read_ue(bits), chroma = bits_read_ue(bits);
    if (luma > 6 || chroma > 6)
        return ERR_INVALID;
    sps->bit_depth_luma = (uint8_t)(8 + luma);
    sps->bit_depth_chroma = (uint8_t)(8 + chroma);
    bits_skip(bits, 1); // qpprime_y_zero_transform_bypass_flag
    if (bits_read_flag(bits))
        for (unsigned i = 0; i < (format == 3 ? 12 : 8); i++)
            if (bits_read_flag(bits))
                skip_scaling_list(bits, i < 6 ? 16 : 64);
    return 0;
}

static int read_order(struct bits *bits, struct h264_sps *sps)
{
    uint32_t frame_num = bits_read_ue(bits), type = bits_read_ue(bits);
    if (frame_num > 12 || type > 2)
        return ERR_INVALID;
    sps->log2_max_frame_num = frame_num + 4;
    sps->poc_type = type;
    if (type == 0) {
        uint32_t lsb = bits_read_ue(bits);
        if (lsb > 12)
            return ERR_INVALID;
        sps->log2_max_poc_lsb = lsb + 4;
    } else if (type == 1) {
        sps->delta_pic_order_always_zero = bits_read_flag(bits);
        bits_read_se(bits);
        bits_read_se(bits);
        uint32_t cycle = bits_read_ue(bits);
        if (cycle > 255)
            return ERR_INVALID;
        for (uint32_t i = 0; i < cycle; i++)
            bits_read_se(bits);
    }
    return 0;
}

static void crop(struct bits *bits, struct h264_sps *sps)
{
    uint64_t left = bits_read_ue(bits), right = bits_read_ue(bits);
    uint64_t top = bits_read_ue(bits), bottom = bits_read_ue(bits);
    bool planes = sps->separate_colour_planes;
    unsigned unit_x = (sps->chroma_format == 1 || sps->chroma_format == 2) && !planes ? 2 : 1;
    unsigned unit_y = (sps->chroma_format == 1 && !planes ? 2 : 1) * (sps->frame_mbs_only ? 1 : 2);
    uint64_t x = (left + right) * unit_x, y = (top + bottom) * unit_y;
    if (x < sps->width && y < sps->height) {
        sps->width -= (uint32_t)x;
        sps->height -= (uint32_t)y;
    }
}

static void skip_hrd(struct bits *bits)
{
    uint32_t count = bits_read_ue(bits);
    if (count > 31) {
        bits->overrun = true;
        return;
    }
    bits_skip(bits, 8); // bit_rate_scale, cpb_size_scale
    for (uint32_t i = 0; i <= count; i++) {
        bits_read_ue(bits);
        bits_read_ue(bits);
        bits_skip(bits, 1);
    }
    bits_skip(bits, 20); // four lengths of five bits
}

// Fills what it finds into *sps only when the whole VUI could be read.
static void read_vui(struct bits *bits, struct h264_sps *sps)
{
    uint32_t units = 0, scale = 0;
    if (bits_read_flag(bits) && bits_read(bits, 8) == 255) // aspect_ratio_idc: Extended_SAR
        bits_skip(bits, 32);
    if (bits_read_flag(bits)) // overscan_info_present_flag
        bits_skip(bits, 1);
    if (bits_read_flag(bits)) { // video_signal_type_present_flag
        bits_skip(bits, 4);
        if (bits_read_flag(bits))
            bits_skip(bits, 24);
    }
    if (bits_read_flag(bits)) { // chroma_loc_info_present_flag
        bits_read_ue(bits);
        bits_read_ue(bits);
    }
    if (bits_read_flag(bits)) { // timing_info_present_flag
        units = bits_read(bits, 32);
        scale = bits_read(bits, 32);
        bits_skip(bits, 1);
    }
    if (bits->overrun)
        return;
    // A tick is a field: two of them are a frame (E.2.1).
    frame_rate_set(scale, (uint64_t)units * 2, &sps->fps_num, &sps->fps_den);
    bool nal_hrd = bits_read_flag(bits);
    if (nal_hrd)
        skip_hrd(bits);
    bool vcl_hrd = bits_read_flag(bits);
    if (vcl_hrd)
        skip_hrd(bits);
    bits_skip(bits, nal_hrd || vcl_hrd ? 2 : 1); // low_delay_hrd_flag, pic_struct_present_flag
    if (!bits_read_flag(bits))                   // bitstream_restriction_flag
        return;
    bits_skip(bits, 1);
    for (unsigned i = 0; i < 4; i++)
        bits_read_ue(bits);
    uint32_t reorder = bits_read_ue(bits), buffering = bits_read_ue(bits);
    if (bits->overrun || reorder > buffering || buffering > 16)
        return;
    sps->reorder_frames = reorder;
    sps->reorder_known = true;
}

// Frames the decoded picture buffer holds (A.3.1, table A-1, and A.3.2 (h)).
static uint32_t dpb_frames(const struct h264_sps *sps, uint32_t picture_mbs)
{
    static const struct {
        uint8_t level;
        uint32_t mbs;
    } table[] = {{9, 396},     {10, 396},    {11, 900},    {12, 2376},   {13, 2376},
                 {20, 2376},   {21, 4752},   {22, 8100},   {30, 8100},   {31, 18000},
                 {32, 20480},  {40, 32768},  {41, 32768},  {42, 34816},  {50, 110400},
                 {51, 184320}, {52, 184320}, {60, 696320}, {61, 696320}, {62, 696320}};
    bool level_1b = sps->level == 11 && sps->profile <= 88 && sps->constraints & 0x10;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].level == (level_1b ? 9 : sps->level)) {
            uint32_t frames = table[i].mbs / picture_mbs;
            return frames > 16 ? 16 : frames;
        }
    }
    return 16;
}

// What is known without a VUI: E.2.1, semantics of max_num_reorder_frames, and that picture order
// type 2 and Baseline have no pictures out of order.
static void infer_reorder(struct h264_sps *sps, uint32_t picture_mbs)
{
    static const uint8_t intra[] = {44, 86, 100, 110, 122, 244};
    bool all_intra = sps->constraints & 0x10 && memchr(intra, sps->profile, sizeof(intra));
    if (sps->profile == 66 || sps->poc_type == 2 || all_intra) {
        sps->reorder_frames = 0;
        sps->reorder_known = true;
    } else {
        sps->reorder_frames = dpb_frames(sps, picture_mbs);
    }
}

int h264_sps_parse(struct bytes nal, struct h264_sps *out)
{
    if (h264_nal_type(nal) != H264_SPS || nal.data[0] & 0x80)
        return ERR_INVALID;
    struct nal_bits reader;
    nal_bits_init(&reader, nal);
    struct bits *bits = &reader.bits;
    struct h264_sps sps = {.chroma_format = 1, .bit_depth_luma = 8, .bit_depth_chroma = 8};
    bits_skip(bits, 8);
    sps.profile = (uint8_t)bits_read(bits, 8);
    sps.constraints = (uint8_t)bits_read(bits, 8);
    sps.level = (uint8_t)bits_read(bits, 8);
    if (bits_read_ue(bits) > 31) // seq_parameter_set_id
        return ERR_INVALID;
    if (profile_has_chroma(sps.profile) && read_chroma(bits, &sps) < 0)
        return ERR_INVALID;
    if (read_order(bits, &sps) < 0)
        return ERR_INVALID;
    bits_read_ue(bits); // max_num_ref_frames
    bits_skip(bits, 1); // gaps_in_frame_num_value_allowed_flag
    uint32_t columns = bits_read_ue(bits), rows = bits_read_ue(bits);
    sps.frame_mbs_only = bits_read_flag(bits);
    if (bits->overrun || columns >= MBS_MAX || rows >= MBS_MAX)
        return ERR_INVALID;
    columns++;
    rows = (rows + 1) * (sps.frame_mbs_only ? 1 : 2);
    sps.width = columns * 16;
    sps.height = rows * 16;
    bits_skip(bits, sps.frame_mbs_only ? 1 : 2); // mb_adaptive_frame_field, direct_8x8_inference
    if (bits_read_flag(bits))
        crop(bits, &sps);
    bool has_vui = bits_read_flag(bits);
    if (bits->overrun)
        return ERR_INVALID;
    infer_reorder(&sps, columns * rows);
    if (has_vui)
        read_vui(bits, &sps);
    *out = sps;
    return 0;
}
