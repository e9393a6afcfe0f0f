// SPDX-License-Identifier: MIT
// One path of an archive.
#include "place.h"

#include <string.h>

#include "archive_priv.h"
#include "base/mem.h"
#include "base/text.h"

void place_init(struct place *place, struct archive *archive, uint8_t number, const char *path)
{
    *place = (struct place){.archive = archive, .number = number, .synced_day = -1};
    place->disk = disk_get(archive->owner, path);
    size_t room = strlen(path) + strlen(archive->name) + 2;
    place->folder = mem_alloc(room);
    (void)text_format(place->folder, room, "%s/%s", path, archive->name);
    tree_init(&place->tree, place);
}

void place_fini(struct place *place)
{
    tree_fini(&place->tree);
    disk_put(place->disk);
    mem_free(place->folder);
}

void place_named(struct place *place, int err, int os_error)
{
    place->state = err == 0 ? PLACE_READY : PLACE_FAILED;
    if (err != 0)
        place->archive->errors++;
    else if (!place->archive->recorder.volume)
        archive_set_problem(place->archive, REASON_NONE, 0);
    disk_look(place->disk); // what was found may be what lies behind the mount
    archive_place_changed(place->archive, place, os_error);
}

static void on_journal(void *arg)
{
    place_open(arg);
}

void place_open(struct place *place)
{
    if (!place->disk->looked)
        return;
    if (disk_is_away(place->disk)) {
        place->state = PLACE_FAILED;
        archive_place_changed(place->archive, place, 0);
        return;
    }
    if (journal_load(&place->archive->journal, place->number, on_journal, place)) {
        disk_watch(place->disk);
        return;
    }
    // One that could not be listed is used when it can be.
    if (place->state == PLACE_OPENING) {
        place->state = PLACE_READY;
        archive_place_changed(place->archive, place, 0);
    }
    tree_start(&place->tree);
    disk_watch(place->disk);
}

void place_forget(struct place *place)
{
    struct archive *archive = place->archive;
    tree_forget(&place->tree);
    erasure_forget(archive, place->number, NULL);
    journal_forget(&archive->journal, place->number);
    for (unsigned i = 0; i < archive->hours.count; i++)
        if (archive->hours.hour[i].disk == place->number)
            opened_drop(archive, hour_name_of(&archive->hours.hour[i]));
    hours_remove_disk(&archive->hours, place->number);
    place->state = PLACE_FAILED;
    place->synced_day = -1;
}

void place_give_up(struct place *place)
{
    tree_stop(&place->tree);
    place->state = PLACE_READY;
}

void archive_path(const struct archive *archive, struct hour_name name, const char *extension,
                  char out[HOUR_PATH])
{
    ENSURE(name.disk < archive->places);
    hour_path(out, archive->place[name.disk].folder, name, extension);
}

struct disk *archive_disk(const struct archive *archive, struct hour_name name)
{
    ENSURE(name.disk < archive->places);
    return archive->place[name.disk].disk;
}
