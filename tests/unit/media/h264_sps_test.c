// SPDX-License-Identifier: MIT
#include "media/h264.h"

#include "base/bits.h"
#include "base/code.h"
#include "unit.h"

static struct bytes from_hex(const char *text, uint8_t *out, size_t room)
{
    size_t length;
    assert_true(hex_decode(text, strlen(text), out, room, &length));
    return bytes_of(out, length);
}

static struct h264_sps parse(const char *text)
{
    uint8_t bytes[256];
    struct h264_sps sps;
    assert_int_equal(h264_sps_parse(from_hex(text, bytes, sizeof(bytes)), &sps), 0);
    return sps;
}

static void h264_sps_parse_x264_high_with_b_frames(void **state)
{
    (void)state;
    struct h264_sps sps = parse("6764001facd9405005bb011000000300100000030320f1831960");
    assert_int_equal(sps.profile, 100);
    assert_int_equal(sps.level, 31);
    assert_int_equal(sps.width, 1280);
    assert_int_equal(sps.height, 720);
    assert_int_equal(sps.fps_num, 25);
    assert_int_equal(sps.fps_den, 1);
    assert_true(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 2);
    assert_true(sps.frame_mbs_only);
    assert_int_equal(sps.poc_type, 0);
}

static void h264_sps_parse_baseline_has_no_reordering(void **state)
{
    (void)state;
    struct h264_sps sps = parse("6742c01ed900a02ff9701100000303e90000ea600f162e48");
    assert_int_equal(sps.width, 640);
    assert_int_equal(sps.height, 360); // 368 rows of macroblocks, cropped
    assert_int_equal(sps.fps_num, 30000);
    assert_int_equal(sps.fps_den, 1001);
    assert_true(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 0);
}

static void h264_sps_parse_interlaced_counts_frame_rows(void **state)
{
    (void)state;
    struct h264_sps sps = parse("67640028acd94078044fde0220000003002000000643e2c5b2c0");
    assert_false(sps.frame_mbs_only);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(sps.fps_num, 25);
}

static void h264_sps_parse_high_422_ten_bits(void **state)
{
    (void)state;
    struct h264_sps sps = parse("677a000cb6cd94141fb0110000030001000003001e0f142996");
    assert_int_equal(sps.profile, 122);
    assert_int_equal(sps.chroma_format, 2);
    assert_int_equal(sps.bit_depth_luma, 10);
    assert_int_equal(sps.bit_depth_chroma, 10);
    assert_int_equal(sps.width, 320);
    assert_int_equal(sps.height, 240);
}

// An SPS built field by field, for what no encoder at hand writes.
struct recipe {
    unsigned profile, constraints, level, poc_type, columns, rows;
    unsigned crop_right, crop_bottom;
    bool scaling, vui, restriction, hrd, cut_in_vui;
    uint32_t units, scale, reorder, buffering;
};

static void write_vui(struct bits_writer *out, const struct recipe *recipe)
{
    bits_write(out, 1, 1); // sample aspect ratio, extended
    bits_write(out, 255, 8);
    bits_write(out, 0x00400021, 32);
    bits_write(out, 3, 2); // overscan
    bits_write(out, 1, 1); // video signal type with colours
    bits_write(out, 5 << 1 | 0, 4);
    bits_write(out, 1, 1);
    bits_write(out, 0x010101, 24);
    bits_write(out, 1, 1); // chroma location
    bits_write_ue(out, 1);
    bits_write_ue(out, 1);
    if (recipe->cut_in_vui)
        return;
    bits_write(out, 1, 1); // timing
    bits_write(out, recipe->units, 32);
    bits_write(out, recipe->scale, 32);
    bits_write(out, 1, 1);
    for (unsigned i = 0; i < 2; i++) {
        bits_write(out, recipe->hrd, 1);
        if (!recipe->hrd)
            continue;
        bits_write_ue(out, 1); // two schedules
        bits_write(out, 0x34, 8);
        for (unsigned j = 0; j < 2; j++) {
            bits_write_ue(out, 12345);
            bits_write_ue(out, 678);
            bits_write(out, 0, 1);
        }
        bits_write(out, 0xabcde, 20);
    }
    bits_write(out, 1, recipe->hrd ? 2 : 1);
    bits_write(out, recipe->restriction, 1);
    if (recipe->restriction) {
        bits_write(out, 1, 1);
        for (unsigned i = 0; i < 4; i++)
            bits_write_ue(out, i);
        bits_write_ue(out, recipe->reorder);
        bits_write_ue(out, recipe->buffering);
    }
}

static int parse_recipe(struct recipe recipe, struct h264_sps *sps)
{
    uint8_t plain[256] = {0}, nal[512];
    struct bits_writer out = {.data = plain, .capacity = sizeof(plain)};
    bits_write(&out, 0x67, 8);
    bits_write(&out, recipe.profile, 8);
    bits_write(&out, recipe.constraints, 8);
    bits_write(&out, recipe.level, 8);
    bits_write_ue(&out, 0);
    if (recipe.profile == 100) {
        bits_write_ue(&out, 1);
        bits_write_ue(&out, 0);
        bits_write_ue(&out, 0);
        bits_write(&out, 0, 1);
        bits_write(&out, recipe.scaling, 1);
        for (unsigned i = 0; recipe.scaling && i < 8; i++) {
            bits_write(&out, i % 2, 1);
            if (i == 3) // a list ends where its next value would be zero
                bits_write_se(&out, -8);
            for (unsigned j = 0; i != 3 && i % 2 && j < (i < 6 ? 16 : 64); j++)
                bits_write_se(&out, j % 2 ? 3 : -2);
        }
    }
    bits_write_ue(&out, 4);
    bits_write_ue(&out, recipe.poc_type);
    if (recipe.poc_type == 0) {
        bits_write_ue(&out, 6);
    } else if (recipe.poc_type == 1) {
        bits_write(&out, 1, 1);
        bits_write_se(&out, -3);
        bits_write_se(&out, 2);
        bits_write_ue(&out, 2);
        bits_write_se(&out, 1);
        bits_write_se(&out, -1);
    }
    bits_write_ue(&out, 4);
    bits_write(&out, 0, 1);
    bits_write_ue(&out, recipe.columns - 1);
    bits_write_ue(&out, recipe.rows - 1);
    bits_write(&out, 3, 2);
    bits_write(&out, 1, 1);
    bits_write_ue(&out, 0);
    bits_write_ue(&out, recipe.crop_right);
    bits_write_ue(&out, 0);
    bits_write_ue(&out, recipe.crop_bottom);
    bits_write(&out, recipe.vui, 1);
    if (recipe.vui)
        write_vui(&out, &recipe);
    if (!recipe.cut_in_vui)
        bits_write_trailing(&out);
    assert_false(out.full);
    size_t length = 0;
    for (size_t i = 0; i < (out.bit + 7) / 8; i++) {
        if (length >= 2 && nal[length - 1] == 0 && nal[length - 2] == 0 && plain[i] <= 3)
            nal[length++] = 3;
        nal[length++] = plain[i];
    }
    return h264_sps_parse(bytes_of(nal, length), sps);
}

static const struct recipe full_hd = {
    .profile = 100, .level = 40, .columns = 120, .rows = 68, .crop_bottom = 4};

static void h264_sps_parse_without_vui_reorder_is_what_the_level_allows(void **state)
{
    (void)state;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(full_hd, &sps), 0);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(sps.fps_num, 0);
    assert_false(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 4); // 32768 / (120 * 68)

    struct recipe recipe = full_hd;
    recipe.level = 99; // there is no such level
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.reorder_frames, 16);

    recipe = full_hd;
    recipe.constraints = 0x10; // all pictures intra
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_true(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 0);

    recipe = full_hd;
    recipe.poc_type = 2;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_true(sps.reorder_known);
}

static void h264_sps_parse_scaling_lists_and_order_type_1_are_passed_over(void **state)
{
    (void)state;
    struct recipe recipe = full_hd;
    recipe.scaling = true;
    recipe.poc_type = 1;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_true(sps.delta_pic_order_always_zero);
}

static void h264_sps_parse_whole_vui_with_hrd(void **state)
{
    (void)state;
    struct recipe recipe = full_hd;
    recipe.vui = recipe.hrd = recipe.restriction = true;
    recipe.units = 1001;
    recipe.scale = 60000;
    recipe.reorder = 1;
    recipe.buffering = 3;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.fps_num, 30000);
    assert_int_equal(sps.fps_den, 1001);
    assert_true(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 1);
}

static void h264_sps_parse_vui_junk_counts_as_absent(void **state)
{
    (void)state;
    struct recipe recipe = full_hd;
    recipe.vui = recipe.cut_in_vui = true;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.fps_num, 0);

    recipe = full_hd;
    recipe.vui = recipe.restriction = true;
    recipe.units = 0xffffffff; // rates that no picture ever had
    recipe.scale = 0;
    recipe.reorder = 77;
    recipe.buffering = 99;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.fps_num, 0);
    assert_false(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 4);
}

static void h264_sps_parse_cropping_that_leaves_nothing_is_ignored(void **state)
{
    (void)state;
    struct recipe recipe = full_hd;
    recipe.crop_right = 960;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.width, 1920);
    recipe.crop_right = 959;
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.width, 2);
    recipe.crop_right = 0xfffffff0; // does not wrap around either
    assert_int_equal(parse_recipe(recipe, &sps), 0);
    assert_int_equal(sps.width, 1920);
}

static void h264_sps_parse_every_cut_is_invalid_or_loses_vui_only(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct bytes nal =
        from_hex("6764001facd9405005bb011000000300100000030320f1831960", bytes, sizeof(bytes));
    struct h264_sps sps;
    for (size_t length = 0; length < nal.length; length++) {
        int result = h264_sps_parse(bytes_of(nal.data, length), &sps);
        assert_true(result == ERR_INVALID || (result == 0 && sps.width == 1280));
    }
    assert_int_equal(h264_sps_parse(bytes_of("\x68\x64\0\x1f", 4), &sps), ERR_INVALID);
    assert_int_equal(h264_sps_parse(bytes_of("\xe7\x64\0\x1f", 4), &sps), ERR_INVALID);
}

static void h264_sps_parse_absurd_size_is_invalid(void **state)
{
    (void)state;
    struct recipe recipe = full_hd;
    recipe.columns = 5000;
    struct h264_sps sps;
    assert_int_equal(parse_recipe(recipe, &sps), ERR_INVALID);
}

TEST_MAIN(TEST(h264_sps_parse_x264_high_with_b_frames),
          TEST(h264_sps_parse_baseline_has_no_reordering),
          TEST(h264_sps_parse_interlaced_counts_frame_rows), TEST(h264_sps_parse_high_422_ten_bits),
          TEST(h264_sps_parse_without_vui_reorder_is_what_the_level_allows),
          TEST(h264_sps_parse_scaling_lists_and_order_type_1_are_passed_over),
          TEST(h264_sps_parse_whole_vui_with_hrd), TEST(h264_sps_parse_vui_junk_counts_as_absent),
          TEST(h264_sps_parse_cropping_that_leaves_nothing_is_ignored),
          TEST(h264_sps_parse_every_cut_is_invalid_or_loses_vui_only),
          TEST(h264_sps_parse_absurd_size_is_invalid))
