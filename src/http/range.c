// SPDX-License-Identifier: MIT
#include "range.h"

#include <stdbool.h>
#include <string.h>

static bool number(const char **at, uint64_t *out)
{
    const char *begin = *at;
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (value > UINT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(**at - '0');
    }
    *out = value;
    return *at != begin;
}

enum range_result range_parse(const char *header, uint64_t length, uint64_t *first, uint64_t *count)
{
    uint64_t from, to = UINT64_MAX;
    *first = 0;
    *count = length;
    if (!header || strncmp(header, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    const char *at = header + 6;
    if (*at == '-') { // the last so many
        at++;
        if (!number(&at, &from) || *at)
            return RANGE_WHOLE;
        if (from == 0 || length == 0)
            return RANGE_UNSATISFIABLE;
        *count = from < length ? from : length;
        *first = length - *count;
        return RANGE_PART;
    }
    if (!number(&at, &from) || *at++ != '-')
        return RANGE_WHOLE;
    if (*at && (!number(&at, &to) || *at || to < from))
        return RANGE_WHOLE;
    if (from >= length)
        return RANGE_UNSATISFIABLE;
    *first = from;
    *count = (to < length - 1 ? to : length - 1) - from + 1;
    return RANGE_PART;
}
