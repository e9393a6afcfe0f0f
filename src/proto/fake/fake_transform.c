// SPDX-License-Identifier: MIT
#include "fake_transform.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

// Quantiser factors for qp % 6, by position: both coordinates even, both odd, else.
static const uint16_t forward_factor[6][3] = {
    {13107, 5243, 8066}, {11916, 4660, 7490}, {10082, 4194, 6554},
    {9362, 3647, 5825},  {8192, 3355, 5243},  {7282, 2893, 4559},
};
static const uint8_t backward_factor[6][3] = {
    {10, 16, 13}, {11, 18, 14}, {13, 20, 16}, {14, 23, 18}, {16, 25, 20}, {18, 29, 23},
};

// Raster position of each coefficient in scanning order, 8.5.6.
static const uint8_t zigzag[16] = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

// A third of a step is rounded away in intra pictures and a sixth in others: what is left out of a
// predicted picture is mostly noise.
static uint32_t rounding_of(const struct fake_quantiser *quantiser, int intra)
{
    return (1u << quantiser->shift) / (intra ? 3 : 6);
}

void fake_quantiser_set(struct fake_quantiser *quantiser, unsigned qp)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned odd = (i & 1) + (i >> 2 & 1);
        unsigned kind = odd == 0 ? 0 : odd == 2 ? 1 : 2;

        quantiser->scale[i] = forward_factor[qp % 6][kind];
        quantiser->step[i] = backward_factor[qp % 6][kind] << (qp / 6);
    }
    quantiser->shift = 15 + qp / 6;
    // The two kinds of AC coefficient are at most four and two times the sum of differences.
    quantiser->quiet = UINT_MAX;
    for (unsigned kind = 0; kind < 3; kind++) {
        static const unsigned most[3] = {1, 4, 2};
        unsigned least = ((1u << quantiser->shift) - rounding_of(quantiser, 1)) /
                         (forward_factor[qp % 6][kind] * most[kind]);

        quantiser->quiet = least < quantiser->quiet ? least : quantiser->quiet;
    }
}

unsigned fake_chroma_qp(unsigned qp)
{
    static const uint8_t high[22] = {29, 30, 31, 32, 32, 33, 34, 34, 35, 35, 36,
                                     36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39};

    return qp < 30 ? qp : high[qp - 30];
}

// The residual of one 4x4 block, transformed. Returns the sum of the absolute differences.
static unsigned forward(const uint8_t *source, size_t source_stride, const uint8_t *prediction,
                        size_t prediction_stride, int32_t out[16])
{
    int32_t row[16];
    unsigned sum = 0;

    for (unsigned y = 0; y < 4; y++) {
        int32_t a = source[0] - prediction[0], b = source[1] - prediction[1];
        int32_t c = source[2] - prediction[2], d = source[3] - prediction[3];

        sum += (unsigned)(abs(a) + abs(b) + abs(c) + abs(d));
        row[4 * y] = a + b + c + d;
        row[4 * y + 1] = 2 * a + b - c - 2 * d;
        row[4 * y + 2] = a - b - c + d;
        row[4 * y + 3] = a - 2 * b + 2 * c - d;
        source += source_stride;
        prediction += prediction_stride;
    }
    for (unsigned x = 0; x < 4; x++) {
        int32_t a = row[x], b = row[4 + x], c = row[8 + x], d = row[12 + x];

        out[x] = a + b + c + d;
        out[4 + x] = 2 * a + b - c - 2 * d;
        out[8 + x] = a - b - c + d;
        out[12 + x] = a - 2 * b + 2 * c - d;
    }
    return sum;
}

static uint8_t clip(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Adds the inverse transform (8.5.12.2) of scaled coefficients to the prediction.
static void inverse(const int32_t in[16], const uint8_t *prediction, size_t prediction_stride,
                    uint8_t *result, size_t result_stride)
{
    int32_t row[16];

    for (unsigned y = 0; y < 4; y++) {
        const int32_t *from = in + 4 * y;
        int32_t e = from[0] + from[2], f = from[0] - from[2];
        int32_t g = (from[1] >> 1) - from[3], h = from[1] + (from[3] >> 1);

        row[4 * y] = e + h;
        row[4 * y + 1] = f + g;
        row[4 * y + 2] = f - g;
        row[4 * y + 3] = e - h;
    }
    for (unsigned x = 0; x < 4; x++) {
        int32_t e = row[x] + row[8 + x], f = row[x] - row[8 + x];
        int32_t g = (row[4 + x] >> 1) - row[12 + x], h = row[4 + x] + (row[12 + x] >> 1);
        const int32_t column[4] = {e + h, f + g, f - g, e - h};

        for (unsigned y = 0; y < 4; y++)
            result[y * result_stride + x] =
                clip(prediction[y * prediction_stride + x] + ((column[y] + 32) >> 6));
    }
}

static int16_t quantise(int32_t value, uint32_t scale, uint32_t rounding, unsigned shift)
{
    uint32_t size = ((uint32_t)(value < 0 ? -value : value) * scale + rounding) >> shift;

    return (int16_t)(value < 0 ? -(int32_t)size : (int32_t)size);
}

// Quantises the coefficients of a block whose differences sum up to `sum`, from position `first` of
// the scan on; puts their levels in out and scales them back in place. Returns whether any is left.
static int quantise_block(const struct fake_quantiser *quantiser, uint32_t rounding, unsigned first,
                          unsigned sum, int32_t block[16], int16_t out[16])
{
    int any = 0;

    if (sum < quantiser->quiet) {
        memset(out, 0, 16 * sizeof(*out));
        memset(block + first, 0, (16 - first) * sizeof(*block));
        return 0;
    }
    out[0] = 0;
    for (unsigned i = first; i < 16; i++) {
        unsigned at = zigzag[i];
        int16_t level = quantise(block[at], quantiser->scale[at], rounding, quantiser->shift);

        out[i] = level;
        block[at] = level * quantiser->step[at];
        any |= level;
    }
    return any != 0;
}

static const uint8_t *block_const(struct fake_plane plane, unsigned x, unsigned y)
{
    return plane.data + (size_t)y * 4 * plane.stride + x * 4;
}

static void copy_block(struct fake_plane from, struct fake_plane to, unsigned x, unsigned y)
{
    const uint8_t *in = block_const(from, x, y);
    uint8_t *out = to.data + (size_t)y * 4 * to.stride + x * 4;

    for (unsigned i = 0; i < 4; i++)
        memcpy(out + i * to.stride, in + i * from.stride, 4);
}

void fake_code_luma_inter(const struct fake_quantiser *quantiser, struct fake_plane source,
                          struct fake_plane prediction, struct fake_plane result,
                          struct fake_levels *levels)
{
    uint32_t rounding = rounding_of(quantiser, 0);

    levels->pattern = 0;
    for (unsigned i = 0; i < 16; i++) {
        unsigned x = i & 3, y = i >> 2;
        int32_t block[16];
        unsigned sum = forward(block_const(source, x, y), source.stride,
                               block_const(prediction, x, y), prediction.stride, block);

        if (!quantise_block(quantiser, rounding, 0, sum, block, levels->luma[i])) {
            copy_block(prediction, result, x, y);
            continue;
        }
        inverse(block, block_const(prediction, x, y), prediction.stride,
                result.data + (size_t)y * 4 * result.stride + x * 4, result.stride);
        levels->pattern |= 1u << ((y & 2) + (x >> 1));
    }
}

// 4x4 Hadamard transform, its own inverse but for scale.
static void hadamard(const int32_t in[16], int32_t out[16])
{
    int32_t row[16];

    for (unsigned y = 0; y < 4; y++) {
        const int32_t *from = in + 4 * y;
        int32_t e = from[0] + from[1], f = from[0] - from[1];
        int32_t g = from[2] + from[3], h = from[2] - from[3];

        row[4 * y] = e + g;
        row[4 * y + 1] = e - g;
        row[4 * y + 2] = f - h;
        row[4 * y + 3] = f + h;
    }
    for (unsigned x = 0; x < 4; x++) {
        int32_t e = row[x] + row[4 + x], f = row[x] - row[4 + x];
        int32_t g = row[8 + x] + row[12 + x], h = row[8 + x] - row[12 + x];

        out[x] = e + g;
        out[4 + x] = e - g;
        out[8 + x] = f - h;
        out[12 + x] = f + h;
    }
}

void fake_code_luma_intra(const struct fake_quantiser *quantiser, struct fake_plane source,
                          struct fake_plane prediction, struct fake_plane result,
                          struct fake_levels *levels)
{
    uint32_t rounding = rounding_of(quantiser, 1);
    int32_t block[16][16], dc[16], sums[16];
    int any[16], any_at_all = 0;

    for (unsigned i = 0; i < 16; i++) {
        unsigned x = i & 3, y = i >> 2;
        unsigned sum = forward(block_const(source, x, y), source.stride,
                               block_const(prediction, x, y), prediction.stride, block[i]);

        dc[i] = block[i][0];
        any[i] = quantise_block(quantiser, rounding, 1, sum, block[i], levels->luma[i]);
        any_at_all |= any[i];
    }
    hadamard(dc, sums);
    for (unsigned i = 0; i < 16; i++) {
        levels->luma_dc[i] = quantise((sums[zigzag[i]] + (sums[zigzag[i]] > 0)) / 2,
                                      quantiser->scale[0], 2 * rounding, quantiser->shift + 1);
        sums[zigzag[i]] = levels->luma_dc[i];
    }
    hadamard(sums, dc);
    for (unsigned i = 0; i < 16; i++) {
        unsigned x = i & 3, y = i >> 2;

        if (!any[i] && dc[i] == 0) {
            copy_block(prediction, result, x, y);
            continue;
        }
        // 8.5.10 with qp of at least 12: no bit is lost in the shift.
        block[i][0] = dc[i] * quantiser->step[0] >> 2;
        inverse(block[i], block_const(prediction, x, y), prediction.stride,
                result.data + (size_t)y * 4 * result.stride + x * 4, result.stride);
    }
    levels->pattern = any_at_all ? 15 : 0;
}

static int same(struct fake_plane a, struct fake_plane b)
{
    for (unsigned y = 0; y < 8; y++)
        if (memcmp(a.data + y * a.stride, b.data + y * b.stride, 8) != 0)
            return 0;
    return 1;
}

// One chroma plane: 8x8 samples. Returns the bits it adds to the pattern.
static unsigned code_chroma_plane(const struct fake_quantiser *quantiser, uint32_t rounding,
                                  struct fake_plane source, struct fake_plane prediction,
                                  struct fake_plane result, int16_t dc_out[4],
                                  int16_t ac_out[4][16])
{
    int32_t block[4][16], dc[4];
    int any[4], any_dc = 0, any_ac = 0;

    if (same(source, prediction)) { // grey snow on grey, most of the time
        for (unsigned i = 0; i < 4; i++)
            copy_block(prediction, result, i & 1, i >> 1);
        memset(dc_out, 0, 4 * sizeof(*dc_out));
        memset(ac_out, 0, 4 * sizeof(*ac_out));
        return 0;
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned sum = forward(block_const(source, i & 1, i >> 1), source.stride,
                               block_const(prediction, i & 1, i >> 1), prediction.stride, block[i]);

        dc[i] = block[i][0];
        any[i] = quantise_block(quantiser, rounding, 1, sum, block[i], ac_out[i]);
        any_ac |= any[i];
    }
    const int32_t sums[4] = {dc[0] + dc[1] + dc[2] + dc[3], dc[0] - dc[1] + dc[2] - dc[3],
                             dc[0] + dc[1] - dc[2] - dc[3], dc[0] - dc[1] - dc[2] + dc[3]};
    for (unsigned i = 0; i < 4; i++) {
        dc[i] = dc_out[i] =
            quantise(sums[i], quantiser->scale[0], 2 * rounding, quantiser->shift + 1);
        any_dc |= dc[i];
    }
    const int32_t back[4] = {dc[0] + dc[1] + dc[2] + dc[3], dc[0] - dc[1] + dc[2] - dc[3],
                             dc[0] + dc[1] - dc[2] - dc[3], dc[0] - dc[1] - dc[2] + dc[3]};
    for (unsigned i = 0; i < 4; i++) {
        unsigned x = i & 1, y = i >> 1;

        if (!any[i] && back[i] == 0) {
            copy_block(prediction, result, x, y);
            continue;
        }
        block[i][0] = back[i] * quantiser->step[0] >> 1;
        inverse(block[i], block_const(prediction, x, y), prediction.stride,
                result.data + (size_t)y * 4 * result.stride + x * 4, result.stride);
    }
    return any_ac ? 32 : any_dc ? 16 : 0;
}

void fake_code_chroma(const struct fake_quantiser *quantiser, int intra,
                      const struct fake_plane source[2], const struct fake_plane prediction[2],
                      const struct fake_plane result[2], struct fake_levels *levels)
{
    uint32_t rounding = rounding_of(quantiser, intra);
    unsigned found = 0;

    for (unsigned i = 0; i < 2; i++) {
        unsigned bits = code_chroma_plane(quantiser, rounding, source[i], prediction[i], result[i],
                                          levels->chroma_dc[i], levels->chroma[i]);

        found = bits > found ? bits : found;
    }
    levels->pattern |= found;
}
