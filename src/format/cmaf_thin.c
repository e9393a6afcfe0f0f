// SPDX-License-Identifier: MIT
// A segment without the pictures that a disk has no room for.
//
// 1. What is made shares nothing with what it was made of: one block, as long as its bytes. Frames
//    may be parts of a large block (all of a segment that came over the link), which would stay.
// 2. Each video track goes on without a gap: a picture lasts until the next one that is kept, the
//    last one to where the picture after the segment begins.
#include "cmaf_priv.h"

#include "base/limits.h"
#include "base/mem.h"
#include "media/timebase.h"

static bool is_video(const struct segment *segment, const struct frame *frame)
{
    return segment->tracks->track[frame->track].kind == MEDIA_VIDEO;
}

static bool stays(const struct segment *segment, const struct frame *frame)
{
    return frame_is_key(frame) || !is_video(segment, frame);
}

// Ticks at which the next picture of the track is due after the segment.
static int64_t end_of(const struct segment *segment, unsigned track)
{
    const struct segment_info *info = &segment->info;
    if (track == tracks_leading(segment->tracks))
        return ticks_from_us(info->utc_start_us + info->duration_us,
                             segment->tracks->track[track].timescale);
    int64_t end = 0;
    (void)segment_frames_end(segment->tracks, segment->frames, segment->frame_count, track, &end);
    return end;
}

// One reference to the frame, or to one that is the same but lasts longer.
static struct frame *lasting(struct frame *frame, int64_t end)
{
    if (end <= frame->dts || (uint64_t)end - (uint64_t)frame->dts > UINT32_MAX)
        return frame_ref(frame);
    struct buf *buf = buf_ref(frame->buf);
    struct frame *longer = frame_new(frame->track, &buf);
    longer->flags = frame->flags;
    longer->dts = frame->dts;
    longer->cts = frame->cts;
    longer->duration = (uint32_t)(end - frame->dts);
    longer->offset = frame->offset;
    longer->length = frame->length;
    return longer;
}

// References to those that stay, in their order. Returns how many.
static unsigned pick(const struct segment *segment, struct frame **out)
{
    unsigned count = 0;
    unsigned last[TRACKS_MAX] = {0}; // of each video track its last one in out, plus one
    for (unsigned i = 0; i < segment->frame_count; i++) {
        struct frame *frame = segment->frames[i];
        if (!stays(segment, frame))
            continue;
        out[count++] = frame_ref(frame);
        if (is_video(segment, frame))
            last[frame->track] = count;
    }
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        if (last[i] == 0)
            continue;
        struct frame **at = &out[last[i] - 1], *frame = *at;
        *at = lasting(frame, end_of(segment, i));
        frame_unref(&frame);
    }
    return count;
}

// How many frames stay; 0 when the segment cannot be thinned.
static unsigned survey(const struct segment *segment)
{
    unsigned count = 0, leading = tracks_leading(segment->tracks);
    uint64_t bytes = 0;
    bool led = false;
    for (unsigned i = 0; i < segment->frame_count; i++) {
        const struct frame *frame = segment->frames[i];
        bool first = !led && frame->track == leading;
        if (first && !frame_is_key(frame))
            return 0; // what comes before its first key picture would be a gap
        led |= first;
        if (!stays(segment, frame))
            continue;
        count++;
        bytes += frame->length;
    }
    // One chunk holds less than several of another server may.
    return led && count < segment->frame_count && bytes <= SEGMENT_BYTES_MAX ? count : 0;
}

struct segment *cmaf_segment_thin(struct segment *segment)
{
    unsigned count = segment_frames(segment) == 0 ? survey(segment) : 0;
    if (count == 0)
        return NULL;
    struct segment_info info = segment->info;
    struct frame **frames = mem_alloc(count * sizeof *frames);
    struct chain chunk = {0};
    info.flags |= SEGMENT_THINNED;
    (void)pick(segment, frames);
    cmaf_chunk_write(segment->tracks, frames, count, &info, 0, &chunk);
    for (unsigned i = 0; i < count; i++)
        frame_unref(&frames[i]);
    mem_free(frames);
    struct buf *bytes = chain_join(&chunk);
    struct segment *thinned = NULL;
    chain_fini(&chunk);
    info.bytes = bytes->length;
    if (cmaf_segment_from_bytes(&bytes, segment->tracks, &thinned) == 0)
        thinned->info = info;
    return thinned;
}
