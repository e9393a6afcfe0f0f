// SPDX-License-Identifier: MIT
// The tracks of a session: which are used, where their packets go, reports to the camera.
#include "rtsp_media.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/udp.h"
#include "rtsp_media_priv.h"

#define REPORT_US (5 * US_PER_S) // RFC 3550, 6.2: the smallest interval of small sessions
enum { COMFORT_NOISE = 13, COMFORT_NOISE_OLD = 19 };

static void on_report(void *arg);

struct rtsp_media *rtsp_media_new(struct loop *loop, const char *name,
                                  const struct rtsp_media_events *events, void *arg)
{
    struct rtsp_media *media = mem_alloc(sizeof(*media));
    media->loop = loop;
    media->name = name;
    media->events = events;
    media->arg = arg;
    media->own_ssrc = (uint32_t)digest_random_u64();
    timeout_init(&media->report, loop, on_report, media);
    return media;
}

static void forget(struct rtsp_media *media)
{
    timeout_stop(&media->report);
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        timeout_stop(&track->expire);
        rtsp_udp_close(track);
        rtp_order_fini(&track->order);
        rtp_dts_fini(&track->dts);
        rtp_unpack_free(&track->unpack);
        mem_free(track->control);
    }
    mem_free(media->track);
    media->track = NULL;
    media->count = 0;
    media->playing_us = 0;
    tracks_unref(&media->tracks);
}

void rtsp_media_free(struct rtsp_media **media)
{
    struct rtsp_media *gone = *media;
    *media = NULL;
    if (!gone)
        return;
    forget(gone);
    mem_free(gone);
}

// ---- the description ---------------------------------------------------------------------------

static void ignore_type(struct rtsp_track *track, int type)
{
    track->ignored[type / 8] |= (uint8_t)(1 << type % 8);
}

// Takes the first format of a media line that can be unpacked. False, and *why, when there is none.
// two_way: some tracks of the description are said to be ours to receive.
static bool track_choose(struct rtsp_track *track, const struct sdp_media *described, bool two_way,
                         const char **why)
{
    *why = "no format";
    if (described->direction == SDP_SEND && two_way) {
        *why = "it is for sound to the camera";
        return false;
    }
    for (unsigned i = 0; i < described->format_count && !track->unpack; i++) {
        const struct sdp_format *format = &described->format[i];
        if (rtp_unpack_new(format, &rtsp_unpack_events, track, &track->unpack, why) < 0)
            continue;
        track->payload_type = format->payload_type;
        track->kind = codec_info(rtp_unpack_codec(format))->kind;
    }
    if (!track->unpack)
        return false;
    for (unsigned i = 0; i < described->format_count; i++)
        ignore_type(track, described->format[i].payload_type);
    ignore_type(track, COMFORT_NOISE);
    ignore_type(track, COMFORT_NOISE_OLD);
    track->ignored[track->payload_type / 8] &= (uint8_t) ~(1 << track->payload_type % 8);
    return true;
}

static void log_left_out(const struct rtsp_media *media, const struct sdp_media *described,
                         const char *why)
{
    char codec[40] = "none";
    if (described->format_count && described->format[0].encoding[0])
        text_copy(codec, sizeof(codec), described->format[0].encoding);
    else if (described->format_count)
        text_format(codec, sizeof(codec), "type-%d", described->format[0].payload_type);
    log_info(media->name, "track left out kind=%.16s codec=%s reason=\"%s\"", described->kind,
             codec, why);
}

unsigned rtsp_media_describe(struct rtsp_media *media, const struct sdp *sdp)
{
    forget(media);
    media->track = mem_alloc(sdp->media_count * sizeof(*media->track));
    bool two_way = false;
    for (unsigned i = 0; i < sdp->media_count; i++)
        two_way |= sdp->media[i].direction == SDP_RECEIVE;
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct sdp_media *described = &sdp->media[i];
        struct rtsp_track *track = &media->track[media->count];
        const char *why;
        track->media = media;
        if (!track_choose(track, described, two_way, &why)) {
            log_left_out(media, described, why);
            continue;
        }
        track->control = mem_strdup(described->control);
        rtsp_track_init(track);
        media->count++;
    }
    if (sdp->media_over)
        log_info(media->name, "tracks left out count=%u reason=\"too many\"", sdp->media_over);
    return media->count;
}

const char *rtsp_media_control(struct rtsp_media *media, unsigned track)
{
    ENSURE(track < media->count);
    return media->track[track].control;
}

int rtsp_media_open_ports(struct rtsp_media *media, unsigned track, const struct address *peer,
                          uint16_t *port)
{
    ENSURE(track < media->count);
    return rtsp_udp_open(&media->track[track], peer, port);
}

static bool channel_taken(const struct rtsp_media *media, uint8_t channel)
{
    for (unsigned i = 0; i < media->count; i++)
        if (media->track[i].ready && media->track[i].tcp && media->track[i].channel[0] == channel)
            return true;
    return false;
}

void rtsp_media_setup(struct rtsp_media *media, unsigned number,
                      const struct rtsp_transport *transport, const struct address *peer)
{
    ENSURE(number < media->count);
    struct rtsp_track *track = &media->track[number];
    track->tcp = transport->tcp;
    rtp_order_fini(&track->order);
    rtp_order_init(&track->order, transport->tcp, track->order.on_packet, track);
    if (transport->tcp) {
        rtsp_udp_close(track);
        // Some cameras answer 0-1 to every track and send on the channels that they were asked for.
        bool taken = channel_taken(media, transport->channel[0]);
        track->channel[0] = taken ? (uint8_t)(number * 2) : transport->channel[0];
        track->channel[1] = taken ? (uint8_t)(number * 2 + 1) : transport->channel[1];
    } else {
        rtsp_udp_setup(track, transport, peer);
    }
    track->ready = true;
}

void rtsp_media_refused(struct rtsp_media *media, unsigned track, unsigned status)
{
    ENSURE(track < media->count);
    rtsp_udp_close(&media->track[track]);
    log_info(media->name, "track left out number=%u reason=\"SETUP answered %u\"", track + 1,
             status);
}

void rtsp_media_play(struct rtsp_media *media)
{
    media->playing_us = now_us();
    for (unsigned i = 0; i < media->count; i++)
        rtsp_udp_punch(&media->track[i]);
    timeout_start(&media->report, REPORT_US);
}

// ---- packets -----------------------------------------------------------------------------------

void rtsp_media_packet(struct rtsp_media *media, uint8_t channel, struct bytes packet)
{
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        if (!track->ready || !track->tcp)
            continue;
        if (channel == track->channel[0] && !rtp_is_rtcp(packet)) {
            rtsp_track_rtp(track, packet);
            return;
        }
        if (channel == track->channel[0] || channel == track->channel[1]) {
            rtsp_track_rtcp(track, packet);
            return;
        }
    }
}

static void on_report(void *arg)
{
    struct rtsp_media *media = arg;
    timeout_start(&media->report, REPORT_US);
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        uint8_t packet[RTCP_RECEIVER_REPORT_MAX];
        if (!track->ready)
            continue;
        size_t length =
            rtcp_receiver_report_write(&track->stats, media->own_ssrc, "sluice", now_us(), packet);
        if (track->tcp)
            media->events->send(media->arg, track->channel[1], bytes_of(packet, length));
        else if (track->rtcp && track->rtcp_to.length)
            udp_send(track->rtcp, packet, length, &track->rtcp_to);
    }
}
