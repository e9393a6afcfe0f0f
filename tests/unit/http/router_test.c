// SPDX-License-Identifier: MIT
#include "router.h"

#include "unit.h"

static void handle(void *arg, struct http_request *request)
{
    (void)arg;
    (void)request;
}

static const struct http_route routes[] = {
    {"*.m3u8", HTTP_GET, handle},
    {"index.m3u8", HTTP_GET, handle},
    {"archive-*-*.m3u8", HTTP_GET, handle},
    {"archive-*-now.m3u8", HTTP_GET, handle},
    {"*/*/*/*.ts", HTTP_GET, handle},
    {"mpegts", HTTP_GET, handle},
    {"/", HTTP_GET, handle},
    {"/metrics", HTTP_GET, handle},
    {"/streamer/api/v3/streams", HTTP_GET, handle},
    {"/streamer/api/v3/streams/*", HTTP_GET, handle},
    {"/streamer/api/v3/streams/*", HTTP_PUT, handle},
    {NULL, 0, NULL},
};

static void router_find_best_route_prefix_and_tail(void **state)
{
    (void)state;
    static const struct {
        const char *path, *pattern, *prefix, *tail;
    } cases[] = {
        {"/main/index.m3u8", "index.m3u8", "main", "index.m3u8"},
        {"/a/b/c/index.m3u8", "index.m3u8", "a/b/c", "index.m3u8"},
        {"/main/other.m3u8", "*.m3u8", "main", "other.m3u8"},
        {"/main/archive-1-2.m3u8", "archive-*-*.m3u8", "main", "archive-1-2.m3u8"},
        {"/main/archive-1-now.m3u8", "archive-*-now.m3u8", "main", "archive-1-now.m3u8"},
        {"/main/archive-1.m3u8", "*.m3u8", "main", "archive-1.m3u8"},
        {"/cam/1/2026/11/23/x.ts", "*/*/*/*.ts", "cam/1", "2026/11/23/x.ts"},
        {"/main/mpegts", "mpegts", "main", "mpegts"},
        {"/", "/", "", ""},
        {"/metrics", "/metrics", "", "metrics"},
        {"/streamer/api/v3/streams", "/streamer/api/v3/streams", "", "streamer/api/v3/streams"},
        {"/streamer/api/v3/streams/a/b", "/streamer/api/v3/streams/*", "a/b", "a/b"},
        {"/index.m3u8", NULL, NULL, NULL}, // no name before it
        {"//index.m3u8", "index.m3u8", "", "index.m3u8"},
        {"/main/xindex.m3u8x", NULL, NULL, NULL},
        {"/main/xmpegts", NULL, NULL, NULL},
        {"/2026/11/23/x.ts", NULL, NULL, NULL},
        {"/x/metrics", NULL, NULL, NULL},
        {"/streamer/api/v3/streamsx", NULL, NULL, NULL},
        {"/main/", NULL, NULL, NULL},
    };
    struct router router = {0};
    router_add(&router, routes, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length;
        const char *tail;
        unsigned methods;
        const struct router_entry *found =
            router_find(&router, cases[i].path, HTTP_GET, &length, &tail, &methods);
        if (!cases[i].pattern) {
            if (found || methods)
                fail_msg("%s matched %s", cases[i].path, found ? found->route->pattern : "?");
            continue;
        }
        if (!found || strcmp(found->route->pattern, cases[i].pattern) != 0)
            fail_msg("%s matched %s", cases[i].path, found ? found->route->pattern : "nothing");
        assert_string_equal(tail, cases[i].tail);
        assert_int_equal(length, strlen(cases[i].prefix));
        const char *prefix = found->route->pattern[0] == '/' ? tail : cases[i].path + 1;
        assert_memory_equal(prefix, cases[i].prefix, length);
    }
    router_fini(&router);
}

static void router_find_other_method_tells_what_there_is(void **state)
{
    (void)state;
    struct router router = {0};
    size_t length;
    const char *tail;
    unsigned methods;
    router_add(&router, routes, NULL);
    assert_null(
        router_find(&router, "/streamer/api/v3/streams/a", HTTP_DELETE, &length, &tail, &methods));
    assert_int_equal(methods, HTTP_GET | HTTP_PUT);
    assert_non_null(
        router_find(&router, "/streamer/api/v3/streams/a", HTTP_PUT, &length, &tail, &methods));
    assert_null(router_find(&router, "/nowhere", HTTP_PUT, &length, &tail, &methods));
    assert_int_equal(methods, 0);
    router_fini(&router);
}

static void router_add_twice_keeps_both_tables(void **state)
{
    (void)state;
    static const struct http_route more[] = {{"/late", HTTP_GET, handle}, {NULL, 0, NULL}};
    int first, second;
    struct router router = {0};
    size_t length;
    const char *tail;
    unsigned methods;
    for (int i = 0; i < 10; i++) // more than the first room
        router_add(&router, routes, &first);
    router_add(&router, more, &second);
    assert_ptr_equal(router_find(&router, "/late", HTTP_GET, &length, &tail, &methods)->arg,
                     &second);
    assert_ptr_equal(router_find(&router, "/", HTTP_GET, &length, &tail, &methods)->arg, &first);
    router_fini(&router);
}

TEST_MAIN(TEST(router_find_best_route_prefix_and_tail),
          TEST(router_find_other_method_tells_what_there_is),
          TEST(router_add_twice_keeps_both_tables))
