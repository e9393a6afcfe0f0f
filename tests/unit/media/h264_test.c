// SPDX-License-Identifier: MIT
#include "media/h264.h"

#include "base/code.h"
#include "media/nal.h"
#include "unit.h"

#define SPS_720                                                                                    \
    "\x67\x64\0\x1f\xac\xd9\x40\x50\x05\xbb\x01\x10\0\0\3\0\x10\0\0\3\3\x20\xf1\x83\x19\x60"
#define SPS_360 "\x67\x42\xc0\x1e\xd9\0\xa0\x2f\xf9\x70\x11\0\0\3\3\xe9\0\0\xea\x60\x0f\x16\x2e\x48"
#define PPS "\x68\xeb\xe3\xcb\x22\xc0"
#define PPS_OTHER "\x68\xcb\x83\xcb\x20" // id 0 as well
#define PPS_ID_1 "\x68\x4e\x3c\xb2\x2c"  // begins with 010: id 1
#define IDR "\x65\x88\x84\0\x10"         // first_mb 0, I
#define SLICE_I "\x41\x88\x84\0\x10"     // first_mb 0, slice_type 7
#define SLICE_P "\x41\x9a\x21\x6c"       // first_mb 0, slice_type 5
#define SLICE_P_MORE "\x41\x2b\x21\x6c"  // first_mb 4
#define SLICE_B "\x01\x9e\x41\x77"       // first_mb 0, slice_type 6, not referenced
#define SLICE_B_REF "\x21\x9e\x41\x77"
#define AUD "\x09\xf0"
#define SEI_RECOVERY "\x06\x06\x01\xc4\x80"    // recovery_frame_cnt 0
#define SEI_GRADUAL "\x06\x06\x02\x10\x40\x80" // recovery_frame_cnt 7
#define SEI_USER                                                                                   \
    "\x06\x05\x10"                                                                                 \
    "0123456789abcdef\x80"
#define NAL(text) bytes_of(text, sizeof(text) - 1)

static void add(struct au_builder *au, struct param_sets *sets, struct bytes nal)
{
    assert_int_equal(h264_au_add(au, sets, nal), 0);
}

static void h264_param_sets_add_same_id_replaces(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    assert_int_equal(h264_param_sets_add(&sets, NAL(SPS_720)), 0);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS)), 0);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS_ID_1)), 0);
    assert_true(sets.changed);
    assert_int_equal(sets.count[1], 1);
    assert_int_equal(sets.count[2], 2);

    sets.changed = false;
    assert_int_equal(h264_param_sets_add(&sets, NAL(SPS_720)), 0);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS_ID_1)), 0);
    assert_false(sets.changed);

    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS_OTHER)), 0);
    assert_true(sets.changed);
    assert_int_equal(sets.count[2], 2);
    assert_memory_equal(sets.set[2][0]->data, PPS_OTHER, 5);
    param_sets_fini(&sets);
}

static void h264_param_sets_add_start_code_and_zeros_are_cut_off(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    assert_int_equal(h264_param_sets_add(&sets, NAL("\0\0\0\1" SPS_720 "\0\0")), 0);
    assert_int_equal(sets.set[1][0]->length, sizeof(SPS_720) - 1);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\0\0\1" SPS_720)), 0);
    assert_int_equal(sets.count[1], 1);
    param_sets_fini(&sets);
}

static void h264_param_sets_add_foreign_is_refused(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    assert_int_equal(h264_param_sets_add(&sets, NAL("")), ERR_INVALID);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\0\0\0\1")), ERR_INVALID);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\x67")), ERR_INVALID);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\x67\x64\0\x1f")), ERR_INVALID);
    assert_int_equal(h264_param_sets_add(&sets, NAL(IDR)), ERR_INVALID);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\x68\0\0\0\1")), ERR_INVALID);
    for (unsigned id = 0; id < 16; id++) { // 00001xxxx yyyy..: ids 15 to 30
        uint8_t nal[] = {0x68, (uint8_t)(0x08 | id >> 1), (uint8_t)(id << 7 | 0x40)};
        assert_int_equal(h264_param_sets_add(&sets, bytes_of(nal, sizeof(nal))), 0);
    }
    assert_int_equal(sets.count[2], 16);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS)), ERR_LIMIT);
    param_sets_fini(&sets);
}

static void h264_config_make_and_parse_are_inverse(void **state)
{
    (void)state;
    struct param_sets sets = {0}, again = {0};
    struct buf *config = NULL;
    unsigned width;
    assert_int_equal(h264_config_make(&sets, &config), ERR_AGAIN);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS)), 0);
    assert_int_equal(h264_config_make(&sets, &config), ERR_AGAIN);
    assert_null(config);
    assert_int_equal(h264_param_sets_add(&sets, NAL(SPS_720)), 0);
    assert_int_equal(h264_config_make(&sets, &config), 0);
    assert_false(sets.changed);
    static const char expected[] =
        "\1\x64\0\x1f\xff\xe1\0\x1a" SPS_720 "\1\0\6" PPS "\xfd\xf8\xf8\0";
    assert_int_equal(config->length, sizeof(expected) - 1);
    assert_memory_equal(config->data, expected, config->length);

    assert_int_equal(h264_config_parse(buf_bytes(config), &again, &width), 0);
    assert_int_equal(width, 4);
    assert_int_equal(again.count[1], 1);
    assert_int_equal(again.count[2], 1);
    assert_memory_equal(again.set[1][0]->data, SPS_720, again.set[1][0]->length);
    param_sets_fini(&again);
    param_sets_fini(&sets);
    buf_unref(&config);
}

static void h264_config_make_baseline_has_no_chroma_part(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    struct buf *config = NULL;
    assert_int_equal(h264_param_sets_add(&sets, NAL(SPS_360)), 0);
    assert_int_equal(h264_param_sets_add(&sets, NAL(PPS_OTHER)), 0);
    assert_int_equal(h264_config_make(&sets, &config), 0);
    assert_int_equal(config->length, 7 + 2 + sizeof(SPS_360) - 1 + 2 + 5);
    buf_unref(&config);
    param_sets_fini(&sets);
}

static void h264_config_parse_every_cut_is_invalid(void **state)
{
    (void)state;
    static const char config[] = "\1\x64\0\x1f\xfd\xe1\0\x1a" SPS_720 "\1\0\6" PPS;
    struct param_sets sets = {0};
    unsigned width;
    for (size_t length = 0; length < sizeof(config) - 1; length++) {
        assert_int_equal(h264_config_parse(bytes_of(config, length), &sets, &width), ERR_INVALID);
        param_sets_fini(&sets);
    }
    assert_int_equal(h264_config_parse(bytes_of(config, sizeof(config) - 1), &sets, &width), 0);
    assert_int_equal(width, 2);
    param_sets_fini(&sets);
    assert_int_equal(h264_config_parse(NAL("\1\x64\0\x1f\xfe\xe0\0"), &sets, &width), ERR_INVALID);
    assert_int_equal(h264_config_parse(NAL("\0\0\0\1\x67\x64\0\x1f"), &sets, &width), ERR_INVALID);
}

static void h264_track_from_config_has_size_and_wide_lengths(void **state)
{
    (void)state;
    struct track track;
    struct buf *config =
        buf_new_copy("\1\x64\0\x1f\xfd\xe1\0\x1a" SPS_720 "\1\0\6" PPS, 8 + 26 + 9);
    assert_int_equal(h264_track_from_config(config, &track), 0);
    assert_int_equal(track.codec, CODEC_H264);
    assert_int_equal(track.timescale, 90000);
    assert_int_equal(track.width, 1280);
    assert_int_equal(track.height, 720);
    assert_int_equal(track.fps_num, 25);
    assert_true(track.config != config); // it said two bytes
    assert_int_equal(track.config->data[4], 0xff);
    assert_int_equal(config->data[4], 0xfd);
    track_fini(&track);
    config->data[4] = 0xff;
    assert_int_equal(h264_track_from_config(config, &track), 0);
    assert_true(track.config == config);
    assert_int_equal(config->refs, 2);
    track_fini(&track);
    buf_unref(&config);
    config = buf_new_copy("\1\x64\0\x1f\xff\xe0\0", 7);
    assert_int_equal(h264_track_from_config(config, &track), ERR_INVALID);
    buf_unref(&config);
}

static void h264_au_add_makes_the_canonical_form(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    struct au_builder au = {0};
    bool key = false, droppable = true;
    add(&au, &sets, NAL(AUD));
    add(&au, &sets, NAL(SPS_720));
    add(&au, &sets, NAL(PPS));
    add(&au, &sets, NAL("\x0c\xff\xff\x80")); // filler
    assert_null(au_builder_take(&au, &key, &droppable));
    add(&au, &sets, NAL(SEI_USER));
    add(&au, &sets, NAL(IDR));
    add(&au, &sets, NAL(IDR));
    add(&au, &sets, NAL("\x0a")); // end of sequence
    struct buf *buf = au_builder_take(&au, &key, &droppable);
    assert_true(key);
    assert_false(droppable);
    static const char expected[] = "\0\0\0\x14" SEI_USER "\0\0\0\5" IDR "\0\0\0\5" IDR;
    assert_int_equal(buf->length, sizeof(expected) - 1);
    assert_memory_equal(buf->data, expected, buf->length);
    assert_int_equal(sets.count[1], 1);
    assert_null(au.buf);
    add(&au, &sets, NAL(PPS));
    assert_false(au.set_refused);
    au_builder_reset(&au);
    buf_unref(&buf);
    param_sets_fini(&sets);
}

// Key, droppable of an access unit of two NAL units.
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

static void h264_au_add_key_and_droppable(void **state)
{
    (void)state;
    assert_int_equal(judge(NAL(SEI_USER), NAL(IDR)), 1);
    assert_int_equal(judge(NAL(SEI_USER), NAL(SLICE_I)), 0);     // a scene cut
    assert_int_equal(judge(NAL(SEI_RECOVERY), NAL(SLICE_I)), 1); // open GOP
    assert_int_equal(judge(NAL(SPS_720), NAL(SLICE_I)), 1);
    assert_int_equal(judge(NAL(SEI_RECOVERY), NAL(SLICE_P)), 0); // a lie
    assert_int_equal(judge(NAL(SEI_GRADUAL), NAL(SLICE_P)), 1);
    assert_int_equal(judge(NAL(SPS_720), NAL(SLICE_P)), 0);
    assert_int_equal(judge(NAL(SLICE_I), NAL(SEI_RECOVERY)), 0); // too late
    assert_int_equal(judge(NAL(SLICE_B), NAL(SLICE_B)), 2);
    assert_int_equal(judge(NAL(SLICE_B), NAL(SLICE_B_REF)), 0);
    assert_int_equal(judge(NAL(SLICE_B_REF), NAL(SLICE_B)), 0);
}

static void h264_au_add_recovery_point_behind_another_message(void **state)
{
    (void)state;
    static const char sei[] = "\x06\x05\x05"
                              "abcde\x06\x01\xc4\x80";
    assert_int_equal(judge(NAL(sei), NAL(SLICE_I)), 1);
    static const char cut[] = "\x06\x05\xff\xff\xff";
    assert_int_equal(judge(NAL(cut), NAL(SLICE_I)), 0);
}

static void h264_au_add_broken_units_leave_it_as_it_was(void **state)
{
    (void)state;
    struct param_sets sets = {0};
    struct au_builder au = {0};
    assert_int_equal(h264_au_add(&au, &sets, NAL("")), ERR_INVALID);
    assert_int_equal(h264_au_add(&au, &sets, NAL("\xe5\x88")), ERR_INVALID);
    add(&au, &sets, NAL("\x67\x64")); // a broken parameter set costs nothing but itself
    assert_true(au.set_refused);
    assert_null(au.buf);
    add(&au, &sets, NAL(SLICE_P));
    struct bytes huge = {.data = (const uint8_t *)SLICE_P, .length = FRAME_BYTES_MAX};
    assert_int_equal(h264_au_add(&au, &sets, huge), ERR_LIMIT);
    assert_int_equal(au.buf->length, 4 + 4);
    mem_fail_nth(1);
    assert_int_equal(h264_au_add(&au, &sets, NAL(SLICE_P)), ERR_LIMIT);
    assert_int_equal(au.buf->length, 4 + 4);
    au_builder_reset(&au);
    assert_int_equal(sets.count[1], 0);
}

static void h264_starts_access_unit_after_a_picture(void **state)
{
    (void)state;
    struct au_builder au = {0};
    assert_false(h264_starts_access_unit(&au, NAL(IDR)));
    add(&au, NULL, NAL(SEI_USER));
    assert_false(h264_starts_access_unit(&au, NAL(IDR)));
    add(&au, NULL, NAL(IDR));
    assert_true(h264_starts_access_unit(&au, NAL(AUD)));
    assert_true(h264_starts_access_unit(&au, NAL(SPS_720)));
    assert_true(h264_starts_access_unit(&au, NAL(PPS)));
    assert_true(h264_starts_access_unit(&au, NAL(SEI_USER)));
    assert_true(h264_starts_access_unit(&au, NAL(SLICE_P)));
    assert_false(h264_starts_access_unit(&au, NAL(SLICE_P_MORE)));
    assert_false(h264_starts_access_unit(&au, NAL("\x0a")));
    assert_false(h264_starts_access_unit(&au, NAL("\x0c\xff")));
    assert_false(h264_starts_access_unit(&au, NAL("\x41")));
    au_builder_reset(&au);
}

static void h264_slice_type_parse_each_kind(void **state)
{
    (void)state;
    unsigned type;
    assert_int_equal(h264_slice_type_parse(NAL(SLICE_P), &type), 0);
    assert_int_equal(type, 0);
    assert_int_equal(h264_slice_type_parse(NAL(SLICE_B), &type), 0);
    assert_int_equal(type, 1);
    assert_int_equal(h264_slice_type_parse(NAL(IDR), &type), 0);
    assert_int_equal(type, 2);
    assert_int_equal(h264_slice_type_parse(NAL(SEI_USER), &type), ERR_INVALID);
    assert_int_equal(h264_slice_type_parse(NAL("\x41"), &type), ERR_INVALID);
    assert_int_equal(h264_slice_type_parse(NAL("\x41\x85\x80"), &type), ERR_INVALID); // type 10
}

TEST_MAIN(TEST(h264_param_sets_add_same_id_replaces),
          TEST(h264_param_sets_add_start_code_and_zeros_are_cut_off),
          TEST(h264_param_sets_add_foreign_is_refused),
          TEST(h264_config_make_and_parse_are_inverse),
          TEST(h264_config_make_baseline_has_no_chroma_part),
          TEST(h264_config_parse_every_cut_is_invalid),
          TEST(h264_track_from_config_has_size_and_wide_lengths),
          TEST(h264_au_add_makes_the_canonical_form), TEST(h264_au_add_key_and_droppable),
          TEST(h264_au_add_recovery_point_behind_another_message),
          TEST(h264_au_add_broken_units_leave_it_as_it_was),
          TEST(h264_starts_access_unit_after_a_picture), TEST(h264_slice_type_parse_each_kind))
