// SPDX-License-Identifier: MIT
// The journal of a stream's archive: what media cannot say, in one file beside the years
// (PATH/stream/journal; docs/formats/archive.md, "The journal"). It is read before the tree is
// listed, kept in memory (journal_records.h), appended to in order, and written anew when most of
// it says nothing any more. A journal that cannot be read or written never stops recording.
//
// States: NEW -> LOADING (journal_load) -> READY; READY with `unreadable` reads again from time to
// time, and writes nothing until that has worked.
#ifndef ARCHIVE_JOURNAL_H
#define ARCHIVE_JOURNAL_H

#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "journal_records.h"

struct archive;

enum journal_state { JOURNAL_NEW, JOURNAL_LOADING, JOURNAL_READY };

struct journal {
    struct archive *archive;
    enum journal_state state;
    uint64_t boot;    // which of the machine this is; 0: not known
    int64_t begun_us; // UTC of the archive's beginning: media may come before the file is read
    struct journal_records records;
    struct journal_list pending; // not yet written, in order
    bool unreadable;             // the file is there and could not be read
    bool stale;                  // the file is not what memory says: it is written anew
    bool busy;                   // an operation is under way
    bool sync;                   // what was appended is to be synced
    bool said;                   // that it cannot be written
    struct file *file;           // open for appending, or NULL
    uint64_t length;             // of the file, all of it whole records
    unsigned written;            // of the pending ones, being written
    void (*loaded)(void *arg);
    void *arg;
    struct defer run;
    struct timeout again;
};

void journal_init(struct journal *journal, struct archive *archive);
void journal_fini(struct journal *journal); // drops what was not written
// Reads the file; loaded is called in a later turn, whatever comes of it. The life of the server
// begins in it.
void journal_load(struct journal *journal, void (*loaded)(void *arg), void *arg);
void journal_load_cancel(struct journal *journal);
// Valid at once, and written soon; a lock and what is deleted also synced. ERR_LIMIT:
// there are too many of its kind.
MUST_USE int journal_add(struct journal *journal, const struct journal_record *record);
// All is submitted as far as it can be now.
void journal_flush(struct journal *journal);
// All that was said is on the disk, synced.
bool journal_safe(const struct journal *journal);
bool journal_idle(const struct journal *journal);

// From utc_us on nothing is recorded, because of reason (one with a code of its own, history.h).
// The same reason again, with no media in between, is said once. base_us: the clock that utc_us is
// by.
void journal_mark(struct archive *archive, int64_t utc_us, int64_t base_us, enum reason reason);
// Recording of this stream is switched on or off, for lives to come too.
void journal_switch(struct archive *archive, bool on);

#endif
