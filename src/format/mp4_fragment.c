// SPDX-License-Identifier: MIT
// moof boxes of foreign files (ISO/IEC 14496-12, 8.8): runs of samples for the cursor of a movie.
//
// 1. A fragment is taken whole or not at all.
// 2. A run keeps its table as it stands in the copy of the box; nothing is unfolded.
#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

#include "cmaf_priv.h"
#include "mp4_movie.h"

// A traf while its boxes are read.
struct traf {
    struct mp4_movie_track *track; // NULL: one that was left out
    uint64_t base;                 // what data offsets count from
    uint64_t next;                 // where the data of a trun without an offset begin
    struct mp4_trex defaults;
    int64_t dts;
};

static struct mp4_movie_track *track_by_id(struct mp4_movie *movie, uint32_t id)
{
    for (unsigned i = 0; i < movie->tracks->count; i++)
        if (movie->track[i].id == id)
            return &movie->track[i];
    return NULL;
}

// moof_at: offset of the moof; data_end: end of the data of the traf before, moof_at for the first.
static bool tfhd_parse(struct mp4_movie *movie, struct bytes body, uint64_t moof_at,
                       uint64_t data_end, struct traf *out)
{
    uint8_t version;
    uint32_t flags, id;
    if (!mp4_full_box_read(&body, &version, &flags) || !bytes_read_u32(&body, &id))
        return false;
    out->track = track_by_id(movie, id);
    out->base = flags & TFHD_BASE_IS_MOOF ? moof_at : data_end;
    if (out->track)
        out->defaults = out->track->trex;
    if ((flags & TFHD_BASE_DATA_OFFSET && !bytes_read_u64(&body, &out->base)) ||
        (flags & TFHD_DESCRIPTION && !bytes_skip(&body, 4)) ||
        (flags & TFHD_DURATION && !bytes_read_u32(&body, &out->defaults.duration)) ||
        (flags & TFHD_SIZE && !bytes_read_u32(&body, &out->defaults.size)) ||
        (flags & TFHD_FLAGS && !bytes_read_u32(&body, &out->defaults.flags)))
        return false;
    out->next = out->base;
    return out->base <= INT64_MAX;
}

static bool tfdt_parse(struct bytes traf, struct traf *out)
{
    struct bytes body;
    uint8_t version;
    uint32_t flags;
    uint64_t ticks;
    if (mp4_box_find(traf, MP4_TYPE("tfdt"), &body) < 0)
        return true; // it goes on where the fragment before ended
    if (!mp4_full_box_read(&body, &version, &flags) ||
        !bytes_read_uint(&body, version == 1 ? 8 : 4, &ticks))
        return false;
    out->dts = (int64_t)ticks;
    return out->dts > -MP4_TICKS_MAX && out->dts < MP4_TICKS_MAX;
}

static bool trun_parse(struct bytes body, const struct traf *traf, struct mp4_run *out)
{
    uint8_t version;
    uint32_t offset;
    *out = (struct mp4_run){
        .duration = traf->defaults.duration,
        .size = traf->defaults.size,
        .flags = traf->defaults.flags,
        .first_flags = traf->defaults.flags,
        .dts = traf->dts,
        .offset = traf->next,
        .group_most = 1,
    };
    if (!mp4_full_box_read(&body, &version, &out->fields) || !bytes_read_u32(&body, &out->count))
        return false;
    if (out->fields & TRUN_DATA_OFFSET) {
        if (!bytes_read_u32(&body, &offset))
            return false;
        out->offset = traf->base + (uint64_t)(int64_t)(int32_t)offset;
    }
    if (out->fields & TRUN_FIRST_FLAGS && !bytes_read_u32(&body, &out->first_flags))
        return false;
    for (uint32_t field = TRUN_DURATION; field <= TRUN_CTS; field <<= 1)
        out->width += out->fields & field ? 4 : 0;
    out->table = body.data;
    if (out->offset > INT64_MAX || (uint64_t)out->count * out->width > body.length)
        return false;
    // Samples without a table are as many as the file likes: none that would be left out.
    if (!(out->fields & TRUN_SIZE) && (out->size == 0 || out->size > FRAME_BYTES_MAX))
        out->count = 0;
    if (out->width == 0 && out->duration == 1 && traf->track && out->size > 0)
        out->group_most = mp4_group_most(traf->track->group_most, out->size);
    return true;
}

static const uint8_t *run_row(const struct mp4_run *run, uint32_t index)
{
    return run->table + (uint64_t)index * run->width;
}

static uint32_t run_size(const struct mp4_run *run, uint32_t index)
{
    if (!(run->fields & TRUN_SIZE))
        return run->size;
    return mp4_u32_at(run_row(run, index) + (run->fields & TRUN_DURATION ? 4 : 0));
}

static uint32_t run_duration(const struct mp4_run *run, uint32_t index)
{
    return run->fields & TRUN_DURATION ? mp4_u32_at(run_row(run, index)) : run->duration;
}

// Bytes and ticks of all samples of a run.
static void run_sums(const struct mp4_run *run, uint64_t *bytes, uint64_t *ticks)
{
    *bytes = (uint64_t)run->size * run->count;
    *ticks = (uint64_t)run->duration * run->count;
    if (run->fields & TRUN_SIZE) {
        *bytes = 0;
        for (uint32_t i = 0; i < run->count; i++)
            *bytes += run_size(run, i);
    }
    if (run->fields & TRUN_DURATION) {
        *ticks = 0;
        for (uint32_t i = 0; i < run->count; i++)
            *ticks += run_duration(run, i);
    }
}

static void run_add(struct mp4_movie_track *track, const struct mp4_run *run)
{
    if (track->run_count == track->run_capacity) {
        track->run_capacity = track->run_capacity ? track->run_capacity * 2 : 16;
        track->runs = mem_resize(track->runs, track->run_capacity * sizeof(*track->runs));
    }
    track->runs[track->run_count++] = *run;
}

// data_end: as for tfhd_parse; afterwards the end of this traf's data.
static int traf_parse(struct mp4_movie *movie, struct bytes body, uint64_t moof_at,
                      uint64_t *data_end)
{
    struct bytes tfhd;
    struct traf traf = {0};
    struct mp4_box box;
    if (mp4_box_find(body, MP4_TYPE("tfhd"), &tfhd) < 0 ||
        !tfhd_parse(movie, tfhd, moof_at, *data_end, &traf))
        return ERR_INVALID;
    traf.dts = traf.track ? traf.track->fragment_end : 0;
    if (!tfdt_parse(body, &traf))
        return ERR_INVALID;
    int result;
    while ((result = mp4_box_next(&body, &box)) == 0) {
        struct mp4_run run;
        uint64_t bytes, ticks;
        if (box.type != MP4_TYPE("trun"))
            continue;
        if (!trun_parse(box.body, &traf, &run))
            return ERR_INVALID;
        run_sums(&run, &bytes, &ticks);
        if (bytes > INT64_MAX - run.offset || ticks > (uint64_t)MP4_TICKS_MAX ||
            traf.dts + (int64_t)ticks > MP4_TICKS_MAX)
            return ERR_INVALID;
        traf.next = run.offset + bytes;
        traf.dts += (int64_t)ticks;
        if (traf.track && run.count > 0)
            run_add(traf.track, &run);
    }
    *data_end = traf.next;
    if (traf.track)
        traf.track->fragment_end = traf.dts;
    return result == ERR_NOT_FOUND ? 0 : ERR_INVALID;
}

int mp4_movie_add_fragment(struct mp4_movie *movie, struct bytes moof, uint64_t offset)
{
    struct mp4_box box;
    uint64_t data_end = offset;
    if (mp4_box_next(&moof, &box) < 0 || box.type != MP4_TYPE("moof") || moof.length > 0 ||
        offset > INT64_MAX)
        return ERR_INVALID;
    if (box.whole.length > MP4_FRAGMENT_BYTES_MAX - movie->moof_bytes)
        return ERR_LIMIT;
    struct buf *copy = buf_try_new(box.body.length);
    if (!copy)
        return ERR_LIMIT;
    buf_append(copy, box.body.data, box.body.length);

    uint32_t run_count[TRACKS_MAX];
    int64_t fragment_end[TRACKS_MAX];
    for (unsigned i = 0; i < movie->tracks->count; i++) {
        run_count[i] = movie->track[i].run_count;
        fragment_end[i] = movie->track[i].fragment_end;
    }
    struct bytes body = buf_bytes(copy);
    int result;
    while ((result = mp4_box_next(&body, &box)) == 0)
        if (box.type == MP4_TYPE("traf") &&
            (result = traf_parse(movie, box.body, offset, &data_end)) < 0)
            break;
    if (result != ERR_NOT_FOUND) {
        for (unsigned i = 0; i < movie->tracks->count; i++) {
            movie->track[i].run_count = run_count[i];
            movie->track[i].fragment_end = fragment_end[i];
        }
        buf_unref(&copy);
        return ERR_INVALID;
    }
    if (movie->moof_count == movie->moof_capacity) {
        movie->moof_capacity = movie->moof_capacity ? movie->moof_capacity * 2 : 16;
        movie->moofs = mem_resize(movie->moofs, movie->moof_capacity * sizeof(*movie->moofs));
    }
    movie->moofs[movie->moof_count++] = copy;
    movie->moof_bytes += copy->length + MP4_BOX_HEAD;
    return 0;
}

int mp4_runs_next(struct mp4_movie_track *track, struct mp4_raw_sample *out)
{
    if (track->run_at >= track->run_count)
        return ERR_NOT_FOUND;
    const struct mp4_run *run = &track->runs[track->run_at];
    uint32_t index = track->sample_at, count = run->group_most;
    if (index == 0) {
        track->run_dts = run->dts;
        track->run_offset = run->offset;
    }
    if (count > run->count - index)
        count = run->count - index;
    uint32_t flags = index == 0 ? run->first_flags : run->flags;
    const uint8_t *row = run_row(run, index) + (run->fields & TRUN_DURATION ? 4 : 0) +
                         (run->fields & TRUN_SIZE ? 4 : 0);
    if (run->fields & TRUN_FLAGS) {
        flags = mp4_u32_at(row);
        row += 4;
    }
    uint64_t length = (uint64_t)run_size(run, index) * count;
    *out = (struct mp4_raw_sample){
        .dts = track->run_dts,
        .cts = run->fields & TRUN_CTS ? (int32_t)mp4_u32_at(row) : 0,
        .duration = run->group_most > 1 ? count : run_duration(run, index),
        .offset = track->run_offset,
        .length = length <= UINT32_MAX ? (uint32_t)length : 0,
        .key = !(flags & SAMPLE_NON_SYNC),
    };
    track->run_dts += out->duration;
    track->run_offset += length;
    track->sample_at += count;
    if (track->sample_at >= run->count) {
        track->run_at++;
        track->sample_at = 0;
    }
    return 0;
}
