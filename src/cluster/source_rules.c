// SPDX-License-Identifier: MIT
#include "source_rules.h"

#include <string.h>

#include "base/text.h"

static bool listed(char *const *list, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (text_glob(list[i], name))
            return true;
    return false;
}

enum source_take source_rules_take(const struct source_conf *conf, const char *name)
{
    if (conf->prefix_in_url && conf->prefix_in_url[0]) {
        size_t length = strlen(conf->prefix_in_url);
        if (!text_starts(name, conf->prefix_in_url) ||
            (conf->prefix_in_url[length - 1] != '/' && name[length] != '/' && name[length]))
            return SOURCE_IGNORE;
    }
    if (listed(conf->except, conf->except_count, name))
        return SOURCE_IGNORE;
    return listed(conf->only, conf->only_count, name) ? SOURCE_KEEP : SOURCE_ON_DEMAND;
}
