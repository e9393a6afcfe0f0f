// SPDX-License-Identifier: MIT
// What the writer and the readers of the fragment share. Offsets: docs/formats/fragment.md.
#ifndef FORMAT_CMAF_PRIV_H
#define FORMAT_CMAF_PRIV_H

#include "format/cmaf.h"

enum {
    CMAF_VERSION = 1,
    CMAF_UUID_SIZE = 52,
    CMAF_CHECKSUM_AT = 28, // in the chunk
    CMAF_CHECKSUM_SIZE = 4,
    CMAF_PRFT_SIZE = 32,
    // A uuid box, however many fields later versions add behind, and what they put before moof.
    CMAF_UUID_SIZE_MAX = 1024,
    CMAF_BEFORE_MOOF_MAX = 4096,
    // moof with every field of every sample, and room for boxes that we do not know.
    CMAF_MOOF_SIZE_MAX = SEGMENT_FRAMES_MAX * 16 + TRACKS_MAX * 128 + 4096,
};

// Decode times in ticks, and times in microseconds: beyond any date, with room for sums.
#define CMAF_TICKS_MAX (1LL << 61)
#define CMAF_UTC_US_MAX (1LL << 60)

// tfhd and trun flags (ISO/IEC 14496-12, 8.8.7 and 8.8.8).
enum {
    TFHD_BASE_DATA_OFFSET = 1,
    TFHD_DESCRIPTION = 2,
    TFHD_DURATION = 8,
    TFHD_SIZE = 0x10,
    TFHD_FLAGS = 0x20,
    TFHD_BASE_IS_MOOF = 0x20000,
    TRUN_DATA_OFFSET = 1,
    TRUN_FIRST_FLAGS = 4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_CTS = 0x800,
};

// Sample flags (8.8.3.1).
enum {
    SAMPLE_DEPENDS = 1 << 24,
    SAMPLE_INDEPENDENT = 2 << 24,
    SAMPLE_DISPOSABLE = 2 << 22,
    SAMPLE_NON_SYNC = 1 << 16,
    SAMPLE_DISCONTINUITY = 1, // of sample_degradation_priority
    SAMPLE_CORRUPT = 2,
};

extern const uint8_t cmaf_usertype[16];

// trex of a track.
uint32_t cmaf_default_duration(const struct track *track);
static inline uint32_t cmaf_default_flags(const struct track *track)
{
    return track->kind == MEDIA_VIDEO ? SAMPLE_DEPENDS | SAMPLE_NON_SYNC : SAMPLE_INDEPENDENT;
}

// NTP time of a decode time: seconds since 1900 modulo 2^32, then the fraction.
uint64_t cmaf_ntp_time(int64_t ticks, uint32_t timescale);

// A walk over the chunks of a rendition. Zeroed but for chunks and tracks at first.
struct cmaf_walk {
    const struct chain *chunks;
    const struct tracks *tracks;
    size_t at;           // of the next chunk
    size_t slice, start; // the slice that the walk is in, and its offset
};
// Next chunk: its head (borrowed) and where its payload begins in the chain. False at the end. The
// chunks are our own or were checked: ENSUREs that they can be read.
bool cmaf_walk_next(struct cmaf_walk *walk, struct cmaf_head *head, struct bytes *bytes,
                    size_t *payload_at);

// CRC-32C of a chunk head (from its first byte) with the checksum left out; go on with the payload.
uint32_t cmaf_head_checksum(struct bytes head);

#endif
