// SPDX-License-Identifier: MIT
#include "base/limits.h"
#include "base/text.h"
#include "golden.h"
#include "link/link.h"
#include "link_wire.h"
#include "unit.h"

static struct bytes text(const char *chars)
{
    return bytes_of(chars, strlen(chars));
}

static const struct {
    const char *name;
    struct link_wire_head head;
} heads[] = {
    {"whole empty on channel 0", {0, LINK_WIRE_WHOLE, 0, 0}},
    {"whole 1250 on channel 1", {1, LINK_WIRE_WHOLE, 0, 1250}},
    {"whole 10000 on channel 31", {31, LINK_WIRE_WHOLE, 0, 10000}},
    {"whole 1 on channel 32", {32, LINK_WIRE_WHOLE, 0, 1}},
    {"first 16368 of 100000 on channel 3", {3, LINK_WIRE_FIRST, 100000, 16368}},
    {"middle 16368 on channel 3", {3, LINK_WIRE_MIDDLE, 0, 16368}},
    {"last 1 on channel 3", {3, LINK_WIRE_LAST, 0, 1}},
    {"the longest", {LINK_CHANNELS_MAX - 1, LINK_WIRE_FIRST, LINK_MESSAGE_MAX, LINK_FRAGMENT_MAX}},
};

static const char hello_name[] = "edge-7", hello_software[] = "sluice 0.1.0", open_text[] = "main";

static struct {
    const char *name;
    struct link_wire_message message;
} messages[] = {
    {"hello", {.type = LINK_WIRE_HELLO, .number = 0x0123456789abcdef, .abilities = 300}},
    {"ping 1", {.type = LINK_WIRE_PING, .number = 1}},
    {"ping 300", {.type = LINK_WIRE_PING, .number = 300}},
    {"pong", {.type = LINK_WIRE_PONG, .number = 1, .utc_us = 1767225600000000}},
    {"open M4S on 1", {.type = LINK_WIRE_OPEN, .channel = 1, .service = 2, .cls = 1}},
    {"open catalogue on 65535", {.type = LINK_WIRE_OPEN, .channel = 65535, .service = 1}},
    {"close 5 no_clients", {.type = LINK_WIRE_CLOSE, .channel = 5, .reason = REASON_NO_CLIENTS}},
    {"goodbye shutdown", {.type = LINK_WIRE_GOODBYE, .reason = REASON_SHUTDOWN}},
};

static void fill_texts(void)
{
    messages[0].message.name = text(hello_name);
    messages[0].message.software = text(hello_software);
    messages[4].message.open = text(open_text);
}

static void link_wire_all_forms_match_golden_bytes(void **state)
{
    (void)state;
    static char listing[8192];
    listing[0] = 0;
    fill_texts();
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        uint8_t bytes[LINK_WIRE_HEAD_MAX];
        size_t length = link_wire_head_write(bytes, &heads[i].head);
        text_append(listing, sizeof(listing), "head %s: ", heads[i].name);
        golden_hex(listing, sizeof(listing), bytes, length);
        text_append(listing, sizeof(listing), "\n");
    }
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        struct writer writer = {0};
        link_wire_write(&writer, &messages[i].message);
        text_append(listing, sizeof(listing), "%s: ", messages[i].name);
        golden_hex(listing, sizeof(listing), writer.buf->data, writer.buf->length);
        text_append(listing, sizeof(listing), "\n");
        writer_fini(&writer);
    }
    assert_true(golden_equal("link/wire.txt", listing));
}

static void link_wire_head_parse_written_heads_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        uint8_t bytes[LINK_WIRE_HEAD_MAX];
        size_t length = link_wire_head_write(bytes, &heads[i].head);
        struct link_wire_head head;
        for (size_t part = 0; part < length; part++) {
            struct bytes in = bytes_of(bytes, part);
            assert_int_equal(link_wire_head_parse(&in, &head), ERR_AGAIN);
            assert_int_equal(in.length, part);
        }
        struct bytes in = bytes_of(bytes, length);
        assert_int_equal(link_wire_head_parse(&in, &head), 0);
        assert_int_equal(in.length, 0);
        assert_int_equal(head.channel, heads[i].head.channel);
        assert_int_equal(head.kind, heads[i].head.kind);
        assert_int_equal(head.total, heads[i].head.total);
        assert_int_equal(head.length, heads[i].head.length);
    }
}

static void link_wire_head_parse_broken_heads_are_invalid(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t length;
    } broken[] = {
        {{0x80, 0x80, 0x10, 0}, 4},                // channel 65536
        {{0x80, 0x80, 0x80}, 3},                   // a number that does not end
        {{0x84, 0x00, 0x01}, 3},                   // not the shortest form
        {{0x04, 0xf1, 0x7f}, 3},                   // 16369 bytes
        {{0x04, 0x80, 0x80, 0x01}, 4},             // the same, three bytes long
        {{0x05, 0x10, 0x10}, 3},                   // first as long as the whole
        {{0x05, 0x10, 0x00}, 3},                   // first without bytes
        {{0x06, 0x00}, 2},                         // middle without bytes
        {{0x07, 0x00}, 2},                         // last without bytes
        {{0x05, 0x81, 0xa0, 0x80, 0x04, 0x01}, 6}, // total one more than the largest message
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct bytes in = bytes_of(broken[i].bytes, broken[i].length);
        struct link_wire_head head;
        assert_int_equal(link_wire_head_parse(&in, &head), ERR_INVALID);
        assert_int_equal(in.length, broken[i].length);
    }
}

static void assert_bytes_equal(struct bytes a, struct bytes b)
{
    assert_int_equal(a.length, b.length);
    if (a.length)
        assert_memory_equal(a.data, b.data, a.length);
}

static void link_wire_parse_written_messages_come_back(void **state)
{
    (void)state;
    fill_texts();
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const struct link_wire_message *wanted = &messages[i].message;
        struct link_wire_message got;
        const char *why;
        struct writer writer = {0};
        link_wire_write(&writer, wanted);
        assert_int_equal(link_wire_parse(buf_bytes(writer.buf), &got, &why), 0);
        assert_int_equal(got.type, wanted->type);
        assert_true(got.number == wanted->number && got.utc_us == wanted->utc_us);
        assert_true(got.abilities == wanted->abilities);
        assert_int_equal(got.channel, wanted->channel);
        assert_int_equal(got.service, wanted->service);
        assert_int_equal(got.cls, wanted->cls);
        assert_int_equal(got.reason, wanted->reason);
        assert_bytes_equal(got.name, wanted->name);
        assert_bytes_equal(got.software, wanted->software);
        assert_bytes_equal(got.open, wanted->open);
        writer_fini(&writer);
    }
}

static void link_wire_parse_cut_messages_are_invalid(void **state)
{
    (void)state;
    fill_texts();
    // Hello, ping, pong: each byte is needed. Open and close end with what may be empty.
    for (size_t i = 0; i < 4; i++) {
        struct writer writer = {0};
        link_wire_write(&writer, &messages[i].message);
        for (size_t part = 0; part < writer.buf->length; part++) {
            struct link_wire_message got;
            const char *why = NULL;
            assert_int_equal(link_wire_parse(bytes_of(writer.buf->data, part), &got, &why),
                             ERR_INVALID);
            assert_non_null(why);
        }
        writer_fini(&writer);
    }
}

static int parse(const void *data, size_t length, struct link_wire_message *got)
{
    const char *why;
    return link_wire_parse(bytes_of(data, length), got, &why);
}

static void link_wire_parse_values_out_of_bounds_are_invalid(void **state)
{
    (void)state;
    struct link_wire_message got;
    assert_int_equal(parse("\4\0\2\1", 4, &got), ERR_INVALID);         // open of channel 0
    assert_int_equal(parse("\4\x80\x80\4\2\1", 6, &got), ERR_INVALID); // of channel 65536
    assert_int_equal(parse("\4\1\2\4", 4, &got), ERR_INVALID);         // class 4
    assert_int_equal(parse("\5\0", 2, &got), ERR_INVALID);             // close of channel 0
    assert_int_equal(parse("\1\0\0\0\0\0\0\0\0\0\0\0", 12, &got), ERR_INVALID); // identity 0
    static uint8_t open[4 + LINK_OPEN_MAX + 1] = {4, 1, 2, 1};
    assert_int_equal(parse(open, sizeof(open) - 1, &got), 0);
    assert_int_equal(parse(open, sizeof(open), &got), ERR_INVALID);
}

static void link_wire_parse_unknown_type_is_unsupported(void **state)
{
    (void)state;
    struct link_wire_message got;
    assert_int_equal(parse("\7xyz", 4, &got), ERR_UNSUPPORTED);
    assert_int_equal(parse("\0", 1, &got), ERR_UNSUPPORTED);
}

static void link_wire_parse_unknown_reason_is_none(void **state)
{
    (void)state;
    struct link_wire_message got;
    assert_int_equal(parse("\6tomorrow", 9, &got), 0);
    assert_int_equal(got.reason, REASON_NONE);
    assert_int_equal(parse("\6flood", 6, &got), 0);
    assert_int_equal(got.reason, REASON_FLOOD);
}

TEST_MAIN(TEST(link_wire_all_forms_match_golden_bytes),
          TEST(link_wire_head_parse_written_heads_come_back),
          TEST(link_wire_head_parse_broken_heads_are_invalid),
          TEST(link_wire_parse_written_messages_come_back),
          TEST(link_wire_parse_cut_messages_are_invalid),
          TEST(link_wire_parse_values_out_of_bounds_are_invalid),
          TEST(link_wire_parse_unknown_type_is_unsupported),
          TEST(link_wire_parse_unknown_reason_is_none))
