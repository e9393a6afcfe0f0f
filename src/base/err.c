// SPDX-License-Identifier: MIT
// Names of the result codes, for logs.
#include "base/err.h"

const char *err_name(int err)
{
    switch (err) {
    case 0:
        return "ok";
    case ERR_AGAIN:
        return "again";
    case ERR_INVALID:
        return "invalid";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_LIMIT:
        return "limit";
    case ERR_CLOSED:
        return "closed";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_AUTH:
        return "auth";
    case ERR_IO:
        return "io";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_EXISTS:
        return "exists";
    default:
        return "unknown";
    }
}
