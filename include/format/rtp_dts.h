// SPDX-License-Identifier: MIT
// Decode times for video that came over RTP, which carries presentation times only (RFC 3550, 5.1).
//
// Decode times are the presentation times in rising order, late by as many frames as the encoder
// reorders. A frame is given on at once with its decode time: nothing waits. How many frames are
// reordered is known from the sequence parameter set; where H.264 does not say it, the first few
// frames (at most RTP_DTS_PROBE_FRAMES, or RTP_DTS_PROBE_US of media) wait once until their order
// shows it. B-frames that appear although nothing announced them deepen the order from then on; the
// frames until it has caught up are presented a little late.
//
// Without reordering decode times are the presentation times, whatever those do: time that stands
// still, jumps or runs back is passed on.
#ifndef FORMAT_RTP_DTS_H
#define FORMAT_RTP_DTS_H

#include <stdbool.h>
#include <stdint.h>

#include "media/frame.h"
#include "media/track.h"

enum { RTP_DTS_PROBE_FRAMES = 6, RTP_DTS_DEPTH_MAX = 16 };
#define RTP_DTS_PROBE_US 400000LL

struct rtp_dts {
    enum codec codec;
    uint32_t timescale; // 0 before the first track
    int64_t step;       // usual distance of two frames, ticks
    bool may_reorder;   // profile and picture order allow B-frames
    bool probing;
    unsigned depth; // frames by which decode times lag
    // The depth + 1 largest presentation times seen, ascending; slot[0] is the decode time last
    // given.
    int64_t slot[RTP_DTS_DEPTH_MAX + 1];
    bool started;     // the slots hold times
    bool catching_up; // decode times are made up from floor until the slots have passed it
    int64_t floor;
    int64_t last;       // decode time last given
    unsigned surprises; // frames behind their time, of the last ones
    unsigned since_surprise;
    struct frame *held[RTP_DTS_PROBE_FRAMES];
    unsigned held_count;
    void (*on_frame)(void *arg, struct frame **frame); // takes the reference
    void *arg;
};

void rtp_dts_init(struct rtp_dts *dts, void (*on_frame)(void *arg, struct frame **frame),
                  void *arg);
void rtp_dts_fini(struct rtp_dts *dts); // frames that wait are dropped
// The parameters of the frames that follow: before the first frame, and at each change.
void rtp_dts_set_track(struct rtp_dts *dts, const struct track *track);
// One access unit in decode order, its presentation time in dts. Takes the reference; on_frame may
// come for any number of frames before this returns.
void rtp_dts_input(struct rtp_dts *dts, struct frame **frame);
void rtp_dts_flush(struct rtp_dts *dts); // frames that wait are given on

#endif
