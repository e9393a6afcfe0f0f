// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "base/clock.h"
#include "cmaf_priv.h"

// Two seconds in parts of half a second, by_s later than START_US. One block.
static struct buf *bytes_at(struct tracks *tracks, int64_t by_s)
{
    struct frames frames = {0};
    camera_frames(&frames, 0, 2000000, 50);
    for (unsigned i = 0; i < frames.count; i++)
        frames.frame[i]->dts += by_s * tracks->track[frames.frame[i]->track].timescale;
    struct segment *segment = segment_of(tracks, &frames, 1700000000, 500000);
    struct buf *bytes = chain_join(cmaf_segment(segment));
    segment_unref(&segment);
    frames_drop(&frames);
    return bytes;
}

static struct buf *heads_at(struct tracks *tracks, int64_t by_s)
{
    struct buf *bytes = bytes_at(tracks, by_s);
    struct segment *segment;
    assert_int_equal(cmaf_segment_from_bytes(&bytes, tracks, &segment), 0);
    struct buf *heads = cmaf_segment_heads(segment);
    segment_unref(&segment);
    return heads;
}

static const int64_t steps[] = {1, -1, 7200, -1690000000, 1800000000};

static void cmaf_shift_gives_what_the_other_clock_would_have_written(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct buf *bytes = bytes_at(tracks, 0), *wanted = bytes_at(tracks, steps[i]);
        assert_int_equal(cmaf_shift(bytes->data, bytes->length, tracks, steps[i]), 0);
        assert_int_equal(bytes->length, wanted->length);
        assert_memory_equal(bytes->data, wanted->data, wanted->length);
        buf_unref(&bytes);
        buf_unref(&wanted);
    }
    tracks_unref(&tracks);
}

static void cmaf_shift_there_and_back_is_nothing(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *bytes = bytes_at(tracks, 0), *wanted = bytes_at(tracks, 0);
    assert_int_equal(cmaf_shift(bytes->data, bytes->length, tracks, 12345678), 0);
    assert_int_equal(cmaf_shift(bytes->data, bytes->length, tracks, -12345678), 0);
    assert_memory_equal(bytes->data, wanted->data, wanted->length);
    buf_unref(&bytes);
    buf_unref(&wanted);
    tracks_unref(&tracks);
}

static void cmaf_shift_never_hides_damage(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *good = bytes_at(tracks, 0);
    for (size_t at = 0; at < good->length; at += 97) {
        struct buf *bytes = buf_new_copy(good->data, good->length);
        bytes->data[at] ^= 0x10;
        assert_true(cmaf_shift(bytes->data, bytes->length, tracks, 3600) < 0);
        buf_unref(&bytes);
    }
    assert_int_equal(cmaf_shift(good->data, good->length - 1, tracks, 3600), ERR_INVALID);
    buf_unref(&good);
    tracks_unref(&tracks);
}

// But for the checksum, which is of bytes that are not there.
static void cmaf_shift_heads_gives_the_times_of_the_other_clock(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *heads = heads_at(tracks, 0), *wanted = heads_at(tracks, -7200);
    assert_int_equal(cmaf_shift_heads(heads->data, heads->length, tracks, -7200), 0);
    assert_int_equal(heads->length, wanted->length);
    for (size_t at = 0; at < heads->length;) {
        struct cmaf_head head;
        struct bytes rest = sub(heads, at, heads->length - at);
        assert_int_equal(cmaf_head_parse(rest, tracks, &head), 0);
        memset(heads->data + at + CMAF_CHECKSUM_AT, 0, CMAF_CHECKSUM_SIZE);
        memset(wanted->data + at + CMAF_CHECKSUM_AT, 0, CMAF_CHECKSUM_SIZE);
        at += head.head_length;
    }
    assert_memory_equal(heads->data, wanted->data, wanted->length);
    buf_unref(&heads);
    buf_unref(&wanted);
    tracks_unref(&tracks);
}

TEST_MAIN(TEST(cmaf_shift_gives_what_the_other_clock_would_have_written),
          TEST(cmaf_shift_there_and_back_is_nothing), TEST(cmaf_shift_never_hides_damage),
          TEST(cmaf_shift_heads_gives_the_times_of_the_other_clock))
