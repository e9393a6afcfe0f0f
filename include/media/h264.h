// SPDX-License-Identifier: MIT
// H.264 (ITU-T H.264): parameter sets, avcC (ISO/IEC 14496-15, 5.3.3), and the making of canonical
// access units. h265.h is its twin.
#ifndef MEDIA_H264_H
#define MEDIA_H264_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "media/track.h"

enum { H264_SLICE = 1, H264_IDR = 5, H264_SEI = 6, H264_SPS = 7, H264_PPS = 8, H264_AUD = 9 };

struct h264_sps {
    uint8_t profile, constraints, level;
    uint32_t width, height;    // after cropping; a cropping that leaves nothing is ignored
    uint32_t fps_num, fps_den; // from VUI timing, 0/0 when absent or absurd
    uint32_t reorder_frames; // max_num_reorder_frames: from VUI, else what profile and level allow;
                             // 0 for profiles without B pictures
    bool reorder_known; // it came from the VUI, or the profile or POC type rules B pictures out
    unsigned log2_max_frame_num, log2_max_poc_lsb, poc_type;
    uint8_t chroma_format, bit_depth_luma, bit_depth_chroma; // 1 = 4:2:0; 8 to 14
    bool frame_mbs_only, separate_colour_planes, delta_pic_order_always_zero;
};

// nal: a whole SPS NAL unit with its header byte. ERR_INVALID leaves *out undefined. Broken VUI
// (cameras have it) counts as absent.
MUST_USE int h264_sps_parse(struct bytes nal, struct h264_sps *out);

// Parameter sets as they are collected from SDP or from the band, in canonical order. Bounded.
struct param_sets {
    struct buf *set[3][16]; // [0] VPS (H.265 only), [1] SPS, [2] PPS; by id order of arrival
    unsigned count[3];
    bool changed; // since the last *_config_make
};
void param_sets_fini(struct param_sets *sets);
// Keeps a copy when new or different from the one with the same id (then sets changed), without a
// start code in front or zeros behind. Foreign NAL units that are not a parameter set, cannot be
// read, or are too many, are refused: ERR_INVALID, ERR_LIMIT.
MUST_USE int h264_param_sets_add(struct param_sets *sets, struct bytes nal);

// avcC from the sets; ERR_AGAIN while SPS or PPS is missing, ERR_LIMIT past CODEC_CONFIG_MAX;
// *out has count one, and is NULL on failure.
MUST_USE int h264_config_make(struct param_sets *sets, struct buf **out);
// Makes a track from avcC: config (a new reference, or a copy when its NAL lengths are not four
// bytes wide as those of our frames are), codec, size, rate, timescale 90000. ERR_INVALID when
// there is no SPS in it that can be read: *out is then undefined and owns nothing.
MUST_USE int h264_track_from_config(struct buf *config, struct track *out);
// Reads the sets back out of an avcC into sets (zeroed or filled before), and its NAL length width
// (1, 2 or 4). ERR_INVALID, ERR_LIMIT; what was read until then stays in sets.
MUST_USE int h264_config_parse(struct bytes avcc, struct param_sets *sets, unsigned *width);

// What one NAL unit is.
static inline unsigned h264_nal_type(struct bytes nal)
{
    return nal.length ? nal.data[0] & 31 : 0;
}

// Joins NAL units of one access unit into canonical form. Left out: parameter sets (they are
// offered to `sets` when that is not NULL; one that is refused is only left out), delimiters, end
// of sequence, filler. Feed with h264_au_add or h265_au_add. A zeroed builder is empty.
struct au_builder {
    struct buf *buf; // growing, owned; NULL when empty
    bool key;        // decoding can begin here: IDR, IRAP (H.265), or a recovery point, see below
    bool has_picture;
    bool droppable;   // all slices have nal_ref_idc 0 (H.264); sub-layer non-reference (H.265)
    bool set_refused; // a parameter set in it was not taken: the picture may not be decodable
    bool has_sps, has_recovery, recovery_gradual; // H.264: what stood before the picture
};
void au_builder_reset(struct au_builder *au);
// ERR_LIMIT past FRAME_BYTES_MAX or without memory, ERR_INVALID for an empty unit or one with the
// forbidden bit; the builder is then as it was. Cameras with open GOPs or gradual refresh have no
// IDR after the first: a recovery point SEI, or an SPS, before an I picture makes it a key as well,
// and so does a recovery point that is some frames away before any picture.
MUST_USE int h264_au_add(struct au_builder *au, struct param_sets *sets, struct bytes nal);
// Count one, builder empty; NULL when no picture was added.
struct buf *au_builder_take(struct au_builder *au, bool *key, bool *droppable);

// True when this NAL unit begins a new access unit after the picture already in the builder
// (7.4.1.2.4, the simple rule: AUD, SPS, PPS, SEI or first_mb_in_slice 0 after a picture).
bool h264_starts_access_unit(const struct au_builder *au, struct bytes nal);

// type: 0 P, 1 B, 2 I. ERR_INVALID when the unit is not a slice or cannot be read.
MUST_USE int h264_slice_type_parse(struct bytes nal, unsigned *type);

#endif
