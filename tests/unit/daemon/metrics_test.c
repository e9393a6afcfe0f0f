// SPDX-License-Identifier: MIT
// /metrics keeps the rules of OpenMetrics: families together and announced, names by type, no
// series twice, labels escaped, an end.
#include "server_fixture.h"

#include "base/map.h"

// The family that a sample belongs to by its type; empty when its name does not fit the type.
static bool sample_fits(const char *name, const char *family, const char *type)
{
    size_t length = strlen(family);
    if (strncmp(name, family, length) != 0)
        return false;
    const char *suffix = name + length;
    if (strcmp(type, "counter") == 0)
        return strcmp(suffix, "_total") == 0;
    if (strcmp(type, "info") == 0)
        return strcmp(suffix, "_info") == 0;
    if (strcmp(type, "histogram") == 0)
        return strcmp(suffix, "_bucket") == 0;
    return strcmp(type, "gauge") == 0 && !*suffix;
}

static void check_text(const char *text)
{
    struct map *families = map_new(), *series = map_new();
    char family[128] = "", type[32] = "";
    assert_true(text_ends(text, "\n# EOF\n"));
    for (const char *line = text, *end; *line; line = end + 1) {
        char one[1024], name[128];
        end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(text_copy_n(one, sizeof(one), line, (size_t)(end - line)));
        if (sscanf(one, "# TYPE %127s %31s", family, type) == 2) {
            if (map_set(families, family, families))
                fail_msg("family %s twice", family);
        } else if (one[0] != '#') {
            char *value = strrchr(one, ' ');
            assert_non_null(value);
            *value = 0;
            text_copy_n(name, sizeof(name), one, strcspn(one, "{"));
            if (!sample_fits(name, family, type))
                fail_msg("%s in family %s, a %s", name, family, type);
            if (map_set(series, one, series))
                fail_msg("%s twice", one);
        }
    }
    map_free(&families);
    map_free(&series);
}

static void metrics_text_keeps_the_rules(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct answer answer;
    fixture_start(&fixture, loop, count_table,
                  "http 127.0.0.1:$; stream a { input count://1; title \"x\\\"y\\\\z\"; }\n"
                  "stream yard/b { input count://1; static false; }\n"
                  "cluster_key 0123456789abcdefgh; source m4s://127.0.0.1:1;");
    fixture_get(&fixture, "/metrics", &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.text, "application/openmetrics-text; version=1.0.0"));
    check_text(answer.body);
    assert_non_null(strstr(answer.body, "sluice_stream_info{stream=\"a\",title=\"x\\\"y\\\\z\","
                                        "named_by=\"config\"} 1\n"));
    assert_non_null(strstr(answer.body, "sluice_stream_up{stream=\"yard/b\"} 0\n"));
    assert_non_null(strstr(answer.body, "sluice_streams{state=\"starting\"} 1\n"));
    assert_non_null(strstr(answer.body, "sluice_stream_frames_total{stream=\"a\"} 0\n"));
    // One that never ran has nothing to count.
    assert_null(strstr(answer.body, "sluice_stream_frames_total{stream=\"yard/b\"}"));
    assert_non_null(strstr(answer.body, "sluice_loop_turn_seconds_bucket{le=\"+Inf\"} "));
    assert_non_null(strstr(answer.body, "sluice_source_up{source=\"127.0.0.1:1\"} 0\n"));
    mem_free(answer.text);
    // The answers are counted by class.
    fixture_get(&fixture, "/nothing", &answer);
    mem_free(answer.text);
    fixture_get(&fixture, "/metrics", &answer);
    assert_non_null(strstr(answer.body, "sluice_http_responses_total{status=\"4xx\"} 1\n"));
    mem_free(answer.text);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

// More than one piece: the answer goes on by itself while there is room, and ends.
static void metrics_of_many_streams_are_complete(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct answer answer;
    char text[4096] = "http 127.0.0.1:$; template t { input count://1; }";
    for (int i = 0; i < 120; i++)
        text_append(text, sizeof(text), "stream s%d { template t; }", i);
    fixture_start(&fixture, loop, count_table, text);
    fixture_get(&fixture, "/metrics", &answer);
    check_text(answer.body);
    assert_non_null(strstr(answer.body, "sluice_stream_segments_total{stream=\"s119\"} 0\n"));
    mem_free(answer.text);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

static void metrics_histogram_grows_with_its_bounds(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    struct answer answer;
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$;");
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    fixture_get(&fixture, "/metrics", &answer);
    unsigned long long last = 0, value;
    double last_bound = 0, bound;
    unsigned buckets = 0;
    for (const char *at = answer.body; (at = strstr(at, "_seconds_bucket{le=\"")) != NULL; at++) {
        if (sscanf(at, "_seconds_bucket{le=\"%lf\"} %llu", &bound, &value) == 2) {
            assert_true(bound > last_bound && value >= last);
            last = value;
            last_bound = bound;
            buckets++;
        }
    }
    assert_int_equal(buckets, LOOP_HISTOGRAM); // with +Inf
    assert_true(last >= 20);
    mem_free(answer.text);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(metrics_text_keeps_the_rules), TEST(metrics_of_many_streams_are_complete),
          TEST(metrics_histogram_grows_with_its_bounds))
