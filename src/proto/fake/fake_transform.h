// SPDX-License-Identifier: MIT
// From picture samples to quantised coefficients and back (ITU-T H.264, 8.5), a macroblock at a
// time. Each function also makes the reconstruction, sample for sample what every decoder makes:
// the next picture is predicted from it.
//
// "source" is the picture to be shown, "prediction" what the decoder has without coefficients,
// "result" what it has with them. 4x4 blocks are numbered in raster order.
#ifndef FAKE_TRANSFORM_H
#define FAKE_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

// Below this the largest possible coefficient would not fit the codes of Baseline.
enum { FAKE_QP_MIN = 18, FAKE_QP_MAX = 51 };

struct fake_quantiser {
    uint32_t scale[16]; // forward, raster order
    int32_t step[16];   // backward, raster order
    unsigned shift;     // of the forward product
    unsigned quiet;     // a 4x4 block whose differences sum up to less has no coefficients
};

// qp FAKE_QP_MIN..FAKE_QP_MAX, for luma or, after fake_chroma_qp, for chroma.
void fake_quantiser_set(struct fake_quantiser *quantiser, unsigned qp);
unsigned fake_chroma_qp(unsigned qp); // 8.5.8

struct fake_plane {
    uint8_t *data;
    size_t stride;
};

// Levels in zigzag order. pattern is coded_block_pattern: bits 0..3 the 8x8 blocks of luma, then
// 16 when only chroma DC, 32 when chroma AC is there too.
struct fake_levels {
    int16_t luma_dc[16];  // Intra_16x16 only
    int16_t luma[16][16]; // Intra_16x16: [block][1..15]
    int16_t chroma_dc[2][4];
    int16_t chroma[2][4][16]; // [plane][block][1..15]
    unsigned pattern;
};

// Sets levels->luma and the luma bits of the pattern; the others are cleared.
void fake_code_luma_inter(const struct fake_quantiser *quantiser, struct fake_plane source,
                          struct fake_plane prediction, struct fake_plane result,
                          struct fake_levels *levels);
// Also sets luma_dc. The luma bits are all or none.
void fake_code_luma_intra(const struct fake_quantiser *quantiser, struct fake_plane source,
                          struct fake_plane prediction, struct fake_plane result,
                          struct fake_levels *levels);
// Both chroma planes; after luma. intra chooses the rounding.
void fake_code_chroma(const struct fake_quantiser *quantiser, int intra,
                      const struct fake_plane source[2], const struct fake_plane prediction[2],
                      const struct fake_plane result[2], struct fake_levels *levels);

#endif
