// SPDX-License-Identifier: MIT
// From the segmenter to the queue of the recorder.
//
// What is queued is bounded, for the stream and for its disk. From a first bound on segments are
// taken when they are closed, and thinned. One that does not fit below the second is left out, from
// there on: what was taken of it is ended where it is.
#include "recorder_items.h"

#include "archive_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "media/timebase.h"

static bool has_room(const struct recorder *recorder)
{
    return recorder->queued_bytes < ARCHIVE_QUEUE_BYTES_MAX &&
           recorder->queue.count + recorder->flight.count < ARCHIVE_QUEUE_PARTS_MAX &&
           recorder->disk->queued_bytes < ARCHIVE_DISK_QUEUE_BYTES_MAX;
}

// Of a closed segment: one that is larger than the bound has to wait for nothing else.
static bool fits(const struct recorder *recorder, uint64_t bytes)
{
    bool alone = list_empty(&recorder->queue) && list_empty(&recorder->flight);
    return alone || (recorder->queued_bytes + bytes < ARCHIVE_QUEUE_BYTES_MAX &&
                     recorder->disk->queued_bytes + bytes < ARCHIVE_DISK_QUEUE_BYTES_MAX);
}

// What comes now has to be less.
static bool is_behind(const struct recorder *recorder)
{
    return recorder->queued_bytes >= ARCHIVE_THIN_BYTES ||
           recorder->queue.count + recorder->flight.count >= ARCHIVE_THIN_PARTS ||
           recorder->disk->queued_bytes >= ARCHIVE_DISK_THIN_BYTES;
}

static void enqueue_end(struct recorder *recorder, const struct segment_info *info, int64_t end_us)
{
    struct write_item *item = mem_alloc(sizeof *item);
    item->end = true;
    item->info = *info;
    item->end_us = end_us;
    recorder_enqueue(recorder, item);
}

// What was taken of the segment being received ends where it is.
static void stop_receiving(struct recorder *recorder, enum receive_state state)
{
    if (recorder->receiving == RECEIVE_TAKING && recorder->parts > 0)
        enqueue_end(recorder, &recorder->info, 0);
    recorder->receiving = state;
}

static void note_slow(struct recorder *recorder)
{
    if (recorder->archive->problem == REASON_NONE)
        archive_set_problem(recorder->archive, REASON_DISK_SLOW, 0);
}

static void shed(struct recorder *recorder)
{
    stop_receiving(recorder, RECEIVE_SHED);
    recorder->archive->segments_shed++;
    note_slow(recorder);
    archive_mark(recorder->archive, recorder->archive->problem);
}

static bool receives(const struct recorder *recorder, const struct segment_info *info)
{
    return recorder->receiving != RECEIVE_NONE && recorder->info.number == info->number &&
           recorder->info.utc_start_us == info->utc_start_us;
}

// Of the segment being received all that was taken leaves the queue, to be taken when it is closed.
// False: something of it was given to the disk. Its parts are the last ones of the queue, in order.
static bool withdraw(struct recorder *recorder)
{
    if (recorder->queue.count < recorder->parts)
        return false;
    for (; recorder->parts > 0; recorder->parts--)
        recorder_item_free(recorder, &recorder->queue,
                           LIST_OWNER(list_last(&recorder->queue), struct write_item, node));
    recorder->receiving = RECEIVE_LATER;
    return true;
}

// A segment that begins in the middle of a group of pictures needs those before it.
static bool is_torn_off(const struct recorder *recorder, const struct segment_info *info)
{
    return recorder->thinned && !(info->flags & SEGMENT_KEY);
}

static void note_clock(struct recorder *recorder, const struct segment_info *info)
{
    recorder->heard_us = now_us();
    if (info->clock_us)
        redate_clock(&recorder->archive->redate, info->clock_us);
}

static struct write_item *part_item(const struct segment_info *info, struct tracks *tracks,
                                    unsigned part, unsigned parts)
{
    struct write_item *item = mem_alloc(sizeof *item);
    item->part = part;
    item->parts = parts;
    item->info = *info;
    if (part == 0)
        item->tracks = tracks_ref(tracks);
    return item;
}

void recorder_on_part(struct recorder *recorder, struct tracks *tracks,
                      const struct segment_info *info, unsigned part, struct frame *const *frames,
                      unsigned count)
{
    if (recorder->closing)
        return;
    if (!receives(recorder, info)) {
        bool now = part == 0 && !is_behind(recorder) && !is_torn_off(recorder, info);
        stop_receiving(recorder, now ? RECEIVE_TAKING : RECEIVE_LATER);
        recorder->info = *info;
        recorder->parts = 0;
        note_clock(recorder, info);
    }
    if (recorder->receiving != RECEIVE_TAKING)
        return;
    if (part != recorder->parts || !has_room(recorder)) {
        if (part != recorder->parts || !withdraw(recorder))
            shed(recorder);
        return;
    }
    recorder->thinned = false;
    struct write_item *item = part_item(info, tracks, part, 1);
    cmaf_chunk_write(tracks, frames, count, info, part, &item->bytes);
    uint64_t payload = 0;
    for (unsigned i = 0; i < count; i++)
        payload += frames[i]->length;
    item->head_bytes = (uint32_t)(item->bytes.bytes - payload);
    unsigned leading = tracks_leading(tracks);
    int64_t end;
    if (segment_frames_end(tracks, frames, count, leading, &end)) {
        item->end_us = ticks_to_us(end, tracks->track[leading].timescale);
        recorder->taken_end_us = item->end_us;
    }
    recorder_enqueue(recorder, item);
    recorder->parts++;
}

static void enqueue_closed(struct recorder *recorder, struct segment *segment)
{
    const struct chain *bytes = cmaf_segment(segment);
    struct buf *heads = cmaf_segment_heads(segment);
    unsigned parts = segment->part_count ? segment->part_count : 1;
    struct write_item *item = part_item(&segment->info, segment->tracks, 0, parts);
    chain_add_range(&item->bytes, bytes, 0, bytes->bytes);
    item->head_bytes = (uint32_t)heads->length;
    buf_unref(&heads);
    recorder->taken_end_us = segment->info.utc_start_us + segment->info.duration_us;
    recorder_enqueue(recorder, item);
    enqueue_end(recorder, &segment->info, segment->info.utc_start_us + segment->info.duration_us);
}

static void take_closed(struct recorder *recorder, struct segment *segment)
{
    note_clock(recorder, &segment->info);
    bool left_out = !has_room(recorder) || is_torn_off(recorder, &segment->info);
    bool whole = !is_behind(recorder) && fits(recorder, segment->info.bytes);
    struct segment *thinned = left_out || whole ? NULL : cmaf_segment_thin(segment);
    struct segment *taken = thinned ? thinned : segment;
    if (left_out || !fits(recorder, taken->info.bytes)) {
        shed(recorder);
    } else {
        enqueue_closed(recorder, taken);
        recorder->thinned = thinned != NULL;
        recorder->archive->segments_thinned += recorder->thinned;
        if (thinned)
            note_slow(recorder);
    }
    segment_unref(&thinned);
}

void recorder_on_segment(struct recorder *recorder, struct segment *segment)
{
    const struct segment_info *info = &segment->info;
    if (recorder->closing)
        return;
    bool known = receives(recorder, info);
    if (known && recorder->receiving == RECEIVE_TAKING) {
        enqueue_end(recorder, info, info->utc_start_us + info->duration_us);
    } else if (!known || recorder->receiving == RECEIVE_LATER) {
        stop_receiving(recorder, RECEIVE_NONE);
        take_closed(recorder, segment);
    }
    recorder->receiving = RECEIVE_NONE;
}

void recorder_on_lost(struct recorder *recorder)
{
    stop_receiving(recorder, RECEIVE_NONE);
}
