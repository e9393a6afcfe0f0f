// SPDX-License-Identifier: MIT
// The page at "/": complete, from this server alone, and closed to what others might put into it.
#include "server_fixture.h"

static void get_page(struct fixture *fixture, const char *path, const char *type)
{
    struct answer answer;
    fixture_get(fixture, path, &answer);
    if (answer.status != 200)
        fail_msg("%s: %d", path, answer.status);
    assert_non_null(strstr(answer.text, type));
    assert_non_null(strstr(answer.text, "Content-Security-Policy: default-src 'self'"));
    assert_non_null(strstr(answer.text, "ETag: \""));
    assert_null(strstr(answer.body, "innerHTML"));
    // Whatever it names of its own must be there; it names nothing of anybody else.
    for (const char *at = answer.body; (at = strstr(at, "http")) != NULL; at++) {
        if (text_starts(at, "http://") || text_starts(at, "https://"))
            assert_true(text_starts(at, "http://www.w3.org/")); // a name space, not an address
    }
    for (const char *at = answer.body; (at = strstr(at, "=\"/streamer/ui/")) != NULL; at++) {
        char named[128];
        text_copy_n(named, sizeof(named), at + 2, strcspn(at + 2, "\""));
        struct answer part;
        fixture_get(fixture, named, &part);
        if (part.status != 200)
            fail_msg("%s names %s: %d", path, named, part.status);
        mem_free(part.text);
    }
    mem_free(answer.text);
}

static void pages_are_complete_and_closed(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$;");
    get_page(&fixture, "/", "Content-Type: text/html; charset=utf-8");
    get_page(&fixture, "/streamer/ui/app.js", "Content-Type: text/javascript");
    get_page(&fixture, "/streamer/ui/player.js", "Content-Type: text/javascript");
    get_page(&fixture, "/streamer/ui/style.css", "Content-Type: text/css");
    get_page(&fixture, "/streamer/ui/icon.svg", "Content-Type: image/svg+xml");
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(pages_are_complete_and_closed))
