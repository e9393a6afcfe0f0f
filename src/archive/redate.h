// SPDX-License-Identifier: MIT
// Footage that was recorded under a wrong clock gets its right date when the clock is set: the hour
// files of this boot of the machine move to the names that are right (hours.h), one after the
// other, in the background. What is not settled is in the journal: each file with the clock it is
// dated by, and the clock of each boot as it is known by now; so a crash in the middle, or a
// restart between the recording and the moment when the clock is set, changes nothing. A date is
// settled when the clock has been believed and not been set for an hour, or when the machine booted
// again.
//
// States: IDLE -> (a file is due: MOVING its media -> MOVING its index) -> IDLE.
#ifndef ARCHIVE_REDATE_H
#define ARCHIVE_REDATE_H

#include <stdbool.h>

#include "hours.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/timeout.h"

struct archive;

struct redate {
    struct archive *archive;
    int64_t base_us; // the clock that footage is dated by: UTC less the time since the boot
    bool known;      // it is
    struct defer run;
    struct timeout again;
    // The file that is being moved.
    struct file_op *op;
    struct hour_name from, to;
    struct hour_name carried; // whose words are under the new name
    unsigned moved;           // since the clock was set
};

void redate_init(struct redate *redate, struct archive *archive);
void redate_fini(struct redate *redate);
// The journal is there: what an earlier life left is gone on with, or settled.
void redate_begin(struct redate *redate);
// Footage from now on is dated by this clock (segment_info.clock_us).
void redate_clock(struct redate *redate, int64_t clock_us);
// Time goes on: nothing may be recorded that tells of the clock. believed: it is.
void redate_tick(struct redate *redate, bool believed);
// A file was closed, or more files are known.
void redate_wake(struct redate *redate);
bool redate_idle(const struct redate *redate);
void redate_stop(struct redate *redate); // goes no further

// segment_info.clock_us as UTC less the time since the boot.
int64_t redate_base_us(int64_t clock_us);

#endif
