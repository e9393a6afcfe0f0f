// SPDX-License-Identifier: MIT
#include "mp4_file_fixture.h"

#include <stdlib.h>

#include "mp4_box.h"

static void mp4_file_edit_lists_show_the_range(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    int64_t wait, media;
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    assert_about(edit_of(file, 0, &wait, &media), 4200000);
    assert_int_equal(media, 27000); // 0.3 s of pictures are decoded and not shown
    assert_int_equal(wait, 0);
    assert_about(edit_of(file, 1, &wait, &media), 4200000);
    mp4_file_free(&file);
    // Past the media at both ends; the sound may end a little later than the picture.
    file = file_of(&past, -5 * SECOND, 100 * SECOND);
    int64_t shown = edit_of(file, 0, &wait, &media);
    assert_true(shown >= 12 * SECOND && shown < 12 * SECOND + 25000);
    assert_int_equal(media, 0);
    mp4_file_free(&file);
    past_drop(&past);
    // Sound that begins later is waited for, and ends with the picture.
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    camera_frames(&frames, 0, 2 * SECOND, 25);
    unsigned kept = 0;
    for (unsigned i = 0; i < frames.count; i++) {
        struct frame *frame = frames.frame[i];
        if (frame->track == 1 && frame->dts < ticks_from_us(START_US + SECOND, 48000))
            frame_unref(&frame);
        else
            frames.frame[kept++] = frame;
    }
    frames.count = kept;
    struct segment *segment = segment_of(tracks, &frames, 1, 500000);
    file = mp4_file_new(START_US + 200000, START_US + 1500000);
    assert_int_equal(add(file, segment), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    shown = edit_of(file, 1, &wait, &media);
    assert_int_equal(media, 0);
    assert_true(wait >= 800000 && wait < 822000);
    assert_about(shown + wait, 1300000);
    mp4_file_free(&file);
    segment_unref(&segment);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void mp4_file_any_range_of_bytes_is_the_same(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 2500000, 9700000);
    struct buf *whole = read_all(file, past.segment);
    srandom(7);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t offset = (uint64_t)random() % whole->length;
        uint64_t length = 1 + (uint64_t)random() % (i % 2 ? 60 : whole->length - offset);
        if (length > whole->length - offset)
            length = whole->length - offset;
        struct chain part = {0};
        read_range(file, past.segment, offset, length, &part);
        struct buf *joined = chain_join(&part);
        assert_int_equal(joined->length, length);
        assert_memory_equal(joined->data, whole->data + offset, length);
        buf_unref(&joined);
        chain_fini(&part);
    }
    buf_unref(&whole);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_beyond_four_gigabytes_has_long_numbers(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, 16, FRAME_BYTES_MAX);
    struct buf *heads = cmaf_segment_heads(segment);
    struct mp4_file *file = mp4_file_new(0, 2 * SECOND);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    uint64_t payload = 40ULL * 16 * FRAME_BYTES_MAX;
    assert_int_equal(mp4_file_length(file), mp4_file_head(file)->bytes + payload);
    struct buf *head = chain_join(mp4_file_head(file));
    uint8_t *mdat = head->data + head->length - 16;
    char type[5];
    uint64_t size;
    assert_int_equal(mp4_box_peek(bytes_of(mdat, 16), type, &size), 0);
    assert_string_equal(type, "mdat");
    assert_int_equal(size, 16 + payload);
    struct mp4_movie *movie;
    uint64_t ftyp = 28;
    assert_int_equal(mp4_movie_parse(sub(head, ftyp, head->length - 16 - ftyp), &movie), 0);
    struct mp4_sample sample;
    for (unsigned i = 0; i < 640; i++) {
        assert_int_equal(mp4_movie_next(movie, &sample), 0);
        assert_int_equal(sample.offset, head->length + (uint64_t)i * FRAME_BYTES_MAX);
    }
    struct bytes none;
    int number;
    uint64_t offset, run;
    mp4_file_at(file, head->length + 35ULL * 16 * FRAME_BYTES_MAX + 5, &none, &number, &offset,
                &run);
    assert_int_equal(number, 35);
    assert_int_equal(offset, 5);
    assert_int_equal(run, 16ULL * FRAME_BYTES_MAX - 5);
    mp4_movie_free(&movie);
    buf_unref(&head);
    mp4_file_free(&file);
    buf_unref(&heads);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void mp4_file_payload_of_another_segment_is_refused(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, 3, 10);
    struct chain out = {0};
    assert_int_equal(mp4_file_payload(segment, 5, 25, &out), 0);
    assert_int_equal(out.bytes, 25);
    chain_fini(&out);
    assert_int_equal(mp4_file_payload(segment, 5, 26, &out), ERR_INVALID);
    chain_fini(&out);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// ---- judged by ffmpeg
// -------------------------------------------------------------------------------

static void probe_says(const char *what, const char *wanted)
{
    char text[300];
    assert_int_equal(
        media_run(text, sizeof(text), "ffprobe -v warning %s -of csv=p=0 cut.mp4 2>&1", what), 0);
    assert_string_equal(text, wanted);
}

static void mp4_file_of_real_media_plays_and_begins_where_asked(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    // The picture n has n as its brightness, a tone goes with it.
    assert_int_equal(
        media_run(
            NULL, 0,
            "ffmpeg -v error -y -f lavfi -i \"color=black:s=64x64:r=25,geq=lum='16+N':cb=128"
            ":cr=128\" -f lavfi -i sine=r=48000 -t 8 -c:v libx264 -preset fast -qp 1 -bf 3 -g 50 "
            "-pix_fmt yuv420p -c:a aac real.mp4"),
        0);
    struct media media;
    media_load(&media, "real.mp4", START_US);
    struct segment *segment[10];
    unsigned at = 0, count = 0;
    struct mp4_file *file = mp4_file_new(START_US + 3320000, START_US + 6320000);
    while (at < media.count) {
        segment[count] = media_segment(&media, &at, 2 * SECOND, 7 + count, SEGMENT_KEY);
        assert_int_equal(add(file, segment[count++]), 0);
    }
    assert_int_equal(mp4_file_finish(file), 0);
    struct chain all = {0};
    read_range(file, segment, 0, mp4_file_length(file), &all);
    media_write("cut.mp4", &all, NULL);
    chain_fini(&all);
    assert_true(media_decodes("cut.mp4", ""));
    assert_true(media_decodes("cut.mp4", "-ss 2"));
    probe_says("-show_entries format=start_time,duration", "0.000000,3.000000\n");
    // 75 pictures are shown, the first is number 83.
    char text[300];
    assert_int_equal(
        media_run(text, sizeof(text),
                  "ffmpeg -v warning -i cut.mp4 -an -vf extractplanes=y -f rawvideo - | "
                  "od -An -v -tu1 -w4096 | awk '{print $2000}' | tr '\\n' ' '"),
        0);
    int first = 0, shown = 0;
    for (char *save, *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (shown++ == 0)
            first = (int)strtol(word, NULL, 10);
    }
    assert_int_equal(shown, 75);
    assert_int_equal(first, 16 + 83);
    for (unsigned i = 0; i < count; i++)
        segment_unref(&segment[i]);
    mp4_file_free(&file);
    media_free(&media);
}

TEST_MAIN(TEST(mp4_file_edit_lists_show_the_range), TEST(mp4_file_any_range_of_bytes_is_the_same),
          TEST(mp4_file_beyond_four_gigabytes_has_long_numbers),
          TEST(mp4_file_payload_of_another_segment_is_refused),
          TEST(mp4_file_of_real_media_plays_and_begins_where_asked))
