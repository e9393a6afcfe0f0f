// SPDX-License-Identifier: MIT
// The tokenizer of the configuration dialect.
//
// 1. Every call but those at the end eats at least one byte, so a reader that goes on after
//    CONF_BAD comes to the end.
// 2. A quote that is not closed ends with its line: one missing quote costs one statement.
#include "conf_lex.h"

void conf_lex_init(struct conf_lex *lex, struct bytes text)
{
    *lex = (struct conf_lex){.rest = text, .line = 1, .column = 1, .end_line = 1, .end_column = 1};
    // The mark that some editors put in front of UTF-8.
    if (text.length >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        bytes_skip(&lex->rest, 3);
}

// The next byte, or -1.
static int lex_peek(const struct conf_lex *lex)
{
    return lex->rest.length ? lex->rest.data[0] : -1;
}

static void lex_eat(struct conf_lex *lex)
{
    uint8_t byte = lex->rest.data[0];
    bytes_skip(&lex->rest, 1);
    if (byte == '\n') {
        lex->line++;
        lex->column = 1;
    } else if ((byte & 0xC0) != 0x80) { // the later bytes of a UTF-8 character do not count
        lex->column++;
    }
}

static bool is_space(int byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_control(int byte)
{
    return (byte >= 0 && byte < ' ' && !is_space(byte)) || byte == 0x7F;
}

static bool ends_word(int byte)
{
    return byte < 0 || is_space(byte) || byte == ';' || byte == '{' || byte == '}';
}

static void lex_skip_space(struct conf_lex *lex)
{
    for (;;) {
        int byte = lex_peek(lex);
        if (is_space(byte)) {
            lex_eat(lex);
        } else if (byte == '#') {
            while (lex->rest.length && lex_peek(lex) != '\n')
                lex_eat(lex);
        } else {
            return;
        }
    }
}

// One character of a word, also with a backslash in quotes.
static int lex_character(struct conf_lex *lex, bool in_quotes)
{
    int byte = lex_peek(lex);
    lex_eat(lex);
    if (in_quotes && byte == '\\' && (lex_peek(lex) == '"' || lex_peek(lex) == '\\')) {
        byte = lex_peek(lex);
        lex_eat(lex);
    }
    return byte;
}

static enum conf_token lex_word(struct conf_lex *lex)
{
    size_t length = 0;
    bool in_quotes = false;
    for (int byte;
         byte = lex_peek(lex), in_quotes ? byte >= 0 && byte != '\n' : !ends_word(byte);) {
        if (byte == '"') {
            in_quotes = !in_quotes;
            lex->quoted = true;
            lex_eat(lex);
            continue;
        }
        if (is_control(byte))
            lex->bad = "found a control character, expected text";
        int character = lex_character(lex, in_quotes);
        if (length < sizeof(lex->word) - 1)
            lex->word[length++] = (char)character;
        else
            lex->bad = "found a word of more than 4095 bytes, expected a shorter one";
    }
    lex->word[length] = 0;
    if (in_quotes)
        lex->bad = "found the end of the line, expected a closing '\"'";
    return lex->bad ? CONF_BAD : CONF_WORD;
}

enum conf_token conf_lex_next(struct conf_lex *lex)
{
    lex_skip_space(lex);
    lex->line_start = lex->line != lex->end_line || (lex->line == 1 && lex->end_column == 1);
    lex->at_line = lex->line;
    lex->at_column = lex->column;
    lex->bad = NULL;
    lex->quoted = false;
    lex->word[0] = 0;
    switch (lex_peek(lex)) {
    case -1:
        lex->token = CONF_END;
        break;
    case '{':
        lex->token = CONF_OPEN;
        lex_eat(lex);
        break;
    case '}':
        lex->token = CONF_CLOSE;
        lex_eat(lex);
        break;
    case ';':
        lex->token = CONF_SEMICOLON;
        lex_eat(lex);
        break;
    default:
        lex->token = lex_word(lex);
    }
    lex->end_line = lex->line;
    lex->end_column = lex->column;
    return lex->token;
}
