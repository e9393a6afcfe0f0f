// SPDX-License-Identifier: MIT
// What a handler sees of a request, and the answers given without one.
#include "http/http.h"

#include "base/text.h"
#include "base/writer.h"
#include "http_client.h"
#include "loop_fixture.h"
#include "unit.h"

struct site {
    struct loop *loop;
    struct http_server *server;
    struct http_client client;
    char seen[512];
};

static void handle(void *arg, struct http_request *request)
{
    struct site *site = arg;
    char value[64] = "-";
    http_query_get(request, "q", value, sizeof(value));
    const char *agent = http_header(request, "User-Agent");
    text_format(site->seen, sizeof(site->seen),
                "%d path=%s prefix=%s tail=%s query=%s q=%s "
                "agent=%s client=%s",
                http_method(request), http_path(request), http_prefix(request), http_tail(request),
                http_query(request), value, agent ? agent : "-", http_client(request));
    assert_ptr_equal(http_loop(request), site->loop);
    assert_true(address_port(http_peer(request)) != 0);
    struct buf *none = NULL;
    http_respond(request, 200, NULL, &none);
}

static const struct http_route routes[] = {
    {"x.m3u8", HTTP_GET, handle},
    {"/api/*", HTTP_GET | HTTP_PUT | HTTP_DELETE, handle},
    {"/own", HTTP_OPTIONS | HTTP_POST, handle},
    {NULL, 0, NULL},
};

static struct site *site_open(void)
{
    static struct site site;
    memset(&site, 0, sizeof(site));
    site.loop = loop_fixture_new();
    site.server = http_server_new(site.loop);
    http_server_add_routes(site.server, routes, &site);
    assert_int_equal(http_server_listen(site.server, "127.0.0.1", 0), 0);
    http_client_open(&site.client, site.loop, http_server_port(site.server));
    return &site;
}

static void site_close(struct site *site)
{
    http_client_close(&site->client);
    http_server_free(&site->server);
    loop_fixture_free(&site->loop);
}

static void http_request_handler_sees_its_parts(void **state)
{
    (void)state;
    struct site *site = site_open();
    assert_int_equal(http_client_get(&site->client, "/a/b%20c/x.m3u8?q=1%2B1+2&r", ""), 200);
    assert_string_equal(site->seen, "1 path=/a/b c/x.m3u8 prefix=a/b c tail=x.m3u8 "
                                    "query=q=1%2B1+2&r q=1+1 2 agent=- client=127.0.0.1");
    assert_int_equal(http_client_get(&site->client, "/api/s/1", "User-Agent: t\r\n"), 200);
    assert_string_equal(site->seen, "1 path=/api/s/1 prefix=s/1 tail=s/1 query= q=- agent=t "
                                    "client=127.0.0.1");
    site_close(site);
}

static void http_request_absolute_form_is_understood(void **state)
{
    (void)state;
    struct site *site = site_open();
    assert_int_equal(http_client_get(&site->client, "http://other:80/api/k?q=v", ""), 200);
    assert_non_null(strstr(site->seen, "path=/api/k prefix=k tail=k query=q=v"));
    assert_int_equal(http_client_get(&site->client, "http://other", ""), 404);
    site_close(site);
}

static void http_request_bad_addresses_are_400(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/a/%/x.m3u8",      "/a/%zz/x.m3u8", "/a/%00/x.m3u8", "/a/%0a/x.m3u8", "/a/../x.m3u8",
        "/a/%2e%2e/x.m3u8", "/./x.m3u8",     "/a/..",         "/a/.",          "*",
        "ftp://a/b",        "/a/%7f/x.m3u8",
    };
    struct site *site = site_open();
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (http_client_get(&site->client, paths[i], "") != 400)
            fail_msg("%s: %d", paths[i], site->client.status);
        assert_string_equal(http_client_header(&site->client, "Content-Type"), "application/json");
    }
    assert_string_equal(site->seen, "");
    // These are names like others.
    assert_int_equal(http_client_get(&site->client, "/..a/.b./x.m3u8", ""), 200);
    assert_int_equal(http_client_get(&site->client, "/.../x.m3u8", ""), 200);
    site_close(site);
}

static void http_request_unknown_path_is_404(void **state)
{
    (void)state;
    struct site *site = site_open();
    assert_int_equal(http_client_get(&site->client, "/nothing/here", ""), 404);
    assert_string_equal(
        site->client.body,
        "{\"error\":\"not_found\",\"reason\":\"there is nothing at this address\"}\n");
    site_close(site);
}

static void http_request_other_method_is_405_with_allow(void **state)
{
    (void)state;
    struct site *site = site_open();
    http_client_ask(&site->client, "POST", "/api/a", "Content-Length: 0\r\n");
    assert_int_equal(http_client_wait(&site->client, false), 405);
    assert_string_equal(http_client_header(&site->client, "Allow"),
                        "OPTIONS, GET, HEAD, PUT, DELETE");
    http_client_ask(&site->client, "PATCH", "/api/a", "Content-Length: 0\r\n");
    assert_int_equal(http_client_wait(&site->client, false), 501);
    http_client_ask(&site->client, "DELETE", "/api/a", "");
    assert_int_equal(http_client_wait(&site->client, false), 200);
    assert_non_null(strstr(site->seen, "16 path=/api/a"));
    site_close(site);
}

static void http_request_options_is_answered_for_browsers(void **state)
{
    (void)state;
    struct site *site = site_open();
    http_client_ask(&site->client, "OPTIONS", "/main/x.m3u8",
                    "Origin: http://b\r\nAccess-Control-Request-Method: GET\r\n");
    assert_int_equal(http_client_wait(&site->client, false), 204);
    assert_string_equal(http_client_header(&site->client, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(http_client_header(&site->client, "Access-Control-Allow-Methods"),
                        "OPTIONS, GET, HEAD");
    assert_non_null(
        strstr(http_client_header(&site->client, "Access-Control-Allow-Headers"), "Range"));
    assert_null(http_client_header(&site->client, "Content-Length"));
    http_client_ask(&site->client, "OPTIONS", "*", "");
    assert_int_equal(http_client_wait(&site->client, false), 204);
    http_client_ask(&site->client, "OPTIONS", "/nowhere", "");
    assert_int_equal(http_client_wait(&site->client, false), 404);
    assert_string_equal(site->seen, "");
    http_client_ask(&site->client, "OPTIONS", "/own", ""); // this route answers itself
    assert_int_equal(http_client_wait(&site->client, false), 200);
    assert_non_null(strstr(site->seen, "32 path=/own"));
    site_close(site);
}

static void http_request_head_is_seen_as_get(void **state)
{
    (void)state;
    struct site *site = site_open();
    http_client_ask(&site->client, "HEAD", "/main/x.m3u8", "");
    assert_int_equal(http_client_wait(&site->client, true), 200);
    assert_non_null(strstr(site->seen, "1 path=/main/x.m3u8"));
    site_close(site);
}

TEST_MAIN(TEST(http_request_handler_sees_its_parts), TEST(http_request_absolute_form_is_understood),
          TEST(http_request_bad_addresses_are_400), TEST(http_request_unknown_path_is_404),
          TEST(http_request_other_method_is_405_with_allow),
          TEST(http_request_options_is_answered_for_browsers),
          TEST(http_request_head_is_seen_as_get))
