// SPDX-License-Identifier: MIT
// Two servers that each ask for the other, in memory and in virtual time. Every test runs twice:
// with the one and with the other of the two having the smaller identity, which decides.
#include "link_fixture.h"

struct two {
    struct loop *loop;
    struct link_hub *hub[2];
    bool reachable[2]; // dialling it works
    bool stalled;      // what the next connection's accepting side sends is held back
    struct conn *conn; // of the last dialling, the dialling side's
    int dials;
};

static struct conn *dial(void *arg, const char *host, uint16_t port,
                         const struct conn_events *events, void *events_arg, bool *open)
{
    static const struct conn_events none = {.on_data = NULL};
    struct two *two = arg;
    unsigned to = host[0] == 'b';
    struct conn *here, *there;
    (void)port;
    two->dials++;
    conn_pair(two->loop, 0, events, events_arg, &none, NULL, &here, &there);
    *open = two->reachable[to];
    if (*open) {
        two->conn = here;
        struct link *dialling = events_arg; // without TLS its key is told here
        struct link *accepted = link_hub_accept_conn(two->hub[to], there);
        accepted->secret = dialling->secret;
        conn_pair_stall(there, two->stalled);
    } else {
        conn_close(here, REASON_REFUSED);
        conn_close(there, REASON_DONE);
    }
    return here;
}

static void two_open(struct two *two, bool first_decides)
{
    *two = (struct two){.loop = loop_fixture_new_virtual(), .reachable = {true, true}};
    for (unsigned i = 0; i < 2; i++) {
        two->hub[i] = link_hub_new(two->loop, "test/1");
        two->hub[i]->id = (i == 0) == first_decides ? 7 : 9;
        link_hub_set_key(two->hub[i], "123");
        two->hub[i]->dial = dial;
        two->hub[i]->dial_arg = two;
    }
}

static void two_close(struct two *two)
{
    for (unsigned i = 0; i < 2; i++)
        link_hub_free(&two->hub[i]);
    loop_fixture_run(two->loop, 60 * US_PER_S);
    loop_fixture_free(&two->loop);
}

static unsigned connections(const struct two *two, unsigned hub)
{
    struct list *lists[] = {&two->hub[hub]->dialled, &two->hub[hub]->accepted};
    unsigned count = 0;
    for (unsigned i = 0; i < 2; i++)
        LIST_FOREACH(lists[i], node, after)
        {
            count += LIST_OWNER(node, struct link, node)->conn != NULL;
        }
    return count;
}

static void assert_one(const struct two *two)
{
    assert_int_equal(connections(two, 0), 1);
    assert_int_equal(connections(two, 1), 1);
}

// A message goes over the link and back.
static void assert_carries(struct two *two, struct link *link, unsigned to)
{
    struct service service = {0};
    struct user user = {0};
    link_hub_serve(two->hub[to], LINK_M4S, service_serve, &service);
    user_open(&user, link, LINK_LIVE, "hello");
    channel_send_copy(user.channel, "ping", 4);
    loop_fixture_run(two->loop, US_PER_S);
    assert_int_equal(service.count, 1);
    assert_int_equal(service.users[0].messages, 1);
    channel_send_copy(service.users[0].channel, "pong", 4);
    loop_fixture_run(two->loop, US_PER_S);
    assert_int_equal(user.messages, 1);
    channel_close(&user.channel, REASON_LOCAL);
    loop_fixture_run(two->loop, US_PER_S);
    assert_int_equal(service.users[0].closed, 1);
    user_fini(&user);
    service_fini(&service);
    link_hub_serve(two->hub[to], LINK_M4S, NULL, NULL);
}

#define TWICE(two, turn)                                                                           \
    for (unsigned turn = 0; turn < 2; turn++, two_close(two))                                      \
        if (two_open(two, turn == 0), true)

static void pair_second_dialling_uses_the_first_connection(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct watcher a, b;
        struct link *to_b = link_hold(two.hub[0], "b", 8888, "123");
        watcher_add(&a, to_b);
        loop_fixture_run(two.loop, US_PER_S);
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        watcher_add(&b, to_a);
        loop_fixture_run(two.loop, 60 * US_PER_S);
        assert_one(&two);
        assert_int_equal(two.dials, 2);
        assert_true(link_is_up(to_a) && link_is_up(to_b));
        assert_null(link_by(to_b));
        assert_non_null(link_by(to_a));
        assert_true(link_peer_id(to_a) == two.hub[0]->id && link_peer_id(to_b) == two.hub[1]->id);
        assert_true(link_rtt_us(to_a) >= 0);
        // Nobody saw a link go.
        assert_true(a.ups == 1 && a.downs == 0 && b.ups == 1 && b.downs == 0);
        assert_carries(&two, to_b, 1);
        assert_carries(&two, to_a, 0);
        link_watch_remove(to_a, &b.watch);
        link_watch_remove(to_b, &a.watch);
        link_release(&to_a);
        link_release(&to_b);
    }
}

static void pair_both_dial_at_once_keeps_one(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct link *to_b = link_hold(two.hub[0], "b", 8888, "123");
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        loop_fixture_run(two.loop, 2 * US_PER_S);
        assert_one(&two);
        assert_true(link_is_up(to_a) && link_is_up(to_b));
        assert_carries(&two, to_b, 1);
        assert_carries(&two, to_a, 0);
        link_release(&to_a);
        link_release(&to_b);
    }
}

static void pair_lost_connection_is_taken_up_by_either_side(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct watcher a, b;
        struct link *to_b = link_hold(two.hub[0], "b", 8888, "123");
        loop_fixture_run(two.loop, US_PER_S);
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        loop_fixture_run(two.loop, 10 * US_PER_S);
        watcher_add(&a, to_b);
        watcher_add(&b, to_a);
        loop_fixture_settle(two.loop);
        two.reachable[1] = false; // b is behind an address translator now
        conn_pair_break(to_b->conn);
        loop_fixture_run(two.loop, 10 * US_PER_S);
        assert_one(&two);
        assert_true(link_is_up(to_a) && link_is_up(to_b));
        assert_true(a.downs >= 1 && b.downs == 1 && a.ups == 2 && b.ups == 2);
        assert_ptr_equal(link_by(to_a), NULL);
        assert_non_null(link_by(to_b));
        int dials = two.dials;
        assert_carries(&two, to_b, 1);
        assert_carries(&two, to_a, 0);
        loop_fixture_run(two.loop, 120 * US_PER_S);
        assert_int_equal(two.dials, dials); // who rides does not dial
        link_watch_remove(to_a, &b.watch);
        link_watch_remove(to_b, &a.watch);
        link_release(&to_a);
        link_release(&to_b);
    }
}

static void pair_two_names_of_one_server_share(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct link *b = link_hold(two.hub[0], "b", 8888, "123");
        loop_fixture_run(two.loop, US_PER_S);
        struct link *b2 = link_hold(two.hub[0], "b2", 8888, "123");
        loop_fixture_run(two.loop, 10 * US_PER_S);
        assert_one(&two);
        assert_true(link_is_up(b) && link_is_up(b2) && link_by(b2) == b);
        assert_carries(&two, b2, 1);
        link_release(&b); // the other name still needs it
        loop_fixture_run(two.loop, US_PER_S);
        assert_true(link_is_up(b2));
        assert_carries(&two, b2, 1);
        link_release(&b2);
        loop_fixture_run(two.loop, 3 * US_PER_S);
        assert_int_equal(connections(&two, 0) + connections(&two, 1), 0);
    }
}

static void pair_other_key_is_another_link(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct link *b = link_hold(two.hub[0], "b", 8888, "123");
        struct link *other = link_hold(two.hub[0], "b", 8888, "456");
        loop_fixture_run(two.loop, 10 * US_PER_S);
        assert_true(link_is_up(b) && link_is_up(other));
        assert_true(!link_by(b) && !link_by(other));
        assert_int_equal(connections(&two, 0), 2);
        link_release(&b);
        link_release(&other);
    }
}

// A reload takes the `source` of the side that dialled; the other side's has its channels on it.
static void pair_released_link_stays_for_the_other_side(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct service service = {0};
        struct user user = {0};
        link_hub_serve(two.hub[0], LINK_M4S, service_serve, &service);
        struct link *to_b = link_hold(two.hub[0], "b", 8888, "123");
        loop_fixture_run(two.loop, US_PER_S);
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        loop_fixture_run(two.loop, 10 * US_PER_S);
        user_open(&user, to_a, LINK_CONTROL, "catalogue");
        loop_fixture_run(two.loop, US_PER_S);
        link_release(&to_b);
        loop_fixture_run(two.loop, 10 * US_PER_S);
        assert_one(&two);
        assert_true(link_is_up(to_a) && user.closed == 0);
        to_b = link_hold(two.hub[0], "b", 8888, "123"); // a reload brings it back
        loop_fixture_run(two.loop, US_PER_S);
        assert_true(link_is_up(to_b));
        assert_one(&two);
        link_release(&to_b);
        channel_close(&user.channel, REASON_LOCAL);
        loop_fixture_run(two.loop, 10 * US_PER_S);
        // The one that dialled let go of it, the other one dials.
        assert_one(&two);
        assert_true(link_is_up(to_a) && !link_by(to_a));
        link_release(&to_a);
        loop_fixture_run(two.loop, 3 * US_PER_S);
        assert_int_equal(connections(&two, 0) + connections(&two, 1), 0);
        user_fini(&user);
        service_fini(&service);
    }
}

// The cable was pulled at one side and it dials anew, before the other noticed.
static void pair_older_link_that_is_dead_gives_way(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct watcher watcher;
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        loop_fixture_run(two.loop, 10 * US_PER_S);
        struct link *old = LIST_OWNER(list_first(&two.hub[0]->accepted), struct link, node);
        watcher_add(&watcher, to_a);
        loop_fixture_settle(two.loop);
        conn_pair_stall(two.conn, true);  // its goodbye and its end do not arrive,
        conn_pair_stall(old->conn, true); // nor anything of the other side
        link_lost(to_a, REASON_PEER_RESET, false, NULL);
        loop_fixture_run(two.loop, 5 * US_PER_S);
        assert_true(link_is_up(to_a));
        assert_int_equal(watcher.downs, 1);
        assert_carries(&two, to_a, 0);
        loop_fixture_run(two.loop, 5 * US_PER_S);
        assert_one(&two);
        link_watch_remove(to_a, &watcher.watch);
        link_release(&to_a);
    }
}

static void pair_hub_goes_while_one_rides(void **state)
{
    (void)state;
    struct two two;
    TWICE(&two, turn)
    {
        struct watcher a, b;
        struct link *to_b = link_hold(two.hub[0], "b", 8888, "123");
        struct link *to_a = link_hold(two.hub[1], "a", 8888, "123");
        watcher_add(&a, to_b);
        watcher_add(&b, to_a);
        loop_fixture_run(two.loop, 10 * US_PER_S);
        two.reachable[0] = two.reachable[1] = false;
        link_hub_free(&two.hub[0]);
        loop_fixture_run(two.loop, 5 * US_PER_S);
        assert_int_equal(a.reason, REASON_SHUTDOWN);
        assert_false(link_is_up(to_a));
        assert_true(b.downs > 0);
        two.reachable[0] = two.reachable[1] = false;
        two.hub[0] = link_hub_new(two.loop, "test/1");
        link_hub_set_key(two.hub[0], "123");
        two.reachable[0] = true;
        loop_fixture_run(two.loop, 20 * US_PER_S);
        assert_true(link_is_up(to_a));
        link_watch_remove(to_a, &b.watch);
        link_release(&to_a);
    }
}

TEST_MAIN(TEST(pair_second_dialling_uses_the_first_connection),
          TEST(pair_both_dial_at_once_keeps_one),
          TEST(pair_lost_connection_is_taken_up_by_either_side),
          TEST(pair_two_names_of_one_server_share), TEST(pair_other_key_is_another_link),
          TEST(pair_released_link_stays_for_the_other_side),
          TEST(pair_older_link_that_is_dead_gives_way), TEST(pair_hub_goes_while_one_rides))
