// SPDX-License-Identifier: MIT
// Runs an unpacker and writes down what comes out.
#ifndef TESTS_UNIT_FORMAT_RTP_UNPACK_FIXTURE_H
#define TESTS_UNIT_FORMAT_RTP_UNPACK_FIXTURE_H

#include "unit.h"

#include "base/text.h"
#include "format/rtp_unpack.h"
#include "media/nal.h"
#include "rtp_fixture.h"

// What came out, as text. Video: "I@0[6,5]" is a key frame at tick 0 of an SEI and an IDR; "P"
// another, "C" a corrupt one. Audio: "A@0+1024(3)" with duration and length. "T" a new track, "!"
// an error.
struct out {
    struct rtp_unpack *unpack;
    char text[4096];
    char last_error[128];
    uint8_t last[4096]; // payload of the newest frame
    size_t last_length;
};

static inline void on_track(void *arg)
{
    struct out *out = arg;
    assert_non_null(rtp_unpack_track(out->unpack));
    text_append(out->text, sizeof(out->text), "T ");
}

static inline void on_frame(void *arg, struct frame **frame)
{
    struct out *out = arg;
    const struct frame *given = *frame;
    const struct track *track = rtp_unpack_track(out->unpack);
    assert_non_null(track);
    if (track->kind == MEDIA_VIDEO) {
        struct bytes in = bytes_of(frame_data(given), given->length), nal;
        const char *comma = "";
        text_append(out->text, sizeof(out->text), "%s@%ld[",
                    given->flags & FRAME_CORRUPT ? "C"
                    : frame_is_key(given)        ? "I"
                                                 : "P",
                    (long)given->dts);
        int result;
        while ((result = nal_next_prefixed(&in, 4, &nal)) == 0) {
            unsigned type = track->codec == CODEC_H264 ? h264_nal_type(nal) : h265_nal_type(nal);
            text_append(out->text, sizeof(out->text), "%s%u", comma, type);
            comma = ",";
        }
        assert_int_equal(result, ERR_NOT_FOUND);
        text_append(out->text, sizeof(out->text), "] ");
    } else {
        assert_true(frame_is_key(given));
        text_append(out->text, sizeof(out->text), "A@%ld+%u(%u) ", (long)given->dts,
                    given->duration, given->length);
    }
    out->last_length = given->length < sizeof(out->last) ? given->length : sizeof(out->last);
    memcpy(out->last, frame_data(given), out->last_length);
    frame_unref(frame);
}

static inline void on_error(void *arg, const char *what)
{
    struct out *out = arg;
    text_append(out->text, sizeof(out->text), "! ");
    text_copy(out->last_error, sizeof(out->last_error), what);
}

static const struct rtp_unpack_events events = {on_track, on_frame, on_error};

static inline void open_unpack(struct out *out, const char *encoding, uint32_t clock,
                               unsigned channels, const char *fmtp)
{
    struct sdp_format format = {
        .encoding = encoding, .clock = clock, .channels = channels, .fmtp = fmtp};
    const char *why;
    memset(out, 0, sizeof(*out));
    if (rtp_unpack_new(&format, &events, out, &out->unpack, &why) != 0)
        fail_msg("%s", why);
}

static inline void send_lost(struct out *out, uint32_t timestamp, bool marker, struct bytes payload,
                             unsigned lost)
{
    struct rtp_packet packet = {.timestamp = timestamp, .marker = marker, .payload = payload};
    rtp_unpack_input(out->unpack, &packet, lost, 1);
}

static inline void send(struct out *out, uint32_t timestamp, bool marker, struct bytes payload)
{
    send_lost(out, timestamp, marker, payload, 0);
}

#define SEND(out, timestamp, marker, ...)                                                          \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        send(out, timestamp, marker, bytes_of(bytes_, sizeof(bytes_)));                            \
    } while (0)

static inline void send_slice(struct out *out, uint32_t timestamp, bool marker, char kind,
                              bool first)
{
    uint8_t nal[40];
    fixture_h264_slice(nal, sizeof(nal), kind, first);
    send(out, timestamp, marker, bytes_of(nal, sizeof(nal)));
}

static inline void send_sets(struct out *out, uint32_t timestamp, unsigned width)
{
    uint8_t sps[64], pps[8];
    size_t length = fixture_h264_sps(sps, 77, width, 0, false);
    send(out, timestamp, false, bytes_of(sps, length));
    length = fixture_h264_pps(pps, 0);
    send(out, timestamp, false, bytes_of(pps, length));
}

static inline void assert_text(struct out *out, const char *expected)
{
    assert_string_equal(out->text, expected);
    out->text[0] = 0;
}

#endif
