// SPDX-License-Identifier: MIT
// Tracks and frames without any encoder, for tests of the fragment and of MP4 files.
#ifndef TESTS_UNIT_FORMAT_CMAF_FIXTURE_H
#define TESTS_UNIT_FORMAT_CMAF_FIXTURE_H

#include "unit.h"

#include "base/code.h"
#include "base/limits.h"
#include "format/cmaf.h"
#include "media/audio.h"
#include "media/h265.h"
#include "media/timebase.h"

// Parameter sets of 64x48 at 25 pictures a second.
#define AVCC "014d400affe10015674d400adb11ec0440000003004000000c83c489b801000568eac3cb20"
#define HVCC                                                                                       \
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff016000000300900000030000" \
    "03001e959809a10001002942010101600000030090000003000003001ea02083165959ae4caf0168080000030008" \
    "00000300c840a2000100064401c173d089"

// 2023-11-14 22:13:20 UTC, and a little: nothing is round.
#define START_US 1700000000123456LL

static inline struct buf *buf_of_hex(const char *hex)
{
    struct buf *buf = buf_new(strlen(hex) / 2);
    assert_true(hex_decode(hex, strlen(hex), buf->data, buf->capacity, &buf->length));
    return buf;
}

static inline struct track h264_track_of(const char *avcc)
{
    struct track track;
    struct buf *config = buf_of_hex(avcc);
    assert_int_equal(h264_track_from_config(config, &track), 0);
    buf_unref(&config);
    return track;
}

static inline struct track h265_track_of(const char *hvcc)
{
    struct track track;
    struct buf *config = buf_of_hex(hvcc);
    assert_int_equal(h265_track_from_config(config, &track), 0);
    buf_unref(&config);
    return track;
}

static inline struct track aac_track_of(const char *config)
{
    struct track track;
    struct buf *bytes = buf_of_hex(config);
    assert_int_equal(aac_track_from_config(buf_bytes(bytes), &track), 0);
    buf_unref(&bytes);
    return track;
}

static inline struct track g711_track_of(enum codec codec)
{
    struct track track;
    assert_int_equal(g711_track_make(codec, 8000, 1, &track), 0);
    return track;
}

// H.264 at 90000 and AAC at 48000, mono.
static inline struct tracks *camera_tracks(void)
{
    struct track track[2] = {h264_track_of(AVCC), aac_track_of("1188")};
    return tracks_new(track, 2);
}

// A frame whose payload is `length` bytes that tell track and number.
static inline struct frame *frame_make(unsigned track, unsigned number, int64_t dts,
                                       uint32_t length, uint8_t flags)
{
    struct buf *buf = buf_new(length);
    for (uint32_t i = 0; i < length; i++)
        buf->data[i] = (uint8_t)(track * 16 + number + i);
    buf->length = length;
    struct frame *frame = frame_new(track, &buf);
    frame->dts = dts;
    frame->flags = flags;
    return frame;
}

struct frames {
    struct frame *frame[512];
    unsigned count;
};

static inline struct frame *frames_add(struct frames *frames, struct frame *frame)
{
    frames->frame[frames->count++] = frame;
    return frame;
}

static inline void frames_drop(struct frames *frames)
{
    while (frames->count > 0)
        frame_unref(&frames->frame[--frames->count]);
}

// What a camera gives from START_US + from_us on for duration_us: pictures at 25 a second, each
// gop-th a key, and AAC; interleaved by time.
static inline void camera_frames(struct frames *out, int64_t from_us, int64_t duration_us,
                                 unsigned gop)
{
    int64_t video = ticks_from_us(START_US, 90000), audio = ticks_from_us(START_US, 48000);
    unsigned v = (unsigned)(from_us / 40000), a = (unsigned)((from_us * 48 + 1023999) / 1024000);
    for (int64_t end = from_us + duration_us;;) {
        int64_t video_us = (int64_t)v * 40000, audio_us = (int64_t)a * 1024 * 1000 / 48;
        if (video_us >= end && audio_us >= end)
            break;
        if (video_us <= audio_us) {
            bool key = v % gop == 0;
            frames_add(out, frame_make(0, v, video + 3600 * (int64_t)v, key ? 40 : 10 + v % 7,
                                       key ? FRAME_KEY : 0));
            v++;
        } else {
            frames_add(out, frame_make(1, a, audio + 1024 * (int64_t)a, 5 + a % 3, FRAME_KEY));
            a++;
        }
    }
}

// A segment of these frames, a new part before each frame at or after every part_us of its start.
static inline struct segment *segment_of(struct tracks *tracks, const struct frames *frames,
                                         uint64_t number, int64_t part_us)
{
    struct segment_info info = {.number = number, .generation = 3, .flags = SEGMENT_KEY};
    const struct frame *first = frames->frame[0];
    info.utc_start_us = ticks_to_us(first->dts, tracks->track[first->track].timescale);
    struct segment *segment = segment_new(&info, tracks);
    int64_t next = info.utc_start_us + part_us;
    for (unsigned i = 0; i < frames->count; i++) {
        struct frame *frame = frame_ref(frames->frame[i]);
        bool begins = ticks_to_us(frame->dts, tracks->track[frame->track].timescale) >= next;
        if (begins)
            next += part_us;
        segment_add_frame(segment, &frame, begins);
    }
    return segment;
}

// One chunk of the frames as one block.
static inline struct buf *chunk_of(const struct tracks *tracks, const struct frames *frames)
{
    struct segment_info info = {.number = 1700000000,
                                .utc_start_us = START_US,
                                .generation = 3,
                                .flags = SEGMENT_KEY | SEGMENT_DISCONTINUITY};
    struct chain chain = {0};
    cmaf_chunk_write(tracks, frames->frame, frames->count, &info, 5, &chain);
    struct buf *joined = chain_join(&chain);
    chain_fini(&chain);
    return joined;
}

static inline struct bytes sub(struct buf *buf, size_t offset, size_t length)
{
    return bytes_of(buf->data + offset, length);
}

#endif
