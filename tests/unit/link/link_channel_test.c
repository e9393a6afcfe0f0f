// SPDX-License-Identifier: MIT
#include "link_fixture.h"

static struct ends ends;
static struct service service;
static struct link *wire;

static void begin(size_t piece)
{
    memset(&service, 0, sizeof(service));
    ends_open(&ends);
    ends.piece = piece;
    link_hub_serve(ends.there, LINK_M4S, service_serve, &service);
    link_hub_serve(ends.here, LINK_M4S, service_serve, &service);
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

static void channel_open_is_served_with_its_message(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "stream main");
    assert_int_equal(service.count, 0);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.count, 1);
    assert_string_equal(service.open, "stream main");
    assert_ptr_equal(service.link, ends_accepted(&ends));
    assert_ptr_equal(channel_link(user.channel), wire);
    assert_int_equal(service.users[0].channel->cls, LINK_LIVE);
    channel_close(&user.channel, REASON_NO_CLIENTS);
    assert_null(user.channel);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].closed, 1);
    assert_int_equal(service.users[0].reason, REASON_NO_CLIENTS);
    assert_int_equal(user.closed, 0);
    assert_int_equal(wire->stats.channels, 0);
    assert_int_equal(ends_accepted(&ends)->stats.channels, 0);
    finish();
}

static void channel_open_from_the_accepting_side_is_the_same(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, ends_accepted(&ends), LINK_LIVE, "back");
    channel_send_copy(user.channel, "ab", 2);
    loop_fixture_settle(ends.loop);
    assert_string_equal(service.open, "back");
    assert_int_equal(service.users[0].channel->number % 2, 0);
    assert_int_equal(service.users[0].bytes, 2);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_open_when_down_is_closed_later_with_the_reason(void **state)
{
    (void)state;
    struct user user = {0};
    ends_open(&ends);
    ends.refuse = REASON_REFUSED;
    wire = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    user_open(&user, wire, LINK_LIVE, "main");
    channel_send_copy(user.channel, "ab", 2);
    assert_int_equal(channel_queued(user.channel), 0);
    assert_int_equal(user.closed, 0);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_REFUSED);
    // The owner may lose interest before it hears.
    user_open(&user, wire, LINK_LIVE, "main");
    channel_close(&user.channel, REASON_DONE);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    link_release(&wire);
    ends_close(&ends);
}

static void channel_open_refused_is_closed_with_the_servers_reason(void **state)
{
    (void)state;
    struct user user = {0}, other = {0};
    begin(0);
    service.refuse = REASON_NOT_FOUND;
    user_open(&user, wire, LINK_LIVE, "nothing");
    channel_send_copy(user.channel, "for nobody", 10);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_NOT_FOUND);
    other.channel =
        channel_open(wire, (enum link_service)6, LINK_LIVE, bytes_of("", 0), &user_events, &other);
    loop_fixture_settle(ends.loop);
    assert_int_equal(other.reason, REASON_UNSUPPORTED);
    assert_int_equal(ends_accepted(&ends)->stats.channels, 0);
    assert_true(link_is_up(wire));
    finish();
}

static const size_t lengths[] = {0, 1, 1250, 16368, 16369, 40000, 2 * 16368, 100};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };
static unsigned checked;

static void check_pattern(struct user *user)
{
    assert_int_equal(user->last_length, lengths[checked]);
    assert_true(is_pattern(user->last, user->last_length, checked));
    checked++;
}

static void channel_send_one_byte_at_a_time_arrives_whole(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 3, 1000, 0};
    for (int p = 0; p < 4; p++) {
        struct user user = {0};
        begin(pieces[p]);
        checked = 0;
        user_open(&user, wire, LINK_LIVE, "main");
        loop_fixture_settle(ends.loop);
        service.users[0].on_message = check_pattern;
        for (unsigned i = 0; i < LENGTHS; i++)
            send_pattern(user.channel, lengths[i], i);
        loop_fixture_settle(ends.loop);
        assert_int_equal(checked, LENGTHS);
        // And back.
        checked = 0;
        user.on_message = check_pattern;
        for (unsigned i = 0; i < LENGTHS; i++)
            send_pattern(service.users[0].channel, lengths[i], i);
        loop_fixture_settle(ends.loop);
        assert_int_equal(checked, LENGTHS);
        assert_int_equal(wire->stats.payload_out, wire->stats.payload_in);
        assert_int_equal(wire->stats.class_out[LINK_LIVE], wire->stats.payload_out);
        assert_int_equal(wire->underway, 0);
        channel_close(&user.channel, REASON_DONE);
        user_fini(&user);
        finish();
    }
}

static void channel_send_largest_message_arrives(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    send_pattern(user.channel, LINK_MESSAGE_MAX, 5);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 1);
    assert_int_equal(service.users[0].last_length, LINK_MESSAGE_MAX);
    assert_true(is_pattern(service.users[0].last, LINK_MESSAGE_MAX, 5));
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_send_goes_out_in_the_same_turn(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    uint64_t before = conn_bytes_out(wire->conn);
    channel_send_copy(user.channel, "frame", 5);
    assert_int_equal(conn_bytes_out(wire->conn), before);
    loop_turn(ends.loop, false);
    assert_int_equal(conn_bytes_out(wire->conn), before + 2 + 5); // a head of two bytes
    assert_int_equal(channel_queued(user.channel), 0);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_close_by_both_at_once_frees_the_number_once(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    channel_close(&user.channel, REASON_DONE);
    channel_close(&service.users[0].channel, REASON_EOF);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed + service.users[0].closed, 0);
    assert_int_equal(wire->stats.channels, 0);
    assert_int_equal(ends_accepted(&ends)->stats.channels, 0);
    assert_true(link_is_up(wire));
    user_open(&user, wire, LINK_LIVE, "again");
    assert_int_equal(user.channel->number, 1);
    loop_fixture_settle(ends.loop);
    assert_string_equal(service.open, "again");
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_close_number_is_not_used_before_the_other_side_agreed(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "one");
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_there, true);
    channel_send_copy(service.users[0].channel, "late", 4);
    channel_close(&user.channel, REASON_DONE);
    user_open(&user, wire, LINK_LIVE, "two");
    assert_int_equal(user.channel->number, 3);
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_there, false);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(wire));
    assert_int_equal(user.messages, 0); // what was late was for nobody
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_open_takes_the_smallest_free_number(void **state)
{
    (void)state;
    struct user users[4] = {{0}};
    begin(0);
    for (int i = 0; i < 4; i++)
        user_open(&users[i], wire, LINK_LIVE, "x");
    assert_int_equal(users[3].channel->number, 7);
    channel_close(&users[1].channel, REASON_DONE);
    loop_fixture_settle(ends.loop);
    user_open(&users[1], wire, LINK_LIVE, "x");
    assert_int_equal(users[1].channel->number, 3);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(wire));
    for (int i = 0; i < 4; i++)
        channel_close(&users[i].channel, REASON_DONE);
    finish();
}

static void channel_close_in_the_middle_of_a_message_leaves_nothing(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    send_pattern(user.channel, 1 << 20, 1);
    while (ends_accepted(&ends)->underway == 0)
        loop_turn(ends.loop, false);
    channel_close(&user.channel, REASON_DONE);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].closed, 1);
    assert_int_equal(service.users[0].messages, 0);
    assert_int_equal(ends_accepted(&ends)->underway, 0);
    // And the receiving side in the middle.
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    send_pattern(user.channel, 1 << 20, 1);
    while (ends_accepted(&ends)->underway == 0)
        loop_turn(ends.loop, false);
    channel_close(&service.users[1].channel, REASON_LIMIT);
    assert_int_equal(ends_accepted(&ends)->underway, 0);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_LIMIT);
    assert_true(link_is_up(wire));
    finish();
}

static void channel_finish_sends_what_is_queued_first(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_ARCHIVE, "main");
    for (unsigned i = 0; i < 20; i++)
        send_pattern(user.channel, 100000, i);
    channel_finish(&user.channel, REASON_EOF);
    assert_null(user.channel);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 20);
    assert_int_equal(service.users[0].closed, 1);
    assert_int_equal(service.users[0].reason, REASON_EOF);
    assert_int_equal(user.closed, 0);
    assert_int_equal(wire->stats.channels, 0);
    user_open(&user, wire, LINK_ARCHIVE, "main");
    channel_finish(&user.channel, REASON_DONE); // nothing queued
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[1].reason, REASON_DONE);
    finish();
}

static void channel_full_until_room(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_here, true);
    for (int i = 0; i < 100 && !channel_full(user.channel); i++) {
        send_pattern(user.channel, 10000, 1);
        loop_fixture_settle(ends.loop);
    }
    assert_true(channel_full(user.channel));
    assert_in_range(channel_queued(user.channel), LINK_QUEUE_HIGH - 10000, LINK_QUEUE_HIGH + 10000);
    assert_int_equal(user.rooms, 0);
    conn_pair_stall(ends.conn_here, false);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.rooms, 1);
    assert_false(channel_full(user.channel));
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void keep_it_full(struct user *user)
{
    while (!channel_full(user->channel) && user->messages < 300) {
        user->messages++; // of this side: it receives none
        send_pattern(user->channel, 60000, 1);
    }
}

static void channel_room_producer_that_waits_sends_all(void **state)
{
    (void)state;
    struct user user = {.on_room = keep_it_full};
    begin(5000);
    user_open(&user, wire, LINK_ARCHIVE, "main");
    keep_it_full(&user);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 300);
    assert_int_equal(service.users[0].bytes, 300 * 60000);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_send_beyond_the_bound_closes_that_channel_only(void **state)
{
    (void)state;
    struct user user = {0}, other = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "fast");
    user_open(&other, wire, LINK_LIVE, "other");
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_here, true);
    size_t most = 0;
    for (int i = 0; i < 100; i++) {
        send_pattern(user.channel, 1 << 20, 1);
        most = channel_queued(user.channel) > most ? channel_queued(user.channel) : most;
    }
    assert_int_equal(most, LINK_QUEUE_MAX - (1 << 20)); // each message weighs a little more
    assert_int_equal(user.closed, 0);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_SLOW_RECEIVER);
    assert_int_equal(other.closed, 0);
    conn_pair_stall(ends.conn_here, false);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].reason, REASON_SLOW_RECEIVER);
    assert_true(link_is_up(wire));
    channel_send_copy(other.channel, "x", 1);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[1].messages, 1);
    channel_close(&other.channel, REASON_DONE);
    finish();
}

static void channel_fails_and_link_is_released_in_one_turn_tells_once(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "fast");
    loop_fixture_settle(ends.loop);
    for (int i = 0; i < 30; i++)
        send_pattern(user.channel, 1 << 20, 1);
    link_release(&wire);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_SLOW_RECEIVER);
    assert_int_equal(ends.here->links, 0);
    ends_close(&ends);
    service_fini(&service);
}

static void channel_drop_queued_tells_of_room_later(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    for (int i = 0; i < 30; i++)
        send_pattern(user.channel, 10000, 1);
    assert_true(channel_full(user.channel));
    channel_drop_queued(user.channel);
    assert_int_equal(channel_queued(user.channel), 0);
    assert_int_equal(user.rooms, 0); // not inside
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.rooms, 1);
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_drop_queued_keeps_what_has_begun(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    conn_pair_stall(ends.conn_here, true);
    for (unsigned i = 0; i < 3; i++)
        send_pattern(user.channel, 150000, i);
    loop_fixture_settle(ends.loop);
    channel_drop_queued(user.channel);
    assert_in_range(channel_queued(user.channel), 1, 150000);
    send_pattern(user.channel, 7, 9);
    conn_pair_stall(ends.conn_here, false);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 2);
    assert_int_equal(service.users[0].bytes, 150007);
    assert_true(is_pattern(service.users[0].last, 7, 9));
    channel_close(&user.channel, REASON_DONE);
    finish();
}

static void channel_live_is_not_held_up_by_archive(void **state)
{
    (void)state;
    struct user live = {0}, archive = {0};
    begin(1000); // 1000 bytes a turn: a thin line
    user_open(&archive, wire, LINK_ARCHIVE, "archive");
    user_open(&live, wire, LINK_LIVE, "live");
    loop_fixture_settle(ends.loop);
    for (int i = 0; i < 10; i++)
        send_pattern(archive.channel, 1 << 20, 1);
    for (int i = 0; i < 200; i++)
        loop_turn(ends.loop, false);
    size_t before = ends_accepted(&ends)->conn ? (size_t)conn_bytes_in(ends.conn_there) : 0;
    send_pattern(live.channel, 1250, 1);
    while (service.users[1].messages == 0)
        loop_turn(ends.loop, false);
    size_t waited = (size_t)conn_bytes_in(ends.conn_there) - before;
    // In the pipe 64 KB, cut and not yet taken two fragments, and the message itself.
    assert_in_range(waited, 1250, (64 << 10) + 2 * LINK_FRAGMENT_MAX + 2000);
    assert_int_equal(service.users[0].messages, 0);
    channel_close(&live.channel, REASON_DONE);
    channel_close(&archive.channel, REASON_DONE);
    finish();
}

static void channel_open_at_a_rate_no_viewer_reaches_is_refused(void **state)
{
    (void)state;
    struct user users[4] = {{0}};
    begin(0);
    service.refuse = REASON_NOT_FOUND;
    ends_accepted(&ends)->opens.tokens = 2;
    ends_accepted(&ends)->opens.filled_us = now_us();
    for (int i = 0; i < 4; i++)
        user_open(&users[i], wire, LINK_LIVE, "x");
    loop_fixture_settle(ends.loop);
    assert_int_equal(users[1].reason, REASON_NOT_FOUND);
    assert_int_equal(users[2].reason, REASON_LIMIT);
    assert_int_equal(users[3].reason, REASON_LIMIT);
    loop_fixture_run(ends.loop, US_PER_S);
    user_open(&users[0], wire, LINK_LIVE, "x");
    loop_fixture_settle(ends.loop);
    assert_int_equal(users[0].reason, REASON_NOT_FOUND);
    finish();
}

static void channel_open_more_than_there_are_numbers_is_limit(void **state)
{
    (void)state;
    enum { COUNT = LINK_CHANNELS_MAX / 2 };
    static struct user users[COUNT + 1];
    memset(users, 0, sizeof(users));
    begin(0);
    service.refuse = REASON_NONE;
    conn_pair_stall(ends.conn_here, true);
    for (int i = 0; i <= COUNT; i++)
        user_open(&users[i], wire, LINK_LIVE, "");
    loop_fixture_settle(ends.loop);
    assert_int_equal(users[COUNT].closed, 1);
    assert_int_equal(users[COUNT].reason, REASON_LIMIT);
    assert_int_equal(users[COUNT - 1].closed, 0);
    assert_int_equal(users[COUNT - 1].channel->number, LINK_CHANNELS_MAX - 1);
    assert_int_equal(wire->stats.channels, COUNT);
    finish();
    assert_int_equal(users[0].reason, REASON_LOCAL);
    assert_int_equal(users[COUNT - 1].reason, REASON_LOCAL);
}

static void close_own_channel(struct user *user)
{
    channel_close(&user->channel, REASON_DONE);
}

static void release_wire(struct user *user)
{
    (void)user;
    link_release(&wire);
}

static void channel_close_inside_on_message_is_fine(void **state)
{
    (void)state;
    struct user user = {0};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    service.users[0].on_message = close_own_channel;
    send_pattern(user.channel, 10, 1);
    send_pattern(user.channel, 10, 2);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].messages, 1);
    assert_int_equal(user.closed, 1);
    finish();
}

static void channel_link_released_inside_on_message_is_fine(void **state)
{
    (void)state;
    struct user user = {.on_message = release_wire};
    begin(0);
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    send_pattern(service.users[0].channel, 10, 1);
    send_pattern(service.users[0].channel, 10, 2);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.messages, 1);
    assert_int_equal(user.closed, 1);
    assert_int_equal(service.users[0].closed, 1);
    user_fini(&user);
    ends_close(&ends);
    service_fini(&service);
}

static int closed_before_down;

static void on_down_note_closed(void *arg, enum reason reason)
{
    assert_int_equal(reason, REASON_LOCAL);
    closed_before_down = ((struct user *)arg)->closed;
}

static struct link_watch late_watch;

static void watch_and_release(struct user *user)
{
    late_watch = (struct link_watch){.on_down = on_down_note_closed, .arg = user};
    link_watch_add(wire, &late_watch);
    link_release(&wire);
}

static void channel_on_closed_comes_before_on_down(void **state)
{
    (void)state;
    struct user user = {.on_message = watch_and_release};
    begin(0);
    closed_before_down = -1;
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    send_pattern(service.users[0].channel, 10, 1);
    loop_fixture_settle(ends.loop);
    assert_int_equal(closed_before_down, 1);
    user_fini(&user);
    ends_close(&ends);
    service_fini(&service);
}

static void reopen(struct user *user)
{
    if (user->closed < 5)
        user_open(user, wire, LINK_LIVE, "again");
}

static void channel_open_inside_on_closed_is_fine(void **state)
{
    (void)state;
    struct user user = {.on_closed = reopen};
    begin(0);
    service.refuse = REASON_NOT_FOUND;
    user_open(&user, wire, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 5);
    finish();
}

TEST_MAIN(TEST(channel_open_is_served_with_its_message),
          TEST(channel_open_from_the_accepting_side_is_the_same),
          TEST(channel_open_when_down_is_closed_later_with_the_reason),
          TEST(channel_open_refused_is_closed_with_the_servers_reason),
          TEST(channel_send_one_byte_at_a_time_arrives_whole),
          TEST(channel_send_largest_message_arrives), TEST(channel_send_goes_out_in_the_same_turn),
          TEST(channel_close_by_both_at_once_frees_the_number_once),
          TEST(channel_close_number_is_not_used_before_the_other_side_agreed),
          TEST(channel_open_takes_the_smallest_free_number),
          TEST(channel_fails_and_link_is_released_in_one_turn_tells_once),
          TEST(channel_drop_queued_tells_of_room_later),
          TEST(channel_on_closed_comes_before_on_down),
          TEST(channel_close_in_the_middle_of_a_message_leaves_nothing),
          TEST(channel_finish_sends_what_is_queued_first), TEST(channel_full_until_room),
          TEST(channel_room_producer_that_waits_sends_all),
          TEST(channel_send_beyond_the_bound_closes_that_channel_only),
          TEST(channel_drop_queued_keeps_what_has_begun),
          TEST(channel_live_is_not_held_up_by_archive),
          TEST(channel_open_at_a_rate_no_viewer_reaches_is_refused),
          TEST(channel_open_more_than_there_are_numbers_is_limit),
          TEST(channel_close_inside_on_message_is_fine),
          TEST(channel_link_released_inside_on_message_is_fine),
          TEST(channel_open_inside_on_closed_is_fine))
