// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/text.h"
#include "rtsp_wire.h"

// Everything in `text`, one word an item: "$1:3" a frame with channel and length, "200" or
// "OPTIONS" a message with "+n" for a body, "#n" junk; then how it ended and how many bytes are
// left.
static void parse_all(const char *text, size_t length, char *out, size_t room)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, text, length);
    struct bytes in = bytes_of(exact, length);
    struct rtsp_item item;
    int result;
    out[0] = 0;
    while ((result = rtsp_wire_next(&in, &item)) == 0) {
        const struct rtsp_message *message = &item.message;
        switch (item.kind) {
        case RTSP_FRAME:
            text_append(out, room, "$%u:%zu ", item.channel, item.payload.length);
            break;
        case RTSP_JUNK:
            text_append(out, room, "#%zu ", item.payload.length);
            break;
        case RTSP_RESPONSE:
            text_append(out, room, "%u", message->status);
            break;
        case RTSP_REQUEST:
            text_append(out, room, "%.*s", (int)message->method.length, message->method.data);
        }
        if (item.kind == RTSP_RESPONSE || item.kind == RTSP_REQUEST)
            text_append(out, room, message->body.length ? "+%zu " : " ", message->body.length);
    }
    text_append(out, room, "%s %zu",
                result == ERR_AGAIN   ? "again"
                : result == ERR_LIMIT ? "limit"
                                      : "invalid",
                in.length);
    free(exact);
}

static void rtsp_wire_next_cases(void **state)
{
    (void)state;
#define TEXT(text) text, sizeof(text) - 1
    static const struct {
        const char *in;
        size_t length;
        const char *out;
    } cases[] = {
        {TEXT(""), "again 0"},
        {TEXT("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"), "200 again 0"},
        {TEXT("RTSP/1.0 200 OK\nCSeq: 1\n\n"), "200 again 0"},
        {TEXT("RTSP/1.0 200\r\n\r\n"), "200 again 0"},
        {TEXT("\r\n\r\n\0RTSP/1.0  401 Unauthorized\r\n\r\n"), "401 again 0"},
        {TEXT("RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcRTSP/1.0 404 No\r\n\r\n"),
         "200+3 404 again 0"},
        {TEXT("RTSP/1.0 200 OK\r\ncontent-length :2\r\n\r\nabx"), "200+2 #1 again 0"},
        {TEXT("RTSP/1.0 200 OK\r\nContent-Length: lots\r\n\r\n"), "200 again 0"},
        {TEXT("RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nab"), "again 40"},
        {TEXT("RTSP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\nab"), "limit 44"},
        {TEXT("$\1\0\3abc$\0\0\0RTSP/1.0 200 OK\r\n\r\n$\2\0\1x"), "$1:3 $0:0 200 $2:1 again 0"},
        {TEXT("$\1\0\3ab"), "again 6"},
        {TEXT("$\1"), "again 2"},
        {TEXT("OPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n"), "OPTIONS again 0"},
        {TEXT("SET_PARAMETER rtsp://x RTSP/1.0\r\nContent-Length: 1\r\n\r\nx"),
         "SET_PARAMETER+1 again 0"},
        {TEXT("a=control:track2\r\nRTSP/1.0 200 OK\r\n\r\n"), "#18 200 again 0"},
        {TEXT("\xff\xff$\0\0\1x"), "#2 $0:1 again 0"},
        {TEXT("RTSP/1.0 what\r\n\r\nRTSP/1.0 200 OK\r\n\r\n"), "#17 200 again 0"},
        {TEXT("GET / HTTP/1.1\r\n\r\n$\0\0\0"), "#18 $0:0 again 0"},
        {TEXT("HTTP/1.1 400 Bad Request\r\n\r\n"), "invalid 28"},
        {TEXT("RTS"), "again 3"},
        {TEXT("RTSP/1.0 200 OK\r\nCSeq"), "again 21"},
        {TEXT("TEARDOWN"), "again 8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[256];
        parse_all(cases[i].in, cases[i].length, out, sizeof(out));
        if (strcmp(out, cases[i].out) != 0)
            fail_msg("case %zu: %s, expected %s", i, out, cases[i].out);
    }
}

static void rtsp_wire_next_head_without_end_is_a_limit(void **state)
{
    (void)state;
    static char text[RTSP_HEAD_MAX + 2];
    struct rtsp_item item;
    memset(text, 'a', sizeof(text));
    memcpy(text, "RTSP/1.0 200 OK", 15);
    struct bytes in = bytes_of(text, RTSP_HEAD_MAX);
    assert_int_equal(rtsp_wire_next(&in, &item), ERR_AGAIN);
    in = bytes_of(text, RTSP_HEAD_MAX + 1);
    assert_int_equal(rtsp_wire_next(&in, &item), ERR_LIMIT);
    memcpy(text + 15, "\r\n", 2);
    in = bytes_of(text, RTSP_HEAD_MAX + 1);
    assert_int_equal(rtsp_wire_next(&in, &item), ERR_LIMIT);
    // More headers than are looked at do no harm.
    size_t used = 17;
    while (used < RTSP_HEAD_MAX - 10) {
        memcpy(text + used, "a: b\r\n", 6);
        used += 6;
    }
    memcpy(text + used, "\r\n", 2);
    in = bytes_of(text, used + 2);
    assert_int_equal(rtsp_wire_next(&in, &item), 0);
    assert_int_equal(item.message.header_count, RTSP_HEADERS_MAX);
}

static void rtsp_wire_next_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    static const char text[] = "\r\n$\1\0\3abcRTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nxyz"
                               "ANNOUNCE rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n$\0\0\1y";
    struct rtsp_item item;
    unsigned items = 0;
    size_t start = 0;
    for (size_t end = 0; end < sizeof(text); end++) {
        struct bytes in = bytes_of(text + start, end - start);
        while (rtsp_wire_next(&in, &item) == 0)
            items++;
        start = end - in.length;
    }
    assert_int_equal(items, 4);
    assert_int_equal(start, sizeof(text) - 1);
}

static struct rtsp_message message_of(const char *text)
{
    struct rtsp_item item;
    struct bytes in = bytes_of(text, strlen(text));
    assert_int_equal(rtsp_wire_next(&in, &item), 0);
    return item.message;
}

static void assert_bytes(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.length, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.length);
}

static void rtsp_header_get_by_name_and_number(void **state)
{
    (void)state;
    struct rtsp_message message = message_of("RTSP/1.0 401 Not  allowed\r\n"
                                             "WWW-Authenticate: Basic realm=\"a:b\"\r\n"
                                             "cseq:7\r\nno colon\r\n: nameless\r\n"
                                             "www-authenticate:\tDigest x\t\r\n\r\n");
    struct bytes value;
    uint32_t number;
    assert_bytes(message.phrase, "Not  allowed");
    assert_true(rtsp_header_get(&message, "WWW-Authenticate", 0, &value));
    assert_bytes(value, "Basic realm=\"a:b\"");
    assert_true(rtsp_header_get(&message, "WWW-Authenticate", 1, &value));
    assert_bytes(value, "Digest x");
    assert_false(rtsp_header_get(&message, "WWW-Authenticate", 2, &value));
    assert_true(rtsp_header_number(&message, "CSeq", &number));
    assert_int_equal(number, 7);
    assert_false(rtsp_header_number(&message, "WWW-Authenticate", &number));
}

static void rtsp_list_has_whole_words(void **state)
{
    (void)state;
    static const char list[] = "OPTIONS, DESCRIBE,SETUP , get_parameter";
    struct bytes bytes = bytes_of(list, strlen(list));
    assert_true(rtsp_list_has(bytes, "SETUP"));
    assert_true(rtsp_list_has(bytes, "GET_PARAMETER"));
    assert_false(rtsp_list_has(bytes, "SET"));
    assert_false(rtsp_list_has(bytes_of("", 0), "SET"));
}

static void rtsp_session_parse_cases(void **state)
{
    (void)state;
    static const struct {
        const char *in, *id; // NULL: not taken
        unsigned timeout_s;
    } cases[] = {
        {"12345678", "12345678", 0},
        {"12345678;timeout=60", "12345678", 60},
        {"  abc ; Timeout = 30 ", "abc", 30},
        {"abc;x=1;timeout=10", "abc", 10},
        {"abc;timeout=never", "abc", 0},
        {"abc;timeout=999999", "abc", 0},
        {"", NULL, 0},
        {";timeout=60", NULL, 0},
        {"a b", NULL, 0},
        {"a\rb", NULL, 0},
        {"0123456789012345", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[16];
        unsigned timeout_s;
        struct bytes in = bytes_of(cases[i].in, strlen(cases[i].in));
        bool taken = rtsp_session_parse(in, id, sizeof(id), &timeout_s);
        assert_int_equal(taken, cases[i].id != NULL);
        if (taken) {
            assert_string_equal(id, cases[i].id);
            assert_int_equal(timeout_s, cases[i].timeout_s);
        }
    }
}

static struct rtsp_transport transport_of(const char *text)
{
    struct rtsp_transport transport;
    rtsp_transport_parse(bytes_of(text, strlen(text)), &transport);
    return transport;
}

static void rtsp_transport_parse_cases(void **state)
{
    (void)state;
    struct rtsp_transport tcp =
        transport_of("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=1A2b3C4d;mode=\"PLAY\"");
    assert_true(tcp.tcp && tcp.has_channels && tcp.has_ssrc && !tcp.has_server_ports);
    assert_int_equal(tcp.channel[0], 2);
    assert_int_equal(tcp.channel[1], 3);
    assert_int_equal(tcp.ssrc, 0x1a2b3c4d);
    struct rtsp_transport udp = transport_of("RTP/AVP;unicast;client_port=5000-5001; server_port = "
                                             "6970-6971 ;source=10.0.0.9;ssrc=xyz,RTP/AVP/TCP");
    assert_true(!udp.tcp && !udp.has_ssrc && udp.has_server_ports);
    assert_int_equal(udp.server_port[0], 6970);
    assert_int_equal(udp.server_port[1], 6971);
    assert_string_equal(udp.source, "10.0.0.9");
    struct rtsp_transport one = transport_of("RTP/AVP/UDP;server_port=7000;interleaved=4");
    assert_int_equal(one.server_port[1], 7001);
    assert_int_equal(one.channel[1], 5);
    assert_true(transport_of("RTP/AVP;multicast;destination=239.0.0.1").multicast);
    struct rtsp_transport bad = transport_of("RTP/AVP/TCP;interleaved=256-257;server_port=70000");
    assert_false(bad.has_channels || bad.has_server_ports);
    assert_int_equal(transport_of("RTP/AVP;interleaved=255;server_port=65535").channel[1], 255);
    assert_false(transport_of("").tcp);
}

TEST_MAIN(TEST(rtsp_wire_next_cases), TEST(rtsp_wire_next_head_without_end_is_a_limit),
          TEST(rtsp_wire_next_byte_by_byte_gives_the_same),
          TEST(rtsp_header_get_by_name_and_number), TEST(rtsp_list_has_whole_words),
          TEST(rtsp_session_parse_cases), TEST(rtsp_transport_parse_cases))
