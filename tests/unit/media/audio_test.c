// SPDX-License-Identifier: MIT
#include "media/audio.h"

#include "base/limits.h"
#include "unit.h"

#define BYTES(text) bytes_of(text, sizeof(text) - 1)

static void aac_config_parse_low_complexity(void **state)
{
    (void)state;
    struct aac_config aac;
    assert_int_equal(aac_config_parse(BYTES("\x12\x10"), &aac), 0);
    assert_int_equal(aac.object_type, 2);
    assert_int_equal(aac.sample_rate, 44100);
    assert_int_equal(aac.channels, 2);
    assert_int_equal(aac.rate_index, 4);
    assert_int_equal(aac.channel_config, 2);
    assert_int_equal(aac.frame_samples, 1024);
    assert_int_equal(aac_config_parse(BYTES("\x14\x0c"), &aac), 0); // 960 samples, 16 kHz mono
    assert_int_equal(aac.frame_samples, 960);
    assert_int_equal(aac.sample_rate, 16000);
}

static void aac_config_parse_sbr_and_ps_give_the_core(void **state)
{
    (void)state;
    struct aac_config aac;
    assert_int_equal(aac_config_parse(BYTES("\x2b\x11\x88\0"), &aac), 0); // 24 to 48 kHz, stereo
    assert_int_equal(aac.object_type, 2);
    assert_int_equal(aac.sample_rate, 24000);
    assert_int_equal(aac.channels, 2);
    assert_int_equal(aac_config_parse(BYTES("\xeb\x09\x88\0"), &aac), 0);
    assert_int_equal(aac.object_type, 2);
    assert_int_equal(aac.channels, 1);
}

static void aac_config_parse_explicit_rate_and_eight_channels(void **state)
{
    (void)state;
    struct aac_config aac;
    assert_int_equal(aac_config_parse(BYTES("\x17\x80\x5d\xe0\x38"), &aac), 0); // 48064 Hz
    assert_int_equal(aac.sample_rate, 48064);
    assert_int_equal(aac.rate_index, 3);
    assert_int_equal(aac.channels, 8);
}

static void aac_config_parse_program_config_element_is_counted(void **state)
{
    (void)state;
    struct aac_config aac;
    // channels 0, then: front 1 single + 1 pair, side none, back 1 pair, one low frequency channel
    uint8_t built[16] = {0};
    unsigned bit = 0;
    static const struct {
        uint8_t value, bits;
    } field[] = {{2, 5}, {3, 4}, {0, 4}, {0, 3}, {0, 4}, {1, 2}, {3, 4}, {2, 4},
                 {0, 4}, {1, 4}, {1, 2}, {0, 3}, {0, 4}, {0, 1}, {0, 1}, {0, 1},
                 {0, 1}, {0, 4}, {1, 1}, {0, 4}, {1, 1}, {1, 4}, {0, 4}};
    for (unsigned i = 0; i < sizeof(field) / sizeof(field[0]); i++)
        for (unsigned j = field[i].bits; j-- > 0; bit++)
            built[bit / 8] |= (uint8_t)((field[i].value >> j & 1) << (7 - bit % 8));
    assert_int_equal(aac_config_parse(bytes_of(built, (bit + 7) / 8), &aac), 0);
    assert_int_equal(aac.channels, 6);
    assert_int_equal(aac_config_parse(bytes_of(built, 5), &aac), ERR_INVALID);
}

static void aac_config_parse_broken_is_refused(void **state)
{
    (void)state;
    struct aac_config aac;
    struct track track;
    assert_int_equal(aac_config_parse(BYTES(""), &aac), ERR_INVALID);
    assert_int_equal(aac_config_parse(BYTES("\x12"), &aac), ERR_INVALID);
    assert_int_equal(aac_config_parse(BYTES("\x16\x90"), &aac), ERR_INVALID); // reserved rate
    assert_int_equal(aac_config_parse(BYTES("\x12\x40"), &aac), ERR_INVALID); // reserved channels
    assert_int_equal(aac_config_parse(BYTES("\xf8\xe6\x40\0"), &aac), ERR_UNSUPPORTED); // ELD
    assert_int_equal(aac_track_from_config(BYTES("\x12"), &track), ERR_INVALID);
}

static void aac_track_from_config_counts_in_samples(void **state)
{
    (void)state;
    struct track track;
    assert_int_equal(aac_track_from_config(BYTES("\x11\x88"), &track), 0);
    assert_int_equal(track.codec, CODEC_AAC);
    assert_int_equal(track.kind, MEDIA_AUDIO);
    assert_int_equal(track.timescale, 48000);
    assert_int_equal(track.sample_rate, 48000);
    assert_int_equal(track.channels, 1);
    assert_int_equal(track.config->length, 2);
    track_fini(&track);
}

static void adts_write_and_parse_are_inverse(void **state)
{
    (void)state;
    struct aac_config aac;
    assert_int_equal(aac_config_parse(BYTES("\x12\x10"), &aac), 0);
    uint8_t header[ADTS_HEADER], config[2];
    static const size_t lengths[] = {1, 7, 371, 2047, ADTS_PAYLOAD_MAX};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct adts adts;
        adts_write(&aac, lengths[i], header);
        assert_int_equal(adts_parse(bytes_of(header, 7), &adts), 0);
        assert_int_equal(adts.header_length, 7);
        assert_int_equal(adts.frame_length, lengths[i] + 7);
        assert_int_equal(adts.blocks, 1);
        adts_config(&adts, config);
        assert_memory_equal(config, "\x12\x10", 2);
    }
    adts_write(&aac, 0x174 - 7, header);
    assert_memory_equal(header, "\xff\xf1\x50\x80\x2e\x9f\xfc", 7);
}

static void adts_parse_says_what_is_missing(void **state)
{
    (void)state;
    struct adts adts;
    static const char header[] = "\xff\xf0\x50\x80\x2e\x9f\xfe\x12\x34";
    for (size_t length = 0; length < 7; length++)
        assert_int_equal(adts_parse(bytes_of(header, length), &adts), ERR_AGAIN);
    assert_int_equal(adts_parse(bytes_of(header, 7), &adts), 0);
    assert_int_equal(adts.header_length, 9); // with checksum
    assert_int_equal(adts.blocks, 3);
    assert_int_equal(adts_parse(BYTES("\xfe"), &adts), ERR_INVALID);
    assert_int_equal(adts_parse(BYTES("\xff\xf3"), &adts), ERR_INVALID); // a layer
    assert_int_equal(adts_parse(BYTES("\xff\xf1\x7c\x80\x2e\x9f\xfc"), &adts), ERR_INVALID);
    assert_int_equal(adts_parse(BYTES("\xff\xf1\x50\x80\0\xff\xfc"), &adts), ERR_INVALID); // 7 long
}

static void write_too_long(void *arg)
{
    uint8_t header[ADTS_HEADER];
    adts_write(arg, ADTS_PAYLOAD_MAX + 1, header);
}

static void adts_write_too_long_dies(void **state)
{
    (void)state;
    struct aac_config aac;
    assert_int_equal(aac_config_parse(BYTES("\x12\x10"), &aac), 0);
    assert_true(unit_dies(write_too_long, &aac));
}

static void opus_track_make_stereo_and_surround(void **state)
{
    (void)state;
    struct track track;
    assert_int_equal(opus_track_make(2, 312, &track), 0);
    assert_int_equal(track.timescale, 48000);
    assert_int_equal(track.channels, 2);
    assert_int_equal(track.config->length, 11);
    assert_memory_equal(track.config->data, "\0\2\1\x38\0\0\xbb\x80\0\0\0", 11);
    track_fini(&track);
    assert_int_equal(opus_track_make(6, 0, &track), 0);
    assert_int_equal(track.config->length, 19);
    assert_memory_equal(track.config->data, "\0\6\0\0\0\0\xbb\x80\0\0\1\4\2\0\4\1\2\3\5", 19);
    track_fini(&track);
    assert_int_equal(opus_track_make(1, 0, &track), 0);
    track_fini(&track);
    assert_int_equal(opus_track_make(0, 0, &track), ERR_INVALID);
    assert_int_equal(opus_track_make(9, 0, &track), ERR_INVALID);
}

static void opus_packet_duration_of_each_kind(void **state)
{
    (void)state;
    assert_int_equal(opus_packet_duration(BYTES("\x00")), 480);      // SILK 10 ms
    assert_int_equal(opus_packet_duration(BYTES("\x18")), 2880);     // SILK 60 ms
    assert_int_equal(opus_packet_duration(BYTES("\x68")), 960);      // hybrid 20 ms
    assert_int_equal(opus_packet_duration(BYTES("\x80")), 120);      // CELT 2.5 ms
    assert_int_equal(opus_packet_duration(BYTES("\xfc")), 960);      // CELT 20 ms
    assert_int_equal(opus_packet_duration(BYTES("\xfd")), 1920);     // two of them
    assert_int_equal(opus_packet_duration(BYTES("\xff\x03")), 2880); // three
    assert_int_equal(opus_packet_duration(BYTES("\xff\x87")), 0);    // 140 ms
    assert_int_equal(opus_packet_duration(BYTES("\xff")), 0);
    assert_int_equal(opus_packet_duration(BYTES("")), 0);
}

static void g711_track_make_takes_rate_and_channels(void **state)
{
    (void)state;
    struct track track;
    assert_int_equal(g711_track_make(CODEC_PCMA, 8000, 1, &track), 0);
    assert_int_equal(track.codec, CODEC_PCMA);
    assert_int_equal(track.timescale, 8000);
    assert_null(track.config);
    assert_int_equal(g711_track_make(CODEC_PCMU, 0, 1, &track), ERR_INVALID);
    assert_int_equal(g711_track_make(CODEC_PCMU, 8000, 0, &track), ERR_INVALID);
}

static void mp3_header_parse_each_version(void **state)
{
    (void)state;
    struct mp3_header mp3;
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\x90\x64"), &mp3), 0); // 128 kbit/s, 44.1 kHz
    assert_int_equal(mp3.length, 417);
    assert_int_equal(mp3.samples, 1152);
    assert_int_equal(mp3.sample_rate, 44100);
    assert_int_equal(mp3.channels, 2);
    assert_true(mp3.mpeg1);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\x92\x64"), &mp3), 0); // padded
    assert_int_equal(mp3.length, 418);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xf3\x84\xc4"), &mp3), 0); // 64 kbit/s, 24 kHz
    assert_int_equal(mp3.length, 192);
    assert_int_equal(mp3.samples, 576);
    assert_int_equal(mp3.channels, 1);
    assert_false(mp3.mpeg1);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfd\xa4\0"), &mp3), 0); // layer II, 192 at 48
    assert_int_equal(mp3.length, 576);
    assert_int_equal(mp3.samples, 1152);
    struct track track;
    mp3_track_make(&mp3, &track);
    assert_int_equal(track.timescale, 48000);
    assert_int_equal(track.codec, CODEC_MP3);
}

static void mp3_header_parse_every_bitrate(void **state)
{
    (void)state;
    // Version and layer, the length that a kbit/s makes at 48 or 24 kHz, the sum of all bitrates.
    static const struct {
        uint8_t second, rate;
        unsigned each, sum;
    } rows[] = {{0xff, 4, 1, 3360}, {0xfd, 4, 3, 2152}, {0xfb, 4, 3, 1808},
                {0xf7, 4, 2, 1768}, {0xf5, 4, 6, 1008}, {0xf3, 4, 3, 1008}};
    for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        unsigned sum = 0, last = 0;
        for (unsigned i = 1; i < 15; i++) {
            uint8_t head[4] = {0xff, rows[row].second, (uint8_t)(i << 4 | rows[row].rate), 0};
            struct mp3_header mp3;
            assert_int_equal(mp3_header_parse(bytes_of(head, 4), &mp3), 0);
            unsigned kbit = mp3.length / rows[row].each;
            assert_true(kbit > last && kbit % 8 == 0);
            last = kbit;
            sum += mp3.length;
        }
        assert_int_equal(sum, rows[row].sum * rows[row].each);
    }
}

static void mp3_header_parse_broken_is_refused(void **state)
{
    (void)state;
    struct mp3_header mp3;
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\x90"), &mp3), ERR_AGAIN);
    assert_int_equal(mp3_header_parse(BYTES("\xfe"), &mp3), ERR_INVALID);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xdb\x90\x64"), &mp3), ERR_INVALID);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xeb\x90\x64"), &mp3), ERR_INVALID); // version 1
    assert_int_equal(mp3_header_parse(BYTES("\xff\xf9\x90\x64"), &mp3), ERR_INVALID); // layer 4
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\x00\x64"), &mp3), ERR_INVALID); // free format
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\xf0\x64"), &mp3), ERR_INVALID);
    assert_int_equal(mp3_header_parse(BYTES("\xff\xfb\x9c\x64"), &mp3), ERR_INVALID);
}

TEST_MAIN(TEST(aac_config_parse_low_complexity), TEST(aac_config_parse_sbr_and_ps_give_the_core),
          TEST(aac_config_parse_explicit_rate_and_eight_channels),
          TEST(aac_config_parse_program_config_element_is_counted),
          TEST(aac_config_parse_broken_is_refused), TEST(aac_track_from_config_counts_in_samples),
          TEST(adts_write_and_parse_are_inverse), TEST(adts_parse_says_what_is_missing),
          TEST(adts_write_too_long_dies), TEST(opus_track_make_stereo_and_surround),
          TEST(opus_packet_duration_of_each_kind), TEST(g711_track_make_takes_rate_and_channels),
          TEST(mp3_header_parse_each_version), TEST(mp3_header_parse_every_bitrate),
          TEST(mp3_header_parse_broken_is_refused))
