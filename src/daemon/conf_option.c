// SPDX-License-Identifier: MIT
// The one table of options.
//
// 1. A word has one row per meaning; `template` has two: the block, and its use in a stream.
// 2. `standard` is what stream_conf_init and conf_read begin with (tests/unit/daemon/conf_test.c
//    reads each default back).
#include "conf_option.h"

#include <string.h>

#include "conf.h"

#define IN_STREAMS (CONF_STREAM | CONF_TEMPLATE)
#define IN_STREAM_LIKE (CONF_STREAM | CONF_TEMPLATE | CONF_SOURCE)
#define ANYWHERE (CONF_FILE | CONF_STREAM | CONF_TEMPLATE | CONF_SOURCE)
#define OF_FILE(field) CONF_OF_FILE, offsetof(struct conf, field)
#define OF_STREAM(field) CONF_OF_STREAM, offsetof(struct stream_conf, field)
#define OF_SOURCE(field) CONF_OF_SOURCE, offsetof(struct source_conf, field)
#define NOWHERE CONF_OF_FILE, 0

// word, alias, sections, type, flags, opens, owner and offset, min, max,
// argument, standard, help
const struct conf_option conf_options[] = {
    {"http", NULL, CONF_FILE, CONF_TYPE_LISTEN, CONF_REPEAT, 0, NOWHERE, 1, 65535,
     "PORT | ADDRESS:PORT | [ADDRESS]:PORT", NULL,
     "Listens for players, the API and other servers. A port alone listens on all addresses, IPv6 "
     "and IPv4. May be given several times."},
    {"cluster_key", NULL, CONF_FILE, CONF_TYPE_SECRET, 0, 0, OF_FILE(cluster_key), 1, 256, "KEY",
     NULL,
     "The secret that servers prove to each other before one brings the other's streams. The key "
     "itself never crosses the wire. Without it no other server is let in."},
    {"edit_auth", NULL, CONF_FILE, CONF_TYPE_LOGIN, 0, 0, OF_FILE(edit_auth), 0, 0, "USER PASSWORD",
     NULL,
     "Who may change something by the API (archives, recording, exports) from another machine, by "
     "HTTP Basic. Without it, and without a password always, only this machine itself may."},
    {"export_path", NULL, CONF_FILE, CONF_TYPE_TEXT, 0, 0, OF_FILE(export_path), 1, 512, "PATH",
     NULL,
     "The folder below which stretches of archives may be exported to files, by who may change "
     "something: see `edit_auth`. Without it nothing is exported."},
    {"loglevel", NULL, CONF_FILE, CONF_TYPE_LEVEL, 0, 0, OF_FILE(loglevel), 0, 0,
     "error | warn | info | debug", "info", "The least important lines that are logged."},
    {"include", NULL, ANYWHERE, CONF_TYPE_INCLUDE, CONF_REPEAT, 0, NOWHERE, 0, 0, "FILE...", NULL,
     "Reads other files in this place. A path is relative to the file it stands in; `*` in the "
     "last part takes all files that fit, in the order of their names, and may fit none."},
    {"stream", NULL, CONF_FILE, CONF_TYPE_BLOCK, CONF_REPEAT, CONF_STREAM, NOWHERE, 0, 0,
     "NAME { ... }", NULL, "A stream. See below."},
    {"template", NULL, CONF_FILE, CONF_TYPE_BLOCK, CONF_REPEAT, CONF_TEMPLATE, NOWHERE, 0, 0,
     "NAME { ... }", NULL, "Options that several streams or sources share. See below."},
    {"source", NULL, CONF_FILE, CONF_TYPE_BLOCK, CONF_REPEAT, CONF_SOURCE, NOWHERE, 0, 0,
     "[m4s://|m4f://]HOST:PORT[/PREFIX] ... [{ ... }]", NULL,
     "Brings the streams of another server. See below."},

    {"input", "url", IN_STREAMS, CONF_TYPE_INPUT, CONF_REPEAT, 0, NOWHERE, 0, 0,
     "URL [KEY=VALUE]...", NULL,
     "Where the stream comes from. Several lines are alternatives, the best first: when one is "
     "lost the next takes over, and the better one takes back on a key frame. `sluice --protocols` "
     "lists the schemes and their options."},
    {"dvr", NULL, IN_STREAM_LIKE, CONF_TYPE_DVR, 0, 0, OF_STREAM(dvr), 0, 0,
     "PATH... [DEPTH] [PERCENT] [SIZE] [free=SIZE] [sync=TIME] [schedule=FROM-TO,...] [mounted]",
     NULL,
     "Records into PATH/NAME. Of several paths (at most 4) the first that works is recorded to, "
     "and "
     "all are read. DEPTH (`7d`, `10h`) limits the age, PERCENT (`90%`, 97 % unless said) the fill "
     "of the disk, SIZE (`10G`) the size of this stream, `free=20G` is kept free on the disk; the "
     "oldest goes first. `sync=` (1 second to 1 hour, 10 s unless said) is what a power cut may "
     "take. `schedule=8:00-16:00,22-1:30` records in these spans of the UTC day only. `mounted`: "
     "each path must lie on a file system that is mounted for it. The order is free, but of the "
     "paths."},
    {"dvr_offline", NULL, IN_STREAM_LIKE, CONF_TYPE_DVR, CONF_OFFLINE, 0, OF_STREAM(dvr), 0, 0,
     "PATH... [as of dvr]", NULL,
     "As `dvr`, but nothing is recorded until it is switched on by the API: what is there can be "
     "played."},
    {"cache", NULL, IN_STREAM_LIKE, CONF_TYPE_CACHE, 0, 0, OF_STREAM(cache), 0, 0,
     "PATH [DEPTH] [SIZE]", NULL,
     "Keeps segments that other servers gave for a request into the past, so that a second look "
     "costs no uplink. DEPTH (`2d`) is for how long after they were fetched, SIZE (`400G`) how "
     "much "
     "of all streams that name this PATH; what was fetched first goes first. A cache is no "
     "archive: "
     "what the other server deletes is not listed any more."},
    {"segment_duration", NULL, IN_STREAM_LIKE, CONF_TYPE_DURATION, 0, 0,
     OF_STREAM(segment_duration_us), 1, 15, "SECONDS", "4",
     "The length of a segment; it ends with the next key frame."},
    {"segment_count", NULL, IN_STREAM_LIKE, CONF_TYPE_COUNT, 0, 0, OF_STREAM(segment_count), 1,
     STREAM_SEGMENT_COUNT_MAX, "NUMBER", "4",
     "How many segments the live playlist lists. A stream of another sluice lists as many as it "
     "does there."},
    {"static", NULL, IN_STREAMS, CONF_TYPE_FLAG, 0, 0, OF_STREAM(is_static), 0, 0, "[true|false]",
     "true", "Runs all the time. `static false;`: on demand, while somebody watches."},
    {"clients_timeout", NULL, IN_STREAM_LIKE, CONF_TYPE_DURATION, 0, 0,
     OF_STREAM(clients_timeout_us), 1, 86400, "SECONDS", "60",
     "How long an on-demand stream runs on after its last viewer."},
    {"source_timeout", NULL, IN_STREAM_LIKE, CONF_TYPE_DURATION, CONF_OFF, 0,
     OF_STREAM(source_timeout_us), 1, 86400, "SECONDS | false", "60",
     "An input that brings no frame for so long is lost. `false`: never."},
    {"title", NULL, IN_STREAMS, CONF_TYPE_TEXT, 0, 0, OF_STREAM(title), 0, 256, "TEXT", NULL,
     "What people call the stream."},
    {"disabled", NULL, IN_STREAMS, CONF_TYPE_FLAG, 0, 0, OF_STREAM(disabled), 0, 0, "[true|false]",
     "false", "Keeps the lines and does not run the stream."},
    {"template", NULL, CONF_STREAM | CONF_SOURCE, CONF_TYPE_USE, 0, 0, NOWHERE, 0, 0, "NAME", NULL,
     "Begins with the options of that template; what is said here wins, wherever the line stands. "
     "Inputs are taken over when there is none here."},
    {"only", NULL, CONF_SOURCE, CONF_TYPE_ONLY, 0, 0, NOWHERE, 0, 0, "[NAME | PREFIX/*]...", NULL,
     "The streams named here are kept running; all others are on demand. Without names, and "
     "without this line: everything is on demand."},
    {"except", NULL, CONF_SOURCE, CONF_TYPE_EXCEPT, 0, 0, NOWHERE, 0, 0, "[NAME | PREFIX/*]...",
     NULL, "The streams named here are not brought, whatever `only` says."},
    {"cluster_key", NULL, CONF_SOURCE, CONF_TYPE_SECRET, 0, 0, OF_SOURCE(cluster_key), 1, 256,
     "KEY", NULL, "The key of that server, when it differs from the global one."},
};
const size_t conf_option_count = sizeof(conf_options) / sizeof(conf_options[0]);

const struct conf_option *conf_option_find(unsigned section, const char *word)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *option = &conf_options[i];
        if ((option->sections & section) && (strcmp(option->word, word) == 0 ||
                                             (option->alias && strcmp(option->alias, word) == 0)))
            return option;
    }
    return NULL;
}

void conf_option_suggest(unsigned section, const char *word, char *out, size_t room)
{
    struct conf_nearest nearest = {.word = word};
    for (size_t i = 0; i < conf_option_count; i++) {
        if (conf_options[i].sections & section)
            conf_nearest_try(&nearest, conf_options[i].word);
        if ((conf_options[i].sections & section) && conf_options[i].alias)
            conf_nearest_try(&nearest, conf_options[i].alias);
    }
    conf_nearest_print(&nearest, out, room);
}

const char *conf_section_name(unsigned section)
{
    switch (section) {
    case CONF_STREAM:
        return "stream";
    case CONF_TEMPLATE:
        return "template";
    case CONF_SOURCE:
        return "source";
    default:
        return "the file";
    }
}
