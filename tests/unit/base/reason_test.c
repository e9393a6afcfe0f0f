// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/reason.h"

static void reason_names_are_words_and_unique(void **state)
{
    (void)state;
    for (unsigned a = 0; a < REASON_COUNT; a++) {
        const char *name = reason_name((enum reason)a);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        assert_true(strlen(name) > 0 && strlen(reason_text((enum reason)a)) > 0);
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(name, reason_name((enum reason)b));
    }
}

static void reason_is_error_as_the_table_says(void **state)
{
    (void)state;
    assert_false(reason_is_error(REASON_PEER_CLOSED));
    assert_true(reason_is_error(REASON_PEER_RESET));
    assert_false(reason_is_error(REASON_NONE));
    assert_string_equal(reason_name(REASON_EOF), "end_of_file");
    assert_string_equal(reason_text(REASON_DISK_FULL), "the disk is full");
}

static void name_count(void *arg)
{
    (void)arg;
    reason_name(REASON_COUNT);
}

static void reason_outside_table_dies(void **state)
{
    (void)state;
    assert_true(unit_dies(name_count, NULL));
}

TEST_MAIN(TEST(reason_names_are_words_and_unique), TEST(reason_is_error_as_the_table_says),
          TEST(reason_outside_table_dies))
