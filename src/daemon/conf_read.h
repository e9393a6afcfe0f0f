// SPDX-License-Identifier: MIT
// One block of the tree to the fields of its structures: the types of the table of options.
#ifndef DAEMON_CONF_READ_H
#define DAEMON_CONF_READ_H

#include "conf.h"
#include "conf_file.h"
#include "conf_option.h"

struct conf_reading {
    struct conf *conf;
    struct conf_problems *problems;
    struct map *templates; // by name
};

// What the fields of a block belong to; NULL where there is none.
struct conf_owners {
    struct conf *file;
    struct stream_conf *stream;
    struct source_conf *source;
    struct conf_place *dvr_at, *cache_at; // where these lines stand
    bool skip_inputs;
};

// Reads every option of the block that may stand in the section (of a template applied to a source:
// what a source knows too).
void conf_read_options(struct conf_reading *reading, const struct conf_node *block,
                       unsigned section, const struct conf_owners *owners);
// The only word behind the first one; NULL with the problem reported.
const char *conf_read_one_arg(struct conf_reading *reading, const struct conf_node *node,
                              const char *expected);
// A problem at the n-th word of a statement, or at the statement when it has no such word.
void conf_read_error(struct conf_reading *reading, const struct conf_node *node, unsigned number,
                     const char *format, ...) PRINTF_LIKE(4, 5);

#endif
