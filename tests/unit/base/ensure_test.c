// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/ensure.h"

struct object {
    uint32_t magic;
};

static void break_one(void *arg)
{
    ENSURE(arg == NULL);
}

static void check_object(void *arg)
{
    struct object *object = arg;
    OBJ_CHECK(object, 0x11223344u);
}

static void ensure_true_goes_on(void **state)
{
    (void)state;
    assert_false(unit_dies(break_one, NULL));
}

static void ensure_false_dies(void **state)
{
    (void)state;
    assert_true(unit_dies(break_one, state));
}

static void obj_check_wrong_magic_or_null_dies(void **state)
{
    (void)state;
    struct object good = {.magic = 0x11223344u}, bad = {.magic = 0};
    assert_false(unit_dies(check_object, &good));
    assert_true(unit_dies(check_object, &bad));
    assert_true(unit_dies(check_object, NULL));
}

static void say_into_pipe(void *arg)
{
    dup2(*(int *)arg, STDERR_FILENO);
    ensure_failed("a > b", "file.c", 12);
}

static void ensure_failed_says_what_and_where(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(unit_dies(say_into_pipe, &ends[1]));
    char line[128] = {0};
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    assert_string_equal(line, "<2>broken: a > b at file.c:12\n");
    close(ends[0]);
    close(ends[1]);
}

static void say_much_into_pipe(void *arg)
{
    char what[2000];
    dup2(*(int *)arg, STDERR_FILENO);
    memset(what, 'x', sizeof(what) - 1);
    what[sizeof(what) - 1] = 0;
    ensure_failed(what, "file.c", 12);
}

static void ensure_failed_long_condition_is_cut(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(unit_dies(say_much_into_pipe, &ends[1]));
    char line[3000];
    assert_int_equal(read(ends[0], line, sizeof(line)), 511);
    assert_int_equal(line[510], 'x');
    close(ends[0]);
    close(ends[1]);
}

TEST_MAIN(TEST(ensure_true_goes_on), TEST(ensure_false_dies),
          TEST(obj_check_wrong_magic_or_null_dies), TEST(ensure_failed_says_what_and_where),
          TEST(ensure_failed_long_condition_is_cut))
