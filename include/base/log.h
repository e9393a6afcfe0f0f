// SPDX-License-Identifier: MIT
// Logging. One line is one event: level, object, event, then key=value. error: someone must act;
// warn: service is degraded; info: a state changed; debug: everything else. Nothing per frame above
// debug. A line that repeats is counted and printed once with its count. Secrets never come here.
//
//   log_info("stream=main", "live input=%s tracks=%u", name, count);
//
// Goes to standard error: readable with a clock in front (-d), or with <N> priorities for journald.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

extern enum log_level log_level_max; // read by the macros; set by log_set_level only

void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *out); // also flussonic's names
void log_set_readable(bool readable); // true: a clock in front; false: <N> for journald (default)
void log_flush(void); // prints a pending "repeated N times"; called by the loop once a second
void log_line(enum log_level level, const char *object, const char *format, ...) PRINTF_LIKE(3, 4);
// Tests: every line, a repeated one too, also goes here; NULL switches off.
void log_set_hook(void (*hook)(enum log_level level, const char *line, void *arg), void *arg);

#define LOG_AT(level, ...)                                                                         \
    do {                                                                                           \
        if ((level) <= log_level_max)                                                              \
            log_line((level), __VA_ARGS__);                                                        \
    } while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
