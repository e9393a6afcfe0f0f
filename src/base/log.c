// SPDX-License-Identifier: MIT
// Logging to descriptor 2.
//
// 1. A line is one write, at most LINE_SIZE bytes, without control characters inside: what a peer
//    sends cannot forge a second line.
// 2. A line equal to one printed less than REPEAT_US ago is only counted. When the time is over the
//    count is printed once: by log_flush, or by the next such line, or when its place is needed.
// 3. Never waits: when the descriptor takes nothing (a pipe nobody reads), the line is dropped and
//    counted, and the count is printed with the next line that gets through.
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define REPEAT_US (5 * US_PER_S)
enum {
    LINE_SIZE = 2048, // under PIPE_BUF: a write to a pipe is whole
    RECENT_COUNT = 32 // different lines that may repeat at the same time
};

struct recent {
    enum log_level level;
    int64_t printed_us;
    unsigned repeats; // since it was printed
    char line[LINE_SIZE];
};

enum log_level log_level_max = LOG_LEVEL_INFO;
static bool readable;
static struct recent recent[RECENT_COUNT]; // an empty line: free
static unsigned lost;                      // lines dropped because nobody reads
static void (*line_hook)(enum log_level level, const char *line, void *arg);
static void *line_hook_arg;

void log_set_level(enum log_level level)
{
    log_level_max = level;
}

void log_set_readable(bool wanted)
{
    readable = wanted;
}

void log_set_hook(void (*hook)(enum log_level level, const char *line, void *arg), void *arg)
{
    line_hook = hook;
    line_hook_arg = arg;
}

bool log_level_parse(const char *name, enum log_level *out)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {
        {"error", LOG_LEVEL_ERROR},    {"warn", LOG_LEVEL_WARN},    {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},    {"warning", LOG_LEVEL_WARN}, {"notice", LOG_LEVEL_INFO},
        {"critical", LOG_LEVEL_ERROR}, {"alert", LOG_LEVEL_ERROR},  {"emergency", LOG_LEVEL_ERROR},
        {"none", LOG_LEVEL_ERROR}, // what someone must act on is never silent
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i].name) == 0) {
            *out = names[i].level;
            return true;
        }
    }
    return false;
}

static bool log_write(enum log_level level, const char *line)
{
    static const char *const words[] = {"error", "warn ", "info ", "debug"};
    static const int priorities[] = {3, 4, 6, 7}; // syslog's, as journald reads them
    char out[LINE_SIZE + 64];
    if (readable) {
        char clock[32];
        text_utc(clock, sizeof(clock), utc_us());
        text_format(out, sizeof(out), "%s %s %s\n", clock, words[level], line);
    } else {
        text_format(out, sizeof(out), "<%d>%s\n", priorities[level], line);
    }
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&fd, 1, 0) != 1 || !(fd.revents & POLLOUT))
        return false;
    return write(STDERR_FILENO, out, strlen(out)) > 0;
}

static void log_print(enum log_level level, const char *line)
{
    if (lost > 0) {
        char text[64];
        text_format(text, sizeof(text), "log lost lines=%u", lost);
        if (log_write(LOG_LEVEL_WARN, text))
            lost = 0;
    }
    if (!log_write(level, line))
        lost++;
}

static void recent_end(struct recent *entry)
{
    if (entry->repeats > 0) {
        char text[LINE_SIZE];
        static const char form[] = "%.*s (repeated %u times)";
        text_format(text, sizeof(text), form, LINE_SIZE - 64, entry->line, entry->repeats);
        log_print(entry->level, text);
    }
    entry->repeats = 0;
    entry->line[0] = 0;
}

void log_flush(void)
{
    int64_t now = now_us();
    for (unsigned i = 0; i < RECENT_COUNT; i++) {
        if (recent[i].line[0] && now - recent[i].printed_us >= REPEAT_US)
            recent_end(&recent[i]);
    }
}

// True when the line was counted as a repeat; otherwise it is remembered and must be printed.
static bool log_is_repeat(enum log_level level, const char *line)
{
    int64_t now = now_us();
    struct recent *oldest = &recent[0];
    for (unsigned i = 0; i < RECENT_COUNT; i++) {
        struct recent *entry = &recent[i];
        if (entry->line[0] && entry->level == level && strcmp(entry->line, line) == 0) {
            if (now - entry->printed_us < REPEAT_US) {
                entry->repeats++;
                return true;
            }
            oldest = entry;
            break;
        }
        if (oldest->line[0] && (!entry->line[0] || entry->printed_us < oldest->printed_us))
            oldest = entry;
    }
    recent_end(oldest);
    oldest->level = level;
    oldest->printed_us = now;
    text_copy(oldest->line, sizeof(oldest->line), line);
    return false;
}

void log_line(enum log_level level, const char *object, const char *format, ...)
{
    char line[LINE_SIZE];
    bool whole = text_copy(line, sizeof(line), object);
    if (whole && line[0])
        whole = text_append(line, sizeof(line), " ");
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line + used, sizeof(line) - used, format, args);
    va_end(args);
    if (!whole || length < 0 || (size_t)length >= sizeof(line) - used)
        memcpy(line + sizeof(line) - 4, "...", 4);
    for (char *at = line; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    if (line_hook)
        line_hook(level, line, line_hook_arg);
    if (!log_is_repeat(level, line))
        log_print(level, line);
}
