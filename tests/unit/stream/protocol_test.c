// SPDX-License-Identifier: MIT
#include "stream/protocol.h"

#include "unit.h"

static const struct protocol one = {.name = "one", .schemes = {"one", "ones"}};
static const struct protocol m4f = {.name = "m4f", .schemes = {"m4f"}};
static const struct protocol *const table[] = {&one, &m4f, NULL};

static void protocol_by_scheme_finds_each_scheme(void **state)
{
    (void)state;
    protocols_install(table);
    assert_ptr_equal(protocol_by_scheme("one"), &one);
    assert_ptr_equal(protocol_by_scheme("ones"), &one);
    assert_null(protocol_by_scheme("two"));
    assert_ptr_equal(protocols_all()[1], &m4f);
}

static void protocol_by_url_without_scheme_is_m4f(void **state)
{
    (void)state;
    const char *why = NULL;
    protocols_install(table);
    assert_ptr_equal(protocol_by_url("origin:8888/main", &why), &m4f);
    assert_ptr_equal(protocol_by_url("ones://x/y", &why), &one);
}

static void protocol_by_url_unknown_or_broken_says_why(void **state)
{
    (void)state;
    const char *why = NULL;
    protocols_install(table);
    assert_null(protocol_by_url("two://x", &why));
    assert_string_equal(why, "no protocol has this scheme");
    why = NULL;
    assert_null(protocol_by_url("one://x:99999/", &why));
    assert_non_null(why);
}

static void protocols_install_null_is_an_empty_table(void **state)
{
    (void)state;
    protocols_install(NULL);
    assert_null(protocols_all()[0]);
    assert_null(protocol_by_scheme("one"));
}

TEST_MAIN(TEST(protocol_by_scheme_finds_each_scheme), TEST(protocol_by_url_without_scheme_is_m4f),
          TEST(protocol_by_url_unknown_or_broken_says_why),
          TEST(protocols_install_null_is_an_empty_table))
