// SPDX-License-Identifier: MIT
// Lip sync of RTP tracks.
#include "format/rtp_sync.h"

#include "base/ensure.h"
#include "media/timebase.h"

// Between two reports the sender's clock and its timestamps may drift this far apart; more is a
// step.
#define STEP_MIN_US 500000LL
#define FAR_US 500000LL

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

void rtp_sync_init(struct rtp_sync_track *track, uint32_t clock)
{
    ENSURE(clock > 0);
    *track = (struct rtp_sync_track){.clock = clock};
}

bool rtp_sync_anchored(const struct rtp_sync_track *track)
{
    return track->anchored;
}

void rtp_sync_anchor(struct rtp_sync_track *track, int64_t ticks, int64_t now)
{
    int64_t input_us = ticks_to_us(ticks, track->clock);
    track->anchored = true;
    track->offset_us = now - input_us;
    track->last_us = input_us;
    // Reports of another source say nothing about this one.
    track->reported = track->has_wanted = false;
    track->steps_us = 0;
}

void rtp_sync_report(struct rtp_sync_track *track, int64_t ticks, int64_t utc)
{
    int64_t report_us = utc - ticks_to_us(ticks, track->clock) - track->steps_us;
    if (track->reported && distance(report_us, track->report_us) > STEP_MIN_US) {
        track->steps_us += report_us - track->report_us;
        return;
    }
    track->reported = true;
    track->report_us = report_us;
}

bool rtp_sync_align(struct rtp_sync_track *track, const struct rtp_sync_track *reference)
{
    if (!track->reported || !reference->reported || !track->anchored || !reference->anchored)
        return false;
    int64_t wanted = reference->offset_us + track->report_us - reference->report_us;
    if (distance(wanted, track->offset_us) > RTP_SYNC_ERROR_MAX_US)
        return false;
    track->wanted_us = wanted;
    track->has_wanted = true;
    if (!track->given)
        track->offset_us = wanted;
    return true;
}

int64_t rtp_sync_offset(struct rtp_sync_track *track, int64_t ticks)
{
    int64_t input_us = ticks_to_us(ticks, track->clock);
    int64_t passed = input_us - track->last_us;
    track->last_us = input_us;
    track->given = true;
    int64_t error = track->has_wanted ? track->wanted_us - track->offset_us : 0;
    if (distance(error, 0) >= RTP_SYNC_ERROR_MIN_US && passed > 0) {
        int64_t percent = RTP_SYNC_SLEW_PERCENT * (distance(error, 0) > FAR_US ? 10 : 1);
        int64_t most = passed * percent / 100;
        track->offset_us += error > most ? most : error < -most ? -most : error;
    }
    return ticks_from_us(track->offset_us, track->clock);
}
