// SPDX-License-Identifier: MIT
#include "ring.h"

#include "base/limits.h"
#include "unit.h"

// One frame of `size` bytes; the ring takes its own reference.
static uint64_t append(struct ring *ring, size_t size, int64_t dts_us, bool key)
{
    struct buf *buf = buf_new(size);
    buf->length = size;
    struct frame *frame = frame_new(0, &buf);
    ring_append(ring, frame, dts_us, key);
    uint64_t seq = frame->seq;
    frame_unref(&frame);
    return seq;
}

static void ring_append_gives_consecutive_numbers(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(append(&ring, 10, (int64_t)i * 1000, i == 0), i);
    assert_int_equal(ring.count, 300);
    assert_int_equal(ring.bytes, 3000);
    assert_non_null(ring_get(&ring, 0));
    assert_non_null(ring_get(&ring, 299));
    assert_null(ring_get(&ring, 300));
    ring_fini(&ring);
}

static void ring_append_second_gop_lasts_drops_first(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring);
    for (int i = 0; i < 50; i++) // a GOP of two seconds
        append(&ring, 10, i * 40000, i == 0);
    uint64_t second = append(&ring, 10, 2000000, true);
    for (int i = 51; i < 87; i++)
        append(&ring, 10, i * 40000, false);
    assert_non_null(ring_get(&ring, 0)); // late readers still have the first one
    append(&ring, 10, 3500000, false);
    assert_null(ring_get(&ring, second - 1));
    assert_int_equal(ring.base, second);
    uint64_t key;
    assert_true(ring_last_key(&ring, &key));
    assert_int_equal(key, second);
    ring_fini(&ring);
}

static void ring_append_all_keys_keeps_a_second_and_a_half(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring);
    for (int i = 0; i < 500; i++)
        append(&ring, 10, i * 20000, true);
    assert_in_range(ring.count, 75, 78);
    assert_int_equal(ring.key_count, ring.count);
    ring_fini(&ring);
}

static void ring_append_no_key_stays_within_frames_max(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring);
    for (int i = 0; i < RING_FRAMES_MAX + 100; i++)
        append(&ring, 1, i * 1000, false);
    assert_int_equal(ring.count, RING_FRAMES_MAX);
    uint64_t key;
    assert_false(ring_last_key(&ring, &key));
    ring_fini(&ring);
}

static void ring_append_large_frames_stays_within_bytes_max(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring);
    append(&ring, 4 << 20, 0, true);
    for (int i = 1; i < 40; i++)
        append(&ring, 4 << 20, i * 40000, false);
    assert_true(ring.bytes <= RING_BYTES_MAX);
    uint64_t key;
    assert_false(ring_last_key(&ring, &key)); // it went with the frame
    ring_fini(&ring);
}

TEST_MAIN(TEST(ring_append_gives_consecutive_numbers),
          TEST(ring_append_second_gop_lasts_drops_first),
          TEST(ring_append_all_keys_keeps_a_second_and_a_half),
          TEST(ring_append_no_key_stays_within_frames_max),
          TEST(ring_append_large_frames_stays_within_bytes_max))
