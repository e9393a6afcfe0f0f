// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/text.h"

static void text_copy_cuts_and_says_so(void **state)
{
    (void)state;
    char out[5] = "????";
    assert_true(text_copy(out, 5, "four"));
    assert_string_equal(out, "four");
    assert_false(text_copy(out, 4, "four"));
    assert_string_equal(out, "fou");
    assert_false(text_copy(out, 1, "x"));
    assert_string_equal(out, "");
    out[0] = 'k';
    assert_false(text_copy(out, 0, ""));
    assert_int_equal(out[0], 'k');
    assert_true(text_copy_n(out, 5, "abcdef", 3));
    assert_string_equal(out, "abc");
    assert_true(text_copy_n(out, 5, NULL, 0));
    assert_string_equal(out, "");
}

static void text_append_fills_up_to_room(void **state)
{
    (void)state;
    char out[8];
    assert_true(text_format(out, sizeof(out), "%d", 12));
    assert_true(text_append(out, sizeof(out), "-%s", "345"));
    assert_false(text_append(out, sizeof(out), "%s", "67"));
    assert_string_equal(out, "12-3456");
    assert_false(text_append(out, sizeof(out), "8"));
    assert_true(text_append(out, sizeof(out), "%s", ""));
    assert_false(text_format(out, 3, "%d", 123));
    assert_string_equal(out, "12");
}

static void text_starts_and_ends(void **state)
{
    (void)state;
    assert_true(text_starts("rtsp://x", "rtsp://"));
    assert_false(text_starts("rts", "rtsp"));
    assert_true(text_starts("", ""));
    assert_true(text_ends("a.m3u8", ".m3u8"));
    assert_false(text_ends("m3u8", ".m3u8"));
    assert_false(text_ends("stream.m3u", ".m3u8"));
    assert_true(text_ends("x", ""));
    assert_true(text_equal_nocase("Content-Length", "content-length"));
    assert_false(text_equal_nocase("a", "ab"));
}

static void text_to_int_whole_numbers_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-5", 0, -5},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", ERR_LIMIT, 0},
        {"-9223372036854775809", ERR_LIMIT, 0},
        {"99999999999999999999999999999999999", ERR_LIMIT, 0},
        {"99999999999999999999999999999999999x", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {"+1", ERR_INVALID, 0},
        {" 1", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
        {"1.5", ERR_INVALID, 0},
        {"0x10", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 77;
        int result = text_to_int(cases[i].text, INT64_MIN, INT64_MAX, &value);
        assert_int_equal(result, cases[i].result);
        assert_true(value == (result ? 77 : cases[i].value));
    }
    int64_t port = 1;
    assert_int_equal(text_to_int("65536", 1, 65535, &port), ERR_LIMIT);
    assert_int_equal(text_to_int("0", 1, 65535, &port), ERR_LIMIT);
    assert_int_equal(text_to_int("65535", 1, 65535, &port), 0);
    assert_int_equal(port, 65535);
}

static void text_glob_star_matches_any_run(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"", "", true},         {"", "a", false},           {"*", "", true},
        {"*", "a/b", true},     {"cam*", "cam", true},      {"cam*", "camera/1", true},
        {"cam*", "ca", false},  {"*.m3u8", "a.m3u8", true}, {"*.m3u8", "a.m3u", false},
        {"a*b*c", "abc", true}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXcYb", false},
        {"**a**", "xxa", true}, {"a*", "ba", false},        {"*ab", "aab", true},
        {"*aab", "aaab", true}, {"a?", "ab", false},        {"live/*", "live/", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(text_glob(cases[i].pattern, cases[i].text), cases[i].match);
}

static void text_glob_many_stars_ends_soon(void **state)
{
    (void)state;
    // With naive backtracking this takes longer than the universe has.
    char text[4001], pattern[121];
    memset(text, 'a', 4000);
    text[4000] = 0;
    for (int i = 0; i < 40; i++)
        memcpy(pattern + 3 * i, "*aa", 3);
    pattern[117] = '*';
    pattern[118] = 'b';
    pattern[119] = 0;
    assert_false(text_glob(pattern, text));
}

static void text_distance_counts_edits_up_to_bound(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", "", 3), 0);
    assert_int_equal(text_distance("abc", "", 3), 3);
    assert_int_equal(text_distance("", "abcd", 3), 4);
    assert_int_equal(text_distance("kitten", "sitting", 5), 3);
    assert_int_equal(text_distance("sitting", "kitten", 5), 3);
    assert_int_equal(text_distance("kitten", "sitting", 2), 3);
    assert_int_equal(text_distance("completely", "different", 2), 3);
    assert_int_equal(text_distance("cluster_key", "cluster_kye", 3), 2);
    char large[300];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = 0;
    assert_int_equal(text_distance(large, large, 2), 3); // nobody meant that
    assert_int_equal(text_distance(large, "x", 2), 3);
    assert_int_equal(text_distance("x", large, 2), 3);
    large[128] = 0;
    assert_int_equal(text_distance(large, large, 2), 0);
}

static void text_utc_known_moments(void **state)
{
    (void)state;
    char out[32];
    text_utc(out, sizeof(out), 0);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    text_utc(out, sizeof(out), 1795394130123999);
    assert_string_equal(out, "2026-11-23T00:35:30.123Z");
    text_utc(out, sizeof(out), 1709164800000000);
    assert_string_equal(out, "2024-02-29T00:00:00.000Z");
    text_utc(out, sizeof(out), -1);
    assert_string_equal(out, "1969-12-31T23:59:59.999Z");
    text_utc(out, sizeof(out), INT64_MAX); // far, but inside the room
    assert_true(strlen(out) < sizeof(out));
}

TEST_MAIN(TEST(text_copy_cuts_and_says_so), TEST(text_append_fills_up_to_room),
          TEST(text_starts_and_ends), TEST(text_to_int_whole_numbers_only),
          TEST(text_glob_star_matches_any_run), TEST(text_glob_many_stars_ends_soon),
          TEST(text_distance_counts_edits_up_to_bound), TEST(text_utc_known_moments))
