// SPDX-License-Identifier: MIT
// The code tables of ITU-T H.264, 9.2, each code as {length, value}, and the writer that uses them.
// The unit test codes blocks of every kind and lets a decoder that is not ours read them back.
#include "fake_cavlc.h"

#include "base/ensure.h"

struct code {
    uint8_t length, value;
};

// coeff_token, table 9-5: [nC class][coefficients][trailing ones]. The classes are nC 0..1, 2..3
// and 4..7; from 8 on the code has a fixed form, and chroma DC has its own table.
static const struct code coeff_token[3][17][4] = {
    {
        {{1, 1}},
        {{6, 5}, {2, 1}},
        {{8, 7}, {6, 4}, {3, 1}},
        {{9, 7}, {8, 6}, {7, 5}, {5, 3}},
        {{10, 7}, {9, 6}, {8, 5}, {6, 3}},
        {{11, 7}, {10, 6}, {9, 5}, {7, 4}},
        {{13, 15}, {11, 6}, {10, 5}, {8, 4}},
        {{13, 11}, {13, 14}, {11, 5}, {9, 4}},
        {{13, 8}, {13, 10}, {13, 13}, {10, 4}},
        {{14, 15}, {14, 14}, {13, 9}, {11, 4}},
        {{14, 11}, {14, 10}, {14, 13}, {13, 12}},
        {{15, 15}, {15, 14}, {14, 9}, {14, 12}},
        {{15, 11}, {15, 10}, {15, 13}, {14, 8}},
        {{16, 15}, {15, 1}, {15, 9}, {15, 12}},
        {{16, 11}, {16, 14}, {16, 13}, {15, 8}},
        {{16, 7}, {16, 10}, {16, 9}, {16, 12}},
        {{16, 4}, {16, 6}, {16, 5}, {16, 8}},
    },
    {
        {{2, 3}},
        {{6, 11}, {2, 2}},
        {{6, 7}, {5, 7}, {3, 3}},
        {{7, 7}, {6, 10}, {6, 9}, {4, 5}},
        {{8, 7}, {6, 6}, {6, 5}, {4, 4}},
        {{8, 4}, {7, 6}, {7, 5}, {5, 6}},
        {{9, 7}, {8, 6}, {8, 5}, {6, 8}},
        {{11, 15}, {9, 6}, {9, 5}, {6, 4}},
        {{11, 11}, {11, 14}, {11, 13}, {7, 4}},
        {{12, 15}, {11, 10}, {11, 9}, {9, 4}},
        {{12, 11}, {12, 14}, {12, 13}, {11, 12}},
        {{12, 8}, {12, 10}, {12, 9}, {11, 8}},
        {{13, 15}, {13, 14}, {13, 13}, {12, 12}},
        {{13, 11}, {13, 10}, {13, 9}, {13, 12}},
        {{13, 7}, {14, 11}, {13, 6}, {13, 8}},
        {{14, 9}, {14, 8}, {14, 10}, {13, 1}},
        {{14, 7}, {14, 6}, {14, 5}, {14, 4}},
    },
    {
        {{4, 15}},
        {{6, 15}, {4, 14}},
        {{6, 11}, {5, 15}, {4, 13}},
        {{6, 8}, {5, 12}, {5, 14}, {4, 12}},
        {{7, 15}, {5, 10}, {5, 11}, {4, 11}},
        {{7, 11}, {5, 8}, {5, 9}, {4, 10}},
        {{7, 9}, {6, 14}, {6, 13}, {4, 9}},
        {{7, 8}, {6, 10}, {6, 9}, {4, 8}},
        {{8, 15}, {7, 14}, {7, 13}, {5, 13}},
        {{8, 11}, {8, 14}, {7, 10}, {6, 12}},
        {{9, 15}, {8, 10}, {8, 13}, {7, 12}},
        {{9, 11}, {9, 14}, {8, 9}, {8, 12}},
        {{9, 8}, {9, 10}, {9, 13}, {8, 8}},
        {{10, 13}, {9, 7}, {9, 9}, {9, 12}},
        {{10, 9}, {10, 12}, {10, 11}, {10, 10}},
        {{10, 5}, {10, 8}, {10, 7}, {10, 6}},
        {{10, 1}, {10, 4}, {10, 3}, {10, 2}},
    },
};

static const struct code coeff_token_chroma_dc[5][4] = {
    {{2, 1}},
    {{6, 7}, {1, 1}},
    {{6, 4}, {6, 6}, {3, 1}},
    {{6, 3}, {7, 3}, {7, 2}, {6, 5}},
    {{6, 2}, {8, 3}, {8, 2}, {7, 0}},
};

// total_zeros, tables 9-7 and 9-8: [coefficients - 1][zeros].
static const struct code total_zeros[15][16] = {
    {{1, 1},
     {3, 3},
     {3, 2},
     {4, 3},
     {4, 2},
     {5, 3},
     {5, 2},
     {6, 3},
     {6, 2},
     {7, 3},
     {7, 2},
     {8, 3},
     {8, 2},
     {9, 3},
     {9, 2},
     {9, 1}},
    {{3, 7},
     {3, 6},
     {3, 5},
     {3, 4},
     {3, 3},
     {4, 5},
     {4, 4},
     {4, 3},
     {4, 2},
     {5, 3},
     {5, 2},
     {6, 3},
     {6, 2},
     {6, 1},
     {6, 0}},
    {{4, 5},
     {3, 7},
     {3, 6},
     {3, 5},
     {4, 4},
     {4, 3},
     {3, 4},
     {3, 3},
     {4, 2},
     {5, 3},
     {5, 2},
     {6, 1},
     {5, 1},
     {6, 0}},
    {{5, 3},
     {3, 7},
     {4, 5},
     {4, 4},
     {3, 6},
     {3, 5},
     {3, 4},
     {4, 3},
     {3, 3},
     {4, 2},
     {5, 2},
     {5, 1},
     {5, 0}},
    {{4, 5},
     {4, 4},
     {4, 3},
     {3, 7},
     {3, 6},
     {3, 5},
     {3, 4},
     {3, 3},
     {4, 2},
     {5, 1},
     {4, 1},
     {5, 0}},
    {{6, 1}, {5, 1}, {3, 7}, {3, 6}, {3, 5}, {3, 4}, {3, 3}, {3, 2}, {4, 1}, {3, 1}, {6, 0}},
    {{6, 1}, {5, 1}, {3, 5}, {3, 4}, {3, 3}, {2, 3}, {3, 2}, {4, 1}, {3, 1}, {6, 0}},
    {{6, 1}, {4, 1}, {5, 1}, {3, 3}, {2, 3}, {2, 2}, {3, 2}, {3, 1}, {6, 0}},
    {{6, 1}, {6, 0}, {4, 1}, {2, 3}, {2, 2}, {3, 1}, {2, 1}, {5, 1}},
    {{5, 1}, {5, 0}, {3, 1}, {2, 3}, {2, 2}, {2, 1}, {4, 1}},
    {{4, 0}, {4, 1}, {3, 1}, {3, 2}, {1, 1}, {3, 3}},
    {{4, 0}, {4, 1}, {2, 1}, {1, 1}, {3, 1}},
    {{3, 0}, {3, 1}, {1, 1}, {2, 1}},
    {{2, 0}, {2, 1}, {1, 1}},
    {{1, 0}, {1, 1}},
};

// Table 9-9 a.
static const struct code total_zeros_chroma_dc[3][4] = {
    {{1, 1}, {2, 1}, {3, 1}, {3, 0}},
    {{1, 1}, {2, 1}, {2, 0}},
    {{1, 1}, {1, 0}},
};

// run_before, table 9-10: [zeros left, at most 7][run]. With none left there is no code.
static const struct code run_before[8][15] = {
    {{0, 0}},
    {{1, 1}, {1, 0}},
    {{1, 1}, {2, 1}, {2, 0}},
    {{2, 3}, {2, 2}, {2, 1}, {2, 0}},
    {{2, 3}, {2, 2}, {2, 1}, {3, 1}, {3, 0}},
    {{2, 3}, {2, 2}, {3, 3}, {3, 2}, {3, 1}, {3, 0}},
    {{2, 3}, {3, 0}, {3, 1}, {3, 3}, {3, 2}, {3, 5}, {3, 4}},
    {{3, 7},
     {3, 6},
     {3, 5},
     {3, 4},
     {3, 3},
     {3, 2},
     {3, 1},
     {4, 1},
     {5, 1},
     {6, 1},
     {7, 1},
     {8, 1},
     {9, 1},
     {10, 1},
     {11, 1}},
};

// Table 9-4 the other way round, for inter macroblocks of 4:2:0 pictures: pattern to codeNum.
static const uint8_t inter_pattern[48] = {
    0, 2,  3,  7,  4,  8,  17, 13, 5,  18, 9,  14, 10, 15, 16, 11, // chroma 0
    1, 32, 33, 36, 34, 37, 44, 40, 35, 45, 38, 41, 39, 42, 43, 19, // chroma DC
    6, 24, 25, 20, 26, 21, 46, 28, 27, 47, 22, 29, 23, 30, 31, 12, // chroma DC and AC
};

unsigned fake_cavlc_inter_pattern(unsigned pattern)
{
    return inter_pattern[pattern];
}

static void put(struct fake_bits *out, struct code code)
{
    fake_bits_put(out, code.value, code.length);
}

static void put_coeff_token(struct fake_bits *out, unsigned total, unsigned ones, int context)
{
    if (context == FAKE_CAVLC_CHROMA_DC)
        put(out, coeff_token_chroma_dc[total][ones]);
    else if (context >= 8)
        fake_bits_put(out, total ? (total - 1) << 2 | ones : 3, 6);
    else
        put(out, coeff_token[context < 2 ? 0 : context < 4 ? 1 : 2][total][ones]);
}

// level_prefix and level_suffix, 9.2.2.1. The prefix is at most 15, as Baseline demands.
static void put_level(struct fake_bits *out, unsigned code, unsigned suffix_length)
{
    unsigned escape = suffix_length ? 15u << suffix_length : 30;

    if (code >= escape) {
        ENSURE(code - escape < 4096);
        fake_bits_put(out, 1, 16);
        fake_bits_put(out, code - escape, 12);
    } else if (suffix_length) {
        fake_bits_put(out, 1, (code >> suffix_length) + 1);
        fake_bits_put(out, code & ((1u << suffix_length) - 1), suffix_length);
    } else if (code >= 14) {
        fake_bits_put(out, 1, 15);
        fake_bits_put(out, code - 14, 4);
    } else {
        fake_bits_put(out, 1, code + 1);
    }
}

static void put_levels(struct fake_bits *out, const int16_t *value, unsigned total, unsigned ones)
{
    unsigned suffix_length = total > 10 && ones < 3;

    for (unsigned i = 0; i < ones; i++)
        fake_bits_put(out, value[i] < 0, 1);
    for (unsigned i = ones; i < total; i++) {
        unsigned size = (unsigned)(value[i] < 0 ? -value[i] : value[i]);
        unsigned code = 2 * size - (value[i] < 0 ? 1 : 2);

        // After fewer than three ones the next level cannot be another one: its code moves down.
        put_level(out, i == ones && ones < 3 ? code - 2 : code, suffix_length);
        if (suffix_length == 0)
            suffix_length = 1;
        if (size > 3u << (suffix_length - 1) && suffix_length < 6)
            suffix_length++;
    }
}

unsigned fake_cavlc_write(struct fake_bits *out, const int16_t *level, unsigned room, int context)
{
    int16_t value[17]; // levels, highest frequency first
    uint8_t place[17]; // where each stands
    unsigned total = 0, ones = 0, zeros;

    // Written without a branch: which levels are zero cannot be guessed.
    for (unsigned i = room; i-- > 0;) {
        value[total] = level[i];
        place[total] = (uint8_t)i;
        total += level[i] != 0;
    }
    while (ones < total && ones < 3 && (value[ones] == 1 || value[ones] == -1))
        ones++;
    put_coeff_token(out, total, ones, context);
    if (total == 0)
        return 0;
    put_levels(out, value, total, ones);
    zeros = place[0] + 1 - total;
    if (total < room)
        put(out,
            room == 4 ? total_zeros_chroma_dc[total - 1][zeros] : total_zeros[total - 1][zeros]);
    for (unsigned i = 0; i + 1 < total && zeros; i++) {
        unsigned run = place[i] - place[i + 1] - 1u;

        put(out, run_before[zeros > 7 ? 7 : zeros][run]);
        zeros -= run;
    }
    return total;
}
