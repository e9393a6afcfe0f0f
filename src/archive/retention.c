// SPDX-License-Identifier: MIT
// What is removed, and when: by age and size within each stream, by the fill of the disk over all
// streams of the disk, oldest first.
//
// 1. A file that is being written is never removed. When nothing else is left, its stream is asked
// to
//    begin a new one, and the old one can go in a later round.
// 3. By size and by fill files go only when no older one can come to light: the trees of a place
// are
//    listed behind everything else. By age each goes for itself.
// 2. A file is forgotten when its removal is submitted; when that fails it is known again.
#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "opened.h"
#include "volume.h"

#define RETENTION_US (20 * US_PER_S)
// Without a synchronised clock nothing is too old for so long after the start.
#define CLOCK_DOUBT_US (3600 * US_PER_S)
// 2015: what says to be older was recorded before the clock was set, and its age is not known.
#define DATED_S 1420070400LL

enum {
    FILES_OF_A_LIMIT = 8,  // at least: what goes is then a small part of what is kept
    CHECKS_OF_A_DISK = 32, // while it is filled once: a small one is full before the time comes
    FILE_BYTES_LEAST = 1 << 20, // and no file is smaller for it
};

struct removal {
    struct archive *archive;
    struct hour_name name;
    uint64_t bytes, freed; // of the hour
    bool failed;
};

// It is there still.
static void known_again(const struct removal *removal)
{
    struct hours *hours = &removal->archive->hours;
    struct hour *hour = NULL;
    if (hours_add(hours, removal->name, removal->bytes) == 0)
        hour = hours_get(hours, removal->name);
    if (!hour)
        return;
    hour->failed = hour->suspect = removal->failed;
    hours_set_freed(hours, hour, removal->freed);
}

static void on_removed(void *arg, const struct file_result *result)
{
    struct removal *removal = arg;
    struct archive *archive = removal->archive;
    archive->ops--;
    if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        archive->errors++;
        log_error(archive->log_name, "file not removed errno=%d", result->os_error);
        known_again(removal);
    } else if (removal->bytes > 0) { // an empty one makes no room
        recorder_retry(&archive->recorder);
    }
    mem_free(removal);
    archive_check_gone(archive);
}

bool retention_remove(struct archive *archive, struct hour *hour)
{
    char path[HOUR_PATH];
    const struct place *place = &archive->place[hour->disk];
    struct removal *removal = mem_alloc(sizeof *removal);
    *removal = (struct removal){.archive = archive,
                                .name = hour_name_of(hour),
                                .bytes = hour->bytes,
                                .freed = hour->bytes - hour_used(hour),
                                .failed = hour->failed};
    // What was deleted of it goes with it.
    const struct journal_record erased = {
        .kind = JOURNAL_ERASED, .file = removal->name, .from_us = 0, .to_us = JOURNAL_UTC_MAX_US};
    if (journal_deleted_any(&archive->journal.records, removal->name))
        (void)(journal_add(&archive->journal, &erased) == 0);
    erasure_forget(archive, hour->disk, &removal->name);
    opened_drop(archive, removal->name);
    tree_day_changed(&archive->place[hour->disk].tree, hour->second, true);
    hours_remove(&archive->hours, hour);
    archive_path(archive, removal->name, "idx", path);
    (void)file_remove(place->disk->chores, path, NULL, NULL, NULL);
    archive_path(archive, removal->name, "mp4", path);
    if (file_remove(place->disk->chores, path, place->folder, on_removed, removal)) {
        archive->ops++;
        log_info(archive->log_name, "removed file=%s bytes=%llu", path,
                 (unsigned long long)removal->bytes);
        return true;
    }
    known_again(removal);
    mem_free(removal);
    return false;
}

// Recorded in this boot of the machine, and the clock may be any: what it says is no age. It goes
// after all that has a date.
static bool is_undated(const struct archive *archive, const struct hour *hour)
{
    return archive->journal.records.files.count > 0 &&
           journal_file(&archive->journal.records, hour_name_of(hour)) != NULL &&
           !clock_is_synchronised();
}

// The oldest file that may be removed: not being written, nothing of it locked; of one disk or
// (NULL) of all, dated `second` or later; NULL: there is none.
static struct hour *oldest_from(struct archive *archive, const struct disk *disk, int64_t second)
{
    struct hour *undated = NULL;
    bool doubt = archive->journal.records.files.count > 0 && !clock_is_synchronised();
    for (unsigned i = hours_from(&archive->hours, second); i < archive->hours.count; i++) {
        struct hour *hour = &archive->hours.hour[i];
        bool none = doubt && journal_file(&archive->journal.records, hour_name_of(hour));
        if (none && undated)
            continue;
        if (!hour->writing && !hour->moving && (!disk || archive->place[hour->disk].disk == disk) &&
            !journal_locked(&archive->journal.records, hour->start_us, hour->end_us)) {
            if (!none)
                return hour;
            undated = hour;
        }
    }
    return undated;
}

static struct hour *oldest(struct archive *archive, const struct disk *disk)
{
    return oldest_from(archive, disk, INT64_MIN);
}

static bool takes_part(const struct archive *archive, const struct disk *disk)
{
    for (unsigned i = 0; i < archive->places; i++)
        if (archive->place[i].disk == disk && archive->stream &&
            archive->place[i].state == PLACE_READY)
            return true;
    return false;
}

static bool writes_to(const struct archive *archive, const struct disk *disk)
{
    return archive->recorder.volume && archive->recorder.volume->place->disk == disk;
}

// A machine without a battery begins in 1970, one with a bad one anywhere, until NTP has come:
// until then nobody knows how old anything is.
static bool clock_is_believed(const struct archives *archives)
{
    return now_us() - archives->began_us > CLOCK_DOUBT_US || clock_is_synchronised();
}

static void remove_by_age(struct archive *archive)
{
    struct hour *hour;
    int64_t limit_us = utc_us() - archive->depth_us;
    if (!archive->depth_us || !clock_is_believed(archive->owner))
        return;
    while ((hour = oldest_from(archive, NULL, DATED_S)) && hour->end_us <= limit_us)
        if (!retention_remove(archive, hour))
            return;
}

static void remove_by_size(struct archive *archive)
{
    if (!archive->size_bytes || !archive_complete(archive))
        return;
    while (archive->hours.bytes > archive->size_bytes) {
        struct hour *hour = oldest(archive, NULL);
        if (!hour)
            archive->recorder.roll = true;
        if (!hour || !retention_remove(archive, hour))
            return;
    }
}

// Whether no file can come to light that would have to go before the one that seems the oldest.
static bool oldest_known(const struct disk *disk)
{
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        const struct hour *hour = archive->stream ? oldest(archive, disk) : NULL;
        for (unsigned i = 0; archive->stream && i < archive->places; i++)
            if (archive->place[i].disk == disk && archive->place[i].state == PLACE_READY &&
                !tree_known_before(&archive->place[i].tree, hour ? hour->second : INT64_MAX))
                return false;
    }
    return true;
}

// How full a disk is.
struct fill {
    unsigned permille;
    uint64_t free;
};

static bool is_over(const struct archive *archive, const struct fill *fill)
{
    return archive->percent * 10 < fill->permille || fill->free < archive->free_bytes;
}

// The archive with the oldest file that may go, among those whose limit is passed.
static struct archive *oldest_on(const struct disk *disk, const struct fill *fill)
{
    struct archive *found = NULL;
    int64_t second = INT64_MAX;
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (!takes_part(archive, disk) || !is_over(archive, fill))
            continue;
        const struct hour *hour = oldest(archive, disk);
        int64_t dated_s = !hour                       ? INT64_MAX
                          : is_undated(archive, hour) ? INT64_MAX / 2 + hour->second
                                                      : hour->second;
        if (dated_s < second) {
            found = archive;
            second = dated_s;
        }
    }
    return found;
}

static void roll_all(const struct disk *disk, const struct fill *fill)
{
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (writes_to(archive, disk) && is_over(archive, fill))
            archive->recorder.roll = true;
    }
}

static void on_usage(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    uint64_t figures[3]; // total, free, device
    disk->checking = false;
    if (result->err != 0 || !result->data || result->data->length < sizeof figures)
        return; // the next write says what is wrong
    memcpy(figures, result->data->data, sizeof figures);
    struct fill fill = {.permille = (unsigned)result->value, .free = figures[1]};
    uint64_t unit = figures[0] / 1000 + 1;
    uint64_t freed = 0; // not yet taken off permille
    struct archive *archive;
    disk->total_bytes = figures[0];
    disk->free_bytes = figures[1];
    if (!oldest_known(disk))
        return; // at the next tick
    while ((archive = oldest_on(disk, &fill))) {
        struct hour *hour = oldest(archive, disk);
        freed += hour_used(hour);
        fill.free += hour_used(hour);
        if (!retention_remove(archive, hour))
            return;
        unsigned less = (unsigned)(freed / unit);
        fill.permille = less < fill.permille ? fill.permille - less : 0;
        freed -= (uint64_t)less * unit;
    }
    roll_all(disk, &fill);
}

static void check_fill(struct disk *disk)
{
    disk->unchecked_bytes = 0;
    if (!disk->checking)
        disk->checking = file_disk_usage(disk->chores, disk->path, on_usage, disk) != NULL;
}

void retention_wrote(struct disk *disk, uint64_t bytes)
{
    disk->unchecked_bytes += bytes;
    // With the first bytes how large the disk is.
    if (disk->unchecked_bytes > disk->total_bytes / CHECKS_OF_A_DISK)
        check_fill(disk);
}

uint64_t retention_file_bytes(const struct archive *archive, const struct disk *disk)
{
    uint64_t most = UINT64_MAX;
    if (disk->total_bytes > 0)
        most = disk->total_bytes / FILES_OF_A_LIMIT / disk->users;
    if (archive->size_bytes > 0 && archive->size_bytes / FILES_OF_A_LIMIT < most)
        most = archive->size_bytes / FILES_OF_A_LIMIT;
    return most > FILE_BYTES_LEAST ? most : FILE_BYTES_LEAST;
}

void retention_tick(void *arg)
{
    struct archives *archives = arg;
    kept_tick(&archives->kept);
    LIST_FOREACH(&archives->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (!archive->stream)
            continue;
        for (unsigned i = 0; i < archive->places; i++)
            tree_tick(&archive->place[i].tree);
        redate_tick(&archive->redate, clock_is_synchronised());
        erasure_go_on(archive);
        remove_by_age(archive);
        remove_by_size(archive);
    }
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        disk_look(disk);
        check_fill(disk);
    }
    if (!list_empty(&archives->archives))
        timeout_start(&archives->retention, RETENTION_US);
}

// Of a file that stays: the segments of [from, to) are not given out any more; never one that is
// still to come.
static int hide(struct archive *archive, const struct hour *hour, int64_t from_us, int64_t to_us)
{
    struct journal_record deleted = {.kind = JOURNAL_DELETED, .file = hour_name_of(hour)};
    int64_t open_us = recorder_open_us(&archive->recorder);
    deleted.from_us = from_us > 0 ? from_us : 0;
    deleted.to_us = to_us;
    if (hour->writing && open_us < deleted.to_us)
        deleted.to_us = open_us;
    if (hour->writing && open_us == INT64_MAX && hour->end_us < deleted.to_us)
        deleted.to_us = hour->end_us;
    deleted.from_us -= hour->offset_s * US_PER_S;
    deleted.to_us -= hour->offset_s * US_PER_S;
    if (deleted.from_us < 0)
        deleted.from_us = 0;
    return deleted.from_us < deleted.to_us ? journal_add(&archive->journal, &deleted) : 0;
}

static int delete (struct archive *archive, int64_t from_us, int64_t to_us)
{
    struct hour *hour;
    struct hour_name cursor;
    bool begun = false;
    if (to_us > utc_us())
        to_us = utc_us(); // what is still to come is not deleted
    if (from_us >= to_us)
        return 0;
    const struct journal_record cut = {
        .kind = JOURNAL_CUT, .from_us = from_us > 0 ? from_us : 0, .to_us = to_us};
    const struct journal_record unlock = {
        .kind = JOURNAL_UNLOCK, .from_us = cut.from_us, .to_us = to_us};
    // What goes on behind it when it ends in a hole, as far as files tell.
    const struct journal_record *last = journal_mark_at(&archive->journal.records, to_us);
    const struct journal_record on = {
        .kind = JOURNAL_MARK, .from_us = to_us, .reason = last ? last->reason : REASON_UNKNOWN};
    bool in_hole = !hours_next(&archive->hours, NULL, to_us - 1, to_us);
    int err = journal_add(&archive->journal, &unlock);
    if (err == 0)
        err = journal_add(&archive->journal, &cut);
    if (err == 0 && in_hole)
        err = journal_add(&archive->journal, &on);
    while (err == 0 &&
           (hour = hours_next(&archive->hours, begun ? &cursor : NULL, from_us, to_us))) {
        begun = true;
        cursor = hour_name_of(hour);
        if (hour->writing || hour->moving || hour->start_us < from_us || hour->end_us > to_us)
            err = hide(archive, hour, from_us, to_us);
        else if (!retention_remove(archive, hour))
            err = ERR_AGAIN;
    }
    return err;
}

int archive_lock(struct stream *stream, int64_t from_us, int64_t to_us, bool on)
{
    struct archive *archive = archive_of_stream(stream);
    struct journal_record record = {
        .kind = on ? JOURNAL_LOCK : JOURNAL_UNLOCK, .from_us = from_us, .to_us = to_us};
    if (!archive)
        return ERR_NOT_FOUND;
    int err = journal_add(&archive->journal, &record);
    if (!on)
        erasure_want(archive); // what a lock kept of it can go
    return err;
}

int archive_delete(struct stream *stream, int64_t from_us, int64_t to_us)
{
    struct archive *archive = archive_of_stream(stream);
    if (!archive)
        return ERR_NOT_FOUND;
    if (!archive->listed || !archive_complete(archive))
        return ERR_AGAIN;
    int err = delete (archive, from_us, to_us);
    erasure_want(archive);
    return err;
}

void archive_locks(const struct stream *stream,
                   void (*lock)(void *arg, int64_t from_us, int64_t to_us), void *arg)
{
    const struct archive *archive = archive_of_stream(stream);
    for (unsigned i = 0; archive && i < archive->journal.records.locks.count; i++) {
        const struct journal_record *item = &archive->journal.records.locks.item[i];
        lock(arg, item->from_us, item->to_us);
    }
}

bool retention_make_room(struct disk *disk)
{
    static const struct fill full = {.permille = UINT32_MAX};
    struct archive *from = oldest_known(disk) ? oldest_on(disk, &full) : NULL;
    if (!from)
        return false;
    return retention_remove(from, oldest(from, disk));
}
