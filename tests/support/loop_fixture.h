// SPDX-License-Identifier: MIT
// A loop for tests: turned until something has happened (real sockets, worker threads), or run in
// virtual time (conn_pair, timeouts). A test that waits for ever dies after a minute.
#ifndef TESTS_SUPPORT_LOOP_FIXTURE_H
#define TESTS_SUPPORT_LOOP_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "io/loop.h"

// A loop with the system's clock.
struct loop *loop_fixture_new(void);
// A loop with a clock that only loop_fixture_run moves. Starts at 1000 s, 2026-01-01 UTC.
struct loop *loop_fixture_new_virtual(void);
// Ends the loop's turn, frees it, and gives the clock back.
void loop_fixture_free(struct loop **loop);

// Turns the loop until the condition holds.
#define LOOP_UNTIL(loop, condition)                                                                \
    do {                                                                                           \
        while (!(condition))                                                                       \
            loop_turn((loop), true);                                                               \
    } while (0)

// Virtual time: turns the loop until nothing is pending now.
void loop_fixture_settle(struct loop *loop);
// Virtual time: runs the loop for so long, timeout by timeout.
void loop_fixture_run(struct loop *loop, int64_t duration_us);

#endif
