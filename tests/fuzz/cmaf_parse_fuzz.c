// SPDX-License-Identifier: MIT
// Init segments, chunk heads, whole segments and files laid out from heads, of any bytes. The first
// byte chooses; checksums are made right, so that what lies behind them is reached. What is
// accepted can be unpacked, and written again in a way that is accepted.
#include <string.h>

#include "base/code.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "format/mp4_file.h"
#include "format/ts_segment.h"
#include "media/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tracks *camera_tracks(void)
{
    struct track track[2];
    track_init(&track[0], CODEC_OTHER_VIDEO); // anything is its payload
    track[0].timescale = 90000;
    track[0].fps_num = 25;
    track[0].fps_den = 1;
    track[0].sample_entry = buf_new_copy("\0\0\0\x10vp09\0\0\0\0\0\0\0\1", 16);
    ENSURE(aac_track_from_config(bytes_of("\x11\x88", 2), &track[1]) == 0);
    return tracks_new(track, 2);
}

static void try_init(struct bytes in)
{
    struct tracks *tracks, *again;
    if (cmaf_init_parse(in, &tracks) < 0)
        return;
    struct buf *init = cmaf_init_write(tracks);
    ENSURE(cmaf_init_parse(buf_bytes(init), &again) == 0);
    struct buf *second = cmaf_init_write(again);
    ENSURE(init->length == second->length && memcmp(init->data, second->data, init->length) == 0);
    buf_unref(&second);
    buf_unref(&init);
    tracks_unref(&again);
    tracks_unref(&tracks);
}

static int count_sample(void *arg, const struct cmaf_sample *sample)
{
    ENSURE(sample->length <= FRAME_BYTES_MAX);
    ++*(unsigned *)arg;
    return 0;
}

// Puts the right checksum into every chunk.
static void mend(uint8_t *data, size_t length, const struct tracks *tracks)
{
    struct cmaf_head head;
    struct bytes rest = bytes_of(data, length);
    while (cmaf_head_parse(rest, tracks, &head) == 0) {
        size_t whole = head.head_length + (size_t)head.payload_length;
        if (whole > rest.length)
            return;
        uint8_t *chunk = data + (rest.data - data);
        uint32_t checksum = crc32c(crc32c(0, chunk, 28), chunk + 32, whole - 32);
        for (unsigned i = 0; i < 4; i++)
            chunk[28 + i] = (uint8_t)(checksum >> (24 - 8 * i));
        ENSURE(cmaf_chunk_intact(bytes_of(chunk, whole)));
        bytes_skip(&rest, whole);
    }
}

static void try_heads(struct bytes in, struct tracks *tracks)
{
    struct cmaf_head head;
    unsigned samples = 0;
    size_t at = cmaf_chunk_find(in, 0);
    ENSURE(at <= in.length);
    if (cmaf_head_parse(bytes_of(in.data + at, in.length - at), tracks, &head) == 0)
        ENSURE(at + head.head_length <= in.length && head.samples > 0);
    if (cmaf_samples_parse(in, tracks, count_sample, &samples) == 0) {
        ENSURE(cmaf_head_parse(in, tracks, &head) == 0);
        ENSURE(samples == head.samples);
    }
    uint64_t free_length = cmaf_free_length(in);
    ENSURE(free_length == 0 || free_length >= CMAF_FREE_HEAD);
    struct segment_info info = {0};
    struct mp4_file *file = mp4_file_new(1000000, 1LL << 50);
    int added = mp4_file_add(file, &info, tracks, in);
    int again = mp4_file_add(file, &info, tracks, in);
    ENSURE(added == again);
    if (mp4_file_finish(file) == 0)
        ENSURE(mp4_file_length(file) > mp4_file_head(file)->bytes || samples);
    mp4_file_free(&file);
}

static void try_segment(struct bytes in, struct tracks *tracks)
{
    struct buf *buf = buf_new_copy(in.data, in.length);
    struct segment *segment, *again;
    if (cmaf_segment_from_bytes(&buf, tracks, &segment) < 0)
        return;
    ENSURE(segment_frames(segment) == 0 && segment->frame_count > 0);
    const struct chain *packets;
    if (ts_segment(segment, &packets) == 0)
        ENSURE(packets->bytes % 188 == 0);
    struct segment *thinned = cmaf_segment_thin(segment);
    if (thinned) {
        ENSURE(segment_frames(thinned) == 0 && thinned->frame_count < segment->frame_count);
        ENSURE(thinned->info.flags & SEGMENT_THINNED &&
               thinned->info.bytes < 2u * in.length + 4096);
    }
    segment_unref(&thinned);
    struct segment *copy = segment_new(&segment->info, tracks);
    for (unsigned part = 0; part < segment->part_count; part++)
        for (unsigned i = 0; i < segment->parts[part].count; i++) {
            struct frame *frame = frame_ref(segment->frames[segment->parts[part].first + i]);
            segment_add_frame(copy, &frame, i == 0);
        }
    buf = chain_join(cmaf_segment(copy));
    ENSURE(cmaf_segment_from_bytes(&buf, tracks, &again) == 0);
    segment_unref(&again);
    segment_unref(&copy);
    segment_unref(&segment);
}

// There and back changes nothing.
static void try_shift(struct bytes in, struct tracks *tracks)
{
    uint8_t *copy = mem_dup(in.data, in.length);
    if (cmaf_shift(copy, in.length, tracks, 86400) == 0 &&
        cmaf_shift(copy, in.length, tracks, -86400) == 0)
        ENSURE(memcmp(copy, in.data, in.length) == 0);
    (void)(cmaf_shift_heads(copy, in.length, tracks, INT64_MAX) == 0);
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct tracks *tracks = camera_tracks();
    size_t length = size - 1;
    uint8_t *copy = mem_dup(data + 1, length);
    if (data[0] & 1) {
        try_init(bytes_of(copy, length));
    } else {
        try_heads(bytes_of(copy, length), tracks);
        mend(copy, length, tracks);
        try_segment(bytes_of(copy, length), tracks);
        try_shift(bytes_of(copy, length), tracks);
    }
    mem_free(copy);
    tracks_unref(&tracks);
    return 0;
}
