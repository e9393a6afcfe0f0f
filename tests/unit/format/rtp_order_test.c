// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/text.h"
#include "format/rtp_order.h"

// What came out, as text: the numbers in their order, "+n" in front of one that n are missing
// before.
struct seen {
    char text[4096];
    unsigned count;
    int64_t arrived_us;
    uint32_t last_payload;
};

static void on_packet(void *arg, const struct rtp_packet *packet, unsigned lost, int64_t arrived_us)
{
    struct seen *seen = arg;
    if (lost)
        text_append(seen->text, sizeof(seen->text), "+%u ", lost);
    text_append(seen->text, sizeof(seen->text), "%u ", packet->sequence);
    seen->count++;
    seen->arrived_us = arrived_us;
    if (packet->payload.length == 4)
        memcpy(&seen->last_payload, packet->payload.data, 4);
}

static void feed(struct rtp_order *order, uint32_t ssrc, uint16_t sequence, int64_t now)
{
    uint32_t payload = sequence * 3u; // on the stack: what is held must be a copy
    struct rtp_packet packet = {
        .ssrc = ssrc, .sequence = sequence, .payload = bytes_of(&payload, sizeof(payload))};
    rtp_order_input(order, &packet, now);
    payload = 0;
}

static void feed_list(struct rtp_order *order, const char *list)
{
    for (char *end; *list; list = end)
        feed(order, 1, (uint16_t)strtoul(list, &end, 10), 0);
}

static void rtp_order_input_cases(void **state)
{
    (void)state;
    static const struct {
        bool reliable;
        const char *in, *out;
    } cases[] = {
        {false, "1 2 3", "1 2 3 "},
        {false, "65534 65535 0 1", "65534 65535 0 1 "},
        {false, "1 3 2 4", "1 2 3 4 "},
        {false, "1 4 3 2 5", "1 2 3 4 5 "},
        {false, "65535 1 0", "65535 0 1 "},
        {false, "1 3 3 2", "1 2 3 "},     // doubled while it waits
        {false, "1 2 2 1 3", "1 2 3 "},   // doubled after its turn
        {false, "1 2 4 5", "1 2 "},       // waits
        {false, "1 2 20000 3", "1 2 3 "}, // one far-off number is not believed
        {false, "1 2 20000 20001 20002", "1 2 +1 20000 20001 20002 "},
        {false, "1 4 20000 20001", "1 +2 4 +1 20000 20001 "}, // what waited goes first
        {true, "1 2 3", "1 2 3 "},
        {true, "1 2 5 6", "1 2 +2 5 6 "}, // a loss at once
        {true, "7 7 7", "7 7 7 "},        // a sender who does not count
        {true, "100 5 6", "100 +1 5 6 "}, // or counts anew
        {true, "65535 0", "65535 0 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = {0};
        struct rtp_order order;
        rtp_order_init(&order, cases[i].reliable, on_packet, &seen);
        feed_list(&order, cases[i].in);
        assert_string_equal(seen.text, cases[i].out);
        rtp_order_fini(&order);
    }
}

static void rtp_order_expire_gives_up_the_gap_after_its_time(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct rtp_order order;
    rtp_order_init(&order, false, on_packet, &seen);
    feed(&order, 1, 1, 1000000);
    assert_int_equal(rtp_order_due_us(&order), 0);
    feed(&order, 1, 4, 1010000);
    feed(&order, 1, 3, 1020000);
    feed(&order, 1, 6, 1100000);
    assert_int_equal(rtp_order_due_us(&order), 1010000 + RTP_ORDER_DELAY_US);
    rtp_order_expire(&order, 1010000 + RTP_ORDER_DELAY_US - 1);
    assert_string_equal(seen.text, "1 ");
    rtp_order_expire(&order, 1010000 + RTP_ORDER_DELAY_US);
    assert_string_equal(seen.text, "1 +1 3 4 ");
    assert_int_equal(seen.arrived_us, 1010000);
    assert_int_equal(seen.last_payload, 12);
    assert_int_equal(order.lost, 1);
    assert_int_equal(rtp_order_due_us(&order), 1100000 + RTP_ORDER_DELAY_US);
    feed(&order, 1, 2, 1300000); // too late
    assert_int_equal(order.late, 1);
    rtp_order_fini(&order);
}

static void rtp_order_input_bounds_what_waits(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct rtp_order order;
    rtp_order_init(&order, false, on_packet, &seen);
    feed(&order, 1, 0, 0);
    for (unsigned i = 2; i < 2 + RTP_ORDER_PACKETS_MAX; i++)
        feed(&order, 1, (uint16_t)i, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(order.held.count, RTP_ORDER_PACKETS_MAX);
    feed(&order, 1, 2 + RTP_ORDER_PACKETS_MAX, 0);
    assert_int_equal(order.held.count, 0);
    assert_int_equal(seen.count, 2 + RTP_ORDER_PACKETS_MAX);
    rtp_order_fini(&order);
}

static void rtp_order_input_another_source_needs_two_packets(void **state)
{
    (void)state;
    for (int reliable = 0; reliable < 2; reliable++) {
        struct seen seen = {0};
        struct rtp_order order;
        rtp_order_init(&order, reliable, on_packet, &seen);
        feed(&order, 1, 10, 0);
        feed(&order, 2, 500, 0); // a stray one
        feed(&order, 1, 11, 0);
        feed(&order, 2, 700, 0);
        assert_string_equal(seen.text, "10 11 ");
        feed(&order, 2, 701, 0);
        assert_string_equal(seen.text, "10 11 +1 700 701 ");
        assert_int_equal(order.ssrc, 2);
        rtp_order_fini(&order);
    }
}

static void rtp_order_input_no_memory_loses_the_packet(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct rtp_order order;
    rtp_order_init(&order, false, on_packet, &seen);
    feed(&order, 1, 1, 0);
    mem_fail_nth(1);
    feed(&order, 1, 3, 0);
    mem_fail_nth(0);
    feed(&order, 1, 2, 0);
    feed(&order, 1, 4, 1);
    rtp_order_expire(&order, RTP_ORDER_DELAY_US * 2);
    assert_string_equal(seen.text, "1 2 +1 4 ");
    rtp_order_fini(&order);
}

TEST_MAIN(TEST(rtp_order_input_cases), TEST(rtp_order_expire_gives_up_the_gap_after_its_time),
          TEST(rtp_order_input_bounds_what_waits),
          TEST(rtp_order_input_another_source_needs_two_packets),
          TEST(rtp_order_input_no_memory_loses_the_packet))
