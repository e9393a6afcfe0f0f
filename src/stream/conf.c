// SPDX-License-Identifier: MIT
#include "stream/conf.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"

static char *copy_text(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

static bool text_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

// ---- dvr ---------------------------------------------------------------------------------------

void dvr_conf_init(struct dvr_conf *dvr)
{
    *dvr = (struct dvr_conf){.percent = DVR_PERCENT, .sync_us = DVR_SYNC_US};
}

void dvr_conf_fini(struct dvr_conf *dvr)
{
    for (unsigned i = 0; i < dvr->path_count; i++)
        mem_free(dvr->path[i]);
    dvr_conf_init(dvr);
}

void dvr_conf_copy(struct dvr_conf *to, const struct dvr_conf *from)
{
    *to = *from;
    for (unsigned i = 0; i < from->path_count; i++)
        to->path[i] = mem_strdup(from->path[i]);
}

bool dvr_conf_equal(const struct dvr_conf *a, const struct dvr_conf *b)
{
    if (a->path_count != b->path_count || a->span_count != b->span_count)
        return false;
    for (unsigned i = 0; i < a->path_count; i++)
        if (strcmp(a->path[i], b->path[i]) != 0)
            return false;
    for (unsigned i = 0; i < a->span_count; i++)
        if (a->span[i].from_m != b->span[i].from_m || a->span[i].to_m != b->span[i].to_m)
            return false;
    return a->depth_s == b->depth_s && a->percent == b->percent && a->size_bytes == b->size_bytes &&
           a->free_bytes == b->free_bytes && a->sync_us == b->sync_us && a->mounted == b->mounted &&
           a->offline == b->offline;
}

// ---- stream ------------------------------------------------------------------------------------

void stream_conf_init(struct stream_conf *conf)
{
    *conf = (struct stream_conf){
        .segment_duration_us = STREAM_SEGMENT_DURATION_US,
        .segment_count = STREAM_SEGMENT_COUNT,
        .clients_timeout_us = STREAM_CLIENTS_TIMEOUT_US,
        .source_timeout_us = STREAM_SOURCE_TIMEOUT_US,
        .is_static = true,
    };
    dvr_conf_init(&conf->dvr);
}

void input_conf_fini(struct input_conf *input)
{
    mem_free(input->url);
    for (unsigned i = 0; i < input->option_count; i++) {
        mem_free(input->option[i].key);
        mem_free(input->option[i].value);
    }
    mem_free(input->option);
    *input = (struct input_conf){0};
}

void input_conf_add_option(struct input_conf *input, const char *key, const char *value)
{
    ENSURE(input->option_count < INPUT_OPTIONS_MAX);
    input->option = mem_resize(input->option, (input->option_count + 1) * sizeof *input->option);
    input->option[input->option_count++] =
        (struct input_option){.key = mem_strdup(key), .value = mem_strdup(value)};
}

void input_conf_copy(struct input_conf *to, const struct input_conf *from)
{
    *to = (struct input_conf){.url = copy_text(from->url)};
    for (unsigned i = 0; i < from->option_count; i++)
        input_conf_add_option(to, from->option[i].key, from->option[i].value);
}

struct input_conf *stream_conf_add_input(struct stream_conf *conf, const char *url)
{
    ENSURE(conf->input_count < STREAM_INPUTS_MAX);
    conf->input = mem_resize(conf->input, (conf->input_count + 1) * sizeof *conf->input);
    struct input_conf *input = &conf->input[conf->input_count++];
    *input = (struct input_conf){.url = mem_strdup(url)};
    return input;
}

void stream_conf_fini(struct stream_conf *conf)
{
    for (unsigned i = 0; i < conf->input_count; i++)
        input_conf_fini(&conf->input[i]);
    mem_free(conf->input);
    mem_free(conf->title);
    mem_free(conf->cache.path);
    dvr_conf_fini(&conf->dvr);
    stream_conf_init(conf);
}

void stream_conf_copy(struct stream_conf *to, const struct stream_conf *from)
{
    *to = *from;
    to->title = copy_text(from->title);
    dvr_conf_copy(&to->dvr, &from->dvr);
    to->cache.path = copy_text(from->cache.path);
    to->input = from->input_count ? mem_alloc(from->input_count * sizeof *to->input) : NULL;
    for (unsigned i = 0; i < from->input_count; i++)
        input_conf_copy(&to->input[i], &from->input[i]);
}

bool input_conf_equal(const struct input_conf *a, const struct input_conf *b)
{
    if (!text_same(a->url, b->url) || a->option_count != b->option_count)
        return false;
    for (unsigned i = 0; i < a->option_count; i++)
        if (!text_same(a->option[i].key, b->option[i].key) ||
            !text_same(a->option[i].value, b->option[i].value))
            return false;
    return true;
}

bool stream_conf_equal(const struct stream_conf *a, const struct stream_conf *b)
{
    if (a->input_count != b->input_count)
        return false;
    for (unsigned i = 0; i < a->input_count; i++)
        if (!input_conf_equal(&a->input[i], &b->input[i]))
            return false;
    return strcmp(a->name, b->name) == 0 && text_same(a->title, b->title) &&
           dvr_conf_equal(&a->dvr, &b->dvr) && text_same(a->cache.path, b->cache.path) &&
           a->cache.depth_s == b->cache.depth_s && a->cache.size_bytes == b->cache.size_bytes &&
           a->segment_duration_us == b->segment_duration_us &&
           a->segment_count == b->segment_count && a->clients_timeout_us == b->clients_timeout_us &&
           a->source_timeout_us == b->source_timeout_us && a->is_static == b->is_static &&
           a->disabled == b->disabled && a->remote == b->remote && a->kept == b->kept;
}

const char *input_conf_get(const struct input_conf *input, const char *key)
{
    for (unsigned i = 0; i < input->option_count; i++)
        if (strcmp(input->option[i].key, key) == 0)
            return input->option[i].value;
    return NULL;
}

bool stream_name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= STREAM_NAME_MAX || name[0] == '/' || name[length - 1] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_';
        if (!plain && !(c == '/' && name[i + 1] != '/'))
            return false;
        // A part of dots only would leave the archive's folder.
        if (c == '.' && (i == 0 || name[i - 1] == '/')) {
            size_t dots = strspn(name + i, ".");
            if (name[i + dots] == '/' || name[i + dots] == '\0')
                return false;
        }
    }
    return true;
}
