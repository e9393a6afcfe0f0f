// SPDX-License-Identifier: MIT
// The file of a journal on one path.
//
// 1. One operation at a time; memory says at once what the file says later.
// 2. `length` counts only whole records whose append has returned. What a crash or a failed append
//    left behind that is cut off before the next one.
// 3. After a failure the file is not believed: it is written anew from memory, beside itself, and
//    put in its place by rename. A file that could not be read is never written over.
// 4. Nothing is written for a stream of which nothing was ever recorded, but what somebody asked
//    for.
#include "journal_copy.h"

#include <fcntl.h>
#include <string.h>

#include "archive_priv.h"
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

static void run(void *copy);
static void on_again(void *copy);

static struct archive *archive_of(const struct journal_copy *copy)
{
    return copy->journal->archive;
}

static struct disk *disk_of(const struct journal_copy *copy)
{
    return archive_of(copy)->place[copy->path].disk;
}

static void copy_path(const struct journal_copy *copy, char out[HOUR_PATH], const char *tail)
{
    bool whole = text_format(out, HOUR_PATH, "%s/journal%s",
                             archive_of(copy)->place[copy->path].folder, tail);
    ENSURE(whole);
}

void journal_copy_init(struct journal_copy *copy, struct journal *journal, unsigned path)
{
    *copy = (struct journal_copy){.journal = journal, .path = path};
    timeout_init(&copy->again, journal->archive->owner->loop, on_again, copy);
}

void journal_copy_fini(struct journal_copy *copy)
{
    timeout_stop(&copy->again);
    loop_defer_cancel(archive_of(copy)->owner->loop, &copy->run);
    file_close(&copy->file);
    mem_free(copy->pending.item);
}

bool journal_copy_present(const struct journal_copy *copy)
{
    return copy->state == COPY_READ && !copy->unreadable;
}

static void begin(struct journal_copy *copy)
{
    copy->busy = true;
    archive_of(copy)->ops++;
}

void journal_copy_schedule(struct journal_copy *copy)
{
    if (copy->state == COPY_READ)
        loop_defer(archive_of(copy)->owner->loop, &copy->run, run, copy);
}

// Goes on at once: a flush waits for what is submitted inside its callbacks, not for later turns.
static void end(struct journal_copy *copy)
{
    copy->busy = false;
    archive_of(copy)->ops--;
    run(copy);
}

// Whether what came back is of a disk that is not there any more.
static bool is_forgotten(struct journal_copy *copy)
{
    if (!copy->forgotten)
        return false;
    copy->forgotten = false;
    copy->state = COPY_NEW;
    file_close(&copy->file);
    end(copy);
    if (copy->loaded)
        journal_copy_load(copy);
    archive_check_gone(archive_of(copy));
    return true;
}

void journal_copy_forget(struct journal_copy *copy)
{
    timeout_stop(&copy->again);
    loop_defer_cancel(archive_of(copy)->owner->loop, &copy->run);
    copy->pending.count = copy->written = 0;
    copy->stale = copy->sync = copy->unreadable = false;
    copy->length = 0;
    copy->loaded = NULL;
    copy->forgotten = copy->busy;
    if (copy->busy)
        return; // its file is closed when that comes back
    file_close(&copy->file);
    copy->state = COPY_NEW;
}

// ---- reading -----------------------------------------------------------------------------------

void journal_copy_pend(struct journal_copy *copy, const struct journal_record *record)
{
    struct journal_list *pending = &copy->pending;
    if (!journal_copy_present(copy))
        return;                                   // written anew when it can be read
    copy->stale |= pending->count == PENDING_MAX; // all of it is in memory
    if (copy->stale)
        return;
    if (pending->count == pending->capacity) {
        pending->capacity = pending->capacity ? pending->capacity * 2 : 4;
        pending->item = mem_resize(pending->item, pending->capacity * sizeof *pending->item);
    }
    pending->item[pending->count++] = *record;
}

static void on_read(void *arg, const struct file_result *result)
{
    struct journal_copy *copy = arg;
    struct archive *archive = archive_of(copy);
    char path[HOUR_PATH], aside[HOUR_PATH];
    if (is_forgotten(copy))
        return;
    copy_path(copy, path, "");
    copy->unreadable = false;
    copy->state = COPY_READ;
    copy->length = 0;
    struct bytes in = result->err == 0 ? buf_bytes(result->data) : bytes_of(NULL, 0);
    bool understood = result->err == 0 && journal_head_parse(&in, &copy->head) == 0;
    if (understood) {
        copy->length = JOURNAL_RECORD + in.length / JOURNAL_RECORD * JOURNAL_RECORD;
    } else if (in.length > 0) {
        // Of another version, or damaged at its very beginning: kept for somebody to look at.
        copy_path(copy, aside, ".bad");
        log_error(archive->log_name, "journal not understood, kept as %s", aside);
        archive->errors++;
        (void)file_rename(disk_of(copy)->writes, path, aside, NULL, NULL);
    } else if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        copy->unreadable = true;
        archive->errors++;
        log_error(archive->log_name, "journal not read path=%s errno=%d", path, result->os_error);
        timeout_start(&copy->again, AGAIN_US);
    }
    journal_copy_read(copy, understood ? &in : NULL);
    end(copy);
    void (*loaded)(void *) = copy->loaded;
    copy->loaded = NULL;
    if (loaded)
        loaded(copy->arg);
    else
        archive_check_gone(archive);
}

static bool read_file(struct journal_copy *copy)
{
    char path[HOUR_PATH];
    copy_path(copy, path, "");
    if (!file_read_whole(disk_of(copy)->reads, path, JOURNAL_BYTES_MAX, on_read, copy))
        return false;
    begin(copy);
    return true;
}

void journal_copy_load(struct journal_copy *copy)
{
    if (copy->state != COPY_NEW)
        return;
    copy->state = COPY_READING;
    if (!read_file(copy)) {
        copy->state = COPY_NEW;
        timeout_start(&copy->again, US_PER_S);
    }
}

static void on_again(void *arg)
{
    struct journal_copy *copy = arg;
    if (copy->state == COPY_NEW)
        journal_copy_load(copy);
    else if (copy->unreadable && !copy->busy && !read_file(copy))
        timeout_start(&copy->again, AGAIN_US);
    else
        journal_copy_schedule(copy);
}

// ---- writing -----------------------------------------------------------------------------------

static void failed(struct journal_copy *copy, int os_error)
{
    struct archive *archive = archive_of(copy);
    file_close(&copy->file);
    copy->stale = true;
    copy->pending.count = copy->written = 0;
    archive->errors++;
    if (!copy->said)
        log_warn(archive->log_name, "journal not written path=%s errno=%d", disk_of(copy)->path,
                 os_error);
    copy->said = true;
    if (archive->stream)
        timeout_start(&copy->again, AGAIN_US);
    else
        copy->stale = false; // nobody will come back to it
    journal_copy_failed(copy);
    end(copy);
    archive_check_gone(archive);
}

static void done(struct journal_copy *copy)
{
    copy->said = false;
    end(copy);
    archive_check_gone(archive_of(copy));
}

// False when it has failed, or is of no matter any more.
static bool went_well(struct journal_copy *copy, const struct file_result *result)
{
    if (is_forgotten(copy))
        return false;
    if (result->err != 0)
        failed(copy, result->os_error);
    return result->err == 0;
}

static void on_synced(void *arg, const struct file_result *result)
{
    struct journal_copy *copy = arg;
    copy->sync = false;
    if (went_well(copy, result))
        done(copy);
}

static void on_appended(void *arg, const struct file_result *result)
{
    struct journal_copy *copy = arg;
    struct journal_list *pending = &copy->pending;
    if (!went_well(copy, result))
        return;
    bool whole = copy->length == 0;
    copy->length += (uint64_t)result->value;
    pending->count -= copy->written;
    if (pending->count > 0)
        memmove(pending->item, pending->item + copy->written,
                pending->count * sizeof *pending->item);
    copy->written = 0;
    if (whole)
        journal_copy_whole(copy);
    done(copy);
}

static void on_truncated(void *arg, const struct file_result *result)
{
    if (went_well(arg, result))
        done(arg);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct journal_copy *copy = arg;
    copy->file = result->file;
    if (!went_well(copy, result))
        return;
    if ((uint64_t)result->value == copy->length) {
        done(copy);
    } else if ((uint64_t)result->value > copy->length &&
               file_truncate(copy->file, copy->length, on_truncated, copy)) {
        return; // a torn end
    } else {
        failed(copy, 0); // somebody has cut it
    }
}

static void on_replaced(void *arg, const struct file_result *result)
{
    struct journal_copy *copy = arg;
    if (!copy->forgotten && result->err == ERR_NOT_FOUND) {
        copy->length = 0; // the folder was taken away: made with the next append
        failed(copy, result->os_error);
    } else if (went_well(copy, result)) {
        journal_copy_whole(copy);
        done(copy);
    }
}

static void write_whole(struct journal_copy *copy, struct writer *out)
{
    journal_head_write(out, &copy->journal->head);
    journal_records_write(out, &copy->journal->records);
}

static struct file_op *append(struct journal_copy *copy)
{
    struct writer out = {0};
    struct chain chain = {0};
    bool whole = copy->length == 0;
    if (whole)
        write_whole(copy, &out);
    for (unsigned i = 0; i < copy->pending.count; i++) {
        if (copy->length > 0)
            journal_record_write(&out, &copy->pending.item[i]);
        copy->sync |= journal_record_lasts(&copy->pending.item[i]);
    }
    copy->sync |= whole && copy->journal->asked;
    struct buf *buf = writer_take(&out);
    chain_take(&chain, &buf);
    copy->written = copy->pending.count;
    struct file_op *op = file_append(copy->file, &chain, on_appended, copy);
    chain_fini(&chain);
    copy->stale = whole && !op;
    return op;
}

static struct file_op *replace(struct journal_copy *copy)
{
    char path[HOUR_PATH];
    struct writer out = {0};
    struct chain chain = {0};
    write_whole(copy, &out);
    struct buf *buf = writer_take(&out);
    uint64_t length = buf->length;
    chain_take(&chain, &buf);
    copy_path(copy, path, "");
    file_close(&copy->file);
    struct file_op *op = file_replace(disk_of(copy)->writes, path, &chain, on_replaced, copy);
    chain_fini(&chain);
    copy->stale = !op;
    if (op) {
        copy->sync = false;
        copy->pending.count = 0;
        copy->length = length;
    }
    return op;
}

static struct file_op *open_file(struct journal_copy *copy)
{
    char path[HOUR_PATH];
    copy_path(copy, path, "");
    return file_open(disk_of(copy)->writes, path, O_WRONLY | O_CREAT, 0644, on_open, copy);
}

static bool has_spare(const struct journal_copy *copy)
{
    uint64_t count = copy->length / JOURNAL_RECORD;
    return count > 2 * (uint64_t)journal_records_count(&copy->journal->records) + SPARE;
}

// Whether there is something to write, and somewhere.
static bool is_due(const struct journal_copy *copy)
{
    const struct journal *journal = copy->journal;
    if (!journal->settled || copy->busy || !journal_copy_present(copy) ||
        timeout_active(&copy->again))
        return false;
    if (!copy->stale && copy->pending.count == 0 && !copy->sync)
        return false;
    bool wanted = journal->asked || journal->archive->hours.count > 0;
    for (unsigned i = 0; i < journal->archive->places; i++)
        wanted |= journal->copy[i].length > 0;
    return wanted;
}

static void run(void *arg)
{
    struct journal_copy *copy = arg;
    struct file_op *op;
    if (!is_due(copy)) {
        erasure_go_on(archive_of(copy));
        archive_check_gone(archive_of(copy));
        return;
    }
    if (!copy->stale && copy->length > 0 && has_spare(copy))
        journal_new_view(copy->journal);
    if (disk_is_away(disk_of(copy)))
        op = NULL; // what is there now is not its disk
    else if (copy->length > 0 && copy->stale)
        op = replace(copy);
    else if (!copy->file)
        op = open_file(copy);
    else if (copy->pending.count > 0 || copy->stale)
        op = append(copy);
    else
        op = file_sync(copy->file, on_synced, copy);
    if (op)
        begin(copy);
    else
        timeout_start(&copy->again, US_PER_S); // the queue is full, or the disk away
}

void journal_copy_flush(struct journal_copy *copy)
{
    if (!copy->unreadable)
        timeout_stop(&copy->again);
    loop_defer_cancel(archive_of(copy)->owner->loop, &copy->run);
    run(copy);
}

bool journal_copy_safe(const struct journal_copy *copy)
{
    return journal_copy_present(copy) && !copy->stale && !copy->busy && copy->pending.count == 0 &&
           !copy->sync;
}

bool journal_copy_idle(const struct journal_copy *copy)
{
    return !copy->busy && !is_due(copy);
}
