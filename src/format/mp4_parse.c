// SPDX-License-Identifier: MIT
// MP4 files in: the tracks of moov, and the samples of all of them in the order of decode time.
//
// 1. Each track is a cursor over its tables (mp4_table.c), then over the runs of the fragments
//    (mp4_fragment.c); the next sample of each is kept ready, the earliest one is handed out.
// 2. Nothing is allocated by a count that stands in the file.
#include "format/mp4_parse.h"

#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "media/h265.h"
#include "media/nal.h"
#include "media/timebase.h"

#include "mp4_entry.h"
#include "mp4_movie.h"

enum { PCM_GROUPS_PER_SECOND = 50 };

int mp4_box_peek(struct bytes in, char type[5], uint64_t *size)
{
    if (in.length < MP4_BOX_HEAD)
        return ERR_AGAIN;
    uint64_t length = mp4_u32_at(in.data);
    if (length == 1) {
        if (in.length < 16)
            return ERR_AGAIN;
        length = mp4_u64_at(in.data + 8);
        if (length < 16)
            return ERR_INVALID;
    } else if (length != 0 && length < MP4_BOX_HEAD) {
        return ERR_INVALID;
    }
    for (unsigned i = 0; i < 4; i++)
        if (in.data[4 + i] < 0x20) // types are printable; 0xa9 is in use by QuickTime
            return ERR_INVALID;
    memcpy(type, in.data + 4, 4);
    type[4] = 0;
    *size = length;
    return 0;
}

// ---- moov ---------------------------------------------------------------------------------------

// The file's time where the presentation begins: edits that are empty come first, then one that
// shows media (8.6.6). Further edits are cuts, which a stream does not follow.
static int64_t edit_shift(struct bytes trak, uint32_t movie_timescale, uint32_t timescale)
{
    struct bytes edts, elst;
    uint8_t version;
    uint32_t flags, count;
    int64_t empty = 0;
    if (mp4_box_find(trak, MP4_TYPE("edts"), &edts) < 0 ||
        mp4_box_find(edts, MP4_TYPE("elst"), &elst) < 0 ||
        !mp4_full_box_read(&elst, &version, &flags) || !bytes_read_u32(&elst, &count))
        return 0;
    unsigned width = version == 1 ? 8 : 4;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t duration, media;
        if (!bytes_read_uint(&elst, width, &duration) || !bytes_read_uint(&elst, width, &media) ||
            !bytes_skip(&elst, 4))
            break;
        int64_t time = version == 1 ? (int64_t)media : (int32_t)(uint32_t)media;
        if (time >= 0)
            return time < MP4_TICKS_MAX ? time - empty : 0;
        int64_t ticks = duration > UINT32_MAX
                            ? MP4_TICKS_MAX
                            : ticks_rescale((int64_t)duration, movie_timescale, timescale);
        if (ticks >= MP4_TICKS_MAX / 2 || empty >= MP4_TICKS_MAX / 2)
            return 0;
        empty += ticks;
    }
    return -empty;
}

static void leave_out(struct mp4_movie *movie, const struct mp4_trak_found *found)
{
    uint32_t type =
        found->entry.length >= MP4_BOX_HEAD ? mp4_u32_at(found->entry.data + 4) : found->handler;
    char name[5] = {0};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t letter = (uint8_t)(type >> (24 - 8 * i));
        name[i] = (char)(letter > 0x20 && letter < 0x7f && letter != '"' ? letter : '?');
    }
    text_append(movie->left_out, sizeof(movie->left_out), "%s%s", movie->left_out[0] ? ", " : "",
                name);
}

static void guess_rate(struct track *track, const struct mp4_movie_track *from)
{
    uint32_t duration = mp4_table_usual_duration(&from->table);
    if (track->kind != MEDIA_VIDEO || track->fps_num || duration == 0)
        return;
    track->fps_num = from->timescale;
    track->fps_den = duration;
}

static int movie_track_parse(struct bytes trak, struct bytes moov, uint32_t movie_timescale,
                             struct mp4_trak_found *found, struct mp4_movie_track *out,
                             struct track *track)
{
    *out = (struct mp4_movie_track){0};
    int result = mp4_trak_parse(trak, found);
    if (result < 0)
        return result;
    out->id = found->id;
    out->timescale = found->timescale;
    out->trex = mp4_trex_find(moov, found->id);
    out->shift = edit_shift(trak, movie_timescale, found->timescale);
    out->group_most = 1;
    if (found->kind == MEDIA_AUDIO && found->timescale >= PCM_GROUPS_PER_SECOND)
        out->group_most = found->timescale / PCM_GROUPS_PER_SECOND;
    result = mp4_table_parse(found->stbl, out->group_most, &out->table);
    if (result < 0)
        return result;
    result = mp4_entry_parse(found->entry, found->kind, track, &out->nal_width);
    if (result < 0)
        return result;
    memcpy(track->language, found->language, sizeof(track->language));
    guess_rate(track, out);
    return 0;
}

static uint32_t movie_timescale_of(struct bytes moov)
{
    struct bytes mvhd;
    if (mp4_box_find(moov, MP4_TYPE("mvhd"), &mvhd) < 0 || mvhd.length < 24)
        return 0;
    return mp4_u32_at(mvhd.data + (mvhd.data[0] == 1 ? 20 : 12));
}

static int movie_fill(struct mp4_movie *movie)
{
    struct bytes moov = buf_bytes(movie->moov), ignored;
    uint32_t timescale = movie_timescale_of(moov);
    if (timescale == 0)
        return ERR_INVALID;
    movie->is_fragmented = mp4_box_find(moov, MP4_TYPE("mvex"), &ignored) == 0;
    struct track track[TRACKS_MAX];
    unsigned count = 0;
    struct bytes rest = moov;
    struct mp4_box box;
    int result;
    while ((result = mp4_box_next(&rest, &box)) == 0) {
        struct mp4_trak_found found;
        if (box.type != MP4_TYPE("trak"))
            continue;
        if (count < TRACKS_MAX && movie_track_parse(box.body, moov, timescale, &found,
                                                    &movie->track[count], &track[count]) == 0)
            count++;
        else if (count < TRACKS_MAX)
            leave_out(movie, &found);
    }
    if (count > 0)
        movie->tracks = tracks_new(track, count);
    // A moov that is cut short inside one of its boxes still has the tracks before that.
    return count > 0 ? 0 : result == ERR_NOT_FOUND ? ERR_UNSUPPORTED : ERR_INVALID;
}

int mp4_movie_parse(struct bytes moov, struct mp4_movie **out)
{
    struct mp4_box box;
    if (mp4_box_next(&moov, &box) < 0 || box.type != MP4_TYPE("moov") || moov.length > 0)
        return ERR_INVALID;
    if (box.body.length > MP4_MOOV_BYTES_MAX)
        return ERR_LIMIT;
    struct buf *copy = buf_try_new(box.body.length);
    if (!copy)
        return ERR_LIMIT;
    buf_append(copy, box.body.data, box.body.length);
    struct mp4_movie *movie = mem_alloc(sizeof(*movie));
    movie->moov = copy;
    int result = movie_fill(movie);
    if (result < 0)
        mp4_movie_free(&movie);
    else
        *out = movie;
    return result;
}

void mp4_movie_free(struct mp4_movie **movie)
{
    struct mp4_movie *gone = *movie;
    *movie = NULL;
    if (!gone)
        return;
    for (unsigned i = 0; gone->tracks && i < gone->tracks->count; i++)
        mem_free(gone->track[i].runs);
    for (uint32_t i = 0; i < gone->moof_count; i++)
        buf_unref(&gone->moofs[i]);
    mem_free(gone->moofs);
    tracks_unref(&gone->tracks);
    buf_unref(&gone->moov);
    mem_free(gone);
}

struct tracks *mp4_movie_tracks(const struct mp4_movie *movie)
{
    return movie->tracks;
}

bool mp4_movie_is_fragmented(const struct mp4_movie *movie)
{
    return movie->is_fragmented;
}

const char *mp4_movie_left_out(const struct mp4_movie *movie)
{
    return movie->left_out;
}

// ---- samples ------------------------------------------------------------------------------------

static int32_t clamp_i32(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

// Puts the next usable sample of the track into its `ahead`.
static void track_advance(struct mp4_movie *movie, unsigned number)
{
    struct mp4_movie_track *from = &movie->track[number];
    const struct track *track = &movie->tracks->track[number];
    struct mp4_raw_sample raw;
    from->has_ahead = false;
    do {
        if (mp4_table_next(&from->table, &raw) < 0 && mp4_runs_next(from, &raw) < 0)
            return;
    } while (raw.length == 0 || raw.length > FRAME_BYTES_MAX);
    // Each time is converted by itself, so that rounding does not add up.
    int64_t start = raw.dts - from->shift;
    int64_t dts = ticks_rescale(start, from->timescale, track->timescale);
    int64_t pts = ticks_rescale(start + raw.cts, from->timescale, track->timescale);
    int64_t end = ticks_rescale(start + raw.duration, from->timescale, track->timescale);
    if (dts > MP4_TICKS_MAX || dts < -MP4_TICKS_MAX)
        return;
    from->ahead = (struct mp4_sample){
        .track = number,
        .key = raw.key || track->kind == MEDIA_AUDIO,
        .dts = dts,
        .cts = clamp_i32(pts - dts),
        .duration = end - dts <= UINT32_MAX ? (uint32_t)(end - dts) : UINT32_MAX,
        .offset = raw.offset,
        .length = raw.length,
    };
    from->has_ahead = true;
}

static bool is_before(const struct mp4_movie *movie, const struct mp4_sample *a,
                      const struct mp4_sample *b)
{
    return (__int128)a->dts * movie->tracks->track[b->track].timescale <
           (__int128)b->dts * movie->tracks->track[a->track].timescale;
}

int mp4_movie_next(struct mp4_movie *movie, struct mp4_sample *out)
{
    const struct mp4_sample *best = NULL;
    for (unsigned i = 0; i < movie->tracks->count; i++) {
        if (!movie->track[i].has_ahead)
            track_advance(movie, i);
        if (movie->track[i].has_ahead && (!best || is_before(movie, &movie->track[i].ahead, best)))
            best = &movie->track[i].ahead;
    }
    if (!best)
        return ERR_NOT_FOUND;
    *out = *best;
    movie->track[out->track].has_ahead = false;
    return 0;
}

void mp4_movie_rewind(struct mp4_movie *movie)
{
    for (unsigned i = 0; i < movie->tracks->count; i++) {
        struct mp4_movie_track *track = &movie->track[i];
        mp4_table_rewind(&track->table);
        track->run_at = track->sample_at = 0;
        track->has_ahead = false;
    }
}

// ---- payload ------------------------------------------------------------------------------------

static int picture_make(struct bytes bytes, enum codec codec, unsigned nal_width, struct buf **out)
{
    struct au_builder au = {0};
    struct bytes nal;
    bool key, droppable;
    int result;
    while ((result = nal_next_prefixed(&bytes, nal_width, &nal)) == 0) {
        if (nal.length == 0)
            continue;
        result = codec == CODEC_H264 ? h264_au_add(&au, NULL, nal) : h265_au_add(&au, NULL, nal);
        if (result < 0)
            break;
    }
    if (result == ERR_NOT_FOUND) {
        *out = au_builder_take(&au, &key, &droppable);
        result = *out ? 0 : ERR_INVALID;
    }
    au_builder_reset(&au);
    return result;
}

int mp4_sample_payload(const struct mp4_movie *movie, const struct mp4_sample *sample,
                       struct bytes bytes, struct buf **out)
{
    ENSURE(sample->track < movie->tracks->count);
    enum codec codec = movie->tracks->track[sample->track].codec;
    *out = NULL;
    if (bytes.length != sample->length)
        return ERR_INVALID;
    if (codec == CODEC_H264 || codec == CODEC_H265)
        return picture_make(bytes, codec, movie->track[sample->track].nal_width, out);
    *out = buf_try_new(bytes.length);
    if (!*out)
        return ERR_LIMIT;
    buf_append(*out, bytes.data, bytes.length);
    return 0;
}
