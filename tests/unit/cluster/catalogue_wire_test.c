// SPDX-License-Identifier: MIT
#include "catalogue_wire.h"

#include "base/code.h"
#include "unit.h"

static const struct catalogue_record entry = {
    .type = CATALOGUE_ENTRY,
    .flags = CATALOGUE_LIVE | CATALOGUE_ARCHIVE,
    .hops = 2,
    .archive_from_us = 1700000000123456,
    .name = "site/main",
    .title = "Gate 3",
    .tracks = "h264:640x360,aac",
};

static void catalogue_write_entry_gives_the_bytes_of_the_page(void **state)
{
    (void)state;
    struct writer writer = {0};
    char hex[256];
    catalogue_write(&writer, &entry);
    catalogue_write(&writer, &(struct catalogue_record){.type = CATALOGUE_GONE, .name = "a"});
    catalogue_write(&writer, &(struct catalogue_record){.type = CATALOGUE_COMPLETE});
    hex_encode(writer.buf->data, writer.buf->length, hex);
    assert_string_equal(hex, "01"
                             "05"
                             "02"
                             "c0c480c1c1c48203"
                             "09736974652f6d61696e"
                             "06476174652033"
                             "10683236343a363430783336302c616163"
                             "02"
                             "0161"
                             "03");
    writer_fini(&writer);
}

static void catalogue_parse_reads_what_was_written(void **state)
{
    (void)state;
    struct writer writer = {0};
    struct catalogue_record record;
    catalogue_write(&writer, &entry);
    catalogue_write(&writer, &(struct catalogue_record){.type = CATALOGUE_GONE, .name = "a/b"});
    catalogue_write(&writer, &(struct catalogue_record){.type = CATALOGUE_COMPLETE});
    struct bytes in = buf_bytes(writer.buf);
    assert_int_equal(catalogue_parse(&in, &record), 0);
    assert_int_equal(record.type, CATALOGUE_ENTRY);
    assert_int_equal(record.flags, entry.flags);
    assert_int_equal(record.hops, 2);
    assert_int_equal(record.archive_from_us, entry.archive_from_us);
    assert_string_equal(record.name, "site/main");
    assert_string_equal(record.title, "Gate 3");
    assert_string_equal(record.tracks, "h264:640x360,aac");
    assert_int_equal(catalogue_parse(&in, &record), 0);
    assert_int_equal(record.type, CATALOGUE_GONE);
    assert_string_equal(record.name, "a/b");
    assert_int_equal(catalogue_parse(&in, &record), 0);
    assert_int_equal(record.type, CATALOGUE_COMPLETE);
    assert_int_equal(catalogue_parse(&in, &record), ERR_NOT_FOUND);
    writer_fini(&writer);
}

static void catalogue_parse_cut_off_anywhere_is_invalid_and_moves_nothing(void **state)
{
    (void)state;
    struct writer writer = {0};
    struct catalogue_record record;
    catalogue_write(&writer, &entry);
    for (size_t length = 1; length < writer.buf->length; length++) {
        uint8_t *copy = mem_dup(writer.buf->data, length);
        struct bytes in = bytes_of(copy, length);
        assert_int_equal(catalogue_parse(&in, &record), ERR_INVALID);
        assert_ptr_equal(in.data, copy);
        mem_free(copy);
    }
    writer_fini(&writer);
}

static void catalogue_parse_refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "00", // no such type
        "04", //
        "0105"
        "02"
        "ffffffffffffffff7f"
        "016100"
        "00", // beyond all time
        "02"
        "0261"
        "00", // a zero in a name
        "02"
        "8001", // 128 bytes of name: one too many
        "01"
        "00"
        "00"
        "00"
        "0161"
        "8002", // 256 bytes of title
        "01"
        "00"
        "00"
        "00"
        "0161"
        "00"
        "60", // 96 bytes of tracks
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[600] = {0};
        size_t length;
        struct catalogue_record record;
        assert_true(hex_decode(bad[i], strlen(bad[i]), bytes, 64, &length));
        memset(bytes + length, 'x', sizeof bytes - length);
        // With nothing behind, and with enough behind.
        struct bytes in = bytes_of(bytes, length), more = bytes_of(bytes, sizeof bytes);
        assert_int_equal(catalogue_parse(&in, &record), ERR_INVALID);
        assert_int_equal(catalogue_parse(&more, &record), ERR_INVALID);
    }
}

TEST_MAIN(TEST(catalogue_write_entry_gives_the_bytes_of_the_page),
          TEST(catalogue_parse_reads_what_was_written),
          TEST(catalogue_parse_cut_off_anywhere_is_invalid_and_moves_nothing),
          TEST(catalogue_parse_refuses_what_does_not_fit))
