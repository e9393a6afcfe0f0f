// SPDX-License-Identifier: MIT
#include "media/h265.h"

#include "base/bits.h"
#include "base/code.h"
#include "unit.h"

#define SPS_720                                                                                    \
    "42010101600000030090000003000003005da00280802d165959a4932bc05a020000030002000003003210"

static struct bytes from_hex(const char *text, uint8_t *out, size_t room)
{
    size_t length;
    assert_true(hex_decode(text, strlen(text), out, room, &length));
    return bytes_of(out, length);
}

static void h265_sps_parse_x265_main(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct h265_sps sps;
    assert_int_equal(h265_sps_parse(from_hex(SPS_720, bytes, sizeof(bytes)), &sps), 0);
    assert_int_equal(sps.profile, 1);
    assert_int_equal(sps.tier, 0);
    assert_int_equal(sps.level, 93);
    assert_int_equal(sps.compatibility, 0x60000000);
    assert_int_equal(sps.constraints[0], 0x90);
    assert_int_equal(sps.width, 1280);
    assert_int_equal(sps.height, 720);
    assert_int_equal(sps.chroma_format, 1);
    assert_int_equal(sps.bit_depth_luma, 8);
    assert_int_equal(sps.temporal_layers, 1);
    assert_int_equal(sps.temporal_nested, 1);
    assert_int_equal(sps.reorder_frames, 2);
    assert_int_equal(sps.fps_num, 25);
    assert_int_equal(sps.fps_den, 1);
}

static void h265_sps_parse_ten_bits_cropped(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct h265_sps sps;
    // 642x362 needs a conformance window of 6 columns and rows
    struct bytes nal =
        from_hex("42010102200000030090000003000003003fa005120171c92365959a4932bc05a02"
                 "0000002000000303c10",
                 bytes, sizeof(bytes));
    assert_int_equal(h265_sps_parse(nal, &sps), 0);
    assert_int_equal(sps.profile, 2);
    assert_int_equal(sps.bit_depth_luma, 10);
    assert_int_equal(sps.bit_depth_chroma, 10);
    assert_int_equal(sps.width, 642);
    assert_int_equal(sps.height, 362);
}

// An SPS with three sub-layers, predicted reference sets, scaling lists, PCM and long-term
// pictures: the tools that stand between the sizes and the picture rate.
static size_t write_rich(uint8_t *nal, size_t room)
{
    uint8_t plain[512] = {0};
    struct bits_writer out = {.data = plain, .capacity = sizeof(plain)};
    bits_write(&out, 0x4201, 16);
    bits_write(&out, 0, 4);
    bits_write(&out, 2, 3); // three sub-layers
    bits_write(&out, 0, 1);
    bits_write(&out, 0x21, 8); // high tier, profile 1
    bits_write(&out, 0x60000000, 32);
    bits_write(&out, 0xb0000000, 32);
    bits_write(&out, 0, 16);
    bits_write(&out, 120, 8);
    bits_write(&out, 0x7, 4);         // first sub-layer: level; second: profile and level
    bits_write(&out, 0, 2 * 6);       // alignment
    bits_write(&out, 90, 8);          // level of the first
    for (unsigned i = 0; i < 11; i++) // profile of the second
        bits_write(&out, 0x11, 8);
    bits_write(&out, 93, 8);
    bits_write_ue(&out, 3); // id
    bits_write_ue(&out, 3); // 4:4:4
    bits_write(&out, 0, 1);
    bits_write_ue(&out, 1920);
    bits_write_ue(&out, 1088);
    bits_write(&out, 1, 1);
    for (unsigned i = 0; i < 3; i++)
        bits_write_ue(&out, 0);
    bits_write_ue(&out, 8); // rows: units of one in 4:4:4
    bits_write_ue(&out, 0);
    bits_write_ue(&out, 0);
    bits_write_ue(&out, 4); // picture order in 8 bits
    bits_write(&out, 1, 1);
    for (unsigned i = 0; i < 3; i++) {
        bits_write_ue(&out, 4);
        bits_write_ue(&out, i + 1);
        bits_write_ue(&out, 0);
    }
    for (unsigned i = 0; i < 6; i++)
        bits_write_ue(&out, i);
    bits_write(&out, 3, 2); // scaling lists are here
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            bits_write(&out, matrix % 2, 1);
            if (matrix % 2 == 0) {
                bits_write_ue(&out, matrix);
                continue;
            }
            if (size > 1)
                bits_write_se(&out, 8);
            for (unsigned i = 0; i < (size == 0 ? 16 : 64); i++)
                bits_write_se(&out, i % 3 ? 1 : -2);
        }
    }
    bits_write(&out, 3, 2);
    bits_write(&out, 1, 1); // PCM
    bits_write(&out, 0x77, 8);
    bits_write_ue(&out, 0);
    bits_write_ue(&out, 2);
    bits_write(&out, 0, 1);
    bits_write_ue(&out, 3); // short-term sets
    bits_write_ue(&out, 2); // the first: two before, one after
    bits_write_ue(&out, 1);
    for (unsigned i = 0; i < 3; i++) {
        bits_write_ue(&out, i);
        bits_write(&out, 1, 1);
    }
    bits_write(&out, 1, 1); // the second: predicted, four entries of which three stay
    bits_write(&out, 0, 1);
    bits_write_ue(&out, 1);
    bits_write(&out, 1, 1);
    bits_write(&out, 1, 2); // not used now, but kept
    bits_write(&out, 0, 2); // dropped
    bits_write(&out, 1, 1);
    bits_write(&out, 1, 1); // the third: predicted from the second, four flags
    bits_write(&out, 1, 1);
    bits_write_ue(&out, 0);
    bits_write(&out, 0xf, 4);
    bits_write(&out, 1, 1); // long-term pictures
    bits_write_ue(&out, 2);
    bits_write(&out, 0x3ffff, 18);
    bits_write(&out, 3, 2);
    bits_write(&out, 1, 1);   // VUI
    bits_write(&out, 0x1, 4); // nothing but the chroma location
    bits_write_ue(&out, 0);
    bits_write_ue(&out, 0);
    bits_write(&out, 0, 3);
    bits_write(&out, 1, 1); // default display window
    for (unsigned i = 0; i < 4; i++)
        bits_write_ue(&out, i);
    bits_write(&out, 1, 1);
    bits_write(&out, 1001, 32);
    bits_write(&out, 60000, 32);
    bits_write(&out, 0, 3);
    bits_write_trailing(&out);
    assert_false(out.full);
    size_t length = 0;
    for (size_t i = 0; i < out.bit / 8; i++) {
        if (length >= 2 && nal[length - 1] == 0 && nal[length - 2] == 0 && plain[i] <= 3)
            nal[length++] = 3;
        nal[length++] = plain[i];
        assert_true(length < room);
    }
    return length;
}

static void h265_sps_parse_every_tool_is_passed_over(void **state)
{
    (void)state;
    uint8_t nal[768];
    struct h265_sps sps;
    size_t length = write_rich(nal, sizeof(nal));
    assert_int_equal(h265_sps_parse(bytes_of(nal, length), &sps), 0);
    assert_int_equal(sps.id, 3);
    assert_int_equal(sps.tier, 1);
    assert_int_equal(sps.level, 120);
    assert_int_equal(sps.chroma_format, 3);
    assert_int_equal(sps.temporal_layers, 3);
    assert_int_equal(sps.temporal_nested, 0);
    assert_int_equal(sps.reorder_frames, 3);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(sps.fps_num, 60000);
    assert_int_equal(sps.fps_den, 1001);
}

static void h265_sps_parse_every_cut_is_invalid_or_loses_the_rate_only(void **state)
{
    (void)state;
    uint8_t nal[768];
    struct h265_sps sps;
    size_t whole = write_rich(nal, sizeof(nal));
    for (size_t length = 0; length < whole; length++) {
        int result = h265_sps_parse(bytes_of(nal, length), &sps);
        assert_true(result == ERR_INVALID || (result == 0 && sps.height == 1080));
    }
}

static void h265_sps_parse_absurd_is_invalid(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct h265_sps sps;
    struct bytes nal = from_hex(SPS_720, bytes, sizeof(bytes));
    bytes[0] = 0x40; // a VPS
    assert_int_equal(h265_sps_parse(nal, &sps), ERR_INVALID);
    bytes[0] = 0xc2;
    assert_int_equal(h265_sps_parse(nal, &sps), ERR_INVALID);
    bytes[0] = 0x42;
    bytes[2] |= 0x0e; // eight sub-layers
    assert_int_equal(h265_sps_parse(nal, &sps), ERR_INVALID);
}

TEST_MAIN(TEST(h265_sps_parse_x265_main), TEST(h265_sps_parse_ten_bits_cropped),
          TEST(h265_sps_parse_every_tool_is_passed_over),
          TEST(h265_sps_parse_every_cut_is_invalid_or_loses_the_rate_only),
          TEST(h265_sps_parse_absurd_is_invalid))
