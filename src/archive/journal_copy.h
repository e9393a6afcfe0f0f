// SPDX-License-Identifier: MIT
// The file of a journal on one path: read, appended to, written anew.
//
// States: NEW -> READING -> READ (or unreadable, which is tried again); back to NEW when the disk
// is another one.
#ifndef ARCHIVE_JOURNAL_COPY_H
#define ARCHIVE_JOURNAL_COPY_H

#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "journal_records.h"

struct journal;

enum journal_copy_state { COPY_NEW, COPY_READING, COPY_READ };

struct journal_copy {
    struct journal *journal;
    unsigned path; // its place
    enum journal_copy_state state;
    bool unreadable;             // the file is there and could not be read
    bool stale;                  // the file is not what memory says: it is written anew
    bool busy;                   // an operation is under way
    bool sync;                   // what was appended is to be synced
    bool said;                   // that it cannot be written
    bool forgotten;              // what is under way is of another disk
    struct journal_head head;    // of the file as it was read
    struct journal_list pending; // not yet written, in order
    unsigned written;            // of the pending ones, being written
    struct file *file;           // open for appending, or NULL
    uint64_t length;             // of the file, all of it whole records
    void (*loaded)(void *arg);
    void *arg;
    struct defer run;
    struct timeout again;
};

void journal_copy_init(struct journal_copy *copy, struct journal *journal, unsigned path);
void journal_copy_fini(struct journal_copy *copy);
// NEW: reads it; copy->loaded is called in a later turn.
void journal_copy_load(struct journal_copy *copy);
void journal_copy_forget(struct journal_copy *copy);
// Read, and not to be passed over.
bool journal_copy_present(const struct journal_copy *copy);
// To be written; the newest are left out while it cannot be read.
void journal_copy_pend(struct journal_copy *copy, const struct journal_record *record);
void journal_copy_schedule(struct journal_copy *copy);
void journal_copy_flush(struct journal_copy *copy);
bool journal_copy_safe(const struct journal_copy *copy);
bool journal_copy_idle(const struct journal_copy *copy);

#endif
