// SPDX-License-Identifier: MIT
// One day of a place: its hour files, from the summary when the names agree with it, else by
// looking at each. What has another name than docs/formats/archive.md says is left alone; an index
// without its hour file goes.
#include <stdlib.h>
#include <string.h>

#include "archive_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "summary_parse.h"
#include "tree.h"

#define SUMMARY_NAME "day.sum"

static int64_t day_s(const struct tree *tree)
{
    return tree->current * 86400LL;
}

// The folder of the day, or with a name a file in it.
static void day_path(const struct tree *tree, const char *name, size_t length, char out[HOUR_PATH])
{
    hour_path(out, tree->place->folder, (struct hour_name){.second = day_s(tree)}, "mp4");
    *strrchr(out, '/') = 0;
    if (length)
        (void)text_append(out, HOUR_PATH, "/%.*s", (int)length, name);
}

static void failed(struct tree *tree, int os_error)
{
    struct archive *archive = tree->place->archive;
    char path[HOUR_PATH];
    day_path(tree, NULL, 0, path);
    archive->errors++;
    log_error(archive->log_name, "day not listed folder=%s errno=%d", path, os_error);
    tree_day_done(tree, DAY_BAD, false);
}

static bool is_extension(const struct tree_line *line, const char *extension, const char *wanted)
{
    size_t length = (size_t)(line->name + line->length - extension);
    return length == strlen(wanted) && memcmp(extension, wanted, length) == 0;
}

static bool is_summary(const struct tree_line *line)
{
    return line->kind == 'f' && line->length == strlen(SUMMARY_NAME) &&
           memcmp(line->name, SUMMARY_NAME, line->length) == 0;
}

// ---- names -------------------------------------------------------------------------------------

// The hour files of a listing, one by one; an index stands right before its hour file.
struct walk {
    struct bytes in;
    int64_t day_s;
    struct hour_name name; // of the hour file
    bool indexed;
    bool strays; // an index without an hour file, or an unfinished one, was passed
};

static bool walk_next(struct walk *walk)
{
    struct tree_line line;
    struct hour_name index_name = {0}, name;
    bool index = false;
    const char *extension;
    while (tree_line_take(&walk->in, &line)) {
        if (line.kind != 'f' ||
            !hour_name_parse(line.name, line.length, walk->day_s, &name, &extension))
            continue;
        bool same = index && hour_name_compare(index_name, name) == 0;
        if (is_extension(&line, extension, "mp4")) {
            walk->strays |= index && !same;
            walk->name = name;
            walk->indexed = same;
            return true;
        }
        walk->strays |= index || is_extension(&line, extension, "idx.new");
        if (is_extension(&line, extension, "idx")) {
            index = true;
            index_name = name;
        }
    }
    walk->strays |= index;
    return false;
}

static int compare_name(const void *name, const void *file)
{
    return hour_name_compare(*(const struct hour_name *)name,
                             ((const struct summary_file *)file)->name);
}

static int compare_files(const void *a, const void *b)
{
    return compare_name(&((const struct summary_file *)a)->name, b);
}

static bool agrees(const struct tree *tree, const struct summary *summary)
{
    struct walk walk = {.in = buf_bytes(tree->names), .day_s = day_s(tree)};
    unsigned files = 0;
    // A folder is listed by the letters of its names, a summary goes by what they say.
    while (walk_next(&walk)) {
        struct summary_file *file =
            bsearch(&walk.name, summary->file, summary->files, sizeof *file, compare_name);
        if (!file || file->indexed != walk.indexed)
            return false;
        files++;
    }
    return files == summary->files && !walk.strays;
}

// ---- looking at each file ----------------------------------------------------------------------

static void remove_file(struct tree *tree, const char *name, size_t length)
{
    char path[HOUR_PATH];
    const struct place *place = tree->place;
    day_path(tree, name, length, path);
    (void)file_remove(place->disk->chores, path, place->folder, NULL, NULL);
}

// What this life writes was perhaps seen half made.
static void remove_stray(struct tree *tree, const struct tree_line *line, struct hour_name name)
{
    if (!hours_get(&tree->place->archive->hours, name))
        remove_file(tree, line->name, line->length);
}

// What was deleted of a file and given back to the disk. File systems that compress or round make
// small differences, too.
static uint64_t given_back(const struct tree_line *line)
{
    return line->used + line->size / 32 < line->size ? line->size - line->used : 0;
}

static int take_day(struct tree *tree, struct bytes in)
{
    struct hours *hours = &tree->place->archive->hours;
    struct tree_line line, index = {0};
    struct hour_name index_name = {0};
    while (tree_line_take(&in, &line)) {
        struct hour_name name;
        const char *extension;
        if (line.kind != 'f' ||
            !hour_name_parse(line.name, line.length, day_s(tree), &name, &extension))
            continue;
        name.disk = tree->place->number;
        bool same = index.name && hour_name_compare(index_name, name) == 0;
        if (is_extension(&line, extension, "mp4")) {
            int err = hours_add(hours, name, line.size + (same ? index.size : 0));
            if (err == ERR_LIMIT)
                return err;
            if (err == 0)
                hours_set_freed(hours, hours_get(hours, name), given_back(&line));
            if (same)
                index.name = NULL;
        } else if (is_extension(&line, extension, "idx")) {
            if (index.name)
                remove_stray(tree, &index, index_name);
            index = line;
            index_name = name;
        } else if (is_extension(&line, extension, "idx.new")) {
            remove_stray(tree, &line, name);
        }
    }
    if (index.name)
        remove_stray(tree, &index, index_name);
    return 0;
}

static void on_list(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    tree->op = NULL;
    int err = result->err;
    if (err == 0)
        err = take_day(tree, buf_bytes(result->data));
    if (err != 0 && err != ERR_NOT_FOUND)
        failed(tree, result->os_error);
    else
        tree_day_done(tree, DAY_LISTED, false);
}

static void list_files(struct tree *tree)
{
    char path[HOUR_PATH];
    day_path(tree, NULL, 0, path);
    tree->op = file_list_used(tree->place->disk->reads, path, on_list, tree);
    if (!tree->op)
        failed(tree, 0);
}

// ---- from the summary --------------------------------------------------------------------------

static int take_summary(struct tree *tree, const struct summary *summary)
{
    struct hours *hours = &tree->place->archive->hours;
    for (unsigned i = 0; i < summary->files; i++) {
        const struct summary_file *file = &summary->file[i];
        struct hour_name name = file->name;
        name.disk = tree->place->number;
        int err = hours_add(hours, name, file->bytes);
        if (err == ERR_LIMIT)
            return err;
        struct hour *hour = hours_get(hours, name);
        if (err != 0)
            continue; // of this life
        hours_set_times(hours, hour, file->start_us, file->end_us);
        hours_set_holes(hours, hour, summary->hole + file->first_hole, file->holes, !file->more);
    }
    return 0;
}

static void on_summary(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    struct summary summary;
    tree->op = NULL;
    if (result->err != 0 || summary_parse(buf_bytes(result->data), day_s(tree), &summary) != 0) {
        remove_file(tree, SUMMARY_NAME, strlen(SUMMARY_NAME));
        list_files(tree);
        return;
    }
    bool right = agrees(tree, &summary);
    int err = right ? take_summary(tree, &summary) : 0;
    summary_fini(&summary);
    if (right && err == 0) {
        tree_day_done(tree, DAY_LISTED, true);
    } else if (right) {
        failed(tree, 0);
    } else {
        remove_file(tree, SUMMARY_NAME, strlen(SUMMARY_NAME));
        list_files(tree);
    }
}

static void on_names(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    struct tree_line line;
    char path[HOUR_PATH];
    bool summed = false;
    tree->op = NULL;
    if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        failed(tree, result->os_error);
        return;
    }
    struct bytes in = result->err == 0 ? buf_bytes(result->data) : bytes_of(NULL, 0);
    while (!summed && tree_line_take(&in, &line))
        summed = is_summary(&line);
    if (!summed) {
        list_files(tree);
        return;
    }
    tree->names = buf_ref(result->data);
    day_path(tree, SUMMARY_NAME, strlen(SUMMARY_NAME), path);
    tree->op = file_read_whole(tree->place->disk->reads, path, SUMMARY_BYTES_MAX, on_summary, tree);
    if (!tree->op)
        failed(tree, 0);
}

static bool submit_names(struct tree *tree, file_done_fn done)
{
    char path[HOUR_PATH];
    day_path(tree, NULL, 0, path);
    tree->op = file_names(tree->place->disk->reads, path, done, tree);
    return tree->op != NULL;
}

bool tree_day_list(struct tree *tree)
{
    return submit_names(tree, on_names);
}

// ---- writing a summary -------------------------------------------------------------------------

static bool add_file(const struct hours *hours, struct summary *summary, struct hour_name name,
                     bool indexed)
{
    const struct hour *hour = hours_get((struct hours *)hours, name);
    // What was given back of a file is known by looking at it.
    if (!hour || !hour->known || hour->writing || hour->freed)
        return false;
    unsigned count;
    const struct hours_hole *holes = hours_holes_of(hours, hour, &count);
    struct summary_file *file = &summary->file[summary->files++];
    *file = (struct summary_file){
        .name = name,
        .indexed = indexed,
        .more = hour->holes && !hour->holes_known,
        .bytes = hour->bytes,
        .start_us = hour->start_us,
        .end_us = hour->end_us,
        .first_hole = summary->holes,
        .holes = count,
    };
    for (unsigned i = 0; i < count; i++)
        summary->hole[summary->holes++] = holes[i].hole;
    return true;
}

// What memory knows of the files whose names these are; false when it does not know all.
static bool make_summary(struct tree *tree, struct bytes names, struct writer *out)
{
    const struct hours *hours = &tree->place->archive->hours;
    unsigned most = hours_from(hours, day_s(tree) + 86400) - hours_from(hours, day_s(tree));
    struct walk walk = {.in = names, .day_s = day_s(tree)};
    struct summary summary = {.day_s = day_s(tree)};
    summary.file = mem_alloc((most + 1) * sizeof *summary.file);
    summary.hole = mem_alloc((hours->holes + 1) * sizeof *summary.hole);
    bool all = true;
    while (all && walk_next(&walk)) {
        walk.name.disk = tree->place->number;
        all = summary.files < most && add_file(hours, &summary, walk.name, walk.indexed);
    }
    all = all && !walk.strays && summary.files > 0;
    qsort(summary.file, summary.files, sizeof *summary.file, compare_files);
    if (all)
        summary_write(out, &summary);
    summary_fini(&summary);
    return all && writer_length(out) <= SUMMARY_BYTES_MAX;
}

static void on_written(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    tree->op = NULL;
    tree_day_done(tree, DAY_LISTED, result->err == 0);
}

static void on_sum_names(void *arg, const struct file_result *result)
{
    struct tree *tree = arg;
    struct writer out = {0};
    tree->op = NULL;
    if (result->err == 0 && make_summary(tree, buf_bytes(result->data), &out)) {
        char path[HOUR_PATH];
        struct chain chain = {0};
        struct buf *buf = writer_take(&out);
        chain_take(&chain, &buf);
        day_path(tree, SUMMARY_NAME, strlen(SUMMARY_NAME), path);
        tree->op = file_replace(tree->place->disk->chores, path, &chain, on_written, tree);
        chain_fini(&chain);
    }
    writer_fini(&out);
    if (!tree->op)
        tree_day_done(tree, DAY_LISTED, false);
}

bool tree_day_sum(struct tree *tree)
{
    return submit_names(tree, on_sum_names);
}
