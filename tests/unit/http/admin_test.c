// SPDX-License-Identifier: MIT
// Who may change something.
#include "http/http.h"

#include <arpa/inet.h>

#include "base/text.h"
#include "http_client.h"
#include "http_priv.h"
#include "loop_fixture.h"
#include "unit.h"

struct site {
    struct loop *loop;
    struct http_server *server;
    struct http_client client;
    const char *from; // address the request seems to come from; NULL: as it is
};

static void handle(void *arg, struct http_request *request)
{
    struct site *site = arg;
    struct buf *none = NULL;
    if (site->from && strchr(site->from, ':')) {
        request->peer.v6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, site->from, &request->peer.v6.sin6_addr), 1);
    } else if (site->from) {
        request->peer.v4.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, site->from, &request->peer.v4.sin_addr), 1);
    }
    if (http_may_change(request))
        http_respond(request, 204, NULL, &none);
}

static const struct http_route routes[] = {{"/change", HTTP_GET | HTTP_POST, handle}, {0}};

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

static int ask(struct site *site, const char *from, const char *lines)
{
    site->from = from;
    return http_client_get(&site->client, "/change", lines);
}

#define ELSEWHERE "192.0.2.7"
#define ADMIN "Authorization: Basic YWRtaW46czNjciA6dA==\r\n" // admin:s3cr :t

static void http_may_change_without_an_admin_is_for_this_machine(void **state)
{
    (void)state;
    struct site *site = site_open();
    assert_int_equal(ask(site, NULL, ""), 204);
    assert_int_equal(ask(site, "127.9.9.9", ""), 204);
    assert_int_equal(ask(site, "::1", ""), 204);
    assert_int_equal(ask(site, ELSEWHERE, ""), 403);
    assert_int_equal(ask(site, "2001:db8::1", ""), 403);
    assert_int_equal(ask(site, ELSEWHERE, ADMIN), 403);
    assert_int_equal(ask(site, ELSEWHERE, "Authorization: Basic Og==\r\n"), 403);
    // Pages in a browser here, and a proxy that speaks for somebody.
    assert_int_equal(ask(site, NULL, "Origin: http://127.0.0.1\r\n"), 403);
    assert_int_equal(ask(site, NULL, "Sec-Fetch-Site: same-origin\r\n"), 403);
    assert_int_equal(ask(site, NULL, "Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_int_equal(ask(site, NULL, "Sec-Fetch-Site: none\r\n"), 204);
    assert_int_equal(ask(site, NULL, "X-Forwarded-For: 192.0.2.7\r\n"), 403);
    assert_int_equal(ask(site, NULL, "Forwarded: for=192.0.2.7\r\n"), 403);
    http_server_set_admin(site->server, "");
    assert_int_equal(ask(site, ELSEWHERE, "Authorization: Basic \r\n"), 403);
    site_close(site);
}

static void http_may_change_takes_the_admin_from_anywhere(void **state)
{
    (void)state;
    struct site *site = site_open();
    http_server_set_admin(site->server, "admin:s3cr :t");
    assert_int_equal(ask(site, ELSEWHERE, ADMIN), 204);
    assert_int_equal(ask(site, ELSEWHERE, "Authorization: basic  YWRtaW46czNjciA6dA\r\n"), 204);
    assert_int_equal(ask(site, NULL, ""), 204);
    assert_int_equal(ask(site, NULL, "X-Forwarded-For: 192.0.2.7\r\n" ADMIN), 204);
    static const char *const wrong[] = {
        "",
        "Authorization: Basic YWRtaW46czNjciA6dQ==\r\n", // admin:s3cr :u
        "Authorization: Basic YWRtaW46czNjciA6\r\n",     // cut short
        "Authorization: Basic YWRtaW46czNjciA6dHQ=\r\n", // and longer
        "Authorization: Basic Og==\r\n",
        "Authorization: Basic ***\r\n",
        "Authorization: Basic\r\n",
        "Authorization: Bearer YWRtaW46czNjciA6dA==\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ask(site, ELSEWHERE, wrong[i]), 401);
        assert_non_null(strstr(http_client_header(&site->client, "WWW-Authenticate"), "Basic"));
    }
    char lines[1200] = "Authorization: Basic ";
    for (unsigned i = 0; i < 1000; i++)
        text_append(lines, sizeof lines, "A");
    text_append(lines, sizeof lines, "\r\n");
    assert_int_equal(ask(site, ELSEWHERE, lines), 401);
    // A page of this server's own, and those of others in the admin's browser.
    assert_int_equal(ask(site, ELSEWHERE, "Origin: http://test\r\n" ADMIN), 204);
    assert_int_equal(ask(site, ELSEWHERE, "Sec-Fetch-Site: same-origin\r\n" ADMIN), 204);
    assert_int_equal(ask(site, ELSEWHERE, "Origin: http://evil.example\r\n" ADMIN), 403);
    assert_int_equal(ask(site, ELSEWHERE, "Origin: null\r\n" ADMIN), 403);
    assert_int_equal(ask(site, ELSEWHERE, "Sec-Fetch-Site: cross-site\r\n" ADMIN), 403);
    assert_int_equal(ask(site, NULL, "Sec-Fetch-Site: cross-site\r\n" ADMIN), 403);
    // Taken away by a reload.
    http_server_set_admin(site->server, NULL);
    assert_int_equal(ask(site, ELSEWHERE, ADMIN), 403);
    site_close(site);
}

TEST_MAIN(TEST(http_may_change_without_an_admin_is_for_this_machine),
          TEST(http_may_change_takes_the_admin_from_anywhere))
