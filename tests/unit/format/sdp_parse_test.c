// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/text.h"
#include "format/sdp_parse.h"

static struct sdp *parse(const char *text)
{
    struct sdp *sdp;
    assert_int_equal(sdp_parse(bytes_of(text, strlen(text)), &sdp), 0);
    return sdp;
}

static void print_url(char *out, size_t room, const char *base, const char *control)
{
    char url[512];
    assert_true(sdp_control_url(base, control, url, sizeof(url)));
    text_append(out, room, " %s", url);
}

// One line a track: kind, then each format as type:encoding/clock/channels, then its URL.
static void print(const struct sdp *sdp, const char *request, char *out, size_t room)
{
    char base[512];
    out[0] = 0;
    assert_true(sdp_control_url(request, sdp->control, base, sizeof(base)));
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct sdp_media *media = &sdp->media[i];
        text_append(out, room, "%s%s", i ? "\n" : "", media->kind);
        for (unsigned k = 0; k < media->format_count; k++)
            text_append(out, room, " %d:%s/%u/%u", media->format[k].payload_type,
                        media->format[k].encoding, media->format[k].clock,
                        media->format[k].channels);
        print_url(out, room, base, media->control);
    }
}

// Descriptions in the style of what cameras and recorders send; each shows at least one habit.
static const struct {
    const char *what, *request, *text, *expected;
} cameras[] = {
    {"Hikvision: e= and b= between, absolute controls with a query, a private track",
     "rtsp://10.0.0.2:554/Streaming/Channels/101",
     "v=0\r\no=- 1700000000000001 1700000000000001 IN IP4 10.0.0.2\r\ns=Media Presentation\r\n"
     "e=NONE\r\nb=AS:5100\r\nt=0 0\r\n"
     "a=control:rtsp://10.0.0.2:554/Streaming/Channels/101/?transportmode=unicast\r\n"
     "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:5000\r\na=recvonly\r\n"
     "a=x-dimensions:2560,1440\r\n"
     "a=control:rtsp://10.0.0.2:554/Streaming/Channels/101/trackID=1?transportmode=unicast\r\n"
     "a=rtpmap:96 H265/90000\r\n"
     "a=fmtp:96 sprop-vps=QAEMAf//AWAAAAMAsAAAAwAAAwCWrAk=; sprop-sps=QgEB; sprop-pps=RAHg\r\n"
     "m=audio 0 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\nb=AS:50\r\na=recvonly\r\n"
     "a=control:rtsp://10.0.0.2:554/Streaming/Channels/101/trackID=2?transportmode=unicast\r\n"
     "a=rtpmap:8 PCMA/8000\r\n"
     "a=Media_header:MEDIAINFO=494D4B4801020000;\r\na=appversion:1.0\r\n",
     "video 96:H265/90000/0 "
     "rtsp://10.0.0.2:554/Streaming/Channels/101/trackID=1?transportmode=unicast\n"
     "audio 8:PCMA/8000/0 "
     "rtsp://10.0.0.2:554/Streaming/Channels/101/trackID=2?transportmode=unicast"},
    {"Dahua: the base ends in a query, an ONVIF track, PT above the static ones",
     "rtsp://10.0.0.3:554/cam/realmonitor?channel=1&subtype=0/",
     "v=0\r\no=- 2251938200 2251938200 IN IP4 0.0.0.0\r\ns=Media Server\r\nc=IN IP4 0.0.0.0\r\n"
     "t=0 0\r\na=control:*\r\na=packetization-supported:DH\r\na=rtppayload-supported:DH\r\n"
     "a=range:npt=now-\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=0\r\na=framerate:25.000000\r\n"
     "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=640032;"
     "sprop-parameter-sets=Z2QAMqw=,aO48sAA=\r\na=recvonly\r\n"
     "m=audio 0 RTP/AVP 97\r\na=control:trackID=1\r\na=rtpmap:97 MPEG4-GENERIC/48000\r\n"
     "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
     "indexdeltalength=3;config=1188\r\na=recvonly\r\n"
     "m=application 0 RTP/AVP 107\r\na=control:trackID=4\r\na=rtpmap:107 "
     "vnd.onvif.metadata/90000\r\n"
     "a=recvonly\r\n",
     "video 96:H264/90000/0 rtsp://10.0.0.3:554/cam/realmonitor?channel=1&subtype=0/trackID=0\n"
     "audio 97:MPEG4-GENERIC/48000/0 "
     "rtsp://10.0.0.3:554/cam/realmonitor?channel=1&subtype=0/trackID=1\n"
     "application 107:vnd.onvif.metadata/90000/0 "
     "rtsp://10.0.0.3:554/cam/realmonitor?channel=1&subtype=0/trackID=4"},
    {"Axis: rtpmap behind control, absolute control of the session, transform lines",
     "rtsp://10.0.0.4/axis-media/media.amp",
     "v=0\r\no=- 18188749391967283611 1 IN IP4 10.0.0.4\r\ns=Session streamed with GStreamer\r\n"
     "i=rtsp-server\r\nt=0 0\r\na=tool:GStreamer\r\na=type:broadcast\r\na=range:npt=now-\r\n"
     "a=control:rtsp://10.0.0.4/axis-media/media.amp?videocodec=h264\r\n"
     "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:50000\r\na=ts-refclk:local\r\n"
     "a=fmtp:96 packetization-mode=1;profile-level-id=4d0029;sprop-parameter-sets=Z00AKQ==,aO4=\r\n"
     "a=control:rtsp://10.0.0.4/axis-media/media.amp/stream=0?videocodec=h264\r\n"
     "a=rtpmap:96 H264/90000\r\na=framerate:25.000000\r\na=transform:1.000000,0.000000\r\n",
     "video 96:H264/90000/0 rtsp://10.0.0.4/axis-media/media.amp/stream=0?videocodec=h264"},
    {"Reolink: an old live555, no channels, a blank in the parameters, trailing semicolon",
     "rtsp://10.0.0.5:554/h264Preview_01_main/",
     "v=0\r\no=- 1629795645777963 1 IN IP4 10.0.0.5\r\ns=Session streamed by \"preview\"\r\n"
     "i=h264Preview_01_main\r\nt=0 0\r\na=tool:LIVE555 Streaming Media v2013.04.08\r\n"
     "a=type:broadcast\r\na=control:*\r\na=range:npt=0-\r\na=x-qt-text-inf:h264Preview_01_main\r\n"
     "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:500\r\na=rtpmap:96 H264/90000\r\n"
     "a=fmtp:96 packetization-mode=1;profile-level-id=640033;sprop-parameter-sets=Z2QA,aO4=\r\n"
     "a=control:trackID=1\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000\r\n"
     "a=fmtp:97 streamtype=5;mode=AAC-hbr;SizeLength=13; IndexLength=3;config=1408; profile=1;\r\n"
     "a=control:trackID=2\r\n",
     "video 96:H264/90000/0 rtsp://10.0.0.5:554/h264Preview_01_main/trackID=1\n"
     "audio 97:MPEG4-GENERIC/16000/0 rtsp://10.0.0.5:554/h264Preview_01_main/trackID=2"},
    {"Tapo: LF only, no rtpmap for PCMA, no name, no times, base without a slash",
     "rtsp://10.0.0.6/stream1",
     "v=0\no=- 14665860 31787219 1 IN IP4 10.0.0.6\na=range:npt=0-\nm=video 0 RTP/AVP 96\n"
     "b=AS:4096\na=range:npt=0-\na=control:track1\na=rtpmap:96 H264/90000\n"
     "a=fmtp:96 packetization-mode=1; profile-level-id=640029; sprop-parameter-sets=\n"
     "m=audio 0 RTP/AVP 8\na=control:track2\n"
     "m=application/TP-LINK 0 RTP/AVP smart/1/90000\na=control:track3\n",
     "video 96:H264/90000/0 rtsp://10.0.0.6/stream1/track1\n"
     "audio 8:PCMA/8000/1 rtsp://10.0.0.6/stream1/track2\n"
     "application/TP-LINK rtsp://10.0.0.6/stream1/track3"},
    {"an ONVIF simulator: no o= or s=, CR only, blanks everywhere, a control with a slash",
     "rtsp://sim/onvif/",
     "v = 0\rm = video 0 RTP/AVP 26\ra = control : /video \rm=audio 5004 RTP/AVP 0 101\r"
     "a=rtpmap: 101 telephone-event/8000\ra=control:audio\r",
     "video 26:JPEG/90000/0 rtsp://sim/onvif/video\n"
     "audio 0:PCMU/8000/1 101:telephone-event/8000/0 rtsp://sim/onvif/audio"},
    {"rtpmap without a clock, without a number in m=, fmtp in front of rtpmap; no control at all",
     "rtsp://x/y", "m=video\na=fmtp:97 sprop-parameter-sets=Z0I=\na=rtpmap:97 H264\n",
     "video 97:H264/0/0 rtsp://x/y"},
    {"no rtpmap: the parameters tell", "rtsp://x/y",
     "m=video 0 RTP/AVP 96\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0I=\n"
     "m=video 0 RTP/AVP 98\na=fmtp:98 sprop-sps=Qg==\nm=audio 0 RTP/AVP 99\n"
     "a=fmtp:99 sizeLength=13;config=1210\n",
     "video 96:H264/0/0 rtsp://x/y\nvideo 98:H265/0/0 rtsp://x/y\n"
     "audio 99:MPEG4-GENERIC/0/0 rtsp://x/y"},
    {"a NUL at the end, capital letters, channels", "rtsp://x/y",
     "M=audio 0 RTP/AVP 97\r\nA=RTPMAP:97 opus/48000/2\r\nA=CONTROL:rtsps://else/where\r\n",
     "audio 97:opus/48000/2 rtsps://else/where"},
};

static void sdp_parse_as_cameras_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cameras) / sizeof(cameras[0]); i++) {
        char out[2048];
        struct sdp *sdp;
        // With the terminating zero, as some send it.
        if (sdp_parse(bytes_of(cameras[i].text, strlen(cameras[i].text) + 1), &sdp) != 0)
            fail_msg("not understood: %s", cameras[i].what);
        print(sdp, cameras[i].request, out, sizeof(out));
        if (strcmp(out, cameras[i].expected) != 0)
            fail_msg("%s:\n%s\nexpected:\n%s", cameras[i].what, out, cameras[i].expected);
        sdp_free(&sdp);
    }
}

static void sdp_parse_direction(void **state)
{
    (void)state;
    struct sdp *sdp = parse("a=sendonly\nm=video 0 RTP/AVP 96\na=recvonly\nm=audio 0 RTP/AVP 0\n"
                            "a=SendOnly\nm=audio 0 RTP/AVP 8\n");
    assert_int_equal(sdp->media[0].direction, SDP_RECEIVE);
    assert_int_equal(sdp->media[1].direction, SDP_SEND);
    assert_int_equal(sdp->media[2].direction, SDP_NOT_SAID);
    sdp_free(&sdp);
}

static void sdp_parse_nothing_to_receive_is_invalid(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "\r\n", "v=0\r\ns=x\r\n", "hello", "m", "m\0=video"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sdp *sdp;
        assert_int_equal(sdp_parse(bytes_of(cases[i], strlen(cases[i])), &sdp), ERR_INVALID);
        assert_null(sdp);
    }
}

static void sdp_parse_bounds(void **state)
{
    (void)state;
    struct sdp *sdp;
    char *text = malloc(SDP_BYTES_MAX + 1);
    memset(text, '\n', SDP_BYTES_MAX + 1);
    assert_int_equal(sdp_parse(bytes_of(text, SDP_BYTES_MAX + 1), &sdp), ERR_LIMIT);
    memcpy(text, "m=video", 7);
    assert_int_equal(sdp_parse(bytes_of(text, SDP_BYTES_MAX), &sdp), 0);
    sdp_free(&sdp);
    text[0] = 0;
    for (unsigned i = 0; i < TRACKS_MAX + 3; i++)
        text_append(text, SDP_BYTES_MAX, "m=video 0 RTP/AVP 1 2 3 4 5 6 7 8 9 10\na=control:%u\n",
                    i);
    sdp = parse(text);
    assert_int_equal(sdp->media_count, TRACKS_MAX);
    assert_int_equal(sdp->media_over, 3);
    assert_int_equal(sdp->media[0].format_count, SDP_FORMATS_MAX);
    assert_string_equal(sdp->media[TRACKS_MAX - 1].control, "15");
    sdp_free(&sdp);
    mem_fail_nth(2);
    assert_int_equal(sdp_parse(bytes_of(text, strlen(text)), &sdp), ERR_LIMIT);
    mem_fail_nth(0);
    free(text);
}

static void sdp_format_get_cases(void **state)
{
    (void)state;
    static const struct {
        const char *fmtp, *key, *value; // NULL: not there
    } cases[] = {
        {"a=1;b=2", "b", "2"},
        {" A = 1 ; b", "a", "1"},
        {"a=1; b", "b", ""},
        {"sprop=Z0IA=,aM4=; x=1", "sprop", "Z0IA=,aM4="},
        {"sprop-sps=1", "sprop", NULL},
        {"", "a", NULL},
        {";;;", "a", NULL},
        {"=5;a=6", "a", "6"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sdp_format format = {.fmtp = cases[i].fmtp};
        struct bytes value;
        bool found = sdp_format_get(&format, cases[i].key, &value);
        assert_int_equal(found, cases[i].value != NULL);
        if (found) {
            assert_int_equal(value.length, strlen(cases[i].value));
            assert_memory_equal(value.data, cases[i].value, value.length);
        }
    }
}

static void sdp_format_number_cases(void **state)
{
    (void)state;
    struct sdp_format format = {.fmtp = "a=13;b=x;c=-1;d=4294967295;e=4294967296;f="};
    assert_int_equal(sdp_format_number(&format, "a", 7), 13);
    assert_int_equal(sdp_format_number(&format, "b", 7), 7);
    assert_int_equal(sdp_format_number(&format, "c", 7), 7);
    assert_int_equal(sdp_format_number(&format, "d", 7), UINT32_MAX);
    assert_int_equal(sdp_format_number(&format, "e", 7), 7);
    assert_int_equal(sdp_format_number(&format, "f", 7), 7);
    assert_int_equal(sdp_format_number(&format, "g", 7), 7);
}

static void sdp_control_url_that_does_not_fit_is_false(void **state)
{
    (void)state;
    char out[16];
    assert_false(sdp_control_url("rtsp://host/path", "*", out, sizeof(out)));
    assert_false(sdp_control_url("rtsp://h/p", "track=1", out, sizeof(out)));
    assert_false(sdp_control_url("", "rtsp://host/path", out, sizeof(out)));
    assert_true(sdp_control_url("rtsp://h/", "/t=1", out, sizeof(out)));
    assert_string_equal(out, "rtsp://h/t=1");
}

TEST_MAIN(TEST(sdp_parse_as_cameras_write), TEST(sdp_parse_direction),
          TEST(sdp_parse_nothing_to_receive_is_invalid), TEST(sdp_parse_bounds),
          TEST(sdp_format_get_cases), TEST(sdp_format_number_cases),
          TEST(sdp_control_url_that_does_not_fit_is_false))
