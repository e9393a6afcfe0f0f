// SPDX-License-Identifier: MIT
// The source of films in a real loop with real files; the film is a transport stream made here.
#include "unit.h"

#include "base/writer.h"
#include "format/ts_mux.h"
#include "loop_fixture.h"
#include "media/timebase.h"
#include "stream/protocol.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "temp_folder.h"

extern const struct protocol proto_file;

static const struct protocol *const table[] = {&proto_file, NULL};

struct world {
    struct protocol_env env;
    struct stream *stream;
    struct sink sink;
    unsigned frames;
    int64_t last_us, longest_us;
};

static void on_news(void *arg)
{
    struct world *world = arg;
    struct frame *frame;
    while (sink_next(&world->sink, &frame) == 0) {
        int64_t at_us = ticks_to_us(frame->dts, 48000);
        if (world->frames++ && at_us - world->last_us > world->longest_us)
            world->longest_us = at_us - world->last_us;
        assert_true(at_us > world->last_us);
        world->last_us = at_us;
    }
}

static void on_end(void *arg, enum reason reason)
{
    (void)arg, (void)reason;
}

static const struct sink_events sink_events = {.on_news = on_news, .on_end = on_end};

static void world_init(struct world *world, const char *url)
{
    *world = (struct world){0};
    world->env.loop = loop_fixture_new();
    world->env.cluster_key = "";
    protocols_install(table);
    world->env.streams = streams_new(world->env.loop, &world->env);
    assert_int_equal(proto_file.init(&world->env), 0);
    struct stream_conf conf;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof(conf.name), "film");
    conf.input_count = 1;
    conf.input[0].url = mem_strdup(url);
    assert_int_equal(stream_create(world->env.streams, &conf, &world->stream), 0);
    stream_conf_fini(&conf);
    sink_open(&world->sink, world->stream, &sink_events, world);
}

static void world_fini(struct world *world)
{
    streams_close_all(world->env.streams);
    proto_file.fini(&world->env);
    streams_free(&world->env.streams);
    loop_fixture_free(&world->env.loop);
}

// Half a second of AAC of the smallest kind.
static void write_film(const char *path)
{
    static const uint8_t config[2] = {0x11, 0x90}, silence[6] = {0x21, 0x10, 4, 0x60, 0x8c, 0x1c};
    struct track track = {.codec = CODEC_AAC,
                          .kind = MEDIA_AUDIO,
                          .timescale = 48000,
                          .language = "und",
                          .sample_rate = 48000,
                          .channels = 2,
                          .config = buf_new_copy(config, sizeof config)};
    struct tracks *tracks = tracks_new(&track, 1);
    struct ts_mux *mux;
    struct writer out = {0};
    assert_int_equal(ts_mux_new(&mux, tracks, "film"), 0);
    for (int i = 0; i < 24; i++) {
        struct buf *payload = buf_new_copy(silence, sizeof silence);
        struct frame *frame = frame_new(0, &payload);
        frame->dts = 48000 + i * 1024;
        frame->flags = FRAME_KEY;
        ts_mux_frame(mux, frame, &out);
        frame_unref(&frame);
    }
    ts_mux_flush(mux, &out);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(out.buf->data, 1, out.buf->length, file), out.buf->length);
    fclose(file);
    writer_fini(&out);
    ts_mux_free(&mux);
    tracks_unref(&tracks);
}

static void file_film_loops_without_a_break(void **state)
{
    (void)state;
    struct temp_folder folder;
    char url[512];
    temp_folder_make(&folder);
    snprintf(url, sizeof url, "file://%s", temp_path(&folder, "film"));
    write_film(temp_path(&folder, "film"));
    struct world world;
    world_init(&world, url);
    LOOP_UNTIL(world.env.loop, world.frames > 60); // two and a half rounds
    struct stream_stats stats;
    stream_get_stats(world.stream, &stats);
    assert_int_equal(stats.discontinuities, 0);
    assert_int_equal(stats.retries, 0);
    assert_in_range(world.longest_us, 21000, 23000); // 1024 samples, also where it begins again
    world_fini(&world);
    temp_folder_remove(&folder);
}

static void file_missing_film_is_said_and_tried_again(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "file:///nowhere/film.mp4");
    struct stream_stats stats = {0};
    while (stats.retries == 0) {
        loop_turn(world.env.loop, true);
        stream_get_stats(world.stream, &stats);
    }
    assert_int_equal(stats.last_reason, REASON_NOT_FOUND);
    world_fini(&world);
}

static void file_check_wants_an_absolute_path(void **state)
{
    (void)state;
    char why[128];
    char relative[] = "file://vod/film.mp4", absolute[] = "file:///film.mp4";
    struct input_conf input = {.url = relative};
    assert_int_equal(proto_file.check(&input, why, sizeof why), ERR_INVALID);
    input.url = absolute;
    assert_int_equal(proto_file.check(&input, why, sizeof why), 0);
}

TEST_MAIN(TEST(file_film_loops_without_a_break), TEST(file_missing_film_is_said_and_tried_again),
          TEST(file_check_wants_an_absolute_path))
