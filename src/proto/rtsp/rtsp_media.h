// SPDX-License-Identifier: MIT
// The tracks of one RTSP session: RTP and RTCP in, frames of one common clock out, receiver reports
// back. Over the session's connection or over UDP sockets of its own.
#ifndef RTSP_MEDIA_H
#define RTSP_MEDIA_H

#include "format/sdp_parse.h"
#include "media/frame.h"
#include "media/track.h"
#include "rtsp_wire.h"

struct address;
struct loop;
struct rtsp_media;

struct rtsp_media_events {
    // The list of tracks, before the first frame and when it changes. Takes the reference.
    void (*on_tracks)(void *arg, struct tracks **tracks);
    // A frame of that list, in decode order within its track. The first one of a video track is a
    // key frame. Takes the reference.
    void (*on_frame)(void *arg, struct frame **frame);
    // A packet or frame was lost or could not be used.
    void (*on_error)(void *arg);
    // Packets for the camera, on the session's connection.
    void (*send)(void *arg, uint8_t channel, struct bytes packet);
    // A datagram came.
    void (*on_datagram)(void *arg, size_t length);
    // Every track has said goodbye (RTCP BYE).
    void (*on_end)(void *arg);
};

// name: for logs; borrowed as long as it lives.
struct rtsp_media *rtsp_media_new(struct loop *loop, const char *name,
                                  const struct rtsp_media_events *events, void *arg);
void rtsp_media_free(struct rtsp_media **media); // NULL is fine

// What a session asks and tells, in this order; a new description forgets everything.
// Makes a track for each that can be used, names the others in the log; returns how many.
unsigned rtsp_media_describe(struct rtsp_media *media, const struct sdp *sdp);
const char *rtsp_media_control(struct rtsp_media *media, unsigned track);
// A pair of ports for RTP and RTCP with peer; the first in *port. 0 or ERR_IO.
MUST_USE int rtsp_media_open_ports(struct rtsp_media *media, unsigned track,
                                   const struct address *peer, uint16_t *port);
// peer: the camera's address; datagrams from elsewhere are dropped, unless the answer names that.
void rtsp_media_setup(struct rtsp_media *media, unsigned track,
                      const struct rtsp_transport *transport, const struct address *peer);
void rtsp_media_refused(struct rtsp_media *media, unsigned track, unsigned status);
void rtsp_media_play(struct rtsp_media *media);
// An interleaved packet; one of an unknown channel is dropped.
void rtsp_media_packet(struct rtsp_media *media, uint8_t channel, struct bytes packet);

#endif
