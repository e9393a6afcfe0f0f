// SPDX-License-Identifier: MIT
#include "unit.h"

#include "format/rtp_parse.h"

static void rtp_parse_plain_head_reads_every_field(void **state)
{
    (void)state;
    static const uint8_t in[] = {0x80, 0xe0, 0x12, 0x34, 0, 1, 2, 3, 0xa, 0xb, 0xc, 0xd, 'x', 'y'};
    struct rtp_packet packet;
    assert_int_equal(rtp_parse(bytes_of(in, sizeof(in)), &packet), 0);
    assert_true(packet.marker);
    assert_int_equal(packet.payload_type, 0x60);
    assert_int_equal(packet.sequence, 0x1234);
    assert_int_equal(packet.timestamp, 0x00010203);
    assert_int_equal(packet.ssrc, 0x0a0b0c0d);
    assert_int_equal(packet.payload.length, 2);
    assert_memory_equal(packet.payload.data, "xy", 2);
}

static void rtp_parse_skips_csrc_extension_and_padding(void **state)
{
    (void)state;
    static const uint8_t in[] = {0xb2, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, // P X CC=2
                                 1,    1,    1, 1, 2, 2, 2, 2,             // CSRC
                                 0xbe, 0xde, 0, 1, 9, 9, 9, 9,             // extension of one word
                                 'p',  'q',  0, 0, 3};                     // three of padding
    struct rtp_packet packet;
    assert_int_equal(rtp_parse(bytes_of(in, sizeof(in)), &packet), 0);
    assert_int_equal(packet.payload.length, 2);
    assert_memory_equal(packet.payload.data, "pq", 2);
}

static void rtp_parse_padding_of_zero_is_no_padding(void **state)
{
    (void)state;
    static const uint8_t in[] = {0xa0, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 'a', 0};
    struct rtp_packet packet;
    assert_int_equal(rtp_parse(bytes_of(in, sizeof(in)), &packet), 0);
    assert_int_equal(packet.payload.length, 2);
}

static void rtp_parse_only_padding_is_an_empty_payload(void **state)
{
    (void)state;
    static const uint8_t in[] = {0xa0, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    struct rtp_packet packet;
    assert_int_equal(rtp_parse(bytes_of(in, sizeof(in)), &packet), 0);
    assert_int_equal(packet.payload.length, 0);
}

static void rtp_parse_what_does_not_fit_is_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t in[20];
        size_t length;
    } cases[] = {
        {"nothing", {0}, 0},
        {"eleven bytes", {0x80, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0}, 11},
        {"version 1", {0x40, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, 12},
        {"a CSRC too many", {0x82, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1, 1, 1}, 16},
        {"half an extension head", {0x90, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0}, 14},
        {"a long extension", {0x90, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 7}, 17},
        {"more padding than there is", {0xa0, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9}, 13},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rtp_packet packet;
        if (rtp_parse(bytes_of(cases[i].in, cases[i].length), &packet) != ERR_INVALID)
            fail_msg("%s was taken", cases[i].what);
    }
}

static void rtp_is_rtcp_tells_reports_from_media(void **state)
{
    (void)state;
    static const uint8_t report[] = {0x80, 200, 0, 6}, media[] = {0x80, 0xe0, 0, 6},
                         payload_72[] = {0x80, 71, 0, 6};
    assert_true(rtp_is_rtcp(bytes_of(report, 4)));
    assert_false(rtp_is_rtcp(bytes_of(report, 3)));
    assert_false(rtp_is_rtcp(bytes_of(media, 4)));
    assert_false(rtp_is_rtcp(bytes_of(payload_72, 4)));
}

TEST_MAIN(TEST(rtp_parse_plain_head_reads_every_field),
          TEST(rtp_parse_skips_csrc_extension_and_padding),
          TEST(rtp_parse_padding_of_zero_is_no_padding),
          TEST(rtp_parse_only_padding_is_an_empty_payload),
          TEST(rtp_parse_what_does_not_fit_is_invalid), TEST(rtp_is_rtcp_tells_reports_from_media))
