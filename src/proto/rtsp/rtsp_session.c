// SPDX-License-Identifier: MIT
// The client's conversation.
//
// States, and what moves them:
//
//   CONNECTING -> OPTIONS    the connection is up
//   OPTIONS -> DESCRIBE      any answer: not all cameras know OPTIONS
//   DESCRIBE -> SETUP        a description with tracks that are of use
//   SETUP -> SETUP           an answer; the next track
//   SETUP -> PLAY            the last track was answered and one at least is set up
//   PLAY -> PLAYING          200
//   any -> CONNECTING        a redirection, or a camera that closes after asking for the password
//   any -> LOST              on_lost; only freeing is left
//
// 1. At most one request is out. Any answer answers it: there are cameras that count CSeq their own
//    way. An answer nobody asked for is dropped.
// 2. A request that is answered by 401 is sent again once, and a second time only when the camera
//    says that the nonce was stale: a wrong password is never tried twice, cameras lock out.
// 3. In each state but PLAYING `answer` runs. In PLAYING `silence` runs: after SILENCE_US without a
//    packet the camera is asked for a sign of life, after as much again it is lost.
#include "rtsp_session.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "io/conn.h"
#include "rtsp_session_priv.h"

#define CONNECT_TIMEOUT_US (5 * US_PER_S)
enum {
    DEFAULT_PORT = 554,
    DEFAULT_TIMEOUT_S = 60, // RFC 2326, 12.37
    REDIRECTS_MAX = 5,
    JUNK_MAX = 1 << 20, // bytes that are no RTSP, per connection
};

static void session_connect(struct rtsp_session *session);

// Nobody listens to the events of a connection that was let go.
static const struct conn_events no_events;

// Lets the connection go. A session that was set up is ended properly: a camera has few to give.
static void conn_drop(struct rtsp_session *session)
{
    struct conn *conn = session->conn;
    if (!conn)
        return;
    conn_set_events(conn, &no_events, NULL);
    if (session->id[0] && session->aggregate) {
        rtsp_session_say_goodbye(session);
        conn_finish(conn, REASON_LOCAL); // sees to it that the request leaves
    } else {
        conn_close(conn, REASON_LOCAL);
    }
    session->conn = NULL;
}

void rtsp_session_lost(struct rtsp_session *session, enum reason reason, const char *detail)
{
    if (session->state == RTSP_LOST)
        return;
    session->state = RTSP_LOST;
    rtsp_session_timeouts_stop(session);
    conn_drop(session);
    session->events->on_lost(session->arg, reason, detail);
}

// ---- going elsewhere ---------------------------------------------------------------------------

// Takes host, port, user and request URI from a url. A url without user keeps the one before.
static int take_url(struct rtsp_session *session, const char *text)
{
    struct url url;
    const char *why;
    char uri[RTSP_URI_MAX], port[8] = "";
    if (url_parse(text, &url, &why) < 0 || strcmp(url.scheme, "rtsp") != 0 || !url.host[0])
        return ERR_INVALID;
    bool v6 = strchr(url.host, ':') != NULL;
    session->port = url.port ? url.port : DEFAULT_PORT;
    if (session->port != DEFAULT_PORT)
        text_format(port, sizeof(port), ":%u", session->port);
    text_format(uri, sizeof(uri), "rtsp://%s%s%s%s%s%s%s", v6 ? "[" : "", url.host, v6 ? "]" : "",
                port, url.path[0] ? url.path : "/", url.query[0] ? "?" : "", url.query);
    mem_free(session->uri);
    session->uri = mem_strdup(uri);
    text_copy(session->host, sizeof(session->host), url.host);
    if (url.user[0] || url.password[0]) {
        text_copy(session->user, sizeof(session->user), url.user);
        text_copy(session->password, sizeof(session->password), url.password);
    }
    return 0;
}

static void forget_description(struct rtsp_session *session)
{
    sdp_free(&session->sdp);
    mem_free(session->base);
    mem_free(session->aggregate);
    session->base = session->aggregate = NULL;
    session->tracks_ready = 0;
    session->id[0] = 0;
}

// Begins anew on another connection; what the password is answered with stays.
static void reconnect(struct rtsp_session *session)
{
    conn_drop(session);
    forget_description(session);
    rtsp_session_timeouts_stop(session);
    session_connect(session);
}

static void redirect(struct rtsp_session *session, const struct rtsp_message *message)
{
    struct bytes location;
    char url[RTSP_URI_MAX], host[256];
    if (++session->redirects > REDIRECTS_MAX) {
        rtsp_session_lost(session, REASON_PROTOCOL, "redirected too often");
        return;
    }
    text_copy(host, sizeof(host), session->host);
    if (!rtsp_header_get(message, "Location", 0, &location) ||
        !text_copy_n(url, sizeof(url), (const char *)location.data, location.length) ||
        take_url(session, url) < 0) {
        rtsp_session_lost(session, REASON_PROTOCOL, "redirected without a usable Location");
        return;
    }
    log_info(session->name, "redirected to=%s", session->uri);
    if (strcmp(host, session->host) != 0)
        session->auth = (struct rtsp_auth){0};
    session->reopened = false;
    reconnect(session);
}

// ---- answers -----------------------------------------------------------------------------------

static enum reason status_reason(unsigned status)
{
    switch (status) {
    case 401:
        return REASON_AUTH;
    case 403:
        return REASON_FORBIDDEN;
    case 404:
    case 410:
    case 454:
        return REASON_NOT_FOUND;
    case 408:
        return REASON_TIMEOUT;
    default:
        return REASON_UNSUPPORTED;
    }
}

static void refused(struct rtsp_session *session, const char *method,
                    const struct rtsp_message *message)
{
    char detail[96];
    text_format(detail, sizeof(detail), "%s answered %u %.*s", method, message->status,
                (int)(message->phrase.length < 60 ? message->phrase.length : 60),
                (const char *)message->phrase.data);
    rtsp_session_lost(session, status_reason(message->status), detail);
}

static void on_unauthorized(struct rtsp_session *session, const struct rtsp_message *message)
{
    session->refusals++;
    session->challenged = true;
    if (!session->user[0] && !session->password[0]) {
        rtsp_session_lost(session, REASON_AUTH, "the camera wants a user name and password");
        return;
    }
    if (rtsp_auth_challenge(&session->auth, message) < 0) {
        rtsp_session_lost(session, REASON_AUTH, "an unknown kind of authentication is wanted");
        return;
    }
    if (session->refusals > 2 || (session->refusals == 2 && !session->auth.stale)) {
        rtsp_session_lost(session, REASON_AUTH, NULL);
        return;
    }
    if (session->auth.scheme == RTSP_AUTH_BASIC &&
        strcmp(session->host, session->first_host) != 0) {
        rtsp_session_lost(session, REASON_AUTH, "redirected to a host that wants the password");
        return;
    }
    rtsp_session_ask(session);
}

static void read_public(struct rtsp_session *session, const struct rtsp_message *message)
{
    struct bytes list;
    bool told = message->status == 200 && rtsp_header_get(message, "Public", 0, &list);
    session->can_get = told && rtsp_list_has(list, "GET_PARAMETER");
    session->can_set = told && rtsp_list_has(list, "SET_PARAMETER");
    session->can_options = true; // every camera should know it, also one that does not name it
}

static void read_session(struct rtsp_session *session, const struct rtsp_message *message)
{
    struct bytes value;
    unsigned timeout_s;
    if (!rtsp_header_get(message, "Session", 0, &value) ||
        !rtsp_session_parse(value, session->id, sizeof(session->id), &timeout_s))
        return;
    // An answer without the parameter says nothing about it.
    if (timeout_s >= 2)
        session->timeout_s = timeout_s;
}

static void on_description(struct rtsp_session *session, const struct rtsp_message *message)
{
    static const char *const headers[] = {"Content-Base", "Content-Location"};
    char url[RTSP_URI_MAX];
    struct bytes value;
    forget_description(session);
    session->base = mem_strdup(session->uri);
    for (unsigned i = 0; i < 2; i++) {
        if (rtsp_header_get(message, headers[i], 0, &value) && value.length > 7 &&
            memcmp(value.data, "rtsp://", 7) == 0 && value.length < sizeof(url)) {
            mem_free(session->base);
            session->base = mem_strndup((const char *)value.data, value.length);
            break;
        }
    }
    if (sdp_parse(message->body, &session->sdp) < 0) {
        rtsp_session_lost(session, REASON_PROTOCOL, "a description without tracks");
        return;
    }
    if (!sdp_control_url(session->base, session->sdp->control, url, sizeof(url))) {
        rtsp_session_lost(session, REASON_PROTOCOL, "an endless control URL");
        return;
    }
    session->aggregate = mem_strdup(url);
    if (text_starts(session->sdp->control, "rtsp://")) {
        mem_free(session->base);
        session->base = mem_strdup(url);
    }
    session->track = 0;
    session->track_count = session->events->on_description(session->arg, session->sdp);
    if (session->track_count == 0)
        rtsp_session_lost(session, REASON_NO_MEDIA, "no track of a known codec");
    else
        rtsp_session_ask_next(session, RTSP_SETUP);
}

static void next_track(struct rtsp_session *session)
{
    if (++session->track < session->track_count) {
        rtsp_session_ask_next(session, RTSP_SETUP);
        return;
    }
    sdp_free(&session->sdp);
    session->ranged = true;
    rtsp_session_ask_next(session, RTSP_PLAY);
}

static void track_ready(struct rtsp_session *session, const struct rtsp_message *message)
{
    struct rtsp_transport transport = {.tcp = !session->udp};
    struct bytes value;
    if (rtsp_header_get(message, "Transport", 0, &value))
        rtsp_transport_parse(value, &transport);
    if (transport.multicast) {
        rtsp_session_lost(session, REASON_UNSUPPORTED, "the camera answers with multicast");
        return;
    }
    // A camera that says nothing else uses what it was asked for.
    transport.tcp = !session->udp;
    if (!transport.has_channels) {
        transport.channel[0] = (uint8_t)(session->track * 2);
        transport.channel[1] = (uint8_t)(session->track * 2 + 1);
    }
    session->tracks_ready++;
    session->events->on_setup(session->arg, session->track, &transport, conn_peer(session->conn));
    next_track(session);
}

static void on_setup_answer(struct rtsp_session *session, const struct rtsp_message *message)
{
    if (message->status == 200) {
        track_ready(session, message);
        return;
    }
    if (message->status == 461 && !session->fell_back && session->tracks_ready == 0) {
        session->fell_back = true;
        session->udp = !session->udp;
        log_info(session->name, "transport refused=%s trying=%s", session->udp ? "tcp" : "udp",
                 session->udp ? "udp" : "tcp");
        rtsp_session_ask_next(session, RTSP_SETUP);
        return;
    }
    session->events->on_refused(session->arg, session->track, message->status);
    if (session->track + 1 == session->track_count && session->tracks_ready == 0)
        refused(session, "SETUP", message);
    else
        next_track(session);
}

static void on_play_answer(struct rtsp_session *session, const struct rtsp_message *message)
{
    if (message->status == 457 && session->ranged) {
        session->ranged = false;
        rtsp_session_ask_next(session, RTSP_PLAY);
        return;
    }
    if (message->status != 200) {
        refused(session, "PLAY", message);
        return;
    }
    session->state = RTSP_PLAYING;
    rtsp_session_watch(session);
    session->events->on_playing(session->arg);
}

static void on_response(struct rtsp_session *session, const struct rtsp_message *message)
{
    if (!session->waiting || message->status < 200)
        return;
    session->waiting = false;
    timeout_stop(&session->answer);
    read_session(session, message);
    if (message->status == 401) {
        on_unauthorized(session, message);
        return;
    }
    if (message->status >= 300 && message->status < 400 && session->state != RTSP_PLAYING) {
        redirect(session, message);
        return;
    }
    switch (session->state) {
    case RTSP_OPTIONS:
        read_public(session, message);
        rtsp_session_ask_next(session, RTSP_DESCRIBE);
        break;
    case RTSP_DESCRIBE:
        if (message->status == 200)
            on_description(session, message);
        else
            refused(session, "DESCRIBE", message);
        break;
    case RTSP_SETUP:
        on_setup_answer(session, message);
        break;
    case RTSP_PLAY:
        on_play_answer(session, message);
        break;
    default:
        if (message->status == 454)
            rtsp_session_lost(session, REASON_PEER_CLOSED, "the camera has forgotten the session");
        else
            rtsp_session_keepalive_answered(session, message->status);
    }
}

// What a camera asks is answered; two things it says matter.
static void on_request(struct rtsp_session *session, const struct rtsp_message *message)
{
    struct bytes cseq;
    struct writer out = {0};
    if (!rtsp_header_get(message, "CSeq", 0, &cseq) || cseq.length > 20)
        cseq = bytes_of("0", 1);
    bool known = rtsp_bytes_equal(message->method, "OPTIONS") ||
                 rtsp_bytes_equal(message->method, "GET_PARAMETER") ||
                 rtsp_bytes_equal(message->method, "SET_PARAMETER") ||
                 rtsp_bytes_equal(message->method, "ANNOUNCE") ||
                 rtsp_bytes_equal(message->method, "REDIRECT") ||
                 rtsp_bytes_equal(message->method, "TEARDOWN");
    writer_printf(&out, "RTSP/1.0 %s\r\nCSeq: %.*s\r\n\r\n",
                  known ? "200 OK" : "501 Not Implemented", (int)cseq.length,
                  (const char *)cseq.data);
    conn_write_copy(session->conn, out.buf->data, out.buf->length);
    writer_fini(&out);
    if (rtsp_bytes_equal(message->method, "REDIRECT"))
        redirect(session, message);
    else if (rtsp_bytes_equal(message->method, "TEARDOWN"))
        rtsp_session_lost(session, REASON_PEER_CLOSED, "the camera ends the session");
}

// ---- the connection ----------------------------------------------------------------------------

static void on_open(void *arg)
{
    rtsp_session_ask_next(arg, RTSP_OPTIONS);
}

static void on_junk(struct rtsp_session *session, size_t length)
{
    session->junk += length;
    log_debug(session->name, "skipped bytes=%zu", length);
    if (session->junk > JUNK_MAX)
        rtsp_session_lost(session, REASON_PROTOCOL, "what the camera sends is not RTSP");
}

static size_t on_data(void *arg, const uint8_t *data, size_t length)
{
    struct rtsp_session *session = arg;
    struct conn *conn = session->conn;
    struct bytes in = bytes_of(data, length);
    struct rtsp_item item;
    int result = 0;
    // A redirection changes the connection, and the rest of this one's bytes is nobody's.
    while (session->conn == conn && (result = rtsp_wire_next(&in, &item)) == 0) {
        if (item.kind == RTSP_FRAME)
            session->events->on_packet(session->arg, item.channel, item.payload);
        else if (item.kind == RTSP_RESPONSE)
            on_response(session, &item.message);
        else if (item.kind == RTSP_REQUEST)
            on_request(session, &item.message);
        else
            on_junk(session, item.payload.length);
    }
    if (session->conn != conn)
        return length;
    session->events->on_bytes(session->arg, length - in.length);
    if (result != ERR_AGAIN) {
        rtsp_session_lost(session, REASON_PROTOCOL,
                          result == ERR_LIMIT ? "a message above the limit"
                                              : "an HTTP server answers");
        return length;
    }
    if (!session->udp)
        rtsp_session_alive(session);
    return length - in.length;
}

static void on_closed(void *arg, enum reason reason)
{
    struct rtsp_session *session = arg;
    session->conn = NULL;
    // Some cameras close the connection on which they have asked for the password.
    if (session->challenged && !session->reopened && session->state < RTSP_PLAYING) {
        session->reopened = true;
        reconnect(session);
        return;
    }
    rtsp_session_lost(session, reason, NULL);
}

static const struct conn_events session_conn_events = {
    .on_open = on_open, .on_data = on_data, .on_closed = on_closed};

static void session_connect(struct rtsp_session *session)
{
    session->state = RTSP_CONNECTING;
    session->challenged = session->waiting = false;
    session->junk = 0;
    session->timeout_s = DEFAULT_TIMEOUT_S;
    session->conn = conn_connect(session->loop, session->host, session->port, NULL,
                                 CONNECT_TIMEOUT_US, &session_conn_events, session);
}

static struct rtsp_session *session_new(struct loop *loop,
                                        const struct rtsp_session_options *options,
                                        const struct rtsp_session_events *events, void *arg)
{
    struct rtsp_session *session = mem_alloc(sizeof(*session));
    session->loop = loop;
    session->events = events;
    session->arg = arg;
    session->name = options->name;
    session->udp = options->udp;
    session->timeout_s = DEFAULT_TIMEOUT_S;
    rtsp_session_timeouts_init(session);
    if (take_url(session, options->url) < 0) {
        mem_free(session);
        return NULL;
    }
    text_copy(session->first_host, sizeof(session->first_host), session->host);
    return session;
}

int rtsp_session_open(struct loop *loop, const struct rtsp_session_options *options,
                      const struct rtsp_session_events *events, void *arg,
                      struct rtsp_session **out)
{
    *out = session_new(loop, options, events, arg);
    if (!*out)
        return ERR_INVALID;
    session_connect(*out);
    return 0;
}

int rtsp_session_open_on(struct loop *loop, struct conn *conn,
                         const struct rtsp_session_options *options,
                         const struct rtsp_session_events *events, void *arg,
                         struct rtsp_session **out)
{
    *out = session_new(loop, options, events, arg);
    if (!*out) {
        conn_close(conn, REASON_LOCAL);
        return ERR_INVALID;
    }
    (*out)->conn = conn;
    conn_set_events(conn, &session_conn_events, *out);
    rtsp_session_ask_next(*out, RTSP_OPTIONS);
    return 0;
}

void rtsp_session_free(struct rtsp_session **session)
{
    struct rtsp_session *gone = *session;
    *session = NULL;
    if (!gone)
        return;
    conn_drop(gone);
    rtsp_session_timeouts_stop(gone);
    forget_description(gone);
    mem_free(gone->uri);
    mem_free(gone);
}

void rtsp_session_send(struct rtsp_session *session, uint8_t channel, struct bytes payload)
{
    uint8_t head[4] = {'$', channel, (uint8_t)(payload.length >> 8), (uint8_t)payload.length};
    if (session->state != RTSP_PLAYING || !session->conn || conn_full(session->conn))
        return;
    conn_write_copy(session->conn, head, sizeof(head));
    conn_write_copy(session->conn, payload.data, payload.length);
}
