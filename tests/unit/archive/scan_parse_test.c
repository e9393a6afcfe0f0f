// SPDX-License-Identifier: MIT
#include "scan_fixture.h"

struct file {
    struct tracks *tracks;
    struct buf *buf;
    size_t init;
    size_t chunk; // length of each
};

static struct file file_of(unsigned segments)
{
    struct file file = {.tracks = scan_tracks()};
    file.buf = scan_file(file.tracks, segments, &file.init);
    file.chunk = (file.buf->length - file.init) / (4 * segments);
    assert_int_equal(file.init + file.chunk * 4 * segments, file.buf->length);
    return file;
}

static void file_fini(struct file *file)
{
    buf_unref(&file->buf);
    tracks_unref(&file->tracks);
}

static void assert_segment(const struct file *file, const struct index_entry *entry,
                           unsigned number, unsigned parts, int64_t duration_us)
{
    assert_int_equal(entry->number, 100 + number);
    assert_int_equal(entry->utc_start_us, SCAN_START_US + number * 2000000LL);
    assert_int_equal(entry->parts, parts);
    assert_int_equal(entry->bytes, parts * file->chunk);
    assert_int_equal(entry->duration_us, duration_us);
    assert_int_equal(entry->head_bytes, parts * (file->chunk - 25 * 160));
    assert_int_equal(entry->offset, file->init + number * 4 * file->chunk);
}

static void scan_whole_file_gives_its_segments(void **state)
{
    (void)state;
    for (int verify = 0; verify < 2; verify++) {
        struct file file = file_of(6);
        struct scan scan;
        scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, verify ? 0 : UINT64_MAX);
        assert_int_equal(scan.index->count, 6);
        for (unsigned i = 0; i < 6; i++)
            assert_segment(&file, &scan.index->entries[i], i, 4, 2000000);
        assert_int_equal(scan.index->generation, 9);
        assert_int_equal(scan.index->entries[0].flags, SEGMENT_KEY | SEGMENT_DISCONTINUITY);
        assert_int_equal(scan.index->entries[1].flags, SEGMENT_KEY);
        assert_int_equal(scan.chunks_end, file.buf->length);
        assert_int_equal(scan.skipped, 0);
        scan_fini(&scan);
        file_fini(&file);
    }
}

static void scan_goes_on_behind_an_index(void **state)
{
    (void)state;
    struct file file = file_of(4);
    struct scan scan, rest;
    scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
    struct index *index = index_new(9, (uint32_t)file.init);
    for (unsigned i = 0; i < 2; i++)
        assert_true(index_add(index, &scan.index->entries[i]));
    scan_init(&rest, &index, false, file.tracks, file.buf->length, 0);
    uint64_t offset;
    size_t length;
    assert_true(scan_wants(&rest, &offset, &length));
    assert_int_equal(offset, file.init + 8 * file.chunk);
    scan_run(&rest, buf_bytes(file.buf));
    assert_int_equal(rest.index->count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_segment(&file, &rest.index->entries[i], i, 4, 2000000);
    scan_fini(&rest);
    scan_fini(&scan);
    file_fini(&file);
}

// A file cut anywhere: all whole parts are there, the last segment lasts as long as its parts.
static void scan_cut_file_keeps_whole_parts(void **state)
{
    (void)state;
    struct file file = file_of(2);
    for (size_t length = file.init; length <= file.buf->length; length += 97) {
        struct scan scan;
        unsigned parts = (unsigned)((length - file.init) / file.chunk);
        scan_all(&scan, bytes_of(file.buf->data, length), file.tracks, file.init, 0);
        assert_int_equal(scan.index->count, (parts + 3) / 4);
        for (unsigned i = 0; i < scan.index->count; i++) {
            unsigned here = parts - i * 4 < 4 ? parts - i * 4 : 4;
            assert_segment(&file, &scan.index->entries[i], i, here, here * 500000);
        }
        assert_int_equal(scan.chunks_end, file.init + parts * file.chunk);
        assert_int_equal(scan.skipped, length - scan.chunks_end);
        scan_fini(&scan);
    }
    file_fini(&file);
}

// Part 1 of segment 1 is damaged in its head, or in its payload with checksums compared.
static void scan_damaged_chunk_costs_the_rest_of_its_segment(void **state)
{
    (void)state;
    static const size_t places[] = {0, 10, 100, 300, 1000};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        struct file file = file_of(3);
        struct scan scan;
        file.buf->data[file.init + 5 * file.chunk + places[i]] ^= 0x40;
        scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
        assert_int_equal(scan.index->count, 3);
        assert_segment(&file, &scan.index->entries[0], 0, 4, 2000000);
        assert_segment(&file, &scan.index->entries[1], 1, 1, 500000);
        assert_segment(&file, &scan.index->entries[2], 2, 4, 2000000);
        assert_true(index_hole_before(scan.index, 2));
        assert_int_equal(scan.chunks_end, file.buf->length);
        assert_int_equal(scan.skipped, 3 * file.chunk);
        scan_fini(&scan);
        file_fini(&file);
    }
}

static void scan_damaged_first_part_costs_the_segment(void **state)
{
    (void)state;
    struct file file = file_of(3);
    struct scan scan;
    memset(file.buf->data + file.init + 4 * file.chunk, 0, file.chunk);
    scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 2);
    assert_segment(&file, &scan.index->entries[0], 0, 4, 2000000);
    assert_segment(&file, &scan.index->entries[1], 2, 4, 2000000);
    scan_fini(&scan);
    file_fini(&file);
}

// Boxes of later versions between segments, and garbage of any length, are skipped.
static void scan_foreign_bytes_between_are_skipped(void **state)
{
    (void)state;
    static const size_t lengths[] = {8, 100, 4096, (256u << 10) - 9, 300000};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct file file = file_of(2);
        size_t at = file.init + 4 * file.chunk, foreign = lengths[i];
        struct buf *longer = buf_new(file.buf->length + foreign);
        buf_append(longer, file.buf->data, at);
        uint8_t *box = longer->data + at;
        memset(box, 'u', foreign); // the beginning of many marks
        box[0] = 0, box[1] = (uint8_t)(foreign >> 16), box[2] = (uint8_t)(foreign >> 8);
        box[3] = (uint8_t)foreign;
        memcpy(box + 4, "uuid", 4);
        longer->length += foreign;
        buf_append(longer, file.buf->data + at, file.buf->length - at);
        struct scan scan;
        scan_all(&scan, buf_bytes(longer), file.tracks, file.init, 0);
        assert_int_equal(scan.index->count, 2);
        assert_int_equal(scan.index->entries[1].offset, at + foreign);
        // The marks say that one follows the other, but who knows what was between.
        assert_int_equal(scan.index->entries[0].duration_us, 2000000);
        assert_int_equal(scan.skipped, foreign);
        scan_fini(&scan);
        buf_unref(&longer);
        file_fini(&file);
    }
}

// The parts of a segment are one run of bytes: what comes behind something else is not of it.
static void scan_foreign_bytes_inside_a_segment_end_it(void **state)
{
    (void)state;
    struct file file = file_of(2);
    size_t at = file.init + 2 * file.chunk;
    struct buf *longer = buf_new(file.buf->length + 16);
    buf_append(longer, file.buf->data, at);
    buf_append(longer,
               "\0\0\0\x10"
               "free12345678",
               16);
    buf_append(longer, file.buf->data + at, file.buf->length - at);
    struct scan scan;
    scan_all(&scan, buf_bytes(longer), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 2);
    assert_segment(&file, &scan.index->entries[0], 0, 2, 1000000);
    assert_int_equal(scan.index->entries[1].number, 101);
    scan_fini(&scan);
    buf_unref(&longer);
    file_fini(&file);
}

// The last part is missing: the segment does not last to the next one.
static void scan_damaged_last_part_leaves_a_hole(void **state)
{
    (void)state;
    struct file file = file_of(3);
    struct scan scan;
    file.buf->data[file.init + 7 * file.chunk + 500] ^= 1;
    scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 3);
    assert_segment(&file, &scan.index->entries[1], 1, 3, 1500000);
    assert_true(index_hole_before(scan.index, 2));
    scan_fini(&scan);
    file_fini(&file);
}

static void scan_chunks_of_another_track_list_are_left_out(void **state)
{
    (void)state;
    struct file file = file_of(1);
    struct chain chain = {0};
    chain_add(&chain, file.buf, 0, file.buf->length);
    file.tracks->generation = 10;
    scan_chunk(&chain, file.tracks, 1, 0, SEGMENT_KEY);
    file.tracks->generation = 9;
    scan_chunk(&chain, file.tracks, 2, 0, SEGMENT_KEY);
    struct buf *all = chain_join(&chain);
    struct scan scan;
    scan_all(&scan, buf_bytes(all), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 2);
    assert_int_equal(scan.index->entries[1].number, 102);
    scan_fini(&scan);
    buf_unref(&all);
    chain_fini(&chain);
    file_fini(&file);
}

// Whoever reads gets less than there was said to be: the file ends there.
static void scan_short_read_is_the_end(void **state)
{
    (void)state;
    struct file file = file_of(2);
    struct index *index = index_new(0, (uint32_t)file.init);
    struct scan scan;
    uint64_t offset, ends = file.init + 5 * file.chunk + 100;
    size_t length;
    scan_init(&scan, &index, true, file.tracks, file.buf->length, 0);
    while (scan_wants(&scan, &offset, &length)) {
        size_t there = offset >= ends ? 0 : ends - offset < length ? ends - offset : length;
        scan_give(&scan, bytes_of(file.buf->data + offset, there));
    }
    assert_int_equal(scan.index->count, 2);
    assert_segment(&file, &scan.index->entries[1], 1, 1, 500000);
    scan_fini(&scan);
    file_fini(&file);
}

static void scan_of_nothing_is_empty(void **state)
{
    (void)state;
    struct file file = file_of(1);
    struct scan scan;
    scan_all(&scan, bytes_of(file.buf->data, file.init), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 0);
    assert_int_equal(scan.chunks, 0);
    scan_fini(&scan);
    file_fini(&file);
}

// Two segments that were deleted are a free box: it is stepped over, and nothing is damaged.
static void scan_steps_over_what_was_deleted(void **state)
{
    (void)state;
    for (unsigned zeroed = 0; zeroed < 2; zeroed++) {
        struct file file = file_of(6);
        size_t at = file.init + 8 * file.chunk, length = 8 * file.chunk;
        struct writer box = {0};
        cmaf_free_write(&box, length);
        memcpy(file.buf->data + at, box.buf->data, CMAF_FREE_HEAD);
        writer_fini(&box);
        if (zeroed)
            memset(file.buf->data + at + CMAF_FREE_HEAD, 0, length - CMAF_FREE_HEAD);
        struct scan scan;
        scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
        assert_int_equal(scan.index->count, 4);
        assert_segment(&file, &scan.index->entries[1], 1, 4, 2000000);
        assert_segment(&file, &scan.index->entries[2], 4, 4, 2000000);
        assert_true(scan.index->entries[2].flags & SEGMENT_DISCONTINUITY);
        assert_false(scan.index->entries[3].flags & SEGMENT_DISCONTINUITY);
        assert_int_equal(scan.skipped, 0);
        assert_int_equal(scan.chunks_end, file.buf->length);
        scan_fini(&scan);
        file_fini(&file);
    }
}

// One that says to be longer than the file: the chunks behind it are found all the same.
static void scan_free_box_beyond_the_end_is_damage(void **state)
{
    (void)state;
    struct file file = file_of(3);
    struct writer box = {0};
    cmaf_free_write(&box, file.buf->length);
    memcpy(file.buf->data + file.init, box.buf->data, CMAF_FREE_HEAD);
    writer_fini(&box);
    struct scan scan;
    scan_all(&scan, buf_bytes(file.buf), file.tracks, file.init, 0);
    assert_int_equal(scan.index->count, 2);
    assert_segment(&file, &scan.index->entries[0], 1, 4, 2000000);
    scan_fini(&scan);
    file_fini(&file);
}

TEST_MAIN(TEST(scan_whole_file_gives_its_segments), TEST(scan_goes_on_behind_an_index),
          TEST(scan_cut_file_keeps_whole_parts),
          TEST(scan_damaged_chunk_costs_the_rest_of_its_segment),
          TEST(scan_damaged_first_part_costs_the_segment),
          TEST(scan_foreign_bytes_between_are_skipped),
          TEST(scan_foreign_bytes_inside_a_segment_end_it),
          TEST(scan_damaged_last_part_leaves_a_hole),
          TEST(scan_chunks_of_another_track_list_are_left_out), TEST(scan_short_read_is_the_end),
          TEST(scan_of_nothing_is_empty), TEST(scan_steps_over_what_was_deleted),
          TEST(scan_free_box_beyond_the_end_is_damage))
