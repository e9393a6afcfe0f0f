// SPDX-License-Identifier: MIT
// RTP payloads to access units: H.264 (RFC 6184), H.265 (RFC 7798), AAC (RFC 3640, and RFC 6416 for
// MP4A-LATM), Opus (RFC 7587), G.711 (RFC 3551, 4.5.14). Packets come in their order, holes are
// told; frames go out in canonical form (media/frame.h), each byte of payload copied once. No
// clock.
//
// Timestamps are unwrapped to 64 bits, turned into the track's timescale and otherwise passed on as
// they are. Video frames have their presentation time in dts (format/rtp_dts.h makes the decode
// time).
//
// What is lost or broken costs its access unit: it comes out flagged FRAME_CORRUPT and never as a
// key frame, or, without a whole slice, not at all.
#ifndef FORMAT_RTP_UNPACK_H
#define FORMAT_RTP_UNPACK_H

#include "format/rtp_parse.h"
#include "format/sdp_parse.h"
#include "media/frame.h"
#include "media/track.h"

struct rtp_unpack;

struct rtp_unpack_events {
    // rtp_unpack_track has changed; frames that follow belong to it. Not before the first packet.
    void (*on_track)(void *arg);
    // Takes the reference. track is 0, arrived_us that of the access unit's last packet.
    void (*on_frame)(void *arg, struct frame **frame);
    // Something could not be used; a constant text.
    void (*on_error)(void *arg, const char *what);
};

// The codec of a format, or CODEC_COUNT when there is no unpacker for it.
enum codec rtp_unpack_codec(const struct sdp_format *format);

// ERR_UNSUPPORTED with *why (a constant text) when the format is not one of the above or says
// something that is not done. Nothing of format is kept.
MUST_USE int rtp_unpack_new(const struct sdp_format *format, const struct rtp_unpack_events *events,
                            void *arg, struct rtp_unpack **out, const char **why);
void rtp_unpack_free(struct rtp_unpack **unpack); // NULL is fine

// Codec, configuration, size; borrowed. NULL while the parameters are not known: in video whose
// description has no parameter sets, until they come in the band.
const struct track *rtp_unpack_track(const struct rtp_unpack *unpack);
// Of the frames; known from the start, above 0.
uint32_t rtp_unpack_timescale(const struct rtp_unpack *unpack);
// RTP clock, ticks a second.
uint32_t rtp_unpack_clock(const struct rtp_unpack *unpack);

// One packet; lost: packets missing in front of it. Empty payloads are fine.
void rtp_unpack_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, unsigned lost,
                      int64_t arrived_us);
// The time of an RTP timestamp near the newest packet's, in the timescale (for sender reports, and
// for a packet before it goes in). Does not move anything.
int64_t rtp_unpack_ticks(const struct rtp_unpack *unpack, uint32_t timestamp);

#endif
