// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/url_parse.h"

static void url_parse_forms_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *user, *password, *host;
        int port;
        const char *path, *query;
    } cases[] = {
        {"rtsp://user:p%40ss@host:554/h264?x=1", "rtsp", "user", "p@ss", "host", 554, "/h264",
         "x=1"},
        {"rtsp://admin:p@ss:w#rd@10.0.0.1/a@b", "rtsp", "admin", "p@ss:w#rd", "10.0.0.1", 0, "/a@b",
         ""},
        {"AZRTSP://Cam/Path", "azrtsp", "", "", "Cam", 0, "/Path", ""},
        {"rtsp://user@host", "rtsp", "user", "", "host", 0, "", ""},
        {"rtsp://:pw@host", "rtsp", "", "pw", "host", 0, "", ""},
        {"rtmp://[2001:db8::1]:1935/app/key", "rtmp", "", "", "2001:db8::1", 1935, "/app/key", ""},
        {"rtsp://u:p@[fe80::1%eth0]/x", "rtsp", "u", "p", "fe80::1%eth0", 0, "/x", ""},
        {"[::1]:8080", "", "", "", "::1", 8080, "", ""},
        {"host:8888/name", "", "", "", "host", 8888, "/name", ""},
        {"host:8888/group/name", "", "", "", "host", 8888, "/group/name", ""},
        {"m4s://host:80/a/b/c?from=http://x/y", "m4s", "", "", "host", 80, "/a/b/c",
         "from=http://x/y"},
        {"file:///path/to/file.mp4", "file", "", "", "", 0, "/path/to/file.mp4", ""},
        {"file://vod/file.mp4", "file", "", "", "vod", 0, "/file.mp4", ""},
        {"/just/a/path", "", "", "", "", 0, "/just/a/path", ""},
        {"srt://:9000?mode=listener", "srt", "", "", "", 9000, "", "mode=listener"},
        {"udp://@239.0.0.1:1234", "udp", "", "", "239.0.0.1", 1234, "", ""},
        {"publish://", "publish", "", "", "", 0, "", ""},
        {"http://h/p?a?b#fragment", "http", "", "", "h", 0, "/p", "a?b"},
        {"http://h/p#fragment?x", "http", "", "", "h", 0, "/p", ""},
        {"http://h?q", "http", "", "", "h", 0, "", "q"},
        {"name.example", "", "", "", "name.example", 0, "", ""},
        {"h:65535", "", "", "", "h", 65535, "", ""},
        {"copy://group/cam-1_a", "copy", "", "", "group", 0, "/cam-1_a", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        const char *why;
        if (url_parse(cases[i].text, &url, &why) != 0)
            fail_msg("%s: %s", cases[i].text, why);
        assert_null(why);
        assert_string_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.user, cases[i].user);
        assert_string_equal(url.password, cases[i].password);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.path, cases[i].path);
        assert_string_equal(url.query, cases[i].query);
    }
}

static void url_parse_broken_says_why(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "empty"},
        {"http://h:/x", "port is missing"},
        {"http://h:0/x", "between 1 and 65535"},
        {"http://h:65536/x", "between 1 and 65535"},
        {"http://h:99999999999999999999/x", "between 1 and 65535"},
        {"http://h:80a/x", "not a number"},
        {"rtsp://admin:pa/ss@host/x", "%2F"},
        {"rtsp://admin:pa?ss@host/x", "%3F"},
        {"http://2001:db8::1/x", "brackets"},
        {"http://::1/x", "brackets"},
        {"http://[::1/x", "closed by ']'"},
        {"http://[]/x", "closed by ']'"},
        {"http://[host]/x", "not an IPv6 address"},
        {"http://[::1]x/", "after ']'"},
        {"http://[::1\"]/", "IPv6 address has a character"},
        {"http://h\"x/", "host has a character"},
        {"http://%41/", "host has a character"},
        {"http://h\xd0\x96/", "host has a character"},
        {"http://u:100%@h/", "two hexadecimal digits"},
        {"http://u%0:p@h/", "two hexadecimal digits"},
        {"http://u:p%00x@h/", "two hexadecimal digits"},
        {"http://h/a b", "%20"},
        {"http://h/a\r\nHost: x", "control character"},
        {"http://h/\x7f", "control character"},
        {"abcdefghijklmnop://h/", "scheme is too long"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        const char *why = NULL;
        assert_int_equal(url_parse(cases[i][0], &url, &why), ERR_INVALID);
        if (!why || !strstr(why, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], why ? why : "no reason");
        assert_string_equal(url.password, "");
    }
}

static void assert_too_long(const char *form, int length, const char *want)
{
    char filler[URL_TEXT_MAX + 1], text[2 * URL_TEXT_MAX];
    memset(filler, 'a', sizeof(filler));
    filler[length] = 0;
    struct url url;
    const char *why;
    snprintf(text, sizeof(text), form, filler);
    assert_int_equal(url_parse(text, &url, &why), ERR_INVALID);
    assert_non_null(strstr(why, want));
    filler[length - 1] = 0;
    snprintf(text, sizeof(text), form, filler);
    assert_int_equal(url_parse(text, &url, &why), 0);
}

static void url_parse_each_part_has_its_bound(void **state)
{
    (void)state;
    assert_too_long("%s://h/", 16, "scheme is too long");
    assert_too_long("a://%s@h/", 128, "user name is too long");
    assert_too_long("a://u:%s@h/", 128, "password is too long");
    assert_too_long("a://%s/", 256, "host is too long");
    assert_too_long("a://[:%s]/", 255, "host is too long");
    assert_too_long("/%s", URL_TEXT_MAX - 1, "URL is too long");
}

static void url_print_safe_hides_secrets(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"rtsp://user:secret@host:554/h264?x=1", "rtsp://host:554/h264?x=1"},
        {"srt://[::1]:9000?passphrase=abc&mode=caller",
         "srt://[::1]:9000?passphrase=***&mode=caller"},
        {"http://h/p?a=1&TOKEN=abc&b=2&%74oken=x&flag",
         "http://h/p?a=1&TOKEN=***&b=2&%74oken=***&flag"},
        {"http://h/?stream_key=a&X-Signature=b&pwd=c",
         "http://h/?stream_key=***&X-Signature=***&pwd=***"},
        {"http://h/?%zz=a", "http://h/?%zz=***"},
        {"host:80/name", "host:80/name"},
        {"/path", "/path"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        const char *why;
        char out[URL_TEXT_MAX];
        assert_int_equal(url_parse(cases[i][0], &url, &why), 0);
        url_print_safe(&url, out, sizeof(out));
        assert_string_equal(out, cases[i][1]);
    }
}

static void url_query_get_decodes(void **state)
{
    (void)state;
    char out[8];
    assert_true(url_query_get("a=1&b=x%20y+z&c", "b", out, sizeof(out)));
    assert_string_equal(out, "x y z");
    assert_true(url_query_get("a=1&b=2&c", "c", out, sizeof(out)));
    assert_string_equal(out, "");
    assert_true(url_query_get("a=1&a=2", "a", out, sizeof(out)));
    assert_string_equal(out, "1");
    assert_true(url_query_get("%61b=c=d", "ab", out, sizeof(out)));
    assert_string_equal(out, "c=d");
    assert_true(url_query_get("&&x=%31%32%33%34%35%36%37", "x", out, sizeof(out)));
    assert_string_equal(out, "1234567"); // its room is that of what is decoded
    assert_false(url_query_get("x=12345678", "x", out, sizeof(out)));
    assert_false(url_query_get("xx=1", "x", out, sizeof(out)));
    assert_false(url_query_get("x=%4", "x", out, sizeof(out)));
    assert_false(url_query_get("", "x", out, sizeof(out)));
}

static void url_decode_in_place_and_refusals(void **state)
{
    (void)state;
    char good[] = "a%2Fb%c3%96+";
    assert_true(url_decode(good));
    assert_string_equal(good, "a/b\xc3\x96+");
    static const char *const broken[] = {"%", "%4", "%g0", "%0g", "a%00b"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char text[8];
        snprintf(text, sizeof(text), "%s", broken[i]);
        assert_false(url_decode(text));
    }
}

static void url_encode_comes_back_and_is_bounded(void **state)
{
    (void)state;
    char every[256], out[800];
    for (int i = 1; i < 256; i++)
        every[i - 1] = (char)i;
    every[255] = 0;
    assert_true(url_encode(every, out, sizeof(out)));
    assert_int_equal(strspn(out, "%/-._~0123456789"
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                     strlen(out));
    assert_true(url_decode(out));
    assert_string_equal(out, every);
    assert_true(url_encode("a/b c", out, 8));
    assert_string_equal(out, "a/b%20c");
    assert_false(url_encode("a/b c", out, 7));
    assert_string_equal(out, "a/b%20");
    assert_false(url_encode("a/b c", out, 6));
    assert_string_equal(out, "a/b");
    out[0] = 'k';
    assert_false(url_encode("", out, 0));
    assert_int_equal(out[0], 'k');
}

TEST_MAIN(TEST(url_parse_forms_people_write), TEST(url_parse_broken_says_why),
          TEST(url_parse_each_part_has_its_bound), TEST(url_print_safe_hides_secrets),
          TEST(url_query_get_decodes), TEST(url_decode_in_place_and_refusals),
          TEST(url_encode_comes_back_and_is_bounded))
