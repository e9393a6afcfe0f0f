// SPDX-License-Identifier: MIT
// The archive: a stream's past on disk (a `history`) and the writer that follows its segmenter.
//
// Layout: PATH/stream/YYYY/MM/DD/HHMMSS.mp4 in UTC, one file an hour (more when the track list
// changes or the server restarts): init segment, then chunks (format/cmaf.h). Beside each an index
// that is only a cache of it. docs/formats/archive.md has the tables.
//
// Everything that touches the disk goes through io/file, with queues of their own for each PATH, so
// that a hung disk delays nobody else; what waits is bounded, then segments are shed and counted.
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stream/conf.h"

struct archives;
struct loop;
struct stream;

struct archives *archives_new(struct loop *loop);
// Attached archives are detached; what was not yet submitted to the disks is lost, so detach (or
// close the streams) and archives_flush before. Every stream that is left stays usable.
void archives_free(struct archives **archives);

// Gives the stream an archive (its history, and a writer), or changes the limits of the one it has;
// other paths close the old one and open a new. No path: as archive_detach. Opening
// goes on in the background: requests wait for it, recording begins with it. ERR_INVALID for a path
// that is empty, too long, or there twice.
MUST_USE int archive_attach(struct archives *archives, struct stream *stream,
                            const struct dvr_conf *dvr);
// The stream has no dvr any more: writes what is there and lets go. Files stay. Not needed for a
// stream that is closed: its archive takes the last segment and goes with it.
void archive_detach(struct archives *archives, struct stream *stream);
// Writes and syncs what is in memory of every stream, archives that were detached or whose stream
// was closed included; false when timeout_us was not enough or a disk refused. Runs the disk
// workers down, not the loop. Not from inside a callback of the archive.
bool archives_flush(struct archives *archives, int64_t timeout_us);

// Blocking; for the configuration check before the loop runs: the folder can be found or made, and
// written. A sentence in why otherwise. May run in a worker.
bool archive_path_usable(const char *path, char *why, size_t room);

// Blocking, the same: false when another file system than its own is at the path: one that
// /etc/fstab names is not mounted, or with `must` none is. It is not to be touched then; recording
// waits.
bool archive_path_mounted(const char *path, bool must);

// Blocking, the same: names of the streams that have footage below the path, each with a newline
// behind it, as many as fit into out (room >= 1), and how many these are. May run in a worker.
unsigned archive_folders(const char *path, char *out, size_t room);

// OPENING: the tree is being listed. FAILED: it cannot be read or written; tried again.
enum archive_state { ARCHIVE_OPENING, ARCHIVE_READY, ARCHIVE_FAILED };

struct archive_stats {
    enum archive_state state;
    const char *paused;     // "disabled" or "schedule": not to be recorded now; NULL: it is
    const char *problem;    // reason name of the last trouble ("disk_full", "io"), NULL when well
    uint64_t bytes, files;  // on disk
    int64_t from_us, to_us; // UTC of what is there, 0 when empty
    uint64_t segments_written, bytes_written, segments_thinned, segments_shed, errors;
    uint64_t segments_read;
    int64_t last_write_us; // monotonic, 0 never
    uint64_t bytes_queued;
};
// A locked stretch survives retention by age, by size and by the fill of the disk. on false:
// unlocks. Joined with what is locked already. Written and synced soon. ERR_NOT_FOUND: no archive
// here; ERR_LIMIT: too many.
MUST_USE int archive_lock(struct stream *stream, int64_t from_us, int64_t to_us, bool on);
// Deletes what touches [from, to), locked or not: whole hour files go at once, of others the
// segments are not given out any more, and their bytes go soon after. ERR_NOT_FOUND: no archive
// here; ERR_AGAIN: it is not open yet, or its disk takes no more now, and some is left; ERR_LIMIT:
// too many stretches.
MUST_USE int archive_delete(struct stream *stream, int64_t from_us, int64_t to_us);
// Recording is switched on or off from the next segment on, for lives of the server to come too,
// whatever dvr or dvr_offline says. ERR_NOT_FOUND: no archive here; ERR_AGAIN: it is not open yet.
MUST_USE int archive_switch(struct stream *stream, bool on);
// What is locked, oldest first.
void archive_locks(const struct stream *stream,
                   void (*lock)(void *arg, int64_t from_us, int64_t to_us), void *arg);

// A path that archives record to.
struct disk_stats {
    const char *path;                 // borrowed
    const char *problem;              // reason name, NULL when well
    uint64_t total_bytes, free_bytes; // of its file system, seen within the last 20 s; 0: not yet
    uint64_t queued_bytes;            // of all its streams, waiting to be written
    int64_t silent_us; // what waits longest for an answer of the disk has waited so long
    unsigned streams;  // that have it in their list
};
// Each one in turn: start with *cursor = 0; false at the end.
bool archives_next_disk(const struct archives *archives, unsigned *cursor, struct disk_stats *out);

// False when the stream has no archive on disk here.
bool archive_get_stats(const struct stream *stream, struct archive_stats *out);

#endif
