// SPDX-License-Identifier: MIT
// Media playlists (RFC 8216) from lists of segments; pure: no IO, no clock.
//
// Addresses are relative to /NAME/ and carry the segment's UTC start and duration, so that they are
// the same in the live list and in the archive, and on every server:
//   2026/11/23/00/35/30.500-4000.ts   .m4s   and   2026/11/23/00/35/30.500-init.mp4
#ifndef PROTO_HLS_PLAYLIST_H
#define PROTO_HLS_PLAYLIST_H

#include "base/writer.h"
#include "media/segment.h"

enum hls_kind { HLS_LIVE, HLS_EVENT, HLS_VOD };

struct hls_playlist {
    enum hls_kind kind;
    bool fmp4;
    unsigned target_s;                // at least; grows to the longest segment
    uint64_t discontinuity_sequence;  // live only
    const struct segment_info *infos; // oldest first, numbers need not be consecutive
    size_t count;
};

void hls_playlist_write(const struct hls_playlist *playlist, struct writer *out);
// Address of a segment; suffix "ts", "m4s"; or of its init segment with suffix NULL.
void hls_address(const struct segment_info *info, const char *suffix, char *out, size_t room);

#endif
