// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/bytes.h"
#include "base/writer.h"

static void bytes_read_numbers_are_big_endian(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    struct bytes in = bytes_of(data, sizeof(data));
    uint8_t u8;
    uint16_t u16;
    uint32_t u24, u32;
    uint64_t u64;
    assert_true(bytes_read_u8(&in, &u8));
    assert_true(bytes_read_u16(&in, &u16));
    assert_true(bytes_read_u24(&in, &u24));
    assert_true(bytes_read_u32(&in, &u32));
    assert_true(bytes_read_u64(&in, &u64));
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0203);
    assert_int_equal(u24, 0x040506);
    assert_int_equal(u32, 0x0708090a);
    assert_true(u64 == 0x0b0c0d0e0f101112u);
    assert_int_equal(in.length, 0);
}

static void bytes_read_too_short_leaves_slice(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    struct bytes in = bytes_of(data, 3), part = {0};
    uint32_t u32 = 7;
    assert_false(bytes_read_u32(&in, &u32));
    assert_false(bytes_skip(&in, 4));
    assert_false(bytes_take(&in, 4, &part));
    assert_int_equal(u32, 7);
    assert_null(part.data);
    assert_true(in.data == data && in.length == 3);
    assert_true(bytes_take(&in, 3, &part));
    assert_true(part.data == data && part.length == 3 && in.length == 0);
}

static void bytes_read_varint_every_length_comes_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (bit == 64 ? 0 : (uint64_t)1 << bit) + (uint64_t)(int64_t)delta, back;
            uint8_t out[10];
            size_t length = varint_encode(out, value);
            struct bytes in = bytes_of(out, length);
            assert_true(bytes_read_varint(&in, &back));
            assert_true(back == value);
            assert_int_equal(in.length, 0);
            // One byte less is not a number, and nothing moves. In a block of its own, so that a
            // sanitizer sees a look past its end.
            uint8_t *less = mem_dup(out, length - 1);
            in = bytes_of(less, length - 1);
            assert_false(bytes_read_varint(&in, &back));
            assert_int_equal(in.length, length - 1);
            mem_free(less);
        }
    }
}

static void bytes_read_varint_beyond_64_bits_is_refused(void **state)
{
    (void)state;
    static const uint8_t largest[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
    static const uint8_t above[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    static const uint8_t endless[] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0};
    uint64_t value;
    struct bytes in = bytes_of(largest, sizeof(largest));
    assert_true(bytes_read_varint(&in, &value));
    assert_true(value == UINT64_MAX);
    in = bytes_of(above, sizeof(above));
    assert_false(bytes_read_varint(&in, &value));
    assert_int_equal(in.length, sizeof(above));
    in = bytes_of(endless, sizeof(endless));
    assert_false(bytes_read_varint(&in, &value));
}

static void bytes_read_varint_signed_is_zigzag(void **state)
{
    (void)state;
    static const int64_t values[] = {0, -1, 1, -2, 2, -64, 64, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t out[10];
        int64_t back;
        size_t length = varint_encode(out, varint_zigzag(values[i]));
        if (i < 5)
            assert_true(length == 1 && out[0] == i);
        struct bytes in = bytes_of(out, length);
        assert_true(bytes_read_varint_signed(&in, &back));
        assert_true(back == values[i]);
    }
    struct bytes none = bytes_of("", 0);
    int64_t unused;
    assert_false(bytes_read_varint_signed(&none, &unused));
}

TEST_MAIN(TEST(bytes_read_numbers_are_big_endian), TEST(bytes_read_too_short_leaves_slice),
          TEST(bytes_read_varint_every_length_comes_back),
          TEST(bytes_read_varint_beyond_64_bits_is_refused),
          TEST(bytes_read_varint_signed_is_zigzag))
