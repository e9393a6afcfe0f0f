// SPDX-License-Identifier: MIT
// Archives and their disks: attached, opened, described, let go.
//
// 1. An archive is in its stream's slot, and is its history, exactly while archive->stream is set.
// 2. Two archives with one folder (a stream that was closed and made again) follow one another: the
//    second waits until the first has written all.
// 3. Writing begins at once: names are made with O_EXCL. What was there is found later (tree.h).
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
#include "fstab_parse.h"
#include "opened.h"
#include "volume.h"

#define FIRST_RETENTION_US (5 * US_PER_S)

// ---- problems ----------------------------------------------------------------------------------

enum reason archive_reason_of(int os_error)
{
    if (os_error == ETIMEDOUT)
        return REASON_DISK_SLOW;
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
        log_info(archive->log_name, "recording goes on path=%s", archive->place[0].folder);
    else
        log_error(archive->log_name, "recording failed reason=%s path=%s errno=%d",
                  reason_name(problem), archive->place[0].folder, os_error);
    if (archive->stream)
        stream_changed(archive->stream);
}

// ---- opening -----------------------------------------------------------------------------------

static void mark_end(struct archive *archive);

// Nothing more will be known of it soon.
static bool place_silent(const struct place *place)
{
    return place->state == PLACE_FAILED ||
           (place->disk->problem != REASON_NONE && !place->tree.named);
}

static bool place_known(struct place *place)
{
    struct tree *tree = &place->tree;
    const struct hours *hours = &place->archive->hours;
    int64_t second = hours->count > 0 ? hours->hour[0].second : INT64_MAX;
    return place_silent(place) || (place->state == PLACE_READY && tree->named && tree->looked &&
                                   tree_known_before(tree, second));
}

void archive_listed(struct archive *archive)
{
    bool any = false, all = true;
    for (unsigned i = 0; i < archive->places; i++) {
        any |= archive->place[i].state == PLACE_READY;
        all &= place_known(&archive->place[i]);
    }
    requests_wake(archive);
    redate_wake(&archive->redate);
    if (archive->listed || !any || !all)
        return;
    archive->listed = true;
    if (archive->stream)
        stream_changed(archive->stream);
}

bool archive_ready(struct archive *archive, int64_t from_us, int64_t to_us, bool wide)
{
    bool any = false, all = true;
    for (unsigned i = 0; i < archive->places; i++) {
        struct place *place = &archive->place[i];
        any |= place->state == PLACE_READY;
        all &= place_silent(place) ||
               (place->state == PLACE_READY && tree_ready(&place->tree, from_us, to_us, wide));
    }
    return any && all;
}

bool archive_complete(struct archive *archive)
{
    for (unsigned i = 0; i < archive->places; i++)
        if (archive->place[i].state == PLACE_READY && !archive->place[i].tree.complete)
            return false;
    return true;
}

void archive_place_changed(struct archive *archive, const struct place *place, int os_error)
{
    bool any = false;
    for (unsigned i = 0; i < archive->places; i++)
        any |= archive->place[i].state == PLACE_READY;
    if (!any && disk_is_away(place->disk))
        archive_set_problem(archive, place->disk->problem, 0);
    else if (!any && place->state == PLACE_FAILED)
        archive_set_problem(archive, archive_reason_of(os_error), os_error);
    archive_listed(archive);
    recorder_run(&archive->recorder);
    if (archive->stream)
        stream_changed(archive->stream);
}

struct place *archive_write_place(struct archive *archive)
{
    struct place *worse = NULL;
    for (unsigned i = 0; i < archive->places; i++) {
        struct place *place = &archive->place[i];
        if (place->state == PLACE_FAILED || disk_is_away(place->disk))
            continue;
        if (place->disk->problem == REASON_NONE)
            return place->state == PLACE_READY ? place : NULL;
        if (place->state == PLACE_READY && !worse)
            worse = place;
    }
    return worse;
}

void archive_disk_changed(struct archive *archive, struct place *place, bool forget)
{
    if (archive->waits || !archive->stream)
        return;
    if (forget || place->disk->problem != REASON_NONE)
        recorder_disk_failed(&archive->recorder, place, forget);
    if (forget)
        place_forget(place);
    if (place->state != PLACE_READY)
        place_open(place);
    else
        archive_place_changed(archive, place, 0);
}

static bool folders_meet(const struct archive *a, const struct archive *b)
{
    for (unsigned i = 0; i < a->places; i++)
        for (unsigned k = 0; k < b->places; k++)
            if (strcmp(a->place[i].folder, b->place[k].folder) == 0)
                return true;
    return false;
}

static void archive_open(struct archive *archive)
{
    LIST_FOREACH(&archive->owner->archives, it, after)
    {
        const struct archive *other = LIST_OWNER(it, struct archive, node);
        if (other == archive)
            break;
        archive->waits = folders_meet(other, archive);
        if (archive->waits)
            return; // opened when that one is gone
    }
    archive->waits = false;
    for (unsigned i = 0; i < archive->places; i++)
        place_open(&archive->place[i]);
}

// ---- letting go --------------------------------------------------------------------------------

static void archive_free(struct archive *archive)
{
    struct archives *owner = archive->owner;
    recorder_fini(&archive->recorder);
    erasure_fini(&archive->erasure);
    journal_fini(&archive->journal);
    redate_fini(&archive->redate);
    opened_drop_all(archive); // closes its files, before the queues of the disks go
    for (unsigned i = 0; i < archive->places; i++)
        place_fini(&archive->place[i]);
    loop_defer_cancel(owner->loop, &archive->gone);
    list_remove(&owner->archives, &archive->node);
    hours_fini(&archive->hours);
    archive->magic = 0;
    mem_free(archive);
}

// Those that waited for it may open now, unless they wait for another as well.
static void open_waiting(struct archives *owner)
{
    LIST_FOREACH(&owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (archive->waits)
            archive_open(archive);
    }
}

static void on_gone(void *arg)
{
    struct archive *archive = arg;
    struct archives *owner = archive->owner;
    archive_free(archive);
    open_waiting(owner);
}

void archive_check_gone(struct archive *archive)
{
    if (!archive->stream && archive->ops == 0 && recorder_idle(&archive->recorder) &&
        journal_idle(&archive->journal) && redate_idle(&archive->redate))
        loop_defer(archive->owner->loop, &archive->gone, on_gone, archive);
}

void archive_mark(struct archive *archive, enum reason reason)
{
    const struct journal_list *marks = &archive->journal.records.marks;
    int64_t recorded_us = archive->recorder.taken_end_us;
    bool since = marks->count == 0 || marks->item[marks->count - 1].from_us < recorded_us;
    if (recorded_us && since)
        journal_mark(archive, recorded_us, archive->redate.base_us, reason);
    else
        journal_mark(archive, utc_us(), utc_us() - boot_us(), reason);
}

// The server stops, or the stream has no archive here any more.
static void mark_end(struct archive *archive)
{
    struct stream_stats stats;
    stream_get_stats(archive->stream, &stats);
    archive_mark(archive, stats.last_reason == REASON_SHUTDOWN ? REASON_RESTART : REASON_DISABLED);
}

void archive_close(struct archive *archive)
{
    struct stream *stream = archive->stream;
    ENSURE(stream != NULL);
    requests_end(archive, ERR_CANCELLED);
    mark_end(archive);
    stream_unlisten_segments(stream, &archive->listener);
    stream_set_slot(stream, STREAM_SLOT_ARCHIVE, NULL);
    archive->stream = NULL;
    journal_load_cancel(&archive->journal);
    redate_stop(&archive->redate);
    for (unsigned i = 0; i < archive->places; i++)
        place_give_up(&archive->place[i]);
    recorder_close(&archive->recorder);
    archive_check_gone(archive);
}

// ---- attaching ---------------------------------------------------------------------------------

struct archive *archive_of_stream(const struct stream *stream)
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
    if (duty_takes(archive, info->utc_start_us))
        recorder_on_part(&archive->recorder, tracks, info, part, frames, count);
}

static void on_segment(void *arg, struct segment *segment)
{
    struct archive *archive = arg;
    if (duty_takes(archive, segment->info.utc_start_us))
        recorder_on_segment(&archive->recorder, segment);
}

static bool comes_by_link(const struct stream *stream)
{
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    const struct stream_conf *conf = stream_conf(stream);
    const char *url =
        stats.active_input < conf->input_count ? conf->input[stats.active_input].url : "";
    return strncmp(url, "m4s://", 6) == 0 || strncmp(url, "m4f://", 6) == 0;
}

// What the hole that follows is because of. A far server that has lost its own input says
// SOURCE_TIMEOUT.
static enum reason hole_reason(const struct stream *stream, enum reason reason)
{
    switch (reason) {
    case REASON_SHUTDOWN:
        return REASON_RESTART;
    case REASON_NO_CLIENTS:
        return REASON_DISABLED;
    case REASON_SOURCE_TIMEOUT:
    case REASON_CONFIG:
    case REASON_FAILOVER:
    case REASON_NO_MEDIA:
    case REASON_NOT_FOUND:
        return REASON_SOURCE_LOST;
    default:
        return comes_by_link(stream) ? REASON_LINK : REASON_SOURCE_LOST;
    }
}

static void on_lost(void *arg, enum reason reason)
{
    struct archive *archive = arg;
    recorder_on_lost(&archive->recorder);
    archive_mark(archive, hole_reason(archive->stream, reason));
}

static void set_limits(struct archive *archive, const struct dvr_conf *dvr)
{
    archive->depth_us = dvr->depth_s * US_PER_S;
    archive->percent = dvr->percent ? dvr->percent : DVR_PERCENT;
    archive->size_bytes = dvr->size_bytes;
    archive->free_bytes = dvr->free_bytes;
    for (unsigned i = 0; i < archive->places; i++)
        archive->place[i].disk->must_be_mounted |= dvr->mounted;
    archive->sync_us = dvr->sync_us ? dvr->sync_us : DVR_SYNC_US;
    duty_set(&archive->duty, dvr);
}

// The paths of a dvr line without slashes at the end, so that two spellings are one disk.
struct paths {
    char path[DVR_PATHS_MAX][HOUR_PATH];
    unsigned count;
};

static struct archive *archive_new(struct archives *archives, struct stream *stream,
                                   const struct paths *paths)
{
    const char *name = stream_name(stream);
    struct archive *archive = mem_alloc(sizeof *archive);
    archive->history.ops = &archive_history_ops;
    archive->magic = ARCHIVE_MAGIC;
    archive->owner = archives;
    archive->stream = stream;
    (void)text_copy(archive->name, sizeof archive->name, name);
    (void)text_copy(archive->log_name, sizeof archive->log_name, stream_log_name(stream));
    for (unsigned i = 0; i < paths->count; i++)
        place_init(&archive->place[i], archive, (uint8_t)i, paths->path[i]);
    archive->places = paths->count;
    archive->problem = REASON_NONE;
    list_init(&archive->requests);
    journal_init(&archive->journal, archive);
    redate_init(&archive->redate, archive);
    recorder_init(&archive->recorder, archive);
    erasure_init(&archive->erasure, archive);
    archive->listener = (struct segment_listener){.on_part = on_part,
                                                  .on_segment = on_segment,
                                                  .on_lost = on_lost,
                                                  .on_failed = on_lost,
                                                  .arg = archive};
    list_append(&archives->archives, &archive->node);
    return archive;
}

// Empty when it is too long.
static void path_tidy(char out[HOUR_PATH], const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length + STREAM_NAME_MAX + HOUR_PATH_TAIL >= HOUR_PATH)
        length = 0;
    (void)text_copy_n(out, HOUR_PATH, path, length);
}

static bool paths_read(struct paths *paths, const struct dvr_conf *dvr)
{
    paths->count = dvr->path_count;
    for (unsigned i = 0; i < dvr->path_count; i++) {
        path_tidy(paths->path[i], dvr->path[i]);
        if (!paths->path[i][0])
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(paths->path[i], paths->path[k]) == 0)
                return false;
    }
    return true;
}

static bool has_paths(const struct archive *archive, const struct paths *paths)
{
    bool same = archive->places == paths->count;
    for (unsigned i = 0; same && i < paths->count; i++)
        same = strcmp(archive->place[i].disk->path, paths->path[i]) == 0;
    return same;
}

int archive_attach(struct archives *archives, struct stream *stream, const struct dvr_conf *dvr)
{
    struct archive *archive = archive_of_stream(stream);
    struct paths paths;
    if (dvr->path_count == 0) {
        archive_detach(archives, stream);
        return 0;
    }
    if (!paths_read(&paths, dvr))
        return ERR_INVALID;
    if (archive && !has_paths(archive, &paths)) {
        archive_detach(archives, stream);
        archive = NULL;
    }
    if (archive) {
        set_limits(archive, dvr);
        return 0;
    }
    archive = archive_new(archives, stream, &paths);
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
    struct archive *archive = archive_of_stream(stream);
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
    *archives = (struct archives){.loop = loop, .fstab = "/etc/fstab", .began_us = now_us()};
    list_init(&archives->disks);
    list_init(&archives->archives);
    list_init(&archives->opened);
    kept_init(&archives->kept);
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
        for (unsigned i = 0; i < archive->places; i++)
            if (archive->place[i].disk == disk && archive->place[i].state == PLACE_OPENING)
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
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        recorder_flush(&archive->recorder);
        journal_flush(&archive->journal);
    }
    bool all = true;
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        if (is_opening(disk)) // what waits for the journal
            all &= file_queue_flush(disk->chores, left_until(until_us)) &&
                   file_queue_flush(disk->reads, left_until(until_us));
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
    const struct archive *archive = archive_of_stream(stream);
    *out = (struct archive_stats){0};
    if (!archive)
        return false;
    struct history_range whole;
    (void)archive_span(archive, &whole);
    enum reason pause = duty_pause(archive, utc_us());
    enum reason disk = archive->recorder.disk->problem; // it may hang before too much waits
    enum reason problem = archive->problem != REASON_NONE ? archive->problem : disk;
    *out = (struct archive_stats){
        .state = state_of(archive),
        .paused = pause == REASON_NONE ? NULL : reason_name(pause),
        .problem = problem == REASON_NONE ? NULL : reason_name(problem),
        .bytes = archive->hours.bytes,
        .files = archive->hours.count,
        .from_us = whole.from_us,
        .to_us = whole.to_us,
        .segments_written = archive->segments_written,
        .bytes_written = archive->bytes_written,
        .segments_thinned = archive->segments_thinned,
        .segments_shed = archive->segments_shed,
        .errors = archive->errors,
        .segments_read = archive->segments_read,
        .last_write_us = archive->last_write_us,
        .bytes_queued = archive->recorder.queued_bytes,
    };
    return true;
}

int archive_switch(struct stream *stream, bool on)
{
    struct archive *archive = archive_of_stream(stream);
    if (!archive)
        return ERR_NOT_FOUND;
    if (archive->journal.state != JOURNAL_READY)
        return ERR_AGAIN;
    journal_switch(archive, on);
    log_info(archive->log_name, "recording switched %s", on ? "on" : "off");
    stream_changed(stream);
    return 0;
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

bool archive_path_mounted(const char *path, bool must)
{
    enum { FSTAB_READ_MAX = 64 << 10 };
    char tidy[HOUR_PATH];
    size_t mount, belongs = 0;
    uint64_t device[2];
    path_tidy(tidy, path);
    int descriptor = open("/etc/fstab", O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        struct buf *text = buf_new(FSTAB_READ_MAX);
        ssize_t got = read(descriptor, text->data, text->capacity);
        text->length = got > 0 ? (size_t)got : 0;
        belongs = fstab_mount_point(buf_bytes(text), tidy);
        buf_unref(&text);
        (void)close(descriptor);
    }
    return file_mount_now(tidy, device, &mount) != 0 ||
           disk_is_its_own(mount, device, belongs, must);
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
