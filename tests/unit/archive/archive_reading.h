// SPDX-License-Identifier: MIT
// Reading back what archive_fixture.h recorded: whole, heads, lists and ranges.
#ifndef TESTS_ARCHIVE_READING_H
#define TESTS_ARCHIVE_READING_H

#include "archive_fixture.h"

struct got {
    struct history_request *request;
    struct known segment[ROOM_SEGMENTS];
    size_t heads[ROOM_SEGMENTS]; // lengths
    uint32_t heads_sum[ROOM_SEGMENTS];
    unsigned count;
    bool ended;
    int err;
    unsigned pause_after; // stops asking after so many; 0: never
    struct history_range range[64];
    size_t ranges, media; // of all; of those that are no holes
    bool cut;
};

static void got_on_segment(void *arg, struct segment **segment)
{
    struct got *got = arg;
    ENSURE(got->count < ROOM_SEGMENTS);
    got->segment[got->count++] = known_of(*segment);
    segment_unref(segment);
    if (got->count != got->pause_after)
        history_next(got->request);
}

static void got_on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                         struct bytes heads)
{
    struct got *got = arg;
    (void)tracks;
    got->heads[got->count] = heads.length;
    got->heads_sum[got->count] = crc32c(0, heads.data, heads.length);
    got->segment[got->count++].info = *info;
    if (got->count != got->pause_after)
        history_next(got->request);
}

static void got_on_end(void *arg, int err)
{
    struct got *got = arg;
    got->request = NULL;
    got->ended = true;
    got->err = err;
}

static const struct history_events got_events = {
    .on_segment = got_on_segment, .on_heads = got_on_heads, .on_end = got_on_end};

static inline void got_begin(struct got *got, int64_t from_us, int64_t to_us,
                             enum history_what what)
{
    memset(got, 0, sizeof *got);
    got->request =
        history_read(stream_history(room.stream), from_us, to_us, what, &got_events, got);
}

static inline struct got *room_read(int64_t from_us, int64_t to_us, enum history_what what)
{
    static struct got got;
    got_begin(&got, from_us, to_us, what);
    room_settle();
    assert_true(got.ended);
    return &got;
}

static inline struct got *room_read_all(void)
{
    struct got *got = room_read(0, INT64_MAX / 2, HISTORY_WHOLE);
    assert_int_equal(got->err, 0);
    return got;
}

static void got_on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct got *got = arg;
    got->request = NULL;
    got->ended = true;
    got->err = err;
    got->ranges = count;
    for (size_t i = 0; i < count && i < 64; i++) {
        got->range[i] = ranges[i];
        got->media += ranges[i].reason == REASON_NONE;
    }
}

static inline struct got *room_ranges(int64_t from_us, int64_t to_us)
{
    static struct got got;
    memset(&got, 0, sizeof got);
    got.request = history_ranges(stream_history(room.stream), from_us, to_us, got_on_ranges, &got);
    room_settle();
    assert_true(got.ended);
    return &got;
}

static void got_on_list(void *arg, int err, const struct segment_info *infos, size_t count,
                        bool cut)
{
    struct got *got = arg;
    got->request = NULL;
    got->ended = true;
    got->err = err;
    got->cut = cut;
    got->count = (unsigned)count;
    for (size_t i = 0; i < count && i < ROOM_SEGMENTS; i++)
        got->segment[i].info = infos[i];
}

static inline struct got *room_list(int64_t from_us, int64_t to_us)
{
    static struct got got;
    memset(&got, 0, sizeof got);
    got.request = history_list(stream_history(room.stream), from_us, to_us, got_on_list, &got);
    room_settle();
    assert_true(got.ended);
    return &got;
}

static inline void assert_same_info(const struct segment_info *a, const struct segment_info *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->utc_start_us, b->utc_start_us);
    assert_int_equal(a->duration_us, b->duration_us);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->flags, b->flags);
}

// What came back is what the segmenter gave out: segments [first, first + count).
static inline void assert_known(const struct got *got, unsigned first, unsigned count)
{
    assert_int_equal(got->count, count);
    assert_true(first + count <= room.known_count);
    for (unsigned i = 0; i < count; i++) {
        assert_same_info(&got->segment[i].info, &room.known[first + i].info);
        assert_int_equal(got->segment[i].sum, room.known[first + i].sum);
    }
}

// What is listed can be read, and what can be read is listed.
static inline void assert_list_is_read(void)
{
    struct got *read = room_read_all(), *list = room_list(0, INT64_MAX / 2);
    assert_int_equal(list->err, 0);
    assert_int_equal(list->count, read->count);
    for (unsigned i = 0; i < read->count; i++)
        assert_same_info(&list->segment[i].info, &read->segment[i].info);
}

#endif
