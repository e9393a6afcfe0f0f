// SPDX-License-Identifier: MIT
#include "router.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static unsigned count_parts(const char *text)
{
    unsigned parts = 1;
    for (; *text; text++)
        parts += *text == '/';
    return parts;
}

void router_add(struct router *router, const struct http_route *routes, void *arg)
{
    for (; routes && routes->pattern; routes++) {
        if (router->count == router->capacity) {
            router->capacity = router->capacity ? router->capacity * 2 : 32;
            router->entries =
                mem_resize(router->entries, router->capacity * sizeof *router->entries);
        }
        struct router_entry *entry = &router->entries[router->count++];
        *entry = (struct router_entry){
            .route = routes, .arg = arg, .parts = count_parts(routes->pattern)};
        for (const char *at = routes->pattern; *at; at++)
            entry->literal += *at != '*';
    }
}

void router_fini(struct router *router)
{
    mem_free(router->entries);
    *router = (struct router){0};
}

// A star of a pattern does not cross a '/': the components are compared one by one.
static bool parts_match(const char *pattern, const char *text)
{
    char a[128], b[256];
    for (;;) {
        size_t p = strcspn(pattern, "/"), t = strcspn(text, "/");
        if (!text_copy_n(a, sizeof a, pattern, p) || !text_copy_n(b, sizeof b, text, t) ||
            !text_glob(a, b))
            return false;
        if (!pattern[p] || !text[t])
            return !pattern[p] && !text[t];
        pattern += p + 1;
        text += t + 1;
    }
}

// Where the last `parts` components of path begin; NULL when there are not more than those.
static const char *last_parts(const char *path, unsigned parts)
{
    const char *at = path + strlen(path);
    while (at > path)
        if (*--at == '/' && --parts == 0)
            return at > path ? at + 1 : NULL; // something must stand before: the name
    return NULL;
}

static bool entry_match(const struct router_entry *entry, const char *path, size_t *prefix_length,
                        const char **tail)
{
    const char *pattern = entry->route->pattern;
    size_t length = strlen(pattern);
    *prefix_length = 0;
    if (pattern[0] != '/') {
        *tail = last_parts(path, entry->parts);
        if (!*tail || !parts_match(pattern, *tail))
            return false;
        *prefix_length = (size_t)(*tail - path) - 2; // without both slashes
        return true;
    }
    if (length > 2 && strcmp(pattern + length - 2, "/*") == 0) {
        if (strncmp(path, pattern, length - 1) != 0 || !path[length - 1])
            return false;
        *tail = path + length - 1;
        *prefix_length = strlen(*tail);
        return true;
    }
    *tail = path + 1;
    return strcmp(pattern, path) == 0;
}

const struct router_entry *router_find(const struct router *router, const char *path,
                                       enum http_method method, size_t *prefix_length,
                                       const char **tail, unsigned *methods)
{
    const struct router_entry *best = NULL;
    *methods = 0;
    for (size_t i = 0; i < router->count; i++) {
        const struct router_entry *entry = &router->entries[i];
        size_t length;
        const char *rest;
        if (!entry_match(entry, path, &length, &rest))
            continue;
        *methods |= entry->route->methods;
        if (!(entry->route->methods & method) || (best && best->literal >= entry->literal))
            continue;
        best = entry;
        *prefix_length = length;
        *tail = rest;
    }
    return best;
}
