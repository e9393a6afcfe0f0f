// SPDX-License-Identifier: MIT
// An independent reader of well-formed transport streams for tests: it dies at the first packet
// that is not as the standard wants it. And track lists and frames that a muxer can be fed with.
#ifndef TESTS_SUPPORT_TS_WALK_H
#define TESTS_SUPPORT_TS_WALK_H

#include "base/bytes.h"
#include "media/frame.h"
#include "media/track.h"

enum { TS_WALK_MAX = 4096 };

struct ts_walk_pes {
    unsigned pid, stream_id;
    unsigned said; // PES_packet_length
    bool random_access, discontinuity, has_pcr, has_dts;
    uint64_t pts, dts, pcr; // 33 bits; pcr: the base
    size_t first_packet;    // position in the stream, in packets
    struct buf *payload;
};

struct ts_walk {
    unsigned pes_count;
    struct ts_walk_pes pes[TS_WALK_MAX];
    unsigned pat_count, pmt_count, sdt_count;
    struct buf *pmt; // the last section, whole
    struct buf *sdt;
    int continuity[8192]; // the last, -1 before; goes on from call to call
};

void ts_walk_init(struct ts_walk *walk);
void ts_walk_fini(struct ts_walk *walk);
// Adds what is in `in`; the results of an earlier call are dropped, continuity is kept.
void ts_walk_take(struct ts_walk *walk, struct bytes in);

// H.264 High 640x360, 25 a second, with B-frames; H.265 Main 640x360; AAC-LC 48 kHz mono.
struct track ts_walk_h264(void);
struct track ts_walk_h265(void);
struct track ts_walk_aac(void);
// A frame of one NAL unit behind its length, `length` bytes in all (at least 6); bytes that depend
// on seed and never look like a start code. For H.265 and H.264 alike when `nal_head` has the
// bytes.
struct frame *ts_walk_picture(unsigned track, const char *nal_head, size_t length, unsigned seed);
struct frame *ts_walk_sound(unsigned track, size_t length, unsigned seed);

#endif
