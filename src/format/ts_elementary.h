// SPDX-License-Identifier: MIT
// One elementary stream of a transport stream: PES payload in, frames out. ts_demux.c feeds it.
#ifndef TS_ELEMENTARY_H
#define TS_ELEMENTARY_H

#include "media/audio.h"
#include "media/frame.h"
#include "media/h265.h"
#include "ts_psi.h"

// 90 kHz, unwrapped.
struct ts_time {
    bool known;
    bool jump; // the first one after a discontinuity_indicator: it may be another clock's
    int64_t pts, dts;
};

struct ts_elementary;
// Takes the reference. frame->track is not set; es->track describes it.
typedef void (*ts_elementary_fn)(void *arg, struct ts_elementary *es, struct frame **frame);

struct ts_elementary {
    struct ts_stream about;
    ts_elementary_fn on_frame;
    void *arg;
    // What the demuxer reads and resets.
    struct track track; // owned; valid when has_track
    bool has_track;
    bool track_changed; // since the demuxer last looked
    bool discontinuity; // the next frame is not continuous with the one before it
    bool may_jump;      // of the frame in the making: the time was that of a jump
    bool gave;          // a frame, with last_dts
    int64_t last_dts;

    // Payload not yet eaten: owned, at most PAYLOAD_MAX.
    uint8_t *data;
    size_t length, capacity;
    // A time read from a PES head belongs to the first unit that begins at `mark` or behind it.
    bool pending, unchecked; // unchecked: whether a unit begins exactly at mark is not yet known
    size_t mark;
    struct ts_time next;
    struct ts_time last_head; // of the last PES that had a time: parts of one frame repeat it

    // Video.
    size_t scanned; // see ts_elementary.c, invariant 3
    struct param_sets sets;
    struct au_builder au;
    bool au_open;        // a NAL unit of the access unit in `au` was seen
    struct ts_time time; // of the first access unit that begins from now on; known: not yet given
    struct ts_time au_time;
    int64_t step;        // 90 kHz, from one access unit to the next without a time; 0 unknown
    unsigned since_time; // access units since the last one with a time of its own
    int64_t timed_dts;   // of that one
    bool started, corrupt;

    // Audio.
    bool locked; // the last unit ended where the next must begin
    bool has_clock;
    int64_t clock;     // dts of the next unit, ticks of the track
    uint8_t config[2]; // AAC: what `track` was made from
};

struct ts_elementary *ts_elementary_new(const struct ts_stream *about, ts_elementary_fn on_frame,
                                        void *arg);
void ts_elementary_free(struct ts_elementary **es);
// A PES begins; its payload follows.
void ts_elementary_begin(struct ts_elementary *es, const struct ts_time *time);
void ts_elementary_data(struct ts_elementary *es, struct bytes payload);
// Packets were lost in front of what comes next.
void ts_elementary_lost(struct ts_elementary *es);
// The end: what is complete comes out.
void ts_elementary_flush(struct ts_elementary *es);

#endif
