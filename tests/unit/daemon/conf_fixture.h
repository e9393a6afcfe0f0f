// SPDX-License-Identifier: MIT
// Configurations from text, with two protocols that do nothing.
#ifndef TESTS_UNIT_DAEMON_CONF_FIXTURE_H
#define TESTS_UNIT_DAEMON_CONF_FIXTURE_H

#include "unit.h"

#include "base/buf.h"
#include "base/text.h"
#include "conf.h"
#include "conf_files.h"
#include "stream/protocol.h"

static inline int fixture_check(const struct input_conf *input, char *why, size_t room)
{
    if (!strstr(input->url, "nowhere"))
        return 0;
    text_copy(why, room, "there is nothing");
    return ERR_INVALID;
}

static const struct input_option_help fixture_options[] = {{"fps", "1..60", "pictures a second"},
                                                           {"width", "16..4096", "of the picture"},
                                                           {"passphrase", "text", "a secret"},
                                                           {"cluster_key", "text", "a key"},
                                                           {NULL, NULL, NULL}};
static const struct protocol fixture_fake = {
    .name = "fake", .schemes = {"fake"}, .input_options = fixture_options, .check = fixture_check};
static const struct protocol fixture_rtsp = {.name = "rtsp", .schemes = {"rtsp", "rtsps"}};
static const struct protocol *const fixture_protocols[] = {&fixture_fake, &fixture_rtsp, NULL};

// The problems as one text, a line each.
static inline const char *fixture_lines(const struct conf_problems *problems)
{
    static char text[16384];
    text[0] = 0;
    for (size_t i = 0; i < problems->count; i++)
        text_append(text, sizeof(text), "%s\n", problems->item[i].line);
    return text;
}

static inline struct conf *fixture_read_as(const char *path, const char *text,
                                           struct conf_problems *problems)
{
    protocols_install(fixture_protocols);
    struct conf_files *files = conf_files_new();
    conf_files_put(files, path, bytes_of(text, strlen(text)));
    struct conf *conf = conf_read(files, path, problems);
    conf_files_free(&files);
    return conf;
}

// Reads a file "a.conf" without problems.
static inline struct conf *fixture_read(const char *text)
{
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf", text, &problems);
    assert_string_equal(fixture_lines(&problems), "");
    return conf;
}

#endif
