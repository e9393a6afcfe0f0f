// SPDX-License-Identifier: MIT
// Decode times from presentation times.
//
// 1. Frames leave in the order in which they came.
// 2. Without reordering, and outside of catching up, the decode time is never above the
// presentation
//    time; while catching up the presentation time is moved up to the decode time.
#include "format/rtp_dts.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "media/h265.h"
#include "media/nal.h"
#include "media/timebase.h"

// A larger distance between two frames than this is a jump of the clock, not the work of an
// encoder.
#define JUMP_US (2 * US_PER_S)
// H.265 slices are not read: one frame behind its time may be a clock set back, two so close are
// not.
enum { SURPRISES_NEEDED = 2, SURPRISES_WITHIN = 64 };

void rtp_dts_init(struct rtp_dts *dts, void (*on_frame)(void *arg, struct frame **frame), void *arg)
{
    *dts = (struct rtp_dts){.on_frame = on_frame, .arg = arg};
}

void rtp_dts_fini(struct rtp_dts *dts)
{
    for (unsigned i = 0; i < dts->held_count; i++)
        frame_unref(&dts->held[i]);
    dts->held_count = 0;
}

static void read_h264(struct rtp_dts *dts, struct bytes config, bool *known, unsigned *depth)
{
    struct param_sets sets = {0};
    struct h264_sps sps;
    unsigned width;
    if (h264_config_parse(config, &sets, &width) == 0 && sets.count[1] > 0 &&
        h264_sps_parse(buf_bytes(sets.set[1][0]), &sps) == 0) {
        bool never = sps.reorder_known && sps.reorder_frames == 0;
        // A VUI may say none and be wrong; Baseline and picture order type 2 cannot have any.
        dts->may_reorder = !(never && (sps.profile == 66 || sps.poc_type == 2));
        *known = sps.reorder_known;
        *depth = sps.reorder_frames;
    }
    param_sets_fini(&sets);
}

static void read_h265(struct bytes config, unsigned *depth)
{
    struct param_sets sets = {0};
    struct h265_sps sps;
    unsigned width;
    if (h265_config_parse(config, &sets, &width) == 0 && sets.count[1] > 0 &&
        h265_sps_parse(buf_bytes(sets.set[1][0]), &sps) == 0)
        *depth = sps.reorder_frames;
    param_sets_fini(&sets);
}

void rtp_dts_set_track(struct rtp_dts *dts, const struct track *track)
{
    bool first = dts->timescale == 0, known = true;
    unsigned depth = 0;
    rtp_dts_flush(dts);
    dts->codec = track->codec;
    dts->timescale = track->timescale;
    dts->step = track->timescale / 25;
    if (track->fps_den > 0 && track->fps_num >= track->fps_den) // less than one a second is no rate
        dts->step = ticks_rescale(track->fps_den, track->fps_num, track->timescale);
    dts->may_reorder = true;
    if (track->config && track->codec == CODEC_H264)
        read_h264(dts, buf_bytes(track->config), &known, &depth);
    else if (track->config && track->codec == CODEC_H265)
        read_h265(buf_bytes(track->config), &depth);
    if (!known) {
        // What was seen so far is a better guess than what the level allows.
        dts->probing = first;
        return;
    }
    depth = depth > RTP_DTS_DEPTH_MAX ? RTP_DTS_DEPTH_MAX : depth;
    if (!first && depth != dts->depth && dts->started) {
        dts->started = false;
        dts->catching_up = true;
        dts->floor = dts->last;
    }
    dts->depth = depth;
}

static bool has_b_slice(const struct frame *frame)
{
    struct bytes in = bytes_of(frame_data(frame), frame->length), nal;
    unsigned type;
    while (nal_next_prefixed(&in, 4, &nal) == 0)
        if (h264_slice_type_parse(nal, &type) == 0 && type == 1)
            return true;
    return false;
}

// A frame is behind its time: is that the encoder's order, or the sender's clock?
static bool is_reordered(struct rtp_dts *dts, const struct frame *frame)
{
    if (!dts->may_reorder)
        return false;
    if (dts->codec == CODEC_H264)
        return has_b_slice(frame);
    dts->surprises = dts->since_surprise > SURPRISES_WITHIN ? 1 : dts->surprises + 1;
    dts->since_surprise = 0;
    return dts->surprises >= SURPRISES_NEEDED;
}

static void slots_begin(struct rtp_dts *dts, int64_t pts)
{
    for (unsigned i = 0; i <= dts->depth; i++)
        dts->slot[i] = pts - (int64_t)(dts->depth - i) * dts->step;
    dts->started = true;
}

// Puts a time in its place; slot[0..count) are ascending already.
static void slots_insert(struct rtp_dts *dts, unsigned count, int64_t pts)
{
    unsigned at = count;
    for (; at > 0 && dts->slot[at - 1] > pts; at--)
        dts->slot[at] = dts->slot[at - 1];
    dts->slot[at] = pts;
}

static void place(struct rtp_dts *dts, struct frame *frame)
{
    int64_t pts = frame->dts;
    int64_t jump = ticks_from_us(JUMP_US, dts->timescale);
    dts->since_surprise++;
    if (!dts->started) {
        slots_begin(dts, pts);
    } else if (pts > dts->slot[dts->depth] + jump || pts < dts->slot[0] - jump) {
        dts->catching_up = false;
        slots_begin(dts, pts);
    } else if (pts >= dts->slot[0]) {
        memmove(dts->slot, dts->slot + 1, dts->depth * sizeof(dts->slot[0]));
        slots_insert(dts, dts->depth, pts);
    } else if (is_reordered(dts, frame)) {
        dts->catching_up = true;
        dts->floor = dts->last;
        if (dts->depth < RTP_DTS_DEPTH_MAX)
            dts->depth++;
        slots_insert(dts, dts->depth, pts);
    } else {
        slots_begin(dts, pts);
    }
    int64_t when = dts->slot[0];
    if (dts->catching_up && when > dts->floor)
        dts->catching_up = false;
    if (dts->catching_up)
        when = ++dts->floor;
    dts->last = when;
    frame->dts = when;
    frame->cts = pts > when ? (int32_t)(pts - when) : 0;
}

static void give(struct rtp_dts *dts, struct frame **frame)
{
    place(dts, *frame);
    dts->on_frame(dts->arg, frame);
}

void rtp_dts_flush(struct rtp_dts *dts)
{
    if (!dts->probing)
        return;
    dts->probing = false;
    for (unsigned i = 0; i < dts->held_count; i++) {
        unsigned ahead = 0;
        for (unsigned k = 0; k < i; k++)
            ahead += dts->held[k]->dts > dts->held[i]->dts;
        if (ahead > dts->depth)
            dts->depth = ahead;
    }
    unsigned count = dts->held_count;
    dts->held_count = 0;
    for (unsigned i = 0; i < count; i++)
        give(dts, &dts->held[i]);
}

void rtp_dts_input(struct rtp_dts *dts, struct frame **frame)
{
    ENSURE(dts->timescale > 0);
    if (!dts->probing) {
        give(dts, frame);
        return;
    }
    int64_t from = dts->held_count ? dts->held[0]->dts : (*frame)->dts;
    int64_t span_us = ticks_to_us((*frame)->dts - from, dts->timescale);
    dts->held[dts->held_count++] = *frame;
    *frame = NULL;
    if (dts->held_count == RTP_DTS_PROBE_FRAMES || span_us >= RTP_DTS_PROBE_US ||
        span_us <= -RTP_DTS_PROBE_US)
        rtp_dts_flush(dts);
}
