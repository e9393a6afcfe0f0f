// SPDX-License-Identifier: MIT
// The grammar of the configuration dialect: tokens to the tree of conf_file.h.
//
//   statement = word { word } ( ";" | "{" { statement } "}" )
//
// Words are checked against the table of options here, because recovery needs to know them: a
// missing ';' or '}' is found where the next line begins with a known word, and costs one
// statement.
#ifndef DAEMON_CONF_PARSE_H
#define DAEMON_CONF_PARSE_H

#include "base/bytes.h"
#include "conf_file.h"

struct conf_files;

// An included file may include others so deep.
enum { CONF_INCLUDE_DEPTH_MAX = 16 };

// The file at path and all it includes, out of files. A path that ends in ".cfg" is in libconfig's
// own syntax. Always gives a tree; what is wrong is listed in problems and marked as broken in it.
struct conf_tree *conf_parse(const struct conf_files *files, const char *path,
                             struct conf_problems *problems);
// Calls each for every path that a text includes, as written; for the one who fetches them.
void conf_parse_includes(const char *path, struct bytes text,
                         void (*each)(void *arg, const char *pattern), void *arg);

#endif
