// SPDX-License-Identifier: MIT
// Streams that have footage and no line.
#include "server_fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "kept.h"
#include "temp_folder.h"

static void make_folder(const struct temp_folder *folder, const char *name)
{
    char path[512];
    (void)text_format(path, sizeof path, "%s/%s", folder->path, name);
    for (char *at = path + strlen(folder->path) + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = 0;
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *at = kept;
        if (!kept)
            return;
    }
}

static void kept_streams_are_found_behind_the_start(void **state)
{
    (void)state;
    struct temp_folder folder;
    struct fixture fixture;
    char text[1024];
    struct loop *loop = loop_fixture_new();
    temp_folder_make(&folder);
    make_folder(&folder, "dvr/a/2026/01");        // has a line
    make_folder(&folder, "dvr/yard/old/2026/01"); // has none
    make_folder(&folder, "dvr/bad/2026/01");      // has a bad one
    make_folder(&folder, "dvr/empty/at/all");     // no footage
    make_folder(&folder, "dvr/deep/b/2026/01");   // of another path
    (void)text_format(text, sizeof text,
                      "http 127.0.0.1:$;\n"
                      "stream a { input count://1; dvr %s/dvr 1h; }\n"
                      "stream c { input count://1; dvr %s/dvr 2d; }\n"
                      "stream b { input count://1; dvr %s/dvr/deep; }\n"
                      "stream bad { input bad://3; dvr %s/dvr; }\n",
                      folder.path, folder.path, folder.path, folder.path);
    fixture_start(&fixture, loop, count_table, text);
    assert_null(fixture_stream(&fixture, "yard/old")); // nobody waits for it
    LOOP_UNTIL(loop, !fixture.server->search);
    struct stream *old = fixture_stream(&fixture, "yard/old");
    assert_non_null(old);
    assert_true(stream_conf(old)->kept);
    assert_int_equal(stream_conf(old)->dvr.depth_s, 2 * 86400); // as long as anything there
    assert_false(stream_conf(fixture_stream(&fixture, "a"))->kept);
    assert_null(fixture_stream(&fixture, "bad"));
    assert_null(fixture_stream(&fixture, "empty"));
    assert_null(fixture_stream(&fixture, "deep/b"));
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
    temp_folder_remove(&folder);
}

// The end comes first.
static void kept_search_ends_with_the_server(void **state)
{
    (void)state;
    struct temp_folder folder;
    struct fixture fixture;
    char text[256];
    struct loop *loop = loop_fixture_new();
    temp_folder_make(&folder);
    make_folder(&folder, "dvr/old/2026/01");
    (void)text_format(text, sizeof text,
                      "http 127.0.0.1:$; stream a { input count://1; dvr %s/dvr; }", folder.path);
    fixture_start(&fixture, loop, count_table, text);
    assert_non_null(fixture.server->search);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(kept_streams_are_found_behind_the_start), TEST(kept_search_ends_with_the_server))
