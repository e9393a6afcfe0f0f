// SPDX-License-Identifier: MIT
// Names and tails of the files of a cache.
#include "cache_parse.h"

#include <string.h>

#include "unit.h"

static int parse(const char *name, struct segment_info *out)
{
    return cache_name_parse(bytes_of(name, strlen(name)), out);
}

static void cache_name_reads_back(void **state)
{
    (void)state;
    const struct segment_info info = {.number = 1767225600,
                                      .utc_start_us = 1767225600123456,
                                      .duration_us = 4000000,
                                      .bytes = 1048576,
                                      .generation = 0xdeadbeef,
                                      .flags = 3};
    struct segment_info again;
    char name[CACHE_NAME_ROOM];
    cache_name_write(&info, name);
    assert_string_equal(name, "1767225600123456-1767225600-4000000-1048576-deadbeef-3.seg");
    assert_int_equal(parse(name, &again), 0);
    assert_memory_equal(&again.number, &info.number, sizeof info.number);
    assert_int_equal(again.utc_start_us, info.utc_start_us);
    assert_int_equal(again.duration_us, info.duration_us);
    assert_int_equal(again.bytes, info.bytes);
    assert_int_equal(again.generation, info.generation);
    assert_int_equal(again.flags, info.flags);
}

static void cache_name_of_others_is_not_read(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "1-2-3-4-5-6",
        "1-2-3-4-5-6.seg.new",
        "-2-3-4-5-6.seg",
        "01-2-3-4-5-6.seg",
        "1-2-3-0-5-6.seg",
        "1-2-3-4-5-100.seg",
        "1-2-3-4-g-6.seg",
        "+1-2-3-4-5-6.seg",
        "1-2-3-268435457-5-6.seg",
        "1-2-3-4-5-6.segx",
        "99999999999999999999-2-3-4-5-6.seg",
        "1-2-3-4-123456789-6.seg",
        "1-2-3-4-5.seg",
    };
    struct segment_info info;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(parse(names[i], &info), ERR_INVALID);
    assert_int_equal(cache_name_parse(bytes_of("1-2-3-4-5-6.seg\0x", 17), &info), ERR_INVALID);
    assert_int_equal(parse("1-2-3-4-5-6.seg", &info), 0);
}

static void cache_tail_with_any_bit_turned_is_refused(void **state)
{
    (void)state;
    struct buf *init = buf_new_copy("init", 4), *heads = buf_new_copy("of chunks", 9);
    struct buf *tail = cache_tail_write(init, heads);
    struct bytes a, b;
    assert_int_equal(tail->length, CACHE_TAIL_HEAD + 13);
    assert_int_equal(cache_tail_parse(buf_bytes(tail), &a, &b), 0);
    assert_int_equal(a.length, 4);
    assert_memory_equal(b.data, "of chunks", 9);
    for (size_t bit = 0; bit < tail->length * 8; bit++) {
        tail->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cache_tail_parse(buf_bytes(tail), &a, &b), ERR_INVALID);
        tail->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length < tail->length; length++)
        assert_int_equal(cache_tail_parse(bytes_of(tail->data, length), &a, &b), ERR_INVALID);
    buf_unref(&init);
    buf_unref(&heads);
    buf_unref(&tail);
}

TEST_MAIN(TEST(cache_name_reads_back), TEST(cache_name_of_others_is_not_read),
          TEST(cache_tail_with_any_bit_turned_is_refused))
