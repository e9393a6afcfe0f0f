// SPDX-License-Identifier: MIT
// The words of a `dvr` line: paths in their order, everything else in any order and once.
#include "conf_dvr.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf_value.h"

enum { SYNC_MOST_S = 3600 };

// What each word is; a line has one of each but paths.
enum dvr_word {
    WORD_PATH,
    WORD_DEPTH,
    WORD_PERCENT,
    WORD_SIZE,
    WORD_FREE,
    WORD_SYNC,
    WORD_SPANS,
    WORD_MOUNTED,
    WORD_BAD
};

static const char expected_words[] =
    "an absolute path, a depth (7d, 10h), a fill of the disk (90%), a size (10G), free=SIZE, "
    "sync=TIME, schedule=FROM-TO,... or mounted";

static bool add_path(struct dvr_conf *dvr, const char *word)
{
    size_t length = strlen(word);
    while (length > 1 && word[length - 1] == '/') // one folder has one name
        length--;
    char *path = mem_strndup(word, length);
    bool fine = dvr->path_count < DVR_PATHS_MAX;
    for (unsigned i = 0; fine && i < dvr->path_count; i++)
        fine = strcmp(dvr->path[i], path) != 0;
    if (fine)
        dvr->path[dvr->path_count++] = path;
    else
        mem_free(path);
    return fine;
}

static bool read_spans(struct dvr_conf *dvr, const char *text)
{
    dvr->span_count = 0;
    for (;;) {
        char one[16];
        size_t length = strcspn(text, ",");
        if (dvr->span_count == DVR_SPANS_MAX || !text_copy_n(one, sizeof(one), text, length) ||
            conf_value_span(one, &dvr->span[dvr->span_count]) != 0)
            return false;
        dvr->span_count++;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

static enum dvr_word read_word(struct dvr_conf *dvr, const char *word)
{
    int64_t seconds;
    if (conf_value_percent(word, &dvr->percent) == 0)
        return WORD_PERCENT;
    if (conf_value_duration(word, &seconds) == 0 && seconds > 0) {
        dvr->depth_s = seconds;
        return WORD_DEPTH;
    }
    if (conf_value_size(word, &dvr->size_bytes) == 0 && dvr->size_bytes > 0)
        return WORD_SIZE;
    if (strcmp(word, "mounted") == 0) {
        dvr->mounted = true;
        return WORD_MOUNTED;
    }
    const char *value = strchr(word, '=');
    if (!value++)
        return WORD_BAD;
    if (text_starts(word, "free=") && conf_value_size(value, &dvr->free_bytes) == 0)
        return WORD_FREE;
    if (text_starts(word, "sync=") && conf_value_duration(value, &seconds) == 0 && seconds > 0 &&
        seconds <= SYNC_MOST_S) {
        dvr->sync_us = seconds * US_PER_S;
        return WORD_SYNC;
    }
    if (text_starts(word, "schedule=") && read_spans(dvr, value))
        return WORD_SPANS;
    return WORD_BAD;
}

static void bad_word(struct conf_reading *reading, const struct conf_node *node, unsigned number,
                     const char *expected, const char *suggestion)
{
    char word[80];
    conf_word_print(conf_node_arg(node, number), word, sizeof(word));
    conf_read_error(reading, node, number, "found '%s', expected %s%s", word, expected, suggestion);
}

static void unknown_word(struct conf_reading *reading, const struct conf_node *node,
                         unsigned number)
{
    static const char *const words[] = {"free", "sync", "schedule", "mounted"};
    const char *word = conf_node_arg(node, number);
    char key[64], suggestion[96] = "";
    struct conf_nearest nearest = {.word = key};
    if (text_copy_n(key, sizeof(key), word, strcspn(word, "="))) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            conf_nearest_try(&nearest, words[i]);
        if (nearest.best && strcmp(nearest.best, key) != 0)
            conf_nearest_print(&nearest, suggestion, sizeof(suggestion));
    }
    bad_word(reading, node, number, expected_words, suggestion);
}

void conf_dvr_read(struct conf_reading *reading, const struct conf_node *node, const char *expected,
                   struct dvr_conf *dvr)
{
    unsigned seen = 0;
    dvr_conf_fini(dvr);
    for (unsigned i = 0; i < conf_node_args(node); i++) {
        const char *word = conf_node_arg(node, i);
        if (word[0] == '/') {
            if (!add_path(dvr, word))
                bad_word(reading, node, i, "at most 4 paths, each once", "");
            continue;
        }
        enum dvr_word what = read_word(dvr, word);
        if (what == WORD_BAD)
            unknown_word(reading, node, i);
        else if (seen & 1u << what)
            bad_word(reading, node, i, "one of each kind, but paths, at most", "");
        seen |= 1u << what;
    }
    if (dvr->path_count == 0)
        conf_read_error(reading, node, conf_node_args(node), "found no path, expected %s",
                        expected);
}

void conf_dvr_print(const struct dvr_conf *dvr, struct writer *out)
{
    char text[1100];
    for (unsigned i = 0; i < dvr->path_count; i++) {
        (void)conf_print_word(dvr->path[i], text, sizeof(text));
        writer_printf(out, " %s", text);
    }
    if (dvr->depth_s) {
        conf_print_duration(dvr->depth_s, text, sizeof(text));
        writer_printf(out, " %s", text);
    }
    writer_printf(out, " %u%%", dvr->percent);
    if (dvr->size_bytes) {
        conf_print_size(dvr->size_bytes, text, sizeof(text));
        writer_printf(out, " %s", text);
    }
    if (dvr->free_bytes) {
        conf_print_size(dvr->free_bytes, text, sizeof(text));
        writer_printf(out, " free=%s", text);
    }
    if (dvr->sync_us != DVR_SYNC_US)
        writer_printf(out, " sync=%llds", (long long)(dvr->sync_us / US_PER_S));
    for (unsigned i = 0; i < dvr->span_count; i++) {
        const struct dvr_span *span = &dvr->span[i];
        writer_printf(out, "%s%u:%02u-%u:%02u", i ? "," : " schedule=", span->from_m / 60,
                      span->from_m % 60, span->to_m / 60, span->to_m % 60);
    }
    if (dvr->mounted)
        writer_text(out, " mounted");
}
