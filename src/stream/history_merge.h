// SPDX-License-Identifier: MIT
// Several histories of one stream as one: what is on its own disk, copies in a cache, and what
// other servers have, in the order in which they are preferred.
//
// The nearest is asked first; the next one only about what the ones before it lack. So what is all
// here is answered without the network, and a hole is one only when nobody has the media. A
// segment that cannot be had where it was listed is asked of the others; an error is told when
// nobody has what one of them failed to give. Pace, cancelling and closing: stream/history.h.
#ifndef STREAM_HISTORY_MERGE_H
#define STREAM_HISTORY_MERGE_H

#include "stream/history.h"

struct loop;

enum history_holder_kind {
    HOLDER_OWN,  // the archive here
    HOLDER_COPY, // a cache: listed as long as those it copies from cannot be asked, and for a
                 // single segment; is given what the others send
    HOLDER_FAR,  // another server
};

struct history_holder {
    struct history *history;
    enum history_holder_kind kind;
    bool owned; // closed with the merged one
};

// A stream's inputs, its archive and its cache.
enum { HISTORY_HOLDERS_MAX = 10 };

// holders: 1 to HISTORY_HOLDERS_MAX, own first, then the copy, then the others. Copied.
struct history *history_merge_new(struct loop *loop, const struct history_holder *holders,
                                  unsigned count);

#endif
