// SPDX-License-Identifier: MIT
#include "hours.h"

#include "base/clock.h"
#include "unit.h"

#define DAY_S 1767225600LL // 2026-01-01

static void add(struct hours *hours, int64_t second, unsigned suffix)
{
    struct hour_name name = {.second = second, .suffix = (uint16_t)suffix};
    assert_int_equal(hours_add(hours, name, 100), 0);
}

static void hour_path_is_utc(void **state)
{
    (void)state;
    char path[HOUR_PATH];
    hour_path(path, "/a/cam", (struct hour_name){.second = DAY_S + 3723}, "mp4");
    assert_string_equal(path, "/a/cam/2026/01/01/010203.mp4");
    hour_path(path, "b", (struct hour_name){.second = 0, .suffix = 12}, "idx");
    assert_string_equal(path, "b/1970/01/01/000000-12.idx");
    struct hour_name dated = {.second = DAY_S + 3723, .offset_s = -7200};
    hour_path(path, "b", dated, "mp4");
    assert_string_equal(path, "b/2026/01/01/010203o-7200.mp4");
    dated.suffix = 999;
    dated.offset_s = DAY_S;
    hour_path(path, "b", dated, "mp4");
    assert_string_equal(path, "b/2026/01/01/010203-999o1767225600.mp4");
}

static void hour_name_parse_reads_what_is_written(void **state)
{
    (void)state;
    for (int64_t second = DAY_S; second < DAY_S + 86400; second += 4111) {
        for (unsigned suffix = 0; suffix <= HOUR_SUFFIX_MAX; suffix += 111) {
            char path[HOUR_PATH];
            struct hour_name name = {.second = second, .suffix = (uint16_t)suffix}, again;
            name.offset_s = suffix % 2 ? (second % 7 - 3) * 3600 : 0;
            const char *extension;
            hour_path(path, "x", name, "mp4");
            const char *text = strrchr(path, '/') + 1;
            assert_true(hour_name_parse(text, strlen(text), DAY_S, &again, &extension));
            assert_int_equal(hour_name_compare(name, again), 0);
            assert_string_equal(extension, "mp4");
        }
    }
}

static void hour_name_parse_refuses_others(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "01020.mp4",
                                      "0102033.mp4",
                                      "240000.mp4",
                                      "006000.mp4",
                                      "000060.mp4",
                                      "010203",
                                      "010203.",
                                      "010203-.mp4",
                                      "010203-0.mp4",
                                      "010203-1000.mp4",
                                      "010203-01.mp4",
                                      "01020a.mp4",
                                      "-10203.mp4",
                                      "010203o.mp4",
                                      "010203o-.mp4",
                                      "010203o0.mp4",
                                      "010203o07.mp4",
                                      "010203o1-1.mp4",
                                      "010203o1234567890123.mp4",
                                      "010203o1767229324.mp4", // before 1970
                                      "010203o-999999999999.mp4",
                                      "010203_1.mp4"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct hour_name name;
        const char *extension;
        // In a block of its own, so that reading past the end is noticed.
        char *text = mem_dup(bad[i], strlen(bad[i]));
        assert_false(hour_name_parse(text, strlen(bad[i]), DAY_S, &name, &extension));
        mem_free(text);
    }
}

static void hour_day_knows_the_calendar(void **state)
{
    (void)state;
    unsigned number;
    assert_int_equal(hour_day(2026, 1, 1), DAY_S);
    assert_int_equal(hour_day(2024, 2, 29), 1709164800);
    assert_int_equal(hour_day(2026, 2, 29), -1);
    assert_int_equal(hour_day(2026, 13, 1), -1);
    assert_int_equal(hour_day(2026, 0, 1), -1);
    assert_int_equal(hour_day(1969, 12, 31), -1);
    assert_true(hour_folder_parse("2026", 4, 0, &number));
    assert_int_equal(number, 2026);
    assert_true(hour_folder_parse("07", 2, 2, &number));
    assert_int_equal(number, 7);
    assert_false(hour_folder_parse("7", 1, 1, &number));
    assert_false(hour_folder_parse("2026", 4, 1, &number));
    assert_false(hour_folder_parse("20x6", 4, 0, &number));
}

static void hours_add_keeps_order(void **state)
{
    (void)state;
    struct hours hours = {0};
    add(&hours, DAY_S + 7200, 0);
    add(&hours, DAY_S, 1);
    add(&hours, DAY_S + 3600, 0);
    add(&hours, DAY_S, 0);
    assert_int_equal(hours_add(&hours, (struct hour_name){.second = DAY_S}, 5), ERR_EXISTS);
    assert_int_equal(hours.count, 4);
    assert_int_equal(hours.bytes, 400);
    for (unsigned i = 1; i < 4; i++)
        assert_true(
            hour_name_compare(hour_name_of(&hours.hour[i - 1]), hour_name_of(&hours.hour[i])) < 0);
    hours_set_bytes(&hours, &hours.hour[1], 30);
    assert_int_equal(hours.bytes, 330);
    hours_remove(&hours, &hours.hour[1]);
    assert_int_equal(hours.bytes, 300);
    assert_null(hours_get(&hours, (struct hour_name){.second = DAY_S, .suffix = 1}));
    assert_ptr_equal(hours_get(&hours, (struct hour_name){.second = DAY_S + 7200}), &hours.hour[2]);
    hours_fini(&hours);
}

static void hours_next_walks_over_a_year(void **state)
{
    (void)state;
    struct hours hours = {0};
    for (int64_t i = 0; i < 8760; i++)
        add(&hours, DAY_S + i * 3600, 0);
    int64_t from_us = (DAY_S + 5000 * 3600) * US_PER_S, to_us = from_us + 2 * 3600 * US_PER_S;
    // A file of which only the name is known may reach a little into the next hour.
    struct hour *hour = hours_next(&hours, NULL, from_us, to_us);
    assert_int_equal(hour->second, DAY_S + 4999 * 3600);
    hours_set_times(&hours, hour, hour->start_us, from_us);
    unsigned count = 0;
    struct hour_name at;
    for (hour = hours_next(&hours, NULL, from_us, to_us); hour;
         hour = hours_next(&hours, &at, from_us, to_us)) {
        at = hour_name_of(hour);
        assert_int_equal(hour->second, DAY_S + (5000 + count) * 3600);
        count++;
    }
    assert_int_equal(count, 2);
    assert_null(hours_next(&hours, NULL, 0, DAY_S * US_PER_S));
    assert_non_null(hours_next(&hours, NULL, 0, DAY_S * US_PER_S + 1));
    assert_null(hours_next(&hours, NULL, INT64_MAX / 2, INT64_MAX));
    assert_non_null(hours_next(&hours, NULL, INT64_MIN, INT64_MAX));
    hours_fini(&hours);
}

// One file with a segment that lasted for hours is found from its end.
static void hours_next_finds_a_file_that_reaches_far(void **state)
{
    (void)state;
    struct hours hours = {0};
    for (int64_t i = 0; i < 10; i++) {
        add(&hours, DAY_S + i * 3600, 0);
        hours_set_times(&hours, &hours.hour[i], (DAY_S + i * 3600) * US_PER_S,
                        (DAY_S + i * 3600 + 3600) * US_PER_S);
    }
    hours_set_times(&hours, &hours.hour[0], DAY_S * US_PER_S, (DAY_S + 9 * 3600) * US_PER_S);
    int64_t from_us = (DAY_S + 8 * 3600 + 1800) * US_PER_S;
    struct hour *hour = hours_next(&hours, NULL, from_us, from_us + 1);
    assert_int_equal(hour->second, DAY_S);
    struct hour_name at = hour_name_of(hour);
    assert_int_equal(hours_next(&hours, &at, from_us, from_us + 1)->second, DAY_S + 8 * 3600);
    hours_forget(&hours, &hours.hour[0]);
    assert_int_equal(hours_next(&hours, NULL, from_us, from_us + 1)->second, DAY_S + 8 * 3600);
    hours_fini(&hours);
}

static void hours_count_what_is_on_the_disk(void **state)
{
    (void)state;
    struct hours hours = {0};
    struct hour_name name = {.second = DAY_S};
    assert_int_equal(hours_add(&hours, name, 10 << 20), 0);
    hours_set_freed(&hours, hours_get(&hours, name), 4 << 20);
    assert_int_equal(hours.bytes, 6 << 20);
    hours_set_bytes(&hours, hours_get(&hours, name), 11 << 20);
    assert_int_equal(hour_used(hours_get(&hours, name)), 7 << 20);
    assert_int_equal(hours.bytes, 7 << 20);
    hours_remove(&hours, hours_get(&hours, name));
    assert_int_equal(hours.bytes, 0);
    hours_fini(&hours);
}

TEST_MAIN(TEST(hour_path_is_utc), TEST(hour_name_parse_reads_what_is_written),
          TEST(hour_name_parse_refuses_others), TEST(hour_day_knows_the_calendar),
          TEST(hours_add_keeps_order), TEST(hours_next_walks_over_a_year),
          TEST(hours_next_finds_a_file_that_reaches_far), TEST(hours_count_what_is_on_the_disk))
