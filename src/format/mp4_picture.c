// SPDX-License-Identifier: MIT
// A file of one picture, for previews that nobody has to decode here.
#include "format/mp4_file.h"

#include "mp4_moov.h"
#include "mp4_stbl.h"

enum { SHOWN_RATE = 25 }; // the picture lasts this part of a second

// ftyp and moov, the picture at `base`; the small parts come before the tables. Returns the length.
static size_t head_write(const struct track *track, struct mp4_stbl *stbl, uint64_t base,
                         struct chain *out)
{
    static const char ftyp[] = "ftypisom\0\0\2\0isomiso6mp41";
    struct writer part = {0};
    uint64_t duration = MP4_MOVIE_TIMESCALE / SHOWN_RATE;
    struct mp4_trak trak = {
        .track = track,
        .id = 1,
        .duration = duration,
        .media_duration = stbl->time,
        .tables_size = mp4_stbl_size(stbl),
    };
    writer_u32(&part, (uint32_t)sizeof(ftyp) - 1 + 4);
    writer_bytes(&part, ftyp, sizeof(ftyp) - 1);
    size_t moov_at = writer_length(&part);
    writer_u32(&part, 0);
    writer_text(&part, "moov");
    mp4_mvhd_write(&part, 0, duration, 1);
    mp4_trak_write(&part, &trak);
    size_t length = writer_length(&part) + trak.tables_size;
    writer_patch_u32(&part, moov_at, (uint32_t)(length - moov_at));
    struct buf *small = writer_take(&part);
    if (out) {
        chain_take(out, &small);
        mp4_stbl_take(stbl, base, out);
    }
    buf_unref(&small);
    return length;
}

void mp4_picture_write(const struct track *track, const struct frame *frame, struct chain *out)
{
    struct mp4_stbl stbl = {0};
    struct writer mdat = {0};
    mp4_stbl_chunk(&stbl, 0, 1);
    mp4_stbl_add(&stbl, 0, (track->timescale + SHOWN_RATE - 1) / SHOWN_RATE, frame->length, 0,
                 true);
    mp4_stbl_finish(&stbl);
    size_t length = head_write(track, &stbl, 0, NULL);
    head_write(track, &stbl, length + MP4_BOX_HEAD, out);
    writer_u32(&mdat, MP4_BOX_HEAD + frame->length);
    writer_text(&mdat, "mdat");
    struct buf *small = writer_take(&mdat);
    chain_take(out, &small);
    chain_add(out, frame->buf, frame->offset, frame->length);
    mp4_stbl_fini(&stbl);
}
