// SPDX-License-Identifier: MIT
// The requests of a session, and the waiting for their answers and for signs of life.
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/text.h"
#include "base/writer.h"
#include "io/conn.h"
#include "rtsp_session_priv.h"

#define ANSWER_TIMEOUT_US (10 * US_PER_S)
#define SILENCE_US (10 * US_PER_S)
#define END_SILENCE_US (2 * US_PER_S)

// extra: further header lines, each with its end.
static void send_request(struct rtsp_session *session, const char *method, const char *uri,
                         const char *extra)
{
    char authorization[RTSP_AUTH_TEXT_MAX];
    struct writer out = {0};
    writer_printf(&out, "%s %s RTSP/1.0\r\nCSeq: %u\r\n", method, uri, ++session->sequence);
    if (rtsp_auth_write(&session->auth, session->user, session->password, method, uri,
                        authorization) &&
        authorization[0])
        writer_printf(&out, "Authorization: %s\r\n", authorization);
    writer_text(&out, "User-Agent: sluice/" SLUICE_VERSION "\r\n");
    if (session->id[0])
        writer_printf(&out, "Session: %s\r\n", session->id);
    writer_printf(&out, "%s\r\n", extra);
    conn_write_copy(session->conn, out.buf->data, out.buf->length);
    writer_fini(&out);
}

static void send_setup(struct rtsp_session *session)
{
    char uri[RTSP_URI_MAX], transport[128];
    const char *control = session->events->track_control(session->arg, session->track);
    unsigned channel = session->track * 2;
    uint16_t port = 0;
    if (!sdp_control_url(session->base, control, uri, sizeof(uri))) {
        rtsp_session_lost(session, REASON_PROTOCOL, "a track with an endless control URL");
        return;
    }
    if (!session->udp) {
        text_format(transport, sizeof(transport),
                    "Transport: RTP/AVP/TCP;unicast;interleaved=%u-%u\r\n", channel, channel + 1);
    } else if (session->events->open_ports(session->arg, session->track, conn_peer(session->conn),
                                           &port) == 0) {
        text_format(transport, sizeof(transport),
                    "Transport: RTP/AVP;unicast;client_port=%u-%u\r\n", port, port + 1u);
    } else {
        rtsp_session_lost(session, REASON_IO, "no pair of UDP ports");
        return;
    }
    send_request(session, "SETUP", uri, transport);
}

// The method that the camera says it knows; NULL when it knows none of them (RFC 2326, 10.8).
static const char *keepalive_method(const struct rtsp_session *session)
{
    if (session->can_get)
        return "GET_PARAMETER";
    if (session->can_options)
        return "OPTIONS";
    return session->can_set ? "SET_PARAMETER" : NULL;
}

void rtsp_session_ask(struct rtsp_session *session)
{
    const char *method;
    session->waiting = true;
    timeout_start(&session->answer, ANSWER_TIMEOUT_US);
    switch (session->state) {
    case RTSP_OPTIONS:
        send_request(session, "OPTIONS", session->uri, "");
        break;
    case RTSP_DESCRIBE:
        send_request(session, "DESCRIBE", session->uri, "Accept: application/sdp\r\n");
        break;
    case RTSP_SETUP:
        send_setup(session);
        break;
    case RTSP_PLAY:
        send_request(session, "PLAY", session->aggregate,
                     session->ranged ? "Range: npt=0.000-\r\n" : "");
        break;
    case RTSP_PLAYING:
        // Cameras that are busy sending answer this late or never; `silence` is what counts.
        timeout_stop(&session->answer);
        method = keepalive_method(session);
        if (method)
            send_request(session, method, session->aggregate, "");
        else
            session->waiting = false;
        break;
    default:
        ENSURE(session->state == RTSP_LOST);
    }
}

void rtsp_session_ask_next(struct rtsp_session *session, enum rtsp_state state)
{
    session->state = state;
    session->refusals = 0;
    rtsp_session_ask(session);
}

static void on_answer_timeout(void *arg)
{
    struct rtsp_session *session = arg;
    static const char *const what[] = {[RTSP_OPTIONS] = "no answer to OPTIONS",
                                       [RTSP_DESCRIBE] = "no answer to DESCRIBE",
                                       [RTSP_SETUP] = "no answer to SETUP",
                                       [RTSP_PLAY] = "no answer to PLAY"};
    rtsp_session_lost(session, REASON_TIMEOUT, what[session->state]);
}

static void on_keepalive(void *arg)
{
    struct rtsp_session *session = arg;
    session->refusals = 0;
    rtsp_session_ask(session);
    timeout_start(&session->keepalive, session->timeout_s * US_PER_S / 2);
}

void rtsp_session_keepalive_answered(struct rtsp_session *session, unsigned status)
{
    if (status < 400)
        return;
    if (session->can_get)
        session->can_get = false;
    else if (session->can_options)
        session->can_options = false;
    else
        session->can_set = false;
}

static void on_silence(void *arg)
{
    struct rtsp_session *session = arg;
    if (session->probed || !keepalive_method(session)) {
        rtsp_session_lost(session, REASON_TIMEOUT,
                          session->udp ? "no datagram arrives; a firewall?"
                                       : "nothing arrives any more");
        return;
    }
    session->probed = true;
    session->refusals = 0;
    rtsp_session_ask(session);
    timeout_start(&session->silence, SILENCE_US);
}

void rtsp_session_alive(struct rtsp_session *session)
{
    if (session->state != RTSP_PLAYING)
        return;
    session->probed = false;
    timeout_start(&session->silence, SILENCE_US);
}

void rtsp_session_expect_end(struct rtsp_session *session)
{
    if (session->state != RTSP_PLAYING)
        return;
    session->probed = true;
    timeout_start(&session->silence, END_SILENCE_US);
}

void rtsp_session_watch(struct rtsp_session *session)
{
    rtsp_session_alive(session);
    timeout_start(&session->keepalive, session->timeout_s * US_PER_S / 2);
}

void rtsp_session_say_goodbye(struct rtsp_session *session)
{
    send_request(session, "TEARDOWN", session->aggregate, "");
}

void rtsp_session_timeouts_init(struct rtsp_session *session)
{
    timeout_init(&session->answer, session->loop, on_answer_timeout, session);
    timeout_init(&session->keepalive, session->loop, on_keepalive, session);
    timeout_init(&session->silence, session->loop, on_silence, session);
}

void rtsp_session_timeouts_stop(struct rtsp_session *session)
{
    timeout_stop(&session->answer);
    timeout_stop(&session->keepalive);
    timeout_stop(&session->silence);
}
