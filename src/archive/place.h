// SPDX-License-Identifier: MIT
// One path of an archive: the stream's folder there, and whether its hour files are known.
//
// States: OPENING (the tree is being listed, or waits for an earlier archive of the folder) ->
// LISTED; or FAILED (it could not be listed) -> tried again -> LISTED. Nothing is written to a
// place that is not listed.
#ifndef ARCHIVE_PLACE_H
#define ARCHIVE_PLACE_H

#include "disk.h"
#include "io/timeout.h"
#include "opened.h"

struct opening;

enum place_state { PLACE_OPENING, PLACE_LISTED, PLACE_FAILED };

struct place {
    struct archive *archive;
    uint8_t number; // hour_name.disk of its files
    struct disk *disk;
    char *folder; // PATH/stream
    enum place_state state;
    int64_t synced_day;        // of the file whose folders were synced last; -1 none
    struct opening *opening;   // the listing under way
    struct opened *recovering; // the newest file, after a start; NULL when done
    struct opened_waiter recovering_waiter;
    struct timeout again; // to list again after a failure
};

void place_init(struct place *place, struct archive *archive, uint8_t number, const char *path);
void place_fini(struct place *place);
// Lists it: archive_place_changed, perhaps at once. Waits for the first look at the disk, which
// calls it again.
void place_open(struct place *place);
// Its files are not there any more; it is FAILED until it is opened again.
void place_forget(struct place *place);
// What is not listed will not be: it counts as listed, so that what was taken can be written.
void place_give_up(struct place *place);

#endif
