// SPDX-License-Identifier: MIT
#include "ts_elementary.h"

#include "unit.h"

#define SPS "\x67\x64\0\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\0\0\3\0\1\0\0\3\0\x32\x0f\x16\x2d\x96"
#define SPS_BASELINE                                                                               \
    "\x67\x42\xc0\x1e\xd9\0\xa0\x2f\xf9\x70\x11\0\0\3\3\xe9\0\0\xea\x60\x0f\x16\x2e\x48"
#define PPS "\x68\xeb\xe3\xcb\x22\xc0"
#define CODE "\0\0\0\1"
#define AUD CODE "\x09\xf0"
#define KEY AUD CODE SPS CODE PPS CODE "\x65\x88\x84\x10"
#define OTHER AUD CODE "\x41\x9a\x21\x6c"
#define MORE "\0\0\1\x41\x2b\x21\x6c" // a further slice
// ADTS, 48 kHz mono, 7 + 4 bytes
#define SOUND                                                                                      \
    "\xff\xf1\x4c\x40\x01\x7f\xfc"                                                                 \
    "abcd"
#define BYTES(text) bytes_of(text, sizeof(text) - 1)

struct got {
    unsigned count;
    struct frame *frame[64];
};

static void on_frame(void *arg, struct ts_elementary *es, struct frame **frame)
{
    struct got *got = arg;
    assert_true(es->has_track && got->count < 64);
    got->frame[got->count++] = *frame;
    *frame = NULL;
}

static struct ts_elementary *open_es(enum codec codec, struct got *got)
{
    struct ts_stream about = {.codec = codec, .language = "fra"};
    memset(got, 0, sizeof(*got));
    return ts_elementary_new(&about, on_frame, got);
}

static void close_es(struct ts_elementary **es, struct got *got)
{
    for (unsigned i = 0; i < got->count; i++)
        frame_unref(&got->frame[i]);
    ts_elementary_free(es);
}

static void pes(struct ts_elementary *es, int64_t pts, int64_t dts, struct bytes payload)
{
    struct ts_time time = {.known = true, .pts = pts, .dts = dts};
    ts_elementary_begin(es, &time);
    ts_elementary_data(es, payload);
}

static void pes_without_time(struct ts_elementary *es, struct bytes payload)
{
    struct ts_time time = {.known = false};
    ts_elementary_begin(es, &time);
    ts_elementary_data(es, payload);
}

static void expect(const struct got *got, unsigned number, int64_t dts, int32_t cts, size_t length)
{
    assert_true(number < got->count);
    assert_int_equal(got->frame[number]->dts, dts);
    assert_int_equal(got->frame[number]->cts, cts);
    assert_int_equal(got->frame[number]->length, length);
}

static void ts_elementary_begin_new_time_gives_the_frame_before(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 7200, 0, BYTES(KEY));
    assert_int_equal(got.count, 0);
    struct ts_time time = {.known = true, .pts = 3600, .dts = 3600};
    ts_elementary_begin(es, &time);
    ts_elementary_data(es, BYTES("\0\0\0")); // could still belong to the picture before
    assert_int_equal(got.count, 0);
    ts_elementary_data(es, BYTES("\1"));
    assert_int_equal(got.count, 1);
    ts_elementary_data(es, BYTES("\x09\xf0" CODE "\x41\x9a\x21\x6c"));
    expect(&got, 0, 0, 7200, 8);
    assert_true(frame_is_key(got.frame[0]));
    assert_true(es->track_changed);
    assert_string_equal(es->track.language, "fra");
    ts_elementary_flush(es);
    expect(&got, 1, 3600, 0, 8);
    assert_int_equal(got.frame[1]->flags, 0);
    assert_memory_equal(frame_data(got.frame[1]), "\0\0\0\4\x41\x9a\x21\x6c", 8);
    close_es(&es, &got);
}

static void ts_elementary_before_a_key_frame_nothing_comes(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(OTHER));
    pes(es, 3600, 3600, BYTES(CODE SPS CODE PPS OTHER)); // parameters, but no key
    pes_without_time(es, BYTES(OTHER));
    pes(es, 10800, 10800, BYTES(KEY));
    pes(es, 14400, 14400, BYTES(OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 2);
    expect(&got, 0, 10800, 0, 8);
    close_es(&es, &got);
}

static void ts_elementary_several_pes_are_one_frame(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY));
    pes(es, 0, 0, BYTES(MORE)); // repeats the time
    pes_without_time(es, BYTES(MORE));
    pes_without_time(es, BYTES("\x55\x56\x57")); // the NAL unit goes on
    pes(es, 3600, 3600, BYTES(OTHER));
    pes_without_time(es, BYTES(MORE "\0"));
    pes_without_time(es, BYTES("\0\1\x41\x2b")); // a start code in two parts
    ts_elementary_flush(es);
    assert_int_equal(got.count, 2);
    expect(&got, 0, 0, 0, 8 + 8 + 8 + 3);
    assert_memory_equal(frame_data(got.frame[0]) + 16, "\0\0\0\7\x41\x2b\x21\x6c\x55\x56\x57", 11);
    expect(&got, 1, 3600, 0, 8 + 8 + 6);
    close_es(&es, &got);
}

static void ts_elementary_several_frames_in_a_pes_are_spread(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 100, 100, BYTES(KEY OTHER OTHER));
    pes(es, 3 * 3600 + 100, 3 * 3600 + 100, BYTES(OTHER OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 5);
    for (unsigned i = 0; i < 5; i++)
        expect(&got, i, 100 + i * 3600, 0, 8); // 25 a second, as the SPS says
    pes(es, 100 + 5 * 3600, 100 + 5 * 3600, BYTES(OTHER OTHER));
    pes(es, 100 + 5 * 3600 + 3000, 100 + 5 * 3600 + 3000, BYTES(OTHER OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 9);
    expect(&got, 8, 100 + 5 * 3600 + 3000 + 1500, 0, 8); // half of what two took
    pes(es, 90000000, 90000000, BYTES(OTHER OTHER));     // no rate of pictures
    ts_elementary_flush(es);
    expect(&got, 10, 90000000 + 1500, 0, 8);
    close_es(&es, &got);
}

static void ts_elementary_unaligned_time_is_of_the_first_frame_that_begins(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY MORE "\x77"));
    pes(es, 3600, 3600, BYTES("\0\0\3" MORE OTHER "\x77"));
    pes(es, 7200, 7200, BYTES("\x78" OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 3);
    expect(&got, 0, 0, 0, 8 + 8 + 4 + 8);
    expect(&got, 1, 3600, 0, 8 + 2);
    expect(&got, 2, 7200, 0, 8);
    close_es(&es, &got);
}

static void ts_elementary_new_parameters_change_the_track_at_a_key_frame(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY));
    pes(es, 3600, 3600, BYTES(KEY));
    pes(es, 7200, 7200, BYTES(OTHER));
    assert_int_equal(es->track.width, 640);
    assert_int_equal(es->track.fps_num, 25);
    es->track_changed = false;
    pes(es, 10800, 10800, BYTES(AUD CODE SPS_BASELINE CODE PPS CODE "\x65\x88\x84\x10"));
    assert_false(es->track_changed);
    ts_elementary_flush(es);
    assert_true(es->track_changed);
    assert_int_equal(es->track.fps_num, 30000);
    assert_int_equal(got.count, 4);
    close_es(&es, &got);
}

static void ts_elementary_lost_marks_one_frame(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY));
    pes(es, 3600, 3600, BYTES(OTHER));
    ts_elementary_lost(es);
    pes(es, 7200, 7200, BYTES(OTHER));
    pes(es, 10800, 10800, BYTES(OTHER));
    ts_elementary_flush(es);
    static const unsigned flags[] = {FRAME_KEY, FRAME_CORRUPT, 0, 0};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(got.frame[i]->flags, flags[i]);
    close_es(&es, &got);
}

static void ts_elementary_broken_decode_time_is_the_presentation_time(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 1000, 5000, BYTES(KEY));      // presented before it is decoded
    pes(es, 3000000, 6000, BYTES(OTHER)); // half a minute later
    ts_elementary_flush(es);
    expect(&got, 0, 1000, 0, 8);
    expect(&got, 1, 3000000, 0, 8);
    close_es(&es, &got);
}

static void ts_elementary_endless_unit_is_dropped(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY));
    uint8_t junk[65536];
    memset(junk, 0x55, sizeof(junk));
    for (unsigned i = 0; i < 3 * FRAME_BYTES_MAX / sizeof(junk); i++) {
        pes_without_time(es, bytes_of(junk, sizeof(junk)));
        assert_true(es->capacity <= 2 * FRAME_BYTES_MAX);
    }
    pes(es, 3600, 3600, BYTES(KEY));
    pes(es, 7200, 7200, BYTES(OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.frame[got.count - 1]->dts, 7200);
    assert_int_equal(got.frame[got.count - 2]->dts, 3600);
    assert_true(got.frame[got.count - 2]->flags & (FRAME_CORRUPT | FRAME_KEY));
    assert_true(es->capacity <= 65536); // and the memory is given back
    close_es(&es, &got);
}

static void ts_elementary_unit_through_many_pes_is_searched_once(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_H264, &got);
    pes(es, 0, 0, BYTES(KEY));
    uint8_t junk[150];
    memset(junk, 0x55, sizeof(junk));
    // Without the mark of what was searched these would be 100 GB to look at.
    for (unsigned i = 0; i < 4 * 1024 * 1024 / sizeof(junk); i++)
        pes_without_time(es, bytes_of(junk, sizeof(junk)));
    pes(es, 3600, 3600, BYTES(OTHER));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 2);
    assert_true(got.frame[0]->length > 4000000);
    close_es(&es, &got);
}

static void ts_elementary_adts_several_in_a_pes_and_across_the_border(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 90000, 90000, BYTES(SOUND SOUND "\xff\xf1\x4c"));
    assert_int_equal(got.count, 2);
    expect(&got, 0, 48000, 0, 4);
    expect(&got, 1, 49024, 0, 4);
    assert_int_equal(got.frame[1]->duration, 1024);
    assert_int_equal(got.frame[1]->flags, FRAME_KEY);
    assert_memory_equal(frame_data(got.frame[1]), "abcd", 4);
    // The time in this head is that of the second unit here: the first began before.
    pes(es, 90000 + 3 * 1920, 90000 + 3 * 1920,
        BYTES("\x40\x01\x7f\xfc"
              "abcd" SOUND));
    assert_int_equal(got.count, 4);
    expect(&got, 2, 50048, 0, 4);
    expect(&got, 3, 51072, 0, 4);
    assert_int_equal(es->track.sample_rate, 48000);
    assert_int_equal(es->track.channels, 1);
    close_es(&es, &got);
}

static void ts_elementary_adts_byte_by_byte(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    struct ts_time time = {.known = true, .pts = 0, .dts = 0};
    static const char sound[] = SOUND SOUND SOUND;
    ts_elementary_begin(es, &time);
    for (size_t i = 0; i < sizeof(sound) - 1; i++)
        ts_elementary_data(es, bytes_of(sound + i, 1));
    assert_int_equal(got.count, 3); // in step, the last does not wait for another one
    close_es(&es, &got);
}

static void ts_elementary_adts_border_byte_by_byte(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 0, 0, BYTES(SOUND SOUND "\xff\xf1\x4c"));
    static const char rest[] = "\x40\x01\x7f\xfc"
                               "abcd" SOUND;
    struct ts_time time = {.known = true, .pts = 90000, .dts = 90000}; // a gap in front of it
    ts_elementary_begin(es, &time);
    for (size_t i = 0; i < sizeof(rest) - 1; i++)
        ts_elementary_data(es, bytes_of(rest + i, 1));
    assert_int_equal(got.count, 4);
    expect(&got, 2, 2048, 0, 4);
    expect(&got, 3, 48000, 0, 4);
    close_es(&es, &got);
}

static void ts_elementary_adts_out_of_step_is_searched_again(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 0, 0, BYTES(SOUND SOUND));
    // Garbage, then a false head with nothing behind it that confirms it.
    pes(es, 3840, 3840, BYTES("xyz\xff\xf1\x4c\x40\x01\x7f\xfc....xyz" SOUND SOUND));
    assert_int_equal(got.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_memory_equal(frame_data(got.frame[i]), "abcd", 4);
    close_es(&es, &got);
}

static void ts_elementary_data_without_memory_costs_what_it_held(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    struct ts_time time = {.known = true};
    ts_elementary_begin(es, &time);
    mem_fail_nth(1);
    ts_elementary_data(es, BYTES(SOUND SOUND));
    assert_int_equal(es->length, 0);
    pes(es, 1920, 1920, BYTES(SOUND SOUND));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.frame[0]->flags, FRAME_KEY | FRAME_DISCONTINUITY);
    close_es(&es, &got);
    es = open_es(CODEC_H264, &got);
    ts_elementary_begin(es, &time);
    mem_fail_nth(1);
    ts_elementary_data(es, BYTES(KEY)); // is tried again
    ts_elementary_flush(es);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.frame[0]->flags, FRAME_KEY);
    close_es(&es, &got);
}

static void ts_elementary_adts_garbage_is_searched_for_two_heads(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    // A false head in the garbage: it says 33 bytes, and behind those is no other head.
    pes(es, 0, 0, BYTES("xyz\xff\xf1\x4c\x40\x04\x3f\xfc..." SOUND SOUND SOUND "\xff"));
    assert_int_equal(got.count, 3);
    expect(&got, 0, 0, 0, 4);
    assert_memory_equal(frame_data(got.frame[0]), "abcd", 4);
    close_es(&es, &got);
}

static void ts_elementary_adts_single_unit_in_a_pes_is_believed_at_its_end(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 0, 0, BYTES(SOUND));
    assert_int_equal(got.count, 0); // nothing confirms it yet
    pes(es, 1920, 1920, BYTES(SOUND));
    assert_int_equal(got.count, 2);
    expect(&got, 0, 0, 0, 4);
    expect(&got, 1, 1024, 0, 4);
    close_es(&es, &got);
}

static void ts_elementary_lost_sound_waits_for_the_next_time(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 0, 0, BYTES(SOUND SOUND "\xff\xf1\x4c"));
    ts_elementary_lost(es);
    ts_elementary_data(es, BYTES("cd" SOUND SOUND));
    assert_int_equal(got.count, 2); // how many were lost is not known
    pes(es, 90000, 90000, BYTES(SOUND SOUND));
    assert_int_equal(got.count, 4);
    expect(&got, 2, 48000, 0, 4);
    assert_int_equal(got.frame[2]->flags, FRAME_KEY | FRAME_DISCONTINUITY);
    assert_int_equal(got.frame[3]->flags, FRAME_KEY);
    close_es(&es, &got);
}

static void ts_elementary_clock_follows_samples_within_a_millisecond(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 0, 0, BYTES(SOUND SOUND));
    pes(es, 3840 + 50, 3840 + 50, BYTES(SOUND));   // rounded by its writer
    pes(es, 5760 + 900, 5760 + 900, BYTES(SOUND)); // 10 ms: a gap
    expect(&got, 2, 2048, 0, 4);
    expect(&got, 3, 3072 + 480, 0, 4);
    close_es(&es, &got);
}

static void ts_elementary_indicated_jump_is_flagged_only_when_it_is_one(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    static const int64_t times[] = {900000, 903840, 1000, 10000000};
    for (unsigned i = 0; i < 4; i++) {
        struct ts_time time = {.known = true, .jump = true, .pts = times[i], .dts = times[i]};
        ts_elementary_begin(es, &time);
        ts_elementary_data(es, i == 0 ? BYTES(SOUND SOUND) : BYTES(SOUND));
    }
    static const bool jump[] = {false, false, false, true, true};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal((got.frame[i]->flags & FRAME_DISCONTINUITY) != 0, jump[i]);
    close_es(&es, &got);
}

static void ts_elementary_opus_headers_of_each_kind(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_OPUS, &got);
    // 20 ms of one byte; with both trims and an extension; with a size of two bytes
    uint8_t long_packet[4 + 257] = {0x7f, 0xe0, 255, 2, 0xf8};
    pes(es, 0, 0,
        BYTES("\x7f\xe0\1\xf8"
              "\x7f\xfc\2\1\2\3\4\2xx\xf9"
              "b"));
    ts_elementary_data(es, bytes_of(long_packet, sizeof(long_packet)));
    ts_elementary_data(es, BYTES("\x7f\xe0\0"
                                 "\x7f\xe0\1\xf8")); // an empty one is passed over
    ts_elementary_flush(es);
    assert_int_equal(got.count, 4);
    expect(&got, 0, 0, 0, 1);
    expect(&got, 1, 960, 0, 2);
    assert_memory_equal(frame_data(got.frame[1]),
                        "\xf9"
                        "b",
                        2);
    expect(&got, 2, 960 + 1920, 0, 257);
    assert_int_equal(es->track.channels, 2);
    close_es(&es, &got);
    es = open_es(CODEC_OPUS, &got);
    es->about.channels = 99; // no layout that is known
    pes(es, 0, 0, BYTES("\x7f\xe0\1\xf8\x7f\xe0\1\xf8"));
    ts_elementary_flush(es);
    assert_int_equal(got.count, 0);
    close_es(&es, &got);
}

static void ts_elementary_rate_change_makes_a_new_track_and_keeps_the_time(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_AAC, &got);
    pes(es, 90000, 90000, BYTES(SOUND SOUND));
    es->track_changed = false;
    static const char other[] = "\xff\xf1\x50\x80\x01\x7f\xfc"
                                "abcd"; // 44.1 kHz stereo
    pes_without_time(es, BYTES(other));
    assert_true(es->track_changed);
    assert_int_equal(es->track.timescale, 44100);
    expect(&got, 2, 44100 + 1882, 0, 4); // 2048 of 48000 are 1881.6 of 44100
    close_es(&es, &got);
}

static void ts_elementary_mp3_units(void **state)
{
    (void)state;
    struct got got;
    struct ts_elementary *es = open_es(CODEC_MP3, &got);
    uint8_t units[3 * 192];
    memset(units, 0x11, sizeof(units));
    for (unsigned i = 0; i < 3; i++)
        memcpy(units + i * 192, "\xff\xf3\x84\xc4", 4); // 24 kHz
    pes(es, 0, 0, bytes_of(units, sizeof(units)));
    assert_int_equal(got.count, 3);
    expect(&got, 2, 2 * 576, 0, 192);
    assert_int_equal(es->track.sample_rate, 24000);
    es->track_changed = false;
    pes(es, 6480, 6480, bytes_of(units, sizeof(units)));
    assert_int_equal(got.count, 6);
    assert_false(es->track_changed);
    close_es(&es, &got);
}

TEST_MAIN(TEST(ts_elementary_begin_new_time_gives_the_frame_before),
          TEST(ts_elementary_before_a_key_frame_nothing_comes),
          TEST(ts_elementary_several_pes_are_one_frame),
          TEST(ts_elementary_several_frames_in_a_pes_are_spread),
          TEST(ts_elementary_unaligned_time_is_of_the_first_frame_that_begins),
          TEST(ts_elementary_new_parameters_change_the_track_at_a_key_frame),
          TEST(ts_elementary_lost_marks_one_frame),
          TEST(ts_elementary_broken_decode_time_is_the_presentation_time),
          TEST(ts_elementary_endless_unit_is_dropped),
          TEST(ts_elementary_unit_through_many_pes_is_searched_once),
          TEST(ts_elementary_adts_several_in_a_pes_and_across_the_border),
          TEST(ts_elementary_adts_byte_by_byte), TEST(ts_elementary_adts_border_byte_by_byte),
          TEST(ts_elementary_adts_out_of_step_is_searched_again),
          TEST(ts_elementary_data_without_memory_costs_what_it_held),
          TEST(ts_elementary_adts_garbage_is_searched_for_two_heads),
          TEST(ts_elementary_adts_single_unit_in_a_pes_is_believed_at_its_end),
          TEST(ts_elementary_lost_sound_waits_for_the_next_time),
          TEST(ts_elementary_clock_follows_samples_within_a_millisecond),
          TEST(ts_elementary_indicated_jump_is_flagged_only_when_it_is_one),
          TEST(ts_elementary_opus_headers_of_each_kind),
          TEST(ts_elementary_rate_change_makes_a_new_track_and_keeps_the_time),
          TEST(ts_elementary_mp3_units))
