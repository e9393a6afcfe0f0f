// SPDX-License-Identifier: MIT
// Audio codec configurations: AAC (ISO/IEC 14496-3), Opus (RFC 7845, ISO mapping), G.711.
#ifndef MEDIA_AUDIO_H
#define MEDIA_AUDIO_H

#include "base/err.h"
#include "media/track.h"

struct aac_config {
    unsigned object_type; // 2 = LC; 5 = SBR, 29 = PS are reported as the core's
    uint32_t sample_rate; // of the core
    unsigned channels;
    unsigned rate_index, channel_config;
};

MUST_USE int aac_config_parse(struct bytes config, struct aac_config *out); // AudioSpecificConfig
// Track with timescale = sample rate and a copy of the configuration.
MUST_USE int aac_track_from_config(struct bytes config, struct track *out);

struct adts {
    unsigned header_length, frame_length; // frame_length counts the header
    unsigned object_type, rate_index, channel_config, blocks;
};
// 7 or 9 byte ADTS header at the front of `in` (not moved). ERR_AGAIN, ERR_INVALID.
MUST_USE int adts_parse(struct bytes in, struct adts *out);
void adts_config(const struct adts *adts, uint8_t out[2]); // AudioSpecificConfig
// Header for a raw access unit of `length` bytes.
void adts_write(const struct aac_config *config, size_t length, uint8_t out[7]);

// dOps from channels and pre-skip; track with timescale 48000.
MUST_USE int opus_track_make(unsigned channels, unsigned pre_skip, struct track *out);
// Duration of a packet in 48 kHz ticks (RFC 6716, 3.1), 0 when broken.
uint32_t opus_packet_duration(struct bytes packet);
// PCMA or PCMU; timescale = rate.
MUST_USE int g711_track_make(enum codec codec, uint32_t rate, unsigned channels, struct track *out);

#endif
