// SPDX-License-Identifier: MIT
// Hour files in use by readers: the decoded index, and when media are wanted the open file and its
// tracks. Shared by count; a few that nobody uses are kept for the next reader (least recently used
// go first). Missing indexes are made here (recover.h).
//
// States of each of the two things, INDEX and MEDIA: wanted -> being read -> there; or `err`, and
// the object is not found any more.
#ifndef ARCHIVE_OPENED_H
#define ARCHIVE_OPENED_H

#include "base/list.h"
#include "hours.h"
#include "index_parse.h"
#include "io/file.h"
#include "io/loop.h"
#include "media/track.h"

struct archive;
struct archives;
struct recovery;

enum opened_what { OPENED_INDEX = 1, OPENED_MEDIA = 2 };

struct opened {
    struct list_node node; // in archives->opened, unless dropped
    unsigned refs;
    struct archive *archive;
    struct hour_name name;
    bool dropped;       // the file is gone or changed: finishes with its readers
    bool suspect;       // of its hour
    uint64_t idx_bytes; // of its index file, when that was read
    bool busy;          // an operation is under way
    bool idx_read, init_read;
    bool made;           // the index was made here
    unsigned want, have; // enum opened_what
    int err;
    struct index *index;   // one reference
    struct tracks *tracks; // one reference
    struct file *file;
    uint64_t size; // of the file when it was opened
    size_t init_length;
    struct file_op *op;
    struct recovery *recovery;
    struct list waiters;
    struct defer answering;
};

struct opened_waiter {
    struct list_node node;
    struct opened *opened; // whose waiters it is in
    unsigned want;
    void (*ready)(void *arg); // ask again with opened_want
    void *arg;
};

// One reference. Finds it or makes it; nothing is read yet.
struct opened *opened_get(struct archive *archive, struct hour_name name);
void opened_put(struct opened **opened); // NULL is fine
// 0: all that is wanted is there. ERR_AGAIN: the waiter (zeroed before its first use; waiting
// already for the same is fine) waits, and waiter->ready is called once, in a later turn, when it
// is or cannot be. Else why not: ERR_NOT_FOUND (the file is not there, or there was nothing in it
// and it was removed), ERR_INVALID, ERR_IO, ERR_LIMIT. An index may be empty.
MUST_USE int opened_want(struct opened *opened, unsigned want, struct opened_waiter *waiter,
                         void (*ready)(void *arg), void *arg);
void opened_forget(struct opened_waiter *waiter); // not waiting is fine
// The file was removed or is not what it was: who uses it goes on with what was opened, the next
// one begins anew.
void opened_drop(struct archive *archive, struct hour_name name);
void opened_drop_all(struct archive *archive);
// The one that is there, or NULL. Borrowed.
struct opened *opened_find(struct archive *archive, struct hour_name name);

#endif
