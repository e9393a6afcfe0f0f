// SPDX-License-Identifier: MIT
// The whole engine: a scripted camera on a socket, a source in place of the stream.
#include "rtsp_script.h"
#include "source_stub.h"

extern const struct protocol proto_rtsp;

#define DESCRIBED                                                                                  \
    "200 OK\nContent-Type: application/sdp\n\n"                                                    \
    "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1;"           \
    "sprop-parameter-sets=Z2QADKzZQUH7ARAAAAMAEAAAAwMg8UKZYA==,aOvjyyLA\na=control:v\n"            \
    "m=application 0 RTP/AVP 107\na=control:x\nm=audio 0 RTP/AVP 8\na=control:a\n"

static const struct script_step plays[] = {
    {"OPTIONS", "200 OK\nPublic: OPTIONS, GET_PARAMETER"},
    {"DESCRIBE", DESCRIBED},
    {"SETUP|/cam/v RTSP|interleaved=0-1", "200 OK\nSession: 5"},
    {"SETUP|/cam/a RTSP|interleaved=2-3", "200 OK\nSession: 5"}, // none for the track between
    {"PLAY", "200 OK"},
};

static struct source *begin(struct script_camera *camera, const struct script_step *script,
                            unsigned steps)
{
    char url[64];
    struct loop *loop = loop_fixture_new();
    script_listen(camera, loop, script, steps);
    text_format(url, sizeof(url), "rtsp://127.0.0.1:%u/cam", camera->port);
    return stub_new(loop, url);
}

static void finish(struct script_camera *camera, struct source **source)
{
    struct loop *loop = (*source)->loop;
    stub_free(source);
    loop_turn(loop, false);
    script_close(camera);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    loop_fixture_free(&loop);
}

static void send_rtp(struct script_camera *camera, uint8_t channel, uint8_t type, uint16_t sequence,
                     uint32_t timestamp, const char *payload, size_t length)
{
    struct writer out = {0};
    writer_u8(&out, '$');
    writer_u8(&out, channel);
    writer_u16(&out, (uint16_t)(12 + length));
    writer_u16(&out, (uint16_t)(0x8080 | type));
    writer_u16(&out, sequence);
    writer_u32(&out, timestamp);
    writer_u32(&out, channel + 1u);
    writer_bytes(&out, payload, length);
    conn_write_copy(camera->conn, out.buf->data, out.buf->length);
    writer_fini(&out);
}

static void proto_rtsp_pull_gives_tracks_and_frames(void **state)
{
    (void)state;
    struct script_camera camera;
    struct source *source = begin(&camera, plays, 5);
    assert_int_equal(stub_pull(source, &proto_rtsp), 0);
    assert_int_equal(source->lists, 0); // nothing from inside
    LOOP_UNTIL(source->loop, camera.at == 5);
    send_rtp(&camera, 2, 8, 1, 0, "dropped", 7); // before the first picture
    send_rtp(&camera, 0, 96, 1, 0, "\x65\xb8key", 5);
    send_rtp(&camera, 2, 8, 2, 160, "samples", 7);
    send_rtp(&camera, 0, 96, 2, 3600, "\x41\xe0pic", 5);
    send_rtp(&camera, 2, 8, 3, 320, "samples", 7);
    LOOP_UNTIL(source->loop, source->frames == 2);
    assert_int_equal(source->lists, 1);
    assert_int_equal(source->tracks->count, 2);
    assert_int_equal(source->tracks->track[0].codec, CODEC_H264);
    assert_int_equal(source->tracks->track[0].width, 320);
    assert_int_equal(source->tracks->track[1].codec, CODEC_PCMA);
    assert_int_equal(source->frame[0].track, 0);
    assert_true(source->frame[0].flags & FRAME_KEY);
    assert_int_equal(source->frame[0].length, 9);
    assert_int_equal(source->frame[1].track, 1);
    assert_int_equal(source->frame[1].duration, 7);
    assert_in_range(source->frame[1].pts_us - source->frame[0].pts_us + 1000000, 900000, 1100000);
    assert_true(source->bytes > 500);
    assert_false(source->lost);
    finish(&camera, &source);
}

static void proto_rtsp_pull_camera_that_goes_away_is_lost_once(void **state)
{
    (void)state;
    struct script_camera camera;
    struct source *source = begin(&camera, plays, 5);
    assert_int_equal(stub_pull(source, &proto_rtsp), 0);
    LOOP_UNTIL(source->loop, camera.at == 5);
    conn_close(camera.conn, REASON_LOCAL);
    LOOP_UNTIL(source->loop, source->lost);
    assert_int_equal(source->reason, REASON_PEER_CLOSED);
    finish(&camera, &source);
}

static void proto_rtsp_pull_udp_asks_for_ports(void **state)
{
    (void)state;
    static const struct script_step script[] = {
        {"OPTIONS", "200 OK"},
        {"DESCRIBE", DESCRIBED},
        {"SETUP|Transport: RTP/AVP;unicast;client_port=", "200 OK\nSession: 5\n"
                                                          "Transport: RTP/AVP;server_port=9-10"},
        {"SETUP|Transport: RTP/AVP;unicast;client_port=", "500 No"},
        {"PLAY", "200 OK"},
    };
    struct script_camera camera;
    struct source *source = begin(&camera, script, 5);
    stub_option(source, "rtp", "udp");
    assert_int_equal(stub_pull(source, &proto_rtsp), 0);
    LOOP_UNTIL(source->loop, camera.at == 5);
    assert_false(source->lost);
    finish(&camera, &source);
}

static void proto_rtsp_pull_bad_url_is_an_error(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct source *source = stub_new(loop, "rtsp://");
    assert_int_equal(stub_pull(source, &proto_rtsp), ERR_INVALID);
    assert_null(source->ops);
    stub_free(&source);
    loop_fixture_free(&loop);
}

static void proto_rtsp_check_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *url, *rtp, *why; // NULL: fine
    } cases[] = {
        {"rtsp://camera/path", NULL, NULL},
        {"rtsp://u:p@camera:8554/path", "udp", NULL},
        {"rtsp://camera/", "tcp", NULL},
        {"rtsp:///path", NULL, "expected rtsp://user:password@host:port/path"},
        {"rtsp://camera/", "sctp", "rtp=sctp: expected tcp or udp"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source *source = stub_new(NULL, cases[i].url);
        char why[128] = "";
        if (cases[i].rtp)
            stub_option(source, "rtp", cases[i].rtp);
        assert_int_equal(proto_rtsp.check(&source->input, why, sizeof(why)),
                         cases[i].why ? ERR_INVALID : 0);
        assert_string_equal(why, cases[i].why ? cases[i].why : "");
        stub_free(&source);
    }
}

static void proto_rtsp_stop_in_any_state_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps <= 5; steps++) {
        struct script_camera camera;
        struct source *source = begin(&camera, plays, steps);
        assert_int_equal(stub_pull(source, &proto_rtsp), 0);
        LOOP_UNTIL(source->loop, camera.at == steps);
        finish(&camera, &source);
        assert_int_equal(mem_live_count(), 0);
    }
}

TEST_MAIN(TEST(proto_rtsp_pull_gives_tracks_and_frames),
          TEST(proto_rtsp_pull_camera_that_goes_away_is_lost_once),
          TEST(proto_rtsp_pull_udp_asks_for_ports), TEST(proto_rtsp_pull_bad_url_is_an_error),
          TEST(proto_rtsp_check_says_what_is_wrong),
          TEST(proto_rtsp_stop_in_any_state_leaves_nothing))
