// SPDX-License-Identifier: MIT
// A past in memory, behind the interface of history: segments that the test puts in. Answers in
// later turns, one segment for each one asked for, and counts.
#ifndef TESTS_SUPPORT_MEMORY_HISTORY_H
#define TESTS_SUPPORT_MEMORY_HISTORY_H

#include "base/list.h"
#include "io/loop.h"
#include "stream/history.h"

enum { MEMORY_HISTORY_MAX = 256 };

struct memory_history {
    struct history history;
    struct loop *loop;
    struct segment *segment[MEMORY_HISTORY_MAX]; // oldest first; one reference each
    unsigned count;
    struct list requests;
    unsigned asked, given, cancelled, reads, lists;
    unsigned open;       // requests that live
    bool silent;         // answers nothing
    int fail;            // every request ends with this
    unsigned fail_after; // a read ends with `fail` after so many segments, when fail is set
    bool closed;
    unsigned thin; // when the second reading begins, the segment of this index is thinned; 0: none
    unsigned lose; // when the second reading begins, the segment of this index goes; 0: none
    enum reason hole;       // told behind the media in ranges, a second long; NONE: no hole
    struct history_via via; // of the last question
    unsigned list_repeat;   // a list has each segment so often (long lists); 0: once
};

// Owned by whom it is given to (stream_set_history); closed by history_close, the memory is the
// test's.
void memory_history_init(struct memory_history *memory, struct loop *loop);
void memory_history_add(struct memory_history *memory, struct segment **segment); // takes it
void memory_history_fini(struct memory_history *memory);

#endif
