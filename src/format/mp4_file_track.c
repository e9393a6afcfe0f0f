// SPDX-License-Identifier: MIT
#include "mp4_file_track.h"

#include <string.h>

#include "base/mem.h"
#include "base/writer.h"
#include "media/h265.h"

const struct track *file_track_media(const struct file_track *track)
{
    const struct file_description *first = &track->descriptions[0];
    return &first->tracks->track[first->number];
}

void file_tracks_fini(struct file_tracks *tracks)
{
    for (unsigned i = 0; i < tracks->count; i++) {
        struct file_track *track = tracks->track[i];
        mp4_stbl_fini(&track->stbl);
        for (unsigned k = 0; k < track->count; k++) {
            tracks_unref(&track->descriptions[k].tracks);
            buf_unref(&track->descriptions[k].sets);
        }
        mem_free(track->descriptions);
        mem_free(track);
    }
    *tracks = (struct file_tracks){0};
}

// One decoder can go on from one to the other. Players take the type of the first sample entry for
// that of all: ffmpeg leaves out what has another.
static bool is_same_codec(const struct track *a, const struct track *b)
{
    if (a->codec != b->codec || a->kind != b->kind || !a->sample_entry != !b->sample_entry)
        return false;
    return !a->sample_entry ||
           (a->sample_entry->length >= 8 && b->sample_entry->length >= 8 &&
            memcmp(a->sample_entry->data + 4, b->sample_entry->data + 4, 4) == 0);
}

static unsigned rank_of(const struct tracks *from, unsigned number)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < number; i++)
        rank += is_same_codec(&from->track[i], &from->track[number]);
    return rank;
}

struct file_track *file_tracks_find(struct file_tracks *tracks, struct tracks *from,
                                    unsigned number, bool *is_new)
{
    unsigned rank = rank_of(from, number);
    *is_new = false;
    for (unsigned i = 0; i < tracks->count; i++) {
        struct file_track *track = tracks->track[i];
        if (track->rank == rank && is_same_codec(file_track_media(track), &from->track[number]))
            return track;
    }
    if (tracks->count == FILE_TRACKS_MAX)
        return NULL;
    struct file_track *track = mem_alloc(sizeof(*track));
    track->timescale = from->track[number].timescale;
    track->rank = rank;
    *is_new = true;
    if (file_track_describe(track, from, number) != 1) { // the first cannot be too many
        mem_free(track);
        return NULL;
    }
    tracks->track[tracks->count++] = track;
    return track;
}

static struct buf *sets_of(const struct track *track)
{
    struct param_sets sets = {0};
    struct writer out = {0};
    unsigned width;
    int result = ERR_UNSUPPORTED;
    if (track->codec == CODEC_H264 && track->config)
        result = h264_config_parse(buf_bytes(track->config), &sets, &width);
    else if (track->codec == CODEC_H265 && track->config)
        result = h265_config_parse(buf_bytes(track->config), &sets, &width);
    for (unsigned kind = 0; result == 0 && kind < 3; kind++) {
        for (unsigned i = 0; i < sets.count[kind]; i++) {
            writer_u32(&out, (uint32_t)sets.set[kind][i]->length);
            writer_bytes(&out, sets.set[kind][i]->data, sets.set[kind][i]->length);
        }
    }
    param_sets_fini(&sets);
    struct buf *bytes = writer_take(&out);
    if (bytes->length == 0)
        buf_unref(&bytes);
    return bytes;
}

int file_track_describe(struct file_track *track, struct tracks *from, unsigned number)
{
    for (unsigned i = 0; i < track->count; i++) {
        const struct file_description *one = &track->descriptions[i];
        if (track_equal(&one->tracks->track[one->number], &from->track[number]))
            return (int)i + 1;
    }
    if (track->count == FILE_DESCRIPTIONS_MAX)
        return ERR_LIMIT;
    if (track->count == track->capacity) {
        track->capacity = track->capacity ? track->capacity * 2 : 2;
        track->descriptions =
            mem_resize(track->descriptions, track->capacity * sizeof(*track->descriptions));
    }
    track->descriptions[track->count++] = (struct file_description){
        .tracks = tracks_ref(from),
        .number = number,
        .sets = sets_of(&from->track[number]),
    };
    return (int)track->count;
}
