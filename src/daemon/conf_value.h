// SPDX-License-Identifier: MIT
// Single values as they are written in the configuration, with their units.
#ifndef DAEMON_CONF_VALUE_H
#define DAEMON_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stream/conf.h"

// Each: 0, or ERR_INVALID with *out untouched.
MUST_USE int conf_value_flag(const char *text, bool *out); // true on yes 1, false off no 0
// Bare seconds, or with s, m (minutes), h, d: whole seconds, below 100 years.
MUST_USE int conf_value_duration(const char *text, int64_t *seconds);
// With K, M, G, T (also k, g, t; not m): powers of 1024. A unit is needed.
MUST_USE int conf_value_size(const char *text, uint64_t *bytes);
MUST_USE int conf_value_percent(const char *text, unsigned *percent); // "1%".."100%"
// "8:00-16:00", "22-1:30": hours of the UTC day, 24 as an end only. The two must differ.
MUST_USE int conf_value_span(const char *text, struct dvr_span *out);
// "8888", "127.0.0.1:8080", "[::1]:80" to a literal host ("" when absent) and a port from 1.
MUST_USE int conf_value_listen(const char *text, char *host, size_t room, uint16_t *port);

// The shortest way to write it that reads back the same. Room of 32.
void conf_print_duration(int64_t seconds, char *out, size_t room);
void conf_print_size(uint64_t bytes, char *out, size_t room);
// A word, in quotes where it needs them. False when cut.
bool conf_print_word(const char *word, char *out, size_t room);

#endif
