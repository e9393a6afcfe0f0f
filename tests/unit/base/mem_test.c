// SPDX-License-Identifier: MIT
#include "unit.h"

// The address sanitizer ends the program at an impossible size, unless told that this is expected.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void mem_alloc_gives_zeroed_and_counts(void **state)
{
    (void)state;
    unsigned char *block = mem_alloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(block[i], 0);
    void *empty = mem_alloc(0);
    assert_non_null(empty);
    assert_int_equal(mem_live_count(), 2);
    mem_free(block);
    mem_free(empty);
    mem_free(NULL);
    assert_int_equal(mem_live_count(), 0);
}

static void mem_free_foreign_does_not_count(void **state)
{
    (void)state;
    void *ours = mem_alloc(1);
    char *theirs = NULL;
    size_t length;
    FILE *out = open_memstream(&theirs, &length);
    fclose(out);
    mem_free_foreign(theirs);
    assert_int_equal(mem_live_count(), 1);
    mem_free(ours);
}

static void mem_resize_keeps_bytes_and_count(void **state)
{
    (void)state;
    char *block = mem_resize(NULL, 4);
    memcpy(block, "abc", 4);
    assert_int_equal(mem_live_count(), 1);
    block = mem_resize(block, 1 << 20);
    assert_string_equal(block, "abc");
    assert_int_equal(mem_live_count(), 1);
    mem_free(block);
}

static void mem_try_alloc_fails_at_the_chosen_call(void **state)
{
    (void)state;
    mem_fail_nth(2);
    void *first = mem_try_alloc(1), *second = mem_try_alloc(1), *third = mem_try_alloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    mem_fail_nth(1);
    mem_fail_nth(0);
    void *fourth = mem_try_alloc(1);
    assert_non_null(fourth);
    mem_free(first);
    mem_free(third);
    mem_free(fourth);
}

static void mem_try_alloc_impossible_size_is_null(void **state)
{
    (void)state;
    volatile size_t huge = SIZE_MAX / 2;
    assert_null(mem_try_alloc(huge));
    assert_int_equal(mem_live_count(), 0);
}

static void mem_strndup_stops_at_zero_or_length(void **state)
{
    (void)state;
    char *cut = mem_strndup("hello", 2), *whole = mem_strndup("hi", 10), *copy = mem_strdup("x");
    assert_string_equal(cut, "he");
    assert_string_equal(whole, "hi");
    assert_string_equal(copy, "x");
    mem_free(cut);
    mem_free(whole);
    mem_free(copy);
}

static void mem_dup_copies_also_nothing(void **state)
{
    (void)state;
    char *copy = mem_dup("a\0b", 3);
    assert_memory_equal(copy, "a\0b", 3);
    void *none = mem_dup(NULL, 0);
    assert_non_null(none);
    mem_free(copy);
    mem_free(none);
}

TEST_MAIN(TEST(mem_alloc_gives_zeroed_and_counts), TEST(mem_free_foreign_does_not_count),
          TEST(mem_resize_keeps_bytes_and_count), TEST(mem_try_alloc_fails_at_the_chosen_call),
          TEST(mem_try_alloc_impossible_size_is_null), TEST(mem_strndup_stops_at_zero_or_length),
          TEST(mem_dup_copies_also_nothing))
