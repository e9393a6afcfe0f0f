// SPDX-License-Identifier: MIT
// RTCP (RFC 3550, 6): sender reports and goodbyes in, receiver reports out, and the counts that a
// receiver report needs.
#ifndef FORMAT_RTCP_PARSE_H
#define FORMAT_RTCP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum rtcp_type { RTCP_SENDER_REPORT = 200, RTCP_RECEIVER_REPORT = 201, RTCP_BYE = 203 };

struct rtcp_packet {
    uint8_t type;  // enum rtcp_type, or another number of the registry
    uint32_t ssrc; // of the sender; 0 when the packet names none
    // Of a sender report (6.4.1):
    uint64_t ntp; // seconds since 1900 in the high 32 bits, fraction in the low ones; 0: no clock
    uint32_t rtp; // the same moment in the RTP clock
    uint32_t packets, octets;
};

// Next packet of a compound one; moves *in past it. ERR_NOT_FOUND at the end; ERR_INVALID for what
// is no RTCP or too short for its type.
MUST_USE int rtcp_next(struct bytes *in, struct rtcp_packet *out);

// Microseconds since 1970 UTC of an NTP time as a sender report has it.
int64_t rtcp_ntp_to_utc_us(uint64_t ntp);

// ---- receiving side ---------------------------------------------------------------------------
// What one source's receiver report is made of (appendix A.3 and A.8). Zeroed before the first
// packet.
struct rtcp_stats {
    bool started;
    uint32_t ssrc;
    uint32_t base, highest; // extended sequence numbers
    uint32_t received;
    uint32_t expected_before, received_before; // at the last report
    int64_t transit;                           // ticks
    uint32_t jitter;                           // sixteenths of a tick
    uint64_t last_ntp;
    int64_t last_ntp_us; // when that sender report arrived, monotonic; 0: none yet
};

// clock: ticks a second. now_us: monotonic. Another ssrc starts anew.
void rtcp_stats_packet(struct rtcp_stats *stats, uint32_t ssrc, uint16_t sequence,
                       uint32_t timestamp, uint32_t clock, int64_t now_us);
void rtcp_stats_report(struct rtcp_stats *stats, uint64_t ntp, int64_t now_us);

enum { RTCP_RECEIVER_REPORT_MAX = 128 };
// A compound packet: receiver report (without a block before the first RTP packet) and SDES with a
// CNAME (at most 64 bytes of it). Returns its length.
size_t rtcp_receiver_report_write(struct rtcp_stats *stats, uint32_t own_ssrc, const char *cname,
                                  int64_t now_us, uint8_t out[RTCP_RECEIVER_REPORT_MAX]);

#endif
