// SPDX-License-Identifier: MIT
#include "mp4_file_fixture.h"

#include "base/mem.h"

static void mp4_file_whole_range_has_every_frame_in_its_place(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 0, 12 * SECOND);
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, past.segment, &bytes);
    assert_true(tracks_equal(mp4_movie_tracks(movie), past.tracks));
    assert_false(mp4_movie_is_fragmented(movie));
    for (unsigned s = 0; s < SEGMENTS; s++) {
        for (unsigned i = 0; i < past.segment[s]->frame_count; i++) {
            const struct frame *frame = past.segment[s]->frames[i];
            uint32_t timescale = past.tracks->track[frame->track].timescale;
            struct mp4_sample sample;
            assert_int_equal(mp4_movie_next(movie, &sample), 0);
            assert_int_equal(sample.track, frame->track);
            assert_int_equal(sample.dts, frame->dts - ticks_from_us(START_US, timescale));
            assert_int_equal(sample.key, frame_is_key(frame));
            assert_int_equal(sample.length, frame->length);
            assert_memory_equal(bytes->data + sample.offset, frame_data(frame), frame->length);
        }
    }
    struct mp4_sample beyond;
    assert_int_equal(mp4_movie_next(movie, &beyond), ERR_NOT_FOUND);
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_cut_begins_at_the_key_frame_before_and_shows_from_the_time_asked(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    struct seen seen = look_at(file, past.segment);
    // Time 0 is the time asked for; the key frame is 0.3 s before it.
    assert_true(seen.first_is_key);
    assert_about(seen.first[0], -300000);
    assert_about(seen.last[0], 4180000); // 7.48 s
    assert_int_equal(seen.count[0], 113);
    assert_true(seen.first[1] >= -300000 && seen.first[1] < -270000); // of the same part
    assert_true(seen.last[1] < 4200000 && seen.last[1] > 4170000);
    // Payload of the parts that are needed and no others: nine of half a second from 3.0 s on.
    uint64_t payload = 0;
    for (unsigned part = 6; part < 15; part++) {
        const struct segment *segment = past.segment[part / 4];
        const struct segment_part *frames = &segment->parts[part % 4];
        for (unsigned i = 0; i < frames->count; i++)
            payload += segment->frames[frames->first + i]->length;
    }
    assert_int_equal(mp4_file_length(file) - mp4_file_head(file)->bytes, payload);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_key_frame_inside_a_part_begins_the_file(void **state)
{
    (void)state;
    struct past past;
    past_make_parts(&past, 700000); // the key at 3.0 s is in the part from 2.7 s on
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    struct seen seen = look_at(file, past.segment);
    assert_true(seen.first_is_key);
    assert_about(seen.first[0], -300000);
    assert_int_equal(seen.count[0], 113);
    // The sound that covers that moment begins before it, by less than a frame.
    assert_true(seen.first[1] <= -300000 && seen.first[1] > -322000);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_range_beyond_the_media_shows_what_there_is(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, -5 * SECOND, 100 * SECOND);
    struct seen seen = look_at(file, past.segment);
    assert_about(seen.first[0], 0);
    assert_int_equal(seen.count[0], 300);
    mp4_file_free(&file);
    // Nothing of it in the range.
    file = mp4_file_new(START_US - 9 * SECOND, START_US - 5 * SECOND);
    assert_int_equal(add(file, past.segment[0]), 0);
    assert_int_equal(mp4_file_finish(file), ERR_NOT_FOUND);
    mp4_file_free(&file);
    file = mp4_file_new(START_US + 13 * SECOND, START_US + 15 * SECOND);
    for (unsigned i = 0; i < SEGMENTS; i++)
        assert_int_equal(add(file, past.segment[i]), 0);
    assert_int_equal(mp4_file_finish(file), ERR_NOT_FOUND); // all ended before
    mp4_file_free(&file);
    file = mp4_file_new(START_US, START_US + 1);
    assert_int_equal(mp4_file_finish(file), ERR_NOT_FOUND);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_is_the_same_wherever_the_segments_come_from(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *one = file_of(&past, 1700000, 10100000), *two;
    struct buf *first = read_all(one, past.segment), *second;
    for (unsigned i = 0; i < SEGMENTS; i++) { // as read from a disk or a peer
        struct buf *bytes = chain_join(cmaf_segment(past.segment[i]));
        segment_unref(&past.segment[i]);
        assert_int_equal(cmaf_segment_from_bytes(&bytes, past.tracks, &past.segment[i]), 0);
    }
    two = file_of(&past, 1700000, 10100000);
    second = read_all(two, past.segment);
    assert_int_equal(first->length, second->length);
    assert_memory_equal(first->data, second->data, first->length);
    buf_unref(&first);
    buf_unref(&second);
    mp4_file_free(&one);
    mp4_file_free(&two);
    past_drop(&past);
}

static void mp4_file_holes_are_left_out(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    // Two seconds are missing, and then two more.
    struct segment *have[4] = {past.segment[0], past.segment[2], past.segment[4], past.segment[5]};
    struct mp4_file *file = mp4_file_new(START_US + 500000, START_US + 11500000);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(file, have[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, have, &bytes);
    struct mp4_sample sample;
    unsigned pictures = 0;
    while (mp4_movie_next(movie, &sample) == 0) {
        if (sample.track == 0) {
            int64_t us = ticks_to_us(sample.dts, 90000);
            assert_about(us, (int64_t)pictures * 40000 - 500000);
            pictures++;
        }
    }
    assert_int_equal(pictures, (11500 - 4000) / 40 + 1);
    int64_t wait, media;
    assert_about(edit_of(file, 0, &wait, &media), 7 * SECOND);
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_small_gaps_stay(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames one = {0}, two = {0};
    camera_frames(&one, 0, 2 * SECOND, 50);
    camera_frames(&two, 2 * SECOND, 2 * SECOND, 50);
    for (unsigned i = 0; i < two.count; i++) // 0.9 s later than it should be
        two.frame[i]->dts += ticks_from_us(900000, tracks->track[two.frame[i]->track].timescale);
    struct segment *segment[2] = {segment_of(tracks, &one, 1, 500000),
                                  segment_of(tracks, &two, 2, 500000)};
    struct mp4_file *file = mp4_file_new(START_US, START_US + 10 * SECOND);
    assert_int_equal(add(file, segment[0]), 0);
    assert_int_equal(add(file, segment[1]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    struct seen seen = look_at(file, segment);
    assert_about(seen.last[0], 4900000 - 40000);
    mp4_file_free(&file);
    for (unsigned i = 0; i < 2; i++)
        segment_unref(&segment[i]);
    frames_drop(&one);
    frames_drop(&two);
    tracks_unref(&tracks);
}

static void mp4_file_add_broken_heads_take_nothing(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = mp4_file_new(START_US, START_US + 12 * SECOND);
    assert_int_equal(add(file, past.segment[0]), 0);
    struct buf *heads = cmaf_segment_heads(past.segment[1]);
    const struct segment_info *info = &past.segment[1]->info;
    assert_int_equal(mp4_file_add(file, info, past.tracks, sub(heads, 0, heads->length - 1)),
                     ERR_INVALID);
    assert_int_equal(mp4_file_add(file, info, past.tracks, sub(heads, 0, 0)), ERR_INVALID);
    assert_int_equal(mp4_file_add(file, info, past.tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    // Those that were refused are not counted.
    assert_int_equal(look_at(file, past.segment).count[0], 100);
    buf_unref(&heads);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_add_past_the_limit_keeps_what_was_there(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, SEGMENT_FRAMES_MAX, 1);
    struct buf *heads = cmaf_segment_heads(segment);
    struct mp4_file *file = mp4_file_new(0, 2 * SECOND);
    for (unsigned i = 0; i < MP4_FILE_SAMPLES_MAX / SEGMENT_FRAMES_MAX; i++)
        assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), ERR_LIMIT);
    assert_int_equal(mp4_file_finish(file), 0);
    assert_int_equal(mp4_file_length(file) - mp4_file_head(file)->bytes, MP4_FILE_SAMPLES_MAX);
    mp4_file_free(&file);
    buf_unref(&heads);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

TEST_MAIN(TEST(mp4_file_whole_range_has_every_frame_in_its_place),
          TEST(mp4_file_cut_begins_at_the_key_frame_before_and_shows_from_the_time_asked),
          TEST(mp4_file_key_frame_inside_a_part_begins_the_file),
          TEST(mp4_file_range_beyond_the_media_shows_what_there_is),
          TEST(mp4_file_is_the_same_wherever_the_segments_come_from),
          TEST(mp4_file_holes_are_left_out), TEST(mp4_file_small_gaps_stay),
          TEST(mp4_file_add_broken_heads_take_nothing),
          TEST(mp4_file_add_past_the_limit_keeps_what_was_there))
