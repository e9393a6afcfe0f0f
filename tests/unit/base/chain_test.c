// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/chain.h"

static void assert_chain_is(const struct chain *chain, const char *text)
{
    assert_int_equal(chain->bytes, strlen(text));
    struct buf *joined = chain_join(chain);
    assert_int_equal(joined->length, strlen(text));
    assert_memory_equal(joined->data, text, strlen(text));
    buf_unref(&joined);
}

static void chain_add_holds_its_own_reference(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct buf *buf = buf_new_copy("abcdef", 6);
    chain_add(&chain, buf, 2, 3);
    chain_add(&chain, buf, 0, 1);
    chain_add(&chain, buf, 6, 0);
    assert_int_equal(chain.count, 2);
    assert_int_equal(buf->refs, 3);
    buf_unref(&buf);
    assert_chain_is(&chain, "cdea");
    chain_fini(&chain);
    chain_add_copy(&chain, "usable", 6);
    assert_chain_is(&chain, "usable");
    chain_fini(&chain);
}

static void chain_take_blanks_pointer_also_when_empty(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct buf *buf = buf_new_copy("xyz", 3), *empty = buf_new(10);
    chain_take(&chain, &buf);
    chain_take(&chain, &empty);
    assert_null(buf);
    assert_null(empty);
    assert_int_equal(chain.count, 1);
    assert_chain_is(&chain, "xyz");
    chain_fini(&chain);
}

static void chain_consume_across_and_inside_slices(void **state)
{
    (void)state;
    struct chain chain = {0};
    chain_add_copy(&chain, "one", 3);
    chain_add_copy(&chain, "two", 3);
    chain_add_copy(&chain, "three", 5);
    chain_consume(&chain, 0);
    chain_consume(&chain, 2);
    assert_chain_is(&chain, "etwothree");
    chain_consume(&chain, 4);
    assert_int_equal(chain.count, 1);
    chain_consume(&chain, 1);
    assert_chain_is(&chain, "hree");
    chain_consume(&chain, 4);
    assert_int_equal(chain.count, 0);
    assert_chain_is(&chain, "");
    chain_fini(&chain);
}

static void consume_three(void *chain)
{
    chain_consume(chain, 3);
}

static void chain_consume_more_than_there_is_dies(void **state)
{
    (void)state;
    struct chain chain = {0};
    chain_add_copy(&chain, "ab", 2);
    assert_true(unit_dies(consume_three, &chain));
    chain_fini(&chain);
}

static void add_outside(void *buf)
{
    struct chain chain = {0};
    chain_add(&chain, buf, 3, 2);
}

static void add_range_outside(void *from)
{
    struct chain to = {0};
    chain_add_range(&to, from, 3, 2);
}

static void chain_add_outside_dies(void **state)
{
    (void)state;
    struct chain from = {0};
    struct buf *buf = buf_new_copy("abcd", 4);
    assert_true(unit_dies(add_outside, buf));
    chain_take(&from, &buf);
    assert_true(unit_dies(add_range_outside, &from));
    chain_add_copy(&from, "e", 1);
    assert_false(unit_dies(add_range_outside, &from));
    chain_fini(&from);
}

static void chain_used_as_a_queue_keeps_order_and_stays_small(void **state)
{
    (void)state;
    struct chain chain = {0};
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 5; i++, in++)
            chain_add_copy(&chain, &in, sizeof(in));
        while (chain.count > (round < 500 ? 10u : 2u)) {
            struct iovec first;
            assert_int_equal(chain_iovec(&chain, &first, 1), 1);
            assert_memory_equal(first.iov_base, &out, sizeof(out));
            chain_consume(&chain, sizeof(out));
            out++;
        }
    }
    assert_true(chain.capacity <= 32);
    chain_fini(&chain);
}

static void chain_move_into_empty_and_into_full(void **state)
{
    (void)state;
    struct chain to = {0}, from = {0};
    chain_add_copy(&from, "x", 1);
    chain_add_copy(&from, "ab", 2);
    chain_consume(&from, 1);
    chain_move(&to, &from);
    assert_chain_is(&to, "ab");
    assert_chain_is(&from, "");
    chain_add_copy(&from, "cd", 2);
    chain_move(&to, &from);
    assert_chain_is(&to, "abcd");
    assert_chain_is(&from, "");
    chain_move(&to, &from);
    assert_chain_is(&to, "abcd");
    chain_add_copy(&from, "more", 4);
    assert_chain_is(&from, "more");
    chain_fini(&to);
    chain_fini(&from);
}

static void chain_add_range_every_range_is_right(void **state)
{
    (void)state;
    static const char all[] = "abcdefghij";
    struct chain from = {0};
    chain_add_copy(&from, "__abc", 5);
    chain_add_copy(&from, "d", 1);
    chain_add_copy(&from, "efghij", 6);
    chain_consume(&from, 2);
    for (size_t offset = 0; offset <= 10; offset++) {
        for (size_t length = 0; offset + length <= 10; length++) {
            struct chain to = {0};
            char want[11] = {0};
            memcpy(want, all + offset, length);
            chain_add_range(&to, &from, offset, length);
            assert_chain_is(&to, want);
            chain_fini(&to);
        }
    }
    assert_chain_is(&from, all);
    chain_fini(&from);
}

static void chain_iovec_gives_at_most_what_was_asked(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct iovec vectors[4];
    assert_int_equal(chain_iovec(&chain, vectors, 4), 0);
    chain_add_copy(&chain, "abc", 3);
    chain_add_copy(&chain, "de", 2);
    chain_consume(&chain, 1);
    assert_int_equal(chain_iovec(&chain, vectors, 1), 1);
    assert_int_equal(chain_iovec(&chain, vectors, 4), 2);
    assert_int_equal(vectors[0].iov_len, 2);
    assert_memory_equal(vectors[0].iov_base, "bc", 2);
    assert_memory_equal(vectors[1].iov_base, "de", 2);
    chain_fini(&chain);
}

TEST_MAIN(TEST(chain_add_holds_its_own_reference), TEST(chain_take_blanks_pointer_also_when_empty),
          TEST(chain_consume_across_and_inside_slices), TEST(chain_consume_more_than_there_is_dies),
          TEST(chain_add_outside_dies), TEST(chain_used_as_a_queue_keeps_order_and_stays_small),
          TEST(chain_move_into_empty_and_into_full), TEST(chain_add_range_every_range_is_right),
          TEST(chain_iovec_gives_at_most_what_was_asked))
