// SPDX-License-Identifier: MIT
#include "nal_sets.h"

#include "unit.h"

static void au_builder_take_gives_memory_back(void **state)
{
    (void)state;
    struct au_builder au = {0};
    uint8_t slice[1000] = {0x41};
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(au_builder_append(&au, bytes_of(slice, sizeof(slice))), 0);
    assert_true(au.buf->capacity > 7 * 1004 + 7 * 1004 / 8);
    au.has_picture = true;
    bool key, droppable;
    struct buf *buf = au_builder_take(&au, &key, &droppable);
    assert_int_equal(buf->length, 7 * 1004);
    assert_true(buf->capacity <= 7 * 1004 + 7 * 1004 / 8 + 64);
    buf_unref(&buf);
}

static void au_builder_append_one_slice_is_exact(void **state)
{
    (void)state;
    struct au_builder au = {0};
    uint8_t slice[5000] = {0x41};
    assert_int_equal(au_builder_append(&au, bytes_of(slice, 40)), 0);
    assert_int_equal(au_builder_append(&au, bytes_of(slice, sizeof(slice))), 0);
    assert_int_equal(au.buf->capacity, 44 + 5004);
    au_builder_reset(&au);
}

static void au_builder_append_up_to_the_limit(void **state)
{
    (void)state;
    struct au_builder au = {0};
    struct buf *big = buf_new(FRAME_BYTES_MAX);
    big->length = FRAME_BYTES_MAX;
    memset(big->data, 0x41, big->length);
    assert_int_equal(au_builder_append(&au, buf_bytes(big)), ERR_LIMIT);
    assert_int_equal(au_builder_append(&au, bytes_of(big->data, FRAME_BYTES_MAX - 4)), 0);
    assert_int_equal(au_builder_append(&au, bytes_of(big->data, 1)), ERR_LIMIT);
    assert_int_equal(au.buf->length, FRAME_BYTES_MAX);
    au_builder_reset(&au);
    buf_unref(&big);
}

static void frame_rate_set_reduces_and_refuses(void **state)
{
    (void)state;
    uint32_t num, den;
    frame_rate_set(50, 2, &num, &den);
    assert_int_equal(num, 25);
    assert_int_equal(den, 1);
    frame_rate_set(1, 0, &num, &den);
    assert_int_equal(num + den, 0);
    frame_rate_set(90000, 2, &num, &den); // a clock, not a rate
    assert_int_equal(num + den, 0);
    frame_rate_set(1, 8589934590, &num, &den);
    assert_int_equal(num + den, 0);
}

TEST_MAIN(TEST(au_builder_take_gives_memory_back), TEST(au_builder_append_one_slice_is_exact),
          TEST(au_builder_append_up_to_the_limit), TEST(frame_rate_set_reduces_and_refuses))
