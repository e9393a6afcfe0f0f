// SPDX-License-Identifier: MIT
// The test picture before it is coded: colour bars with a bouncing box, a clock, the frame number,
// a ruler that a marker crosses once a second, and a band of snow whose strength the encoder sets.
// 4:2:0, 8 bits, BT.709, limited range.
//
// A picture is drawn over the one before it: only what changes is touched, and said in `changed`.
#ifndef FAKE_PICTURE_H
#define FAKE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "fake_transform.h"

struct fake_font;

struct fake_picture_options {
    const char *name;       // drawn in a corner, cut when too long; NULL for none
    unsigned width, height; // even
    unsigned fps;           // for the label
    unsigned bitrate;       // bits a second, for the label
    unsigned snow_rows;     // macroblock rows of snow at the bottom, less than all
};

struct fake_rect {
    unsigned x, y, width, height; // samples of luma, all even
};

// Text that changes, on paper of one colour.
struct fake_field {
    const struct fake_font *font;
    unsigned x, y;
    uint8_t paper, ink; // luma
    char shown[24];     // what is drawn now
};

// Readers may read all; only fake_picture.c writes.
struct fake_picture {
    unsigned width, height; // as asked for
    unsigned columns, rows; // in macroblocks; the planes are this large
    unsigned snow_row;      // first row of snow
    struct fake_plane plane[3];
    uint8_t *changed;     // one byte a macroblock: differs from the picture before
    struct fake_rect box; // where the box is now ...
    int box_dx, box_dy;   // ... and how far it moved since the picture before; even

    struct fake_rect bars, ruler, marker, lamp; // private from here on
    bool lamp_lit;
    unsigned box_step_x, box_step_y;
    struct fake_font *large, *medium, *small;
    struct fake_field clock, date, counter;
    uint64_t snow_seed;
};

struct fake_picture *fake_picture_new(const struct fake_picture_options *options);
void fake_picture_free(struct fake_picture **picture);

// Draws the picture of frame `number` at `utc_us` (microseconds since 1970 UTC, not negative).
void fake_picture_draw(struct fake_picture *picture, uint32_t number, int64_t utc_us);

// Fills one macroblock of luma, at or below snow_row, with new snow around grey.
// amplitude: 0 (plain grey) to 100.
void fake_picture_snow(struct fake_picture *picture, unsigned column, unsigned row,
                       unsigned amplitude);

// For this long after each full second of UTC the lamp is lit; the sound has its beep then.
enum { FAKE_LAMP_US = 64000 };

#endif
