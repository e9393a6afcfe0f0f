// SPDX-License-Identifier: MIT
#include "unit.h"

#include <math.h>

#include "base/json_write.h"

static struct writer out;
static struct json json;

static void begin(void)
{
    json_init(&json, &out);
}

static void assert_written(const char *want)
{
    assert_int_equal(json.depth, 0);
    writer_u8(&out, 0);
    assert_string_equal((const char *)out.buf->data, want);
    writer_fini(&out);
}

static void json_nested_commas_are_right(void **state)
{
    (void)state;
    begin();
    json_object_begin(&json);
    json_key(&json, "empty");
    json_object_begin(&json);
    json_object_end(&json);
    json_key(&json, "list");
    json_array_begin(&json);
    json_int(&json, -1);
    json_array_begin(&json);
    json_array_end(&json);
    json_object_begin(&json);
    json_key_text(&json, "a", "b");
    json_key_bool(&json, "c", false);
    json_object_end(&json);
    json_text(&json, NULL);
    json_array_end(&json);
    json_key_int(&json, "last", INT64_MIN);
    json_object_end(&json);
    assert_written("{\"empty\":{},\"list\":[-1,[],{\"a\":\"b\",\"c\":false},null],"
                   "\"last\":-9223372036854775808}");
}

static void json_numbers(void **state)
{
    (void)state;
    begin();
    json_array_begin(&json);
    json_uint(&json, UINT64_MAX);
    json_double(&json, 0.1);
    json_double(&json, 1.0 / 3);
    json_double(&json, -2);
    json_double(&json, NAN);
    json_double(&json, INFINITY);
    json_bool(&json, true);
    json_array_end(&json);
    assert_written("[18446744073709551615,0.1,0.33333333333333331,-2,null,null,true]");
}

static void json_text_escapes(void **state)
{
    (void)state;
    begin();
    json_array_begin(&json);
    json_text(&json, "a\"b\\c\nd\te\x01\x7f/");
    json_text(&json, NULL);
    json_array_end(&json);
    assert_written("[\"a\\\"b\\\\c\\nd\\u0009e\\u0001\\u007f/\",null]");
}

#define REPLACED "\xef\xbf\xbd"

static void json_text_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" ~", " ~"},
        {"\xc2\x80", "\xc2\x80"}, // the first of each length
        {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xd0\x96", "\xd0\x96"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x8e\xa5", "\xf0\x9f\x8e\xa5"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\x80", REPLACED},
        {"\xc0\xaf", REPLACED REPLACED},                           // overlong
        {"\xe0\x80\xaf", REPLACED REPLACED REPLACED},              // overlong
        {"\xed\xa0\x80", REPLACED REPLACED REPLACED},              // surrogate
        {"\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED}, // above 10FFFF
        {"\xff", REPLACED},
        {"\xe2\x82", REPLACED REPLACED}, // ends inside
        {"\xf0\x9f\x8e", REPLACED REPLACED REPLACED},
        {"\xd0", REPLACED},
        {"\xd0\"", REPLACED "\\\""}, // the quote is not eaten
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char want[64];
        snprintf(want, sizeof(want), "\"%s\"", cases[i][1]);
        begin();
        json_text(&json, cases[i][0]);
        assert_written(want);
    }
}

static void nest(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        json_array_begin(&json);
}

static void end_one(void *arg)
{
    (void)arg;
    json_object_end(&json);
}

static void key_twice(void *arg)
{
    (void)arg;
    json_object_begin(&json);
    json_key(&json, "a");
    json_key(&json, "b");
}

static void key_outside(void *arg)
{
    (void)arg;
    json_key(&json, "a");
}

static void json_misuse_dies(void **state)
{
    (void)state;
    int most = 16, above = 17;
    begin();
    assert_false(unit_dies(nest, &most));
    assert_true(unit_dies(nest, &above));
    assert_true(unit_dies(end_one, NULL));
    assert_true(unit_dies(key_twice, NULL));
    assert_true(unit_dies(key_outside, NULL));
}

TEST_MAIN(TEST(json_nested_commas_are_right), TEST(json_numbers), TEST(json_text_escapes),
          TEST(json_text_invalid_utf8_is_replaced), TEST(json_misuse_dies))
