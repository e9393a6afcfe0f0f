// SPDX-License-Identifier: MIT
#include "media/codec.h"

#include "unit.h"

static void codec_info_every_codec_has_kind_and_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        const struct codec_info *info = codec_info((enum codec)i);
        assert_true(info->id[0] && info->name[0]);
        assert_true(info->kind <= MEDIA_TEXT);
        assert_int_equal(codec_by_name(info->name), i);
        if (info->mp4[0]) {
            assert_int_equal(strlen(info->mp4), 4);
            assert_int_equal(codec_by_mp4(info->mp4), i);
        }
        if (info->rtp[0])
            assert_int_equal(codec_by_rtp(info->rtp), i);
    }
}

static void codec_by_mp4_in_band_twins_are_found(void **state)
{
    (void)state;
    assert_int_equal(codec_by_mp4("avc3"), CODEC_H264);
    assert_int_equal(codec_by_mp4("hev1"), CODEC_H265);
    assert_int_equal(codec_by_mp4("vp09"), CODEC_COUNT);
    assert_int_equal(codec_by_mp4("\0\0\0\0"), CODEC_COUNT);
}

static void codec_by_rtp_case_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(codec_by_rtp("mpeg4-generic"), CODEC_AAC);
    assert_int_equal(codec_by_rtp("h265"), CODEC_H265);
    assert_int_equal(codec_by_rtp(""), CODEC_COUNT);
    assert_int_equal(codec_by_rtp("vnd.onvif.metadata"), CODEC_COUNT);
}

static void out_of_table(void *arg)
{
    (void)arg;
    codec_info(CODEC_COUNT);
}

static void codec_info_out_of_table_dies(void **state)
{
    (void)state;
    assert_true(unit_dies(out_of_table, NULL));
}

TEST_MAIN(TEST(codec_info_every_codec_has_kind_and_name),
          TEST(codec_by_mp4_in_band_twins_are_found), TEST(codec_by_rtp_case_is_ignored),
          TEST(codec_info_out_of_table_dies))
