// SPDX-License-Identifier: MIT
// Any compound packet: it ends, and every sender report can be answered.
#include "base/ensure.h"
#include "base/mem.h"
#include "format/rtcp_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size);
    struct rtcp_packet packet;
    struct rtcp_stats stats = {0};
    uint8_t out[RTCP_RECEIVER_REPORT_MAX];
    int64_t now = 1;
    size_t left = in.length;
    while (rtcp_next(&in, &packet) == 0) {
        ENSURE(in.length < left);
        left = in.length;
        now += packet.rtp;
        rtcp_stats_packet(&stats, packet.ssrc & 1, (uint16_t)packet.packets, packet.octets, 90000,
                          now);
        if (packet.type == RTCP_SENDER_REPORT) {
            rtcp_ntp_to_utc_us(packet.ntp);
            rtcp_stats_report(&stats, packet.ntp, now);
        }
        size_t length = rtcp_receiver_report_write(&stats, 1, "fuzz", now, out);
        struct bytes own = bytes_of(out, length);
        ENSURE(length <= sizeof(out) && rtcp_next(&own, &packet) == 0);
    }
    mem_free(copy);
    return 0;
}
