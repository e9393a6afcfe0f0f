// SPDX-License-Identifier: MIT
// The table of close reasons.
#include "base/reason.h"

#include "base/ensure.h"

static const struct {
    const char *name;
    bool is_error;
    const char *text;
} reasons[REASON_COUNT] = {
#define REASON(id, name, is_error, text) [REASON_##id] = {name, is_error, text},
#include "base/reason.def"
#undef REASON
};

const char *reason_name(enum reason reason)
{
    ENSURE((unsigned)reason < REASON_COUNT);
    return reasons[reason].name;
}

const char *reason_text(enum reason reason)
{
    ENSURE((unsigned)reason < REASON_COUNT);
    return reasons[reason].text;
}

bool reason_is_error(enum reason reason)
{
    ENSURE((unsigned)reason < REASON_COUNT);
    return reasons[reason].is_error;
}
