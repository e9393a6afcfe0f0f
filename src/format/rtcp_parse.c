// SPDX-License-Identifier: MIT
// RTCP.
#include "format/rtcp_parse.h"

#include <string.h>

#include "base/clock.h"

enum { RTCP_SDES = 202, SDES_CNAME = 1, CNAME_MAX = 64 };
#define NTP_TO_UNIX_S 2208988800ULL // from 1900 to 1970

int rtcp_next(struct bytes *in, struct rtcp_packet *out)
{
    if (in->length == 0)
        return ERR_NOT_FOUND;
    struct bytes rest = *in, body;
    uint8_t flags;
    uint16_t words;
    struct rtcp_packet packet = {0};
    if (!bytes_read_u8(&rest, &flags) || flags >> 6 != 2 || !bytes_read_u8(&rest, &packet.type) ||
        !bytes_read_u16(&rest, &words) || !bytes_take(&rest, words * 4u, &body))
        return ERR_INVALID;
    bool has_ssrc = bytes_read_u32(&body, &packet.ssrc);
    if (packet.type == RTCP_SENDER_REPORT &&
        (!has_ssrc || !bytes_read_u64(&body, &packet.ntp) || !bytes_read_u32(&body, &packet.rtp) ||
         !bytes_read_u32(&body, &packet.packets) || !bytes_read_u32(&body, &packet.octets)))
        return ERR_INVALID;
    *in = rest;
    *out = packet;
    return 0;
}

int64_t rtcp_ntp_to_utc_us(uint64_t ntp)
{
    int64_t seconds = (int64_t)(ntp >> 32) - (int64_t)NTP_TO_UNIX_S;
    return seconds * US_PER_S + (int64_t)((ntp & 0xffffffff) * 1000000 >> 32);
}

void rtcp_stats_packet(struct rtcp_stats *stats, uint32_t ssrc, uint16_t sequence,
                       uint32_t timestamp, uint32_t clock, int64_t now)
{
    // The arrival in ticks: only differences count, and only their low 32 bits.
    uint32_t arrival = (uint32_t)((__int128)now * clock / US_PER_S);
    int64_t transit = (int32_t)(arrival - timestamp);
    if (!stats->started || stats->ssrc != ssrc) {
        *stats = (struct rtcp_stats){.started = true,
                                     .ssrc = ssrc,
                                     .base = sequence,
                                     .highest = sequence,
                                     .received = 1,
                                     .transit = transit};
        return;
    }
    int16_t ahead = (int16_t)(uint16_t)(sequence - (uint16_t)stats->highest);
    if (ahead > 0)
        stats->highest += (uint32_t)ahead;
    stats->received++;
    int64_t change = transit - stats->transit;
    stats->transit = transit;
    if (change < 0)
        change = -change;
    // A jump of the sender's clock is no jitter.
    if (change < (int64_t)clock * 10)
        stats->jitter += (uint32_t)change - (stats->jitter + 8) / 16;
}

void rtcp_stats_report(struct rtcp_stats *stats, uint64_t ntp, int64_t now)
{
    stats->last_ntp = ntp;
    stats->last_ntp_us = now;
}

static size_t put_u32(uint8_t *out, size_t at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[at + i] = (uint8_t)(value >> (24 - 8 * i));
    return at + 4;
}

static size_t put_head(uint8_t *out, size_t at, unsigned count, unsigned type, size_t length)
{
    return put_u32(out, at, 2u << 30 | count << 24 | type << 16 | (uint32_t)(length / 4 - 1));
}

static size_t put_block(uint8_t *out, size_t at, struct rtcp_stats *stats, int64_t now)
{
    uint32_t expected = stats->highest - stats->base + 1;
    int64_t lost = (int64_t)expected - stats->received;
    lost = lost > 0x7fffff ? 0x7fffff : lost < -0x800000 ? -0x800000 : lost;
    int64_t expected_now = (int64_t)expected - stats->expected_before;
    int64_t lost_now = expected_now - ((int64_t)stats->received - stats->received_before);
    uint32_t fraction = 0;
    if (expected_now > 0 && lost_now > 0)
        fraction = (uint32_t)(lost_now * 256 / expected_now);
    if (fraction > 255)
        fraction = 255;
    stats->expected_before = expected;
    stats->received_before = stats->received;
    uint32_t delay = 0; // since the last sender report, in 1/65536 s
    if (stats->last_ntp_us)
        delay = (uint32_t)((now - stats->last_ntp_us) * 65536 / US_PER_S);
    at = put_u32(out, at, stats->ssrc);
    at = put_u32(out, at, fraction << 24 | ((uint32_t)lost & 0xffffff));
    at = put_u32(out, at, stats->highest);
    at = put_u32(out, at, stats->jitter / 16);
    at = put_u32(out, at, stats->last_ntp_us ? (uint32_t)(stats->last_ntp >> 16) : 0);
    return put_u32(out, at, delay);
}

size_t rtcp_receiver_report_write(struct rtcp_stats *stats, uint32_t own_ssrc, const char *cname,
                                  int64_t now, uint8_t out[RTCP_RECEIVER_REPORT_MAX])
{
    unsigned blocks = stats->started ? 1 : 0;
    size_t at = put_head(out, 0, blocks, RTCP_RECEIVER_REPORT, 8 + blocks * 24);
    at = put_u32(out, at, own_ssrc);
    if (blocks)
        at = put_block(out, at, stats, now);
    // SDES (6.5): one chunk, its items ended by at least one zero and padded to a whole word.
    size_t name = strnlen(cname, CNAME_MAX);
    size_t padded = (2 + name + 1 + 3) & ~(size_t)3;
    at = put_head(out, at, 1, RTCP_SDES, 8 + padded);
    at = put_u32(out, at, own_ssrc);
    memset(out + at, 0, padded);
    out[at] = SDES_CNAME;
    out[at + 1] = (uint8_t)name;
    memcpy(out + at + 2, cname, name);
    return at + padded;
}
