// SPDX-License-Identifier: MIT
// The head of a request: our own guard in front of llhttp (in strict mode), then llhttp, then the
// checks that neither makes. What it lets through has one reading only: no bare CR or LF, no folded
// lines, no control bytes, HTTP/1.0 or 1.1, one Host, no transfer coding beside a length.
#ifndef HTTP_HEAD_PARSE_H
#define HTTP_HEAD_PARSE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

enum { HEAD_FIELDS_MAX = 64, HEAD_TARGET_MAX = 4096 };

struct head_field {
    const char *name, *value; // terminated, in `text`
};

struct head {
    const char *method;       // "GET"; constant. (llhttp's names clash with http/http.h's.)
    unsigned minor;           // HTTP/1.minor
    bool keep_alive;
    bool expects_continue;
    uint64_t body_length;
    char *target;             // terminated, in `text`
    struct head_field field[HEAD_FIELDS_MAX];
    unsigned field_count;
    char *text;               // one block with all strings; owned
};

// Length of the head at the front of `in`, with its empty line; 0: not complete yet.
size_t head_find(struct bytes in);
// head: exactly a whole head. 0 (*out owns memory: head_fini), or an HTTP status to answer with (400, 405,
// 411, 413, 414, 431, 501, 505) with *why a constant text.
int head_parse(struct bytes in, struct head *out, const char **why);
void head_fini(struct head *head);
const char *head_field(const struct head *head, const char *name); // NULL when absent

#endif
