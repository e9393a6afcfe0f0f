// SPDX-License-Identifier: MIT
// The head of a request: our own guard in front of llhttp (in strict mode), then llhttp, then the
// checks that neither makes. What is let through has one reading only: one request line of three
// parts, no bare CR or LF, no folded lines, no control bytes, HTTP/1.0 or 1.1, one Host, no
// transfer coding. A body is announced by one Content-Length or not at all.
#ifndef HTTP_HEAD_PARSE_H
#define HTTP_HEAD_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { HEAD_FIELDS_MAX = 64, HEAD_TARGET_MAX = 4096 };

struct head_field {
    uint16_t name, value; // where in `text`; terminated
};

struct head {
    const char *method; // "GET"; constant. (llhttp's names clash with http/http.h's.)
    unsigned minor;     // HTTP/1.minor
    bool keep_alive;
    bool expects_continue;
    uint64_t body_length;
    char *target; // terminated, in `text`
    struct head_field field[HEAD_FIELDS_MAX];
    unsigned field_count;
    char *text; // one block with all strings; owned
};

// Length of the head at the front of `in`, with its empty line; 0: not complete yet.
size_t head_find(struct bytes in);
// in: exactly a whole head, at most HTTP_HEAD_MAX. 0 (*out owns memory: head_fini), or the HTTP
// status to answer with (400, 411, 413, 414, 417, 431, 501, 505) with *why a constant text; the
// connection must be closed then, because where the next request begins is not known.
int head_parse(struct bytes in, struct head *out, const char **why);
void head_fini(struct head *head);
const char *head_field(const struct head *head, const char *name); // NULL when absent
// The comma-separated value has this token, in any case ("keep-alive, Upgrade").
bool head_has_token(const char *value, const char *token);

#endif
