// SPDX-License-Identifier: MIT
#include "media/timebase.h"

#include "unit.h"

static void ticks_rescale_rounds_to_nearest_halves_up(void **state)
{
    (void)state;
    assert_int_equal(ticks_rescale(1, 2, 1), 1);   // 0.5
    assert_int_equal(ticks_rescale(-1, 2, 1), 0);  // -0.5
    assert_int_equal(ticks_rescale(-3, 2, 1), -1); // -1.5
    assert_int_equal(ticks_rescale(1, 3, 1), 0);
    assert_int_equal(ticks_rescale(2, 3, 1), 1);
    assert_int_equal(ticks_rescale(-2, 3, 1), -1);
    assert_int_equal(ticks_rescale(1024, 48000, 90000), 1920);
}

static void ticks_rescale_shift_keeps_distances(void **state)
{
    (void)state;
    // A whole second of shift in one scale is a whole second in the other, also across zero.
    for (int64_t value = -100; value < 100; value++)
        assert_int_equal(ticks_rescale(value + 44100 * 7, 44100, 90000),
                         ticks_rescale(value, 44100, 90000) + 90000 * 7);
}

static void ticks_rescale_absolute_utc_is_exact(void **state)
{
    (void)state;
    int64_t utc_s = 4102444800; // year 2100
    assert_int_equal(ticks_rescale(utc_s * 90000 + 1, 90000, 48000), utc_s * 48000 + 1);
    assert_int_equal(ticks_to_us(utc_s * 48000, 48000), utc_s * 1000000);
    assert_int_equal(ticks_from_us(utc_s * 1000000 + 500000, 90000), utc_s * 90000 + 45000);
    for (int64_t i = 0; i < 1000; i++) { // there and back through the finer scale
        int64_t ticks = utc_s * 44100 + i;
        assert_int_equal(ticks_from_us(ticks_to_us(ticks, 44100), 44100), ticks);
    }
}

static void ticks_rescale_foreign_extremes_saturate(void **state)
{
    (void)state;
    assert_true(ticks_rescale(INT64_MAX, 1, UINT32_MAX) == INT64_MAX);
    assert_true(ticks_rescale(INT64_MIN, 1, UINT32_MAX) == INT64_MIN);
    assert_true(ticks_rescale(INT64_MIN, 1, 1) == INT64_MIN);
}

static void no_scale(void *arg)
{
    (void)arg;
    ticks_rescale(1, 0, 90000);
}

static void ticks_rescale_zero_scale_dies(void **state)
{
    (void)state;
    assert_true(unit_dies(no_scale, NULL));
}

static void unwrap_next_forward_and_backward_across_the_wrap(void **state)
{
    (void)state;
    struct unwrap unwrap = {.bits = 33};
    const int64_t wrap = 1LL << 33;
    assert_int_equal(unwrap_next(&unwrap, (uint64_t)wrap - 10), wrap - 10);
    assert_int_equal(unwrap_next(&unwrap, 5), wrap + 5);
    assert_int_equal(unwrap_next(&unwrap, (uint64_t)wrap - 3), wrap - 3);
    assert_int_equal(unwrap_next(&unwrap, 90000), wrap + 90000);
}

static void unwrap_next_rtp_many_wraps_goes_on(void **state)
{
    (void)state;
    struct unwrap unwrap = {.bits = 32};
    int64_t expected = 0xfffffff0;
    uint32_t wire = 0xfffffff0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(unwrap_next(&unwrap, wire), expected);
        wire += 0x7fff0000;
        expected += 0x7fff0000;
    }
}

static void unwrap_next_first_small_then_backwards_goes_below_zero(void **state)
{
    (void)state;
    struct unwrap unwrap = {.bits = 32};
    assert_int_equal(unwrap_next(&unwrap, 10), 10);
    assert_int_equal(unwrap_next(&unwrap, 0xffffffff), -1);
    assert_int_equal(unwrap_next(&unwrap, 11), 11);
}

TEST_MAIN(TEST(ticks_rescale_rounds_to_nearest_halves_up),
          TEST(ticks_rescale_shift_keeps_distances), TEST(ticks_rescale_absolute_utc_is_exact),
          TEST(ticks_rescale_foreign_extremes_saturate), TEST(ticks_rescale_zero_scale_dies),
          TEST(unwrap_next_forward_and_backward_across_the_wrap),
          TEST(unwrap_next_rtp_many_wraps_goes_on),
          TEST(unwrap_next_first_small_then_backwards_goes_below_zero))
