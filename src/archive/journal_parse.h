// SPDX-License-Identifier: MIT
// The records of a journal, as bytes and back: 48 bytes each with a checksum, the first one being
// the head (docs/formats/archive.md, "The journal"). What they mean together: journal_records.h.
#ifndef ARCHIVE_JOURNAL_PARSE_H
#define ARCHIVE_JOURNAL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/reason.h"
#include "base/writer.h"
#include "hours.h"

// Nothing that we write is later than the year 10000.
#define JOURNAL_UTC_MAX_US 253402300800000000LL

enum { JOURNAL_RECORD = 48 };

enum journal_kind {
    JOURNAL_MARK = 1,    // from at_us on nothing is recorded, because of the reason
    JOURNAL_CLOCK = 2,   // at at_us a life of the server began, or the clock was set
    JOURNAL_FILE = 3,    // a file is dated by this clock
    JOURNAL_LOCK = 4,    // what lies in [from, to) is kept by the retention
    JOURNAL_UNLOCK = 5,  // not any more
    JOURNAL_DELETED = 6, // segments of a file that touch [from, to), in the file's times, are gone
    JOURNAL_ERASED = 7,  // the file itself has nothing of these any more
    JOURNAL_SWITCH = 8,  // recording is switched on or off
    JOURNAL_CUT = 9,     // [from, to) was deleted: a mark that says so takes the place of all in it
};

struct journal_record {
    enum journal_kind kind;
    enum reason reason;    // MARK: one with a code of its own
    bool on;               // SWITCH
    struct hour_name file; // FILE, DELETED, ERASED
    int64_t from_us;       // MARK, CLOCK: when; else of the stretch
    int64_t to_us;         // of the stretch
    // MARK, CLOCK, FILE: the clock, as UTC less the time since the boot, and which boot of the
    // machine that was (0: not known; of a file: its date is settled).
    int64_t base_us;
    uint64_t boot;
};

// Whether it is to be safe at once, and kept although nothing is recorded.
bool journal_record_lasts(const struct journal_record *record);

// Of which journals on several paths this one is (journal.c). A view is a number, 0: none.
enum { JOURNAL_VIEWS_BEFORE = 7 };
struct journal_head {
    uint32_t view;
    uint32_t before[JOURNAL_VIEWS_BEFORE]; // all of which is in it, the last one first
    uint8_t members;                       // paths that had it
};
// Another view, after this one and those before it; view: any number that nobody else has, such as
// a random one.
void journal_head_next(struct journal_head *head, uint32_t view, unsigned members);
void journal_head_know(struct journal_head *head, uint32_t view); // as one before
// Whether a file of so many bytes has all that the other has.
bool journal_head_covers(const struct journal_head *head, uint64_t length,
                         const struct journal_head *other, uint64_t other_length);

// Foreign bytes. Of the head: 0, or ERR_INVALID when it is none of this version.
MUST_USE int journal_head_parse(struct bytes *in, struct journal_head *out);
// The next record that counts, passing over those that do not (damaged, of another kind): 0, or
// ERR_NOT_FOUND at the end. *skipped grows by what was passed over and was not just of another
// kind.
MUST_USE int journal_record_parse(struct bytes *in, struct journal_record *out, unsigned *skipped);
void journal_head_write(struct writer *out, const struct journal_head *head);
void journal_record_write(struct writer *out, const struct journal_record *record);

#endif
