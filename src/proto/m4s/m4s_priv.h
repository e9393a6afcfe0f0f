// SPDX-License-Identifier: MIT
#ifndef PROTO_M4S_PRIV_H
#define PROTO_M4S_PRIV_H

#include "stream/protocol.h"

int m4s_pull(const struct protocol_env *env, struct source *source);
int m4s_serve_init(const struct protocol_env *env);
void m4s_serve_fini(const struct protocol_env *env);

#endif
