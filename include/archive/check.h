// SPDX-License-Identifier: MIT
// Looks an archive over, and repairs it, without a server: reads every hour file with the parsers
// of the server and compares every checksum. Blocking, for a process of its own; memory is bounded
// by the names of one folder, one index and one chunk, whatever the size of the archive.
//
// A finding is something that the server would have to put right, or cannot; a note is something
// that stays as it is and is accounted for (a name that is not ours, damage that the index leaves
// out).
#ifndef ARCHIVE_CHECK_H
#define ARCHIVE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct check_sums {
    unsigned streams;
    uint64_t files, segments; // hour files, and what can be played of them
    uint64_t bytes;           // of hour files read
    int64_t media_us;         // of the segments
    uint64_t findings, repaired, notes;
    int64_t pid; // ERR_EXISTS: of who holds the path, 0 not known
};

enum check_kind { CHECK_FINDING, CHECK_REPAIRED, CHECK_NOTE };

struct check_want {
    const char *path; // of a `dvr` line, or a folder below it
    bool repair;
    // One line: the file or folder, and a sentence about it.
    void (*say)(void *arg, enum check_kind kind, const char *path, const char *text);
    // Now and then, and after each file: what is being read. NULL: nobody asks.
    void (*progress)(void *arg, const struct check_sums *sums, const char *path);
    void *arg;
};

// While a server records there (it holds the lock of the path, or of a folder above), what is
// newest may be half written, which is no finding; a repair is refused, and holds the lock itself.
//
// Repairs as the server's recovery does: cuts a torn end off the newest file of a stream, writes
// indexes and the journal again, removes wrong summaries, what was left half written, and hour
// files that have nothing behind their init segment. Bytes of segments are never touched.
//
// 0, and the sums: all well when findings equals repaired. ERR_NOT_FOUND: there is no such folder,
// or no archive in it; ERR_IO: it cannot be read; ERR_EXISTS: to be repaired, but in use.
MUST_USE int archive_check(const struct check_want *want, struct check_sums *out);

#endif
