// SPDX-License-Identifier: MIT
// The journal of a stream's archive.
//
// 1. One operation at a time; memory says at once what the file says later.
// 2. `length` counts only whole records whose append has returned. What a crash or a failed append
//    left behind that is cut off before the next one.
// 3. After a failure the file is not believed: it is written anew from memory, beside itself, and
//    put in its place by rename. A file that could not be read is never written over.
// 4. Nothing is written for a stream of which nothing was ever recorded, but what somebody asked
//    for.
#include "journal.h"

#include <fcntl.h>
#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define AGAIN_US (10 * US_PER_S)

enum {
    // Pending ones beyond this are left to a file that is written anew.
    PENDING_MAX = 1024,
    // Records in the file that say nothing any more, beyond as many as do.
    SPARE = 512,
};

static void run(void *journal);

static void journal_path(const struct journal *journal, char out[HOUR_PATH], const char *tail)
{
    bool whole =
        text_format(out, HOUR_PATH, "%s/journal%s", journal->archive->place[0].folder, tail);
    ENSURE(whole);
}

static void on_again(void *arg);

void journal_init(struct journal *journal, struct archive *archive)
{
    *journal = (struct journal){.archive = archive, .begun_us = utc_us()};
    timeout_init(&journal->again, archive->owner->loop, on_again, journal);
}

void journal_fini(struct journal *journal)
{
    timeout_stop(&journal->again);
    loop_defer_cancel(journal->archive->owner->loop, &journal->run);
    file_close(&journal->file);
    mem_free(journal->pending.item);
    journal_records_fini(&journal->records);
}

static void begin(struct journal *journal)
{
    journal->busy = true;
    journal->archive->ops++;
}

static void schedule(struct journal *journal)
{
    loop_defer(journal->archive->owner->loop, &journal->run, run, journal);
}

// Goes on at once: a flush waits for what is submitted inside its callbacks, not for later turns.
static void end(struct journal *journal)
{
    journal->busy = false;
    journal->archive->ops--;
    run(journal);
}

// ---- reading -----------------------------------------------------------------------------------

static void pend(struct journal *journal, const struct journal_record *record)
{
    struct journal_list *pending = &journal->pending;
    if (pending->count == PENDING_MAX && !journal->unreadable)
        journal->stale = true; // all of it is in memory
    if (journal->stale && !journal->unreadable)
        return;
    if (pending->count == PENDING_MAX)
        return; // a disk that cannot be read for so long: the newest are lost at a restart
    if (pending->count == pending->capacity) {
        pending->capacity = pending->capacity ? pending->capacity * 2 : 4;
        pending->item = mem_resize(pending->item, pending->capacity * sizeof *pending->item);
    }
    pending->item[pending->count++] = *record;
}

// The life of this process, once, and the hole before it.
static void begin_life(struct journal *journal)
{
    uint8_t id[CLOCK_BOOT_BYTES];
    clock_boot_id(id);
    for (unsigned i = 0; i < sizeof journal->boot; i++)
        journal->boot = journal->boot << 8 | id[i];
    struct journal_record clock = {.kind = JOURNAL_CLOCK,
                                   .from_us = journal->begun_us,
                                   .base_us = utc_us() - boot_us(),
                                   .boot = journal->boot};
    struct journal_record mark = clock;
    mark.kind = JOURNAL_MARK;
    mark.reason = REASON_RESTART;
    (void)(journal_add(journal, &clock) == 0);
    (void)(journal_add(journal, &mark) == 0);
}

// Whole records that count; the rest is said, and cut off or written over.
static void take_file(struct journal *journal, struct bytes in)
{
    struct journal_record record;
    unsigned skipped = 0;
    size_t length = in.length;
    while (journal_record_parse(&in, &record, &skipped) == 0)
        (void)(journal_apply(&journal->records, &record) == 0);
    journal->length = JOURNAL_RECORD + length / JOURNAL_RECORD * JOURNAL_RECORD;
    if (skipped) {
        journal->archive->errors++;
        journal->stale = true;
        log_warn(journal->archive->log_name, "journal damaged records=%u", skipped);
    }
}

static void finish_load(struct journal *journal)
{
    bool again = journal->state == JOURNAL_READY;
    journal->state = JOURNAL_READY;
    end(journal);
    if (again) {
        // What was said meanwhile, on top of what the file says.
        for (unsigned i = 0; i < journal->pending.count; i++)
            (void)(journal_apply(&journal->records, &journal->pending.item[i]) == 0);
        return;
    }
    if (journal->archive->stream) {
        begin_life(journal);
        redate_begin(&journal->archive->redate);
    }
    void (*loaded)(void *) = journal->loaded;
    journal->loaded = NULL;
    if (loaded)
        loaded(journal->arg);
    else
        archive_check_gone(journal->archive);
}

static void on_read(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    char path[HOUR_PATH], aside[HOUR_PATH];
    journal_path(journal, path, "");
    journal->unreadable = false;
    if (result->err == 0) {
        struct bytes in = buf_bytes(result->data);
        journal_records_fini(&journal->records);
        if (journal_head_parse(&in) == 0) {
            take_file(journal, in);
        } else if (in.length > 0) {
            // Of another version, or damaged at its very beginning: kept for somebody to look at.
            journal_path(journal, aside, ".bad");
            log_error(journal->archive->log_name, "journal not understood, kept as %s", aside);
            journal->archive->errors++;
            (void)file_rename(journal->archive->place[0].disk->writes, path, aside, NULL, NULL);
        }
    } else if (result->err != ERR_NOT_FOUND) {
        journal->unreadable = true;
        journal->archive->errors++;
        log_error(journal->archive->log_name, "journal not read errno=%d", result->os_error);
        timeout_start(&journal->again, AGAIN_US);
    }
    finish_load(journal);
}

static bool read_file(struct journal *journal)
{
    char path[HOUR_PATH];
    journal_path(journal, path, "");
    if (!file_read_whole(journal->archive->place[0].disk->reads, path, JOURNAL_BYTES_MAX, on_read,
                         journal))
        return false;
    begin(journal);
    return true;
}

void journal_load(struct journal *journal, void (*loaded)(void *arg), void *arg)
{
    journal->loaded = loaded;
    journal->arg = arg;
    if (journal->state == JOURNAL_LOADING)
        return;
    ENSURE(journal->state == JOURNAL_NEW);
    journal->state = JOURNAL_LOADING;
    if (!read_file(journal)) {
        journal->state = JOURNAL_NEW;
        timeout_start(&journal->again, US_PER_S);
    }
}

void journal_load_cancel(struct journal *journal)
{
    journal->loaded = NULL;
}

static void on_again(void *arg)
{
    struct journal *journal = arg;
    if (journal->state == JOURNAL_NEW)
        journal_load(journal, journal->loaded, journal->arg);
    else if (journal->unreadable && !journal->busy && !read_file(journal))
        timeout_start(&journal->again, AGAIN_US);
    else
        schedule(journal);
}

// ---- writing -----------------------------------------------------------------------------------

static void failed(struct journal *journal, int os_error)
{
    file_close(&journal->file);
    journal->stale = true;
    journal->pending.count = journal->written = 0;
    journal->archive->errors++;
    if (!journal->said)
        log_warn(journal->archive->log_name, "journal not written errno=%d", os_error);
    journal->said = true;
    if (journal->archive->stream)
        timeout_start(&journal->again, AGAIN_US);
    else
        journal->stale = false; // nobody will come back to it
    end(journal);
    archive_check_gone(journal->archive);
}

static void done(struct journal *journal)
{
    journal->said = false;
    end(journal);
    archive_check_gone(journal->archive);
}

static void on_synced(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    journal->sync = false;
    if (result->err != 0)
        failed(journal, result->os_error);
    else
        done(journal);
}

static void on_appended(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    struct journal_list *pending = &journal->pending;
    if (result->err != 0) {
        failed(journal, result->os_error);
        return;
    }
    journal->length += (uint64_t)result->value;
    pending->count -= journal->written;
    memmove(pending->item, pending->item + journal->written,
            pending->count * sizeof *pending->item);
    journal->written = 0;
    done(journal);
}

static void on_truncated(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    if (result->err != 0)
        failed(journal, result->os_error);
    else
        done(journal);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    if (result->err != 0) {
        failed(journal, result->os_error);
        return;
    }
    journal->file = result->file;
    if ((uint64_t)result->value == journal->length) {
        done(journal);
    } else if ((uint64_t)result->value > journal->length &&
               file_truncate(journal->file, journal->length, on_truncated, journal)) {
        return; // a torn end
    } else {
        failed(journal, 0); // somebody has cut it
    }
}

static void on_replaced(void *arg, const struct file_result *result)
{
    struct journal *journal = arg;
    if (result->err == ERR_NOT_FOUND) { // the folder was taken away: made with the next append
        journal->length = 0;
        journal->stale = false;
        failed(journal, result->os_error);
        return;
    }
    if (result->err != 0) {
        failed(journal, result->os_error);
        return;
    }
    done(journal);
}

static bool is_lasting(enum journal_kind kind)
{
    return kind != JOURNAL_MARK && kind != JOURNAL_CLOCK && kind != JOURNAL_FILE;
}

static struct file_op *append(struct journal *journal)
{
    struct writer out = {0};
    struct chain chain = {0};
    if (journal->length == 0) {
        journal_head_write(&out);
        journal_records_write(&out, &journal->records);
        journal->stale = false;
    }
    for (unsigned i = 0; i < journal->pending.count; i++) {
        if (journal->length > 0)
            journal_record_write(&out, &journal->pending.item[i]);
        journal->sync |= is_lasting(journal->pending.item[i].kind);
    }
    struct buf *buf = writer_take(&out);
    chain_take(&chain, &buf);
    journal->written = journal->pending.count;
    struct file_op *op = file_append(journal->file, &chain, on_appended, journal);
    chain_fini(&chain);
    return op;
}

static struct file_op *replace(struct journal *journal)
{
    char path[HOUR_PATH];
    struct writer out = {0};
    struct chain chain = {0};
    const struct hours *hours = &journal->archive->hours;
    if (journal->archive->listed && hours->count > 0)
        journal_forget_before(&journal->records, hours->hour[0].start_us);
    journal_head_write(&out);
    journal_records_write(&out, &journal->records);
    struct buf *buf = writer_take(&out);
    uint64_t length = buf->length;
    chain_take(&chain, &buf);
    journal_path(journal, path, "");
    file_close(&journal->file);
    struct file_op *op =
        file_replace(journal->archive->place[0].disk->writes, path, &chain, on_replaced, journal);
    chain_fini(&chain);
    if (op) {
        journal->stale = journal->sync = false;
        journal->pending.count = 0;
        journal->length = length;
    }
    return op;
}

static struct file_op *open_file(struct journal *journal)
{
    char path[HOUR_PATH];
    journal_path(journal, path, "");
    return file_open(journal->archive->place[0].disk->writes, path, O_WRONLY | O_CREAT, 0644,
                     on_open, journal);
}

static bool has_spare(const struct journal *journal)
{
    uint64_t count = journal->length / JOURNAL_RECORD;
    return count > 2 * (uint64_t)journal_records_count(&journal->records) + SPARE;
}

// Whether there is something to write, and somewhere.
static bool is_due(const struct journal *journal)
{
    if (journal->busy || journal->state != JOURNAL_READY || journal->unreadable ||
        timeout_active(&journal->again))
        return false;
    if (!journal->stale && journal->pending.count == 0 && !journal->sync)
        return false;
    bool asked_for = journal->length > 0 || journal->archive->hours.count > 0;
    for (unsigned i = 0; i < journal->pending.count; i++)
        asked_for |= is_lasting(journal->pending.item[i].kind);
    return asked_for;
}

static void run(void *arg)
{
    struct journal *journal = arg;
    struct file_op *op;
    if (!is_due(journal)) {
        erasure_go_on(journal->archive);
        archive_check_gone(journal->archive);
        return;
    }
    if (disk_is_away(journal->archive->place[0].disk))
        op = NULL; // what is there now is not its disk
    else if (journal->length > 0 && (journal->stale || has_spare(journal)))
        op = replace(journal);
    else if (!journal->file)
        op = open_file(journal);
    else if (journal->pending.count > 0 || journal->stale)
        op = append(journal);
    else
        op = file_sync(journal->file, on_synced, journal);
    if (op)
        begin(journal);
    else
        timeout_start(&journal->again, US_PER_S); // the queue is full, or the disk away
}

int journal_add(struct journal *journal, const struct journal_record *record)
{
    int err = journal_apply(&journal->records, record);
    if (err != 0)
        return err;
    pend(journal, record);
    if (journal->state == JOURNAL_READY)
        schedule(journal);
    return 0;
}

void journal_flush(struct journal *journal)
{
    if (!journal->unreadable)
        timeout_stop(&journal->again);
    loop_defer_cancel(journal->archive->owner->loop, &journal->run);
    run(journal);
}

bool journal_safe(const struct journal *journal)
{
    return journal->state == JOURNAL_READY && !journal->unreadable && !journal->stale &&
           !journal->busy && journal->pending.count == 0 && !journal->sync;
}

bool journal_idle(const struct journal *journal)
{
    return !journal->busy && !is_due(journal);
}

// ---- what is said ------------------------------------------------------------------------------

void journal_mark(struct archive *archive, int64_t at_us, int64_t base_us, enum reason reason)
{
    struct journal *journal = &archive->journal;
    const struct journal_list *marks = &journal->records.marks;
    const struct journal_record *last = marks->count ? &marks->item[marks->count - 1] : NULL;
    struct journal_record mark = {.kind = JOURNAL_MARK,
                                  .reason = reason,
                                  .from_us = at_us,
                                  .base_us = base_us,
                                  .boot = journal->boot};
    // The file may say the same already: it is not known yet, and marks of one time replace one
    // another.
    bool media_since = !last || archive->recorder.taken_end_us > last->from_us;
    if (at_us < 0 || (last && last->reason == reason && !media_since && last->from_us <= at_us))
        return;
    (void)(journal_add(journal, &mark) == 0);
}

void journal_switch(struct archive *archive, bool on)
{
    struct journal_record record = {.kind = JOURNAL_SWITCH, .on = on};
    if (archive->journal.records.recording != (on ? SWITCH_ON : SWITCH_OFF))
        (void)(journal_add(&archive->journal, &record) == 0); // of its kind there is one
}
