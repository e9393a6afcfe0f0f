// SPDX-License-Identifier: MIT
#include "loop_fixture.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"

enum { TEST_SECONDS = 60, SETTLE_TURNS_MAX = 1000000 };

struct loop *loop_fixture_new(void)
{
    clock_use_system();
    alarm(TEST_SECONDS);
    return loop_new();
}

struct loop *loop_fixture_new_virtual(void)
{
    clock_set_test(1000 * US_PER_S, 1767225600 * US_PER_S);
    alarm(TEST_SECONDS);
    return loop_new();
}

void loop_fixture_free(struct loop **loop)
{
    loop_free(loop);
    clock_use_system();
    alarm(0);
}

void loop_fixture_settle(struct loop *loop)
{
    loop_turn(loop, false);
    for (int i = 0; loop_pending(loop); i++) {
        ENSURE(i < SETTLE_TURNS_MAX); // something calls itself for ever
        loop_turn(loop, false);
    }
}

void loop_fixture_run(struct loop *loop, int64_t duration_us)
{
    int64_t end = now_us() + duration_us;
    loop_fixture_settle(loop);
    for (;;) {
        int64_t due = loop_next_due_us(loop);
        if (due == 0 || due > end)
            break;
        if (due > now_us())
            clock_advance_test(due - now_us());
        loop_fixture_settle(loop);
    }
    if (end > now_us())
        clock_advance_test(end - now_us());
    loop_fixture_settle(loop);
}
