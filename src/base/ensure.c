// SPDX-License-Identifier: MIT
// The end of a process whose own state is broken. Writes with one system call and without
// allocating, because the heap may be what is broken.
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ensure_failed(const char *what, const char *file, int line)
{
    char text[512];
    int length = snprintf(text, sizeof(text), "<2>broken: %s at %s:%d\n", what, file, line);
    if (length >= (int)sizeof(text))
        length = sizeof(text) - 1;
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        abort();
    abort();
}
