// SPDX-License-Identifier: MIT
// An hour file being written, and its index.
//
// States: OPENING -> READY (on_open) -> FINISHING (volume_finish) -> gone (close_volume); from
// READY and FINISHING to FAILED (volume_fail) -> gone when the last operation has come back.
#ifndef ARCHIVE_VOLUME_H
#define ARCHIVE_VOLUME_H

#include "base/chain.h"
#include "base/list.h"
#include "hours.h"
#include "index_parse.h"
#include "io/file.h"
#include "media/track.h"

struct archive;
struct place;

enum volume_state { VOLUME_OPENING, VOLUME_READY, VOLUME_FINISHING, VOLUME_FAILED };

struct volume {
    struct list_node node; // in its recorder's volumes
    struct archive *archive;
    struct place *place;
    enum volume_state state;
    struct hour_name name;
    int64_t start_us;      // UTC of its first segment
    int64_t base_us;       // the clock it is dated by (redate.h); 0: another server's
    struct tracks *tracks; // one reference
    struct buf *init;      // written with the first append, NULL then
    struct index *index;   // one reference; NULL when failed
    struct file *data, *idx;
    unsigned ops;    // operations that will call back
    uint64_t end;    // bytes whose append has returned
    uint64_t synced; // bytes that are safe
    bool syncing, sync_wanted;
    uint64_t sync_to;
    bool new_day; // the folders above that of the day are to be synced too
    char *folder; // to be synced next; NULL: all are, or the first sync is still to come
    struct file *folder_file;
    bool idx_busy;    // being opened or written
    bool idx_broken;  // not written any more
    bool ended;       // the last entry is written
    unsigned indexed; // entries handed to the index file
    uint64_t idx_bytes;
};

// Makes a file for a segment that starts at start_us by the clock base_us; recorder_volume_opened
// is called in a later turn. NULL when the queue is full: then it is not.
struct volume *volume_open(struct place *place, struct tracks *tracks, int64_t start_us,
                           int64_t base_us);
// Appends *chain, which is emptied; recorder_volume_appended or recorder_volume_failed is called in
// a later turn. False when the queue is full: then neither is.
bool volume_append(struct volume *volume, struct chain *chain);
// Syncs what is written, then writes the index of it.
void volume_sync(struct volume *volume);
// The rest is synced and indexed, the file closed, the volume freed: recorder_volume_gone, perhaps
// at once. Nothing may be in flight.
void volume_finish(struct volume *volume);
// Nothing that is in memory about it is believed any more. Calls recorder_volume_failed.
void volume_fail(struct volume *volume, int os_error);
// Of one that is being opened: it is not wanted any more. recorder_volume_opened is not called.
void volume_abandon(struct volume *volume);
// At once, when the queues are going and call back no more.
void volume_free(struct volume *volume);

#endif
