// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/writer.h"
#include "format/rtcp_parse.h"
#include "io/address.h"
#include "io/udp.h"
#include "loop_fixture.h"
#include "media/timebase.h"
#include "rtsp_media.h"

#define SPROP "sprop-parameter-sets=Z2QADKzZQUH7ARAAAAMAEAAAAwMg8UKZYA==,aOvjyyLA"
#define VIDEO "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 " SPROP "\na=control:v\n"
#define VIDEO_BARE "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:v\n"
#define AUDIO "m=audio 0 RTP/AVP 8 0 101\na=control:a\n"
enum { FRAME = 3600, AUDIO_FRAME = 160 };

// What comes out, as text: "T2" a list of two tracks; "v" and "a" frames, a key frame of video "V",
// a corrupt one "!v".
struct scene {
    struct loop *loop;
    struct rtsp_media *media;
    char text[2048];
    char log[2048];
    struct tracks *tracks;
    int64_t video_us, audio_us; // presentation time of the newest frames
    unsigned errors, ends, sent, datagrams;
    uint8_t sent_channel;
    uint8_t sent_packet[RTCP_RECEIVER_REPORT_MAX];
    uint16_t sequence[2];
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct scene *scene = arg;
    text_append(scene->text, sizeof(scene->text), "T%u ", (*tracks)->count);
    tracks_unref(&scene->tracks);
    scene->tracks = *tracks;
    *tracks = NULL;
}

static void on_frame(void *arg, struct frame **frame)
{
    struct scene *scene = arg;
    const struct frame *given = *frame;
    assert_non_null(scene->tracks);
    assert_true(given->track < scene->tracks->count);
    const struct track *track = &scene->tracks->track[given->track];
    int64_t us = ticks_to_us(given->dts + given->cts, track->timescale);
    bool video = track->kind == MEDIA_VIDEO;
    text_append(scene->text, sizeof(scene->text), "%s%s ", given->flags & FRAME_CORRUPT ? "!" : "",
                !video                ? "a"
                : frame_is_key(given) ? "V"
                                      : "v");
    *(video ? &scene->video_us : &scene->audio_us) = us;
    frame_unref(frame);
}

static void on_error(void *arg)
{
    ((struct scene *)arg)->errors++;
}

static void on_send(void *arg, uint8_t channel, struct bytes packet)
{
    struct scene *scene = arg;
    assert_true(packet.length <= sizeof(scene->sent_packet));
    memcpy(scene->sent_packet, packet.data, packet.length);
    scene->sent_channel = channel;
    scene->sent++;
}

static void on_datagram(void *arg, size_t length)
{
    (void)length;
    ((struct scene *)arg)->datagrams++;
}

static void on_end(void *arg)
{
    ((struct scene *)arg)->ends++;
}

static const struct rtsp_media_events events = {.on_tracks = on_tracks,
                                                .on_frame = on_frame,
                                                .on_error = on_error,
                                                .send = on_send,
                                                .on_datagram = on_datagram,
                                                .on_end = on_end};

static void on_log(enum log_level level, const char *line, void *arg)
{
    struct scene *scene = arg;
    if (level <= LOG_LEVEL_INFO)
        text_append(scene->log, sizeof(scene->log), "%s\n", line);
}

static unsigned describe(struct scene *scene, const char *text)
{
    struct sdp *sdp;
    assert_int_equal(sdp_parse(bytes_of(text, strlen(text)), &sdp), 0);
    unsigned count = rtsp_media_describe(scene->media, sdp);
    sdp_free(&sdp);
    return count;
}

// Everything set up over the connection, channels 0 to 3, and playing.
static void begin(struct scene *scene, const char *description)
{
    memset(scene, 0, sizeof(*scene));
    scene->loop = loop_fixture_new_virtual();
    log_set_hook(on_log, scene);
    scene->media = rtsp_media_new(scene->loop, "test", &events, scene);
    unsigned count = describe(scene, description);
    for (unsigned i = 0; i < count; i++) {
        struct rtsp_transport transport = {.tcp = true,
                                           .channel = {(uint8_t)(2 * i), (uint8_t)(2 * i + 1)}};
        struct address nobody = {0};
        rtsp_media_setup(scene->media, i, &transport, &nobody);
    }
    rtsp_media_play(scene->media);
}

static void finish(struct scene *scene)
{
    rtsp_media_free(&scene->media);
    tracks_unref(&scene->tracks);
    loop_fixture_settle(scene->loop);
    loop_fixture_free(&scene->loop);
    log_set_hook(NULL, NULL);
    log_flush();
}

static size_t make_rtp(uint8_t out[64], unsigned type, uint16_t sequence, uint32_t timestamp,
                       uint32_t ssrc, const void *payload, size_t length)
{
    const uint8_t head[12] = {0x80,
                              (uint8_t)(0x80 | type),
                              (uint8_t)(sequence >> 8),
                              (uint8_t)sequence,
                              (uint8_t)(timestamp >> 24),
                              (uint8_t)(timestamp >> 16),
                              (uint8_t)(timestamp >> 8),
                              (uint8_t)timestamp,
                              (uint8_t)(ssrc >> 24),
                              (uint8_t)(ssrc >> 16),
                              (uint8_t)(ssrc >> 8),
                              (uint8_t)ssrc};
    memcpy(out, head, 12);
    memcpy(out + 12, payload, length);
    return 12 + length;
}

// A picture on channel 0: 'I', 'P' or 'B'.
static void video(struct scene *scene, char kind, uint32_t timestamp, uint32_t ssrc)
{
    static const uint8_t slices[3][5] = {
        {0x65, 0xb8, 1, 2, 3}, {0x41, 0xe0, 1, 2, 3}, {0x01, 0xa8, 1, 2, 3}};
    uint8_t packet[64];
    const uint8_t *slice = slices[kind == 'I' ? 0 : kind == 'P' ? 1 : 2];
    size_t length = make_rtp(packet, 96, scene->sequence[0]++, timestamp, ssrc, slice, 5);
    rtsp_media_packet(scene->media, 0, bytes_of(packet, length));
}

static void audio(struct scene *scene, uint32_t timestamp)
{
    uint8_t packet[64];
    size_t length = make_rtp(packet, 8, scene->sequence[1]++, timestamp, 7, "samples", 7);
    rtsp_media_packet(scene->media, 2, bytes_of(packet, length));
}

static void report(struct scene *scene, uint8_t channel, int64_t utc, uint32_t rtp)
{
    struct writer out = {0};
    writer_u32(&out, 0x80c80006);
    writer_u32(&out, 1);
    writer_u32(&out, (uint32_t)(utc / US_PER_S + 2208988800));
    writer_u32(&out, (uint32_t)((utc % US_PER_S << 32) / US_PER_S));
    writer_u32(&out, rtp);
    writer_u64(&out, 0);
    rtsp_media_packet(scene->media, channel, buf_bytes(out.buf));
    writer_fini(&out);
}

static void assert_text(struct scene *scene, const char *expected)
{
    assert_string_equal(scene->text, expected);
    scene->text[0] = 0;
}

static void rtsp_media_describe_takes_what_it_can_and_names_the_rest(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene,
          VIDEO "m=video 0 RTP/AVP 26\na=control:jpeg\n" AUDIO "m=application 0 RTP/AVP 107\n"
                "a=rtpmap:107 vnd.onvif.metadata/90000\nm=audio 0 RTP/AVP 0\na=sendonly\n"
                "a=control:back\nm=audio 0 RTP/AVP 97\na=rtpmap:97 L16/8000\na=recvonly\n");
    assert_string_equal(rtsp_media_control(scene.media, 0), "v");
    assert_string_equal(rtsp_media_control(scene.media, 1), "a");
    assert_non_null(strstr(scene.log, "kind=video codec=JPEG"));
    assert_non_null(strstr(scene.log, "kind=application codec=vnd.onvif.metadata"));
    assert_non_null(strstr(scene.log, "kind=audio codec=PCMU reason=\"it is for sound to the"));
    assert_non_null(strstr(scene.log, "codec=L16"));
    finish(&scene);
}

static void rtsp_media_packet_first_picture_is_a_key_frame(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    audio(&scene, 0);
    video(&scene, 'P', 0, 1);
    video(&scene, 'P', FRAME, 1);
    audio(&scene, AUDIO_FRAME);
    video(&scene, 'I', 2 * FRAME, 1);
    assert_text(&scene, "");
    video(&scene, 'P', 3 * FRAME, 1);
    audio(&scene, 2 * AUDIO_FRAME);
    assert_text(&scene, "T2 V v a "); // the marker is believed by now
    assert_int_equal(scene.tracks->track[0].codec, CODEC_H264);
    assert_int_equal(scene.tracks->track[1].codec, CODEC_PCMA);
    finish(&scene);
}

static void rtsp_media_packet_pictures_shown_before_the_first_are_skipped(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO); // its SPS announces two reordered frames
    video(&scene, 'I', 2 * FRAME, 1);
    video(&scene, 'B', 0, 1); // they need what came before
    video(&scene, 'B', FRAME, 1);
    video(&scene, 'P', 5 * FRAME, 1);
    video(&scene, 'B', 3 * FRAME, 1);
    video(&scene, 'P', 4 * FRAME, 1);
    assert_text(&scene, "T1 V v v v ");
    finish(&scene);
}

static void rtsp_media_packet_parameters_only_in_the_band(void **state)
{
    (void)state;
    struct scene scene;
    static const uint8_t sps[] = {0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0xfb,
                                  0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
                                  0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60};
    static const uint8_t wider[] = {0x67, 0x42, 0x00, 0x1f, 0xf4, 0x0a, 0x0f, 0xc8};
    static const uint8_t pps[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
    uint8_t packet[64];
    begin(&scene, VIDEO_BARE AUDIO);
    video(&scene, 'I', 0, 1); // nobody knows what it is
    audio(&scene, 0);
    for (unsigned i = 0; i < 3; i++) {
        size_t length = i == 2 ? make_rtp(packet, 96, scene.sequence[0]++, (i + 1) * FRAME, 1,
                                          wider, sizeof(wider))
                               : make_rtp(packet, 96, scene.sequence[0]++, (i + 1) * FRAME, 1, sps,
                                          sizeof(sps));
        packet[1] &= 0x7f; // no marker
        rtsp_media_packet(scene.media, 0, bytes_of(packet, length));
        length = make_rtp(packet, 96, scene.sequence[0]++, (i + 1) * FRAME, 1, pps, sizeof(pps));
        packet[1] &= 0x7f;
        rtsp_media_packet(scene.media, 0, bytes_of(packet, length));
        video(&scene, 'I', (i + 1) * FRAME, 1);
    }
    // The same sets again change nothing; others make a list before the frame that has them.
    assert_text(&scene, "T2 V V T2 V ");
    finish(&scene);
}

static void rtsp_media_packet_no_key_frame_lets_sound_go_alone(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    for (unsigned i = 0; i < 25; i++) {
        video(&scene, 'P', i * 25 * FRAME, 1);
        audio(&scene, i * 8000);
        loop_fixture_run(scene.loop, US_PER_S);
    }
    assert_text(&scene, "T1 a a a a a ");
    video(&scene, 'I', 700 * FRAME, 1);
    audio(&scene, 30 * 8000);
    assert_text(&scene, "T2 V a ");
    finish(&scene);
}

static void rtsp_media_packet_loss_is_counted_and_costs_its_frame(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO);
    for (unsigned i = 0; i < 6; i++)
        video(&scene, 'I', i * FRAME, 1);
    scene.sequence[0] += 2;
    video(&scene, 'P', 8 * FRAME, 1);
    video(&scene, 'P', 9 * FRAME, 1);
    assert_int_equal(scene.errors, 2);
    assert_text(&scene, "T1 V V V V V V v v ");
    rtsp_media_packet(scene.media, 0, bytes_of("no RTP at all", 13));
    assert_int_equal(scene.errors, 3);
    rtsp_media_packet(scene.media, 9, bytes_of("unknown", 7));
    assert_int_equal(scene.errors, 3);
    finish(&scene);
}

static void rtsp_media_packet_other_payload_types(void **state)
{
    (void)state;
    struct scene scene;
    uint8_t packet[64];
    begin(&scene, AUDIO);
    static const unsigned types[] = {101, 13, 0, 8, 55}; // keys, silence, another format, ours, odd
    for (unsigned i = 0; i < 5; i++) {
        size_t length = make_rtp(packet, types[i], (uint16_t)i, i * 160, 7, "samples", 7);
        rtsp_media_packet(scene.media, 0, bytes_of(packet, length));
    }
    assert_text(&scene, "T1 a a ");
    finish(&scene);
}

static void rtsp_media_packet_tracks_share_one_clock(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    // The reports say: the sound at 5000 is as old as the picture at 90000; it comes 300 ms late.
    int64_t utc = utc_us();
    video(&scene, 'I', 90000, 1);
    loop_fixture_run(scene.loop, 300000);
    audio(&scene, 5000);
    report(&scene, 1, utc, 90000);
    report(&scene, 3, utc, 5000);
    video(&scene, 'P', 90000 + FRAME, 1);
    assert_text(&scene, "T2 V ");
    audio(&scene, 5000);
    assert_text(&scene, "a ");
    assert_int_equal(scene.audio_us, scene.video_us);
    finish(&scene);
}

static void rtsp_media_packet_camera_clock_far_off_is_told_once(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, AUDIO);
    audio(&scene, 0);
    uint8_t packet[64];
    size_t length = make_rtp(packet, 8, 1, 0, 7, "samples", 7);
    rtsp_media_packet(scene.media, 0, bytes_of(packet, length));
    report(&scene, 1, utc_us() - 3600 * US_PER_S, 0);
    report(&scene, 1, utc_us() - 3600 * US_PER_S, 0);
    char *first = strstr(scene.log, "clock is off by=-3600.0s");
    assert_non_null(first);
    assert_null(strstr(first + 1, "clock is off"));
    finish(&scene);
}

static void rtsp_media_packet_another_source_goes_on(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO);
    for (unsigned i = 0; i < 5; i++) {
        video(&scene, i ? 'P' : 'I', i * FRAME, 1);
        loop_fixture_run(scene.loop, 40000);
    }
    int64_t before = scene.video_us;
    assert_text(&scene, "T1 V v v v v ");
    // The camera begins anew: other numbers, other times. A stray packet of the old one is nothing.
    scene.sequence[0] = 999;
    video(&scene, 'I', 0xf0000000, 2);
    loop_fixture_run(scene.loop, 40000);
    video(&scene, 'P', 0xf0000000 + FRAME, 2);
    video(&scene, 'P', 0xf0000000 + 2 * FRAME, 2);
    assert_text(&scene, "V v v ");
    assert_non_null(strstr(scene.log, "another source"));
    assert_in_range(scene.video_us - before, 0, 300000);
    finish(&scene);
}

static void rtsp_media_play_sends_receiver_reports(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    video(&scene, 'I', 0, 0x11223344);
    loop_fixture_run(scene.loop, 4900000);
    assert_int_equal(scene.sent, 0);
    loop_fixture_run(scene.loop, 200000);
    assert_int_equal(scene.sent, 2);
    assert_int_equal(scene.sent_channel, 3);
    loop_fixture_run(scene.loop, 5 * US_PER_S);
    assert_int_equal(scene.sent, 4);
    finish(&scene);
}

static void rtsp_media_packet_goodbye_of_all_is_the_end(void **state)
{
    (void)state;
    static const uint8_t bye[] = {0x81, 203, 0, 1, 0, 0, 0, 7};
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    rtsp_media_packet(scene.media, 1, bytes_of(bye, sizeof(bye)));
    assert_int_equal(scene.ends, 0);
    rtsp_media_packet(scene.media, 2, bytes_of(bye, sizeof(bye))); // on the channel of RTP
    assert_int_equal(scene.ends, 1);
    finish(&scene);
}

static void rtsp_media_setup_channels_given_twice_are_the_asked_ones(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    struct rtsp_transport transport = {.tcp = true, .has_channels = true, .channel = {0, 1}};
    struct address nobody = {0};
    rtsp_media_setup(scene.media, 1, &transport, &nobody); // both tracks on 0-1, says the camera
    video(&scene, 'I', 0, 1);
    video(&scene, 'P', FRAME, 1);
    audio(&scene, 0);
    assert_text(&scene, "T2 V a ");
    finish(&scene);
}

static void rtsp_media_describe_again_forgets_everything(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, VIDEO AUDIO);
    video(&scene, 'I', 0, 1);
    video(&scene, 'P', FRAME, 1);
    assert_int_equal(describe(&scene, AUDIO), 1);
    video(&scene, 'P', 2 * FRAME, 1);
    loop_fixture_run(scene.loop, 10 * US_PER_S);
    assert_text(&scene, "T2 V ");
    assert_int_equal(scene.sent, 0);
    finish(&scene);
}

// ---- UDP ---------------------------------------------------------------------------------------

struct server {
    struct udp *rtp, *rtcp, *stranger;
    unsigned rtp_count, rtcp_count;
};

static void on_server_rtp(void *arg, const uint8_t *data, size_t length, const struct address *from)
{
    (void)data;
    (void)length;
    (void)from;
    ((struct server *)arg)->rtp_count++;
}

static void on_server_rtcp(void *arg, const uint8_t *data, size_t length,
                           const struct address *from)
{
    (void)data;
    (void)length;
    (void)from;
    ((struct server *)arg)->rtcp_count++;
}

static void rtsp_media_udp_takes_its_camera_in_order(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_fixture_new()};
    struct server server = {0};
    struct address local, peer, to;
    uint16_t port = 0;
    uint8_t packet[64];
    assert_int_equal(address_parse("127.0.0.1", 0, &local), 0);
    assert_int_equal(udp_open_pair(scene.loop, &local, on_server_rtp, on_server_rtcp, &server,
                                   &server.rtp, &server.rtcp),
                     0);
    assert_int_equal(udp_open(scene.loop, &local, on_server_rtp, &server, &server.stranger), 0);
    scene.media = rtsp_media_new(scene.loop, "test", &events, &scene);
    assert_int_equal(describe(&scene, AUDIO), 1);
    assert_int_equal(address_parse("127.0.0.1", 554, &peer), 0);
    assert_int_equal(rtsp_media_open_ports(scene.media, 0, &peer, &port), 0);
    assert_int_equal(port % 2, 0);
    struct rtsp_transport transport = {.has_server_ports = true,
                                       .server_port = {udp_port(server.rtp), udp_port(server.rtcp)},
                                       .source = "not an address"};
    rtsp_media_setup(scene.media, 0, &transport, &peer);
    rtsp_media_play(scene.media);
    // The way is opened from our side.
    LOOP_UNTIL(scene.loop, server.rtp_count >= 1 && server.rtcp_count >= 1);
    assert_int_equal(address_parse("127.0.0.1", port, &to), 0);
    static const uint16_t order[] = {10, 12, 11, 13};
    for (unsigned i = 0; i < 4; i++) {
        size_t length = make_rtp(packet, 8, order[i], order[i] * 160u, 7, "samples", 7);
        udp_send(server.rtp, packet, length, &to);
        // The same from another port is not taken.
        udp_send(server.stranger, packet, length, &to);
    }
    LOOP_UNTIL(scene.loop, strcmp(scene.text, "T1 a a a a ") == 0);
    assert_int_equal(scene.errors, 0);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(scene.loop, false);
    assert_int_equal(scene.datagrams, 4);
    // One is lost for good: what waits behind it comes after its time.
    size_t length = make_rtp(packet, 8, 15, 15 * 160, 7, "samples", 7);
    udp_send(server.rtp, packet, length, &to);
    LOOP_UNTIL(scene.loop, strcmp(scene.text, "T1 a a a a a ") == 0);
    assert_int_equal(scene.errors, 1);
    rtsp_media_free(&scene.media);
    udp_close(&server.rtp);
    udp_close(&server.rtcp);
    udp_close(&server.stranger);
    tracks_unref(&scene.tracks);
    loop_turn(scene.loop, false);
    loop_fixture_free(&scene.loop);
}

TEST_MAIN(TEST(rtsp_media_describe_takes_what_it_can_and_names_the_rest),
          TEST(rtsp_media_packet_first_picture_is_a_key_frame),
          TEST(rtsp_media_packet_pictures_shown_before_the_first_are_skipped),
          TEST(rtsp_media_packet_parameters_only_in_the_band),
          TEST(rtsp_media_packet_no_key_frame_lets_sound_go_alone),
          TEST(rtsp_media_packet_loss_is_counted_and_costs_its_frame),
          TEST(rtsp_media_packet_other_payload_types),
          TEST(rtsp_media_packet_tracks_share_one_clock),
          TEST(rtsp_media_packet_camera_clock_far_off_is_told_once),
          TEST(rtsp_media_packet_another_source_goes_on),
          TEST(rtsp_media_play_sends_receiver_reports),
          TEST(rtsp_media_packet_goodbye_of_all_is_the_end),
          TEST(rtsp_media_setup_channels_given_twice_are_the_asked_ones),
          TEST(rtsp_media_describe_again_forgets_everything),
          TEST(rtsp_media_udp_takes_its_camera_in_order))
