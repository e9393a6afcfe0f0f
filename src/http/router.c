// SPDX-License-Identifier: MIT
// Routes, kept in the order of their worth, so that the first that matches is the one. Nearly all
// that do not match are told by the end of the path, before anything is compared in parts.
#include "router.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static bool ends_open(const char *pattern, size_t length)
{
    return pattern[0] == '/' && length > 2 && strcmp(pattern + length - 2, "/*") == 0;
}

static struct router_entry entry_of(const struct http_route *route, void *arg)
{
    const char *pattern = route->pattern;
    const char *star = strrchr(pattern, '*');
    struct router_entry entry = {.route = route, .arg = arg, .parts = 1};
    entry.ending = star ? star + 1 : pattern;
    entry.ending_length = (unsigned)strlen(entry.ending);
    entry.beginning = (unsigned)strcspn(pattern, "*");
    for (const char *at = pattern; *at; at++) {
        entry.literal += *at != '*';
        entry.parts += *at == '/';
    }
    return entry;
}

void router_add(struct router *router, const struct http_route *routes, void *arg)
{
    for (; routes && routes->pattern; routes++) {
        if (router->count == router->capacity) {
            router->capacity = router->capacity ? router->capacity * 2 : 32;
            router->entries =
                mem_resize(router->entries, router->capacity * sizeof(*router->entries));
        }
        struct router_entry entry = entry_of(routes, arg);
        size_t at = router->count++;
        for (; at > 0 && router->entries[at - 1].literal < entry.literal; at--)
            router->entries[at] = router->entries[at - 1];
        router->entries[at] = entry;
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
        if (!text_copy_n(a, sizeof(a), pattern, p) || !text_copy_n(b, sizeof(b), text, t) ||
            !text_glob(a, b))
            return false;
        if (!pattern[p] || !text[t])
            return !pattern[p] && !text[t];
        pattern += p + 1;
        text += t + 1;
    }
}

// Where the last `parts` components of path begin; NULL when nothing stands before them.
static const char *last_parts(const char *path, size_t length, unsigned parts)
{
    const char *at = path + length;
    while (at > path) {
        if (*--at == '/' && --parts == 0)
            return at > path ? at + 1 : NULL;
    }
    return NULL;
}

static bool entry_match(const struct router_entry *entry, const char *path, size_t length,
                        size_t *prefix_length, const char **tail)
{
    const char *pattern = entry->route->pattern;
    if (length < entry->ending_length ||
        memcmp(path + length - entry->ending_length, entry->ending, entry->ending_length) != 0)
        return false;
    if (pattern[0] != '/') {
        *tail = last_parts(path, length, entry->parts);
        if (!*tail || strncmp(*tail, pattern, entry->beginning) != 0)
            return false;
        // Without a star the beginning is all of it, and what is behind it was compared as ending.
        if (pattern[entry->beginning] ? !parts_match(pattern, *tail)
                                      : (*tail)[entry->beginning] != 0)
            return false;
        *prefix_length = (size_t)(*tail - path) - 2; // without both slashes
        return true;
    }
    size_t pattern_length = strlen(pattern);
    *prefix_length = 0;
    if (ends_open(pattern, pattern_length)) {
        *tail = path + pattern_length - 1;
        if (length < pattern_length || memcmp(path, pattern, pattern_length - 1) != 0)
            return false;
        *prefix_length = length - (pattern_length - 1);
        return true;
    }
    *tail = path + 1;
    return parts_match(pattern, path);
}

const struct router_entry *router_find(const struct router *router, const char *path,
                                       enum http_method method, size_t *prefix_length,
                                       const char **tail, unsigned *methods)
{
    size_t length = strlen(path);
    *methods = 0;
    for (size_t i = 0; i < router->count; i++) {
        const struct router_entry *entry = &router->entries[i];
        size_t prefix;
        const char *rest;
        if (!entry_match(entry, path, length, &prefix, &rest))
            continue;
        *methods |= entry->route->methods;
        if (!(entry->route->methods & method))
            continue;
        *prefix_length = prefix;
        *tail = rest;
        return entry;
    }
    return NULL;
}
