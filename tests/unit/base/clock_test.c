// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/clock.h"

static void clock_system_moves_forward(void **state)
{
    (void)state;
    int64_t before = now_us();
    assert_true(before > 0 && now_us() >= before);
    assert_true(utc_us() > 1700000000 * US_PER_S);
}

static void clock_set_test_stands_until_advanced(void **state)
{
    (void)state;
    clock_set_test(100, 5000);
    assert_int_equal(now_us(), 100);
    assert_int_equal(utc_us(), 5000);
    clock_advance_test(7);
    assert_int_equal(now_us(), 107);
    assert_int_equal(utc_us(), 5007);
    clock_use_system();
    assert_true(utc_us() > 1700000000 * US_PER_S);
}

TEST_MAIN(TEST(clock_system_moves_forward), TEST(clock_set_test_stands_until_advanced))
