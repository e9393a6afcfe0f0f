// SPDX-License-Identifier: MIT
// Connections over real sockets.
#include "io/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "conn_end.h"
#include "conn_priv.h"
#include "loop_fixture.h"
#include "unit.h"

// A connected pair: `near` dialled, `far` accepted.
struct wire {
    struct loop *loop;
    struct conn_server server;
    struct conn_end near, far;
};

static void wire_dial(struct wire *wire)
{
    wire->loop = loop_fixture_new();
    conn_server_open(&wire->server, wire->loop, &wire->far);
    wire->near.conn = conn_connect(wire->loop, "127.0.0.1", listener_port(wire->server.listener),
                                   NULL, 5 * US_PER_S, conn_end_events(&wire->near), &wire->near);
}

static void wire_open(struct wire *wire)
{
    wire_dial(wire);
    LOOP_UNTIL(wire->loop, wire->near.opened && wire->far.conn);
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
    assert_true(wire->far.closed == 1 || !wire->server.count);
    loop_fixture_free(&wire->loop);
    conn_end_fini(&wire->near);
    conn_end_fini(&wire->far);
}

static void conn_connect_open_then_bytes_go_both_ways(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_dial(&wire);
    assert_int_equal(wire.near.opened, 0); // never inside
    conn_end_send(&wire.near, "early ");   // queued until it is open
    LOOP_UNTIL(wire.loop, wire.near.opened && wire.far.conn);
    conn_end_send(&wire.near, "hello");
    conn_end_send(&wire.far, "world");
    LOOP_UNTIL(wire.loop, wire.far.got_length == 11 && wire.near.got_length == 5);
    assert_true(conn_end_got(&wire.far, "early hello"));
    assert_true(conn_end_got(&wire.near, "world"));
    assert_int_equal(conn_bytes_out(wire.near.conn), 11);
    assert_int_equal(conn_bytes_in(wire.near.conn), 5);
    assert_int_equal(conn_queued(wire.near.conn), 0);
    assert_int_equal(wire.near.opened, 1);
    assert_int_equal(wire.far.opened, 0); // accepted and plain
    assert_int_equal(address_port(conn_peer(wire.far.conn)),
                     address_port(conn_local(wire.near.conn)));
    char text[ADDRESS_TEXT_MAX];
    address_print(conn_local(wire.near.conn), text, sizeof(text));
    assert_string_equal(conn_name(wire.far.conn), text);
    wire_close(&wire);
}

static void conn_write_in_one_turn_is_one_send(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    for (int i = 0; i < 20; i++)
        conn_end_send(&wire.near, "piece");
    LOOP_UNTIL(wire.loop, wire.far.got_length == 100);
    assert_int_equal(wire.far.offers, 1);
    wire_close(&wire);
}

static void conn_on_data_partly_eaten_rest_is_offered_with_more(void **state)
{
    (void)state;
    struct wire wire = {.far.leave_least = 5};
    wire_open(&wire);
    conn_end_send(&wire.near, "abc");
    LOOP_UNTIL(wire.loop, wire.far.offers == 1);
    assert_int_equal(wire.far.got_length, 0);
    wire.far.eat_most = 4;
    conn_end_send(&wire.near, "defgh");
    LOOP_UNTIL(wire.loop, wire.far.offers == 2);
    assert_int_equal(wire.far.offered, 8);
    assert_true(conn_end_got(&wire.far, "abcd"));
    wire.far.leave_least = 0;
    conn_end_send(&wire.near, "i");
    LOOP_UNTIL(wire.loop, wire.far.offers == 3);
    assert_int_equal(wire.far.offered, 5); // "efghi"
    assert_true(conn_end_got(&wire.far, "abcdefgh"));
    wire_close(&wire);
}

static void conn_on_data_never_eaten_closes_as_flood(void **state)
{
    (void)state;
    struct wire wire = {.far.leave_least = SIZE_MAX};
    wire_open(&wire);
    struct buf *buf = buf_new(CONN_IN_MAX + 1000);
    memset(buf->data, 'x', buf->capacity);
    buf->length = buf->capacity;
    struct chain chain = {0};
    chain_take(&chain, &buf);
    conn_write(wire.near.conn, &chain);
    LOOP_UNTIL(wire.loop, wire.far.closed);
    assert_int_equal(wire.far.reason, REASON_FLOOD);
    assert_int_equal(wire.far.offered, CONN_IN_MAX);
    wire_close(&wire);
}

// More than any socket buffer takes, then read to the end.
static void conn_write_much_fills_drains_and_arrives(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    conn_pause(wire.far.conn, true);
    enum { BLOCKS = 1024, BLOCK = 16384 };
    size_t sent = 0;
    for (int i = 0; i < BLOCKS; i++) {
        struct buf *buf = buf_new(BLOCK);
        memset(buf->data, i & 255, BLOCK);
        buf->length = BLOCK;
        struct chain chain = {0};
        chain_take(&chain, &buf);
        conn_write(wire.near.conn, &chain);
        sent += BLOCK;
    }
    assert_true(conn_full(wire.near.conn));
    for (int i = 0; i < 100; i++)
        loop_turn(wire.loop, false);
    assert_true(conn_queued(wire.near.conn) > 0);
    assert_int_equal(wire.near.drained, 0);
    assert_int_equal(wire.far.got_length, 0);
    conn_pause(wire.far.conn, false);
    LOOP_UNTIL(wire.loop, wire.far.got_length == sent);
    assert_int_equal(wire.near.drained, 1);
    assert_false(conn_full(wire.near.conn));
    for (size_t i = 0; i < sent; i += 4096)
        assert_int_equal(wire.far.got[i], i / BLOCK & 255);
    wire_close(&wire);
}

static void conn_write_little_does_not_call_drained(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    conn_end_send(&wire.near, "little");
    LOOP_UNTIL(wire.loop, wire.far.got_length == 6);
    loop_turn(wire.loop, false);
    assert_int_equal(wire.near.drained, 0);
    wire_close(&wire);
}

static void conn_try_write_full_socket_calls_drained_when_there_is_room(void **state)
{
    (void)state;
    static char block[65536];
    struct wire wire = {0};
    wire_open(&wire);
    conn_pause(wire.far.conn, true);
    conn_set_send_buffer(wire.near.conn, 65536);
    conn_set_notsent_low(wire.near.conn, 16384);
    conn_end_send(&wire.near, "head"); // queued bytes go first
    size_t sent = 4, taken;
    while ((taken = conn_try_write(wire.near.conn, block, sizeof(block))) == sizeof(block))
        sent += taken;
    sent += taken;
    assert_true(sent > 4);
    assert_int_equal(conn_try_write(wire.near.conn, block, 10), 0);
    assert_int_equal(wire.near.drained, 0);
    conn_pause(wire.far.conn, false);
    LOOP_UNTIL(wire.loop, wire.near.drained == 1);
    struct iovec vectors[2] = {{block, 3}, {block, 4}};
    assert_int_equal(conn_try_writev(wire.near.conn, vectors, 2), 7);
    sent += 7;
    LOOP_UNTIL(wire.loop, wire.far.got_length == sent);
    assert_memory_equal(wire.far.got, "head", 4);
    assert_int_equal(conn_bytes_out(wire.near.conn), sent);
    loop_turn(wire.loop, false);
    assert_int_equal(wire.near.drained, 1);
    wire_close(&wire);
}

static void conn_close_twice_reports_first_reason_once_at_end_of_turn(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    conn_close(wire.near.conn, REASON_NO_CLIENTS);
    conn_close(wire.near.conn, REASON_PROTOCOL);
    conn_end_send(&wire.near, "nothing");
    assert_int_equal(conn_try_write(wire.near.conn, "nothing", 7), 0);
    assert_int_equal(wire.near.closed, 0);
    loop_turn(wire.loop, false);
    assert_int_equal(wire.near.closed, 1);
    assert_int_equal(wire.near.reason, REASON_NO_CLIENTS);
    LOOP_UNTIL(wire.loop, wire.far.closed);
    assert_int_equal(wire.far.reason, REASON_PEER_CLOSED);
    assert_int_equal(wire.far.got_length, 0);
    wire_close(&wire);
}

static void close_self(struct conn_end *end)
{
    conn_close(end->conn, REASON_DONE);
    end->on_data = NULL;
}

static void conn_close_inside_on_data_gets_no_more_callbacks(void **state)
{
    (void)state;
    struct wire wire = {.far.on_data = close_self, .far.eat_most = 1};
    wire_open(&wire);
    conn_end_send(&wire.near, "abcdef");
    LOOP_UNTIL(wire.loop, wire.far.closed);
    assert_int_equal(wire.far.offers, 1);
    assert_int_equal(wire.far.reason, REASON_DONE);
    wire_close(&wire);
}

static void conn_peer_reset_is_told_from_closed(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    conn_pause(wire.far.conn, true);
    conn_end_send(&wire.near, "unread"); // closing with unread bytes resets
    for (int i = 0; i < 10; i++)
        loop_turn(wire.loop, false);
    conn_close(wire.far.conn, REASON_LOCAL);
    LOOP_UNTIL(wire.loop, wire.near.closed);
    assert_int_equal(wire.near.reason, REASON_PEER_RESET);
    wire_close(&wire);
}

static void conn_finish_sends_all_then_closes(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_open(&wire);
    static char block[3000000];
    conn_write_copy(wire.near.conn, block, sizeof(block));
    conn_finish(wire.near.conn, REASON_DONE);
    conn_end_send(&wire.near, "too late");
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_int_equal(wire.near.reason, REASON_DONE);
    assert_int_equal(wire.near.drained, 0);
    assert_int_equal(wire.far.reason, REASON_PEER_CLOSED);
    assert_int_equal(wire.far.got_length, sizeof(block));
    wire_close(&wire);
}

static void conn_finish_with_unread_input_does_not_reset_the_answer(void **state)
{
    (void)state;
    struct wire wire = {.far.keep_open = true};
    wire_open(&wire);
    static char block[400000];
    conn_pause(wire.far.conn, true);
    conn_write_copy(wire.near.conn, block, sizeof(block)); // a body nobody reads
    for (int i = 0; i < 5; i++)
        loop_turn(wire.loop, false);
    conn_end_send(&wire.far, "answer");
    conn_finish(wire.far.conn, REASON_DONE);
    LOOP_UNTIL(wire.loop, wire.near.closed && wire.far.closed);
    assert_true(conn_end_got(&wire.near, "answer"));
    assert_int_equal(wire.near.reason, REASON_PEER_CLOSED);
    assert_int_equal(wire.far.reason, REASON_DONE);
    wire_close(&wire);
}

static void conn_peer_end_with_on_end_still_takes_the_answer(void **state)
{
    (void)state;
    struct wire wire = {.far.keep_open = true};
    wire_open(&wire);
    conn_end_send(&wire.near, "question");
    conn_finish(wire.near.conn, REASON_DONE); // shuts its direction, waits for ours
    LOOP_UNTIL(wire.loop, wire.far.ended);
    assert_true(conn_end_got(&wire.far, "question"));
    assert_int_equal(wire.far.closed, 0);
    uint64_t turns = loop_stats(wire.loop)->turns;
    for (int i = 0; i < 5; i++)
        loop_turn(wire.loop, false);
    assert_int_equal(wire.far.ended, 1);
    assert_int_equal(loop_stats(wire.loop)->turns, turns + 5);
    conn_end_send(&wire.far, "answer");
    conn_finish(wire.far.conn, REASON_NO_CLIENTS);
    LOOP_UNTIL(wire.loop, wire.far.closed && wire.near.closed);
    assert_int_equal(wire.far.reason, REASON_NO_CLIENTS);
    assert_int_equal(wire.near.reason, REASON_DONE);
    wire_close(&wire);
}

static void hand_over(struct conn_end *end)
{
    struct conn_end *next = end->arg;
    next->conn = end->conn;
    conn_set_events(end->conn, conn_end_events(next), next);
    end->conn = NULL;
    end->on_data = NULL;
}

static void conn_set_events_inside_on_data_offers_rest_to_new_owner(void **state)
{
    (void)state;
    struct conn_end next = {0};
    struct wire wire = {.far = {.eat_most = 4, .on_data = hand_over, .arg = &next}};
    wire_open(&wire);
    conn_end_send(&wire.near, "headbody");
    LOOP_UNTIL(wire.loop, next.got_length == 4);
    assert_true(conn_end_got(&wire.far, "head"));
    assert_true(conn_end_got(&next, "body"));
    conn_close(next.conn, REASON_LOCAL);
    loop_turn(wire.loop, false);
    assert_int_equal(next.closed, 1);
    assert_int_equal(wire.far.closed, 0);
    wire.far.closed = 1;
    conn_end_fini(&next);
    wire_close(&wire);
}

static void conn_pause_false_offers_the_rest_again(void **state)
{
    (void)state;
    struct wire wire = {.far.eat_most = 3};
    wire_open(&wire);
    conn_end_send(&wire.near, "abcdef");
    LOOP_UNTIL(wire.loop, wire.far.offers == 1);
    loop_turn(wire.loop, false);
    assert_int_equal(wire.far.offers, 1);
    conn_pause(wire.far.conn, false);
    assert_int_equal(wire.far.offers, 1); // not inside
    LOOP_UNTIL(wire.loop, wire.far.offers == 2);
    assert_true(conn_end_got(&wire.far, "abcdef"));
    wire_close(&wire);
}

struct taker {
    struct conn *conn;
    int descriptor, firsts;
    enum reason reason;
    uint8_t byte;
};

static void on_first(void *arg, uint8_t byte)
{
    struct taker *taker = arg;
    taker->byte = byte;
    taker->firsts++;
    if (byte == 'T')
        taker->descriptor = conn_take_descriptor(taker->conn);
}

static void on_taken(void *arg, enum reason reason)
{
    struct taker *taker = arg;
    taker->reason = reason;
    taker->conn = NULL;
}

static void conn_take_descriptor_gives_the_socket_untouched(void **state)
{
    (void)state;
    static const struct conn_events events = {.on_first = on_first, .on_closed = on_taken};
    struct taker taker = {.descriptor = -1};
    struct wire wire = {0};
    wire_open(&wire);
    conn_set_events(wire.far.conn, &events, &taker);
    taker.conn = wire.far.conn;
    conn_end_send(&wire.near, "TLS?");
    LOOP_UNTIL(wire.loop, taker.reason != REASON_NONE);
    assert_int_equal(taker.byte, 'T');
    assert_int_equal(taker.reason, REASON_REPLACED);
    assert_int_equal(wire.near.closed, 0);
    struct address from = *conn_local(wire.near.conn);
    wire.far.conn = conn_accepted(wire.loop, taker.descriptor, &from, NULL,
                                  conn_end_events(&wire.far), &wire.far);
    LOOP_UNTIL(wire.loop, wire.far.got_length == 4);
    assert_true(conn_end_got(&wire.far, "TLS?"));
    wire_close(&wire);
}

static void conn_on_first_comes_once(void **state)
{
    (void)state;
    static const struct conn_events events = {.on_first = on_first, .on_closed = on_taken};
    struct taker taker = {.descriptor = -1};
    struct wire wire = {0};
    wire_open(&wire);
    conn_set_events(wire.far.conn, &events, &taker);
    taker.conn = wire.far.conn;
    for (int i = 0; i < 3; i++) {
        conn_end_send(&wire.near, "GET");
        loop_turn(wire.loop, true);
    }
    while (conn_bytes_in(taker.conn) < 9)
        loop_turn(wire.loop, true);
    assert_int_equal(taker.firsts, 1);
    conn_close(taker.conn, REASON_LOCAL);
    wire.far.conn = NULL;
    wire.far.closed = 1;
    wire_close(&wire);
}

static void conn_connect_nobody_listens_is_refused(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire.loop = loop_fixture_new();
    conn_server_open(&wire.server, wire.loop, &wire.far);
    uint16_t port = listener_port(wire.server.listener);
    listener_close(&wire.server.listener);
    wire.near.conn = conn_connect(wire.loop, "127.0.0.1", port, NULL, 5 * US_PER_S,
                                  conn_end_events(&wire.near), &wire.near);
    assert_int_equal(wire.near.closed, 0);
    LOOP_UNTIL(wire.loop, wire.near.closed);
    assert_int_equal(wire.near.reason, REASON_REFUSED);
    assert_int_equal(wire.near.opened, 0);
    wire_close(&wire);
}

static void conn_reason_of_errno_names_each_failure(void **state)
{
    (void)state;
    assert_int_equal(conn_reason_of_errno(ECONNREFUSED, true), REASON_REFUSED);
    assert_int_equal(conn_reason_of_errno(EHOSTUNREACH, true), REASON_UNREACHABLE);
    assert_int_equal(conn_reason_of_errno(ENETUNREACH, true), REASON_UNREACHABLE);
    assert_int_equal(conn_reason_of_errno(EHOSTUNREACH, false), REASON_IO);
    assert_int_equal(conn_reason_of_errno(ETIMEDOUT, true), REASON_CONNECT_TIMEOUT);
    assert_int_equal(conn_reason_of_errno(ETIMEDOUT, false), REASON_TIMEOUT);
    assert_int_equal(conn_reason_of_errno(ECONNRESET, false), REASON_PEER_RESET);
    assert_int_equal(conn_reason_of_errno(EPIPE, false), REASON_PEER_RESET);
    assert_int_equal(conn_reason_of_errno(EMFILE, true), REASON_IO);
}

static void conn_connect_by_name_opens(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire.loop = loop_fixture_new();
    conn_server_open(&wire.server, wire.loop, &wire.far); // on IPv4 only
    wire.near.conn = conn_connect(wire.loop, "localhost", listener_port(wire.server.listener), NULL,
                                  5 * US_PER_S, conn_end_events(&wire.near), &wire.near);
    LOOP_UNTIL(wire.loop, wire.near.opened || wire.near.closed);
    assert_int_equal(wire.near.opened, 1);
    assert_int_equal(conn_peer(wire.near.conn)->any.sa_family, AF_INET);
    LOOP_UNTIL(wire.loop, wire.far.conn);
    wire_close(&wire);
}

// A port whose backlog is full: what dials it gets no answer.
struct deaf {
    int listening, fillers[8];
    struct sockaddr_in name;
};

static void deaf_open(struct deaf *deaf)
{
    deaf->name =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(deaf->name);
    struct sockaddr *name = (struct sockaddr *)&deaf->name;
    deaf->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(deaf->listening, name, length), 0);
    assert_int_equal(listen(deaf->listening, 0), 0);
    assert_int_equal(getsockname(deaf->listening, name, &length), 0);
    for (int i = 0; i < 8; i++) {
        deaf->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int result = connect(deaf->fillers[i], name, length);
        assert_true(result == 0 || errno == EINPROGRESS);
    }
}

static void deaf_close(struct deaf *deaf)
{
    for (int i = 0; i < 8; i++)
        close(deaf->fillers[i]);
    close(deaf->listening);
}

static void conn_connect_no_answer_is_connect_timeout(void **state)
{
    (void)state;
    struct deaf deaf;
    deaf_open(&deaf);
    struct wire wire = {0};
    wire.loop = loop_fixture_new();
    wire.near.conn = conn_connect(wire.loop, "127.0.0.1", ntohs(deaf.name.sin_port), NULL,
                                  50 * US_PER_MS, conn_end_events(&wire.near), &wire.near);
    LOOP_UNTIL(wire.loop, wire.near.closed);
    assert_int_equal(wire.near.reason, REASON_CONNECT_TIMEOUT);
    deaf_close(&deaf);
    wire_close(&wire);
}

// Dials a name that is said to have these addresses.
static void wire_dial_addresses(struct wire *wire, const struct address *addresses, unsigned count)
{
    wire->near.conn = conn_connect(wire->loop, "several.invalid", 1, NULL, 5 * US_PER_S,
                                   conn_end_events(&wire->near), &wire->near);
    conn_dial_addresses(wire->near.conn, addresses, count);
    LOOP_UNTIL(wire->loop, wire->near.opened || wire->near.closed);
}

static void conn_connect_several_addresses_first_that_answers_wins(void **state)
{
    (void)state;
    struct deaf deaf;
    deaf_open(&deaf);
    for (int i = 0; i < 2; i++) {
        struct wire wire = {0};
        wire.loop = loop_fixture_new();
        conn_server_open(&wire.server, wire.loop, &wire.far);
        struct address list[3]; // nobody there, no answer, the right one
        assert_int_equal(address_parse("127.0.0.1", 1, &list[0]), 0);
        assert_int_equal(address_parse("127.0.0.1", ntohs(deaf.name.sin_port), &list[1]), 0);
        uint16_t port = listener_port(wire.server.listener);
        assert_int_equal(address_parse("127.0.0.1", port, &list[2]), 0);
        int64_t began = now_us();
        if (i == 0)
            list[1] = list[2]; // the next at once after a refusal
        wire_dial_addresses(&wire, list, 3 - (i == 0));
        assert_int_equal(wire.near.opened, 1);
        assert_int_equal(address_port(conn_peer(wire.near.conn)), port);
        int64_t took = now_us() - began;
        if (i == 0)
            assert_true(took < 200 * US_PER_MS);
        else
            assert_true(took >= 250 * US_PER_MS && took < 2 * US_PER_S);
        LOOP_UNTIL(wire.loop, wire.far.conn);
        wire_close(&wire);
    }
    deaf_close(&deaf);
}

static void conn_connect_all_fail_refused_says_most(void **state)
{
    (void)state;
    struct address list[2];
    assert_int_equal(address_parse("127.0.0.1", 1, &list[0]), 0);
    assert_int_equal(address_parse("fe80::1", 1, &list[1]), 0);
    for (int i = 0; i < 2; i++) {
        struct wire wire = {0};
        wire.loop = loop_fixture_new();
        struct address turned[2] = {list[i], list[!i]};
        wire_dial_addresses(&wire, turned, 2);
        assert_int_equal(wire.near.reason, REASON_REFUSED);
        wire_close(&wire);
    }
}

static void conn_close_while_connecting_frees_everything(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire.loop = loop_fixture_new();
    wire.near.conn = conn_connect(wire.loop, "no-such-host.invalid", 1, NULL, 5 * US_PER_S,
                                  conn_end_events(&wire.near), &wire.near);
    conn_end_send(&wire.near, "queued");
    assert_string_equal(conn_name(wire.near.conn), "no-such-host.invalid:1");
    conn_close(wire.near.conn, REASON_CONFIG);
    loop_turn(wire.loop, false);
    assert_int_equal(wire.near.reason, REASON_CONFIG);
    wire_close(&wire);
}

static void conn_connect_unroutable_is_unreachable(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire.loop = loop_fixture_new();
    wire.near.conn = conn_connect(wire.loop, "fe80::1", 1, NULL, 5 * US_PER_S,
                                  conn_end_events(&wire.near), &wire.near);
    LOOP_UNTIL(wire.loop, wire.near.closed);
    assert_int_equal(wire.near.reason, REASON_UNREACHABLE);
    wire_close(&wire);
}

TEST_MAIN(TEST(conn_connect_open_then_bytes_go_both_ways), TEST(conn_write_in_one_turn_is_one_send),
          TEST(conn_on_data_partly_eaten_rest_is_offered_with_more),
          TEST(conn_on_data_never_eaten_closes_as_flood),
          TEST(conn_write_much_fills_drains_and_arrives),
          TEST(conn_write_little_does_not_call_drained),
          TEST(conn_try_write_full_socket_calls_drained_when_there_is_room),
          TEST(conn_close_twice_reports_first_reason_once_at_end_of_turn),
          TEST(conn_close_inside_on_data_gets_no_more_callbacks),
          TEST(conn_peer_reset_is_told_from_closed), TEST(conn_finish_sends_all_then_closes),
          TEST(conn_finish_with_unread_input_does_not_reset_the_answer),
          TEST(conn_peer_end_with_on_end_still_takes_the_answer),
          TEST(conn_set_events_inside_on_data_offers_rest_to_new_owner),
          TEST(conn_pause_false_offers_the_rest_again),
          TEST(conn_take_descriptor_gives_the_socket_untouched), TEST(conn_on_first_comes_once),
          TEST(conn_connect_nobody_listens_is_refused),
          TEST(conn_reason_of_errno_names_each_failure), TEST(conn_connect_by_name_opens),
          TEST(conn_connect_no_answer_is_connect_timeout),
          TEST(conn_connect_several_addresses_first_that_answers_wins),
          TEST(conn_connect_all_fail_refused_says_most),
          TEST(conn_close_while_connecting_frees_everything),
          TEST(conn_connect_unroutable_is_unreachable))
