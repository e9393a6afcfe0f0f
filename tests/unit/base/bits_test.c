// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/bits.h"

static void bits_read_across_bytes(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xa5, 0x3c, 0xff, 0x00, 0x81, 0x7e};
    struct bits bits = bits_of(bytes_of(data, sizeof(data)));
    assert_int_equal(bits_left(&bits), 48);
    assert_int_equal(bits_read(&bits, 3), 5);
    assert_int_equal(bits_read(&bits, 0), 0);
    assert_false(bits_read_flag(&bits));
    assert_int_equal(bits_read(&bits, 32), 0x53cff008);
    bits_skip(&bits, 3);
    assert_int_equal(bits_read(&bits, 9), 0x17e);
    assert_int_equal(bits_left(&bits), 0);
    assert_false(bits.overrun);
}

static void bits_read_past_end_is_zero_for_ever(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xff, 0xff};
    struct bits bits = bits_of(bytes_of(data, 2));
    bits_skip(&bits, 6);
    assert_int_equal(bits_read(&bits, 11), 0);
    assert_true(bits.overrun);
    assert_int_equal(bits_read(&bits, 1), 0); // even what there would have been
    assert_int_equal(bits_left(&bits), 0);
    bits = bits_of(bytes_of(data, 2));
    bits_skip(&bits, SIZE_MAX);
    assert_true(bits.overrun);
}

static void bits_ue_every_size_comes_back(void **state)
{
    (void)state;
    for (uint64_t base = 1; base <= (uint64_t)1 << 32; base <<= 1) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = base - 1 + (uint64_t)(int64_t)delta;
            if (value > UINT32_MAX)
                continue;
            uint8_t data[10] = {0};
            struct bits_writer out = {.data = data, .capacity = sizeof(data)};
            bits_write(&out, 1, 1);
            bits_write_ue(&out, (uint32_t)value);
            bits_write_trailing(&out);
            assert_false(out.full);
            assert_int_equal(out.bit % 8, 0);
            struct bits bits = bits_of(bytes_of(data, out.bit / 8));
            assert_true(bits_read_flag(&bits));
            assert_true(bits_read_ue(&bits) == value);
            assert_true(bits_read_flag(&bits)); // the stop bit
            assert_false(bits.overrun);
        }
    }
}

static void bits_ue_known_codes(void **state)
{
    (void)state;
    // 1 010 011 00100 00101 (table 9-2): 0 1 2 3 4
    static const uint8_t data[] = {0xa6, 0x42, 0x80};
    struct bits bits = bits_of(bytes_of(data, sizeof(data)));
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(bits_read_ue(&bits), i);
    bits = bits_of(bytes_of(data, sizeof(data)));
    static const int32_t signs[] = {0, 1, -1, 2, -2}; // table 9-3
    for (int i = 0; i < 5; i++)
        assert_int_equal(bits_read_se(&bits), signs[i]);
}

static void bits_ue_too_long_is_overrun(void **state)
{
    (void)state;
    uint8_t data[16] = {0};
    data[4] = 0x80; // 32 zeros, a one, 32 zeros: the largest
    struct bits bits = bits_of(bytes_of(data, sizeof(data)));
    assert_true(bits_read_ue(&bits) == UINT32_MAX);
    assert_false(bits.overrun);
    data[8] = 0x80; // 32 zeros, a one, then not all zeros: above 32 bits
    bits = bits_of(bytes_of(data, sizeof(data)));
    assert_int_equal(bits_read_ue(&bits), 0);
    assert_true(bits.overrun);
    data[4] = 0x40; // 33 zeros
    bits = bits_of(bytes_of(data, sizeof(data)));
    assert_int_equal(bits_read_ue(&bits), 0);
    assert_true(bits.overrun);
    bits = bits_of(bytes_of(data, 3)); // zeros to the end
    assert_int_equal(bits_read_ue(&bits), 0);
    assert_true(bits.overrun);
    data[0] = 0x08; // 4 zeros and a one, but two of the four bits after it
    bits = bits_of(bytes_of(data, 1));
    assert_int_equal(bits_read_ue(&bits), 0);
    assert_true(bits.overrun);
}

static void bits_se_limits(void **state)
{
    (void)state;
    static const int32_t values[] = {0, 1, -1, 1000, -1000, INT32_MAX, -INT32_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t data[9] = {0};
        struct bits_writer out = {.data = data, .capacity = sizeof(data)};
        bits_write_se(&out, values[i]);
        struct bits bits = bits_of(bytes_of(data, sizeof(data)));
        assert_int_equal(bits_read_se(&bits), values[i]);
        assert_false(bits.overrun);
    }
    uint8_t data[9] = {0, 0, 0, 0, 0x80}; // code 2^32 - 1 stands for 2^31
    struct bits bits = bits_of(bytes_of(data, sizeof(data)));
    assert_int_equal(bits_read_se(&bits), 0);
    assert_true(bits.overrun);
}

static void bits_write_full_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t data[3] = {0xff, 0xff, 0xee};
    struct bits_writer out = {.data = data, .capacity = 2};
    bits_write(&out, 0, 4);
    bits_write(&out, 0x1234, 13);
    assert_true(out.full);
    assert_int_equal(out.bit, 4);
    bits_write(&out, 0, 1); // sticky
    bits_write_ue(&out, 0);
    assert_int_equal(out.bit, 4);
    assert_int_equal(data[0], 0x0f); // bits not written stay
    assert_int_equal(data[2], 0xee);
    out = (struct bits_writer){.data = data, .capacity = 1};
    bits_write(&out, 1, 1);
    bits_write_ue(&out, 7); // seven bits: just fits
    assert_false(out.full);
    assert_int_equal(data[0], 0x88);
    out = (struct bits_writer){.data = data, .capacity = 2};
    bits_write(&out, 0xabcd, 16);
    assert_false(out.full);
    bits_write(&out, 0, 0);
    assert_false(out.full);
    out = (struct bits_writer){.data = data, .capacity = 1};
    bits_write_ue(&out, 200); // fifteen bits: not even its zeros
    assert_true(out.full);
    assert_int_equal(out.bit, 0);
}

TEST_MAIN(TEST(bits_read_across_bytes), TEST(bits_read_past_end_is_zero_for_ever),
          TEST(bits_ue_every_size_comes_back), TEST(bits_ue_known_codes),
          TEST(bits_ue_too_long_is_overrun), TEST(bits_se_limits),
          TEST(bits_write_full_writes_nothing_more))
