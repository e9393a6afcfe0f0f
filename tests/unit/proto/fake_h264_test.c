// SPDX-License-Identifier: MIT
// The picture: what is in the bytes, the bitrate, and above all that a decoder which is not ours
// makes the same samples of them as the encoder thinks it does.
#include "fake_h264.h"

#include "base/bits.h"
#include "fake_decode.h"
#include "media/h264.h"
#include "media/nal.h"
#include "unit.h"

static const int64_t UTC_US = 1767225600000000; // 2026-01-01

static struct fake_h264_options usual(void)
{
    return (struct fake_h264_options){.name = "test",
                                      .width = 640,
                                      .height = 360,
                                      .fps = 25,
                                      .bitrate = 1000000,
                                      .gop_frames = 50};
}

struct coder {
    struct fake_h264 *encoder;
    struct fake_h264_options options;
    uint8_t *room;
    struct bytes unit; // the last one
    bool key;
    unsigned number; // of the next picture
};

static void coder_init(struct coder *coder, const struct fake_h264_options *options)
{
    char why[200] = "";

    assert_int_equal(fake_h264_check(options, why, sizeof(why)), 0);
    *coder = (struct coder){.encoder = fake_h264_new(options), .options = *options};
    coder->room = mem_alloc(fake_h264_size_max(coder->encoder));
}

static void coder_fini(struct coder *coder)
{
    fake_h264_free(&coder->encoder);
    mem_free(coder->room);
}

static void coder_next(struct coder *coder)
{
    int64_t utc_us = UTC_US + (int64_t)coder->number * 1000000 / coder->options.fps;
    size_t length =
        fake_h264_encode(coder->encoder, coder->number++, utc_us, coder->room, &coder->key);

    assert_in_range(length, 1, fake_h264_size_max(coder->encoder));
    coder->unit = bytes_of(coder->room, length);
}

// ---- options -----------------------------------------------------------------------------------

static void fake_h264_check_wrong_option_says_which(void **state)
{
    static const struct {
        struct fake_h264_options options;
        const char *word;
    } cases[] = {
        {{.width = 62, .height = 360, .fps = 25, .gop_frames = 50, .bitrate = 1000000}, "62x360"},
        {{.width = 641, .height = 360, .fps = 25, .gop_frames = 50, .bitrate = 1000000}, "even"},
        {{.width = 640, .height = 3842, .fps = 25, .gop_frames = 50, .bitrate = 1000000}, "3840"},
        {{.width = 640, .height = 360, .fps = 0, .gop_frames = 50, .bitrate = 1000000}, "fps 0"},
        {{.width = 640, .height = 360, .fps = 121, .gop_frames = 50, .bitrate = 1000000}, "120"},
        {{.width = 640, .height = 360, .fps = 25, .gop_frames = 0, .bitrate = 1000000}, "gop of 0"},
        {{.width = 640, .height = 360, .fps = 25, .gop_frames = 50, .bitrate = 9999}, "9999"},
        {{.width = 640, .height = 360, .fps = 25, .gop_frames = 50, .bitrate = 9200001}, "9200000"},
        {{.width = 3840, .height = 3840, .fps = 1, .gop_frames = 2, .bitrate = 9000000}, "5.2"},
        {{.width = 3840, .height = 2160, .fps = 120, .gop_frames = 50, .bitrate = 90000000}, "5.2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char why[200] = "";

        assert_int_equal(fake_h264_check(&cases[i].options, why, sizeof(why)), ERR_LIMIT);
        assert_non_null(strstr(why, cases[i].word));
    }
}

static void fake_h264_bitrate_usual_any_size_is_legal(void **state)
{
    static const unsigned sizes[][3] = {{640, 360, 25}, {64, 64, 1},      {64, 64, 120},
                                        {320, 180, 10}, {1920, 1080, 50}, {3840, 2160, 60}};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fake_h264_options options = {.width = sizes[i][0],
                                            .height = sizes[i][1],
                                            .fps = sizes[i][2],
                                            .gop_frames = 2 * sizes[i][2]};
        char why[200] = "";

        options.bitrate = fake_h264_bitrate_usual(&options);
        assert_int_equal(fake_h264_check(&options, why, sizeof(why)), 0);
        if (i == 0)
            assert_int_equal(options.bitrate, 1000000);
    }
}

// ---- bytes -------------------------------------------------------------------------------------

static void fake_h264_config_usual_is_read_back(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    uint8_t room[FAKE_CONFIG_MAX];
    struct track track;
    struct buf *config;

    (void)state;
    options.fps = 30;
    coder_init(&coder, &options);
    config = buf_new_copy(room, fake_h264_config(coder.encoder, room));
    assert_int_equal(h264_track_from_config(config, &track), 0);
    assert_int_equal(track.width, 640);
    assert_int_equal(track.height, 360);
    assert_int_equal(track.fps_num, 30 * track.fps_den);
    // version 1, Constrained Baseline, level 3, 4-byte lengths, one SPS
    assert_memory_equal(config->data, ((uint8_t[]){1, 66, 0xc0, 30, 0xff, 0xe1}), 6);
    track_fini(&track);
    buf_unref(&config);
    coder_fini(&coder);
}

static void fake_h264_config_any_picture_says_nothing_is_reordered(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    uint8_t room[FAKE_CONFIG_MAX];
    struct h264_sps sps;

    (void)state;
    coder_init(&coder, &options);
    assert_true(fake_h264_config(coder.encoder, room) > 10);
    assert_int_equal(h264_sps_parse(bytes_of(room + 8, (size_t)room[6] << 8 | room[7]), &sps), 0);
    assert_true(sps.reorder_known);
    assert_int_equal(sps.reorder_frames, 0);
    assert_int_equal(sps.poc_type, 2);
    coder_fini(&coder);
}

// One access unit: SEI, then one slice; both checked as far as their heads.
struct heads {
    uint8_t uuid[16];
    uint64_t utc_us, number;
    unsigned nal_type, slice_type, frame_num, idr_pic_id;
};

static struct heads heads_of(struct bytes unit)
{
    uint8_t plain[64];
    struct heads heads = {0};
    struct bytes nal, sei;
    struct bits bits;
    uint8_t byte;

    assert_int_equal(nal_next_prefixed(&unit, 4, &nal), 0);
    assert_int_equal(h264_nal_type(nal), H264_SEI);
    sei = bytes_of(plain, nal_unescape(nal, plain, sizeof(plain)));
    assert_int_equal(sei.length, 1 + 2 + FAKE_SEI_LENGTH + 1);
    assert_memory_equal(plain, ((uint8_t[]){6, 5, FAKE_SEI_LENGTH}), 3);
    memcpy(heads.uuid, plain + 3, 16);
    bytes_skip(&sei, 3 + 16);
    assert_true(bytes_read_uint(&sei, 8, &heads.utc_us));
    assert_true(bytes_read_uint(&sei, 4, &heads.number));
    assert_true(bytes_read_u8(&sei, &byte));
    assert_int_equal(byte, 0x80);

    assert_int_equal(nal_next_prefixed(&unit, 4, &nal), 0);
    heads.nal_type = h264_nal_type(nal);
    bits = bits_of(nal);
    bits_skip(&bits, 8);
    assert_int_equal(bits_read_ue(&bits), 0); // first_mb_in_slice
    heads.slice_type = bits_read_ue(&bits);
    assert_int_equal(bits_read_ue(&bits), 0); // pic_parameter_set_id
    heads.frame_num = bits_read(&bits, 8);
    heads.idr_pic_id = heads.nal_type == H264_IDR ? bits_read_ue(&bits) : 0;
    assert_int_equal(nal_next_prefixed(&unit, 4, &nal), ERR_NOT_FOUND);
    return heads;
}

static void fake_h264_encode_any_picture_carries_its_time(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    bool key;
    size_t length;
    struct heads heads;

    (void)state;
    coder_init(&coder, &options);
    coder_next(&coder);
    coder_next(&coder);
    heads = heads_of(coder.unit);
    assert_memory_equal(heads.uuid, FAKE_SEI_UUID, 16);
    assert_int_equal(heads.utc_us, UTC_US + 40000);
    assert_int_equal(heads.number, 1);
    // Many zeros: they need emulation prevention.
    length = fake_h264_encode(coder.encoder, 0x01000002, 0x0100000001000003, coder.room, &key);
    heads = heads_of(bytes_of(coder.room, length));
    assert_true(heads.utc_us == 0x0100000001000003);
    assert_int_equal(heads.number, 0x01000002);
    coder_fini(&coder);
}

static void fake_h264_encode_each_gop_begins_with_another_idr(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    unsigned idr_pic_id = 99;

    (void)state;
    options.gop_frames = 5;
    coder_init(&coder, &options);
    for (unsigned i = 0; i < 20; i++) {
        struct heads heads;

        coder_next(&coder);
        heads = heads_of(coder.unit);
        assert_int_equal(coder.key, i % 5 == 0);
        assert_int_equal(heads.nal_type, coder.key ? H264_IDR : H264_SLICE);
        assert_int_equal(heads.slice_type, coder.key ? 7 : 5);
        assert_int_equal(heads.frame_num, i % 5);
        if (coder.key) {
            assert_int_not_equal(heads.idr_pic_id, idr_pic_id);
            idr_pic_id = heads.idr_pic_id;
        }
    }
    coder_fini(&coder);
}

static void fake_h264_encode_other_pictures_are_much_smaller(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    size_t idr, other = 0;

    (void)state;
    options.bitrate = 200000; // next to no snow
    coder_init(&coder, &options);
    coder_next(&coder);
    idr = coder.unit.length;
    for (unsigned i = 1; i < 50; i++) {
        coder_next(&coder);
        other += coder.unit.length;
    }
    assert_true(other / 49 < idr / 5);
    coder_fini(&coder);
}

static void fake_h264_encode_same_input_same_bytes(void **state)
{
    struct fake_h264_options options = usual();
    struct coder a, b;

    (void)state;
    coder_init(&a, &options);
    coder_init(&b, &options);
    for (unsigned i = 0; i < 60; i++) {
        coder_next(&a);
        coder_next(&b);
        assert_int_equal(a.unit.length, b.unit.length);
        assert_memory_equal(a.unit.data, b.unit.data, a.unit.length);
    }
    coder_fini(&a);
    coder_fini(&b);
}

static void fake_h264_encode_any_picture_allocates_nothing(void **state)
{
    struct fake_h264_options options = usual();
    struct coder coder;
    long before;

    (void)state;
    coder_init(&coder, &options);
    before = mem_live_count();
    for (unsigned i = 0; i < 60; i++)
        coder_next(&coder);
    assert_int_equal(mem_live_count(), before);
    coder_fini(&coder);
}

// ---- bitrate -----------------------------------------------------------------------------------

// Averages of two seconds, from the third second on, are within a tenth of what was asked for.
static void fake_h264_encode_any_bitrate_is_met(void **state)
{
    static const struct fake_h264_options cases[] = {
        {.width = 640, .height = 360, .fps = 25, .bitrate = 1000000, .gop_frames = 50},
        {.width = 640, .height = 360, .fps = 25, .bitrate = 200000, .gop_frames = 50},
        {.width = 640, .height = 360, .fps = 25, .bitrate = 8000000, .gop_frames = 25},
        {.width = 640, .height = 360, .fps = 10, .bitrate = 100000, .gop_frames = 20},
        {.width = 320, .height = 180, .fps = 25, .bitrate = 300000, .gop_frames = 50},
        {.width = 320, .height = 180, .fps = 25, .bitrate = 1000000, .gop_frames = 1},
        {.width = 128, .height = 96, .fps = 50, .bitrate = 300000, .gop_frames = 200},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct coder coder;

        coder_init(&coder, &cases[i]);
        for (unsigned window = 0; window < 4; window++) {
            double bits = 0;

            for (unsigned k = 0; k < 2 * cases[i].fps; k++) {
                coder_next(&coder);
                bits += 8.0 * (double)coder.unit.length;
            }
            if (window && cases[i].gop_frames <= 2 * cases[i].fps)
                assert_in_range((unsigned)(bits / 2), cases[i].bitrate * 9 / 10,
                                cases[i].bitrate * 11 / 10);
        }
        coder_fini(&coder);
    }
}

// ---- the decoder's opinion ---------------------------------------------------------------------

static void write_start_codes(FILE *file, struct bytes unit)
{
    struct bytes nal;

    while (nal_next_prefixed(&unit, 4, &nal) == 0) {
        assert_int_equal(fwrite("\0\0\0\1", 1, 4, file), 4);
        assert_int_equal(fwrite(nal.data, 1, nal.length, file), nal.length);
    }
}

static void write_sets(FILE *file, const struct fake_h264 *encoder)
{
    uint8_t config[FAKE_CONFIG_MAX];
    struct bytes rest = bytes_of(config, fake_h264_config(encoder, config)), nal;

    bytes_skip(&rest, 6);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(nal_next_prefixed(&rest, 2, &nal), 0);
        assert_int_equal(fwrite("\0\0\0\1", 1, 4, file), 4);
        assert_int_equal(fwrite(nal.data, 1, nal.length, file), nal.length);
        bytes_skip(&rest, 1); // the number of PPS
    }
}

// Appends the visible part of the encoder's own reconstruction.
static uint8_t *keep(const struct coder *coder, uint8_t *at)
{
    for (unsigned plane = 0; plane < 3; plane++) {
        unsigned width = coder->options.width >> (plane ? 1 : 0);
        unsigned height = coder->options.height >> (plane ? 1 : 0);
        size_t stride;
        const uint8_t *data = fake_h264_reconstruction(coder->encoder, plane, &stride);

        for (unsigned y = 0; y < height; y++, at += width)
            memcpy(at, data + y * stride, width);
    }
    return at;
}

static void compare_with_decoder(const struct fake_h264_options *options, unsigned count)
{
    size_t picture = (size_t)options->width * options->height * 3 / 2, length;
    uint8_t *ours = mem_alloc(picture * count), *at = ours, *theirs;
    struct fake_decode decode;
    struct coder coder;

    coder_init(&coder, options);
    fake_decode_begin(&decode);
    write_sets(decode.file, coder.encoder);
    for (unsigned i = 0; i < count; i++) {
        coder_next(&coder);
        write_start_codes(decode.file, coder.unit);
        at = keep(&coder, at);
    }
    theirs = fake_decode_end(&decode, "-f h264 -framerate 25",
                             "-f rawvideo -pix_fmt yuv420p -fps_mode passthrough", &length);
    assert_int_equal(length, picture * count);
    for (unsigned i = 0; i < count; i++)
        assert_memory_equal(ours + i * picture, theirs + i * picture, picture);
    mem_free(ours);
    mem_free(theirs);
    coder_fini(&coder);
}

// The cases are chosen so that every code of the CAVLC tables occurs, at fine and coarse
// quantisers, with pictures that need cropping at both sides, and over several GOPs.
static void fake_h264_encode_several_gops_decoder_agrees(void **state)
{
    static const struct fake_h264_options cases[] = {
        {.width = 640, .height = 360, .fps = 25, .bitrate = 1000000, .gop_frames = 25},
        {.width = 320, .height = 180, .fps = 25, .bitrate = 2300000, .gop_frames = 10},
        {.width = 320, .height = 180, .fps = 25, .bitrate = 70000, .gop_frames = 50},
        {.width = 160, .height = 90, .fps = 25, .bitrate = 500000, .gop_frames = 1},
        {.width = 98, .height = 130, .fps = 50, .bitrate = 300000, .gop_frames = 20},
        {.width = 2400, .height = 64, .fps = 25, .bitrate = 2000000, .gop_frames = 30},
        {.width = 64, .height = 400, .fps = 25, .bitrate = 300000, .gop_frames = 300},
    };

    (void)state;
    if (!fake_decode_possible())
        skip();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        compare_with_decoder(&cases[i], i == 6 ? 320 : 70);
}

TEST_MAIN(TEST(fake_h264_check_wrong_option_says_which),
          TEST(fake_h264_bitrate_usual_any_size_is_legal),
          TEST(fake_h264_config_usual_is_read_back),
          TEST(fake_h264_config_any_picture_says_nothing_is_reordered),
          TEST(fake_h264_encode_any_picture_carries_its_time),
          TEST(fake_h264_encode_each_gop_begins_with_another_idr),
          TEST(fake_h264_encode_other_pictures_are_much_smaller),
          TEST(fake_h264_encode_same_input_same_bytes),
          TEST(fake_h264_encode_any_picture_allocates_nothing),
          TEST(fake_h264_encode_any_bitrate_is_met),
          TEST(fake_h264_encode_several_gops_decoder_agrees))
