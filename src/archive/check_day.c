// SPDX-License-Identifier: MIT
// One day's folder: its hour files in order of their names, and its summary.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "check_priv.h"

enum { NEW_S = 120 };

struct day {
    struct check *check;
    const char *path;
    int64_t day_s;
    struct check_hour *hour; // in order of name
    unsigned count, capacity;
    const struct check_entry *summary; // NULL: none
    bool changed;                      // a repair changed what the summary speaks of
};

static void leftover(struct day *day, const struct check_entry *entry, const char *what)
{
    struct check *check = day->check;
    char path[HOUR_PATH];
    bool may_be_new = check->live && utc_us() / US_PER_S - entry->changed_s < NEW_S;
    if (may_be_new || !check_join(check, path, day->path, entry->name))
        return;
    check_find(check, path, "%s", what);
    if (check->want->repair && check_remove(check, path))
        check_repaired(check, 1, path, "removed");
}

static struct check_hour *hour_of(struct day *day, struct hour_name name)
{
    // Those of one name follow one another in the listing.
    if (day->count > 0 && hour_name_compare(day->hour[day->count - 1].name, name) == 0)
        return &day->hour[day->count - 1];
    if (day->count == day->capacity) {
        day->capacity = day->capacity ? day->capacity * 2 : 32;
        day->hour = mem_resize(day->hour, day->capacity * sizeof *day->hour);
    }
    day->hour[day->count] = (struct check_hour){.name = name};
    return &day->hour[day->count++];
}

static void take(struct day *day, const struct check_entry *entry)
{
    struct hour_name name;
    const char *extension;
    char path[HOUR_PATH];
    bool hour = entry->file &&
                hour_name_parse(entry->name, strlen(entry->name), day->day_s, &name, &extension);
    if (hour && strcmp(extension, "mp4") == 0) {
        struct check_hour *of = hour_of(day, name);
        of->has_data = true;
        of->bytes = entry->bytes;
        if (entry->changed_s > of->changed_s)
            of->changed_s = entry->changed_s;
    } else if (hour && strcmp(extension, "idx") == 0) {
        struct check_hour *of = hour_of(day, name);
        of->has_index = true;
        of->index_bytes = entry->bytes;
        if (entry->changed_s > of->changed_s)
            of->changed_s = entry->changed_s;
    } else if (hour && strcmp(extension, "idx.new") == 0) {
        leftover(day, entry, "an index that was not finished");
    } else if (entry->file && strcmp(entry->name, "day.sum") == 0) {
        day->summary = entry;
    } else if (entry->file && strcmp(entry->name, "day.sum.new") == 0) {
        leftover(day, entry, "a summary that was not finished");
    } else if (check_join(day->check, path, day->path, entry->name)) {
        check_note(day->check, path, "not a file of the archive");
    }
}

static int by_name(const void *a, const void *b)
{
    return hour_name_compare(((const struct check_hour *)a)->name,
                             ((const struct check_hour *)b)->name);
}

static void look_at_hour(struct day *day, struct check_hour *hour)
{
    char path[HOUR_PATH], name[24];
    const char *slash;
    hour_path(path, "", hour->name, hour->has_data ? "mp4" : "idx");
    slash = strrchr(path, '/') + 1;
    memmove(name, slash, strlen(slash) + 1);
    if (!hour->has_data) {
        struct check_entry entry = {.name = name, .changed_s = hour->changed_s};
        leftover(day, &entry, "an index without its hour file");
        return;
    }
    if (!check_join(day->check, path, day->path, name))
        return;
    check_file(day->check, path, hour);
    day->changed |= hour->changed;
}

// ---- the summary -------------------------------------------------------------------------------

static bool holes_agree(const struct summary *summary, const struct summary_file *file,
                        const struct check_hour *hour)
{
    if (file->more)
        return true; // the index tells
    if (file->holes != hour->holes)
        return false;
    for (unsigned i = 0; i < file->holes; i++) {
        const struct hour_hole *said = &summary->hole[file->first_hole + i];
        if (said->from_us != hour->hole[i].from_us || said->to_us != hour->hole[i].to_us)
            return false;
    }
    return true;
}

// NULL: it is right.
static const char *wrong_in(const struct day *day, const struct summary *summary)
{
    unsigned at = 0;
    for (unsigned i = 0; i < day->count; i++) {
        const struct check_hour *hour = &day->hour[i];
        if (!hour->has_data)
            continue;
        if (at == summary->files || hour_name_compare(summary->file[at].name, hour->name) != 0 ||
            summary->file[at].indexed != hour->has_index)
            return "the summary speaks of other files than are there";
        const struct summary_file *file = &summary->file[at++];
        if (!hour->right)
            continue;
        // Of a file system that compresses, or gave bytes back, it is what is taken on the disk.
        uint64_t bytes = hour->bytes + hour->index_bytes;
        if (file->bytes > bytes || (file->bytes < bytes && file->bytes > bytes - bytes / 32))
            return "the summary has wrong sizes";
        if (file->start_us != hour->start_us || file->end_us != hour->end_us ||
            !holes_agree(summary, file, hour))
            return "the summary has wrong times";
    }
    return at == summary->files ? NULL : "the summary speaks of other files than are there";
}

static void look_at_summary(struct day *day)
{
    struct check *check = day->check;
    struct summary summary;
    char path[HOUR_PATH];
    if (!check_join(check, path, day->path, "day.sum"))
        return;
    struct buf *bytes = check_read_whole(path, SUMMARY_BYTES_MAX);
    if (!bytes && errno != EFBIG) {
        if (errno != ENOENT || !check->live)
            check_find(check, path, "cannot be read: %s", strerror(errno));
        return;
    }
    const char *wrong = "the summary is damaged";
    if (bytes && summary_parse(buf_bytes(bytes), day->day_s, &summary) == 0) {
        // One that a repair made old was not wrong.
        wrong = day->changed ? NULL : wrong_in(day, &summary);
        summary_fini(&summary);
    }
    buf_unref(&bytes);
    if (wrong)
        check_find(check, path, "%s", wrong);
    if (check->want->repair && (wrong || day->changed) && check_remove(check, path))
        check_repaired(check, wrong != NULL, path, "removed");
}

void check_day(struct check *check, const char *path, int64_t day_s)
{
    struct day day = {.check = check, .path = path, .day_s = day_s};
    struct check_list list;
    if (!check_list_read(check, path, &list))
        return;
    for (unsigned i = 0; i < list.count; i++)
        take(&day, &list.entry[i]);
    if (day.count)
        qsort(day.hour, day.count, sizeof *day.hour, by_name);
    for (unsigned i = 0; i < day.count; i++)
        look_at_hour(&day, &day.hour[i]);
    if (day.summary)
        look_at_summary(&day);
    for (unsigned i = 0; i < day.count; i++)
        mem_free(day.hour[i].hole);
    mem_free(day.hour);
    check_list_fini(&list);
}
