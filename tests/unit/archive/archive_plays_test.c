// SPDX-License-Identifier: MIT
// Hour files copied off the disk, judged by ffmpeg: real pictures with B-frames and sound.
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"
#include "media_file.h"

static void push_media(const struct media *media)
{
    struct tracks *tracks = tracks_ref(media->tracks);
    source_tracks(room.source, &tracks);
    int64_t before_us = 0;
    for (unsigned i = 0; i < media->count; i++) {
        const struct frame *from = media->frames[i];
        uint32_t timescale = media->tracks->track[from->track].timescale;
        int64_t us = ticks_to_us(from->dts, timescale);
        if (us > before_us) {
            clock_advance_test(us - before_us);
            before_us = us;
            loop_fixture_settle(room.loop);
        }
        struct buf *buf = buf_ref(from->buf);
        struct frame *frame = frame_new(from->track, &buf);
        frame->flags = from->flags;
        frame->dts = from->dts;
        frame->cts = from->cts;
        frame->duration = from->duration;
        frame->offset = from->offset;
        frame->length = from->length;
        source_push_frame(room.source, &frame);
    }
    room_settle();
}

static void plays(const char *encoder, const char *options)
{
    assert_int_equal(media_run(NULL, 0,
                               "ffmpeg -v error -y -f lavfi -i testsrc2=size=320x180:rate=25 "
                               "-f lavfi -i sine=440:sample_rate=48000 -t 7 -c:v %s -g 25 %s "
                               "-c:a aac -b:a 64k in.mp4 2>&1",
                               encoder, options),
                     0);
    struct media media;
    media_load(&media, "in.mp4", 0);
    room_open_plain("cam");
    room_before_roll(3 * US_PER_S); // two files
    room_attach();
    room_settle();
    push_media(&media);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    struct files *files = room_files(".mp4");
    assert_int_equal(files->count, 2);
    for (unsigned i = 0; i < 2; i++) {
        char out[200];
        assert_int_equal(media_run(NULL, 0, "cp '%s' copy.mp4", files->path[i]), 0);
        assert_true(media_decodes("copy.mp4", ""));
        assert_int_equal(media_run(out, sizeof out,
                                   "ffprobe -v warning -show_entries format=start_time "
                                   "-of csv=p=0 copy.mp4 2>&1"),
                         0);
        double start = -1;
        assert_int_equal(sscanf(out, "%lf", &start), 1);
        assert_true(start >= 0 && start < 0.2);
    }
    room_close();
    media_free(&media);
}

static void archive_hour_file_copied_away_plays(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    plays("libx264", "-preset ultrafast -bf 2 -pix_fmt yuv420p");
    plays("libx265", "-preset ultrafast -x265-params log-level=none -pix_fmt yuv420p");
}

TEST_MAIN(TEST(archive_hour_file_copied_away_plays))
