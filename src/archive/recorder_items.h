// SPDX-License-Identifier: MIT
// The queue of a recorder, which recorder_take.c fills and recorder.c empties.
#ifndef ARCHIVE_RECORDER_ITEMS_H
#define ARCHIVE_RECORDER_ITEMS_H

#include "base/chain.h"
#include "recorder.h"

struct write_item {
    struct list_node node;
    bool end;             // of the segment; else one part of it, or all
    unsigned part, parts; // first part and how many
    struct segment_info info;
    struct tracks *tracks; // one reference, of the first part; else NULL
    struct chain bytes;
    uint32_t head_bytes;
    int64_t
        end_us; // UTC; of the last picture in it; of an end: of the segment, 0: of what is there
};

// To the end of the queue; owned from now on. The recorder runs in this turn.
void recorder_enqueue(struct recorder *recorder, struct write_item *item);
// from: the queue or the flight it is in.
void recorder_item_free(struct recorder *recorder, struct list *from, struct write_item *item);

#endif
