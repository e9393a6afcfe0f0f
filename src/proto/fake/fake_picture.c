// SPDX-License-Identifier: MIT
// Layout, from the top, in parts of the height above the snow:
//
//    0..30 %   bars with the box
//   30..35 %   grey steps
//   38..67 %   clock                 12:34:56.789
//   69..81 %   date, lamp, counter   2026-11-23 UTC  o  FRAME 00001234
//   81..91 %   name, format          left out where they cannot be read, as is the row above
//   91..97 %   ruler and marker      one crossing a second, ten ticks
//   then       snow                  whole rows of macroblocks
//
// Everything is a rectangle, a row of letters or snow. Text is drawn in luma only: its paper is
// nearly grey, so colour would cost bits and add nothing.
#include "fake_picture.h"

#include <string.h>
#include <time.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "fake_font.h"

struct colour {
    uint8_t y, u, v;
};

// ITU-R BT.709-6, 3.2 and 3.4: from 8-bit R'G'B' to limited range Y'CbCr.
#define RGB(r, g, b)                                                                               \
    {                                                                                              \
        (uint8_t)(16.5 + ((r)*0.2126 + (g)*0.7152 + (b)*0.0722) * 219 / 255),                      \
            (uint8_t)(128.5 + ((b)*0.9278 - (r)*0.2126 - (g)*0.7152) / 1.8556 * 224 / 255),        \
            (uint8_t)(128.5 + ((r)*0.7874 - (g)*0.7152 - (b)*0.0722) / 1.5748 * 224 / 255)         \
    }

static const struct colour BACKGROUND = RGB(22, 26, 34), PANEL = RGB(10, 12, 16),
                           GROOVE = RGB(48, 54, 66), TICK = RGB(120, 128, 140),
                           MARKER = RGB(255, 176, 32), LAMP_OFF = RGB(44, 40, 30),
                           LAMP_LIT = RGB(255, 220, 110), BOX_EDGE = RGB(250, 250, 250),
                           BOX_A = RGB(20, 90, 160), BOX_B = RGB(245, 130, 30);
static const struct colour BARS[8] = {RGB(191, 191, 191), RGB(191, 191, 0), RGB(0, 191, 191),
                                      RGB(0, 191, 0),     RGB(191, 0, 191), RGB(191, 0, 0),
                                      RGB(0, 0, 191),     RGB(16, 16, 16)};
enum {
    INK_CLOCK = 235,
    INK_TEXT = 200,
    INK_LABEL = 150,
    SNOW_GREY = 110,
    STEPS = 11,
    READABLE_HEIGHT = 9
};

static const char LETTERS[] = "0123456789:.-_/+ ABCDEFGHIJKLMNOPQRSTUVWXYZ~";

static unsigned even(double value)
{
    return (unsigned)(value / 2 + 0.5) * 2;
}

static void mark_changed(struct fake_picture *picture, struct fake_rect rect)
{
    unsigned right, bottom;

    if (rect.width == 0 || rect.height == 0)
        return;
    right = (rect.x + rect.width - 1) / 16;
    bottom = (rect.y + rect.height - 1) / 16;
    for (unsigned row = rect.y / 16; row <= bottom; row++)
        memset(picture->changed + (size_t)row * picture->columns + rect.x / 16, 1,
               right - rect.x / 16 + 1);
}

static void fill(struct fake_picture *picture, struct fake_rect rect, struct colour colour)
{
    const uint8_t value[3] = {colour.y, colour.u, colour.v};

    for (unsigned i = 0; i < 3; i++) {
        unsigned shift = i ? 1 : 0;
        struct fake_plane *plane = &picture->plane[i];
        uint8_t *at = plane->data + (rect.y >> shift) * plane->stride + (rect.x >> shift);

        for (unsigned y = 0; y < rect.height >> shift; y++, at += plane->stride)
            memset(at, value[i], rect.width >> shift);
    }
    mark_changed(picture, rect);
}

static struct fake_rect overlap(struct fake_rect a, struct fake_rect b)
{
    unsigned left = a.x > b.x ? a.x : b.x, top = a.y > b.y ? a.y : b.y;
    unsigned right = a.x + a.width < b.x + b.width ? a.x + a.width : b.x + b.width;
    unsigned bottom = a.y + a.height < b.y + b.height ? a.y + a.height : b.y + b.height;

    return right > left && bottom > top ? (struct fake_rect){left, top, right - left, bottom - top}
                                        : (struct fake_rect){0, 0, 0, 0};
}

// `count` equal pieces of a rectangle, side by side; the i-th.
static struct fake_rect piece(struct fake_rect all, unsigned i, unsigned count)
{
    unsigned left = even((double)all.width * i / count);

    return (struct fake_rect){all.x + left, all.y, even((double)all.width * (i + 1) / count) - left,
                              all.height};
}

static void draw_bars(struct fake_picture *picture, struct fake_rect where)
{
    for (unsigned i = 0; i < 8; i++)
        fill(picture, overlap(where, piece(picture->bars, i, 8)), BARS[i]);
}

static void draw_ruler(struct fake_picture *picture, struct fake_rect where)
{
    struct fake_rect groove = picture->ruler;

    fill(picture, overlap(where, picture->ruler), PANEL);
    groove.y += even(groove.height * 0.4);
    groove.height = even(groove.height * 0.2);
    fill(picture, overlap(where, groove), GROOVE);
    for (unsigned i = 0; i <= 10; i++) {
        struct fake_rect tick = picture->ruler;

        tick.x += even((double)(tick.width - 2) * i / 10);
        tick.width = 2;
        if (i % 5) {
            tick.y += even(tick.height * 0.3);
            tick.height = even(tick.height * 0.4);
        }
        fill(picture, overlap(where, tick), TICK);
    }
}

static void draw_steps(struct fake_picture *picture, struct fake_rect where)
{
    for (unsigned i = 0; i < STEPS; i++)
        fill(picture, piece(where, i, STEPS),
             (struct colour){(uint8_t)(16 + 219 * i / (STEPS - 1)), 128, 128});
}

static void draw_text(struct fake_picture *picture, const struct fake_font *font, unsigned x,
                      unsigned y, const char *text, uint8_t paper, uint8_t ink)
{
    for (; *text; text++) {
        unsigned width = fake_font_width(font, *text);

        if (x + width > picture->width)
            return;
        fake_font_draw(font, *text, picture->plane[0].data + y * picture->plane[0].stride + x,
                       picture->plane[0].stride, paper, ink);
        mark_changed(picture, (struct fake_rect){x, y, width, fake_font_height(font)});
        x += width;
    }
}

// Draws the letters that differ from what is shown. All texts of a field have dots, colons and
// letters at the same places, so that each letter stays where it is.
static void field_show(struct fake_picture *picture, struct fake_field *field, const char *text)
{
    unsigned x = field->x;

    if (!field->font)
        return;
    for (unsigned i = 0; text[i]; i++) {
        const char letter[2] = {text[i], 0};

        if (text[i] != field->shown[i])
            draw_text(picture, field->font, x, field->y, letter, field->paper, field->ink);
        x += fake_font_width(field->font, text[i]);
    }
    text_copy(field->shown, sizeof(field->shown), text);
}

// Whether letters are large enough to be read, and fit a part of the picture.
static bool readable(const struct fake_font *font, double room)
{
    return fake_font_height(font) >= READABLE_HEIGHT && fake_font_height(font) <= room;
}

static void field_place(struct fake_field *field, const struct fake_font *font, unsigned x,
                        unsigned y, struct colour paper, uint8_t ink)
{
    *field = (struct fake_field){.font = font, .x = x, .y = y, .paper = paper.y, .ink = ink};
}

// The place of an object that moves `step` pixels a picture between 0 and `range` and back.
static unsigned bounce(uint32_t number, unsigned step, unsigned range)
{
    uint64_t at = range ? (uint64_t)number * step % (2 * range) : 0;

    return (unsigned)(at > range ? 2 * range - at : at);
}

static void draw_box(struct fake_picture *picture, uint32_t number)
{
    struct fake_rect old = picture->box, box = old, bars = picture->bars;
    unsigned edge = even(box.width / 12.0), half;

    box.x = bars.x + bounce(number, picture->box_step_x, bars.width - box.width);
    box.y = bars.y + bounce(number, picture->box_step_y, bars.height - box.height);
    picture->box_dx = (int)box.x - (int)old.x;
    picture->box_dy = (int)box.y - (int)old.y;
    picture->box = box;
    draw_bars(picture, old);
    fill(picture, box, BOX_EDGE);
    half = even((box.width - 2 * edge) / 2.0);
    for (unsigned i = 0; i < 4; i++) {
        bool right = i & 1, low = i >> 1;
        unsigned rest = box.width - 2 * edge - half;

        fill(picture,
             (struct fake_rect){box.x + edge + (right ? half : 0), box.y + edge + (low ? half : 0),
                                right ? rest : half, low ? rest : half},
             right == low ? BOX_A : BOX_B);
    }
}

static void draw_marker(struct fake_picture *picture, int64_t utc_us)
{
    struct fake_rect ruler = picture->ruler, marker = picture->marker;
    unsigned range = ruler.width - marker.width;

    draw_ruler(picture, marker);
    marker.x = ruler.x + even((double)range * (double)(utc_us % 1000000) / 1e6);
    fill(picture, marker, MARKER);
    picture->marker = marker;
}

static void draw_lamp(struct fake_picture *picture, int64_t utc_us)
{
    bool lit = utc_us % 1000000 < FAKE_LAMP_US;

    if (lit != picture->lamp_lit)
        fill(picture, picture->lamp, lit ? LAMP_LIT : LAMP_OFF);
    picture->lamp_lit = lit;
}

void fake_picture_draw(struct fake_picture *picture, uint32_t number, int64_t utc_us)
{
    time_t seconds = (time_t)(utc_us / 1000000);
    struct tm tm;
    char text[64];

    memset(picture->changed, 0, (size_t)picture->columns * picture->rows);
    gmtime_r(&seconds, &tm);
    text_format(text, sizeof(text), "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec,
                (int)(utc_us / 1000 % 1000));
    field_show(picture, &picture->clock, text);
    text_format(text, sizeof(text), "%04d-%02d-%02d UTC", (tm.tm_year + 1900) % 10000,
                tm.tm_mon + 1, tm.tm_mday);
    field_show(picture, &picture->date, text);
    text_format(text, sizeof(text), "FRAME %08u", number % 100000000);
    field_show(picture, &picture->counter, text);
    draw_lamp(picture, utc_us);
    draw_box(picture, number);
    draw_marker(picture, utc_us);
}

void fake_picture_snow(struct fake_picture *picture, unsigned column, unsigned row,
                       unsigned amplitude)
{
    const struct fake_plane *plane = &picture->plane[0];
    uint8_t *at = plane->data + (size_t)row * 16 * plane->stride + (size_t)column * 16;
    uint64_t seed = picture->snow_seed;

    for (unsigned y = 0; y < 16; y++, at += plane->stride) {
        for (unsigned x = 0; x < 16; x++) {
            if (x % 8 == 0) { // eight samples from one step of a xorshift generator
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
            }
            at[x] = (uint8_t)(SNOW_GREY - amplitude +
                              ((seed >> (x % 8 * 8) & 255) * (2 * amplitude + 1) >> 8));
        }
    }
    picture->snow_seed = seed;
}

static void draw_labels(struct fake_picture *picture, const struct fake_picture_options *options,
                        unsigned margin, unsigned y)
{
    char name[64], format[64];
    unsigned width;

    text_format(format, sizeof(format), "%ux%u  %u FPS  %u KBIT/S", options->width, options->height,
                options->fps, options->bitrate / 1000);
    width = fake_font_text_width(picture->small, format);
    if (width + margin < options->width)
        draw_text(picture, picture->small, options->width - margin - width, y, format, BACKGROUND.y,
                  INK_LABEL);
    else
        width = 0;
    text_copy(name, sizeof(name), options->name ? options->name : "");
    while (*name &&
           fake_font_text_width(picture->small, name) + width + 3 * margin > options->width)
        name[strlen(name) - 1] = 0;
    for (char *c = name; *c; c++)
        if (!strchr(LETTERS, *c) && !(*c >= 'a' && *c <= 'z'))
            *c = '~'; // drawn as a box
    draw_text(picture, picture->small, margin, y, name, BACKGROUND.y, INK_LABEL);
}

// Rectangles and fields from the sizes; draws what never changes.
static void lay_out(struct fake_picture *picture, const struct fake_picture_options *options)
{
    double width = options->width, height = picture->snow_row * 16;
    unsigned margin = even(width * 0.035), box, panel_y, y;
    unsigned text_width;

    picture->bars = (struct fake_rect){0, 0, options->width, even(height * 0.30)};
    draw_bars(picture, picture->bars);
    draw_steps(picture,
               (struct fake_rect){0, picture->bars.height, options->width, even(height * 0.05)});
    box = even(picture->bars.height * 0.4);
    picture->box = (struct fake_rect){0, 0, box, box};
    picture->box_step_x = even(width / 160) ? even(width / 160) : 2;
    picture->box_step_y = 2;

    panel_y = even(height * 0.38);
    fill(picture, (struct fake_rect){0, panel_y, options->width, even(height * 0.29)}, PANEL);
    text_width = fake_font_text_width(picture->large, "00:00:00.000");
    y = panel_y + (even(height * 0.29) - fake_font_height(picture->large)) / 2;
    field_place(&picture->clock, picture->large, (options->width - text_width) / 2, y, PANEL,
                INK_CLOCK);

    y = even(height * 0.69);
    text_width = fake_font_text_width(picture->medium, "FRAME 00000000");
    if (readable(picture->medium, height * 0.12)) {
        field_place(&picture->date, picture->medium, margin, y, BACKGROUND, INK_TEXT);
        field_place(&picture->counter, picture->medium, options->width - margin - text_width, y,
                    BACKGROUND, INK_TEXT);
    }
    box = even(fake_font_height(picture->medium) * 0.6);
    picture->lamp =
        (struct fake_rect){even((options->width - box) / 2.0),
                           even(y + (fake_font_height(picture->medium) - box) / 2.0), box, box};
    fill(picture, picture->lamp, LAMP_OFF);

    if (readable(picture->small, height * 0.1))
        draw_labels(picture, options, margin, even(height * 0.81));

    y = even(height * 0.91);
    picture->ruler =
        (struct fake_rect){margin, y, options->width - 2 * margin, even(height * 0.97) - y};
    draw_ruler(picture, picture->ruler);
    picture->marker = picture->ruler;
    picture->marker.width = even(width * 0.02) ? even(width * 0.02) : 2;
}

struct fake_picture *fake_picture_new(const struct fake_picture_options *options)
{
    struct fake_picture *picture = mem_alloc(sizeof(*picture));
    double unit, by_height;
    size_t samples;

    picture->width = options->width;
    picture->height = options->height;
    picture->columns = (options->width + 15) / 16;
    picture->rows = (options->height + 15) / 16;
    ENSURE(options->snow_rows < picture->rows);
    picture->snow_row = picture->rows - options->snow_rows;
    picture->snow_seed = 0x9e3779b97f4a7c15u;
    samples = (size_t)picture->columns * picture->rows * 256;
    for (unsigned i = 0; i < 3; i++) {
        picture->plane[i].stride = (size_t)picture->columns * (i ? 8 : 16);
        picture->plane[i].data = mem_alloc(i ? samples / 4 : samples);
    }
    picture->changed = mem_alloc((size_t)picture->columns * picture->rows);

    // The clock takes 130 units across with its margins, and 15 of 29 % of the height.
    unit = options->width / 130.0;
    by_height = picture->snow_row * 16 * 0.29 / 15.5;
    unit = by_height < unit ? by_height : unit;
    picture->large = fake_font_new(unit, 1.9, "0123456789:.");
    picture->medium = fake_font_new(unit * 0.36, 1.5, LETTERS);
    picture->small = fake_font_new(unit * 0.26, 1.4, LETTERS);

    fill(picture, (struct fake_rect){0, 0, picture->columns * 16, picture->rows * 16}, BACKGROUND);
    for (unsigned i = picture->snow_row; i < picture->rows; i++)
        fill(picture, (struct fake_rect){0, i * 16, picture->columns * 16, 16},
             (struct colour){SNOW_GREY, 128, 128});
    lay_out(picture, options);
    return picture;
}

void fake_picture_free(struct fake_picture **picture)
{
    struct fake_picture *old = *picture;

    if (!old)
        return;
    for (unsigned i = 0; i < 3; i++)
        mem_free(old->plane[i].data);
    mem_free(old->changed);
    fake_font_free(&old->large);
    fake_font_free(&old->medium);
    fake_font_free(&old->small);
    mem_free(old);
    *picture = NULL;
}
