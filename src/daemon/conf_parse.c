// SPDX-License-Identifier: MIT
// The grammar, with recovery.
//
// 1. Between functions the token that comes next is already read (lex->token); who uses it reads
// on.
// 2. Every loop reads a token or ends. Nesting is bounded: only stream, template and source open a
//    block, none of them inside another, and includes nest CONF_INCLUDE_DEPTH_MAX deep.
// 3. What could not be read inside a stream or source marks that one as broken, nothing else.
#include "conf_parse.h"

#include <string.h>

#include "base/ensure.h"
#include "base/text.h"
#include "conf_files.h"
#include "conf_lex.h"
#include "conf_option.h"

struct parse {
    const struct conf_files *files;
    struct conf_problems *problems;
    unsigned depth;    // of includes
    unsigned included; // files in all, each time one is read
};

// One text being read.
struct reader {
    struct parse *parse;
    struct conf_lex lex;
    const char *file;
};

// The block that statements go to.
struct target {
    struct conf_node *node;
    unsigned section;
    struct conf_place opened; // line 0 for a file as a whole
};

static void parse_file(struct parse *parse, const char *path, const struct conf_place *from,
                       const struct target *target);

static struct conf_place token_place(const struct reader *reader)
{
    return (struct conf_place){reader->file, reader->lex.at_line, reader->lex.at_column};
}

// What the next token is, for messages. Room of 96.
static void token_print(const struct reader *reader, char *out, size_t room)
{
    char word[80];
    switch (reader->lex.token) {
    case CONF_WORD:
        conf_word_print(reader->lex.word, word, sizeof(word));
        text_format(out, room, "'%s'", word);
        break;
    case CONF_END:
        text_copy(out, room, "the end of the file");
        break;
    default:
        text_format(out, room, "'%c'",
                    reader->lex.token == CONF_OPEN    ? '{'
                    : reader->lex.token == CONF_CLOSE ? '}'
                                                      : ';');
    }
}

static void structure_error(struct reader *reader, const struct target *target,
                            const struct conf_place *place, const char *expected)
{
    char found[96];
    token_print(reader, found, sizeof(found));
    conf_error(reader->parse->problems, place, "found %s, expected %s", found, expected);
    reader->parse->problems->structure = true;
    conf_node_set_broken(target->node);
}

// Whether the next token can only be the beginning of another statement of the section.
static bool begins_statement(const struct reader *reader, unsigned section)
{
    const struct conf_lex *lex = &reader->lex;
    return lex->token == CONF_WORD && lex->line_start && !lex->quoted &&
           conf_option_find(section, lex->word);
}

// ---- what cannot be used ------------------------------------------------------------------------

// Passes a block whose '{' is next, with all blocks in it.
static void skip_block(struct reader *reader)
{
    unsigned depth = 0;
    do {
        if (reader->lex.token == CONF_OPEN)
            depth++;
        else if (reader->lex.token == CONF_CLOSE)
            depth--;
        conf_lex_next(&reader->lex);
    } while (depth > 0 && reader->lex.token != CONF_END);
}

// Passes the rest of a statement.
static void skip_statement(struct reader *reader, unsigned section)
{
    for (;;) {
        switch (reader->lex.token) {
        case CONF_SEMICOLON:
            conf_lex_next(&reader->lex);
            return;
        case CONF_OPEN:
            skip_block(reader);
            return;
        case CONF_CLOSE:
        case CONF_END:
            return;
        default:
            conf_lex_next(&reader->lex);
            if (begins_statement(reader, section))
                return;
        }
    }
}

static void unknown_word(struct reader *reader, const struct target *target)
{
    char word[80], suggestion[96];
    struct conf_place place = token_place(reader);
    conf_word_print(reader->lex.word, word, sizeof(word));
    conf_option_suggest(target->section, reader->lex.word, suggestion, sizeof(suggestion));
    conf_error(reader->parse->problems, &place,
               "found unknown word '%s', expected an option of %s%s", word,
               conf_section_name(target->section), suggestion);
    conf_node_set_broken(target->node);
    // It may be a stream with a slip of the pen: a reload must not take that stream away.
    if (target->section == CONF_FILE)
        reader->parse->problems->structure = true;
    skip_statement(reader, target->section);
}

// ---- include ------------------------------------------------------------------------------------

struct include {
    struct parse *parse;
    const struct target *target;
    struct conf_place place;
};

static void include_one(void *arg, const char *path)
{
    struct include *include = arg;
    parse_file(include->parse, path, &include->place, include->target);
}

static void parse_include(struct reader *reader, const struct conf_node *node,
                          const struct target *target)
{
    struct include include = {.parse = reader->parse, .target = target};
    struct conf_problems *problems = reader->parse->problems;
    for (unsigned i = 0; i < conf_node_args(node); i++) {
        char path[CONF_PATH_MAX], folder[CONF_PATH_MAX], pattern[CONF_PATH_MAX];
        const char *why;
        size_t errors = problems->errors;
        conf_node_arg_place(node, i, &include.place);
        if (!conf_files_resolve(reader->file, conf_node_arg(node, i), path, sizeof(path))) {
            conf_error(problems, &include.place, "found a path that is too long, expected a file");
        } else {
            switch (conf_files_split(path, folder, pattern)) {
            case 0:
                include_one(&include, path);
                break;
            case 1:
                if (!conf_files_match(reader->parse->files, folder, pattern, include_one, &include,
                                      &why))
                    conf_error(problems, &include.place, "found folder %s: %s, expected a folder",
                               folder, why);
                break;
            default:
                conf_error(problems, &include.place,
                           "found '%s', expected a star in the last part of the path only", path);
            }
        }
        if (problems->errors > errors && target->section != CONF_FILE)
            conf_node_set_broken(target->node);
    }
}

// ---- statements ---------------------------------------------------------------------------------

static void parse_block(struct reader *reader, const struct target *target);

// The words behind the first one, and what ends the statement.
static void parse_words(struct reader *reader, const struct target *target,
                        const struct conf_option *option, struct conf_node *node)
{
    struct conf_lex *lex = &reader->lex;
    struct target inside = {node, option->opens, token_place(reader)};
    struct conf_place behind; // the place where a missing ';' belongs
    bool block = option->type == CONF_TYPE_BLOCK;
    bool bad = false; // its end may have been in what was not understood
    for (;;) {
        behind = (struct conf_place){reader->file, lex->end_line, lex->end_column};
        conf_lex_next(lex);
        struct conf_place place = token_place(reader);
        if (lex->token == CONF_BAD) {
            conf_error(reader->parse->problems, &place, "%s", lex->bad);
            conf_node_set_broken(node);
            conf_node_set_broken(target->node);
            bad = true;
        } else if (lex->token == CONF_SEMICOLON) {
            conf_lex_next(lex);
            return;
        } else if (lex->token == CONF_OPEN && block) {
            conf_lex_next(lex);
            parse_block(reader, &inside);
            return;
        } else if (lex->token == CONF_OPEN) {
            structure_error(reader, target, &place, "';'");
            skip_block(reader);
            return;
        } else if (block && begins_statement(reader, option->opens)) {
            structure_error(reader, &inside, &behind, "'{'");
            parse_block(reader, &inside);
            return;
        } else if (lex->token != CONF_WORD || begins_statement(reader, target->section)) {
            if (!bad)
                structure_error(reader, target, &behind, block ? "'{' or ';'" : "';'");
            return;
        } else {
            conf_node_add_arg(node, lex->word, &place);
        }
    }
}

static void parse_statement(struct reader *reader, const struct target *target)
{
    struct conf_lex *lex = &reader->lex;
    struct conf_place place = token_place(reader);
    if (lex->token == CONF_BAD) {
        conf_error(reader->parse->problems, &place, "%s", lex->bad);
        conf_node_set_broken(target->node);
        skip_statement(reader, target->section);
    } else if (lex->token == CONF_OPEN) {
        structure_error(reader, target, &place, "a word in front of it");
        skip_block(reader);
    } else {
        const struct conf_option *option = conf_option_find(target->section, lex->word);
        if (!option) {
            unknown_word(reader, target);
            return;
        }
        struct conf_node *node = conf_node_add(target->node, option->word, &place);
        parse_words(reader, target, option, node);
        if (option->type == CONF_TYPE_INCLUDE)
            parse_include(reader, node, target);
    }
}

// A directive of the file in the middle of a block: the '}' before it is missing.
static bool left_block(const struct reader *reader, const struct target *target)
{
    if (target->section == CONF_FILE || !begins_statement(reader, CONF_FILE))
        return false;
    return !conf_option_find(target->section, reader->lex.word);
}

// Statements up to the '}' of the block, or to the end of the file when the block was not opened in
// it.
static void parse_block(struct reader *reader, const struct target *target)
{
    struct conf_lex *lex = &reader->lex;
    bool opened = target->opened.line > 0;
    for (;;) {
        struct conf_place place = token_place(reader);
        if (lex->token == CONF_SEMICOLON) {
            conf_lex_next(lex); // behind a '}', or for nothing
        } else if (lex->token == CONF_CLOSE && opened) {
            conf_lex_next(lex);
            return;
        } else if (lex->token == CONF_CLOSE) {
            structure_error(reader, target, &place, "a '{' before it");
            conf_lex_next(lex);
        } else if (lex->token == CONF_END || (opened && left_block(reader, target))) {
            char expected[64];
            text_format(expected, sizeof(expected), "'}' for the %s of line %u",
                        conf_section_name(target->section), target->opened.line);
            if (opened)
                structure_error(reader, target, &place, expected);
            return;
        } else {
            parse_statement(reader, target);
        }
    }
}

static void parse_file(struct parse *parse, const char *path, const struct conf_place *from,
                       const struct target *target)
{
    struct bytes text;
    const char *why, *file;
    if (parse->depth == CONF_INCLUDE_DEPTH_MAX || parse->included == CONF_FILES_MAX) {
        conf_error(parse->problems, from,
                   "found an include %s, expected at most %d; does %s include "
                   "itself?",
                   parse->depth == CONF_INCLUDE_DEPTH_MAX ? "nested too deep" : "too many",
                   parse->depth == CONF_INCLUDE_DEPTH_MAX ? CONF_INCLUDE_DEPTH_MAX : CONF_FILES_MAX,
                   path);
        parse->problems->structure = true;
        return;
    }
    if (!conf_files_get(parse->files, path, &text, &file, &why)) {
        conf_error(parse->problems, from, "found file %s: %s, expected a file that can be read",
                   path, why);
        parse->problems->structure = true;
        return;
    }
    parse->depth++;
    parse->included++;
    struct reader reader = {.parse = parse, .file = file};
    struct target here = *target;
    here.opened.line = 0;
    if (text_ends(path, ".cfg") && target->section != CONF_FILE) {
        conf_error(parse->problems, from,
                   "found a .cfg file in a block, expected a file of statements");
    } else if (text_ends(path, ".cfg")) {
        conf_file_read_cfg(target->node, file, text, parse->problems);
    } else {
        conf_lex_init(&reader.lex, text);
        conf_lex_next(&reader.lex);
        parse_block(&reader, &here);
    }
    parse->depth--;
}

struct conf_tree *conf_parse(const struct conf_files *files, const char *path,
                             struct conf_problems *problems)
{
    struct conf_tree *tree = conf_tree_new();
    struct parse parse = {.files = files, .problems = problems};
    struct target root = {conf_tree_root(tree), CONF_FILE, {path, 0, 0}};
    struct conf_place place = {path, 0, 0};
    parse_file(&parse, path, &place, &root);
    return tree;
}

void conf_parse_includes(const char *path, struct bytes text,
                         void (*each)(void *arg, const char *pattern), void *arg)
{
    if (text_ends(path, ".cfg"))
        return;
    struct conf_lex lex;
    bool statement = true, include = false;
    conf_lex_init(&lex, text);
    while (conf_lex_next(&lex) != CONF_END) {
        if (lex.token != CONF_WORD) {
            statement = true;
            include = false;
        } else if ((statement || lex.line_start) && strcmp(lex.word, "include") == 0) {
            statement = false;
            include = true;
        } else {
            statement = false;
            if (include)
                each(arg, lex.word);
        }
    }
}
