// SPDX-License-Identifier: MIT
// The workers of io/file by hand: operations run in the test's own thread, one at a time, in an
// order that a seed chooses. What a thread can do (be late, be overtaken by another) happens here
// too, and happens again with the same seed.
#ifndef TESTS_SUPPORT_FILE_HAND_H
#define TESTS_SUPPORT_FILE_HAND_H

#include <stdbool.h>
#include <stdint.h>

// Seed 0: in the order in which they were submitted. While there is no file queue.
void file_hand_install(uint64_t seed);
void file_hand_remove(void);
// Runs one operation, of a worker that does not hang; false when there is none.
bool file_hand_step(void);
void file_hand_run(void); // all
unsigned file_hand_waiting(void);
// Of the workers that have something to do now, so many in a hundred hang until released.
void file_hand_hang(unsigned percent);
// The worker that is given the n-th operation from now hangs from then on. 0: none does.
void file_hand_hang_at(unsigned nth);
unsigned file_hand_hang_at_left(void); // 0: it was given
void file_hand_release(void);

#endif
