// SPDX-License-Identifier: MIT
// Where a sliding list of the past is, and what has left it, from what is recorded; pure. A session
// is two moments in its address: nothing is kept between two requests.
#ifndef PROTO_HLS_SESSION_H
#define PROTO_HLS_SESSION_H

#include "stream/history.h"

// Starts and ends that differ by more than this leave a hole between two segments.
#define HLS_HOLE_US 500000LL

struct hls_session {
    int64_t origin_us;  // UTC of the media that it began with
    int64_t elapsed_us; // since it began
    int64_t span_us;    // media so far ahead of its place are in its list
    bool ignore_gaps;   // the clock of the session stands still in holes
};

// The place of the session, UTC. In a hole that is longer than its list: the end of the media
// before, so that the list stands still there (*waits); the place itself when there are none.
// ranges: as history_ranges gives them for everything from the origin on.
int64_t hls_session_place(const struct hls_session *session, const struct history_range *ranges,
                          size_t count, bool *waits);
// How many discontinuities the lists of the session had before the one that now begins with first.
uint64_t hls_session_breaks(const struct hls_session *session, const struct history_range *ranges,
                            size_t count, const struct segment_info *first);

#endif
