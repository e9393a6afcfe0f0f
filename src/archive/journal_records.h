// SPDX-License-Identifier: MIT
// What a journal says, in memory: marks, clocks, files whose date is not settled, locks, deleted
// stretches and the recording switch. No IO.
//
// A clock that is set takes the marks of its boot with it at once; files are moved one by one
// (redate.h), each when that is done.
//
// All times are UTC; of deleted stretches they are the file's own, which its offset does not move.
#ifndef ARCHIVE_JOURNAL_RECORDS_H
#define ARCHIVE_JOURNAL_RECORDS_H

#include "base/clock.h"
#include "journal_parse.h"

// Of a wall clock that was set; less is drift, which the timeline follows (stream/timeline).
#define CLOCK_SET_US (10 * US_PER_S)

struct journal_list {
    struct journal_record *item;
    unsigned count, capacity;
};

// NEVER: nobody has switched; the configuration says.
enum journal_switch { SWITCH_NEVER, SWITCH_OFF, SWITCH_ON };

struct journal_records {
    struct journal_list marks;   // by time, times differ
    struct journal_list clocks;  // one for each boot, the one used last at the end
    struct journal_list files;   // by file, one each
    struct journal_list locks;   // by time, none touching another
    struct journal_list deleted; // by file and time, none touching another
    enum journal_switch recording;
};

void journal_records_fini(struct journal_records *records);
// Takes what a record says. ERR_LIMIT: there are too many of its kind, nothing changed (marks and
// clocks are never refused: the oldest go).
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
// The clock of a boot as it was known last; NULL: not known.
const struct journal_record *journal_clock_of(const struct journal_records *records, uint64_t boot);
// By how many seconds the file is dated too early by what is known of its clock; 0: it is right, or
// settled.
int64_t journal_file_late_s(const struct journal_records *records,
                            const struct journal_record *file);
// What is said of the file's date; NULL: it is settled.
const struct journal_record *journal_file(const struct journal_records *records,
                                          struct hour_name file);
bool journal_locked(const struct journal_records *records, int64_t from_us, int64_t to_us);
// Whether a segment at [from, to), in the file's times, is deleted. Touching is not enough.
bool journal_deleted(const struct journal_records *records, struct hour_name file, int64_t from_us,
                     int64_t to_us);
// Whether anything of the file is.
bool journal_deleted_any(const struct journal_records *records, struct hour_name file);

#endif
