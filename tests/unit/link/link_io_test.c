// SPDX-License-Identifier: MIT
// A peer that is not ours: it speaks to an accepting hub by hand.
#include "base/digest.h"
#include "link_fixture.h"

static struct ends ends;
static struct service service;
static struct conn_end raw;
static struct link *link_there; // dangling once it is lost

static void put(const void *data, size_t length)
{
    if (raw.conn)
        conn_write_copy(raw.conn, data, length);
}

static void put_fragment(uint32_t channel, enum link_wire_kind kind, uint32_t total,
                         const void *data, size_t length)
{
    uint8_t head[LINK_WIRE_HEAD_MAX];
    put(head, link_wire_head_write(head, &(struct link_wire_head){.channel = channel,
                                                                  .kind = kind,
                                                                  .total = total,
                                                                  .length = (uint32_t)length}));
    put(data, length);
}

static void put_message(const struct link_wire_message *message)
{
    struct writer writer = {0};
    link_wire_write(&writer, message);
    put_fragment(0, LINK_WIRE_WHOLE, 0, writer.buf->data, writer.buf->length);
    writer_fini(&writer);
}

static void put_open(uint32_t channel)
{
    put_message(&(struct link_wire_message){
        .type = LINK_WIRE_OPEN, .channel = channel, .service = LINK_M4S, .cls = LINK_LIVE});
}

static void connect_raw(void)
{
    struct conn *accepted;
    static const struct conn_events none = {.on_data = NULL};
    memset(&raw, 0, sizeof(raw));
    conn_pair(ends.loop, 0, conn_end_events(&raw), &raw, &none, NULL, &raw.conn, &accepted);
    link_there = link_hub_accept_conn(ends.there, accepted);
}

static void begin(bool hello)
{
    memset(&service, 0, sizeof(service));
    ends_open(&ends);
    link_hub_serve(ends.there, LINK_M4S, service_serve, &service);
    connect_raw();
    if (hello)
        put_message(&(struct link_wire_message){.type = LINK_WIRE_HELLO, .number = 77});
    loop_fixture_settle(ends.loop);
}

static void finish(void)
{
    if (raw.conn)
        conn_close(raw.conn, REASON_DONE);
    loop_fixture_settle(ends.loop);
    conn_end_fini(&raw);
    ends_close(&ends);
    service_fini(&service);
}

// The last message that came is a goodbye with this reason.
static bool was_told(enum reason reason)
{
    char expected[64] = "\6";
    strncat(expected, reason_name(reason), sizeof(expected) - 2);
    size_t length = strlen(expected);
    return raw.got_length > length &&
           memcmp(raw.got + raw.got_length - length, expected, length) == 0;
}

// What was put breaks the protocol of a link that was up.
static void assert_broken(enum reason reason)
{
    loop_fixture_settle(ends.loop);
    assert_int_equal(ends.there->accepted.count, 0);
    assert_int_equal(link_hub_losses(ends.there)[reason], 1);
    assert_true(was_told(reason));
    assert_int_equal(raw.closed, 1);
}

static void link_garbage_instead_of_hello_is_protocol(void **state)
{
    (void)state;
    begin(false);
    put("\xff\xff\xff\xff", 4);
    loop_fixture_settle(ends.loop);
    assert_int_equal(link_hub_refusals(ends.there)[REASON_PROTOCOL], 1);
    assert_true(was_told(REASON_PROTOCOL));
    assert_int_equal(raw.closed, 1);
    finish();
}

static void link_anything_before_the_hello_is_protocol(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        begin(false);
        if (i == 0)
            put_message(&(struct link_wire_message){.type = LINK_WIRE_PING, .number = 1});
        else if (i == 1)
            put_open(1);
        else
            put_fragment(1, LINK_WIRE_WHOLE, 0, "x", 1);
        loop_fixture_settle(ends.loop);
        assert_int_equal(link_hub_refusals(ends.there)[REASON_PROTOCOL], 1);
        assert_int_equal(service.count, 0);
        finish();
    }
}

static void link_what_breaks_the_protocol_ends_it_with_a_goodbye(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        begin(true);
        put_open(1);
        switch (i) {
        case 0: // a second hello
            put_message(&(struct link_wire_message){.type = LINK_WIRE_HELLO, .number = 78});
            break;
        case 1: // a channel that is not open
            put_fragment(3, LINK_WIRE_WHOLE, 0, "x", 1);
            break;
        case 2: // one that is open already
            put_open(1);
            break;
        case 3: // one of the other side's
            put_open(2);
            break;
        case 4: // a close of nothing
            put_message(&(struct link_wire_message){.type = LINK_WIRE_CLOSE, .channel = 5});
            break;
        case 5: // a middle without a beginning
            put_fragment(1, LINK_WIRE_MIDDLE, 0, "x", 1);
            break;
        case 6: // a message inside a message
            put_fragment(1, LINK_WIRE_FIRST, 100, "x", 1);
            put_fragment(1, LINK_WIRE_WHOLE, 0, "x", 1);
            break;
        case 7: // an end too early
            put_fragment(1, LINK_WIRE_FIRST, 100, "x", 1);
            put_fragment(1, LINK_WIRE_LAST, 0, "x", 1);
            break;
        case 8: // a middle that is an end
            put_fragment(1, LINK_WIRE_FIRST, 2, "x", 1);
            put_fragment(1, LINK_WIRE_MIDDLE, 0, "x", 1);
            break;
        case 9: // a divided message on channel 0
            put_fragment(0, LINK_WIRE_FIRST, 100, "x", 1);
            break;
        case 10: // an empty one
            put_fragment(0, LINK_WIRE_WHOLE, 0, "", 0);
            break;
        case 11: // a head that cannot be
            put("\x84\x00\x00", 3);
            break;
        }
        assert_broken(REASON_PROTOCOL);
        assert_int_equal(service.users[0].closed, 1);
        assert_int_equal(service.users[0].reason, REASON_PROTOCOL);
        finish();
    }
}

static void link_unknown_message_types_are_ignored(void **state)
{
    (void)state;
    begin(true);
    put_fragment(0, LINK_WIRE_WHOLE, 0, "\x40later", 6);
    put_open(1);
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.count, 1);
    assert_true(link_is_up(link_there));
    finish();
}

static void link_more_under_way_than_allowed_is_flood(void **state)
{
    (void)state;
    begin(true);
    unsigned fits = LINK_UNDERWAY_MAX / LINK_MESSAGE_MAX;
    for (uint32_t i = 0; i <= fits; i++) {
        put_open(1 + 2 * i);
        put_fragment(1 + 2 * i, LINK_WIRE_FIRST, LINK_MESSAGE_MAX, "x", 1);
        loop_fixture_settle(ends.loop);
        if (i + 1 == fits)
            assert_true(link_is_up(link_there));
    }
    assert_broken(REASON_FLOOD);
    finish();
}

static void link_too_many_messages_of_channel_0_are_flood(void **state)
{
    (void)state;
    begin(true);
    for (unsigned i = 0; i < LINK_CONTROL_BURST + 10 && raw.conn; i++) {
        put_message(&(struct link_wire_message){.type = LINK_WIRE_PING, .number = i});
        if (i % 1000 == 500) {
            loop_fixture_settle(ends.loop);
            raw.got_length = 0;
        }
        if (i == LINK_CONTROL_BURST - 100)
            assert_true(link_is_up(link_there));
    }
    assert_broken(REASON_FLOOD);
    finish();
}

static void link_memory_for_a_message_refused_closes_that_channel_only(void **state)
{
    (void)state;
    begin(true);
    put_open(1);
    loop_fixture_settle(ends.loop);
    mem_fail_nth(1);
    put_fragment(1, LINK_WIRE_FIRST, 5, "abc", 3);
    put_fragment(1, LINK_WIRE_LAST, 0, "de", 2);
    put_open(3);
    put_fragment(3, LINK_WIRE_WHOLE, 0, "abc", 3);
    loop_fixture_settle(ends.loop);
    mem_fail_nth(0);
    assert_int_equal(service.users[0].closed, 1);
    assert_int_equal(service.users[0].reason, REASON_LIMIT);
    assert_int_equal(service.users[1].messages, 1);
    assert_true(link_is_up(link_there));
    finish();
}

static void link_goodbye_of_the_peer_is_the_reason(void **state)
{
    (void)state;
    begin(true);
    put_open(1);
    put_message(&(struct link_wire_message){.type = LINK_WIRE_GOODBYE, .reason = REASON_FLOOD});
    loop_fixture_settle(ends.loop);
    assert_int_equal(service.users[0].reason, REASON_FLOOD);
    assert_int_equal(link_hub_losses(ends.there)[REASON_FLOOD], 1);
    assert_false(was_told(REASON_FLOOD)); // it knows
    assert_int_equal(raw.closed, 1);
    finish();
}

static void link_bytes_after_the_end_are_not_looked_at(void **state)
{
    (void)state;
    begin(true);
    put("\x84\x00\x00", 3);
    put_open(1);
    assert_broken(REASON_PROTOCOL);
    assert_int_equal(service.count, 0);
    finish();
}

// Fragments and control messages at random, some of them legal: nothing may break but the link.
static void link_random_fragments_harm_nothing_else(void **state)
{
    (void)state;
    uint64_t seed = digest_random_u64() | 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(true);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 40; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned random = (unsigned)(seed >> 33);
            uint8_t junk[300];
            memset(junk, (int)(random >> 8), sizeof(junk));
            uint32_t channel = random % 5 ? 1 + 2 * (random >> 4) % 3 : (random >> 4) % 8;
            switch (random % 4) {
            case 0:
                put_open(1 + (random >> 4) % 9);
                break;
            case 1:
                put_fragment(channel, LINK_WIRE_FIRST, 300 + random % 900, junk, 300);
                break;
            case 2:
                put_fragment(channel, (enum link_wire_kind)(random >> 6 & 2), 0, junk,
                             1 + random % 299);
                break;
            default:
                put_fragment(0, LINK_WIRE_WHOLE, 0, junk, random % 20);
            }
        }
        loop_fixture_settle(ends.loop);
        conn_end_fini(&raw);
        service_fini(&service);
        service.count = 0;
        if (!raw.conn) {
            connect_raw();
            put_message(&(struct link_wire_message){.type = LINK_WIRE_HELLO, .number = 77});
            loop_fixture_settle(ends.loop);
        }
    }
    finish();
}

TEST_MAIN(TEST(link_garbage_instead_of_hello_is_protocol),
          TEST(link_anything_before_the_hello_is_protocol),
          TEST(link_what_breaks_the_protocol_ends_it_with_a_goodbye),
          TEST(link_unknown_message_types_are_ignored),
          TEST(link_more_under_way_than_allowed_is_flood),
          TEST(link_too_many_messages_of_channel_0_are_flood),
          TEST(link_memory_for_a_message_refused_closes_that_channel_only),
          TEST(link_goodbye_of_the_peer_is_the_reason),
          TEST(link_bytes_after_the_end_are_not_looked_at),
          TEST(link_random_fragments_harm_nothing_else))
