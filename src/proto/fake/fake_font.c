// SPDX-License-Identifier: MIT
// Strokes are written as text. A point is two digits, x then y, on a grid of 8 by 12 (hexadecimal,
// y downwards); points are joined by lines; "(" marks a point that only bends the line between its
// neighbours (a quadratic curve); a space lifts the pen; a lone point is a dot.
#include "fake_font.h"

#include <math.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"

enum { GRID_WIDTH = 8, GRID_HEIGHT = 12, CURVE_STEPS = 8, LETTERS_MAX = 64 };

// Free space at each side of a letter and of a dot, and above and below, in units.
static const double SIDE = 1.5, DOT_SIDE = 2.6, EDGE = 1.5;

static const struct {
    char letter;
    const char *strokes;
} alphabet[] = {
    {'0', "40(808488(8c4c(0c0804(0040"},
    {'1', "13404c 1c7c"},
    {'2', "03(0040(8083(85670c8c"},
    {'3', "02(1040(7073(7646 36(8689(8c4c(1c0a"},
    {'4', "6c600989"},
    {'5', "701006(2444(8488(8c4c(1c0a"},
    {'6', "72(7040(000608(0c4c(8c88(8545(0508"},
    {'7', "00803c"},
    {'8', "46(1613(1040(7073(7646 46(0609(0c4c(8c89(8646"},
    {'9', "1a(1c4c(8c8684(8040(0004(0747(8784"},
    {'A', "0c408c 1878"},
    {'B', "56060050(7073(7656 56(8689(8c5c0c06"},
    {'C', "82(7040(000408(0c4c(7c8a"},
    {'D', "000c4c(8c8884(804000"},
    {'E', "80000c8c 0666"},
    {'F', "80000c 0666"},
    {'G', "82(7040(000408(0c4c(8c888757"},
    {'H', "000c 808c 0686"},
    {'I', "404c 2060 2c6c"},
    {'J', "7078(7c4c(0c09"},
    {'K', "000c 8007 368c"},
    {'L', "000c8c"},
    {'M', "0c0047808c"},
    {'N', "0c008c80"},
    {'O', "40(808488(8c4c(0c0804(0040"},
    {'P', "0c0050(8083(865606"},
    {'Q', "40(808488(8c4c(0c0804(0040 598c"},
    {'R', "0c0050(8083(865606 468c"},
    {'S', "82(7040(0003(0646(8689(8c4c(1c0a"},
    {'T', "0080 404c"},
    {'U', "0008(0c4c(8c8880"},
    {'V', "004c80"},
    {'W', "002c456c80"},
    {'X', "008c 800c"},
    {'Y', "004680 464c"},
    {'Z', "00800c8c"},
    {'-', "1676"},
    {'_', "0c8c"},
    {'/', "0c80"},
    {'+', "1676 4339"},
    {':', "43 49"},
    {'.', "4c"},
    {' ', ""},
};
static const char unknown[] = "00800c8c 000c 808c";

struct fake_font {
    double unit, radius;               // pixels
    unsigned height, width, dot_width; // of a cell, pixels
    unsigned count;
    char letter[LETTERS_MAX];
    uint8_t *cell[LETTERS_MAX]; // coverage 0..255, owned
};

struct point {
    double x, y;
};

static int is_dot(char letter)
{
    return letter == ':' || letter == '.';
}

static char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static const char *strokes_of(char letter)
{
    for (size_t i = 0; i < sizeof(alphabet) / sizeof(alphabet[0]); i++)
        if (alphabet[i].letter == letter)
            return alphabet[i].strokes;
    return unknown;
}

static double distance_to_line(struct point p, struct point a, struct point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    double t = square > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / square : 0;

    t = t < 0 ? 0 : t > 1 ? 1 : t;
    dx = p.x - (a.x + t * dx);
    dy = p.y - (a.y + t * dy);
    return sqrt(dx * dx + dy * dy);
}

// Draws a line with round ends into a cell. Where lines meet the stronger one counts.
static void draw_line(const struct fake_font *font, uint8_t *cell, unsigned width, struct point a,
                      struct point b)
{
    double reach = font->radius + 1;
    int left = (int)(fmin(a.x, b.x) - reach), right = (int)(fmax(a.x, b.x) + reach) + 1;
    int top = (int)(fmin(a.y, b.y) - reach), bottom = (int)(fmax(a.y, b.y) + reach) + 1;

    left = left < 0 ? 0 : left;
    top = top < 0 ? 0 : top;
    right = right > (int)width ? (int)width : right;
    bottom = bottom > (int)font->height ? (int)font->height : bottom;
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            double gap = distance_to_line((struct point){x + 0.5, y + 0.5}, a, b);
            double cover = font->radius + 0.5 - gap;
            uint8_t value = (uint8_t)(cover <= 0 ? 0 : cover >= 1 ? 255 : cover * 255);
            uint8_t *at = cell + (size_t)y * width + x;

            *at = value > *at ? value : *at;
        }
    }
}

static void draw_curve(const struct fake_font *font, uint8_t *cell, unsigned width, struct point a,
                       struct point bend, struct point b)
{
    struct point from = a;

    for (unsigned i = 1; i <= CURVE_STEPS; i++) {
        double t = (double)i / CURVE_STEPS, s = 1 - t;
        struct point to = {s * s * a.x + 2 * s * t * bend.x + t * t * b.x,
                           s * s * a.y + 2 * s * t * bend.y + t * t * b.y};

        draw_line(font, cell, width, from, to);
        from = to;
    }
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct point point_of(const struct fake_font *font, unsigned width, const char *text)
{
    return (struct point){width / 2.0 + (digit(text[0]) - GRID_WIDTH / 2) * font->unit,
                          (digit(text[1]) + EDGE) * font->unit};
}

static void draw_strokes(const struct fake_font *font, uint8_t *cell, unsigned width,
                         const char *text)
{
    struct point pen = {0, 0};
    int down = 0;

    while (*text) {
        if (*text == ' ') {
            down = 0;
            text++;
        } else if (*text == '(') {
            struct point end = point_of(font, width, text + 3);

            draw_curve(font, cell, width, pen, point_of(font, width, text + 1), end);
            pen = end;
            text += 5;
        } else {
            struct point to = point_of(font, width, text);

            draw_line(font, cell, width, down ? pen : to, to);
            pen = to;
            down = 1;
            text += 2;
        }
    }
}

struct fake_font *fake_font_new(double unit, double thickness, const char *letters)
{
    struct fake_font *font = mem_alloc(sizeof(*font));

    font->unit = unit;
    font->radius = fmax(unit * thickness, 1) / 2;
    font->height = (unsigned)ceil((GRID_HEIGHT + 2 * EDGE) * unit);
    font->width = (unsigned)round((GRID_WIDTH + 2 * SIDE) * unit);
    font->dot_width = (unsigned)round(2 * DOT_SIDE * unit);
    for (; *letters && font->count < LETTERS_MAX; letters++) {
        char letter = upper(*letters);
        unsigned width = is_dot(letter) ? font->dot_width : font->width;

        if (memchr(font->letter, letter, font->count))
            continue;
        font->letter[font->count] = letter;
        font->cell[font->count] = mem_alloc((size_t)width * font->height);
        draw_strokes(font, font->cell[font->count], width, strokes_of(letter));
        font->count++;
    }
    return font;
}

void fake_font_free(struct fake_font **font)
{
    if (!*font)
        return;
    for (unsigned i = 0; i < (*font)->count; i++)
        mem_free((*font)->cell[i]);
    mem_free(*font);
    *font = NULL;
}

unsigned fake_font_height(const struct fake_font *font)
{
    return font->height;
}

unsigned fake_font_width(const struct fake_font *font, char letter)
{
    return is_dot(letter) ? font->dot_width : font->width;
}

unsigned fake_font_text_width(const struct fake_font *font, const char *text)
{
    unsigned width = 0;

    for (; *text; text++)
        width += fake_font_width(font, *text);
    return width;
}

void fake_font_draw(const struct fake_font *font, char letter, uint8_t *room, size_t stride,
                    uint8_t paper, uint8_t ink)
{
    const char *found = memchr(font->letter, upper(letter), font->count);
    unsigned width = fake_font_width(font, letter);
    const uint8_t *cover;

    ENSURE(found);
    cover = font->cell[found - font->letter];
    for (unsigned y = 0; y < font->height; y++, cover += width, room += stride)
        for (unsigned x = 0; x < width; x++)
            room[x] = (uint8_t)(paper + (ink - paper) * cover[x] / 255);
}
