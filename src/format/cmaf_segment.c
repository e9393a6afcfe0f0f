// SPDX-License-Identifier: MIT
// Whole segments: the CMAF rendition of frames, and frames of archived bytes.
//
// 1. The rendition is a run of chunks; the head of a chunk lies whole within one slice.
// 2. A segment from bytes has them in rendition 0 as one slice; its frames are parts of that block.
#include "cmaf_priv.h"

#include <stdlib.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/writer.h"

const char cmaf_rendition_key = 0;

const struct chain *cmaf_segment(struct segment *segment)
{
    const struct chain *made = segment_rendition(segment, &cmaf_rendition_key);
    if (made)
        return made;
    ENSURE(segment->frame_count > 0 && !segment->unpack);
    struct chain chunks = {0};
    for (unsigned i = 0; i < segment->part_count; i++)
        cmaf_chunk_write(segment->tracks, segment->frames + segment->parts[i].first,
                         segment->parts[i].count, &segment->info, i, &chunks);
    return segment_rendition_set(segment, &cmaf_rendition_key, &chunks);
}

bool cmaf_walk_next(struct cmaf_walk *walk, struct cmaf_head *head, struct bytes *bytes,
                    size_t *payload_at)
{
    const struct chain *chunks = walk->chunks;
    if (walk->at >= chunks->bytes)
        return false;
    const struct chain_slice *slice = &chunks->slices[chunks->first + walk->slice];
    for (; walk->at - walk->start >= slice->length; slice++) {
        walk->start += slice->length;
        walk->slice++;
    }
    size_t skip = walk->at - walk->start;
    struct bytes rest = bytes_of(slice->buf->data + slice->offset + skip, slice->length - skip);
    ENSURE(cmaf_head_parse(rest, walk->tracks, head) == 0);
    *bytes = bytes_of(rest.data, head->head_length);
    *payload_at = walk->at + head->head_length;
    walk->at = *payload_at + (size_t)head->payload_length;
    return true;
}

struct buf *cmaf_segment_heads(struct segment *segment)
{
    struct cmaf_walk walk = {.chunks = cmaf_segment(segment), .tracks = segment->tracks};
    struct cmaf_head head;
    struct bytes bytes;
    size_t payload_at;
    struct writer out = {0};
    while (cmaf_walk_next(&walk, &head, &bytes, &payload_at))
        writer_bytes(&out, bytes.data, bytes.length);
    return writer_take(&out);
}

// ---- from bytes ---------------------------------------------------------------------------------

// The frames of one chunk while they are put in decode order.
struct unpacking {
    struct segment *segment;
    struct buf *buf;
    size_t at; // of the chunk in buf
    struct entry {
        struct frame *frame;
        uint32_t order; // in the payload
        uint32_t timescale;
    } * entries;
    unsigned count;
};

static int unpack_sample(void *arg, const struct cmaf_sample *sample)
{
    struct unpacking *to = arg;
    struct buf *buf = buf_ref(to->buf);
    struct frame *frame = frame_new(sample->track, &buf);
    frame->flags = sample->flags;
    frame->dts = sample->dts;
    frame->cts = sample->cts;
    frame->duration = sample->duration;
    frame->offset = (uint32_t)(to->at + sample->offset);
    frame->length = sample->length;
    frame->generation = to->segment->info.generation;
    frame->segment_number = to->segment->info.number;
    to->entries[to->count] =
        (struct entry){frame, to->count, to->segment->tracks->track[sample->track].timescale};
    to->count++;
    return 0;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;
    __int128 first = (__int128)one->frame->dts * two->timescale;
    __int128 second = (__int128)two->frame->dts * one->timescale;
    if (first != second)
        return first < second ? -1 : 1;
    return one->order < two->order ? -1 : 1; // the payload is in the order of tracks
}

static int chunk_unpack(struct unpacking *to, struct bytes chunk, unsigned samples)
{
    to->entries = mem_try_alloc(samples * sizeof(*to->entries));
    to->count = 0;
    if (!to->entries)
        return ERR_LIMIT;
    int result = cmaf_samples_parse(chunk, to->segment->tracks, unpack_sample, to);
    if (result == 0)
        qsort(to->entries, to->count, sizeof(*to->entries), entry_compare);
    for (unsigned i = 0; i < to->count; i++) {
        if (result == 0)
            segment_add_frame(to->segment, &to->entries[i].frame, i == 0);
        else
            frame_unref(&to->entries[i].frame);
    }
    mem_free(to->entries);
    return result;
}

static int segment_unpack(struct segment *segment)
{
    const struct chain *chain = segment_rendition(segment, &cmaf_rendition_key);
    ENSURE(chain && chain->count == 1);
    struct unpacking to = {.segment = segment, .buf = chain->slices[chain->first].buf};
    while (to.at < to.buf->length) {
        struct cmaf_head head;
        struct bytes rest = bytes_of(to.buf->data + to.at, to.buf->length - to.at);
        int result = cmaf_head_parse(rest, segment->tracks, &head);
        if (result == 0)
            result = chunk_unpack(&to, rest, head.samples);
        if (result < 0)
            return result;
        to.at += head.head_length + head.payload_length;
    }
    return 0;
}

static int sample_ignore(void *arg, const struct cmaf_sample *sample)
{
    (void)arg;
    (void)sample;
    return 0;
}

// Checks all chunks of `in` and fills *info from them.
static int chunks_check(struct bytes in, const struct tracks *tracks, struct segment_info *info)
{
    struct cmaf_head head = {0}, first = {0};
    unsigned samples = 0;
    bool has_leading = false;
    *info = (struct segment_info){.bytes = in.length};
    for (bool is_first = true; in.length > 0 || is_first; is_first = false) {
        uint32_t part = head.part;
        int result = cmaf_head_parse(in, tracks, &head);
        if (result < 0)
            return result == ERR_AGAIN ? ERR_INVALID : result;
        struct bytes chunk;
        if (!bytes_take(&in, head.head_length + (size_t)head.payload_length, &chunk) ||
            !cmaf_chunk_intact(chunk))
            return ERR_INVALID;
        result = cmaf_samples_parse(chunk, tracks, sample_ignore, NULL);
        if (result < 0)
            return result;
        samples += head.samples;
        if (samples > SEGMENT_FRAMES_MAX)
            return ERR_LIMIT;
        // So that the difference of times below fits.
        if (head.segment_utc_us <= -CMAF_UTC_US_MAX || head.segment_utc_us >= CMAF_UTC_US_MAX)
            return ERR_INVALID;
        if (is_first)
            first = head;
        else if (head.segment_number != first.segment_number || head.part <= part ||
                 head.segment_utc_us != first.segment_utc_us ||
                 head.generation != first.generation || head.segment_flags != first.segment_flags)
            return ERR_INVALID;
        if (head.has_leading || !has_leading)
            info->duration_us = head.utc_first_us + head.duration_us - first.segment_utc_us;
        has_leading |= head.has_leading;
    }
    if (info->duration_us < 0)
        info->duration_us = 0;
    info->number = first.segment_number;
    info->utc_start_us = first.segment_utc_us;
    info->generation = first.generation;
    info->flags = first.segment_flags;
    return 0;
}

int cmaf_segment_from_bytes(struct buf **buf, struct tracks *tracks, struct segment **out)
{
    struct buf *mine = *buf;
    struct segment_info info;
    *buf = NULL;
    int result =
        mine->length <= UINT32_MAX ? chunks_check(buf_bytes(mine), tracks, &info) : ERR_LIMIT;
    if (result < 0) {
        buf_unref(&mine);
        return result;
    }
    struct chain bytes = {0};
    chain_take(&bytes, &mine);
    *out = segment_new(&info, tracks);
    segment_rendition_set(*out, &cmaf_rendition_key, &bytes);
    (*out)->unpack = segment_unpack;
    return 0;
}
