// SPDX-License-Identifier: MIT
// One path of an archive: the stream's folder there, and its days.
//
// States: OPENING (waits for an earlier archive of the folder, a look at the disk, the journal) ->
// READY (it is written to, and its days are found meanwhile) <-> FAILED (it could not be listed, or
// is not mounted; tried again).
#ifndef ARCHIVE_PLACE_H
#define ARCHIVE_PLACE_H

#include "disk.h"
#include "tree.h"

enum place_state { PLACE_OPENING, PLACE_READY, PLACE_FAILED };

struct place {
    struct archive *archive;
    uint8_t number; // hour_name.disk of its files
    struct disk *disk;
    char *folder; // PATH/stream
    enum place_state state;
    int64_t synced_day; // of the file whose folders were synced last; -1 none
    struct tree tree;
};

void place_init(struct place *place, struct archive *archive, uint8_t number, const char *path);
void place_fini(struct place *place);
// Begins to be used: archive_place_changed, perhaps at once. Waits for the first look at the disk,
// which calls it again.
void place_open(struct place *place);
// Its files are not there any more; it is FAILED until it is opened again.
void place_forget(struct place *place);
// Nothing is listed any more; what was taken can be written.
void place_give_up(struct place *place);
// From tree.c: the days have been found, or cannot be.
void place_named(struct place *place, int err, int os_error);

#endif
