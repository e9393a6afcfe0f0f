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
    uint32_t width, height; // after cropping
    uint32_t fps_num, fps_den; // from VUI timing, 0/0 when absent
    uint32_t reorder_frames; // max_num_reorder_frames: from VUI, else what profile and level allow;
                             // 0 for profiles without B pictures
    bool reorder_known;      // it came from the VUI, or the profile or POC type rules B pictures out
    unsigned log2_max_frame_num, log2_max_poc_lsb, poc_type;
    bool frame_mbs_only, separate_colour_planes, delta_pic_order_always_zero;
};

// nal: a whole SPS NAL unit with its header byte. ERR_INVALID leaves *out undefined.
MUST_USE int h264_sps_parse(struct bytes nal, struct h264_sps *out);

// Parameter sets as they are collected from SDP or from the band, in canonical order. Bounded.
struct param_sets {
    struct buf *set[3][16]; // [0] VPS (H.265 only), [1] SPS, [2] PPS; by id order of arrival
    unsigned count[3];
    bool changed; // since the last *_config_make
};
void param_sets_fini(struct param_sets *sets);
// Keeps a copy when new or different from the one with the same id (then sets changed). Foreign
// NAL units that are too short or too many are refused: ERR_INVALID, ERR_LIMIT.
MUST_USE int h264_param_sets_add(struct param_sets *sets, struct bytes nal);

// avcC from the sets; ERR_AGAIN while SPS or PPS is missing; *out has count one.
MUST_USE int h264_config_make(struct param_sets *sets, struct buf **out);
// Fills a track from avcC: config (a new reference), codec, size, rate, timescale 90000.
MUST_USE int h264_track_from_config(struct buf *config, struct track *out);
// Reads the sets back out of an avcC, and its NAL length width (1, 2 or 4).
MUST_USE int h264_config_parse(struct bytes avcc, struct param_sets *sets, unsigned *width);

// What one NAL unit is.
static inline unsigned h264_nal_type(struct bytes nal) { return nal.length ? nal.data[0] & 31 : 0; }

// Joins NAL units of one access unit into canonical form: parameter sets, AUD, end-of-sequence and
// filler are left out (sets are offered to `sets` when not NULL). Feed with au_builder_add.
struct au_builder {
    struct buf *buf; // growing, owned; NULL when empty
    bool key;        // an IDR (or, for H.265, IRAP) picture is in it
    bool has_picture;
    bool droppable; // all slices have nal_ref_idc 0 (H.264); sub-layer non-reference (H.265)
};
void au_builder_reset(struct au_builder *au);
// ERR_LIMIT past FRAME_BYTES_MAX, ERR_INVALID for an empty unit. A recovery point SEI before a
// non-IDR I picture marks the access unit as key as well (open GOP cameras).
MUST_USE int h264_au_add(struct au_builder *au, struct param_sets *sets, struct bytes nal);
// Count one, builder empty; NULL when no picture was added.
struct buf *au_builder_take(struct au_builder *au, bool *key, bool *droppable);

// True when this NAL unit begins a new access unit after the picture already in the builder
// (7.4.1.2.4, the simple rule: AUD, SPS, PPS, SEI or first_mb_in_slice 0 after a picture).
bool h264_starts_access_unit(const struct au_builder *au, struct bytes nal);

// Picture order of a slice, for sources that give presentation times only: see
// format/rtp_dts.h. type: 0 P, 1 B, 2 I. ERR_UNSUPPORTED without the needed sets.
MUST_USE int h264_slice_type_parse(struct bytes nal, unsigned *type);

#endif
