// SPDX-License-Identifier: MIT
#include "rtp_unpack_fixture.h"

#define HBR "streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1210"

static void rtp_unpack_aac_several_units_in_a_packet(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "mpeg4-generic", 44100, 2, HBR);
    assert_int_equal(rtp_unpack_timescale(out.unpack), 44100);
    SEND(&out, 100, true, 0, 48, 0, 3 << 3, 0, 1 << 3, 0, 2 << 3, 'a', 'b', 'c', 'd', 'e', 'f');
    assert_text(&out, "A@100+1024(3) A@1124+1024(1) A@2148+1024(2) ");
    assert_memory_equal(out.last, "ef", 2);
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_aac_fragments(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "MPEG4-GENERIC", 44100, 2, HBR);
    SEND(&out, 0, false, 0, 16, 0, 6 << 3, 'a', 'b', 'c');
    assert_text(&out, "");
    SEND(&out, 0, false, 0, 16, 0, 6 << 3, 'd');
    SEND(&out, 0, true, 0, 16, 0, 6 << 3, 'e', 'f');
    assert_text(&out, "A@0+1024(6) ");
    assert_memory_equal(out.last, "abcdef", 6);
    // The second one is lost; what follows is whole again.
    SEND(&out, 1024, false, 0, 16, 0, 6 << 3, 'a', 'b', 'c');
    static const uint8_t last[] = {0, 16, 0, 6 << 3, 'f'};
    send_lost(&out, 1024, true, bytes_of(last, sizeof(last)), 1);
    SEND(&out, 2048, true, 0, 16, 0, 1 << 3, 'x');
    assert_text(&out, "! ! A@2048+1024(1) ");
    // A new unit before the old one was complete.
    SEND(&out, 3072, false, 0, 16, 0, 6 << 3, 'a', 'b', 'c');
    SEND(&out, 4096, true, 0, 16, 0, 1 << 3, 'x');
    assert_text(&out, "! A@4096+1024(1) ");
    SEND(&out, 5120, false, 0, 16, 0, 6 << 3, 'a', 'b', 'c');
    SEND(&out, 5120, true, 0, 16, 0, 6 << 3, 'd', 'e', 'f', 'g');
    assert_text(&out, "! ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_aac_habits_of_senders(void **state)
{
    (void)state;
    struct out out;
    // The length of the headers in bytes; an ADTS header left in; a quoted configuration; no
    // widths.
    open_unpack(&out, "mpeg4-generic", 16000, 1, "mode=AAC-hbr;config=\"1408\"");
    SEND(&out, 0, true, 0, 2, 0, 3 << 3, 'a', 'b', 'c');
    SEND(&out, 1024, true, 0, 16, 0, 9 << 3, 0xff, 0xf1, 0x60, 0x40, 0x01, 0x3f, 0xfc, 'h', 'i');
    assert_text(&out, "A@0+1024(3) A@1024+1024(2) ");
    assert_memory_equal(out.last, "hi", 2);
    rtp_unpack_free(&out.unpack);
    // No configuration: rate and channels are enough.
    open_unpack(&out, "mpeg4-generic", 48000, 2, "mode=AAC-hbr");
    assert_int_equal(rtp_unpack_track(out.unpack)->channels, 2);
    assert_int_equal(rtp_unpack_track(out.unpack)->sample_rate, 48000);
    rtp_unpack_free(&out.unpack);
    // A low-rate mode: six bits of size, two of index.
    open_unpack(&out, "mpeg4-generic", 8000, 1, "mode=AAC-lbr;config=1588");
    SEND(&out, 0, true, 0, 16, 2 << 2, 1 << 2, 'a', 'b', 'c');
    assert_text(&out, "A@0+1024(2) A@1024+1024(1) ");
    rtp_unpack_free(&out.unpack);
    // SBR: the RTP clock is twice the core's.
    open_unpack(&out, "mpeg4-generic", 48000, 2, "mode=AAC-hbr;config=2b118800");
    assert_int_equal(rtp_unpack_timescale(out.unpack), 24000);
    assert_int_equal(rtp_unpack_clock(out.unpack), 48000);
    SEND(&out, 4096, true, 0, 16, 0, 1 << 3, 'a');
    assert_text(&out, "A@2048+1024(1) ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_aac_broken_packets_are_errors(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "mpeg4-generic", 44100, 2, HBR);
    SEND(&out, 0, true, 0);
    assert_text(&out, "! ");
    SEND(&out, 0, true, 0, 32, 0, 3 << 3);
    assert_text(&out, "! ");
    SEND(&out, 0, true, 0, 16, 0, 9 << 3, 'a'); // says nine, is the last, has one
    assert_text(&out, "! ");
    SEND(&out, 0, true, 0, 32, 0, 1 << 3, 0, 9 << 3, 'a', 'b');
    assert_text(&out, "A@0+1024(1) ! ");
    send(&out, 0, true, bytes_of(NULL, 0));
    assert_text(&out, "");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_latm(void **state)
{
    (void)state;
    struct out out;
    // StreamMuxConfig of one AAC-LC stream, 44100 Hz, two channels.
    open_unpack(&out, "MP4A-LATM", 44100, 2, "cpresent=0; config=400024203fc0");
    const struct track *track = rtp_unpack_track(out.unpack);
    assert_int_equal(track->sample_rate, 44100);
    assert_int_equal(track->config->length, 2);
    assert_memory_equal(track->config->data, "\x12\x10", 2);
    SEND(&out, 0, true, 3, 'a', 'b', 'c');
    assert_text(&out, "A@0+1024(3) ");
    uint8_t packet[260] = {255, 3};
    memset(packet + 2, 'x', 258);
    send(&out, 1024, true, bytes_of(packet, 260));
    assert_text(&out, "A@1024+1024(258) ");
    send(&out, 2048, false, bytes_of(packet, 100));
    send(&out, 2048, true, bytes_of(packet + 100, 160));
    assert_text(&out, "A@2048+1024(258) ");
    send(&out, 3072, false, bytes_of(packet, 100));
    SEND(&out, 4096, true, 1, 'y');
    assert_text(&out, "! A@4096+1024(1) ");
    SEND(&out, 5120, true, 9, 'y');
    SEND(&out, 5120, true, 255);
    assert_text(&out, "! ! ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_opus_and_g711(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "opus", 48000, 2, "sprop-stereo=1");
    SEND(&out, 960, false, 0xfc, 1, 2, 3);
    SEND(&out, 1920, false, 0xff); // a count of frames that is not there
    assert_text(&out, "A@960+960(4) ! ");
    rtp_unpack_free(&out.unpack);
    open_unpack(&out, "PCMA", 8000, 1, "");
    assert_int_equal(rtp_unpack_track(out.unpack)->codec, CODEC_PCMA);
    SEND(&out, 160, true, 1, 2, 3, 4);
    send(&out, 164, true, bytes_of(NULL, 0));
    assert_text(&out, "A@160+4(4) ");
    rtp_unpack_free(&out.unpack);
    open_unpack(&out, "pcmu", 0, 0, "");
    assert_int_equal(rtp_unpack_track(out.unpack)->codec, CODEC_PCMU);
    assert_int_equal(rtp_unpack_clock(out.unpack), 8000);
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_new_what_is_not_done_says_why(void **state)
{
    (void)state;
    static const struct sdp_format formats[] = {
        {.encoding = "JPEG", .clock = 90000, .fmtp = ""},
        {.encoding = "vnd.onvif.metadata", .clock = 90000, .fmtp = ""},
        {.encoding = "", .fmtp = ""},
        {.encoding = "mpeg4-generic", .clock = 12345, .fmtp = "config=zz"},
        {.encoding = "mpeg4-generic", .clock = 48000, .fmtp = "sizelength=0;config=1190"},
        {.encoding = "MP4A-LATM", .clock = 48000, .fmtp = "config="},
        {.encoding = "MP4A-LATM", .clock = 48000, .fmtp = "cpresent=1;config=400024203fc0"},
        {.encoding = "MP4A-LATM", .clock = 48000, .fmtp = "config=ffffffffffff"},
    };
    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct rtp_unpack *unpack;
        const char *why = NULL;
        assert_int_equal(rtp_unpack_new(&formats[i], &events, NULL, &unpack, &why),
                         ERR_UNSUPPORTED);
        assert_null(unpack);
        assert_non_null(why);
    }
    assert_int_equal(rtp_unpack_codec(&formats[0]), CODEC_COUNT);
    assert_int_equal(rtp_unpack_codec(&formats[3]), CODEC_AAC);
}

TEST_MAIN(TEST(rtp_unpack_aac_several_units_in_a_packet), TEST(rtp_unpack_aac_fragments),
          TEST(rtp_unpack_aac_habits_of_senders), TEST(rtp_unpack_aac_broken_packets_are_errors),
          TEST(rtp_unpack_latm), TEST(rtp_unpack_opus_and_g711),
          TEST(rtp_unpack_new_what_is_not_done_says_why))
