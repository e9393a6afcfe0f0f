// SPDX-License-Identifier: MIT
// The descriptor of a protocol: one constant per folder of src/proto, listed in
// src/proto/protocols.def, installed at start. All but the name may be absent; what is absent the
// protocol does not do. `sluice --protocols` prints the matrix from these.
#ifndef STREAM_PROTOCOL_H
#define STREAM_PROTOCOL_H

#include "stream/conf.h"
#include "stream/source.h"

struct history;
struct http_route;
struct http_server;
struct link_hub;
struct loop;
struct protocol_env;
struct streams;

struct input_option_help {
    const char *name;  // NULL ends the table
    const char *value; // "320..3840", "udp|tcp", "seconds"
    const char *help;
};

struct protocol {
    const char *name;
    const char *help;       // one line
    const char *schemes[8]; // of inputs, without "://"; NULL ends
    const struct input_option_help *input_options;
    // Checks url and options of an input when the configuration is read. 0, or ERR_INVALID with a
    // sentence in why.
    int (*check)(const struct input_conf *input, char *why, size_t room);
    // Begins to pull: sets ops and engine with source_set_engine. Upward calls come in later turns.
    // An error (with the stream's retry) when it cannot even begin.
    int (*pull)(const struct protocol_env *env, struct source *source);
    // The past behind such an input, or NULL. name: of the stream here.
    struct history *(*history)(const struct protocol_env *env, const struct input_conf *input,
                               const char *stream_name);
    const struct http_route *routes; // handlers get the env as arg
    const char *route_help;          // for the matrix: "index.m3u8, archive-FROM-DUR.m3u8, ..."
    int (*init)(const struct protocol_env *env); // may register link services
    void (*fini)(const struct protocol_env *env);
};

// What protocols may use; lives as long as the server.
struct protocol_env {
    struct loop *loop;
    struct http_server *http;
    struct link_hub *links;
    struct streams *streams;
    const char *export_path; // folder in which files may be written, "" when none; may change
    const char *cluster_key; // current one, "" when none; changes with a reload
};

// table: NULL-terminated; borrowed for ever.
void protocols_install(const struct protocol *const *table);
const struct protocol *protocol_by_scheme(const char *scheme); // NULL when unknown
// Of an input's url; NULL with *why set when the url is broken or the scheme unknown. An url
// without scheme ("host:port/name") is m4f's.
const struct protocol *protocol_by_url(const char *url, const char **why);
const struct protocol *const *protocols_all(void);

#endif
