// SPDX-License-Identifier: MIT
// The live objects of one server, made in order and taken down in order, and what a configuration
// does to them.
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "conf.h"
#include "conf_load.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "stream/protocol.h"
#include "stream/stream.h"

struct archives;
struct caches;
struct cluster;
struct http_server;
struct link_hub;

// An address the HTTP server listens at.
struct server_listen {
    char *host;
    uint16_t port;
};

struct server {
    struct loop *loop;
    struct http_server *http;
    struct link_hub *links;
    struct streams *streams;
    struct archives *archives;
    struct caches *caches;
    struct cluster *cluster;
    struct protocol_env env; // borrowed by everything above
    struct streams_watch watch;
    struct conf *conf; // in effect; NULL before the first
    char *conf_path;   // owned
    char *export_path; // owned, what env.export_path points to
    char *cluster_key; // owned, what env.cluster_key points to
    struct server_listen *listen;
    unsigned listen_count;
    int64_t started_us, started_utc_us; // monotonic and UTC
    // Of the last configuration that was read, for the API.
    size_t conf_errors;
    char *conf_error; // owned; its first line, NULL when there is none
    unsigned reloads;
    struct conf_load *load;     // a reload under way, or NULL
    bool load_again;            // SIGHUP came meanwhile
    struct kept_search *search; // under way, or NULL
    bool ending;
};

// Everything but the configuration. The protocols must be installed.
struct server *server_new(struct loop *loop, const char *conf_path);
// Stops inputs, writes what the archive holds in memory (for at most flush_us), says goodbye to the
// other servers. Turns the loop for at most a second for what is on its way out. Frees.
void server_free(struct server **server, int64_t flush_us);
// Puts a configuration into effect (takes it): what is different from what runs is changed, nothing
// else is touched. At start conf is whatever could be read; a reload is refused here when its
// structure is broken. What goes wrong is added to problems and everything in it is logged.
void server_apply(struct server *server, struct conf **conf, struct conf_problems *problems);
// Reads the file again and applies it, in later turns.
void server_reload(struct server *server);

// ---- apply.c
// -------------------------------------------------------------------------------------- The three
// parts of server_apply that change live objects.
void apply_streams(struct server *server, const struct conf *conf);
// A stream of which only the archive is there; nothing when there is one of that name.
void apply_kept(struct server *server, const struct stream_conf *kept);
void apply_sources(struct server *server, const struct conf *conf);
void apply_listen(struct server *server, const struct conf *conf, struct conf_problems *problems);

#endif
