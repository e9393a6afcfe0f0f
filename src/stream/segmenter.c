// SPDX-License-Identifier: MIT
#include "segmenter.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "media/timebase.h"

struct segmenter {
    const struct segmenter_events *events;
    void *arg;
    int64_t duration_us, clock_us;
    struct tracks *tracks; // one reference, NULL before the first
    unsigned leading;
    uint64_t next_number; // 0 before the first segment
    bool discontinuous;   // the next segment follows a hole
    // Following: what was announced for the next frame.
    bool following, announced, announced_whole;
    struct segment_info announcement;
    // The open segment.
    bool open, partial;
    struct segment_info info;
    struct frame **frames; // one reference each
    unsigned count, capacity;
    struct segment_part *parts;
    unsigned part_count, part_capacity;
    unsigned part_first;   // first frame of the open part
    int64_t part_start_us; // decode time of its first leading frame, or of its first frame
    bool part_led;         // it has a leading frame
    int64_t last_leading_us, leading_step_us;
};

struct segmenter *segmenter_new(const struct segmenter_events *events, void *arg)
{
    struct segmenter *segmenter = mem_alloc(sizeof *segmenter);
    segmenter->events = events;
    segmenter->arg = arg;
    segmenter->duration_us = 4 * US_PER_S;
    segmenter->discontinuous = true; // nothing is known to lie before the first one
    return segmenter;
}

void segmenter_set_clock(struct segmenter *segmenter, int64_t clock_us)
{
    segmenter->clock_us = clock_us;
}

static void clear(struct segmenter *segmenter)
{
    for (unsigned i = 0; i < segmenter->count; i++)
        frame_unref(&segmenter->frames[i]);
    segmenter->count = segmenter->part_count = segmenter->part_first = 0;
    segmenter->open = segmenter->part_led = segmenter->partial = false;
}

void segmenter_free(struct segmenter **segmenter)
{
    struct segmenter *gone = *segmenter;
    *segmenter = NULL;
    if (!gone)
        return;
    clear(gone);
    tracks_unref(&gone->tracks);
    mem_free(gone->frames);
    mem_free(gone->parts);
    mem_free(gone);
}

void segmenter_set_duration(struct segmenter *segmenter, int64_t duration_us)
{
    segmenter->duration_us = duration_us;
}

static void close_part(struct segmenter *segmenter)
{
    unsigned count = segmenter->count - segmenter->part_first;
    if (count == 0)
        return;
    if (segmenter->part_count == segmenter->part_capacity) {
        segmenter->part_capacity = segmenter->part_capacity ? segmenter->part_capacity * 2 : 16;
        segmenter->parts =
            mem_resize(segmenter->parts, segmenter->part_capacity * sizeof *segmenter->parts);
    }
    unsigned part = segmenter->part_count++;
    segmenter->parts[part] = (struct segment_part){.first = segmenter->part_first, .count = count};
    if (!segmenter->partial)
        segmenter->events->on_part(segmenter->arg, segmenter->tracks, &segmenter->info, part,
                                   segmenter->frames + segmenter->part_first, count);
    segmenter->part_first = segmenter->count;
    segmenter->part_led = false;
}

// next_us: where the next segment begins, or 0 when the run ended.
static void close_segment(struct segmenter *segmenter, int64_t next_us)
{
    if (!segmenter->open)
        return;
    close_part(segmenter);
    struct segment_info *info = &segmenter->info;
    int64_t end_us = next_us ? next_us : segmenter->last_leading_us + segmenter->leading_step_us;
    info->duration_us = end_us > info->utc_start_us ? end_us - info->utc_start_us : 1;
    if (segmenter->partial) {
        segmenter->events->on_partial(segmenter->arg, info, segmenter->tracks);
        clear(segmenter);
        return;
    }
    struct segment *segment = segment_new(info, segmenter->tracks);
    segment->frames = segmenter->frames;
    segment->frame_count = segmenter->count;
    segment->parts = segmenter->parts;
    segment->part_count = segmenter->part_count;
    segmenter->frames = NULL;
    segmenter->parts = NULL;
    segmenter->count = segmenter->capacity = 0;
    segmenter->part_count = segmenter->part_capacity = segmenter->part_first = 0;
    segmenter->open = segmenter->part_led = false;
    segmenter->events->on_segment(segmenter->arg, &segment);
}

void segmenter_set_tracks(struct segmenter *segmenter, struct tracks *tracks)
{
    close_segment(segmenter, 0);
    if (segmenter->tracks)
        segmenter->discontinuous = true;
    struct tracks *old = segmenter->tracks;
    segmenter->tracks = tracks_ref(tracks);
    tracks_unref(&old);
    segmenter->leading = tracks_leading(tracks);
    segmenter->leading_step_us = 40000;
    const struct track *track = &tracks->track[segmenter->leading];
    if (track->fps_num && track->fps_den)
        segmenter->leading_step_us = US_PER_S * track->fps_den / track->fps_num;
}

void segmenter_announce(struct segmenter *segmenter, uint64_t number, int64_t utc_start_us,
                        uint8_t flags, bool whole)
{
    segmenter->following = segmenter->announced = true;
    segmenter->announced_whole = whole;
    segmenter->announcement =
        (struct segment_info){.number = number, .utc_start_us = utc_start_us, .flags = flags};
}

void segmenter_skipped(struct segmenter *segmenter)
{
    segmenter->partial |= segmenter->open;
}

void segmenter_end_run(struct segmenter *segmenter)
{
    if (segmenter->following)
        clear(segmenter);
    else
        close_segment(segmenter, 0);
    segmenter->announced = segmenter->following = false;
    segmenter->discontinuous = true;
}

bool segmenter_open_info(const struct segmenter *segmenter, struct segment_info *info)
{
    if (segmenter->open)
        *info = segmenter->info;
    return segmenter->open;
}

static void begin(struct segmenter *segmenter, struct frame *frame, int64_t dts_us)
{
    struct segment_info *info = &segmenter->info;
    if (segmenter->announced) {
        *info = segmenter->announcement;
        segmenter->partial = !segmenter->announced_whole;
        segmenter->announced = false;
    } else {
        *info = (struct segment_info){.utc_start_us = dts_us, .clock_us = segmenter->clock_us};
        uint64_t second = (uint64_t)(dts_us / US_PER_S);
        info->number = segmenter->next_number ? segmenter->next_number : second;
        if (frame_is_key(frame) && frame->track == segmenter->leading)
            info->flags |= SEGMENT_KEY;
        if (segmenter->discontinuous)
            info->flags |= SEGMENT_DISCONTINUITY;
    }
    info->generation = segmenter->tracks->generation;
    segmenter->next_number = info->number + 1;
    segmenter->discontinuous = false;
    segmenter->open = true;
    segmenter->last_leading_us = dts_us;
    frame->flags |= FRAME_SEGMENT;
    if (info->flags & SEGMENT_DISCONTINUITY)
        frame->flags |= FRAME_SEGMENT_GAP;
}

static bool is_too_long(const struct segmenter *segmenter, const struct frame *frame,
                        int64_t dts_us)
{
    return dts_us - segmenter->info.utc_start_us > SEGMENT_DURATION_MAX_US ||
           segmenter->count >= SEGMENT_FRAMES_MAX ||
           segmenter->info.bytes + frame->length > SEGMENT_BYTES_MAX;
}

// Whether this frame begins another segment. Own mode.
static bool cuts(const struct segmenter *segmenter, const struct frame *frame, int64_t dts_us)
{
    int64_t lasted_us = dts_us - segmenter->info.utc_start_us;
    if (is_too_long(segmenter, frame, dts_us))
        return true;
    if (frame->track != segmenter->leading)
        return false;
    if (frame->flags & FRAME_DISCONTINUITY)
        return true;
    return frame_is_key(frame) &&
           lasted_us >= segmenter->duration_us - segmenter->leading_step_us / 2;
}

static void cut_part(struct segmenter *segmenter, const struct frame *frame, int64_t dts_us)
{
    bool leading = frame->track == segmenter->leading;
    int64_t lasted_us = dts_us - segmenter->part_start_us;
    if (segmenter->count > segmenter->part_first &&
        ((leading && segmenter->part_led && lasted_us >= PART_DURATION_US) ||
         lasted_us >= 2 * PART_DURATION_US))
        close_part(segmenter);
    if (segmenter->count == segmenter->part_first || (leading && !segmenter->part_led))
        segmenter->part_start_us = dts_us;
    segmenter->part_led |= leading;
}

void segmenter_push(struct segmenter *segmenter, struct frame *frame)
{
    const struct track *track = &segmenter->tracks->track[frame->track];
    int64_t dts_us = ticks_to_us(frame->dts, track->timescale);
    bool leading = frame->track == segmenter->leading;
    if (segmenter->following) {
        if (segmenter->announced && segmenter->open &&
            segmenter->announcement.number == segmenter->info.number) {
            segmenter->announced = false; // further on in the same one, after frames left out
            segmenter->partial = true;
        } else if (segmenter->announced) {
            // As the far server reckons its length: a hole behind it is not part of it.
            bool hole = segmenter->announcement.flags & SEGMENT_DISCONTINUITY;
            close_segment(segmenter, hole ? 0 : segmenter->announcement.utc_start_us);
            begin(segmenter, frame, dts_us);
        } else if (segmenter->open && is_too_long(segmenter, frame, dts_us)) {
            clear(segmenter); // the far server keeps to the same bounds: this one does not
        }
    } else if (segmenter->open) {
        if (cuts(segmenter, frame, dts_us)) {
            segmenter->discontinuous |= (frame->flags & FRAME_DISCONTINUITY) != 0;
            close_segment(segmenter, frame->flags & FRAME_DISCONTINUITY ? 0 : dts_us);
            begin(segmenter, frame, dts_us);
        }
    } else if (leading && frame_is_key(frame)) {
        begin(segmenter, frame, dts_us);
    }
    if (!segmenter->open)
        return;
    cut_part(segmenter, frame, dts_us);
    if (segmenter->count == segmenter->capacity) {
        segmenter->capacity = segmenter->capacity ? segmenter->capacity * 2 : 256;
        segmenter->frames =
            mem_resize(segmenter->frames, segmenter->capacity * sizeof *segmenter->frames);
    }
    frame->segment_number = segmenter->info.number;
    segmenter->info.bytes += frame->length;
    segmenter->frames[segmenter->count++] = frame_ref(frame);
    if (leading) {
        int64_t step_us = dts_us - segmenter->last_leading_us;
        if (step_us > 0 && step_us < US_PER_S)
            segmenter->leading_step_us = step_us;
        segmenter->last_leading_us = dts_us;
    }
}
