// SPDX-License-Identifier: MIT
// One function per type of the table of options, each from the words of a statement to the field
// that the row names.
//
// 1. A setter that reports a problem may leave its field as it likes: the block is not used then.
// At
//    the top of the file the field keeps its default.
// 2. Setters replace what a template has set before.
#include "conf_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "conf_dvr.h"
#include "conf_value.h"
#include "link/link.h"
#include "stream/protocol.h"

enum { CACHE_PATH_MAX = 3000, LOGIN_WORD_MOST = 255 };

void conf_read_error(struct conf_reading *reading, const struct conf_node *node, unsigned number,
                     const char *format, ...)
{
    char text[1024];
    struct conf_place place;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conf_node_arg_place(node, number, &place);
    conf_error(reading->problems, &place, "%s", text);
}

// "found 'word', expected ...", and a suggestion or "".
static void bad_word(struct conf_reading *reading, const struct conf_node *node, unsigned number,
                     const char *expected, const char *suggestion)
{
    char word[80];
    conf_word_print(conf_node_arg(node, number), word, sizeof(word));
    conf_read_error(reading, node, number, "found '%s', expected %s%s", word, expected, suggestion);
}

const char *conf_read_one_arg(struct conf_reading *reading, const struct conf_node *node,
                              const char *expected)
{
    if (conf_node_args(node) == 1)
        return conf_node_arg(node, 0);
    if (conf_node_args(node) == 0)
        conf_read_error(reading, node, 0, "found nothing, expected %s", expected);
    else
        bad_word(reading, node, 1, "';' (a text with spaces stands in quotes)", "");
    return NULL;
}

static void replace_text(char **field, const char *text)
{
    mem_free(*field);
    *field = mem_strdup(text);
}

// ---- simple types -------------------------------------------------------------------------------

static void set_flag(struct conf_reading *reading, const struct conf_option *option,
                     const struct conf_node *node, void *field)
{
    if (conf_node_args(node) == 0) {
        *(bool *)field = true;
        return;
    }
    const char *text = conf_read_one_arg(reading, node, option->argument);
    if (text && conf_value_flag(text, field) != 0)
        bad_word(reading, node, 0, "true or false", "");
}

static void set_duration(struct conf_reading *reading, const struct conf_option *option,
                         const struct conf_node *node, void *field)
{
    const char *text = conf_read_one_arg(reading, node, option->argument);
    int64_t seconds;
    bool on;
    if (!text)
        return;
    if ((option->flags & CONF_OFF) && conf_value_flag(text, &on) == 0 && !on) {
        *(int64_t *)field = 0;
    } else if (conf_value_duration(text, &seconds) != 0) {
        bad_word(reading, node, 0, "a time: seconds, or with s, m, h or d behind the number", "");
    } else if (seconds < option->min || seconds > option->max) {
        char expected[64];
        text_format(expected, sizeof(expected), "%lld to %lld seconds", (long long)option->min,
                    (long long)option->max);
        bad_word(reading, node, 0, expected, "");
    } else {
        *(int64_t *)field = seconds * US_PER_S;
    }
}

static void set_count(struct conf_reading *reading, const struct conf_option *option,
                      const struct conf_node *node, void *field)
{
    const char *text = conf_read_one_arg(reading, node, option->argument);
    int64_t value;
    char expected[64];
    if (!text)
        return;
    text_format(expected, sizeof(expected), "a number from %lld to %lld", (long long)option->min,
                (long long)option->max);
    if (text_to_int(text, option->min, option->max, &value) != 0)
        bad_word(reading, node, 0, expected, "");
    else
        *(unsigned *)field = (unsigned)value;
}

static void set_text(struct conf_reading *reading, const struct conf_option *option,
                     const struct conf_node *node, void *field)
{
    const char *text = conf_read_one_arg(reading, node, option->argument);
    if (!text)
        return;
    if ((int64_t)strlen(text) < option->min || (int64_t)strlen(text) > option->max)
        conf_read_error(reading, node, 0, "found %zu bytes, expected %lld to %lld", strlen(text),
                        (long long)option->min, (long long)option->max);
    else
        replace_text(field, text);
}

static void set_secret(struct conf_reading *reading, const struct conf_option *option,
                       const struct conf_node *node, void *field)
{
    set_text(reading, option, node, field);
    const char *key = *(char **)field;
    struct conf_place place;
    conf_node_arg_place(node, 0, &place);
    if (key && link_key_is_weak(key))
        conf_warning(reading->problems, &place,
                     "found a key that can be guessed, expected a random one such as 'openssl rand "
                     "-hex 16' prints");
}

static void set_level(struct conf_reading *reading, const struct conf_option *option,
                      const struct conf_node *node, void *field)
{
    const char *text = conf_read_one_arg(reading, node, option->argument);
    if (!text || log_level_parse(text, field))
        return;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct conf_nearest nearest = {.word = text};
    char suggestion[96];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        conf_nearest_try(&nearest, names[i]);
    conf_nearest_print(&nearest, suggestion, sizeof(suggestion));
    bad_word(reading, node, 0, "error, warn, info or debug", suggestion);
}

static void set_listen(struct conf_reading *reading, const struct conf_option *option,
                       const struct conf_node *node, struct conf *conf)
{
    const char *text = conf_read_one_arg(reading, node, option->argument);
    char host[64];
    uint16_t port;
    conf->bad_listen = conf->bad_listen || !text;
    if (!text)
        return;
    bool fine = conf_value_listen(text, host, sizeof(host), &port) == 0;
    if (!fine)
        bad_word(reading, node, 0, "a port from 1 to 65535, perhaps with an address in front", "");
    for (unsigned i = 0; fine && i < conf->listen_count; i++) {
        if (conf->listen[i].port == port && strcmp(conf->listen[i].host, host) == 0) {
            bad_word(reading, node, 0, "an address and port that no other http line has", "");
            fine = false;
        }
    }
    if (!fine) {
        conf->bad_listen = true;
        return;
    }
    conf->listen = mem_resize(conf->listen, (conf->listen_count + 1) * sizeof(conf->listen[0]));
    struct conf_listen *listen = &conf->listen[conf->listen_count++];
    *listen = (struct conf_listen){.host = mem_strdup(host), .port = port};
    conf_node_arg_place(node, 0, &listen->at);
}

// ---- inputs -------------------------------------------------------------------------------------

static void scheme_expected(const char *url, char *expected, size_t room, char *suggestion,
                            size_t suggestion_room)
{
    char scheme[32];
    text_copy_n(scheme, sizeof(scheme), url, strcspn(url, ":"));
    struct conf_nearest nearest = {.word = scheme};
    text_copy(expected, room, "a URL that begins with");
    const char *between = " ";
    for (const struct protocol *const *protocol = protocols_all(); *protocol; protocol++) {
        for (unsigned i = 0; i < 8 && (*protocol)->schemes[i]; i++) {
            text_append(expected, room, "%s%s://", between, (*protocol)->schemes[i]);
            conf_nearest_try(&nearest, (*protocol)->schemes[i]);
            between = ", ";
        }
    }
    conf_nearest_print(&nearest, suggestion, suggestion_room);
}

static bool option_known(const struct protocol *protocol, const char *key, char *suggestion,
                         size_t room)
{
    struct conf_nearest nearest = {.word = key};
    const struct input_option_help *option = protocol->input_options;
    for (; option && option->name; option++) {
        if (strcmp(option->name, key) == 0)
            return true;
        conf_nearest_try(&nearest, option->name);
    }
    conf_nearest_print(&nearest, suggestion, room);
    return false;
}

static void read_input_option(struct conf_reading *reading, const struct conf_node *node,
                              unsigned number, const struct protocol *protocol,
                              struct input_conf *input)
{
    const char *word = conf_node_arg(node, number);
    size_t length = strcspn(word, "=");
    char key[64], suggestion[96], expected[96];
    struct conf_place place;
    text_copy_n(key, sizeof(key), word, length);
    text_format(expected, sizeof(expected), "an option of %s%s", protocol->name,
                protocol->input_options ? "" : ", which has none");
    if (!option_known(protocol, key, suggestion, sizeof(suggestion))) {
        bad_word(reading, node, number, expected, suggestion);
    } else if (input_conf_get(input, key)) {
        bad_word(reading, node, number, "each option once", "");
    } else if (input->option_count == INPUT_OPTIONS_MAX) {
        bad_word(reading, node, number, "no more options", "");
    } else {
        const char *value = word[length] ? word + length + 1 : "true";
        input_conf_add_option(input, key, value);
        conf_node_arg_place(node, number, &place);
        if (strcmp(key, "cluster_key") == 0 && link_key_is_weak(value))
            conf_warning(reading->problems, &place,
                         "found a key that can be guessed, expected a "
                         "random one such as 'openssl rand -hex 16' prints");
    }
}

static void set_input(struct conf_reading *reading, const struct conf_option *option,
                      const struct conf_node *node, struct stream_conf *stream)
{
    if (conf_node_args(node) == 0) {
        conf_read_error(reading, node, 0, "found nothing, expected %s", option->argument);
        return;
    }
    const char *url = conf_node_arg(node, 0), *why = NULL;
    const struct protocol *protocol = protocol_by_url(url, &why);
    struct url *parsed = mem_alloc(sizeof(*parsed));
    char expected[400], suggestion[96] = "", reason[200] = "";
    if (stream->input_count == STREAM_INPUTS_MAX) {
        conf_read_error(reading, node, 0, "found another input, expected at most %d",
                        STREAM_INPUTS_MAX);
    } else if (!protocol && url_parse(url, parsed, &why) != 0) {
        text_format(expected, sizeof(expected), "a URL (%s)", why);
        bad_word(reading, node, 0, expected, "");
    } else if (!protocol) {
        scheme_expected(url, expected, sizeof(expected), suggestion, sizeof(suggestion));
        bad_word(reading, node, 0, expected, suggestion);
    } else {
        struct input_conf *input = stream_conf_add_input(stream, url);
        size_t errors = reading->problems->errors;
        for (unsigned i = 1; i < conf_node_args(node); i++)
            read_input_option(reading, node, i, protocol, input);
        if (reading->problems->errors == errors && protocol->check &&
            protocol->check(input, reason, sizeof(reason)) != 0) {
            text_format(expected, sizeof(expected), "an input of %s that can work (%s)",
                        protocol->name, reason);
            bad_word(reading, node, 0, expected, "");
        }
    }
    mem_free(parsed);
}

// ---- only, except --------------------------------------------------------------------------

static void set_login(struct conf_reading *reading, const struct conf_option *option,
                      const struct conf_node *node, char **login)
{
    if (conf_node_args(node) != 2) {
        conf_read_error(reading, node, 0, "expected %s", option->argument);
        return;
    }
    const char *user = conf_node_arg(node, 0), *password = conf_node_arg(node, 1);
    char text[LOGIN_WORD_MOST * 2 + 2];
    if (!user[0] || strchr(user, ':') || strlen(user) > LOGIN_WORD_MOST)
        bad_word(reading, node, 0, "a user of 1 to 255 bytes without ':'", "");
    else if (!password[0] || strlen(password) > LOGIN_WORD_MOST)
        conf_read_error(reading, node, 1, "expected a password of 1 to 255 bytes");
    else if (text_format(text, sizeof(text), "%s:%s", user, password)) {
        mem_free(*login);
        *login = mem_strdup(text);
    }
}

static void set_cache(struct conf_reading *reading, const struct conf_option *option,
                      const struct conf_node *node, struct cache_conf *cache)
{
    struct cache_conf read = {0};
    for (unsigned i = 0; i < conf_node_args(node); i++) {
        const char *word = conf_node_arg(node, i);
        if (word[0] == '/' && !read.path && strlen(word) < CACHE_PATH_MAX)
            read.path = mem_strdup(word);
        else if (read.depth_s || conf_value_duration(word, &read.depth_s) != 0 || !read.depth_s) {
            if (read.size_bytes || conf_value_size(word, &read.size_bytes) != 0 || !read.size_bytes)
                bad_word(reading, node, i,
                         "one absolute path, one depth (2d, 10h) and one size (400G) at most", "");
        }
    }
    if (!read.path)
        conf_read_error(reading, node, conf_node_args(node), "found no path, expected %s",
                        option->argument);
    // One folder has one name: caches compare them as text.
    for (size_t end = read.path ? strlen(read.path) : 0; end > 1 && read.path[end - 1] == '/';
         end--)
        read.path[end - 1] = 0;
    mem_free(cache->path);
    *cache = read;
}

static void add_names(struct conf_reading *reading, const struct conf_node *node, char ***names,
                      unsigned *count)
{
    for (unsigned i = 0; i < conf_node_args(node); i++) {
        const char *word = conf_node_arg(node, i);
        char prefix[STREAM_NAME_MAX];
        size_t length = text_ends(word, "/*") ? strlen(word) - 2 : strlen(word);
        bool fine = strcmp(word, "*") == 0 || (text_copy_n(prefix, sizeof(prefix), word, length) &&
                                               stream_name_valid(prefix));
        if (!fine) {
            bad_word(reading, node, i, "the name of a stream, PREFIX/* or *", "");
            continue;
        }
        *names = mem_resize(*names, (*count + 1) * sizeof((*names)[0]));
        (*names)[(*count)++] = mem_strdup(word);
    }
}

// ---- the table ----------------------------------------------------------------------------------

static void set_option(struct conf_reading *reading, const struct conf_option *option,
                       const struct conf_node *node, const struct conf_owners *owners)
{
    void *bases[] = {owners->file, owners->stream, owners->source};
    void *field = bases[option->owner] ? (char *)bases[option->owner] + option->offset : NULL;
    switch (option->type) {
    case CONF_TYPE_FLAG:
        set_flag(reading, option, node, field);
        break;
    case CONF_TYPE_DURATION:
        set_duration(reading, option, node, field);
        break;
    case CONF_TYPE_COUNT:
        set_count(reading, option, node, field);
        break;
    case CONF_TYPE_TEXT:
        set_text(reading, option, node, field);
        break;
    case CONF_TYPE_SECRET:
        set_secret(reading, option, node, field);
        break;
    case CONF_TYPE_LOGIN:
        set_login(reading, option, node, field);
        break;
    case CONF_TYPE_LEVEL:
        set_level(reading, option, node, field);
        break;
    case CONF_TYPE_LISTEN:
        set_listen(reading, option, node, owners->file);
        break;
    case CONF_TYPE_INPUT:
        if (!owners->skip_inputs)
            set_input(reading, option, node, owners->stream);
        break;
    case CONF_TYPE_CACHE:
        conf_node_place(node, owners->cache_at);
        set_cache(reading, option, node, field);
        break;
    case CONF_TYPE_DVR:
        conf_node_place(node, owners->dvr_at);
        conf_dvr_read(reading, node, option->argument, field);
        ((struct dvr_conf *)field)->offline = option->flags & CONF_OFFLINE;
        break;
    case CONF_TYPE_ONLY:
        owners->source->has_only = true;
        add_names(reading, node, &owners->source->only, &owners->source->only_count);
        break;
    case CONF_TYPE_EXCEPT:
        add_names(reading, node, &owners->source->except, &owners->source->except_count);
        break;
    case CONF_TYPE_USE:     // before everything else, by conf_read
    case CONF_TYPE_INCLUDE: // by conf_parse
    case CONF_TYPE_BLOCK:   // by conf_read
        break;
    }
}

void conf_read_options(struct conf_reading *reading, const struct conf_node *block,
                       unsigned section, const struct conf_owners *owners)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *option = &conf_options[i];
        unsigned count = option->sections & section ? conf_node_count(block, option->word) : 0;
        for (unsigned k = 0; k < count && option->opens == 0; k++) {
            const struct conf_node *node = conf_node_get(block, option->word, k);
            size_t errors = reading->problems->errors;
            if (k > 0 && !(option->flags & CONF_REPEAT)) {
                struct conf_place first, place;
                char at[CONF_PLACE_TEXT_MAX];
                conf_node_place(conf_node_get(block, option->word, 0), &first);
                conf_place_print(&first, at, sizeof(at));
                conf_node_place(node, &place);
                conf_error(reading->problems, &place,
                           "found a second '%s', expected one (the first "
                           "one: %s)",
                           option->word, at);
            } else if (!conf_node_is_broken(node)) {
                set_option(reading, option, node, owners);
            }
            if (option->flags & CONF_OFFLINE && conf_node_count(block, "dvr") > 0)
                conf_read_error(reading, node, conf_node_args(node),
                                "found dvr_offline beside dvr, expected one of the two");
            bool bad = conf_node_is_broken(node) || reading->problems->errors > errors;
            if (bad && option->type == CONF_TYPE_LISTEN)
                owners->file->bad_listen = true;
            if (bad && option->type == CONF_TYPE_SECRET && owners->file)
                owners->file->bad_key = true;
        }
    }
}
