// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/buf.h"

static void count_release(void *arg)
{
    ++*(int *)arg;
}

static void buf_unref_last_frees_and_blanks(void **state)
{
    (void)state;
    struct buf *one = buf_new_copy("abc", 3), *two = buf_ref(one);
    assert_ptr_equal(one, two);
    buf_unref(&one);
    assert_null(one);
    assert_memory_equal(two->data, "abc", 3);
    buf_unref(&two);
    assert_null(two);
    buf_unref(&two); // NULL is fine
    assert_int_equal(mem_live_count(), 0);
}

static void buf_new_foreign_releases_once_at_zero(void **state)
{
    (void)state;
    int released = 0;
    uint8_t memory[4] = {1, 2, 3, 4};
    struct buf *one = buf_new_foreign(memory, 4, count_release, &released);
    struct buf *two = buf_ref(one);
    assert_ptr_equal(buf_bytes(one).data, memory);
    assert_int_equal(buf_bytes(one).length, 4);
    buf_unref(&one);
    assert_int_equal(released, 0);
    buf_unref(&two);
    assert_int_equal(released, 1);
}

static void buf_try_new_no_memory_is_null(void **state)
{
    (void)state;
    mem_fail_nth(1);
    assert_null(buf_try_new(10));
    assert_null(buf_try_new(SIZE_MAX));
    struct buf *buf = buf_try_new(10);
    assert_int_equal(buf->capacity, 10);
    assert_int_equal(buf->length, 0);
    buf_unref(&buf);
}

static void append_five(void *buf)
{
    buf_append(buf, "12345", 5);
}

static void buf_append_beyond_capacity_or_shared_dies(void **state)
{
    (void)state;
    struct buf *buf = buf_new(9);
    buf_append(buf, "1234", 4);
    assert_false(unit_dies(append_five, buf));
    buf_append(buf, "x", 1);
    assert_true(unit_dies(append_five, buf));
    struct buf *roomy = buf_new(100), *shared = buf_ref(roomy);
    assert_true(unit_dies(append_five, roomy));
    buf_unref(&shared);
    buf_unref(&roomy);
    buf_unref(&buf);
}

static void buf_reserve_moves_and_keeps_bytes(void **state)
{
    (void)state;
    struct buf *buf = buf_new_copy("abc", 3);
    buf_reserve(&buf, 100000);
    assert_true(buf->capacity >= 100003);
    assert_int_equal(buf->length, 3);
    assert_memory_equal(buf->data, "abc", 3);
    size_t capacity = buf->capacity;
    buf_reserve(&buf, capacity - 3);
    assert_int_equal(buf->capacity, capacity);
    buf_unref(&buf);
}

static void buf_trim_keeps_bytes_and_gives_back_room(void **state)
{
    (void)state;
    struct buf *buf = buf_new(1 << 20);
    buf_append(buf, "abc", 3);
    buf_trim(&buf);
    assert_int_equal(buf->capacity, 3);
    assert_int_equal(buf->length, 3);
    assert_memory_equal(buf->data, "abc", 3);
    buf_trim(&buf);
    assert_int_equal(buf->capacity, 3);
    buf_unref(&buf);
}

static void unref_dead(void *arg)
{
    struct buf dead = *(struct buf *)arg, *pointer = &dead;
    dead.magic = 0;
    buf_unref(&pointer);
}

static void buf_unref_not_a_buf_dies(void **state)
{
    (void)state;
    struct buf *buf = buf_new(0);
    assert_true(unit_dies(unref_dead, buf));
    buf_unref(&buf);
}

TEST_MAIN(TEST(buf_unref_last_frees_and_blanks), TEST(buf_new_foreign_releases_once_at_zero),
          TEST(buf_try_new_no_memory_is_null), TEST(buf_append_beyond_capacity_or_shared_dies),
          TEST(buf_reserve_moves_and_keeps_bytes), TEST(buf_trim_keeps_bytes_and_gives_back_room),
          TEST(buf_unref_not_a_buf_dies))
