// SPDX-License-Identifier: MIT
// HTTP authentication as RTSP uses it: Basic (RFC 7617) and Digest with MD5 or SHA-256, with and
// without qop=auth (RFC 7616, and RFC 2617 where that differs).
#ifndef RTSP_AUTH_H
#define RTSP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "rtsp_wire.h"

enum rtsp_auth_scheme { RTSP_AUTH_NONE, RTSP_AUTH_BASIC, RTSP_AUTH_MD5, RTSP_AUTH_SHA256 };

// Answers the challenge that was read last. Zeroed: none yet.
struct rtsp_auth {
    enum rtsp_auth_scheme scheme; // weakest first: the strongest that is offered is taken
    bool session;                 // algorithm ends in -sess
    bool qop;                     // qop=auth was offered
    bool stale;                   // the password was right, only the nonce was too old
    bool algorithm;               // it was named, and is named back
    char realm[256], nonce[512], opaque[256];
    uint32_t count;  // answers given with this nonce
    char cnonce[48]; // ours, for qop and sessions
};

enum { RTSP_AUTH_TEXT_MAX = 2048 };

// Reads every WWW-Authenticate of a 401; several challenges may share one header. A new nonce
// begins its count anew. ERR_UNSUPPORTED when nothing in them can be answered; *auth is then as it
// was.
MUST_USE int rtsp_auth_challenge(struct rtsp_auth *auth, const struct rtsp_message *message);
// The value of Authorization for one request; *out is "" before the first challenge. False when it
// does not fit.
bool rtsp_auth_write(struct rtsp_auth *auth, const char *user, const char *password,
                     const char *method, const char *uri, char out[RTSP_AUTH_TEXT_MAX]);

#endif
