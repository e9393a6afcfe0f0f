// SPDX-License-Identifier: MIT
// Plain values of a `source` line.
#include "cluster/source_conf.h"

#include <string.h>

#include "base/mem.h"

void source_conf_init(struct source_conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->host = mem_strdup("");
    conf->port = SOURCE_PORT_STANDARD;
    conf->prefix_in_url = mem_strdup("");
    stream_conf_init(&conf->defaults);
    conf->defaults.remote = true;
    conf->defaults.is_static = false;
}

static void names_free(char **names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        mem_free(names[i]);
    mem_free(names);
}

void source_conf_fini(struct source_conf *conf)
{
    mem_free(conf->host);
    mem_free(conf->prefix_in_url);
    mem_free(conf->cluster_key);
    names_free(conf->only, conf->only_count);
    names_free(conf->except, conf->except_count);
    stream_conf_fini(&conf->defaults);
    memset(conf, 0, sizeof(*conf));
}

static char **names_copy(char *const *names, unsigned count)
{
    if (count == 0)
        return NULL;
    char **copy = mem_alloc(count * sizeof(copy[0]));
    for (unsigned i = 0; i < count; i++)
        copy[i] = mem_strdup(names[i]);
    return copy;
}

void source_conf_copy(struct source_conf *to, const struct source_conf *from)
{
    *to = *from;
    to->host = mem_strdup(from->host);
    to->prefix_in_url = mem_strdup(from->prefix_in_url);
    to->cluster_key = from->cluster_key ? mem_strdup(from->cluster_key) : NULL;
    to->only = names_copy(from->only, from->only_count);
    to->except = names_copy(from->except, from->except_count);
    stream_conf_copy(&to->defaults, &from->defaults);
}

static bool names_equal(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++) {
        if (strcmp(a[i], b[i]) != 0)
            return false;
    }
    return true;
}

bool source_conf_equal(const struct source_conf *a, const struct source_conf *b)
{
    if (!a->cluster_key != !b->cluster_key ||
        (a->cluster_key && strcmp(a->cluster_key, b->cluster_key) != 0))
        return false;
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->m4s == b->m4s &&
           strcmp(a->prefix_in_url, b->prefix_in_url) == 0 && a->has_only == b->has_only &&
           names_equal(a->only, a->only_count, b->only, b->only_count) &&
           names_equal(a->except, a->except_count, b->except, b->except_count) &&
           stream_conf_equal(&a->defaults, &b->defaults);
}
