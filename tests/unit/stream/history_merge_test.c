// SPDX-License-Identifier: MIT
// Several histories as one. The past here is made of memory_history: own first, a copy, two others.
#include "history_merge.h"

#include "base/clock.h"
#include "hand.h"
#include "loop_fixture.h"
#include "memory_history.h"
#include "unit.h"

#define FIRST_US (1767000000 * US_PER_S)
enum { OWN, COPY, FAR, FARTHER, HOLDERS };

// Of memory_history: this layer knows no format.
struct buf *cmaf_segment_heads(struct segment *segment);
struct buf *cmaf_segment_heads(struct segment *segment)
{
    (void)segment;
    return buf_new_copy("heads", 5);
}

static unsigned kept;

static struct {
    struct loop *loop;
    struct tracks *tracks;
    struct memory_history memory[HOLDERS];
    struct history *merged;
} past;

static void keep(struct history *history, struct segment *segment)
{
    (void)history, (void)segment;
    kept++;
}

// A segment of a second at so many seconds.
static void add_with(unsigned holder, unsigned second, uint8_t flags)
{
    struct segment *segment =
        hand_segment(past.tracks, second, FIRST_US + second * US_PER_S, 25, 9);
    segment->info.duration_us = US_PER_S;
    segment->info.bytes = flags & SEGMENT_THINNED ? 30 : 100;
    segment->info.flags |= flags;
    memory_history_add(&past.memory[holder], &segment);
}

static void add(unsigned holder, unsigned second)
{
    add_with(holder, second, 0);
}

static void begin(void)
{
    static struct history_ops copy_ops;
    memset(&past, 0, sizeof past);
    kept = 0;
    past.loop = loop_fixture_new_virtual();
    past.tracks = hand_tracks_new(0, true);
    struct history_holder holders[HOLDERS];
    for (unsigned i = 0; i < HOLDERS; i++) {
        memory_history_init(&past.memory[i], past.loop);
        holders[i] = (struct history_holder){&past.memory[i].history, HOLDER_FAR, true};
    }
    holders[OWN].kind = HOLDER_OWN;
    holders[COPY].kind = HOLDER_COPY;
    copy_ops = *past.memory[COPY].history.ops;
    copy_ops.keep = keep;
    past.memory[COPY].history.ops = &copy_ops;
    past.merged = history_merge_new(past.loop, holders, HOLDERS);
}

static void end(void)
{
    history_close(&past.merged);
    loop_fixture_settle(past.loop);
    for (unsigned i = 0; i < HOLDERS; i++) {
        assert_true(past.memory[i].closed);
        assert_int_equal(past.memory[i].open, 0);
        memory_history_fini(&past.memory[i]);
    }
    tracks_unref(&past.tracks);
    loop_fixture_free(&past.loop);
    assert_int_equal(segment_live_count(), 0);
}

struct reader {
    struct history_request *request;
    unsigned count, gaps, thinned, ends;
    uint64_t number[32];
    struct history_range range[8];
    int err;
    unsigned cancel_at;
    bool paused, cut;
};

static void one(struct reader *reader, const struct segment_info *info)
{
    reader->gaps += (info->flags & SEGMENT_DISCONTINUITY) != 0;
    reader->thinned += (info->flags & SEGMENT_THINNED) != 0;
    reader->number[reader->count++] = info->number;
    if (reader->count == reader->cancel_at)
        history_cancel(&reader->request);
    else if (!reader->paused)
        history_next(reader->request);
}

static void on_segment(void *arg, struct segment **segment)
{
    struct segment *given = *segment;
    struct segment_info info = given->info;
    *segment = NULL;
    segment_unref(&given);
    one(arg, &info);
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    (void)tracks;
    assert_true(heads.length > 0);
    one(arg, info);
}

static void on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->ends++;
    reader->err = err;
}

static const struct history_events events = {on_segment, on_heads, on_end};

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct reader *reader = arg;
    for (size_t i = 0; i < count; i++)
        reader->number[reader->count++] = infos[i].number;
    reader->cut = cut;
    on_end(arg, err);
}

static void on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct reader *reader = arg;
    assert_true(count <= 8);
    memcpy(reader->range, ranges, count * sizeof *ranges);
    reader->count = (unsigned)count;
    on_end(arg, err);
}

static struct reader begin_read(struct reader *reader, unsigned from_s, unsigned to_s,
                                enum history_what what)
{
    reader->request = history_read(past.merged, FIRST_US + from_s * US_PER_S,
                                   FIRST_US + to_s * US_PER_S, what, &events, reader);
    assert_int_equal(reader->count + reader->ends, 0);
    loop_fixture_settle(past.loop);
    return *reader;
}

static void assert_numbers(const struct reader *reader, unsigned first, unsigned count)
{
    assert_int_equal(reader->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(reader->number[i], first + i);
}

static void merge_what_is_here_asks_nobody(void **state)
{
    (void)state;
    struct reader reader = {0}, list = {0};
    begin();
    for (unsigned i = 0; i < 4; i++)
        add(OWN, i), add(FAR, i);
    begin_read(&reader, 1, 3, HISTORY_WHOLE);
    assert_numbers(&reader, 1, 2);
    list.request = history_list(past.merged, FIRST_US, FIRST_US + 4 * US_PER_S, on_list, &list);
    loop_fixture_settle(past.loop);
    assert_numbers(&list, 0, 4);
    assert_int_equal(past.memory[COPY].asked + past.memory[FAR].asked, 0);
    end();
}

static void merge_fills_holes_from_whoever_has_them(void **state)
{
    (void)state;
    for (enum history_what what = HISTORY_WHOLE; what <= HISTORY_HEADS; what++) {
        struct reader reader = {0};
        begin();
        add(OWN, 0), add(OWN, 5);
        add(FAR, 0), add(FAR, 1), add(FAR, 2), add(FARTHER, 2), add(FARTHER, 3), add(FARTHER, 4);
        begin_read(&reader, 0, 6, what);
        assert_numbers(&reader, 0, 6);
        assert_int_equal(reader.err, 0);
        assert_int_equal(reader.gaps, 0);
        assert_int_equal(past.memory[OWN].given, 2);
        assert_int_equal(past.memory[FAR].given, 2);
        assert_int_equal(kept, what == HISTORY_WHOLE ? 4 : 0); // what came from the others
        end();
    }
}

static void merge_gives_whole_ones_for_thinned(void **state)
{
    (void)state;
    struct reader reader = {0}, single = {0}, ranges = {0}, down = {0};
    begin();
    add(OWN, 0), add_with(OWN, 1, SEGMENT_THINNED), add_with(OWN, 2, SEGMENT_THINNED);
    add(OWN, 3), add_with(OWN, 4, SEGMENT_THINNED), add(OWN, 5);
    add_with(COPY, 1, SEGMENT_THINNED), add_with(COPY, 4, SEGMENT_THINNED);
    add(FAR, 1), add_with(FAR, 2, SEGMENT_THINNED), add_with(FAR, 4, SEGMENT_THINNED);
    add(FARTHER, 4);
    begin_read(&reader, 0, 6, HISTORY_WHOLE);
    assert_numbers(&reader, 0, 6);
    assert_int_equal(reader.thinned, 1); // nobody has the third
    assert_int_equal(reader.gaps, 0);
    assert_int_equal(past.memory[OWN].given, 4);
    assert_int_equal(past.memory[FAR].given, 1);
    assert_int_equal(past.memory[FARTHER].given, 1);
    single.request = history_read(past.merged, FIRST_US + 4 * US_PER_S, FIRST_US + 4 * US_PER_S + 1,
                                  HISTORY_HEADS, &events, &single);
    loop_fixture_settle(past.loop);
    assert_numbers(&single, 4, 1);
    assert_int_equal(single.thinned, 0);
    ranges.request =
        history_ranges(past.merged, FIRST_US, FIRST_US + 6 * US_PER_S, on_ranges, &ranges);
    loop_fixture_settle(past.loop);
    assert_int_equal(ranges.count, 3);
    assert_int_equal(ranges.range[1].reason, REASON_THINNED);
    assert_int_equal(ranges.range[1].from_us, FIRST_US + 2 * US_PER_S);
    assert_int_equal(ranges.range[1].to_us, FIRST_US + 3 * US_PER_S);
    // Who has more of them cannot be asked: what is here.
    past.memory[FAR].fail = past.memory[FARTHER].fail = ERR_CLOSED;
    begin_read(&down, 0, 6, HISTORY_WHOLE);
    assert_numbers(&down, 0, 6);
    assert_int_equal(down.err, 0);
    assert_int_equal(down.thinned, 3);
    end();
}

static void merge_says_where_nobody_has_it(void **state)
{
    (void)state;
    struct reader reader = {0}, ranges = {0};
    begin();
    add(OWN, 0), add(FAR, 1), add(FARTHER, 4);
    begin_read(&reader, 0, 6, HISTORY_WHOLE);
    assert_int_equal(reader.count, 3);
    assert_int_equal(reader.gaps, 1);
    ranges.request =
        history_ranges(past.merged, FIRST_US, FIRST_US + 6 * US_PER_S, on_ranges, &ranges);
    loop_fixture_settle(past.loop);
    assert_int_equal(ranges.count, 2);
    assert_int_equal(ranges.range[0].to_us, FIRST_US + 2 * US_PER_S);
    assert_int_equal(ranges.range[1].from_us, FIRST_US + 4 * US_PER_S);
    end();
}

static void merge_takes_copies_of_what_others_list(void **state)
{
    (void)state;
    struct reader reader = {0}, single = {0};
    begin();
    for (unsigned i = 0; i < 4; i++)
        add(FAR, i);
    add(COPY, 1), add(COPY, 2), add(COPY, 9); // 9 has been deleted there since
    begin_read(&reader, 0, 12, HISTORY_WHOLE);
    assert_numbers(&reader, 0, 4);
    assert_int_equal(past.memory[COPY].given, 2);
    assert_int_equal(kept, 2);
    unsigned asked = past.memory[FAR].asked + past.memory[FARTHER].asked;
    single.request = history_read(past.merged, FIRST_US + US_PER_S, FIRST_US + US_PER_S + 1,
                                  HISTORY_WHOLE, &events, &single);
    loop_fixture_settle(past.loop);
    assert_numbers(&single, 1, 1);
    assert_int_equal(past.memory[FAR].asked + past.memory[FARTHER].asked, asked);
    end();
}

static void merge_lists_copies_when_the_others_cannot_be_asked(void **state)
{
    (void)state;
    struct reader reader = {0}, list = {0}, ranges = {0}, none = {0};
    begin();
    add(OWN, 0), add(COPY, 1), add(COPY, 2);
    past.memory[FAR].fail = past.memory[FARTHER].fail = ERR_CLOSED;
    list.request = history_list(past.merged, FIRST_US, FIRST_US + 9 * US_PER_S, on_list, &list);
    begin_read(&reader, 0, 9, HISTORY_WHOLE);
    ranges.request =
        history_ranges(past.merged, FIRST_US, FIRST_US + 9 * US_PER_S, on_ranges, &ranges);
    loop_fixture_settle(past.loop);
    assert_numbers(&list, 0, 3);
    assert_numbers(&reader, 0, 3);
    assert_int_equal(reader.err, 0);
    assert_int_equal(ranges.count, 1);
    assert_int_equal(ranges.range[0].to_us, FIRST_US + 3 * US_PER_S);
    begin_read(&none, 20, 30, HISTORY_WHOLE); // here nobody knows
    assert_int_equal(none.ends, 1);
    assert_int_equal(none.err, ERR_CLOSED);
    end();
}

static void merge_goes_on_with_another_when_one_fails(void **state)
{
    (void)state;
    struct reader reader = {0}, cut = {0};
    begin();
    for (unsigned i = 0; i < 6; i++)
        add(FAR, i), add(FARTHER, i);
    reader.paused = true;
    begin_read(&reader, 0, 6, HISTORY_WHOLE);
    history_next(reader.request);
    loop_fixture_settle(past.loop);
    assert_int_equal(reader.count, 2);
    past.memory[FAR].fail = ERR_CLOSED;
    reader.paused = false;
    history_next(reader.request);
    loop_fixture_settle(past.loop);
    assert_numbers(&reader, 0, 6);
    assert_int_equal(reader.err, 0);
    assert_int_equal(past.memory[FARTHER].given, 4);
    // And when the other cannot either.
    past.memory[FAR].fail = 0;
    cut.paused = true;
    begin_read(&cut, 0, 6, HISTORY_WHOLE);
    past.memory[FAR].fail = past.memory[FARTHER].fail = ERR_CLOSED;
    history_next(cut.request);
    loop_fixture_settle(past.loop);
    assert_int_equal(cut.count, 1);
    assert_int_equal(cut.err, ERR_CLOSED);
    end();
}

static void merge_asks_others_for_one_that_is_damaged(void **state)
{
    (void)state;
    struct reader reader = {0}, gone = {0};
    begin();
    for (unsigned i = 0; i < 4; i++)
        add(OWN, i);
    add(FAR, 2);
    past.memory[OWN].reads = 1;
    past.memory[OWN].lose = 2; // as it is listed and cannot be read
    begin_read(&reader, 0, 4, HISTORY_WHOLE);
    assert_numbers(&reader, 0, 4);
    assert_int_equal(past.memory[FAR].given, 1);
    // Nobody has it: left out, and said.
    past.memory[OWN].reads = 1;
    past.memory[OWN].lose = 1;
    gone.paused = true;
    begin_read(&gone, 0, 2, HISTORY_WHOLE);
    history_next(gone.request);
    loop_fixture_settle(past.loop);
    assert_int_equal(gone.count, 1);
    assert_int_equal(gone.err, 0);
    end();
}

static void merge_cancelled_and_closed_calls_nothing_more(void **state)
{
    (void)state;
    struct reader inside = {.cancel_at = 2}, before = {0}, closed = {.paused = true};
    struct reader list = {0};
    begin();
    for (unsigned i = 0; i < 4; i++)
        add(OWN, i), add(FAR, i + 4);
    begin_read(&inside, 0, 8, HISTORY_WHOLE);
    assert_int_equal(inside.count, 2);
    assert_int_equal(inside.ends, 0);
    before.request =
        history_read(past.merged, FIRST_US, FIRST_US + 1, HISTORY_WHOLE, &events, NULL);
    history_cancel(&before.request);
    begin_read(&closed, 0, 8, HISTORY_WHOLE);
    list.request = history_list(past.merged, FIRST_US, FIRST_US + US_PER_S, on_list, &list);
    history_close(&past.merged);
    assert_int_equal(closed.err, ERR_CANCELLED);
    assert_int_equal(list.err, ERR_CANCELLED);
    loop_fixture_settle(past.loop);
    assert_int_equal(closed.count, 1);
    end();
}

static void merge_hands_on_for_whom_it_asks(void **state)
{
    (void)state;
    struct reader reader = {0};
    const struct history_via via = {77, 2};
    begin();
    add(FARTHER, 0);
    reader.request = history_read_via(past.merged, &via, FIRST_US, FIRST_US + 9, HISTORY_WHOLE,
                                      &events, &reader);
    loop_fixture_settle(past.loop);
    assert_int_equal(reader.count, 1);
    assert_int_equal(past.memory[FARTHER].via.peer, 77);
    assert_int_equal(past.memory[FARTHER].via.hops, 2);
    end();
}

static void merge_summary_spans_all(void **state)
{
    (void)state;
    struct history_range whole;
    uint64_t bytes;
    begin();
    assert_false(history_summary(past.merged, &whole, &bytes));
    add(OWN, 5), add(FAR, 2), add(COPY, 0);
    assert_true(history_summary(past.merged, &whole, &bytes));
    assert_int_equal(whole.from_us, FIRST_US + 2 * US_PER_S);
    assert_int_equal(whole.to_us, FIRST_US + 6 * US_PER_S);
    end();
}

TEST_MAIN(TEST(merge_what_is_here_asks_nobody), TEST(merge_fills_holes_from_whoever_has_them),
          TEST(merge_gives_whole_ones_for_thinned), TEST(merge_says_where_nobody_has_it),
          TEST(merge_takes_copies_of_what_others_list),
          TEST(merge_lists_copies_when_the_others_cannot_be_asked),
          TEST(merge_goes_on_with_another_when_one_fails),
          TEST(merge_asks_others_for_one_that_is_damaged),
          TEST(merge_cancelled_and_closed_calls_nothing_more),
          TEST(merge_hands_on_for_whom_it_asks), TEST(merge_summary_spans_all))
