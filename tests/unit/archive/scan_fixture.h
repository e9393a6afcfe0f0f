// SPDX-License-Identifier: MIT
// Hour files in memory: an init segment and chunks of made-up frames, and a scan over them.
#ifndef TESTS_SCAN_FIXTURE_H
#define TESTS_SCAN_FIXTURE_H

#include "base/clock.h"
#include "media/audio.h"
#include "media/timebase.h"
#include "scan_parse.h"
#include "unit.h"

// 2026-01-01 00:00:00 UTC.
#define SCAN_START_US 1767225600000000LL

// Sound only: every frame may begin a segment.
static inline struct tracks *scan_tracks(void)
{
    struct track track;
    assert_int_equal(g711_track_make(CODEC_PCMA, 8000, 1, &track), 0);
    struct tracks *tracks = tracks_new(&track, 1);
    tracks->generation = 9;
    return tracks;
}

// Part `part` of segment `number` (of two seconds, from 0 at SCAN_START_US), parts of half a
// second.
static inline void scan_chunk(struct chain *out, struct tracks *tracks, unsigned number,
                              unsigned part, uint8_t flags)
{
    struct segment_info info = {.number = 100 + number,
                                .utc_start_us = SCAN_START_US + number * 2000000LL,
                                .generation = tracks->generation,
                                .flags = flags};
    struct frame *frames[25];
    for (unsigned i = 0; i < 25; i++) {
        struct buf *buf = buf_new(160);
        buf->length = 160;
        memset(buf->data, (int)(number * 16 + part * 4 + i), 160);
        frames[i] = frame_new(0, &buf);
        frames[i]->flags = FRAME_KEY;
        frames[i]->dts = ticks_from_us(info.utc_start_us, 8000) + (part * 25 + i) * 160;
        frames[i]->duration = 160;
    }
    cmaf_chunk_write(tracks, frames, 25, &info, part, out);
    for (unsigned i = 0; i < 25; i++)
        frame_unref(&frames[i]);
}

static inline struct buf *scan_file(struct tracks *tracks, unsigned segments, size_t *init)
{
    struct chain chain = {0};
    struct buf *head = cmaf_init_write_at(tracks, SCAN_START_US);
    *init = head->length;
    chain_take(&chain, &head);
    for (unsigned i = 0; i < segments; i++)
        for (unsigned part = 0; part < 4; part++)
            scan_chunk(&chain, tracks, i, part,
                       i == 0 ? SEGMENT_KEY | SEGMENT_DISCONTINUITY : SEGMENT_KEY);
    struct buf *file = chain_join(&chain);
    chain_fini(&chain);
    return file;
}

// Runs it to its end; the index is the caller's.
static inline void scan_run(struct scan *scan, struct bytes file)
{
    uint64_t offset;
    size_t length;
    unsigned steps = 0;
    while (scan_wants(scan, &offset, &length)) {
        assert_true(++steps < 1000000);
        assert_true(offset <= file.length && length <= file.length - offset);
        // In a block of its own, so that reading past the end is noticed.
        uint8_t *copy = mem_dup(file.data + offset, length);
        scan_give(scan, bytes_of(copy, length));
        mem_free(copy);
    }
}

static inline void scan_all(struct scan *scan, struct bytes file, struct tracks *tracks,
                            size_t init, uint64_t verify_from)
{
    struct index *index = index_new(0, (uint32_t)init);
    scan_init(scan, &index, true, tracks, file.length, verify_from);
    scan_run(scan, file);
}

#endif
