// SPDX-License-Identifier: MIT
// Letters for the test picture. Each is a few strokes drawn for this program; a font is those
// strokes rendered once at one size with soft edges, so that text is clean from 160 to 3840 pixels.
#ifndef FAKE_FONT_H
#define FAKE_FONT_H

#include <stddef.h>
#include <stdint.h>

struct fake_font;

// unit: pixels a grid step; a capital is 8 units wide and 12 high. thickness of a stroke in units.
// letters: the characters that will be drawn; each costs one cell of memory. Lower case becomes
// upper case; what the program has no strokes for becomes a box. Never fails.
struct fake_font *fake_font_new(double unit, double thickness, const char *letters);
void fake_font_free(struct fake_font **font);

unsigned fake_font_height(const struct fake_font *font);             // pixels of a cell
unsigned fake_font_width(const struct fake_font *font, char letter); // dots are narrower
unsigned fake_font_text_width(const struct fake_font *font, const char *text);

// Writes the cell of a letter: samples `paper` to `ink`. room is the top left sample.
void fake_font_draw(const struct fake_font *font, char letter, uint8_t *room, size_t stride,
                    uint8_t paper, uint8_t ink);

#endif
