// SPDX-License-Identifier: MIT
// The API over HTTP: fields and units, pages of the list, names with '/', secrets, the archive.
#include "server_fixture.h"
#include "temp_folder.h"

#include "media/track.h"
#include "stream/history.h"

extern const struct protocol proto_fake;
static const struct protocol *const table[] = {&proto_fake, &count_protocol, NULL};

static void api_stream_tells_state_and_tracks(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, table,
                  "http 127.0.0.1:$; stream yard/cam-1 { title \"Gate \\\"3\\\"\";\n"
                  "  input fake://fake width=64 height=64 fps=20; segment_duration 2; }");
    LOOP_UNTIL(loop, stream_state(fixture_stream(&fixture, "yard/cam-1")) == STREAM_LIVE);
    struct stream_stats before;
    stream_get_stats(fixture_stream(&fixture, "yard/cam-1"), &before);
    json_t *json = fixture_json(&fixture, "/streamer/api/v3/streams/yard/cam-1", 200);
    assert_string_equal(json_text_at(json, "name"), "yard/cam-1");
    assert_string_equal(json_text_at(json, "title"), "Gate \"3\"");
    assert_string_equal(json_text_at(json, "named_by"), "config");
    assert_int_equal(json_integer_value(json_at(json, "segment_duration")), 2000);
    assert_string_equal(json_text_at(json, "inputs.0.url"), "fake://fake");
    assert_true(json_is_true(json_at(json, "inputs.0.active")));
    assert_string_equal(json_text_at(json, "stats.status"), "running");
    assert_true(json_is_true(json_at(json, "stats.alive")));
    assert_true(json_integer_value(json_at(json, "stats.frames_in")) > 0);
    assert_in_range(json_integer_value(json_at(json, "stats.ts_delay")), 0,
                    (now_us() - before.last_frame_us) / US_PER_MS);
    int64_t opened = json_integer_value(json_at(json, "stats.opened_at"));
    assert_in_range(utc_us() / 1000 - opened, 0, 60000);
    assert_true(json_is_false(json_at(json, "stats.dvr_enabled")));
    assert_string_equal(json_text_at(json, "stats.media_info.tracks.0.track_id"), "v1");
    assert_string_equal(json_text_at(json, "stats.media_info.tracks.0.codec"), "h264");
    assert_int_equal(json_integer_value(json_at(json, "stats.media_info.tracks.0.width")), 64);
    assert_string_equal(json_text_at(json, "stats.media_info.tracks.1.content"), "audio");
    json_decref(json);
    json = fixture_json(&fixture, "/yard/cam-1/media_info.json", 200);
    assert_string_equal(json_text_at(json, "tracks.1.codec"), "aac");
    assert_int_equal(json_integer_value(json_at(json, "tracks.1.channels")), 2);
    json_decref(json);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_stream_on_demand_is_not_started(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, table,
                  "http 127.0.0.1:$; stream a { input count://1; static false; }");
    json_decref(fixture_json(&fixture, "/streamer/api/v3/streams", 200));
    json_t *json = fixture_json(&fixture, "/streamer/api/v3/streams/a", 200);
    assert_string_equal(json_text_at(json, "stats.status"), "waiting");
    assert_true(json_is_false(json_at(json, "stats.alive")));
    json_decref(json);
    json_decref(fixture_json(&fixture, "/a/media_info.json", 200));
    json_decref(fixture_json(&fixture, "/a/recording_status.json?request=ranges", 200));
    assert_int_equal(count_pulls, 0);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_stream_secrets_are_masked(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct answer answer;
    fixture_start(&fixture, loop, table,
                  "http 127.0.0.1:$; cluster_key hunter2hunter2hunter2;\n"
                  "stream a { input count://joe:hunter2@host/x?token=hunter2; }");
    static const char *const paths[] = {"/streamer/api/v3/streams",
                                        "/streamer/api/v3/streams/a",
                                        "/streamer/api/v3/config/stats",
                                        "/streamer/api/v3/cluster/sources",
                                        "/metrics",
                                        "/a/media_info.json"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fixture_get(&fixture, paths[i], &answer);
        assert_int_equal(answer.status, 200);
        assert_null(strstr(answer.text, "hunter2"));
        mem_free(answer.text);
    }
    json_t *json = fixture_json(&fixture, "/streamer/api/v3/streams/a", 200);
    assert_non_null(strstr(json_text_at(json, "inputs.0.url"), "host/x"));
    json_decref(json);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

// ---- pages of the list --------------------------------------------------------------------------

static void api_streams_pages_walk_all_of_them(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    char text[2048] = "http 127.0.0.1:$;", path[512] = "/streamer/api/v3/streams?limit=3";
    char seen[256] = "";
    for (char name = 'a'; name <= 'h'; name++)
        text_append(text, sizeof(text), "stream %c { input count://1; }", name);
    fixture_start(&fixture, loop, table, text);
    for (int page = 0; path[0]; page++) {
        json_t *json = fixture_json(&fixture, path, 200);
        assert_int_equal(json_integer_value(json_at(json, "estimated_count")), 8);
        assert_int_equal(json_is_null(json_at(json, "prev")), page == 0);
        for (size_t i = 0; i < json_array_size(json_at(json, "streams")); i++)
            text_append(
                seen, sizeof(seen), "%s",
                json_string_value(json_at(json_array_get(json_at(json, "streams"), i), "name")));
        text_append(seen, sizeof(seen), ",");
        const char *next = json_text_at(json, "next");
        text_format(path, sizeof(path), next ? "/streamer/api/v3/streams?limit=3&cursor=%s" : "",
                    next);
        json_decref(json);
    }
    assert_string_equal(seen, "abc,def,gh,");
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_streams_cursor_outlives_its_stream(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    char path[512];
    fixture_start(&fixture, loop, table,
                  "http 127.0.0.1:$; stream a { input count://1; } stream b { input count://1; }\n"
                  "stream c { input count://1; } stream d { input count://1; }");
    json_t *json = fixture_json(&fixture, "/streamer/api/v3/streams?limit=2", 200);
    text_format(path, sizeof(path), "/streamer/api/v3/streams?limit=2&cursor=%s",
                json_text_at(json, "next"));
    json_decref(json);
    // An earlier one goes: the page still begins with c.
    fixture_apply(&fixture, "http 127.0.0.1:$; stream b { input count://1; }\n"
                            "stream c { input count://1; } stream d { input count://1; }");
    json = fixture_json(&fixture, path, 200);
    assert_string_equal(json_text_at(json, "streams.0.name"), "c");
    json_decref(json);
    // c itself goes: what stands in its place.
    fixture_apply(&fixture, "http 127.0.0.1:$; stream d { input count://1; }");
    json = fixture_json(&fixture, path, 200);
    assert_int_equal(json_array_size(json_at(json, "streams")), 0);
    assert_true(json_is_null(json_at(json, "next")));
    json_decref(json);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_bad_questions_get_a_reason(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, table, "http 127.0.0.1:$; stream a { input count://1; }");
    static const struct {
        const char *path;
        int status;
    } cases[] = {
        {"/streamer/api/v3/streams/b", 404},
        {"/streamer/api/v3/streams?limit=0", 400},
        {"/streamer/api/v3/streams?limit=1001", 400},
        {"/streamer/api/v3/streams?cursor=zz", 400},
        {"/streamer/api/v3/streams?cursor=6161", 400},
        {"/b/media_info.json", 404},
        {"/b/recording_status.json", 404},
        {"/streamer/ui/gone.js", 404},
        {"/nothing", 404},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        json_decref(fixture_json(&fixture, cases[i].path, cases[i].status));
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

// ---- the server ---------------------------------------------------------------------------------

static void api_server_tells_itself(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, table,
                  "http 127.0.0.1:$; stream a { input count://1; }\nbogus;\n"
                  "source m4s://127.0.0.1:1 { cluster_key 0123456789abcdef-xyz; }");
    json_t *json = fixture_json(&fixture, "/streamer/api/v3/config/stats", 200);
    assert_string_equal(json_text_at(json, "server"), "sluice");
    assert_int_equal(json_integer_value(json_at(json, "total_streams")), 1);
    assert_int_equal(json_integer_value(json_at(json, "config_errors")), 1);
    assert_string_equal(json_text_at(json, "config_error"),
                        "a.conf:2:1: found unknown word 'bogus', expected an option of the file");
    assert_true(json_integer_value(json_at(json, "memory_usage")) > 1000000);
    json_decref(json);
    json = fixture_json(&fixture, "/streamer/api/v3/monitoring/liveness", 200);
    assert_string_equal(json_text_at(json, "server_version"), SLUICE_VERSION);
    json_decref(json);
    json = fixture_json(&fixture, "/streamer/api/v3/monitoring/readiness", 200);
    assert_true(json_is_true(json_at(json, "ready")));
    json_decref(json);
    json = fixture_json(&fixture, "/streamer/api/v3/cluster/sources", 200);
    assert_string_equal(json_text_at(json, "sources.0.name"), "127.0.0.1:1");
    assert_string_equal(json_text_at(json, "sources.0.status"), "error");
    assert_string_equal(json_text_at(json, "links.0.direction"), "out");
    assert_int_equal(json_integer_value(json_at(json, "links.0.class_out.live")), 0);
    json_decref(json);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

// ---- recording_status.json ----------------------------------------------------------------------

#define AT_US (1700000000 * US_PER_S)
static const struct history_range past_ranges[] = {
    {AT_US, AT_US + 60 * US_PER_S, REASON_NONE},
    {AT_US + 60 * US_PER_S, AT_US + 70 * US_PER_S, REASON_THINNED},
    {AT_US + 70 * US_PER_S, AT_US + 100 * US_PER_S + 1, REASON_NONE},
    {AT_US + 100 * US_PER_S + 1, AT_US + 200 * US_PER_S, REASON_SOURCE_LOST},
    {AT_US + 200 * US_PER_S, AT_US + 5 * 86400 * US_PER_S, REASON_NONE},
};

enum { PAST_RANGES = sizeof past_ranges / sizeof past_ranges[0] };

// A history that answers in a later turn, or never.
struct past {
    struct history history;
    struct history_request request;
    struct loop *loop;
    struct defer defer;
    history_ranges_fn done;
    void *arg;
    int64_t from_us, to_us;
    bool silent;
    int cancelled;
};

static void past_answer(void *arg)
{
    struct past *past = arg;
    past->done(past->arg, 0, past_ranges, PAST_RANGES);
}

static struct history_request *past_ask(struct history *history, const struct history_via *via,
                                        int64_t from_us, int64_t to_us, history_ranges_fn done,
                                        void *arg)
{
    assert_null(via);
    struct past *past = (struct past *)history;
    past->done = done;
    past->arg = arg;
    past->from_us = from_us;
    past->to_us = to_us;
    past->request.history = history;
    if (!past->silent)
        loop_defer(past->loop, &past->defer, past_answer, past);
    return &past->request;
}

static void past_cancel(struct history_request *request)
{
    ((struct past *)request->history)->cancelled++;
}

static bool past_summary(struct history *history, struct history_range *whole, uint64_t *bytes)
{
    (void)history;
    *whole = (struct history_range){past_ranges[0].from_us, past_ranges[PAST_RANGES - 1].to_us,
                                    REASON_NONE};
    *bytes = 1;
    return true;
}

static void past_close(struct history *history)
{
    (void)history;
}

static const struct history_ops past_ops = {.name = "past",
                                            .ranges = past_ask,
                                            .cancel = past_cancel,
                                            .summary = past_summary,
                                            .close = past_close};

static void past_start(struct fixture *fixture, struct loop *loop, struct past *past)
{
    fixture_start(fixture, loop, table,
                  "http 127.0.0.1:$; stream a { input count://1; } stream b { input count://1; }");
    *past = (struct past){.history.ops = &past_ops, .loop = loop};
    struct history *history = &past->history;
    stream_set_history(fixture_stream(fixture, "a"), &history);
}

static void api_recording_status_tells_the_whole(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct past past;
    past_start(&fixture, loop, &past);
    json_t *json = fixture_json(&fixture, "/a/recording_status.json", 200);
    assert_int_equal(json_integer_value(json_at(json, "a.from")), 1700000000);
    assert_int_equal(json_integer_value(json_at(json, "a.to")), 1700000000 + 5 * 86400);
    json_decref(json);
    json = fixture_json(&fixture, "/b/recording_status.json", 200);
    assert_string_equal(json_text_at(json, "b.error"), "no_dvr");
    json_decref(json);
    json = fixture_json(&fixture, "/b/recording_status.json?request=ranges", 200);
    assert_string_equal(json_text_at(json, "0.error"), "no_dvr");
    json_decref(json);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_recording_status_ranges_are_exact_or_whole_hours(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct past past;
    past_start(&fixture, loop, &past);
    // Up to four days: exact.
    json_t *json =
        fixture_json(&fixture, "/a/recording_status.json?from=1700000000&to=1700345600", 200);
    assert_true(past.from_us == AT_US && past.to_us == AT_US + 345600 * US_PER_S);
    assert_string_equal(json_text_at(json, "0.stream"), "a");
    assert_int_equal(json_integer_value(json_at(json, "0.ranges.0.from")), 1700000000);
    assert_int_equal(json_integer_value(json_at(json, "0.ranges.0.duration")), 101);
    assert_int_equal(json_array_size(json_at(json, "0.ranges")), 2);
    assert_null(json_at(json, "0.warning"));
    assert_int_equal(json_array_size(json_at(json, "0.holes")), 1);
    assert_string_equal(json_text_at(json, "0.holes.0.reason"), "source_lost");
    assert_int_equal(json_array_size(json_at(json, "0.thinned")), 1);
    assert_string_equal(json_text_at(json, "0.thinned.0.reason"), "thinned");
    assert_int_equal((int)json_number_value(json_at(json, "0.thinned.0.from")), 1700000060);
    assert_int_equal((int)json_number_value(json_at(json, "0.thinned.0.duration")), 10);
    json_decref(json);
    json =
        fixture_json(&fixture, "/streamer/api/v3/streams/a/dvr/ranges?from=1700000000&to=now", 200);
    assert_int_equal(json_array_size(json_at(json, "ranges")), 2);
    assert_string_equal(json_text_at(json, "holes.0.reason"), "source_lost");
    assert_string_equal(json_text_at(json, "thinned.0.reason"), "thinned");
    assert_int_equal((int)json_real_value(json_at(json, "holes.0.duration")), 99);
    json_decref(json);
    json_decref(fixture_json(&fixture, "/streamer/api/v3/streams/a/dvr/ranges?from=x", 400));
    json_decref(fixture_json(&fixture, "/streamer/api/v3/streams/b/dvr/ranges", 404));
    // Longer: whole hours, joined, and said so; all of it when nothing is asked for.
    json = fixture_json(&fixture, "/a/recording_status.json?request=ranges", 200);
    assert_true(past.from_us == AT_US);
    assert_string_equal(json_text_at(json, "0.warning"), "too_big_range");
    assert_int_equal(json_array_size(json_at(json, "0.thinned")), 0);
    assert_int_equal(json_array_size(json_at(json, "0.ranges")), 1);
    assert_int_equal(json_integer_value(json_at(json, "0.ranges.0.from")) % 3600, 0);
    assert_int_equal(json_integer_value(json_at(json, "0.ranges.0.duration")) % 3600, 0);
    json_decref(json);
    // Unless somebody insists.
    json = fixture_json(&fixture, "/a/recording_status.json?request=ranges,force_detailed&to=now",
                        200);
    assert_int_equal(json_array_size(json_at(json, "0.ranges")), 2);
    json_decref(json);
    json_decref(fixture_json(&fixture, "/a/recording_status.json?from=x", 400));
    json_decref(fixture_json(&fixture, "/a/recording_status.json?from=2&to=1", 400));
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void api_recording_status_of_a_client_that_left_is_cancelled(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct past past;
    past_start(&fixture, loop, &past);
    past.silent = true;
    // A reset, as of a player that was killed; one that only says it will ask no more is answered.
    static const char question[] = "GET /a/recording_status.json?from=1 HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)fixture.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger reset = {.l_onoff = 1};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(write(client, question, sizeof(question) - 1), sizeof(question) - 1);
    LOOP_UNTIL(loop, past.done != NULL);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(client);
    LOOP_UNTIL(loop, past.cancelled == 1);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

#define LOCKS "/streamer/api/v3/streams/shop/cam/dvr/locks"

// peers.md 1.3, pins: what is locked, and who may lock.
static void api_locks_are_set_and_taken_away(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct temp_folder folder;
    char form[512];
    temp_folder_make(&folder);
    text_format(form, sizeof form,
                "http 127.0.0.1:$; stream a { input count://1; }"
                "stream shop/cam { input count://1; dvr %s; }",
                folder.path);
    fixture_start(&fixture, loop, table, form);
    json_t *json = fixture_json_of(&fixture, "POST", LOCKS "?from=1700000000&duration=60", "", 200);
    assert_int_equal(json_integer_value(json_at(json, "locks.0.from")), 1700000000);
    assert_int_equal(json_integer_value(json_at(json, "locks.0.duration")), 60);
    json_decref(json);
    json = fixture_json_of(&fixture, "DELETE", LOCKS "?from=1700000020&to=1700000030", "", 200);
    assert_int_equal(json_array_size(json_at(json, "locks")), 2);
    json_decref(json);
    json = fixture_json(&fixture, LOCKS, 200);
    assert_int_equal(json_integer_value(json_at(json, "locks.1.from")), 1700000030);
    json_decref(json);
    struct answer answer;
    fixture_ask(&fixture, "DELETE",
                "/streamer/api/v3/streams/shop/cam/dvr/ranges?from=1700000000&duration=1", "",
                &answer);
    assert_true(answer.status == 204 || answer.status == 503); // or it is still being opened
    mem_free(answer.text);
    json_decref(fixture_json_of(&fixture, "POST",
                                "/streamer/api/v3/streams/shop/cam/dvr/ranges?from=1&duration=2",
                                "", 404));
    // A page of another site, in a browser on this machine.
    json_decref(fixture_json_of(&fixture, "POST", LOCKS "?from=1&duration=2",
                                "Origin: http://elsewhere\r\n", 403));
    static const char *const bad[] = {"", "?from=x&duration=5", "?from=5", "?from=5&duration=0",
                                      "?from=9&to=8"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[128];
        text_format(path, sizeof path, LOCKS "%s", bad[i]);
        json_decref(fixture_json_of(&fixture, "POST", path, "", 400));
    }
    json_decref(fixture_json_of(&fixture, "POST",
                                "/streamer/api/v3/streams/a/dvr/locks?from=1&duration=2", "", 404));
    json_decref(fixture_json_of(&fixture, "POST", "/streamer/api/v3/streams/a", "", 404));
    fixture_stop(&fixture);
    loop_fixture_settle(loop);
    loop_fixture_free(&loop);
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(api_locks_are_set_and_taken_away), TEST(api_stream_tells_state_and_tracks),
          TEST(api_stream_on_demand_is_not_started), TEST(api_stream_secrets_are_masked),
          TEST(api_streams_pages_walk_all_of_them), TEST(api_streams_cursor_outlives_its_stream),
          TEST(api_bad_questions_get_a_reason), TEST(api_server_tells_itself),
          TEST(api_recording_status_tells_the_whole),
          TEST(api_recording_status_ranges_are_exact_or_whole_hours),
          TEST(api_recording_status_of_a_client_that_left_is_cancelled))
