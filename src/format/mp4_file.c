// SPDX-License-Identifier: MIT
// A whole MP4 from chunk heads.
//
// Three timelines: UTC ticks of a track, as in the heads; the same less the holes left out
// (`shift`); and the media time of the file, which begins with 0 at the first sample of each track.
//
// 1. Tables grow sample by sample; nothing is kept per sample but four bytes of size.
// 2. Until the presentation has begun, a later key frame at or before from_us throws away what was
//    added: the caller need not know where key frames are.
// 3. Payload is taken by whole chunks: a chunk of which no sample is wanted is left out at both
// ends.
#include "format/mp4_file.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "media/timebase.h"

#include "cmaf_priv.h"
#include "mp4_moov.h"
#include "mp4_stbl.h"

#define MAC_EPOCH_S 2082844800LL // from 1904 to 1970
#define TICKS_NONE INT64_MIN

enum {
    FTYP_SIZE = 28,
    LAPSE_RATE = 25, // pictures a second
};

struct file_track {
    struct mp4_stbl stbl;
    int64_t first;    // shifted decode time of its first sample, ticks
    int64_t end;      // and the end of its last one
    int64_t from, to; // the range in ticks
    int64_t begin;    // UTC ticks of what the file begins with
    int64_t shift;    // ticks that holes have taken
};

// A part of a segment's payload that is in the file. A whole file has one of each segment added;
// a time-lapse has an empty one of each, and one more for each picture.
struct file_segment {
    uint32_t index;         // of mp4_file_add
    uint64_t at;            // in mdat
    uint64_t offset, bytes; // in the segment's payload
};

struct mp4_file {
    int64_t from_us, to_us;
    struct tracks *tracks; // NULL before the first segment
    struct file_track track[TRACKS_MAX];
    struct file_segment *segments;
    uint32_t segment_count, segment_capacity;
    uint32_t added;   // segments, as the caller counts: those that were taken
    bool is_lapse;    // key frames only
    int64_t lapse_us; // to be fitted into this; 0: 25 pictures a second
    uint64_t payload; // bytes in mdat so far
    uint32_t samples;
    bool begun;          // a key frame was found, samples are taken
    bool ended;          // finished, or nothing more can be added
    int64_t shift_us;    // length of the holes left out
    int64_t last_end_us; // UTC end of the leading track so far
    struct chain head;
};

struct mp4_file *mp4_file_new(int64_t from_us, int64_t to_us)
{
    ENSURE(from_us >= 0 && from_us < to_us);
    struct mp4_file *file = mem_alloc(sizeof(*file));
    file->from_us = from_us;
    file->to_us = to_us;
    return file;
}

static void tables_drop(struct mp4_file *file)
{
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        mp4_stbl_fini(&file->track[i].stbl);
}

struct mp4_file *mp4_file_new_timelapse(int64_t from_us, int64_t to_us, int64_t length_us)
{
    struct mp4_file *file = mp4_file_new(from_us, to_us);
    file->is_lapse = true;
    file->lapse_us = length_us;
    return file;
}

void mp4_file_free(struct mp4_file **file)
{
    struct mp4_file *gone = *file;
    *file = NULL;
    if (!gone)
        return;
    tables_drop(gone);
    tracks_unref(&gone->tracks);
    chain_fini(&gone->head);
    mem_free(gone->segments);
    mem_free(gone);
}

static void file_begin(struct mp4_file *file, struct tracks *tracks)
{
    file->tracks = tracks_ref(tracks);
    for (unsigned i = 0; i < tracks->count; i++) {
        file->track[i].from = ticks_from_us(file->from_us, tracks->track[i].timescale);
        file->track[i].to = ticks_from_us(file->to_us, tracks->track[i].timescale);
    }
}

// ---- looking through a segment ------------------------------------------------------------------

// What a first look at the heads of a segment finds.
struct look {
    const struct mp4_file *file;
    unsigned leading;
    unsigned chunk;     // being looked at
    unsigned samples;   // of all chunks
    int key_chunk;      // chunk of the best key frame to begin with; -1: none
    int64_t key_dts;    // its decode time
    bool key_is_before; // it is shown at or before from
    int64_t first, end; // decode times of the leading track; TICKS_NONE when it has no sample
};

static int look_sample(void *arg, const struct cmaf_sample *sample)
{
    struct look *look = arg;
    if (sample->track != look->leading)
        return 0;
    if (look->first == TICKS_NONE)
        look->first = sample->dts;
    look->end = sample->dts + sample->duration;
    if (!(sample->flags & FRAME_KEY))
        return 0;
    bool before = sample->dts + sample->cts <= look->file->track[look->leading].from;
    if (before || look->key_chunk < 0) {
        look->key_chunk = (int)look->chunk;
        look->key_dts = sample->dts;
        look->key_is_before = before;
    }
    return 0;
}

// Takes the next head off `heads`.
static int head_next(struct bytes *heads, const struct tracks *tracks, struct cmaf_head *head,
                     struct bytes *bytes)
{
    int result = cmaf_head_parse(*heads, tracks, head);
    if (result < 0)
        return result == ERR_AGAIN ? ERR_INVALID : result;
    return bytes_take(heads, head->head_length, bytes) ? 0 : ERR_INVALID;
}

static int segment_look(const struct mp4_file *file, struct bytes heads, struct look *look)
{
    *look = (struct look){
        .file = file,
        .leading = tracks_leading(file->tracks),
        .key_chunk = -1,
        .first = TICKS_NONE,
    };
    for (; heads.length > 0; look->chunk++) {
        struct cmaf_head head;
        struct bytes bytes;
        int result = head_next(&heads, file->tracks, &head, &bytes);
        if (result == 0)
            result = cmaf_samples_parse(bytes, file->tracks, look_sample, look);
        if (result < 0)
            return result;
        look->samples += head.samples;
        if (look->samples > SEGMENT_FRAMES_MAX)
            return ERR_INVALID;
    }
    return look->chunk > 0 ? 0 : ERR_INVALID;
}

// ---- taking samples -----------------------------------------------------------------------------

struct taking {
    struct mp4_file *file;
    int track;           // of the samples before in this chunk, -1 at first
    bool gap;            // a sample was left out since the last one taken: a new run begins
    uint64_t head_bytes; // of the chunk
    uint64_t payload_at; // of this chunk in mdat
    unsigned taken;
};

static bool is_wanted(const struct mp4_file *file, const struct cmaf_sample *sample)
{
    const struct file_track *track = &file->track[sample->track];
    int64_t shown = sample->cts < 0 ? sample->dts + sample->cts : sample->dts;
    // What is decoded before the end may be needed by what is shown before it.
    if (shown >= track->to)
        return false;
    if (sample->track == tracks_leading(file->tracks))
        return sample->dts >= track->begin;
    return sample->dts + sample->duration > track->begin;
}

static int take_sample(void *arg, const struct cmaf_sample *sample)
{
    struct taking *taking = arg;
    struct mp4_file *file = taking->file;
    struct file_track *track = &file->track[sample->track];
    bool begins_run = taking->gap || sample->track != taking->track;
    taking->track = sample->track;
    taking->gap = !is_wanted(file, sample);
    if (taking->gap)
        return 0;
    if (begins_run)
        mp4_stbl_chunk(&track->stbl, taking->payload_at + sample->offset - taking->head_bytes);
    int64_t dts = sample->dts - track->shift;
    if (track->stbl.samples == 0)
        track->first = dts;
    mp4_stbl_add(&track->stbl, dts - track->first, sample->duration, sample->length, sample->cts,
                 sample->flags & FRAME_KEY);
    track->end = dts + sample->duration;
    taking->taken++;
    return 0;
}

static struct file_segment *segment_push(struct mp4_file *file)
{
    if (file->segment_count == file->segment_capacity) {
        file->segment_capacity = file->segment_capacity ? file->segment_capacity * 2 : 64;
        file->segments =
            mem_resize(file->segments, file->segment_capacity * sizeof(*file->segments));
    }
    struct file_segment *segment = &file->segments[file->segment_count++];
    *segment = (struct file_segment){.index = file->added, .at = file->payload};
    return segment;
}

// Forgets all samples; the places of the segments stay, empty. The file now begins with the key
// frame that was found.
static void file_restart(struct mp4_file *file, const struct look *look)
{
    tables_drop(file);
    for (uint32_t i = 0; i < file->segment_count; i++)
        file->segments[i] = (struct file_segment){.index = i};
    file->payload = file->samples = 0;
    file->shift_us = 0;
    file->begun = true;
    uint32_t timescale = file->tracks->track[look->leading].timescale;
    for (unsigned i = 0; i < file->tracks->count; i++) {
        file->track[i].shift = 0;
        file->track[i].begin =
            ticks_rescale(look->key_dts, timescale, file->tracks->track[i].timescale);
    }
}

// Leaves out the hole between what there is and the segment that comes.
static void hole_close(struct mp4_file *file, const struct look *look, uint32_t timescale)
{
    int64_t hole_us = ticks_to_us(look->first, timescale) - file->last_end_us;
    if (file->samples == 0 || (hole_us <= MP4_FILE_HOLE_US && hole_us >= -MP4_FILE_HOLE_US))
        return;
    file->shift_us += hole_us;
    for (unsigned i = 0; i < file->tracks->count; i++)
        file->track[i].shift = ticks_from_us(file->shift_us, file->tracks->track[i].timescale);
}

// Takes the chunks from number `first` on.
static void segment_take(struct mp4_file *file, struct bytes heads, unsigned first)
{
    struct file_segment *segment = &file->segments[file->segment_count - 1];
    uint64_t payload = 0; // of the segment, up to this chunk
    for (unsigned chunk = 0; heads.length > 0; chunk++) {
        struct cmaf_head head;
        struct bytes bytes;
        ENSURE(head_next(&heads, file->tracks, &head, &bytes) == 0); // looked at before
        struct taking taking = {
            .file = file,
            .track = -1,
            .head_bytes = head.head_length,
            // As if this chunk were the next; what lies between two wanted ones goes along.
            .payload_at = segment->at + (segment->bytes ? payload - segment->offset : 0),
        };
        if (chunk >= first) {
            int result = cmaf_samples_parse(bytes, file->tracks, take_sample, &taking);
            ENSURE(result == 0);
        }
        if (taking.taken) {
            if (segment->bytes == 0)
                segment->offset = payload;
            segment->bytes = payload + head.payload_length - segment->offset;
            file->samples += taking.taken;
        }
        payload += head.payload_length;
    }
    file->payload = segment->at + segment->bytes;
}

// ---- time-lapse ---------------------------------------------------------------------------------

struct lapsing {
    struct mp4_file *file;
    uint64_t head_bytes; // of the chunk
    uint64_t payload;    // of the segment, up to this chunk
};

static int lapse_sample(void *arg, const struct cmaf_sample *sample)
{
    const struct lapsing *lapsing = arg;
    struct mp4_file *file = lapsing->file;
    const struct file_track *track = &file->track[sample->track];
    int64_t shown = sample->dts + sample->cts;
    if (sample->track != tracks_leading(file->tracks) || !(sample->flags & FRAME_KEY) ||
        shown < track->from || shown >= track->to)
        return 0;
    struct file_segment *picture = segment_push(file);
    picture->offset = lapsing->payload + sample->offset - lapsing->head_bytes;
    picture->bytes = sample->length;
    file->payload += sample->length;
    file->samples++;
    return 0;
}

// The heads were looked at before.
static void lapse_take(struct mp4_file *file, struct bytes heads)
{
    struct lapsing lapsing = {.file = file};
    while (heads.length > 0) {
        struct cmaf_head head;
        struct bytes bytes;
        ENSURE(head_next(&heads, file->tracks, &head, &bytes) == 0);
        lapsing.head_bytes = head.head_length;
        int result = cmaf_samples_parse(bytes, file->tracks, lapse_sample, &lapsing);
        ENSURE(result == 0);
        lapsing.payload += head.payload_length;
    }
}

// The tables, when it is known how many pictures there are.
static void lapse_finish(struct mp4_file *file)
{
    unsigned leading = tracks_leading(file->tracks);
    struct file_track *track = &file->track[leading];
    uint32_t timescale = file->tracks->track[leading].timescale;
    int64_t whole = file->lapse_us ? ticks_from_us(file->lapse_us, timescale)
                                   : (int64_t)timescale * file->samples / LAPSE_RATE;
    uint32_t number = 0;
    for (uint32_t i = 0; i < file->segment_count; i++) {
        const struct file_segment *picture = &file->segments[i];
        if (picture->bytes == 0)
            continue;
        int64_t time = whole * number / file->samples;
        int64_t next = whole * (number + 1) / file->samples;
        mp4_stbl_chunk(&track->stbl, picture->at);
        mp4_stbl_add(&track->stbl, time, (uint32_t)(next - time), (uint32_t)picture->bytes, 0,
                     true);
        number++;
    }
    track->first = 0;
    track->end = whole;
}

int mp4_file_add(struct mp4_file *file, const struct segment_info *info, struct tracks *tracks,
                 struct bytes heads)
{
    (void)info;
    struct look look;
    if (!file->tracks)
        file_begin(file, tracks);
    if (file->ended || !tracks_equal(tracks, file->tracks)) {
        file->ended = true;
        return ERR_UNSUPPORTED;
    }
    int result = segment_look(file, heads, &look);
    if (result < 0)
        return result;
    if (look.samples > MP4_FILE_SAMPLES_MAX - file->samples) {
        file->ended = true;
        return ERR_LIMIT;
    }
    segment_push(file); // also when nothing of it is taken: the caller counts
    if (file->is_lapse)
        lapse_take(file, heads);
    file->added++;
    if (file->is_lapse)
        return 0;
    unsigned first = 0;
    uint32_t timescale = file->tracks->track[look.leading].timescale;
    if (look.key_chunk >= 0 && (look.key_is_before || !file->begun)) {
        file_restart(file, &look);
        first = (unsigned)look.key_chunk;
    }
    if (!file->begun)
        return 0;
    if (look.first != TICKS_NONE)
        hole_close(file, &look, timescale);
    segment_take(file, heads, first);
    if (look.first != TICKS_NONE)
        file->last_end_us = ticks_to_us(look.end, timescale);
    return 0;
}

// ---- layout -------------------------------------------------------------------------------------

// The presented range in shifted microseconds.
struct shown {
    int64_t from_us, to_us;
};

static struct shown shown_range(const struct mp4_file *file)
{
    int64_t begin = INT64_MAX, end = INT64_MIN;
    for (unsigned i = 0; i < file->tracks->count; i++) {
        const struct file_track *track = &file->track[i];
        uint32_t timescale = file->tracks->track[i].timescale;
        if (track->stbl.samples == 0)
            continue;
        int64_t first_us = ticks_to_us(track->first, timescale);
        int64_t end_us = ticks_to_us(track->end, timescale);
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

// Edits that show the range of one track; returns how many.
static unsigned edits_make(const struct file_track *track, uint32_t timescale,
                           const struct shown *shown, struct mp4_edit edits[2])
{
    int64_t media = ticks_from_us(shown->from_us, timescale) - track->first;
    uint64_t length = (uint64_t)ticks_from_us(shown->to_us - shown->from_us, MP4_MOVIE_TIMESCALE);
    unsigned count = 0;
    if (media < 0) { // it begins later
        uint64_t wait = (uint64_t)ticks_rescale(-media, timescale, MP4_MOVIE_TIMESCALE);
        edits[count++] = (struct mp4_edit){.duration = wait, .media_time = -1};
        length = length > wait ? length - wait : 0;
        media = 0;
    }
    edits[count++] = (struct mp4_edit){.duration = length, .media_time = media};
    return count;
}

static void ftyp_write(struct writer *out)
{
    writer_u32(out, FTYP_SIZE);
    writer_text(out, "ftypisom");
    writer_u32(out, 0x200);
    writer_text(out, "isomiso6mp41");
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
    mp4_mvhd_write(&part, created_s, duration, file->tracks->count);
    for (unsigned i = 0; i < file->tracks->count; i++) {
        struct file_track *track = &file->track[i];
        struct mp4_edit edits[2];
        if (track->stbl.samples == 0)
            continue;
        struct mp4_trak trak = {
            .track = &file->tracks->track[i],
            .id = i + 1,
            .created_s = created_s,
            .duration = duration,
            .media_duration = track->stbl.time,
            .edits = edits,
            .edit_count = edits_make(track, file->tracks->track[i].timescale, &shown, edits),
            .tables_size = mp4_stbl_size(&track->stbl),
        };
        mp4_trak_write(&part, &trak);
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

int mp4_file_finish(struct mp4_file *file)
{
    ENSURE(file->head.count == 0);
    file->ended = true;
    if (file->samples == 0)
        return ERR_NOT_FOUND;
    if (file->is_lapse)
        lapse_finish(file);
    for (unsigned i = 0; i < file->tracks->count; i++)
        if (file->track[i].stbl.samples)
            mp4_stbl_finish(&file->track[i].stbl);
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
    // The last segment that begins at or before the offset: empty ones begin where the next one
    // does.
    uint32_t low = 0, high = file->segment_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (file->segments[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    const struct file_segment *found = &file->segments[low];
    *segment = (int)found->index;
    *segment_offset = found->offset + (offset - found->at);
    *length = found->bytes - (offset - found->at);
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
