// SPDX-License-Identifier: MIT
#include "stream/protocol.h"

#include <string.h>

#include "base/ensure.h"
#include "base/url_parse.h"

static const struct protocol *const none[] = {NULL};
static const struct protocol *const *installed = none;

void protocols_install(const struct protocol *const *table)
{
    installed = table ? table : none;
}

const struct protocol *const *protocols_all(void)
{
    return installed;
}

const struct protocol *protocol_by_scheme(const char *scheme)
{
    for (const struct protocol *const *it = installed; *it; it++)
        for (unsigned i = 0; i < 8 && (*it)->schemes[i]; i++)
            if (strcmp((*it)->schemes[i], scheme) == 0)
                return *it;
    return NULL;
}

const struct protocol *protocol_by_url(const char *url, const char **why)
{
    struct url parsed;
    if (url_parse(url, &parsed, why) != 0)
        return NULL;
    const struct protocol *found = protocol_by_scheme(parsed.scheme[0] ? parsed.scheme : "m4f");
    if (!found)
        *why = "no protocol has this scheme";
    return found;
}
