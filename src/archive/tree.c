// SPDX-License-Identifier: MIT
// Lists the hour files of a stream: years, months, days, each folder one operation, in order, so
// that files come in order of time. What has another name than docs/formats/archive.md says is left
// alone; an index without its hour file goes.
#include "tree.h"

#include <string.h>

#include "archive_priv.h"
#include "base/mem.h"
#include "base/text.h"

enum { DAYS = 3 }; // depth of the folders with hour files

struct opening {
    struct place *place;
    struct file_op *op;
    unsigned depth;            // of the folder being listed or walked
    struct buf *listing[DAYS]; // of the folders above the days
    struct bytes rest[DAYS];   // of the listings, not yet walked
    unsigned number[DAYS];     // year, month, day
    void (*done)(void *arg, int err, int os_error);
    void *arg;
};

static bool submit(struct opening *opening);

static void opening_free(struct opening *opening)
{
    file_op_cancel(&opening->op);
    for (unsigned i = 0; i < DAYS; i++)
        buf_unref(&opening->listing[i]);
    mem_free(opening);
}

void tree_cancel(struct opening **opening)
{
    struct opening *gone = *opening;
    *opening = NULL;
    if (gone)
        opening_free(gone);
}

static void end(struct opening *opening, int err, int os_error)
{
    void (*done)(void *, int, int) = opening->done;
    void *arg = opening->arg;
    if (err != 0)
        hours_remove_disk(&opening->place->archive->hours, opening->place->number);
    opening_free(opening);
    done(arg, err, os_error);
}

// The next line of a listing, "d name" or "f name size".
struct line {
    char kind;
    const char *name;
    size_t length;
    uint64_t size;
};

static bool line_take(struct bytes *in, struct line *out)
{
    const uint8_t *end = in->length ? memchr(in->data, '\n', in->length) : NULL;
    if (!end || end - in->data < 3)
        return false;
    const char *text = (const char *)in->data;
    size_t length = (size_t)(end - in->data);
    *out = (struct line){.kind = text[0], .name = text + 2, .length = length - 2};
    if (out->kind == 'f') {
        // The size stands behind the last space: names may have spaces.
        const char *space = memrchr(out->name, ' ', out->length);
        for (const char *at = space ? space + 1 : text + length; at < text + length; at++)
            out->size = out->size * 10 + (uint64_t)(*at - '0');
        out->length = space ? (size_t)(space - out->name) : 0;
    }
    return bytes_skip(in, length + 1);
}

static bool is_extension(const struct line *line, const char *extension, const char *wanted)
{
    size_t length = (size_t)(line->name + line->length - extension);
    return length == strlen(wanted) && memcmp(extension, wanted, length) == 0;
}

static void remove_stray(struct opening *opening, const struct line *line)
{
    char path[HOUR_PATH];
    const struct place *place = opening->place;
    if (text_format(path, sizeof path, "%s/%04u/%02u/%02u/%.*s", place->folder, opening->number[0],
                    opening->number[1], opening->number[2], (int)line->length, line->name))
        (void)file_remove(place->disk->writes, path, place->folder, NULL, NULL);
}

// The files of one day. An index stands right before its hour file.
static int take_day(struct opening *opening, struct bytes in)
{
    int64_t day_s = hour_day(opening->number[0], opening->number[1], opening->number[2]);
    struct hours *hours = &opening->place->archive->hours;
    struct line line, index = {0};
    struct hour_name index_name = {0};
    if (day_s < 0)
        return 0;
    while (line_take(&in, &line)) {
        struct hour_name name;
        const char *extension;
        if (line.kind != 'f' || !hour_name_parse(line.name, line.length, day_s, &name, &extension))
            continue;
        name.disk = opening->place->number;
        bool same = index.name && hour_name_compare(index_name, name) == 0;
        if (is_extension(&line, extension, "mp4")) {
            int err = hours_add(hours, name, line.size + (same ? index.size : 0));
            if (err == ERR_LIMIT)
                return err;
            if (same)
                index.name = NULL;
        } else if (is_extension(&line, extension, "idx")) {
            if (index.name)
                remove_stray(opening, &index);
            index = line;
            index_name = name;
        } else if (is_extension(&line, extension, "idx.new")) {
            remove_stray(opening, &line);
        }
    }
    if (index.name)
        remove_stray(opening, &index);
    return 0;
}

// Goes to the next folder and lists it; false when there is none.
static bool descend(struct opening *opening)
{
    for (;;) {
        struct line line;
        unsigned above = opening->depth - 1;
        while (line_take(&opening->rest[above], &line))
            if (line.kind == 'd' &&
                hour_folder_parse(line.name, line.length, above, &opening->number[above]))
                return true;
        buf_unref(&opening->listing[above]);
        if (above == 0)
            return false;
        opening->depth--;
    }
}

static void on_list(void *arg, const struct file_result *result)
{
    struct opening *opening = arg;
    opening->op = NULL;
    if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        end(opening, result->err == ERR_LIMIT ? ERR_LIMIT : ERR_IO, result->os_error);
        return;
    }
    if (result->err == 0 && result->data) {
        int err = 0;
        if (opening->depth < DAYS) {
            opening->listing[opening->depth] = buf_ref(result->data);
            opening->rest[opening->depth] = buf_bytes(result->data);
            opening->depth++;
        } else {
            err = take_day(opening, buf_bytes(result->data));
        }
        if (err != 0) {
            end(opening, err, 0);
            return;
        }
    }
    if (opening->depth == 0 || !descend(opening))
        end(opening, 0, 0);
    else if (!submit(opening))
        end(opening, ERR_LIMIT, 0);
}

// Lists the folder at opening->depth.
static bool submit(struct opening *opening)
{
    char path[HOUR_PATH];
    const struct place *place = opening->place;
    (void)text_copy(path, sizeof path, place->folder);
    for (unsigned i = 0; i < opening->depth; i++)
        (void)text_append(path, sizeof path, i == 0 ? "/%04u" : "/%02u", opening->number[i]);
    opening->op = file_list(place->disk->reads, path, on_list, opening);
    return opening->op != NULL;
}

struct opening *tree_list(struct place *place, void (*done)(void *arg, int err, int os_error),
                          void *arg)
{
    struct opening *opening = mem_alloc(sizeof *opening);
    opening->place = place;
    opening->done = done;
    opening->arg = arg;
    if (submit(opening))
        return opening;
    mem_free(opening);
    return NULL;
}
