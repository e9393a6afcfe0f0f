// SPDX-License-Identifier: MIT
#include "unit.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/log.h"

// Standard error goes into a pipe while a test runs.
static int saved_stderr, pipe_out;

static int capture(void **state)
{
    (void)state;
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0)
        return -1;
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_out = ends[0];
    clock_set_test(1000 * US_PER_S, 1795394130 * US_PER_S);
    log_set_level(LOG_LEVEL_INFO);
    log_set_readable(false);
    return 0;
}

static const char *read_all(void)
{
    static char text[1 << 17];
    size_t used = 0;
    for (;;) {
        ssize_t got = read(pipe_out, text + used, sizeof(text) - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = 0;
    return text;
}

static int end_capture(void **state)
{
    const char *unread = read_all();     // what cmocka says of a test that failed
    clock_advance_test(3600 * US_PER_S); // what is pending is not of the next test
    log_flush();
    clock_use_system();
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_out);
    fputs(unread, stderr);
    return unit_nothing_left(state);
}

static void log_line_for_journal_and_for_eyes(void **state)
{
    (void)state;
    log_warn("stream=main", "input lost reason=%s", "timeout");
    log_error("", "no object");
    assert_string_equal(read_all(), "<4>stream=main input lost reason=timeout\n<3>no object\n");
    log_set_readable(true);
    log_info("stream=main", "live tracks=%d", 2);
    assert_string_equal(read_all(), "2026-11-23T00:35:30.000Z info  stream=main live tracks=2\n");
}

static void log_below_level_is_silent(void **state)
{
    (void)state;
    log_debug("a", "debug");
    assert_string_equal(read_all(), "");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("a", "warn");
    assert_string_equal(read_all(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("a", "debug");
    assert_string_equal(read_all(), "<7>a debug\n");
}

static void log_repeats_are_counted_and_printed_once(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        log_warn("stream=a", "no frames");
        log_warn("stream=b", "no frames"); // in between, as with many cameras on one dead switch
    }
    assert_string_equal(read_all(), "<4>stream=a no frames\n<4>stream=b no frames\n");
    clock_advance_test(4999 * US_PER_MS);
    log_flush();
    assert_string_equal(read_all(), "");
    clock_advance_test(1 * US_PER_MS);
    log_flush();
    assert_string_equal(read_all(), "<4>stream=a no frames (repeated 99 times)\n"
                                    "<4>stream=b no frames (repeated 99 times)\n");
    log_flush();
    assert_string_equal(read_all(), "");
    log_warn("stream=a", "no frames"); // afresh
    assert_string_equal(read_all(), "<4>stream=a no frames\n");
}

static void log_repeat_after_its_time_prints_count_first(void **state)
{
    (void)state;
    log_info("a", "x");
    log_info("a", "x");
    clock_advance_test(5 * US_PER_S);
    log_info("a", "x");
    assert_string_equal(read_all(), "<6>a x\n<6>a x (repeated 1 times)\n<6>a x\n");
}

static void log_same_text_other_level_or_object_is_another_line(void **state)
{
    (void)state;
    log_info("a", "x");
    log_warn("a", "x");
    log_info("b", "x");
    assert_string_equal(read_all(), "<6>a x\n<4>a x\n<6>b x\n");
}

static void log_many_different_lines_lose_no_count(void **state)
{
    (void)state;
    log_info("first", "x");
    log_info("first", "x");
    for (int i = 0; i < 32; i++) {
        clock_advance_test(1000);
        log_info("other", "%d", i);
    }
    // The place of the first was needed; its count was said then.
    assert_non_null(strstr(read_all(), "\n<6>first x (repeated 1 times)\n<6>other 31\n"));
}

static void log_control_characters_make_no_second_line(void **state)
{
    (void)state;
    log_info("stream=a\n<3>b", "name=%s", "x\r\n<2>forged\x1b[2J");
    assert_string_equal(read_all(), "<6>stream=a?<3>b name=x?\?<2>forged?[2J\n");
}

static void log_long_line_is_cut_and_whole(void **state)
{
    (void)state;
    log_info("a", "%5000d", 1);
    const char *text = read_all();
    assert_true(strlen(text) < 2100);
    assert_string_equal(text + strlen(text) - 4, "...\n");
    char object[3000];
    memset(object, 'o', sizeof(object) - 1);
    object[sizeof(object) - 1] = 0;
    log_info(object, "x");
    text = read_all();
    assert_true(strlen(text) < 2100);
    assert_string_equal(text + strlen(text) - 4, "...\n");
}

static void log_nobody_reads_drops_and_says_how_many(void **state)
{
    (void)state;
    // Blocking, as a real standard error is; a write into the full pipe would never return.
    fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) & ~O_NONBLOCK);
    alarm(10);
    for (int i = 0; i < 1000; i++)
        log_info("a", "%d %0500d", i, 0);
    const char *text = read_all();
    int lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_true(lines > 50 && lines < 1000);
    log_info("a", "after");
    char want[64];
    snprintf(want, sizeof(want), "<4>log lost lines=%d\n<6>a after\n", 1000 - lines);
    assert_string_equal(read_all(), want);
    alarm(0);
}

static void log_closed_stderr_is_no_harm(void **state)
{
    (void)state;
    int kept = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    log_info("a", "into nothing");
    dup2(kept, STDERR_FILENO);
    close(kept);
    log_info("a", "again");
    assert_string_equal(read_all(), "<4>log lost lines=1\n<6>a again\n");
}

struct heard {
    int lines;
    enum log_level level;
    char line[64];
};

static void hear(enum log_level level, const char *line, void *arg)
{
    struct heard *heard = arg;
    heard->lines++;
    heard->level = level;
    snprintf(heard->line, sizeof(heard->line), "%s", line);
}

static void log_hook_hears_every_line_also_repeats(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_hook(hear, &heard);
    log_warn("a", "x=%d", 1);
    log_warn("a", "x=%d", 1);
    log_debug("a", "not at this level");
    log_set_hook(NULL, NULL);
    log_warn("a", "y");
    read_all();
    assert_int_equal(heard.lines, 2);
    assert_int_equal(heard.level, LOG_LEVEL_WARN);
    assert_string_equal(heard.line, "a x=1");
}

static void log_level_parse_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_DEBUG;
    assert_true(log_level_parse("error", &level) && level == LOG_LEVEL_ERROR);
    assert_true(log_level_parse("warning", &level) && level == LOG_LEVEL_WARN);
    assert_true(log_level_parse("warn", &level) && level == LOG_LEVEL_WARN);
    assert_true(log_level_parse("notice", &level) && level == LOG_LEVEL_INFO);
    assert_true(log_level_parse("alert", &level) && level == LOG_LEVEL_ERROR);
    assert_true(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, capture, end_capture)
TEST_MAIN(LOG_TEST(log_line_for_journal_and_for_eyes), LOG_TEST(log_below_level_is_silent),
          LOG_TEST(log_repeats_are_counted_and_printed_once),
          LOG_TEST(log_repeat_after_its_time_prints_count_first),
          LOG_TEST(log_same_text_other_level_or_object_is_another_line),
          LOG_TEST(log_many_different_lines_lose_no_count),
          LOG_TEST(log_control_characters_make_no_second_line),
          LOG_TEST(log_long_line_is_cut_and_whole),
          LOG_TEST(log_nobody_reads_drops_and_says_how_many),
          LOG_TEST(log_closed_stderr_is_no_harm), LOG_TEST(log_hook_hears_every_line_also_repeats),
          LOG_TEST(log_level_parse_names))
