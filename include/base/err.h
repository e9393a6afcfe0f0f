// SPDX-License-Identifier: MIT
// Result codes. A function that can fail for a reason outside the program returns int: 0, or one
// of these. A value and an error never share a return. Such functions carry MUST_USE.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
    ERR_AGAIN = -1,       // not yet: more bytes, or a later turn, are needed
    ERR_INVALID = -2,     // the bytes break the format or the protocol
    ERR_UNSUPPORTED = -3, // legal, but this program does not do it
    ERR_LIMIT = -4,       // a bound of base/limits.h was met
    ERR_CLOSED = -5,      // the other side is gone
    ERR_TIMEOUT = -6,
    ERR_AUTH = -7,
    ERR_IO = -8, // the operating system refused; errno says why where it was just set
    ERR_NOT_FOUND = -9,
    ERR_CANCELLED = -10,
    ERR_EXISTS = -11,
};

// A short constant word for an error, for logs ("timeout"); "ok" for 0, "unknown" otherwise.
const char *err_name(int err);

#endif
