// SPDX-License-Identifier: MIT
// What the files of this folder share: the objects and who owns them.
//
//   archives -> disks        one per PATH: its file queues
//            -> archives     one per stream; outlives its stream until all is written
//            -> opened       hour files in use by readers, and a few others
//   archive  -> places       its folder on each of its disks
//            -> hours        names and times, of all places
//            -> journal      what media cannot say
//            -> redate    moves files of a wrong clock to where they belong
//            -> recorder -> volumes   hour files being written
//            -> erasure  gives back what was deleted
//            -> requests     of readers
#ifndef ARCHIVE_ARCHIVE_PRIV_H
#define ARCHIVE_ARCHIVE_PRIV_H

#include "archive/archive.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/reason.h"
#include "duty.h"
#include "disk.h"
#include "erasure.h"
#include "hours.h"
#include "index_parse.h"
#include "journal.h"
#include "kept.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "opened.h"
#include "place.h"
#include "redate.h"
#include "stream/stream.h"
#include "recorder.h"

#define ARCHIVE_MAGIC 0x41524348u

struct archives {
    struct loop *loop;
    struct list disks, archives;
    struct list opened; // struct opened, least recently used first
    struct kept kept;
    unsigned requests; // of all archives
    const char *fstab; // its path: tests have another
    int64_t began_us;  // monotonic
    struct timeout retention;
};

struct archive {
    struct history history; // first: the stream's
    uint32_t magic;
    struct archives *owner;
    struct list_node node;             // owner->archives
    struct place place[DVR_PATHS_MAX]; // the first that works is written to
    unsigned places;
    struct stream *stream; // NULL once detached: goes when all is written
    char name[STREAM_NAME_MAX], log_name[STREAM_NAME_MAX + 8];
    int64_t depth_us;
    unsigned percent;
    uint64_t size_bytes, free_bytes;
    int64_t sync_us;
    bool waits;          // for an earlier archive of its folder, before anything is opened
    bool listed;         // its oldest and its newest files are known
    enum reason problem; // REASON_NONE: well
    struct hours hours;
    struct journal journal;
    struct recorder recorder;
    struct redate redate;
    struct erasure erasure;
    struct duty duty;
    struct segment_listener listener;
    struct list requests;
    unsigned ops;     // removals, and what the journal and the erasure do, not completed
    unsigned repairs; // of indexes, not completed
    struct defer gone;
    uint64_t segments_written, bytes_written, segments_thinned, segments_shed, errors;
    uint64_t segments_read;
    int64_t last_write_us;
};

// archive.c
struct archive *archive_of_stream(const struct stream *stream); // NULL: it has none
void archive_set_problem(struct archive *archive, enum reason problem, int os_error);
void archive_check_gone(
    struct archive *archive); // freed at the end of the turn when detached and idle
enum reason archive_reason_of(int os_error);
// Nothing is recorded from now on, or from the end of what was recorded last, because of reason.
void archive_mark(struct archive *archive, enum reason reason);
void archive_close(struct archive *archive); // the stream lets go of its history
// A place can be used, or could not be listed (os_error says why).
void archive_place_changed(struct archive *archive, const struct place *place, int os_error);
// More of its days is known.
void archive_listed(struct archive *archive);
// Whether what touches [from, to) is known, wide: and the files next to it; else requests_wake
// comes.
bool archive_ready(struct archive *archive, int64_t from_us, int64_t to_us, bool wide);
bool archive_complete(struct archive *archive); // all of its days are listed
// Its disk failed, works again or was looked at. forget: what is there is not what was there.
void archive_disk_changed(struct archive *archive, struct place *place, bool forget);
// Where the next hour file belongs: the first place that works; where none does, the first that can
// be tried. NULL: nowhere yet.
struct place *archive_write_place(struct archive *archive);
// Where an hour file (extension "mp4", "idx") is, and the disk it is on.
void archive_path(const struct archive *archive, struct hour_name name, const char *extension,
                  char out[HOUR_PATH]);
struct disk *archive_disk(const struct archive *archive, struct hour_name name);
// Oldest to newest of what is known; false when there is nothing.
bool archive_span(const struct archive *archive, struct history_range *whole);
// The volume, current or being finished, that writes this file; NULL: none.
struct volume *archive_volume(struct archive *archive, struct hour_name name);

// Whether a segment of the file was deleted, and still stands in it.
static inline bool archive_hides(const struct archive *archive, struct hour_name name,
                                 const struct index_entry *entry)
{
    int64_t own_us = name.offset_s * US_PER_S; // deleted stretches are in the file's own times
    return archive->journal.records.deleted.count > 0 &&
           journal_deleted(&archive->journal.records, name, entry->utc_start_us - own_us,
                           index_entry_end_us(entry) - own_us);
}

// request.c
extern const struct history_ops archive_history_ops;
void requests_wake(struct archive *archive); // those that have not begun
void requests_end(struct archive *archive, int err);

// retention.c
void retention_tick(void *archives);
// The file and its index go, and the folders that became empty. hour is not valid any more. False
// when the queue is full: it stays.
bool retention_remove(struct archive *archive, struct hour *hour);
// So much was written: on a small disk it is time to see how full it is.
void retention_wrote(struct disk *disk, uint64_t bytes);
// A file that has so much is finished, so that something can go where the limits hold less than
// hours.
uint64_t retention_file_bytes(const struct archive *archive, const struct disk *disk);
// The disk is full: the oldest file of all its archives goes. False when there is none to remove.
bool retention_make_room(struct disk *disk);

#endif
