// SPDX-License-Identifier: MIT
// The tree that both syntaxes give, held by libconfig (this module is its only user). A node is one
// statement: its words and, when it is a block, the statements inside by their first word. As
// libconfig writes it:
//
//   http = ( { args = [ "8888" ]; } );
//   stream = ( { args = [ "main" ]; input = ( { args = [ "fake://fake", "fps=10" ]; } ); } );
//
// Every statement and every word remembers its file, line and column. An alias is stored under its
// main word, so that `url` and `input` keep their common order.
#ifndef DAEMON_CONF_FILE_H
#define DAEMON_CONF_FILE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "conf_problem.h"

struct buf;
struct conf_tree;
struct conf_node;

struct conf_tree *conf_tree_new(void);
void conf_tree_free(struct conf_tree **tree); // every node goes with it; NULL is fine
struct conf_node *conf_tree_root(struct conf_tree *tree);
// The tree in libconfig's syntax. Contains secrets: for tests.
struct buf *conf_tree_print(struct conf_tree *tree);

// ---- building -----------------------------------------------------------------------------------
// A further statement of that word in a block. word: of conf_options. place->file is borrowed for
// the life of the tree.
struct conf_node *conf_node_add(struct conf_node *block, const char *word,
                                const struct conf_place *place);
void conf_node_add_arg(struct conf_node *node, const char *text, const struct conf_place *place);
// Something inside could not be read: the statement must not be used.
void conf_node_set_broken(struct conf_node *node);
// Reads a file in libconfig's own syntax into the root block. In it `name` stands for the words of
// a block; a scalar is a statement of one word, an array [..] a statement of several, a list (..)
// several statements. Columns are not known there (1).
void conf_file_read_cfg(struct conf_node *root, const char *file, struct bytes text,
                        struct conf_problems *problems);

// ---- reading ------------------------------------------------------------------------------------
// Statements of a word in a block, in the order of the file.
unsigned conf_node_count(const struct conf_node *block, const char *word);
const struct conf_node *conf_node_get(const struct conf_node *block, const char *word,
                                      unsigned number);
unsigned conf_node_args(const struct conf_node *node);
const char *conf_node_arg(const struct conf_node *node, unsigned number);
void conf_node_place(const struct conf_node *node, struct conf_place *place);
// Of a word; of the statement when it has no such word.
void conf_node_arg_place(const struct conf_node *node, unsigned number, struct conf_place *place);
bool conf_node_is_broken(const struct conf_node *node);

#endif
