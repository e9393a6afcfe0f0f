// SPDX-License-Identifier: MIT
// The client's side of one RTSP conversation (RFC 2326): connect, OPTIONS, DESCRIBE, SETUP for each
// wanted track, PLAY, then keep-alive until it is lost or freed. Knows nothing of media:
// descriptions and packets go to its owner.
#ifndef RTSP_SESSION_H
#define RTSP_SESSION_H

#include "base/reason.h"
#include "format/sdp_parse.h"
#include "rtsp_wire.h"

struct address;
struct conn;
struct loop;
struct rtsp_session;

struct rtsp_session_events {
    // The description has come. Returns how many tracks are to be set up (0: none is of use, and
    // the session is lost). May come again after a redirection: what was before is forgotten then.
    unsigned (*on_description)(void *arg, const struct sdp *sdp);
    // Control attribute of one of those tracks, 0 to count - 1; borrowed from the sdp.
    const char *(*track_control)(void *arg, unsigned track);
    // For UDP: opens a pair of ports for a track, to be used with the camera at peer; the first of
    // them in *port. 0 or ERR_IO.
    int (*open_ports)(void *arg, unsigned track, const struct address *peer, uint16_t *port);
    // A track is set up; transport->tcp: its packets come through on_packet on transport->channel.
    void (*on_setup)(void *arg, unsigned track, const struct rtsp_transport *transport,
                     const struct address *peer);
    // The camera refuses this track; the others go on.
    void (*on_refused)(void *arg, unsigned track, unsigned status);
    void (*on_playing)(void *arg);
    void (*on_packet)(void *arg, uint8_t channel, struct bytes payload);
    // Bytes from the network, for statistics.
    void (*on_bytes)(void *arg, size_t count);
    // Once; nothing comes after it. detail is borrowed and may be NULL.
    void (*on_lost)(void *arg, enum reason reason, const char *detail);
};

struct rtsp_session_options {
    const char *url;  // with user and password; was checked by url_parse
    bool udp;         // ask for UDP first
    const char *name; // for logs; borrowed as long as the session lives
};

// Begins to connect. Events come in later turns. ERR_INVALID for a url that is none.
MUST_USE int rtsp_session_open(struct loop *loop, const struct rtsp_session_options *options,
                               const struct rtsp_session_events *events, void *arg,
                               struct rtsp_session **out);
// The same on a connection that is open already (tests): takes it.
MUST_USE int rtsp_session_open_on(struct loop *loop, struct conn *conn,
                                  const struct rtsp_session_options *options,
                                  const struct rtsp_session_events *events, void *arg,
                                  struct rtsp_session **out);
// Says TEARDOWN where there is something to end, and lets go. Not from inside an event.
void rtsp_session_free(struct rtsp_session **session); // NULL is fine
// An interleaved packet to the camera (receiver reports).
void rtsp_session_send(struct rtsp_session *session, uint8_t channel, struct bytes payload);
// With UDP: a datagram came, the camera is alive.
void rtsp_session_alive(struct rtsp_session *session);
// The media are said to have ended (RTCP BYE): silence from now on is short.
void rtsp_session_expect_end(struct rtsp_session *session);

#endif
