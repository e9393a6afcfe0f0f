// SPDX-License-Identifier: MIT
// TLS with a pre-shared key over loopback sockets.
#include "io/tls.h"

#include "base/clock.h"
#include "base/limits.h"
#include "conn_end.h"
#include "loop_fixture.h"
#include "unit.h"

static const uint8_t key_one[TLS_PSK_SIZE] = {1, 2, 3};
static const uint8_t key_two[TLS_PSK_SIZE] = {1, 2, 4};

static bool lookup(void *arg, const char *identity, uint8_t key[TLS_PSK_SIZE])
{
    (void)arg;
    if (strcmp(identity, "alpha") != 0)
        return false;
    memcpy(key, key_one, TLS_PSK_SIZE);
    return true;
}

struct wire {
    struct loop *loop;
    struct conn_server server;
    struct conn_end near, far;
    struct tls_context *client;
};

static void wire_listen(struct wire *wire, struct tls_context *server)
{
    wire->loop = loop_fixture_new();
    wire->server.tls = server;
    conn_server_open(&wire->server, wire->loop, &wire->far);
    if (!server)
        assert_int_equal(tls_psk_server(lookup, NULL, "test/1", NULL, &wire->server.tls), 0);
}

static void wire_dial(struct wire *wire, const char *identity, const uint8_t *key, const char *alpn)
{
    if (alpn)
        assert_int_equal(tls_psk_client(identity, key, alpn, &wire->client), 0);
    wire->near.conn =
        conn_connect(wire->loop, "127.0.0.1", listener_port(wire->server.listener), wire->client,
                     5 * US_PER_S, conn_end_events(&wire->near), &wire->near);
}

static void wire_open(struct wire *wire)
{
    wire_listen(wire, NULL);
    wire_dial(wire, "alpha", key_one, "test/1");
    LOOP_UNTIL(wire->loop, wire->near.opened && wire->far.opened);
}

static void wire_close(struct wire *wire)
{
    if (wire->near.conn)
        conn_close(wire->near.conn, REASON_LOCAL);
    if (wire->far.conn)
        conn_close(wire->far.conn, REASON_LOCAL);
    listener_close(&wire->server.listener);
    loop_turn(wire->loop, false);
    assert_int_equal(wire->near.closed, 1);
    assert_int_equal(wire->far.closed, 1);
    tls_context_unref(&wire->server.tls);
    tls_context_unref(&wire->client);
    loop_fixture_free(&wire->loop);
    conn_end_fini(&wire->near);
    conn_end_fini(&wire->far);
}

static void conn_tls_same_key_opens_and_carries_bytes(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    wire_dial(&wire, "alpha", key_one, "test/1");
    conn_end_send(&wire.near, "early "); // before the handshake
    LOOP_UNTIL(wire.loop, wire.near.opened && wire.far.opened);
    assert_string_equal(conn_tls_identity(wire.far.conn), "alpha");
    conn_end_send(&wire.near, "hello");
    conn_end_send(&wire.far, "world");
    LOOP_UNTIL(wire.loop, wire.far.got_length == 11 && wire.near.got_length == 5);
    assert_true(conn_end_got(&wire.far, "early hello"));
    assert_true(conn_end_got(&wire.near, "world"));
    assert_int_equal(wire.near.opened, 1);
    assert_int_equal(wire.far.opened, 1);
    wire_close(&wire);
}

static void conn_tls_key_never_crosses_the_wire_in_clear(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    tls_context_unref(&wire.server.tls); // plain: see what the client says
    wire_dial(&wire, "alpha", key_one, "test/1");
    LOOP_UNTIL(wire.loop, wire.far.got_length > 100);
    assert_int_equal(wire.far.got[0], 0x16); // a TLS handshake record
    bool found = false;
    for (size_t i = 0; i + TLS_PSK_SIZE <= wire.far.got_length; i++)
        found |= memcmp(wire.far.got + i, key_one, TLS_PSK_SIZE) == 0;
    assert_false(found);
    wire_close(&wire);
}

static void expect_refusal(const char *identity, const uint8_t *key, const char *alpn,
                           enum reason reason)
{
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    wire_dial(&wire, identity, key, alpn);
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_int_equal(wire.near.reason, reason);
    assert_int_equal(wire.far.reason, reason);
    assert_int_equal(wire.near.opened, 0);
    assert_int_equal(wire.far.opened, 0);
    wire_close(&wire);
}

static void conn_tls_wrong_key_is_told_on_both_sides(void **state)
{
    (void)state;
    expect_refusal("alpha", key_two, "test/1", REASON_WRONG_KEY);
}

static void conn_tls_unknown_identity_is_told_on_both_sides(void **state)
{
    (void)state;
    expect_refusal("beta", key_one, "test/1", REASON_WRONG_KEY);
}

static void conn_tls_other_protocol_is_version_on_both_sides(void **state)
{
    (void)state;
    expect_refusal("alpha", key_one, "test/2", REASON_VERSION);
}

static bool any_test_protocol(void *arg, const char *name)
{
    snprintf(arg, 64, "%s", name);
    return strncmp(name, "test/", 5) == 0;
}

static void conn_tls_on_alpn_is_asked(void **state)
{
    (void)state;
    char asked[64] = "";
    struct tls_context *server;
    assert_int_equal(tls_psk_server(lookup, any_test_protocol, "test/1", asked, &server), 0);
    struct wire wire = {0};
    wire_listen(&wire, server);
    wire_dial(&wire, "alpha", key_one, "test/7");
    LOOP_UNTIL(wire.loop, wire.near.opened && wire.far.opened);
    assert_string_equal(asked, "test/7");
    wire_close(&wire);
}

static void conn_tls_server_gets_garbage_is_protocol(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    wire_dial(&wire, NULL, NULL, NULL); // plain
    conn_end_send(&wire.near, "GET / HTTP/1.1\r\n\r\n");
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_int_equal(wire.far.reason, REASON_PROTOCOL);
    wire_close(&wire);
}

static void conn_tls_client_gets_garbage_is_protocol(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    tls_context_unref(&wire.server.tls);
    wire_dial(&wire, "alpha", key_one, "test/1");
    LOOP_UNTIL(wire.loop, wire.far.conn);
    conn_end_send(&wire.far, "HTTP/1.1 400 Bad Request\r\n\r\n");
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_int_equal(wire.near.reason, REASON_PROTOCOL);
    wire_close(&wire);
}

static void conn_tls_peer_silent_in_handshake_times_out(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_listen(&wire, NULL);
    tls_context_unref(&wire.server.tls);
    assert_int_equal(tls_psk_client("alpha", key_one, "test/1", &wire.client), 0);
    wire.near.conn =
        conn_connect(wire.loop, "127.0.0.1", listener_port(wire.server.listener), wire.client,
                     30 * US_PER_MS, conn_end_events(&wire.near), &wire.near);
    LOOP_UNTIL(wire.loop, wire.near.closed);
    assert_int_equal(wire.near.reason, REASON_CONNECT_TIMEOUT);
    LOOP_UNTIL(wire.loop, wire.far.closed);
    wire_close(&wire);
}

static void conn_tls_large_transfer_with_stops_arrives_whole(void **state)
{
    (void)state;
    enum { TOTAL = 6 << 20 };
    struct wire wire = {0};
    wire_open(&wire);
    conn_pause(wire.far.conn, true);
    struct buf *buf = buf_new(TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        buf->data[i] = (uint8_t)(i * 7 + (i >> 12));
    buf->length = TOTAL;
    struct chain chain = {0};
    for (size_t at = 0; at < TOTAL;) { // slices of odd sizes
        size_t part = at % 3 == 0 ? 100003 : 333;
        if (part > TOTAL - at)
            part = TOTAL - at;
        chain_add(&chain, buf, at, part);
        at += part;
    }
    conn_write(wire.near.conn, &chain);
    for (int i = 0; i < 50; i++)
        loop_turn(wire.loop, false);
    assert_int_equal(wire.far.got_length, 0);
    assert_true(conn_full(wire.near.conn));
    conn_pause(wire.far.conn, false);
    LOOP_UNTIL(wire.loop, wire.far.got_length > TOTAL / 2);
    conn_pause(wire.far.conn, true);
    for (int i = 0; i < 20; i++)
        loop_turn(wire.loop, false);
    conn_pause(wire.far.conn, false);
    LOOP_UNTIL(wire.loop, wire.far.got_length == TOTAL);
    assert_memory_equal(wire.far.got, buf->data, TOTAL);
    assert_int_equal(conn_queued(wire.near.conn), 0);
    assert_int_equal(wire.near.drained, 1);
    buf_unref(&buf);
    wire_close(&wire);
}

static void conn_tls_small_writes_of_a_turn_share_one_record(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    uint64_t before = conn_bytes_out(wire.near.conn);
    for (int i = 0; i < 10; i++)
        conn_end_send(&wire.near, "0123456789");
    LOOP_UNTIL(wire.loop, wire.far.got_length == 100);
    assert_int_equal(conn_bytes_out(wire.near.conn) - before, 100 + 22);
    before = conn_bytes_out(wire.near.conn);
    static char block[4 * 16384];
    conn_write_copy(wire.near.conn, block, sizeof(block));
    LOOP_UNTIL(wire.loop, wire.far.got_length == 100 + sizeof(block));
    assert_int_equal(conn_bytes_out(wire.near.conn) - before, sizeof(block) + 4 * 22);
    wire_close(&wire);
}

static void conn_tls_try_write_what_was_taken_arrives_and_nothing_else(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    conn_pause(wire.far.conn, true);
    conn_set_send_buffer(wire.near.conn, 65536);
    static uint8_t block[200000];
    size_t sent = 0;
    int refusals = 0;
    uint8_t value = 0;
    for (int i = 0; i < 400 && refusals < 3; i++) {
        memset(block, value, sizeof(block)); // other bytes each time: nothing is offered again
        size_t taken = conn_try_write(wire.near.conn, block, sizeof(block));
        if (taken < sizeof(block))
            refusals++;
        sent += taken;
        if (taken > 0)
            value++;
        loop_turn(wire.loop, false);
    }
    assert_int_equal(refusals, 3);
    conn_pause(wire.far.conn, false);
    LOOP_UNTIL(wire.loop, wire.far.got_length == sent && wire.near.drained == 1);
    // Only steps of one: each block arrived as far as it was taken.
    for (size_t i = 1; i < sent; i++)
        assert_true(wire.far.got[i] == wire.far.got[i - 1] ||
                    wire.far.got[i] == (uint8_t)(wire.far.got[i - 1] + 1));
    assert_int_equal(conn_try_write(wire.near.conn, "end", 3), 3);
    LOOP_UNTIL(wire.loop, wire.far.got_length == sent + 3);
    wire_close(&wire);
}

static void conn_tls_finish_sends_all_and_says_goodbye(void **state)
{
    (void)state;
    static char block[1 << 20];
    struct wire wire = {0};
    wire_open(&wire);
    conn_write_copy(wire.near.conn, block, sizeof(block));
    conn_finish(wire.near.conn, REASON_DONE);
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_int_equal(wire.far.got_length, sizeof(block));
    assert_int_equal(wire.far.reason, REASON_PEER_CLOSED);
    assert_int_equal(wire.near.reason, REASON_DONE);
    wire_close(&wire);
}

// The descriptor of a connected end.
static int descriptor_of(const struct conn *conn)
{
    uint16_t port = address_port(conn_local(conn));
    for (int i = 3; i < 100; i++) {
        struct sockaddr_in name = {0}, peer;
        socklen_t length = sizeof(name);
        if (getsockname(i, (struct sockaddr *)&name, &length) != 0 || name.sin_family != AF_INET ||
            ntohs(name.sin_port) != port)
            continue;
        length = sizeof(peer);
        if (getpeername(i, (struct sockaddr *)&peer, &length) == 0)
            return i;
    }
    fail_msg("no descriptor");
    return -1;
}

static void conn_tls_broken_record_is_protocol_after_the_good_ones(void **state)
{
    (void)state;
    // A record that no key made, put past TLS onto the same socket.
    static const char forged[] = "\x17\x03\x03\x00\x20"
                                 "0123456789abcdef0123456789abcdef";
    for (int with_good = 0; with_good < 2; with_good++) {
        struct wire wire = {0};
        wire_open(&wire);
        conn_pause(wire.near.conn, true); // does not hear the alert
        if (with_good)                    // both in one read of the other side
            assert_int_equal(conn_try_write(wire.near.conn, "good", 4), 4);
        assert_int_equal(write(descriptor_of(wire.near.conn), forged, sizeof(forged) - 1),
                         sizeof(forged) - 1);
        LOOP_UNTIL(wire.loop, wire.far.closed);
        assert_int_equal(wire.far.reason, REASON_PROTOCOL);
        assert_int_equal(wire.far.got_length, with_good ? 4 : 0);
        wire_close(&wire);
    }
}

static void conn_tls_bytes_held_inside_are_read_without_another_event(void **state)
{
    (void)state;
    // A turn reads so many whole records; of a few bytes more the last may lie inside TLS already.
    static char block[4 * 65536];
    for (unsigned tail = 1; tail < 10; tail++) {
        struct wire wire = {0};
        wire_open(&wire);
        for (int i = 0; i < 3; i++)
            loop_turn(wire.loop, false);
        size_t sent = 0;
        while (sent < sizeof(block)) { // all of it before the other side looks
            size_t taken = conn_try_write(wire.near.conn, block + sent, sizeof(block) - sent);
            assert_true(taken > 0);
            sent += taken;
        }
        assert_int_equal(conn_try_write(wire.near.conn, block, tail), tail);
        LOOP_UNTIL(wire.loop, wire.far.got_length == sizeof(block) + tail);
        wire_close(&wire);
    }
}

static void start_tls(struct conn_end *end)
{
    end->on_data = NULL;
    end->leave_least = 0;
    conn_start_tls(end->conn, end->arg);
}

static void conn_start_tls_inside_on_data_uses_the_bytes_already_read(void **state)
{
    (void)state;
    struct tls_context *server;
    assert_int_equal(tls_psk_server(lookup, NULL, "test/1", NULL, &server), 0);
    struct wire wire = {.far = {.leave_least = SIZE_MAX, .on_data = start_tls, .arg = server}};
    wire_listen(&wire, NULL);
    tls_context_unref(&wire.server.tls); // accepted as plain
    wire_dial(&wire, "alpha", key_one, "test/1");
    conn_end_send(&wire.near, "hello");
    LOOP_UNTIL(wire.loop, wire.near.opened && wire.far.opened);
    conn_end_send(&wire.far, "world");
    LOOP_UNTIL(wire.loop, wire.near.got_length == 5 && wire.far.got_length == 5);
    assert_true(conn_end_got(&wire.far, "hello"));
    wire_close(&wire);
    tls_context_unref(&server);
}

static void tls_contexts_refuse_names_that_do_not_fit(void **state)
{
    (void)state;
    struct tls_context *context;
    char longer[80];
    memset(longer, 'x', sizeof(longer));
    longer[79] = 0;
    assert_int_equal(tls_psk_client("", key_one, "a", &context), ERR_INVALID);
    assert_int_equal(tls_psk_client(longer, key_one, "a", &context), ERR_INVALID);
    assert_int_equal(tls_psk_client("a", key_one, longer, &context), ERR_INVALID);
    assert_int_equal(tls_psk_server(lookup, NULL, "", NULL, &context), ERR_INVALID);
    assert_null(context);
}

TEST_MAIN(TEST(conn_tls_same_key_opens_and_carries_bytes),
          TEST(conn_tls_key_never_crosses_the_wire_in_clear),
          TEST(conn_tls_wrong_key_is_told_on_both_sides),
          TEST(conn_tls_unknown_identity_is_told_on_both_sides),
          TEST(conn_tls_other_protocol_is_version_on_both_sides), TEST(conn_tls_on_alpn_is_asked),
          TEST(conn_tls_server_gets_garbage_is_protocol),
          TEST(conn_tls_client_gets_garbage_is_protocol),
          TEST(conn_tls_peer_silent_in_handshake_times_out),
          TEST(conn_tls_large_transfer_with_stops_arrives_whole),
          TEST(conn_tls_small_writes_of_a_turn_share_one_record),
          TEST(conn_tls_try_write_what_was_taken_arrives_and_nothing_else),
          TEST(conn_tls_finish_sends_all_and_says_goodbye),
          TEST(conn_tls_broken_record_is_protocol_after_the_good_ones),
          TEST(conn_tls_bytes_held_inside_are_read_without_another_event),
          TEST(conn_start_tls_inside_on_data_uses_the_bytes_already_read),
          TEST(tls_contexts_refuse_names_that_do_not_fit))
