// SPDX-License-Identifier: MIT
// The folder's own interface: one RTSP input of a stream.
#ifndef RTSP_PRIV_H
#define RTSP_PRIV_H

#include "stream/protocol.h"

int rtsp_pull(const struct protocol_env *env, struct source *source);

#endif
