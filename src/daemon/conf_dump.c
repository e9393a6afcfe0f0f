// SPDX-License-Identifier: MIT
// The effective configuration: templates applied, defaults written out, secrets masked. What it
// prints reads back as the same configuration, but for the secrets.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "base/writer.h"
#include "conf.h"
#include "conf_dvr.h"
#include "conf_option.h"
#include "conf_value.h"

enum { WORD_ROOM = 2 * URL_TEXT_MAX };

static const char mask[] = "***";

struct dump {
    struct writer out;
    const char *indent;
};

static void dump_word(struct dump *dump, const char *word)
{
    char text[WORD_ROOM];
    conf_print_word(word, text, sizeof(text));
    writer_printf(&dump->out, " %s", text);
}

static void dump_begin(struct dump *dump, const char *word)
{
    writer_printf(&dump->out, "%s%s", dump->indent, word);
}

static void dump_end(struct dump *dump)
{
    writer_text(&dump->out, ";\n");
}

static void dump_input(struct dump *dump, const struct input_conf *input)
{
    struct url *url = mem_alloc(sizeof(*url));
    char *safe = mem_alloc(WORD_ROOM);
    const char *why;
    dump_begin(dump, "input");
    if (url_parse(input->url, url, &why) == 0)
        url_print_safe(url, safe, WORD_ROOM);
    const char *host = strstr(safe, "://");
    if (url->user[0] && host) {
        char *masked = mem_alloc(WORD_ROOM);
        text_format(masked, WORD_ROOM, "%.*s%s@%s", (int)(host + 3 - safe), safe, mask, host + 3);
        dump_word(dump, masked);
        mem_free(masked);
    } else {
        dump_word(dump, safe);
    }
    for (unsigned i = 0; i < input->option_count; i++) {
        const struct input_option *option = &input->option[i];
        text_format(safe, WORD_ROOM, "%s=%s", option->key,
                    conf_key_is_secret(option->key) ? mask : option->value);
        dump_word(dump, safe);
    }
    dump_end(dump);
    mem_free(safe);
    mem_free(url);
}

static void dump_cache(struct dump *dump, const struct cache_conf *cache)
{
    char text[32];
    dump_begin(dump, "cache");
    dump_word(dump, cache->path);
    if (cache->depth_s) {
        conf_print_duration(cache->depth_s, text, sizeof(text));
        dump_word(dump, text);
    }
    if (cache->size_bytes) {
        conf_print_size(cache->size_bytes, text, sizeof(text));
        dump_word(dump, text);
    }
    dump_end(dump);
}

static void dump_names(struct dump *dump, const char *word, char *const *names, unsigned count)
{
    dump_begin(dump, word);
    for (unsigned i = 0; i < count; i++)
        dump_word(dump, names[i]);
    dump_end(dump);
}

static void dump_text(struct dump *dump, const char *word, const char *value)
{
    if (!value)
        return;
    dump_begin(dump, word);
    dump_word(dump, value);
    dump_end(dump);
}

static void dump_option(struct dump *dump, const struct conf_option *option,
                        const void *const *bases)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    const struct stream_conf *stream = bases[CONF_OF_STREAM];
    const struct source_conf *source = bases[CONF_OF_SOURCE];
    const void *field =
        bases[option->owner] ? (const char *)bases[option->owner] + option->offset : NULL;
    int64_t us;
    switch (option->type) {
    case CONF_TYPE_FLAG:
        dump_text(dump, option->word, *(const bool *)field ? "true" : "false");
        break;
    case CONF_TYPE_DURATION:
        us = *(const int64_t *)field;
        dump_begin(dump, option->word);
        if (us)
            writer_printf(&dump->out, " %lld", (long long)(us / US_PER_S));
        else
            dump_word(dump, "false");
        dump_end(dump);
        break;
    case CONF_TYPE_COUNT:
        dump_begin(dump, option->word);
        writer_printf(&dump->out, " %u", *(const unsigned *)field);
        dump_end(dump);
        break;
    case CONF_TYPE_TEXT:
        dump_text(dump, option->word, *(char *const *)field);
        break;
    case CONF_TYPE_SECRET:
        dump_text(dump, option->word, *(char *const *)field ? mask : NULL);
        break;
    case CONF_TYPE_LOGIN:
        if (*(char *const *)field) {
            const char *login = *(char *const *)field;
            char user[256];
            (void)text_copy_n(user, sizeof(user), login, strcspn(login, ":"));
            dump_begin(dump, option->word);
            dump_word(dump, user);
            dump_word(dump, mask);
            dump_end(dump);
        }
        break;
    case CONF_TYPE_LEVEL:
        dump_text(dump, option->word, levels[*(const enum log_level *)field]);
        break;
    case CONF_TYPE_INPUT:
        for (unsigned i = 0; i < stream->input_count; i++)
            dump_input(dump, &stream->input[i]);
        break;
    case CONF_TYPE_DVR:
        if (stream->dvr.path_count == 0 ||
            stream->dvr.offline != ((option->flags & CONF_OFFLINE) != 0))
            break;
        dump_begin(dump, option->word);
        conf_dvr_print(&stream->dvr, &dump->out);
        dump_end(dump);
        break;
    case CONF_TYPE_CACHE:
        if (stream->cache.path)
            dump_cache(dump, &stream->cache);
        break;
    case CONF_TYPE_ONLY:
        if (source->has_only)
            dump_names(dump, option->word, source->only, source->only_count);
        break;
    case CONF_TYPE_EXCEPT:
        if (source->except_count)
            dump_names(dump, option->word, source->except, source->except_count);
        break;
    case CONF_TYPE_LISTEN:  // by conf_dump
    case CONF_TYPE_USE:     // applied
    case CONF_TYPE_INCLUDE: // read
    case CONF_TYPE_BLOCK:   // by conf_dump
        break;
    }
}

static void dump_options(struct dump *dump, unsigned section, const void *const *bases)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (conf_options[i].sections & section)
            dump_option(dump, &conf_options[i], bases);
    }
}

struct buf *conf_dump(const struct conf *conf)
{
    struct dump dump = {.indent = ""};
    writer_init(&dump.out, 4096);
    for (unsigned i = 0; i < conf->listen_count; i++) {
        const struct conf_listen *listen = &conf->listen[i];
        const char *form = !listen->host[0]            ? "http %s%u;\n"
                           : strchr(listen->host, ':') ? "http [%s]:%u;\n"
                                                       : "http %s:%u;\n";
        writer_printf(&dump.out, form, listen->host, listen->port);
    }
    dump_options(&dump, CONF_FILE, (const void *const[]){conf, NULL, NULL});
    for (unsigned i = 0; i < conf->stream_count; i++) {
        const struct stream_conf *stream = &conf->stream[i]->conf;
        writer_printf(&dump.out, "\nstream %s {\n", stream->name);
        dump.indent = "  ";
        dump_options(&dump, CONF_STREAM, (const void *const[]){NULL, stream, NULL});
        writer_text(&dump.out, "}\n");
    }
    for (unsigned i = 0; i < conf->source_count; i++) {
        const struct source_conf *source = &conf->source[i]->conf;
        bool literal_v6 = strchr(source->host, ':') != NULL;
        writer_printf(&dump.out, "\nsource %s://%s%s%s:%u%s%s {\n", source->m4s ? "m4s" : "m4f",
                      literal_v6 ? "[" : "", source->host, literal_v6 ? "]" : "", source->port,
                      source->prefix_in_url[0] ? "/" : "", source->prefix_in_url);
        dump.indent = "  ";
        dump_options(&dump, CONF_SOURCE, (const void *const[]){NULL, &source->defaults, source});
        writer_text(&dump.out, "}\n");
    }
    return writer_take(&dump.out);
}
