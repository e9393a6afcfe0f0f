// SPDX-License-Identifier: MIT
// Collects the problems of a configuration as finished lines.
//
// 1. No secret gets into a line: words of the file come through conf_word_print.
#include "conf_problem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { WORD_SHOWN_MAX = 60, LINE_MAX_BYTES = 1600 };

void conf_problems_init(struct conf_problems *problems)
{
    memset(problems, 0, sizeof(*problems));
}

void conf_problems_fini(struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        mem_free(problems->item[i].line);
    for (unsigned i = 0; i < problems->file_count; i++)
        mem_free(problems->file[i]);
    mem_free(problems->item);
    mem_free(problems->file);
    conf_problems_init(problems);
}

void conf_place_print(const struct conf_place *place, char *out, size_t room)
{
    if (place->line == 0)
        text_copy(out, room, place->file);
    else
        text_format(out, room, "%s:%u:%u", place->file, place->line, place->column);
}

static unsigned file_number(struct conf_problems *problems, const char *file)
{
    for (unsigned i = 0; i < problems->file_count; i++) {
        if (strcmp(problems->file[i], file) == 0)
            return i;
    }
    problems->file =
        mem_resize(problems->file, (problems->file_count + 1) * sizeof(problems->file[0]));
    problems->file[problems->file_count] = mem_strdup(file);
    return problems->file_count++;
}

__attribute__((format(printf, 4, 0))) static void problem_add(struct conf_problems *problems,
                                                              bool warning,
                                                              const struct conf_place *place,
                                                              const char *format, va_list args)
{
    *(warning ? &problems->warnings : &problems->errors) += 1;
    if (problems->count == CONF_PROBLEMS_MAX)
        return;
    char at[CONF_PLACE_TEXT_MAX], text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + CONF_PLACE_TEXT_MAX];
    conf_place_print(place, at, sizeof(at));
    vsnprintf(text, sizeof(text), format, args);
    text_format(line, sizeof(line), "%s: %s%s", at, warning ? "warning: " : "", text);
    problems->item = mem_resize(problems->item, (problems->count + 1) * sizeof(problems->item[0]));
    problems->item[problems->count++] = (struct conf_problem){
        .line = mem_strdup(line),
        .warning = warning,
        .file = file_number(problems, place->file),
        .at_line = place->line,
        .at_column = place->column,
    };
}

void conf_error(struct conf_problems *problems, const struct conf_place *place, const char *format,
                ...)
{
    va_list args;
    va_start(args, format);
    problem_add(problems, false, place, format, args);
    va_end(args);
}

void conf_warning(struct conf_problems *problems, const struct conf_place *place,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_add(problems, true, place, format, args);
    va_end(args);
}

static bool comes_before(const struct conf_problem *a, const struct conf_problem *b)
{
    if (a->file != b->file)
        return a->file < b->file;
    return a->at_line != b->at_line ? a->at_line < b->at_line : a->at_column < b->at_column;
}

void conf_problems_sort(struct conf_problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) { // they are few and nearly in order
        struct conf_problem moved = problems->item[i];
        size_t at = i;
        for (; at > 0 && comes_before(&moved, &problems->item[at - 1]); at--)
            problems->item[at] = problems->item[at - 1];
        problems->item[at] = moved;
    }
}

bool conf_key_is_secret(const char *key)
{
    static const char *const parts[] = {"key", "password", "passphrase", "token", "secret"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcasestr(key, parts[i]))
            return true;
    }
    return false;
}

// Where the "user:password@" of a URL ends, or NULL when it has none.
static const char *userinfo_end(const char *after_scheme)
{
    size_t authority = strcspn(after_scheme, "/");
    // A password with '/' in it is broken but still a password: look for '@' behind it as well.
    const char *at = memrchr(after_scheme, '@', authority);
    return at ? at : strrchr(after_scheme, '@');
}

// Masks the values of secret parameters in the query part of a URL.
static void mask_query(char *text)
{
    char *at = strchr(text, '?');
    while (at && *++at) {
        char *end = at + strcspn(at, "&");
        char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals) {
            *equals = 0;
            bool secret = conf_key_is_secret(at);
            *equals = '=';
            if (secret)
                memset(equals + 1, '*', (size_t)(end - equals - 1));
        }
        at = *end ? end : NULL;
    }
}

void conf_word_print(const char *word, char *out, size_t room)
{
    char *copy = mem_strdup(word);
    const char *scheme = strstr(copy, "://");
    const char *at = scheme ? userinfo_end(scheme + 3) : NULL;
    char *equals = strchr(copy, '=');
    mask_query(copy);
    if (at) {
        text_format(out, room, "%.*s***%.*s", (int)(scheme + 3 - copy), copy, WORD_SHOWN_MAX, at);
    } else if (equals && !scheme) {
        *equals = 0;
        text_format(out, room, "%.*s=%.*s", WORD_SHOWN_MAX / 2, copy, WORD_SHOWN_MAX / 2,
                    conf_key_is_secret(copy) ? "***" : equals + 1);
    } else {
        text_format(out, room, "%.*s", WORD_SHOWN_MAX, copy);
    }
    if (strlen(copy) > WORD_SHOWN_MAX && !at && !equals)
        text_append(out, room, "...");
    mem_free(copy);
}

// Two neighbouring letters in the wrong order: the commonest slip, and two by text_distance.
static bool letters_swapped(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a && *b && a[1] && a[0] == b[1] && a[1] == b[0] && strcmp(a + 2, b + 2) == 0;
}

void conf_nearest_try(struct conf_nearest *nearest, const char *candidate)
{
    unsigned most = (unsigned)(strlen(nearest->word) + 2) / 3;
    unsigned distance = letters_swapped(nearest->word, candidate)
                            ? 1
                            : text_distance(nearest->word, candidate, most);
    if (distance > most || (nearest->best && distance >= nearest->distance))
        return;
    nearest->best = candidate;
    nearest->distance = distance;
}

void conf_nearest_print(const struct conf_nearest *nearest, char *out, size_t room)
{
    if (nearest->best)
        text_format(out, room, "; did you mean '%s'?", nearest->best);
    else
        text_copy(out, room, "");
}
