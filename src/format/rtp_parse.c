// SPDX-License-Identifier: MIT
// The head of an RTP packet.
#include "format/rtp_parse.h"

enum { RTP_VERSION = 2, RTCP_TYPE_FIRST = 192, RTCP_TYPE_LAST = 223 };

int rtp_parse(struct bytes in, struct rtp_packet *out)
{
    uint8_t flags, type;
    struct rtp_packet packet;
    if (!bytes_read_u8(&in, &flags) || flags >> 6 != RTP_VERSION || !bytes_read_u8(&in, &type) ||
        !bytes_read_u16(&in, &packet.sequence) || !bytes_read_u32(&in, &packet.timestamp) ||
        !bytes_read_u32(&in, &packet.ssrc))
        return ERR_INVALID;
    packet.marker = type & 0x80;
    packet.payload_type = type & 0x7f;
    if (!bytes_skip(&in, (flags & 15u) * 4))
        return ERR_INVALID;
    if (flags & 0x10) {
        uint16_t words;
        if (!bytes_skip(&in, 2) || !bytes_read_u16(&in, &words) || !bytes_skip(&in, words * 4u))
            return ERR_INVALID;
    }
    if (flags & 0x20 && in.length > 0) {
        uint8_t padding = in.data[in.length - 1];
        if (padding > in.length)
            return ERR_INVALID;
        in.length -= padding;
    }
    packet.payload = in;
    *out = packet;
    return 0;
}

bool rtp_is_rtcp(struct bytes in)
{
    return in.length >= 4 && in.data[0] >> 6 == RTP_VERSION && in.data[1] >= RTCP_TYPE_FIRST &&
           in.data[1] <= RTCP_TYPE_LAST;
}
