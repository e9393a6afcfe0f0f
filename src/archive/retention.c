// SPDX-License-Identifier: MIT
// What is removed, and when: by age and size within each stream, by the fill of the disk over all
// streams of the disk, oldest first.
//
// 1. A file that is being written is never removed. When nothing else is left, its stream is asked
// to
//    begin a new one, and the old one can go in a later round.
// 2. A file is forgotten when its removal is submitted; when that fails it is known again.
#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "opened.h"

#define RETENTION_US (20 * US_PER_S)

struct removal {
    struct archive *archive;
    struct hour_name name;
    uint64_t bytes;
};

static void on_removed(void *arg, const struct file_result *result)
{
    struct removal *removal = arg;
    struct archive *archive = removal->archive;
    archive->ops--;
    if (result->err != 0 && result->err != ERR_NOT_FOUND) {
        archive->errors++;
        log_error(archive->log_name, "file not removed errno=%d", result->os_error);
        (void)(hours_add(&archive->hours, removal->name, removal->bytes) == 0);
    } else {
        recorder_retry(&archive->recorder);
    }
    mem_free(removal);
    archive_check_gone(archive);
}

bool retention_remove(struct archive *archive, struct hour *hour)
{
    char path[HOUR_PATH];
    struct removal *removal = mem_alloc(sizeof *removal);
    *removal =
        (struct removal){.archive = archive, .name = hour_name_of(hour), .bytes = hour->bytes};
    opened_drop(archive, removal->name);
    hours_remove(&archive->hours, hour);
    hour_path(path, archive->folder, removal->name, "idx");
    (void)file_remove(archive->disk->writes, path, NULL, NULL, NULL);
    hour_path(path, archive->folder, removal->name, "mp4");
    if (file_remove(archive->disk->writes, path, archive->folder, on_removed, removal)) {
        archive->ops++;
        log_info(archive->log_name, "removed file=%s bytes=%llu", path,
                 (unsigned long long)removal->bytes);
        return true;
    }
    (void)(hours_add(&archive->hours, removal->name, removal->bytes) == 0);
    mem_free(removal);
    return false;
}

// The oldest file that may be removed; NULL: there is none.
static struct hour *oldest(struct archive *archive)
{
    for (unsigned i = 0; i < archive->hours.count; i++)
        if (!archive->hours.hour[i].writing)
            return &archive->hours.hour[i];
    return NULL;
}

static bool takes_part(const struct archive *archive, const struct disk *disk)
{
    return archive->disk == disk && archive->stream && archive->listed;
}

static void remove_by_age(struct archive *archive)
{
    struct hour *hour;
    int64_t limit_us = utc_us() - archive->depth_us;
    while (archive->depth_us && (hour = oldest(archive)) && hour->end_us <= limit_us)
        if (!retention_remove(archive, hour))
            return;
}

static void remove_by_size(struct archive *archive)
{
    if (!archive->size_bytes)
        return;
    while (archive->hours.bytes > archive->size_bytes) {
        struct hour *hour = oldest(archive);
        if (!hour)
            archive->recorder.roll = true;
        if (!hour || !retention_remove(archive, hour))
            return;
    }
}

// The archive with the oldest file that may go, among those whose limit is below the fill.
static struct archive *oldest_on(const struct disk *disk, unsigned permille)
{
    struct archive *found = NULL;
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (!takes_part(archive, disk) || archive->percent * 10 >= permille || !oldest(archive))
            continue;
        if (!found || oldest(archive)->second < oldest(found)->second)
            found = archive;
    }
    return found;
}

static void roll_all(const struct disk *disk, unsigned permille)
{
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (takes_part(archive, disk) && archive->percent * 10 < permille)
            archive->recorder.roll = true;
    }
}

static void on_usage(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    uint64_t figures[3];
    disk->checking = false;
    if (result->err != 0 || !result->data || result->data->length < sizeof figures)
        return; // the next write says what is wrong
    memcpy(figures, result->data->data, sizeof figures);
    unsigned permille = (unsigned)result->value;
    uint64_t unit = figures[0] / 1000 + 1;
    uint64_t freed = 0; // not yet taken off permille
    while (permille > 0) {
        struct archive *archive = oldest_on(disk, permille);
        if (!archive)
            break;
        struct hour *hour = oldest(archive);
        freed += hour->bytes;
        if (!retention_remove(archive, hour))
            return;
        unsigned less = (unsigned)(freed / unit);
        permille = less < permille ? permille - less : 0;
        freed -= (uint64_t)less * unit;
    }
    roll_all(disk, permille);
}

void retention_tick(void *arg)
{
    struct archives *archives = arg;
    LIST_FOREACH(&archives->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        if (!takes_part(archive, archive->disk))
            continue;
        remove_by_age(archive);
        remove_by_size(archive);
    }
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        if (!disk->checking)
            disk->checking = file_disk_usage(disk->writes, disk->path, on_usage, disk) != NULL;
    }
    if (!list_empty(&archives->archives))
        timeout_start(&archives->retention, RETENTION_US);
}

bool retention_make_room(struct archive *archive)
{
    struct archive *from = oldest_on(archive->disk, UINT32_MAX);
    if (!from)
        return false;
    return retention_remove(from, oldest(from));
}
