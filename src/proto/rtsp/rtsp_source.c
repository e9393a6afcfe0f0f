// SPDX-License-Identifier: MIT
// An RTSP input: ties a session (the conversation) and its media (the tracks) to a source of a
// stream. The stream decides about retries; whatever ends is told by source_lost, once.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "rtsp_media.h"
#include "rtsp_priv.h"
#include "rtsp_session.h"

struct rtsp_source {
    struct source *source;
    struct rtsp_session *session;
    struct rtsp_media *media;
};

// ---- from the media ----------------------------------------------------------------------------

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct rtsp_source *rtsp = arg;
    source_tracks(rtsp->source, tracks);
}

static void on_frame(void *arg, struct frame **frame)
{
    struct rtsp_source *rtsp = arg;
    source_push_frame(rtsp->source, frame);
}

static void on_error(void *arg)
{
    struct rtsp_source *rtsp = arg;
    source_count_error(rtsp->source);
}

static void send(void *arg, uint8_t channel, struct bytes packet)
{
    struct rtsp_source *rtsp = arg;
    rtsp_session_send(rtsp->session, channel, packet);
}

static void on_datagram(void *arg, size_t length)
{
    struct rtsp_source *rtsp = arg;
    source_count_bytes(rtsp->source, length);
    rtsp_session_alive(rtsp->session);
}

static void on_end(void *arg)
{
    struct rtsp_source *rtsp = arg;
    rtsp_session_expect_end(rtsp->session);
}

static const struct rtsp_media_events media_events = {
    .on_tracks = on_tracks,
    .on_frame = on_frame,
    .on_error = on_error,
    .send = send,
    .on_datagram = on_datagram,
    .on_end = on_end,
};

// ---- from the session --------------------------------------------------------------------------

static unsigned on_description(void *arg, const struct sdp *sdp)
{
    struct rtsp_source *rtsp = arg;
    return rtsp_media_describe(rtsp->media, sdp);
}

static const char *track_control(void *arg, unsigned track)
{
    struct rtsp_source *rtsp = arg;
    return rtsp_media_control(rtsp->media, track);
}

static int open_ports(void *arg, unsigned track, const struct address *peer, uint16_t *port)
{
    struct rtsp_source *rtsp = arg;
    return rtsp_media_open_ports(rtsp->media, track, peer, port);
}

static void on_setup(void *arg, unsigned track, const struct rtsp_transport *transport,
                     const struct address *peer)
{
    struct rtsp_source *rtsp = arg;
    rtsp_media_setup(rtsp->media, track, transport, peer);
}

static void on_refused(void *arg, unsigned track, unsigned status)
{
    struct rtsp_source *rtsp = arg;
    rtsp_media_refused(rtsp->media, track, status);
}

static void on_playing(void *arg)
{
    struct rtsp_source *rtsp = arg;
    rtsp_media_play(rtsp->media);
}

static void on_packet(void *arg, uint8_t channel, struct bytes packet)
{
    struct rtsp_source *rtsp = arg;
    rtsp_media_packet(rtsp->media, channel, packet);
}

static void on_bytes(void *arg, size_t count)
{
    struct rtsp_source *rtsp = arg;
    source_count_bytes(rtsp->source, count);
}

static void on_lost(void *arg, enum reason reason, const char *detail)
{
    struct rtsp_source *rtsp = arg;
    source_lost(rtsp->source, reason, detail);
}

static const struct rtsp_session_events session_events = {
    .on_description = on_description,
    .track_control = track_control,
    .open_ports = open_ports,
    .on_setup = on_setup,
    .on_refused = on_refused,
    .on_playing = on_playing,
    .on_packet = on_packet,
    .on_bytes = on_bytes,
    .on_lost = on_lost,
};

// ---- life --------------------------------------------------------------------------------------

static void stop(struct source *source)
{
    struct rtsp_source *rtsp = source_engine(source);
    rtsp_session_free(&rtsp->session);
    rtsp_media_free(&rtsp->media);
    mem_free(rtsp);
}

static const struct source_ops ops = {.stop = stop};

int rtsp_pull(const struct protocol_env *env, struct source *source)
{
    const struct input_conf *input = source_input(source);
    const char *transport = input_conf_get(input, "rtp");
    struct rtsp_session_options options = {
        .url = input->url,
        .udp = transport && strcmp(transport, "udp") == 0,
        .name = source_name(source),
    };
    struct rtsp_source *rtsp = mem_alloc(sizeof(*rtsp));
    rtsp->source = source;
    int result = rtsp_session_open(env->loop, &options, &session_events, rtsp, &rtsp->session);
    if (result < 0) {
        mem_free(rtsp);
        return result;
    }
    rtsp->media = rtsp_media_new(env->loop, source_name(source), &media_events, rtsp);
    source_set_engine(source, &ops, rtsp);
    return 0;
}
