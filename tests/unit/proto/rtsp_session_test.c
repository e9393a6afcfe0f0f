// SPDX-License-Identifier: MIT
#include "rtsp_script.h"

#include "base/clock.h"
#include "rtsp_session.h"

#define TWO_TRACKS                                                                                 \
    "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 "                                   \
    "H264/90000\r\na=control:trackID=1\r\n"                                                        \
    "m=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\n"
#define DESCRIBED                                                                                  \
    "200 OK\nContent-Type: application/sdp\nContent-Base: rtsp://127.0.0.1/live/\n\n" TWO_TRACKS

// What the owner of a session sees, as text.
struct owner {
    struct rtsp_session *session;
    char text[1024];
    char detail[128];
    struct sdp *sdp; // borrowed during SETUP
    uint8_t channel[2];
    size_t bytes;
    bool lost;
    enum reason reason;
    unsigned tracks; // 0: as many as described
};

static unsigned on_description(void *arg, const struct sdp *sdp)
{
    struct owner *owner = arg;
    text_append(owner->text, sizeof(owner->text), "described(%u) ", sdp->media_count);
    return owner->tracks == 99 ? 0 : sdp->media_count;
}

static const char *track_control(void *arg, unsigned track)
{
    (void)arg;
    return track == 0 ? "trackID=1" : "rtsp://127.0.0.1/live/trackID=2";
}

static int open_ports(void *arg, unsigned track, const struct address *peer, uint16_t *port)
{
    (void)arg;
    assert_non_null(peer);
    *port = (uint16_t)(40000 + 2 * track);
    return 0;
}

static void on_setup(void *arg, unsigned track, const struct rtsp_transport *transport,
                     const struct address *peer)
{
    struct owner *owner = arg;
    assert_non_null(peer);
    text_append(owner->text, sizeof(owner->text), "setup(%u,%s,%u) ", track,
                transport->tcp ? "tcp" : "udp",
                transport->tcp ? transport->channel[0] : transport->server_port[0]);
}

static void on_refused(void *arg, unsigned track, unsigned status)
{
    struct owner *owner = arg;
    text_append(owner->text, sizeof(owner->text), "refused(%u,%u) ", track, status);
}

static void on_playing(void *arg)
{
    struct owner *owner = arg;
    text_append(owner->text, sizeof(owner->text), "playing ");
}

static void on_packet(void *arg, uint8_t channel, struct bytes payload)
{
    struct owner *owner = arg;
    text_append(owner->text, sizeof(owner->text), "$%u:%zu ", channel, payload.length);
}

static void on_bytes(void *arg, size_t count)
{
    struct owner *owner = arg;
    owner->bytes += count;
}

static void on_lost(void *arg, enum reason reason, const char *detail)
{
    struct owner *owner = arg;
    assert_false(owner->lost);
    owner->lost = true;
    owner->reason = reason;
    text_append(owner->text, sizeof(owner->text), "lost(%s) ", reason_name(reason));
    text_copy(owner->detail, sizeof(owner->detail), detail ? detail : "");
}

static const struct rtsp_session_events events = {
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

struct scene {
    struct loop *loop;
    struct script_camera camera;
    struct owner owner;
    bool virtual;
};

// Over a socket, in real time. login: "user:password@" or "".
static void begin(struct scene *scene, const char *login, bool udp, const struct script_step *step,
                  unsigned steps)
{
    char url[256];
    memset(scene, 0, sizeof(*scene));
    scene->loop = loop_fixture_new();
    script_listen(&scene->camera, scene->loop, step, steps);
    text_format(url, sizeof(url), "rtsp://%s127.0.0.1:%u/live?x=1", login, scene->camera.port);
    struct rtsp_session_options options = {.url = url, .udp = udp, .name = "test"};
    assert_int_equal(
        rtsp_session_open(scene->loop, &options, &events, &scene->owner, &scene->owner.session), 0);
}

// Over a pair, in virtual time, `piece` bytes at a time.
static void begin_virtual(struct scene *scene, size_t piece, const struct script_step *step,
                          unsigned steps)
{
    memset(scene, 0, sizeof(*scene));
    scene->virtual = true;
    scene->loop = loop_fixture_new_virtual();
    scene->camera = (struct script_camera){.loop = scene->loop, .step = step, .steps = steps};
    struct conn *client;
    conn_pair(scene->loop, piece, &script_no_events, NULL, &script_events, &scene->camera, &client,
              &scene->camera.conn);
    struct rtsp_session_options options = {.url = "rtsp://127.0.0.1/live", .name = "test"};
    assert_int_equal(rtsp_session_open_on(scene->loop, client, &options, &events, &scene->owner,
                                          &scene->owner.session),
                     0);
    loop_fixture_settle(scene->loop);
}

static void finish(struct scene *scene)
{
    rtsp_session_free(&scene->owner.session);
    if (scene->virtual)
        loop_fixture_settle(scene->loop);
    else
        loop_turn(scene->loop, false);
    script_close(&scene->camera);
    // The client's end of the connection waits for the camera to see its goodbye.
    for (int i = 0; i < 20; i++)
        loop_turn(scene->loop, false);
    loop_fixture_free(&scene->loop);
}

static bool playing(const struct scene *scene)
{
    return strstr(scene->owner.text, "playing") || scene->owner.lost;
}

#define SCRIPT(...)                                                                                \
    static const struct script_step script[] = {__VA_ARGS__};                                      \
    enum { STEPS = sizeof(script) / sizeof(script[0]) }

static void rtsp_session_plain_camera_plays(void **state)
{
    (void)state;
    SCRIPT(
        {"OPTIONS rtsp://127.0.0.1:|/live?x=1 RTSP/1.0|CSeq: 1|User-Agent: sluice|!Authorization",
         "200 OK\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER"},
        {"DESCRIBE rtsp://127.0.0.1:|/live?x=1 RTSP/1.0|Accept: application/sdp", DESCRIBED},
        {"SETUP rtsp://127.0.0.1/live/trackID=1 RTSP/1.0|Transport: RTP/AVP/TCP;unicast;"
         "interleaved=0-1|!Session:",
         "200 OK\nSession: abc;timeout=30\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"},
        {"SETUP rtsp://127.0.0.1/live/trackID=2 RTSP/1.0|interleaved=2-3|Session: abc\r\n",
         "200 OK\nSession: abc\nTransport: RTP/AVP/TCP;interleaved=6-7"},
        {"PLAY rtsp://127.0.0.1/live/ RTSP/1.0|Session: abc\r\n|Range: npt=0.000-",
         "200 OK\nSession: abc"});
    struct scene scene;
    begin(&scene, "", false, script, STEPS);
    LOOP_UNTIL(scene.loop, playing(&scene));
    assert_string_equal(scene.owner.text, "described(2) setup(0,tcp,0) setup(1,tcp,6) playing ");
    assert_true(scene.owner.bytes > 0);
    rtsp_session_free(&scene.owner.session);
    LOOP_UNTIL(scene.loop, scene.camera.over);
    script_check(scene.camera.last, "TEARDOWN rtsp://127.0.0.1/live/ |Session: abc");
    finish(&scene);
}

static void rtsp_session_one_byte_at_a_time(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "200 OK\nPublic: OPTIONS"}, {"DESCRIBE", DESCRIBED},
           {"SETUP", "200 OK\nSession: abc"}, {"SETUP", "200 OK\nSession: abc"},
           {"PLAY", "=\r\n\r\n$@@@RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n$ABC"});
    struct scene scene;
    begin_virtual(&scene, 1, script, STEPS);
    // A frame of 0x4040 bytes that never comes is in front: nothing goes on.
    assert_string_equal(scene.owner.text, "described(2) setup(0,tcp,0) setup(1,tcp,2) ");
    finish(&scene);
}

static void rtsp_session_frames_between_answers_and_wrong_cseq(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "=RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\nRTSP/1.0 200 OK\r\n\r\n"});
    struct scene scene;
    begin_virtual(&scene, 3, script, STEPS);
    // The second answer was taken for that to DESCRIBE, and has no description.
    assert_string_equal(scene.owner.text, "lost(protocol) ");
    finish(&scene);

    static const struct script_step good[] = {
        {"OPTIONS", "200 OK"},
        {"DESCRIBE", DESCRIBED},
        {"SETUP", "=\n\n\nRTSP/1.0 200 OK\nCSeq: 1\nSession: 1\n\n"},
        {"SETUP", "=RTSP/1.0 100 Continue\r\n\r\nRTSP/1.0 200 OK\r\nSession: 1\r\n\r\n"},
        {"PLAY", NULL}};
    begin_virtual(&scene, 0, good, 5);
    static const uint8_t mixed[] = "$\0\0\3abcRTSP/1.0 200 OK\r\nCSeq: 0\r\n\r\n$\2\0\1x";
    conn_write_copy(scene.camera.conn, mixed, sizeof(mixed) - 1);
    loop_fixture_settle(scene.loop);
    assert_string_equal(scene.owner.text,
                        "described(2) setup(0,tcp,0) setup(1,tcp,2) $0:3 playing $2:1 ");
    finish(&scene);
}

static void rtsp_session_digest_is_answered_and_goes_on(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS|!Authorization",
            "401 Unauthorized\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\n"
            "WWW-Authenticate: Basic realm=\"cam\""},
           {"OPTIONS|Authorization: Digest username=\"us er\", realm=\"cam\", nonce=\"n1\"|"
            "uri=\"rtsp://127.0.0.1:|!p%40ss|!p@ss",
            "200 OK"},
           {"DESCRIBE|nonce=\"n1\"",
            "401 Unauthorized\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"n2\""},
           {"DESCRIBE|nonce=\"n2\"", DESCRIBED}, {"SETUP|nonce=\"n2\"", "200 OK\nSession: 1"},
           {"SETUP", "401 Unauthorized\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"n3\""},
           {"SETUP|nonce=\"n3\"",
            "401 Unauthorized\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"n4\", stale=true"},
           {"SETUP|nonce=\"n4\"", "200 OK"}, {"PLAY|nonce=\"n4\"", "200 OK"});
    struct scene scene;
    begin(&scene, "us%20er:p%40ss@", false, script, STEPS);
    LOOP_UNTIL(scene.loop, playing(&scene));
    assert_string_equal(scene.owner.text, "described(2) setup(0,tcp,0) setup(1,tcp,2) playing ");
    finish(&scene);
}

static void rtsp_session_wrong_password_is_tried_once(void **state)
{
    (void)state;
    SCRIPT(
        {"OPTIONS", "200 OK"},
        {"DESCRIBE|!Authorization", "401 No\nWWW-Authenticate: Basic realm=\"x\""},
        {"DESCRIBE|Authorization: Basic dTpw\r\n", "401 No\nWWW-Authenticate: Basic realm=\"x\""});
    struct scene scene;
    begin(&scene, "u:p@", false, script, STEPS);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_AUTH);
    assert_string_equal(scene.camera.requests, "OPTIONS DESCRIBE DESCRIBE ");
    finish(&scene);
}

static void rtsp_session_password_wanted_and_none_known(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "401 No\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\""});
    struct scene scene;
    begin(&scene, "", false, script, STEPS);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_AUTH);
    assert_string_equal(scene.owner.detail, "the camera wants a user name and password");
    finish(&scene);
}

static void rtsp_session_camera_closes_after_asking_for_the_password(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "200 OK"},
           {"DESCRIBE", "401 No\nConnection: close\nWWW-Authenticate: Digest realm=\"x\", "
                        "nonce=\"y\""},
           {"DESCRIBE|Authorization", "x"}, {"OPTIONS|Authorization", "200 OK"},
           {"DESCRIBE|Authorization", DESCRIBED}, {"SETUP", "200 OK\nSession: 1"},
           {"SETUP", "200 OK"}, {"PLAY", "200 OK"});
    struct scene scene;
    begin(&scene, "u:p@", false, script, STEPS);
    LOOP_UNTIL(scene.loop, playing(&scene));
    assert_false(scene.owner.lost);
    assert_int_equal(scene.camera.connections, 2);
    finish(&scene);
}

static void rtsp_session_follows_redirections(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "200 OK"}, {"DESCRIBE", "302 Moved\nLocation: rtsp://localhost:#/other"},
           {"OPTIONS rtsp://localhost:|/other RTSP", "200 OK"},
           {"DESCRIBE rtsp://localhost:|/other RTSP|!Authorization",
            "401 No\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\""},
           {"DESCRIBE|username=\"u\"", DESCRIBED}, {"SETUP", "200 OK\nSession: 1"},
           {"SETUP", "200 OK"}, {"PLAY", "200 OK"});
    struct scene scene;
    begin(&scene, "u:p@", false, script, STEPS);
    LOOP_UNTIL(scene.loop, playing(&scene));
    assert_false(scene.owner.lost);
    assert_int_equal(scene.camera.connections, 2);
    // And in the middle, when the camera itself says so.
    script_send(&scene.camera,
                "=REDIRECT rtsp://x RTSP/1.0\r\nCSeq: 5\r\n"
                "Location: rtsp://localhost:#/third\r\n\r\n",
                0);
    LOOP_UNTIL(scene.loop, scene.camera.connections == 3 && scene.camera.over &&
                               strstr(scene.camera.last, "OPTIONS"));
    script_check(scene.camera.last, "OPTIONS rtsp://localhost:|/third RTSP");
    finish(&scene);
}

static void rtsp_session_redirected_in_a_circle_gives_up(void **state)
{
    (void)state;
    static const struct script_step circle[] = {
        {"OPTIONS", "302 Moved\nLocation: rtsp://127.0.0.1:#/a"},
        {"OPTIONS", "301 Moved\nLocation: rtsp://127.0.0.1:#/a"},
        {"OPTIONS", "307 Moved\nLocation: rtsp://127.0.0.1:#/a"},
        {"OPTIONS", "302 Moved\nLocation: rtsp://127.0.0.1:#/a"},
        {"OPTIONS", "302 Moved\nLocation: rtsp://127.0.0.1:#/a"},
        {"OPTIONS", "302 Moved\nLocation: rtsp://127.0.0.1:#/a"}};
    struct scene scene;
    begin(&scene, "", false, circle, 6);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_PROTOCOL);
    assert_string_equal(scene.owner.detail, "redirected too often");
    finish(&scene);
    static const struct script_step nowhere[] = {{"OPTIONS", "302 Moved\nLocation: http://x/"}};
    begin(&scene, "", false, nowhere, 1);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_PROTOCOL);
    finish(&scene);
}

static void rtsp_session_basic_password_is_not_given_to_another_host(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "302 Moved\nLocation: rtsp://localhost:#/a"},
           {"OPTIONS", "401 No\nWWW-Authenticate: Basic realm=\"x\""});
    struct scene scene;
    begin(&scene, "u:p@", false, script, STEPS);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_AUTH);
    assert_string_equal(scene.camera.requests, "OPTIONS OPTIONS ");
    finish(&scene);
}

static void rtsp_session_transport_refused_tries_the_other(void **state)
{
    (void)state;
    for (int udp = 0; udp < 2; udp++) {
        static const struct script_step scripts[2][6] = {
            {{"OPTIONS", "200 OK"},
             {"DESCRIBE", DESCRIBED},
             {"SETUP|RTP/AVP/TCP", "461 Unsupported Transport"},
             {"SETUP|RTP/AVP;unicast;client_port=40000-40001",
              "200 OK\nSession: 1\nTransport: RTP/AVP;unicast;server_port=7000-7001"},
             {"SETUP|client_port=40002-40003", "200 OK\nTransport: RTP/AVP;server_port=7002-7003"},
             {"PLAY", "200 OK"}},
            {{"OPTIONS", "200 OK"},
             {"DESCRIBE", DESCRIBED},
             {"SETUP|RTP/AVP;unicast;client_port", "461 Unsupported Transport"},
             {"SETUP|RTP/AVP/TCP", "200 OK\nSession: 1"},
             {"SETUP|RTP/AVP/TCP", "200 OK"},
             {"PLAY", "200 OK"}}};
        struct scene scene;
        begin(&scene, "", udp, scripts[udp], 6);
        LOOP_UNTIL(scene.loop, playing(&scene));
        assert_string_equal(scene.owner.text,
                            udp ? "described(2) setup(0,tcp,0) setup(1,tcp,2) playing "
                                : "described(2) setup(0,udp,7000) setup(1,udp,7002) playing ");
        finish(&scene);
    }
}

static void rtsp_session_refused_tracks_are_left_out(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "404 Not Found"}, {"DESCRIBE", DESCRIBED}, {"SETUP", "500 Internal"},
           {"SETUP", "200 OK\nSession: 1"}, {"PLAY", "457 Bad Range"}, {"PLAY|!Range", "200 OK"});
    struct scene scene;
    begin(&scene, "", false, script, STEPS);
    LOOP_UNTIL(scene.loop, playing(&scene));
    assert_string_equal(scene.owner.text, "described(2) refused(0,500) setup(1,tcp,2) playing ");
    finish(&scene);
    static const struct script_step none[] = {{"OPTIONS", "200 OK"},
                                              {"DESCRIBE", DESCRIBED},
                                              {"SETUP", "500 Internal"},
                                              {"SETUP", "503 Too busy"}};
    begin(&scene, "", false, none, 4);
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_UNSUPPORTED);
    assert_string_equal(scene.owner.detail, "SETUP answered 503 Too busy");
    finish(&scene);
}

static void rtsp_session_refusals_have_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum reason reason;
    } cases[] = {
        {"404 Not Found", REASON_NOT_FOUND},
        {"403 Forbidden", REASON_FORBIDDEN},
        {"408 Timeout", REASON_TIMEOUT},
        {"503 Busy", REASON_UNSUPPORTED},
        {"200 OK\n\nv=0\r\n", REASON_PROTOCOL},
        {"=HTTP/1.1 400 Bad\r\n\r\n", REASON_PROTOCOL},
        {"x", REASON_PEER_CLOSED},
        {"401 No\nWWW-Authenticate: NTLM", REASON_AUTH},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct script_step script[2] = {{"OPTIONS", "200 OK"}, {"DESCRIBE", cases[i].answer}};
        struct scene scene;
        begin(&scene, "u:p@", false, script, 2);
        LOOP_UNTIL(scene.loop, scene.owner.lost);
        if (scene.owner.reason != cases[i].reason)
            fail_msg("%s: %s", cases[i].answer, reason_name(scene.owner.reason));
        finish(&scene);
    }
}

static void rtsp_session_nobody_listens_is_refused(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_fixture_new()};
    script_listen(&scene.camera, scene.loop, NULL, 0);
    listener_close(&scene.camera.listener);
    char url[64];
    text_format(url, sizeof(url), "rtsp://127.0.0.1:%u/", scene.camera.port);
    struct rtsp_session_options options = {.url = url, .name = "test"};
    assert_int_equal(
        rtsp_session_open(scene.loop, &options, &events, &scene.owner, &scene.owner.session), 0);
    assert_false(scene.owner.lost); // never from inside
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_REFUSED);
    finish(&scene);
}

static void rtsp_session_no_track_of_use_is_no_media(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "200 OK"}, {"DESCRIBE", DESCRIBED});
    struct scene scene;
    begin(&scene, "", false, script, STEPS);
    scene.owner.tracks = 99;
    LOOP_UNTIL(scene.loop, scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_NO_MEDIA);
    finish(&scene);
}

// ---- time --------------------------------------------------------------------------------------

static void rtsp_session_answer_that_does_not_come_is_a_timeout(void **state)
{
    (void)state;
    SCRIPT({"OPTIONS", "200 OK"}, {"DESCRIBE", NULL});
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    loop_fixture_run(scene.loop, 9 * US_PER_S);
    assert_false(scene.owner.lost);
    loop_fixture_run(scene.loop, 2 * US_PER_S);
    assert_true(scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_TIMEOUT);
    assert_string_equal(scene.owner.detail, "no answer to DESCRIBE");
    finish(&scene);
}

#define PLAYS(public, session)                                                                     \
    {"OPTIONS", "200 OK" public}, {"DESCRIBE", DESCRIBED}, {"SETUP", "200 OK\nSession: " session}, \
        {"SETUP", "200 OK"},                                                                       \
    {                                                                                              \
        "PLAY", "200 OK"                                                                           \
    }

// Runs for so long while the camera sends an interleaved packet each second.
static void run_with_media(struct scene *scene, unsigned seconds)
{
    for (unsigned i = 0; i < seconds && scene->camera.conn && !scene->owner.lost; i++) {
        conn_write_copy(scene->camera.conn, "$\0\0", 4);
        loop_fixture_run(scene->loop, US_PER_S);
        scene->owner.text[0] = 0;
    }
}

static void rtsp_session_keeps_alive_by_what_the_camera_offers(void **state)
{
    (void)state;
    static const struct {
        struct script_step script[8];
        unsigned steps, seconds;
        const char *requests;
    } cases[] = {
        {{PLAYS("\nPublic: OPTIONS, GET_PARAMETER", "1;timeout=20")},
         5,
         45,
         "GET_PARAMETER GET_PARAMETER GET_PARAMETER GET_PARAMETER "},
        {{PLAYS("\nPublic: OPTIONS, SET_PARAMETER", "1")}, 5, 65, "OPTIONS OPTIONS "},
        {{PLAYS("", "1;timeout=0")}, 5, 65, "OPTIONS OPTIONS "},
        // It does not know its own methods.
        {{PLAYS("\nPublic: GET_PARAMETER, SET_PARAMETER", "1;timeout=20"),
          {"GET_PARAMETER|Session: 1", "501 Not Implemented"},
          {"OPTIONS", "400 Bad Request"}},
         7,
         45,
         "GET_PARAMETER OPTIONS SET_PARAMETER SET_PARAMETER "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene;
        begin_virtual(&scene, 0, cases[i].script, cases[i].steps);
        assert_true(playing(&scene));
        scene.camera.requests[0] = 0;
        run_with_media(&scene, cases[i].seconds);
        assert_false(scene.owner.lost); // answers do not matter while packets come
        if (strcmp(scene.camera.requests, cases[i].requests) != 0)
            fail_msg("case %zu: %s", i, scene.camera.requests);
        finish(&scene);
    }
}

static void rtsp_session_keepalive_refused_password_is_answered(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1;timeout=20"),
           {"OPTIONS|!Authorization", "401 No\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\""});
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    run_with_media(&scene, 11);
    // Without a password that is the end.
    assert_true(scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_AUTH);
    finish(&scene);
}

static void rtsp_session_forgotten_session_is_lost(void **state)
{
    (void)state;
    SCRIPT(PLAYS("\nPublic: GET_PARAMETER", "1;timeout=20"),
           {"GET_PARAMETER", "454 Session Not Found"});
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    run_with_media(&scene, 11);
    assert_true(scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_PEER_CLOSED);
    finish(&scene);
}

static void rtsp_session_silence_is_probed_then_lost(void **state)
{
    (void)state;
    SCRIPT(PLAYS("\nPublic: GET_PARAMETER", "1"), {"GET_PARAMETER", "200 OK"});
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    scene.camera.requests[0] = 0;
    loop_fixture_run(scene.loop, 11 * US_PER_S);
    assert_string_equal(scene.camera.requests, "GET_PARAMETER "); // answered: alive
    loop_fixture_run(scene.loop, 15 * US_PER_S);
    assert_false(scene.owner.lost);
    loop_fixture_run(scene.loop, 6 * US_PER_S);
    assert_true(scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_TIMEOUT);
    finish(&scene);
}

static void rtsp_session_expect_end_shortens_silence(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1"));
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    rtsp_session_expect_end(scene.owner.session);
    run_with_media(&scene, 3); // packets still come
    assert_false(scene.owner.lost);
    rtsp_session_expect_end(scene.owner.session);
    loop_fixture_run(scene.loop, 3 * US_PER_S);
    assert_true(scene.owner.lost);
    finish(&scene);
}

static void rtsp_session_answers_what_the_camera_asks(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1"));
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    static const char asks[] = "OPTIONS * RTSP/1.0\r\nCSeq: 41\r\n\r\n"
                               "MAKE_COFFEE * RTSP/1.0\r\nCSeq: 42\r\n\r\n";
    conn_write_copy(scene.camera.conn, asks, strlen(asks));
    loop_fixture_settle(scene.loop);
    assert_false(scene.owner.lost);
    conn_write_copy(scene.camera.conn, "TEARDOWN * RTSP/1.0\r\n\r\n", 23);
    loop_fixture_settle(scene.loop);
    assert_true(scene.owner.lost);
    assert_int_equal(scene.owner.reason, REASON_PEER_CLOSED);
    finish(&scene);
}

static void rtsp_session_garbage_is_skipped_up_to_a_limit(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1"));
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    static uint8_t garbage[32 << 10];
    memset(garbage, 0xfe, sizeof(garbage));
    for (unsigned i = 0; i < 40 && scene.camera.conn; i++) {
        conn_write_copy(scene.camera.conn, garbage, sizeof(garbage));
        conn_write_copy(scene.camera.conn, "$\0\0", 4);
        loop_fixture_settle(scene.loop);
        assert_int_equal(scene.owner.lost, i >= 32);
        if (scene.owner.lost)
            break;
    }
    assert_int_equal(scene.owner.reason, REASON_PROTOCOL);
    finish(&scene);
}

static void rtsp_session_send_is_an_interleaved_packet(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1"));
    struct scene scene;
    begin_virtual(&scene, 0, script, STEPS);
    rtsp_session_send(scene.owner.session, 3, bytes_of("report", 6));
    loop_fixture_settle(scene.loop);
    assert_int_equal(scene.camera.frames_length, 10);
    assert_memory_equal(scene.camera.frames, "$\3\0\6report", 10);
    finish(&scene);
}

static void rtsp_session_freed_in_any_state_leaves_nothing(void **state)
{
    (void)state;
    SCRIPT(PLAYS("", "1"));
    for (unsigned steps = 0; steps <= STEPS; steps++) {
        struct scene scene;
        begin_virtual(&scene, 0, script, steps);
        finish(&scene);
        begin(&scene, "", false, script, steps);
        LOOP_UNTIL(scene.loop, scene.camera.at == steps);
        finish(&scene);
    }
}

TEST_MAIN(
    TEST(rtsp_session_plain_camera_plays), TEST(rtsp_session_one_byte_at_a_time),
    TEST(rtsp_session_frames_between_answers_and_wrong_cseq),
    TEST(rtsp_session_digest_is_answered_and_goes_on),
    TEST(rtsp_session_wrong_password_is_tried_once),
    TEST(rtsp_session_password_wanted_and_none_known),
    TEST(rtsp_session_camera_closes_after_asking_for_the_password),
    TEST(rtsp_session_follows_redirections), TEST(rtsp_session_redirected_in_a_circle_gives_up),
    TEST(rtsp_session_basic_password_is_not_given_to_another_host),
    TEST(rtsp_session_transport_refused_tries_the_other),
    TEST(rtsp_session_refused_tracks_are_left_out), TEST(rtsp_session_refusals_have_reasons),
    TEST(rtsp_session_nobody_listens_is_refused), TEST(rtsp_session_no_track_of_use_is_no_media),
    TEST(rtsp_session_answer_that_does_not_come_is_a_timeout),
    TEST(rtsp_session_keeps_alive_by_what_the_camera_offers),
    TEST(rtsp_session_keepalive_refused_password_is_answered),
    TEST(rtsp_session_forgotten_session_is_lost), TEST(rtsp_session_silence_is_probed_then_lost),
    TEST(rtsp_session_expect_end_shortens_silence), TEST(rtsp_session_answers_what_the_camera_asks),
    TEST(rtsp_session_garbage_is_skipped_up_to_a_limit),
    TEST(rtsp_session_send_is_an_interleaved_packet),
    TEST(rtsp_session_freed_in_any_state_leaves_nothing))
