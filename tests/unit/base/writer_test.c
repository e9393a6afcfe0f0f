// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/writer.h"

static void writer_numbers_are_big_endian(void **state)
{
    (void)state;
    struct writer writer = {0};
    assert_int_equal(writer_length(&writer), 0);
    writer_u8(&writer, 1);
    writer_u16(&writer, 0x0203);
    writer_u24(&writer, 0x040506);
    writer_u32(&writer, 0x0708090a);
    writer_u64(&writer, 0x0b0c0d0e0f101112u);
    writer_varint(&writer, 300);
    writer_varint_signed(&writer, -1);
    writer_patch_u32(&writer, 1, 0xaabbccddu);
    static const uint8_t want[] = {1,  0xaa, 0xbb, 0xcc, 0xdd, 6,  7,  8,    9, 10, 11,
                                   12, 13,   14,   15,   16,   17, 18, 0xac, 2, 1};
    struct buf *buf = writer_take(&writer);
    assert_int_equal(buf->length, sizeof(want));
    assert_memory_equal(buf->data, want, sizeof(want));
    assert_null(writer.buf);
    buf_unref(&buf);
}

static void writer_take_of_nothing_is_an_empty_buf(void **state)
{
    (void)state;
    struct writer writer;
    writer_init(&writer, 0);
    struct buf *buf = writer_take(&writer);
    assert_int_equal(buf->length, 0);
    buf_unref(&buf);
    writer_init(&writer, 100);
    writer_text(&writer, "dropped");
    writer_fini(&writer);
}

static void writer_grows_and_keeps_what_was_written(void **state)
{
    (void)state;
    struct writer writer;
    writer_init(&writer, 1);
    for (uint32_t i = 0; i < 10000; i++)
        writer_u32(&writer, i);
    memset(writer_reserve(&writer, 70000), 'x', 70000);
    writer_text(&writer, "end");
    assert_int_equal(writer_length(&writer), 110003);
    struct buf *buf = writer_take(&writer);
    struct bytes in = buf_bytes(buf);
    for (uint32_t i = 0, value; i < 10000; i++)
        assert_true(bytes_read_u32(&in, &value) && value == i);
    assert_int_equal(in.data[69999], 'x');
    assert_memory_equal(in.data + 70000, "end", 3);
    buf_unref(&buf);
}

static void writer_printf_longer_than_first_guess(void **state)
{
    (void)state;
    for (int length = 120; length < 140; length++) {
        struct writer writer = {0};
        writer_text(&writer, "<");
        writer_printf(&writer, "%*d", length, 7);
        writer_text(&writer, ">");
        assert_int_equal(writer_length(&writer), length + 2);
        assert_int_equal(writer.buf->data[length], '7');
        assert_int_equal(writer.buf->data[length + 1], '>');
        writer_fini(&writer);
    }
}

static void patch_past_end(void *writer)
{
    writer_patch_u32(writer, 1, 0);
}

static void write_25_bits(void *arg)
{
    struct writer writer = {0};
    writer_u24(&writer, 0xffffff + *(uint32_t *)arg);
}

static void writer_u24_more_than_24_bits_dies(void **state)
{
    (void)state;
    uint32_t more = 0;
    assert_false(unit_dies(write_25_bits, &more));
    more = 1;
    assert_true(unit_dies(write_25_bits, &more));
}

static void writer_patch_outside_dies(void **state)
{
    (void)state;
    struct writer writer = {0};
    assert_true(unit_dies(patch_past_end, &writer));
    writer_u32(&writer, 0);
    assert_true(unit_dies(patch_past_end, &writer));
    writer_u8(&writer, 0);
    assert_false(unit_dies(patch_past_end, &writer));
    writer_fini(&writer);
}

static void writer_decimal_is_printfs(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 9, 10, 1234567890, UINT64_MAX};
    struct writer ours = {0}, printed = {0};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        writer_decimal(&ours, values[i]);
        writer_printf(&printed, "%llu", (unsigned long long)values[i]);
    }
    assert_int_equal(writer_length(&ours), writer_length(&printed));
    assert_memory_equal(ours.buf->data, printed.buf->data, writer_length(&ours));
    writer_fini(&ours);
    writer_fini(&printed);
}

TEST_MAIN(TEST(writer_decimal_is_printfs), TEST(writer_numbers_are_big_endian),
          TEST(writer_take_of_nothing_is_an_empty_buf),
          TEST(writer_grows_and_keeps_what_was_written),
          TEST(writer_printf_longer_than_first_guess), TEST(writer_u24_more_than_24_bits_dies),
          TEST(writer_patch_outside_dies))
