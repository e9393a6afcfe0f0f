// SPDX-License-Identifier: MIT
// What a configuration does to what runs: what is equal is not touched, what is bad stays, what is
// gone goes.
#include "server_fixture.h"

#include "archive/archive.h"
#include "temp_folder.h"

static int pulls_since(int *last)
{
    int now = count_pulls - *last;
    *last = count_pulls;
    return now;
}

static void apply_streams_equal_is_not_touched(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table,
                  "http 127.0.0.1:$; stream a { input count://1; }\n"
                  "stream b { input count://2; title x; }\n");
    struct stream *a = fixture_stream(&fixture, "a"), *b = fixture_stream(&fixture, "b");
    assert_int_equal(count_pulls, 2);
    // A title of b, a new stream, another order: no input of a or b begins or ends.
    fixture_apply(&fixture, "stream c { input count://3; }\n"
                            "stream b { title y; input count://2; }\n"
                            "http 127.0.0.1:$; stream a { input count://1; }\n");
    assert_string_equal(fixture.lines, "");
    assert_int_equal(count_pulls, 3);
    assert_int_equal(count_stops, 0);
    assert_ptr_equal(fixture_stream(&fixture, "a"), a);
    assert_ptr_equal(fixture_stream(&fixture, "b"), b);
    assert_string_equal(stream_conf(b)->title, "y");
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
    assert_int_equal(count_stops, 3);
}

static void apply_streams_change_and_removal(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    int last = 0;
    fixture_start(&fixture, loop, count_table,
                  "http 127.0.0.1:$; stream a { input count://1; } stream b { input count://2; }");
    assert_int_equal(pulls_since(&last), 2);
    fixture_apply(&fixture, "http 127.0.0.1:$; stream a { input count://9; }");
    assert_int_equal(pulls_since(&last), 1);
    assert_int_equal(count_stops, 2);
    assert_null(fixture_stream(&fixture, "b"));
    fixture_apply(&fixture, "http 127.0.0.1:$; stream a { input count://9; disabled; }");
    assert_int_equal(count_stops, 3);
    assert_int_equal(stream_state(fixture_stream(&fixture, "a")), STREAM_IDLE);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void apply_bad_stream_stays_as_it_was(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table,
                  "http 127.0.0.1:$; stream a { input count://1; } stream b { input count://2; }");
    fixture_apply(&fixture, "http 127.0.0.1:$; stream a { input count://1; segment_count x; }\n"
                            "stream c { input count://3; } stream d { input bad://3; }\n");
    assert_int_equal(count_stops, 1); // b
    assert_int_equal(count_pulls, 3);
    assert_non_null(fixture_stream(&fixture, "a"));
    assert_non_null(fixture_stream(&fixture, "c"));
    assert_null(fixture_stream(&fixture, "b"));
    assert_null(fixture_stream(&fixture, "d"));
    assert_int_equal(fixture.server->conf_errors, 2);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void apply_broken_structure_changes_nothing(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; stream a { input count://1; }");
    fixture_apply(&fixture, "http 127.0.0.1:1\nstream b { input count://2; }");
    assert_non_null(fixture_stream(&fixture, "a"));
    assert_null(fixture_stream(&fixture, "b"));
    assert_int_equal(fixture.server->listen_count, 1);
    assert_string_equal(fixture.server->conf_error, "a.conf:1:17: found 'stream', expected ';'");
    // An empty file is one that an editor has not written yet.
    fixture_apply(&fixture, "");
    assert_non_null(fixture_stream(&fixture, "a"));
    // At start the same file gives what can be read of it.
    fixture_stop(&fixture);
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$\nstream b { input count://2; }");
    assert_non_null(fixture_stream(&fixture, "b"));
    assert_int_equal(fixture.server->listen_count, 1);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static bool accepts(struct fixture *fixture, unsigned port)
{
    struct fixture other = {.loop = fixture->loop, .port = port};
    static const struct conn_events events = {.on_data = answer_data, .on_closed = answer_closed};
    struct answer answer = {0};
    answer.conn =
        conn_connect(other.loop, "127.0.0.1", (uint16_t)port, NULL, 5 * US_PER_S, &events, &answer);
    conn_write_copy(answer.conn, "GET / HTTP/1.0\r\n\r\n", 18);
    LOOP_UNTIL(other.loop, answer.closed);
    mem_free(answer.text);
    return answer.length > 0;
}

static void apply_listen_opens_and_closes(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    char text[256];
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; http [::1]:$;");
    unsigned first = fixture.port, second = fixture_port();
    assert_true(accepts(&fixture, first) && !accepts(&fixture, second));
    text_format(text, sizeof(text), "http 127.0.0.1:$; http 127.0.0.1:%u;", second);
    fixture_apply(&fixture, text);
    assert_true(accepts(&fixture, first) && accepts(&fixture, second));
    // From one address to all of them: the old one makes room.
    fixture_apply(&fixture, "http $;");
    assert_string_equal(fixture.lines, "");
    assert_true(accepts(&fixture, first) && !accepts(&fixture, second));
    // A bad line leaves the listeners as they are.
    fixture_apply(&fixture, "http x;");
    assert_true(accepts(&fixture, first));
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void apply_listen_port_in_use_is_told(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    char text[128], expected[256];
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(to);
    assert_int_equal(bind(taken, (struct sockaddr *)&to, length), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&to, &length), 0);
    text_format(text, sizeof(text), "stream a { input count://1; }\nhttp 127.0.0.1:%u;",
                ntohs(to.sin_port));
    text_format(expected, sizeof(expected),
                "a.conf:2:6: found port %u: Address already in use, expected one that can be "
                "opened\n",
                ntohs(to.sin_port));
    fixture_start(&fixture, loop, count_table, text);
    assert_string_equal(fixture.lines, expected);
    assert_int_equal(fixture.server->listen_count, 0);
    close(taken);
    fixture_apply(&fixture, text);
    assert_string_equal(fixture.lines, "");
    assert_int_equal(fixture.server->listen_count, 1);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void apply_key_and_loglevel_follow(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; loglevel error;");
    assert_string_equal(fixture.server->env.cluster_key, "");
    fixture_apply(&fixture, "http 127.0.0.1:$; loglevel error; cluster_key 0123456789abcdefgh;");
    assert_string_equal(fixture.server->env.cluster_key, "0123456789abcdefgh");
    // A bad key leaves the old one in place; none takes it away.
    fixture_apply(&fixture, "http 127.0.0.1:$; loglevel warn; cluster_key a b;");
    assert_string_equal(fixture.server->env.cluster_key, "0123456789abcdefgh");
    assert_int_equal(log_level_max, LOG_LEVEL_WARN);
    fixture_apply(&fixture, "http 127.0.0.1:$; loglevel error;");
    assert_string_equal(fixture.server->env.cluster_key, "");
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void apply_streams_dvr_comes_and_goes(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct fixture fixture;
    struct history_range whole;
    char text[512];
    temp_folder_make(&folder);
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; stream a { input count://1; }");
    struct stream *stream = fixture_stream(&fixture, "a");
    assert_false(stream_has_archive(stream, &whole));
    text_format(text, sizeof(text), "http 127.0.0.1:$; stream a { input count://1; dvr %s/x; }",
                folder.path);
    fixture_apply(&fixture, text);
    assert_true(stream_has_archive(stream, &whole));
    fixture_apply(&fixture, "http 127.0.0.1:$; stream a { input count://1; }");
    assert_false(stream_has_archive(stream, &whole));
    assert_int_equal(count_pulls, 1);
    assert_int_equal(count_stops, 0);
    // What the archive still does in the background, step by step.
    for (int i = 0; i < 20; i++) {
        assert_true(archives_flush(fixture.server->archives, 10 * US_PER_S));
        loop_turn(loop, false);
    }
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(apply_streams_equal_is_not_touched), TEST(apply_streams_change_and_removal),
          TEST(apply_bad_stream_stays_as_it_was), TEST(apply_broken_structure_changes_nothing),
          TEST(apply_listen_opens_and_closes), TEST(apply_listen_port_in_use_is_told),
          TEST(apply_key_and_loglevel_follow), TEST(apply_streams_dvr_comes_and_goes))
