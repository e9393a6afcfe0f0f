// SPDX-License-Identifier: MIT
// Finds the route of a path; see struct http_route for the patterns.
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/http.h"

struct router {
    struct router_entry {
        const struct http_route *route;
        void *arg;
        const char *ending; // of the pattern, after its last star: the quick test
        unsigned ending_length;
        unsigned beginning; // characters of the pattern before its first star
        unsigned parts;     // components of the pattern
        unsigned literal;   // characters that are not stars: the more, the better
    } * entries;            // best first
    size_t count, capacity;
};

void router_add(struct router *router, const struct http_route *routes, void *arg);
void router_fini(struct router *router);
// The best route for a decoded path that has the method, or NULL. prefix_length: characters of path
// (after its first '/', or of *tail for a pattern that ends in "/*") that are the prefix; tail:
// where in path the rest begins. methods: of all routes that match; 0 when none does.
const struct router_entry *router_find(const struct router *router, const char *path,
                                       enum http_method method, size_t *prefix_length,
                                       const char **tail, unsigned *methods);

#endif
