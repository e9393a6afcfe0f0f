// SPDX-License-Identifier: MIT
// An hour file being written, and its index: docs/formats/archive.md, "Order of writing".
//
// 1. `end` counts only bytes whose append has returned without error.
// 2. An entry goes to the index file after a sync of the hour file that began when all bytes of its
//    segment were written, and after the first sync of its folders.
// 3. A failed sync is never tried again: the volume fails.
// 4. The memory goes when no operation can call back any more.
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "opened.h"

static void advance(struct volume *volume);

static void drop(struct volume *volume)
{
    struct archive *archive = volume->archive;
    list_remove(&archive->recorder.volumes, &volume->node);
    file_close(&volume->data);
    file_close(&volume->idx);
    file_close(&volume->folder_file);
    index_unref(&volume->index);
    tracks_unref(&volume->tracks);
    buf_unref(&volume->init);
    mem_free(volume->folder);
    mem_free(volume);
}

void volume_free(struct volume *volume)
{
    drop(volume);
}

static void gone(struct volume *volume)
{
    struct recorder *recorder = &volume->archive->recorder;
    drop(volume);
    recorder_volume_gone(recorder);
}

static void volume_path(const struct volume *volume, char out[HOUR_PATH], const char *extension)
{
    hour_path(out, volume->place->folder, volume->name, extension);
}

static void remove_empty(const struct volume *volume)
{
    char path[HOUR_PATH];
    volume_path(volume, path, "mp4");
    (void)file_remove(volume->place->disk->writes, path, volume->place->folder, NULL, NULL);
}

// ---- opening -----------------------------------------------------------------------------------

static bool submit_open(struct volume *volume);

static void opening_failed(struct volume *volume, int os_error)
{
    struct recorder *recorder = &volume->archive->recorder;
    drop(volume);
    recorder_volume_opened(recorder, NULL, os_error);
}

static void on_open(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    struct archive *archive = volume->archive;
    volume->ops--;
    if (volume->state == VOLUME_FAILED) { // abandoned
        volume->data = result->file;
        if (result->err == 0)
            remove_empty(volume);
        gone(volume);
        return;
    }
    if (result->err == ERR_EXISTS && volume->name.suffix < HOUR_SUFFIX_MAX) {
        volume->name.suffix++;
        if (!submit_open(volume))
            opening_failed(volume, EAGAIN);
        return;
    }
    if (result->err != 0) {
        opening_failed(volume, result->os_error);
        return;
    }
    volume->data = result->file;
    // One of that name that was listed has been taken away by somebody: this is another.
    opened_drop(archive, volume->name);
    struct hour *hour = hours_get(&archive->hours, volume->name);
    if (!hour && hours_add(&archive->hours, volume->name, 0) == 0)
        hour = hours_get(&archive->hours, volume->name);
    if (!hour) { // too many
        remove_empty(volume);
        opening_failed(volume, EMFILE);
        return;
    }
    hour->own = hour->writing = true;
    tree_day_changed(&volume->place->tree, volume->name.second, false);
    hours_set_times(&archive->hours, hour, volume->start_us, volume->start_us);
    volume->state = VOLUME_READY;
    const struct journal_record file = {.kind = JOURNAL_FILE,
                                        .file = volume->name,
                                        .base_us = volume->base_us,
                                        .boot = archive->journal.boot};
    if (volume->base_us)
        (void)(journal_add(&archive->journal, &file) == 0);
    recorder_volume_opened(&archive->recorder, volume, 0);
}

static bool submit_open(struct volume *volume)
{
    char path[HOUR_PATH];
    volume_path(volume, path, "mp4");
    if (!file_open(volume->place->disk->writes, path, O_WRONLY | O_CREAT | O_EXCL, 0644, on_open,
                   volume))
        return false;
    volume->ops++;
    return true;
}

struct volume *volume_open(struct place *place, struct tracks *tracks, int64_t start_us,
                           int64_t base_us)
{
    struct archive *archive = place->archive;
    struct volume *volume = mem_alloc(sizeof *volume);
    volume->archive = archive;
    volume->place = place;
    volume->state = VOLUME_OPENING;
    volume->name.second = start_us / US_PER_S;
    volume->name.disk = place->number;
    volume->start_us = start_us;
    volume->base_us = base_us;
    volume->new_day = volume->name.second / 86400 != place->synced_day;
    volume->tracks = tracks_ref(tracks);
    volume->init = cmaf_init_write_at(tracks, start_us);
    volume->index = index_new(tracks->generation, (uint32_t)volume->init->length);
    list_append(&archive->recorder.volumes, &volume->node);
    if (submit_open(volume))
        return volume;
    drop(volume);
    return NULL;
}

void volume_abandon(struct volume *volume)
{
    ENSURE(volume->state == VOLUME_OPENING);
    volume->state = VOLUME_FAILED;
}

// ---- appending ---------------------------------------------------------------------------------

static void on_append(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    if (volume->state == VOLUME_FAILED) { // cut off again behind `end`, and in the queue again
        advance(volume);
        return;
    }
    if (result->err != 0) {
        volume_fail(volume, result->os_error);
        return;
    }
    uint64_t base = volume->end ? volume->end : volume->index->init_length;
    volume->end += (uint64_t)result->value;
    volume->archive->bytes_written += (uint64_t)result->value;
    if (volume->sync_wanted)
        advance(volume);
    // Last: the recorder may be through with it, and it is gone.
    recorder_volume_appended(&volume->archive->recorder, volume, base);
}

bool volume_append(struct volume *volume, struct chain *chain)
{
    ENSURE(volume->state == VOLUME_READY);
    struct chain all = {0};
    if (volume->init)
        chain_add(&all, volume->init, 0, volume->init->length);
    chain_move(&all, chain);
    if (!file_append(volume->data, &all, on_append, volume)) {
        chain_fini(&all);
        return false;
    }
    buf_unref(&volume->init);
    chain_fini(&all);
    volume->ops++;
    return true;
}

// ---- syncing -----------------------------------------------------------------------------------

// The folder above, the last one being PATH itself; false when that was it.
static bool next_folder(struct volume *volume)
{
    char *slash = strrchr(volume->folder, '/');
    size_t floor = strlen(volume->place->disk->path);
    if (!volume->new_day || !slash || strlen(volume->folder) <= floor)
        return false;
    *slash = 0;
    return true;
}

static void sync_done(struct volume *volume)
{
    volume->syncing = false;
    volume->synced = volume->sync_to;
    if (volume->archive->recorder.volume == volume)
        archive_set_problem(volume->archive, REASON_NONE, 0);
    advance(volume);
}

// The media are safe, but perhaps not the name of the file: the index waits for the next sync.
static void folder_failed(struct volume *volume, int os_error)
{
    volume->syncing = false;
    volume->archive->errors++;
    archive_set_problem(volume->archive, archive_reason_of(os_error), os_error);
    if (volume->state == VOLUME_FINISHING)
        volume->idx_broken = true;
    advance(volume);
}

static void sync_folder(struct volume *volume);

static void on_folder_synced(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    file_close(&volume->folder_file);
    // Some file systems cannot sync a folder and say so.
    if (volume->state == VOLUME_FAILED) {
        advance(volume);
    } else if (result->err != 0 && result->os_error != EINVAL) {
        folder_failed(volume, result->os_error);
    } else if (next_folder(volume)) {
        sync_folder(volume);
    } else {
        mem_free(volume->folder);
        volume->folder = NULL;
        volume->place->synced_day = volume->name.second / 86400;
        sync_done(volume);
    }
}

static void on_folder_open(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    volume->folder_file = result->file;
    if (volume->state == VOLUME_FAILED) {
        file_close(&volume->folder_file);
        advance(volume);
    } else if (result->err != 0) {
        folder_failed(volume, result->os_error);
    } else if (file_sync(volume->folder_file, on_folder_synced, volume)) {
        volume->ops++;
    } else {
        file_close(&volume->folder_file);
        folder_failed(volume, EAGAIN);
    }
}

static void sync_folder(struct volume *volume)
{
    if (file_open(volume->place->disk->writes, volume->folder, O_RDONLY | O_DIRECTORY, 0,
                  on_folder_open, volume))
        volume->ops++;
    else
        folder_failed(volume, EAGAIN);
}

static void on_synced(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    if (volume->state == VOLUME_FAILED)
        advance(volume);
    else if (result->err != 0)
        volume_fail(volume, result->os_error);
    else if (volume->folder)
        sync_folder(volume);
    else
        sync_done(volume);
}

static void start_sync(struct volume *volume)
{
    volume->sync_wanted = false;
    volume->sync_to = volume->end;
    if (!volume->folder && volume->synced == 0) {
        char path[HOUR_PATH];
        volume_path(volume, path, "mp4");
        *strrchr(path, '/') = 0;
        volume->folder = mem_strdup(path);
    }
    if (file_sync(volume->data, on_synced, volume)) {
        volume->ops++;
        volume->syncing = true;
    } else if (volume->state == VOLUME_FINISHING) {
        volume->idx_broken = true; // the queue is full: closed as it is
    }
}

// ---- the index file ----------------------------------------------------------------------------

// It is only a cache: without it the hour file is read.
static void idx_failed(struct volume *volume, int os_error)
{
    volume->idx_broken = true;
    volume->archive->errors++;
    log_warn(volume->archive->log_name, "index not written errno=%d", os_error);
}

static void on_idx_written(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    volume->idx_busy = false;
    if (result->err != 0 && volume->state != VOLUME_FAILED)
        idx_failed(volume, result->os_error);
    advance(volume);
}

static void on_idx_open(void *arg, const struct file_result *result)
{
    struct volume *volume = arg;
    volume->ops--;
    volume->idx_busy = false;
    volume->idx = result->file;
    if (result->err != 0 && volume->state != VOLUME_FAILED)
        idx_failed(volume, result->os_error);
    advance(volume);
}

static bool complete(const struct volume *volume, unsigned entries)
{
    return volume->state == VOLUME_FINISHING && entries == volume->index->count &&
           volume->synced == volume->end;
}

static unsigned entries_safe(const struct volume *volume)
{
    unsigned safe = volume->indexed;
    const struct index *index = volume->index;
    while (safe < index->count &&
           index->entries[safe].offset + index->entries[safe].bytes <= volume->synced)
        safe++;
    return safe;
}

static bool index_due(const struct volume *volume)
{
    unsigned safe = entries_safe(volume);
    return !volume->idx_broken && !volume->ended &&
           (safe > volume->indexed || complete(volume, safe));
}

static void write_index(struct volume *volume)
{
    if (!volume->idx) {
        char path[HOUR_PATH];
        volume_path(volume, path, "idx");
        volume->idx_busy = file_open(volume->place->disk->writes, path,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644, on_idx_open, volume);
    } else {
        struct writer out = {0};
        unsigned safe = entries_safe(volume);
        if (volume->idx_bytes == 0)
            index_head_write(&out, volume->index);
        for (unsigned i = volume->indexed; i < safe; i++)
            index_entry_write(&out, &volume->index->entries[i]);
        bool ends = complete(volume, safe);
        if (ends)
            index_end_write(&out, volume->index, volume->end);
        struct chain chain = {0};
        struct buf *buf = writer_take(&out);
        size_t length = buf->length;
        chain_take(&chain, &buf);
        volume->idx_busy = file_append(volume->idx, &chain, on_idx_written, volume);
        chain_fini(&chain);
        if (volume->idx_busy) {
            volume->indexed = safe;
            volume->ended = ends;
            volume->idx_bytes += length;
        }
    }
    if (volume->idx_busy)
        volume->ops++;
    else
        volume->idx_broken = volume->state == VOLUME_FINISHING; // the queue is full
}

// ---- the end -----------------------------------------------------------------------------------

static void close_volume(struct volume *volume)
{
    struct archive *archive = volume->archive;
    struct hour *hour = hours_get(&archive->hours, volume->name);
    volume->index->closed = true;
    volume->index->file_length = volume->end;
    if (hour) {
        hour->writing = false;
        hours_note_index(&archive->hours, hour, volume->index);
        volume->place->tree.sum_after_us = 0; // perhaps it was the last of its day
        hours_set_bytes(&archive->hours, hour, volume->end + volume->idx_bytes);
        if (journal_deleted_any(&archive->journal.records, volume->name))
            erasure_want(archive);
    }
    gone(volume);
}

static void advance(struct volume *volume)
{
    if (volume->state == VOLUME_FAILED) {
        if (volume->ops == 0)
            gone(volume);
        return;
    }
    if (volume->state == VOLUME_OPENING || volume->syncing || volume->idx_busy)
        return;
    bool finishing = volume->state == VOLUME_FINISHING;
    if ((volume->sync_wanted || finishing) && volume->synced < volume->end &&
        !(finishing && volume->idx_broken))
        start_sync(volume);
    if (!volume->syncing && index_due(volume))
        write_index(volume);
    if (finishing && !volume->syncing && !volume->idx_busy)
        close_volume(volume);
}

void volume_sync(struct volume *volume)
{
    volume->sync_wanted = volume->synced < volume->end;
    advance(volume);
}

void volume_finish(struct volume *volume)
{
    ENSURE(volume->state == VOLUME_READY);
    volume->state = VOLUME_FINISHING;
    advance(volume);
}

void volume_fail(struct volume *volume, int os_error)
{
    struct archive *archive = volume->archive;
    struct hour_name name = volume->name;
    bool empty = volume->end == 0;
    volume->state = VOLUME_FAILED;
    // What an append left behind the good length goes; the rest is for the recovery to judge.
    (void)file_truncate(volume->data, volume->end, NULL, NULL);
    file_close(&volume->data);
    file_close(&volume->idx);
    opened_drop(archive, name);
    struct hour *hour = hours_get(&archive->hours, name);
    if (hour) {
        hours_set_bytes(&archive->hours, hour, volume->end + volume->idx_bytes);
        hours_forget(&archive->hours, hour);
        hour->suspect = hour->failed = true;
        if (empty) // when it cannot be removed, it is known to have nothing
            (void)retention_remove(archive, hour);
    }
    index_unref(&volume->index);
    recorder_volume_failed(&archive->recorder, volume, os_error);
    advance(volume);
}
