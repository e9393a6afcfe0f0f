// SPDX-License-Identifier: MIT
// The table of options: every word of the configuration, where it may stand, what it takes, its
// range and default. Reading, the dump, the manual (docs/CONFIG.md) and "did you mean" all come
// from this one table; a new option is one row.
#ifndef DAEMON_CONF_OPTION_H
#define DAEMON_CONF_OPTION_H

#include <stddef.h>
#include <stdint.h>

// Where a word may stand; bits.
enum conf_section { CONF_FILE = 1, CONF_STREAM = 2, CONF_TEMPLATE = 4, CONF_SOURCE = 8 };

enum conf_type {
    CONF_TYPE_FLAG,     // bool
    CONF_TYPE_DURATION, // int64_t microseconds; min and max in seconds
    CONF_TYPE_COUNT,    // unsigned
    CONF_TYPE_TEXT,     // char *, owned, NULL when absent
    CONF_TYPE_SECRET,   // the same; masked in the dump
    CONF_TYPE_LOGIN,    // char *, owned, "USER:PASSWORD", NULL when absent; masked in the dump
    CONF_TYPE_LEVEL,    // enum log_level
    CONF_TYPE_LISTEN,   // address and port
    CONF_TYPE_INPUT,    // URL and options of a protocol
    CONF_TYPE_DVR,      // struct dvr_conf
    CONF_TYPE_CACHE,    // struct cache_conf
    CONF_TYPE_ONLY,     // names
    CONF_TYPE_EXCEPT,   // names
    CONF_TYPE_USE,      // name of a template
    CONF_TYPE_INCLUDE,  // files
    CONF_TYPE_BLOCK,    // opens a section
};

// Which structure `offset` counts in.
enum conf_owner { CONF_OF_FILE, CONF_OF_STREAM, CONF_OF_SOURCE };

enum conf_option_flags {
    CONF_REPEAT = 1,  // may be given several times
    CONF_OFF = 2,     // a duration that may be `false`: never
    CONF_OFFLINE = 4, // an archive that is switched on by the API only
};

struct conf_option {
    const char *word;
    const char *alias; // an older word for the same, or NULL
    unsigned sections; // enum conf_section, where it may stand
    enum conf_type type;
    unsigned flags;          // enum conf_option_flags
    enum conf_section opens; // of a block
    enum conf_owner owner;
    size_t offset;
    int64_t min, max;     // FLAG and texts: unused
    const char *argument; // how it is written in the manual
    const char *standard; // the default, as written in a file; NULL: none
    const char *help;     // a sentence or two
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_count;

// The row of a word (or its alias) in a section; NULL when it is not known there.
const struct conf_option *conf_option_find(unsigned section, const char *word);
// "; did you mean 'x'?" among the words of the section, or "".
void conf_option_suggest(unsigned section, const char *word, char *out, size_t room);
// What a section is called in messages: "the file", "stream" ...
const char *conf_section_name(unsigned section);

#endif
