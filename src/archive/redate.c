// SPDX-License-Identifier: MIT
// Hour files get their right dates.
//
// 1. Memory says what the disk says: a file has its new name in hours when it has it in its folder.
// 2. What is locked or deleted of a file is so under its new name before it has it; the old words
//    stay, and are about nothing.
// 3. Nothing is replaced: a name that is taken is passed over.
#include "redate.h"

#include "archive_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "opened.h"

// Until the year 10000.
#define SECOND_MAX 253402300800LL
#define SILENT_US (30 * US_PER_S) // longer than a stream takes to follow the clock
// Nobody sets a clock that is right; but a machine that stood still without knowing (a paused
// guest) is told the time by a step as well, and what it recorded before was dated right.
#define SETTLED_US (3600 * US_PER_S)
#define AGAIN_US (30 * US_PER_S)
#define JOURNAL_WAIT_US (100 * US_PER_MS)

static void run(void *arg);

static void on_again(void *arg)
{
    run(arg);
}

void redate_init(struct redate *redate, struct archive *archive)
{
    redate->archive = archive;
    timeout_init(&redate->again, archive->owner->loop, on_again, redate);
}

void redate_stop(struct redate *redate)
{
    timeout_stop(&redate->again);
    loop_defer_cancel(redate->archive->owner->loop, &redate->run);
}

void redate_fini(struct redate *redate)
{
    redate_stop(redate);
    file_op_cancel(&redate->op);
}

bool redate_idle(const struct redate *redate)
{
    return !redate->op;
}

void redate_wake(struct redate *redate)
{
    if (redate->known && redate->archive->stream && !redate->op &&
        redate->archive->journal.records.files.count > 0)
        loop_defer(redate->archive->owner->loop, &redate->run, run, redate);
}

int64_t redate_base_us(int64_t clock_us)
{
    return clock_us - (boot_us() - now_us());
}

// ---- the clock ---------------------------------------------------------------------------------

static void set_clock(struct redate *redate, int64_t base_us)
{
    struct archive *archive = redate->archive;
    struct journal *journal = &archive->journal;
    const struct journal_record clock = {.kind = JOURNAL_CLOCK,
                                         .from_us = utc_us() > 0 ? utc_us() : 0,
                                         .base_us = base_us,
                                         .boot = journal->boot};
    redate->base_us = base_us;
    redate->moved = 0;
    if (journal->records.files.count > 0)
        journal_sync(journal); // another boot may have to go on with it
    (void)(journal_add(journal, &clock) == 0);
    redate_wake(redate);
}

void redate_clock(struct redate *redate, int64_t clock_us)
{
    int64_t base_us = redate_base_us(clock_us), set_us = base_us - redate->base_us;
    if (!redate->known)
        return;
    if (set_us >= CLOCK_SET_US || set_us <= -CLOCK_SET_US)
        set_clock(redate, base_us);
    else
        redate->base_us = base_us;
}

// Of boots that are over, all is known that ever will be.
static void settle_others(struct redate *redate)
{
    struct journal_records *records = &redate->archive->journal.records;
    for (unsigned i = records->files.count; i > 0; i--) {
        struct journal_record settled = records->files.item[i - 1];
        bool over = settled.boot != redate->archive->journal.boot;
        if (!over || journal_file_late_s(records, &settled) != 0)
            continue;
        settled.boot = 0;
        (void)(journal_apply(records, &settled) == 0);
    }
}

void redate_begin(struct redate *redate)
{
    redate->known = true;
    redate->base_us = utc_us() - boot_us();
    settle_others(redate);
    redate_wake(redate);
}

static void settle_all(struct redate *redate)
{
    struct journal_records *records = &redate->archive->journal.records;
    const struct journal_record *clock = journal_clock_of(records, redate->archive->journal.boot);
    if (!clock || utc_us() - clock->from_us < SETTLED_US)
        return;
    for (unsigned i = records->files.count; i > 0; i--) {
        struct journal_record settled = records->files.item[i - 1];
        if (settled.file.second > utc_us() / US_PER_S - SETTLED_US / US_PER_S ||
            journal_file_late_s(records, &settled) != 0)
            continue;
        settled.boot = 0;
        (void)(journal_apply(records, &settled) == 0);
    }
}

void redate_tick(struct redate *redate, bool believed)
{
    struct recorder *recorder = &redate->archive->recorder;
    int64_t set_us = utc_us() - boot_us() - redate->base_us;
    if (!redate->known)
        return;
    if (set_us < CLOCK_SET_US && set_us > -CLOCK_SET_US) {
        if (believed)
            settle_all(redate);
    } else if (recorder_rest(recorder, SILENT_US)) {
        // A stream that gives frames follows the clock at a key frame, and says so.
        set_clock(redate, utc_us() - boot_us());
    }
}

// ---- one file ----------------------------------------------------------------------------------

static struct hour *next_due(struct redate *redate, struct journal_record *file)
{
    struct archive *archive = redate->archive;
    struct journal_records *records = &archive->journal.records;
    for (unsigned i = records->files.count; i > 0; i--) {
        *file = records->files.item[i - 1];
        if (journal_file_late_s(records, file) == 0)
            continue;
        struct hour *hour =
            file->file.disk < archive->places ? hours_get(&archive->hours, file->file) : NULL;
        if (hour && !hour->writing && archive->place[hour->disk].state == PLACE_READY &&
            !erasure_holds(archive, file->file))
            return hour;
        if (!hour && archive_complete(archive)) { // it is gone
            struct journal_record gone = *file;
            gone.boot = 0;
            (void)(journal_add(&archive->journal, &gone) == 0);
        }
    }
    return NULL;
}

// A name for it that is free as far as memory knows; false when there is none.
static bool name_at(struct redate *redate, int64_t by_s, unsigned suffix)
{
    const struct hours *hours = &redate->archive->hours;
    struct hour_name *to = &redate->to;
    *to = redate->from;
    to->second += by_s;
    to->offset_s += by_s;
    if (to->second < 0 || to->second > SECOND_MAX)
        return false;
    for (; suffix <= HOUR_SUFFIX_MAX; suffix++) {
        to->suffix = (uint16_t)suffix;
        if (!hours_get((struct hours *)hours, *to))
            return true;
    }
    return false;
}

static void carry_deleted(struct redate *redate)
{
    struct journal *journal = &redate->archive->journal;
    const struct journal_list *list = &journal->records.deleted;
    for (unsigned i = 0; i < list->count; i++) {
        struct journal_record deleted = list->item[i];
        if (hour_name_compare(deleted.file, redate->from) != 0)
            continue;
        deleted.file = redate->to;
        if (!journal_deleted(&journal->records, deleted.file, deleted.from_us, deleted.to_us))
            (void)(journal_add(journal, &deleted) == 0);
    }
}

static void carry_locks(struct redate *redate, const struct hour *hour, int64_t by_us)
{
    struct journal *journal = &redate->archive->journal;
    unsigned count = journal->records.locks.count;
    if (count == 0)
        return;
    // Of those that are there now: what is added may lie where the file still is.
    struct journal_record *locks = mem_dup(journal->records.locks.item, count * sizeof *locks);
    for (unsigned i = 0; i < count; i++) {
        struct journal_record *lock = &locks[i];
        if (lock->from_us >= hour->end_us || lock->to_us <= hour->start_us)
            continue;
        lock->from_us = (lock->from_us > hour->start_us ? lock->from_us : hour->start_us) + by_us;
        lock->to_us = (lock->to_us < hour->end_us ? lock->to_us : hour->end_us) + by_us;
        (void)(journal_add(journal, lock) == 0);
    }
    mem_free(locks);
}

// What is locked or deleted of the file is so under its new name. False: it is not written yet.
static bool carry_words(struct redate *redate, const struct hour *hour, int64_t by_us)
{
    if (hour_name_compare(redate->carried, redate->to) != 0) {
        carry_locks(redate, hour, by_us);
        carry_deleted(redate);
        redate->carried = redate->to;
    }
    return journal_idle(&redate->archive->journal);
}

static void forget_file(struct redate *redate, struct hour_name name)
{
    struct journal *journal = &redate->archive->journal;
    const struct journal_record gone = {.kind = JOURNAL_FILE, .file = name};
    const struct journal_record erased = {
        .kind = JOURNAL_ERASED, .file = name, .to_us = SECOND_MAX * US_PER_S};
    (void)(journal_add(journal, &gone) == 0);
    if (journal_deleted_any(&journal->records, name))
        (void)(journal_add(journal, &erased) == 0);
}

// In memory, as on the disk.
static void rename_hour(struct redate *redate)
{
    struct archive *archive = redate->archive;
    struct hours *hours = &archive->hours;
    struct hour *hour = hours_get(hours, redate->from);
    int64_t by_us = (redate->to.second - redate->from.second) * US_PER_S;
    if (!hour)
        return;
    struct hour old = *hour;
    struct hour_hole hole[HOUR_HOLES_MAX];
    unsigned count;
    const struct hours_hole *holes = hours_holes_of(hours, hour, &count);
    for (unsigned i = 0; i < count; i++)
        hole[i] = (struct hour_hole){holes[i].hole.from_us + by_us, holes[i].hole.to_us + by_us};
    opened_drop(archive, redate->from);
    hours_remove(hours, hour);
    if (hours_add(hours, redate->to, old.bytes) != 0)
        return;
    hour = hours_get(hours, redate->to);
    hours_set_freed(hours, hour, old.bytes - hour_used(&old));
    hour->own = old.own;
    hour->suspect = old.suspect;
    hour->failed = old.failed;
    hour->damaged = old.damaged;
    if (old.known) {
        hours_set_times(hours, hour, old.start_us + by_us, old.end_us + by_us);
        hours_set_holes(hours, hour, hole, count, !old.holes || old.holes_known);
    }
}

static void moved(struct redate *redate)
{
    struct archive *archive = redate->archive;
    const struct journal_record *known = journal_file(&archive->journal.records, redate->from);
    struct tree *tree = &archive->place[redate->from.disk].tree;
    struct journal_record file = {.kind = JOURNAL_FILE};
    if (known)
        file = *known;
    file.file = redate->to;
    file.base_us += (redate->to.second - redate->from.second) * US_PER_S;
    carry_deleted(redate); // what was deleted meanwhile
    rename_hour(redate);
    tree_day_changed(tree, redate->from.second, true);
    tree_day_changed(tree, redate->to.second, false);
    if (known)
        (void)(journal_add(&archive->journal, &file) == 0);
    forget_file(redate, redate->from);
    erasure_want(archive);
    redate->moved++;
    log_debug(archive->log_name, "dated anew by=%llds",
              (long long)(redate->to.second - redate->from.second));
}

static void end_move(struct redate *redate)
{
    struct archive *archive = redate->archive;
    struct hour *hour = hours_get(&archive->hours, redate->from);
    if (hour)
        hour->moving = false;
    archive->ops--;
    redate_wake(redate);
    archive_check_gone(archive);
}

static void on_idx_moved(void *arg, const struct file_result *result)
{
    struct redate *redate = arg;
    (void)result; // without an index it is made anew
    redate->op = NULL;
    moved(redate);
    end_move(redate);
}

static bool submit(struct redate *redate, const char *extension, file_done_fn done)
{
    const struct place *place = &redate->archive->place[redate->from.disk];
    char from[HOUR_PATH], to[HOUR_PATH];
    archive_path(redate->archive, redate->from, extension, from);
    archive_path(redate->archive, redate->to, extension, to);
    redate->op = file_move(place->disk->chores, from, to, place->folder, done, redate);
    return redate->op != NULL;
}

static void on_moved(void *arg, const struct file_result *result)
{
    struct redate *redate = arg;
    struct archive *archive = redate->archive;
    redate->op = NULL;
    if (result->err == 0) {
        if (submit(redate, "idx", on_idx_moved))
            return;
        moved(redate);
    } else if (result->err == ERR_EXISTS) {
        // Somebody else's, which nobody has listed: it is passed over.
        forget_file(redate, redate->to);
        int64_t by_s = redate->to.second - redate->from.second;
        if (redate->to.suffix < HOUR_SUFFIX_MAX && name_at(redate, by_s, redate->to.suffix + 1u) &&
            submit(redate, "mp4", on_moved))
            return;
    } else if (result->err == ERR_NOT_FOUND) {
        forget_file(redate, redate->from);
    } else {
        archive->errors++;
        log_warn(archive->log_name, "file not dated anew errno=%d", result->os_error);
        timeout_start(&redate->again, AGAIN_US);
    }
    end_move(redate);
}

static void run(void *arg)
{
    struct redate *redate = arg;
    struct archive *archive = redate->archive;
    struct journal_record file;
    if (redate->op || !archive->stream || timeout_active(&redate->again))
        return;
    struct hour *hour = next_due(redate, &file);
    if (!hour) {
        if (redate->moved && archive->stream)
            stream_changed(archive->stream);
        if (redate->moved)
            log_info(archive->log_name, "recorded under another clock, dated anew files=%u",
                     redate->moved);
        redate->moved = 0;
        return;
    }
    int64_t by_s = journal_file_late_s(&archive->journal.records, &file);
    redate->from = file.file;
    if (!name_at(redate, by_s, 0)) { // no such date
        forget_file(redate, redate->from);
        redate_wake(redate);
        return;
    }
    if (!carry_words(redate, hour, by_s * US_PER_S)) {
        timeout_start(&redate->again, JOURNAL_WAIT_US);
        return;
    }
    if (!submit(redate, "mp4", on_moved)) {
        timeout_start(&redate->again, US_PER_S);
        return;
    }
    hour->moving = true;
    archive->ops++;
}
