// SPDX-License-Identifier: MIT
// Brings the tracks of one RTP sender onto one clock. Each track's timestamps start at a random
// number; what ties them together is the sender reports, which say for each track what the sender's
// wall clock was at some timestamp (RFC 3550, 6.4.1). Before both tracks have one, the arrival of
// their first packets is the best guess.
//
// The result is the track's own count plus an offset. An offset found before the track's first
// frame is used at once; a later one is approached slowly, because a jump can be heard: by at most
// RTP_SYNC_SLEW_PERCENT of the time that passes, or ten times as fast when the error is above half
// a second. The track that serves as reference is never moved.
//
// The sender's clock is evidence, not authority: a step of it (somebody set the camera's clock)
// moves nothing, and a difference above RTP_SYNC_ERROR_MAX_US is not believed.
#ifndef FORMAT_RTP_SYNC_H
#define FORMAT_RTP_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#define RTP_SYNC_ERROR_MAX_US 10000000LL
// A difference below this is left alone: nobody sees or hears it, and reports jitter as much.
#define RTP_SYNC_ERROR_MIN_US 5000LL
enum { RTP_SYNC_SLEW_PERCENT = 2 };

struct rtp_sync_track {
    uint32_t clock;    // ticks a second
    bool anchored;     // offset_us is there
    bool given;        // a time has been given out: no more jumps
    int64_t offset_us; // output = input + offset
    int64_t last_us;   // input time of the newest frame, for the slew
    bool reported;
    int64_t report_us; // sender's UTC minus input time, steps of the sender's clock taken out
    int64_t steps_us;  // sum of those steps
    int64_t wanted_us; // what the reports say offset_us should be; valid with has_wanted
    bool has_wanted;
};

// clock: of the RTP timestamps, above 0.
void rtp_sync_init(struct rtp_sync_track *track, uint32_t clock);
// The first packet, or the first after a new beginning (another SSRC): ticks arrived at now_us.
void rtp_sync_anchor(struct rtp_sync_track *track, int64_t ticks, int64_t now_us);
bool rtp_sync_anchored(const struct rtp_sync_track *track);
// A sender report of the track: at `ticks` (unwrapped) the sender's clock was utc_us.
void rtp_sync_report(struct rtp_sync_track *track, int64_t ticks, int64_t utc_us);
// After reports: what `track`'s offset should be, given the reference's. False: not known, or not
// believable. Call for every track but the reference after a report of either.
bool rtp_sync_align(struct rtp_sync_track *track, const struct rtp_sync_track *reference);
// The offset for a frame at `ticks`, in ticks; moves it a little towards what is wanted.
int64_t rtp_sync_offset(struct rtp_sync_track *track, int64_t ticks);

#endif
