// SPDX-License-Identifier: MIT
// Audio whose RTP payload is the access unit itself: Opus (RFC 7587) and G.711 (RFC 3551, 4.5.14).
#include "base/mem.h"
#include "base/text.h"
#include "media/audio.h"
#include "rtp_unpack_priv.h"

static void opus_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                       unsigned lost, int64_t arrived_us)
{
    (void)lost; // each packet stands alone
    if (packet->payload.length == 0)
        return;
    uint32_t duration = opus_packet_duration(packet->payload);
    if (duration == 0)
        unpack_error(unpack, "an Opus packet that cannot be read");
    else
        unpack_audio_frame(unpack, packet->payload, ticks, duration, arrived_us);
}

struct rtp_unpack *unpack_opus_new(const struct sdp_format *format, const char **why)
{
    (void)format; // always 48000/2 (RFC 7587, 7); whether a packet is stereo stands in the packet
    static const struct rtp_unpack_kind kind = {.input = opus_input};
    struct rtp_unpack *opus = mem_alloc(sizeof(*opus));
    opus->kind = &kind;
    opus->clock = opus->timescale = 48000;
    // A live stream has no beginning whose samples would have to be skipped.
    if (opus_track_make(2, 0, &opus->track) < 0) {
        *why = "no Opus";
        mem_free(opus);
        return NULL;
    }
    opus->has_track = true;
    return opus;
}

static void g711_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                       unsigned lost, int64_t arrived_us)
{
    (void)lost;
    unsigned channels = unpack->track.channels;
    struct bytes samples = packet->payload;
    samples.length -= samples.length % channels;
    unpack_audio_frame(unpack, samples, ticks, (uint32_t)(samples.length / channels), arrived_us);
}

struct rtp_unpack *unpack_g711_new(const struct sdp_format *format, const char **why)
{
    static const struct rtp_unpack_kind kind = {.input = g711_input};
    enum codec codec = text_equal_nocase(format->encoding, "PCMA") ? CODEC_PCMA : CODEC_PCMU;
    struct rtp_unpack *g711 = mem_alloc(sizeof(*g711));
    g711->kind = &kind;
    g711->clock = g711->timescale = format->clock ? format->clock : 8000;
    if (g711_track_make(codec, g711->clock, format->channels ? format->channels : 1, &g711->track) <
        0) {
        *why = "G.711 without a rate";
        mem_free(g711);
        return NULL;
    }
    g711->has_track = true;
    return g711;
}
