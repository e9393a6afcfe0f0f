// SPDX-License-Identifier: MIT
// The input as its stream sees it, in virtual time: which frames come when, and what a line of
// configuration may say.
#include "base/clock.h"
#include "fake_aac.h"
#include "fake_options.h"
#include "io/loop.h"
#include "loop_fixture.h"
#include "media/nal.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "unit.h"

extern const struct protocol proto_fake;

enum { VIDEO, AUDIO, SEEN_MAX = 2000 };

struct seen {
    unsigned track;
    bool key;
    int64_t dts, duration, arrived_us;
    int64_t utc_us, number; // video: what its SEI says
};

// A stream with one input, and a sink that writes down what it is given.
struct rig {
    struct loop *loop;
    struct protocol_env env;
    struct streams *streams;
    struct stream *stream;
    struct sink sink;
    struct seen seen[SEEN_MAX];
    unsigned count;
};

static void read_sei(struct bytes unit, struct seen *seen)
{
    uint8_t plain[64];
    struct bytes nal, sei;
    uint64_t utc_us = 0, number = 0;

    assert_int_equal(nal_next_prefixed(&unit, 4, &nal), 0);
    sei = bytes_of(plain, nal_unescape(nal, plain, sizeof(plain)));
    assert_true(bytes_skip(&sei, 3 + 16));
    assert_true(bytes_read_uint(&sei, 8, &utc_us) && bytes_read_uint(&sei, 4, &number));
    seen->utc_us = (int64_t)utc_us;
    seen->number = (int64_t)number;
}

static void on_news(void *arg)
{
    struct rig *rig = arg;
    struct frame *frame;

    while (sink_next(&rig->sink, &frame) == 0) {
        struct seen *seen = &rig->seen[rig->count++];

        assert_in_range(rig->count, 1, SEEN_MAX - 1);
        *seen = (struct seen){.track = frame->track,
                              .key = frame_is_key(frame),
                              .dts = frame->dts,
                              .duration = frame->duration,
                              .arrived_us = frame->arrived_us};
        if (frame->track == VIDEO)
            read_sei(bytes_of(frame_data(frame), frame->length), seen);
    }
}

static void on_end(void *arg, enum reason reason)
{
    (void)arg;
    (void)reason;
}

static const struct sink_events events = {.on_news = on_news, .on_end = on_end};
static const struct protocol *const table[] = {&proto_fake, NULL};

static void rig_init(struct rig *rig, const char *url)
{
    struct stream_conf conf;

    memset(rig, 0, sizeof(*rig));
    protocols_install(table);
    rig->loop = loop_fixture_new_virtual();
    rig->env.loop = rig->loop;
    rig->streams = streams_new(rig->loop, &rig->env);
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof(conf.name), "main");
    conf.is_static = true;
    (void)stream_conf_add_input(&conf, url);
    assert_int_equal(stream_create(rig->streams, &conf, &rig->stream), 0);
    stream_conf_fini(&conf);
    sink_open(&rig->sink, rig->stream, &events, rig);
}

static void rig_fini(struct rig *rig)
{
    sink_close(&rig->sink);
    streams_free(&rig->streams);
    loop_fixture_free(&rig->loop);
    protocols_install(NULL);
}

// Copies the frames of one track; returns how many.
static unsigned of_track(const struct rig *rig, unsigned track, struct seen *out)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig->count; i++)
        if (rig->seen[i].track == track)
            out[count++] = rig->seen[i];
    return count;
}

// ---- frames ------------------------------------------------------------------------------------

static void fake_pull_usual_line_announces_both_tracks(void **state)
{
    struct rig rig;
    const struct tracks *tracks;

    (void)state;
    rig_init(&rig, "fake://fake?width=320&height=180");
    loop_fixture_settle(rig.loop);
    tracks = stream_tracks(rig.stream);
    assert_non_null(tracks);
    assert_int_equal(tracks->count, 2);
    assert_int_equal(tracks->track[VIDEO].codec, CODEC_H264);
    assert_int_equal(tracks->track[VIDEO].width, 320);
    assert_int_equal(tracks->track[VIDEO].height, 180);
    assert_int_equal(tracks->track[AUDIO].codec, CODEC_AAC);
    assert_int_equal(tracks->track[AUDIO].sample_rate, 48000);
    assert_int_equal(tracks->track[AUDIO].channels, 2);
    rig_fini(&rig);
}

static void fake_on_due_several_seconds_comes_evenly(void **state)
{
    static struct seen video[SEEN_MAX], audio[SEEN_MAX];
    struct rig rig;
    unsigned pictures, units;

    (void)state;
    rig_init(&rig, "fake://fake?width=160&height=90&fps=7&gop=2");
    loop_fixture_run(rig.loop, 5 * US_PER_S);
    pictures = of_track(&rig, VIDEO, video);
    units = of_track(&rig, AUDIO, audio);
    assert_int_equal(pictures, 5 * 7 + 1);
    assert_int_equal(units, 5 * FAKE_AAC_RATE / FAKE_AAC_SAMPLES + 1);
    for (unsigned i = 0; i < pictures; i++) {
        assert_int_equal(video[i].key, i % 14 == 0);
        assert_int_equal(video[i].number, i);
        assert_int_equal(video[i].dts - video[0].dts, i * 90000 / 7);
        assert_int_equal(video[i].duration, (i + 1) * 90000 / 7 - i * 90000 / 7);
        assert_in_range(video[i].utc_us - video[0].utc_us, i * US_PER_S / 7,
                        i * US_PER_S / 7 + 1000);
        assert_int_equal(video[i].utc_us - video[0].utc_us,
                         video[i].arrived_us - video[0].arrived_us);
    }
    for (unsigned i = 0; i < units; i++) {
        assert_true(audio[i].key);
        assert_int_equal(audio[i].dts - audio[0].dts, i * FAKE_AAC_SAMPLES);
        assert_int_equal(audio[i].duration, FAKE_AAC_SAMPLES);
    }
    rig_fini(&rig);
}

static void check_interleaved(const struct rig *rig)
{
    double last_s = 0;

    for (unsigned i = 0; i < rig->count; i++) {
        double s = (double)rig->seen[i].dts / (rig->seen[i].track == VIDEO ? 90000 : 48000);

        assert_true(s >= last_s - 0.0001);
        last_s = s;
    }
}

static void fake_on_due_two_tracks_are_interleaved_by_time(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig, "fake://fake?width=160&height=90");
    loop_fixture_run(rig.loop, 2 * US_PER_S);
    check_interleaved(&rig);
    rig_fini(&rig);
}

static void fake_on_due_late_loop_catches_up(void **state)
{
    static struct seen video[SEEN_MAX];
    struct rig rig;
    unsigned pictures;

    (void)state;
    rig_init(&rig, "fake://fake?width=160&height=90");
    loop_fixture_run(rig.loop, US_PER_S);
    clock_advance_test(300000);
    loop_fixture_run(rig.loop, US_PER_S - 300000);
    pictures = of_track(&rig, VIDEO, video);
    assert_int_equal(pictures, 51);
    check_interleaved(&rig);
    for (unsigned i = 0; i < pictures; i++) {
        assert_int_equal(video[i].number, i);
        // Pictures that are made late show the time at which they were due.
        assert_in_range(video[i].utc_us - video[0].utc_us, i * 40000, i * 40000 + 1000);
    }
    rig_fini(&rig);
}

static void fake_on_due_long_pause_leaves_frames_out(void **state)
{
    static struct seen video[SEEN_MAX];
    struct rig rig;
    unsigned before, pictures;

    (void)state;
    rig_init(&rig, "fake://fake?width=160&height=90");
    loop_fixture_run(rig.loop, US_PER_S);
    before = of_track(&rig, VIDEO, video);
    clock_advance_test(3600 * US_PER_S);
    loop_fixture_settle(rig.loop);
    pictures = of_track(&rig, VIDEO, video);
    assert_in_range(pictures, before + 1, before + 3);
    assert_in_range(rig.count, 1, 120);
    // The number of frames left out is not lost: numbers follow the clock.
    assert_int_equal(video[pictures - 1].number, 3601 * 25);
    assert_in_range(video[pictures - 1].utc_us - video[0].utc_us, 3601 * US_PER_S - 1000,
                    3601 * US_PER_S + 1000);
    rig_fini(&rig);
}

static void fake_stop_running_input_frees_all(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig, "fake://fake?width=160&height=90");
    loop_fixture_run(rig.loop, US_PER_S);
    sink_close(&rig.sink);
    stream_close(&rig.stream, REASON_CONFIG);
    loop_fixture_run(rig.loop, US_PER_S);
    assert_int_equal(streams_count(rig.streams), 0);
    rig_fini(&rig); // nothing left: checked after each test
}

// ---- options -----------------------------------------------------------------------------------

static void fake_check_legal_line_is_understood(void **state)
{
    static const struct {
        const char *url, *key, *value;
        unsigned width, height, fps, bitrate, gop_frames;
    } cases[] = {
        {"fake://fake", NULL, NULL, 640, 360, 25, 1000000, 50},
        {"fake://fake/", "bitrate", "500k", 640, 360, 25, 500000, 50},
        {"fake://fake?bitrate=2M", NULL, NULL, 640, 360, 25, 2000000, 50},
        {"fake://fake?bitrate=1.5M&gop=4", "fps", "30", 640, 360, 30, 1500000, 120},
        {"fake://fake?width=1280&height=720", "width", "320", 320, 720, 25, 1000000, 50},
        {"fake://fake", "gop", "0.5", 640, 360, 25, 1000000, 13},
        {"fake://fake?fps=1", "gop", "0.1", 640, 360, 1, 50000, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct input_conf input = {.url = mem_strdup(cases[i].url)};
        struct fake_h264_options options;
        char why[200] = "";

        if (cases[i].key)
            input_conf_add_option(&input, cases[i].key, cases[i].value);
        assert_int_equal(fake_options_read(&input, &options, why, sizeof(why)), 0);
        assert_int_equal(options.width, cases[i].width);
        assert_int_equal(options.height, cases[i].height);
        assert_int_equal(options.fps, cases[i].fps);
        assert_int_equal(options.bitrate, cases[i].bitrate);
        assert_int_equal(options.gop_frames, cases[i].gop_frames);
        input_conf_fini(&input);
    }
}

static void fake_check_wrong_line_says_what_is_wrong(void **state)
{
    static const struct {
        const char *url, *word;
    } cases[] = {
        {"fake://fake?width=641", "641x360"},
        {"fake://fake?width=abc", "width=abc"},
        {"fake://fake?width=", "width="},
        {"fake://fake?width", "width="},
        {"fake://fake?width=640.5", "width=640.5"},
        {"fake://fake?width=0", "width=0"},
        {"fake://fake?width=999999999M", "even"},
        {"fake://fake?width=4294.968M", "even"}, // 704 in 32 bits
        {"fake://fake?fps=25x", "fps=25x"},
        {"fake://fake?fps=999999999M&gop=999999999M", "fps"},
        {"fake://fake?gop=1h", "gop=1h"},
        {"fake://fake?bitrate=10", "takes from"},
        {"fake://fake?bitrate=-5", "bitrate=-5"},
        {"fake://fake?widht=640", "unknown option 'widht'"},
        {"fake://other", "fake://fake"},
        {"fake://fake/path", "fake://fake"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct input_conf input = {.url = mem_strdup(cases[i].url)};
        char why[200] = "";

        assert_int_equal(proto_fake.check(&input, why, sizeof(why)), ERR_INVALID);
        if (!strstr(why, cases[i].word))
            fail_msg("%s: %s", cases[i].url, why);
        mem_free(input.url);
    }
}

TEST_MAIN(TEST(fake_pull_usual_line_announces_both_tracks),
          TEST(fake_on_due_several_seconds_comes_evenly),
          TEST(fake_on_due_two_tracks_are_interleaved_by_time),
          TEST(fake_on_due_late_loop_catches_up), TEST(fake_on_due_long_pause_leaves_frames_out),
          TEST(fake_stop_running_input_frees_all), TEST(fake_check_legal_line_is_understood),
          TEST(fake_check_wrong_line_says_what_is_wrong))
