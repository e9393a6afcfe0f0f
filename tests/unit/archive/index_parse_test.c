// SPDX-License-Identifier: MIT
#include "index_parse.h"

#include "base/code.h"
#include "unit.h"

// Entry number i of a file without holes: 2 s each, 1000 bytes.
static struct index_entry entry_of(unsigned i)
{
    return (struct index_entry){
        .number = 7000 + i,
        .utc_start_us = 1000000000 + i * 2000000LL,
        .offset = 500 + i * 1000ULL,
        .bytes = 1000,
        .head_bytes = 100,
        .duration_us = 2000000,
        .parts = 4,
        .flags = SEGMENT_KEY,
    };
}

static struct index *index_of(unsigned count)
{
    struct index *index = index_new(77, 500);
    for (unsigned i = 0; i < count; i++) {
        struct index_entry entry = entry_of(i);
        assert_true(index_add(index, &entry));
    }
    return index;
}

static struct buf *bytes_of_index(struct index *index)
{
    struct writer out = {0};
    index_write(&out, index);
    return writer_take(&out);
}

static void assert_entries(const struct index *index, unsigned count)
{
    assert_int_equal(index->count, count);
    for (unsigned i = 0; i < count; i++) {
        struct index_entry entry = entry_of(i);
        const struct index_entry *got = &index->entries[i];
        assert_int_equal(got->number, entry.number);
        assert_int_equal(got->utc_start_us, entry.utc_start_us);
        assert_int_equal(got->offset, entry.offset);
        assert_int_equal(got->bytes, entry.bytes);
        assert_int_equal(got->head_bytes, entry.head_bytes);
        assert_int_equal(got->duration_us, entry.duration_us);
        assert_int_equal(got->parts, entry.parts);
        assert_int_equal(got->flags, entry.flags);
    }
}

static void index_write_comes_back(void **state)
{
    (void)state;
    struct index *index = index_of(100), *again;
    index->closed = true;
    index->file_length = 100500;
    struct buf *bytes = bytes_of_index(index);
    assert_int_equal(bytes->length, 102 * INDEX_RECORD);
    assert_int_equal(index_parse(buf_bytes(bytes), &again), 0);
    assert_entries(again, 100);
    assert_int_equal(again->generation, 77);
    assert_int_equal(again->init_length, 500);
    assert_true(again->closed);
    assert_int_equal(again->file_length, 100500);
    buf_unref(&bytes);
    index_unref(&again);
    index_unref(&index);
}

// The offsets of docs/formats/archive.md.
static void index_entry_write_has_the_documented_layout(void **state)
{
    (void)state;
    struct writer out = {0};
    struct index_entry entry = {
        .number = 0x0102030405060708,
        .utc_start_us = 0x1112131415161718,
        .offset = 0x2122232425262728,
        .bytes = 0x31323334,
        .head_bytes = 0x41424344,
        .duration_us = 0x51525354,
        .parts = 0x6162,
        .flags = 3,
    };
    static const char wanted[] = "0103616231323334010203040506070811121314151617182122232425262728"
                                 "414243445152535400000000";
    char text[2 * INDEX_RECORD + 1];
    index_entry_write(&out, &entry);
    struct buf *bytes = writer_take(&out);
    assert_int_equal(bytes->length, INDEX_RECORD);
    hex_encode(bytes->data, 44, text);
    assert_string_equal(text, wanted);
    uint32_t sum = crc32c(0, bytes->data, 44);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(bytes->data[44 + i], (uint8_t)(sum >> (24 - 8 * i)));
    buf_unref(&bytes);
}

// Whatever byte is damaged: what stands before its record counts, and nothing after.
static void index_parse_damaged_keeps_what_is_before(void **state)
{
    (void)state;
    struct index *index = index_of(5), *again;
    index->closed = true;
    index->file_length = 5500;
    struct buf *bytes = bytes_of_index(index);
    for (size_t at = 0; at < bytes->length; at++) {
        bytes->data[at] ^= 0x10;
        int err = index_parse(buf_bytes(bytes), &again);
        if (at < INDEX_RECORD) {
            assert_int_equal(err, ERR_INVALID);
        } else {
            unsigned whole = (unsigned)(at / INDEX_RECORD) - 1;
            assert_int_equal(err, 0);
            assert_entries(again, whole < 5 ? whole : 5);
            assert_false(again->closed);
            index_unref(&again);
        }
        bytes->data[at] ^= 0x10;
    }
    buf_unref(&bytes);
    index_unref(&index);
}

static void index_parse_cut_keeps_whole_entries(void **state)
{
    (void)state;
    struct index *index = index_of(5), *again;
    struct buf *bytes = bytes_of_index(index);
    for (size_t length = 0; length <= bytes->length; length++) {
        int err = index_parse(bytes_of(bytes->data, length), &again);
        if (length < INDEX_RECORD) {
            assert_int_equal(err, ERR_INVALID);
            continue;
        }
        assert_int_equal(err, 0);
        assert_entries(again, (unsigned)(length / INDEX_RECORD) - 1);
        assert_false(again->closed);
        index_unref(&again);
    }
    buf_unref(&bytes);
    index_unref(&index);
}

// Later versions add kinds of entries; this one reads on behind them.
static void index_parse_unknown_kind_is_skipped(void **state)
{
    (void)state;
    struct index *index = index_of(1), *again;
    struct writer out = {0};
    index_write(&out, index);
    uint8_t *record = writer_reserve(&out, INDEX_RECORD);
    memset(record, 0, INDEX_RECORD);
    record[0] = 9;
    uint32_t sum = crc32c(0, record, 44);
    for (unsigned i = 0; i < 4; i++)
        record[44 + i] = (uint8_t)(sum >> (24 - 8 * i));
    struct index_entry second = entry_of(1);
    index_entry_write(&out, &second);
    struct buf *bytes = writer_take(&out);
    assert_int_equal(index_parse(buf_bytes(bytes), &again), 0);
    assert_entries(again, 2);
    buf_unref(&bytes);
    index_unref(&again);
    index_unref(&index);
}

static void index_parse_end_that_does_not_agree_does_not_count(void **state)
{
    (void)state;
    struct index *index = index_of(3), *again;
    struct writer out = {0};
    index_write(&out, index);
    index_end_write(&out, index, 3499); // the last segment ends at 3500
    struct buf *bytes = writer_take(&out);
    assert_int_equal(index_parse(buf_bytes(bytes), &again), 0);
    assert_int_equal(again->count, 3);
    assert_false(again->closed);
    buf_unref(&bytes);
    index_unref(&again);
    // An entry behind the end.
    index_write(&out, index);
    index_end_write(&out, index, 3500);
    struct index_entry more = entry_of(3);
    index_entry_write(&out, &more);
    bytes = writer_take(&out);
    assert_int_equal(index_parse(buf_bytes(bytes), &again), 0);
    assert_int_equal(again->count, 3);
    assert_false(again->closed);
    buf_unref(&bytes);
    index_unref(&again);
    index_unref(&index);
}

static void index_add_what_contradicts_is_refused(void **state)
{
    (void)state;
    struct index *index = index_of(2);
    struct index_entry good = entry_of(2), bad;
    const struct index_entry last = entry_of(1);
    bad = good, bad.offset = last.offset + last.bytes - 1;
    assert_false(index_add(index, &bad));
    bad = good, bad.offset = UINT64_MAX - 5;
    assert_false(index_add(index, &bad));
    bad = good, bad.utc_start_us = last.utc_start_us;
    assert_false(index_add(index, &bad));
    bad = good, bad.utc_start_us = INT64_MAX;
    assert_false(index_add(index, &bad));
    bad = good, bad.utc_start_us = -1;
    assert_false(index_add(index, &bad));
    bad = good, bad.bytes = 0;
    assert_false(index_add(index, &bad));
    bad = good, bad.bytes = UINT32_MAX;
    assert_false(index_add(index, &bad));
    bad = good, bad.head_bytes = bad.bytes + 1;
    assert_false(index_add(index, &bad));
    bad = good, bad.parts = 0;
    assert_false(index_add(index, &bad));
    bad = good, bad.duration_us = 0;
    assert_false(index_add(index, &bad));
    assert_int_equal(index->count, 2);
    assert_true(index_add(index, &good));
    index->closed = true;
    struct index_entry next = entry_of(3);
    assert_false(index_add(index, &next));
    index_unref(&index);
}

static void index_find_is_the_first_that_ends_later(void **state)
{
    (void)state;
    struct index *index = index_of(1000);
    for (unsigned i = 0; i < 1000; i += 37) {
        struct index_entry entry = entry_of(i);
        assert_int_equal(index_find(index, entry.utc_start_us), i);
        assert_int_equal(index_find(index, entry.utc_start_us + 1999999), i);
        assert_int_equal(index_find(index, entry.utc_start_us + 2000000), i + 1);
    }
    assert_int_equal(index_find(index, INT64_MIN), 0);
    assert_int_equal(index_find(index, INT64_MAX), 1000);
    index_unref(&index);
}

static void index_holes_are_longer_than_a_tenth(void **state)
{
    (void)state;
    struct index *index = index_of(2);
    struct index_entry entry = entry_of(2);
    entry.utc_start_us += INDEX_HOLE_US;
    assert_true(index_add(index, &entry));
    assert_false(index_hole_before(index, 2));
    entry = entry_of(4);
    entry.utc_start_us += INDEX_HOLE_US + 1;
    assert_true(index_add(index, &entry));
    assert_true(index_hole_before(index, 3));
    assert_int_equal(index_holes(index), 1);
    struct segment_info info = index_info(index, 3);
    assert_int_equal(info.flags, SEGMENT_KEY | SEGMENT_DISCONTINUITY);
    assert_int_equal(index_info(index, 2).flags, SEGMENT_KEY);
    assert_int_equal(info.generation, 77);
    int64_t from, to;
    assert_true(index_span(index, &from, &to));
    assert_int_equal(from, entry_of(0).utc_start_us);
    assert_int_equal(to, entry.utc_start_us + 2000000);
    index_unref(&index);
}

static void index_add_overlap_ends_where_the_next_begins(void **state)
{
    (void)state;
    struct index *index = index_of(1);
    struct index_entry next = entry_of(1);
    next.utc_start_us -= 500000;
    assert_true(index_add(index, &next));
    assert_int_equal(index->entries[0].duration_us, 1500000);
    index_unref(&index);
}

TEST_MAIN(TEST(index_write_comes_back), TEST(index_entry_write_has_the_documented_layout),
          TEST(index_parse_damaged_keeps_what_is_before), TEST(index_parse_cut_keeps_whole_entries),
          TEST(index_parse_unknown_kind_is_skipped),
          TEST(index_parse_end_that_does_not_agree_does_not_count),
          TEST(index_add_what_contradicts_is_refused),
          TEST(index_find_is_the_first_that_ends_later), TEST(index_holes_are_longer_than_a_tenth),
          TEST(index_add_overlap_ends_where_the_next_begins))
