// SPDX-License-Identifier: MIT
#include "base/limits.h"
#include "link_sched.h"
#include "link_wire.h"
#include "unit.h"

enum { CONTROL = 1 + LINK_CONTROL, LIVE = 1 + LINK_LIVE, ARCHIVE = 1 + LINK_ARCHIVE };

static void push(struct link_sched *sched, struct link_queue *queue, size_t length, char filler)
{
    struct buf *buf = buf_new(length);
    memset(buf->data, filler, length);
    buf->length = length;
    struct chain chain = {0};
    chain_take(&chain, &buf);
    link_sched_push(sched, queue, &chain);
    assert_int_equal(chain.bytes, 0);
    chain_fini(&chain);
}

// Takes one fragment and reads its head back; payload: its bytes are all that character.
static struct link_queue *take(struct link_sched *sched, struct link_wire_head *head, char *payload)
{
    struct chain out = {0};
    size_t length;
    struct link_queue *queue = link_sched_take(sched, &out, &length);
    if (queue) {
        struct buf *bytes = chain_join(&out);
        struct bytes in = buf_bytes(bytes);
        assert_int_equal(link_wire_head_parse(&in, head), 0);
        assert_int_equal(head->length, length);
        assert_int_equal(in.length, length);
        *payload = length ? (char)in.data[0] : 0;
        for (size_t i = 0; i < length; i++)
            assert_int_equal(in.data[i], *payload);
        buf_unref(&bytes);
    }
    chain_fini(&out);
    return queue;
}

static void link_sched_take_empty_gives_nothing(void **state)
{
    (void)state;
    struct link_sched sched;
    struct chain out = {0};
    size_t length;
    link_sched_init(&sched);
    assert_null(link_sched_take(&sched, &out, &length));
    assert_int_equal(out.bytes, 0);
}

static void link_sched_take_long_message_is_cut_into_fragments(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue queue;
    struct link_wire_head head;
    char payload;
    size_t total = 2 * LINK_FRAGMENT_MAX + 5;
    link_sched_init(&sched);
    link_queue_init(&queue, 7, LIVE);
    push(&sched, &queue, total, 'a');
    assert_ptr_equal(take(&sched, &head, &payload), &queue);
    assert_int_equal(head.kind, LINK_WIRE_FIRST);
    assert_int_equal(head.total, total);
    assert_int_equal(head.channel, 7);
    assert_int_equal(sched.underway[LIVE], total);
    assert_ptr_equal(take(&sched, &head, &payload), &queue);
    assert_int_equal(head.kind, LINK_WIRE_MIDDLE);
    assert_ptr_equal(take(&sched, &head, &payload), &queue);
    assert_int_equal(head.kind, LINK_WIRE_LAST);
    assert_int_equal(head.length, 5);
    assert_null(take(&sched, &head, &payload));
    assert_int_equal(sched.underway[LIVE], 0);
    assert_int_equal(sched.bytes, 0);
    link_queue_fini(&sched, &queue);
}

static void link_sched_take_messages_of_a_queue_keep_their_order(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue queue;
    struct link_wire_head head;
    char payload;
    link_sched_init(&sched);
    link_queue_init(&queue, 1, LIVE);
    for (char c = 'a'; c <= 'z'; c++)
        push(&sched, &queue, c == 'f' ? 0 : 10, c);
    for (char c = 'a'; c <= 'z'; c++) {
        assert_ptr_equal(take(&sched, &head, &payload), &queue);
        assert_int_equal(head.kind, LINK_WIRE_WHOLE);
        assert_int_equal(payload, c == 'f' ? 0 : c);
    }
    assert_null(take(&sched, &head, &payload));
    link_queue_fini(&sched, &queue);
}

static void link_sched_push_grows_while_the_ring_of_lengths_is_turned(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue queue;
    struct link_wire_head head;
    char payload;
    size_t pushed = 0, taken = 0;
    link_sched_init(&sched);
    link_queue_init(&queue, 1, LIVE);
    while (pushed < 60) {
        for (int i = 0; i < 3; i++, pushed++)
            push(&sched, &queue, 1 + pushed, 'a');
        assert_ptr_equal(take(&sched, &head, &payload), &queue);
        assert_int_equal(head.length, 1 + taken++);
    }
    for (; taken < pushed; taken++) {
        assert_ptr_equal(take(&sched, &head, &payload), &queue);
        assert_int_equal(head.length, 1 + taken);
    }
    link_queue_fini(&sched, &queue);
}

static void link_sched_take_live_waits_for_one_fragment_of_archive_at_most(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue live, archive, own;
    struct link_wire_head head;
    char payload;
    link_sched_init(&sched);
    link_queue_init(&own, 0, 0);
    link_queue_init(&live, 1, LIVE);
    link_queue_init(&archive, 3, ARCHIVE);
    push(&sched, &archive, 1 << 20, 'a');
    assert_ptr_equal(take(&sched, &head, &payload), &archive);
    push(&sched, &live, 40000, 'l');
    push(&sched, &own, 5, 'o');
    assert_ptr_equal(take(&sched, &head, &payload), &own);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(take(&sched, &head, &payload), &live);
    assert_ptr_equal(take(&sched, &head, &payload), &archive);
    assert_int_equal(head.kind, LINK_WIRE_MIDDLE);
    link_queue_fini(&sched, &own);
    link_queue_fini(&sched, &live);
    link_queue_fini(&sched, &archive);
}

static void link_sched_take_small_and_big_channels_share_by_bytes(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue big, small[10];
    struct link_wire_head head;
    char payload;
    size_t sent_big = 0, sent_small[10] = {0};
    link_sched_init(&sched);
    link_queue_init(&big, 1, LIVE);
    push(&sched, &big, 4 << 20, 'b');
    for (uint32_t i = 0; i < 10; i++) {
        link_queue_init(&small[i], 3 + 2 * i, LIVE);
        for (int n = 0; n < 400; n++)
            push(&sched, &small[i], 1250, 's');
    }
    // A megabyte: each of the eleven has more than an eleventh of that waiting.
    for (size_t sent = 0; sent < 1 << 20; sent += head.length) {
        struct link_queue *queue = take(&sched, &head, &payload);
        if (queue == &big)
            sent_big += head.length;
        else
            sent_small[queue - small] += head.length;
    }
    size_t share = (1 << 20) / 11;
    assert_in_range(sent_big, share * 8 / 10, share * 12 / 10);
    for (int i = 0; i < 10; i++)
        assert_in_range(sent_small[i], share * 8 / 10, share * 12 / 10);
    link_queue_fini(&sched, &big);
    for (int i = 0; i < 10; i++)
        link_queue_fini(&sched, &small[i]);
}

static void link_sched_take_first_fragment_of_a_newcomer_comes_within_one_round(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue big[3], late;
    struct link_wire_head head;
    char payload;
    link_sched_init(&sched);
    for (uint32_t i = 0; i < 3; i++) {
        link_queue_init(&big[i], 1 + 2 * i, LIVE);
        push(&sched, &big[i], 1 << 20, 'b');
    }
    for (int i = 0; i < 4; i++)
        take(&sched, &head, &payload);
    link_queue_init(&late, 9, LIVE);
    push(&sched, &late, 100, 'n');
    int before = 0;
    while (take(&sched, &head, &payload) != &late)
        before++;
    assert_in_range(before, 0, 3);
    for (int i = 0; i < 3; i++)
        link_queue_fini(&sched, &big[i]);
    link_queue_fini(&sched, &late);
}

static void link_sched_take_messages_under_way_stay_bounded(void **state)
{
    (void)state;
    enum { QUEUES = 12 };
    struct link_sched sched;
    struct link_queue queues[QUEUES], small;
    struct link_wire_head head;
    char payload;
    size_t most = 0;
    link_sched_init(&sched);
    for (uint32_t i = 0; i < QUEUES; i++) {
        link_queue_init(&queues[i], 1 + 2 * i, LIVE);
        push(&sched, &queues[i], 3 << 20, (char)('a' + i));
    }
    link_queue_init(&small, 99, LIVE);
    bool small_went = false;
    for (int i = 0; i < 40; i++) {
        take(&sched, &head, &payload);
        if (sched.underway[LIVE] > most)
            most = sched.underway[LIVE];
    }
    assert_int_equal(most / (3 << 20), LINK_UNDERWAY_CLASS_MAX / (3 << 20));
    // What fits a fragment needs no room of that kind.
    push(&sched, &small, 100, 's');
    for (int i = 0; i < QUEUES + 1 && !small_went; i++)
        small_went = take(&sched, &head, &payload) == &small;
    assert_true(small_went);
    while (take(&sched, &head, &payload))
        assert_in_range(sched.underway[LIVE], 0, LINK_UNDERWAY_CLASS_MAX);
    assert_int_equal(sched.bytes, 0);
    for (int i = 0; i < QUEUES; i++)
        link_queue_fini(&sched, &queues[i]);
    link_queue_fini(&sched, &small);
}

static void link_sched_drop_keeps_the_message_under_way(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue queue;
    struct link_wire_head head;
    char payload;
    link_sched_init(&sched);
    link_queue_init(&queue, 1, LIVE);
    push(&sched, &queue, 20000, 'a');
    push(&sched, &queue, 10, 'b');
    push(&sched, &queue, 10, 'c');
    take(&sched, &head, &payload);
    link_sched_drop(&sched, &queue);
    assert_int_equal(sched.bytes, 20000 - LINK_FRAGMENT_MAX);
    assert_ptr_equal(take(&sched, &head, &payload), &queue);
    assert_int_equal(head.kind, LINK_WIRE_LAST);
    assert_null(take(&sched, &head, &payload));
    push(&sched, &queue, 10, 'd');
    link_sched_drop(&sched, &queue); // nothing is under way
    assert_null(take(&sched, &head, &payload));
    push(&sched, &queue, 10, 'e');
    assert_ptr_equal(take(&sched, &head, &payload), &queue);
    assert_int_equal(payload, 'e');
    link_queue_fini(&sched, &queue);
}

static void link_queue_fini_in_the_middle_gives_its_room_back(void **state)
{
    (void)state;
    struct link_sched sched;
    struct link_queue queue, other;
    struct link_wire_head head;
    char payload;
    link_sched_init(&sched);
    link_queue_init(&queue, 1, LIVE);
    link_queue_init(&other, 3, CONTROL);
    push(&sched, &queue, 1 << 20, 'a');
    push(&sched, &other, 1, 'o');
    take(&sched, &head, &payload);
    take(&sched, &head, &payload);
    assert_int_equal(sched.underway[LIVE], 1 << 20);
    link_queue_fini(&sched, &queue);
    assert_int_equal(sched.underway[LIVE], 0);
    assert_int_equal(sched.bytes, 0);
    assert_null(take(&sched, &head, &payload));
    link_queue_fini(&sched, &other);
}

TEST_MAIN(TEST(link_sched_take_empty_gives_nothing),
          TEST(link_sched_take_long_message_is_cut_into_fragments),
          TEST(link_sched_take_messages_of_a_queue_keep_their_order),
          TEST(link_sched_push_grows_while_the_ring_of_lengths_is_turned),
          TEST(link_sched_take_live_waits_for_one_fragment_of_archive_at_most),
          TEST(link_sched_take_small_and_big_channels_share_by_bytes),
          TEST(link_sched_take_first_fragment_of_a_newcomer_comes_within_one_round),
          TEST(link_sched_take_messages_under_way_stay_bounded),
          TEST(link_sched_drop_keeps_the_message_under_way),
          TEST(link_queue_fini_in_the_middle_gives_its_room_back))
