// SPDX-License-Identifier: MIT
// Looks an archive over: finds the streams, walks their days, reads their journals.
#include "archive/check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "check_priv.h"
#include "journal_records.h"

// Names of streams have slashes: folders in folders. What is deeper is no archive of ours.
enum { DEPTH_MAX = 8, DAY_DEPTH = 3 };

static const char in_use[] = "in use by process %lld: what is new may be half written";
static const char not_ours[] = "not a file of the archive";

// ---- the days of a stream ----------------------------------------------------------------------

// A folder on the way to the days: years, months, days.
struct level {
    const char *path;
    unsigned depth;
    unsigned number[DAY_DEPTH];
};

static bool is_level(const struct check_entry *entry, unsigned depth, unsigned *number)
{
    return entry->folder && hour_folder_parse(entry->name, strlen(entry->name), depth, number);
}

static bool note_newest(struct check *check, const struct check_list *list, int64_t day_s)
{
    for (unsigned i = 0; i < list->count; i++) {
        const struct check_entry *entry = &list->entry[i];
        struct hour_name name;
        const char *extension;
        if (!entry->file ||
            !hour_name_parse(entry->name, strlen(entry->name), day_s, &name, &extension) ||
            strcmp(extension, "mp4") != 0)
            continue;
        if (check->newest.second < 0 || hour_name_compare(name, check->newest) > 0)
            check->newest = name;
    }
    return check->newest.second >= 0;
}

// The newest hour file below, from the end. What cannot be read is told by the walk that follows.
static bool find_newest(struct check *check, struct level *at)
{
    struct check_list list;
    char path[HOUR_PATH];
    bool found = false;
    if (!check_list_read(NULL, at->path, &list))
        return false;
    if (at->depth == DAY_DEPTH) {
        int64_t day_s = hour_day(at->number[0], at->number[1], at->number[2]);
        found = day_s >= 0 && note_newest(check, &list, day_s);
    }
    for (unsigned i = list.count; at->depth < DAY_DEPTH && !found && i-- > 0;) {
        struct level below = *at;
        if (!is_level(&list.entry[i], at->depth, &below.number[at->depth]) ||
            !text_format(path, sizeof path, "%s/%s", at->path, list.entry[i].name))
            continue;
        below.path = path;
        below.depth++;
        found = find_newest(check, &below);
    }
    check_list_fini(&list);
    return found;
}

static void walk_days(struct check *check, const struct level *at)
{
    struct check_list list;
    char path[HOUR_PATH];
    if (at->depth == DAY_DEPTH) {
        int64_t day_s = hour_day(at->number[0], at->number[1], at->number[2]);
        if (day_s < 0)
            check_note(check, at->path, "not a day");
        else
            check_day(check, at->path, day_s);
        return;
    }
    if (!check_list_read(check, at->path, &list))
        return;
    for (unsigned i = 0; i < list.count; i++) {
        struct level below = *at;
        bool level = is_level(&list.entry[i], at->depth, &below.number[at->depth]);
        if ((at->depth == 0 && !level) || !check_join(check, path, at->path, list.entry[i].name))
            continue; // beside the years: see walk
        below.path = path;
        below.depth++;
        if (level)
            walk_days(check, &below);
        else
            check_note(check, path, not_ours);
    }
    check_list_fini(&list);
}

// ---- the journal -------------------------------------------------------------------------------

static void repair_journal(struct check *check, const char *path, struct journal_head *head,
                           bool understood, const struct journal_records *records)
{
    char aside[HOUR_PATH];
    if (!understood) {
        if (!text_format(aside, sizeof aside, "%s.bad", path) || rename(path, aside) != 0)
            check_find(check, path, "cannot be put aside: %s", strerror(errno));
        else
            check_repaired(check, 1, path, "put aside as journal.bad");
        return;
    }
    struct writer out = {0};
    if (head->view)
        journal_head_next(head, (uint32_t)digest_random_u64(), 1);
    journal_head_write(&out, head);
    journal_records_write(&out, records);
    struct buf *bytes = writer_take(&out);
    if (check_replace(check, path, buf_bytes(bytes)))
        check_repaired(check, 1, path, "written again, %u records", journal_records_count(records));
    buf_unref(&bytes);
}

static void look_at_journal(struct check *check, const char *path)
{
    struct buf *bytes = check_read_whole(path, JOURNAL_BYTES_MAX);
    if (!bytes) {
        check_find(check, path, "cannot be read: %s", strerror(errno));
        return;
    }
    struct bytes in = buf_bytes(bytes);
    struct journal_records records = {0};
    struct journal_record record;
    size_t torn = in.length % JOURNAL_RECORD;
    unsigned skipped = 0;
    struct journal_head head;
    bool understood = journal_head_parse(&in, &head) == 0;
    while (understood && journal_record_parse(&in, &record, &skipped) == 0)
        (void)(journal_apply(&records, &record) == 0);
    uint64_t findings = check->sums.findings;
    if (!understood && bytes->length > 0)
        check_find(check, path, "the journal is damaged at its beginning, or of another version");
    else if (skipped > (torn > 0))
        check_find(check, path, "the journal has %u damaged records", skipped - (torn > 0));
    else if (skipped && !check->live)
        check_find(check, path, "the journal has a torn end of %zu bytes", torn);
    buf_unref(&bytes);
    if (check->want->repair && check->sums.findings > findings)
        repair_journal(check, path, &head, understood, &records);
    journal_records_fini(&records);
}

// ---- folders -----------------------------------------------------------------------------------

// Whether it has a year with a month.
static bool has_years(const char *path, const struct check_list *list)
{
    char year[HOUR_PATH];
    for (unsigned i = 0; i < list->count; i++) {
        struct check_list months;
        unsigned number;
        bool found = false;
        if (!is_level(&list->entry[i], 0, &number) ||
            !text_format(year, sizeof year, "%s/%s", path, list->entry[i].name) ||
            !check_list_read(NULL, year, &months))
            continue;
        for (unsigned j = 0; j < months.count && !found; j++)
            found = is_level(&months.entry[j], 1, &number);
        check_list_fini(&months);
        if (found)
            return true;
    }
    return false;
}

static void check_stream(struct check *check, const char *path)
{
    struct level top = {.path = path};
    check->sums.streams++;
    check->newest = (struct hour_name){.second = -1};
    check->behind_us = 0;
    (void)find_newest(check, &top);
    walk_days(check, &top);
}

static void leftover(struct check *check, const char *path, const char *what)
{
    check_find(check, path, "%s", what);
    if (check->want->repair && check_remove(check, path))
        check_repaired(check, 1, path, "removed");
}

// A file beside streams or years.
static void look_at_file(struct check *check, const char *path, const char *name, bool stream)
{
    if ((stream && strcmp(name, "journal") == 0) || strcmp(name, CHECK_LOCK_NAME) == 0)
        return; // read before
    if (stream && strcmp(name, "journal.bad") == 0) {
        check_note(check, path, "a journal that was not understood, put aside");
    } else if ((stream && strcmp(name, "journal.new") == 0) ||
               text_starts(name, ".sluice-")) { // probes
        if (!check->live)
            leftover(check, path, "a file that was not finished");
    } else {
        check_note(check, path, not_ours);
    }
}

// The folders from the top down to this one, so that a link back to one of them is not followed.
struct way {
    const struct way *above;
    dev_t device;
    ino_t inode;
    unsigned depth;
};

static bool goes_round(const struct way *way)
{
    for (const struct way *it = way->above; it; it = it->above)
        if (it->device == way->device && it->inode == way->inode)
            return true;
    return false;
}

// A folder below, which may be the path of a `dvr` line. False: nothing is to be done there.
static bool enter(struct check *check, const char *path)
{
    int64_t pid = 0;
    if (check->want->repair && !check_lock_take(check, path, false, &pid)) {
        check_find(check, path, "in use by process %lld, a server or another repair: left out",
                   (long long)pid);
        return false;
    }
    if (!check->want->repair && !check->live && check_lock_held(path, &pid)) {
        check->live = true;
        check_note(check, path, in_use, (long long)pid);
    }
    return true;
}

static void walk(struct check *check, const char *path, const struct way *above)
{
    struct stat about;
    struct check_list list;
    char below[HOUR_PATH];
    struct way way = {.above = above, .depth = above ? above->depth + 1 : 0};
    if (stat(path, &about) == 0) {
        way.device = about.st_dev;
        way.inode = about.st_ino;
    }
    if (way.depth > DEPTH_MAX || goes_round(&way) || !check_list_read(check, path, &list))
        return;
    bool stream = has_years(path, &list), was_live = check->live;
    if (above && !enter(check, path)) {
        check_list_fini(&list);
        return;
    }
    for (unsigned i = 0; i < list.count; i++) {
        bool journal = list.entry[i].file && strcmp(list.entry[i].name, "journal") == 0;
        if (!journal || !check_join(check, below, path, "journal"))
            continue;
        stream = stream || above; // all of its footage may have gone
        if (stream)
            look_at_journal(check, below);
    }
    if (stream)
        check_stream(check, path);
    for (unsigned i = 0; i < list.count; i++) {
        const struct check_entry *entry = &list.entry[i];
        unsigned year;
        bool told = stream || !above;
        if ((entry->folder && (is_level(entry, 0, &year) || entry->name[0] == '.' ||
                               strcmp(entry->name, "lost+found") == 0)) ||
            (!entry->folder && !told) || !check_join(check, below, path, entry->name))
            continue;
        if (entry->folder)
            walk(check, below, &way);
        else
            look_at_file(check, below, entry->name, stream);
    }
    check->live = was_live;
    check_list_fini(&list);
}

// The folder and those above it, of which one is that of the `dvr` line. False: a repair is not to
// be made.
static bool enter_above(struct check *check, char *folder, int64_t *pid)
{
    for (;;) {
        if (check->want->repair && !check_lock_take(check, folder, false, pid))
            return false;
        if (!check->want->repair && !check->live && check_lock_held(folder, pid)) {
            check->live = true;
            check_note(check, folder, in_use, (long long)*pid);
        }
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder)
            return true;
        *slash = 0;
    }
}

static bool enter_all(struct check *check, const char *path, int64_t *pid)
{
    char folder[PATH_MAX];
    struct check_list list;
    bool stream = false;
    // As it was written, which may lead over links, and as it is.
    if (text_copy(folder, sizeof folder, path) && folder[0] == '/' &&
        !enter_above(check, folder, pid))
        return false;
    if (realpath(path, folder) && !enter_above(check, folder, pid))
        return false;
    if (!check->want->repair || check->locks.count > 0)
        return true;
    if (check_list_read(NULL, path, &list)) {
        stream = has_years(path, &list);
        check_list_fini(&list);
    }
    // A server that begins while the repair goes on has to find a lock.
    return stream || check_lock_take(check, path, true, pid);
}

int archive_check(const struct check_want *want, struct check_sums *out)
{
    struct check check = {.want = want};
    int64_t pid = 0;
    struct stat found;
    char path[HOUR_PATH];
    *out = (struct check_sums){0};
    if (!text_copy(path, sizeof path, want->path) || stat(path, &found) != 0 ||
        !S_ISDIR(found.st_mode))
        return ERR_NOT_FOUND;
    if (access(path, R_OK | X_OK) != 0)
        return ERR_IO;
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
        path[--length] = 0;
    bool entered = enter_all(&check, path, &pid);
    if (entered)
        walk(&check, path, NULL);
    check_locks_drop(&check.locks);
    mem_free(check.block);
    *out = check.sums;
    out->pid = pid;
    if (!entered)
        return ERR_EXISTS;
    return check.sums.streams > 0 || check.sums.findings > 0 ? 0 : ERR_NOT_FOUND;
}
