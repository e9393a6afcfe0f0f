// SPDX-License-Identifier: MIT
// The sequence parameter set of H.265 (7.3.2.2): sizes and layers, and behind a long row of other
// things the picture rate in the VUI (E.2.1). What cannot be read behind the sizes costs the rate
// only.
#include "media/h265.h"

#include "base/bits.h"
#include "nal_sets.h"

enum { SIDE_MAX = 16888, SHORT_TERM_SETS_MAX = 64, DELTA_POCS_MAX = 32 }; // A.4.1, 7.4.3.2.1, 7.4.8

// 7.3.3 with profilePresentFlag 1
static void read_profile(struct bits *bits, unsigned layers, struct h265_sps *sps)
{
    sps->profile_space = (uint8_t)bits_read(bits, 2);
    sps->tier = (uint8_t)bits_read(bits, 1);
    sps->profile = (uint8_t)bits_read(bits, 5);
    sps->compatibility = bits_read(bits, 32);
    for (unsigned i = 0; i < sizeof(sps->constraints); i++)
        sps->constraints[i] = (uint8_t)bits_read(bits, 8);
    sps->level = (uint8_t)bits_read(bits, 8);
    bool has_profile[8], has_level[8];
    for (unsigned i = 0; i + 1 < layers; i++) {
        has_profile[i] = bits_read_flag(bits);
        has_level[i] = bits_read_flag(bits);
    }
    if (layers > 1)
        bits_skip(bits, 2 * (9 - layers)); // alignment up to eight sub-layers
    for (unsigned i = 0; i + 1 < layers; i++)
        bits_skip(bits, (has_profile[i] ? 88 : 0) + (has_level[i] ? 8 : 0));
}

static int read_size(struct bits *bits, struct h265_sps *sps)
{
    uint32_t format = bits_read_ue(bits);
    if (format > 3)
        return ERR_INVALID;
    bool planes = format == 3 && bits_read_flag(bits);
    uint32_t width = bits_read_ue(bits), height = bits_read_ue(bits);
    if (bits->overrun || width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX)
        return ERR_INVALID;
    if (bits_read_flag(bits)) { // conformance_window_flag
        uint64_t left = bits_read_ue(bits), right = bits_read_ue(bits);
        uint64_t top = bits_read_ue(bits), bottom = bits_read_ue(bits);
        uint64_t x = (left + right) * ((format == 1 || format == 2) && !planes ? 2 : 1);
        uint64_t y = (top + bottom) * (format == 1 && !planes ? 2 : 1);
        if (x < width && y < height) {
            width -= (uint32_t)x;
            height -= (uint32_t)y;
        }
    }
    uint32_t luma = bits_read_ue(bits), chroma = bits_read_ue(bits);
    if (luma > 7 || chroma > 7)
        return ERR_INVALID;
    sps->chroma_format = (uint8_t)format;
    sps->width = width;
    sps->height = height;
    sps->bit_depth_luma = (uint8_t)(8 + luma);
    sps->bit_depth_chroma = (uint8_t)(8 + chroma);
    return 0;
}

// 7.3.4
static void skip_scaling_lists(struct bits *bits)
{
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            if (!bits_read_flag(bits)) {
                bits_read_ue(bits);
                continue;
            }
            unsigned count = 1u << (4 + size * 2);
            if (size > 1)
                bits_read_se(bits);
            for (unsigned i = 0; i < (count > 64 ? 64 : count) && !bits->overrun; i++)
                bits_read_se(bits);
        }
    }
}

// 7.3.7; *deltas: NumDeltaPocs of the set before this one, then of this one.
static int skip_short_term_set(struct bits *bits, unsigned number, unsigned *deltas)
{
    if (number > 0 && bits_read_flag(bits)) { // predicted from the one before
        bits_skip(bits, 1);
        bits_read_ue(bits);
        unsigned count = 0;
        for (unsigned i = 0; i <= *deltas; i++) {
            bool used = bits_read_flag(bits);
            count += used || bits_read_flag(bits);
        }
        if (count > DELTA_POCS_MAX)
            return ERR_INVALID;
        *deltas = count;
        return 0;
    }
    uint32_t negative = bits_read_ue(bits), positive = bits_read_ue(bits);
    if (negative > 16 || positive > 16)
        return ERR_INVALID;
    *deltas = negative + positive;
    for (unsigned i = 0; i < *deltas; i++) {
        bits_read_ue(bits);
        bits_skip(bits, 1);
    }
    return 0;
}

// Everything between the sizes and the VUI.
static int skip_tools(struct bits *bits, unsigned log2_poc)
{
    for (unsigned i = 0; i < 6; i++) // sizes of coding and transform blocks, depths
        bits_read_ue(bits);
    if (bits_read_flag(bits) && bits_read_flag(bits))
        skip_scaling_lists(bits);
    bits_skip(bits, 2);
    if (bits_read_flag(bits)) { // pcm_enabled_flag
        bits_skip(bits, 8);
        bits_read_ue(bits);
        bits_read_ue(bits);
        bits_skip(bits, 1);
    }
    uint32_t count = bits_read_ue(bits);
    if (count > SHORT_TERM_SETS_MAX)
        return ERR_INVALID;
    unsigned deltas = 0;
    for (uint32_t i = 0; i < count && !bits->overrun; i++)
        if (skip_short_term_set(bits, i, &deltas) < 0)
            return ERR_INVALID;
    if (bits_read_flag(bits)) { // long_term_ref_pics_present_flag
        count = bits_read_ue(bits);
        if (count > 32)
            return ERR_INVALID;
        bits_skip(bits, (size_t)count * (log2_poc + 1));
    }
    bits_skip(bits, 2);
    return bits->overrun ? ERR_INVALID : 0;
}

static void read_vui(struct bits *bits, struct h265_sps *sps)
{
    if (bits_read_flag(bits) && bits_read(bits, 8) == 255)
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
    bits_skip(bits, 3);
    if (bits_read_flag(bits)) // default_display_window_flag
        for (unsigned i = 0; i < 4; i++)
            bits_read_ue(bits);
    if (!bits_read_flag(bits)) // vui_timing_info_present_flag
        return;
    uint32_t units = bits_read(bits, 32), scale = bits_read(bits, 32);
    if (!bits->overrun)
        frame_rate_set(scale, units, &sps->fps_num, &sps->fps_den);
}

int h265_sps_parse(struct bytes nal, struct h265_sps *out)
{
    if (nal.length < 3 || nal.data[0] & 0x80 || h265_nal_type(nal) != H265_SPS)
        return ERR_INVALID;
    struct nal_bits reader;
    nal_bits_init(&reader, nal);
    struct bits *bits = &reader.bits;
    struct h265_sps sps = {0};
    bits_skip(bits, 16 + 4);
    unsigned layers = bits_read(bits, 3) + 1;
    if (layers > 7)
        return ERR_INVALID;
    sps.temporal_layers = (uint8_t)layers;
    sps.temporal_nested = (uint8_t)bits_read(bits, 1);
    read_profile(bits, layers, &sps);
    uint32_t id = bits_read_ue(bits);
    if (id > 15 || read_size(bits, &sps) < 0)
        return ERR_INVALID;
    sps.id = (uint8_t)id;
    uint32_t log2_poc = bits_read_ue(bits) + 4;
    if (log2_poc > 16)
        return ERR_INVALID;
    unsigned described = bits_read_flag(bits) ? layers : 1;
    for (unsigned i = 0; i < described; i++) { // the last one is that of the whole stream
        bits_read_ue(bits);
        sps.reorder_frames = bits_read_ue(bits);
        bits_read_ue(bits);
    }
    if (bits->overrun || sps.reorder_frames > 15)
        return ERR_INVALID;
    if (skip_tools(bits, log2_poc) == 0 && bits_read_flag(bits))
        read_vui(bits, &sps);
    *out = sps;
    return 0;
}
