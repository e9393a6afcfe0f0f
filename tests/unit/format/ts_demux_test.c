// SPDX-License-Identifier: MIT
#include "format/ts_demux.h"

#include "format/ts_mux.h"
#include "ts_psi.h"
#include "ts_walk.h"
#include "unit.h"

enum { FRAMES = 600 };

// What a demuxer gave out.
struct got {
    struct tracks *tracks; // the last list
    unsigned lists, count;
    struct frame *frame[FRAMES];
    unsigned list[FRAMES]; // how many lists had come before the frame
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct got *got = arg;
    tracks_unref(&got->tracks);
    got->tracks = *tracks;
    *tracks = NULL;
    got->lists++;
}

static void on_frame(void *arg, struct frame **frame)
{
    struct got *got = arg;
    assert_true(got->lists > 0 && (*frame)->track < got->tracks->count);
    assert_true(got->count < FRAMES);
    got->list[got->count] = got->lists;
    got->frame[got->count++] = *frame;
    *frame = NULL;
}

static const struct ts_demux_events events = {on_tracks, on_frame};

static void forget(struct got *got)
{
    for (unsigned i = 0; i < got->count; i++)
        frame_unref(&got->frame[i]);
    tracks_unref(&got->tracks);
    memset(got, 0, sizeof(*got));
}

// Everything that a demuxer makes of the bytes, given to it in steps.
static uint64_t demux_all(struct bytes in, size_t step, struct got *got)
{
    struct ts_demux *demux = ts_demux_new(&events, got);
    while (in.length > 0) {
        struct bytes part;
        assert_true(bytes_take(&in, in.length < step ? in.length : step, &part));
        ts_demux_input(demux, part);
    }
    ts_demux_flush(demux);
    uint64_t errors = ts_demux_continuity_errors(demux);
    ts_demux_free(&demux);
    return errors;
}

// Frames of a picture track with B-frames and of a sound track, and the stream they make.
struct sample {
    struct frame *frame[FRAMES];
    unsigned count;
    struct tracks *tracks;
    struct buf *stream;
};

static void make_sample(struct sample *sample, struct track *list, unsigned tracks, int64_t start,
                        unsigned pictures)
{
    struct ts_mux *mux;
    struct writer out = {0};
    int64_t sound = start / 15 * 8; // 90 kHz to 48 kHz
    bool h264 = list[0].codec == CODEC_H264;
    memset(sample, 0, sizeof(*sample));
    sample->tracks = tracks_new(list, tracks);
    assert_int_equal(ts_mux_new(&mux, sample->tracks, "sample"), 0);
    ts_mux_set_collect(mux, true);
    for (unsigned i = 0; i < pictures; i++) {
        static const int32_t cts[4] = {7200, 10800, 3600, 7200};
        bool key = i % 8 == 0;
        const char *head =
            h264 ? (key ? "\x65\x88" : "\x41\x9a") : (key ? "\x26\1\xaf" : "\2\1\xd0");
        struct frame *frame = ts_walk_picture(0, head, 700 + i * 37, i);
        frame->dts = start + i * 3600;
        frame->cts = cts[i % 4];
        frame->flags = key ? FRAME_KEY : 0;
        sample->frame[sample->count++] = frame;
        ts_mux_frame(mux, frame, &out);
        while (tracks > 1 && sound * 15 / 8 < frame->dts) {
            frame = ts_walk_sound(1, 200 + i, i);
            frame->dts = sound;
            frame->duration = 1024;
            sound += 1024;
            sample->frame[sample->count++] = frame;
            ts_mux_frame(mux, frame, &out);
        }
    }
    ts_mux_flush(mux, &out);
    ts_mux_free(&mux);
    sample->stream = writer_take(&out);
}

static void make_usual_sample(struct sample *sample)
{
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(sample, list, 2, 900000, 40);
}

static void free_sample(struct sample *sample)
{
    for (unsigned i = 0; i < sample->count; i++)
        frame_unref(&sample->frame[i]);
    tracks_unref(&sample->tracks);
    buf_unref(&sample->stream);
}

// Every frame of one track came back as it was, times moved by `shift` ticks of 90 kHz.
static void assert_same(const struct sample *sample, const struct got *got, unsigned track,
                        int64_t shift)
{
    unsigned at = 0;
    for (unsigned i = 0; i < sample->count; i++) {
        const struct frame *sent = sample->frame[i];
        if (sent->track != track)
            continue;
        while (at < got->count && got->frame[at]->track != track)
            at++;
        assert_true(at < got->count);
        const struct frame *back = got->frame[at++];
        assert_int_equal(back->length, sent->length);
        assert_memory_equal(frame_data(back), frame_data(sent), sent->length);
        assert_int_equal(back->dts, sent->dts + (track ? shift * 8 / 15 : shift));
        assert_int_equal(back->cts, sent->cts);
        assert_int_equal(back->flags, sent->flags);
    }
    while (at < got->count)
        assert_int_not_equal(got->frame[at++]->track, track);
}

static void ts_demux_input_cut_anywhere_gives_back_what_was_muxed(void **state)
{
    (void)state;
    struct sample sample;
    make_usual_sample(&sample);
    static const size_t steps[] = {1, 7, 187, 188, 189, 1000, 1 << 20};
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct got got = {0};
        assert_int_equal(demux_all(buf_bytes(sample.stream), steps[i], &got), 0);
        assert_int_equal(got.lists, 1);
        assert_true(tracks_equal(got.tracks, sample.tracks));
        assert_same(&sample, &got, 0, 0);
        assert_same(&sample, &got, 1, 0);
        forget(&got);
    }
    free_sample(&sample);
}

static void ts_demux_input_h265_comes_back(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    struct track list[1] = {ts_walk_h265()};
    make_sample(&sample, list, 1, 0, 20);
    assert_int_equal(demux_all(buf_bytes(sample.stream), 188, &got), 0);
    assert_true(tracks_equal(got.tracks, sample.tracks));
    assert_same(&sample, &got, 0, 0);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_wrap_goes_on_in_all_tracks(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    int64_t base = 16 * (1LL << 33); // 15 wraps are whole ticks of 48 kHz
    make_sample(&sample, list, 2, base / 15 * 15 - 90000, 60);
    demux_all(buf_bytes(sample.stream), 1 << 20, &got);
    assert_same(&sample, &got, 0, (1LL << 33) - base);
    assert_same(&sample, &got, 1, (1LL << 33) - base);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_lost_packet_marks_its_frame_only(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    struct track list[1] = {ts_walk_h264()};
    make_sample(&sample, list, 1, 0, 40);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    unsigned begun = 0;
    for (size_t at = 0; at < sample.stream->length; at += 188) {
        const uint8_t *packet = sample.stream->data + at;
        bool video = (packet[1] & 0x1f) == 1 && packet[2] == 0;
        begun += video && packet[1] & 0x40;
        if (begun == 10 && !(packet[1] & 0x40) && video) {
            begun += 1000; // one of the tenth picture
            continue;
        }
        ts_demux_input(demux, bytes_of(packet, 188));
    }
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 1);
    assert_int_equal(got.count, 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal((got.frame[i]->flags & FRAME_CORRUPT) != 0, i == 9);
        assert_int_equal(got.frame[i]->dts, i * 3600);
    }
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_garbage_between_packets_is_passed_over(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    make_usual_sample(&sample);
    uint8_t junk[1000];
    for (unsigned i = 0; i < sizeof(junk); i++)
        junk[i] = i % 50 == 7 ? 0x47 : (uint8_t)(i | 0x80); // with false sync bytes
    struct ts_demux *demux = ts_demux_new(&events, &got);
    unsigned number = 0;
    for (size_t at = 0; at < sample.stream->length; at += 188) {
        if (number++ % 40 == 0)
            ts_demux_input(demux, bytes_of(junk, 1 + number % 999));
        ts_demux_input(demux, bytes_of(sample.stream->data + at, 188));
    }
    ts_demux_flush(demux);
    assert_same(&sample, &got, 0, 0);
    assert_same(&sample, &got, 1, 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_repeated_packets_count_once(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    make_usual_sample(&sample);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    for (size_t at = 0; at < sample.stream->length; at += 188) {
        ts_demux_input(demux, bytes_of(sample.stream->data + at, 188));
        ts_demux_input(demux, bytes_of(sample.stream->data + at, 188));
    }
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 0);
    // The first packet of each stream says that its counter is new, so its repetition is data.
    assert_true(got.count >= sample.count - 4);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_damaged_and_scrambled_packets_are_ignored(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    make_usual_sample(&sample);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    for (size_t at = 0; at < sample.stream->length; at += 188) {
        uint8_t packet[188];
        memcpy(packet, sample.stream->data + at, 188);
        ts_demux_input(demux, bytes_of(packet, 188));
        memset(packet + 6, 0x55, 182);
        packet[1] |= 0x80; // known to be damaged
        ts_demux_input(demux, bytes_of(packet, 188));
        packet[1] &= 0x7f;
        packet[3] |= 0x80; // scrambled
        ts_demux_input(demux, bytes_of(packet, 188));
        packet[3] = 0x30; // an adaptation field that is too long
        packet[4] = 200;
        ts_demux_input(demux, bytes_of(packet, 188));
        packet[1] = 0x1f; // filling
        packet[2] = 0xff;
        packet[3] = 0x10;
        ts_demux_input(demux, bytes_of(packet, 188));
    }
    ts_demux_flush(demux);
    assert_same(&sample, &got, 0, 0);
    assert_same(&sample, &got, 1, 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_new_programme_gives_a_new_list(void **state)
{
    (void)state;
    struct sample one, two;
    struct got got = {0};
    struct track first[2] = {ts_walk_h264(), ts_walk_aac()}, second[1] = {ts_walk_h265()};
    make_sample(&one, first, 2, 0, 16);
    make_sample(&two, second, 1, 360000, 16);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_input(demux, buf_bytes(one.stream));
    ts_demux_input(demux, buf_bytes(two.stream));
    ts_demux_flush(demux);
    assert_int_equal(got.count, one.count + two.count);
    for (unsigned i = 0; i < got.count; i++)
        assert_int_equal(got.list[i], i < one.count ? 1 : 2);
    assert_int_equal(got.tracks->count, 1);
    assert_int_equal(got.tracks->track[0].codec, CODEC_H265);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&one);
    free_sample(&two);
}

static void ts_demux_input_stream_that_leaves_gives_a_shorter_list(void **state)
{
    (void)state;
    struct sample one, two;
    struct got got = {0};
    struct track first[2] = {ts_walk_h264(), ts_walk_aac()}, second[1] = {ts_walk_h264()};
    make_sample(&one, first, 2, 0, 16);
    make_sample(&two, second, 1, 16 * 3600, 16);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_input(demux, buf_bytes(one.stream));
    ts_demux_input(demux, buf_bytes(two.stream));
    ts_demux_flush(demux);
    assert_int_equal(got.lists, 2);
    assert_int_equal(got.tracks->count, 1);
    assert_int_equal(got.count, one.count + two.count);
    for (unsigned i = 0; i < got.count; i++) // the list changes with the key frame, not before
        if (got.frame[i]->track == 0)
            assert_int_equal(got.list[i], got.frame[i]->dts < 16 * 3600 ? 1 : 2);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&one);
    free_sample(&two);
}

// Leaves out the packets of a PID from `from` to `to`, in bytes of the stream.
static void demux_without(struct ts_demux *demux, struct bytes in, unsigned pid, size_t from,
                          size_t to)
{
    for (size_t at = 0; at < in.length; at += 188) {
        const uint8_t *packet = in.data + at;
        bool is_pid = ((packet[1] & 0x1fu) << 8 | packet[2]) == pid;
        if (!is_pid || at < from || at >= to)
            ts_demux_input(demux, bytes_of(packet, 188));
    }
}

static void ts_demux_input_silent_stream_holds_up_for_two_seconds(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&sample, list, 2, 0, 100); // four seconds
    struct ts_demux *demux = ts_demux_new(&events, &got);
    size_t length = sample.stream->length;
    demux_without(demux, bytes_of(sample.stream->data, length / 188 / 4 * 188), 0x101, 0, length);
    assert_int_equal(got.lists, 0); // one second
    ts_demux_free(&demux);
    demux = ts_demux_new(&events, &got);
    demux_without(demux, buf_bytes(sample.stream), 0x101, 0, length);
    ts_demux_flush(demux);
    assert_int_equal(got.lists, 1);
    assert_int_equal(got.tracks->count, 1);
    assert_int_equal(got.count, 100); // nothing was lost by waiting
    assert_int_equal(got.frame[0]->dts, 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_late_stream_joins_with_a_new_list(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&sample, list, 2, 0, 100);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    demux_without(demux, buf_bytes(sample.stream), 0x101, 0, sample.stream->length * 3 / 4);
    ts_demux_flush(demux);
    assert_int_equal(got.lists, 2);
    assert_int_equal(got.tracks->count, 2);
    unsigned sounds = 0, first = 0;
    for (unsigned i = 0; i < got.count; i++)
        sounds += got.frame[i]->track == 1 && got.list[i] == 2;
    assert_true(sounds > 0 && got.count == 100 + sounds);
    while (got.list[first] == 1)
        first++;
    assert_true(got.frame[first]->track == 0 && frame_is_key(got.frame[first]));
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_free_before_the_list_drops_what_waits(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    make_usual_sample(&sample);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    demux_without(demux, buf_bytes(sample.stream), 0x101, 0, sample.stream->length);
    assert_int_equal(got.count, 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_input_segments_in_a_row_are_one_stream(void **state)
{
    (void)state;
    struct sample one, two;
    struct got got = {0};
    struct track first[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&one, first, 2, 0, 16);
    struct track second[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&two, second, 2, 16 * 3600, 16);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_input(demux, buf_bytes(one.stream));
    ts_demux_input(demux, buf_bytes(two.stream));
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 0);
    assert_int_equal(got.lists, 1);
    assert_int_equal(got.count, one.count + two.count);
    for (unsigned i = 0; i < got.count; i++)
        assert_int_equal(got.frame[i]->flags & (FRAME_CORRUPT | FRAME_DISCONTINUITY), 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&one);
    free_sample(&two);
}

static void ts_demux_input_clock_that_jumps_is_flagged_in_all_tracks(void **state)
{
    (void)state;
    struct sample one, two;
    struct got got = {0};
    struct track first[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&one, first, 2, 9000000, 16);
    struct track second[2] = {ts_walk_h264(), ts_walk_aac()};
    make_sample(&two, second, 2, 90000, 16);
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_input(demux, buf_bytes(one.stream));
    ts_demux_input(demux, buf_bytes(two.stream));
    ts_demux_flush(demux);
    unsigned flagged[2] = {0};
    for (unsigned i = 0; i < got.count; i++)
        flagged[got.frame[i]->track] += (got.frame[i]->flags & FRAME_DISCONTINUITY) != 0;
    assert_int_equal(flagged[0], 1);
    assert_int_equal(flagged[1], 1);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&one);
    free_sample(&two);
}

#define UNIT "\xff\xf1\x4c\x40\x01\x7f\xfcsong" // AAC with its ADTS head, 11 bytes

// One packet of a PID with `payload` at its end and stuffing in front.
static void send(struct ts_demux *demux, unsigned pid, bool start, unsigned continuity,
                 struct bytes payload)
{
    uint8_t packet[188] = {0x47, (uint8_t)((start ? 0x40 : 0) | pid >> 8), (uint8_t)pid,
                           (uint8_t)(0x10 | continuity % 16)};
    size_t stuffing = 184 - payload.length;
    if (stuffing > 0) {
        packet[3] |= 0x20;
        packet[4] = (uint8_t)(stuffing - 1);
        if (stuffing > 1)
            memset(packet + 6, 0xff, stuffing - 2);
    }
    memcpy(packet + 188 - payload.length, payload.data, payload.length);
    ts_demux_input(demux, bytes_of(packet, sizeof(packet)));
}

static void send_tables(struct ts_demux *demux, const struct ts_program *program)
{
    uint8_t section[1 + TS_SECTION_MAX] = {0};
    size_t length = ts_psi_write_pat(section + 1, 0, 1, 0x1000);
    send(demux, 0, true, 0, bytes_of(section, 1 + length));
    length = ts_psi_write_pmt(section + 1, 0, program);
    send(demux, 0x1000, true, 0, bytes_of(section, 1 + length));
}

static void ts_demux_input_pes_head_in_several_packets(void **state)
{
    (void)state;
    struct got got = {0};
    struct ts_program program = {.number = 1, .pcr_pid = 0x100, .count = 1};
    program.stream[0] =
        (struct ts_stream){.pid = 0x100, .type = 0x0f, .codec = CODEC_AAC, .language = "und"};
    static const char pes[] = "\0\0\1\xc0\0\0\x80\x80\x0a\x21\0\x05\xbf\x21\xff\xff\xff\xff\xff"
                              "\xff\xf1\x4c\x40\x01\x7f\xfc"
                              "abcd\xff\xf1\x4c\x40\x01\x7f\xfc"
                              "efgh";
    for (size_t cut = 1; cut < sizeof(pes) - 1; cut++) {
        struct ts_demux *demux = ts_demux_new(&events, &got);
        send_tables(demux, &program);
        send(demux, 0x100, true, 0, bytes_of(pes, cut));
        send(demux, 0x100, false, 1, bytes_of(pes + cut, sizeof(pes) - 1 - cut));
        ts_demux_flush(demux);
        assert_int_equal(got.count, 2);
        assert_int_equal(got.frame[0]->dts, 48000); // 0x15f90 ticks of 90 kHz: one second
        assert_memory_equal(frame_data(got.frame[1]), "efgh", 4);
        ts_demux_free(&demux);
        forget(&got);
    }
}

static void ts_demux_input_private_streams_and_odd_pes_are_ignored(void **state)
{
    (void)state;
    struct got got = {0};
    struct ts_demux *demux = ts_demux_new(&events, &got);
    struct ts_program program = {.number = 1, .pcr_pid = 0x100, .count = 2};
    program.stream[0] =
        (struct ts_stream){.pid = 0x102, .type = 0x06, .codec = CODEC_COUNT, .language = "und"};
    program.stream[1] =
        (struct ts_stream){.pid = 0x100, .type = 0x0f, .codec = CODEC_AAC, .language = "und"};
    send_tables(demux, &program);
    send(demux, 0x102, true, 0, bytes_of("\0\0\1\xbd\0\0\x80\x80\5\x21\0\1\0\1data", 18));
    send(demux, 0x200, true, 0, bytes_of("\0\0\1\xe0", 4)); // in no table
    send(demux, 0x100, false, 0, bytes_of("no beginning", 12));
    send(demux, 0x100, true, 1, bytes_of("\0\0\1\xbe\0\x04\xff\xff\xff\xff", 10)); // padding
    // No start code; another layout; a head too short for the time that it announces.
    send(demux, 0x100, true, 2, bytes_of("\0\0\2\xc0\0\0\x80\x80\5\x21\0\1\0\1" UNIT UNIT, 36));
    send(demux, 0x100, true, 3, bytes_of("\0\0\1\xc0\0\0\x40\x80\5\x21\0\1\0\1" UNIT UNIT, 36));
    ts_demux_flush(demux);
    assert_int_equal(got.lists, 0);
    send(demux, 0x100, true, 4, bytes_of("\0\0\1\xc0\0\0\x80\x80\2\x21\0" UNIT UNIT, 33));
    ts_demux_flush(demux);
    assert_int_equal(got.count, 0);
    ts_demux_free(&demux);
    forget(&got);
}

static void ts_demux_input_lost_in_a_pes_head_forgets_it(void **state)
{
    (void)state;
    struct got got = {0};
    struct ts_demux *demux = ts_demux_new(&events, &got);
    struct ts_program program = {.number = 1, .pcr_pid = 0x100, .count = 1};
    program.stream[0] =
        (struct ts_stream){.pid = 0x100, .type = 0x0f, .codec = CODEC_AAC, .language = "und"};
    send_tables(demux, &program);
    send(demux, 0x100, true, 0, bytes_of("\0\0\1\xc0\0\0\x80\x80", 8));
    send(demux, 0x100, false, 5, bytes_of("\5\x21\0\1\0\1" UNIT UNIT, 6 + 22));
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 1); // in a packet with an adaptation field
    assert_int_equal(got.count, 0);
    ts_demux_free(&demux);
}

static void ts_demux_flush_out_of_step_takes_what_is_there(void **state)
{
    (void)state;
    struct sample sample;
    struct got got = {0};
    make_usual_sample(&sample);
    size_t length = sample.stream->length;
    uint8_t junk[300];
    memset(junk, 0xaa, sizeof(junk));
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_input(demux, bytes_of(sample.stream->data, length - 188));
    ts_demux_input(demux, bytes_of(junk, sizeof(junk)));
    ts_demux_input(demux, bytes_of(sample.stream->data + length - 188, 188));
    ts_demux_flush(demux);
    assert_same(&sample, &got, 0, 0);
    assert_same(&sample, &got, 1, 0);
    ts_demux_free(&demux);
    forget(&got);
    free_sample(&sample);
}

static void ts_demux_free_without_input(void **state)
{
    (void)state;
    struct got got = {0};
    struct ts_demux *demux = ts_demux_new(&events, &got);
    ts_demux_flush(demux);
    ts_demux_free(&demux);
    assert_null(demux);
    ts_demux_free(&demux);
}

TEST_MAIN(TEST(ts_demux_input_cut_anywhere_gives_back_what_was_muxed),
          TEST(ts_demux_input_h265_comes_back), TEST(ts_demux_input_wrap_goes_on_in_all_tracks),
          TEST(ts_demux_input_lost_packet_marks_its_frame_only),
          TEST(ts_demux_input_garbage_between_packets_is_passed_over),
          TEST(ts_demux_input_repeated_packets_count_once),
          TEST(ts_demux_input_damaged_and_scrambled_packets_are_ignored),
          TEST(ts_demux_input_new_programme_gives_a_new_list),
          TEST(ts_demux_input_stream_that_leaves_gives_a_shorter_list),
          TEST(ts_demux_input_silent_stream_holds_up_for_two_seconds),
          TEST(ts_demux_input_late_stream_joins_with_a_new_list),
          TEST(ts_demux_input_free_before_the_list_drops_what_waits),
          TEST(ts_demux_input_segments_in_a_row_are_one_stream),
          TEST(ts_demux_input_clock_that_jumps_is_flagged_in_all_tracks),
          TEST(ts_demux_input_pes_head_in_several_packets),
          TEST(ts_demux_input_private_streams_and_odd_pes_are_ignored),
          TEST(ts_demux_input_lost_in_a_pes_head_forgets_it),
          TEST(ts_demux_flush_out_of_step_takes_what_is_there), TEST(ts_demux_free_without_input))
