// SPDX-License-Identifier: MIT
// Tokens of the configuration dialect: words, '{', '}', ';'. `#` where a word could begin starts a
// comment that ends with the line. A word ends at white space or one of ; { }. Parts in double
// quotes may hold anything but a line end: \" is a quote, \\ a backslash. No memory is allocated.
#ifndef DAEMON_CONF_LEX_H
#define DAEMON_CONF_LEX_H

#include <stdbool.h>

#include "base/bytes.h"

// The longest word: a URL of URL_TEXT_MAX with a name in front.
enum { CONF_WORD_MAX = 4096 };

enum conf_token { CONF_WORD, CONF_OPEN, CONF_CLOSE, CONF_SEMICOLON, CONF_END, CONF_BAD };

struct conf_lex {
    struct bytes rest;     // borrowed: what is still to be read
    unsigned line, column; // of rest
    // The token that was read last:
    enum conf_token token;
    unsigned at_line, at_column;   // of its first character
    unsigned end_line, end_column; // just behind it
    bool line_start;               // the first token of its line
    bool quoted;                   // some part of the word stood in quotes
    const char *bad;               // CONF_BAD: what was found and expected, constant
    char word[CONF_WORD_MAX];      // CONF_WORD: without quotes and escapes
};

void conf_lex_init(struct conf_lex *lex, struct bytes text);
// Reads the next token. After CONF_BAD the bad part has been passed; after CONF_END always
// CONF_END.
enum conf_token conf_lex_next(struct conf_lex *lex);

#endif
