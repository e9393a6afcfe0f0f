// SPDX-License-Identifier: MIT
// What the two files of a session share: its state, and asking.
#ifndef RTSP_SESSION_PRIV_H
#define RTSP_SESSION_PRIV_H

#include "base/url_parse.h"
#include "io/timeout.h"
#include "rtsp_auth.h"
#include "rtsp_session.h"

enum { RTSP_URI_MAX = 2 * URL_TEXT_MAX + 300 };

enum rtsp_state {
    RTSP_CONNECTING,
    RTSP_OPTIONS,
    RTSP_DESCRIBE,
    RTSP_SETUP,
    RTSP_PLAY,
    RTSP_PLAYING,
    RTSP_LOST,
};

struct rtsp_session {
    struct loop *loop;
    const struct rtsp_session_events *events;
    void *arg;
    const char *name;
    enum rtsp_state state;
    struct conn *conn; // NULL when closed
    char host[256], first_host[256];
    uint16_t port;
    char user[128], password[128];
    struct rtsp_auth auth;
    char *uri;       // of the request, without secrets; owned
    char *base;      // what relative controls are relative to; owned, NULL before the description
    char *aggregate; // control of all tracks; owned, NULL before the description
    struct sdp *sdp; // from DESCRIBE to PLAY, else NULL
    unsigned track, track_count; // of SETUP: the one that is asked for
    unsigned tracks_ready;
    bool udp, fell_back; // transport asked for; it is not the one that was wanted
    bool waiting;        // a request is out
    bool ranged;         // PLAY with a Range; without after a camera disliked it
    unsigned refusals;   // 401s to the request that is out
    bool challenged;     // a 401 came on this connection
    bool reopened;       // the connection is a second one because the first was closed after a 401
    unsigned redirects;
    size_t junk;
    uint32_t sequence; // CSeq of the last request
    char id[256];      // Session; "" before the first SETUP
    unsigned timeout_s;
    bool can_get, can_options, can_set; // methods that may keep alive
    bool probed;                        // a sign of life was asked for in this silence
    struct timeout answer, keepalive, silence;
};

// ---- rtsp_session_ask.c -----------------------------------------------------------------------
void rtsp_session_timeouts_init(struct rtsp_session *session);
void rtsp_session_timeouts_stop(struct rtsp_session *session);
// Sends the request of the state; also again, after a 401.
void rtsp_session_ask(struct rtsp_session *session);
// Goes on to a state and asks.
void rtsp_session_ask_next(struct rtsp_session *session, enum rtsp_state state);
// TEARDOWN, whose answer nobody waits for.
void rtsp_session_say_goodbye(struct rtsp_session *session);
// The answer to PLAY has come: from now on the session is kept alive and watched.
void rtsp_session_watch(struct rtsp_session *session);
// The answer to a keep-alive: another method is used when the camera does not know this one.
void rtsp_session_keepalive_answered(struct rtsp_session *session, unsigned status);

// ---- rtsp_session.c ---------------------------------------------------------------------------
void rtsp_session_lost(struct rtsp_session *session, enum reason reason, const char *detail);

#endif
