// SPDX-License-Identifier: MIT
// The hub: whom it lets in; and the whole link with TLS over the loopback, both ends in this
// process.
#include <sys/socket.h>

#include "base/text.h"
#include "io/listener.h"
#include "link_fixture.h"

// ---- without sockets of the network ------------------------------------------------------------

static struct address address_of(unsigned last)
{
    char text[32];
    struct address address;
    text_format(text, sizeof(text), "192.0.2.%u", last);
    assert_int_equal(address_parse(text, 5000, &address), 0);
    return address;
}

// Accepts one end of a socket pair from that address; returns the other end.
static int accept_from(struct link_hub *hub, unsigned last)
{
    int ends[2];
    struct address from = address_of(last);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    link_hub_accept(hub, ends[0], &from);
    return ends[1];
}

static bool is_closed(int descriptor)
{
    char byte;
    return recv(descriptor, &byte, 1, MSG_PEEK) == 0;
}

static void link_hub_accept_too_many_handshakes_are_closed(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct link_hub *hub = link_hub_new(loop, "test/1");
    int peers[LINK_HANDSHAKES_MAX + 1], same[LINK_HANDSHAKES_PER_ADDRESS + 1];
    link_hub_set_key(hub, "123");
    for (unsigned i = 0; i <= LINK_HANDSHAKES_PER_ADDRESS; i++)
        same[i] = accept_from(hub, 1);
    loop_fixture_settle(loop);
    assert_false(is_closed(same[LINK_HANDSHAKES_PER_ADDRESS - 1]));
    assert_true(is_closed(same[LINK_HANDSHAKES_PER_ADDRESS]));
    unsigned rest = LINK_HANDSHAKES_MAX - LINK_HANDSHAKES_PER_ADDRESS;
    for (unsigned i = 0; i <= rest; i++)
        peers[i] = accept_from(hub, 10 + i);
    loop_fixture_settle(loop);
    assert_false(is_closed(peers[rest - 1]));
    assert_true(is_closed(peers[rest]));
    assert_int_equal(link_hub_refusals(hub)[REASON_LIMIT], 2);
    // They do not stay for ever.
    loop_fixture_run(loop, 11 * US_PER_S);
    assert_true(is_closed(peers[0]));
    assert_int_equal(link_hub_refusals(hub)[REASON_TIMEOUT], LINK_HANDSHAKES_MAX);
    for (unsigned i = 0; i <= LINK_HANDSHAKES_PER_ADDRESS; i++)
        close(same[i]);
    for (unsigned i = 0; i <= rest; i++)
        close(peers[i]);
    link_hub_free(&hub);
    loop_fixture_free(&loop);
}

static void link_hub_accept_address_that_fails_again_and_again_waits(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct link_hub *hub = link_hub_new(loop, "test/1");
    struct address bad = address_of(66);
    link_hub_set_key(hub, "123");
    for (int i = 0; i < 13; i++)
        link_hub_refused(hub, &bad, REASON_WRONG_KEY, NULL);
    int guesser = accept_from(hub, 66), other = accept_from(hub, 67);
    // Something that is no hello of TLS: answered with an alert as soon as anybody looks.
    assert_int_equal(send(guesser, "garbage", 7, 0), 7);
    assert_int_equal(send(other, "garbage", 7, 0), 7);
    loop_fixture_settle(loop);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    char byte;
    assert_true(recv(other, &byte, 1, MSG_PEEK) >= 0);
    assert_int_equal(recv(guesser, &byte, 1, MSG_PEEK), -1);
    loop_fixture_run(loop, 4900 * US_PER_MS);
    assert_int_equal(recv(guesser, &byte, 1, MSG_PEEK), -1);
    loop_fixture_run(loop, 200 * US_PER_MS);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    assert_true(recv(guesser, &byte, 1, MSG_PEEK) >= 0);
    // After a while it is forgotten.
    loop_fixture_run(loop, 200 * US_PER_S);
    int again = accept_from(hub, 66);
    assert_int_equal(send(again, "garbage", 7, 0), 7);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    assert_true(recv(again, &byte, 1, MSG_PEEK) >= 0);
    close(guesser);
    close(other);
    close(again);
    link_hub_free(&hub);
    loop_fixture_free(&loop);
}

static void link_hub_refused_more_addresses_than_are_remembered_is_fine(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct link_hub *hub = link_hub_new(loop, "test/1");
    for (unsigned i = 0; i < 250; i++) {
        struct address from = address_of(i);
        clock_advance_test(US_PER_MS);
        link_hub_refused(hub, &from, REASON_WRONG_KEY, NULL);
    }
    assert_int_equal(link_hub_refusals(hub)[REASON_WRONG_KEY], 250);
    // The latest are remembered, each once.
    for (unsigned i = 0; i < 250; i++) {
        struct address from = address_of(i);
        char text[ADDRESS_TEXT_MAX];
        int known = 0;
        address_print_host(&from, text, sizeof(text));
        for (int j = 0; j < LINK_STRANGERS; j++)
            known += strcmp(hub->strangers[j].host, text) == 0;
        assert_int_equal(known, i >= 250 - LINK_STRANGERS);
    }
    link_hub_free(&hub);
    loop_fixture_free(&loop);
}

static void link_hub_free_with_handshakes_leaves_nothing(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new_virtual();
    struct link_hub *hub = link_hub_new(loop, "test/1");
    struct address bad = address_of(66);
    link_hub_set_key(hub, "123");
    for (int i = 0; i < 10; i++)
        link_hub_refused(hub, &bad, REASON_WRONG_KEY, NULL);
    int waiting = accept_from(hub, 66), begun = accept_from(hub, 67);
    link_hub_free(&hub);
    assert_null(hub);
    loop_fixture_settle(loop);
    assert_true(is_closed(waiting));
    assert_true(is_closed(begun));
    close(waiting);
    close(begun);
    loop_fixture_free(&loop);
}

static void link_hub_set_key_ends_links_of_another_key_only(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    loop_fixture_settle(ends.loop);
    link_hub_set_key(ends.there, "123");
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.downs, 0);
    link_hub_set_key(ends.there, "124");
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.reason, REASON_CONFIG);
    loop_fixture_run(ends.loop, US_PER_S);
    assert_true(link_is_up(link));
    link_hub_set_key(ends.there, NULL);
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.downs, 2);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

// ---- with TLS over the loopback ----------------------------------------------------------------

struct net {
    struct loop *loop;
    struct link_hub *here, *there;
    struct listener *listener;
    uint16_t port;
    struct link *link;
    struct watcher watcher;
};

static void on_accept(void *arg, int descriptor, const struct address *from)
{
    link_hub_accept(((struct net *)arg)->there, descriptor, from);
}

static void net_open(struct net *net, const char *server_key)
{
    memset(net, 0, sizeof(*net));
    net->loop = loop_fixture_new();
    net->here = link_hub_new(net->loop, "test/1");
    net->there = link_hub_new(net->loop, "test/2");
    link_hub_set_key(net->there, server_key);
    assert_int_equal(listener_open(net->loop, "127.0.0.1", 0, on_accept, net, &net->listener), 0);
    net->port = listener_port(net->listener);
}

static void net_dial(struct net *net, const char *key)
{
    net->link = link_hold(net->here, "127.0.0.1", net->port, key);
    watcher_add(&net->watcher, net->link);
}

static unsigned connections(struct net *net)
{
    return (unsigned)(net->there->accepted.count + net->there->greetings.count);
}

static void net_close(struct net *net)
{
    if (net->link) {
        link_watch_remove(net->link, &net->watcher.watch);
        link_release(&net->link);
        LOOP_UNTIL(net->loop, connections(net) == 0);
    }
    listener_close(&net->listener);
    link_hub_free(&net->here);
    link_hub_free(&net->there);
    LOOP_UNTIL(net->loop, !loop_pending(net->loop) && loop_next_due_us(net->loop) == 0);
    loop_fixture_free(&net->loop);
}

static void link_tls_right_key_comes_up_and_carries_messages(void **state)
{
    (void)state;
    struct net net;
    struct user user = {0};
    static struct service service;
    memset(&service, 0, sizeof(service));
    net_open(&net, "123");
    link_hub_serve(net.there, LINK_M4S, service_serve, &service);
    net_dial(&net, "123");
    LOOP_UNTIL(net.loop, net.watcher.ups == 1);
    user_open(&user, net.link, LINK_LIVE, "main");
    LOOP_UNTIL(net.loop, service.count == 1);
    struct list_node *node = list_first(&net.there->accepted);
    assert_string_equal(LIST_OWNER(node, struct link, node)->secret.identity,
                        net.link->secret.identity);
    for (unsigned i = 0; i < 50; i++)
        send_pattern(user.channel, 200000, i);
    LOOP_UNTIL(net.loop, service.users[0].messages == 50);
    assert_true(is_pattern(service.users[0].last, 200000, 49));
    send_pattern(service.users[0].channel, 3 << 20, 7);
    LOOP_UNTIL(net.loop, user.messages == 1);
    assert_true(is_pattern(user.last, 3 << 20, 7));
    struct link_stats stats;
    link_get_stats(net.link, &stats);
    assert_int_equal(stats.payload_out, 50 * 200000);
    assert_in_range(stats.bytes_out, 50 * 200000, 50 * 200000 * 1.01);
    LOOP_UNTIL(net.loop, link_rtt_us(net.link) >= 0);
    channel_close(&user.channel, REASON_DONE);
    user_fini(&user);
    net_close(&net);
    service_fini(&service);
}

static void link_tls_wrong_key_is_named_on_both_sides(void **state)
{
    (void)state;
    struct net net;
    net_open(&net, "123");
    net_dial(&net, "124");
    LOOP_UNTIL(net.loop, net.watcher.downs == 1 && connections(&net) == 0);
    assert_int_equal(net.watcher.reason, REASON_WRONG_KEY);
    assert_int_equal(link_hub_refusals(net.there)[REASON_WRONG_KEY], 1);
    assert_int_equal(link_hub_losses(net.here)[REASON_WRONG_KEY], 1);
    net_close(&net);
}

static void link_tls_no_key_there_is_named_on_both_sides(void **state)
{
    (void)state;
    struct net net;
    net_open(&net, NULL);
    net_dial(&net, "123");
    LOOP_UNTIL(net.loop, net.watcher.downs == 1);
    assert_int_equal(net.watcher.reason, REASON_NO_KEY);
    assert_int_equal(link_hub_refusals(net.there)[REASON_NO_KEY], 1);
    net_close(&net);
}

// Connects with TLS but not as a link.
static void dial_raw(struct net *net, struct conn_end *raw, const char *alpn)
{
    struct link_secret secret;
    struct tls_context *tls;
    link_key_derive("123", &secret);
    assert_int_equal(tls_psk_client(secret.identity, secret.psk, alpn, &tls), 0);
    raw->conn = conn_connect(net->loop, "127.0.0.1", net->port, tls, 5 * US_PER_S,
                             conn_end_events(raw), raw);
    tls_context_unref(&tls);
}

static void link_tls_other_version_is_named_on_both_sides(void **state)
{
    (void)state;
    struct net net;
    struct conn_end raw = {0};
    net_open(&net, "123");
    dial_raw(&net, &raw, "sluice-link/1");
    LOOP_UNTIL(net.loop, raw.closed && connections(&net) == 0 &&
                             link_hub_refusals(net.there)[REASON_VERSION] == 1);
    assert_int_equal(raw.reason, REASON_VERSION);
    conn_end_fini(&raw);
    net_close(&net);
}

static void link_tls_garbage_after_the_handshake_is_protocol(void **state)
{
    (void)state;
    struct net net;
    struct conn_end raw = {0};
    net_open(&net, "123");
    dial_raw(&net, &raw, LINK_ALPN);
    LOOP_UNTIL(net.loop, raw.opened);
    conn_end_send(&raw, "GET / HTTP/1.1\r\n\r\n");
    LOOP_UNTIL(net.loop, raw.closed && connections(&net) == 0);
    assert_int_equal(link_hub_refusals(net.there)[REASON_PROTOCOL], 1);
    conn_end_fini(&raw);
    net_close(&net);
}

static void link_tls_garbage_after_the_first_byte_is_protocol(void **state)
{
    (void)state;
    struct net net;
    struct conn_end raw = {0};
    net_open(&net, "123");
    raw.conn = conn_connect(net.loop, "127.0.0.1", net.port, NULL, 5 * US_PER_S,
                            conn_end_events(&raw), &raw);
    LOOP_UNTIL(net.loop, raw.opened);
    static const uint8_t garbage[] = {0x16, 3, 1, 0, 8, 'g', 'a', 'r', 'b', 'a', 'g', 'e', '!'};
    conn_write_copy(raw.conn, garbage, sizeof(garbage));
    LOOP_UNTIL(net.loop, raw.closed && connections(&net) == 0);
    assert_int_equal(link_hub_refusals(net.there)[REASON_PROTOCOL], 1);
    conn_end_fini(&raw);
    net_close(&net);
}

// Bytes on the wire over bytes of messages, one message a turn, as a camera's frames come.
static double overhead(size_t length, int count)
{
    struct net net;
    struct user user = {0};
    static struct service service;
    struct link_stats before, after;
    memset(&service, 0, sizeof(service));
    net_open(&net, "123");
    link_hub_serve(net.there, LINK_M4S, service_serve, &service);
    net_dial(&net, "123");
    LOOP_UNTIL(net.loop, net.watcher.ups == 1);
    user_open(&user, net.link, LINK_LIVE, "main");
    LOOP_UNTIL(net.loop, service.count == 1);
    link_get_stats(net.link, &before);
    for (int i = 0; i < count; i++) {
        send_pattern(user.channel, length, 1);
        LOOP_UNTIL(net.loop, service.users[0].messages == i + 1);
    }
    link_get_stats(net.link, &after);
    channel_close(&user.channel, REASON_DONE);
    net_close(&net);
    service_fini(&service);
    return (double)(after.bytes_out - before.bytes_out) / (double)(length * (size_t)count);
}

static void link_tls_overhead_is_within_its_budget(void **state)
{
    (void)state;
    double thin = overhead(1250, 100), thick = overhead(10000, 100);
    print_message("wire over payload: %.4f at 1250 bytes, %.4f at 10000 bytes\n", thin, thick);
    assert_true(thin <= 1.0250); // the budget of 1.06 and 1.01 has to hold the heads of M4S too
    assert_true(thick <= 1.0060);
}

static void link_tls_messages_of_one_turn_share_records(void **state)
{
    (void)state;
    struct net net;
    struct user users[10] = {{0}};
    static struct service service;
    struct link_stats before, after;
    memset(&service, 0, sizeof(service));
    net_open(&net, "123");
    link_hub_serve(net.there, LINK_M4S, service_serve, &service);
    net_dial(&net, "123");
    LOOP_UNTIL(net.loop, net.watcher.ups == 1);
    for (int i = 0; i < 10; i++)
        user_open(&users[i], net.link, LINK_LIVE, "main");
    LOOP_UNTIL(net.loop, service.count == 10);
    link_get_stats(net.link, &before);
    for (int i = 0; i < 10; i++)
        send_pattern(users[i].channel, 300, 1);
    LOOP_UNTIL(net.loop, service.users[9].messages == 1);
    link_get_stats(net.link, &after);
    assert_int_equal(after.bytes_out - before.bytes_out, 10 * (300 + 3) + 22);
    for (int i = 0; i < 10; i++)
        channel_close(&users[i].channel, REASON_DONE);
    net_close(&net);
    service_fini(&service);
}

TEST_MAIN(TEST(link_hub_accept_too_many_handshakes_are_closed),
          TEST(link_hub_accept_address_that_fails_again_and_again_waits),
          TEST(link_hub_refused_more_addresses_than_are_remembered_is_fine),
          TEST(link_hub_free_with_handshakes_leaves_nothing),
          TEST(link_hub_set_key_ends_links_of_another_key_only),
          TEST(link_tls_right_key_comes_up_and_carries_messages),
          TEST(link_tls_wrong_key_is_named_on_both_sides),
          TEST(link_tls_no_key_there_is_named_on_both_sides),
          TEST(link_tls_other_version_is_named_on_both_sides),
          TEST(link_tls_garbage_after_the_handshake_is_protocol),
          TEST(link_tls_garbage_after_the_first_byte_is_protocol),
          TEST(link_tls_overhead_is_within_its_budget),
          TEST(link_tls_messages_of_one_turn_share_records))
