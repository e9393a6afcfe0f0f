// SPDX-License-Identifier: MIT
// The walk over a picture's macroblocks.
//
// 1. `reference` is the picture before, as decoders have it; `result` is made beside it, and what
// was
//    coded is copied over at the end: motion may point at macroblocks that come earlier.
// 2. A macroblock that did not change is not coded. It is P_Skip where the motion that P_Skip
//    implies is none, else P_L0_16x16 with no motion and no coefficients.
// 3. What neighbours need of a macroblock is kept for two rows: `current` and `above`.
// 4. A picture stays under bits_max: past it macroblocks get no coefficients.
#include "fake_h264.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "fake_cavlc.h"
#include "fake_h264_head.h"
#include "fake_picture.h"
#include "fake_rate.h"
#include "fake_transform.h"

enum {
    MACROBLOCK_BITS_MAX = 400, // average of a picture; of all pictures, that `bitrate` may ask
    SNOW_BITS = 400,           // a macroblock of snow that looks well
    MOTION_X_MAX = 2046,
    MOTION_Y_MAX = 62,       // samples; every level allows this
    LEVELS_BITS_MAX = 12000, // one macroblock, all coefficients escaped
    PREDICT_VERTICAL = 0,
    PREDICT_HORIZONTAL = 1,
    PREDICT_DC = 2, // Intra_16x16, table 8-4
};

struct macroblock {
    int dx, dy;       // motion, quarter samples
    uint8_t luma[16]; // coefficients of each 4x4 block, raster order
    uint8_t chroma[2][4];
};

struct fake_h264 {
    struct fake_h264_options options;          // name is NULL
    struct fake_picture *picture;              // owned; what shall be shown
    struct fake_plane reference[3], result[3]; // owned data
    struct macroblock *above, *current;        // `columns` each, owned
    uint8_t *coded;                            // one byte a macroblock: in result, not in reference
    unsigned columns, rows;
    size_t bits_max;
    struct fake_rate rate;
    struct fake_quantiser luma, chroma;
    struct fake_slice slice;
    bool begun;

    struct fake_bits out; // of the running slice
    unsigned skipped;     // macroblocks not yet written as mb_skip_run
    unsigned column, row; // of the running macroblock
};

static struct fake_plane at(const struct fake_plane *plane, unsigned x, unsigned y)
{
    return (struct fake_plane){plane->data + (size_t)y * plane->stride + x, plane->stride};
}

// The running macroblock's part of three planes, moved by (dx, dy) samples of luma, both even.
static void locate(const struct fake_h264 *encoder, const struct fake_plane *planes, int dx, int dy,
                   struct fake_plane out[3])
{
    unsigned x = (unsigned)((int)encoder->column * 16 + dx);
    unsigned y = (unsigned)((int)encoder->row * 16 + dy);

    out[0] = at(&planes[0], x, y);
    out[1] = at(&planes[1], x / 2, y / 2);
    out[2] = at(&planes[2], x / 2, y / 2);
}

static void copy(struct fake_plane from, struct fake_plane to, unsigned size)
{
    for (unsigned y = 0; y < size; y++)
        memcpy(to.data + y * to.stride, from.data + y * from.stride, size);
}

// Sum of absolute differences. A row of eight has its own loop so that compilers see its length.
static unsigned difference(struct fake_plane a, struct fake_plane b, unsigned size)
{
    unsigned sum = 0;

    for (unsigned y = 0; y < size; y++) {
        for (unsigned x = 0; x < size; x += 8) {
            const uint8_t *p = a.data + y * a.stride + x, *q = b.data + y * b.stride + x;

            for (unsigned i = 0; i < 8; i++)
                sum += (unsigned)abs(p[i] - q[i]);
        }
    }
    return sum;
}

// ---- coefficients ------------------------------------------------------------------------------

// nC, 9.2.1: how many coefficients the blocks to the left and above have, rounded mean.
static int context(const uint8_t *left, const uint8_t *above)
{
    if (left && above)
        return (*left + *above + 1) >> 1;
    return left ? *left : above ? *above : 0;
}

static int luma_context(const struct fake_h264 *encoder, unsigned x, unsigned y)
{
    const struct macroblock *own = &encoder->current[encoder->column];
    const uint8_t *left = NULL, *above = NULL;

    if (x)
        left = &own->luma[y * 4 + x - 1];
    else if (encoder->column)
        left = &own[-1].luma[y * 4 + 3];
    if (y)
        above = &own->luma[y * 4 + x - 4];
    else if (encoder->row)
        above = &encoder->above[encoder->column].luma[12 + x];
    return context(left, above);
}

static int chroma_context(const struct fake_h264 *encoder, unsigned plane, unsigned x, unsigned y)
{
    const struct macroblock *own = &encoder->current[encoder->column];
    const uint8_t *left = NULL, *above = NULL;

    if (x)
        left = &own->chroma[plane][y * 2];
    else if (encoder->column)
        left = &own[-1].chroma[plane][y * 2 + 1];
    if (y)
        above = &own->chroma[plane][x];
    else if (encoder->row)
        above = &encoder->above[encoder->column].chroma[plane][2 + x];
    return context(left, above);
}

// 7.3.5.3. The order of luma blocks is that of 8x8 blocks, and within them of 4x4 blocks.
static void put_coefficients(struct fake_h264 *encoder, const struct fake_levels *levels,
                             bool intra)
{
    struct macroblock *own = &encoder->current[encoder->column];

    if (intra)
        (void)fake_cavlc_write(&encoder->out, levels->luma_dc, 16, luma_context(encoder, 0, 0));
    for (unsigned i = 0; i < 16; i++) {
        unsigned x = (i & 1) + (i >> 1 & 2), y = (i >> 1 & 1) + (i >> 2 & 2);
        const int16_t *block = levels->luma[y * 4 + x];

        if (levels->pattern >> (i / 4) & 1)
            own->luma[y * 4 + x] =
                (uint8_t)fake_cavlc_write(&encoder->out, block + (intra ? 1 : 0), intra ? 15 : 16,
                                          luma_context(encoder, x, y));
    }
    for (unsigned plane = 0; plane < 2 && levels->pattern >> 4; plane++)
        (void)fake_cavlc_write(&encoder->out, levels->chroma_dc[plane], 4, FAKE_CAVLC_CHROMA_DC);
    for (unsigned plane = 0; plane < 2 && levels->pattern >> 5; plane++)
        for (unsigned i = 0; i < 4; i++)
            own->chroma[plane][i] =
                (uint8_t)fake_cavlc_write(&encoder->out, levels->chroma[plane][i] + 1, 15,
                                          chroma_context(encoder, plane, i & 1, i >> 1));
}

// ---- intra macroblocks -------------------------------------------------------------------------

// Fills size x size samples from the row above (vertical) or from the column to the left.
static void predict_along(struct fake_plane result, struct fake_plane out, unsigned size,
                          bool vertical)
{
    for (unsigned y = 0; y < size; y++) {
        if (vertical)
            memcpy(out.data + y * out.stride, result.data - result.stride, size);
        else
            memset(out.data + y * out.stride, *(result.data + y * result.stride - 1), size);
    }
}

// Fills blocks x blocks blocks of `size` samples, each with the mean of what borders the macroblock
// above and to the left of it. Chroma has four blocks; those off the diagonal look to one side only
// if they can (8.3.4).
static void predict_dc(struct fake_plane result, struct fake_plane out, unsigned size,
                       unsigned blocks, bool left, bool above)
{
    for (unsigned i = 0; i < blocks * blocks; i++) {
        unsigned x = i % blocks, y = i / blocks, sum = 0, count = 0;
        struct fake_plane to = at(&out, x * size, y * size);

        for (unsigned k = 0; left && !(x > y && above) && k < size; k++, count++)
            sum += *(result.data + (y * size + k) * result.stride - 1);
        for (unsigned k = 0; above && !(y > x && left) && k < size; k++, count++)
            sum += *(result.data - result.stride + x * size + k);
        for (unsigned k = 0; k < size; k++)
            memset(to.data + k * to.stride, (int)(count ? (sum + count / 2) / count : 128), size);
    }
}

// An intra prediction of luma, or of both chroma planes, which share one mode.
struct intra {
    unsigned planes, size; // 1 of 16 x 16 samples, or 2 of 8 x 8
    struct fake_plane out[2];
    unsigned mode;  // in the order of Intra_16x16
    unsigned error; // sum of absolute differences to the source
};

// Finds the prediction nearest to the source, or one so near that nothing is left to code.
static void predict_intra(const struct fake_h264 *encoder, const struct fake_plane *source,
                          const struct fake_plane *result, unsigned quiet, struct intra *best)
{
    bool left = encoder->column > 0, above = encoder->row > 0;
    unsigned size = best->size;

    best->error = UINT_MAX;
    for (unsigned mode = PREDICT_VERTICAL; mode <= PREDICT_DC && best->error >= quiet; mode++) {
        uint8_t room[2][256];
        struct fake_plane trial[2] = {{room[0], size}, {room[1], size}};
        unsigned error = 0;

        if ((mode == PREDICT_VERTICAL && !above) || (mode == PREDICT_HORIZONTAL && !left))
            continue;
        for (unsigned i = 0; i < best->planes; i++) {
            if (mode == PREDICT_DC)
                predict_dc(result[i], trial[i], size == 16 ? 16 : 4, size == 16 ? 1 : 2, left,
                           above);
            else
                predict_along(result[i], trial[i], size, mode == PREDICT_VERTICAL);
            error += difference(source[i], trial[i], size);
        }
        if (error >= best->error)
            continue;
        best->mode = mode;
        best->error = error;
        for (unsigned i = 0; i < best->planes; i++)
            copy(trial[i], best->out[i], size);
    }
}

static void code_intra(struct fake_h264 *encoder, bool plain)
{
    static const uint8_t chroma_mode[3] = {2, 1, 0}; // table 8-5: DC, horizontal, vertical
    uint8_t room[3][256];
    struct intra luma = {.planes = 1, .size = 16, .out = {{room[0], 16}}};
    struct intra chroma = {.planes = 2, .size = 8, .out = {{room[1], 8}, {room[2], 8}}};
    struct fake_plane source[3], result[3];
    struct fake_levels levels = {.pattern = 0};

    locate(encoder, encoder->picture->plane, 0, 0, source);
    locate(encoder, encoder->result, 0, 0, result);
    predict_intra(encoder, source, result, encoder->luma.quiet, &luma);
    predict_intra(encoder, source + 1, result + 1, encoder->chroma.quiet, &chroma);
    if (plain || luma.error < encoder->luma.quiet)
        copy(luma.out[0], result[0], 16);
    else
        fake_code_luma_intra(&encoder->luma, source[0], luma.out[0], result[0], &levels);
    if (plain || chroma.error < encoder->chroma.quiet) {
        copy(chroma.out[0], result[1], 8);
        copy(chroma.out[1], result[2], 8);
    } else {
        fake_code_chroma(&encoder->chroma, 1, source + 1, chroma.out, result + 1, &levels);
    }
    // mb_type in an I slice, table 7-11.
    fake_bits_put_ue(&encoder->out,
                     1 + luma.mode + 4 * (levels.pattern >> 4) + (levels.pattern & 15 ? 12 : 0));
    fake_bits_put_ue(&encoder->out, chroma_mode[chroma.mode]);
    fake_bits_put_se(&encoder->out, 0); // mb_qp_delta
    put_coefficients(encoder, &levels, true);
}

// ---- inter macroblocks -------------------------------------------------------------------------

static int median(int a, int b, int c)
{
    int low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

// The motion vector that the neighbours make likely, 8.4.1.3. All of them are inter macroblocks
// with the same reference, and a picture has at least two columns.
static void predict_motion(const struct fake_h264 *encoder, int *dx, int *dy)
{
    static const struct macroblock none;
    const struct macroblock *above = &encoder->above[encoder->column];
    const struct macroblock *a = encoder->column ? &encoder->current[encoder->column - 1] : &none;
    const struct macroblock *c;

    if (encoder->row == 0) {
        *dx = a->dx;
        *dy = a->dy;
        return;
    }
    c = encoder->column + 1 < encoder->columns ? above + 1 : above - 1;
    *dx = median(a->dx, above->dx, c->dx);
    *dy = median(a->dy, above->dy, c->dy);
}

// The motion of a skipped macroblock, 8.4.1.1.
static void predict_skip(const struct fake_h264 *encoder, int dx, int dy, int *skip_dx,
                         int *skip_dy)
{
    const struct macroblock *a = &encoder->current[encoder->column] - 1;
    const struct macroblock *b = &encoder->above[encoder->column];
    bool still = encoder->column == 0 || encoder->row == 0 || (a->dx == 0 && a->dy == 0) ||
                 (b->dx == 0 && b->dy == 0);

    *skip_dx = still ? 0 : dx;
    *skip_dy = still ? 0 : dy;
}

// Writes a macroblock of a P slice whose motion is in encoder->current already.
static void put_inter(struct fake_h264 *encoder, const struct fake_levels *levels)
{
    const struct macroblock *own = &encoder->current[encoder->column];
    int dx, dy, skip_dx, skip_dy;

    predict_motion(encoder, &dx, &dy);
    predict_skip(encoder, dx, dy, &skip_dx, &skip_dy);
    if (levels->pattern == 0 && own->dx == skip_dx && own->dy == skip_dy) {
        encoder->skipped++;
        return;
    }
    fake_bits_put_ue(&encoder->out, encoder->skipped); // mb_skip_run
    encoder->skipped = 0;
    fake_bits_put_ue(&encoder->out, 0); // mb_type: P_L0_16x16
    fake_bits_put_se(&encoder->out, own->dx - dx);
    fake_bits_put_se(&encoder->out, own->dy - dy);
    fake_bits_put_ue(&encoder->out, fake_cavlc_inter_pattern(levels->pattern));
    if (levels->pattern) {
        fake_bits_put_se(&encoder->out, 0); // mb_qp_delta
        put_coefficients(encoder, levels, false);
    }
}

// A part of the reference picture that the running macroblock may be predicted from.
struct guess {
    int dx, dy; // motion in samples of luma, even
    unsigned error;
    struct fake_plane plane[3];
};

// Takes another motion if it is nearer to the source by more than the bits it costs, in samples'
// differences. Motion out of the picture, or longer than any level allows (A.3), is not taken.
static void try_motion(const struct fake_h264 *encoder, int dx, int dy, unsigned cost,
                       struct guess *best)
{
    int x = (int)encoder->column * 16 + dx, y = (int)encoder->row * 16 + dy;
    struct guess guess = {.dx = dx, .dy = dy};
    struct fake_plane source[3];

    if (x < 0 || y < 0 || x + 16 > (int)encoder->columns * 16 || y + 16 > (int)encoder->rows * 16 ||
        dx < -MOTION_X_MAX || abs(dy) > MOTION_Y_MAX)
        return;
    locate(encoder, encoder->picture->plane, 0, 0, source);
    locate(encoder, encoder->reference, dx, dy, guess.plane);
    guess.error = difference(source[0], guess.plane[0], 16) + cost;
    if (guess.error < best->error)
        *best = guess;
}

// Where the content of a changed macroblock may be found in the picture before.
static struct guess find_motion(const struct fake_h264 *encoder)
{
    const struct fake_picture *picture = encoder->picture;
    unsigned y = encoder->row * 16, half = picture->bars.height / 4 * 2;
    struct guess best = {.error = UINT_MAX};

    try_motion(encoder, 0, 0, 0, &best);
    if (y < picture->bars.height) {
        try_motion(encoder, -picture->box_dx, -picture->box_dy, 16, &best);
        // Bars look the same all the way down, and where the box is now it was not.
        try_motion(encoder, 0, (int)half, 32, &best);
        try_motion(encoder, 0, -(int)half, 32, &best);
    } else {
        // The paper that text stands on, from the left margin: cheaper than rubbing out a letter.
        try_motion(encoder, -(int)encoder->column * 16, 0, 128, &best);
    }
    return best;
}

static void code_inter(struct fake_h264 *encoder, bool plain)
{
    struct macroblock *own = &encoder->current[encoder->column];
    struct guess guess = find_motion(encoder);
    struct fake_plane source[3], result[3];
    struct fake_levels levels;

    own->dx = guess.dx * 4;
    own->dy = guess.dy * 4;
    locate(encoder, encoder->picture->plane, 0, 0, source);
    locate(encoder, encoder->result, 0, 0, result);
    if (plain) {
        levels.pattern = 0;
        for (unsigned i = 0; i < 3; i++)
            copy(guess.plane[i], result[i], i ? 8 : 16);
    } else {
        fake_code_luma_inter(&encoder->luma, source[0], guess.plane[0], result[0], &levels);
        fake_code_chroma(&encoder->chroma, 0, source + 1, guess.plane + 1, result + 1, &levels);
    }
    put_inter(encoder, &levels);
    encoder->coded[encoder->row * encoder->columns + encoder->column] = 1;
}

static void code_unchanged(struct fake_h264 *encoder)
{
    static const struct fake_levels none;

    put_inter(encoder, &none);
}

// ---- pictures ----------------------------------------------------------------------------------

static void code_macroblock(struct fake_h264 *encoder)
{
    const struct fake_picture *picture = encoder->picture;
    unsigned index = encoder->row * encoder->columns + encoder->column;
    bool plain = encoder->out.count > encoder->bits_max, changed = picture->changed[index];
    size_t before = encoder->out.count;
    unsigned step = 0;

    if (encoder->row >= picture->snow_row) {
        unsigned left = encoder->rows * encoder->columns - index;

        step = fake_rate_snow_step(&encoder->rate, encoder->slice.idr, before, left);
        changed = step > 0 || encoder->slice.idr;
        if (changed)
            fake_picture_snow(encoder->picture, encoder->column, encoder->row,
                              encoder->rate.amplitude[step]);
    }
    memset(&encoder->current[encoder->column], 0, sizeof(struct macroblock));
    if (encoder->slice.idr)
        code_intra(encoder, plain);
    else if (changed)
        code_inter(encoder, plain);
    else
        code_unchanged(encoder);
    if (encoder->row >= picture->snow_row)
        fake_rate_snow_done(&encoder->rate, encoder->slice.idr, step, encoder->out.count - before);
}

static void code_macroblocks(struct fake_h264 *encoder)
{
    encoder->skipped = 0;
    for (encoder->row = 0; encoder->row < encoder->rows; encoder->row++) {
        struct macroblock *done = encoder->above;

        encoder->above = encoder->current;
        encoder->current = done;
        for (encoder->column = 0; encoder->column < encoder->columns; encoder->column++)
            code_macroblock(encoder);
    }
    if (encoder->skipped)
        fake_bits_put_ue(&encoder->out, encoder->skipped);
}

// What was coded becomes part of the reference picture.
static void keep_reference(struct fake_h264 *encoder)
{
    for (encoder->row = 0; encoder->row < encoder->rows; encoder->row++) {
        for (encoder->column = 0; encoder->column < encoder->columns; encoder->column++) {
            struct fake_plane from[3], to[3];

            if (!encoder->slice.idr &&
                !encoder->coded[encoder->row * encoder->columns + encoder->column])
                continue;
            locate(encoder, encoder->result, 0, 0, from);
            locate(encoder, encoder->reference, 0, 0, to);
            for (unsigned i = 0; i < 3; i++)
                copy(from[i], to[i], i ? 8 : 16);
        }
    }
}

static void begin_picture(struct fake_h264 *encoder)
{
    struct fake_slice *slice = &encoder->slice;

    slice->frame_num++;
    slice->idr = !encoder->begun || slice->frame_num >= encoder->options.gop_frames;
    if (slice->idr) {
        slice->frame_num = 0;
        slice->idr_pic_id ^= 1;
    }
    encoder->begun = true;
    fake_rate_begin_picture(&encoder->rate, slice->idr);
    if (slice->idr) {
        slice->qp = encoder->rate.qp;
        fake_quantiser_set(&encoder->luma, slice->qp);
        fake_quantiser_set(&encoder->chroma, fake_chroma_qp(slice->qp));
    }
    memset(encoder->coded, 0, (size_t)encoder->columns * encoder->rows);
}

size_t fake_h264_encode(struct fake_h264 *encoder, uint32_t frame_number, int64_t utc_us,
                        uint8_t *out, bool *key)
{
    size_t room = fake_h264_size_max(encoder), sei, length;

    begin_picture(encoder);
    fake_picture_draw(encoder->picture, frame_number, utc_us);
    sei = fake_h264_write_sei(frame_number, utc_us, out, room);
    encoder->out = fake_h264_begin_slice(&encoder->slice, out + sei, room - sei);
    code_macroblocks(encoder);
    length = fake_bits_end(&encoder->out, out + sei);
    ENSURE(sei && length);
    keep_reference(encoder);
    fake_rate_end_picture(&encoder->rate, (sei + length) * 8);
    *key = encoder->slice.idr;
    return sei + length;
}

// ---- life --------------------------------------------------------------------------------------

static unsigned macroblocks_of(const struct fake_h264_options *options)
{
    return (options->width + 15) / 16 * ((options->height + 15) / 16);
}

// The most bits that the picture can carry: its snow grows to half of it, not more.
static unsigned bitrate_most(const struct fake_h264_options *options)
{
    uint64_t bits = (uint64_t)macroblocks_of(options) * options->fps * MACROBLOCK_BITS_MAX;

    return (unsigned)(bits < FAKE_BITRATE_MAX ? bits : FAKE_BITRATE_MAX);
}

unsigned fake_h264_bitrate_usual(const struct fake_h264_options *options)
{
    double bits = 1300 * sqrt(macroblocks_of(options)) * options->fps;
    double rounded = ceil(bits / 50000) * 50000;
    unsigned most = bitrate_most(options);

    return rounded < most ? (unsigned)rounded : most;
}

int fake_h264_check(const struct fake_h264_options *options, char *why, size_t room)
{
    const struct fake_h264_options *o = options;
    unsigned least, most;

    if (o->width < FAKE_SIZE_MIN || o->width > FAKE_SIZE_MAX || o->width % 2 ||
        o->height < FAKE_SIZE_MIN || o->height > FAKE_SIZE_MAX || o->height % 2) {
        text_format(why, room, "%ux%u: width and height are even numbers from %u to %u", o->width,
                    o->height, FAKE_SIZE_MIN, FAKE_SIZE_MAX);
        return ERR_LIMIT;
    }
    if (o->fps < 1 || o->fps > FAKE_FPS_MAX) {
        text_format(why, room, "fps %u: expected 1 to %u", o->fps, FAKE_FPS_MAX);
        return ERR_LIMIT;
    }
    if (o->gop_frames < 1 || o->gop_frames > FAKE_GOP_FRAMES_MAX) {
        text_format(why, room, "gop of %u pictures: expected 1 to %u", o->gop_frames,
                    FAKE_GOP_FRAMES_MAX);
        return ERR_LIMIT;
    }
    least = fake_rate_least(o->fps, o->gop_frames, macroblocks_of(o));
    most = bitrate_most(o);
    if (o->bitrate < least || o->bitrate > most) {
        text_format(why, room, "bitrate %u: %ux%u at %u fps and this gop takes from %u to %u",
                    o->bitrate, o->width, o->height, o->fps, least, most);
        return ERR_LIMIT;
    }
    if (!fake_h264_level(o)) {
        text_format(why, room, "%ux%u at %u fps is beyond H.264 level 5.2", o->width, o->height,
                    o->fps);
        return ERR_LIMIT;
    }
    return 0;
}

// Rows of snow: enough to carry most of the bitrate at a moderate strength, and at most half.
static unsigned snow_rows(const struct fake_h264_options *options, unsigned columns, unsigned rows)
{
    uint64_t bits = options->bitrate / options->fps;
    uint64_t wanted = bits / (SNOW_BITS * columns) + 1, least = 1 + rows / 10, most = rows / 2;

    return (unsigned)(wanted < least ? least : wanted > most ? most : wanted);
}

struct fake_h264 *fake_h264_new(const struct fake_h264_options *options)
{
    struct fake_h264 *encoder = mem_alloc(sizeof(*encoder));
    struct fake_picture_options picture = {
        .name = options->name,
        .width = options->width,
        .height = options->height,
        .fps = options->fps,
        .bitrate = options->bitrate,
    };
    size_t macroblocks = macroblocks_of(options);

    encoder->options = *options;
    encoder->options.name = NULL;
    encoder->columns = (options->width + 15) / 16;
    encoder->rows = (options->height + 15) / 16;
    picture.snow_rows = snow_rows(options, encoder->columns, encoder->rows);
    encoder->picture = fake_picture_new(&picture);
    for (unsigned i = 0; i < 3; i++) {
        encoder->reference[i].stride = encoder->result[i].stride =
            encoder->columns * (i ? 8u : 16u);
        encoder->reference[i].data = mem_alloc(macroblocks * (i ? 64 : 256));
        encoder->result[i].data = mem_alloc(macroblocks * (i ? 64 : 256));
    }
    encoder->above = mem_alloc(encoder->columns * sizeof(struct macroblock));
    encoder->current = mem_alloc(encoder->columns * sizeof(struct macroblock));
    encoder->coded = mem_alloc(macroblocks);
    encoder->bits_max = macroblocks * MACROBLOCK_BITS_MAX + 2 * (options->bitrate / options->fps);
    fake_rate_init(&encoder->rate, options->bitrate, options->fps, options->gop_frames,
                   (unsigned)macroblocks);
    return encoder;
}

void fake_h264_free(struct fake_h264 **encoder)
{
    struct fake_h264 *old = *encoder;

    if (!old)
        return;
    fake_picture_free(&old->picture);
    for (unsigned i = 0; i < 3; i++) {
        mem_free(old->reference[i].data);
        mem_free(old->result[i].data);
    }
    mem_free(old->above);
    mem_free(old->current);
    mem_free(old->coded);
    mem_free(old);
    *encoder = NULL;
}

size_t fake_h264_config(const struct fake_h264 *encoder, uint8_t out[FAKE_CONFIG_MAX])
{
    return fake_h264_write_config(&encoder->options, out);
}

size_t fake_h264_size_max(const struct fake_h264 *encoder)
{
    // Past bits_max: the levels of one macroblock, and heads of at most 40 bits for the others.
    // Emulation prevention adds a byte to two. The SEI and the slice header take under 100 bytes.
    size_t bits =
        encoder->bits_max + LEVELS_BITS_MAX + (size_t)encoder->columns * encoder->rows * 40;

    return bits / 8 * 3 / 2 + 100;
}

const uint8_t *fake_h264_reconstruction(const struct fake_h264 *encoder, unsigned plane,
                                        size_t *stride)
{
    *stride = encoder->reference[plane].stride;
    return encoder->reference[plane].data;
}
