// SPDX-License-Identifier: MIT
// Audio codec configurations and frame heads: AAC (ISO/IEC 14496-3), Opus (RFC 7845, ISO mapping),
// G.711, MP3.
#ifndef MEDIA_AUDIO_H
#define MEDIA_AUDIO_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "media/track.h"

struct aac_config {
    unsigned object_type; // 2 = LC; 5 = SBR, 29 = PS are reported as the core's
    uint32_t sample_rate; // of the core
    unsigned channels;
    unsigned rate_index, channel_config; // rate_index: of the nearest rate that has one
    unsigned frame_samples;              // in an access unit, at sample_rate: 1024, 960, or half
};

// AudioSpecificConfig (1.6.2.1). ERR_INVALID; ERR_UNSUPPORTED for object types without the general
// audio syntax (CELP, HVXC, ELD, USAC ...).
MUST_USE int aac_config_parse(struct bytes config, struct aac_config *out);
// Track with timescale = sample rate and a copy of the configuration. Same codes as
// aac_config_parse, ERR_LIMIT past CODEC_CONFIG_MAX; *out owns nothing on failure.
MUST_USE int aac_track_from_config(struct bytes config, struct track *out);

struct adts {
    unsigned header_length, frame_length; // frame_length counts the header
    unsigned object_type, rate_index, channel_config, blocks;
};
// 7 or 9 byte ADTS header (1.A.2.2) at the front of `in` (not moved). ERR_AGAIN, ERR_INVALID.
MUST_USE int adts_parse(struct bytes in, struct adts *out);
void adts_config(const struct adts *adts, uint8_t out[2]); // AudioSpecificConfig
// Header for a raw access unit of `length` bytes, at most ADTS_PAYLOAD_MAX.
enum { ADTS_HEADER = 7, ADTS_PAYLOAD_MAX = 8191 - ADTS_HEADER };
void adts_write(const struct aac_config *config, size_t length, uint8_t out[ADTS_HEADER]);

// dOps from channels (1 to 8, the usual order of RFC 7845, 5.1.1.2) and pre-skip in 48 kHz ticks;
// track with timescale 48000. ERR_INVALID.
MUST_USE int opus_track_make(unsigned channels, unsigned pre_skip, struct track *out);
// Duration of a packet in 48 kHz ticks (RFC 6716, 3.1), 0 when broken.
uint32_t opus_packet_duration(struct bytes packet);

// PCMA or PCMU; timescale = rate. ERR_INVALID without rate or channels.
MUST_USE int g711_track_make(enum codec codec, uint32_t rate, unsigned channels, struct track *out);

struct mp3_header {
    unsigned length;  // of the whole frame, header included
    unsigned samples; // 1152 or 576 (layer III of MPEG-2), 384 (layer I)
    uint32_t sample_rate;
    unsigned channels;
    bool mpeg1; // else MPEG-2 or 2.5, the lower rates
};
// The 4-byte header of an MPEG audio frame (ISO/IEC 11172-3, 2.4.1.3) at the front of `in` (not
// moved). ERR_AGAIN, ERR_INVALID (free format too).
MUST_USE int mp3_header_parse(struct bytes in, struct mp3_header *out);
// Track with timescale = sample rate and no configuration.
void mp3_track_make(const struct mp3_header *header, struct track *out);

#endif
