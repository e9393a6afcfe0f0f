// SPDX-License-Identifier: MIT
// The days of a place: their names are found first, then each is listed into archive->hours: at
// once when a request asks for it, else behind everything else, the newest first, then from the
// oldest on. Closed days get a summary (summary_parse.h), which saves looking at each file.
//
// States: naming -> named; a day: UNLISTED -> LISTED, or BAD (its folder cannot be read) -> tried
// again.
#ifndef ARCHIVE_TREE_H
#define ARCHIVE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "io/file.h"
#include "io/timeout.h"
#include "opened.h"

struct disk;
struct place;

enum { TREE_DEPTH = 3 }; // years, months, days

enum day_state { DAY_UNLISTED, DAY_LISTED, DAY_BAD };

struct tree_day {
    int32_t number; // days since 1970
    uint8_t state;  // enum day_state
    bool summed;    // its summary is there and right
    bool due;       // its summary is to be written
    bool unfit;     // it could not be
};

struct tree {
    struct place *place;
    struct list_node node; // disk->walks, while there is something to do for its own sake
    bool started, named;
    bool looked;          // the newest file of earlier lives has been found
    bool busy;            // an operation is under way
    bool summing;         // which is that a summary is written
    bool walking;         // which counts among those of the disk
    bool mending;         // the newest file is being recovered, which counts as well
    bool complete;        // all days are listed
    struct tree_day *day; // oldest first
    unsigned count, capacity;
    unsigned low; // no day below is UNLISTED
    struct file_op *op;
    int32_t current;       // number of the day at work
    struct buf *names;     // what is in its folder
    int64_t sum_after_us;  // UTC; when to look for days to sum up
    struct opened *opened; // the file being recovered, or looked at for a summary
    struct opened_waiter waiter;
    struct timeout again;
    // Naming.
    unsigned depth;                  // of the folder being listed
    struct buf *listing[TREE_DEPTH]; // and those above
    struct bytes rest[TREE_DEPTH];   // of the listings, not yet walked
    unsigned number[TREE_DEPTH];
};

void tree_init(struct tree *tree, struct place *place);
void tree_fini(struct tree *tree);
// Begins; place_named is called in a later turn. Again after a failure: what is not listed is tried
// again.
void tree_start(struct tree *tree);
void tree_stop(struct tree *tree); // goes no further
// Nothing of what was found is there any more.
void tree_forget(struct tree *tree);
// Whether the files that touch [from, to) are listed, wide: and the next ones on either side; else
// asks for what is missing, for the requests of the archive, which are woken.
bool tree_ready(struct tree *tree, int64_t from_us, int64_t to_us, bool wide);
// Whether no file that is older than this second can come to light.
bool tree_known_before(struct tree *tree, int64_t second);
// The next steps of the trees of a disk.
void tree_walk(struct disk *disk);
// Something of the day changed: a file was made, removed or is not what it was. What its summary
// says does not count any more; a day that loses files by retention gets no other one.
void tree_day_changed(struct tree *tree, int64_t second, bool removed);
// Times of a file became known, or time goes on: perhaps a day can be summed up.
void tree_tick(struct tree *tree);

// ---- one day (tree_day.c)
// ------------------------------------------------------------------------

// Lists the day tree->current: tree_day_done. False when the queue is full.
bool tree_day_list(struct tree *tree);
// Writes its summary, when that can be made: tree_day_done.
bool tree_day_sum(struct tree *tree);
void tree_day_done(struct tree *tree, enum day_state state, bool summed);

// ---- lines of a listing -------------------------------------------------------------------------

// "d name" or "f name size used".
struct tree_line {
    char kind;
    const char *name;
    size_t length;
    uint64_t size, used; // used: on the disk
};
bool tree_line_take(struct bytes *in, struct tree_line *out);

#endif
