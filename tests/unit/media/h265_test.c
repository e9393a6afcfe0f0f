// SPDX-License-Identifier: MIT
#include "media/h265.h"

#include "unit.h"

#define VPS "\x40\1\x0c\1\xff\xff\1\x60\0\0\3\0\x90\0\0\3\0\0\3\0\x5d\x95\x98\x09"
#define SPS                                                                                        \
    "\x42\1\1\1\x60\0\0\3\0\x90\0\0\3\0\0\3\0\x5d\xa0\2\x80\x80\x2d\x16\x59\x59\xa4\x93\x2b\xc0"   \
    "\x5a\2\0\0\3\0\2\0\0\3\0\x32\x10"
#define PPS "\x44\1\xc1\x72\xb4\x62\x40"
#define PPS_ID_1 "\x44\1\x50\x72\xb4\x62\x40"
#define PPS_LAYER_1 "\x44\x09\xc1\x72\xb4\x62\x40"
#define AUD "\x46\1\x50"
#define SEI "\x4e\1\x05\x01\x41\x80"
#define SEI_SUFFIX "\x50\1\x84\x01\x41\x80"
#define IDR "\x26\1\xaf\x13"      // IDR_W_RADL, first slice
#define IDR_MORE "\x26\1\x2f\x13" // a further slice
#define CRA "\x2a\1\xaf\x13"
#define TRAIL_R "\2\1\xd0\x10"
#define TRAIL_N "\0\1\xe0\x10"
#define RASL_N "\x10\1\xe0\x10"
#define LAYER_1 "\2\x09\xd0\x10"
#define NAL(text) bytes_of(text, sizeof(text) - 1)

static void add(struct au_builder *au, struct param_sets *sets, struct bytes nal)
{
    assert_int_equal(h265_au_add(au, sets, nal), 0);
}

static void h265_config_make_and_parse_are_inverse(void **state)
{
    (void)state;
    struct param_sets sets = {0}, again = {0};
    struct buf *config = NULL;
    unsigned width;
    assert_int_equal(h265_param_sets_add(&sets, NAL(SPS)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL(PPS)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL(PPS_ID_1)), 0);
    assert_int_equal(h265_config_make(&sets, &config), ERR_AGAIN);
    assert_null(config);
    assert_int_equal(h265_param_sets_add(&sets, NAL(VPS)), 0);
    assert_int_equal(h265_config_make(&sets, &config), 0);
    assert_false(sets.changed);
    static const char expected[] =
        "\1\1\x60\0\0\0\x90\0\0\0\0\0\x5d\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\3"
        "\xa0\0\1\0\x18" VPS "\xa1\0\1\0\x2b" SPS "\xa2\0\2\0\7" PPS "\0\7" PPS_ID_1;
    assert_int_equal(config->length, sizeof(expected) - 1);
    assert_memory_equal(config->data, expected, config->length);

    assert_int_equal(h265_config_parse(buf_bytes(config), &again, &width), 0);
    assert_int_equal(width, 4);
    assert_int_equal(again.count[0], 1);
    assert_int_equal(again.count[1], 1);
    assert_int_equal(again.count[2], 2);
    param_sets_fini(&again);
    for (size_t length = 0; length < config->length; length++) {
        assert_int_equal(h265_config_parse(bytes_of(config->data, length), &again, &width),
                         ERR_INVALID);
        param_sets_fini(&again);
    }
    param_sets_fini(&sets);
    buf_unref(&config);
}

static void h265_config_parse_other_arrays_are_passed_over(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    unsigned width;
    static const char config[] = "\1\1\x60\0\0\0\x90\0\0\0\0\0\x5d\xf0\0\xfc\xfd\xf8\xf8\0\0\x0d\2"
                                 "\x27\0\1\0\6" SEI "\x22\0\1\0\7" PPS;
    assert_int_equal(h265_config_parse(NAL(config), &sets, &width), 0);
    assert_int_equal(width, 2);
    assert_int_equal(sets.count[2], 1);
    param_sets_fini(&sets);
}

static void h265_track_from_config_has_size_and_rate(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    struct buf *config = NULL;
    struct track track;
    assert_int_equal(h265_param_sets_add(&sets, NAL(VPS)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL(SPS)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL(PPS)), 0);
    assert_int_equal(h265_config_make(&sets, &config), 0);
    config->data[21] = 0x0c; // NAL lengths of one byte
    assert_int_equal(h265_track_from_config(config, &track), 0);
    assert_int_equal(track.codec, CODEC_H265);
    assert_int_equal(track.width, 1280);
    assert_int_equal(track.height, 720);
    assert_int_equal(track.fps_num, 25);
    assert_int_equal(track.fps_den, 1);
    assert_int_equal(track.config->data[21], 0x0f);
    char string[64];
    track_codec_string(&track, string, sizeof(string));
    assert_string_equal(string, "hvc1.1.6.L93.90");
    track_fini(&track);
    config->data[22] = 0; // no arrays
    assert_int_equal(h265_track_from_config(config, &track), ERR_INVALID);
    buf_unref(&config);
    param_sets_fini(&sets);
}

static void h265_param_sets_add_foreign_is_refused(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    assert_int_equal(h265_param_sets_add(&sets, NAL("")), ERR_INVALID);
    assert_int_equal(h265_param_sets_add(&sets, NAL("\x42\1")), ERR_INVALID);
    assert_int_equal(h265_param_sets_add(&sets, NAL("\x42\1\1\1\x60")), ERR_INVALID);
    assert_int_equal(h265_param_sets_add(&sets, NAL(IDR)), ERR_INVALID);
    assert_int_equal(h265_param_sets_add(&sets, NAL(PPS_LAYER_1)), ERR_INVALID);
    assert_int_equal(h265_param_sets_add(&sets, NAL("\0\0\0\1" PPS "\0\0")), 0);
    assert_int_equal(sets.set[2][0]->length, 7);
    param_sets_fini(&sets);
}

static void h265_au_add_makes_the_canonical_form(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    struct au_builder au = {0};
    bool key = false, droppable = true;
    add(&au, &sets, NAL(AUD));
    add(&au, &sets, NAL(VPS));
    add(&au, &sets, NAL(SPS));
    add(&au, &sets, NAL(PPS));
    add(&au, &sets, NAL(SEI));
    add(&au, &sets, NAL(IDR));
    add(&au, &sets, NAL(LAYER_1)); // enhancement layers are left out
    add(&au, &sets, NAL(IDR_MORE));
    add(&au, &sets, NAL(SEI_SUFFIX));
    assert_false(au.set_refused);
    add(&au, &sets, NAL("\x4a\1"));         // end of bitstream
    add(&au, &sets, NAL("\x4c\1\xff\x80")); // filler
    struct buf *buf = au_builder_take(&au, &key, &droppable);
    static const char expected[] =
        "\0\0\0\6" SEI "\0\0\0\4" IDR "\0\0\0\4" IDR_MORE "\0\0\0\6" SEI_SUFFIX;
    assert_int_equal(buf->length, sizeof(expected) - 1);
    assert_memory_equal(buf->data, expected, buf->length);
    assert_true(key);
    assert_false(droppable);
    assert_int_equal(sets.count[0] + sets.count[1] + sets.count[2], 3);
    buf_unref(&buf);
    param_sets_fini(&sets);
}

static unsigned judge(struct bytes first, struct bytes second)
{
    struct au_builder au = {0};
    bool key = false, droppable = false;
    add(&au, NULL, first);
    add(&au, NULL, second);
    struct buf *buf = au_builder_take(&au, &key, &droppable);
    buf_unref(&buf);
    return (key ? 1u : 0) | (droppable ? 2u : 0);
}

static void h265_au_add_key_and_droppable(void **state)
{
    (void)state;
    assert_int_equal(judge(NAL(IDR), NAL(IDR_MORE)), 1);
    assert_int_equal(judge(NAL(SEI), NAL(CRA)), 1);
    assert_int_equal(judge(NAL(SEI), NAL(TRAIL_R)), 0);
    assert_int_equal(judge(NAL(SEI), NAL(TRAIL_N)), 2);
    assert_int_equal(judge(NAL(RASL_N), NAL(RASL_N)), 2);
    assert_int_equal(judge(NAL(TRAIL_N), NAL(TRAIL_R)), 0);
    assert_int_equal(judge(NAL(TRAIL_R), NAL(TRAIL_N)), 0);
}

static void h265_au_add_broken_units_are_invalid(void **state)
{
    (void)state;
    struct au_builder au = {0};
    assert_int_equal(h265_au_add(&au, NULL, NAL("")), ERR_INVALID);
    assert_int_equal(h265_au_add(&au, NULL, NAL("\x26")), ERR_INVALID);
    assert_int_equal(h265_au_add(&au, NULL, NAL("\xa6\1\xaf")), ERR_INVALID);
    assert_null(au.buf);
    struct bytes huge = {.data = (const uint8_t *)TRAIL_R, .length = FRAME_BYTES_MAX};
    assert_int_equal(h265_au_add(&au, NULL, huge), ERR_LIMIT);
    assert_false(au.has_picture);
    struct param_sets sets = {0};
    add(&au, &sets, NAL("\x42\1\1\1"));
    assert_true(au.set_refused);
    au_builder_reset(&au);
}

static void h265_starts_access_unit_after_a_picture(void **state)
{
    (void)state;
    struct au_builder au = {0};
    assert_false(h265_starts_access_unit(&au, NAL(IDR)));
    add(&au, NULL, NAL(IDR));
    assert_true(h265_starts_access_unit(&au, NAL(AUD)));
    assert_true(h265_starts_access_unit(&au, NAL(VPS)));
    assert_true(h265_starts_access_unit(&au, NAL(SEI)));
    assert_true(h265_starts_access_unit(&au, NAL(TRAIL_R)));
    assert_false(h265_starts_access_unit(&au, NAL(IDR_MORE)));
    assert_false(h265_starts_access_unit(&au, NAL(SEI_SUFFIX)));
    assert_false(h265_starts_access_unit(&au, NAL(LAYER_1)));
    assert_false(h265_starts_access_unit(&au, NAL("\x4a\1")));
    assert_false(h265_starts_access_unit(&au, NAL("\2\1")));
    au_builder_reset(&au);
}

TEST_MAIN(TEST(h265_config_make_and_parse_are_inverse),
          TEST(h265_config_parse_other_arrays_are_passed_over),
          TEST(h265_track_from_config_has_size_and_rate),
          TEST(h265_param_sets_add_foreign_is_refused), TEST(h265_au_add_makes_the_canonical_form),
          TEST(h265_au_add_key_and_droppable), TEST(h265_au_add_broken_units_are_invalid),
          TEST(h265_starts_access_unit_after_a_picture))
