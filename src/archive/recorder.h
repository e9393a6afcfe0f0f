// SPDX-License-Identifier: MIT
// The queue between the segmenter and the hour files of one stream: parts wait here until the disk
// takes them, in order, one append at a time.
//
// States: a part or the end of a segment is QUEUED (recorder_on_part, recorder_on_segment) -> in
// FLIGHT (one append) -> written; or from FLIGHT back to QUEUED when the append failed and its
// segment began in it; or shed.
#ifndef ARCHIVE_RECORDER_H
#define ARCHIVE_RECORDER_H

#include "base/list.h"
#include "base/reason.h"
#include "index_parse.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "media/segment.h"

struct archive;
struct disk;
struct place;
struct volume;

// NONE -> TAKING (part 0 came), or LATER (it is taken when it is closed: we came in the middle, or
// the disk is behind and it may have to be thinned); TAKING -> LATER (no room, and nothing of it
// was given to the disk), or SHED (no room; what was taken is ended there) -> NONE with the next.
enum receive_state { RECEIVE_NONE, RECEIVE_TAKING, RECEIVE_LATER, RECEIVE_SHED };

struct recorder {
    struct archive *archive;
    struct list queue, flight; // struct write_item
    uint64_t queued_bytes;     // of both
    struct disk *disk;         // that they wait for
    struct list volumes;       // all of them; finishing ones take nothing any more
    struct volume *volume;     // the one that is appended to, NULL: none
    bool opening, appending;
    bool roll;     // the next segment begins a new file
    bool flushing; // sync whenever all is written
    bool closing;  // nothing comes any more
    struct defer run;
    struct timeout retry, sync;
    struct backoff backoff;
    // The segment that the segmenter is collecting.
    enum receive_state receiving;
    struct segment_info info;
    unsigned parts;        // of it taken
    int64_t heard_us;      // monotonic, when something came last
    bool thinned;          // the one that was taken last
    int64_t taken_end_us;  // UTC end of what was taken last in this life, 0 nothing
    int64_t last_start_us; // of the newest segment given to the volume, -1 none
    // The segment at the end of the volume, between its first part and its end.
    bool open;
    struct index_entry entry;
    int64_t entry_end_us;
};

void recorder_init(struct recorder *recorder, struct archive *archive); // its places are there
void recorder_fini(struct recorder *recorder);                          // drops everything
void recorder_on_part(struct recorder *recorder, struct tracks *tracks,
                      const struct segment_info *info, unsigned part, struct frame *const *frames,
                      unsigned count);
void recorder_on_segment(struct recorder *recorder, struct segment *segment);
// Nothing has come for so long, and all of it is written: the file is finished. False: it is not
// so.
bool recorder_rest(struct recorder *recorder, int64_t silent_us);
void recorder_on_lost(struct recorder *recorder);
// Where begins what is taken and does not stand in an index yet; INT64_MAX: there is none.
int64_t recorder_open_us(const struct recorder *recorder);
void recorder_run(struct recorder *recorder);   // as far as it goes without waiting
void recorder_flush(struct recorder *recorder); // all is submitted, and synced when written
void recorder_close(struct recorder *recorder); // as much, then the file is finished
bool recorder_idle(const struct recorder *recorder);
// A failed write may be tried again at once: there is room now.
void recorder_retry(struct recorder *recorder);
// UTC from which on a file that begins at start_us takes no more segments: in the minute after its
// hour, each stream at a moment of its own, so that a disk with a thousand streams does not end and
// begin as many files at once.
int64_t recorder_roll_us(const char *name, int64_t start_us);
// Until a stream's next moment to sync: multiples of the interval, shifted by its name, so that a
// disk with many streams is not asked for everything at once.
int64_t recorder_sync_in_us(const char *name, int64_t every_us, int64_t at_us);

// The disk of a place does not work: leaves it where there is another, or must.
void recorder_disk_failed(struct recorder *recorder, const struct place *place, bool must);

// From volume.c. volume NULL: it could not be opened, os_error says why.
void recorder_volume_opened(struct recorder *recorder, struct volume *volume, int os_error);
// base: where in the file what was appended begins.
void recorder_volume_appended(struct recorder *recorder, struct volume *volume, uint64_t base);
void recorder_volume_failed(struct recorder *recorder, struct volume *volume, int os_error);
void recorder_volume_gone(struct recorder *recorder); // one of them was freed

#endif
