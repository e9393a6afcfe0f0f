// SPDX-License-Identifier: MIT
// Hour files in use by readers.
//
// 1. At most one operation of an object is under way (`busy`); step() chooses the next.
// 2. An object that is in the list has err 0 and tells what the file is now; opened_drop and errors
//    take it out. It is freed when it is not in the list and has no user, or by age when it has
//    none.
// 3. The index of a file that is being written is the recorder's own, and grows.
#include "opened.h"

#include <errno.h>
#include <fcntl.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "recover.h"
#include "scan_parse.h"
#include "volume.h"

enum {
    INIT_GUESS = 16u << 10,
    DISCARD_MAX =
        16u << 20, // a file without a chunk that is longer is left for somebody to look at
    IDX_BYTES_MAX = (ARCHIVE_ENTRIES_MAX + 2) * INDEX_RECORD,
};

static void step(struct opened *opened);

static void opened_free(struct opened *opened)
{
    struct archives *owner = opened->archive->owner;
    ENSURE(list_empty(&opened->waiters));
    if (!opened->dropped)
        list_remove(&owner->opened, &opened->node);
    kept_drop(&owner->kept, opened);
    file_op_cancel(&opened->op);
    recovery_cancel(&opened->recovery);
    loop_defer_cancel(owner->loop, &opened->answering);
    file_close(&opened->file);
    index_unref(&opened->index);
    tracks_unref(&opened->tracks);
    mem_free(opened);
}

static void drop(struct opened *opened)
{
    if (opened->dropped)
        return;
    list_remove(&opened->archive->owner->opened, &opened->node);
    opened->dropped = true;
    if (opened->refs == 0)
        opened_free(opened);
}

// Those that nobody uses, beyond what is kept.
static void trim(struct archives *owner)
{
    size_t unused = 0;
    LIST_FOREACH(&owner->opened, it, after)
    unused += LIST_OWNER(it, struct opened, node)->refs == 0;
    LIST_FOREACH(&owner->opened, it, after)
    {
        struct opened *opened = LIST_OWNER(it, struct opened, node);
        if (unused <= ARCHIVE_OPENED_MAX)
            break;
        if (opened->refs == 0) {
            opened_free(opened);
            unused--;
        }
    }
}

struct opened *opened_find(struct archive *archive, struct hour_name name)
{
    LIST_FOREACH(&archive->owner->opened, it, after)
    {
        struct opened *opened = LIST_OWNER(it, struct opened, node);
        if (opened->archive == archive && hour_name_compare(opened->name, name) == 0)
            return opened;
    }
    return NULL;
}

struct opened *opened_get(struct archive *archive, struct hour_name name)
{
    struct opened *opened = opened_find(archive, name);
    if (opened) {
        list_remove(&archive->owner->opened, &opened->node);
    } else {
        const struct hour *hour = hours_get(&archive->hours, name);
        ENSURE(hour != NULL);
        opened = mem_alloc(sizeof *opened);
        opened->archive = archive;
        opened->name = name;
        opened->suspect = hour->suspect;
        list_init(&opened->waiters);
    }
    opened->refs++;
    list_append(&archive->owner->opened, &opened->node);
    return opened;
}

void opened_put(struct opened **where)
{
    struct opened *opened = *where;
    *where = NULL;
    if (!opened)
        return;
    ENSURE(opened->refs > 0);
    opened->refs--;
    if (opened->refs > 0)
        return;
    // One that is still being read is not worth waiting for, but for a recovery, which has effects.
    if (opened->dropped || (opened->busy && !opened->recovery))
        opened_free(opened);
    else
        trim(opened->archive->owner);
}

void opened_drop(struct archive *archive, struct hour_name name)
{
    struct opened *opened = opened_find(archive, name);
    if (opened)
        drop(opened);
}

void opened_drop_all(struct archive *archive)
{
    LIST_FOREACH(&archive->owner->opened, it, after)
    {
        struct opened *opened = LIST_OWNER(it, struct opened, node);
        if (opened->archive == archive)
            drop(opened);
    }
}

// ---- waiting -----------------------------------------------------------------------------------

static struct opened_waiter *next_answered(const struct opened *opened)
{
    LIST_FOREACH(&opened->waiters, it, after)
    {
        struct opened_waiter *waiter = LIST_OWNER(it, struct opened_waiter, node);
        if (opened->err != 0 || !(waiter->want & ~opened->have))
            return waiter;
    }
    return NULL;
}

static void answer(void *arg)
{
    struct opened *opened = arg;
    struct opened_waiter *waiter;
    opened->refs++; // a waiter may let go of it
    while ((waiter = next_answered(opened))) {
        list_remove(&opened->waiters, &waiter->node);
        waiter->ready(waiter->arg);
    }
    opened_put(&opened);
}

static void tell(struct opened *opened)
{
    loop_defer(opened->archive->owner->loop, &opened->answering, answer, opened);
}

int opened_want(struct opened *opened, unsigned want, struct opened_waiter *waiter,
                void (*ready)(void *arg), void *arg)
{
    if (opened->err != 0)
        return opened->err;
    if (!(want & ~opened->have))
        return 0;
    if (list_linked(&waiter->node))
        return ERR_AGAIN;
    *waiter = (struct opened_waiter){.opened = opened, .want = want, .ready = ready, .arg = arg};
    list_append(&opened->waiters, &waiter->node);
    opened->want |= want;
    if (!opened->busy)
        step(opened);
    return ERR_AGAIN;
}

void opened_forget(struct opened_waiter *waiter)
{
    if (list_linked(&waiter->node))
        list_remove(&waiter->opened->waiters, &waiter->node);
}

static void failed(struct opened *opened, int err)
{
    opened->busy = false;
    opened->err = err;
    tell(opened);
    opened->refs++;
    drop(opened);
    opened->refs--; // freed by the last of its users, or by answer()
}

// A crash came before anything was written to it.
static void discard(struct opened *opened)
{
    struct hour *hour = hours_get(&opened->archive->hours, opened->name);
    failed(opened, ERR_NOT_FOUND);
    if (hour && opened->suspect)
        (void)retention_remove(opened->archive, hour);
}

// ---- reading -----------------------------------------------------------------------------------

static void note_index(struct opened *opened)
{
    struct archive *archive = opened->archive;
    struct hour *hour = hours_get(&archive->hours, opened->name);
    int64_t from_us, to_us;
    opened->have |= OPENED_INDEX;
    index_shift(opened->index, opened->name.offset_s * US_PER_S);
    if (!hour || hour->writing)
        return;
    if (!index_span(opened->index, &from_us, &to_us))
        from_us = to_us = hour->start_us;
    hours_set_times(&archive->hours, hour, from_us, to_us);
    hours_note_index(&archive->hours, hour, opened->index);
    archive->place[hour->disk].tree.sum_after_us = 0;
    hour->suspect = false;
}

static void on_idx(void *arg, const struct file_result *result)
{
    struct opened *opened = arg;
    opened->op = NULL;
    opened->busy = false;
    opened->idx_read = true;
    if (result->err == 0)
        (void)(index_parse(buf_bytes(result->data), &opened->index) == 0);
    opened->idx_bytes = result->err == 0 ? (uint64_t)result->value : 0;
    // Closed with another length it is not of this file as it is.
    const struct hour *hour = hours_get(&opened->archive->hours, opened->name);
    if (opened->index && hour &&
        opened->index->file_length + (uint64_t)result->value != hour->bytes)
        opened->index->closed = false;
    if (opened->index && opened->index->closed)
        note_index(opened);
    step(opened);
}

static void on_recovered(void *arg, int err, struct index *index)
{
    struct opened *opened = arg;
    opened->recovery = NULL;
    opened->busy = false;
    if (err != 0) {
        failed(opened, err);
        return;
    }
    opened->index = index;
    opened->made = true;
    if (index->count == 0 && opened->size <= DISCARD_MAX) {
        discard(opened);
        return;
    }
    note_index(opened);
    step(opened);
}

static void start_recovery(struct opened *opened)
{
    bool bare = !opened->index || opened->index->init_length != opened->init_length ||
                index_covered(opened->index) > opened->size;
    if (bare) {
        index_unref(&opened->index);
        opened->index = index_new(0, (uint32_t)opened->init_length);
    }
    opened->index->closed = false;
    index_shift(opened->index, 0);
    struct recovery_from from = {
        .name = opened->name,
        .file = opened->file,
        .size = opened->size,
        .tracks = opened->tracks,
        .index = opened->index,
        .bare = bare,
        .suspect = opened->suspect,
    };
    opened->index = NULL;
    opened->busy = true;
    opened->recovery = recovery_start(opened->archive, &from, on_recovered, opened);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct opened *opened = arg;
    opened->op = NULL;
    opened->busy = false;
    if (opened->suspect && (result->os_error == EROFS || result->os_error == EACCES)) {
        opened->suspect = false; // then nothing is cut off
        step(opened);
        return;
    }
    if (result->err != 0) {
        failed(opened, result->err);
        return;
    }
    opened->file = result->file;
    opened->size = (uint64_t)result->value;
    // What a failed append left behind the good length is in the file after it, too.
    const struct hour *hour = hours_get(&opened->archive->hours, opened->name);
    if (hour && hour->failed && hour->bytes < opened->size + opened->idx_bytes)
        opened->size = hour->bytes > opened->idx_bytes ? hour->bytes - opened->idx_bytes : 0;
    if (hour && hour->failed && opened->size == 0)
        discard(opened);
    else
        step(opened);
}

static void on_init(void *arg, const struct file_result *result)
{
    struct opened *opened = arg;
    opened->op = NULL;
    opened->busy = false;
    if (result->err != 0) {
        failed(opened, result->err);
        return;
    }
    struct bytes in = buf_bytes(result->data);
    size_t length = scan_init_length(in);
    bool all = in.length >= opened->size;
    if (length <= in.length && length > 0) {
        opened->init_length = length;
        int err = cmaf_init_parse(bytes_of(in.data, length), &opened->tracks);
        if (err != 0) {
            failed(opened, err);
            return;
        }
        opened->init_read = true;
        step(opened);
    } else if (length == SIZE_MAX) {
        failed(opened, ERR_INVALID);
    } else if (all) {
        discard(opened);
    } else {
        opened->init_length = length ? length : 2 * in.length; // to be read
        step(opened);
    }
}

static void submit(struct opened *opened, struct file_op *op)
{
    opened->op = op;
    opened->busy = op != NULL;
    if (!op)
        failed(opened, ERR_LIMIT);
}

static void read_idx(struct opened *opened)
{
    char path[HOUR_PATH];
    archive_path(opened->archive, opened->name, "idx", path);
    submit(opened, file_read_whole(archive_disk(opened->archive, opened->name)->reads, path,
                                   IDX_BYTES_MAX, on_idx, opened));
}

static void open_file(struct opened *opened)
{
    char path[HOUR_PATH];
    archive_path(opened->archive, opened->name, "mp4", path);
    bool cuts = opened->suspect && !(opened->have & OPENED_INDEX);
    submit(opened, file_open(archive_disk(opened->archive, opened->name)->reads, path,
                             cuts ? O_RDWR : O_RDONLY, 0, on_open, opened));
}

static void read_init(struct opened *opened)
{
    size_t length = opened->init_length ? opened->init_length : INIT_GUESS;
    submit(opened, file_read(opened->file, 0, length, on_init, opened));
}

// One of the things that are missing, or tells that all is there.
static void step(struct opened *opened)
{
    const struct volume *volume = archive_volume(opened->archive, opened->name);
    bool has_index = opened->have & OPENED_INDEX;
    if (!has_index && volume && volume->index) {
        opened->index = index_ref(volume->index);
        opened->tracks = tracks_ref(volume->tracks);
        opened->init_read = true;
        opened->have |= OPENED_INDEX;
        has_index = true;
    }
    if (!has_index && !opened->idx_read) {
        read_idx(opened);
        return;
    }
    bool media = opened->want & OPENED_MEDIA || !has_index;
    if (media && !opened->file) {
        open_file(opened);
        return;
    }
    if (media && !opened->init_read) {
        read_init(opened);
        return;
    }
    // An index that was closed with another length is not of this file as it is.
    bool differs = has_index && opened->file && opened->idx_read && !opened->made &&
                   opened->index->file_length != opened->size;
    if (!has_index || differs) {
        opened->have = 0;
        start_recovery(opened);
        return;
    }
    if (media) {
        opened->have |= OPENED_MEDIA;
        if (opened->tracks->generation == 0)
            opened->tracks->generation = opened->index->generation;
    }
    tell(opened);
}
