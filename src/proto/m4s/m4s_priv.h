// SPDX-License-Identifier: MIT
#ifndef PROTO_M4S_PRIV_H
#define PROTO_M4S_PRIV_H

#include "stream/protocol.h"

struct m4s_place {
    char host[256];
    uint16_t port;
    char name[STREAM_NAME_MAX];
};
// Of m4s://host:port/name. ERR_INVALID with a sentence in *why.
MUST_USE int m4s_place_parse(const char *url, struct m4s_place *out, const char **why);

int m4s_pull(const struct protocol_env *env, struct source *source);
int m4s_serve_init(const struct protocol_env *env);
void m4s_serve_fini(const struct protocol_env *env);

#endif
