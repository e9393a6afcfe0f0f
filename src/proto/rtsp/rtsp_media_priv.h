// SPDX-License-Identifier: MIT
// What the files of the media part share.
#ifndef RTSP_MEDIA_PRIV_H
#define RTSP_MEDIA_PRIV_H

#include "format/rtcp_parse.h"
#include "format/rtp_dts.h"
#include "format/rtp_order.h"
#include "format/rtp_sync.h"
#include "format/rtp_unpack.h"
#include "io/address.h"
#include "io/timeout.h"
#include "rtsp_media.h"

struct udp;

struct rtsp_track {
    struct rtsp_media *media;
    char *control; // owned
    enum media_kind kind;
    int payload_type;    // of the chosen format
    uint8_t ignored[16]; // bit per payload type: others of this description, and comfort noise
    bool ready;          // set up
    bool tcp;
    uint8_t channel[2];             // with tcp: RTP, RTCP
    struct udp *rtp, *rtcp;         // with UDP; else NULL
    struct address from;            // where its datagrams come from; port 0 until the first one
    struct address rtp_to, rtcp_to; // where we send; none until it is known
    struct rtp_order order;
    struct rtp_unpack *unpack;
    struct rtp_dts dts; // video
    struct rtp_sync_track sync;
    struct rtcp_stats stats;
    struct timeout expire; // of what waits in `order`
    bool has_source;
    uint32_t ssrc;
    int64_t newest_ticks; // of its packets
    bool said_bye;
    // What has gone out:
    bool started;      // video: its first key frame
    int number;        // in the list given out, or -1
    bool changed;      // its parameters are not the ones of that list
    int64_t start_pts; // of the first key frame
    unsigned leading;  // frames that may still be from before it, see skip_leading
};

struct rtsp_media {
    struct loop *loop;
    const char *name;
    const struct rtsp_media_events *events;
    void *arg;
    unsigned count;
    struct rtsp_track *track; // count of them, NULL when none; owned
    struct tracks *tracks;    // the list given out; one reference, NULL before the first
    int64_t playing_us;       // monotonic; 0 before PLAY
    bool told_clock;
    uint32_t own_ssrc;
    struct timeout report;
};

// rtsp_media_rtp.c
void rtsp_track_init(struct rtsp_track *track);
void rtsp_track_rtp(struct rtsp_track *track, struct bytes packet);
void rtsp_track_rtcp(struct rtsp_track *track, struct bytes packet);
extern const struct rtp_unpack_events rtsp_unpack_events;
// rtsp_media_udp.c
int rtsp_udp_open(struct rtsp_track *track, const struct address *peer, uint16_t *port);
void rtsp_udp_setup(struct rtsp_track *track, const struct rtsp_transport *transport,
                    const struct address *peer);
// Opens the way through a firewall or address translation on our side.
void rtsp_udp_punch(struct rtsp_track *track);
void rtsp_udp_close(struct rtsp_track *track);

#endif
