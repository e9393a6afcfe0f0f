// SPDX-License-Identifier: MIT
// MPEG transport stream in: bytes in, tracks and frames out; no sockets, no clock. Resynchronises,
// counts continuity errors, follows PAT and PMT changes, unwraps 33 bits.
#ifndef FORMAT_TS_DEMUX_H
#define FORMAT_TS_DEMUX_H

#include "media/frame.h"
#include "media/track.h"

struct ts_demux;

// Both are called from within ts_demux_input and ts_demux_flush; they must not free the demuxer.
struct ts_demux_events {
    // The tracks are known or have changed; takes the reference. Frames that follow refer to it.
    // Comes before the first frame: when every stream of the programme has shown its parameters, or
    // when two seconds of frames wait for one that does not.
    void (*on_tracks)(void *arg, struct tracks **tracks);
    // Canonical form. dts in 90 kHz (video) or sample-rate ticks (audio), unwrapped, all streams
    // alike; arrived_us is not set. The first video frame is a key frame. FRAME_CORRUPT: packets of
    // it were lost; FRAME_DISCONTINUITY: the clock jumped where the stream said that it may, or
    // sound was lost before it. Takes the reference.
    void (*on_frame)(void *arg, struct frame **frame);
};

// H.264, H.265, AAC (ADTS), MP3 and Opus of the first programme; other streams are ignored.
struct ts_demux *ts_demux_new(const struct ts_demux_events *events, void *arg);
void ts_demux_free(struct ts_demux **demux);                     // frames not given out are dropped
void ts_demux_input(struct ts_demux *demux, struct bytes bytes); // any amount
void ts_demux_flush(struct ts_demux *demux); // end of file: last access units come out
// Gaps in the counters of the streams in use, since the beginning.
uint64_t ts_demux_continuity_errors(const struct ts_demux *demux);

#endif
