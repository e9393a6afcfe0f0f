// SPDX-License-Identifier: MIT
// Bounded strings and small parsers. No function here writes past its room or reads past its end.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// Always terminated; returns false when the text was cut.
bool text_copy(char *out, size_t room, const char *text);
bool text_copy_n(char *out, size_t room, const char *text, size_t length);
bool text_format(char *out, size_t room, const char *format, ...) PRINTF_LIKE(3, 4);
bool text_append(char *out, size_t room, const char *format, ...) PRINTF_LIKE(3, 4);
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_equal_nocase(const char *a, const char *b);
// Whole text is one decimal number in [min, max]; 0 or ERR_INVALID or ERR_LIMIT.
MUST_USE int text_to_int(const char *text, int64_t min, int64_t max, int64_t *out);
// '*' matches any run of characters, also empty. Linear in text for each star.
bool text_glob(const char *pattern, const char *text);
// Levenshtein distance with a bound: more than `most`, or a text longer than 128, gives
// most + 1. For "did you mean".
unsigned text_distance(const char *a, const char *b, unsigned most);
// UTC as 2026-11-23T00:35:30.123Z into room of at least 32.
void text_utc(char *out, size_t room, int64_t utc_us);

#endif
