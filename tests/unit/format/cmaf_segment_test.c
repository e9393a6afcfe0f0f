// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "cmaf_priv.h"
#include "media_file.h"

// Two seconds in parts of half a second.
static struct segment *camera_segment(struct tracks *tracks)
{
    struct frames frames = {0};
    camera_frames(&frames, 0, 2000000, 50);
    struct segment *segment = segment_of(tracks, &frames, 1700000000, 500000);
    frames_drop(&frames);
    return segment;
}

static struct buf *bytes_of_segment(struct segment *segment)
{
    return chain_join(cmaf_segment(segment));
}

static void cmaf_segment_is_made_once_of_all_parts(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks);
    const struct chain *bytes = cmaf_segment(segment);
    assert_ptr_equal(cmaf_segment(segment), bytes);
    assert_ptr_equal(segment_rendition(segment, &cmaf_rendition_key), bytes);
    assert_int_equal(bytes->count, segment->part_count + segment->frame_count);
    struct buf *whole = chain_join(bytes);
    struct bytes rest = buf_bytes(whole), chunk;
    unsigned samples = 0, part = 0;
    for (; rest.length > 0; part++) {
        struct cmaf_head head;
        assert_int_equal(cmaf_head_parse(rest, tracks, &head), 0);
        assert_int_equal(head.part, part);
        assert_int_equal(head.segment_number, 1700000000);
        samples += head.samples;
        assert_true(bytes_take(&rest, head.head_length + head.payload_length, &chunk));
        assert_true(cmaf_chunk_intact(chunk));
    }
    assert_int_equal(part, 4);
    assert_int_equal(samples, segment->frame_count);
    buf_unref(&whole);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void assert_frame_equal(const struct frame *a, const struct frame *b)
{
    assert_int_equal(a->track, b->track);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->dts, b->dts);
    assert_int_equal(a->cts, b->cts);
    assert_int_equal(a->length, b->length);
    assert_memory_equal(frame_data(a), frame_data(b), a->length);
}

static void cmaf_segment_from_bytes_gives_the_frames_back(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *again;
    struct buf *bytes = bytes_of_segment(segment), *block = buf_ref(bytes);
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &again), 0);
    assert_null(bytes);
    assert_int_equal(again->info.number, segment->info.number);
    assert_int_equal(again->info.utc_start_us, segment->info.utc_start_us);
    assert_int_equal(again->info.generation, 3);
    assert_int_equal(again->info.flags, SEGMENT_KEY);
    assert_int_equal(again->info.bytes, block->length);
    assert_int_equal(again->info.duration_us, 2000000);
    assert_null(again->frames);
    assert_int_equal(segment_frames(again), 0);
    assert_int_equal(again->frame_count, segment->frame_count);
    assert_int_equal(again->part_count, segment->part_count);
    assert_memory_equal(again->parts, segment->parts,
                        segment->part_count * sizeof(*segment->parts));
    for (unsigned i = 0; i < again->frame_count; i++) {
        const struct frame *frame = again->frames[i];
        assert_frame_equal(frame, segment->frames[i]);
        assert_ptr_equal(frame->buf, block); // no payload was copied
        assert_int_equal(frame->segment_number, 1700000000);
        assert_int_equal(frame->generation, 3);
        assert_int_equal(frame->duration, frame->track ? 1024 : 3600);
    }
    // The bytes are what came in, also after frames were made.
    assert_int_equal(cmaf_segment(again)->count, 1);
    assert_ptr_equal(cmaf_segment(again)->slices[0].buf, block);
    buf_unref(&block);
    segment_unref(&again);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void cmaf_segment_from_bytes_frames_outlive_the_segment(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *again;
    struct frame *wanted = frame_ref(segment->frames[7]);
    struct buf *bytes = bytes_of_segment(segment);
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &again), 0);
    assert_int_equal(segment_frames(again), 0);
    struct frame *kept = frame_ref(again->frames[7]);
    segment_unref(&again);
    segment_unref(&segment);
    assert_frame_equal(kept, wanted);
    frame_unref(&kept);
    frame_unref(&wanted);
    tracks_unref(&tracks);
}

static void cmaf_segment_from_bytes_any_damage_is_refused(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *again = NULL;
    struct buf *good = bytes_of_segment(segment);
    for (size_t i = 0; i < good->length; i += 7) {
        struct buf *bad = buf_new_copy(good->data, good->length);
        bad->data[i] ^= 0x10;
        int result = cmaf_segment_from_bytes(&bad, tracks, &again);
        assert_true(result == ERR_INVALID || result == ERR_UNSUPPORTED);
        assert_null(bad);
    }
    for (size_t i = 0; i < good->length; i += 11) {
        struct buf *cut = buf_new_copy(good->data, i);
        int result = cmaf_segment_from_bytes(&cut, tracks, &again);
        if (result == 0) { // at the border of a chunk it is a segment, a shorter one
            assert_true(again->info.duration_us % 500000 == 0);
            segment_unref(&again);
        } else {
            assert_int_equal(result, ERR_INVALID);
        }
    }
    assert_null(again);
    buf_unref(&good);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// Chunks [from, to) of a segment to the end of a chain.
static void chunks_add(struct chain *out, struct segment *segment, unsigned from, unsigned to)
{
    struct cmaf_walk walk = {.chunks = cmaf_segment(segment), .tracks = segment->tracks};
    struct cmaf_head head;
    struct bytes bytes;
    size_t payload_at;
    for (unsigned i = 0; cmaf_walk_next(&walk, &head, &bytes, &payload_at); i++)
        if (i >= from && i < to)
            chain_add_range(out, walk.chunks, payload_at - head.head_length,
                            head.head_length + head.payload_length);
}

// A segment of the first `first` chunks of a and those of b from number `second` on.
static int join(struct segment *a, unsigned first, struct segment *b, unsigned second,
                struct segment **out)
{
    struct chain bytes = {0};
    chunks_add(&bytes, a, 0, first);
    chunks_add(&bytes, b, second, 100);
    struct buf *joined = chain_join(&bytes);
    chain_fini(&bytes);
    return cmaf_segment_from_bytes(&joined, a->tracks, out);
}

static void cmaf_segment_from_bytes_checks_that_chunks_belong_together(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *again;
    assert_int_equal(join(segment, 2, segment, 2, &again), 0);
    segment_unref(&again);
    for (unsigned i = 0; i < 4; i++) {
        struct segment *other = camera_segment(tracks);
        other->info.number += i == 0;
        other->info.utc_start_us += i == 1;
        other->info.generation += i == 2;
        other->info.flags |= i == 3 ? SEGMENT_DISCONTINUITY : 0;
        assert_int_equal(join(segment, 2, other, 2, &again), ERR_INVALID);
        segment_unref(&other);
    }
    assert_int_equal(join(segment, 0, segment, 4, &again), ERR_INVALID); // nothing at all
    assert_int_equal(join(segment, 3, segment, 2, &again), ERR_INVALID); // a part twice
    assert_int_equal(join(segment, 0, segment, 2, &again), 0);           // its beginning is missing
    assert_int_equal(again->info.utc_start_us, segment->info.utc_start_us);
    assert_int_equal(again->info.duration_us, 2000000);
    assert_int_equal(segment_frames(again), 0);
    assert_int_equal(again->part_count, 2);
    segment_unref(&again);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void cmaf_segment_from_bytes_lasts_to_the_end_of_the_leading_track(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    camera_frames(&frames, 0, 500000, 50);
    for (unsigned i = 0; i < 10; i++) // audio goes on alone
        frames_add(&frames, frame_make(1, i, ticks_from_us(START_US + 600000, 48000) + 1024 * i, 4,
                                       FRAME_KEY));
    struct segment *segment = segment_of(tracks, &frames, 5, 500000), *again;
    struct buf *bytes = bytes_of_segment(segment);
    assert_int_equal(segment->part_count, 2);
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &again), 0);
    assert_int_equal(again->info.duration_us, 520000);
    segment_unref(&again);
    segment_unref(&segment);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_segment_heads_are_the_same_from_frames_and_from_bytes(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct segment *segment = camera_segment(tracks), *again;
    struct buf *bytes = bytes_of_segment(segment);
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &again), 0);
    struct buf *one = cmaf_segment_heads(segment), *two = cmaf_segment_heads(again);
    assert_int_equal(one->length, two->length);
    assert_memory_equal(one->data, two->data, one->length);
    struct bytes rest = buf_bytes(one);
    uint64_t payload = 0;
    while (rest.length > 0) {
        struct cmaf_head head;
        assert_int_equal(cmaf_head_parse(rest, tracks, &head), 0);
        assert_true(bytes_skip(&rest, head.head_length));
        payload += head.payload_length;
    }
    assert_int_equal(one->length + payload, again->info.bytes);
    assert_null(again->frames); // they were not needed
    buf_unref(&one);
    buf_unref(&two);
    segment_unref(&again);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void cmaf_segment_of_real_media_survives_unpacking(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(media_run(NULL, 0,
                               "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i "
                               "sine=r=44100 -t 2 -c:v libx264 -preset fast -bf 2 -pix_fmt yuv420p "
                               "-c:a aac real.mp4"),
                     0);
    struct media media;
    media_load(&media, "real.mp4", START_US);
    unsigned at = 0;
    struct segment *segment = media_segment(&media, &at, 60000000, 9, SEGMENT_KEY), *again;
    struct buf *bytes = bytes_of_segment(segment);
    assert_int_equal(cmaf_segment_from_bytes(&bytes, media.tracks, &again), 0);
    assert_int_equal(segment_frames(again), 0);
    // Written again from the frames that were read, it is the same.
    struct segment *third = segment_new(&again->info, media.tracks);
    for (unsigned part = 0, i = 0; part < again->part_count; part++)
        for (unsigned n = 0; n < again->parts[part].count; n++, i++) {
            struct frame *frame = frame_ref(again->frames[i]);
            segment_add_frame(third, &frame, n == 0);
        }
    struct buf *one = bytes_of_segment(segment), *two = bytes_of_segment(third);
    assert_int_equal(one->length, two->length);
    assert_memory_equal(one->data, two->data, one->length);
    buf_unref(&one);
    buf_unref(&two);
    segment_unref(&third);
    segment_unref(&again);
    segment_unref(&segment);
    media_free(&media);
}

TEST_MAIN(TEST(cmaf_segment_is_made_once_of_all_parts),
          TEST(cmaf_segment_from_bytes_gives_the_frames_back),
          TEST(cmaf_segment_from_bytes_frames_outlive_the_segment),
          TEST(cmaf_segment_from_bytes_any_damage_is_refused),
          TEST(cmaf_segment_from_bytes_checks_that_chunks_belong_together),
          TEST(cmaf_segment_from_bytes_lasts_to_the_end_of_the_leading_track),
          TEST(cmaf_segment_heads_are_the_same_from_frames_and_from_bytes),
          TEST(cmaf_segment_of_real_media_survives_unpacking))
