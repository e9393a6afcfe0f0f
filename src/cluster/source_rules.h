// SPDX-License-Identifier: MIT
// Which of another server's streams a `source` line takes, and how.
#ifndef CLUSTER_SOURCE_RULES_H
#define CLUSTER_SOURCE_RULES_H

#include "cluster/source_conf.h"

enum source_take { SOURCE_IGNORE, SOURCE_ON_DEMAND, SOURCE_KEEP };

// `except` beats `only`; names listed by `only` are kept running, all others are on demand.
enum source_take source_rules_take(const struct source_conf *conf, const char *name);

#endif
