// SPDX-License-Identifier: MIT
// Makes the index of an hour file from the file: reads what scan_parse wants, then repairs what is
// on the disk (docs/formats/archive.md, "Recovery").
#ifndef ARCHIVE_RECOVER_H
#define ARCHIVE_RECOVER_H

#include "hours.h"
#include "index_parse.h"
#include "io/file.h"

struct archive;
struct recovery;

// err: 0 and the index, closed, count one (yours); or ERR_IO, ERR_LIMIT, and NULL. An index without
// entries: there is no segment in the file.
typedef void (*recovery_done_fn)(void *arg, int err, struct index *index);

struct recovery_from {
    struct hour_name name;
    struct file *file;     // borrowed until the end
    uint64_t size;         // of the file
    struct tracks *tracks; // borrowed until the end
    struct index *index;   // what the index file said, or an empty one; a reference that is taken
    bool bare;             // there was no index file that counts
    bool suspect;          // cut off what is torn
};

// done comes in a later turn; then the recovery is gone.
struct recovery *recovery_start(struct archive *archive, const struct recovery_from *from,
                                recovery_done_fn done, void *arg);
void recovery_cancel(struct recovery **recovery); // NULL is fine

#endif
