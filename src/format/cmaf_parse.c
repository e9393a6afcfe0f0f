// SPDX-License-Identifier: MIT
// Init segments and chunks, read. The bytes come from disks and from other servers.
//
// 1. Nothing is believed: lengths are checked before use, sums cannot overflow.
// 2. Garbage is refused by its first 24 bytes; a head is never waited for beyond its bound.
// 3. A chunk has at most one traf per track and one trun per traf, as we write it.
#include "cmaf_priv.h"

#include <string.h>

#include "base/code.h"
#include "base/limits.h"
#include "media/timebase.h"

#include "mp4_entry.h"
#include "mp4_moov.h"

// ---- init segment -------------------------------------------------------------------------------

// The configuration often tells the picture rate, but the segment was written by what its trex
// says, and must be written so again.
static void restore_rate(struct track *track, uint32_t duration)
{
    if (track->kind != MEDIA_VIDEO || cmaf_default_duration(track) == duration)
        return;
    track->fps_num = duration ? track->timescale : 0;
    track->fps_den = duration;
}

static int init_track_make(struct bytes moov, const struct mp4_trak_found *from, struct track *out)
{
    unsigned nal_width;
    int result = mp4_entry_parse(from->entry, from->kind, out, &nal_width);
    if (result < 0)
        return result;
    uint32_t width, height;
    out->timescale = from->timescale;
    memcpy(out->language, from->language, sizeof(out->language));
    if (from->kind == MEDIA_VIDEO && mp4_entry_size(from->entry, &width, &height) && width &&
        height) {
        out->width = width;
        out->height = height;
    }
    restore_rate(out, mp4_trex_find(moov, from->id).duration);
    if (nal_width == 4)
        return 0;
    track_fini(out);
    return ERR_UNSUPPORTED;
}

int cmaf_init_parse(struct bytes in, struct tracks **out)
{
    struct bytes moov;
    struct mp4_box box;
    struct track track[TRACKS_MAX];
    unsigned count = 0;
    if (mp4_box_find(in, MP4_TYPE("moov"), &moov) < 0)
        return ERR_INVALID;
    struct bytes rest = moov;
    int result;
    while ((result = mp4_box_next(&rest, &box)) == 0) {
        struct mp4_trak_found found;
        if (box.type != MP4_TYPE("trak"))
            continue;
        result = count < TRACKS_MAX ? mp4_trak_parse(box.body, &found) : ERR_LIMIT;
        if (result == 0)
            result = init_track_make(moov, &found, &track[count]);
        if (result < 0)
            break;
        count++;
    }
    if (result == ERR_NOT_FOUND && count > 0) {
        *out = tracks_new(track, count);
        return 0;
    }
    for (unsigned i = 0; i < count; i++)
        track_fini(&track[i]);
    return result == ERR_NOT_FOUND ? ERR_UNSUPPORTED : result;
}

// ---- the boxes of a chunk -----------------------------------------------------------------------

// A chunk by its boxes.
struct layout {
    struct cmaf_head head; // but for samples, utc_first_us and duration_us
    struct bytes moof;     // its body
    uint32_t moof_at;      // offset of the box in the chunk
};

static int uuid_parse(struct bytes in, struct cmaf_head *out, size_t *size)
{
    // What is there is checked before more is asked for.
    uint8_t mark[20];
    memcpy(mark, "uuid", 4);
    memcpy(mark + 4, cmaf_usertype, sizeof(cmaf_usertype));
    size_t have = in.length < 4 ? 0 : in.length - 4 < sizeof(mark) ? in.length - 4 : sizeof(mark);
    if (have && memcmp(in.data + 4, mark, have) != 0)
        return ERR_INVALID;
    if (in.length < CMAF_UUID_SIZE)
        return ERR_AGAIN;
    *size = mp4_u32_at(in.data);
    if (in.data[24] > CMAF_VERSION)
        return ERR_UNSUPPORTED;
    if (in.data[24] != CMAF_VERSION || *size < CMAF_UUID_SIZE || *size > CMAF_UUID_SIZE_MAX)
        return ERR_INVALID;
    *out = (struct cmaf_head){
        .segment_flags = in.data[25],
        .part = (uint32_t)in.data[26] << 8 | in.data[27],
        .checksum = mp4_u32_at(in.data + CMAF_CHECKSUM_AT),
        .generation = mp4_u32_at(in.data + 32),
        .segment_number = mp4_u64_at(in.data + 36),
        .segment_utc_us = (int64_t)mp4_u64_at(in.data + 44),
    };
    return 0;
}

static int layout_parse(struct bytes in, struct layout *out)
{
    size_t at;
    int result = uuid_parse(in, &out->head, &at);
    if (result < 0)
        return result;
    for (;;) {
        if (at > CMAF_BEFORE_MOOF_MAX)
            return ERR_INVALID;
        if (in.length < at + MP4_BOX_HEAD)
            return ERR_AGAIN;
        size_t size = mp4_u32_at(in.data + at);
        uint32_t type = mp4_u32_at(in.data + at + 4);
        if (type == MP4_TYPE("mdat") || type == MP4_TYPE("uuid") || size < MP4_BOX_HEAD ||
            size > CMAF_MOOF_SIZE_MAX)
            return ERR_INVALID;
        if (type == MP4_TYPE("moof")) {
            out->moof_at = (uint32_t)at;
            at += size;
            break;
        }
        at += size;
    }
    if (in.length < at + MP4_BOX_HEAD)
        return ERR_AGAIN;
    out->moof = bytes_of(in.data + out->moof_at + MP4_BOX_HEAD, at - out->moof_at - MP4_BOX_HEAD);
    uint32_t mdat = mp4_u32_at(in.data + at);
    if (mp4_u32_at(in.data + at + 4) != MP4_TYPE("mdat") || mdat < MP4_BOX_HEAD ||
        mdat - MP4_BOX_HEAD > SEGMENT_BYTES_MAX)
        return ERR_INVALID;
    out->head.head_length = (uint32_t)at + MP4_BOX_HEAD;
    out->head.payload_length = mdat - MP4_BOX_HEAD;
    return 0;
}

size_t cmaf_chunk_find(struct bytes in, size_t from)
{
    while (from < in.length && in.length - from >= 24) {
        const uint8_t *at =
            memmem(in.data + from + 8, in.length - from - 8, cmaf_usertype, sizeof(cmaf_usertype));
        if (!at)
            break;
        if (memcmp(at - 4, "uuid", 4) == 0)
            return (size_t)(at - 8 - in.data);
        from = (size_t)(at - 8 - in.data) + 1;
    }
    return in.length;
}

uint64_t cmaf_free_length(struct bytes in)
{
    uint32_t size, type;
    uint64_t length;
    if (!bytes_read_u32(&in, &size) || !bytes_read_u32(&in, &type) ||
        !bytes_read_u64(&in, &length) || type != MP4_TYPE("free"))
        return 0;
    if (size != 1)
        length = size;
    return length >= CMAF_FREE_HEAD && length <= INT64_MAX ? length : 0;
}

bool cmaf_chunk_intact(struct bytes chunk)
{
    struct layout layout;
    if (layout_parse(chunk, &layout) < 0 ||
        chunk.length != layout.head.head_length + layout.head.payload_length)
        return false;
    return cmaf_head_checksum(chunk) == layout.head.checksum;
}

// ---- moof ---------------------------------------------------------------------------------------

// One traf, ready to be walked. Widths are checked: table has count * width bytes.
struct run {
    unsigned track, count, width;
    uint32_t fields; // trun flags
    uint32_t duration, size, flags, first_flags;
    int64_t dts;
    uint64_t offset; // of its first sample in the chunk
    struct bytes table;
};

static bool tfhd_parse(struct bytes body, const struct tracks *tracks, struct run *run)
{
    uint8_t version;
    uint32_t flags, id;
    if (!mp4_full_box_read(&body, &version, &flags) || !bytes_read_u32(&body, &id) || id == 0 ||
        id > tracks->count)
        return false;
    run->track = id - 1;
    run->duration = cmaf_default_duration(&tracks->track[run->track]);
    run->flags = cmaf_default_flags(&tracks->track[run->track]);
    if (flags & TFHD_BASE_DATA_OFFSET || !(flags & TFHD_BASE_IS_MOOF))
        return false;
    return (!(flags & TFHD_DESCRIPTION) || bytes_skip(&body, 4)) &&
           (!(flags & TFHD_DURATION) || bytes_read_u32(&body, &run->duration)) &&
           (!(flags & TFHD_SIZE) || bytes_read_u32(&body, &run->size)) &&
           (!(flags & TFHD_FLAGS) || bytes_read_u32(&body, &run->flags));
}

// After tfhd_parse: the track is known.
static bool tfdt_parse(struct bytes body, const struct tracks *tracks, struct run *run)
{
    uint8_t version;
    uint32_t flags;
    uint64_t ticks;
    if (!mp4_full_box_read(&body, &version, &flags) ||
        !bytes_read_uint(&body, version == 1 ? 8 : 4, &ticks))
        return false;
    run->dts = (int64_t)ticks;
    int64_t us = ticks_to_us(run->dts, tracks->track[run->track].timescale);
    return run->dts > -CMAF_TICKS_MAX && run->dts < CMAF_TICKS_MAX && us > -CMAF_UTC_US_MAX &&
           us < CMAF_UTC_US_MAX;
}

static bool trun_parse(struct bytes body, uint32_t moof_at, struct run *run)
{
    uint8_t version;
    uint32_t offset = 0;
    if (!mp4_full_box_read(&body, &version, &run->fields) || !bytes_read_u32(&body, &run->count) ||
        !(run->fields & TRUN_DATA_OFFSET) || !bytes_read_u32(&body, &offset))
        return false;
    run->offset = (uint64_t)moof_at + offset;
    run->first_flags = run->flags;
    if (run->fields & TRUN_FIRST_FLAGS && !bytes_read_u32(&body, &run->first_flags))
        return false;
    for (uint32_t field = TRUN_DURATION; field <= TRUN_CTS; field <<= 1)
        run->width += run->fields & field ? 4 : 0;
    return run->count > 0 && run->count <= SEGMENT_FRAMES_MAX &&
           bytes_take(&body, (size_t)run->count * run->width, &run->table);
}

// Next traf of the moof body; ERR_NOT_FOUND at the end.
static int run_next(struct bytes *moof, const struct layout *layout, const struct tracks *tracks,
                    struct run *out)
{
    struct mp4_box box;
    do {
        int result = mp4_box_next(moof, &box);
        if (result < 0)
            return result;
    } while (box.type != MP4_TYPE("traf"));
    struct bytes tfhd, tfdt, trun;
    *out = (struct run){0};
    if (mp4_box_find(box.body, MP4_TYPE("tfhd"), &tfhd) < 0 ||
        mp4_box_find(box.body, MP4_TYPE("tfdt"), &tfdt) < 0 ||
        mp4_box_find(box.body, MP4_TYPE("trun"), &trun) < 0 || !tfhd_parse(tfhd, tracks, out) ||
        !tfdt_parse(tfdt, tracks, out) || !trun_parse(trun, layout->moof_at, out))
        return ERR_INVALID;
    return 0;
}

static uint8_t frame_flags_of(const struct track *track, uint32_t sample)
{
    bool key = track->kind == MEDIA_AUDIO || !(sample & SAMPLE_NON_SYNC);
    return (uint8_t)((key ? FRAME_KEY : 0) | ((sample >> 22 & 3) == 2 ? FRAME_DROPPABLE : 0) |
                     (sample & SAMPLE_DISCONTINUITY ? FRAME_DISCONTINUITY : 0) |
                     (sample & SAMPLE_CORRUPT ? FRAME_CORRUPT : 0));
}

// Sample number `index` of the run; dts and offset are the caller's to sum up.
static void run_sample(const struct run *run, const struct tracks *tracks, unsigned index,
                       struct cmaf_sample *out)
{
    const uint8_t *at = run->table.data + (size_t)index * run->width;
    uint32_t flags = index == 0 ? run->first_flags : run->flags;
    out->duration = run->duration;
    out->length = run->size;
    out->cts = 0;
    if (run->fields & TRUN_DURATION) {
        out->duration = mp4_u32_at(at);
        at += 4;
    }
    if (run->fields & TRUN_SIZE) {
        out->length = mp4_u32_at(at);
        at += 4;
    }
    if (run->fields & TRUN_FLAGS) {
        flags = mp4_u32_at(at);
        at += 4;
    }
    if (run->fields & TRUN_CTS)
        out->cts = (int32_t)mp4_u32_at(at);
    out->track = (uint8_t)run->track;
    out->flags = frame_flags_of(&tracks->track[run->track], flags);
}

static uint64_t run_duration(const struct run *run)
{
    if (!(run->fields & TRUN_DURATION))
        return (uint64_t)run->count * run->duration;
    uint64_t sum = 0;
    for (unsigned i = 0; i < run->count; i++)
        sum += mp4_u32_at(run->table.data + (size_t)i * run->width);
    return sum;
}

// Samples, first time and duration of a chunk from its tables.
static int sums_parse(const struct layout *layout, const struct tracks *tracks,
                      struct cmaf_head *out)
{
    struct bytes moof = layout->moof;
    struct run run;
    int result;
    uint32_t seen = 0;
    while ((result = run_next(&moof, layout, tracks, &run)) == 0) {
        uint32_t timescale = tracks->track[run.track].timescale;
        if (seen >> run.track & 1)
            return ERR_INVALID;
        int64_t first_us = ticks_to_us(run.dts, timescale);
        int64_t end_us = ticks_to_us(run.dts + (int64_t)run_duration(&run), timescale);
        bool is_leading = run.track == tracks_leading(tracks);
        if (is_leading || seen == 0 || (!out->has_leading && first_us < out->utc_first_us)) {
            out->utc_first_us = first_us;
            out->duration_us = (end_us < CMAF_UTC_US_MAX ? end_us : CMAF_UTC_US_MAX) - first_us;
        }
        out->has_leading |= is_leading;
        out->samples += run.count;
        seen |= 1u << run.track;
    }
    if (result != ERR_NOT_FOUND || out->samples == 0 || out->samples > SEGMENT_FRAMES_MAX)
        return ERR_INVALID;
    return 0;
}

int cmaf_head_parse(struct bytes in, const struct tracks *tracks, struct cmaf_head *out)
{
    struct layout layout;
    int result = layout_parse(in, &layout);
    if (result < 0)
        return result;
    *out = layout.head;
    return sums_parse(&layout, tracks, out);
}

int cmaf_samples_parse(struct bytes head, const struct tracks *tracks,
                       int (*each)(void *arg, const struct cmaf_sample *), void *arg)
{
    struct layout layout;
    struct run run;
    uint32_t seen = 0, samples = 0;
    int result = layout_parse(head, &layout);
    if (result < 0)
        return result == ERR_AGAIN ? ERR_INVALID : result;
    uint64_t offset = layout.head.head_length, end = offset + layout.head.payload_length;
    while ((result = run_next(&layout.moof, &layout, tracks, &run)) == 0) {
        if (seen >> run.track & 1 || run.offset != offset)
            return ERR_INVALID;
        seen |= 1u << run.track;
        samples += run.count;
        if (samples > SEGMENT_FRAMES_MAX)
            return ERR_INVALID;
        struct cmaf_sample sample = {.dts = run.dts};
        for (unsigned i = 0; i < run.count; i++) {
            run_sample(&run, tracks, i, &sample);
            sample.offset = offset;
            if (sample.length > FRAME_BYTES_MAX || sample.length > end - offset)
                return ERR_INVALID;
            result = each(arg, &sample);
            if (result != 0)
                return result;
            offset += sample.length;
            sample.dts += sample.duration;
        }
    }
    return result == ERR_NOT_FOUND && offset == end && samples > 0 ? 0 : ERR_INVALID;
}
