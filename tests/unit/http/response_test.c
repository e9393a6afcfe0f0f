// SPDX-License-Identifier: MIT
// Answers: whole, in part, compressed, piece by piece, and connections given away.
#include "http/http.h"

#include <zlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http_client.h"
#include "io/conn.h"
#include "loop_fixture.h"
#include "unit.h"

enum { BODY = 100000 };

// A body made piece by piece: byte i is (i * 7) & 255.
struct piecewise {
    struct http_request *request;
    int64_t length;      // -1: unknown, TOTAL bytes
    size_t piece;        // bytes of one write
    uint64_t at, end;    // of the part asked for
    uint64_t stop_after; // ends early there; 0: not
    uint64_t abort_after;
    int proceeds, stops;
};

struct site {
    struct loop *loop;
    struct http_server *server;
    struct http_client client;
    const char *type, *etag;
    size_t text_length;
    struct piecewise piecewise;
    struct conn *taken;
    bool own_later; // the new owner takes its time
    int taken_closed;
};

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 7);
}

static struct buf *body_of(uint64_t from, size_t length)
{
    struct buf *buf = buf_new(length);
    for (size_t i = 0; i < length; i++)
        buf->data[i] = byte_at(from + i);
    buf->length = length;
    return buf;
}

static bool is_body(const struct http_client *client, uint64_t from, size_t length)
{
    if (client->body_length != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((uint8_t)client->body[i] != byte_at(from + i))
            return false;
    }
    return true;
}

static void handle_chain(void *arg, struct http_request *request)
{
    struct site *site = arg;
    struct chain chain = {0};
    for (size_t at = 0; at < BODY; at += BODY / 10) {
        struct buf *buf = body_of(at, BODY / 10);
        chain_take(&chain, &buf);
    }
    if (site->etag)
        http_set_header(request, "ETag", site->etag);
    http_respond_chain(request, 200, "video/mp2t", &chain);
    assert_int_equal(chain.count, 0);
}

static void handle_text(void *arg, struct http_request *request)
{
    struct site *site = arg;
    struct buf *buf = buf_new(site->text_length);
    memset(buf->data, 'x', site->text_length);
    buf->length = site->text_length;
    if (site->etag)
        http_set_header(request, "ETag", site->etag);
    http_set_header(request, "X-Split", "a\r\nX-Evil: b");
    http_set_header(request, "X-Own", "yes");
    http_respond(request, 200, site->type, &buf);
    assert_null(buf);
}

static void handle_error(void *arg, struct http_request *request)
{
    (void)arg;
    http_set_header(request, "ETag", "\"of the thing itself\"");
    http_respond_error(request, 503, NULL);
}

static void handle_redirect(void *arg, struct http_request *request)
{
    (void)arg;
    http_redirect(request, 302, "/other/place");
}

static void proceed(void *arg, struct http_request *request)
{
    struct piecewise *piecewise = arg;
    piecewise->proceeds++;
    bool more = true;
    while (more && piecewise->at < piecewise->end) {
        uint64_t left = piecewise->end - piecewise->at;
        size_t piece = left < piecewise->piece ? (size_t)left : piecewise->piece;
        struct chain chain = {0};
        struct buf *buf = body_of(piecewise->at, piece);
        chain_take(&chain, &buf);
        piecewise->at += piece;
        more = http_body_write(request, &chain);
        if (piecewise->stop_after && piecewise->at >= piecewise->stop_after)
            break;
        if (piecewise->abort_after && piecewise->at >= piecewise->abort_after) {
            http_body_abort(request);
            return;
        }
    }
    if (piecewise->length < 0 ? piecewise->at == piecewise->end
                              : piecewise->stop_after && piecewise->at >= piecewise->stop_after)
        http_body_end(request);
}

static void stop(void *arg)
{
    struct piecewise *piecewise = arg;
    piecewise->stops++;
    piecewise->request = NULL;
}

static void handle_pieces(void *arg, struct http_request *request)
{
    static const struct http_body body = {.proceed = proceed, .stop = stop};
    struct site *site = arg;
    struct piecewise *piecewise = &site->piecewise;
    uint64_t first, count;
    piecewise->request = request;
    piecewise->proceeds = piecewise->stops = 0;
    if (site->etag)
        http_set_header(request, "ETag", site->etag);
    http_respond_stream(request, "video/mp4", piecewise->length, &body, piecewise, &first, &count);
    assert_int_equal(piecewise->proceeds, 0);
    assert_int_equal(piecewise->stops, 0);
    piecewise->at = first;
    piecewise->end = piecewise->length < 0 ? BODY : first + count;
    assert_true(piecewise->length >= 0 || count == UINT64_MAX || count == 0);
}

static void on_taken_closed(void *arg, enum reason reason)
{
    (void)reason;
    struct site *site = arg;
    site->taken = NULL;
    site->taken_closed++;
}

static const struct conn_events events = {.on_closed = on_taken_closed};

static void handle_live(void *arg, struct http_request *request)
{
    struct site *site = arg;
    site->taken = http_take_over(request, "video/mp2t");
    if (site->taken && !site->own_later)
        conn_set_events(site->taken, &events, site);
}

static const struct http_route routes[] = {
    {"/chain", HTTP_GET, handle_chain},
    {"/text", HTTP_GET, handle_text},
    {"/error", HTTP_GET, handle_error},
    {"/pieces", HTTP_GET, handle_pieces},
    {"/redirect", HTTP_GET, handle_redirect},
    {"/live", HTTP_GET, handle_live},
    {NULL, 0, NULL},
};

static struct site *site_open(struct loop *loop)
{
    static struct site site;
    memset(&site, 0, sizeof(site));
    site.loop = loop;
    site.server = http_server_new(loop);
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

static void http_respond_chain_whole_and_ranges(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    struct http_client *client = &site->client;
    assert_int_equal(http_client_get(client, "/chain", ""), 200);
    assert_true(is_body(client, 0, BODY));
    assert_string_equal(http_client_header(client, "Accept-Ranges"), "bytes");
    assert_string_equal(http_client_header(client, "Content-Length"), "100000");
    assert_int_equal(http_client_get(client, "/chain", "Range: bytes=15000-24999\r\n"), 206);
    assert_true(is_body(client, 15000, 10000));
    assert_string_equal(http_client_header(client, "Content-Range"), "bytes 15000-24999/100000");
    assert_int_equal(http_client_get(client, "/chain", "Range: bytes=-1\r\n"), 206);
    assert_true(is_body(client, 99999, 1));
    assert_int_equal(http_client_get(client, "/chain", "Range: bytes=100000-\r\n"), 416);
    assert_string_equal(http_client_header(client, "Content-Range"), "bytes */100000");
    assert_non_null(strstr(client->body, "range_not_satisfiable"));
    assert_int_equal(http_client_get(client, "/chain", "Range: bytes=0-1,5-6\r\n"), 200);
    assert_true(is_body(client, 0, BODY));
    site_close(site);
}

static void http_respond_chain_head_has_length_and_no_body(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    http_client_ask(&site->client, "HEAD", "/chain", "Range: bytes=0-1\r\n");
    assert_int_equal(http_client_wait(&site->client, true), 200);
    assert_string_equal(http_client_header(&site->client, "Content-Length"), "100000");
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200); // nothing in between
    site_close(site);
}

static void http_respond_etag_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int status;
    } cases[] = {
        {"If-None-Match: \"v1\"\r\n", 304},
        {"If-None-Match: W/\"v1\"\r\n", 304},
        {"If-None-Match: \"v0\", \"v1\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"v\"\r\n", 200},
        {"If-None-Match: v1\r\n", 200},
        {"If-None-Match: \"v0\"\r\nRange: bytes=0-9\r\n", 206},
        {"If-Range: \"v1\"\r\nRange: bytes=0-9\r\n", 206},
        {"If-Range: \"v0\"\r\nRange: bytes=0-9\r\n", 200},
        {"If-Range: W/\"v1\"\r\nRange: bytes=0-9\r\n", 200},
        {"If-Range: Wed, 21 Oct 2015 07:28:00 GMT\r\nRange: bytes=0-9\r\n", 200},
    };
    struct site *site = site_open(loop_fixture_new());
    site->etag = "\"v1\"";
    site->piecewise = (struct piecewise){.length = BODY, .piece = 5000};
    static const char *const paths[] = {"/chain", "/pieces"};
    for (int p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            if (http_client_get(&site->client, paths[p], cases[i].lines) != cases[i].status)
                fail_msg("%s %s: %d", paths[p], cases[i].lines, site->client.status);
            assert_string_equal(http_client_header(&site->client, "ETag"), "\"v1\"");
            if (site->client.status == 304)
                assert_int_equal(site->client.body_length, 0);
        }
    }
    assert_int_equal(http_client_get(&site->client, "/text", cases[0].lines), 304);
    site->etag = NULL;
    assert_int_equal(http_client_get(&site->client, "/chain", "If-None-Match: *\r\n"), 200);
    site_close(site);
}

static void http_respond_gzip_only_where_it_helps(void **state)
{
    (void)state;
    static const struct {
        const char *type, *lines;
        size_t length;
        bool small;
    } cases[] = {
        {"application/vnd.apple.mpegurl", "Accept-Encoding: gzip\r\n", 5000, true},
        {"application/json", "Accept-Encoding: br, GZIP;q=0.5\r\n", 5000, true},
        {"text/html; charset=utf-8", "Accept-Encoding: deflate , gzip , br\r\n", 5000, true},
        {"text/html", "Accept-Encoding: gzip;q=0\r\n", 5000, false},
        {"text/html", "Accept-Encoding: gzip; q=0.000, br\r\n", 5000, false},
        {"text/html", "Accept-Encoding: xgzip, gzipx\r\n", 5000, false},
        {"text/html", "", 5000, false},
        {"text/html", "Accept-Encoding: gzip\r\n", 1000, false},
        {"video/mp2t", "Accept-Encoding: gzip\r\n", 5000, false},
    };
    struct site *site = site_open(loop_fixture_new());
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        site->type = cases[i].type;
        site->text_length = cases[i].length;
        assert_int_equal(http_client_get(&site->client, "/text", cases[i].lines), 200);
        const char *coding = http_client_header(&site->client, "Content-Encoding");
        if ((coding != NULL) != cases[i].small)
            fail_msg("%s %s", cases[i].type, cases[i].lines);
        if (!coding) {
            assert_int_equal(site->client.body_length, cases[i].length);
            continue;
        }
        assert_string_equal(coding, "gzip");
        assert_string_equal(http_client_header(&site->client, "Vary"), "Accept-Encoding");
        static uint8_t plain[10000];
        z_stream stream = {.next_in = (uint8_t *)site->client.body,
                           .avail_in = (unsigned)site->client.body_length,
                           .next_out = plain,
                           .avail_out = sizeof(plain)};
        assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.total_out, cases[i].length);
        inflateEnd(&stream);
        for (size_t k = 0; k < cases[i].length; k++)
            assert_int_equal(plain[k], 'x');
    }
    site_close(site);
}

static void http_set_header_line_break_is_left_out(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200);
    assert_null(http_client_header(&site->client, "X-Split"));
    assert_null(http_client_header(&site->client, "X-Evil"));
    assert_string_equal(http_client_header(&site->client, "X-Own"), "yes");
    site_close(site);
}

static void http_respond_head_lines_for_everybody(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new_virtual());
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200);
    assert_string_equal(http_client_header(&site->client, "Date"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_string_equal(http_client_header(&site->client, "Access-Control-Allow-Origin"), "*");
    assert_non_null(
        strstr(http_client_header(&site->client, "Access-Control-Expose-Headers"), "Date"));
    clock_advance_test(US_PER_S);
    assert_int_equal(http_client_get(&site->client, "/redirect", ""), 302);
    assert_string_equal(http_client_header(&site->client, "Date"), "Thu, 01 Jan 2026 00:00:01 GMT");
    assert_string_equal(http_client_header(&site->client, "Location"), "/other/place");
    assert_string_equal(http_client_header(&site->client, "Content-Length"), "0");
    assert_int_equal(http_client_get(&site->client, "/error", ""), 503);
    assert_string_equal(http_client_header(&site->client, "Retry-After"), "2");
    assert_null(http_client_header(&site->client, "ETag"));
    assert_string_equal(site->client.body,
                        "{\"error\":\"unavailable\",\"reason\":\"Service Unavailable\"}\n");
    site_close(site);
}

static void http_respond_stream_known_length_and_range(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    struct piecewise *piecewise = &site->piecewise;
    piecewise->length = BODY;
    for (size_t piece = 1000; piece <= 64000; piece *= 8) {
        piecewise->piece = piece;
        assert_int_equal(http_client_get(&site->client, "/pieces", ""), 200);
        assert_true(is_body(&site->client, 0, BODY));
        LOOP_UNTIL(site->loop, piecewise->stops == 1);
        assert_int_equal(http_client_get(&site->client, "/pieces", "Range: bytes=777-88888\r\n"),
                         206);
        assert_true(is_body(&site->client, 777, 88888 - 777 + 1));
        LOOP_UNTIL(site->loop, piecewise->stops == 1);
    }
    assert_int_equal(http_client_get(&site->client, "/pieces", "Range: bytes=100000-\r\n"), 416);
    LOOP_UNTIL(site->loop, piecewise->stops == 1);
    assert_int_equal(piecewise->proceeds, 0);
    http_client_ask(&site->client, "HEAD", "/pieces", "");
    assert_int_equal(http_client_wait(&site->client, true), 200);
    assert_string_equal(http_client_header(&site->client, "Content-Length"), "100000");
    LOOP_UNTIL(site->loop, piecewise->stops == 1);
    assert_int_equal(piecewise->proceeds, 0);
    piecewise->length = 0;
    assert_int_equal(http_client_get(&site->client, "/pieces", ""), 200);
    assert_int_equal(site->client.body_length, 0);
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200);
    site_close(site);
}

static void http_respond_stream_unknown_length_is_chunked(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    site->piecewise = (struct piecewise){.length = -1, .piece = 3333};
    assert_int_equal(http_client_get(&site->client, "/pieces", "Range: bytes=0-9\r\n"), 200);
    assert_string_equal(http_client_header(&site->client, "Transfer-Encoding"), "chunked");
    assert_null(http_client_header(&site->client, "Content-Length"));
    assert_true(is_body(&site->client, 0, BODY));
    assert_false(site->client.cut);
    LOOP_UNTIL(site->loop, site->piecewise.stops == 1);
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200); // the connection goes on
    http_client_ask(&site->client, "HEAD", "/pieces", "");
    assert_int_equal(http_client_wait(&site->client, true), 200);
    assert_int_equal(http_client_get(&site->client, "/text", ""), 200);
    http_client_send(&site->client, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(http_client_wait(&site->client, false), 200);
    assert_null(http_client_header(&site->client, "Transfer-Encoding"));
    assert_string_equal(http_client_header(&site->client, "Connection"), "close");
    assert_true(is_body(&site->client, 0, BODY));
    site_close(site);
}

static void http_respond_stream_slow_client_paces_the_producer(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    struct piecewise *piecewise = &site->piecewise;
    *piecewise = (struct piecewise){.length = 50 << 20, .piece = 50000};
    conn_pause(site->client.end.conn, true);
    http_client_ask(&site->client, "GET", "/pieces", "");
    for (int i = 0; i < 300; i++)
        loop_turn(site->loop, false);
    uint64_t before = piecewise->at;
    assert_true(before > 0 && before < 20 << 20); // sockets and one queue
    for (int i = 0; i < 50; i++)
        loop_turn(site->loop, false);
    assert_int_equal(piecewise->at, before);
    conn_pause(site->client.end.conn, false);
    assert_int_equal(http_client_wait(&site->client, false), 200);
    assert_true(is_body(&site->client, 0, 50 << 20));
    assert_true(piecewise->proceeds > 3);
    LOOP_UNTIL(site->loop, piecewise->stops == 1);
    site_close(site);
}

static void http_body_end_too_early_closes_the_connection(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    site->piecewise = (struct piecewise){.length = BODY, .piece = 1000, .stop_after = 30000};
    assert_int_equal(http_client_get(&site->client, "/pieces", ""), 200);
    assert_true(site->client.cut);
    assert_true(is_body(&site->client, 0, 30000));
    assert_int_equal(site->piecewise.stops, 1);
    site_close(site);
}

static void http_body_abort_leaves_no_clean_end(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    site->piecewise = (struct piecewise){.length = -1, .piece = 1000, .abort_after = 30000};
    assert_int_equal(http_client_get(&site->client, "/pieces", ""), 200);
    assert_string_equal(http_client_header(&site->client, "Transfer-Encoding"), "chunked");
    assert_true(site->client.cut);
    assert_true(is_body(&site->client, 0, 30000));
    assert_int_equal(site->piecewise.stops, 1);
    http_client_close(&site->client);

    http_client_open(&site->client, site->loop, http_server_port(site->server));
    site->piecewise = (struct piecewise){.length = -1, .piece = 1000, .abort_after = 30000};
    http_client_send(&site->client, "GET /pieces HTTP/1.0\r\n\r\n");
    LOOP_UNTIL(site->loop, site->client.end.closed);
    assert_int_equal(site->client.end.reason, REASON_PEER_RESET);
    LOOP_UNTIL(site->loop, site->piecewise.stops == 1);
    site_close(site);
}

static void http_respond_stream_client_gone_stops_once(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    site->piecewise = (struct piecewise){.length = 50 << 20, .piece = 50000};
    conn_pause(site->client.end.conn, true);
    http_client_ask(&site->client, "GET", "/pieces", "");
    LOOP_UNTIL(site->loop, site->piecewise.proceeds > 0);
    http_client_close(&site->client);
    LOOP_UNTIL(site->loop, site->piecewise.stops);
    for (int i = 0; i < 5; i++)
        loop_turn(site->loop, false);
    assert_int_equal(site->piecewise.stops, 1);
    LOOP_UNTIL(site->loop, http_server_stats(site->server)->connections == 0);
    http_client_open(&site->client, site->loop, http_server_port(site->server));
    site_close(site);
}

static void http_take_over_hands_the_connection_to_its_new_owner(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    http_client_ask(&site->client, "GET", "/live", "");
    http_client_send(&site->client, "ignored from here on");
    LOOP_UNTIL(site->loop, site->taken);
    assert_int_equal(conn_try_write(site->taken, "live ", 5), 5); // after the head
    loop_turn(site->loop, false);
    assert_int_equal(http_server_stats(site->server)->connections, 0);
    assert_int_equal(conn_try_write(site->taken, "bytes", 5), 5);
    conn_finish(site->taken, REASON_DONE);
    assert_int_equal(http_client_wait(&site->client, false), 200);
    assert_string_equal(http_client_header(&site->client, "Connection"), "close");
    assert_string_equal(http_client_header(&site->client, "Content-Type"), "video/mp2t");
    assert_null(http_client_header(&site->client, "Transfer-Encoding"));
    assert_string_equal(site->client.body, "live bytes");
    http_client_close(&site->client);
    LOOP_UNTIL(site->loop, site->taken_closed == 1);
    http_client_open(&site->client, site->loop, http_server_port(site->server));
    http_client_ask(&site->client, "HEAD", "/live", "");
    assert_int_equal(http_client_wait(&site->client, true), 200);
    assert_null(site->taken);
    LOOP_UNTIL(site->loop, site->client.end.ended);
    site_close(site);
}

static void http_take_over_client_that_ends_is_told_to_the_owner(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    http_client_ask(&site->client, "GET", "/live", "");
    LOOP_UNTIL(site->loop, site->taken);
    http_client_close(&site->client);
    LOOP_UNTIL(site->loop, site->taken_closed == 1);
    http_client_open(&site->client, site->loop, http_server_port(site->server));
    site_close(site);
}

static void http_take_over_before_its_owner_listens_nothing_is_called(void **state)
{
    (void)state;
    struct site *site = site_open(loop_fixture_new());
    site->own_later = true;
    http_client_ask(&site->client, "GET", "/live", "");
    LOOP_UNTIL(site->loop, site->taken);
    loop_turn(site->loop, false); // what the server had of it is gone
    http_client_send(&site->client, "bytes for nobody");
    for (int i = 0; i < 5; i++)
        loop_turn(site->loop, false);
    conn_set_events(site->taken, &events, site);
    conn_close(site->taken, REASON_LOCAL);
    LOOP_UNTIL(site->loop, site->taken_closed == 1);
    site_close(site);
}

TEST_MAIN(TEST(http_respond_chain_whole_and_ranges),
          TEST(http_respond_chain_head_has_length_and_no_body), TEST(http_respond_etag_conditions),
          TEST(http_respond_gzip_only_where_it_helps), TEST(http_set_header_line_break_is_left_out),
          TEST(http_respond_head_lines_for_everybody),
          TEST(http_respond_stream_known_length_and_range),
          TEST(http_respond_stream_unknown_length_is_chunked),
          TEST(http_respond_stream_slow_client_paces_the_producer),
          TEST(http_body_end_too_early_closes_the_connection),
          TEST(http_body_abort_leaves_no_clean_end),
          TEST(http_respond_stream_client_gone_stops_once),
          TEST(http_take_over_hands_the_connection_to_its_new_owner),
          TEST(http_take_over_client_that_ends_is_told_to_the_owner),
          TEST(http_take_over_before_its_owner_listens_nothing_is_called))
