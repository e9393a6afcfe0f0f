// SPDX-License-Identifier: MIT
// Archives and their disks: attached, opened, described, let go.
//
// 1. An archive is in its stream's slot exactly while archive->stream is set; the stream's history
// is
//    this archive for the same time.
// 2. Two archives with one folder (a stream that was closed and made again) follow one another: the
//    second waits until the first has written all.
// 3. Writing begins when the tree is listed, so that names are known; the newest file of an earlier
//    life is looked at behind it.
#include "archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "opened.h"
#include "tree.h"
#include "volume.h"

enum {
    WRITE_THREADS = 2, // a sync does not hold up the appends of half of the streams
    READ_THREADS = 2,
};

#define AGAIN_US (10 * US_PER_S)
#define FIRST_RETENTION_US (5 * US_PER_S)

// ---- disks -------------------------------------------------------------------------------------

static struct disk *disk_get(struct archives *archives, const char *path)
{
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        if (strcmp(disk->path, path) == 0) {
            disk->users++;
            return disk;
        }
    }
    struct disk *disk = mem_alloc(sizeof *disk);
    disk->owner = archives;
    disk->path = mem_strdup(path);
    disk->users = 1;
    char name[64];
    (void)text_format(name, sizeof name, "dvr=%s", path);
    disk->writes = file_queue_new(archives->loop, name, WRITE_THREADS);
    disk->reads = file_queue_new(archives->loop, name, READ_THREADS);
    list_append(&archives->disks, &disk->node);
    return disk;
}

static void disk_put(struct disk *disk)
{
    if (--disk->users > 0)
        return;
    list_remove(&disk->owner->disks, &disk->node);
    file_queue_free(&disk->writes);
    file_queue_free(&disk->reads);
    mem_free(disk->path);
    mem_free(disk);
}

// ---- problems ----------------------------------------------------------------------------------

enum reason archive_reason_of(int os_error)
{
    return os_error == ENOSPC || os_error == EDQUOT ? REASON_DISK_FULL : REASON_IO;
}

static enum archive_state state_of(const struct archive *archive)
{
    // A slow disk takes what it can: the archive is in use.
    if (archive->problem != REASON_NONE && archive->problem != REASON_DISK_SLOW)
        return ARCHIVE_FAILED;
    return archive->listed ? ARCHIVE_READY : ARCHIVE_OPENING;
}

void archive_set_problem(struct archive *archive, enum reason problem, int os_error)
{
    if (archive->problem == problem)
        return;
    archive->problem = problem;
    if (problem == REASON_NONE)
        log_info(archive->log_name, "recording goes on path=%s", archive->folder);
    else
        log_error(archive->log_name, "recording failed reason=%s path=%s errno=%d",
                  reason_name(problem), archive->folder, os_error);
    if (archive->stream)
        stream_changed(archive->stream);
}

// ---- opening -----------------------------------------------------------------------------------

static void archive_open(struct archive *archive);

static void on_again(void *arg)
{
    archive_open(arg);
}

static void on_recovered(void *arg)
{
    struct archive *archive = arg;
    opened_put(&archive->recovering);
    if (archive->stream)
        stream_changed(archive->stream);
}

// The newest file was perhaps being written when the server died.
static void recover_newest(struct archive *archive)
{
    if (archive->hours.count == 0)
        return;
    struct hour *newest = &archive->hours.hour[archive->hours.count - 1];
    newest->suspect = true;
    archive->recovering = opened_get(archive, hour_name_of(newest));
    if (opened_want(archive->recovering, OPENED_INDEX, &archive->recovering_waiter, on_recovered,
                    archive) != ERR_AGAIN)
        opened_put(&archive->recovering);
}

static void on_listed(void *arg, int err, int os_error)
{
    struct archive *archive = arg;
    archive->opening = NULL;
    if (err != 0) {
        archive->errors++;
        archive_set_problem(archive, archive_reason_of(os_error), os_error);
        timeout_start(&archive->again, AGAIN_US);
        return;
    }
    archive->listed = true;
    archive_set_problem(archive, REASON_NONE, 0);
    log_info(archive->log_name, "archive open path=%s files=%u bytes=%llu", archive->folder,
             archive->hours.count, (unsigned long long)archive->hours.bytes);
    recover_newest(archive);
    requests_wake(archive);
    recorder_run(&archive->recorder);
    if (archive->stream)
        stream_changed(archive->stream);
}

static void archive_open(struct archive *archive)
{
    LIST_FOREACH(&archive->owner->archives, it, after)
    {
        const struct archive *other = LIST_OWNER(it, struct archive, node);
        if (other == archive)
            break;
        if (strcmp(other->folder, archive->folder) == 0)
            return; // opened when that one is gone
    }
    archive->opening = tree_list(archive, on_listed, archive);
    if (!archive->opening)
        timeout_start(&archive->again, AGAIN_US);
}

// ---- letting go --------------------------------------------------------------------------------

static void archive_free(struct archive *archive)
{
    struct archives *owner = archive->owner;
    opened_forget(&archive->recovering_waiter);
    opened_put(&archive->recovering);
    opened_drop_all(archive);
    tree_cancel(&archive->opening);
    recorder_fini(&archive->recorder);
    timeout_stop(&archive->again);
    loop_defer_cancel(owner->loop, &archive->gone);
    list_remove(&owner->archives, &archive->node);
    hours_fini(&archive->hours);
    disk_put(archive->disk);
    archive->magic = 0;
    mem_free(archive->folder);
    mem_free(archive);
}

static void on_gone(void *arg)
{
    struct archive *archive = arg;
    struct archives *owner = archive->owner;
    char *folder = mem_strdup(archive->folder);
    archive_free(archive);
    LIST_FOREACH(&owner->archives, it, after)
    {
        struct archive *next = LIST_OWNER(it, struct archive, node);
        if (strcmp(next->folder, folder) == 0 && !next->listed && !next->opening) {
            timeout_stop(&next->again);
            archive_open(next);
            break;
        }
    }
    mem_free(folder);
}

void archive_check_gone(struct archive *archive)
{
    if (!archive->stream && archive->ops == 0 && recorder_idle(&archive->recorder))
        loop_defer(archive->owner->loop, &archive->gone, on_gone, archive);
}

void archive_close(struct archive *archive)
{
    struct stream *stream = archive->stream;
    ENSURE(stream != NULL);
    requests_end(archive, ERR_CANCELLED);
    stream_unlisten_segments(stream, &archive->listener);
    stream_set_slot(stream, STREAM_SLOT_ARCHIVE, NULL);
    archive->stream = NULL;
    timeout_stop(&archive->again);
    if (!archive->listed) { // nothing was written yet, and may never be
        tree_cancel(&archive->opening);
        archive->listed = true;
    }
    recorder_close(&archive->recorder);
    archive_check_gone(archive);
}

// ---- attaching ---------------------------------------------------------------------------------

static struct archive *attached(const struct stream *stream)
{
    struct archive *archive = stream_slot(stream, STREAM_SLOT_ARCHIVE);
    if (archive)
        OBJ_CHECK(archive, ARCHIVE_MAGIC);
    return archive;
}

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    struct archive *archive = arg;
    recorder_on_part(&archive->recorder, tracks, info, part, frames, count);
}

static void on_segment(void *arg, struct segment *segment)
{
    struct archive *archive = arg;
    recorder_on_segment(&archive->recorder, segment);
}

static void on_lost(void *arg, enum reason reason)
{
    struct archive *archive = arg;
    (void)reason;
    recorder_on_lost(&archive->recorder);
}

static void set_limits(struct archive *archive, const struct dvr_conf *dvr)
{
    archive->depth_us = dvr->depth_s * US_PER_S;
    archive->percent = dvr->percent ? dvr->percent : DVR_PERCENT;
    archive->size_bytes = dvr->size_bytes;
    archive->sync_us = dvr->sync_us ? dvr->sync_us : DVR_SYNC_US;
}

static struct archive *archive_new(struct archives *archives, struct stream *stream,
                                   const char *path)
{
    const char *name = stream_name(stream);
    struct archive *archive = mem_alloc(sizeof *archive);
    archive->history.ops = &archive_history_ops;
    archive->magic = ARCHIVE_MAGIC;
    archive->owner = archives;
    archive->stream = stream;
    archive->disk = disk_get(archives, path);
    (void)text_copy(archive->name, sizeof archive->name, name);
    (void)text_copy(archive->log_name, sizeof archive->log_name, stream_log_name(stream));
    size_t room = strlen(path) + strlen(name) + 2;
    archive->folder = mem_alloc(room);
    (void)text_format(archive->folder, room, "%s/%s", path, name);
    archive->problem = REASON_NONE;
    list_init(&archive->requests);
    recorder_init(&archive->recorder, archive);
    timeout_init(&archive->again, archives->loop, on_again, archive);
    archive->listener = (struct segment_listener){
        .on_part = on_part, .on_segment = on_segment, .on_lost = on_lost, .arg = archive};
    list_append(&archives->archives, &archive->node);
    return archive;
}

// Without slashes at the end, so that two spellings are one disk; empty when it is too long.
static void path_tidy(char out[HOUR_PATH], const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length + STREAM_NAME_MAX + HOUR_PATH_TAIL >= HOUR_PATH)
        length = 0;
    (void)text_copy_n(out, HOUR_PATH, path, length);
}

int archive_attach(struct archives *archives, struct stream *stream, const struct dvr_conf *dvr)
{
    struct archive *archive = attached(stream);
    char path[HOUR_PATH];
    if (dvr->path_count == 0) {
        archive_detach(archives, stream);
        return 0;
    }
    path_tidy(path, dvr->path[0]);
    if (!path[0])
        return ERR_INVALID;
    if (archive && strcmp(archive->disk->path, path) != 0) {
        archive_detach(archives, stream);
        archive = NULL;
    }
    if (archive) {
        set_limits(archive, dvr);
        return 0;
    }
    archive = archive_new(archives, stream, path);
    set_limits(archive, dvr);
    stream_set_slot(stream, STREAM_SLOT_ARCHIVE, archive);
    struct history *history = &archive->history;
    stream_set_history(stream, &history);
    stream_listen_segments(stream, &archive->listener);
    archive_open(archive);
    if (!timeout_active(&archives->retention))
        timeout_start(&archives->retention, FIRST_RETENTION_US);
    return 0;
}

void archive_detach(struct archives *archives, struct stream *stream)
{
    struct archive *archive = attached(stream);
    struct history *none = NULL;
    if (!archive)
        return;
    ENSURE(archive->owner == archives);
    stream_set_history(stream, &none); // closes ours
}

// ---- all ---------------------------------------------------------------------------------------

struct archives *archives_new(struct loop *loop)
{
    struct archives *archives = mem_alloc(sizeof *archives);
    archives->loop = loop;
    list_init(&archives->disks);
    list_init(&archives->archives);
    list_init(&archives->opened);
    timeout_init(&archives->retention, loop, retention_tick, archives);
    return archives;
}

void archives_free(struct archives **archives)
{
    struct archives *gone = *archives;
    *archives = NULL;
    if (!gone)
        return;
    LIST_FOREACH(&gone->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (archive->stream)
            archive_detach(gone, archive->stream);
    }
    while (!list_empty(&gone->archives))
        archive_free(LIST_OWNER(list_first(&gone->archives), struct archive, node));
    timeout_stop(&gone->retention);
    ENSURE(list_empty(&gone->disks) && list_empty(&gone->opened));
    mem_free(gone);
}

static bool is_opening(const struct disk *disk)
{
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        const struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (archive->disk == disk && !archive->listed)
            return true;
    }
    return false;
}

static int64_t left_until(int64_t until_us)
{
    int64_t left_us = until_us - now_us();
    return left_us > 0 ? left_us : 0;
}

bool archives_flush(struct archives *archives, int64_t timeout_us)
{
    int64_t until_us = now_us() + timeout_us;
    LIST_FOREACH(&archives->archives, it, after)
    recorder_flush(&LIST_OWNER(it, struct archive, node)->recorder);
    bool all = true;
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        if (is_opening(disk)) // what waits for the listing
            all &= file_queue_flush(disk->reads, left_until(until_us));
        all &= file_queue_flush(disk->writes, left_until(until_us));
    }
    LIST_FOREACH(&archives->archives, it, after)
    {
        struct recorder *recorder = &LIST_OWNER(it, struct archive, node)->recorder;
        recorder->flushing = false;
        all &= list_empty(&recorder->queue) && list_empty(&recorder->flight);
    }
    return all;
}

// ---- description -------------------------------------------------------------------------------

bool archive_span(const struct archive *archive, struct history_range *whole)
{
    *whole = (struct history_range){0};
    const struct hours *hours = &archive->hours;
    for (unsigned i = 0; i < hours->count; i++) {
        const struct hour *hour = &hours->hour[i];
        if (hour->known && hour->start_us == hour->end_us)
            continue; // nothing in it yet
        if (whole->from_us == 0)
            whole->from_us = hour->start_us;
        // Of files not looked at yet the name is known, and that they have something.
        int64_t to_us = hour->known ? hour->end_us : hour->start_us + 1;
        if (to_us > whole->to_us)
            whole->to_us = to_us;
    }
    return whole->to_us != 0;
}

bool archive_get_stats(const struct stream *stream, struct archive_stats *out)
{
    const struct archive *archive = attached(stream);
    *out = (struct archive_stats){0};
    if (!archive)
        return false;
    struct history_range whole;
    (void)archive_span(archive, &whole);
    *out = (struct archive_stats){
        .state = state_of(archive),
        .problem = archive->problem == REASON_NONE ? NULL : reason_name(archive->problem),
        .bytes = archive->hours.bytes,
        .files = archive->hours.count,
        .from_us = whole.from_us,
        .to_us = whole.to_us,
        .segments_written = archive->segments_written,
        .bytes_written = archive->bytes_written,
        .segments_shed = archive->segments_shed,
        .errors = archive->errors,
        .segments_read = archive->segments_read,
        .last_write_us = archive->last_write_us,
        .bytes_queued = archive->recorder.queued_bytes,
    };
    return true;
}

struct volume *archive_volume(struct archive *archive, struct hour_name name)
{
    LIST_FOREACH(&archive->recorder.volumes, it, after)
    {
        struct volume *volume = LIST_OWNER(it, struct volume, node);
        if (hour_name_compare(volume->name, name) == 0 && volume->state != VOLUME_FAILED &&
            volume->state != VOLUME_OPENING)
            return volume;
    }
    return NULL;
}

// ---- before the loop ---------------------------------------------------------------------------

static bool make_folder(const char *path)
{
    char part[HOUR_PATH];
    if (!text_copy(part, sizeof part, path))
        return false;
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != 0)
            continue;
        char here = *at;
        *at = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST && access(part, F_OK) != 0)
            return false;
        if (!here)
            return true;
        *at = here;
    }
}

bool archive_path_usable(const char *path, char *why, size_t room)
{
    char tidy[HOUR_PATH], probe[HOUR_PATH + 24];
    path_tidy(tidy, path);
    if (!tidy[0]) {
        (void)text_format(why, room, "the path is %s", path[0] ? "too long" : "empty");
        return false;
    }
    struct stat found;
    if (!make_folder(tidy) || stat(tidy, &found) != 0) {
        (void)text_format(why, room, "the folder cannot be made: %s", strerror(errno));
        return false;
    }
    if (!S_ISDIR(found.st_mode)) {
        (void)text_format(why, room, "it is not a folder");
        return false;
    }
    // access() says yes to root on a read-only file system: only a file tells.
    (void)text_format(probe, sizeof probe, "%s/.sluice-XXXXXX", tidy);
    int descriptor = mkstemp(probe);
    if (descriptor < 0) {
        (void)text_format(why, room, "the folder cannot be written: %s", strerror(errno));
        return false;
    }
    (void)close(descriptor);
    (void)unlink(probe);
    return true;
}
