// SPDX-License-Identifier: MIT
// Puts an input's timestamps on the stream's timeline: ticks since 1970 UTC, growing strictly
// within each track, whatever the input does. docs/design/time.md is the long version.
//
// Invariants:
//  1. For each track the times given out grow strictly, over all runs of the process, but where the
//     wall clock was set back.
//  2. An input that counts well is moved by a constant: its steps come out as they went in.
//  3. One odd timestamp moves one frame. A new origin is believed when a second frame confirms it.
//  4. Tracks keep their distance: a new origin found on one track serves the others.
//  5. The timeline follows the wall clock by at most 500 ppm; it jumps ahead only when it is more
//     than ten seconds late, and then says DISCONTINUITY.
//  6. A wall clock that is set by more than ten seconds takes the timeline with it, either way, at
//     the next key frame of the leading track, by whole seconds and some milliseconds (the rest is
//     drift), so that what was dated before can be dated anew without a gap; every track then says
//     DISCONTINUITY.
#ifndef STREAM_TIMELINE_H
#define STREAM_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "media/frame.h"

struct timeline_track {
    bool started;
    bool suspect;       // the last frame did not fit; suspect_in is what it said
    int64_t last_in;    // ticks; of the last frame that fitted
    int64_t suspect_in; // ticks
    int64_t last_out;   // ticks
    int64_t last_arrival_us;
    int64_t step;       // usual distance of two frames, ticks; 0 unknown
    int64_t offset_us;  // out = in + offset, in this track
    uint32_t timescale; // of last_out
    bool jumped;        // the next frame gets DISCONTINUITY
};

struct timeline {
    bool anchored;          // a run is under way
    int64_t offset_us;      // newest origin: of the run, or the last one confirmed
    int64_t floor_us;       // the latest time given out
    int64_t run_floor_us;   // that of the run before this one: nothing begins at or below it
    int64_t window_from_us; // drift window, monotonic
    int64_t window_min_us;  // smallest lateness seen in it
    bool clock_known;
    int64_t clock_us;     // wall clock minus monotonic when it was last looked at
    int64_t set_us;       // by how much the wall clock was set and the timeline not yet
    int64_t set_since_us; // monotonic, when that was noticed
    int64_t sets;         // how often it went along
    uint64_t repairs;     // frames that were given another time than they said
    struct timeline_track track[TRACKS_MAX];
};

// By which clock (wall less monotonic) times are given out now.
static inline int64_t timeline_clock_us(const struct timeline *timeline)
{
    return timeline->clock_us - timeline->set_us;
}
void timeline_init(struct timeline *timeline);
// A new run: the next frame anchors anew, not before anything given out so far.
void timeline_new_run(struct timeline *timeline);
// Rewrites frame->dts (and flags). leading: this track's lateness steers the drift.
void timeline_map(struct timeline *timeline, struct frame *frame, uint32_t timescale, bool leading,
                  int64_t mono_us, int64_t wall_us);
// Times that come from a followed stream: only remembered, so that a later run begins above them.
void timeline_note(struct timeline *timeline, const struct frame *frame, uint32_t timescale);

#endif
