// SPDX-License-Identifier: MIT
// Segments for tests of whole MP4 files, and the files read back.
#ifndef TESTS_UNIT_FORMAT_MP4_FILE_FIXTURE_H
#define TESTS_UNIT_FORMAT_MP4_FILE_FIXTURE_H

#include "cmaf_fixture.h"

#include "format/mp4_file.h"
#include "format/mp4_parse.h"
#include "media_file.h"

#include "mp4_box.h"

#define SECOND 1000000LL
enum { SEGMENTS = 6 };

// Six segments of two seconds with a key frame each second, in parts.
struct past {
    struct tracks *tracks;
    struct segment *segment[SEGMENTS];
};

static inline void past_make_parts(struct past *past, int64_t part_us)
{
    past->tracks = camera_tracks();
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct frames frames = {0};
        camera_frames(&frames, i * 2 * SECOND, 2 * SECOND, 25);
        past->segment[i] = segment_of(past->tracks, &frames, 1700000000 + i, part_us);
        frames_drop(&frames);
    }
}

static inline void past_make(struct past *past)
{
    past_make_parts(past, 500000);
}

static inline void past_drop(struct past *past)
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        segment_unref(&past->segment[i]);
    tracks_unref(&past->tracks);
}

static inline int add(struct mp4_file *file, struct segment *segment)
{
    struct buf *heads = cmaf_segment_heads(segment);
    int result = mp4_file_add(file, &segment->info, segment->tracks, buf_bytes(heads));
    buf_unref(&heads);
    return result;
}

// The file of [from, to) microseconds after START_US.
static inline struct mp4_file *file_of(struct past *past, int64_t from, int64_t to)
{
    struct mp4_file *file = mp4_file_new(START_US + from, START_US + to);
    for (unsigned i = 0; i < SEGMENTS; i++)
        assert_int_equal(add(file, past->segment[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    return file;
}

// Bytes [offset, offset + length) as a server would send them.
static inline void read_range(const struct mp4_file *file, struct segment *const *segment,
                              uint64_t offset, uint64_t length, struct chain *out)
{
    while (length > 0) {
        struct bytes head;
        int number;
        uint64_t in_segment, run;
        mp4_file_at(file, offset, &head, &number, &in_segment, &run);
        assert_true(run > 0);
        if (run > length)
            run = length;
        if (number < 0)
            chain_add_copy(out, head.data, run);
        else
            assert_int_equal(mp4_file_payload(segment[number], in_segment, run, out), 0);
        offset += run;
        length -= run;
    }
}

static inline struct buf *read_all(const struct mp4_file *file, struct segment *const *segment)
{
    struct chain all = {0};
    read_range(file, segment, 0, mp4_file_length(file), &all);
    struct buf *joined = chain_join(&all);
    chain_fini(&all);
    assert_int_equal(joined->length, mp4_file_length(file));
    return joined;
}

static inline struct mp4_movie *movie_of(const struct mp4_file *file,
                                         struct segment *const *segment, struct buf **bytes)
{
    *bytes = read_all(file, segment);
    return media_movie(buf_bytes(*bytes));
}

struct seen {
    int64_t first[2], last[2]; // decode times in microseconds
    unsigned count[2];
    bool first_is_key;
};

static inline struct seen look_at(const struct mp4_file *file, struct segment *const *segment)
{
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, segment, &bytes);
    struct tracks *tracks = mp4_movie_tracks(movie);
    struct seen seen = {0};
    struct mp4_sample sample;
    while (mp4_movie_next(movie, &sample) == 0) {
        int64_t us = ticks_to_us(sample.dts, tracks->track[sample.track].timescale);
        if (seen.count[sample.track]++ == 0) {
            seen.first[sample.track] = us;
            if (sample.track == 0)
                seen.first_is_key = sample.key;
        }
        seen.last[sample.track] = us;
    }
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    return seen;
}

static inline void assert_about(int64_t a, int64_t b)
{
    assert_true(a - b <= 30 && b - a <= 30);
}

// The n-th edit list of a file: how long it shows media in microseconds, and from where in the
// track's ticks; *wait_us: how long nothing is shown before that.
static inline int64_t edit_of(const struct mp4_file *file, unsigned n, int64_t *wait_us,
                              int64_t *media)
{
    struct buf *head = chain_join(mp4_file_head(file));
    const uint8_t *elst = head->data;
    for (unsigned i = 0; i <= n; i++) {
        elst = memmem(elst + 1, head->length - (size_t)(elst + 1 - head->data), "elst", 4);
        assert_non_null(elst);
    }
    const uint8_t *row = elst + 12;
    *wait_us = 0;
    if (mp4_u32_at(elst + 8) == 2) {
        *wait_us = ticks_to_us((int64_t)mp4_u64_at(row), 90000);
        assert_int_equal(mp4_u64_at(row + 8), UINT64_MAX);
        row += 20;
    }
    int64_t shown_us = ticks_to_us((int64_t)mp4_u64_at(row), 90000);
    *media = (int64_t)mp4_u64_at(row + 8);
    buf_unref(&head);
    return shown_us;
}

// A segment of `count` frames of `length` bytes of G.711 that all are the same block, 0.1 s after
// 1970.
static inline struct segment *dull_segment(struct tracks *tracks, unsigned count, uint32_t length)
{
    struct segment_info info = {.number = 1};
    struct segment *segment = segment_new(&info, tracks);
    struct frame *one = frame_make(0, 0, 800, length, FRAME_KEY);
    for (unsigned i = 0; i < count; i++) {
        struct frame *frame = frame_ref(one);
        segment_add_frame(segment, &frame, false);
    }
    frame_unref(&one);
    return segment;
}

static inline struct tracks *dull_tracks(void)
{
    struct track track = g711_track_of(CODEC_PCMU);
    return tracks_new(&track, 1);
}

#endif
