// SPDX-License-Identifier: MIT
// A receiver of a stream, frame by frame: a position in the ring. Embedded in its owner (an M4S
// subscription, the muxer of a wire ring). At the end of each turn in which the stream got frames,
// every sink that is not busy is visited once, however many frames came.
//
// States: WAIT_KEY (begins at the next key frame) -> HUNGRY (visited when there is news) <-> BUSY
// (its output is full; not visited until sink_ready) -> CLOSED.
#ifndef STREAM_SINK_H
#define STREAM_SINK_H

#include <stdbool.h>

#include "base/list.h"
#include "base/reason.h"
#include "media/frame.h"
#include "media/track.h"

struct stream;

struct sink_events {
    // There are frames: take them with sink_next until it says ERR_AGAIN, or call sink_busy.
    void (*on_news)(void *arg);
    // The stream ended for this sink (removed, disabled, on-demand stop). Not after sink_close.
    void (*on_end)(void *arg, enum reason reason);
    // The stream has lost its input: what comes next, if anything does, is another run. May be
    // NULL.
    void (*on_lost)(void *arg);
};

enum sink_state { SINK_CLOSED, SINK_WAIT_KEY, SINK_HUNGRY, SINK_BUSY };

struct sink {
    struct list_node node; // in the stream's list of sinks
    struct stream *stream; // NULL when closed
    const struct sink_events *events;
    void *arg;
    enum sink_state state;
    uint64_t cursor;  // seq of the next frame
    uint64_t frames;  // given
    uint64_t skipped; // frames lost by falling out of the ring
    bool jumped;      // set when the cursor skipped; cleared by the owner
};

// Starts at the last key frame in the ring (the frames since then are there at once), or waits for
// the next one: also while the stream is LOST, for what is in its ring then is old. The stream must
// be kept alive by a viewer or be static; the sink itself does not.
void sink_open(struct sink *sink, struct stream *stream, const struct sink_events *events,
               void *arg);
void sink_close(struct sink *sink); // closed already is fine
// Next frame, borrowed until the next call. 0; ERR_AGAIN: no more now. A sink that fell out of the
// ring is moved to the newest key frame, with jumped set.
MUST_USE int sink_next(struct sink *sink, struct frame **frame);
void sink_busy(struct sink *sink);
void sink_ready(struct sink *sink); // visited again at the end of this turn
// Track list of a frame's generation; borrowed. NULL when it is no longer known.
struct tracks *sink_tracks(const struct sink *sink, uint32_t generation);

#endif
