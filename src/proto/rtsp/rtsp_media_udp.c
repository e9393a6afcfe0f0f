// SPDX-License-Identifier: MIT
// UDP transport of a track: a pair of ports of ours, and from where packets are taken.
//
// Packets are taken from the camera's address (or the one that its answer names as source), and
// from the first port there that sends: cameras do not always send from the port they announce.
#include <string.h>

#include "base/text.h"
#include "io/udp.h"
#include "rtsp_media_priv.h"

static bool same_host(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    return a->any.sa_family == AF_INET6
               ? memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0
               : a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

static struct address with_port(const struct address *address, uint16_t port)
{
    struct address changed = *address;
    if (changed.any.sa_family == AF_INET6)
        changed.v6.sin6_port = htons(port);
    else
        changed.v4.sin_port = htons(port);
    return changed;
}

static void on_rtp(void *arg, const uint8_t *data, size_t length, const struct address *from)
{
    struct rtsp_track *track = arg;
    struct bytes packet = bytes_of(data, length);
    if (!track->ready || !same_host(from, &track->from))
        return;
    if (address_port(&track->from) == 0)
        track->from = *from;
    if (address_port(&track->from) != address_port(from))
        return;
    track->media->events->on_datagram(track->media->arg, length);
    if (rtp_is_rtcp(packet))
        rtsp_track_rtcp(track, packet);
    else
        rtsp_track_rtp(track, packet);
}

static void on_rtcp(void *arg, const uint8_t *data, size_t length, const struct address *from)
{
    struct rtsp_track *track = arg;
    if (!track->ready || !same_host(from, &track->from))
        return;
    if (!track->rtcp_to.length)
        track->rtcp_to = *from;
    track->media->events->on_datagram(track->media->arg, length);
    rtsp_track_rtcp(track, bytes_of(data, length));
}

int rtsp_udp_open(struct rtsp_track *track, const struct address *peer, uint16_t *port)
{
    struct address any;
    rtsp_udp_close(track);
    if (address_parse(peer->any.sa_family == AF_INET6 ? "::" : "0.0.0.0", 0, &any) < 0 ||
        udp_open_pair(track->media->loop, &any, on_rtp, on_rtcp, track, &track->rtp, &track->rtcp) <
            0)
        return ERR_IO;
    *port = udp_port(track->rtp);
    return 0;
}

void rtsp_udp_setup(struct rtsp_track *track, const struct rtsp_transport *transport,
                    const struct address *peer)
{
    if (!transport->source[0] || address_parse(transport->source, 0, &track->from) < 0 ||
        track->from.any.sa_family != peer->any.sa_family)
        track->from = with_port(peer, 0);
    track->rtcp_to = (struct address){0};
    if (!transport->has_server_ports || !track->from.length)
        return;
    track->rtp_to = with_port(&track->from, transport->server_port[0]);
    track->rtcp_to = with_port(&track->from, transport->server_port[1]);
}

void rtsp_udp_punch(struct rtsp_track *track)
{
    // An empty RTP packet of a payload type that is never assigned, and an empty report.
    static const uint8_t rtp[12] = {0x80, 20};
    struct rtcp_stats nothing = {0};
    uint8_t rtcp[RTCP_RECEIVER_REPORT_MAX];
    if (!track->rtp || !track->rtp_to.length)
        return;
    udp_send(track->rtp, rtp, sizeof(rtp), &track->rtp_to);
    size_t length = rtcp_receiver_report_write(&nothing, track->media->own_ssrc, "sluice", 0, rtcp);
    udp_send(track->rtcp, rtcp, length, &track->rtcp_to);
}

void rtsp_udp_close(struct rtsp_track *track)
{
    udp_close(&track->rtp);
    udp_close(&track->rtcp);
}
