// SPDX-License-Identifier: MIT
// The archive: a stream's past on disk (a `history`) and the writer that follows its segmenter.
//
// Layout: PATH/stream/YYYY/MM/DD/HHMMSS.mp4 in UTC, one file an hour (more when the track list changes or
// the server restarts): init segment, then chunks (format/cmaf.h). Beside each an index that is
// only a cache of it. docs/formats/archive.md has the tables.
//
// Everything that touches the disk goes through io/file, one queue per PATH, so that a hung disk
// delays nobody else; what waits is bounded, then segments are shed and a hole says why.
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "stream/conf.h"

struct archives;
struct loop;
struct stream;

struct archives *archives_new(struct loop *loop);
// Open files are closed; the memory goes when the disks have answered, or at exit.
void archives_free(struct archives **archives);

// Gives the stream an archive (its history, and a writer), or changes the limits of the one it has; another path
// closes the old one and opens the new. dvr->path NULL: as archive_detach. ERR_INVALID for a bad path.
MUST_USE int archive_attach(struct archives *archives, struct stream *stream,
                            const struct dvr_conf *dvr);
// The stream goes or has no dvr any more: writes what is there and lets go. Files stay.
void archive_detach(struct archives *archives, struct stream *stream);
// Writes and syncs what is in memory of every stream; false when timeout_us was not enough. Runs the disk
// workers down, not the loop.
bool archives_flush(struct archives *archives, int64_t timeout_us);

// Blocking; for the configuration check before the loop runs: the folder can be found or made, and
// written. A sentence in why otherwise.
bool archive_path_usable(const char *path, char *why, size_t room);

enum archive_state { ARCHIVE_OPENING, ARCHIVE_READY, ARCHIVE_FAILED };

struct archive_stats {
    enum archive_state state;
    const char *problem;       // reason name of the last trouble ("disk_full", "io"), NULL when well
    uint64_t bytes, files;     // on disk
    int64_t from_us, to_us;    // UTC of what is there, 0 when empty
    uint64_t segments_written, bytes_written, segments_shed, errors, segments_read;
    int64_t last_write_us;     // monotonic, 0 never
    uint64_t bytes_queued;
};
// False when the stream has no archive on disk here.
bool archive_get_stats(const struct stream *stream, struct archive_stats *out);

#endif
