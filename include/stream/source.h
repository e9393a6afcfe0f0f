// SPDX-License-Identifier: MIT
// How frames get in. A stream makes one source per configured input and runs one of them at a time
// (two while a better one is being tried). The protocol's `pull` fills ops and engine and begins;
// everything after that is three calls upward. The source is owned by its stream.
//
// States: IDLE -> STARTING (pull called) -> RUNNING (first tracks) -> WAITING (lost; retry timer)
// -> STARTING ... ; stop from any state leads to IDLE.
#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H

#include <stdbool.h>

#include "base/reason.h"
#include "media/segment.h"
#include "stream/conf.h"

struct source;
struct stream;
struct loop;

struct source_ops {
    // Let go of everything. Called once after each successful pull, never from inside one of the
    // engine's own upward calls. No upward call may follow.
    void (*stop)(struct source *source);
};

// ---- for engines (protocols) ------------------------------------------------------------------
void source_set_engine(struct source *source, const struct source_ops *ops, void *engine);
void *source_engine(const struct source *source);
const struct input_conf *source_input(const struct source *source); // url and options
const char *source_name(const struct source *source); // "stream=main input=1 rtsp", for logs
const char *source_stream_name(const struct source *source);
struct loop *source_loop(const struct source *source);

// The tracks, before the first frame and whenever they change. Takes the reference.
void source_tracks(struct source *source, struct tracks **tracks);
// One frame in decode order within its track. dts: the input's own count, unwrapped, in the track's
// timescale, tracks in sync with one another; any origin. The stream puts it on its timeline:
// jumps, stand-stills and steps back are repaired there. Takes the reference.
void source_push_frame(struct source *source, struct frame **frame);
// The input is lost or cannot be had. The stream calls stop at the end of the turn and retries or
// fails over. detail: a short text for the log, or NULL.
void source_lost(struct source *source, enum reason reason, const char *detail);
// The engine cannot deliver now but goes on trying by itself (its link redials): other inputs are
// tried meanwhile. May be called again with another reason.
void source_unavailable(struct source *source, enum reason reason);
// Bytes read from the network or disk, for statistics.
void source_count_bytes(struct source *source, size_t bytes);
// One frame or packet was lost or unusable, for statistics.
void source_count_error(struct source *source);

// ---- for engines that bring another sluice's stream (M4S, M4F) ---------------------------------
// Frames are on the far stream's timeline already (absolute ticks), tracks carry its generation,
// segments are cut where it says. Call before the first tracks.
void source_follow(struct source *source);
// What the far live window holds: entries without bytes, oldest first; the bytes are fetched
// through history when somebody asks. listed: how many of them, the newest, the far playlist lists;
// 0: not known. Before the first frame, and again when the far window has become another.
void source_window(struct source *source, const struct segment_info *infos, size_t count,
                   unsigned listed, struct tracks *tracks);
// The next frame pushed begins (or, for a subscription that starts in the middle, lies in) this
// segment; whole: all its frames will come.
void source_segment(struct source *source, uint64_t number, int64_t utc_start_us, uint8_t flags,
                    bool whole);
// Frames of the announced segment were left out: it will be fetched, not made here.
void source_skipped(struct source *source);
// A whole closed segment (M4F live): its frames go into the ring, it goes into the window as it is.
void source_push_segment(struct source *source, struct segment **segment);

#endif
