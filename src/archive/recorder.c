// SPDX-License-Identifier: MIT
// The queue between the segmenter and the hour files of one stream: from the queue to the disk.
// What goes into it is recorder_take.c.
//
// 1. At most one append is in flight; what waits behind a slow disk becomes one append.
// 2. In the queue the parts of a segment stand together, from 0 on, and then its end; a segment
// whose
//    beginning was written may stand first without it.
// 3. After a failed write only segments that begin in the queue are kept: the beginning of any
// other
//    lies in a file that is not written any more.
#include "recorder_items.h"

#include <errno.h>
#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "volume.h"

#define RETRY_BASE_US (1 * US_PER_S)
#define RETRY_MOST_US (30 * US_PER_S)
// The queue of the disk is full: soon again.
#define BUSY_US (200 * US_PER_MS)
#define HOUR_US (3600 * US_PER_S)
#define UTC_MAX_US 253402300800000000LL // the year 10000: names have four digits

enum {
    ITEM_BYTES = 256,   // what an item without media is counted as
    ROLL_SPREAD_S = 60, // with the longest segment no file reaches beyond what hours.c assumes
};

static void on_run(void *recorder);
static void on_retry(void *recorder);
static void on_sync(void *recorder);

void recorder_init(struct recorder *recorder, struct archive *archive)
{
    struct loop *loop = archive->owner->loop;
    *recorder = (struct recorder){.archive = archive, .disk = archive->place[0].disk};
    list_init(&recorder->queue);
    list_init(&recorder->flight);
    list_init(&recorder->volumes);
    timeout_init(&recorder->retry, loop, on_retry, recorder);
    timeout_init(&recorder->sync, loop, on_sync, recorder);
    recorder->backoff = (struct backoff){.base_us = RETRY_BASE_US, .most_us = RETRY_MOST_US};
}

static uint64_t item_bytes(const struct write_item *item)
{
    return item->bytes.bytes + ITEM_BYTES;
}

void recorder_item_free(struct recorder *recorder, struct list *from, struct write_item *item)
{
    list_remove(from, &item->node);
    recorder->queued_bytes -= item_bytes(item);
    recorder->disk->queued_bytes -= item_bytes(item);
    chain_fini(&item->bytes);
    tracks_unref(&item->tracks);
    mem_free(item);
}

static struct write_item *first_item(const struct list *list)
{
    struct list_node *node = list_first(list);
    return node ? LIST_OWNER(node, struct write_item, node) : NULL;
}

static void drop_items(struct recorder *recorder, struct list *list)
{
    while (!list_empty(list))
        recorder_item_free(recorder, list, first_item(list));
}

void recorder_fini(struct recorder *recorder)
{
    drop_items(recorder, &recorder->queue);
    drop_items(recorder, &recorder->flight);
    while (!list_empty(&recorder->volumes))
        volume_free(LIST_OWNER(list_first(&recorder->volumes), struct volume, node));
    timeout_stop(&recorder->retry);
    timeout_stop(&recorder->sync);
    loop_defer_cancel(recorder->archive->owner->loop, &recorder->run);
}

bool recorder_idle(const struct recorder *recorder)
{
    return list_empty(&recorder->queue) && list_empty(&recorder->flight) &&
           list_empty(&recorder->volumes);
}

void recorder_enqueue(struct recorder *recorder, struct write_item *item)
{
    list_append(&recorder->queue, &item->node);
    recorder->queued_bytes += item_bytes(item);
    recorder->disk->queued_bytes += item_bytes(item);
    loop_defer(recorder->archive->owner->loop, &recorder->run, on_run, recorder);
}

int64_t recorder_open_us(const struct recorder *recorder)
{
    if (recorder->open)
        return recorder->entry.utc_start_us;
    const struct write_item *item = first_item(&recorder->flight);
    if (!item)
        item = first_item(&recorder->queue);
    if (item)
        return item->info.utc_start_us;
    bool comes = recorder->receiving == RECEIVE_TAKING || recorder->receiving == RECEIVE_LATER;
    return comes ? recorder->info.utc_start_us : INT64_MAX;
}

// ---- to the disk -------------------------------------------------------------------------------

static int64_t base_of(const struct write_item *item)
{
    return item->info.clock_us ? redate_base_us(item->info.clock_us) : 0;
}

// The clock was set: what is dated by one and by the other does not stand in one file.
static bool by_other_clock(const struct volume *volume, const struct write_item *item)
{
    int64_t set_us = base_of(item) - volume->base_us;
    return set_us >= CLOCK_SET_US || set_us <= -CLOCK_SET_US;
}

// Whether this first part of a segment belongs into another file.
static bool must_roll(const struct recorder *recorder, const struct write_item *item)
{
    const struct volume *volume = recorder->volume;
    const struct place *place = archive_write_place(recorder->archive);
    if (place && place != volume->place)
        return true;
    if (recorder->roll ||
        item->info.utc_start_us >= recorder_roll_us(recorder->archive->name, volume->start_us))
        return true;
    if (volume->tracks != item->tracks && (volume->index->generation != item->info.generation ||
                                           !tracks_equal(volume->tracks, item->tracks)))
        return true;
    if (by_other_clock(volume, item) ||
        volume->end >= retention_file_bytes(recorder->archive, volume->place->disk))
        return true;
    // Or the clock of a far server went back.
    return item->info.utc_start_us < recorder->last_start_us ||
           volume->index->count >= ARCHIVE_ENTRIES_MAX - 1;
}

// Not one that is there already, which a far server sent again.
static bool usable(const struct recorder *recorder, const struct write_item *item)
{
    int64_t start_us = item->info.utc_start_us;
    return start_us >= 0 && start_us < UTC_MAX_US &&
           !(recorder->volume && start_us == recorder->last_start_us);
}

// What waits, waits for this disk now.
static void set_disk(struct recorder *recorder, struct disk *disk)
{
    recorder->disk->queued_bytes -= recorder->queued_bytes;
    recorder->disk = disk;
    recorder->disk->queued_bytes += recorder->queued_bytes;
}

static void begin_volume(struct recorder *recorder, struct place *place,
                         const struct write_item *item)
{
    int64_t start_us = item->info.utc_start_us;
    set_disk(recorder, place->disk);
    disk_watch(place->disk);
    recorder->roll = false;
    recorder->last_start_us = -1;
    recorder->opening = volume_open(place, item->tracks, start_us, base_of(item)) != NULL;
    if (!recorder->opening)
        timeout_start(&recorder->retry, BUSY_US);
}

static void end_volume(struct recorder *recorder)
{
    struct volume *volume = recorder->volume;
    recorder->volume = NULL;
    timeout_stop(&recorder->sync);
    volume_finish(volume);
}

bool recorder_rest(struct recorder *recorder, int64_t silent_us)
{
    if (now_us() - recorder->heard_us < silent_us || recorder->opening || recorder->appending ||
        recorder->receiving != RECEIVE_NONE || !list_empty(&recorder->queue) ||
        !list_empty(&recorder->flight))
        return false;
    if (recorder->volume)
        end_volume(recorder);
    return true;
}

// Moves the front of the queue into flight, up to where another file begins.
static void gather(struct recorder *recorder, struct chain *chain)
{
    struct write_item *item;
    while ((item = first_item(&recorder->queue))) {
        bool first = !item->end && item->part == 0;
        if (chain->bytes >= ARCHIVE_APPEND_BYTES_MAX)
            break;
        if (first && !list_empty(&recorder->flight) &&
            (!usable(recorder, item) || must_roll(recorder, item)))
            break;
        if (first)
            recorder->last_start_us = item->info.utc_start_us;
        list_remove(&recorder->queue, &item->node);
        list_append(&recorder->flight, &item->node);
        // References of its own: the item is kept until the append has returned.
        chain_add_range(chain, &item->bytes, 0, item->bytes.bytes);
    }
}

static void return_flight(struct recorder *recorder)
{
    struct list_node *node;
    while ((node = list_last(&recorder->flight))) {
        list_remove(&recorder->flight, node);
        list_prepend(&recorder->queue, node);
    }
}

static void apply_part(struct recorder *recorder, const struct write_item *item, uint64_t offset)
{
    if (item->part == 0) {
        recorder->open = true;
        recorder->entry = (struct index_entry){
            .number = item->info.number,
            .utc_start_us = item->info.utc_start_us,
            .offset = offset,
            .flags = item->info.flags,
        };
        recorder->entry_end_us = item->info.utc_start_us;
    }
    recorder->entry.bytes += (uint32_t)item->bytes.bytes;
    recorder->entry.head_bytes += item->head_bytes;
    recorder->entry.parts += (uint16_t)item->parts;
    if (item->end_us > recorder->entry_end_us)
        recorder->entry_end_us = item->end_us;
}

static void apply_end(struct recorder *recorder, struct volume *volume,
                      const struct write_item *item)
{
    struct archive *archive = recorder->archive;
    struct index_entry *entry = &recorder->entry;
    int64_t end_us = item->end_us ? item->end_us : recorder->entry_end_us;
    int64_t duration_us = end_us - entry->utc_start_us;
    entry->duration_us = duration_us < 1            ? 1
                         : duration_us < UINT32_MAX ? (uint32_t)duration_us
                                                    : UINT32_MAX;
    recorder->open = false;
    if (!index_add(volume->index, entry)) {
        archive->errors++;
        return;
    }
    archive->segments_written++;
    struct hour *hour = hours_get(&archive->hours, volume->name);
    bool first = archive->hours.count == 1 && volume->index->count == 1;
    if (hour)
        hours_set_times(&archive->hours, hour, volume->index->entries[0].utc_start_us,
                        index_entry_end_us(entry));
    if (first && archive->stream)
        stream_changed(archive->stream); // now there is something to see
}

// Drops what does not begin in the queue. Only the front can be such a thing.
static void drop_headless(struct recorder *recorder)
{
    struct write_item *item;
    bool any = false;
    int64_t lost_us = 0;
    while ((item = first_item(&recorder->queue)) && (item->end || item->part > 0)) {
        any = true;
        if (!item->end && item->end_us)
            lost_us = item->end_us - 1; // in the hole that this leaves
        recorder_item_free(recorder, &recorder->queue, item);
    }
    if (any)
        recorder->archive->segments_shed++;
    if (lost_us && recorder->archive->problem != REASON_NONE)
        journal_mark(recorder->archive, lost_us, recorder->archive->redate.base_us,
                     recorder->archive->problem);
    if (recorder->receiving != RECEIVE_TAKING || recorder->parts == 0)
        return;
    LIST_FOREACH(&recorder->queue, it, after)
    {
        item = LIST_OWNER(it, struct write_item, node);
        if (!item->end && item->part == 0 && item->info.utc_start_us == recorder->info.utc_start_us)
            return;
    }
    // What comes of it is left out; after a failed sync nothing of it was waiting.
    recorder->receiving = RECEIVE_SHED;
    if (recorder->archive->problem != REASON_NONE)
        archive_mark(recorder->archive, recorder->archive->problem);
}

void recorder_run(struct recorder *recorder)
{
    struct write_item *item;
    struct place *place;
    while (!recorder->opening && !recorder->appending && !timeout_active(&recorder->retry) &&
           (place = archive_write_place(recorder->archive)) &&
           (item = first_item(&recorder->queue))) {
        bool first = !item->end && item->part == 0;
        if (first && !usable(recorder, item)) {
            recorder_item_free(recorder, &recorder->queue, item);
            drop_headless(recorder);
        } else if (first && recorder->volume && must_roll(recorder, item)) {
            end_volume(recorder);
        } else if (first && !recorder->volume && !disk_is_fresh(place->disk)) {
            break; // goes on with archive_disk_changed
        } else if (first && !recorder->volume) {
            begin_volume(recorder, place, item);
        } else if (!recorder->volume) {
            drop_headless(recorder);
        } else {
            struct chain chain = {0};
            gather(recorder, &chain);
            if (chain.bytes == 0) { // ends only
                recorder_volume_appended(recorder, recorder->volume, recorder->volume->end);
            } else if (volume_append(recorder->volume, &chain)) {
                recorder->appending = true;
                disk_watch(recorder->disk);
            } else {
                return_flight(recorder);
                timeout_start(&recorder->retry, BUSY_US);
            }
            chain_fini(&chain);
        }
    }
    if (recorder->closing && list_empty(&recorder->queue) && list_empty(&recorder->flight)) {
        if (recorder->volume)
            end_volume(recorder);
        archive_check_gone(recorder->archive);
    } else if (recorder->flushing && recorder->volume && !recorder->appending) {
        volume_sync(recorder->volume);
    }
}

static void on_run(void *arg)
{
    recorder_run(arg);
}

static void on_retry(void *arg)
{
    recorder_run(arg);
}

void recorder_retry(struct recorder *recorder)
{
    if (timeout_active(&recorder->retry)) {
        timeout_stop(&recorder->retry);
        loop_defer(recorder->archive->owner->loop, &recorder->run, on_run, recorder);
    }
}

static void on_sync(void *arg)
{
    struct recorder *recorder = arg;
    if (recorder->volume)
        volume_sync(recorder->volume);
}

int64_t recorder_roll_us(const char *name, int64_t start_us)
{
    int64_t phase_us = crc32c(0, name, strlen(name)) % ROLL_SPREAD_S * US_PER_S;
    int64_t since_us = start_us - phase_us;
    return (since_us < 0 ? 0 : since_us / HOUR_US + 1) * HOUR_US + phase_us;
}

int64_t recorder_sync_in_us(const char *name, int64_t every_us, int64_t at_us)
{
    int64_t phase_us = crc32c(0, name, strlen(name)) % every_us;
    return every_us - (at_us + phase_us) % every_us;
}

static void arm_sync(struct recorder *recorder)
{
    const struct archive *archive = recorder->archive;
    if (!timeout_active(&recorder->sync))
        timeout_start(&recorder->sync,
                      recorder_sync_in_us(archive->name, archive->sync_us, now_us()));
}

// ---- from the volumes --------------------------------------------------------------------------

// Another disk does not have to wait for the one that failed.
static void take_over(struct recorder *recorder)
{
    const struct place *place = archive_write_place(recorder->archive);
    if (place && place->disk != recorder->disk && place->disk->problem == REASON_NONE) {
        backoff_reset(&recorder->backoff);
        recorder_retry(recorder);
    }
}

static void try_again(struct recorder *recorder, int os_error)
{
    struct archive *archive = recorder->archive;
    if (recorder->closing) { // nobody will come back to it
        drop_items(recorder, &recorder->queue);
        archive_check_gone(archive);
        return;
    }
    bool full = os_error == ENOSPC || os_error == EDQUOT;
    struct disk *disk = recorder->disk;
    timeout_start(&recorder->retry, backoff_next_us(&recorder->backoff));
    if (!full || !retention_make_room(disk))
        disk_failed(disk, archive_reason_of(os_error), os_error);
    take_over(recorder);
}

static void note_error(struct recorder *recorder, int os_error)
{
    recorder->archive->errors++;
    archive_set_problem(recorder->archive, archive_reason_of(os_error), os_error);
}

void recorder_volume_opened(struct recorder *recorder, struct volume *volume, int os_error)
{
    recorder->opening = false;
    recorder->volume = volume;
    if (volume) {
        recorder_run(recorder);
        journal_flush(&recorder->archive->journal); // now there is something to speak of
    } else {
        note_error(recorder, os_error);
        try_again(recorder, os_error);
    }
}

void recorder_volume_appended(struct recorder *recorder, struct volume *volume, uint64_t base)
{
    struct archive *archive = recorder->archive;
    struct write_item *item;
    uint64_t offset = base;
    ENSURE(volume == recorder->volume);
    recorder->appending = false;
    while ((item = first_item(&recorder->flight))) {
        if (!item->end)
            apply_part(recorder, item, offset);
        else if (recorder->open)
            apply_end(recorder, volume, item);
        offset += item->bytes.bytes;
        recorder_item_free(recorder, &recorder->flight, item);
    }
    if (offset == base)
        return;
    struct hour *hour = hours_get(&archive->hours, volume->name);
    if (hour)
        hours_set_bytes(&archive->hours, hour, volume->end + volume->idx_bytes);
    archive->last_write_us = now_us();
    retention_wrote(volume->place->disk, offset - base);
    backoff_reset(&recorder->backoff);
    // After an error of the disk only a sync says that it is well again.
    if (archive->problem != REASON_IO && list_empty(&recorder->queue))
        archive_set_problem(archive, REASON_NONE, 0);
    arm_sync(recorder);
    recorder_run(recorder);
}

void recorder_volume_failed(struct recorder *recorder, struct volume *volume, int os_error)
{
    note_error(recorder, os_error);
    if (volume != recorder->volume)
        return;
    recorder->volume = NULL;
    recorder->appending = recorder->open = false;
    timeout_stop(&recorder->sync);
    return_flight(recorder);
    drop_headless(recorder);
    try_again(recorder, os_error);
}

void recorder_disk_failed(struct recorder *recorder, const struct place *place, bool must)
{
    const struct place *other = archive_write_place(recorder->archive);
    if (!must && (!other || other == place))
        return;
    int os_error = place->disk->problem == REASON_DISK_SLOW ? ETIMEDOUT : EIO;
    LIST_FOREACH(&recorder->volumes, it, after)
    {
        struct volume *volume = LIST_OWNER(it, struct volume, node);
        if (volume->place != place)
            continue;
        if (volume->state == VOLUME_OPENING) {
            volume_abandon(volume);
            recorder->opening = false;
            loop_defer(recorder->archive->owner->loop, &recorder->run, on_run, recorder);
        } else if (volume == recorder->volume) {
            volume_fail(volume, os_error);
        }
    }
    take_over(recorder);
}

void recorder_volume_gone(struct recorder *recorder)
{
    redate_wake(&recorder->archive->redate);
    archive_check_gone(recorder->archive);
}

void recorder_flush(struct recorder *recorder)
{
    recorder->flushing = true;
    loop_defer_cancel(recorder->archive->owner->loop, &recorder->run);
    recorder_run(recorder);
}

void recorder_close(struct recorder *recorder)
{
    recorder_on_lost(recorder);
    recorder->closing = true;
    timeout_stop(&recorder->retry);
    recorder_run(recorder);
}
