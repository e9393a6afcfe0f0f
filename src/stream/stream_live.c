// SPDX-License-Identifier: MIT
// The live part of a stream: track lists, ring, segmenter, and the window of segments.
//
// Window invariants: entries are in order of utc_start and their numbers are consecutive; a gap in
// the numbers empties it first (a playlist cannot express one). At most `listed` + WINDOW_EXTRA
// entries; `listed` is the far server's where the stream comes from one, so that both list the
// same.
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "media/timebase.h"
#include "stream_priv.h"

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    struct stream *stream = arg;
    LIST_FOREACH(&stream->listeners, it, after)
    {
        struct segment_listener *listener = LIST_OWNER(it, struct segment_listener, node);
        listener->on_part(listener->arg, tracks, info, part, frames, count);
    }
}

static void entry_fini(struct window_entry *entry)
{
    tracks_unref(&entry->tracks);
    segment_unref(&entry->segment);
}

static void window_clear(struct live *live)
{
    for (size_t i = 0; i < live->window_count; i++) {
        live->discontinuities_gone += (live->window[i].info.flags & SEGMENT_DISCONTINUITY) != 0;
        entry_fini(&live->window[i]);
    }
    live->window_count = 0;
}

static void window_mark(struct stream *stream)
{
    struct live *live = stream->live;
    live->listed = live->far_listed ? live->far_listed : stream->conf->segment_count;
    size_t most = live->listed + WINDOW_EXTRA;
    while (live->window_count > most) {
        live->discontinuities_gone += (live->window[0].info.flags & SEGMENT_DISCONTINUITY) != 0;
        entry_fini(&live->window[0]);
        live->window_count--;
        memmove(live->window, live->window + 1, live->window_count * sizeof *live->window);
    }
    for (size_t i = 0; i < live->window_count; i++)
        live->window[i].listed = live->window_count - i <= live->listed;
}

// Segments that are newest where they come from, and lie far before what is listed: the far server
// began anew with an earlier clock. What it lists now is what there is.
static void window_check(struct live *live, const struct segment_info *newest)
{
    const struct window_entry *last =
        live->window_count ? &live->window[live->window_count - 1] : NULL;
    if (last && newest->number < last->info.number &&
        last->info.utc_start_us - newest->utc_start_us > SEGMENT_DURATION_MAX_US)
        window_clear(live);
}

static void window_add(struct stream *stream, const struct segment_info *info,
                       struct tracks *tracks, struct segment *segment)
{
    struct live *live = stream->live;
    struct window_entry *last = live->window_count ? &live->window[live->window_count - 1] : NULL;
    if (last && info->number <= last->info.number) {
        // Known already (from the far window): the bytes may be what was missing.
        struct window_entry *known = live_find(stream, info->utc_start_us / US_PER_MS);
        if (known && !known->segment && segment)
            known->segment = segment_ref(segment);
        if (known || info->utc_start_us <= last->info.utc_start_us)
            return;
        window_clear(live); // numbers began anew, later in time: another life of the far server
    } else if (last && info->number != last->info.number + 1) {
        window_clear(live);
    }
    if (live->window_count == live->window_capacity) {
        live->window_capacity = live->window_capacity ? live->window_capacity * 2 : 8;
        live->window = mem_resize(live->window, live->window_capacity * sizeof *live->window);
    }
    live->window[live->window_count++] = (struct window_entry){
        .info = *info,
        .tracks = tracks ? tracks_ref(tracks) : NULL,
        .segment = segment ? segment_ref(segment) : NULL,
    };
    window_mark(stream);
}

void live_add_segment(struct stream *stream, struct segment *segment)
{
    window_check(stream->live, &segment->info);
    window_add(stream, &segment->info, segment->tracks, segment);
    stream->stats.segments++;
    LIST_FOREACH(&stream->listeners, it, after)
    {
        struct segment_listener *listener = LIST_OWNER(it, struct segment_listener, node);
        listener->on_segment(listener->arg, segment);
    }
    waiters_check(stream);
    stream_news(stream);
}

static void on_segment(void *arg, struct segment **segment)
{
    live_add_segment(arg, *segment);
    segment_unref(segment);
}

static void on_partial(void *arg, const struct segment_info *info, struct tracks *tracks)
{
    struct stream *stream = arg;
    window_check(stream->live, info);
    window_add(arg, info, tracks, NULL);
    waiters_check(arg);
}

static const struct segmenter_events segmenter_events = {
    .on_part = on_part, .on_segment = on_segment, .on_partial = on_partial};

static void forget_pushed(struct live *live)
{
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        live->pushed_dts[i] = INT64_MIN;
}

struct live *live_new(struct stream *stream)
{
    struct live *live = mem_alloc(sizeof *live);
    ring_init(&live->ring);
    timeline_init(&live->timeline);
    forget_pushed(live);
    live->listed = stream->conf->segment_count;
    live->segmenter = segmenter_new(&segmenter_events, stream);
    segmenter_set_duration(live->segmenter, stream->conf->segment_duration_us);
    return live;
}

void live_free(struct live **live)
{
    struct live *gone = *live;
    *live = NULL;
    if (!gone)
        return;
    segmenter_free(&gone->segmenter);
    ring_fini(&gone->ring);
    window_clear(gone);
    mem_free(gone->window);
    for (unsigned i = 0; i < TRACKS_KEPT; i++)
        tracks_unref(&gone->tracks[i]);
    mem_free(gone);
}

void live_set_tracks(struct stream *stream, struct tracks *tracks)
{
    struct live *live = stream->live;
    if (live->tracks[0] && live->tracks[0]->generation == tracks->generation)
        return;
    tracks_unref(&live->tracks[TRACKS_KEPT - 1]);
    memmove(live->tracks + 1, live->tracks, (TRACKS_KEPT - 1) * sizeof *live->tracks);
    live->tracks[0] = tracks_ref(tracks);
    forget_pushed(live);
    segmenter_set_tracks(live->segmenter, tracks);
    stream_set_known_tracks(stream, tracks);
    waiters_check(stream);
}

// Into the ring, and counted.
static void note_frame(struct stream *stream, struct frame *frame, unsigned leading)
{
    struct live *live = stream->live;
    int64_t dts_us = ticks_to_us(frame->dts, live->tracks[0]->track[frame->track].timescale);
    ring_append(&live->ring, frame, frame->arrived_us,
                frame->track == leading && frame_is_key(frame));
    stream->stats.frames_in++;
    stream->stats.bytes_in += frame->length;
    stream->stats.last_frame_us = frame->arrived_us;
    stream->stats.last_dts_utc_us = dts_us;
    live->second_bytes[live->second] += frame->length;
    stream_news(stream);
}

// The segment that the frames which follow are from. Joined again in the very segment that was
// left, the far server repeats frames that are here; in any other one everything is new. So is
// everything where time goes back from one segment to the next: the far clock was set.
static void reach(struct live *live, const struct segment_info *info)
{
    bool same = live->reached_number == info->number && live->reached_utc_us == info->utc_start_us;
    if ((live->rejoining && !same) || info->utc_start_us < live->reached_utc_us)
        forget_pushed(live);
    live->rejoining = false;
    live->reached_number = info->number;
    live->reached_utc_us = info->utc_start_us;
}

// Whether the ring has had this frame of a far server; remembers it.
static bool is_again(struct live *live, const struct frame *frame)
{
    if (frame->dts <= live->pushed_dts[frame->track])
        return true;
    live->pushed_dts[frame->track] = frame->dts;
    return false;
}

void live_push(struct stream *stream, struct frame *frame, bool follows)
{
    struct live *live = stream->live;
    const struct tracks *tracks = live->tracks[0];
    const struct track *track = &tracks->track[frame->track];
    unsigned leading = tracks_leading(tracks);
    int64_t mono_us = now_us();
    frame->arrived_us = mono_us;
    frame->generation = tracks->generation;
    bool again = false;
    if (follows) {
        timeline_note(&live->timeline, frame, track->timescale);
        again = is_again(live, frame);
    } else {
        timeline_map(&live->timeline, frame, track->timescale, frame->track == leading, mono_us,
                     utc_us());
        segmenter_set_clock(live->segmenter, timeline_clock_us(&live->timeline));
        live->reached_number = 0; // whatever a far server repeats later, the ring has moved on
        live->far_listed = 0;
    }
    if (frame->flags & FRAME_DISCONTINUITY)
        stream->stats.discontinuities++;
    segmenter_push(live->segmenter, frame);
    if (!again)
        note_frame(stream, frame, leading);
}

void live_announce(struct stream *stream, const struct segment_info *info, bool whole)
{
    reach(stream->live, info);
    segmenter_announce(stream->live->segmenter, info->number, info->utc_start_us, info->flags,
                       whole);
}

void live_push_ready(struct stream *stream, struct segment *segment)
{
    struct live *live = stream->live;
    const struct tracks *tracks = live->tracks[0];
    unsigned leading = tracks_leading(tracks);
    int64_t mono_us = now_us();
    reach(live, &segment->info);
    for (unsigned i = 0; i < segment->frame_count; i++) {
        struct frame *frame = segment->frames[i];
        if (frame->track >= tracks->count || is_again(live, frame))
            continue;
        frame->arrived_us = mono_us;
        frame->generation = tracks->generation;
        note_frame(stream, frame, leading);
    }
    const struct window_entry *known = live_find(stream, segment->info.utc_start_us / US_PER_MS);
    if (!known || !known->segment)
        live_add_segment(stream, segment);
}

void live_end_run(struct stream *stream, enum reason reason)
{
    stream->live->rejoining = true;
    segmenter_end_run(stream->live->segmenter);
    timeline_new_run(&stream->live->timeline);
    LIST_FOREACH(&stream->listeners, it, after)
    {
        struct segment_listener *listener = LIST_OWNER(it, struct segment_listener, node);
        listener->on_lost(listener->arg, reason);
    }
}

void live_add_far_window(struct stream *stream, const struct segment_info *infos, size_t count,
                         unsigned listed, struct tracks *tracks)
{
    stream->live->far_listed = listed;
    if (count)
        window_check(stream->live, &infos[count - 1]);
    for (size_t i = 0; i < count; i++) {
        struct segment_info info = infos[i];
        if (info.generation == 0)
            info.generation = tracks->generation;
        window_add(stream, &info, info.generation == tracks->generation ? tracks : NULL, NULL);
    }
    window_mark(stream);
    waiters_check(stream);
}

struct window_entry *live_find(struct stream *stream, int64_t utc_start_ms)
{
    struct live *live = stream->live;
    for (size_t i = live ? live->window_count : 0; i-- > 0;)
        if (live->window[i].info.utc_start_us / US_PER_MS == utc_start_ms)
            return &live->window[i];
    return NULL;
}

bool live_has_window(const struct stream *stream)
{
    return stream->live && stream->live->tracks[0] && stream->live->window_count > 0;
}

void live_tick(struct stream *stream)
{
    struct live *live = stream->live;
    if (!live)
        return;
    uint64_t sum = 0;
    for (unsigned i = 0; i < 10; i++)
        sum += live->second_bytes[i];
    live->seconds += live->seconds < 10;
    stream->stats.bitrate_bps = (uint32_t)(sum * 8 / live->seconds);
    live->second = (live->second + 1) % 10;
    live->second_bytes[live->second] = 0;
}

const struct window_entry *stream_window(struct stream *stream, size_t *count)
{
    OBJ_CHECK(stream, STREAM_MAGIC);
    *count = stream->live ? stream->live->window_count : 0;
    return stream->live ? stream->live->window : NULL;
}

unsigned stream_window_listed(const struct stream *stream)
{
    return stream->live ? stream->live->listed : stream->conf->segment_count;
}

struct segment *stream_find_segment(struct stream *stream, int64_t utc_start_ms)
{
    struct window_entry *entry = live_find(stream, utc_start_ms);
    return entry ? entry->segment : NULL;
}

uint64_t stream_discontinuity_sequence(struct stream *stream)
{
    struct live *live = stream->live;
    uint64_t count = live ? live->discontinuities_gone : 0;
    for (size_t i = 0; live && i < live->window_count && !live->window[i].listed; i++)
        count += (live->window[i].info.flags & SEGMENT_DISCONTINUITY) != 0;
    return count;
}

bool stream_open_segment(struct stream *stream, struct segment_info *info)
{
    return stream->live && segmenter_open_info(stream->live->segmenter, info);
}

struct tracks *stream_tracks(const struct stream *stream)
{
    return stream->live ? stream->live->tracks[0] : NULL;
}
