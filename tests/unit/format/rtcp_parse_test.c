// SPDX-License-Identifier: MIT
#include "unit.h"

#include "format/rtcp_parse.h"

static const uint8_t compound[] = {
    0x80, 200,  0,    6,    0,    0, 0, 7,               // sender report of 7
    0xe8, 0xfe, 0x72, 0x80, 0x80, 0, 0, 0,               // NTP, half a second
    0,    0,    0x10, 0,    0,    0, 0, 9, 0, 0, 1,   0, // RTP, packets, octets
    0x81, 202,  0,    2,    0,    0, 0, 7, 1, 1, 'a', 0, // SDES
    0x81, 203,  0,    1,    0,    0, 0, 7,               // BYE
};

static void rtcp_next_compound_gives_each_packet(void **state)
{
    (void)state;
    struct bytes in = bytes_of(compound, sizeof(compound));
    struct rtcp_packet packet;
    assert_int_equal(rtcp_next(&in, &packet), 0);
    assert_int_equal(packet.type, RTCP_SENDER_REPORT);
    assert_int_equal(packet.ssrc, 7);
    assert_int_equal(packet.ntp, 0xe8fe728080000000);
    assert_int_equal(packet.rtp, 0x1000);
    assert_int_equal(packet.packets, 9);
    assert_int_equal(packet.octets, 256);
    assert_int_equal(rtcp_next(&in, &packet), 0);
    assert_int_equal(packet.type, 202);
    assert_int_equal(rtcp_next(&in, &packet), 0);
    assert_int_equal(packet.type, RTCP_BYE);
    assert_int_equal(packet.ssrc, 7);
    assert_int_equal(rtcp_next(&in, &packet), ERR_NOT_FOUND);
}

static void rtcp_next_broken_is_invalid_and_moves_nothing(void **state)
{
    (void)state;
    struct rtcp_packet packet;
    struct bytes in = bytes_of(compound, 27); // one byte short of the report
    assert_int_equal(rtcp_next(&in, &packet), ERR_INVALID);
    assert_int_equal(in.length, 27);
    static const uint8_t short_report[] = {0x80, 200, 0, 2, 0, 0, 0, 7, 1, 2, 3, 4};
    in = bytes_of(short_report, sizeof(short_report));
    assert_int_equal(rtcp_next(&in, &packet), ERR_INVALID);
    static const uint8_t version[] = {0x00, 200, 0, 0};
    in = bytes_of(version, sizeof(version));
    assert_int_equal(rtcp_next(&in, &packet), ERR_INVALID);
}

static void rtcp_ntp_to_utc_us_epoch_and_fraction(void **state)
{
    (void)state;
    assert_int_equal(rtcp_ntp_to_utc_us(2208988800ULL << 32), 0);
    assert_int_equal(rtcp_ntp_to_utc_us((2208988800ULL + 10) << 32 | 0x40000000), 10250000);
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void rtcp_receiver_report_write_counts_loss_and_delay(void **state)
{
    (void)state;
    struct rtcp_stats stats = {0};
    uint8_t out[RTCP_RECEIVER_REPORT_MAX];
    // Sequence numbers 65534, 65535, (0 lost), 1: across the wrap.
    rtcp_stats_packet(&stats, 7, 65534, 0, 90000, 0);
    rtcp_stats_packet(&stats, 7, 65535, 3600, 90000, 40000);
    rtcp_stats_packet(&stats, 7, 1, 10800, 90000, 120000);
    rtcp_stats_report(&stats, 0x1122334455667788, 1000000);
    size_t length = rtcp_receiver_report_write(&stats, 99, "camera", 1500000, out);
    struct bytes in = bytes_of(out, length);
    struct rtcp_packet packet;
    assert_int_equal(rtcp_next(&in, &packet), 0);
    assert_int_equal(packet.type, RTCP_RECEIVER_REPORT);
    assert_int_equal(packet.ssrc, 99);
    assert_int_equal(get_u32(out + 8), 7);
    assert_int_equal(out[12], 64); // one of four lost
    assert_int_equal(get_u32(out + 12) & 0xffffff, 1);
    assert_int_equal(get_u32(out + 16), 65537); // extended highest
    assert_int_equal(get_u32(out + 20), 0);     // evenly spaced
    assert_int_equal(get_u32(out + 24), 0x33445566);
    assert_int_equal(get_u32(out + 28), 32768); // half a second
    assert_int_equal(rtcp_next(&in, &packet), 0);
    assert_int_equal(packet.type, 202);
    assert_int_equal(rtcp_next(&in, &packet), ERR_NOT_FOUND);
    // Nothing lost since: the fraction is of the interval.
    rtcp_stats_packet(&stats, 7, 2, 14400, 90000, 160000);
    rtcp_receiver_report_write(&stats, 99, "camera", 1500000, out);
    assert_int_equal(out[12], 0);
    assert_int_equal(get_u32(out + 12) & 0xffffff, 1);
}

static void rtcp_receiver_report_write_before_media_has_no_block(void **state)
{
    (void)state;
    struct rtcp_stats stats = {0};
    uint8_t out[RTCP_RECEIVER_REPORT_MAX];
    char name[200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    size_t length = rtcp_receiver_report_write(&stats, 99, name, 0, out);
    assert_int_equal(length % 4, 0);
    assert_int_equal(out[0], 0x80);
    assert_int_equal(get_u32(out) & 0xffff, 1);
    assert_true(length <= sizeof(out));
}

static void rtcp_stats_packet_another_source_starts_anew(void **state)
{
    (void)state;
    struct rtcp_stats stats = {0};
    rtcp_stats_packet(&stats, 7, 100, 0, 8000, 0);
    rtcp_stats_packet(&stats, 8, 5000, 123456, 8000, 20000);
    assert_int_equal(stats.ssrc, 8);
    assert_int_equal(stats.received, 1);
    assert_int_equal(stats.base, 5000);
}

static void rtcp_stats_packet_uneven_arrival_is_jitter(void **state)
{
    (void)state;
    struct rtcp_stats stats = {0};
    for (unsigned i = 0; i < 200; i++) // ten milliseconds too late, every other packet
        rtcp_stats_packet(&stats, 7, (uint16_t)i, i * 3600, 90000, i * 40000 + i % 2 * 10000);
    assert_in_range(stats.jitter / 16, 850, 900);
}

TEST_MAIN(TEST(rtcp_next_compound_gives_each_packet),
          TEST(rtcp_next_broken_is_invalid_and_moves_nothing),
          TEST(rtcp_ntp_to_utc_us_epoch_and_fraction),
          TEST(rtcp_receiver_report_write_counts_loss_and_delay),
          TEST(rtcp_receiver_report_write_before_media_has_no_block),
          TEST(rtcp_stats_packet_another_source_starts_anew),
          TEST(rtcp_stats_packet_uneven_arrival_is_jitter))
