// SPDX-License-Identifier: MIT
// What is wrong with a configuration: one line each, all of them, in the order in which they were
// found. `file:line:column: found X, expected Y; did you mean Z?`
#ifndef DAEMON_CONF_PROBLEM_H
#define DAEMON_CONF_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Where a word stands. Lines and columns count from 1, columns in characters; line 0: the file as a
// whole.
struct conf_place {
    const char *file; // borrowed
    unsigned line, column;
};

// More are counted and not kept: the first ones tell what to do.
enum { CONF_PROBLEMS_MAX = 1000, CONF_PLACE_TEXT_MAX = 512 };

struct conf_problem {
    char *line;   // owned; the whole line, without a line end
    bool warning; // the server does what was asked, but it is probably not what is wanted
    unsigned file, at_line, at_column; // for the order; file: the number of its first appearance
};

struct conf_problems {
    struct conf_problem *item;
    size_t count;
    char **file; // owned names, in the order of their first appearance
    unsigned file_count;
    size_t errors, warnings; // also of those that are not kept
    bool structure; // a block is not closed or a word of the file unknown: what stands there is
                    // unsure
};

void conf_problems_init(struct conf_problems *problems); // a zeroed one is the same
void conf_problems_fini(struct conf_problems *problems);
// A finished line, the place in front.
void conf_error(struct conf_problems *problems, const struct conf_place *place, const char *format,
                ...) PRINTF_LIKE(3, 4);
void conf_warning(struct conf_problems *problems, const struct conf_place *place,
                  const char *format, ...) PRINTF_LIKE(3, 4);
// Puts them in the order of the files and lines.
void conf_problems_sort(struct conf_problems *problems);
// "file:line:column" into room of at least CONF_PLACE_TEXT_MAX.
void conf_place_print(const struct conf_place *place, char *out, size_t room);

// A word of the file as it may be shown: at most 60 characters, user and password of a URL and the
// value of a `key=`, `password=`, `token=`, `secret=` or `passphrase=` masked. Room of at least 80.
void conf_word_print(const char *word, char *out, size_t room);
// Whether an option of that name holds a secret.
bool conf_key_is_secret(const char *key);

// The nearest of the names, for "did you mean": at most a third of the letters may differ. NULL
// when none is near. Call for each candidate.
struct conf_nearest {
    const char *word; // what was found
    const char *best; // borrowed from the candidates
    unsigned distance;
};
void conf_nearest_try(struct conf_nearest *nearest, const char *candidate);
// "; did you mean 'x'?" or "" into room of at least 96.
void conf_nearest_print(const struct conf_nearest *nearest, char *out, size_t room);

#endif
