// SPDX-License-Identifier: MIT
// Makes the index of an hour file from the file. Reading is asynchronous, one read at a time; the
// repairs are submitted and not waited for: whether they happen or not, what is in memory is right,
// and the next one to look finds the same.
#include "recover.h"

#include "archive_priv.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "scan_parse.h"

// Without an index: how much of the end of a suspect file is compared with its checksums. More than
// comes between two syncs at 50 Mbit/s.
#define VERIFY_BYTES (64u << 20)

struct recovery {
    struct archive *archive;
    struct recovery_from from;
    struct scan scan;
    uint64_t begun_at;
    struct file_op *op;
    struct defer first; // the first step comes in a later turn
    recovery_done_fn done;
    void *arg;
};

static void step(void *arg);

static void recovery_free(struct recovery *recovery)
{
    file_op_cancel(&recovery->op);
    loop_defer_cancel(recovery->archive->owner->loop, &recovery->first);
    scan_fini(&recovery->scan);
    mem_free(recovery);
}

void recovery_cancel(struct recovery **recovery)
{
    struct recovery *gone = *recovery;
    *recovery = NULL;
    if (gone)
        recovery_free(gone);
}

static void end(struct recovery *recovery, int err, struct index *index)
{
    recovery_done_fn done = recovery->done;
    void *arg = recovery->arg;
    recovery_free(recovery);
    done(arg, err, index);
}

// The index is written when the media that it speaks of are safe: what a process wrote that was
// killed may lie in the page cache only.
struct repair {
    struct archive *archive;
    struct hour_name name;
    struct chain idx;
};

static void repair_free(struct repair *repair)
{
    chain_fini(&repair->idx);
    mem_free(repair);
}

static void repaired(struct repair *repair)
{
    struct archive *archive = repair->archive;
    archive->ops--;
    archive->repairs--;
    repair_free(repair);
    archive_check_gone(archive);
}

static void on_replaced(void *arg, const struct file_result *result)
{
    (void)result; // the next one to look finds the same
    repaired(arg);
}

static void on_synced(void *arg, const struct file_result *result)
{
    struct repair *repair = arg;
    struct archive *archive = repair->archive;
    char path[HOUR_PATH];
    archive_path(archive, repair->name, "idx", path);
    // Removed meanwhile: nothing may come back.
    if (result->err != 0 || !hours_get(&archive->hours, repair->name) ||
        !file_replace(archive_disk(archive, repair->name)->writes, path, &repair->idx, on_replaced,
                      repair))
        repaired(repair);
}

static void write_idx(struct recovery *recovery, struct buf **idx)
{
    struct repair *repair = mem_alloc(sizeof *repair);
    repair->archive = recovery->archive;
    repair->name = recovery->from.name;
    chain_take(&repair->idx, idx);
    if (file_sync(recovery->from.file, on_synced, repair)) {
        recovery->archive->ops++;
        recovery->archive->repairs++;
        return;
    }
    repair_free(repair);
}

static void repair(struct recovery *recovery, struct index *index)
{
    struct archive *archive = recovery->archive;
    struct hour *hour = hours_get(&archive->hours, recovery->from.name);
    if (!hour)
        return; // removed meanwhile: nothing may come back
    struct scan *scan = &recovery->scan;
    uint64_t length = scan->size;
    if (recovery->from.suspect && (scan->chunks_end < scan->size || hour->failed)) {
        length = scan->chunks_end;
        (void)file_truncate(recovery->from.file, length, NULL, NULL);
    }
    tree_day_changed(&archive->place[hour->disk].tree, hour->second, false);
    index->closed = true;
    index->file_length = length;
    struct writer out = {0};
    index_write(&out, index);
    struct buf *idx = writer_take(&out);
    hours_set_bytes(&archive->hours, hour, length + idx->length);
    if (hour->failed)
        buf_unref(&idx);
    else
        write_idx(recovery, &idx);
    char path[HOUR_PATH];
    archive_path(archive, recovery->from.name, "mp4", path);
    log_info(archive->log_name, "recovered file=%s segments=%u from=%llu skipped=%llu cut=%llu",
             path, index->count, (unsigned long long)recovery->begun_at,
             (unsigned long long)scan->skipped, (unsigned long long)(scan->size - length));
}

static void finish(struct recovery *recovery)
{
    struct index *index = index_ref(recovery->scan.index);
    if (index->count > 0)
        repair(recovery, index);
    end(recovery, 0, index);
}

static void on_read(void *arg, const struct file_result *result)
{
    struct recovery *recovery = arg;
    recovery->op = NULL;
    if (result->err != 0) {
        end(recovery, ERR_IO, NULL);
        return;
    }
    scan_give(&recovery->scan, buf_bytes(result->data));
    step(recovery);
}

static void step(void *arg)
{
    struct recovery *recovery = arg;
    uint64_t offset;
    size_t length;
    if (!scan_wants(&recovery->scan, &offset, &length)) {
        finish(recovery);
        return;
    }
    recovery->op = file_read(recovery->from.file, offset, length, on_read, recovery);
    if (!recovery->op)
        end(recovery, ERR_LIMIT, NULL);
}

struct recovery *recovery_start(struct archive *archive, const struct recovery_from *from,
                                recovery_done_fn done, void *arg)
{
    struct recovery *recovery = mem_alloc(sizeof *recovery);
    recovery->archive = archive;
    recovery->from = *from;
    recovery->done = done;
    recovery->arg = arg;
    recovery->begun_at = index_covered(from->index);
    uint64_t verify_from = 0;
    if (from->bare && from->size > VERIFY_BYTES)
        verify_from = from->size - VERIFY_BYTES;
    scan_init(&recovery->scan, &recovery->from.index, from->bare, from->tracks, from->size,
              verify_from);
    loop_later(archive->owner->loop, &recovery->first, step, recovery);
    return recovery;
}
