// SPDX-License-Identifier: MIT
#include "link_fixture.h"

static struct ends ends;
static struct service service;
static struct link *wire;

static void begin(void)
{
    memset(&service, 0, sizeof(service));
    ends_open(&ends);
    link_hub_serve(ends.there, LINK_M4S, service_serve, &service);
    wire = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(wire));
}

static void finish(void)
{
    link_release(&wire);
    ends_close(&ends);
    service_fini(&service);
}

static void link_alive_idle_link_stays_up_and_costs_next_to_nothing(void **state)
{
    (void)state;
    begin();
    loop_fixture_run(ends.loop, 10 * US_PER_S);
    uint64_t pings = wire->ping + ends_accepted(&ends)->ping;
    uint64_t bytes = conn_bytes_out(ends.conn_here) + conn_bytes_out(ends.conn_there);
    loop_fixture_run(ends.loop, 3600 * US_PER_S);
    assert_int_equal(ends.dials, 1);
    pings = wire->ping + ends_accepted(&ends)->ping - pings;
    bytes = conn_bytes_out(ends.conn_here) + conn_bytes_out(ends.conn_there) - bytes;
    // Each ping and each pong is in a record of its own: 22 bytes.
    uint64_t bits = (bytes + pings * 2 * 22) * 8 / 3600;
    print_message("idle, TLS counted, both directions: %u bit/s\n", (unsigned)bits);
    assert_in_range(bits, 20, 60);
    assert_in_range(pings, 2 * 3600 / 30, 2 * 3600 / 25 + 2);
    finish();
}

static void link_alive_silent_peer_is_noticed_within_5_s_when_data_is_due(void **state)
{
    (void)state;
    struct user user = {0};
    begin();
    user_open(&user, wire, LINK_LIVE, "main");
    channel_expect_data(user.channel, true);
    loop_fixture_run(ends.loop, 100 * US_PER_S); // quiet, but it answers pings
    assert_true(link_is_up(wire));
    assert_int_equal(user.closed, 0);
    conn_pair_stall(ends.conn_there, true);
    int64_t began = now_us();
    while (!user.closed)
        loop_fixture_run(ends.loop, 100 * US_PER_MS);
    assert_int_equal(user.reason, REASON_SILENT_PEER);
    assert_in_range(now_us() - began, 2 * US_PER_S, 5 * US_PER_S);
    finish();
}

static void link_alive_expectation_of_a_closed_channel_is_gone(void **state)
{
    (void)state;
    struct user user = {0};
    begin();
    user_open(&user, wire, LINK_LIVE, "main");
    channel_expect_data(user.channel, true);
    channel_expect_data(user.channel, true);
    channel_close(&user.channel, REASON_DONE);
    user_open(&user, wire, LINK_LIVE, "main");
    channel_expect_data(user.channel, true);
    channel_expect_data(user.channel, false);
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_there, true);
    loop_fixture_run(ends.loop, 9 * US_PER_S);
    assert_true(link_is_up(wire));
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void link_alive_expectation_after_a_long_silence_gives_the_peer_time(void **state)
{
    (void)state;
    struct user user = {0};
    begin();
    loop_fixture_run(ends.loop, 20 * US_PER_S);
    user_open(&user, wire, LINK_LIVE, "main");
    channel_expect_data(user.channel, true);
    loop_fixture_run(ends.loop, 20 * US_PER_S);
    assert_true(link_is_up(wire));
    assert_int_equal(ends.dials, 1);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void link_alive_silent_peer_is_noticed_in_40_s_when_idle(void **state)
{
    (void)state;
    struct watcher watcher;
    begin();
    loop_fixture_run(ends.loop, 33 * US_PER_S);
    watcher_add(&watcher, wire);
    conn_pair_stall(ends.conn_there, true);
    int64_t began = now_us();
    while (!watcher.downs)
        loop_fixture_run(ends.loop, 100 * US_PER_MS);
    assert_int_equal(watcher.reason, REASON_SILENT_PEER);
    assert_in_range(now_us() - began, 10 * US_PER_S, 41 * US_PER_S);
    link_watch_remove(wire, &watcher.watch);
    finish();
}

static void link_alive_silent_after_the_handshake_is_timeout(void **state)
{
    (void)state;
    struct conn_end raw = {0};
    struct conn *accepted;
    static const struct conn_events none = {.on_data = NULL};
    begin();
    conn_pair(ends.loop, 0, conn_end_events(&raw), &raw, &none, NULL, &raw.conn, &accepted);
    link_hub_accept_conn(ends.there, accepted);
    loop_fixture_run(ends.loop, 9 * US_PER_S);
    assert_int_equal(raw.closed, 0);
    loop_fixture_run(ends.loop, 2 * US_PER_S);
    assert_int_equal(raw.closed, 1);
    assert_int_equal(link_hub_refusals(ends.there)[REASON_TIMEOUT], 1);
    assert_true(link_is_up(wire));
    conn_end_fini(&raw);
    finish();
}

static void link_alive_peer_that_stops_reading_is_slow_receiver(void **state)
{
    (void)state;
    struct user user = {0};
    begin();
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_run(ends.loop, 5 * US_PER_S);
    conn_pause(ends.conn_there, true); // its process hangs; nothing comes either
    send_pattern(user.channel, 1 << 20, 1);
    int64_t began = now_us();
    while (!user.closed)
        loop_fixture_run(ends.loop, 100 * US_PER_MS);
    assert_int_equal(user.reason, REASON_SLOW_RECEIVER);
    assert_in_range(now_us() - began, 99 * US_PER_S / 10, 11 * US_PER_S);
    assert_int_equal(link_hub_losses(ends.here)[REASON_SLOW_RECEIVER], 1);
    finish();
}

static void link_alive_thin_line_that_moves_is_not_slow(void **state)
{
    (void)state;
    struct user user = {0};
    begin();
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    conn_pause(ends.conn_there, true);
    send_pattern(user.channel, 4 << 20, 1);
    for (int i = 0; i < 12; i++) {
        loop_fixture_run(ends.loop, 8 * US_PER_S);
        conn_pause(ends.conn_there, false);
        loop_turn(ends.loop, false);
        loop_turn(ends.loop, false);
        loop_turn(ends.loop, false);
        conn_pause(ends.conn_there, true);
        assert_true(link_is_up(wire));
    }
    assert_int_equal(service.users[0].messages, 0);
    conn_pause(ends.conn_there, false);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 1);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

// A peer by hand, which answers pings with a clock of its own.
struct peer {
    struct conn_end end;
    struct link *link; // ours
    int64_t clock_ahead_us;
    int64_t delay_us; // of each answer, in steps of the test
    uint64_t ping;    // last one heard; 0 when answered
    size_t read;
};

static void peer_write(struct peer *peer, const struct link_wire_message *message)
{
    struct writer writer = {0};
    uint8_t head[LINK_WIRE_HEAD_MAX];
    link_wire_write(&writer, message);
    size_t length = link_wire_head_write(
        head, &(struct link_wire_head){.length = (uint32_t)writer.buf->length});
    conn_write_copy(peer->end.conn, head, length);
    conn_write_copy(peer->end.conn, writer.buf->data, writer.buf->length);
    writer_fini(&writer);
}

static void peer_begin(struct peer *peer)
{
    struct conn *accepted;
    static const struct conn_events none = {.on_data = NULL};
    memset(peer, 0, sizeof(*peer));
    conn_pair(ends.loop, 0, conn_end_events(&peer->end), &peer->end, &none, NULL, &peer->end.conn,
              &accepted);
    peer->link = link_hub_accept_conn(ends.there, accepted);
    peer_write(peer, &(struct link_wire_message){.type = LINK_WIRE_HELLO, .number = 77});
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(peer->link));
}

static void peer_hear(struct peer *peer)
{
    struct bytes in = bytes_of(peer->end.got + peer->read, peer->end.got_length - peer->read);
    struct link_wire_head head;
    struct bytes payload;
    while (link_wire_head_parse(&in, &head) == 0 && bytes_take(&in, head.length, &payload)) {
        struct link_wire_message message;
        const char *why;
        if (head.channel == 0 && link_wire_parse(payload, &message, &why) == 0 &&
            message.type == LINK_WIRE_PING)
            peer->ping = message.number;
        peer->read = peer->end.got_length - in.length;
    }
}

// Runs; pings are answered, each so long after it came.
static void peer_run(struct peer *peer, int64_t duration_us, int64_t rtt_us)
{
    int64_t end = now_us() + duration_us;
    while (now_us() < end) {
        peer_hear(peer);
        if (peer->ping) {
            loop_fixture_run(ends.loop, rtt_us / 2);
            int64_t utc = utc_us() + peer->clock_ahead_us;
            loop_fixture_run(ends.loop, rtt_us - rtt_us / 2);
            peer_write(peer, &(struct link_wire_message){.type = LINK_WIRE_PONG,
                                                         .number = peer->ping,
                                                         .utc_us = (uint64_t)utc});
            peer->ping = 0;
        }
        loop_fixture_run(ends.loop, 10 * US_PER_MS);
    }
}

static void link_rtt_and_offset_follow_the_best_exchange(void **state)
{
    (void)state;
    struct peer peer;
    begin();
    peer_begin(&peer);
    peer.clock_ahead_us = 7 * US_PER_S;
    assert_int_equal(link_rtt_us(peer.link), -1);
    assert_int_equal(link_utc_offset_us(peer.link), 0);
    peer_run(&peer, 3 * US_PER_S, 100 * US_PER_MS);
    assert_in_range(link_rtt_us(peer.link), 100 * US_PER_MS, 110 * US_PER_MS);
    assert_in_range(link_utc_offset_us(peer.link), 6990 * US_PER_MS, 7010 * US_PER_MS);
    peer_run(&peer, 60 * US_PER_S, 20 * US_PER_MS);
    assert_in_range(link_rtt_us(peer.link), 20 * US_PER_MS, 30 * US_PER_MS);
    peer_run(&peer, 60 * US_PER_S, 400 * US_PER_MS); // a worse one changes nothing
    assert_in_range(link_rtt_us(peer.link), 20 * US_PER_MS, 30 * US_PER_MS);
    assert_in_range(link_utc_offset_us(peer.link), 6990 * US_PER_MS, 7010 * US_PER_MS);
    conn_close(peer.end.conn, REASON_DONE);
    conn_end_fini(&peer.end);
    finish();
}

static void link_utc_offset_sees_clocks_that_are_set(void **state)
{
    (void)state;
    struct peer peer;
    begin();
    peer_begin(&peer);
    peer_run(&peer, 5 * US_PER_S, 10 * US_PER_MS);
    assert_in_range(link_utc_offset_us(peer.link) + US_PER_S, 990000, 1010000);
    peer.clock_ahead_us = 3600 * US_PER_S; // the other's, by an hour: known with the next exchange
    peer_run(&peer, 31 * US_PER_S, 10 * US_PER_MS);
    assert_in_range(link_utc_offset_us(peer.link) - 3600 * US_PER_S + US_PER_S, 990000, 1010000);
    clock_set_test(now_us(), utc_us() + 60 * US_PER_S); // ours: known at once
    assert_in_range(link_utc_offset_us(peer.link) - 3540 * US_PER_S + US_PER_S, 990000, 1010000);
    conn_close(peer.end.conn, REASON_DONE);
    conn_end_fini(&peer.end);
    finish();
}

static void link_pong_of_an_unknown_ping_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    begin();
    peer_begin(&peer);
    peer_write(&peer, &(struct link_wire_message){.type = LINK_WIRE_PONG, .number = 99});
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(peer.link));
    assert_int_equal(link_rtt_us(peer.link), -1);
    conn_close(peer.end.conn, REASON_DONE);
    conn_end_fini(&peer.end);
    finish();
}

TEST_MAIN(TEST(link_alive_idle_link_stays_up_and_costs_next_to_nothing),
          TEST(link_alive_silent_peer_is_noticed_within_5_s_when_data_is_due),
          TEST(link_alive_expectation_of_a_closed_channel_is_gone),
          TEST(link_alive_expectation_after_a_long_silence_gives_the_peer_time),
          TEST(link_alive_silent_peer_is_noticed_in_40_s_when_idle),
          TEST(link_alive_silent_after_the_handshake_is_timeout),
          TEST(link_alive_peer_that_stops_reading_is_slow_receiver),
          TEST(link_alive_thin_line_that_moves_is_not_slow),
          TEST(link_rtt_and_offset_follow_the_best_exchange),
          TEST(link_utc_offset_sees_clocks_that_are_set),
          TEST(link_pong_of_an_unknown_ping_is_ignored))
