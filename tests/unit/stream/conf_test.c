// SPDX-License-Identifier: MIT
#include "stream/conf.h"

#include "unit.h"

static struct stream_conf make(void)
{
    struct stream_conf conf;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof(conf.name), "yard/gate");
    conf.title = mem_strdup("The gate");
    conf.dvr.path[conf.dvr.path_count++] = mem_strdup("/storage");
    input_conf_add_option(stream_conf_add_input(&conf, "rtsp://user:secret@camera/h264"), "rtp",
                          "udp");
    return conf;
}

static void stream_conf_copy_is_equal_and_independent(void **state)
{
    (void)state;
    struct stream_conf conf = make(), copy;
    stream_conf_copy(&copy, &conf);
    assert_true(stream_conf_equal(&conf, &copy));
    copy.input[0].option[0].value[0] = 't';
    assert_false(stream_conf_equal(&conf, &copy));
    assert_string_equal(conf.input[0].option[0].value, "udp");
    stream_conf_fini(&copy);
    stream_conf_fini(&conf);
}

static void stream_conf_equal_sees_each_field(void **state)
{
    (void)state;
    struct stream_conf conf = make(), other = make();
    other.segment_count++;
    assert_false(stream_conf_equal(&conf, &other));
    other.segment_count--;
    other.dvr.depth_s = 60;
    assert_false(stream_conf_equal(&conf, &other));
    other.dvr.depth_s = 0;
    other.dvr.span_count = 1;
    assert_false(stream_conf_equal(&conf, &other));
    other.dvr.span_count = 0;
    other.dvr.path[0][1] = 'S';
    assert_false(stream_conf_equal(&conf, &other));
    other.dvr.path[0][1] = 's';
    other.dvr.offline = true;
    assert_false(stream_conf_equal(&conf, &other));
    other.dvr.offline = false;
    other.is_static = false;
    assert_false(stream_conf_equal(&conf, &other));
    other.is_static = true;
    assert_true(stream_conf_equal(&conf, &other));
    mem_free(other.title);
    other.title = NULL;
    assert_false(stream_conf_equal(&conf, &other));
    stream_conf_fini(&conf);
    stream_conf_fini(&other);
}

static void input_conf_get_finds_values_by_name(void **state)
{
    (void)state;
    struct stream_conf conf = make();
    assert_string_equal(input_conf_get(&conf.input[0], "rtp"), "udp");
    assert_null(input_conf_get(&conf.input[0], "timeout"));
    stream_conf_fini(&conf);
}

static void stream_name_valid_keeps_names_inside_their_folder(void **state)
{
    (void)state;
    static const char *const good[] = {"main", "a/b/c", "cam-1.sub_2", "..a", "a..", "0"};
    static const char *const bad[] = {"",  "/a",  "a/",   "a//b",   "a b",  "..",
                                      ".", "a/.", "a/..", "../a/b", "a\\b", "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(stream_name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(stream_name_valid(bad[i]));
    char longest[STREAM_NAME_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    longest[STREAM_NAME_MAX] = '\0';
    assert_false(stream_name_valid(longest));
    longest[STREAM_NAME_MAX - 1] = '\0';
    assert_true(stream_name_valid(longest));
}

TEST_MAIN(TEST(stream_conf_copy_is_equal_and_independent), TEST(stream_conf_equal_sees_each_field),
          TEST(input_conf_get_finds_values_by_name),
          TEST(stream_name_valid_keeps_names_inside_their_folder))
