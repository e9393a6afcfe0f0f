// SPDX-License-Identifier: MIT
#include "summary_parse.h"

#include "base/code.h"
#include "unit.h"

#define DAY 1767225600LL // 2026-01-01
#define US 1000000LL

static struct summary_file files[2] = {
    {.name = {.second = DAY},
     .indexed = true,
     .bytes = 1000,
     .start_us = DAY * US + 5,
     .end_us = (DAY + 3600) * US,
     .first_hole = 0,
     .holes = 2},
    {.name = {.second = DAY, .offset_s = -7200, .suffix = 7},
     .more = true,
     .bytes = 2000,
     .start_us = (DAY + 3600) * US,
     .end_us = (DAY + 7300) * US,
     .first_hole = 2},
};
static struct hour_hole holes[2] = {
    {(DAY + 10) * US, (DAY + 20) * US},
    {(DAY + 20) * US, (DAY + 21) * US},
};

static struct buf *written(void)
{
    struct summary summary = {.day_s = DAY, .file = files, .hole = holes, .files = 2, .holes = 2};
    struct writer out = {0};
    summary_write(&out, &summary);
    return writer_take(&out);
}

static void summary_parse_gives_what_was_written(void **state)
{
    (void)state;
    struct buf *buf = written();
    struct summary got;
    assert_int_equal(buf->length, 28 + 2 * 36 + 8 + 2 * 16 + 4);
    assert_int_equal(summary_parse(buf_bytes(buf), DAY, &got), 0);
    assert_int_equal(got.files, 2);
    assert_int_equal(got.holes, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(got.file[i].name.second, files[i].name.second);
        assert_int_equal(got.file[i].name.suffix, files[i].name.suffix);
        assert_int_equal(got.file[i].name.offset_s, files[i].name.offset_s);
        assert_int_equal(got.file[i].indexed, files[i].indexed);
        assert_int_equal(got.file[i].more, files[i].more);
        assert_int_equal(got.file[i].bytes, files[i].bytes);
        assert_int_equal(got.file[i].start_us, files[i].start_us);
        assert_int_equal(got.file[i].end_us, files[i].end_us);
        assert_int_equal(got.file[i].first_hole, files[i].first_hole);
        assert_int_equal(got.file[i].holes, files[i].holes);
        assert_int_equal(got.hole[i].from_us, holes[i].from_us);
        assert_int_equal(got.hole[i].to_us, holes[i].to_us);
    }
    summary_fini(&got);
    buf_unref(&buf);
}

static void summary_parse_of_another_day_is_refused(void **state)
{
    (void)state;
    struct buf *buf = written();
    struct summary got;
    assert_int_equal(summary_parse(buf_bytes(buf), DAY + 86400, &got), ERR_INVALID);
    buf_unref(&buf);
}

static void summary_parse_any_byte_changed_or_cut_is_refused(void **state)
{
    (void)state;
    struct buf *buf = written();
    struct summary got;
    for (size_t i = 0; i < buf->length; i++) {
        buf->data[i] ^= 0x10;
        assert_int_equal(summary_parse(buf_bytes(buf), DAY, &got), ERR_INVALID);
        buf->data[i] ^= 0x10;
        assert_int_equal(summary_parse(bytes_of(buf->data, i), DAY, &got), ERR_INVALID);
    }
    buf_unref(&buf);
}

// With a checksum that is right.
static void assert_refused(size_t at, uint8_t byte)
{
    struct buf *buf = written();
    struct summary got;
    buf->data[at] = byte;
    uint32_t sum = crc32c(0, buf->data, buf->length - 4);
    for (unsigned i = 0; i < 4; i++)
        buf->data[buf->length - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
    assert_int_equal(summary_parse(buf_bytes(buf), DAY, &got), ERR_INVALID);
    buf_unref(&buf);
}

static void summary_parse_contradictions_are_refused(void **state)
{
    (void)state;
    assert_refused(5, 2);                // version
    assert_refused(19, 3);               // more files than there are
    assert_refused(23, 1);               // fewer holes than the files have
    assert_refused(28 + 1, 2);           // a second that is not of the day
    assert_refused(28 + 36 + 32 + 5, 0); // not in order: the suffix
    assert_refused(28 + 35, 1);          // fewer holes, then garbage
    assert_refused(28 + 16, 0xff);       // a time beyond the calendar
    assert_refused(28 + 36 + 3, 0xff);   // a hole before its file
}

TEST_MAIN(TEST(summary_parse_gives_what_was_written), TEST(summary_parse_of_another_day_is_refused),
          TEST(summary_parse_any_byte_changed_or_cut_is_refused),
          TEST(summary_parse_contradictions_are_refused))
