// SPDX-License-Identifier: MIT
#include "format/ts_mux.h"

#include "media/audio.h"
#include "ts_walk.h"
#include "unit.h"

enum { PID_VIDEO = 0x100, PID_SOUND = 0x101, LEAD = 13500 };
#define WRAP (1ULL << 33)

struct fixture {
    struct ts_mux *mux;
    struct writer out;
    struct ts_walk walk;
};

static void open_mux(struct fixture *fixture, struct track *track, unsigned count)
{
    struct tracks *tracks = tracks_new(track, count);
    memset(fixture, 0, sizeof(*fixture));
    ts_walk_init(&fixture->walk);
    assert_int_equal(ts_mux_new(&fixture->mux, tracks, NULL), 0);
    tracks_unref(&tracks);
}

static void close_mux(struct fixture *fixture)
{
    ts_mux_free(&fixture->mux);
    writer_fini(&fixture->out);
    ts_walk_fini(&fixture->walk);
}

static void put(struct fixture *fixture, struct frame *frame, int64_t dts, int32_t cts,
                unsigned flags)
{
    frame->dts = dts;
    frame->cts = cts;
    frame->flags |= (uint8_t)flags;
    ts_mux_frame(fixture->mux, frame, &fixture->out);
    frame_unref(&frame);
}

// Reads what was written since the last time.
static struct ts_walk *walked(struct fixture *fixture)
{
    struct buf *buf = writer_take(&fixture->out);
    ts_walk_take(&fixture->walk, buf_bytes(buf));
    buf_unref(&buf);
    return &fixture->walk;
}

static void ts_mux_new_without_a_codec_for_ts_is_unsupported(void **state)
{
    (void)state;
    struct track list[2];
    struct ts_mux *mux = (struct ts_mux *)list;
    assert_int_equal(g711_track_make(CODEC_PCMA, 8000, 1, &list[0]), 0);
    track_init(&list[1], CODEC_H264); // no configuration
    list[1].timescale = 90000;
    struct tracks *tracks = tracks_new(list, 2);
    assert_int_equal(ts_mux_new(&mux, tracks, NULL), ERR_UNSUPPORTED);
    assert_null(mux);
    tracks_unref(&tracks);
}

static void ts_mux_frame_key_picture_has_everything_a_player_needs(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_picture(0, "\x65\x88", 400, 1), 0x112345678, 7200, FRAME_KEY);
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pat_count, 1);
    assert_int_equal(walk->pmt_count, 1);
    assert_int_equal(walk->sdt_count, 0);
    assert_int_equal(walk->pes_count, 1);
    struct ts_walk_pes *pes = &walk->pes[0];
    assert_int_equal(pes->first_packet, 2);
    assert_int_equal(pes->stream_id, 0xe0);
    assert_int_equal(pes->said, 0);
    assert_true(pes->random_access && pes->has_pcr && pes->discontinuity);
    assert_int_equal(pes->dts, 0x112345678);
    assert_int_equal(pes->pts, 0x112345678 + 7200);
    assert_int_equal(pes->pcr, 0x112345678 - LEAD);
    static const char head[] = "\0\0\0\1\x09\xf0\0\0\0\1\x67\x64\0\x1e\xac\xd9\x40\xa0\x2f\xf9\x70"
                               "\x11\0\0\3\0\1\0\0\3\0\x32\x0f\x16\x2d\x96\0\0\0\1\x68\xeb\xe3\xcb"
                               "\x22\xc0\0\0\1\x65\x88";
    assert_memory_equal(pes->payload->data, head, sizeof(head) - 1);
    assert_int_equal(pes->payload->length, sizeof(head) - 1 - 2 + 396);
    close_mux(&fixture);
}

static void ts_mux_frame_other_picture_has_a_delimiter_only(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h265()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_picture(0, "\x26\1", 40, 1), 0, 0, FRAME_KEY);
    put(&fixture, ts_walk_picture(0, "\2\1", 40, 2), 3600, 0, 0);
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 2);
    assert_memory_equal(walk->pes[0].payload->data, "\0\0\0\1\x46\1\x50\0\0\0\1\x40\1", 13);
    assert_memory_equal(walk->pes[1].payload->data, "\0\0\0\1\x46\1\x50\0\0\1\2\1", 12);
    assert_int_equal(walk->pes[1].payload->length, 7 + 3 + 36);
    assert_false(walk->pes[1].has_dts || walk->pes[1].random_access || walk->pes[1].discontinuity);
    assert_int_equal(walk->pat_count, 1);
    close_mux(&fixture);
}

static void ts_mux_frame_several_units_each_get_a_start_code(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    static const char payload[] = "\0\0\0\4\x06sei\0\0\0\3\x41"
                                  "ab\0\0\0\2\x41"
                                  "c";
    struct buf *buf = buf_new_copy(payload, sizeof(payload) - 1);
    put(&fixture, frame_new(0, &buf), 0, 0, 0);
    struct ts_walk *walk = walked(&fixture);
    static const char expected[] = "\0\0\0\1\x09\xf0\0\0\1\x06sei\0\0\1\x41"
                                   "ab\0\0\1\x41"
                                   "c";
    assert_int_equal(walk->pes[0].payload->length, sizeof(expected) - 1);
    assert_memory_equal(walk->pes[0].payload->data, expected, sizeof(expected) - 1);
    close_mux(&fixture);
}

static void ts_mux_frame_every_length_is_stuffed_right(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    open_mux(&fixture, list, 2);
    int64_t dts = 0;
    for (size_t length = 6; length < 600; length++) {
        struct frame *picture = ts_walk_picture(0, "\x41", length, (unsigned)length);
        struct frame *sound = ts_walk_sound(1, length, (unsigned)length);
        struct buf *image = buf_ref(picture->buf), *noise = buf_ref(sound->buf);
        put(&fixture, picture, dts, length % 2 ? 3600 : 0, 0);
        put(&fixture, sound, dts, 0, 0);
        dts += 1000; // PCR in some packets only
        struct ts_walk *walk = walked(&fixture);
        assert_int_equal(walk->pes_count, 2);
        assert_int_equal(walk->pes[0].payload->length, 6 + length - 1);
        assert_memory_equal(walk->pes[0].payload->data + 9, image->data + 4, length - 4);
        assert_int_equal(walk->pes[1].payload->length, 7 + length);
        assert_memory_equal(walk->pes[1].payload->data + 7, noise->data, length);
        buf_unref(&image);
        buf_unref(&noise);
    }
    close_mux(&fixture);
}

static void ts_mux_frame_absolute_times_wrap_at_33_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    open_mux(&fixture, list, 2);
    int64_t start = (int64_t)(WRAP * 17000 - 10000); // in 2021 or so
    for (int i = 0; i < 12; i++) {
        int64_t dts = start + i * 3600;
        put(&fixture, ts_walk_picture(0, "\x41", 50, 1), dts, 7200, i ? 0 : FRAME_KEY);
        put(&fixture, ts_walk_sound(1, 50, 1), dts * 48 / 90, 0, 0);
    }
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 24);
    for (unsigned i = 0; i < 24; i++) {
        const struct ts_walk_pes *pes = &walk->pes[i];
        uint64_t dts = (uint64_t)(start + i / 2 * 3600) % WRAP;
        if (pes->pid == PID_VIDEO) {
            assert_int_equal(pes->dts, dts);
            assert_int_equal(pes->pts, (dts + 7200) % WRAP);
            assert_true(pes->has_pcr);
            assert_int_equal(pes->pcr, (dts + WRAP - LEAD) % WRAP);
            assert_int_equal(pes->discontinuity, i == 0);
        } else {
            assert_true((pes->pts + WRAP - dts + 1) % WRAP <= 2); // one tick of rounding
        }
    }
    close_mux(&fixture);
}

static void ts_mux_frame_aac_gets_adts_and_an_exact_length(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_aac()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_sound(0, 300, 1), 48000, 0, 0);
    put(&fixture, ts_walk_sound(0, ADTS_PAYLOAD_MAX, 2), 49024, 0, 0);
    put(&fixture, ts_walk_sound(0, ADTS_PAYLOAD_MAX + 1, 3), 50048, 0, 0); // cannot be said
    put(&fixture, ts_walk_sound(0, 0, 4), 51072, 0, 0);
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 2);
    assert_int_equal(walk->pes[0].stream_id, 0xc0);
    assert_int_equal(walk->pes[0].pts, 90000);
    assert_int_equal(walk->pes[0].said, 8 + 307);
    assert_memory_equal(walk->pes[0].payload->data, "\xff\xf1\x4c\x40\x26\x7f\xfc", 7);
    assert_true(walk->pes[0].has_pcr); // nobody else has it
    assert_int_equal(walk->pes[1].payload->length, 8191);
    close_mux(&fixture);
}

static void ts_mux_new_aac_that_adts_cannot_say_is_not_carried(void **state)
{
    (void)state;
    // Usable; channels in the data; 7.1 of another order; 960 samples; low delay; error resilient.
    static const char *const configs[] = {"\x11\x90", "\x11\xd8", "\x11\xe0",
                                          "\x11\x94", "\xb9\x90", "\x89\x90"};
    for (unsigned i = 0; i < 6; i++) {
        struct track list[2] = {ts_walk_aac()};
        assert_int_equal(aac_track_from_config(bytes_of(configs[i], 2), &list[1]), 0);
        struct tracks *tracks = tracks_new(list, 2);
        struct ts_mux *mux;
        assert_int_equal(ts_mux_new(&mux, tracks, NULL), 0);
        assert_int_equal(ts_mux_carries(mux, 1), i == 0);
        tracks_unref(&tracks);
        ts_mux_free(&mux);
    }
}

static void ts_mux_frame_opus_gets_control_headers(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1];
    assert_int_equal(opus_track_make(2, 312, &list[0]), 0);
    open_mux(&fixture, list, 1);
    static const size_t lengths[] = {1, 254, 255, 256, 1275, 60000};
    static const char *const heads[] = {"\x7f\xe0\1",
                                        "\x7f\xe0\xfe",
                                        "\x7f\xe0\xff\0",
                                        "\x7f\xe0\xff\1",
                                        "\x7f\xe0\xff\xff\xff\xff\xff\0",
                                        NULL};
    static const size_t head_lengths[] = {3, 3, 4, 4, 8, 2 + 235 + 1};
    for (unsigned i = 0; i < 6; i++)
        put(&fixture, ts_walk_sound(0, lengths[i], i), 960 * (int)i, 0, 0);
    put(&fixture, ts_walk_sound(0, 65600, 7), 960 * 7, 0, 0); // no PES is so long
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(walk->pes[i].stream_id, 0xbd);
        assert_int_equal(walk->pes[i].payload->length, head_lengths[i] + lengths[i]);
        if (heads[i])
            assert_memory_equal(walk->pes[i].payload->data, heads[i], head_lengths[i]);
    }
    // stream_type 6 with "Opus" and the channels
    static const char stream[] = "\x06\xe1\x00\xf0\x0a\x05\x04Opus\x7f\x02\x80\x02";
    assert_memory_equal(walk->pmt->data + 12, stream, sizeof(stream) - 1);
    close_mux(&fixture);
}

static void ts_mux_frame_mp3_type_depends_on_the_rate(void **state)
{
    (void)state;
    struct mp3_header mp3 = {.sample_rate = 44100, .channels = 2};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture fixture;
        struct track list[1];
        mp3_track_make(&mp3, &list[0]);
        open_mux(&fixture, list, 1);
        put(&fixture, ts_walk_sound(0, 417, 1), 0, 0, 0);
        struct ts_walk *walk = walked(&fixture);
        assert_int_equal(walk->pmt->data[12], i ? 4 : 3);
        assert_int_equal(walk->pes[0].payload->length, 417);
        close_mux(&fixture);
        mp3.sample_rate = 22050;
    }
}

static void ts_mux_set_collect_joins_sound_until_time_key_or_gap(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[2] = {ts_walk_h264(), ts_walk_aac()};
    open_mux(&fixture, list, 2);
    ts_mux_set_collect(fixture.mux, true);
    put(&fixture, ts_walk_picture(0, "\x65", 50, 1), 0, 0, FRAME_KEY);
    int64_t dts = 0;
    for (int i = 0; i < 6; i++, dts += 1024) {
        struct frame *sound = ts_walk_sound(1, 100, 1);
        sound->duration = 1024;
        put(&fixture, sound, dts, 0, 0);
    }
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 2); // four of them waited 85 ms
    assert_int_equal(walk->pes[1].pid, PID_SOUND);
    assert_int_equal(walk->pes[1].pts, 0);
    assert_int_equal(walk->pes[1].payload->length, 4 * 107);

    put(&fixture, ts_walk_picture(0, "\x65", 50, 1), 11000, 0, FRAME_KEY);
    walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 2);
    assert_int_equal(walk->pes[0].pid, PID_SOUND); // what was before the key frame goes before it
    assert_int_equal(walk->pes[0].first_packet, 0);
    assert_int_equal(walk->pes[0].pts, 4 * 1920);
    assert_int_equal(walk->pes[0].payload->length, 2 * 107);

    for (int i = 0; i < 2; i++) {
        struct frame *sound = ts_walk_sound(1, 100, 1);
        sound->duration = 1024;
        put(&fixture, sound, dts, 0, 0);
        dts += 2000; // not where the first one ends
    }
    walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 1);
    ts_mux_flush(fixture.mux, &fixture.out);
    walk = walked(&fixture);
    assert_int_equal(walk->pes_count, 1);
    ts_mux_flush(fixture.mux, &fixture.out);
    assert_int_equal(writer_length(&fixture.out), 0);
    close_mux(&fixture);
}

static void ts_mux_set_collect_sound_alone_keeps_pcr_close(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_aac()};
    open_mux(&fixture, list, 1);
    ts_mux_set_collect(fixture.mux, true);
    for (int i = 0; i < 200; i++) {
        struct frame *sound = ts_walk_sound(0, 1000, (unsigned)i);
        sound->duration = 1024;
        put(&fixture, sound, i * 1024, 0, 0);
    }
    ts_mux_flush(fixture.mux, &fixture.out);
    struct ts_walk *walk = walked(&fixture);
    size_t bytes = 0;
    for (unsigned i = 0; i < walk->pes_count; i++) {
        assert_true(walk->pes[i].has_pcr);
        if (i > 0)
            assert_in_range((walk->pes[i].pcr - walk->pes[i - 1].pcr) % WRAP, 1, 9000);
        bytes += walk->pes[i].payload->length;
    }
    assert_int_equal(bytes, 200 * 1007); // also when four of them are more than can be held
    close_mux(&fixture);
}

static void ts_mux_frame_tables_and_pcr_come_in_time(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    uint64_t last = 0;
    for (int i = 0; i < 300; i++) { // 60 a second, no key frame after the first
        put(&fixture, ts_walk_picture(0, "\x41", 500, 1), i * 1500, 0, i ? 0 : FRAME_KEY);
    }
    struct ts_walk *walk = walked(&fixture);
    assert_in_range(walk->pat_count, 12, 13); // 5 s, each 400 ms
    assert_int_equal(walk->pmt_count, walk->pat_count);
    unsigned pcrs = 0;
    for (unsigned i = 0; i < walk->pes_count; i++) {
        if (!walk->pes[i].has_pcr)
            continue;
        if (pcrs++ > 0)
            assert_in_range((walk->pes[i].pcr - last) % WRAP, 1, 7200);
        last = walk->pes[i].pcr;
    }
    assert_true(pcrs < 150);
    close_mux(&fixture);
}

static void ts_mux_frame_jump_is_said(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 900000, 0, FRAME_KEY);
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 903600, 0, 0);
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 1000, 0, 0); // backwards, not said by anyone
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 4600, 0, 0);
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 90004600, 0, FRAME_DISCONTINUITY);
    struct ts_walk *walk = walked(&fixture);
    static const bool said[] = {true, false, true, false, true};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(walk->pes[i].discontinuity, said[i]);
        assert_true(walk->pes[i].has_pcr);
    }
    close_mux(&fixture);
}

static void ts_mux_set_tracks_next_version_and_counters_go_on(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_picture(0, "\x65", 3000, 1), 0, 0, FRAME_KEY);
    assert_int_equal(walked(&fixture)->pmt->data[5] >> 1 & 31, 0);

    struct track other[3] = {ts_walk_h265(), ts_walk_aac()};
    assert_int_equal(g711_track_make(CODEC_PCMU, 8000, 1, &other[2]), 0);
    struct tracks *tracks = tracks_new(other, 3);
    assert_int_equal(ts_mux_set_tracks(fixture.mux, tracks), 0);
    tracks_unref(&tracks);
    assert_true(ts_mux_carries(fixture.mux, 1));
    assert_false(ts_mux_carries(fixture.mux, 2));
    assert_false(ts_mux_carries(fixture.mux, 16));
    put(&fixture, ts_walk_sound(2, 160, 1), 0, 0, 0); // is not carried: nothing happens
    assert_int_equal(writer_length(&fixture.out), 0);
    put(&fixture, ts_walk_sound(1, 160, 1), 0, 0, 0); // tables come before whatever is first
    put(&fixture, ts_walk_picture(0, "\x26\1", 3000, 1), 3600, 0, FRAME_KEY);
    struct ts_walk *walk = walked(&fixture); // checks the counters
    assert_int_equal(walk->pat_count, 2);
    assert_int_equal(walk->pmt->data[5] >> 1 & 31, 1);
    assert_int_equal(walk->pmt->data[12], 0x24);

    struct track none[1];
    assert_int_equal(g711_track_make(CODEC_PCMU, 8000, 1, &none[0]), 0);
    tracks = tracks_new(none, 1);
    assert_int_equal(ts_mux_set_tracks(fixture.mux, tracks), ERR_UNSUPPORTED);
    tracks_unref(&tracks);
    assert_true(ts_mux_carries(fixture.mux, 0)); // the old list stays
    close_mux(&fixture);
}

static void ts_mux_frame_broken_payload_writes_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct track list[1] = {ts_walk_h264()};
    open_mux(&fixture, list, 1);
    put(&fixture, ts_walk_picture(0, "\x65", 50, 1), 0, 0, FRAME_KEY);
    assert_int_equal(walked(&fixture)->pes_count, 1);
    struct frame *frame = ts_walk_picture(0, "\x41", 50, 1);
    frame->buf->data[3]++; // runs past the end
    put(&fixture, frame, 3600, 0, 0);
    frame = ts_walk_picture(0, "\x41", 50, 1);
    frame->length = 0;
    put(&fixture, frame, 7200, 0, 0);
    assert_int_equal(walked(&fixture)->pes_count, 0);
    put(&fixture, ts_walk_picture(0, "\x41", 50, 1), 10800, 0, 0);
    assert_int_equal(walked(&fixture)->pes_count, 1);
    close_mux(&fixture);
}

static void ts_mux_tables_many_tracks_take_several_packets(void **state)
{
    (void)state;
    struct track list[TRACKS_MAX];
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        list[i] = ts_walk_aac();
        memcpy(list[i].language, "deu", 4);
    }
    struct tracks *tracks = tracks_new(list, TRACKS_MAX);
    struct fixture fixture = {0};
    ts_walk_init(&fixture.walk);
    assert_int_equal(ts_mux_new(&fixture.mux, tracks, "tower, north side"), 0);
    tracks_unref(&tracks);
    ts_mux_tables(fixture.mux, &fixture.out);
    assert_int_equal(writer_length(&fixture.out), 4 * 188); // PAT, SDT, PMT and its rest
    ts_mux_tables(fixture.mux, &fixture.out);
    struct ts_walk *walk = walked(&fixture);
    assert_int_equal(walk->pmt_count, 2);
    assert_int_equal(walk->pmt->length, 12 + 16 * 11 + 4);
    assert_int_equal(walk->sdt_count, 2);
    assert_memory_equal(walk->sdt->data + walk->sdt->length - 4 - 17, "tower, north side", 17);
    close_mux(&fixture);
}

TEST_MAIN(TEST(ts_mux_new_without_a_codec_for_ts_is_unsupported),
          TEST(ts_mux_frame_key_picture_has_everything_a_player_needs),
          TEST(ts_mux_frame_other_picture_has_a_delimiter_only),
          TEST(ts_mux_frame_several_units_each_get_a_start_code),
          TEST(ts_mux_frame_every_length_is_stuffed_right),
          TEST(ts_mux_frame_absolute_times_wrap_at_33_bits),
          TEST(ts_mux_frame_aac_gets_adts_and_an_exact_length),
          TEST(ts_mux_new_aac_that_adts_cannot_say_is_not_carried),
          TEST(ts_mux_frame_opus_gets_control_headers),
          TEST(ts_mux_frame_mp3_type_depends_on_the_rate),
          TEST(ts_mux_set_collect_joins_sound_until_time_key_or_gap),
          TEST(ts_mux_set_collect_sound_alone_keeps_pcr_close),
          TEST(ts_mux_frame_tables_and_pcr_come_in_time), TEST(ts_mux_frame_jump_is_said),
          TEST(ts_mux_set_tracks_next_version_and_counters_go_on),
          TEST(ts_mux_frame_broken_payload_writes_nothing),
          TEST(ts_mux_tables_many_tracks_take_several_packets))
