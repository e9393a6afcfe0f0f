// SPDX-License-Identifier: MIT
#include "io/dns.h"

#include "io/loop.h"
#include "loop_fixture.h"
#include "unit.h"

struct result {
    int count_calls, err;
    unsigned count;
    struct address addresses[DNS_ADDRESSES_MAX];
};

static void on_done(void *arg, int err, const struct address *addresses, unsigned count)
{
    struct result *result = arg;
    result->count_calls++;
    result->err = err;
    result->count = count;
    memcpy(result->addresses, addresses, count * sizeof(*addresses));
}

static void dns_resolve_literal_is_answered_later(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct result result = {0};
    dns_resolve(loop, "2001:db8::1", 80, on_done, &result);
    assert_int_equal(result.count_calls, 0);
    LOOP_UNTIL(loop, result.count_calls == 1);
    assert_int_equal(result.err, 0);
    assert_int_equal(result.count, 1);
    char text[ADDRESS_TEXT_MAX];
    address_print(&result.addresses[0], text, sizeof(text));
    assert_string_equal(text, "[2001:db8::1]:80");
    loop_fixture_free(&loop);
}

static void dns_resolve_localhost_comes_from_the_hosts_file(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct result result = {0};
    dns_resolve(loop, "localhost", 8080, on_done, &result);
    assert_int_equal(result.count_calls, 0);
    LOOP_UNTIL(loop, result.count_calls == 1);
    assert_int_equal(result.err, 0);
    assert_true(result.count >= 1);
    bool v4 = false;
    for (unsigned i = 0; i < result.count; i++) {
        char text[ADDRESS_TEXT_MAX];
        address_print(&result.addresses[i], text, sizeof(text));
        v4 |= strcmp(text, "127.0.0.1:8080") == 0;
    }
    assert_true(v4);
    loop_fixture_free(&loop);
}

static void dns_resolve_nonsense_is_not_found(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct result result = {0};
    dns_resolve(loop, "", 80, on_done, &result);
    dns_resolve(loop, "a..b", 80, on_done, &result);
    LOOP_UNTIL(loop, result.count_calls == 2);
    assert_int_equal(result.err, ERR_NOT_FOUND);
    assert_int_equal(result.count, 0);
    loop_fixture_free(&loop);
}

static void dns_cancel_gives_no_answer(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct result result = {0};
    struct dns_query *literal = dns_resolve(loop, "::1", 1, on_done, &result);
    struct dns_query *name = dns_resolve(loop, "some.name.invalid", 1, on_done, &result);
    dns_cancel(&literal);
    dns_cancel(&name);
    dns_cancel(&name);
    assert_null(name);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
    assert_int_equal(result.count_calls, 0);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(dns_resolve_literal_is_answered_later),
          TEST(dns_resolve_localhost_comes_from_the_hosts_file),
          TEST(dns_resolve_nonsense_is_not_found), TEST(dns_cancel_gives_no_answer))
