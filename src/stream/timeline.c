// SPDX-License-Identifier: MIT
#include "timeline.h"

#include "base/clock.h"
#include "media/timebase.h"

// A step ahead may exceed the time that passed on arrival by this much: bursts and jitter.
#define JUMP_US (3 * 1000000LL)
// Tracks whose origins differ by more than this do not share one.
#define SAME_ORIGIN_US (5 * 1000000LL)
#define DRIFT_WINDOW_US (10 * 1000000LL)
#define DRIFT_DEADBAND_US 100000LL
#define DRIFT_STEP_US (DRIFT_WINDOW_US * 500 / 1000000) // 500 ppm of the window
#define LATE_US (10 * 1000000LL)
// Of a wall clock that was set: less is drift. A stream without a key frame for so long goes along
// without one.
#define CLOCK_SET_US (10 * 1000000LL)
#define CLOCK_WAIT_US (15 * 1000000LL)
// A step back smaller than this is pressed flat; a larger one re-anchors the track.
#define FLAT_US 500000LL

void timeline_init(struct timeline *timeline)
{
    *timeline = (struct timeline){0};
}

void timeline_new_run(struct timeline *timeline)
{
    timeline->anchored = false;
    timeline->run_floor_us = timeline->floor_us;
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        timeline->track[i] = (struct timeline_track){0};
}

static int64_t step_or(const struct timeline_track *track, int64_t arrival_us, uint32_t timescale)
{
    // A frame without a usable time: by the usual step, or else by when it came.
    if (track->step > 0)
        return track->step;
    int64_t passed = ticks_from_us(arrival_us - track->last_arrival_us, timescale);
    int64_t most = timescale; // a second
    return passed < 1 ? 1 : passed > most ? most : passed;
}

static bool fits(int64_t step, int64_t arrived_us, uint32_t timescale)
{
    return step > 0 && ticks_to_us(step, timescale) <= arrived_us + JUMP_US;
}

static void track_start(struct timeline *timeline, struct timeline_track *track, int64_t in_us,
                        uint32_t timescale, int64_t wall_us)
{
    if (!timeline->anchored) {
        int64_t floor_us = timeline->run_floor_us;
        int64_t begin_us = wall_us > floor_us ? wall_us : floor_us + 1000;
        timeline->offset_us = begin_us - in_us;
        timeline->anchored = true;
        timeline->window_from_us = 0;
    }
    int64_t out_us = in_us + timeline->offset_us;
    int64_t off_us = out_us - wall_us;
    bool shares = off_us < SAME_ORIGIN_US && off_us > -SAME_ORIGIN_US;
    track->offset_us = shares ? timeline->offset_us : wall_us - in_us;
    // The list of tracks may be another one than in the run before: the floor is kept in time.
    track->last_out = ticks_from_us(timeline->run_floor_us, timescale);
    track->started = true;
}

// The frame does not follow from the one before it. Returns its time.
static int64_t map_odd(struct timeline *timeline, struct timeline_track *track, int64_t in,
                       uint32_t timescale, int64_t mono_us)
{
    int64_t last_us = ticks_to_us(track->last_out, timescale);
    timeline->repairs++;
    if (track->offset_us != timeline->offset_us) {
        int64_t shared_us = ticks_to_us(in, timescale) + timeline->offset_us;
        if (shared_us > last_us && shared_us < last_us + JUMP_US) {
            track->offset_us = timeline->offset_us;
            track->suspect = false;
            track->last_in = in;
            return in + ticks_from_us(track->offset_us, timescale);
        }
    }
    int64_t step = step_or(track, mono_us, timescale);
    if (track->suspect &&
        fits(in - track->suspect_in, mono_us - track->last_arrival_us, timescale)) {
        int64_t out = track->last_out + (in - track->suspect_in);
        track->offset_us = ticks_to_us(out - in, timescale);
        timeline->offset_us = track->offset_us;
        track->suspect = false;
        track->last_in = in;
        return out;
    }
    track->suspect = true;
    track->suspect_in = in;
    return track->last_out + step;
}

static void steer(struct timeline *timeline, int64_t out_us, int64_t mono_us, int64_t wall_us)
{
    int64_t late_us = wall_us - out_us;
    if (timeline->window_from_us == 0) {
        timeline->window_from_us = mono_us;
        timeline->window_min_us = late_us;
        return;
    }
    if (late_us < timeline->window_min_us)
        timeline->window_min_us = late_us;
    if (mono_us - timeline->window_from_us < DRIFT_WINDOW_US)
        return;
    int64_t error_us = timeline->window_min_us;
    timeline->window_from_us = 0;
    int64_t move_us = 0;
    bool jump = error_us > LATE_US;
    if (jump)
        move_us = error_us;
    else if (error_us > DRIFT_DEADBAND_US)
        move_us = DRIFT_STEP_US;
    else if (error_us < -DRIFT_DEADBAND_US)
        move_us = -DRIFT_STEP_US;
    if (move_us == 0)
        return;
    timeline->offset_us += move_us;
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        timeline->track[i].offset_us += move_us;
        timeline->track[i].jumped |= jump;
    }
}

static void note_floor(struct timeline *timeline, int64_t out_us)
{
    if (out_us > timeline->floor_us)
        timeline->floor_us = out_us;
}

// ---- the wall clock was set --------------------------------------------------------------------

static void look_at_clock(struct timeline *timeline, int64_t mono_us, int64_t wall_us)
{
    int64_t clock_us = wall_us - mono_us, set_us = clock_us - timeline->clock_us;
    if (timeline->clock_known && (set_us > CLOCK_SET_US || set_us < -CLOCK_SET_US)) {
        if (timeline->set_us == 0)
            timeline->set_since_us = mono_us;
        timeline->set_us += set_us;
    }
    timeline->clock_known = true;
    timeline->clock_us = clock_us;
}

// More than a tick of any timescale, and all of it less than what is taken for a hole.
enum { SETS_APART = 16, APART_US = 1003 };

static int64_t whole_seconds_us(int64_t us)
{
    int64_t half_us = us < 0 ? -US_PER_S / 2 : US_PER_S / 2;
    return (us + half_us) / US_PER_S * US_PER_S;
}

// Everything is as if the clock had always been what it is now.
static void go_along(struct timeline *timeline)
{
    // A segment is known by its start: none of those that the clock comes past again may have that
    // of an earlier one.
    int64_t by_us = whole_seconds_us(timeline->set_us) + ++timeline->sets % SETS_APART * APART_US;
    timeline->set_us = 0;
    timeline->offset_us += by_us;
    timeline->floor_us += by_us;
    timeline->run_floor_us += by_us;
    timeline->window_from_us = 0;
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        struct timeline_track *track = &timeline->track[i];
        track->offset_us += by_us;
        if (track->started)
            track->last_out += ticks_from_us(by_us, track->timescale);
        track->jumped = track->started;
    }
}

// Where a segment begins: one that is half of either time would be neither.
static bool may_go_along(const struct timeline *timeline, const struct frame *frame, bool leading,
                         int64_t mono_us)
{
    return !timeline->anchored ||
           (leading && (frame_is_key(frame) || mono_us - timeline->set_since_us > CLOCK_WAIT_US));
}

void timeline_map(struct timeline *timeline, struct frame *frame, uint32_t timescale, bool leading,
                  int64_t mono_us, int64_t wall_us)
{
    struct timeline_track *track = &timeline->track[frame->track];
    int64_t in = frame->dts, out;
    look_at_clock(timeline, mono_us, wall_us);
    if (timeline->set_us != 0 && may_go_along(timeline, frame, leading, mono_us))
        go_along(timeline);
    track->timescale = timescale;
    if (!track->started) {
        track_start(timeline, track, ticks_to_us(in, timescale), timescale, wall_us);
        out = in + ticks_from_us(track->offset_us, timescale);
        track->last_in = in;
    } else {
        int64_t step = in - track->last_in;
        if (fits(step, mono_us - track->last_arrival_us, timescale)) {
            out = in + ticks_from_us(track->offset_us, timescale);
            track->suspect = false;
            track->last_in = in;
            if (out > track->last_out && step < (int64_t)timescale)
                track->step = step;
            // After a stand-still the old origin lies behind what was given out: take a new one.
            if (ticks_to_us(track->last_out - out, timescale) > FLAT_US) {
                out = track->last_out + step_or(track, mono_us, timescale);
                track->offset_us = ticks_to_us(out - in, timescale);
                timeline->offset_us = track->offset_us;
                timeline->repairs++;
            }
        } else {
            out = map_odd(timeline, track, in, timescale, mono_us);
        }
    }
    if (out <= track->last_out)
        out = track->last_out + 1;
    if (track->jumped) {
        frame->flags |= FRAME_DISCONTINUITY;
        track->jumped = false;
    }
    track->last_out = out;
    track->last_arrival_us = mono_us;
    frame->dts = out;
    int64_t out_us = ticks_to_us(out, timescale);
    note_floor(timeline, out_us);
    if (leading && timeline->set_us == 0)
        steer(timeline, out_us, mono_us, wall_us);
}

void timeline_note(struct timeline *timeline, const struct frame *frame, uint32_t timescale)
{
    note_floor(timeline, ticks_to_us(frame->dts, timescale));
}
