// SPDX-License-Identifier: MIT
// The configuration as plain values: what the file says, apart from live objects. Made from the
// tree (conf_file.h) through the table of options (conf_option.h); a reload compares two of them
// (apply.h).
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include "base/log.h"
#include "cluster/source_conf.h"
#include "conf_problem.h"
#include "stream/conf.h"

struct buf;
struct conf_files;
struct map;

struct conf_listen {
    char *host; // owned literal address without brackets; "" for all
    uint16_t port;
    struct conf_place at;
};

struct conf_stream {
    struct stream_conf conf; // remote is false; templates are applied
    struct conf_place at, dvr_at, cache_at;
};

struct conf_source {
    struct source_conf conf;
    struct conf_place at, dvr_at, cache_at;
};

struct conf {
    struct conf_listen *listen; // in the order of the file
    unsigned listen_count;
    char *export_path; // owned; NULL when there is none
    char *edit_auth;   // owned, "USER:PASSWORD"; NULL when there is none
    char *cluster_key; // owned; NULL when there is none
    enum log_level loglevel;
    struct conf_stream **stream; // without those whose lines are bad
    unsigned stream_count;
    struct conf_source **source;
    unsigned source_count;
    // What was left out because of its own lines: a reload does not touch what runs of it.
    char **bad_stream; // owned names
    unsigned bad_stream_count;
    bool bad_listen, bad_key, bad_source;
    struct map *files; // names of files, owned here for the places
};

// Reads the configuration that begins with `path` out of files. Always gives a configuration: what
// is wrong is listed in problems and left out. The protocols must be installed.
struct conf *conf_read(const struct conf_files *files, const char *path,
                       struct conf_problems *problems);
void conf_free(struct conf **conf); // NULL is fine
// Frees a stream that has left conf->stream and remembers its name among the bad ones.
void conf_leave_out(struct conf *conf, struct conf_stream *stream);

// ---- archive paths ------------------------------------------------------------------------------
// Whether they can be found or made is asked of the disk, apart from the rest because it may wait.
struct conf_paths {
    struct conf_path {
        char *path;         // owned
        bool mounted;       // the word of its line: it must be
        bool usable, waits; // waits: for its file system to be mounted
        bool silent;        // its disk has not answered: what it is like shows later
        _Atomic bool answered;
        char why[128];
    } * item;
    size_t count;
};
// The different paths of dvr and cache lines of conf without those that `known` (may be NULL) uses
// already.
void conf_paths_init(struct conf_paths *paths, const struct conf *conf, const struct conf *known);
void conf_paths_fini(struct conf_paths *paths);
// Asks the disk. Touches nothing else: may run in a worker thread.
void conf_paths_check(struct conf_paths *paths);
// What is known by now while conf_paths_check is still at work: paths without an answer are silent.
void conf_paths_answered(const struct conf_paths *paths, struct conf_paths *out);
// Leaves out the streams and sources whose dvr has paths of which none can be used. A cache that
// cannot be used is said, and is no reason to leave anything out.
void conf_paths_apply(const struct conf_paths *paths, struct conf *conf,
                      struct conf_problems *problems);

// ---- printing -----------------------------------------------------------------------------------
// The effective configuration in the dialect, every option written out, secrets masked.
struct buf *conf_dump(const struct conf *conf);
// docs/CONFIG.md, from the table of options.
struct buf *conf_help(void);

#endif
