// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "format/ts_demux.h"
#include "format/ts_mux.h"
#include "format/ts_segment.h"
#include "media_file.h"

static struct segment *camera_segment(struct tracks *tracks)
{
    struct frames frames = {0};
    camera_frames(&frames, 0, 2000000, 50);
    for (unsigned i = 0; i < frames.count; i++) {
        struct frame *frame = frames.frame[i];
        frame->duration = frame->track ? 1024 : 3600;
        if (frame->track == 0) { // the payload of a picture must be NAL units
            static const uint8_t key[] = {0x65, 0x88, 0x84}, other[] = {0x41, 0x9a, 0x02};
            memset(frame->buf->data, 0x55, frame->length);
            memcpy(frame->buf->data, (uint8_t[]){0, 0, 0, (uint8_t)(frame->length - 4)}, 4);
            memcpy(frame->buf->data + 4, frame_is_key(frame) ? key : other, 3);
        }
    }
    struct segment *segment = segment_of(tracks, &frames, 1700000000, 500000);
    frames_drop(&frames);
    return segment;
}

struct heard {
    unsigned frames[2];
    int64_t first_dts; // of the video
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    (void)arg;
    tracks_unref(tracks);
}

static void on_frame(void *arg, struct frame **frame)
{
    struct heard *heard = arg;
    if ((*frame)->track == 0 && heard->frames[0] == 0)
        heard->first_dts = (*frame)->dts;
    heard->frames[(*frame)->track]++;
    frame_unref(frame);
}

static struct heard demux(const struct chain *chain)
{
    static const struct ts_demux_events events = {on_tracks, on_frame};
    struct heard heard = {0};
    struct ts_demux *demux = ts_demux_new(&events, &heard);
    struct buf *joined = chain_join(chain);
    ts_demux_input(demux, buf_bytes(joined));
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 0);
    ts_demux_free(&demux);
    buf_unref(&joined);
    return heard;
}

static void ts_segment_has_every_frame_and_is_made_once(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks);
    const struct chain *packets, *again;
    assert_int_equal(ts_segment(segment, &packets), 0);
    assert_int_equal(packets->bytes % 188, 0);
    struct heard heard = demux(packets);
    assert_int_equal(heard.frames[0], 50);
    assert_int_equal(heard.frames[0] + heard.frames[1], segment->frame_count);
    assert_int_equal(heard.first_dts, ticks_from_us(START_US, 90000) & 0x1ffffffff);
    assert_int_equal(ts_segment(segment, &again), 0);
    assert_ptr_equal(again, packets);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void ts_segment_collects_audio(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks);
    const struct chain *packets;
    struct writer apart = {0};
    struct ts_mux *mux;
    assert_int_equal(ts_segment(segment, &packets), 0);
    assert_int_equal(ts_mux_new(&mux, tracks, NULL), 0);
    for (unsigned i = 0; i < segment->frame_count; i++)
        ts_mux_frame(mux, segment->frames[i], &apart);
    assert_true(packets->bytes + 50 * 188 < writer_length(&apart)); // of 94 frames in as many PES
    ts_mux_free(&mux);
    writer_fini(&apart);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void ts_segment_from_archived_bytes_is_the_same(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *past;
    struct buf *bytes = chain_join(cmaf_segment(segment));
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &past), 0);
    // A camera's sound and picture arrive in any order within a part.
    for (unsigned i = 0; i < segment->part_count; i++) {
        struct frame **first = segment->frames + segment->parts[i].first;
        for (struct frame **last = first + segment->parts[i].count - 1; first < last;
             first++, last--) {
            struct frame *frame = *first;
            *first = *last;
            *last = frame;
        }
    }
    const struct chain *live, *read;
    assert_int_equal(ts_segment(past, &read), 0);
    assert_int_equal(ts_segment(segment, &live), 0);
    struct buf *one = chain_join(live), *two = chain_join(read);
    assert_int_equal(one->length, two->length);
    assert_memory_equal(one->data, two->data, one->length);
    buf_unref(&one);
    buf_unref(&two);
    segment_unref(&past);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void ts_segment_of_codecs_that_ts_has_not_is_unsupported(void **state)
{
    (void)state;
    struct track g711 = g711_track_of(CODEC_PCMA);
    struct tracks *tracks = tracks_new(&g711, 1), *camera = camera_tracks();
    struct track both[2] = {h264_track_of(AVCC), g711_track_of(CODEC_PCMA)};
    struct tracks *mixed = tracks_new(both, 2);
    struct frames frames = {0};
    frames_add(&frames, frame_make(0, 0, 0, 160, FRAME_KEY));
    struct segment *segment = segment_of(tracks, &frames, 1, 500000);
    const struct chain *packets;
    assert_int_equal(ts_segment(segment, &packets), ERR_UNSUPPORTED);
    assert_null(packets);
    assert_false(ts_carries_all(tracks));
    assert_false(ts_carries_all(mixed));
    assert_true(ts_carries_all(camera));
    segment_unref(&segment);
    frames_drop(&frames);
    tracks_unref(&mixed);
    tracks_unref(&camera);
    tracks_unref(&tracks);
}

static void ts_segment_of_real_media_decodes_in_a_row(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(media_run(NULL, 0,
                               "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i "
                               "sine=r=48000 -t 6 -c:v libx264 -preset fast -bf 2 -g 50 -pix_fmt "
                               "yuv420p -c:a aac real.mp4"),
                     0);
    struct media media;
    media_load(&media, "real.mp4", START_US);
    struct chain all = {0};
    for (unsigned at = 0, number = 0; at < media.count; number++) {
        struct segment *segment = media_segment(&media, &at, 2000000, number, SEGMENT_KEY);
        const struct chain *packets;
        assert_int_equal(ts_segment(segment, &packets), 0);
        chain_add_range(&all, packets, 0, packets->bytes);
        segment_unref(&segment);
    }
    media_write("all.ts", &all, NULL);
    assert_true(media_decodes("all.ts", ""));
    char text[200];
    assert_int_equal(media_run(text, sizeof(text),
                               "ffprobe -v warning -select_streams v -count_frames -show_entries "
                               "stream=nb_read_frames -of csv=p=0 all.ts 2>&1 | head -1"),
                     0);
    assert_string_equal(text, "150\n");
    chain_fini(&all);
    media_free(&media);
}

TEST_MAIN(TEST(ts_segment_has_every_frame_and_is_made_once), TEST(ts_segment_collects_audio),
          TEST(ts_segment_from_archived_bytes_is_the_same),
          TEST(ts_segment_of_codecs_that_ts_has_not_is_unsupported),
          TEST(ts_segment_of_real_media_decodes_in_a_row))
