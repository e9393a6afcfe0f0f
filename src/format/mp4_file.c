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
//    ends.
// 4. Once a track has a second sample entry, its parameter sets stand before each key frame too:
//    Chromium does not look at the entries after the first.
#include "format/mp4_file.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "media/timebase.h"

#include "cmaf_priv.h"
#include "mp4_file_priv.h"

#define TICKS_NONE INT64_MIN

enum {
    LAPSE_RATE = 25, // pictures a second
};

struct mp4_file *mp4_file_new(int64_t from_us, int64_t to_us)
{
    ENSURE(from_us >= 0 && from_us < to_us);
    struct mp4_file *file = mem_alloc(sizeof(*file));
    file->from_us = from_us;
    file->to_us = to_us;
    return file;
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
    file_tracks_fini(&gone->tracks);
    tracks_unref(&gone->current);
    chain_fini(&gone->head);
    mem_free(gone->pieces);
    mem_free(gone);
}

// ---- tracks -------------------------------------------------------------------------------------

static void track_begin(const struct mp4_file *file, struct file_track *track)
{
    track->from = ticks_from_us(file->from_us, track->timescale);
    track->to = ticks_from_us(file->to_us, track->timescale);
    track->shift = ticks_from_us(file->shift_us, track->timescale);
    if (file->begun)
        track->begin = ticks_rescale(file->begin_dts, file->begin_timescale, track->timescale);
}

// Finds out where the tracks of file->current go. ERR_LIMIT.
static int targets_find(struct mp4_file *file)
{
    struct tracks *from = file->current;
    for (unsigned i = 0; i < from->count; i++) {
        bool is_new;
        struct file_track *track = file_tracks_find(&file->tracks, from, i, &is_new);
        int description = track ? file_track_describe(track, from, i) : ERR_LIMIT;
        if (description < 0)
            return description;
        if (is_new)
            track_begin(file, track);
        file->target[i] = (struct target){.track = track, .description = (uint16_t)description};
        while (file->tracks.track[file->target[i].number] != track)
            file->target[i].number++;
    }
    return 0;
}

// Makes `tracks` the current ones. ERR_LIMIT.
static int file_switch(struct mp4_file *file, struct tracks *tracks)
{
    if (file->current && tracks_equal(tracks, file->current))
        return 0;
    tracks_unref(&file->current);
    file->current = tracks_ref(tracks);
    return targets_find(file);
}

// The parameter sets that a key frame of this target needs before it, or NULL.
static const struct buf *sets_before(const struct target *target)
{
    const struct file_track *track = target->track;
    return track->count > 1 ? track->descriptions[target->description - 1].sets : NULL;
}

// ---- looking through a segment ------------------------------------------------------------------

// What a first look at the heads of a segment finds.
struct look {
    const struct mp4_file *file;
    const struct tracks *tracks;
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
    uint32_t timescale = look->tracks->track[look->leading].timescale;
    bool before = sample->dts + sample->cts <= ticks_from_us(look->file->from_us, timescale);
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

static int segment_look(const struct mp4_file *file, const struct tracks *tracks,
                        struct bytes heads, struct look *look)
{
    *look = (struct look){
        .file = file,
        .tracks = tracks,
        .leading = tracks_leading(tracks),
        .key_chunk = -1,
        .first = TICKS_NONE,
    };
    for (; heads.length > 0; look->chunk++) {
        struct cmaf_head head;
        struct bytes bytes;
        int result = head_next(&heads, tracks, &head, &bytes);
        if (result == 0)
            result = cmaf_samples_parse(bytes, tracks, look_sample, look);
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
    uint64_t payload;    // of the segment, up to this chunk
    unsigned taken;
};

static bool is_wanted(const struct mp4_file *file, const struct cmaf_sample *sample, bool leading)
{
    const struct file_track *track = file->target[sample->track].track;
    int64_t shown = sample->cts < 0 ? sample->dts + sample->cts : sample->dts;
    // What is decoded before the end may be needed by what is shown before it.
    if (shown >= track->to)
        return false;
    if (leading)
        return sample->dts >= track->begin;
    return sample->dts + sample->duration > track->begin;
}

static struct piece *piece_push(struct mp4_file *file)
{
    if (file->piece_count == file->piece_capacity) {
        file->piece_capacity = file->piece_capacity ? file->piece_capacity * 2 : 64;
        file->pieces = mem_resize(file->pieces, file->piece_capacity * sizeof(*file->pieces));
    }
    struct piece *piece = &file->pieces[file->piece_count++];
    *piece = (struct piece){.index = file->added, .at = file->payload};
    return piece;
}

static void sets_push(struct mp4_file *file, const struct buf *sets)
{
    struct piece *piece = piece_push(file);
    piece->sets = sets;
    piece->bytes = sets->length;
    file->payload += sets->length;
}

// Times of a sample in the file's track: a camera that changes its sampling rate has tracks of
// several timescales, the file has one.
static struct cmaf_sample sample_in(const struct mp4_file *file, const struct cmaf_sample *sample)
{
    struct cmaf_sample out = *sample;
    uint32_t from = file->current->track[sample->track].timescale;
    uint32_t to = file->target[sample->track].track->timescale;
    if (from != to) {
        int64_t end = ticks_rescale(sample->dts + sample->duration, from, to);
        out.dts = ticks_rescale(sample->dts, from, to);
        out.duration = (uint32_t)(end - out.dts);
        out.cts = (int32_t)ticks_rescale(sample->cts, from, to);
    }
    return out;
}

static int take_sample(void *arg, const struct cmaf_sample *found)
{
    struct taking *taking = arg;
    struct mp4_file *file = taking->file;
    const struct target *target = &file->target[found->track];
    struct file_track *track = target->track;
    const struct cmaf_sample sample = sample_in(file, found);
    bool begins_run = taking->gap || sample.track != taking->track;
    taking->track = sample.track;
    taking->gap = !is_wanted(file, &sample, sample.track == tracks_leading(file->current));
    if (taking->gap)
        return 0;
    struct piece *piece = &file->pieces[file->piece_count - 1];
    const struct buf *sets = sample.flags & FRAME_KEY ? sets_before(target) : NULL;
    uint64_t offset = taking->payload + sample.offset - taking->head_bytes;
    uint64_t at = piece->at + (offset - piece->offset);
    uint32_t length = sample.length;
    if (sets) {
        piece->bytes = offset - piece->offset;
        file->payload = at;
        sets_push(file, sets);
        piece = piece_push(file);
        piece->offset = offset;
        length += (uint32_t)sets->length;
    }
    if (begins_run)
        mp4_stbl_chunk(&track->stbl, at, target->description);
    int64_t dts = sample.dts - track->shift, shown = dts + sample.cts;
    if (track->stbl.samples == 0) {
        track->first = dts;
        track->begins = shown;
        track->ends = shown;
    }
    mp4_stbl_add(&track->stbl, dts - track->first, sample.duration, length, sample.cts,
                 sample.flags & FRAME_KEY);
    if (track->ends < shown + sample.duration)
        track->ends = shown + sample.duration;
    taking->taken++;
    return 0;
}

// Forgets all samples; the places of the segments stay, empty. The file now begins with the key
// frame that was found.
static void file_restart(struct mp4_file *file, const struct look *look)
{
    file_tracks_fini(&file->tracks);
    file->piece_count = 0;
    file->payload = file->samples = 0;
    file->shift_us = 0;
    file->begun = true;
    file->begin_dts = look->key_dts;
    file->begin_timescale = look->tracks->track[look->leading].timescale;
    int result = targets_find(file);
    ENSURE(result == 0); // there was room for them among others
    piece_push(file);
}

// Leaves out the hole between what there is and the segment that comes.
static void hole_close(struct mp4_file *file, const struct look *look, uint32_t timescale)
{
    int64_t hole_us = ticks_to_us(look->first, timescale) - file->last_end_us;
    if (file->samples == 0 || (hole_us <= MP4_FILE_HOLE_US && hole_us >= -MP4_FILE_HOLE_US))
        return;
    file->shift_us += hole_us;
    for (unsigned i = 0; i < file->tracks.count; i++) {
        struct file_track *track = file->tracks.track[i];
        track->shift = ticks_from_us(file->shift_us, track->timescale);
    }
}

// Takes the chunks from number `first` on.
static void segment_take(struct mp4_file *file, struct bytes heads, unsigned first)
{
    uint64_t payload = 0; // of the segment, up to this chunk
    bool any = false;
    for (unsigned chunk = 0; heads.length > 0; chunk++) {
        struct cmaf_head head;
        struct bytes bytes;
        ENSURE(head_next(&heads, file->current, &head, &bytes) == 0); // looked at before
        struct taking taking = {
            .file = file,
            .track = -1,
            .head_bytes = head.head_length,
            .payload = payload,
        };
        if (!any) // as if this chunk were the first; what lies between two wanted ones goes along
            file->pieces[file->piece_count - 1].offset = payload;
        if (chunk >= first) {
            int result = cmaf_samples_parse(bytes, file->current, take_sample, &taking);
            ENSURE(result == 0);
        }
        payload += head.payload_length;
        if (taking.taken) {
            struct piece *piece = &file->pieces[file->piece_count - 1];
            any = true;
            piece->bytes = payload - piece->offset;
            file->payload = piece->at + piece->bytes;
            file->samples += taking.taken;
        }
    }
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
    const struct target *target = &file->target[sample->track];
    const struct cmaf_sample mine = sample_in(file, sample);
    int64_t shown = mine.dts + mine.cts;
    if (sample->track != tracks_leading(file->current) || !(sample->flags & FRAME_KEY) ||
        shown < target->track->from || shown >= target->track->to)
        return 0;
    const struct buf *sets = sets_before(target);
    if (sets)
        sets_push(file, sets);
    struct piece *picture = piece_push(file);
    picture->offset = lapsing->payload + sample->offset - lapsing->head_bytes;
    picture->bytes = sample->length;
    picture->track = target->number;
    picture->description = target->description;
    file->payload += sample->length;
    file->samples++;
    return 0;
}

// The heads were looked at before.
static void lapse_take(struct mp4_file *file, struct bytes heads)
{
    struct lapsing lapsing = {.file = file};
    if (file->current->track[tracks_leading(file->current)].kind != MEDIA_VIDEO)
        return;
    while (heads.length > 0) {
        struct cmaf_head head;
        struct bytes bytes;
        ENSURE(head_next(&heads, file->current, &head, &bytes) == 0);
        lapsing.head_bytes = head.head_length;
        int result = cmaf_samples_parse(bytes, file->current, lapse_sample, &lapsing);
        ENSURE(result == 0);
        lapsing.payload += head.payload_length;
    }
}

// The tables, when it is known how many pictures there are.
static void lapse_finish(struct mp4_file *file)
{
    uint32_t number = 0, sets = 0; // sets: bytes before the picture
    for (uint32_t i = 0; i < file->piece_count; i++) {
        const struct piece *picture = &file->pieces[i];
        if (picture->sets)
            sets = (uint32_t)picture->bytes;
        if (picture->sets || picture->bytes == 0)
            continue;
        struct file_track *track = file->tracks.track[picture->track];
        int64_t whole = file->lapse_us ? ticks_from_us(file->lapse_us, track->timescale)
                                       : (int64_t)track->timescale * file->samples / LAPSE_RATE;
        int64_t time = whole * number / file->samples;
        int64_t next = whole * (number + 1) / file->samples;
        if (track->stbl.samples == 0)
            track->first = track->begins = time;
        mp4_stbl_chunk(&track->stbl, picture->at - sets, picture->description);
        mp4_stbl_add(&track->stbl, time - track->first, (uint32_t)(next - time),
                     (uint32_t)picture->bytes + sets, 0, true);
        track->ends = next;
        sets = 0;
        number++;
    }
}

int mp4_file_add(struct mp4_file *file, const struct segment_info *info, struct tracks *tracks,
                 struct bytes heads)
{
    (void)info;
    struct look look;
    if (file->ended)
        return ERR_LIMIT;
    int result = segment_look(file, tracks, heads, &look);
    if (result < 0)
        return result;
    if (look.samples > MP4_FILE_SAMPLES_MAX - file->samples || file_switch(file, tracks) != 0) {
        file->ended = true;
        return ERR_LIMIT;
    }
    piece_push(file); // also when nothing of it is taken: the caller counts
    if (file->is_lapse) {
        lapse_take(file, heads);
        file->added++;
        return 0;
    }
    unsigned first = 0;
    if (look.key_chunk >= 0 && (look.key_is_before || !file->begun)) {
        file_restart(file, &look);
        first = (unsigned)look.key_chunk;
    }
    if (file->begun) {
        uint32_t timescale = tracks->track[look.leading].timescale;
        if (look.first != TICKS_NONE)
            hole_close(file, &look, timescale);
        segment_take(file, heads, first);
        if (look.first != TICKS_NONE)
            file->last_end_us = ticks_to_us(look.end, timescale);
    }
    file->added++;
    return 0;
}

int mp4_file_finish(struct mp4_file *file)
{
    ENSURE(file->head.count == 0);
    file->ended = true;
    if (file->samples == 0)
        return ERR_NOT_FOUND;
    if (file->is_lapse)
        lapse_finish(file);
    return mp4_file_lay_out(file);
}
