// SPDX-License-Identifier: MIT
// Assertions about our own state, in release builds too. Never about what a peer, a disk or a user
// sent: those get a result code. A broken one prints where and why and aborts; systemd restarts.
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#include <stdint.h>

__attribute__((noreturn)) void ensure_failed(const char *what, const char *file, int line);

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            ensure_failed(#cond, __FILE__, __LINE__);                                              \
    } while (0)

// Each central object begins with `uint32_t magic`, unique to its type; public entries check it.
#define OBJ_CHECK(object, number) ENSURE((object) != NULL && (object)->magic == (number))

#endif
