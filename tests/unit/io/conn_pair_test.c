// SPDX-License-Identifier: MIT
// Connections in memory, in virtual time.
#include "base/clock.h"
#include "base/limits.h"
#include "conn_end.h"
#include "io/conn.h"
#include "loop_fixture.h"
#include "unit.h"

struct pair {
    struct loop *loop;
    struct conn_end a, b;
};

static void pair_open(struct pair *pair, size_t piece)
{
    pair->loop = loop_fixture_new_virtual();
    conn_pair(pair->loop, piece, conn_end_events(&pair->a), &pair->a, conn_end_events(&pair->b),
              &pair->b, &pair->a.conn, &pair->b.conn);
}

static void pair_close(struct pair *pair)
{
    if (pair->a.conn)
        conn_close(pair->a.conn, REASON_LOCAL);
    if (pair->b.conn)
        conn_close(pair->b.conn, REASON_LOCAL);
    loop_fixture_settle(pair->loop);
    assert_int_equal(pair->a.closed, 1);
    assert_int_equal(pair->b.closed, 1);
    loop_fixture_free(&pair->loop);
    conn_end_fini(&pair->a);
    conn_end_fini(&pair->b);
}

static void conn_pair_one_byte_at_a_time_arrives_in_order(void **state)
{
    (void)state;
    struct pair pair = {0};
    pair_open(&pair, 1);
    conn_end_send(&pair.a, "hello");
    conn_end_send(&pair.b, "you");
    assert_int_equal(pair.b.offers, 0);
    loop_fixture_settle(pair.loop);
    assert_true(conn_end_got(&pair.b, "hello"));
    assert_int_equal(pair.b.offers, 5);
    assert_true(conn_end_got(&pair.a, "you"));
    pair_close(&pair);
}

static void conn_pair_paused_end_fills_the_writer(void **state)
{
    (void)state;
    static char block[1 << 20];
    struct pair pair = {0};
    pair_open(&pair, 0);
    conn_pause(pair.b.conn, true);
    conn_write_copy(pair.a.conn, block, sizeof(block));
    loop_fixture_settle(pair.loop);
    assert_true(conn_full(pair.a.conn));
    assert_int_equal(pair.b.got_length, 0);
    conn_pause(pair.b.conn, false);
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.b.got_length, sizeof(block));
    assert_int_equal(pair.a.drained, 1);
    assert_int_equal(conn_queued(pair.a.conn), 0);
    pair_close(&pair);
}

static void conn_pair_stall_holds_back_until_released(void **state)
{
    (void)state;
    struct pair pair = {0};
    pair_open(&pair, 0);
    conn_pair_stall(pair.a.conn, true);
    conn_end_send(&pair.a, "late");
    conn_close(pair.a.conn, REASON_DONE); // drops its queue: was not flushed yet
    loop_fixture_run(pair.loop, US_PER_S);
    assert_int_equal(pair.b.closed, 0);
    pair_close(&pair);

    memset(&pair, 0, sizeof(pair));
    pair_open(&pair, 0);
    conn_pair_stall(pair.a.conn, true);
    conn_end_send(&pair.a, "late");
    loop_fixture_run(pair.loop, US_PER_S);
    assert_int_equal(pair.b.got_length, 0);
    conn_pair_stall(pair.a.conn, false);
    loop_fixture_settle(pair.loop);
    assert_true(conn_end_got(&pair.b, "late"));
    pair_close(&pair);
}

static void conn_pair_finish_delivers_all_then_end(void **state)
{
    (void)state;
    struct pair pair = {0};
    pair_open(&pair, 3);
    conn_end_send(&pair.a, "last words");
    conn_finish(pair.a.conn, REASON_DONE);
    loop_fixture_settle(pair.loop);
    assert_true(conn_end_got(&pair.b, "last words"));
    assert_int_equal(pair.b.reason, REASON_PEER_CLOSED);
    assert_int_equal(pair.a.reason, REASON_DONE);
    assert_int_equal(pair.a.closed, 1);
    pair_close(&pair);
}

static void conn_pair_finish_peer_never_closes_ends_after_linger(void **state)
{
    (void)state;
    struct pair pair = {.b.keep_open = true};
    pair_open(&pair, 0);
    conn_end_send(&pair.a, "bye");
    conn_finish(pair.a.conn, REASON_DONE);
    loop_fixture_run(pair.loop, 1900 * US_PER_MS);
    assert_int_equal(pair.b.ended, 1);
    conn_end_send(&pair.b, "dropped");
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.a.closed, 0);
    loop_fixture_run(pair.loop, 200 * US_PER_MS);
    assert_int_equal(pair.a.closed, 1);
    assert_int_equal(pair.a.got_length, 0);
    pair_close(&pair);
}

static void conn_pair_finish_peer_never_reads_is_slow_receiver(void **state)
{
    (void)state;
    static char block[100000];
    struct pair pair = {0};
    pair_open(&pair, 0);
    conn_pause(pair.b.conn, true);
    conn_write_copy(pair.a.conn, block, sizeof(block));
    conn_finish(pair.a.conn, REASON_DONE);
    loop_fixture_run(pair.loop, HTTP_SEND_TIMEOUT_US - US_PER_S);
    assert_int_equal(pair.a.closed, 0);
    loop_fixture_run(pair.loop, 2 * US_PER_S);
    assert_int_equal(pair.a.reason, REASON_SLOW_RECEIVER);
    pair_close(&pair);
}

static void conn_pair_break_resets_both(void **state)
{
    (void)state;
    struct pair pair = {0};
    pair_open(&pair, 0);
    conn_end_send(&pair.a, "lost");
    conn_pair_break(pair.b.conn);
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.a.reason, REASON_PEER_RESET);
    assert_int_equal(pair.b.reason, REASON_PEER_RESET);
    assert_int_equal(pair.b.got_length, 0);
    pair_close(&pair);
}

static void conn_pair_write_to_gone_peer_is_reset(void **state)
{
    (void)state;
    struct pair pair = {.a.keep_open = true};
    pair_open(&pair, 0);
    conn_close(pair.b.conn, REASON_LOCAL);
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.a.ended, 1);
    conn_end_send(&pair.a, "anyone?");
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.a.reason, REASON_PEER_RESET);
    pair_close(&pair);
}

static void conn_pair_try_write_takes_what_fits(void **state)
{
    (void)state;
    static char block[100000];
    struct pair pair = {0};
    pair_open(&pair, 0);
    size_t taken = conn_try_write(pair.a.conn, block, sizeof(block));
    assert_int_equal(taken, 65536);
    assert_int_equal(conn_try_write(pair.a.conn, block, 1), 0);
    assert_int_equal(pair.a.drained, 0);
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.a.drained, 1);
    assert_int_equal(conn_try_write(pair.a.conn, block, sizeof(block) - taken),
                     sizeof(block) - taken);
    loop_fixture_settle(pair.loop);
    assert_int_equal(pair.b.got_length, sizeof(block));
    assert_int_equal(pair.a.drained, 1);
    pair_close(&pair);
}

static void close_it(void *arg)
{
    conn_close(arg, REASON_LOCAL);
}

static void conn_write_on_many_in_one_turn_is_spread_over_turns(void **state)
{
    (void)state;
    enum { PAIRS = 100, BYTES = 60000 };
    static char block[BYTES];
    static struct pair pairs[PAIRS];
    struct loop *loop = loop_fixture_new_virtual();
    memset(pairs, 0, sizeof(pairs));
    for (int i = 0; i < PAIRS; i++) {
        conn_pair(loop, 0, conn_end_events(&pairs[i].a), &pairs[i].a, conn_end_events(&pairs[i].b),
                  &pairs[i].b, &pairs[i].a.conn, &pairs[i].b.conn);
        conn_write_copy(pairs[i].a.conn, block, BYTES);
    }
    // The last is closed while its turn to send is still to come; told in this turn all the same.
    struct defer closing = {0};
    loop_defer(loop, &closing, close_it, pairs[PAIRS - 1].a.conn);
    loop_turn(loop, false);
    assert_int_equal(pairs[PAIRS - 1].a.closed, 1);
    size_t sent = 0;
    for (int i = 0; i < PAIRS - 1; i++)
        sent += conn_bytes_out(pairs[i].a.conn);
    assert_true(sent > 4 << 20 && sent <= (4 << 20) + BYTES);
    loop_fixture_settle(loop);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(pairs[i].b.got_length, i < PAIRS - 1 ? BYTES : 0);
        if (pairs[i].a.conn)
            conn_close(pairs[i].a.conn, REASON_LOCAL);
    }
    loop_fixture_settle(loop);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(pairs[i].b.closed, 1);
        conn_end_fini(&pairs[i].b);
    }
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(conn_write_on_many_in_one_turn_is_spread_over_turns),
          TEST(conn_pair_one_byte_at_a_time_arrives_in_order),
          TEST(conn_pair_paused_end_fills_the_writer),
          TEST(conn_pair_stall_holds_back_until_released),
          TEST(conn_pair_finish_delivers_all_then_end),
          TEST(conn_pair_finish_peer_never_closes_ends_after_linger),
          TEST(conn_pair_finish_peer_never_reads_is_slow_receiver),
          TEST(conn_pair_break_resets_both), TEST(conn_pair_write_to_gone_peer_is_reset),
          TEST(conn_pair_try_write_takes_what_fits))
