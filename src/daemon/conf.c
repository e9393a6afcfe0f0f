// SPDX-License-Identifier: MIT
// The tree to plain values, through the table of options.
//
// 1. A value that is bad is reported where it stands and leaves out the stream or source it belongs
//    to; nothing else is touched by it.
// 2. A template is read once by itself, where its problems are reported; who uses a bad one is bad.
// 3. Places in the result refer to names that the result owns: it outlives files and tree.
#include "conf.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "conf_file.h"
#include "conf_parse.h"
#include "conf_read.h"

struct template
{
    const struct conf_node *node;
    bool bad;
};

// ---- life ---------------------------------------------------------------------------------------

static void stream_free(struct conf_stream *stream)
{
    stream_conf_fini(&stream->conf);
    mem_free(stream);
}

static void source_free(struct conf_source *source)
{
    source_conf_fini(&source->conf);
    mem_free(source);
}

void conf_free(struct conf **conf)
{
    struct conf *c = *conf;
    if (!c)
        return;
    for (unsigned i = 0; i < c->listen_count; i++)
        mem_free(c->listen[i].host);
    for (unsigned i = 0; i < c->stream_count; i++)
        stream_free(c->stream[i]);
    for (unsigned i = 0; i < c->source_count; i++)
        source_free(c->source[i]);
    for (unsigned i = 0; i < c->bad_stream_count; i++)
        mem_free(c->bad_stream[i]);
    size_t cursor = 0;
    void *name;
    while (map_next(c->files, &cursor, NULL, &name))
        mem_free(name);
    map_free(&c->files);
    mem_free(c->listen);
    mem_free(c->stream);
    mem_free(c->source);
    mem_free(c->bad_stream);
    mem_free(c->export_path);
    mem_free(c->edit_auth);
    mem_free(c->cluster_key);
    mem_free(c);
    *conf = NULL;
}

// The same place with a file name that lives as long as the configuration.
static struct conf_place place_kept(struct conf *conf, struct conf_place place)
{
    char *name = map_get(conf->files, place.file);
    if (!name) {
        name = mem_strdup(place.file);
        map_set(conf->files, place.file, name);
    }
    place.file = name;
    return place;
}

void conf_leave_out(struct conf *conf, struct conf_stream *stream)
{
    conf->bad_stream =
        mem_resize(conf->bad_stream, (conf->bad_stream_count + 1) * sizeof(conf->bad_stream[0]));
    conf->bad_stream[conf->bad_stream_count++] = mem_strdup(stream->conf.name);
    stream_free(stream);
}

// ---- streams, sources, templates ----------------------------------------------------------------

// The template that a block uses, or NULL; *bad when it is not there or cannot be used.
static const struct template *find_template(struct conf_reading *reading,
                                            const struct conf_node *block, bool *bad)
{
    if (conf_node_count(block, "template") == 0)
        return NULL;
    const struct conf_node *use = conf_node_get(block, "template", 0);
    const char *name = conf_read_one_arg(reading, use, "the name of a template");
    if (!name) {
        *bad = true;
        return NULL;
    }
    const struct template *found = map_get(reading->templates, name);
    if (!found) {
        char suggestion[96], word[80];
        struct conf_nearest nearest = {.word = name};
        size_t cursor = 0;
        for (const char *key; map_next(reading->templates, &cursor, &key, NULL);)
            conf_nearest_try(&nearest, key);
        conf_nearest_print(&nearest, suggestion, sizeof(suggestion));
        conf_word_print(name, word, sizeof(word));
        conf_read_error(reading, use, 0, "found '%s', expected the name of a template%s", word,
                        suggestion);
    }
    *bad = !found || found->bad;
    return found;
}

// Reads a block over the template it uses. False when something in either is bad.
static bool read_block(struct conf_reading *reading, const struct conf_node *block,
                       unsigned section, struct conf_owners *owners)
{
    bool bad_template = false;
    size_t errors = reading->problems->errors;
    const struct template *used = find_template(reading, block, &bad_template);
    // Inputs of the template count only when there is none here.
    owners->skip_inputs = conf_node_count(block, "input") > 0;
    if (used && !bad_template)
        conf_read_options(reading, used->node, section, owners);
    owners->skip_inputs = false;
    conf_read_options(reading, block, section, owners);
    return !bad_template && !conf_node_is_broken(block) && reading->problems->errors == errors;
}

// The words of a block that has one name; NULL when it is bad. `what`: for messages.
static const char *block_name(struct conf_reading *reading, const struct conf_node *block,
                              const char *what, struct map *seen)
{
    char expected[48], word[80];
    text_format(expected, sizeof(expected), "the name of a %s", what);
    const char *name = conf_read_one_arg(reading, block, expected);
    if (!name)
        return NULL;
    conf_word_print(name, word, sizeof(word));
    if (!stream_name_valid(name)) {
        conf_read_error(reading, block, 0,
                        "found '%s', expected %s: letters, digits, . - _ and "
                        "single / between parts, at most %d",
                        word, expected, STREAM_NAME_MAX - 1);
        return NULL;
    }
    const struct conf_node *first = map_get(seen, name);
    if (first) {
        struct conf_place place;
        char at[CONF_PLACE_TEXT_MAX];
        conf_node_place(first, &place);
        conf_place_print(&place, at, sizeof(at));
        conf_read_error(reading, block, 0,
                        "found a second %s '%s', expected another name (the "
                        "first one: %s)",
                        what, word, at);
        return NULL;
    }
    map_set(seen, name, (void *)(uintptr_t)block);
    return name;
}

static void read_templates(struct conf_reading *reading, const struct conf_node *root)
{
    struct map *seen = map_new();
    for (unsigned i = 0; i < conf_node_count(root, "template"); i++) {
        const struct conf_node *block = conf_node_get(root, "template", i);
        const char *name = block_name(reading, block, "template", seen);
        if (!name)
            continue;
        struct conf_stream *scratch = mem_alloc(sizeof(*scratch));
        struct template *template = mem_alloc(sizeof(*template));
        stream_conf_init(&scratch->conf);
        struct conf_owners owners = {
            .stream = &scratch->conf, .dvr_at = &scratch->dvr_at, .cache_at = &scratch->cache_at};
        template->node = block;
        template->bad = !read_block(reading, block, CONF_TEMPLATE, &owners);
        stream_free(scratch);
        map_set(reading->templates, name, template);
    }
    map_free(&seen);
}

static void read_streams(struct conf_reading *reading, const struct conf_node *root)
{
    struct conf *conf = reading->conf;
    struct map *seen = map_new();
    unsigned count = conf_node_count(root, "stream");
    conf->stream = mem_alloc((count + 1) * sizeof(conf->stream[0]));
    for (unsigned i = 0; i < count; i++) {
        const struct conf_node *block = conf_node_get(root, "stream", i);
        const char *name = block_name(reading, block, "stream", seen);
        if (!name)
            continue;
        struct conf_stream *stream = mem_alloc(sizeof(*stream));
        stream_conf_init(&stream->conf);
        text_copy(stream->conf.name, sizeof(stream->conf.name), name);
        conf_node_place(block, &stream->at);
        stream->at = place_kept(conf, stream->at);
        struct conf_owners owners = {
            .stream = &stream->conf, .dvr_at = &stream->dvr_at, .cache_at = &stream->cache_at};
        if (!read_block(reading, block, CONF_STREAM, &owners)) {
            conf_leave_out(conf, stream);
            continue;
        }
        if (stream->conf.input_count == 0)
            conf_warning(reading->problems, &stream->at,
                         "found stream '%s' without an input, expected at least one", name);
        if (stream->conf.dvr.path_count > 0)
            stream->dvr_at = place_kept(conf, stream->dvr_at);
        if (stream->conf.cache.path)
            stream->cache_at = place_kept(conf, stream->cache_at);
        conf->stream[conf->stream_count++] = stream;
    }
    map_free(&seen);
}

// "m4s://host:port/prefix". False with the problem reported.
static bool read_source_url(struct conf_reading *reading, const struct conf_node *block,
                            unsigned number, struct source_conf *out)
{
    static const char expected[] = "expected HOST:PORT, m4s://HOST:PORT or m4f://HOST:PORT, and "
                                   "perhaps /PREFIX";
    const char *text = conf_node_arg(block, number);
    const char *why = NULL;
    char word[80];
    struct url *url = mem_alloc(sizeof(*url));
    conf_word_print(text, word, sizeof(word));
    bool fine = url_parse(text, url, &why) == 0;
    const char *prefix = url->path + strspn(url->path, "/");
    char *end = url->path + strlen(url->path);
    while (end > prefix && end[-1] == '/')
        *--end = 0;
    if (!fine) {
        conf_read_error(reading, block, number, "found '%s': %s, %s", word, why, expected);
    } else if (url->scheme[0] && strcmp(url->scheme, "m4s") != 0 &&
               strcmp(url->scheme, "m4f") != 0) {
        conf_read_error(reading, block, number, "found scheme '%s', %s", url->scheme, expected);
        fine = false;
    } else if (!url->host[0] || url->user[0] || url->password[0] || url->query[0] ||
               (*prefix && !stream_name_valid(prefix))) {
        conf_read_error(reading, block, number, "found '%s', %s", word, expected);
        fine = false;
    } else {
        mem_free(out->host);
        mem_free(out->prefix_in_url);
        out->host = mem_strdup(url->host);
        out->port = url->port ? url->port : SOURCE_PORT_STANDARD;
        out->m4s = strcmp(url->scheme, "m4s") == 0;
        out->prefix_in_url = mem_strdup(prefix);
    }
    mem_free(url);
    return fine;
}

// False when it is bad, with the problem reported.
static bool read_source(struct conf_reading *reading, const struct conf_node *block,
                        unsigned number, struct map *seen)
{
    struct conf *conf = reading->conf;
    struct conf_source *source = mem_alloc(sizeof(*source));
    source_conf_init(&source->conf);
    conf_node_arg_place(block, number, &source->at);
    source->at = place_kept(conf, source->at);
    struct conf_owners owners = {.stream = &source->conf.defaults,
                                 .source = &source->conf,
                                 .dvr_at = &source->dvr_at,
                                 .cache_at = &source->cache_at};
    bool fine = read_source_url(reading, block, number, &source->conf) &&
                read_block(reading, block, CONF_SOURCE, &owners);
    char key[URL_TEXT_MAX];
    text_format(key, sizeof(key), "%s:%u/%s", source->conf.host, source->conf.port,
                source->conf.prefix_in_url);
    if (fine && map_set(seen, key, source)) {
        conf_read_error(reading, block, number, "found a second source %s, expected another one",
                        key);
        fine = false;
    }
    if (!fine) {
        source_free(source);
        return false;
    }
    if (source->conf.defaults.dvr.path_count > 0)
        source->dvr_at = place_kept(conf, source->dvr_at);
    if (source->conf.defaults.cache.path)
        source->cache_at = place_kept(conf, source->cache_at);
    conf->source = mem_resize(conf->source, (conf->source_count + 1) * sizeof(conf->source[0]));
    conf->source[conf->source_count++] = source;
    return true;
}

static void read_sources(struct conf_reading *reading, const struct conf_node *root)
{
    struct map *seen = map_new();
    for (unsigned i = 0; i < conf_node_count(root, "source"); i++) {
        const struct conf_node *block = conf_node_get(root, "source", i);
        unsigned count = conf_node_args(block);
        bool fine = count > 0;
        if (!fine)
            conf_read_error(reading, block, 0, "found no address, expected HOST:PORT");
        // Not on after a bad one: the same block again would tell the same again.
        for (unsigned number = 0; number < count && fine; number++)
            fine = read_source(reading, block, number, seen);
        if (!fine)
            reading->conf->bad_source = true;
    }
    map_free(&seen);
}

struct conf *conf_read(const struct conf_files *files, const char *path,
                       struct conf_problems *problems)
{
    struct conf *conf = mem_alloc(sizeof(*conf));
    struct conf_tree *tree = conf_parse(files, path, problems);
    const struct conf_node *root = conf_tree_root(tree);
    struct conf_reading reading = {.conf = conf, .problems = problems, .templates = map_new()};
    struct conf_owners owners = {.file = conf};
    conf->files = map_new();
    conf->loglevel = LOG_LEVEL_INFO;
    conf_read_options(&reading, root, CONF_FILE, &owners);
    for (unsigned i = 0; i < conf->listen_count; i++)
        conf->listen[i].at = place_kept(conf, conf->listen[i].at);
    if (conf->listen_count == 0 && problems->errors == 0) {
        struct conf_place place = {path, 0, 0};
        conf_warning(problems, &place, "found no http line, expected one such as 'http 8888;'");
    }
    read_templates(&reading, root);
    read_streams(&reading, root);
    read_sources(&reading, root);

    size_t cursor = 0;
    for (void *template; map_next(reading.templates, &cursor, NULL, &template);)
        mem_free(template);
    map_free(&reading.templates);
    conf_tree_free(&tree);
    conf_problems_sort(problems);
    return conf;
}
