// SPDX-License-Identifier: MIT
// What a journal says, in memory: marks, clock offsets of files, locks, deleted stretches, lives of
// the server and the recording switch. No IO.
//
// All times are UTC; of deleted stretches they are the file's own, which its offset does not move.
#ifndef ARCHIVE_JOURNAL_RECORDS_H
#define ARCHIVE_JOURNAL_RECORDS_H

#include "journal_parse.h"

struct journal_list {
    struct journal_record *item;
    unsigned count, capacity;
};

// NEVER: nobody has switched; the configuration says.
enum journal_switch { SWITCH_NEVER, SWITCH_OFF, SWITCH_ON };

struct journal_records {
    struct journal_list marks;   // by time, times differ
    struct journal_list lives;   // in the order they were written; those of one boot
    struct journal_list offsets; // by file, one each
    struct journal_list locks;   // by time, none touching another
    struct journal_list deleted; // by file and time, none touching another
    enum journal_switch recording;
};

void journal_records_fini(struct journal_records *records);
// Takes what a record says. ERR_LIMIT: there are too many of its kind, nothing changed (marks and
// lives are never refused: the oldest go).
MUST_USE int journal_apply(struct journal_records *records, const struct journal_record *record);
unsigned journal_records_count(const struct journal_records *records);
// As records from which the same is read again.
void journal_records_write(struct writer *out, const struct journal_records *records);
// Marks before oldest_us explain nothing any more, but the last of them.
void journal_forget_before(struct journal_records *records, int64_t oldest_us);

// ---- questions ---------------------------------------------------------------------------------
// The last mark at or before utc_us; NULL: none.
const struct journal_record *journal_mark_at(const struct journal_records *records, int64_t utc_us);
// Cuts the hole [from, to) where marks lie in it, oldest piece first. What comes before the first
// mark has its reason; a hole without one is `otherwise`.
void journal_explain(const struct journal_records *records, int64_t from_us, int64_t to_us,
                     enum reason otherwise,
                     void (*piece)(void *arg, int64_t from_us, int64_t to_us, enum reason reason),
                     void *arg);
int64_t journal_offset_us(const struct journal_records *records, struct hour_name file); // or 0
bool journal_locked(const struct journal_records *records, int64_t from_us, int64_t to_us);
// Whether a segment at [from, to), in the file's times, is deleted. Touching is not enough.
bool journal_deleted(const struct journal_records *records, struct hour_name file, int64_t from_us,
                     int64_t to_us);
// Whether anything of the file is.
bool journal_deleted_any(const struct journal_records *records, struct hour_name file);

#endif
