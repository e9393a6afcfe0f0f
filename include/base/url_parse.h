// SPDX-License-Identifier: MIT
// URLs (RFC 3986) as this program meets them: scheme://user:password@host:port/path?query, file
// paths, IPv6 in brackets, names with '/' in them. Percent-decoding where said.
#ifndef BASE_URL_PARSE_H
#define BASE_URL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { URL_TEXT_MAX = 2048 };

struct url {
    char scheme[16];          // lower case; empty when the text had none (then host:port/path)
    char user[128];           // percent-decoded; empty when absent
    char password[128];       // percent-decoded; never printed
    char host[256];           // without brackets
    uint16_t port;            // 0 when absent
    char path[URL_TEXT_MAX];  // with its first '/', as it stood; empty when absent
    char query[URL_TEXT_MAX]; // without '?'; empty when absent
};

// A space or control character is refused anywhere (so a path can go into a request as it is; a
// file path is decoded by its user), a fragment is dropped, the user part ends at the last '@'. 0,
// or ERR_INVALID with *why set to a constant text saying what was wrong.
MUST_USE int url_parse(const char *text, struct url *out, const char **why);
// The URL without user, password and query values named like a secret; room of URL_TEXT_MAX.
void url_print_safe(const struct url *url, char *out, size_t room);
// Value of a query parameter, percent-decoded ('+' is a space); false when absent or too long.
bool url_query_get(const char *query, const char *key, char *out, size_t room);
// In place; false for a broken escape or a decoded NUL.
bool url_decode(char *text);
// Escapes everything but unreserved characters and '/'; false when cut.
bool url_encode(const char *text, char *out, size_t room);

#endif
