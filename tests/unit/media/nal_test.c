// SPDX-License-Identifier: MIT
#include "media/nal.h"

#include "unit.h"

static void expect_nal(struct bytes *in, const char *text)
{
    struct bytes nal;
    assert_int_equal(nal_next_annexb(in, &nal), 0);
    assert_int_equal(nal.length, strlen(text));
    assert_memory_equal(nal.data, text, nal.length);
}

static void nal_next_annexb_three_and_four_byte_codes(void **state)
{
    (void)state;
    static const char stream[] = "\0\0\0\1abc\0\0\1de\0\0\0\1f\0\0\0\0\0\1gh\0\0";
    struct bytes in = bytes_of(stream, sizeof(stream) - 1), nal;
    expect_nal(&in, "abc");
    expect_nal(&in, "de");
    expect_nal(&in, "f");
    expect_nal(&in, "gh");
    assert_int_equal(nal_next_annexb(&in, &nal), ERR_NOT_FOUND);
    assert_int_equal(in.length, 0);
}

static void nal_next_annexb_garbage_in_front_and_empty_units_are_passed_over(void **state)
{
    (void)state;
    static const char stream[] = "junk\2\0\0\1\0\0\1\0\0\0\1x\1\0\2\0\0\3y";
    struct bytes in = bytes_of(stream, sizeof(stream) - 1), nal;
    assert_int_equal(nal_next_annexb(&in, &nal), 0);
    assert_int_equal(nal.length, 8);
    assert_memory_equal(nal.data, "x\1\0\2\0\0\3y", 8);
    assert_int_equal(nal_next_annexb(&in, &nal), ERR_NOT_FOUND);
}

static void nal_next_annexb_without_a_code_finds_nothing(void **state)
{
    (void)state;
    struct bytes in = bytes_of("\0\0", 2), nal;
    assert_int_equal(nal_next_annexb(&in, &nal), ERR_NOT_FOUND);
    in = bytes_of("\0\0\1", 3);
    assert_int_equal(nal_next_annexb(&in, &nal), ERR_NOT_FOUND);
    in = bytes_of(NULL, 0);
    assert_int_equal(nal_next_annexb(&in, &nal), ERR_NOT_FOUND);
}

static void nal_next_prefixed_each_width(void **state)
{
    (void)state;
    static const char *const stream[] = {"\2ab\1c", "\0\2ab\0\1c", NULL, "\0\0\0\2ab\0\0\0\1c"};
    for (unsigned width = 1; width <= 4; width++) {
        if (width == 3)
            continue;
        struct bytes in = bytes_of(stream[width - 1], 3 + 2 * width), nal;
        assert_int_equal(nal_next_prefixed(&in, width, &nal), 0);
        assert_memory_equal(nal.data, "ab", 2);
        assert_int_equal(nal_next_prefixed(&in, width, &nal), 0);
        assert_int_equal(nal.length, 1);
        assert_int_equal(nal_next_prefixed(&in, width, &nal), ERR_NOT_FOUND);
    }
}

static void nal_next_prefixed_past_the_end_is_invalid(void **state)
{
    (void)state;
    struct bytes in = bytes_of("\0\0\0\3ab", 6), nal;
    assert_int_equal(nal_next_prefixed(&in, 4, &nal), ERR_INVALID);
    assert_int_equal(in.length, 6);
    in = bytes_of("\xff\xff\xff\xff", 4);
    assert_int_equal(nal_next_prefixed(&in, 4, &nal), ERR_INVALID);
    in = bytes_of("\0\0", 2);
    assert_int_equal(nal_next_prefixed(&in, 4, &nal), ERR_INVALID);
}

static void nal_unescape_removes_only_what_was_put_in(void **state)
{
    (void)state;
    uint8_t out[32];
    assert_int_equal(nal_unescape(bytes_of("a\0\0\3\1\0\0\3\0\0\3", 11), out, sizeof(out)), 8);
    assert_memory_equal(out, "a\0\0\1\0\0\0\0", 8);
    assert_int_equal(nal_unescape(bytes_of("\3\0\3", 3), out, sizeof(out)), 3);
    assert_int_equal(nal_unescape(bytes_of("abcdef", 6), out, 4), 4);
}

TEST_MAIN(TEST(nal_next_annexb_three_and_four_byte_codes),
          TEST(nal_next_annexb_garbage_in_front_and_empty_units_are_passed_over),
          TEST(nal_next_annexb_without_a_code_finds_nothing), TEST(nal_next_prefixed_each_width),
          TEST(nal_next_prefixed_past_the_end_is_invalid),
          TEST(nal_unescape_removes_only_what_was_put_in))
