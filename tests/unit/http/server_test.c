// SPDX-License-Identifier: MIT
// Connections of the server: keep-alive, pipelining, limits, clients that go away.
#include "http/http.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/writer.h"
#include "http_client.h"
#include "io/conn.h"
#include "loop_fixture.h"
#include "unit.h"

struct site {
    struct loop *loop;
    struct http_server *server;
    struct http_request *waiting; // of /wait, not answered yet
    int asked, gone;
    int tls_descriptor;
    char order[256];
};

static void handle_echo(void *arg, struct http_request *request)
{
    struct site *site = arg;
    site->asked++;
    struct writer writer = {0};
    writer_printf(&writer, "%s|%s|%s", http_prefix(request), http_tail(request),
                  http_query(request));
    struct bytes body = http_body(request);
    if (body.length) {
        writer_text(&writer, "|");
        writer_bytes(&writer, body.data, body.length);
    }
    struct buf *buf = writer_take(&writer);
    http_respond(request, 200, "text/plain", &buf);
}

static void on_gone(void *arg)
{
    struct site *site = arg;
    site->gone++;
    site->waiting = NULL;
}

static void handle_wait(void *arg, struct http_request *request)
{
    struct site *site = arg;
    site->asked++;
    site->waiting = request;
    http_on_gone(request, on_gone, site);
}

static void answer(struct site *site, const char *text)
{
    struct buf *buf = buf_new_copy(text, strlen(text));
    struct http_request *request = site->waiting;
    site->waiting = NULL;
    http_respond(request, 200, "text/plain", &buf);
}

static void handle_big(void *arg, struct http_request *request)
{
    struct site *site = arg;
    site->asked++;
    struct buf *buf = buf_new(300000);
    memset(buf->data, 'x', 300000);
    buf->length = 300000;
    http_respond(request, 200, "video/mp2t", &buf);
}

static const struct http_route routes[] = {
    {"echo", HTTP_GET | HTTP_POST, handle_echo},
    {"wait", HTTP_GET, handle_wait},
    {"big", HTTP_GET, handle_big},
    {NULL, 0, NULL},
};

static void site_open(struct site *site, struct loop *loop)
{
    memset(site, 0, sizeof(*site));
    site->tls_descriptor = -1;
    site->loop = loop;
    site->server = http_server_new(loop);
    http_server_add_routes(site->server, routes, site);
    assert_int_equal(http_server_listen(site->server, "127.0.0.1", 0), 0);
}

static void site_close(struct site *site)
{
    http_server_free(&site->server);
    loop_fixture_free(&site->loop);
}

static void http_server_keep_alive_answers_many_on_one_connection(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(http_client_get(&client, "/a/b/echo?x=1", ""), 200);
        assert_string_equal(client.body, "a/b|echo|x=1");
        assert_null(http_client_header(&client, "Connection"));
    }
    const struct http_stats *stats = http_server_stats(site.server);
    assert_int_equal(stats->requests, 10);
    assert_int_equal(stats->connections, 1);
    assert_int_equal(stats->connections_total, 1);
    assert_int_equal(stats->status[2], 10);
    assert_int_equal(stats->bytes_out, client.end.got_length);
    http_client_close(&client);
    while (http_server_stats(site.server)->connections)
        loop_turn(site.loop, true);
    site_close(&site);
}

static void http_server_connection_close_is_kept(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /a/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /a/echo HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n",
        "GET /a/echo HTTP/1.0\r\n\r\n",
    };
    struct site site;
    site_open(&site, loop_fixture_new());
    for (size_t i = 0; i < 3; i++) {
        struct http_client client;
        http_client_open(&client, site.loop, http_server_port(site.server));
        http_client_send(&client, requests[i]);
        assert_int_equal(http_client_wait(&client, false), 200);
        assert_string_equal(http_client_header(&client, "Connection"), "close");
        LOOP_UNTIL(site.loop, client.end.ended);
        assert_int_equal(http_client_rest(&client), 0);
        http_client_close(&client);
    }
    struct http_client client;
    http_client_open(&client, site.loop, http_server_port(site.server));
    for (int i = 0; i < 2; i++) {
        http_client_send(&client, "GET /a/echo HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        assert_int_equal(http_client_wait(&client, false), 200);
        assert_string_equal(http_client_header(&client, "Connection"), "keep-alive");
    }
    http_client_close(&client);
    site_close(&site);
}

static void http_server_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_ask(&client, "GET", "/1/echo", "");
    http_client_ask(&client, "GET", "/2/wait", "");
    http_client_ask(&client, "GET", "/3/echo", "");
    http_client_send(&client, "POST /4/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    http_client_send(&client, "\r\nGET /5/echo HTTP/1.1\r\nHost: x\r\n\r\n"); // after an empty line
    assert_int_equal(http_client_wait(&client, false), 200);
    assert_string_equal(client.body, "1|echo|");
    LOOP_UNTIL(site.loop, site.waiting);
    for (int i = 0; i < 5; i++)
        loop_turn(site.loop, false);
    assert_int_equal(site.asked, 2); // the third waits for the second
    answer(&site, "late");
    assert_int_equal(http_client_wait(&client, false), 200);
    assert_string_equal(client.body, "late");
    http_client_wait(&client, false);
    assert_string_equal(client.body, "3|echo|");
    http_client_wait(&client, false);
    assert_string_equal(client.body, "4|echo||body");
    http_client_wait(&client, false);
    assert_string_equal(client.body, "5|echo|");
    http_client_close(&client);
    site_close(&site);
}

// Many requests for much, by a client that does not read: neither answers nor requests pile up.
static void http_server_pipelining_without_reading_is_bounded(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    conn_pause(client.end.conn, true);
    for (int i = 0; i < 500; i++)
        http_client_ask(&client, "GET", "/a/big", "");
    for (int i = 0; i < 200; i++)
        loop_turn(site.loop, false);
    assert_true(site.asked < 40); // what sockets and one full queue hold
    conn_pause(client.end.conn, false);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(http_client_wait(&client, false), 200);
        assert_int_equal(client.body_length, 300000);
        // What was taken is of no more use: the test would hold 150 MB.
        client.end.got_length -= client.at;
        memmove(client.end.got, client.end.got + client.at, client.end.got_length);
        client.at = 0;
    }
    assert_int_equal(site.asked, 500);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_request_byte_by_byte_is_read(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    static const char text[] = "POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char one[2] = {text[i], 0};
        http_client_send(&client, one);
        loop_turn(site.loop, true);
        loop_turn(site.loop, false);
    }
    assert_int_equal(http_client_wait(&client, false), 200);
    assert_string_equal(client.body, "a|echo||hello");
    http_client_close(&client);
    site_close(&site);
}

static void http_server_client_closed_while_waiting_answer_goes_nowhere(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_ask(&client, "GET", "/a/wait", "");
    LOOP_UNTIL(site.loop, site.waiting);
    http_client_close(&client);
    for (int i = 0; i < 5; i++)
        loop_turn(site.loop, false);
    // It may have ended its direction only: that shows when it is written to.
    assert_int_equal(site.gone, 0);
    answer(&site, "to nobody");
    LOOP_UNTIL(site.loop, http_server_stats(site.server)->connections == 0);
    site_close(&site);
}

static void http_server_half_closed_client_gets_its_answers(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_ask(&client, "GET", "/a/wait", "");
    http_client_ask(&client, "GET", "/b/echo", "");
    http_client_send(&client, "GET /unfin");
    LOOP_UNTIL(site.loop, site.waiting);
    // Ends its own direction only. conn_finish would also stop listening.
    struct conn_end *end = &client.end;
    int descriptor = -1;
    uint16_t port = address_port(conn_local(end->conn));
    for (int i = 3; i < 64; i++) {
        struct sockaddr_in name;
        socklen_t length = sizeof(name);
        if (getsockname(i, (struct sockaddr *)&name, &length) == 0 && ntohs(name.sin_port) == port)
            descriptor = i;
    }
    assert_true(descriptor >= 0);
    assert_int_equal(shutdown(descriptor, SHUT_WR), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(site.loop, false);
    assert_int_equal(site.gone, 0);
    answer(&site, "still here");
    assert_int_equal(http_client_wait(&client, false), 200);
    assert_string_equal(client.body, "still here");
    assert_string_equal(http_client_header(&client, "Connection"), "close");
    LOOP_UNTIL(site.loop, client.end.ended);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_reset_while_waiting_calls_on_gone(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    conn_pause(client.end.conn, true);
    http_client_ask(&client, "GET", "/a/echo", ""); // its answer stays unread: closing resets
    http_client_ask(&client, "GET", "/a/wait", "");
    LOOP_UNTIL(site.loop, site.waiting);
    for (int i = 0; i < 3; i++)
        loop_turn(site.loop, false);
    http_client_close(&client);
    LOOP_UNTIL(site.loop, site.gone == 1);
    assert_null(site.waiting);
    LOOP_UNTIL(site.loop, http_server_stats(site.server)->connections == 0);
    site_close(&site);
}

static void http_server_bad_head_is_answered_and_closed(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_send(&client, "GET /a/echo HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n"
                              "GET /smuggled/echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_client_wait(&client, false), 400);
    assert_string_equal(client.body,
                        "{\"error\":\"bad_request\",\"reason\":\"a CR without LF\"}\n");
    assert_string_equal(http_client_header(&client, "Connection"), "close");
    LOOP_UNTIL(site.loop, client.end.ended);
    assert_int_equal(http_client_rest(&client), 0);
    assert_int_equal(site.asked, 0);
    assert_int_equal(http_server_stats(site.server)->bad_heads, 1);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_head_too_large_is_431(void **state)
{
    (void)state;
    static char lines[HTTP_HEAD_MAX + 100];
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    memset(lines, 'x', sizeof(lines) - 1);
    http_client_send(&client, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
    http_client_send(&client, lines); // no end of the head in sight
    assert_int_equal(http_client_wait(&client, false), 431);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_expect_continue_is_answered_before_the_body(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_send(&client, "POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
                              "Expect: 100-continue\r\n\r\n");
    assert_int_equal(http_client_wait(&client, true), 100);
    http_client_send(&client, "abc");
    loop_turn(site.loop, true);
    http_client_send(&client, "def");
    assert_int_equal(http_client_wait(&client, false), 200);
    assert_string_equal(client.body, "a|echo||abcdef");
    http_client_close(&client);
    site_close(&site);
}

// ---- time --------------------------------------------------------------------------------------

// Real sockets under a clock that the test moves.
static void pass(struct site *site, int64_t us)
{
    for (int i = 0; i < 20; i++)
        loop_turn(site->loop, false);
    loop_fixture_run(site->loop, us);
    for (int i = 0; i < 20; i++)
        loop_turn(site->loop, false);
}

static void http_server_slow_head_is_408(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new_virtual());
    http_client_open(&client, site.loop, http_server_port(site.server));
    int seconds = 0;
    while (client.end.got_length == 0 && seconds++ < 30) { // a byte a second does not help
        http_client_send(&client, "G");
        pass(&site, US_PER_S);
    }
    assert_in_range(seconds, HTTP_HEAD_TIMEOUT_US / US_PER_S - 1,
                    HTTP_HEAD_TIMEOUT_US / US_PER_S + 1);
    assert_int_equal(http_client_wait(&client, false), 408);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_idle_connection_is_closed(void **state)
{
    (void)state;
    struct site site;
    struct http_client fresh, used;
    site_open(&site, loop_fixture_new_virtual());
    http_client_open(&fresh, site.loop, http_server_port(site.server));
    http_client_open(&used, site.loop, http_server_port(site.server));
    assert_int_equal(http_client_get(&used, "/a/echo", ""), 200);
    pass(&site, HTTP_HEAD_TIMEOUT_US + US_PER_S); // the fresh one never asked
    assert_int_equal(fresh.end.ended, 1);
    assert_int_equal(used.end.ended, 0);
    pass(&site, HTTP_IDLE_TIMEOUT_US - HTTP_HEAD_TIMEOUT_US - 5 * US_PER_S);
    assert_int_equal(used.end.ended, 0);
    pass(&site, 10 * US_PER_S);
    assert_int_equal(used.end.ended, 1);
    assert_int_equal(http_client_rest(&used), 0);
    http_client_close(&fresh);
    http_client_close(&used);
    site_close(&site);
}

static void http_server_handler_may_take_long(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new_virtual());
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_ask(&client, "GET", "/a/wait", "");
    pass(&site, 300 * US_PER_S);
    assert_non_null(site.waiting);
    answer(&site, "at last");
    assert_int_equal(http_client_wait(&client, false), 200);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_client_that_takes_nothing_is_closed(void **state)
{
    (void)state;
    struct site site;
    struct http_client client;
    site_open(&site, loop_fixture_new_virtual());
    http_client_open(&client, site.loop, http_server_port(site.server));
    conn_pause(client.end.conn, true);
    for (int i = 0; i < 60; i++)
        http_client_ask(&client, "GET", "/a/big", "");
    pass(&site, HTTP_SEND_TIMEOUT_US - US_PER_S);
    assert_int_equal(http_server_stats(site.server)->connections, 1);
    pass(&site, 2 * US_PER_S);
    assert_int_equal(http_server_stats(site.server)->connections, 0);
    http_client_close(&client);
    site_close(&site);
}

// ---- listeners ---------------------------------------------------------------------------------

static void take_tls(void *arg, int descriptor, const struct address *from)
{
    struct site *site = arg;
    assert_int_equal(from->any.sa_family, AF_INET);
    site->tls_descriptor = descriptor;
}

static void http_server_tls_hello_is_given_away_untouched(void **state)
{
    (void)state;
    struct site site;
    struct http_client client, plain;
    site_open(&site, loop_fixture_new());
    http_server_on_tls(site.server, take_tls, &site);
    http_client_open(&client, site.loop, http_server_port(site.server));
    http_client_send(&client, "\x16\x03\x01hello");
    LOOP_UNTIL(site.loop, site.tls_descriptor >= 0);
    char text[16] = "";
    assert_int_equal(read(site.tls_descriptor, text, sizeof(text)), 8);
    assert_string_equal(text, "\x16\x03\x01hello");
    assert_int_equal(client.end.ended, 0);
    close(site.tls_descriptor);
    LOOP_UNTIL(site.loop, http_server_stats(site.server)->connections == 0);
    http_client_open(&plain, site.loop, http_server_port(site.server));
    assert_int_equal(http_client_get(&plain, "/a/echo", ""), 200);
    http_client_close(&client);
    http_client_close(&plain);
    site_close(&site);
}

static void http_server_unlisten_keeps_connections(void **state)
{
    (void)state;
    struct site site;
    struct http_client client, late;
    site_open(&site, loop_fixture_new());
    uint16_t port = http_server_port(site.server);
    http_client_open(&client, site.loop, port);
    assert_int_equal(http_server_listen(site.server, "127.0.0.1", port), ERR_IO);
    http_server_unlisten(site.server, "127.0.0.1", 1); // not there
    assert_int_equal(http_client_get(&client, "/a/echo", ""), 200);
    http_server_unlisten(site.server, "127.0.0.1", 0); // as it was asked for
    assert_int_equal(http_server_port(site.server), 0);
    assert_int_equal(http_client_get(&client, "/a/echo", ""), 200);
    http_client_open(&late, site.loop, port);
    assert_int_equal(late.end.closed, 1);
    assert_int_equal(late.end.reason, REASON_REFUSED);
    http_client_close(&late);
    http_client_close(&client);
    site_close(&site);
}

static void http_server_free_closes_all_and_tells_waiting_handlers(void **state)
{
    (void)state;
    struct site site;
    struct http_client idle, waiting;
    site_open(&site, loop_fixture_new());
    http_client_open(&idle, site.loop, http_server_port(site.server));
    http_client_open(&waiting, site.loop, http_server_port(site.server));
    http_client_ask(&waiting, "GET", "/a/wait", "");
    LOOP_UNTIL(site.loop, site.waiting);
    http_server_free(&site.server);
    LOOP_UNTIL(site.loop, idle.end.ended && waiting.end.ended);
    assert_int_equal(site.gone, 1);
    http_client_close(&idle);
    http_client_close(&waiting);
    site_close(&site);
}

TEST_MAIN(TEST(http_server_keep_alive_answers_many_on_one_connection),
          TEST(http_server_connection_close_is_kept),
          TEST(http_server_pipelined_requests_are_answered_in_order),
          TEST(http_server_pipelining_without_reading_is_bounded),
          TEST(http_server_request_byte_by_byte_is_read),
          TEST(http_server_client_closed_while_waiting_answer_goes_nowhere),
          TEST(http_server_half_closed_client_gets_its_answers),
          TEST(http_server_reset_while_waiting_calls_on_gone),
          TEST(http_server_bad_head_is_answered_and_closed),
          TEST(http_server_head_too_large_is_431),
          TEST(http_server_expect_continue_is_answered_before_the_body),
          TEST(http_server_slow_head_is_408), TEST(http_server_idle_connection_is_closed),
          TEST(http_server_handler_may_take_long),
          TEST(http_server_client_that_takes_nothing_is_closed),
          TEST(http_server_tls_hello_is_given_away_untouched),
          TEST(http_server_unlisten_keeps_connections),
          TEST(http_server_free_closes_all_and_tells_waiting_handlers))
