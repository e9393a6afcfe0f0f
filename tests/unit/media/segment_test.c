// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/limits.h"
#include "media/segment.h"

static struct tracks *two_tracks(void)
{
    struct track track[2];
    track_init(&track[0], CODEC_H264);
    track[0].timescale = 90000;
    track_init(&track[1], CODEC_PCMA);
    track[1].timescale = 8000;
    return tracks_new(track, 2);
}

static struct segment *empty_segment(void)
{
    struct tracks *tracks = two_tracks();
    struct segment_info info = {.number = 7, .utc_start_us = 1700000000000000, .generation = 3};
    struct segment *segment = segment_new(&info, tracks);
    tracks_unref(&tracks);
    return segment;
}

static struct frame *frame_of(unsigned track, const char *payload)
{
    struct buf *buf = buf_new_copy(payload, strlen(payload));
    return frame_new(track, &buf);
}

static void add(struct segment *segment, unsigned track, bool begins_part)
{
    struct frame *frame = frame_of(track, "x");
    segment_add_frame(segment, &frame, begins_part);
    assert_null(frame);
}

static void segment_unref_last_drops_tracks_frames_and_renditions(void **state)
{
    (void)state;
    struct segment *segment = empty_segment();
    struct frame *frame = frame_of(0, "abc"), *same = frame_ref(frame);
    segment_add_frame(segment, &frame, false);
    struct chain bytes = {0};
    chain_add_copy(&bytes, "1234", 4);
    segment_rendition_set(segment, "a", &bytes);
    struct segment *second = segment_ref(segment);
    segment_unref(&segment);
    assert_null(segment);
    assert_int_equal(segment_live_count(), 1);
    assert_int_equal(same->refs, 2);
    segment_unref(&second);
    assert_int_equal(segment_live_count(), 0);
    assert_int_equal(same->refs, 1);
    frame_unref(&same);
    segment_unref(&segment);
}

static void segment_add_frame_parts_cover_all_frames(void **state)
{
    (void)state;
    struct segment *segment = empty_segment();
    add(segment, 0, false); // the first begins a part whatever is said
    add(segment, 1, false);
    add(segment, 0, true);
    for (unsigned i = 0; i < 200; i++)
        add(segment, i % 2, i % 40 == 0);
    assert_int_equal(segment->frame_count, 203);
    assert_int_equal(segment->part_count, 7);
    assert_int_equal(segment->parts[0].count, 2);
    assert_int_equal(segment->parts[1].count, 1);
    unsigned next = 0;
    for (unsigned i = 0; i < segment->part_count; i++) {
        assert_int_equal(segment->parts[i].first, next);
        next += segment->parts[i].count;
    }
    assert_int_equal(next, 203);
    assert_int_equal(segment->frames[1]->track, 1);
    segment_unref(&segment);
}

static void add_to_shared(void *arg)
{
    struct segment *segment = arg;
    struct frame *frame = frame_of(0, "x");
    segment_add_frame(segment, &frame, false);
}

static void segment_add_frame_to_published_dies(void **state)
{
    (void)state;
    struct segment *segment = empty_segment(), *second = segment_ref(segment);
    assert_true(unit_dies(add_to_shared, segment));
    segment_unref(&second);
    assert_false(unit_dies(add_to_shared, segment));
    segment_unref(&segment);
}

static unsigned unpacked;

static int unpack_two(struct segment *segment)
{
    unpacked++;
    add(segment, 0, true);
    add(segment, 1, true);
    return 0;
}

static int unpack_broken(struct segment *segment)
{
    add(segment, 0, true);
    return ERR_INVALID;
}

static void segment_frames_unpacks_once_even_when_shared(void **state)
{
    (void)state;
    struct segment *segment = empty_segment(), *second = segment_ref(segment);
    segment->unpack = unpack_two;
    unpacked = 0;
    assert_int_equal(segment_frames(segment), 0);
    assert_int_equal(segment_frames(second), 0);
    assert_int_equal(unpacked, 1);
    assert_int_equal(segment->frame_count, 2);
    assert_int_equal(segment->part_count, 2);
    segment_unref(&segment);
    segment_unref(&second);
}

static void segment_frames_damaged_leaves_none(void **state)
{
    (void)state;
    struct segment *segment = empty_segment();
    segment->unpack = unpack_broken;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(segment_frames(segment), ERR_INVALID);
        assert_int_equal(segment->frame_count, 0);
        assert_int_equal(segment->part_count, 0);
    }
    segment_unref(&segment);
}

static void segment_rendition_set_full_drops_oldest_but_never_first(void **state)
{
    (void)state;
    static const char key[20];
    struct segment *segment = empty_segment();
    assert_null(segment_rendition(segment, &key[0]));
    for (unsigned i = 0; i < 20; i++) {
        struct chain bytes = {0};
        chain_add_copy(&bytes, "0123456789012345678901234567", i + 1);
        const struct chain *kept = segment_rendition_set(segment, &key[i], &bytes);
        assert_int_equal(bytes.count, 0);
        assert_int_equal(kept->bytes, i + 1);
        assert_ptr_equal(segment_rendition(segment, &key[i]), kept);
    }
    assert_int_equal(segment_rendition(segment, &key[0])->bytes, 1);
    for (unsigned i = 1; i < 20; i++) {
        const struct chain *found = segment_rendition(segment, &key[i]);
        if (i <= 20 - SEGMENT_RENDITIONS_MAX)
            assert_null(found);
        else
            assert_int_equal(found->bytes, i + 1);
    }
    segment_unref(&segment);
}

static void segment_frames_end_is_after_the_last_one_of_a_track(void **state)
{
    (void)state;
    static const struct {
        int64_t dts[3];
        unsigned count;
        uint32_t duration; // of the last one
        int64_t end;
    } cases[] = {
        {{0}, 0, 0, 0},
        {{1000}, 1, 0, 1000 + 3600},
        {{1000}, 1, 77, 1077},
        {{1000, 1500}, 2, 0, 2000},
        {{1000, 1500, 1600}, 3, 9, 1609},
        {{1000, 1500, 1200}, 3, 0, 1700},
        {{INT64_MIN, INT64_MAX}, 2, 0, INT64_MAX - 1}, // wraps, and goes on
    };
    struct tracks *tracks = two_tracks();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame *frames[5];
        unsigned count = 0;
        int64_t end = 0;
        frames[count++] = frame_of(1, "x");
        for (unsigned k = 0; k < cases[i].count; k++) {
            frames[count] = frame_of(0, "x");
            frames[count]->dts = cases[i].dts[k];
            frames[count++]->duration = k + 1 == cases[i].count ? cases[i].duration : 0;
        }
        frames[count++] = frame_of(1, "x");
        assert_int_equal(segment_frames_end(tracks, frames, count, 0, &end), cases[i].count > 0);
        assert_int_equal(end, cases[i].end);
        while (count > 0)
            frame_unref(&frames[--count]);
    }
    tracks_unref(&tracks);
}

TEST_MAIN(TEST(segment_frames_end_is_after_the_last_one_of_a_track),
          TEST(segment_unref_last_drops_tracks_frames_and_renditions),
          TEST(segment_add_frame_parts_cover_all_frames), TEST(segment_add_frame_to_published_dies),
          TEST(segment_frames_unpacks_once_even_when_shared),
          TEST(segment_frames_damaged_leaves_none),
          TEST(segment_rendition_set_full_drops_oldest_but_never_first))
