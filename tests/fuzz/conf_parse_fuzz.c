// SPDX-License-Identifier: MIT
// Any text as a configuration: tokens move forward inside the text, every
// problem names a place in it, and what is understood prints and reads back as the same.
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf.h"
#include "conf_files.h"
#include "conf_lex.h"
#include "stream/protocol.h"

// Too long to be included by chance: a file that includes itself often takes long.
#define NAME "the-configuration-of-the-server"

static const struct input_option_help options[] = {{"fps", "", ""}, {"cluster_key", "", ""}, {0}};
static const struct protocol fake = {.name = "fake", .schemes = {"fake"}, .input_options = options};
static const struct protocol *const protocols[] = {&fake, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tokens(struct bytes text)
{
    struct conf_lex *lex = mem_alloc(sizeof(*lex));
    conf_lex_init(lex, text);
    size_t left = lex->rest.length + 1;
    while (conf_lex_next(lex) != CONF_END) {
        ENSURE(lex->rest.length < left);
        ENSURE(lex->end_line > lex->at_line || lex->end_column >= lex->at_column);
        ENSURE(lex->token != CONF_BAD || lex->bad);
        left = lex->rest.length;
    }
    mem_free(lex);
}

static struct buf *read_and_dump(struct bytes text, struct conf_problems *problems)
{
    struct conf_files *files = conf_files_new();
    conf_files_put(files, NAME, text);
    struct conf *conf = conf_read(files, NAME, problems);
    struct buf *dump = conf_dump(conf);
    for (unsigned i = 0; i < conf->stream_count; i++)
        ENSURE(stream_name_valid(conf->stream[i]->conf.name));
    conf_free(&conf);
    conf_files_free(&files);
    return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocols_install(protocols);
    uint8_t *exact = mem_dup(data, size);
    struct bytes text = bytes_of(exact, size);
    check_tokens(text);
    struct conf_problems problems = {0};
    struct buf *first = read_and_dump(text, &problems);
    ENSURE(problems.count > 0 || problems.errors == 0);
    for (size_t i = 0; i < problems.count; i++)
        ENSURE(text_starts(problems.item[i].line, NAME ":"));
    conf_problems_fini(&problems);
    struct buf *second = read_and_dump(buf_bytes(first), &problems);
    ENSURE(first->length == second->length);
    ENSURE(memcmp(first->data, second->data, first->length) == 0);
    conf_problems_fini(&problems);
    buf_unref(&first);
    buf_unref(&second);
    mem_free(exact);
    ENSURE(mem_live_count() == 0);
    return 0;
}
