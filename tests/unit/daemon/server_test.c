// SPDX-License-Identifier: MIT
// Reading a configuration from disk (conf_load), and again while the server runs.
#include "server_fixture.h"

#include <sys/stat.h>

#include "conf_load.h"
#include "temp_folder.h"

struct loaded {
    struct conf *conf;
    bool done;
    char lines[2048];
};

static void on_loaded(void *arg, struct conf **conf, struct conf_problems *problems)
{
    struct loaded *loaded = arg;
    loaded->conf = *conf;
    *conf = NULL;
    loaded->done = true;
    for (size_t i = 0; i < problems->count; i++)
        text_append(loaded->lines, sizeof(loaded->lines), "%s\n", problems->item[i].line);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void load(struct loop *loop, const char *path, struct loaded *loaded)
{
    *loaded = (struct loaded){0};
    protocols_install(count_table);
    conf_load_start(loop, path, NULL, on_loaded, loaded);
    assert_false(loaded->done); // never inside the call
    LOOP_UNTIL(loop, loaded->done);
}

// ---- conf_load ----------------------------------------------------------------------------------

static void conf_load_follows_includes(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct loaded loaded;
    temp_folder_make(&folder);
    assert_int_equal(mkdir(temp_path(&folder, "d"), 0755), 0);
    write_file(temp_path(&folder, "a.conf"), "http 80; include d/*.conf d/*.conf d/x* b;");
    write_file(temp_path(&folder, "b"), "stream b { include d/side; }");
    write_file(temp_path(&folder, "d/side"), "input count://1;");
    write_file(temp_path(&folder, "d/1.conf"), "stream one { input count://1; }");
    write_file(temp_path(&folder, "d/x"), "stream x { input count://1; }");
    load(loop, temp_path(&folder, "a.conf"), &loaded);
    // The folder is read for both patterns; d/1.conf is included twice, which its own line tells.
    assert_int_equal(loaded.conf->stream_count, 3);
    assert_string_equal(loaded.conf->stream[0]->conf.name, "one");
    assert_string_equal(loaded.conf->stream[1]->conf.name, "x");
    assert_string_equal(loaded.conf->stream[2]->conf.input[0].url, "count://1");
    assert_non_null(strstr(loaded.lines, "d/1.conf:1:8: found a second stream 'one'"));
    conf_free(&loaded.conf);
    temp_folder_remove(&folder);
    loop_fixture_free(&loop);
}

static void conf_load_missing_file_is_told(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct loaded loaded;
    char expected[256];
    temp_folder_make(&folder);
    const char *path = temp_path(&folder, "a.conf");
    load(loop, path, &loaded);
    text_format(expected, sizeof(expected),
                "%s: found file %s: No such file or directory, expected a file that can be read\n",
                path, path);
    assert_memory_equal(loaded.lines, expected, strlen(expected));
    conf_free(&loaded.conf);
    load(loop, folder.path, &loaded);
    assert_non_null(strstr(loaded.lines, "expected a file that can be read"));
    conf_free(&loaded.conf);
    temp_folder_remove(&folder);
    loop_fixture_free(&loop);
}

static void conf_load_asks_for_archive_paths(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct loaded loaded;
    char text[512];
    temp_folder_make(&folder);
    write_file(temp_path(&folder, "file"), "");
    text_format(text, sizeof(text),
                "http 80;\nstream good { input count://1; dvr %s/new/folder; }\n"
                "stream bad { input count://1;\n dvr %s/file/x 7d; }\n",
                folder.path, folder.path);
    write_file(temp_path(&folder, "a.conf"), text);
    load(loop, temp_path(&folder, "a.conf"), &loaded);
    assert_int_equal(loaded.conf->stream_count, 1);
    assert_string_equal(loaded.conf->bad_stream[0], "bad");
    assert_non_null(strstr(loaded.lines, "a.conf:4:2: found archive path '"));
    conf_free(&loaded.conf);
    temp_folder_remove(&folder);
    loop_fixture_free(&loop);
}

static void conf_load_cancelled_calls_nothing(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct loaded loaded = {0};
    long before = mem_live_count();
    temp_folder_make(&folder);
    write_file(temp_path(&folder, "a.conf"), "http 80;");
    struct conf_load *gone =
        conf_load_start(loop, temp_path(&folder, "a.conf"), NULL, on_loaded, &loaded);
    conf_load_cancel(&gone);
    LOOP_UNTIL(loop, mem_live_count() == before);
    assert_false(loaded.done);
    temp_folder_remove(&folder);
    loop_fixture_free(&loop);
}

// ---- reload -------------------------------------------------------------------------------------

static void server_reload_applies_what_the_file_says_now(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct temp_folder folder;
    struct fixture fixture;
    char text[256];
    temp_folder_make(&folder);
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; stream a { input count://1; }");
    mem_free(fixture.server->conf_path);
    fixture.server->conf_path = mem_strdup(temp_path(&folder, "a.conf"));
    text_format(text, sizeof(text), "http 127.0.0.1:%u; stream b { input count://2; }",
                fixture.port);
    write_file(fixture.server->conf_path, text);
    server_reload(fixture.server);
    assert_non_null(fixture_stream(&fixture, "a"));
    // A second one meanwhile is not lost: the file is read once more.
    server_reload(fixture.server);
    LOOP_UNTIL(loop, fixture.server->reloads == 2);
    assert_null(fixture_stream(&fixture, "a"));
    assert_non_null(fixture_stream(&fixture, "b"));
    assert_int_equal(count_pulls, 2);
    // A file that is gone changes nothing.
    assert_int_equal(unlink(fixture.server->conf_path), 0);
    server_reload(fixture.server);
    LOOP_UNTIL(loop, fixture.server->reloads == 3);
    assert_non_null(fixture_stream(&fixture, "b"));
    assert_int_equal(fixture.server->conf_errors, 1);
    fixture_stop(&fixture);
    temp_folder_remove(&folder);
    loop_fixture_free(&loop);
}

static void server_free_in_the_middle_of_a_reload(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$; stream a { input count://1; }");
    server_reload(fixture.server);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(conf_load_follows_includes), TEST(conf_load_missing_file_is_told),
          TEST(conf_load_asks_for_archive_paths), TEST(conf_load_cancelled_calls_nothing),
          TEST(server_reload_applies_what_the_file_says_now),
          TEST(server_free_in_the_middle_of_a_reload))
