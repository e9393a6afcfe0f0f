// SPDX-License-Identifier: MIT
// The guard in front of llhttp: what smuggles requests elsewhere is refused here.
#include "head_parse.h"

#include <stdlib.h>

#include "base/limits.h"
#include "unit.h"

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

struct vector {
    const char *name, *text;
    int status; // 0: accepted
};

// In a block of exactly its size, so that a reader running past its end is caught.
static int parse_exact(const char *text, size_t length, struct head *head)
{
    uint8_t *copy = malloc(length ? length : 1);
    if (length)
        memcpy(copy, text, length);
    const char *why = "unset";
    int status = head_parse(bytes_of(copy, length), head, &why);
    free(copy);
    if (status == 0)
        assert_null(why);
    else
        assert_true(why && *why && strcmp(why, "unset") != 0);
    return status;
}

static const struct vector vectors[] = {
    {"plain", GET HOST "\r\n", 0},
    {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0},
    {"tab in a value", GET HOST "X: a\tb\r\n\r\n", 0},
    {"Latin-1 in a value", GET HOST "X: \xe9\r\n\r\n", 0},
    {"empty value", GET HOST "X:\r\n\r\n", 0},
    {"length 0", POST "Content-Length: 0\r\n\r\n", 0},
    {"length 12", POST "Content-Length: 12\r\n\r\n", 0},
    {"upgrade h2c is plain HTTP", GET HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 0},
    {"percent escapes", "GET /%D0%B0 HTTP/1.1\r\n" HOST "\r\n", 0},
    {"CR hides a header (CVE-2023-30589)",
     POST "X:\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
    {"CR hides a header, with a letter", POST "X:\rxTransfer-Encoding: chunked\r\n\r\n", 400},
    {"head ended by CR LF CR x", GET HOST "X: y\r\n\rZ: 1\r\n\r\n", 400},
    {"space after a name", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"space before a name", GET HOST " X: y\r\n\r\n", 400},
    {"space in a name", GET HOST "X Y: z\r\n\r\n", 400},
    {"folded length", POST "X: y\r\n Content-Length: 21\r\n\r\n", 400},
    {"folded by tab", GET HOST "X: y\r\n\tz\r\n\r\n", 400},
    {"request line ended by LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"header ended by LF", GET "Host: a\nX: y\r\n\r\n", 400},
    {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"space at the end of the line", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"tab in the line", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"leading empty line", "\r\n" GET HOST "\r\n", 400},
    {"TE empty", POST "Transfer-Encoding:\r\n\r\n", 400},
    {"TE twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"TE chunked", POST "Transfer-Encoding: chunked\r\n\r\n", 411},
    {"TE gzip", POST "Transfer-Encoding: gzip\r\n\r\n", 501},
    {"TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"TE in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"TE, then CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
    {"CL, then TE", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"CL twice", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
    {"CL different", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
    {"CL list", POST "Content-Length: 5, 5\r\n\r\n", 400},
    {"CL with sign", POST "Content-Length: +5\r\n\r\n", 400},
    {"CL negative", POST "Content-Length: -5\r\n\r\n", 400},
    {"CL hexadecimal", POST "Content-Length: 0x5\r\n\r\n", 400},
    {"CL empty", POST "Content-Length:\r\n\r\n", 400},
    {"CL overflow", POST "Content-Length: 18446744073709551617\r\n\r\n", 400},
    {"CL beyond the limit", POST "Content-Length: 1048577\r\n\r\n", 413},
    {"Host twice", GET HOST "Host: b\r\n\r\n", 400},
    {"Host missing", GET "X: y\r\n\r\n", 400},
    {"Host with path", GET "Host: a/b\r\n\r\n", 400},
    {"Host list", GET "Host: a, b\r\n\r\n", 400},
    {"Host twice in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400},
    {"empty name", GET HOST ": x\r\n\r\n", 400},
    {"no colon", GET HOST "nonsense\r\n\r\n", 400},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"HTTP/9.9", "GET / HTTP/9.9\r\n" HOST "\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505},
    {"HTTP/0.9", "GET / HTTP/0.9\r\n" HOST "\r\n", 505},
    {"h2 preface", "PRI * HTTP/2.0\r\n\r\n", 505},
    {"HTTP/1.11", "GET / HTTP/1.11\r\n" HOST "\r\n", 400},
    {"http/1.1", "GET / http/1.1\r\n" HOST "\r\n", 400},
    {"RTSP", "OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400},
    {"lower-case method", "get / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"unknown method", "FROBNICATE / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"UTF-8 in the address", "GET /\xd0\xb0 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"DEL in the address", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"BEL in a value", GET HOST "X: \a\r\n\r\n", 400},
    {"DEL in a value", GET HOST "X: \x7f\r\n\r\n", 400},
    {"other expectation", POST "Content-Length: 1\r\nExpect: tea\r\n\r\n", 417},
};

static void head_parse_each_vector_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct head head;
        int status = parse_exact(vectors[i].text, strlen(vectors[i].text), &head);
        if (status != vectors[i].status)
            fail_msg("%s: %d, expected %d", vectors[i].name, status, vectors[i].status);
        head_fini(&head);
    }
}

static void head_parse_nul_anywhere_is_refused(void **state)
{
    (void)state;
    static const char text[] = GET HOST "X: y\r\n\r\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char copy[sizeof(text)];
        struct head head;
        memcpy(copy, text, sizeof(text));
        copy[i] = 0;
        assert_int_equal(parse_exact(copy, sizeof(text) - 1, &head), 400);
    }
}

static void head_parse_fields_are_found_and_trimmed(void **state)
{
    (void)state;
    struct head head;
    static const char text[] =
        "POST /a/b?c=d HTTP/1.1\r\nhost: a:80\r\nX-One:  two words \t \r\nX-Empty:\r\n"
        "Content-Length: 7\r\nExpect: 100-Continue\r\n\r\n";
    assert_int_equal(parse_exact(text, sizeof(text) - 1, &head), 0);
    assert_string_equal(head.method, "POST");
    assert_string_equal(head.target, "/a/b?c=d");
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.body_length, 7);
    assert_true(head.expects_continue);
    assert_true(head.keep_alive);
    assert_string_equal(head_field(&head, "Host"), "a:80");
    assert_string_equal(head_field(&head, "x-one"), "two words");
    assert_string_equal(head_field(&head, "X-EMPTY"), "");
    assert_null(head_field(&head, "X-On"));
    head_fini(&head);
}

static void head_parse_keep_alive_follows_version_and_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        {GET HOST "\r\n", true},
        {GET HOST "Connection: close\r\n\r\n", false},
        {GET HOST "Connection: CLOSE\r\n\r\n", false},
        {GET HOST "Connection: te , close\r\n\r\n", false},
        {GET HOST "Connection: te\r\nConnection: close\r\n\r\n", false},
        {GET HOST "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, x\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct head head;
        assert_int_equal(parse_exact(cases[i].text, strlen(cases[i].text), &head), 0);
        assert_int_equal(head.keep_alive, cases[i].keep);
        head_fini(&head);
    }
}

static void head_parse_too_many_fields_is_431(void **state)
{
    (void)state;
    char text[8192] = GET HOST;
    for (int i = 1; i < HEAD_FIELDS_MAX; i++)
        strncat(text, "X: y\r\n", sizeof(text) - strlen(text) - 1);
    char full[8192];
    struct head head;
    snprintf(full, sizeof(full), "%.8000s\r\n", text);
    assert_int_equal(parse_exact(full, strlen(full), &head), 0);
    assert_int_equal(head.field_count, HEAD_FIELDS_MAX);
    head_fini(&head);
    snprintf(full, sizeof(full), "%.8000sY: z\r\n\r\n", text);
    assert_int_equal(parse_exact(full, strlen(full), &head), 431);
}

static void head_parse_long_address_is_414(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_MAX + 1];
    struct head head;
    for (int more = 0; more < 2; more++) {
        size_t at = (size_t)snprintf(text, sizeof(text), "GET /");
        memset(text + at, 'a', HEAD_TARGET_MAX - 1 + more);
        at += HEAD_TARGET_MAX - 1 + more;
        snprintf(text + at, sizeof(text) - at, " HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(parse_exact(text, strlen(text), &head), more ? 414 : 0);
        head_fini(&head);
    }
}

static void head_parse_no_memory_is_503(void **state)
{
    (void)state;
    struct head head;
    mem_fail_nth(1);
    assert_int_equal(parse_exact(GET HOST "\r\n", sizeof(GET HOST "\r\n") - 1, &head), 503);
    mem_fail_nth(0);
}

static void head_find_needs_the_empty_line(void **state)
{
    (void)state;
    static const char text[] = GET HOST "\r\nrest";
    size_t length = sizeof(GET HOST "\r\n") - 1;
    for (size_t i = 0; i < sizeof(text); i++)
        assert_int_equal(head_find(bytes_of(text, i)), i < length ? 0 : length);
    assert_int_equal(head_find(bytes_of(NULL, 0)), 0);
}

static void head_has_token_compares_whole_tokens(void **state)
{
    (void)state;
    assert_true(head_has_token("a, Close ,b", "close"));
    assert_true(head_has_token("close", "close"));
    assert_false(head_has_token("closed, enclose, close x", "close"));
    assert_false(head_has_token("", "close"));
    assert_false(head_has_token(" , ,", "close"));
}

TEST_MAIN(TEST(head_parse_each_vector_has_its_status), TEST(head_parse_nul_anywhere_is_refused),
          TEST(head_parse_fields_are_found_and_trimmed),
          TEST(head_parse_keep_alive_follows_version_and_tokens),
          TEST(head_parse_too_many_fields_is_431), TEST(head_parse_long_address_is_414),
          TEST(head_parse_no_memory_is_503), TEST(head_find_needs_the_empty_line),
          TEST(head_has_token_compares_whole_tokens))
