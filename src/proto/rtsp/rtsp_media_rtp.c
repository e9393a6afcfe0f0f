// SPDX-License-Identifier: MIT
// The way of a packet: order, unpacking, decode time, common clock, and the gate in front of the
// stream.
//
// 1. Nothing goes out before the first list of tracks. With video that list waits for a key frame;
//    sound that comes before it is dropped. When there is none for VIDEO_WAIT_US, sound goes alone,
//    and the picture joins it with its first key frame.
// 2. A list that changed goes out before the first frame that needs it.
// 3. All tracks are on the clock of the reference, the first video track, or the first one.
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "media/timebase.h"
#include "rtsp_media_priv.h"

#define VIDEO_WAIT_US (20 * US_PER_S)
// A camera's clock that differs by more is worth a line in the log.
#define CLOCK_DIFFERENCE_US (5 * US_PER_S)
// A report about a moment further away than this from the packets is not about them.
#define REPORT_DISTANCE_US (60 * US_PER_S)
// Frames after the first key frame that are looked at, and how far before it, see skip_leading.
enum { LEADING_MAX = 16 };
#define LEADING_US (2 * US_PER_S)

// ---- out ---------------------------------------------------------------------------------------

static bool has_video(const struct rtsp_media *media)
{
    for (unsigned i = 0; i < media->count; i++)
        if (media->track[i].ready && media->track[i].kind == MEDIA_VIDEO)
            return true;
    return false;
}

static bool is_listed(const struct rtsp_track *track)
{
    return track->ready && (track->kind != MEDIA_VIDEO || track->started) &&
           rtp_unpack_track(track->unpack);
}

static void give_tracks(struct rtsp_media *media)
{
    struct track list[TRACKS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        track->number = -1;
        track->changed = false;
        if (!is_listed(track))
            continue;
        list[count] = *rtp_unpack_track(track->unpack);
        if (list[count].config)
            buf_ref(list[count].config);
        track->number = (int)count++;
    }
    struct tracks *tracks = tracks_new(list, count);
    if (media->tracks && tracks_equal(media->tracks, tracks)) {
        tracks_unref(&tracks);
        return;
    }
    tracks_unref(&media->tracks);
    media->tracks = tracks_ref(tracks);
    media->events->on_tracks(media->arg, &tracks);
}

// Pictures that are shown before the first key frame, but come after it, need pictures that came
// before it (open GOPs).
static bool skip_leading(struct rtsp_track *track, int64_t pts)
{
    if (track->leading == 0)
        return false;
    track->leading--;
    // Further back is another matter: the camera's clock was set.
    return pts < track->start_pts &&
           pts > track->start_pts - ticks_from_us(LEADING_US, track->sync.clock);
}

// True when the frame may go out; the list of tracks is then right.
static bool pass_gate(struct rtsp_track *track, const struct frame *frame)
{
    struct rtsp_media *media = track->media;
    int64_t pts = frame->dts + frame->cts;
    if (track->kind == MEDIA_VIDEO && !track->started) {
        if (!frame_is_key(frame))
            return false;
        track->started = true;
        track->start_pts = pts;
        track->leading = LEADING_MAX;
    } else if (track->kind == MEDIA_VIDEO && skip_leading(track, pts)) {
        return false;
    } else if (!media->tracks && has_video(media) && track->kind != MEDIA_VIDEO) {
        if (!media->playing_us || now_us() - media->playing_us < VIDEO_WAIT_US)
            return false;
        log_info(media->name, "no key frame yet, sound goes alone");
    }
    if (!media->tracks || track->number < 0 || track->changed)
        give_tracks(media);
    return true;
}

static void on_timed(void *arg, struct frame **frame)
{
    struct rtsp_track *track = arg;
    struct rtsp_media *media = track->media;
    if (!rtp_unpack_track(track->unpack) || !pass_gate(track, *frame)) {
        frame_unref(frame);
        return;
    }
    (*frame)->dts += rtp_sync_offset(&track->sync, (*frame)->dts);
    (*frame)->track = (uint8_t)track->number;
    media->events->on_frame(media->arg, frame);
}

// ---- unpacked ----------------------------------------------------------------------------------

static void on_track(void *arg)
{
    struct rtsp_track *track = arg;
    if (track->kind == MEDIA_VIDEO)
        rtp_dts_set_track(&track->dts, rtp_unpack_track(track->unpack));
    track->changed = true;
}

static void on_frame(void *arg, struct frame **frame)
{
    struct rtsp_track *track = arg;
    if (track->kind == MEDIA_VIDEO)
        rtp_dts_input(&track->dts, frame);
    else
        on_timed(track, frame);
}

static void on_error(void *arg, const char *what)
{
    struct rtsp_track *track = arg;
    log_debug(track->media->name, "track=%ld %s", (long)(track - track->media->track) + 1, what);
    track->media->events->on_error(track->media->arg);
}

const struct rtp_unpack_events rtsp_unpack_events = {
    .on_track = on_track, .on_frame = on_frame, .on_error = on_error};

static void on_ordered(void *arg, const struct rtp_packet *packet, unsigned lost,
                       int64_t arrived_us)
{
    struct rtsp_track *track = arg;
    int64_t ticks = rtp_unpack_ticks(track->unpack, packet->timestamp);
    if (!track->has_source || track->ssrc != packet->ssrc) {
        if (track->has_source)
            log_info(track->media->name, "track=%ld another source of packets (SSRC)",
                     (long)(track - track->media->track) + 1);
        rtp_sync_anchor(&track->sync, ticks, arrived_us);
        track->has_source = true;
        track->ssrc = packet->ssrc;
        track->said_bye = false;
    }
    track->newest_ticks = ticks;
    for (unsigned i = 0; i < lost; i++)
        track->media->events->on_error(track->media->arg);
    rtp_unpack_input(track->unpack, packet, lost, arrived_us);
}

static void on_expire(void *arg)
{
    struct rtsp_track *track = arg;
    rtp_order_expire(&track->order, now_us());
    int64_t due = rtp_order_due_us(&track->order);
    if (due)
        timeout_start_at(&track->expire, due);
}

void rtsp_track_init(struct rtsp_track *track)
{
    const struct track *known = rtp_unpack_track(track->unpack);
    track->number = -1;
    rtp_order_init(&track->order, true, on_ordered, track);
    rtp_dts_init(&track->dts, on_timed, track);
    if (known && track->kind == MEDIA_VIDEO)
        rtp_dts_set_track(&track->dts, known);
    rtp_sync_init(&track->sync, rtp_unpack_timescale(track->unpack));
    timeout_init(&track->expire, track->media->loop, on_expire, track);
}

// ---- in ----------------------------------------------------------------------------------------

void rtsp_track_rtp(struct rtsp_track *track, struct bytes bytes)
{
    struct rtp_packet packet;
    int64_t now = now_us();
    if (rtp_parse(bytes, &packet) < 0) {
        on_error(track, "a packet that is no RTP");
        return;
    }
    // Any other type is taken for the one that was described: some cameras number as they like.
    if (track->ignored[packet.payload_type / 8] >> packet.payload_type % 8 & 1)
        return;
    rtcp_stats_packet(&track->stats, packet.ssrc, packet.sequence, packet.timestamp,
                      rtp_unpack_clock(track->unpack), now);
    rtp_order_input(&track->order, &packet, now);
    int64_t due = rtp_order_due_us(&track->order);
    if (due)
        timeout_start_at(&track->expire, due);
}

static void align(struct rtsp_media *media)
{
    struct rtsp_track *reference = NULL;
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        if (track->ready &&
            (!reference || (track->kind == MEDIA_VIDEO && reference->kind != MEDIA_VIDEO)))
            reference = track;
    }
    for (unsigned i = 0; i < media->count; i++) {
        struct rtsp_track *track = &media->track[i];
        if (track->ready && track != reference && rtp_sync_align(&track->sync, &reference->sync))
            log_debug(media->name, "lip sync track=%u correction=%ldus", i + 1,
                      (long)(track->sync.wanted_us - track->sync.offset_us));
    }
}

static void on_sender_report(struct rtsp_track *track, const struct rtcp_packet *report)
{
    struct rtsp_media *media = track->media;
    int64_t now = now_us();
    rtcp_stats_report(&track->stats, report->ntp, now);
    // Zero is a camera without a clock, and without packets there is nothing to compare with.
    if (report->ntp == 0 || !rtp_sync_anchored(&track->sync))
        return;
    int64_t ticks = rtp_unpack_ticks(track->unpack, report->rtp);
    int64_t far_us = ticks_to_us(ticks - track->newest_ticks, track->sync.clock);
    if (far_us > REPORT_DISTANCE_US || far_us < -REPORT_DISTANCE_US)
        return;
    int64_t utc = rtcp_ntp_to_utc_us(report->ntp), off = utc - utc_us();
    if (!media->told_clock && (off > CLOCK_DIFFERENCE_US || off < -CLOCK_DIFFERENCE_US))
        log_info(media->name, "the camera's clock is off by=%.1fs", (double)off / US_PER_S);
    media->told_clock = true;
    rtp_sync_report(&track->sync, ticks, utc);
    align(media);
}

static void on_bye(struct rtsp_track *track)
{
    struct rtsp_media *media = track->media;
    track->said_bye = true;
    for (unsigned i = 0; i < media->count; i++)
        if (media->track[i].ready && !media->track[i].said_bye)
            return;
    media->events->on_end(media->arg);
}

void rtsp_track_rtcp(struct rtsp_track *track, struct bytes bytes)
{
    struct rtcp_packet packet;
    while (rtcp_next(&bytes, &packet) == 0) {
        if (packet.type == RTCP_SENDER_REPORT)
            on_sender_report(track, &packet);
        else if (packet.type == RTCP_BYE)
            on_bye(track);
    }
}
