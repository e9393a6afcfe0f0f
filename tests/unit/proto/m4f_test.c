// SPDX-License-Identifier: MIT
// Our own client against our own server: the past of a far stream, asked for over the link.
// m4f_live_test.c has the live subscription.
#include "pair_fixture.h"

#include "base/limits.h"
#include "m4f_priv.h"
#include "memory_history.h"

extern const struct protocol proto_m4f;

static const struct protocol *const table[] = {&hand_protocol, &proto_m4f, NULL};

#define FIRST_US (1767000000 * US_PER_S)
enum { FIRST_NUMBER = 1767000000 };

// `there` has recorded `count` segments of a second; `here` knows of them by its input alone.
struct past {
    struct pair pair;
    struct memory_history memory;
    struct history *history; // of here
    struct tracks *tracks;
};

static void past_open_bytes(struct past *past, size_t piece, unsigned count, uint32_t picture_bytes)
{
    pair_open(&past->pair, table, &proto_m4f, piece);
    memory_history_init(&past->memory, past->pair.net.loop);
    past->tracks = hand_tracks_new(0, true);
    past->tracks->generation = 5;
    for (unsigned i = 0; i < count; i++) {
        struct segment *segment = hand_segment(past->tracks, FIRST_NUMBER + i,
                                               FIRST_US + i * US_PER_S, 25, picture_bytes);
        segment->info.duration_us -= 7; // as told there, not as its last frame would have it
        memory_history_add(&past->memory, &segment);
    }
    struct history *history = &past->memory.history;
    stream_set_history(past->pair.from, &history);
    past->pair.to = pair_stream(&past->pair.here, "main", "m4f://there:8888/main", false);
    past->history = stream_history(past->pair.to);
    assert_non_null(past->history);
}

static void past_open(struct past *past, size_t piece, unsigned count)
{
    past_open_bytes(past, piece, count, 300);
}

static void past_close(struct past *past)
{
    assert_int_equal(past->memory.open, 0);
    tracks_unref(&past->tracks);
    pair_close(&past->pair);
    memory_history_fini(&past->memory);
}

static void settle(struct past *past)
{
    loop_fixture_settle(past->pair.net.loop);
}

// Who reads.
struct reader {
    struct past *past;
    struct history_request *request; // NULL when it ended
    unsigned segments, heads, ends, lists;
    int err;
    size_t list_count;
    bool cut;
    bool eager;         // asks for the next one from inside the callback
    unsigned cancel_at; // cancels inside the callback of this segment; 0: never
    unsigned close_at;  // closes the stream inside the callback of this segment
    uint32_t sums[MEMORY_HISTORY_MAX];
    struct segment_info first, last;
    enum reason first_reason, last_reason; // of ranges
};

static void reader_after_one(struct reader *reader)
{
    unsigned count = reader->segments + reader->heads;
    if (count == reader->cancel_at)
        history_cancel(&reader->request);
    else if (count == reader->close_at)
        stream_close(&reader->past->pair.to, REASON_CONFIG);
    else if (reader->eager)
        history_next(reader->request);
}

static void reader_on_segment(void *arg, struct segment **segment)
{
    struct reader *reader = arg;
    reader->last = (*segment)->info;
    if (reader->segments == 0)
        reader->first = (*segment)->info;
    reader->sums[reader->segments++] = segment_sum(*segment);
    segment_unref(segment);
    reader_after_one(reader);
}

static void reader_on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                            struct bytes heads)
{
    struct reader *reader = arg;
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(heads, tracks, &head), 0);
    assert_int_equal(head.segment_number, info->number);
    reader->last = *info;
    reader->sums[reader->heads++] = crc32c(0, heads.data, heads.length);
    reader_after_one(reader);
}

static void reader_on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->ends++;
    reader->err = err;
}

static const struct history_events reader_events = {
    .on_segment = reader_on_segment, .on_heads = reader_on_heads, .on_end = reader_on_end};

static void reader_begin(struct reader *reader, struct past *past, int64_t from_us, int64_t to_us,
                         enum history_what what)
{
    *reader = (struct reader){.past = past};
    reader->request = history_read(past->history, from_us, to_us, what, &reader_events, reader);
    assert_int_equal(reader->segments + reader->heads + reader->ends, 0); // never inside the call
}

static void assert_sums(const struct reader *reader, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(reader->sums[i], segment_sum(reader->past->memory.segment[first + i]));
}

static void on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->lists++;
    reader->err = err;
    reader->list_count = count;
    if (count) {
        reader->first.utc_start_us = ranges[0].from_us;
        reader->last.utc_start_us = ranges[count - 1].to_us;
        reader->first_reason = ranges[0].reason;
        reader->last_reason = ranges[count - 1].reason;
    }
}

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->lists++;
    reader->err = err;
    reader->list_count = count;
    reader->cut = cut;
    if (count) {
        reader->first = infos[0];
        reader->last = infos[count - 1];
    }
}

// ---- reading -----------------------------------------------------------------------------------

static void m4f_read_gives_the_range_segment_by_segment(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 10);
    reader_begin(&reader, &past, FIRST_US + 2500000, FIRST_US + 6000000, HISTORY_WHOLE);
    settle(&past);
    for (unsigned given = 1; given <= 4; given++) {
        assert_int_equal(reader.segments, given);
        assert_int_equal(reader.ends, 0);
        // Never more than one is read ahead, and two are under way.
        assert_true(past.memory.given <= given + 1);
        assert_true(past.memory.asked <= given + 2);
        history_next(reader.request);
        settle(&past);
    }
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.segments, 4);
    assert_sums(&reader, 2, 4);
    const struct segment_info *info = &past.memory.segment[5]->info;
    assert_int_equal(reader.last.number, info->number);
    assert_int_equal(reader.last.utc_start_us, info->utc_start_us);
    assert_int_equal(reader.last.duration_us, info->duration_us);
    assert_int_equal(reader.last.generation, 5);
    past_close(&past);
}

static void m4f_read_one_byte_at_a_time_is_the_same(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open_bytes(&past, 1, 3, 40);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.segments, 3);
    assert_sums(&reader, 0, 3);
    past_close(&past);
}

static void m4f_read_tracks_change_midway(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 2);
    struct tracks *other = hand_tracks_new(1, true);
    other->generation = 6;
    struct segment *segment =
        hand_segment(other, FIRST_NUMBER + 2, FIRST_US + 2 * US_PER_S, 25, 300);
    memory_history_add(&past.memory, &segment);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.segments, 3);
    assert_sums(&reader, 0, 3);
    assert_int_equal(reader.first.generation, 5);
    assert_int_equal(reader.last.generation, 6);
    tracks_unref(&other);
    past_close(&past);
}

static void m4f_read_heads_only(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 3);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_HEADS);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.heads, 3);
    assert_int_equal(reader.ends, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct buf *heads = cmaf_segment_heads(past.memory.segment[i]);
        assert_int_equal(reader.sums[i], crc32c(0, heads->data, heads->length));
        buf_unref(&heads);
    }
    assert_int_equal(reader.last.duration_us, US_PER_S - 7);
    past_close(&past);
}

static void m4f_read_of_a_segment_larger_than_a_queue(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 1);
    struct segment *big =
        hand_segment(past.tracks, FIRST_NUMBER + 1, FIRST_US + US_PER_S, 5, 6 << 20);
    big->info.duration_us = US_PER_S;
    memory_history_add(&past.memory, &big);
    assert_true(cmaf_segment(past.memory.segment[1])->bytes > LINK_QUEUE_MAX);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 2 * US_PER_S, HISTORY_WHOLE);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.segments, 2);
    assert_sums(&reader, 0, 2);
    past_close(&past);
}

static void m4f_read_where_nothing_is_ends_with_not_found(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 3);
    reader_begin(&reader, &past, FIRST_US + 10 * US_PER_S, FIRST_US + 20 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_NOT_FOUND);
    past_close(&past);
}

static void m4f_read_that_fails_there_fails_here(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 5);
    past.memory.fail = ERR_IO;
    past.memory.fail_after = 2;
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 5 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.segments, 1);
    history_next(reader.request);
    settle(&past);
    if (reader.request) {
        history_next(reader.request);
        settle(&past);
    }
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_IO);
    assert_sums(&reader, 0, 2);
    past.memory.fail_after = 0;
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 5 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.err, ERR_IO);
    past_close(&past);
}

static void m4f_read_of_a_stream_that_is_not_there(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 1);
    struct stream *other = pair_stream(&past.pair.here, "other", "m4f://there:8888/other", false);
    past.history = stream_history(other);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.err, ERR_NOT_FOUND);
    past_close(&past);
}

static void m4f_link_lost_in_the_middle_ends_with_closed(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 10);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 10 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.segments, 1);
    site_cut(&past.pair.there, REASON_REFUSED);
    settle(&past);
    assert_int_equal(past.memory.open, 0); // the far end let go
    history_next(reader.request);
    settle(&past);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_CLOSED);
    // A request while the link is down ends by itself, and once it is back all is well.
    reader_begin(&reader, &past, FIRST_US, FIRST_US + US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.err, ERR_CLOSED);
    site_cut(&past.pair.there, REASON_NONE);
    link_net_run(&past.pair.net, 15 * US_PER_S);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + US_PER_S, HISTORY_WHOLE);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.segments, 1);
    past_close(&past);
}

static void m4f_peer_silent_in_the_middle_is_noticed(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 10);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 10 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    link_net_run(&past.pair.net, 3 * US_PER_S);
    site_stall(&past.pair.there, true);
    history_next(reader.request); // one is held
    settle(&past);
    assert_int_equal(reader.segments, 2);
    history_next(reader.request); // this one is due
    link_net_run(&past.pair.net, 5500000);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_CLOSED);
    past_close(&past);
}

static void m4f_answer_that_never_comes_ends_with_timeout(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 3);
    past.memory.silent = true;
    reader_begin(&reader, &past, FIRST_US, FIRST_US + US_PER_S, HISTORY_WHOLE);
    link_net_run(&past.pair.net, 59 * US_PER_S);
    assert_int_equal(reader.ends, 0);
    link_net_run(&past.pair.net, 2 * US_PER_S);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_TIMEOUT);
    past_close(&past);
}

static void m4f_reader_who_takes_his_time_is_waited_for(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 3);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
    for (unsigned i = 0; i < 3; i++) {
        link_net_run(&past.pair.net, 300 * US_PER_S);
        assert_int_equal(reader.segments, i + 1);
        assert_int_equal(reader.ends, 0);
        history_next(reader.request);
    }
    settle(&past);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.ends, 1);
    past_close(&past);
}

// ---- cancelling --------------------------------------------------------------------------------

// After so many turns of the loop, from before the channel is open to after the end has come.
static void m4f_cancel_in_each_state_calls_nothing_any_more(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 24; turns++) {
        struct past past;
        struct reader reader;
        past_open(&past, 0, 3);
        link_net_run(&past.pair.net, turns % 2 ? US_PER_S : 0); // the link is up, or not yet
        reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
        for (unsigned i = 0; i < turns / 2; i++)
            loop_turn(past.pair.net.loop, false);
        unsigned segments = reader.segments;
        assert_int_equal(reader.ends, 0);
        history_cancel(&reader.request);
        assert_null(reader.request);
        settle(&past);
        link_net_run(&past.pair.net, US_PER_S);
        assert_int_equal(reader.segments, segments);
        assert_int_equal(reader.ends, 0);
        assert_int_equal(past.memory.open, 0);
        past_close(&past);
    }
}

static void m4f_cancel_inside_callbacks(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= 3; at++) {
        struct past past;
        struct reader reader;
        past_open(&past, 0, 3);
        reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S,
                     at % 2 ? HISTORY_WHOLE : HISTORY_HEADS);
        reader.eager = true;
        reader.cancel_at = at;
        settle(&past);
        assert_int_equal(reader.segments + reader.heads, at);
        assert_int_equal(reader.ends, 0);
        past_close(&past);
    }
}

static void m4f_stream_closed_inside_a_callback_ends_with_cancelled(void **state)
{
    (void)state;
    struct past past;
    struct reader reader, other;
    past_open(&past, 0, 3);
    reader_begin(&other, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 3 * US_PER_S, HISTORY_WHOLE);
    reader.close_at = 1;
    settle(&past);
    assert_int_equal(reader.segments, 1);
    assert_int_equal(reader.ends, 1);
    assert_int_equal(reader.err, ERR_CANCELLED);
    assert_int_equal(other.ends, 1);
    assert_int_equal(other.err, ERR_CANCELLED);
    past_close(&past);
}

static void m4f_many_requests_at_once_do_not_mix(void **state)
{
    (void)state;
    struct past past;
    struct reader reader[8];
    past_open(&past, 7, 8);
    for (unsigned i = 0; i < 8; i++) {
        reader_begin(&reader[i], &past, FIRST_US + i * US_PER_S, FIRST_US + 8 * US_PER_S,
                     HISTORY_WHOLE);
        reader[i].eager = true;
    }
    settle(&past);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(reader[i].err, 0);
        assert_int_equal(reader[i].segments, 8 - i);
        assert_sums(&reader[i], i, 8 - i);
    }
    past_close(&past);
}

// ---- lists and ranges --------------------------------------------------------------------------

static void m4f_list_longer_than_a_message(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 0, 12);
    past.memory.list_repeat = 100;
    reader.request =
        history_list(past.history, FIRST_US + 1500000, FIRST_US + 12 * US_PER_S, on_list, &reader);
    settle(&past);
    assert_int_equal(reader.lists, 1);
    assert_int_equal(reader.err, 0);
    assert_false(reader.cut);
    assert_int_equal(reader.list_count, 1100);
    assert_int_equal(reader.first.utc_start_us, FIRST_US + US_PER_S);
    const struct segment_info *last = &past.memory.segment[11]->info;
    assert_int_equal(reader.last.number, last->number);
    assert_int_equal(reader.last.duration_us, last->duration_us);
    assert_int_equal(reader.last.bytes, last->bytes);
    assert_int_equal(reader.last.flags, last->flags);
    assert_int_equal(reader.last.generation, last->generation);
    past_close(&past);
}

static void m4f_list_longer_than_the_bound_is_cut(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 0, 10);
    past.memory.list_repeat = HISTORY_LIST_MAX / 10 + 1000;
    reader.request =
        history_list(past.history, FIRST_US, FIRST_US + 10 * US_PER_S, on_list, &reader);
    settle(&past);
    assert_int_equal(reader.lists, 1);
    assert_true(reader.cut);
    assert_true(reader.list_count > HISTORY_LIST_MAX - M4F_LIST_PIECE);
    assert_true(reader.list_count <= HISTORY_LIST_MAX);
    past_close(&past);
}

static void m4f_ranges_come_in_order(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 1, 5);
    reader.request = history_ranges(past.history, 0, INT64_MAX / 8, on_ranges, &reader);
    settle(&past);
    assert_int_equal(reader.lists, 1);
    assert_int_equal(reader.list_count, 5);
    assert_int_equal(reader.first.utc_start_us, FIRST_US);
    assert_int_equal(reader.last.utc_start_us, FIRST_US + 5 * US_PER_S - 7);
    past_close(&past);
}

static void m4f_ranges_say_why_nothing_is_there(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 1, 1);
    past.memory.hole = REASON_SOURCE_LOST;
    past.memory.segment[0]->info.flags |= SEGMENT_THINNED;
    reader.request = history_ranges(past.history, 0, INT64_MAX / 8, on_ranges, &reader);
    settle(&past);
    assert_int_equal(reader.list_count, 2);
    assert_int_equal(reader.first_reason, REASON_THINNED);
    assert_int_equal(reader.last_reason, REASON_SOURCE_LOST);
    reader.request = history_list(past.history, 0, INT64_MAX / 8, on_list, &reader);
    settle(&past);
    assert_int_equal(reader.last.flags & SEGMENT_THINNED, SEGMENT_THINNED);
    past_close(&past);
}

static void m4f_lists_that_fail_or_are_cancelled(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 0, 5);
    past.memory.fail = ERR_IO;
    reader.request = history_list(past.history, 0, INT64_MAX / 8, on_list, &reader);
    settle(&past);
    assert_int_equal(reader.err, ERR_IO);
    assert_int_equal(reader.list_count, 0);
    reader.request = history_ranges(past.history, 0, INT64_MAX / 8, on_ranges, &reader);
    settle(&past);
    assert_int_equal(reader.lists, 2);
    assert_int_equal(reader.err, ERR_IO);
    reader.request = history_list(past.history, 0, INT64_MAX / 8, on_list, &reader);
    history_cancel(&reader.request);
    settle(&past);
    assert_int_equal(reader.lists, 2);
    past_close(&past);
}

// ---- what the live window gives ----------------------------------------------------------------

static void m4f_without_an_archive_the_ready_segments_are_given(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    past_open(&past, 0, 0);
    struct history *none = NULL;
    stream_set_history(past.pair.from, &none);
    pair_play(&past.pair, 9000); // four closed segments
    size_t count;
    const struct window_entry *window = stream_window(past.pair.from, &count);
    assert_int_equal(count, 4);
    int64_t from_us = window[1].info.utc_start_us;
    reader_begin(&reader, &past, from_us, from_us + 60 * US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(reader.segments, 1);
    reader.eager = true;
    history_next(reader.request);
    settle(&past);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.segments, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(reader.sums[i], segment_sum(window[i + 1].segment));
    reader_begin(&reader, &past, from_us, from_us + 60 * US_PER_S, HISTORY_HEADS);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.heads, 3);
    reader = (struct reader){.past = &past};
    reader.request = history_list(past.history, from_us, from_us + 60 * US_PER_S, on_list, &reader);
    settle(&past);
    assert_int_equal(reader.list_count, 3);
    reader.request = history_ranges(past.history, 0, INT64_MAX / 8, on_ranges, &reader);
    settle(&past);
    assert_int_equal(reader.err, 0);
    assert_int_equal(reader.list_count, 0);
    past_close(&past);
}

static void m4f_one_segment_is_fetched_by_its_name(void **state)
{
    (void)state;
    struct past past;
    struct fetched live = {0}, old = {0}, none = {0};
    past_open(&past, 0, 3);
    pair_play(&past.pair, 5000);
    size_t count;
    const struct window_entry *window = stream_window(past.pair.from, &count);
    int64_t live_ms = window[0].info.utc_start_us / 1000;
    assert_non_null(stream_fetch_segment(past.pair.to, live_ms, on_fetched, &live));
    assert_non_null(stream_fetch_segment(past.pair.to, FIRST_US / 1000 + 1000, on_fetched, &old));
    assert_non_null(stream_fetch_segment(past.pair.to, FIRST_US / 1000 + 999, on_fetched, &none));
    settle(&past);
    assert_int_equal(live.err, 0);
    assert_int_equal(segment_sum(live.segment), segment_sum(window[0].segment));
    assert_int_equal(old.err, 0);
    assert_int_equal(segment_sum(old.segment), segment_sum(past.memory.segment[1]));
    assert_int_equal(none.err, ERR_NOT_FOUND);
    assert_int_equal(past.memory.reads, 2); // the live one came from the window there
    segment_unref(&live.segment);
    segment_unref(&old.segment);
    past_close(&past);
}

// ---- what the other side should not send -------------------------------------------------------

static struct channel *bad_channel;

static enum reason bad_serve(void *hub_arg, struct link *link, struct channel *channel,
                             struct bytes open, const struct channel_events **events, void **arg)
{
    static const struct channel_events bad_events;
    (void)hub_arg, (void)link, (void)open;
    bad_channel = channel;
    *events = &bad_events;
    *arg = NULL;
    return REASON_NONE;
}

static void send_chain(struct chain *message)
{
    channel_send(bad_channel, message);
    chain_fini(message);
}

static void send_tracks(const struct tracks *tracks)
{
    struct chain message = {0};
    struct buf *init = cmaf_init_write(tracks);
    m4f_tracks_write(tracks->generation, init, &message);
    buf_unref(&init);
    send_chain(&message);
}

static void send_segment(struct segment *segment, uint64_t length, bool damaged)
{
    struct chain message = {0};
    struct segment_info info = segment->info;
    struct buf *body = chain_join(cmaf_segment(segment));
    if (damaged)
        body->data[body->length - 1] ^= 1;
    m4f_segment_write(&info, length ? length : body->length, &message);
    chain_take(&message, &body);
    send_chain(&message);
}

static void bad_nothing_asked(struct past *past)
{
    send_tracks(past->tracks);
    for (unsigned i = 0; i < 4; i++)
        send_segment(past->memory.segment[i], 0, false);
}

static void bad_damaged(struct past *past)
{
    send_tracks(past->tracks);
    send_segment(past->memory.segment[0], 0, true);
}

static void bad_no_tracks(struct past *past)
{
    send_segment(past->memory.segment[0], 0, false);
}

static void bad_generation(struct past *past)
{
    struct segment *segment = hand_segment(past->tracks, 1, FIRST_US, 3, 50);
    send_tracks(past->tracks);
    segment->info.generation = 9;
    send_segment(segment, 0, false);
    segment_unref(&segment);
}

static void bad_segment_in_a_segment(struct past *past)
{
    send_tracks(past->tracks);
    send_segment(past->memory.segment[0], 1 << 20, false);
    send_segment(past->memory.segment[0], 0, false);
}

static void bad_tracks_in_a_segment(struct past *past)
{
    send_tracks(past->tracks);
    send_segment(past->memory.segment[0], 1 << 20, false);
    send_tracks(past->tracks);
}

static void bad_more_data_than_said(struct past *past)
{
    size_t length = cmaf_segment(past->memory.segment[0])->bytes;
    struct chain message = {0};
    send_tracks(past->tracks);
    send_segment(past->memory.segment[0], length + 10, false);
    m4f_data_write(&message);
    chain_add_copy(&message, "01234567890", 11);
    send_chain(&message);
}

static void bad_data_alone(struct past *past)
{
    struct chain message = {0};
    (void)past;
    m4f_data_write(&message);
    chain_add_copy(&message, "x", 1);
    send_chain(&message);
}

static void bad_ranges(struct past *past)
{
    struct chain message = {0};
    struct history_range range = {1, 2, REASON_NONE};
    (void)past;
    m4f_ranges_write(&range, 1, &message);
    send_chain(&message);
}

static void bad_garbage(struct past *past)
{
    (void)past;
    channel_send_copy(bad_channel, "\x09garbage", 8);
}

static void m4f_answers_that_cannot_be_end_with_invalid(void **state)
{
    (void)state;
    static void (*const bad[])(struct past *) = {
        bad_nothing_asked,
        bad_damaged,
        bad_no_tracks,
        bad_generation,
        bad_segment_in_a_segment,
        bad_tracks_in_a_segment,
        bad_more_data_than_said,
        bad_data_alone,
        bad_ranges,
        bad_garbage,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct past past;
        struct reader reader;
        past_open(&past, 0, 4);
        link_hub_serve(past.pair.there.env.links, LINK_M4F, bad_serve, NULL);
        reader_begin(&reader, &past, FIRST_US, FIRST_US + 4 * US_PER_S, HISTORY_WHOLE);
        link_net_run(&past.pair.net, US_PER_S);
        bad[i](&past);
        settle(&past);
        assert_true(reader.segments <= 1);
        while (reader.request) {
            history_next(reader.request);
            settle(&past);
        }
        assert_int_equal(reader.ends, 1);
        assert_int_equal(reader.err, ERR_INVALID);
        past_close(&past);
    }
}

static enum reason asker_closed;
static unsigned asker_messages;

static void asker_on_closed(void *arg, enum reason reason)
{
    *(struct channel **)arg = NULL;
    asker_closed = reason;
}

static void asker_on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    (void)arg, (void)buf, (void)offset, (void)length;
    asker_messages++;
}

static const struct channel_events asker_events = {.on_message = asker_on_message,
                                                   .on_closed = asker_on_closed};

static void m4f_requests_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *open;
        size_t length;
        enum reason reason;
    } cases[] = {
        {"", 0, REASON_PROTOCOL},
        {"\0\0\0main", 7, REASON_PROTOCOL},
        {"\6\0\0main", 7, REASON_PROTOCOL},
        {"\4\0\0", 3, REASON_PROTOCOL},
        {"\4\0\0ma\0in", 8, REASON_PROTOCOL},
        {"\4\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0main", 15, REASON_PROTOCOL},
        {"\4\0\0other", 8, REASON_NOT_FOUND},
        {"\1\0\0other", 8, REASON_NOT_FOUND},
    };
    struct past past;
    past_open(&past, 0, 1);
    struct link *link = link_hold(past.pair.here.env.links, "there", 8888, "123");
    link_net_run(&past.pair.net, US_PER_S);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct channel *asker;
        asker_closed = REASON_NONE;
        asker = channel_open(link, LINK_M4F, LINK_ARCHIVE, bytes_of(cases[i].open, cases[i].length),
                             &asker_events, &asker);
        settle(&past);
        assert_null(asker);
        assert_int_equal(asker_closed, cases[i].reason);
    }
    link_release(&link);
    past_close(&past);
}

static void m4f_asker_who_floods_or_chatters_is_closed(void **state)
{
    (void)state;
    struct past past;
    past_open(&past, 0, 3);
    past.memory.silent = true;
    struct link *link = link_hold(past.pair.here.env.links, "there", 8888, "123");
    link_net_run(&past.pair.net, US_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        struct m4f_request ask = {.kind = M4F_READ, .to_us = INT64_MAX / 8, .name = "main"};
        struct buf *open = m4f_request_write(&ask);
        struct channel *asker;
        asker_closed = REASON_NONE;
        asker = channel_open(link, LINK_M4F, LINK_ARCHIVE, buf_bytes(open), &asker_events, &asker);
        buf_unref(&open);
        settle(&past);
        assert_non_null(asker);
        for (unsigned k = 0; k < (i ? 1 : 70); k++)
            channel_send_copy(asker, i ? "no" : "\7", i ? 2 : 1);
        settle(&past);
        assert_null(asker);
        assert_int_equal(asker_closed, REASON_PROTOCOL);
        assert_int_equal(past.memory.open, 0);
    }
    link_release(&link);
    past_close(&past);
}

// Peers beat: archives of servers that are each other's source do not chain in a circle.
static void m4f_who_asks_is_not_asked_and_hops_are_bounded(void **state)
{
    (void)state;
    struct past past;
    struct reader reader = {.past = &past};
    past_open(&past, 0, 3);
    struct link *link = link_hold(past.pair.here.env.links, "there", 8888, "123");
    link_net_run(&past.pair.net, US_PER_S);
    const struct history_via cases[] = {{link_peer_id(link), 1}, {77, HISTORY_HOPS_MAX}, {77, 2}};
    for (unsigned i = 0; i < 3; i++) {
        past.memory.asked = 0;
        reader = (struct reader){.past = &past, .eager = true};
        reader.request =
            history_read_via(past.history, &cases[i], FIRST_US, FIRST_US + 3 * US_PER_S,
                             HISTORY_WHOLE, &reader_events, &reader);
        settle(&past);
        assert_int_equal(reader.ends, 1);
        assert_int_equal(reader.err, i < 2 ? ERR_NOT_FOUND : 0);
        assert_int_equal(reader.segments, i < 2 ? 0 : 3);
        assert_true(i < 2 ? past.memory.asked == 0 : past.memory.asked > 0);
    }
    assert_int_equal(past.memory.via.hops, 3);
    assert_true(past.memory.via.peer != 0 && past.memory.via.peer != link_peer_id(link));
    link_release(&link);
    past_close(&past);
}

// Peers beat: own archive at the centre, holes filled from the site on request.
static void m4f_fills_the_holes_of_an_archive_here(void **state)
{
    (void)state;
    struct past past;
    struct reader reader;
    struct memory_history own;
    past_open(&past, 0, 4);
    memory_history_init(&own, past.pair.net.loop);
    for (unsigned i = 0; i < 4; i += 3) {
        struct segment *same = segment_ref(past.memory.segment[i]);
        memory_history_add(&own, &same);
    }
    struct history *history = &own.history;
    stream_set_history(past.pair.to, &history);
    past.history = stream_history(past.pair.to);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + 4 * US_PER_S, HISTORY_WHOLE);
    reader.eager = true;
    settle(&past);
    assert_int_equal(reader.segments, 4);
    assert_sums(&reader, 0, 4);
    assert_int_equal(own.given, 2);
    assert_int_equal(past.memory.given, 2);
    stream_set_history(past.pair.to, &history); // no archive any more: the far one alone
    assert_true(own.closed);
    past.history = stream_history(past.pair.to);
    reader_begin(&reader, &past, FIRST_US, FIRST_US + US_PER_S, HISTORY_WHOLE);
    settle(&past);
    assert_int_equal(past.memory.given, 3);
    history_cancel(&reader.request);
    past_close(&past);
    memory_history_fini(&own);
}

static void m4f_check_wants_a_host_and_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } cases[] = {
        {"m4f://there:8888/main", true}, {"there:8888/main", true}, {"m4f://[::1]/a/b", true},
        {"m4f://there:8888/", false},    {"there:8888", false},     {"m4f://there/a%20b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[128] = "";
        struct input_conf input = {.url = (char *)cases[i].url};
        assert_int_equal(proto_m4f.check(&input, why, sizeof why), cases[i].good ? 0 : ERR_INVALID);
        assert_int_equal(why[0] == '\0', cases[i].good);
    }
}

TEST_MAIN(TEST(m4f_read_gives_the_range_segment_by_segment),
          TEST(m4f_read_one_byte_at_a_time_is_the_same), TEST(m4f_read_tracks_change_midway),
          TEST(m4f_read_heads_only), TEST(m4f_read_of_a_segment_larger_than_a_queue),
          TEST(m4f_read_where_nothing_is_ends_with_not_found),
          TEST(m4f_read_that_fails_there_fails_here), TEST(m4f_read_of_a_stream_that_is_not_there),
          TEST(m4f_link_lost_in_the_middle_ends_with_closed),
          TEST(m4f_peer_silent_in_the_middle_is_noticed),
          TEST(m4f_answer_that_never_comes_ends_with_timeout),
          TEST(m4f_reader_who_takes_his_time_is_waited_for),
          TEST(m4f_cancel_in_each_state_calls_nothing_any_more), TEST(m4f_cancel_inside_callbacks),
          TEST(m4f_stream_closed_inside_a_callback_ends_with_cancelled),
          TEST(m4f_many_requests_at_once_do_not_mix), TEST(m4f_list_longer_than_a_message),
          TEST(m4f_list_longer_than_the_bound_is_cut), TEST(m4f_ranges_come_in_order),
          TEST(m4f_ranges_say_why_nothing_is_there), TEST(m4f_lists_that_fail_or_are_cancelled),
          TEST(m4f_without_an_archive_the_ready_segments_are_given),
          TEST(m4f_one_segment_is_fetched_by_its_name),
          TEST(m4f_answers_that_cannot_be_end_with_invalid),
          TEST(m4f_requests_that_cannot_be_are_refused),
          TEST(m4f_asker_who_floods_or_chatters_is_closed),
          TEST(m4f_who_asks_is_not_asked_and_hops_are_bounded),
          TEST(m4f_fills_the_holes_of_an_archive_here), TEST(m4f_check_wants_a_host_and_a_name))
