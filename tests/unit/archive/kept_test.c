// SPDX-License-Identifier: MIT
#include "kept.h"

#include "base/limits.h"
#include "base/mem.h"
#include "unit.h"

// Files are only compared by address.
static char first_file, second_file;
#define FIRST ((const struct opened *)&first_file)
#define SECOND ((const struct opened *)&second_file)

static struct segment_info info_of(uint64_t number, uint64_t bytes)
{
    return (struct segment_info){
        .number = number, .utc_start_us = (int64_t)number * 1000000, .bytes = bytes};
}

static void add(struct kept *kept, const struct opened *opened, uint64_t offset, uint64_t number,
                uint64_t bytes)
{
    struct track track = {.kind = MEDIA_VIDEO, .codec = CODEC_H264, .timescale = 90000};
    struct tracks *tracks = tracks_new(&track, 1);
    struct segment_info info = info_of(number, bytes);
    struct segment *segment = segment_new(&info, tracks);
    kept_add(kept, opened, offset, segment);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static bool has(struct kept *kept, const struct opened *opened, uint64_t offset, uint64_t number,
                uint64_t bytes)
{
    struct segment_info info = info_of(number, bytes);
    struct segment *found = kept_find(kept, opened, offset, &info);
    bool is = found && found->info.number == number;
    segment_unref(&found);
    return is;
}

static void kept_find_wants_file_place_and_all_that_is_known(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);

    add(&kept, FIRST, 700, 5, 1000);

    assert_true(has(&kept, FIRST, 700, 5, 1000));
    assert_false(has(&kept, SECOND, 700, 5, 1000));
    assert_false(has(&kept, FIRST, 701, 5, 1000));
    assert_false(has(&kept, FIRST, 700, 6, 1000));
    assert_false(has(&kept, FIRST, 700, 5, 1001));
    kept_drop(&kept, NULL);
}

static void kept_add_full_drops_what_was_used_least_recently(void **state)
{
    (void)state;
    struct kept kept;
    uint64_t quarter = ARCHIVE_KEPT_BYTES_MAX / 4;
    kept_init(&kept);
    for (uint64_t n = 0; n < 4; n++)
        add(&kept, FIRST, n, n, quarter);
    assert_true(has(&kept, FIRST, 0, 0, quarter));

    add(&kept, FIRST, 4, 4, quarter);
    add(&kept, FIRST, 5, 5, quarter + 1); // too large to be kept at all

    assert_int_equal(kept.bytes, ARCHIVE_KEPT_BYTES_MAX);
    assert_true(has(&kept, FIRST, 0, 0, quarter));
    assert_false(has(&kept, FIRST, 1, 1, quarter));
    assert_true(has(&kept, FIRST, 4, 4, quarter));
    assert_false(has(&kept, FIRST, 5, 5, quarter + 1));
    for (uint64_t n = 0; n < 2 * ARCHIVE_KEPT_MAX; n++)
        add(&kept, SECOND, n, n, 1);
    assert_true(kept.segments.count <= ARCHIVE_KEPT_MAX);
    kept_drop(&kept, NULL);
}

static void kept_drop_takes_those_of_the_file(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    add(&kept, FIRST, 1, 1, 10);
    add(&kept, SECOND, 1, 1, 20);

    kept_drop(&kept, FIRST);

    assert_false(has(&kept, FIRST, 1, 1, 10));
    assert_true(has(&kept, SECOND, 1, 1, 20));
    assert_int_equal(kept.bytes, 20);
    kept_drop(&kept, NULL);
}

static void kept_tick_twice_drops_what_nobody_asked_for(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    add(&kept, FIRST, 1, 1, 10);
    add(&kept, FIRST, 2, 2, 10);

    kept_tick(&kept);
    assert_true(has(&kept, FIRST, 2, 2, 10));
    kept_tick(&kept);

    assert_false(has(&kept, FIRST, 1, 1, 10));
    assert_true(has(&kept, FIRST, 2, 2, 10));
    kept_tick(&kept);
    kept_tick(&kept);
    assert_int_equal(kept.segments.count, 0);
}

TEST_MAIN(TEST(kept_find_wants_file_place_and_all_that_is_known),
          TEST(kept_add_full_drops_what_was_used_least_recently),
          TEST(kept_drop_takes_those_of_the_file),
          TEST(kept_tick_twice_drops_what_nobody_asked_for))
