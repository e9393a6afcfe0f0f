// SPDX-License-Identifier: MIT
// Gives the bytes of what was deleted back to the disk, out of the middle of hour files that stay
// (docs/formats/archive.md, "Deleting"). One file of an archive at a time; a crash at any moment
// leaves it to be done again.
//
// States of one file: IDLE -> INDEX (its index is read) -> SAID (what is deleted is in the journal,
// safely) -> ERASING (one piece after the other: looked at, headed by a free box, synced, given
// back) -> LISTING (the index without it is written) -> IDLE. From any of them back to IDLE when
// something fails, or the file goes.
#ifndef ARCHIVE_ERASURE_H
#define ARCHIVE_ERASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "hours.h"
#include "io/loop.h"
#include "opened.h"

struct archive;
struct erased_piece;
struct file;

enum erasure_state { ERASURE_IDLE, ERASURE_INDEX, ERASURE_SAID, ERASURE_ERASING, ERASURE_LISTING };

struct erasure {
    struct archive *archive;
    bool due;         // files are to be looked through
    bool begun;       // which got to `name`
    bool missed;      // one could not be done, and is tried again
    int64_t after_us; // monotonic: not before
    enum erasure_state state;
    struct hour_name name;
    bool cancelled;        // the file is not what it was
    struct opened *opened; // one reference
    struct opened_waiter waiter;
    struct index *index; // without what is deleted, one reference
    bool spared;         // something stays hidden that is locked
    struct erased_piece *piece;
    unsigned pieces, at, segments; // at: which is being done; segments: of all
    struct file *file;
    uint64_t used; // bytes the file takes on the disk; 0 not known
    uint64_t idx_bytes;
    struct defer run;
};

void erasure_init(struct erasure *erasure, struct archive *archive);
void erasure_fini(struct erasure *erasure);
// Something was deleted, closed or unlocked, or came to light: all files are looked through.
void erasure_want(struct archive *archive);
// Time has gone on, or the journal: perhaps it can go on.
void erasure_go_on(struct archive *archive);
// Whether the file is being worked on: it keeps its name meanwhile. redate_wake comes after.
bool erasure_holds(const struct archive *archive, struct hour_name name);
// The file is not there any more, or not the same; name NULL: all files of the path.
void erasure_forget(struct archive *archive, uint8_t disk, const struct hour_name *name);

#endif
