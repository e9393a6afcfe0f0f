// SPDX-License-Identifier: MIT
// The bytes of a file: its head, made once, and what stands where.
#include "base/ensure.h"
#include "media/timebase.h"

#include "cmaf_priv.h"
#include "mp4_file_priv.h"
#include "mp4_moov.h"

#define MAC_EPOCH_S 2082844800LL // from 1904 to 1970

enum { FTYP_SIZE = 28 };

// The presented range in shifted microseconds.
struct shown {
    int64_t from_us, to_us;
};

static struct shown shown_range(const struct mp4_file *file)
{
    int64_t begin = INT64_MAX, end = INT64_MIN;
    for (unsigned i = 0; i < file->tracks.count; i++) {
        const struct file_track *track = file->tracks.track[i];
        uint32_t timescale = track->timescale;
        if (track->stbl.samples == 0)
            continue;
        int64_t first_us = ticks_to_us(track->begins, timescale);
        int64_t end_us = ticks_to_us(track->ends, timescale);
        begin = first_us < begin ? first_us : begin;
        end = end_us > end ? end_us : end;
    }
    if (file->is_lapse)
        return (struct shown){begin, end};
    struct shown shown = {file->from_us, file->to_us - file->shift_us};
    if (shown.from_us < begin)
        shown.from_us = begin;
    if (shown.to_us > end)
        shown.to_us = end;
    if (shown.to_us <= shown.from_us)
        shown.to_us = shown.from_us + 1;
    return shown;
}

// Something of the track is presented.
static bool is_shown(const struct file_track *track, const struct shown *shown)
{
    return track->stbl.samples > 0 && ticks_to_us(track->ends, track->timescale) > shown->from_us;
}

// Edits that show the range of one track, up to its last sample; returns how many. There is no more
// than one that shows media: players differ in what they make of further ones (ffmpeg shows frames
// twice, GStreamer leaves some out). A gap is a sample that lasts.
static unsigned edits_make(const struct file_track *track, const struct shown *shown,
                           struct mp4_edit edits[2])
{
    int64_t from = ticks_from_us(shown->from_us, track->timescale), begins = from;
    int64_t ends_us = ticks_to_us(track->ends, track->timescale);
    int64_t to_us = ends_us < shown->to_us ? ends_us : shown->to_us;
    uint64_t length = (uint64_t)ticks_from_us(to_us - shown->from_us, MP4_MOVIE_TIMESCALE);
    unsigned count = 0;
    if (track->begins > from) {
        begins = track->begins;
        uint64_t wait =
            (uint64_t)ticks_rescale(begins - from, track->timescale, MP4_MOVIE_TIMESCALE);
        edits[count++] = (struct mp4_edit){.duration = wait, .media_time = -1};
        length = length > wait ? length - wait : 0;
    }
    edits[count++] = (struct mp4_edit){.duration = length, .media_time = begins - track->first};
    return count;
}

static void ftyp_write(struct writer *out)
{
    writer_u32(out, FTYP_SIZE);
    writer_text(out, "ftypisom");
    writer_u32(out, 0x200);
    writer_text(out, "isomiso6mp41");
}

static void trak_write(const struct file_track *track, struct mp4_trak *trak, struct writer *out)
{
    const struct track *more[FILE_DESCRIPTIONS_MAX];
    trak->track = file_track_media(track);
    trak->more = more;
    trak->more_count = track->count - 1;
    for (unsigned i = 1; i < track->count; i++) {
        const struct file_description *one = &track->descriptions[i];
        more[i - 1] = &one->tracks->track[one->number];
    }
    mp4_trak_write(out, trak);
}

// ftyp and moov of `moov_size` bytes, chunk offsets counted from `base` on. The small parts go into
// bufs of their own between the tables, which are moved. Without `out` all is only measured.
// Returns the length.
static uint64_t moov_write(struct mp4_file *file, uint64_t base, uint32_t moov_size,
                           struct chain *out)
{
    struct shown shown = shown_range(file);
    uint64_t created_s = (uint64_t)(file->from_us / 1000000 + MAC_EPOCH_S);
    uint64_t duration = (uint64_t)ticks_from_us(shown.to_us - shown.from_us, MP4_MOVIE_TIMESCALE);
    uint64_t total = 0;
    struct writer part = {0};
    ftyp_write(&part);
    writer_u32(&part, moov_size);
    writer_text(&part, "moov");
    mp4_mvhd_write(&part, created_s, duration, file->tracks.count);
    for (unsigned i = 0; i < file->tracks.count; i++) {
        struct file_track *track = file->tracks.track[i];
        struct mp4_edit edits[2];
        if (!is_shown(track, &shown))
            continue;
        struct mp4_trak trak = {
            .id = i + 1,
            .created_s = created_s,
            .duration = duration,
            .media_duration = track->stbl.time,
            .edits = edits,
            .edit_count = edits_make(track, &shown, edits),
            .tables_size = mp4_stbl_size(&track->stbl),
        };
        trak_write(track, &trak, &part);
        total += writer_length(&part) + trak.tables_size;
        struct buf *small = writer_take(&part);
        if (out) {
            chain_take(out, &small);
            mp4_stbl_take(&track->stbl, base, out);
        }
        buf_unref(&small);
    }
    return total;
}

int mp4_file_lay_out(struct mp4_file *file)
{
    struct shown shown = shown_range(file);
    bool any = false;
    for (unsigned i = 0; i < file->tracks.count; i++)
        any |= is_shown(file->tracks.track[i], &shown);
    if (!any)
        return ERR_NOT_FOUND;
    for (unsigned i = 0; i < file->tracks.count; i++)
        if (file->tracks.track[i]->stbl.samples)
            mp4_stbl_finish(&file->tracks.track[i]->stbl);
    bool is_long = file->payload + MP4_BOX_HEAD > UINT32_MAX;
    uint64_t length = moov_write(file, 0, 0, NULL);
    uint64_t base = length + (is_long ? 16 : MP4_BOX_HEAD);
    ENSURE(length <= UINT32_MAX);
    moov_write(file, base, (uint32_t)(length - FTYP_SIZE), &file->head);
    struct writer mdat = {0};
    writer_u32(&mdat, is_long ? 1 : (uint32_t)(file->payload + MP4_BOX_HEAD));
    writer_text(&mdat, "mdat");
    if (is_long)
        writer_u64(&mdat, file->payload + 16);
    struct buf *small = writer_take(&mdat);
    chain_take(&file->head, &small);
    ENSURE(file->head.bytes == base);
    return 0;
}

const struct chain *mp4_file_head(const struct mp4_file *file)
{
    return &file->head;
}

uint64_t mp4_file_length(const struct mp4_file *file)
{
    return file->head.bytes + file->payload;
}

void mp4_file_at(const struct mp4_file *file, uint64_t offset, struct bytes *head, int *segment,
                 uint64_t *segment_offset, uint64_t *length)
{
    ENSURE(file->head.count > 0 && offset < mp4_file_length(file));
    *head = bytes_of(NULL, 0);
    *segment = -1;
    *segment_offset = 0;
    if (offset < file->head.bytes) {
        const struct chain_slice *slice = &file->head.slices[file->head.first];
        for (; offset >= slice->length; slice++)
            offset -= slice->length;
        *head = bytes_of(slice->buf->data + slice->offset + offset, slice->length - offset);
        *length = head->length;
        return;
    }
    offset -= file->head.bytes;
    // The last piece that begins at or before the offset: empty ones begin where the next one does.
    uint32_t low = 0, high = file->piece_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (file->pieces[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    const struct piece *found = &file->pieces[low];
    uint64_t into = offset - found->at;
    *length = found->bytes - into;
    if (found->sets) {
        *head = bytes_of(found->sets->data + into, (size_t)*length);
    } else {
        *segment = (int)found->index;
        *segment_offset = found->offset + into;
    }
}

int mp4_file_payload(struct segment *segment, uint64_t offset, uint64_t length, struct chain *out)
{
    struct cmaf_walk walk = {.chunks = cmaf_segment(segment), .tracks = segment->tracks};
    struct cmaf_head head;
    struct bytes bytes;
    size_t payload_at;
    while (length > 0) {
        if (!cmaf_walk_next(&walk, &head, &bytes, &payload_at))
            return ERR_INVALID;
        if (offset >= head.payload_length) {
            offset -= head.payload_length;
            continue;
        }
        uint64_t part = head.payload_length - offset;
        if (part > length)
            part = length;
        chain_add_range(out, walk.chunks, payload_at + (size_t)offset, (size_t)part);
        length -= part;
        offset = 0;
    }
    return 0;
}
