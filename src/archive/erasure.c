// SPDX-License-Identifier: MIT
// Gives the bytes of what was deleted back to the disk.
//
// 1. Nothing of a file is touched before the journal says, synced, what is deleted of it; and the
//    journal goes on saying it until the index that is on the disk does not speak of it any more.
//    So nobody is given anything of it, whenever a crash comes and whatever is made again.
// 2. A piece becomes a free box before its bytes go, and that is synced: players and the recovery
//    step over it.
// 3. A segment that a lock touches keeps its bytes; it stays hidden.
// 4. Starts of segments are exact in every index, ends may be guessed by a recovery: what is
//    deleted is said from the middle of its first segment on, so that it never touches the one
//    before it.
#include "erasure.h"

#include <errno.h>
#include <fcntl.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/cmaf.h"

#define AGAIN_US (60 * US_PER_S)

// Bytes of an hour file that are deleted: of segments that stand together, or (look) where such
// segments stood before a crash that cost the index: there may be a free box.
struct erased_piece {
    uint64_t offset, length; // look: length is the most
    int64_t from_us, to_us;  // the file's own times
    bool look;
};

static void run(void *erasure);
static void erase(struct erasure *erasure);

void erasure_init(struct erasure *erasure, struct archive *archive)
{
    *erasure = (struct erasure){.archive = archive};
}

static void clear(struct erasure *erasure)
{
    opened_forget(&erasure->waiter);
    opened_put(&erasure->opened);
    index_unref(&erasure->index);
    file_close(&erasure->file);
    mem_free(erasure->piece);
    erasure->piece = NULL;
    erasure->pieces = erasure->at = erasure->segments = 0;
    erasure->used = 0;
    erasure->spared = erasure->cancelled = false;
    erasure->state = ERASURE_IDLE;
}

void erasure_fini(struct erasure *erasure)
{
    loop_defer_cancel(erasure->archive->owner->loop, &erasure->run);
    clear(erasure);
}

static void schedule(struct erasure *erasure)
{
    loop_defer(erasure->archive->owner->loop, &erasure->run, run, erasure);
}

void erasure_want(struct archive *archive)
{
    struct erasure *erasure = &archive->erasure;
    if (archive->journal.records.deleted.count == 0)
        return;
    erasure->due = true;
    erasure->begun = erasure->missed = false;
    erasure->after_us = 0;
    schedule(erasure);
}

void erasure_go_on(struct archive *archive)
{
    if (archive->erasure.due || archive->erasure.state == ERASURE_SAID)
        schedule(&archive->erasure);
}

bool erasure_holds(const struct archive *archive, struct hour_name name)
{
    return archive->erasure.state != ERASURE_IDLE &&
           hour_name_compare(archive->erasure.name, name) == 0;
}

void erasure_forget(struct archive *archive, uint8_t disk, const struct hour_name *name)
{
    struct erasure *erasure = &archive->erasure;
    if (erasure->state != ERASURE_IDLE && erasure->name.disk == disk &&
        (!name || hour_name_compare(erasure->name, *name) == 0))
        erasure->cancelled = true;
}

// On to the next file.
static void leave(struct erasure *erasure)
{
    clear(erasure);
    schedule(erasure);
    redate_wake(&erasure->archive->redate);
    archive_check_gone(erasure->archive);
}

static void failed(struct erasure *erasure, const char *what, int os_error)
{
    struct archive *archive = erasure->archive;
    char path[HOUR_PATH];
    archive_path(archive, erasure->name, "mp4", path);
    log_warn(archive->log_name, "deleted bytes not given back file=%s at=%s errno=%d", path, what,
             os_error);
    archive->errors++;
    erasure->missed = true;
    leave(erasure);
}

// False when it is not to go on; then the file was left.
static bool goes_on(struct erasure *erasure, const char *what, const struct file_result *result)
{
    struct archive *archive = erasure->archive;
    archive->ops--;
    if (erasure->cancelled || !archive->stream || !hours_get(&archive->hours, erasure->name)) {
        leave(erasure);
        return false;
    }
    if (result->err != 0) {
        failed(erasure, what, result->os_error);
        return false;
    }
    return true;
}

static void submitted(struct erasure *erasure, const struct file_op *op)
{
    if (op)
        erasure->archive->ops++;
    else
        failed(erasure, "queue", 0);
}

// ---- the end of a file -------------------------------------------------------------------------

// In the file's own times.
static void say_erased(struct erasure *erasure, int64_t from_us, int64_t to_us)
{
    const struct journal_record erased = {
        .kind = JOURNAL_ERASED, .file = erasure->name, .from_us = from_us, .to_us = to_us};
    if (from_us < to_us)
        (void)(journal_add(&erasure->archive->journal, &erased) == 0);
}

static void say_all_erased(struct erasure *erasure)
{
    if (!erasure->spared)
        say_erased(erasure, 0, JOURNAL_UTC_MAX_US);
    for (unsigned i = 0; erasure->spared && i < erasure->pieces; i++)
        if (!erasure->piece[i].look)
            say_erased(erasure, erasure->piece[i].from_us, erasure->piece[i].to_us);
}

static void finish(struct erasure *erasure)
{
    struct archive *archive = erasure->archive;
    struct hour *hour = hours_get(&archive->hours, erasure->name);
    const struct index *index = erasure->index;
    int64_t from_us, to_us;
    ENSURE(hour != NULL && index_span(index, &from_us, &to_us));
    uint64_t length = index->file_length;
    uint64_t freed = erasure->used && erasure->used < length ? length - erasure->used : 0;
    hours_set_bytes(&archive->hours, hour, length + erasure->idx_bytes);
    if (erasure->used)
        hours_set_freed(&archive->hours, hour, freed);
    hours_set_times(&archive->hours, hour, from_us, to_us);
    hours_note_index(&archive->hours, hour, index);
    tree_day_changed(&archive->place[erasure->name.disk].tree, hour->second, true);
    // Who reads it goes on with the index that he has, and finds nothing where that is too old.
    kept_drop(&archive->owner->kept, erasure->opened);
    opened_drop(archive, erasure->name);
    say_all_erased(erasure);
    char path[HOUR_PATH];
    archive_path(archive, erasure->name, "mp4", path);
    log_info(archive->log_name, "deleted of file=%s segments=%u freed=%llu", path,
             erasure->segments, (unsigned long long)freed);
    if (freed)
        recorder_retry(&archive->recorder);
    leave(erasure);
}

static void on_listed(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    if (goes_on(erasure, "index", result))
        finish(erasure);
}

// In the queue that any other writer of the index used before.
static void list(struct erasure *erasure)
{
    struct archive *archive = erasure->archive;
    struct writer out = {0};
    struct chain chain = {0};
    char path[HOUR_PATH];
    int64_t shift_us = erasure->index->shift_us;
    index_shift(erasure->index, 0); // in the file stand its own times
    index_write(&out, erasure->index);
    index_shift(erasure->index, shift_us);
    struct buf *buf = writer_take(&out);
    erasure->idx_bytes = buf->length;
    chain_take(&chain, &buf);
    archive_path(archive, erasure->name, "idx", path);
    erasure->state = ERASURE_LISTING;
    submitted(erasure, file_replace(archive_disk(archive, erasure->name)->writes, path, &chain,
                                    on_listed, erasure));
    chain_fini(&chain);
}

// ---- pieces ------------------------------------------------------------------------------------

static void on_safe(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    if (goes_on(erasure, "sync", result))
        list(erasure);
}

static void next_piece(struct erasure *erasure)
{
    erasure->at++;
    erase(erasure);
}

static void cannot_punch(struct erasure *erasure)
{
    struct disk *disk = archive_disk(erasure->archive, erasure->name);
    disk->keeps_deleted = true;
    log_warn(erasure->archive->log_name,
             "the file system cannot give back parts of files: deleted bytes stay until their "
             "file goes path=%s",
             disk->path);
}

static void on_punched(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    struct file_result well = *result;
    if (result->os_error == EOPNOTSUPP || result->os_error == ENOSYS)
        well.err = 0;
    if (!goes_on(erasure, "punch", &well))
        return;
    if (result->err != 0)
        cannot_punch(erasure);
    else
        erasure->used = (uint64_t)result->value;
    next_piece(erasure);
}

static void punch(struct erasure *erasure)
{
    const struct erased_piece *piece = &erasure->piece[erasure->at];
    if (archive_disk(erasure->archive, erasure->name)->keeps_deleted ||
        piece->length <= CMAF_FREE_HEAD)
        next_piece(erasure);
    else
        submitted(erasure, file_punch(erasure->file, piece->offset + CMAF_FREE_HEAD,
                                      piece->length - CMAF_FREE_HEAD, on_punched, erasure));
}

static void on_head_synced(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    if (goes_on(erasure, "sync", result))
        punch(erasure);
}

static void on_head(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    if (goes_on(erasure, "write", result))
        submitted(erasure, file_sync(erasure->file, on_head_synced, erasure));
}

static void write_head(struct erasure *erasure)
{
    const struct erased_piece *piece = &erasure->piece[erasure->at];
    struct writer out = {0};
    struct chain chain = {0};
    cmaf_free_write(&out, piece->length);
    struct buf *buf = writer_take(&out);
    chain_take(&chain, &buf);
    submitted(erasure, file_write_at(erasure->file, piece->offset, &chain, on_head, erasure));
    chain_fini(&chain);
}

static void on_look(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    if (!goes_on(erasure, "read", result))
        return;
    struct erased_piece *piece = &erasure->piece[erasure->at];
    uint64_t length = cmaf_free_length(buf_bytes(result->data));
    if (length == 0 || length > piece->length) {
        next_piece(erasure);
        return;
    }
    piece->length = length;
    punch(erasure);
}

static void erase(struct erasure *erasure)
{
    if (erasure->at == erasure->pieces)
        submitted(erasure, file_sync(erasure->file, on_safe, erasure));
    else if (erasure->piece[erasure->at].look)
        submitted(erasure, file_read(erasure->file, erasure->piece[erasure->at].offset,
                                     CMAF_FREE_HEAD, on_look, erasure));
    else
        write_head(erasure);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct erasure *erasure = arg;
    erasure->file = result->file;
    if (!goes_on(erasure, "open", result))
        return;
    if ((uint64_t)result->value != erasure->index->file_length)
        failed(erasure, "length", 0); // somebody has changed it
    else
        erase(erasure);
}

static void open_file(struct erasure *erasure)
{
    struct archive *archive = erasure->archive;
    char path[HOUR_PATH];
    archive_path(archive, erasure->name, "mp4", path);
    erasure->state = ERASURE_ERASING;
    submitted(erasure, file_open(archive_disk(archive, erasure->name)->chores, path, O_RDWR, 0,
                                 on_open, erasure));
}

// ---- what is to be done ------------------------------------------------------------------------

static struct erased_piece *add_piece(struct erasure *erasure)
{
    erasure->piece = mem_resize(erasure->piece, (erasure->pieces + 1) * sizeof *erasure->piece);
    struct erased_piece *piece = &erasure->piece[erasure->pieces++];
    *piece = (struct erased_piece){0};
    return piece;
}

// together: it follows the one before it in the last piece.
static void note_erased(struct erasure *erasure, const struct index_entry *entry, bool together)
{
    struct erased_piece *piece =
        together ? &erasure->piece[erasure->pieces - 1] : add_piece(erasure);
    int64_t own_us = erasure->name.offset_s * US_PER_S;
    if (!together) {
        piece->offset = entry->offset;
        piece->from_us = entry->utc_start_us - own_us;
    }
    piece->length = entry->offset + entry->bytes - piece->offset;
    piece->to_us = index_entry_end_us(entry) - own_us;
    erasure->segments++;
}

// Into pieces what goes, into erasure->index what stays.
static void divide(struct erasure *erasure, const struct index *index)
{
    const struct archive *archive = erasure->archive;
    bool before = false;
    erasure->index = index_new(index->generation, index->init_length);
    for (unsigned i = 0; i < index->count; i++) {
        struct index_entry entry = index->entries[i];
        bool hidden = archive_hides(archive, erasure->name, &entry);
        bool erased = hidden && !journal_locked(&archive->journal.records, entry.utc_start_us,
                                                index_entry_end_us(&entry));
        erasure->spared |= hidden && !erased;
        if (erased) {
            note_erased(erasure, &entry, before);
        } else {
            entry.flags |= before ? SEGMENT_DISCONTINUITY : 0;
            bool added = index_add(erasure->index, &entry);
            ENSURE(added); // it agreed with more before
        }
        before = erased;
    }
    erasure->index->closed = true;
    erasure->index->file_length = index->file_length;
    erasure->index->shift_us = index->shift_us;
}

// Nothing of a stretch is in the index: its segments may have become a free box before that was
// lost.
static void look_behind(struct erasure *erasure, const struct index *index, unsigned entry)
{
    uint64_t offset = index->init_length, until = index->file_length;
    if (entry > 0)
        offset = index->entries[entry - 1].offset + index->entries[entry - 1].bytes;
    if (entry < index->count)
        until = index->entries[entry].offset;
    if (until < offset + CMAF_FREE_HEAD)
        return;
    struct erased_piece *piece = add_piece(erasure);
    piece->offset = offset;
    piece->length = until - offset;
    piece->look = true;
}

// Each stretch of the file that the journal says is deleted.
static void narrow(struct erasure *erasure, const struct index *index)
{
    const struct journal_list *deleted = &erasure->archive->journal.records.deleted;
    int64_t own_us = erasure->name.offset_s * US_PER_S;
    for (unsigned i = 0; i < deleted->count; i++) {
        const struct journal_record item = deleted->item[i];
        if (hour_name_compare(item.file, erasure->name) != 0)
            continue;
        unsigned first = index_find(index, item.from_us + own_us);
        if (first == index->count || index->entries[first].utc_start_us - own_us >= item.to_us) {
            look_behind(erasure, index, first);
            continue;
        }
        const struct index_entry *entry = &index->entries[first];
        int64_t middle_us = entry->utc_start_us - own_us + entry->duration_us / 2;
        say_erased(erasure, item.from_us, middle_us < item.to_us ? middle_us : item.to_us - 1);
    }
}

static void plan(struct erasure *erasure)
{
    struct archive *archive = erasure->archive;
    struct hour *hour = hours_get(&archive->hours, erasure->name);
    const struct index *index = erasure->opened->index;
    divide(erasure, index);
    if (erasure->segments > 0 && erasure->index->count == 0) {
        erasure->missed |= !retention_remove(archive, hour);
        leave(erasure);
        return;
    }
    narrow(erasure, index);
    if (erasure->pieces == 0) {
        say_all_erased(erasure);
        leave(erasure);
        return;
    }
    tree_day_changed(&archive->place[hour->disk].tree, hour->second, true);
    erasure->state = ERASURE_SAID;
    schedule(erasure);
}

static void on_index(void *arg)
{
    struct erasure *erasure = arg;
    struct archive *archive = erasure->archive;
    int err = opened_want(erasure->opened, OPENED_INDEX, &erasure->waiter, on_index, erasure);
    if (err == ERR_AGAIN)
        return;
    if (erasure->cancelled || !archive->stream || !hours_get(&archive->hours, erasure->name) ||
        err == ERR_NOT_FOUND) {
        leave(erasure);
    } else if (err != 0) {
        failed(erasure, "index", 0);
    } else if (archive->repairs > 0 || !erasure->opened->index->closed) {
        erasure->missed = true; // it is being written still
        leave(erasure);
    } else {
        plan(erasure);
    }
}

static void begin(struct erasure *erasure)
{
    erasure->state = ERASURE_INDEX;
    erasure->opened = opened_get(erasure->archive, erasure->name);
    on_index(erasure);
}

// The next file of which something is deleted, and which can be done now.
static bool next_file(struct erasure *erasure)
{
    struct archive *archive = erasure->archive;
    const struct journal_list *deleted = &archive->journal.records.deleted;
    for (unsigned i = 0; i < deleted->count; i++) {
        struct hour_name name = deleted->item[i].file;
        if (erasure->begun && hour_name_compare(name, erasure->name) <= 0)
            continue;
        erasure->begun = true;
        erasure->name = name;
        const struct hour *hour = hours_get(&archive->hours, name);
        // Another occasion comes when it is closed or listed, or in another life.
        if (!hour || hour->writing || hour->failed)
            continue;
        const struct place *place = &archive->place[name.disk];
        if (!hour->moving && place->state == PLACE_READY && place->disk->problem == REASON_NONE &&
            !place->tree.summing)
            return true;
        erasure->missed = true;
    }
    return false;
}

static void run(void *arg)
{
    struct erasure *erasure = arg;
    struct archive *archive = erasure->archive;
    if (erasure->state == ERASURE_SAID) {
        if (erasure->cancelled || !archive->stream)
            leave(erasure);
        else if (journal_safe(&archive->journal))
            open_file(erasure);
        return;
    }
    if (erasure->state != ERASURE_IDLE || !erasure->due || !archive->stream ||
        now_us() < erasure->after_us)
        return;
    if (next_file(erasure)) {
        begin(erasure);
        return;
    }
    erasure->due = erasure->missed;
    erasure->after_us = now_us() + AGAIN_US;
    erasure->begun = erasure->missed = false;
}
