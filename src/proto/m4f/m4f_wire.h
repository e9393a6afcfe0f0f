// SPDX-License-Identifier: MIT
// M4F messages to bytes and back; no IO. Tables: docs/protocols/m4f.md.
//
// A channel is one request. Numbers are varints (base/bytes.h) unless said; times are UTC
// microseconds.
//
//   request (opening message)
//     0      1  low four bits, kind: 1 live, 2 ranges, 3 list, 4 read, 5 read heads; high four
//               bits, hops: servers that the question has passed before
//     1      v  from_us      (0 for live)
//            v  to_us        (0 for live)
//            n  name of the stream, to the end
//
//   tracks (before the first segment and whenever they change)
//     0      1  type = 1
//     1      4  generation, big-endian
//     5      n  init segment
//
//   infos (the window, for live; the answer of list, in as many messages as it takes)
//     0      1  type = 2
//     1      v  listed: how many segments, the newest, the playlist there lists; list: 0
//            v  count, then for each segment, oldest first:
//            v  number
//            v  utc_start_us
//            v  duration_us
//            v  bytes
//            1  flags (enum segment_flags)
//            4  generation, big-endian
//
//   segment (live, read; heads: the bytes are the chunk heads)
//     0      1  type = 3
//     1      4  generation, big-endian
//     5      1  flags (enum segment_flags)
//     6      v  number
//            v  utc_start_us
//            v  duration_us
//            v  bytes of the CMAF form
//            v  length of what follows in this message and the data messages after it
//            n  first bytes
//
//   data
//     0      1  type = 4
//     1      n  next bytes
//
//   ranges
//     0      1  type = 5
//     1      v  count, then for each: v from_us, v length_us, 1 why nothing is there
//               (history_reason_code; 0: media are there)
//
//   end (the channel is closed by the sender after it)
//     0      1  type = 6
//     1      1  result: 0, or -(enum err)
//
//   next (receiver to sender: one more segment may be sent; the request itself asks for the first)
//     0      1  type = 7
#ifndef PROTO_M4F_WIRE_H
#define PROTO_M4F_WIRE_H

#include "base/limits.h"
#include "base/writer.h"
#include "media/segment.h"
#include "stream/history.h"

enum m4f_kind { M4F_LIVE = 1, M4F_RANGES = 2, M4F_LIST = 3, M4F_READ = 4, M4F_HEADS = 5 };
enum m4f_type {
    M4F_TRACKS = 1,
    M4F_INFOS = 2,
    M4F_SEGMENT = 3,
    M4F_DATA = 4,
    M4F_RANGE_LIST = 5,
    M4F_END = 6,
    M4F_NEXT = 7
};
// Infos or ranges in one message; bytes of a segment in one message: on a thin line the receiver
// sees within its patience that something comes.
enum { M4F_LIST_PIECE = 512, M4F_BYTES_PIECE = 128 << 10 };

struct m4f_request {
    enum m4f_kind kind;
    uint8_t hops; // 0..15
    int64_t from_us, to_us;
    char name[STREAM_NAME_MAX];
};

struct m4f_message {
    enum m4f_type type;
    uint32_t generation;      // tracks, segment
    struct bytes bytes;       // tracks: init segment; segment, data: body
    struct segment_info info; // segment
    uint64_t length;          // segment: of the whole body
    unsigned count;           // infos, ranges
    unsigned listed;          // infos
    struct segment_info infos[M4F_LIST_PIECE];
    struct history_range ranges[M4F_LIST_PIECE];
    int result; // end: 0 or an enum err
};

struct buf *m4f_request_write(const struct m4f_request *request);
MUST_USE int m4f_request_parse(struct bytes in, struct m4f_request *out);
void m4f_tracks_write(uint32_t generation, struct buf *init, struct chain *out);
void m4f_infos_write(const struct segment_info *infos, size_t count, unsigned listed,
                     struct chain *out);
// The head; body bytes are added behind it by the caller.
void m4f_segment_write(const struct segment_info *info, uint64_t length, struct chain *out);
void m4f_data_write(struct chain *out);
void m4f_ranges_write(const struct history_range *ranges, size_t count, struct chain *out);
void m4f_end_write(int result, struct chain *out);
void m4f_next_write(struct chain *out);
// Bytes borrowed from `in`. ERR_INVALID.
MUST_USE int m4f_message_parse(struct bytes in, struct m4f_message *out);

#endif
