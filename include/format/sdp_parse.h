// SPDX-License-Identifier: MIT
// Session descriptions (RFC 8866) as cameras write them: lines may be missing, end in LF alone,
// stand in the wrong place or be nonsense; what can be understood is taken. Only what receiving RTP
// needs is kept.
#ifndef FORMAT_SDP_PARSE_H
#define FORMAT_SDP_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum { SDP_BYTES_MAX = 64 << 10, SDP_FORMATS_MAX = 8 };

// Texts are borrowed from the sdp and never NULL; "" when the line was not there.
struct sdp_format {
    int payload_type;     // 0..127
    const char *encoding; // "H264", as written; known for static payload types without a line
    uint32_t clock;       // 0 when not said
    unsigned channels;    // 0 when not said
    const char *fmtp;     // what follows the payload type
};

enum sdp_direction {
    SDP_NOT_SAID,
    SDP_RECEIVE, // a=recvonly: for us to receive
    SDP_SEND,    // a=sendonly: a camera's loudspeaker
};

struct sdp_media {
    const char *kind;    // "video", "audio", "application"
    const char *control; // absolute or relative URL of the track
    unsigned port;
    enum sdp_direction direction;
    unsigned format_count; // formats of the m= line in their order, then others that were described
    struct sdp_format format[SDP_FORMATS_MAX];
};

struct sdp {
    char *text;          // owned; all other texts lie in it
    const char *name;    // s=
    const char *control; // of the whole session
    unsigned media_count;
    unsigned media_over; // m= lines beyond TRACKS_MAX, not kept
    struct sdp_media media[TRACKS_MAX];
};

// Count one owner: sdp_free. ERR_INVALID when there is no m= line in it, ERR_LIMIT above
// SDP_BYTES_MAX or without memory.
MUST_USE int sdp_parse(struct bytes in, struct sdp **out);
void sdp_free(struct sdp **sdp); // NULL is fine

// Value of a parameter of the format ("sprop-parameter-sets"); case of the key is ignored, as are
// blanks around and a missing value (then empty). False when it is not there.
bool sdp_format_get(const struct sdp_format *format, const char *key, struct bytes *value);
// The same as a number; `absent` when it is not there or is no number in 0..UINT32_MAX.
uint32_t sdp_format_number(const struct sdp_format *format, const char *key, uint32_t absent);

// The URL of a control attribute (RFC 2326, C.1.1), as cameras mean it: an absolute URL as it is,
// "*" and "" the base, anything else behind the base and a slash, also where the base ends in a
// query. False when it does not fit.
bool sdp_control_url(const char *base, const char *control, char *out, size_t room);

#endif
