// SPDX-License-Identifier: MIT
// Expected results as text files under tests/golden. With GOLDEN_REWRITE=1 in the environment they
// are written instead of compared; the difference is for review.
#ifndef TESTS_SUPPORT_GOLDEN_H
#define TESTS_SUPPORT_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>

// path: "link/wire.txt", below tests/golden. False: they differ, and the first line that does was
// printed. Tests run in the project's top folder.
bool golden_equal(const char *path, const char *text);
// The bytes as "0a 1b 2c" at the end of out; false when cut.
bool golden_hex(char *out, size_t room, const void *data, size_t length);

#endif
