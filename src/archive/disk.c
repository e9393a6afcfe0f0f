// SPDX-License-Identifier: MIT
// Paths that archives record to.
//
// 1. problem is REASON_UNMOUNTED or REASON_IN_USE exactly while the last look said so.
// 2. The lock of the path is asked for with every look, once what is mounted is right: it may have
//    been removed with all the rest, and the disk be another one. Ours is known by a number that
//    no other process has.
// 3. The watch runs while something is submitted or there is a problem, and only then.
// 4. A failed disk is probed with a growing delay: by a small file, written and synced. The delay
//    goes back only after the disk has been well for a while, so that a bad one is not swung to and
//    fro.
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "fstab_parse.h"

enum {
    WRITE_THREADS = 2, // a sync does not hold up the appends of half of the streams
    READ_THREADS = 2,
    FSTAB_BYTES_MAX = 1 << 20,
    PROBE_BYTES = 4096,
    PROBE_BYTES_FULL = 1 << 20, // a disk with less room is still full
};

#define WATCH_US (1 * US_PER_S)
#define SILENCE_US (10 * US_PER_S) // no answer for so long: failed
#define FRESH_US (2 * US_PER_S)
#define LOOK_US (2 * US_PER_S) // while it is not mounted
#define PROBE_BASE_US (2 * US_PER_S)
#define PROBE_MOST_US (60 * US_PER_S)
#define WELL_US (600 * US_PER_S)

static void on_watch(void *disk);

struct disk *disk_get(struct archives *archives, const char *path)
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
    disk->problem = REASON_NONE;
    disk->backoff = (struct backoff){.base_us = PROBE_BASE_US, .most_us = PROBE_MOST_US};
    timeout_init(&disk->watch, archives->loop, on_watch, disk);
    char name[64];
    (void)text_format(name, sizeof name, "dvr=%s", path);
    disk->writes = file_queue_new(archives->loop, name, WRITE_THREADS);
    disk->reads = file_queue_new(archives->loop, name, READ_THREADS);
    disk->chores = file_queue_new(archives->loop, name, 1);
    list_init(&disk->walks);
    list_append(&archives->disks, &disk->node);
    disk_look(disk);
    return disk;
}

void disk_put(struct disk *disk)
{
    if (--disk->users > 0)
        return;
    list_remove(&disk->owner->disks, &disk->node);
    timeout_stop(&disk->watch);
    file_close(&disk->lock);
    file_queue_free(&disk->writes);
    file_queue_free(&disk->reads);
    file_queue_free(&disk->chores);
    mem_free(disk->path);
    mem_free(disk);
}

static void tell(struct disk *disk, bool forget)
{
    LIST_FOREACH(&disk->owner->archives, it, after)
    {
        struct archive *archive = LIST_OWNER(it, struct archive, node);
        for (unsigned i = 0; i < archive->places; i++)
            if (archive->place[i].disk == disk)
                archive_disk_changed(archive, &archive->place[i], forget);
    }
}

bool disk_is_its_own(size_t mount, const uint64_t device[2], size_t belongs, bool must_be_mounted)
{
    return mount >= belongs && !(must_be_mounted && (mount == 1 || device[0] == device[1]));
}

// ---- what is mounted ---------------------------------------------------------------------------

bool disk_is_away(const struct disk *disk)
{
    return disk->problem == REASON_UNMOUNTED || disk->problem == REASON_IN_USE;
}

// holder: of a lock, 0 not known.
static void set_away(struct disk *disk, enum reason problem, int64_t holder)
{
    file_close(&disk->lock);
    if (disk->problem == problem)
        return;
    disk->problem = problem;
    if (problem == REASON_IN_USE)
        log_error("archive", "disk not used path=%s reason=in_use pid=%" PRId64, disk->path,
                  holder);
    else
        log_error("archive", "disk not used path=%s reason=%s", disk->path, reason_name(problem));
    disk_watch(disk);
    tell(disk, true);
}

// It is ours to use.
static void set_here(struct disk *disk)
{
    bool other = disk->mount != 0 && disk->device != disk->seen_device;
    bool was_away = disk_is_away(disk);
    disk->mount = disk->seen_mount;
    disk->device = disk->seen_device;
    if (was_away) {
        disk->problem = REASON_NONE;
        disk->well_us = now_us();
        log_info("archive", "disk used again path=%s", disk->path);
    } else if (other) {
        log_info("archive", "disk is another one path=%s", disk->path);
    }
    tell(disk, other && !was_away);
}

static void end_look(struct disk *disk)
{
    disk->looking = false;
    disk->looked = true;
    disk->looked_us = now_us();
}

// The pid, and a number that tells processes of one pid apart (of several containers).
static const char *lock_text(void)
{
    static char text[FILE_LOCK_TEXT];
    if (!text[0])
        (void)text_format(text, sizeof text, "%d %016" PRIx64 "\n", (int)getpid(),
                          digest_random_u64());
    return text;
}

static void on_lock(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    char other[FILE_LOCK_TEXT] = "";
    end_look(disk);
    if (result->data)
        (void)text_copy_n(other, sizeof other, (const char *)result->data->data,
                          result->data->length);
    if (result->err == ERR_EXISTS && strcmp(other, lock_text()) != 0) {
        int64_t holder = 0;
        other[strcspn(other, " ")] = 0;
        (void)(text_to_int(other, 1, INT32_MAX, &holder) == 0);
        set_away(disk, REASON_IN_USE, holder);
        return;
    }
    if (result->err == 0) {
        file_close(&disk->lock);
        disk->lock = result->file;
    } else if (result->err != ERR_EXISTS && result->err != ERR_NOT_FOUND && !disk->unlocked) {
        disk->unlocked = true;
        log_warn("archive", "disk not locked, another server would not be noticed path=%s errno=%d",
                 disk->path, result->os_error);
    }
    set_here(disk);
}

static void on_mount(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    uint64_t device[2]; // under the path, and of "/"
    char path[HOUR_PATH];
    if (result->err != 0 || !result->data || result->data->length < sizeof device) {
        end_look(disk);
        disk_failed(disk, REASON_IO, result->os_error);
        tell(disk, false);
        return;
    }
    memcpy(device, result->data->data, sizeof device);
    disk->seen_mount = (size_t)result->value;
    disk->seen_device = device[0];
    if (disk->seen_mount < disk->mount ||
        !disk_is_its_own(disk->seen_mount, device, disk->belongs, disk->must_be_mounted)) {
        end_look(disk);
        set_away(disk, REASON_UNMOUNTED, 0);
        return;
    }
    disk->looking = text_format(path, sizeof path, "%s/.sluice.lock", disk->path) &&
                    file_lock(disk->chores, path, lock_text(), on_lock, disk) != NULL;
}

static void on_fstab(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    if (result->err == 0 && result->data)
        disk->belongs = fstab_mount_point(buf_bytes(result->data), disk->path);
    else if (result->err == ERR_NOT_FOUND)
        disk->belongs = 0; // else: as it was
    disk->looking = file_mount(disk->chores, disk->path, on_mount, disk) != NULL;
}

void disk_look(struct disk *disk)
{
    if (disk->looking)
        return;
    disk->looking =
        file_read_whole(disk->chores, disk->owner->fstab, FSTAB_BYTES_MAX, on_fstab, disk) != NULL;
    disk_watch(disk);
}

bool disk_is_fresh(struct disk *disk)
{
    if (disk->looked && !disk->looking && now_us() - disk->looked_us <= FRESH_US)
        return true;
    disk_look(disk);
    return false;
}

// ---- failed, and well again --------------------------------------------------------------------

static int64_t silence_us(const struct disk *disk, bool *busy)
{
    const struct file_queue *const queues[] = {disk->writes, disk->reads, disk->chores};
    int64_t most_us = 0;
    *busy = false;
    for (unsigned i = 0; i < 3; i++) {
        struct file_stats stats;
        file_queue_stats(queues[i], &stats);
        *busy |= stats.queued > 0;
        if (stats.oldest_us > most_us)
            most_us = stats.oldest_us;
    }
    return most_us;
}

bool archives_next_disk(const struct archives *archives, unsigned *cursor, struct disk_stats *out)
{
    unsigned at = 0;
    LIST_FOREACH(&archives->disks, it, after)
    {
        const struct disk *disk = LIST_OWNER(it, struct disk, node);
        bool busy;
        if (at++ < *cursor)
            continue;
        *out = (struct disk_stats){
            .path = disk->path,
            .problem = disk->problem == REASON_NONE ? NULL : reason_name(disk->problem),
            .total_bytes = disk->total_bytes,
            .free_bytes = disk->free_bytes,
            .queued_bytes = disk->queued_bytes,
            .silent_us = silence_us(disk, &busy),
            .streams = disk->users,
        };
        (*cursor)++;
        return true;
    }
    return false;
}

static void on_probed(void *arg, const struct file_result *result)
{
    struct disk *disk = arg;
    bool busy;
    char path[HOUR_PATH];
    disk->probing = false;
    if (text_format(path, sizeof path, "%s/.sluice-probe", disk->path))
        (void)file_remove(disk->chores, path, NULL, NULL, NULL);
    if (disk->problem == REASON_NONE || disk_is_away(disk))
        return;
    if (result->err != 0 || silence_us(disk, &busy) >= SILENCE_US) {
        disk->probe_us = now_us() + backoff_next_us(&disk->backoff);
        return;
    }
    disk->problem = REASON_NONE;
    disk->well_us = now_us();
    log_info("archive", "disk works again path=%s", disk->path);
    tell(disk, false);
}

static void probe(struct disk *disk)
{
    struct chain chain = {0};
    char path[HOUR_PATH];
    struct buf *buf = buf_new(disk->problem == REASON_DISK_FULL ? PROBE_BYTES_FULL : PROBE_BYTES);
    memset(buf->data, 0, buf->capacity);
    buf->length = buf->capacity;
    chain_take(&chain, &buf);
    disk->probing = text_format(path, sizeof path, "%s/.sluice-probe", disk->path) &&
                    file_replace(disk->chores, path, &chain, on_probed, disk);
    chain_fini(&chain);
}

void disk_failed(struct disk *disk, enum reason problem, int os_error)
{
    if (disk->problem != REASON_NONE)
        return;
    disk->problem = problem;
    if (now_us() - disk->well_us > WELL_US)
        backoff_reset(&disk->backoff);
    disk->probe_us = now_us() + backoff_next_us(&disk->backoff);
    log_error("archive", "disk failed path=%s reason=%s errno=%d", disk->path, reason_name(problem),
              os_error);
    disk_look(disk); // perhaps it is not there any more
    disk_watch(disk);
    tell(disk, false);
}

static void on_watch(void *arg)
{
    struct disk *disk = arg;
    bool busy;
    int64_t silent_us = silence_us(disk, &busy);
    if (busy || disk->problem != REASON_NONE)
        disk_watch(disk);
    if (silent_us >= SILENCE_US)
        disk_failed(disk, REASON_DISK_SLOW, ETIMEDOUT);
    if (disk->problem == REASON_NONE)
        return;
    if (disk->problem == REASON_IN_USE ||
        (disk->problem == REASON_UNMOUNTED && now_us() - disk->looked_us >= LOOK_US))
        disk_look(disk);
    else if (!disk_is_away(disk) && !disk->probing && now_us() >= disk->probe_us)
        probe(disk);
}

void disk_watch(struct disk *disk)
{
    if (!timeout_active(&disk->watch))
        timeout_start(&disk->watch, WATCH_US);
}
