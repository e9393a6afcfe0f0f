// SPDX-License-Identifier: MIT
// One path of an archive: listed, its newest file recovered.
#include "place.h"

#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "tree.h"

#define AGAIN_US (10 * US_PER_S)

static void on_again(void *arg)
{
    place_open(arg);
}

void place_init(struct place *place, struct archive *archive, uint8_t number, const char *path)
{
    *place = (struct place){.archive = archive, .number = number, .synced_day = -1};
    place->disk = disk_get(archive->owner, path);
    size_t room = strlen(path) + strlen(archive->name) + 2;
    place->folder = mem_alloc(room);
    (void)text_format(place->folder, room, "%s/%s", path, archive->name);
    timeout_init(&place->again, archive->owner->loop, on_again, place);
}

void place_fini(struct place *place)
{
    opened_forget(&place->recovering_waiter);
    opened_put(&place->recovering);
    tree_cancel(&place->opening);
    timeout_stop(&place->again);
    disk_put(place->disk);
    mem_free(place->folder);
}

static void on_recovered(void *arg)
{
    struct place *place = arg;
    opened_put(&place->recovering);
    if (place->archive->stream)
        stream_changed(place->archive->stream);
}

// The newest file was perhaps being written when the server died.
static void recover_newest(struct place *place)
{
    struct hours *hours = &place->archive->hours;
    struct hour *newest = NULL;
    for (unsigned i = hours->count; i > 0 && !newest; i--)
        if (hours->hour[i - 1].disk == place->number && !hours->hour[i - 1].writing)
            newest = &hours->hour[i - 1];
    if (!newest)
        return;
    newest->suspect = true;
    place->recovering = opened_get(place->archive, hour_name_of(newest));
    if (opened_want(place->recovering, OPENED_INDEX, &place->recovering_waiter, on_recovered,
                    place) != ERR_AGAIN)
        opened_put(&place->recovering);
}

static void on_listed(void *arg, int err, int os_error)
{
    struct place *place = arg;
    struct archive *archive = place->archive;
    place->opening = NULL;
    if (err != 0) {
        place->state = PLACE_FAILED;
        archive->errors++;
        timeout_start(&place->again, AGAIN_US);
    } else {
        place->state = PLACE_LISTED;
        log_info(archive->log_name, "archive open path=%s files=%u bytes=%llu", place->folder,
                 archive->hours.count, (unsigned long long)archive->hours.bytes);
        recover_newest(place);
        if (!archive->recorder.volume)
            archive_set_problem(archive, REASON_NONE, 0);
    }
    disk_look(place->disk); // what was listed may be what lies behind the mount
    archive_place_changed(archive, place, os_error);
}

static void on_journal(void *arg)
{
    place_open(arg);
}

void place_open(struct place *place)
{
    timeout_stop(&place->again);
    if (!place->disk->looked)
        return;
    if (place->disk->problem == REASON_UNMOUNTED) {
        place->state = PLACE_FAILED;
        archive_place_changed(place->archive, place, 0);
        return;
    }
    // The journal lies beside the first one's years.
    if (place->number == 0 && place->archive->journal.state != JOURNAL_READY) {
        journal_load(&place->archive->journal, on_journal, place);
        disk_watch(place->disk);
        return;
    }
    place->opening = tree_list(place, on_listed, place);
    if (!place->opening)
        timeout_start(&place->again, AGAIN_US);
    disk_watch(place->disk);
}

void place_forget(struct place *place)
{
    struct archive *archive = place->archive;
    opened_forget(&place->recovering_waiter);
    opened_put(&place->recovering);
    tree_cancel(&place->opening);
    for (unsigned i = 0; i < archive->hours.count; i++)
        if (archive->hours.hour[i].disk == place->number)
            opened_drop(archive, hour_name_of(&archive->hours.hour[i]));
    hours_remove_disk(&archive->hours, place->number);
    place->state = PLACE_FAILED;
    place->synced_day = -1;
}

void place_give_up(struct place *place)
{
    timeout_stop(&place->again);
    tree_cancel(&place->opening);
    place->state = PLACE_LISTED;
}
