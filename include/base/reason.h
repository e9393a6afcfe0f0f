// SPDX-License-Identifier: MIT
// Why something closed, was lost or refused. Logs, metrics and the API show the same name.
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include <stdbool.h>

enum reason {
#define REASON(id, name, is_error, text) REASON_##id,
#include "base/reason.def"
#undef REASON
    REASON_COUNT
};

const char *reason_name(enum reason reason); // "peer_closed"
const char *reason_text(enum reason reason); // "the other side closed the connection"
bool reason_is_error(enum reason reason);

#endif
