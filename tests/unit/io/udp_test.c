// SPDX-License-Identifier: MIT
#include "io/udp.h"

#include <errno.h>

#include "loop_fixture.h"
#include "unit.h"

struct inbox {
    int count;
    size_t bytes;
    char last[2048];
    struct address from;
    struct udp **close_me;
    struct udp *echo;
};

static void on_datagram(void *arg, const uint8_t *data, size_t length, const struct address *from)
{
    struct inbox *inbox = arg;
    inbox->count++;
    inbox->bytes += length;
    inbox->from = *from;
    if (length < sizeof(inbox->last)) {
        memcpy(inbox->last, data, length);
        inbox->last[length] = 0;
    }
    if (inbox->echo)
        udp_send(inbox->echo, data, length, from);
    if (inbox->close_me)
        udp_close(inbox->close_me);
}

static struct address loopback(uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse("127.0.0.1", port, &address), 0);
    return address;
}

static void udp_send_arrives_and_is_answered(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct inbox here = {0}, there = {0};
    struct udp *a, *b;
    struct address any = loopback(0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &here, &a), 0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &there, &b), 0);
    there.echo = b;
    struct address to = loopback(udp_port(b));
    udp_send(a, "ping", 4, &to);
    LOOP_UNTIL(loop, here.count == 1);
    assert_string_equal(here.last, "ping");
    assert_int_equal(address_port(&here.from), udp_port(b));
    udp_close(&a);
    udp_close(&b);
    udp_close(&b);
    loop_fixture_free(&loop);
}

static void udp_burst_and_large_datagrams_arrive_whole(void **state)
{
    (void)state;
    static char large[60000];
    struct loop *loop = loop_fixture_new();
    struct inbox inbox = {0};
    struct udp *a, *b;
    struct address any = loopback(0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &a), 0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &b), 0);
    struct address to = loopback(udp_port(b));
    for (int i = 0; i < 100; i++)
        udp_send(a, large, 1400, &to);
    LOOP_UNTIL(loop, inbox.count == 100);
    udp_send(a, large, sizeof(large), &to);
    LOOP_UNTIL(loop, inbox.count == 101);
    assert_int_equal(inbox.bytes, 100 * 1400 + sizeof(large));
    udp_close(&a);
    udp_close(&b);
    loop_fixture_free(&loop);
}

static void udp_send_to_nobody_does_no_harm(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct inbox inbox = {0};
    struct udp *a, *b;
    struct address any = loopback(0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &a), 0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &b), 0);
    struct address to = loopback(udp_port(b)), self = loopback(udp_port(a));
    udp_close(&b);
    udp_send(a, "lost", 4, &to); // the ICMP answer comes as an error of the next call
    loop_turn(loop, false);
    udp_send(a, "x", 1, &self);
    udp_send(a, "here", 4, &self);
    LOOP_UNTIL(loop, inbox.count >= 1 && strcmp(inbox.last, "here") == 0);
    udp_close(&a);
    loop_fixture_free(&loop);
}

static void udp_close_inside_on_datagram_stops_the_batch(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct inbox inbox = {0};
    struct udp *a, *b;
    struct address any = loopback(0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &a), 0);
    assert_int_equal(udp_open(loop, &any, on_datagram, &inbox, &b), 0);
    struct address to = loopback(udp_port(b));
    inbox.close_me = &b;
    for (int i = 0; i < 5; i++)
        udp_send(a, "x", 1, &to);
    LOOP_UNTIL(loop, inbox.count > 0);
    loop_turn(loop, false);
    assert_int_equal(inbox.count, 1);
    assert_null(b);
    udp_close(&a);
    loop_fixture_free(&loop);
}

static void udp_open_pair_is_even_and_next(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct inbox inbox = {0};
    struct udp *rtp[8], *rtcp[8];
    struct address any = loopback(0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(
            udp_open_pair(loop, &any, on_datagram, on_datagram, &inbox, &rtp[i], &rtcp[i]), 0);
        assert_int_equal(udp_port(rtp[i]) % 2, 0);
        assert_int_equal(udp_port(rtcp[i]), udp_port(rtp[i]) + 1);
    }
    struct udp *more, *more_rtcp;
    struct address taken = loopback(udp_port(rtp[0])), odd = loopback(5001);
    assert_int_equal(
        udp_open_pair(loop, &taken, on_datagram, on_datagram, &inbox, &more, &more_rtcp), ERR_IO);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(udp_open_pair(loop, &odd, on_datagram, on_datagram, &inbox, &more, &more_rtcp),
                     ERR_INVALID);
    // The second port taken: the first is given back.
    struct address at = loopback(udp_port(rtp[1]));
    udp_close(&rtp[1]);
    assert_int_equal(udp_open_pair(loop, &at, on_datagram, on_datagram, &inbox, &more, &more_rtcp),
                     ERR_IO);
    assert_null(more);
    assert_int_equal(udp_open(loop, &at, on_datagram, &inbox, &rtp[1]), 0);
    for (int i = 0; i < 8; i++) {
        udp_close(&rtp[i]);
        udp_close(&rtcp[i]);
    }
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(udp_send_arrives_and_is_answered), TEST(udp_burst_and_large_datagrams_arrive_whole),
          TEST(udp_send_to_nobody_does_no_harm), TEST(udp_close_inside_on_datagram_stops_the_batch),
          TEST(udp_open_pair_is_even_and_next))
