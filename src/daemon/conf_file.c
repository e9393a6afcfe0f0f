// SPDX-License-Identifier: MIT
// The tree of a configuration on libconfig, and libconfig's own syntax as a second way into it.
//
// 1. struct conf_node is libconfig's setting under another name; nothing is wrapped.
// 2. Names of members are words of conf_options or "args": libconfig's rule for names is never met.
// 3. Streams stand in a list, never as members: a group is searched linearly.
// 4. libconfig cuts integers over 32 bits without a word, so they are refused before it sees them.
#include "conf_file.h"

#include <libconfig.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "conf_option.h"

struct conf_tree {
    config_t config;
};

// What hangs on a setting.
struct hook {
    struct conf_place place;
    bool broken;
};

static config_setting_t *setting_of(const struct conf_node *node)
{
    return (config_setting_t *)(uintptr_t)node;
}

static struct conf_node *node_of(const config_setting_t *setting)
{
    return (struct conf_node *)(uintptr_t)setting;
}

static void hook_set(config_setting_t *setting, const struct conf_place *place)
{
    struct hook *hook = mem_alloc(sizeof(*hook));
    hook->place = *place;
    config_setting_set_hook(setting, hook);
}

// ---- the tree -----------------------------------------------------------------------------------

struct conf_tree *conf_tree_new(void)
{
    struct conf_tree *tree = mem_alloc(sizeof(*tree));
    config_init(&tree->config);
    config_set_destructor(&tree->config, mem_free);
    return tree;
}

void conf_tree_free(struct conf_tree **tree)
{
    if (!*tree)
        return;
    config_destroy(&(*tree)->config);
    mem_free(*tree);
    *tree = NULL;
}

struct conf_node *conf_tree_root(struct conf_tree *tree)
{
    return node_of(config_root_setting(&tree->config));
}

static ssize_t print_write(void *writer, const char *text, size_t length)
{
    writer_bytes(writer, text, length);
    return (ssize_t)length;
}

struct buf *conf_tree_print(struct conf_tree *tree)
{
    struct writer writer;
    writer_init(&writer, 4096);
    FILE *out = fopencookie(&writer, "w", (cookie_io_functions_t){.write = print_write});
    ENSURE(out != NULL);
    config_write(&tree->config, out);
    fclose(out);
    return writer_take(&writer);
}

struct conf_node *conf_node_add(struct conf_node *block, const char *word,
                                const struct conf_place *place)
{
    config_setting_t *group = setting_of(block);
    config_setting_t *list = config_setting_get_member(group, word);
    if (!list)
        list = config_setting_add(group, word, CONFIG_TYPE_LIST);
    ENSURE(list != NULL);
    config_setting_t *statement = config_setting_add(list, NULL, CONFIG_TYPE_GROUP);
    ENSURE(statement && config_setting_add(statement, "args", CONFIG_TYPE_ARRAY));
    hook_set(statement, place);
    return node_of(statement);
}

static config_setting_t *node_args(const struct conf_node *node)
{
    return config_setting_get_member(setting_of(node), "args");
}

void conf_node_add_arg(struct conf_node *node, const char *text, const struct conf_place *place)
{
    config_setting_t *word = config_setting_set_string_elem(node_args(node), -1, text);
    ENSURE(word != NULL);
    hook_set(word, place);
}

void conf_node_set_broken(struct conf_node *node)
{
    struct hook *hook = config_setting_get_hook(setting_of(node));
    if (hook) // the root has none: it is never left out
        hook->broken = true;
}

unsigned conf_node_count(const struct conf_node *block, const char *word)
{
    config_setting_t *list = config_setting_get_member(setting_of(block), word);
    return list ? (unsigned)config_setting_length(list) : 0;
}

const struct conf_node *conf_node_get(const struct conf_node *block, const char *word,
                                      unsigned number)
{
    config_setting_t *list = config_setting_get_member(setting_of(block), word);
    ENSURE(list != NULL);
    return node_of(config_setting_get_elem(list, number));
}

unsigned conf_node_args(const struct conf_node *node)
{
    return (unsigned)config_setting_length(node_args(node));
}

const char *conf_node_arg(const struct conf_node *node, unsigned number)
{
    return config_setting_get_string_elem(node_args(node), (int)number);
}

void conf_node_place(const struct conf_node *node, struct conf_place *place)
{
    *place = ((struct hook *)config_setting_get_hook(setting_of(node)))->place;
}

void conf_node_arg_place(const struct conf_node *node, unsigned number, struct conf_place *place)
{
    config_setting_t *word = config_setting_get_elem(node_args(node), number);
    if (word)
        *place = ((struct hook *)config_setting_get_hook(word))->place;
    else
        conf_node_place(node, place);
}

bool conf_node_is_broken(const struct conf_node *node)
{
    return ((struct hook *)config_setting_get_hook(setting_of(node)))->broken;
}

// ---- libconfig's own syntax ---------------------------------------------------------------------

struct cfg {
    const char *file;
    struct conf_problems *problems;
};

static struct conf_place cfg_place(const struct cfg *cfg, const config_setting_t *setting)
{
    return (struct conf_place){cfg->file, config_setting_source_line(setting), 1};
}

// Looks through the text outside of strings and comments for what libconfig would take wrongly: an
// integer that it cuts, and its own @include, which would go round the limits on files.
static bool cfg_text_usable(const struct cfg *cfg, const char *text)
{
    struct conf_place place = {cfg->file, 1, 1};
    bool usable = true;
    for (const char *at = text; *at;) {
        size_t length = 1;
        if (*at == '"') {
            while (at[length] && at[length] != '"' && at[length] != '\n')
                length += at[length] == '\\' && at[length + 1] ? 2 : 1;
            length += at[length] == '"';
        } else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
            length = strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            length = end ? (size_t)(end + 2 - at) : strlen(at);
        } else if (strspn(at, "0123456789") > 0) {
            length = strspn(at, "0123456789");
            long long value = strtoll(at, NULL, 10);
            bool plain = !strchr("Lx.eE", at[length]) || !at[length];
            if (plain && value > INT32_MAX) {
                conf_error(cfg->problems, &place,
                           "found the integer %.*s, expected one under 2147483648, or an L behind "
                           "it, or quotes around it",
                           (int)(length < 40 ? length : 40), at);
                usable = false;
            }
        } else if (strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_*") > 0) {
            length = strcspn(at, " \t\r\n=:;,{}[]()\"#/");
        } else if (text_starts(at, "@include")) {
            conf_error(cfg->problems, &place,
                       "found '@include', expected no include in a .cfg file");
            usable = false;
        }
        for (; length > 0; length--, at++) {
            place.column++;
            if (*at == '\n') {
                place.line++;
                place.column = 1;
            }
        }
    }
    return usable;
}

static void cfg_add_args(const struct cfg *cfg, struct conf_node *node,
                         const config_setting_t *value)
{
    struct conf_place place = cfg_place(cfg, value);
    char text[64];
    switch (config_setting_type(value)) {
    case CONFIG_TYPE_STRING:
        if (strpbrk(config_setting_get_string(value), "\n\r\t\f")) {
            conf_error(cfg->problems, &place, "found a control character, expected text");
            conf_node_set_broken(node);
            break;
        }
        conf_node_add_arg(node, config_setting_get_string(value), &place);
        break;
    case CONFIG_TYPE_BOOL:
        conf_node_add_arg(node, config_setting_get_bool(value) ? "true" : "false", &place);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        text_format(text, sizeof(text), "%lld", (long long)config_setting_get_int64(value));
        conf_node_add_arg(node, text, &place);
        break;
    case CONFIG_TYPE_FLOAT:
        text_format(text, sizeof(text), "%g", config_setting_get_float(value));
        conf_node_add_arg(node, text, &place);
        break;
    case CONFIG_TYPE_ARRAY:
        for (int i = 0; i < config_setting_length(value); i++)
            cfg_add_args(cfg, node, config_setting_get_elem(value, (unsigned)i));
        break;
    default:
        conf_error(cfg->problems, &place, "found a group or list, expected a word or [words]");
        conf_node_set_broken(node);
    }
}

static void cfg_add_block(const struct cfg *cfg, struct conf_node *block,
                          const config_setting_t *group, unsigned section);

static void cfg_add_statement(const struct cfg *cfg, struct conf_node *block,
                              const config_setting_t *value, const struct conf_option *option)
{
    struct conf_place place = cfg_place(cfg, value);
    struct conf_node *node = conf_node_add(block, option->word, &place);
    if (config_setting_type(value) != CONFIG_TYPE_GROUP) {
        cfg_add_args(cfg, node, value);
    } else if (option->type == CONF_TYPE_BLOCK) {
        const config_setting_t *name = config_setting_get_member(value, "name");
        if (name)
            cfg_add_args(cfg, node, name);
        cfg_add_block(cfg, node, value, option->opens);
    } else {
        conf_error(cfg->problems, &place, "found a group, expected the words of '%s'",
                   option->word);
        conf_node_set_broken(node);
    }
}

static void cfg_add_block(const struct cfg *cfg, struct conf_node *block,
                          const config_setting_t *group, unsigned section)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *value = config_setting_get_elem(group, (unsigned)i);
        const char *word = config_setting_name(value);
        struct conf_place place = cfg_place(cfg, value);
        const struct conf_option *option = conf_option_find(section, word);
        if (section != CONF_FILE && strcmp(word, "name") == 0)
            continue;
        if (option && option->type == CONF_TYPE_INCLUDE) {
            conf_error(cfg->problems, &place,
                       "found 'include', expected no include in a .cfg file");
            conf_node_set_broken(block);
        } else if (!option) {
            char suggestion[96];
            conf_option_suggest(section, word, suggestion, sizeof(suggestion));
            conf_error(cfg->problems, &place,
                       "found unknown word '%.60s', expected an option of %s%s", word,
                       conf_section_name(section), suggestion);
            conf_node_set_broken(block);
            if (section == CONF_FILE)
                cfg->problems->structure = true;
        } else if (config_setting_type(value) == CONFIG_TYPE_LIST) {
            for (int j = 0; j < config_setting_length(value); j++)
                cfg_add_statement(cfg, block, config_setting_get_elem(value, (unsigned)j), option);
        } else {
            cfg_add_statement(cfg, block, value, option);
        }
    }
}

void conf_file_read_cfg(struct conf_node *root, const char *file, struct bytes text,
                        struct conf_problems *problems)
{
    struct cfg cfg = {.file = file, .problems = problems};
    char *copy = mem_strndup((const char *)text.data, text.length);
    config_t config;
    config_init(&config);
    if (strlen(copy) < text.length) {
        struct conf_place place = {file, 0, 0};
        conf_error(problems, &place, "found a zero byte, expected text");
        problems->structure = true;
    } else if (!cfg_text_usable(&cfg, copy)) {
        problems->structure = true;
    } else if (config_read_string(&config, copy) == CONFIG_TRUE) {
        cfg_add_block(&cfg, root, config_root_setting(&config), CONF_FILE);
    } else {
        struct conf_place place = {file, (unsigned)config_error_line(&config), 1};
        conf_error(problems, &place, "found %s, expected libconfig's syntax",
                   config_error_text(&config));
        problems->structure = true;
    }
    config_destroy(&config);
    mem_free(copy);
}
