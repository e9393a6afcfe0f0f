// SPDX-License-Identifier: MIT
// RTSP/1.0 bytes (RFC 2326) to messages and interleaved frames, and the headers that a client
// reads. No IO. Lenient where cameras are careless: lines that end in LF, empty lines and garbage
// between messages, status lines without a phrase.
#ifndef RTSP_WIRE_H
#define RTSP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    RTSP_HEAD_MAX = 16 << 10, // start line and headers
    RTSP_BODY_MAX = 64 << 10, // a description
    RTSP_HEADERS_MAX = 48,    // more are not looked at
};

enum rtsp_kind {
    RTSP_FRAME, // an interleaved packet (10.12)
    RTSP_RESPONSE,
    RTSP_REQUEST, // servers may send them too
    RTSP_JUNK,    // bytes that are none of these, skipped up to where something may begin
};

struct rtsp_header {
    struct bytes name, value; // value without blanks around
};

struct rtsp_message {
    unsigned status;          // of a response
    struct bytes phrase;      // of a response, may be empty
    struct bytes method, uri; // of a request
    unsigned header_count;
    struct rtsp_header header[RTSP_HEADERS_MAX];
    struct bytes body;
};

// All bytes are borrowed from the input.
struct rtsp_item {
    enum rtsp_kind kind;
    uint8_t channel;             // of a frame
    struct bytes payload;        // of a frame, or the junk
    struct rtsp_message message; // of a response or request; else undefined
};

// The next item; moves *in past it. ERR_AGAIN: more bytes are needed (only line ends in front are
// eaten). ERR_LIMIT: a head or body above the bounds. ERR_INVALID: it is HTTP that answers.
MUST_USE int rtsp_wire_next(struct bytes *in, struct rtsp_item *out);

// The n-th header of that name (case is ignored), from 0; false when there are not so many.
bool rtsp_header_get(const struct rtsp_message *message, const char *name, unsigned n,
                     struct bytes *value);
bool rtsp_bytes_equal(struct bytes bytes, const char *text); // case is ignored
// A header whose value is a number; false when it is not there or no number up to UINT32_MAX.
bool rtsp_header_number(const struct rtsp_message *message, const char *name, uint32_t *out);
// True when a comma-separated list (Public) has the word.
bool rtsp_list_has(struct bytes list, const char *word);

// Session: id;timeout=60 (12.37). False without an id, or when it does not fit.
bool rtsp_session_parse(struct bytes value, char *id, size_t room, unsigned *timeout_s);

// Transport of a SETUP's answer (12.39), its first alternative.
struct rtsp_transport {
    bool tcp, multicast;
    bool has_channels, has_server_ports, has_ssrc;
    uint8_t channel[2]; // RTP, RTCP
    uint16_t server_port[2];
    uint32_t ssrc;
    char source[64]; // address that packets come from; "" when not said
};
void rtsp_transport_parse(struct bytes value, struct rtsp_transport *out);

#endif
