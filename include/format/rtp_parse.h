// SPDX-License-Identifier: MIT
// The head of an RTP packet (RFC 3550, 5.1).
#ifndef FORMAT_RTP_PARSE_H
#define FORMAT_RTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct rtp_packet {
    bool marker;
    uint8_t payload_type; // 0..127
    uint16_t sequence;
    uint32_t timestamp; // ticks of the clock that the session description names; wraps
    uint32_t ssrc;
    struct bytes payload; // without head, CSRC list, extension and padding; may be empty. Borrowed.
};

// A whole packet. ERR_INVALID: another version, or lengths that do not fit. A padding count of zero
// is taken as no padding, because there are senders who set the bit and add nothing.
MUST_USE int rtp_parse(struct bytes in, struct rtp_packet *out);

// True when the bytes are RTCP that shares the port or channel with RTP (RFC 5761, 4).
bool rtp_is_rtcp(struct bytes in);

#endif
