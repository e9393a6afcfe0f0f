// SPDX-License-Identifier: MIT
// The ring and its viewers over connections in memory, in virtual time.
#include "stream/wire_ring.h"

#include "unit.h"

#include "base/clock.h"
#include "conn_end.h"
#include "loop_fixture.h"

struct watcher {
    struct conn_end near, far; // near is the server's end until the ring takes it
    unsigned gone;
    uint64_t bytes;
    enum reason reason;
};

static unsigned emptied;

static void on_empty(void *arg)
{
    (void)arg;
    emptied++;
}

static void on_gone(void *arg, uint64_t bytes, enum reason reason)
{
    struct watcher *watcher = arg;
    watcher->gone++;
    watcher->bytes = bytes;
    watcher->reason = reason;
}

static void watch(struct wire_ring *ring, struct loop *loop, struct watcher *watcher,
                  bool low_delay)
{
    *watcher = (struct watcher){0};
    conn_pair(loop, 0, conn_end_events(&watcher->near), &watcher->near,
              conn_end_events(&watcher->far), &watcher->far, &watcher->near.conn,
              &watcher->far.conn);
    wire_ring_add(ring, watcher->near.conn, low_delay, on_gone, watcher);
    watcher->near.conn = NULL;
}

static void leave(struct loop *loop, struct watcher *watcher)
{
    if (watcher->far.conn)
        conn_close(watcher->far.conn, REASON_DONE);
    loop_fixture_settle(loop);
    conn_end_fini(&watcher->far);
    conn_end_fini(&watcher->near);
}

static void wire_ring_viewer_begins_at_the_key_mark(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher early, late;
    watch(ring, loop, &early, true);
    wire_ring_write(ring, "before", 6);
    wire_ring_flush(ring);
    loop_fixture_settle(loop);
    assert_int_equal(early.far.got_length, 0); // nothing to begin with yet
    wire_ring_mark_key(ring);
    wire_ring_write(ring, "KEY", 3);
    wire_ring_write(ring, "more", 4);
    wire_ring_flush(ring);
    watch(ring, loop, &late, true);
    loop_fixture_settle(loop);
    assert_true(conn_end_got(&early.far, "KEYmore"));
    assert_true(conn_end_got(&late.far, "KEYmore"));
    leave(loop, &early);
    leave(loop, &late);
    assert_int_equal(early.gone, 1);
    assert_int_equal(early.bytes, 7);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_low_delay_is_sent_at_once_others_in_batches(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher quick, plain;
    wire_ring_mark_key(ring);
    watch(ring, loop, &quick, true);
    watch(ring, loop, &plain, false);
    wire_ring_write(ring, "one", 3);
    wire_ring_flush(ring);
    loop_fixture_settle(loop);
    assert_true(conn_end_got(&quick.far, "one"));
    assert_int_equal(plain.far.got_length, 0);
    loop_fixture_run(loop, 40000);
    wire_ring_write(ring, "two", 3);
    wire_ring_flush(ring);
    loop_fixture_run(loop, 70000);
    assert_true(conn_end_got(&plain.far, "onetwo"));
    assert_int_equal(plain.far.offers, 1);
    leave(loop, &quick);
    leave(loop, &plain);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void fill(uint8_t *out, size_t length, uint64_t from)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)((from + i) * 31 >> 3);
}

static void wire_ring_bytes_are_whole_across_wrap_and_growth(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher watcher;
    static uint8_t piece[30000], wanted[30000];
    uint64_t at = 0, checked = 0;
    watch(ring, loop, &watcher, true);
    for (int i = 0; i < 200; i++) { // six megabytes; GOPs of 20 pieces, larger than the first ring
        if (i % 20 == 0)
            wire_ring_mark_key(ring);
        fill(piece, sizeof(piece), at);
        wire_ring_write(ring, piece, sizeof(piece));
        at += sizeof(piece);
        wire_ring_flush(ring);
        loop_fixture_settle(loop);
        assert_int_equal(watcher.far.got_length, at);
    }
    for (; checked < at; checked += sizeof(wanted)) {
        fill(wanted, sizeof(wanted), checked);
        assert_memory_equal(watcher.far.got + checked, wanted, sizeof(wanted));
    }
    assert_int_equal(wire_ring_jumps(ring), 0);
    leave(loop, &watcher);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_slow_viewer_jumps_to_a_key_others_are_not_held_up(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher slow, good;
    static uint8_t piece[50000];
    watch(ring, loop, &slow, true);
    watch(ring, loop, &good, true);
    conn_pair_stall(slow.far.conn, true);
    conn_pause(slow.far.conn, true);
    for (int i = 0; i < 200; i++) {
        if (i % 10 == 0)
            wire_ring_mark_key(ring);
        wire_ring_write(ring, piece, sizeof(piece));
        wire_ring_flush(ring);
        loop_fixture_run(loop, 20000);
    }
    assert_int_equal(good.far.got_length, 200 * sizeof(piece));
    assert_int_equal(wire_ring_viewers(ring), 2);
    conn_pair_stall(slow.far.conn, false);
    conn_pause(slow.far.conn, false);
    loop_fixture_settle(loop);
    wire_ring_write(ring, piece, sizeof(piece));
    wire_ring_flush(ring);
    loop_fixture_settle(loop);
    assert_true(slow.far.got_length < good.far.got_length);
    leave(loop, &slow);
    leave(loop, &good);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

// A GOP of ten pieces of 50000 bytes; each byte tells its GOP, the first of a key piece is 0xff.
static void write_gop(struct wire_ring *ring, struct loop *loop, unsigned gop)
{
    static uint8_t piece[50000];
    memset(piece, (int)gop, sizeof(piece));
    for (int i = 0; i < 10; i++) {
        if (i == 0)
            wire_ring_mark_key(ring);
        piece[0] = i == 0 ? 0xff : (uint8_t)gop;
        wire_ring_write(ring, piece, sizeof(piece));
        wire_ring_flush(ring);
        loop_fixture_run(loop, 20000);
    }
}

static void wire_ring_jump_goes_on_at_the_newest_key(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher slow;
    watch(ring, loop, &slow, true);
    write_gop(ring, loop, 1);
    size_t whole = slow.far.got_length;
    assert_int_equal(whole, 500000);
    conn_pause(slow.far.conn, true);
    for (unsigned gop = 2; gop <= 6; gop++)
        write_gop(ring, loop, gop);
    conn_pause(slow.far.conn, false);
    loop_fixture_settle(loop);
    // What was on its way when it stopped, then the newest GOP from its key on.
    size_t at = whole + 1;
    while (at < slow.far.got_length && slow.far.got[at] != 0xff)
        assert_int_equal(slow.far.got[at++], 2);
    assert_true(at < whole + 200000);
    assert_int_equal(slow.far.got_length - at, 500000);
    assert_int_equal(slow.far.got[at + 1], 6);
    assert_int_equal(wire_ring_jumps(ring), 1);
    leave(loop, &slow);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_viewer_that_takes_nothing_for_ten_seconds_is_closed(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher stuck, good;
    watch(ring, loop, &stuck, true);
    watch(ring, loop, &good, false);
    conn_pause(stuck.far.conn, true);
    write_gop(ring, loop, 1); // full after the first of it
    loop_fixture_run(loop, 9 * US_PER_S);
    assert_int_equal(stuck.gone, 0);
    loop_fixture_run(loop, 3 * US_PER_S);
    assert_int_equal(stuck.gone, 1);
    assert_int_equal(stuck.reason, REASON_SLOW_RECEIVER);
    assert_int_equal(good.gone, 0);
    assert_int_equal(good.far.got_length, 500000);
    leave(loop, &stuck);
    leave(loop, &good);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void fall_out(struct wire_ring *ring, struct loop *loop, struct watcher *watcher,
                     unsigned *gop)
{
    conn_pause(watcher->far.conn, true);
    for (int i = 0; i < 4; i++)
        write_gop(ring, loop, (*gop)++);
    conn_pause(watcher->far.conn, false);
    loop_fixture_settle(loop);
}

static void wire_ring_viewer_that_falls_out_too_often_is_closed(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher slow;
    unsigned gop = 1;
    watch(ring, loop, &slow, true);
    for (int fall = 1; fall <= WIRE_JUMPS_MAX + 1; fall++) {
        assert_int_equal(slow.gone, 0);
        fall_out(ring, loop, &slow, &gop);
        assert_int_equal(wire_ring_jumps(ring), fall);
    }
    assert_int_equal(slow.gone, 1);
    assert_int_equal(slow.reason, REASON_SLOW_RECEIVER);
    leave(loop, &slow);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_viewer_that_falls_out_now_and_then_stays(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher slow;
    unsigned gop = 1;
    watch(ring, loop, &slow, true);
    for (int fall = 1; fall <= 5 * WIRE_JUMPS_MAX; fall++) {
        fall_out(ring, loop, &slow, &gop);
        if (fall % WIRE_JUMPS_MAX == 0)
            loop_fixture_run(loop, 60 * US_PER_S);
        assert_int_equal(wire_ring_jumps(ring), fall);
        assert_int_equal(slow.gone, 0);
    }
    leave(loop, &slow);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_many_viewers_come_and_go(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    static struct watcher watchers[MANY];
    wire_ring_mark_key(ring);
    wire_ring_write(ring, "KEY", 3);
    for (int i = 0; i < MANY; i++)
        watch(ring, loop, &watchers[i], i % 2);
    loop_fixture_settle(loop);
    for (int i = 0; i < MANY; i += 3) // holes are filled from the end
        leave(loop, &watchers[i]);
    assert_int_equal(wire_ring_viewers(ring), MANY - (MANY + 2) / 3);
    wire_ring_write(ring, "more", 4);
    wire_ring_flush(ring);
    loop_fixture_run(loop, 100 * US_PER_MS);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            continue;
        assert_true(conn_end_got(&watchers[i].far, "KEYmore"));
        leave(loop, &watchers[i]);
    }
    assert_int_equal(wire_ring_viewers(ring), 0);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_last_viewer_empties_it(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher one, two;
    emptied = 0;
    watch(ring, loop, &one, false);
    watch(ring, loop, &two, false);
    loop_fixture_settle(loop);
    leave(loop, &one);
    assert_int_equal(emptied, 0);
    assert_int_equal(wire_ring_viewers(ring), 1);
    leave(loop, &two);
    assert_int_equal(emptied, 1);
    wire_ring_free(&ring, REASON_DONE);
    loop_fixture_free(&loop);
}

static void wire_ring_free_closes_its_viewers(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct wire_ring *ring = wire_ring_new(loop, on_empty, NULL);
    struct watcher watcher;
    watch(ring, loop, &watcher, true);
    wire_ring_free(&ring, REASON_SHUTDOWN);
    loop_fixture_settle(loop);
    assert_int_equal(watcher.gone, 1);
    assert_int_equal(watcher.reason, REASON_SHUTDOWN);
    leave(loop, &watcher);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(wire_ring_viewer_begins_at_the_key_mark),
          TEST(wire_ring_low_delay_is_sent_at_once_others_in_batches),
          TEST(wire_ring_bytes_are_whole_across_wrap_and_growth),
          TEST(wire_ring_slow_viewer_jumps_to_a_key_others_are_not_held_up),
          TEST(wire_ring_jump_goes_on_at_the_newest_key),
          TEST(wire_ring_viewer_that_takes_nothing_for_ten_seconds_is_closed),
          TEST(wire_ring_viewer_that_falls_out_too_often_is_closed),
          TEST(wire_ring_viewer_that_falls_out_now_and_then_stays),
          TEST(wire_ring_many_viewers_come_and_go), TEST(wire_ring_last_viewer_empties_it),
          TEST(wire_ring_free_closes_its_viewers))
