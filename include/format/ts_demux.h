// SPDX-License-Identifier: MIT
// MPEG transport stream in: bytes in, tracks and frames out; no sockets, no clock. Resynchronises,
// counts continuity errors, follows PAT and PMT changes, unwraps 33 bits.
#ifndef FORMAT_TS_DEMUX_H
#define FORMAT_TS_DEMUX_H

#include "media/frame.h"
#include "media/track.h"

struct ts_demux;

struct ts_demux_events {
    // The tracks are known or have changed; takes the reference. Frames that follow refer to it.
    void (*on_tracks)(void *arg, struct tracks **tracks);
    // dts in 90 kHz (video) or sample-rate ticks (audio), unwrapped; takes the reference.
    void (*on_frame)(void *arg, struct frame **frame);
};

struct ts_demux *ts_demux_new(const struct ts_demux_events *events, void *arg);
void ts_demux_free(struct ts_demux **demux);
void ts_demux_input(struct ts_demux *demux, struct bytes bytes); // any amount
void ts_demux_flush(struct ts_demux *demux); // end of file: last access units come out
uint64_t ts_demux_continuity_errors(const struct ts_demux *demux);

#endif
