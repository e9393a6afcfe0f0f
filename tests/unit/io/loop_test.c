// SPDX-License-Identifier: MIT
#include "io/loop.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/timeout.h"
#include "loop_fixture.h"
#include "unit.h"

// Calls write their letter into a journal.
struct step {
    struct defer defer;
    struct loop *loop;
    struct step *then; // deferred when this one runs
    bool then_later;
    char letter;
};

static char journal[64];

static void note(char letter)
{
    size_t length = strlen(journal);
    if (length + 1 < sizeof(journal))
        journal[length] = letter;
}

static void run_step(void *arg)
{
    struct step *step = arg;
    note(step->letter);
    if (step->then && step->then_later)
        loop_later(step->loop, &step->then->defer, run_step, step->then);
    else if (step->then)
        loop_defer(step->loop, &step->then->defer, run_step, step->then);
}

static int setup(void **state)
{
    (void)state;
    memset(journal, 0, sizeof(journal));
    return 0;
}

static void loop_defer_in_deferred_call_runs_in_same_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct step b = {.letter = 'b', .loop = loop};
    struct step a = {.letter = 'a', .loop = loop, .then = &b};
    loop_defer(loop, &a.defer, run_step, &a);
    assert_string_equal(journal, "");
    loop_turn(loop, false);
    assert_string_equal(journal, "ab");
    loop_fixture_free(&loop);
}

static void loop_defer_twice_runs_once(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct step a = {.letter = 'a', .loop = loop};
    loop_defer(loop, &a.defer, run_step, &a);
    loop_defer(loop, &a.defer, run_step, &a);
    loop_later(loop, &a.defer, run_step, &a);
    loop_turn(loop, false);
    loop_turn(loop, false);
    assert_string_equal(journal, "a");
    loop_fixture_free(&loop);
}

static void loop_defer_cancelled_does_not_run(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct step a = {.letter = 'a', .loop = loop}, b = {.letter = 'b', .loop = loop};
    loop_defer(loop, &a.defer, run_step, &a);
    loop_later(loop, &b.defer, run_step, &b);
    loop_defer_cancel(loop, &a.defer);
    loop_defer_cancel(loop, &b.defer);
    loop_defer_cancel(loop, &b.defer);
    loop_turn(loop, false);
    loop_turn(loop, false);
    assert_string_equal(journal, "");
    loop_fixture_free(&loop);
}

static void loop_later_runs_in_next_turn_without_sleep(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct step b = {.letter = 'b', .loop = loop};
    struct step a = {.letter = 'a', .loop = loop, .then = &b, .then_later = true};
    loop_defer(loop, &a.defer, run_step, &a);
    loop_turn(loop, false);
    assert_string_equal(journal, "a");
    assert_true(loop_pending(loop));
    loop_turn(loop, true); // would wait for ever
    assert_string_equal(journal, "ab");
    assert_false(loop_pending(loop));
    loop_fixture_free(&loop);
}

static void loop_defer_endless_chain_gives_the_turn_back(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct step a = {.letter = 'a', .loop = loop};
    a.then = &a;
    loop_defer(loop, &a.defer, run_step, &a);
    loop_turn(loop, false);
    assert_true(strlen(journal) == sizeof(journal) - 1);
    assert_true(loop_pending(loop));
    loop_turn(loop, true); // goes on in the next turn
    loop_defer_cancel(loop, &a.defer);
    loop_fixture_free(&loop);
}

static void run_hook(void *arg)
{
    struct step *step = arg;
    note('h');
    if (step)
        loop_defer(step->loop, &step->defer, run_step, step);
}

static void make_news(void *arg)
{
    note('n');
    loop_news(arg);
}

static void loop_hook_runs_before_deferred_and_only_with_news(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct loop_hook hook = {0};
    struct step a = {.letter = 'a', .loop = loop}, b = {.letter = 'b', .loop = loop};
    loop_hook_add(loop, &hook, run_hook, &a);
    loop_turn(loop, false);
    assert_string_equal(journal, "");
    loop_defer(loop, &b.defer, run_step, &b);
    loop_news(loop);
    loop_news(loop);
    loop_turn(loop, false);
    assert_string_equal(journal, "hba");
    loop_hook_remove(loop, &hook);
    loop_news(loop);
    loop_turn(loop, false);
    assert_string_equal(journal, "hba");
    loop_fixture_free(&loop);
}

static void loop_news_in_deferred_call_runs_hook_in_same_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct loop_hook hook = {0};
    struct defer defer = {0};
    loop_hook_add(loop, &hook, run_hook, NULL);
    loop_defer(loop, &defer, make_news, loop);
    loop_turn(loop, false);
    assert_string_equal(journal, "nh");
    loop_hook_remove(loop, &hook);
    loop_fixture_free(&loop);
}

static void on_signal(void *arg, int number)
{
    note(number == SIGUSR1 ? 's' : '?');
    loop_stop(arg);
}

static void raise_signal(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
}

static void loop_run_signal_stops(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct timeout timeout;
    timeout_init(&timeout, loop, raise_signal, NULL);
    timeout_start(&timeout, 1000);
    loop_on_signal(loop, SIGUSR1, on_signal, loop);
    loop_run(loop);
    assert_string_equal(journal, "s");
    loop_fixture_free(&loop);
}

static void loop_stop_before_run_returns_at_once(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    loop_stop(loop);
    loop_run(loop);
    loop_fixture_free(&loop);
}

static void spend_time(void *arg)
{
    (void)arg;
    int64_t until = now_us() + 6000;
    while (now_us() < until)
        ;
}

static void loop_stats_slow_turn_is_counted_and_sleep_is_not(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct timeout timeout;
    timeout_init(&timeout, loop, spend_time, NULL);
    timeout_start(&timeout, 20000);
    while (timeout_active(&timeout))
        loop_turn(loop, true);
    const struct loop_stats *stats = loop_stats(loop);
    uint64_t slow = stats->slow_turns;
    assert_true(slow >= 1);
    assert_true(stats->longest_us >= 6000);
    assert_true(stats->longest_us < 20000);
    loop_stats_reset_longest(loop);
    assert_int_equal(loop_stats(loop)->longest_us, 0);
    uint64_t sum = 0;
    for (int i = 0; i < LOOP_HISTOGRAM; i++)
        sum += stats->histogram[i];
    assert_int_equal(sum, stats->turns);
    loop_fixture_free(&loop);
}

#define STEP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_nothing_left)

TEST_MAIN(STEP_TEST(loop_defer_in_deferred_call_runs_in_same_turn),
          STEP_TEST(loop_defer_twice_runs_once), STEP_TEST(loop_defer_cancelled_does_not_run),
          STEP_TEST(loop_later_runs_in_next_turn_without_sleep),
          STEP_TEST(loop_defer_endless_chain_gives_the_turn_back),
          STEP_TEST(loop_hook_runs_before_deferred_and_only_with_news),
          STEP_TEST(loop_news_in_deferred_call_runs_hook_in_same_turn),
          STEP_TEST(loop_run_signal_stops), STEP_TEST(loop_stop_before_run_returns_at_once),
          STEP_TEST(loop_stats_slow_turn_is_counted_and_sleep_is_not))
