// SPDX-License-Identifier: MIT
// What the unpackers share.
#ifndef RTP_UNPACK_PRIV_H
#define RTP_UNPACK_PRIV_H

#include "format/rtp_unpack.h"
#include "media/h264.h"
#include "media/timebase.h"

struct rtp_unpack_kind {
    // ticks: the packet's time in the timescale.
    void (*input)(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                  unsigned lost, int64_t arrived_us);
    void (*fini)(struct rtp_unpack *unpack);
};

// First member of each unpacker.
struct rtp_unpack {
    const struct rtp_unpack_kind *kind;
    const struct rtp_unpack_events *events;
    void *arg;
    uint32_t clock;     // of the RTP timestamps
    uint32_t timescale; // of the frames
    struct unwrap unwrap;
    struct track track;
    bool has_track;
};

// Makers by codec: NULL with *why.
struct rtp_unpack *unpack_h264_new(const struct sdp_format *format, const char **why);
struct rtp_unpack *unpack_h265_new(const struct sdp_format *format, const char **why);
struct rtp_unpack *unpack_aac_new(const struct sdp_format *format, const char **why);
struct rtp_unpack *unpack_latm_new(const struct sdp_format *format, const char **why);
struct rtp_unpack *unpack_opus_new(const struct sdp_format *format, const char **why);
struct rtp_unpack *unpack_g711_new(const struct sdp_format *format, const char **why);

void unpack_error(struct rtp_unpack *unpack, const char *what);
// An audio access unit: *buf is taken and blanked.
void unpack_audio_take(struct rtp_unpack *unpack, struct buf **buf, int64_t ticks,
                       uint32_t duration, int64_t arrived_us);
// The same for borrowed bytes, which are copied. Nothing happens when there are none.
void unpack_audio_frame(struct rtp_unpack *unpack, struct bytes bytes, int64_t ticks,
                        uint32_t duration, int64_t arrived_us);

// ---- video ------------------------------------------------------------------------------------
// What differs between H.264 and H.265.
struct video_codec {
    unsigned head; // bytes of a NAL unit's header
    bool (*is_slice)(struct bytes nal);
    bool (*is_set)(struct bytes nal);
    bool (*is_key_head)(struct bytes nal); // stands at the front of key frames: parameter sets too
    int (*sets_add)(struct param_sets *sets, struct bytes nal);
    int (*config_make)(struct param_sets *sets, struct buf **out);
    int (*track_from_config)(struct buf *config, struct track *out);
    int (*au_add)(struct au_builder *au, struct param_sets *sets, struct bytes nal);
    bool (*starts)(const struct au_builder *au, struct bytes nal);
    bool (*has_fields)(
        const struct param_sets *sets); // a picture may be two fields of one timestamp
};

// See rtp_unpack_video.c.
struct unpack_video {
    struct rtp_unpack base;
    const struct video_codec *codec;
    struct param_sets sets;
    struct au_builder judge; // sees the heads of the NAL units
    struct buf *buf;         // the payload so far; NULL before the first NAL unit
    size_t expected[2];      // usual payload of other frames and of key frames, bytes
    int64_t ticks;           // of the access unit under construction, or of the last one
    int64_t arrived_us;
    bool open;             // an access unit is under construction
    bool corrupt;          // something of it is missing
    bool suspect;          // a loss came just before its first NAL unit
    bool marked;           // its last packet had the marker
    bool closed_by_marker; // the last one went out on its marker, and nothing came since
    bool looks_key;        // a unit of it is of the kinds that key frames begin with
    bool fields;
    bool in_fragment;
    size_t fragment_at; // in buf, of the length in front of the NAL unit that is being joined
    int trust;          // how far markers are believed, see MARKER_TRUST
};

// Takes what the maker filled in (codec, clock); sets of the description may be added before
// packets.
void video_init(struct unpack_video *video, const struct video_codec *codec,
                const struct rtp_unpack_kind *kind, uint32_t clock);
void video_fini(struct rtp_unpack *unpack);
// Parameter sets of the description: base64, with commas between, under this key. What is broken is
// left out: they may still come in the band.
void video_add_described(struct unpack_video *video, const struct sdp_format *format,
                         const char *key);
// After the last of them: makes the track, when they are all there.
void video_sets_done(struct unpack_video *video);

// Each packet: begin, then NAL units and fragments, then end.
void video_packet_begin(struct unpack_video *video, int64_t ticks, unsigned lost,
                        int64_t arrived_us);
void video_nal(struct unpack_video *video, struct bytes nal);
// head: the NAL unit's header, rebuilt (codec->head bytes).
void video_fragment_begin(struct unpack_video *video, const uint8_t *head, struct bytes data);
void video_fragment_add(struct unpack_video *video, struct bytes data);
void video_fragment_end(struct unpack_video *video);
void video_broken(struct unpack_video *video, const char *what);
void video_packet_end(struct unpack_video *video, bool marker);

#endif
