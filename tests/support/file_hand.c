// SPDX-License-Identifier: MIT
// `turns` has each worker as often as it has operations queued.
#include "file_hand.h"

#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "io/file_calls.h"

enum { TURNS_MAX = 4 * FILE_QUEUE_MAX, HUNG_MAX = 64 };

static struct file_worker *turns[TURNS_MAX];
static struct file_worker *hung[HUNG_MAX];
static unsigned turn_count, hung_count, hang_in;
static uint64_t random_state;

static uint64_t next_random(void) // xorshift
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void on_queued(struct file_worker *worker)
{
    ENSURE(turn_count < TURNS_MAX);
    turns[turn_count++] = worker;
    if (hang_in && --hang_in == 0 && hung_count < HUNG_MAX)
        hung[hung_count++] = worker;
}

void file_hand_install(uint64_t seed)
{
    turn_count = hung_count = hang_in = 0;
    random_state = seed;
    file_set_workers_test(on_queued, file_hand_run);
}

void file_hand_remove(void)
{
    ENSURE(turn_count == 0);
    file_set_workers_test(NULL, NULL);
}

static bool hangs(const struct file_worker *worker)
{
    for (unsigned i = 0; i < hung_count; i++)
        if (hung[i] == worker)
            return true;
    return false;
}

bool file_hand_step(void)
{
    unsigned first = turn_count && random_state ? (unsigned)(next_random() % turn_count) : 0;
    for (unsigned i = 0; i < turn_count; i++) {
        unsigned at = (first + i) % turn_count;
        struct file_worker *worker = turns[at];
        if (hangs(worker))
            continue;
        turn_count--;
        memmove(&turns[at], &turns[at + 1], (turn_count - at) * sizeof turns[0]);
        ENSURE(file_worker_step_test(worker));
        return true;
    }
    return false;
}

void file_hand_run(void)
{
    while (file_hand_step())
        ;
}

unsigned file_hand_waiting(void)
{
    return turn_count;
}

void file_hand_hang(unsigned percent)
{
    for (unsigned i = 0; i < turn_count && hung_count < HUNG_MAX; i++)
        if (!hangs(turns[i]) && next_random() % 100 < percent)
            hung[hung_count++] = turns[i];
}

void file_hand_hang_at(unsigned nth)
{
    hang_in = nth;
}

unsigned file_hand_hang_at_left(void)
{
    return hang_in;
}

void file_hand_release(void)
{
    hung_count = 0;
}
