// SPDX-License-Identifier: MIT
// An AAC-LC encoder reduced to what a few steady tones need: long windows, no prediction, no noise
// shaping, one spectral code book.
//
// An access unit is the transform of two blocks of 1024 samples, and what a decoder plays with it
// is the first of them. A beep is three blocks: it rises in the first and falls in the last. So
// there are five different units, by their two blocks:
//
//   none+begin   begin+middle   middle+end   end+none   none+none
#include "fake_aac.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/ensure.h"
#include "base/mem.h"

enum {
    BLOCK = FAKE_AAC_SAMPLES,
    BANDS = 22,       // scale factor bands that are coded: up to 3.75 kHz
    LINES = 160,      // spectral lines in them
    LEVEL_MAX = 7,    // of code book 7
    CODE_BOOK = 7,    // pairs of levels, signs apart
    SCALE_UNIT = 100, // scale factor of a step of one, 4.6.2.3.3
    SCALE_STEP_MAX = 22,
    UNIT_ROOM = 256,
    OBJECT_TYPE_LC = 2,
    RATE_INDEX_48000 = 3,
    ELEMENT_SINGLE = 0,
    ELEMENT_PAIR = 1,
    ELEMENT_END = 7,
};

static const double PI = 3.14159265358979323846, CHORD_LEVEL = 0.02 * 32768,
                    BEEP_LEVEL = 0.2 * 32768, SILENT_LINE = 8 * BLOCK;
static const unsigned CHORD_TURNS[3] = {8, 10, 12}, BEEP_TURNS = 20; // in a block

enum block { BEEP_BEGIN, BEEP_MIDDLE, BEEP_END, BEEP_NONE };
enum { UNIT_BEEP_END = BEEP_NONE, UNIT_CHORD, UNITS }; // the first three: by their second block

struct fake_aac {
    unsigned channels;
    struct {
        uint8_t data[UNIT_ROOM];
        size_t length;
    } unit[UNITS];
};

// First lines of the bands of a long window at 48 kHz, table 4.129.
static const uint8_t band_edge[BANDS + 1] = {0,  4,  8,  12, 16, 20, 24,  28,  32,  36,  40, 48,
                                             56, 64, 72, 80, 88, 96, 108, 120, 132, 144, 160};

struct code {
    uint16_t value;
    uint8_t length;
};

// Differences of scale factors from -22 to 22, out of table 4.A.1.
static const struct code scale_code[2 * SCALE_STEP_MAX + 1] = {
    {0x1ff7, 13}, {0x1ff5, 13}, {0xff9, 12},  {0xff7, 12}, {0xff6, 12}, {0x7f9, 11}, {0xff4, 12},
    {0x7f8, 11},  {0x3f9, 10},  {0x3f7, 10},  {0x3f5, 10}, {0x1f8, 9},  {0x1f7, 9},  {0xfa, 8},
    {0xf8, 8},    {0xf6, 8},    {0x79, 7},    {0x3a, 6},   {0x38, 6},   {0x1a, 5},   {0xb, 4},
    {0x4, 3},     {0x0, 1},     {0xa, 4},     {0xc, 4},    {0x1b, 5},   {0x39, 6},   {0x3b, 6},
    {0x78, 7},    {0x7a, 7},    {0xf7, 8},    {0xf9, 8},   {0x1f6, 9},  {0x1f9, 9},  {0x3f4, 10},
    {0x3f6, 10},  {0x3f8, 10},  {0x7f5, 11},  {0x7f4, 11}, {0x7f6, 11}, {0x7f7, 11}, {0xff5, 12},
    {0xff8, 12},  {0x1ff4, 13}, {0x1ff6, 13},
};

// Code book 7, table 4.A.8: [8 * first + second], without signs.
static const struct code pair_code[64] = {
    {0x0, 1},    {0x5, 3},    {0x37, 6},   {0x74, 7},   {0xf2, 8},   {0x1eb, 9},  {0x3ed, 10},
    {0x7f7, 11}, {0x4, 3},    {0xc, 4},    {0x35, 6},   {0x71, 7},   {0xec, 8},   {0xee, 8},
    {0x1ee, 9},  {0x1f5, 9},  {0x36, 6},   {0x34, 6},   {0x72, 7},   {0xea, 8},   {0xf1, 8},
    {0x1e9, 9},  {0x1f3, 9},  {0x3f5, 10}, {0x73, 7},   {0x70, 7},   {0xeb, 8},   {0xf0, 8},
    {0x1f1, 9},  {0x1f0, 9},  {0x3ec, 10}, {0x3fa, 10}, {0xf3, 8},   {0xed, 8},   {0x1e8, 9},
    {0x1ef, 9},  {0x3ef, 10}, {0x3f1, 10}, {0x3f9, 10}, {0x7fb, 11}, {0x1ed, 9},  {0xef, 8},
    {0x1ea, 9},  {0x1f2, 9},  {0x3f3, 10}, {0x3f8, 10}, {0x7f9, 11}, {0x7fc, 11}, {0x3ee, 10},
    {0x1ec, 9},  {0x1f4, 9},  {0x3f4, 10}, {0x3f7, 10}, {0x7f8, 11}, {0xffd, 12}, {0xffe, 12},
    {0x7f6, 11}, {0x3f0, 10}, {0x3f2, 10}, {0x3f6, 10}, {0x7fa, 11}, {0x7fd, 11}, {0xffc, 12},
    {0xfff, 12},
};

// ---- samples to lines --------------------------------------------------------------------------

static double beep_strength(enum block block, unsigned at)
{
    double rise = 0.5 - 0.5 * cos(PI * at / BLOCK);

    switch (block) {
    case BEEP_BEGIN:
        return rise;
    case BEEP_MIDDLE:
        return 1;
    case BEEP_END:
        return 1 - rise;
    case BEEP_NONE:
        break;
    }
    return 0;
}

static void make_block(enum block block, double out[BLOCK])
{
    for (unsigned i = 0; i < BLOCK; i++) {
        double turn = 2 * PI * i / BLOCK;

        out[i] = BEEP_LEVEL * beep_strength(block, i) * sin(turn * BEEP_TURNS);
        for (unsigned k = 0; k < 3; k++)
            out[i] += CHORD_LEVEL * sin(turn * CHORD_TURNS[k]);
    }
}

// Windowed MDCT of two blocks, its first lines only, straight from the definition: it runs for
// five units. The window is the sine window of 4.6.11.3.2.
static void transform(enum block first, enum block second, double line[LINES])
{
    enum { TURN = 8 * BLOCK }; // a full turn, in the steps that the cosine's argument takes
    double *cosine = mem_alloc(TURN * sizeof(*cosine));
    double *sample = mem_alloc(2 * BLOCK * sizeof(*sample));

    make_block(first, sample);
    make_block(second, sample + BLOCK);
    for (unsigned i = 0; i < 2 * BLOCK; i++)
        sample[i] *= sin(PI * (i + 0.5) / (2 * BLOCK));
    for (unsigned i = 0; i < TURN; i++)
        cosine[i] = cos(2 * PI * i / TURN);
    for (unsigned k = 0; k < LINES; k++) {
        double sum = 0;

        for (unsigned i = 0; i < 2 * BLOCK; i++)
            sum += sample[i] * cosine[(2 * i + 1 + BLOCK) * (2 * k + 1) % TURN];
        line[k] = 2 * sum;
    }
    mem_free(cosine);
    mem_free(sample);
}

// ---- lines to levels ---------------------------------------------------------------------------

struct spectrum {
    int level[LINES];
    int scale[BANDS]; // scale factor
    bool used[BANDS]; // some level is not zero
};

static int level_of(double line, int scale)
{
    double size = pow(fabs(line) / pow(2, (scale - SCALE_UNIT) / 4.0), 0.75);
    int level = (int)(size + 0.4054);

    return line < 0 ? -level : level;
}

static double value_of(int level, int scale)
{
    double size = pow(abs(level), 4.0 / 3) * pow(2, (scale - SCALE_UNIT) / 4.0);

    return level < 0 ? -size : size;
}

// The scale factor that misses the lines least while no level is too large.
static int best_scale(const double *line, unsigned count)
{
    double best_miss = INFINITY;
    int best = 255;

    for (int scale = 255, high = 0; scale > SCALE_UNIT && high <= LEVEL_MAX; scale--) {
        double miss = 0;

        high = 0;
        for (unsigned i = 0; i < count; i++) {
            int level = level_of(line[i], scale);

            high = abs(level) > high ? abs(level) : high;
            miss += pow(value_of(level, scale) - line[i], 2);
        }
        if (high <= LEVEL_MAX && miss < best_miss) {
            best_miss = miss;
            best = scale;
        }
    }
    return best;
}

static void quantise(const double line[LINES], struct spectrum *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned band = 0; band < BANDS; band++) {
        for (unsigned i = band_edge[band]; i < band_edge[band + 1]; i++)
            out->used[band] |= fabs(line[i]) > SILENT_LINE;
        if (out->used[band])
            out->scale[band] =
                best_scale(line + band_edge[band], band_edge[band + 1] - band_edge[band]);
    }
    // Scale factors must not differ more than the codes allow: raising one coarsens its band.
    for (unsigned pass = 0, last = BANDS; pass < 2; pass++, last = BANDS) {
        for (unsigned n = 0; n < BANDS; n++) {
            unsigned band = pass ? n : BANDS - 1 - n;

            if (!out->used[band])
                continue;
            if (last < BANDS && out->scale[band] < out->scale[last] - SCALE_STEP_MAX)
                out->scale[band] = out->scale[last] - SCALE_STEP_MAX;
            last = band;
        }
    }
    for (unsigned band = 0; band < BANDS; band++)
        for (unsigned i = band_edge[band]; out->used[band] && i < band_edge[band + 1]; i++)
            out->level[i] = level_of(line[i], out->scale[band]);
}

// ---- levels to bits ----------------------------------------------------------------------------

static void put(struct bits_writer *out, struct code code)
{
    bits_write(out, code.value, code.length);
}

// section_data, 4.4.2.7: runs of bands with the same code book.
static void put_sections(struct bits_writer *out, const struct spectrum *spectrum)
{
    for (unsigned band = 0; band < BANDS;) {
        unsigned end = band + 1;

        while (end < BANDS && spectrum->used[end] == spectrum->used[band])
            end++;
        bits_write(out, spectrum->used[band] ? CODE_BOOK : 0, 4);
        bits_write(out, end - band, 5); // under 31, which would go on
        band = end;
    }
}

static void put_scales(struct bits_writer *out, const struct spectrum *spectrum, int last)
{
    for (unsigned band = 0; band < BANDS; band++) {
        if (!spectrum->used[band])
            continue;
        put(out, scale_code[spectrum->scale[band] - last + SCALE_STEP_MAX]);
        last = spectrum->scale[band];
    }
}

static void put_levels(struct bits_writer *out, const struct spectrum *spectrum)
{
    for (unsigned band = 0; band < BANDS; band++) {
        for (unsigned i = band_edge[band]; spectrum->used[band] && i < band_edge[band + 1];
             i += 2) {
            int a = spectrum->level[i], b = spectrum->level[i + 1];

            put(out, pair_code[8 * abs(a) + abs(b)]);
            if (a)
                bits_write(out, a < 0, 1);
            if (b)
                bits_write(out, b < 0, 1);
        }
    }
}

// ics_info, 4.4.2.1.
static void put_window(struct bits_writer *out)
{
    bits_write(out, 0, 1); // reserved
    bits_write(out, 0, 2); // ONLY_LONG_SEQUENCE
    bits_write(out, 0, 1); // sine window
    bits_write(out, BANDS, 6);
    bits_write(out, 0, 1); // no prediction
}

// individual_channel_stream, 4.4.2.7, whose window is common to the pair or its own.
static void put_channel(struct bits_writer *out, const struct spectrum *spectrum, bool common)
{
    int gain = SCALE_UNIT; // the scale factor that the first one differs from

    for (unsigned band = BANDS; band-- > 0;)
        gain = spectrum->used[band] ? spectrum->scale[band] : gain;
    bits_write(out, (uint32_t)gain, 8);
    if (!common)
        put_window(out);
    put_sections(out, spectrum);
    put_scales(out, spectrum, gain);
    bits_write(out, 0, 3); // no pulses, no noise shaping, no gain control
    put_levels(out, spectrum);
}

static size_t write_unit(unsigned channels, enum block first, enum block second,
                         uint8_t room[UNIT_ROOM])
{
    static const struct spectrum nothing;
    struct bits_writer out = {.data = room, .capacity = UNIT_ROOM};
    struct spectrum spectrum;
    double line[LINES];

    transform(first, second, line);
    quantise(line, &spectrum);
    bits_write(&out, channels == 2 ? ELEMENT_PAIR : ELEMENT_SINGLE, 3);
    bits_write(&out, 0, 4); // element_instance_tag
    if (channels == 2) {
        bits_write(&out, 1, 1); // common_window
        put_window(&out);
        bits_write(&out, 2, 2); // all bands are middle and side; there is no side
        put_channel(&out, &spectrum, true);
        put_channel(&out, &nothing, true);
    } else {
        put_channel(&out, &spectrum, false);
    }
    bits_write(&out, ELEMENT_END, 3);
    bits_write(&out, 0, (8 - out.bit % 8) % 8);
    ENSURE(!out.full);
    return out.bit / 8;
}

// ---- life --------------------------------------------------------------------------------------

struct fake_aac *fake_aac_new(unsigned channels)
{
    static const enum block blocks[UNITS][2] = {
        {BEEP_NONE, BEEP_BEGIN}, {BEEP_BEGIN, BEEP_MIDDLE}, {BEEP_MIDDLE, BEEP_END},
        {BEEP_END, BEEP_NONE},   {BEEP_NONE, BEEP_NONE},
    };
    struct fake_aac *aac = mem_alloc(sizeof(*aac));

    ENSURE(channels == 1 || channels == 2);
    aac->channels = channels;
    for (unsigned i = 0; i < UNITS; i++)
        aac->unit[i].length = write_unit(channels, blocks[i][0], blocks[i][1], aac->unit[i].data);
    return aac;
}

void fake_aac_free(struct fake_aac **aac)
{
    mem_free(*aac);
    *aac = NULL;
}

void fake_aac_config(const struct fake_aac *aac, uint8_t out[FAKE_AAC_CONFIG_LENGTH])
{
    struct bits_writer bits = {.data = out, .capacity = FAKE_AAC_CONFIG_LENGTH};

    bits_write(&bits, OBJECT_TYPE_LC, 5);
    bits_write(&bits, RATE_INDEX_48000, 4);
    bits_write(&bits, aac->channels, 4);
    bits_write(&bits, 0, 3); // 1024 samples, no core coder, no extension
}

// The beep is in the first blocks that begin in a second.
static enum block block_at(int64_t sample)
{
    int64_t number = sample % FAKE_AAC_RATE / BLOCK;

    return number < BEEP_NONE ? (enum block)number : BEEP_NONE;
}

struct bytes fake_aac_unit(const struct fake_aac *aac, int64_t sample)
{
    enum block first = block_at(sample), second = block_at(sample + BLOCK);
    unsigned unit = second != BEEP_NONE ? second : first == BEEP_END ? UNIT_BEEP_END : UNIT_CHORD;

    return (struct bytes){aac->unit[unit].data, aac->unit[unit].length};
}
