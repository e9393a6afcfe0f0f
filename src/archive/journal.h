// SPDX-License-Identifier: MIT
// The journal of a stream's archive: what media cannot say, in a file beside the years of each of
// its paths (PATH/stream/journal; docs/formats/archive.md, "The journal"). It is read before the
// tree is listed, kept in memory (journal_records.h), appended to in order, and written anew when
// most of it says nothing any more. A journal that cannot be read or written never stops recording.
//
// States: NEW -> READY with the first path whose file was read (or could not be; that is tried
// again, and nothing is written there until it has worked) -> settled, when all paths were, or 10 s
// have gone: writing begins.
#ifndef ARCHIVE_JOURNAL_H
#define ARCHIVE_JOURNAL_H

#include "journal_copy.h"
#include "journal_records.h"
#include "stream/conf.h"

struct archive;

enum journal_state { JOURNAL_NEW, JOURNAL_READY };

struct journal {
    struct archive *archive;
    enum journal_state state;
    uint64_t boot;    // which of the machine this is; 0: not known
    int64_t begun_us; // UTC of the archive's beginning: media may come before the file is read
    struct journal_records records;
    struct journal_head head;  // the view that is written; at first of the newest file
    uint64_t length;           // of that file
    struct journal_list words; // what was said before it was settled
    bool settled;
    bool asked;       // something was said that is to be kept although nothing is recorded
    unsigned members; // bits: copies that get the same records, alone
    struct journal_copy copy[DVR_PATHS_MAX];
    struct timeout settle;
};

void journal_init(struct journal *journal, struct archive *archive); // its places are there
void journal_fini(struct journal *journal);                          // drops what was not written
// Reads the file of a path; loaded is called in a later turn, whatever comes of it. The life of the
// server begins in the first one. False: it was read before, and loaded is not called.
bool journal_load(struct journal *journal, unsigned path, void (*loaded)(void *arg), void *arg);
void journal_load_cancel(struct journal *journal);
// What is on that path is not what was there, or nothing.
void journal_forget(struct journal *journal, unsigned path);
// Valid at once, and written soon; a lock and what is deleted also synced. ERR_LIMIT:
// there are too many of its kind.
MUST_USE int journal_add(struct journal *journal, const struct journal_record *record);
// What was said is to be synced, too.
void journal_sync(struct journal *journal);
// All is submitted as far as it can be now.
void journal_flush(struct journal *journal);
// All that was said is on a disk, synced.
bool journal_safe(const struct journal *journal);
bool journal_idle(const struct journal *journal);

// From utc_us on nothing is recorded, because of reason (one with a code of its own, history.h).
// The same reason again, with no media in between, is said once. base_us: the clock that utc_us is
// by.
void journal_mark(struct archive *archive, int64_t utc_us, int64_t base_us, enum reason reason);
// Recording of this stream is switched on or off, for lives to come too.
void journal_switch(struct archive *archive, bool on);

// ---- from journal_copy.c -----------------------------------------------------------------------
// A file was read, or cannot be. in: its records, NULL when there is none that counts.
void journal_copy_read(struct journal_copy *copy, const struct bytes *in);
void journal_copy_failed(struct journal_copy *copy);
// It was written anew.
void journal_copy_whole(struct journal_copy *copy);
// The paths get the same from now on as those that have all of it, and no others: all are written
// anew.
void journal_new_view(struct journal *journal);

#endif
