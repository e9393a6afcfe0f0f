// SPDX-License-Identifier: MIT
// What every unit test program has in common: cmocka, a check after each test that nothing is left,
// one test by name (./ring_test ring_append_full_drops_oldest_gop), and a check that a call dies.
//
//   static void buf_append_too_much_dies(void **state) { ... }
//   TEST_MAIN(TEST(buf_append_too_much_dies))
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static inline int unit_nothing_left(void **state)
{
    (void)state;
    if (mem_live_count() == 0)
        return 0;
    fprintf(stderr, "%ld blocks were not freed\n", mem_live_count());
    return -1;
}

// True when call(arg) ends in a broken ENSURE. In a child, whose complaint is not shown.
static inline bool unit_dies(void (*call)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); // cmocka's handler would jump back into the test
        call(arg);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#define TEST(name) cmocka_unit_test_teardown(name, unit_nothing_left)
#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        if (argc > 1)                                                                              \
            cmocka_set_test_filter(argv[1]);                                                       \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
