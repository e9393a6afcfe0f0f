// SPDX-License-Identifier: MIT
// H.265 (ITU-T H.265): parameter sets, hvcC (ISO/IEC 14496-15, 8.3.3), canonical access units.
#ifndef MEDIA_H265_H
#define MEDIA_H265_H

#include "media/h264.h"

enum {
    H265_IRAP_FIRST = 16,
    H265_IRAP_LAST = 23,
    H265_VPS = 32,
    H265_SPS = 33,
    H265_PPS = 34,
    H265_AUD = 35,
    H265_SEI_PREFIX = 39
};

struct h265_sps {
    uint8_t id, profile_space, tier, profile, level;
    uint32_t compatibility;
    uint8_t constraints[6];
    uint32_t width, height, fps_num, fps_den, reorder_frames;
    uint8_t chroma_format, bit_depth_luma, bit_depth_chroma, temporal_layers, temporal_nested;
};

// All as their twins in h264.h; nal units have two header bytes. Units of layers above the base
// layer are left out of access units.
MUST_USE int h265_sps_parse(struct bytes nal, struct h265_sps *out);
MUST_USE int h265_param_sets_add(struct param_sets *sets, struct bytes nal);
MUST_USE int h265_config_make(struct param_sets *sets, struct buf **out); // hvcC
MUST_USE int h265_track_from_config(struct buf *config, struct track *out);
MUST_USE int h265_config_parse(struct bytes hvcc, struct param_sets *sets, unsigned *width);
static inline unsigned h265_nal_type(struct bytes nal)
{
    return nal.length >= 2 ? nal.data[0] >> 1 & 63 : 64;
}
MUST_USE int h265_au_add(struct au_builder *au, struct param_sets *sets, struct bytes nal);
bool h265_starts_access_unit(const struct au_builder *au, struct bytes nal);

#endif
