// SPDX-License-Identifier: MIT
// Files made by ffmpeg, played in real time; they are short so that they loop soon.
#include "unit.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop_fixture.h"
#include "media_file.h"
#include "source_stub.h"

extern const struct protocol proto_file;

#define PICTURES "-f lavfi -i testsrc2=size=320x240:rate=25"
#define SOUND "-f lavfi -i sine=frequency=440:sample_rate=48000"
#define FFMPEG "ffmpeg -hide_banner -loglevel error -y "

static char log_text[4096];
static long blocks_before; // with the loop's own

static void on_log(enum log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level <= LOG_LEVEL_INFO)
        text_append(log_text, sizeof(log_text), "%s\n", line);
}

static const char *path_of(const char *name)
{
    static char path[256];
    text_format(path, sizeof(path), "%s/%s", media_folder(), name);
    return path;
}

static struct source *begin(const char *name)
{
    char url[300];
    struct loop *loop = loop_fixture_new();
    blocks_before = mem_live_count();
    log_text[0] = 0;
    log_set_hook(on_log, NULL);
    text_format(url, sizeof(url), "file://%s", path_of(name));
    struct source *source = stub_new(loop, url);
    assert_int_equal(stub_pull(source, &proto_file), 0);
    assert_true(source->lists == 0 && !source->lost);
    return source;
}

static void finish(struct source **source)
{
    struct loop *loop = (*source)->loop;
    stub_free(source);
    LOOP_UNTIL(loop, mem_live_count() <= blocks_before + 1); // the worker is done; its timers stay
    loop_fixture_free(&loop);
    log_set_hook(NULL, NULL);
    log_flush();
}

static void make(const char *command)
{
    if (!media_has_ffmpeg()) {
        printf("SKIP: ffmpeg is not installed\n");
        skip();
    }
    assert_int_equal(media_run(NULL, 0, "%s", command), 0);
}

// Frames of one track: times rise by nothing but the usual step (within one tick), in real time,
// and the key frame that begins each loop is there.
static void check_track(const struct source *source, unsigned track, int64_t step_us,
                        int64_t most_step_us, unsigned loops, unsigned frames_per_loop)
{
    const struct stub_frame *before = NULL, *first = NULL;
    unsigned keys = 0, count = 0;
    for (unsigned i = 0; i < source->frames; i++) {
        const struct stub_frame *frame = &source->frame[i];
        if (frame->track != track)
            continue;
        assert_true(frame->pts_us >= frame->dts_us);
        if (!first) {
            first = frame;
            assert_true(frame->flags & FRAME_KEY);
        }
        keys += (frame->flags & FRAME_KEY) != 0;
        count++;
        int64_t step = before ? frame->dts_us - before->dts_us : step_us;
        if (step < step_us - 25 || step > most_step_us + 25)
            fail_msg("track %u frame %u: step %ld us", track, count, (long)step);
        int64_t drift = (frame->arrived_us - first->arrived_us) - (frame->dts_us - first->dts_us);
        // Late is what a loaded machine does.
        if (drift < -300000 || drift > 1000000)
            fail_msg("track %u frame %u: %ld us off real time", track, count, (long)drift);
        before = frame;
    }
    assert_true(count >= loops * frames_per_loop);
    assert_true(source->tracks->track[track].kind == MEDIA_AUDIO || keys >= loops);
}

static void proto_file_mp4_with_b_frames_loops_without_a_break(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " " SOUND " -t 0.48 -c:v libx264 -bf 2 -g 50 -c:a aac loop.mp4");
    struct source *source = begin("loop.mp4");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 3 * (12 + 23));
    assert_false(source->lost);
    assert_int_equal(source->lists, 1);
    assert_int_equal(source->tracks->count, 2);
    // The sound is a little longer than the pictures: they pause for it once in a loop.
    check_track(source, 0, 40000, 62000, 3, 12);
    check_track(source, 1, 21333, 43000, 3, 22);
    assert_true(source->bytes > 0);
    assert_non_null(strstr(log_text, "opened format=mp4"));
    // Lip sync: in the third loop as in the first.
    const struct stub_frame *audio = NULL;
    int64_t distance[8];
    unsigned loops = 0;
    for (unsigned i = 0; i < source->frames && loops < 3; i++) {
        if (source->frame[i].track == 1)
            audio = &source->frame[i];
        else if (source->frame[i].flags & FRAME_KEY && audio)
            distance[loops++] = source->frame[i].pts_us - audio->pts_us;
    }
    assert_in_range(distance[1] - distance[0] + 1000, 0, 2000);
    finish(&source);
}

static void proto_file_ts_loops_without_a_break(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " " SOUND
                         " -t 0.48 -c:v libx264 -bf 2 -g 50 -c:a aac loop.ts && mv loop.ts "
                         "misnamed.mp4");
    struct source *source = begin("misnamed.mp4"); // what it is counts, not its name
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 3 * (12 + 22));
    assert_false(source->lost);
    assert_int_equal(source->lists, 1);
    // Here the sound begins with the encoder's delay, which an MP4 cuts off.
    check_track(source, 0, 40000, 75000, 3, 11);
    check_track(source, 1, 21333, 43000, 3, 21);
    assert_non_null(strstr(log_text, "opened format=mpegts"));
    finish(&source);
}

static void proto_file_fragmented_mp4_h265_plays_whole(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " " SOUND
                         " -t 0.8 -c:v libx265 -x265-params log-level=error:keyint=10 -c:a "
                         "aac -movflags frag_keyframe+empty_moov loop.mp4");
    struct source *source = begin("loop.mp4");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 2 * (20 + 37));
    assert_false(source->lost);
    assert_int_equal(source->tracks->track[0].codec, CODEC_H265);
    // This muxer makes the sound 80 ms longer than the pictures.
    check_track(source, 0, 40000, 135000, 2, 18);
    finish(&source);
}

static void proto_file_name_with_escapes(void **state)
{
    (void)state;
    make(FFMPEG PICTURES
         " -t 0.2 -c:v libx264 -preset ultrafast 'a b%.mp4' && cp 'a b%.mp4' 100%.mp4");
    struct source *source = begin("a%20b%25.mp4");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 5);
    assert_false(source->lost);
    finish(&source);
    source = begin("100%.mp4"); // a broken escape is a name
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 5);
    assert_false(source->lost);
    finish(&source);
}

static void proto_file_what_cannot_be_played_has_a_reason(void **state)
{
    (void)state;
    make("mkdir -p folder && : > empty && echo hello world > text.mp4 && " FFMPEG PICTURES
         " -t 0.5 -c:v libx264 whole.mp4 && head -c 3000 whole.mp4 > unfinished.mp4 && " FFMPEG
         "-f lavfi -i anullsrc -t 0.1 -c:a ac3 -f mpegts other.ts && " FFMPEG PICTURES
         " -t 0.2 -c:v mjpeg -pix_fmt yuvj420p -f mpegts none.ts");
    static const struct {
        const char *name;
        enum reason reason;
        const char *detail;
    } cases[] = {
        {"nowhere.mp4", REASON_NOT_FOUND, "there is no such file"},
        {"folder", REASON_IO, "Is a directory"},
        {"empty", REASON_NO_MEDIA, "the file is empty"},
        {"text.mp4", REASON_UNSUPPORTED, "the file is neither MP4 nor MPEG-TS"},
        {"unfinished.mp4", REASON_NO_MEDIA,
         "no moov box: not a whole MP4 file, or not finished yet"},
        {"other.ts", REASON_NO_MEDIA, "there is no frame in the file"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source *source = begin(cases[i].name);
        LOOP_UNTIL(source->loop, source->lost || source->frames > 0);
        if (!source->lost || source->reason != cases[i].reason ||
            strcmp(source->detail, cases[i].detail) != 0)
            fail_msg("%s: %s %s", cases[i].name, reason_name(source->reason), source->detail);
        finish(&source);
    }
}

static void proto_file_cut_short_plays_what_there_is(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " -t 1 -c:v libx264 -bf 0 -g 50 -movflags faststart whole.mp4 && "
                         "head -c $(($(stat -c %s whole.mp4) * 3 / 4)) whole.mp4 > short.mp4");
    struct source *source = begin("short.mp4");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 40);
    assert_false(source->lost);
    assert_non_null(strstr(log_text, "the file ends before its last frame"));
    check_track(source, 0, 40000, 40000, 2, 10);
    finish(&source);
}

static void proto_file_replaced_while_it_plays_is_taken_at_the_next_loop(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " -t 0.4 -c:v libx264 -bf 0 -preset ultrafast played.mp4 && " FFMPEG
                         "-f lavfi -i testsrc2=size=160x128:rate=25 -t 0.4 -c:v libx264 -bf 0 "
                         "-preset ultrafast next.mp4");
    struct source *source = begin("played.mp4");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 2);
    assert_int_equal(source->tracks->track[0].width, 320);
    assert_int_equal(media_run(NULL, 0, "mv next.mp4 played.mp4"), 0);
    LOOP_UNTIL(source->loop, source->lost || source->lists == 2);
    assert_false(source->lost);
    assert_int_equal(source->tracks->track[0].width, 160);
    unsigned frames = source->frames;
    LOOP_UNTIL(source->loop, source->frames > frames + 5);
    check_track(source, 0, 40000, 40000, 1, 10);
    // And one that is gone is said so.
    assert_int_equal(media_run(NULL, 0, "rm played.mp4"), 0);
    LOOP_UNTIL(source->loop, source->lost);
    assert_int_equal(source->reason, REASON_NOT_FOUND);
    finish(&source);
}

static void proto_file_clock_that_jumps_inside_goes_on(void **state)
{
    (void)state;
    make(FFMPEG PICTURES
         " " SOUND " -t 0.4 -c:v libx264 -bf 0 -g 10 -c:a aac -f mpegts one.ts && " FFMPEG PICTURES
         " " SOUND " -t 0.4 -c:v libx264 -bf 0 -g 10 -c:a aac "
         "-output_ts_offset 5000 -f mpegts two.ts && cat one.ts two.ts > joined.ts");
    struct source *source = begin("joined.ts");
    LOOP_UNTIL(source->loop, source->lost || source->frames >= 70);
    assert_false(source->lost);
    check_track(source, 0, 20000, 120000, 1, 18);
    finish(&source);
}

static void proto_file_stop_at_any_time_leaves_nothing(void **state)
{
    (void)state;
    make(FFMPEG PICTURES " -t 0.4 -c:v libx264 -preset ultrafast stop.mp4");
    for (unsigned turns = 0; turns < 12; turns++) {
        struct source *source = begin("stop.mp4");
        for (unsigned i = 0; i < turns; i++)
            loop_turn(source->loop, i % 2);
        finish(&source);
        assert_int_equal(mem_live_count(), 0);
    }
}

static void proto_file_check_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } cases[] = {{"file:///a/b.mp4", true},
                 {"file:///a%20b.ts", true},
                 {"file://vod/b.mp4", false},
                 {"file://", false},
                 {"file:///a/", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source *source = stub_new(NULL, cases[i].url);
        char why[128] = "";
        assert_int_equal(proto_file.check(&source->input, why, sizeof(why)),
                         cases[i].good ? 0 : ERR_INVALID);
        assert_int_equal(why[0] == 0, cases[i].good);
        stub_free(&source);
    }
}

TEST_MAIN(TEST(proto_file_mp4_with_b_frames_loops_without_a_break),
          TEST(proto_file_ts_loops_without_a_break),
          TEST(proto_file_fragmented_mp4_h265_plays_whole), TEST(proto_file_name_with_escapes),
          TEST(proto_file_what_cannot_be_played_has_a_reason),
          TEST(proto_file_cut_short_plays_what_there_is),
          TEST(proto_file_replaced_while_it_plays_is_taken_at_the_next_loop),
          TEST(proto_file_clock_that_jumps_inside_goes_on),
          TEST(proto_file_stop_at_any_time_leaves_nothing),
          TEST(proto_file_check_says_what_is_wrong))
