// SPDX-License-Identifier: MIT
// M4S messages to bytes and back; no IO. Tables: docs/protocols/m4s.md.
//
// One message of a channel is one of these. Numbers are varints (base/bytes.h) unless said.
//
//   subscribe (opening message, receiver to sender)
//     0      1  kind = 1
//     1      n  name of the stream, to the end
//
//   tracks (sender to receiver, before the first frame and at each change)
//     0      1  type = 1
//     1      4  generation, big-endian
//     5      n  init segment (ISO/IEC 14496-12)
//
//   window (sender to receiver, before the first frame, and again after frames were left out or
//   when the playlist there lists another number)
//     0      1  type = 2
//     1      v  listed: how many segments, the newest, the playlist there lists
//            v  count, then for each segment, oldest first:
//            v  number
//            v  utc_start_us
//            v  duration_us
//            v  bytes
//            1  flags (enum segment_flags)
//
//   segment (before the first frame of each segment, and before the first frame of all)
//     0      1  type = 3
//     1      1  flags: low nibble enum segment_flags; 0x10 whole: all its frames follow;
//               0x20 skipped: frames of the segment before this one were left out
//     2      v  number
//            v  utc_start_us
//
//   state
//     0      1  type = 4
//     1      1  1: frames are to be expected; 0: the stream has lost its input
//
//   frame
//     0      1  0x80 | key 0x40 | extended 0x20 | track (0..15)
//     1      v  zigzag of (dts - dts before - step before), per track; both are 0 after tracks
//    [       1  extended: flags (enum frame_flags, without KEY and SEGMENT)
//            v  extended: zigzag of cts
//            v  extended: duration ]
//            n  payload in canonical form, to the end
#ifndef PROTO_M4S_WIRE_H
#define PROTO_M4S_WIRE_H

#include "base/chain.h"
#include "base/limits.h"
#include "media/segment.h"

enum m4s_type { M4S_TRACKS = 1, M4S_WINDOW = 2, M4S_SEGMENT = 3, M4S_STATE = 4, M4S_FRAME = 0x80 };
enum { M4S_SUBSCRIBE = 1, M4S_WINDOW_MAX = 256 };

// What either side remembers of each track to make times small.
struct m4s_clock {
    struct {
        int64_t dts, step;
    } track[TRACKS_MAX];
};

struct m4s_message {
    enum m4s_type type;
    // tracks
    uint32_t generation;
    struct bytes init;
    // window
    struct segment_info window[M4S_WINDOW_MAX];
    unsigned window_count, listed;
    // segment
    struct segment_info segment;
    bool whole, skipped;
    // state
    bool live;
    // frame
    uint8_t track, flags;
    int64_t dts;
    int32_t cts;
    uint32_t duration;
    struct bytes payload;
};

// Each makes one message in *out.
void m4s_subscribe_write(const char *name, struct chain *out);
void m4s_tracks_write(uint32_t generation, struct buf *init, struct chain *out);
void m4s_window_write(const struct segment_info *infos, size_t count, unsigned listed,
                      struct chain *out);
void m4s_segment_write(const struct segment_info *info, bool whole, bool skipped,
                       struct chain *out);
void m4s_state_write(bool live, struct chain *out);
void m4s_frame_write(struct m4s_clock *clock, struct frame *frame, struct chain *out);

// name gets the terminated name. ERR_INVALID.
MUST_USE int m4s_subscribe_parse(struct bytes in, char *name, size_t room);
// Bytes borrowed from `in`. ERR_INVALID. Moves the clock for frames.
MUST_USE int m4s_message_parse(struct m4s_clock *clock, struct bytes in, struct m4s_message *out);

#endif
