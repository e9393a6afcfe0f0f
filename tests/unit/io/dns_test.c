// SPDX-License-Identifier: MIT
#include "io/dns.h"

#include "base/clock.h"
#include "io/loop.h"
#include "io/udp.h"
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

// A name server: answers questions for A with two addresses, for AAAA with none.
struct name_server {
    struct loop *loop;
    struct udp *udp;
    char address[32];
    bool silent;
    int asked;
};

static void on_question(void *arg, const uint8_t *data, size_t length, const struct address *from)
{
    struct name_server *server = arg;
    uint8_t reply[512];
    server->asked++;
    if (server->silent || length < 17 || length > 300)
        return;
    size_t end = 12; // of the question (RFC 1035, 4.1)
    while (end < length && data[end])
        end += data[end] + 1u;
    end += 5;
    assert_true(end <= length);
    bool v4 = data[end - 3] == 1;
    memcpy(reply, data, end);
    memcpy(reply + 2, "\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00", 10);
    reply[7] = v4 ? 2 : 0;
    for (uint8_t i = 1; v4 && i <= 2; i++) {
        const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, i};
        memcpy(reply + end, record, sizeof(record));
        end += sizeof(record);
    }
    udp_send(server->udp, reply, end, from);
}

static void name_server_open(struct name_server *server, struct loop *loop)
{
    struct address any;
    *server = (struct name_server){.loop = loop};
    assert_int_equal(address_parse("127.0.0.1", 0, &any), 0);
    assert_int_equal(udp_open(loop, &any, on_question, server, &server->udp), 0);
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", udp_port(server->udp));
    dns_set_server_test(server->address);
}

static void name_server_close(struct name_server *server)
{
    dns_set_server_test(NULL);
    udp_close(&server->udp);
}

static void dns_resolve_asks_the_server(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct name_server server;
    struct result result = {0};
    name_server_open(&server, loop);
    dns_resolve(loop, "camera.example", 554, on_done, &result);
    LOOP_UNTIL(loop, result.count_calls == 1);
    assert_int_equal(result.err, 0);
    assert_int_equal(result.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        char text[ADDRESS_TEXT_MAX];
        address_print(&result.addresses[i], text, sizeof(text));
        assert_memory_equal(text, "192.0.2.", 8);
        assert_string_equal(text + 9, ":554");
    }
    name_server_close(&server);
    loop_fixture_free(&loop);
}

static void dns_resolve_silent_server_times_out(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct name_server server;
    struct result result = {0};
    name_server_open(&server, loop);
    server.silent = true;
    dns_resolve(loop, "camera.example", 554, on_done, &result);
    while (server.asked == 0)
        loop_turn(loop, true);
    loop_fixture_run(loop, 4900 * US_PER_MS);
    assert_int_equal(result.count_calls, 0);
    loop_fixture_run(loop, 200 * US_PER_MS);
    assert_int_equal(result.count_calls, 1);
    assert_int_equal(result.err, ERR_TIMEOUT);
    // Cancelled while it is under way: its sockets go with it.
    struct dns_query *query = dns_resolve(loop, "camera.example", 554, on_done, &result);
    int before = server.asked;
    while (server.asked == before)
        loop_turn(loop, true);
    dns_cancel(&query);
    loop_fixture_run(loop, 10 * US_PER_S);
    assert_int_equal(result.count_calls, 1);
    name_server_close(&server);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(dns_resolve_literal_is_answered_later),
          TEST(dns_resolve_localhost_comes_from_the_hosts_file),
          TEST(dns_resolve_nonsense_is_not_found), TEST(dns_cancel_gives_no_answer),
          TEST(dns_resolve_asks_the_server), TEST(dns_resolve_silent_server_times_out))
