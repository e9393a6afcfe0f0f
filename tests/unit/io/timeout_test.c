// SPDX-License-Identifier: MIT
#include "io/timeout.h"

#include "base/clock.h"
#include "loop_fixture.h"
#include "unit.h"

static int fired[64];
static int fired_count;

static void on_timeout(void *arg)
{
    fired[fired_count++ % 64] = (int)(intptr_t)arg;
}

static int setup(void **state)
{
    (void)state;
    fired_count = 0;
    return 0;
}

static void timeout_start_several_fire_in_order_of_time(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    static const int64_t delays[] = {50, 10, 40, 20, 30, 15, 45, 5, 25, 35};
    struct timeout timeouts[10];
    for (int i = 0; i < 10; i++) {
        timeout_init(&timeouts[i], loop, on_timeout, (void *)(intptr_t)delays[i]);
        timeout_start(&timeouts[i], delays[i] * US_PER_MS);
    }
    loop_fixture_run(loop, 26 * US_PER_MS);
    assert_int_equal(fired_count, 5);
    loop_fixture_run(loop, 100 * US_PER_MS);
    assert_int_equal(fired_count, 10);
    for (int i = 1; i < 10; i++)
        assert_true(fired[i - 1] < fired[i]);
    loop_fixture_free(&loop);
}

static void timeout_start_again_moves_the_deadline(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct timeout timeout;
    timeout_init(&timeout, loop, on_timeout, NULL);
    for (int i = 0; i < 10; i++) {
        timeout_start(&timeout, 100 * US_PER_MS);
        loop_fixture_run(loop, 60 * US_PER_MS);
    }
    assert_int_equal(fired_count, 0);
    timeout_start(&timeout, 10 * US_PER_MS); // and to earlier
    loop_fixture_run(loop, 9 * US_PER_MS);
    assert_int_equal(fired_count, 0);
    loop_fixture_run(loop, 1 * US_PER_MS);
    assert_int_equal(fired_count, 1);
    assert_false(timeout_active(&timeout));
    loop_fixture_run(loop, US_PER_S);
    assert_int_equal(fired_count, 1);
    loop_fixture_free(&loop);
}

static void timeout_stop_never_fires(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct timeout timeouts[9];
    for (int i = 0; i < 9; i++) {
        timeout_init(&timeouts[i], loop, on_timeout, (void *)(intptr_t)i);
        timeout_start(&timeouts[i], (9 - i) * US_PER_MS);
    }
    for (int i = 0; i < 9; i += 2)
        timeout_stop(&timeouts[i]);
    timeout_stop(&timeouts[0]);
    assert_false(timeout_active(&timeouts[0]));
    loop_fixture_run(loop, US_PER_S);
    assert_int_equal(fired_count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fired[i], 7 - 2 * i);
    assert_int_equal(loop_next_due_us(loop), 0);
    loop_fixture_free(&loop);
}

struct repeater {
    struct timeout timeout;
    int left;
};

static void on_repeat(void *arg)
{
    struct repeater *repeater = arg;
    fired_count++;
    if (repeater->left-- > 0)
        timeout_start(&repeater->timeout, 0);
}

static void timeout_start_without_delay_inside_fires_in_a_later_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct repeater repeater = {.left = 3};
    timeout_init(&repeater.timeout, loop, on_repeat, &repeater);
    timeout_start(&repeater.timeout, 0);
    loop_turn(loop, false);
    assert_int_equal(fired_count, 1);
    loop_turn(loop, true); // does not sleep: it is due
    assert_int_equal(fired_count, 2);
    loop_turn(loop, false);
    loop_turn(loop, false);
    loop_turn(loop, false);
    assert_int_equal(fired_count, 4);
    loop_fixture_free(&loop);
}

static void timeout_real_time_wakes_the_sleeping_loop(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct timeout near, far;
    timeout_init(&near, loop, on_timeout, NULL);
    timeout_init(&far, loop, on_timeout, NULL);
    int64_t began = now_us();
    timeout_start(&far, 3600 * US_PER_S);
    loop_turn(loop, false);
    timeout_start(&near, 20 * US_PER_MS);
    uint64_t turns = loop_stats(loop)->turns;
    LOOP_UNTIL(loop, fired_count == 1);
    int64_t waited = now_us() - began;
    assert_true(waited >= 20 * US_PER_MS);
    assert_true(loop_stats(loop)->turns - turns <= 3); // slept, did not spin
    timeout_stop(&far);
    loop_fixture_free(&loop);
}

static void backoff_next_grows_with_jitter_up_to_the_most(void **state)
{
    (void)state;
    struct backoff backoff = {.base_us = 1000000, .most_us = 60000000};
    int64_t expected = 1000000;
    bool jitter = false;
    for (int i = 0; i < 200; i++) {
        int64_t delay = backoff_next_us(&backoff);
        assert_true(delay >= expected / 4 * 3 && delay <= expected / 4 * 5);
        jitter |= delay != expected;
        expected = expected * 2 < backoff.most_us ? expected * 2 : backoff.most_us;
    }
    assert_true(jitter);
    backoff_reset(&backoff);
    assert_true(backoff_next_us(&backoff) <= 1250000);
}

#define TIME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_nothing_left)

TEST_MAIN(TIME_TEST(timeout_start_several_fire_in_order_of_time),
          TIME_TEST(timeout_start_again_moves_the_deadline), TIME_TEST(timeout_stop_never_fires),
          TIME_TEST(timeout_start_without_delay_inside_fires_in_a_later_turn),
          TIME_TEST(timeout_real_time_wakes_the_sleeping_loop),
          TIME_TEST(backoff_next_grows_with_jitter_up_to_the_most))
