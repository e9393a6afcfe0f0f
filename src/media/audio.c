// SPDX-License-Identifier: MIT
// AAC, Opus, G.711 and MP3: configurations and frame heads.
#include "media/audio.h"

#include <string.h>

#include "base/bits.h"
#include "base/ensure.h"
#include "base/limits.h"

enum {
    AAC_RATES = 13,
    AAC_RATE_EXPLICIT = 15,
    AAC_SBR = 5,
    AAC_LD = 23,
    AAC_PS = 29,
    AAC_ESCAPE = 31
};

// Table 1.18
static const uint32_t aac_rate[AAC_RATES] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                             22050, 16000, 12000, 11025, 8000,  7350};

static uint32_t read_object_type(struct bits *bits)
{
    uint32_t type = bits_read(bits, 5);
    return type == AAC_ESCAPE ? 32 + bits_read(bits, 6) : type;
}

// 0 when the index is reserved.
static uint32_t read_rate(struct bits *bits)
{
    uint32_t index = bits_read(bits, 4);
    if (index == AAC_RATE_EXPLICIT)
        return bits_read(bits, 24);
    return index < AAC_RATES ? aac_rate[index] : 0;
}

static unsigned nearest_rate_index(uint32_t rate)
{
    unsigned best = 0;
    for (unsigned i = 1; i < AAC_RATES; i++) {
        uint32_t off = rate > aac_rate[i] ? rate - aac_rate[i] : aac_rate[i] - rate;
        uint32_t best_off = rate > aac_rate[best] ? rate - aac_rate[best] : aac_rate[best] - rate;
        if (off < best_off)
            best = i;
    }
    return best;
}

// Channels of a program_config_element (4.5.1.2): the sum of its single and paired elements.
static unsigned read_program_channels(struct bits *bits)
{
    bits_skip(bits, 4 + 2 + 4);
    unsigned count[4];
    for (unsigned i = 0; i < 3; i++) // front, side, back
        count[i] = bits_read(bits, 4);
    count[3] = bits_read(bits, 2); // low frequency
    bits_skip(bits, 3 + 4); // associated data and coupling elements carry no channel of their own
    for (unsigned i = 0; i < 2; i++) // mono and stereo mixdown
        if (bits_read_flag(bits))
            bits_skip(bits, 4);
    if (bits_read_flag(bits)) // matrix mixdown
        bits_skip(bits, 3);
    unsigned channels = count[3];
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < count[i]; j++) {
            channels += bits_read_flag(bits) ? 2 : 1;
            bits_skip(bits, 4);
        }
    }
    return channels;
}

static bool has_general_audio(uint32_t type)
{
    return (type >= 1 && type <= 4) || type == 6 || type == 7 || type == 17 ||
           (type >= 19 && type <= AAC_LD);
}

int aac_config_parse(struct bytes config, struct aac_config *out)
{
    // channelConfiguration to channels (table 1.19)
    static const uint8_t channels[16] = {0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0};
    struct bits bits = bits_of(config);
    struct aac_config aac = {0};
    aac.object_type = read_object_type(&bits);
    aac.sample_rate = read_rate(&bits);
    aac.channel_config = bits_read(&bits, 4);
    if (aac.object_type == AAC_SBR || aac.object_type == AAC_PS) {
        read_rate(&bits); // of the extension; the core's is what frames are counted in
        aac.object_type = read_object_type(&bits);
    }
    if (bits.overrun || aac.sample_rate == 0)
        return ERR_INVALID;
    if (!has_general_audio(aac.object_type))
        return ERR_UNSUPPORTED;
    // GASpecificConfig (4.4.1); some writers leave it out, and zeros are what they mean.
    aac.frame_samples = bits_read_flag(&bits) ? 960 : 1024;
    if (aac.object_type == AAC_LD)
        aac.frame_samples /= 2;
    if (bits_read_flag(&bits))
        bits_skip(&bits, 14); // coreCoderDelay
    bits_skip(&bits, 1);
    aac.channels = channels[aac.channel_config];
    if (aac.channel_config == 0) {
        aac.channels = read_program_channels(&bits);
        if (bits.overrun)
            return ERR_INVALID;
    }
    if (aac.channels == 0)
        return ERR_INVALID;
    aac.rate_index = nearest_rate_index(aac.sample_rate);
    *out = aac;
    return 0;
}

int aac_track_from_config(struct bytes config, struct track *out)
{
    struct aac_config aac;
    int result = aac_config_parse(config, &aac);
    if (result < 0)
        return result;
    if (config.length > CODEC_CONFIG_MAX)
        return ERR_LIMIT;
    track_init(out, CODEC_AAC);
    out->timescale = out->sample_rate = aac.sample_rate;
    out->channels = aac.channels;
    out->config = buf_new_copy(config.data, config.length);
    return 0;
}

int adts_parse(struct bytes in, struct adts *out)
{
    // The parts that never change are checked with what is there, so that garbage is not waited
    // for.
    if ((in.length > 0 && in.data[0] != 0xff) || (in.length > 1 && (in.data[1] & 0xf6) != 0xf0))
        return ERR_INVALID;
    if (in.length < ADTS_HEADER)
        return ERR_AGAIN;
    const uint8_t *at = in.data;
    struct adts adts = {
        .header_length = at[1] & 1 ? 7 : 9,
        .object_type = (at[2] >> 6) + 1u,
        .rate_index = at[2] >> 2 & 15,
        .channel_config = (at[2] & 1u) << 2 | at[3] >> 6,
        .frame_length = (at[3] & 3u) << 11 | (unsigned)at[4] << 3 | at[5] >> 5,
        .blocks = (at[6] & 3u) + 1,
    };
    if (adts.rate_index >= AAC_RATES || adts.frame_length <= adts.header_length)
        return ERR_INVALID;
    *out = adts;
    return 0;
}

void adts_config(const struct adts *adts, uint8_t out[2])
{
    ENSURE(adts->object_type < 32 && adts->rate_index < 16 && adts->channel_config < 16);
    out[0] = (uint8_t)(adts->object_type << 3 | adts->rate_index >> 1);
    out[1] = (uint8_t)(adts->rate_index << 7 | adts->channel_config << 3);
}

void adts_write(const struct aac_config *config, size_t length, uint8_t out[ADTS_HEADER])
{
    ENSURE(length <= ADTS_PAYLOAD_MAX);
    // Two bits of profile: what has no number there is LC with tools that the decoder finds.
    unsigned profile =
        config->object_type >= 1 && config->object_type <= 4 ? config->object_type - 1 : 1;
    // Three bits of channels: 0 says that a program_config_element in the data has them.
    unsigned channels = config->channel_config < 8 ? config->channel_config : 0;
    size_t size = length + ADTS_HEADER;
    out[0] = 0xff;
    out[1] = 0xf1; // MPEG-4, no checksum
    out[2] = (uint8_t)(profile << 6 | config->rate_index << 2 | channels >> 2);
    out[3] = (uint8_t)((channels & 3) << 6 | size >> 11);
    out[4] = (uint8_t)(size >> 3);
    out[5] = (uint8_t)((size & 7) << 5 | 0x1f); // buffer fullness 0x7ff: variable rate
    out[6] = 0xfc;
}

int opus_track_make(unsigned channels, unsigned pre_skip, struct track *out)
{
    // Streams, coupled streams and order for 3 to 8 channels (RFC 7845, 5.1.1.2).
    static const struct {
        uint8_t streams, coupled, order[8];
    } layout[6] = {
        {2, 1, {0, 2, 1}},          {2, 2, {0, 1, 2, 3}},          {3, 2, {0, 4, 1, 2, 3}},
        {4, 2, {0, 4, 1, 2, 3, 5}}, {4, 3, {0, 4, 1, 2, 3, 5, 6}}, {5, 3, {0, 6, 1, 2, 3, 4, 5, 7}},
    };
    if (channels < 1 || channels > 8 || pre_skip > UINT16_MAX)
        return ERR_INVALID;
    // OpusSpecificBox without its head; numbers are big-endian, unlike in Ogg.
    uint8_t dops[11 + 2 + 8] = {
        0, (uint8_t)channels, (uint8_t)(pre_skip >> 8), (uint8_t)pre_skip, 0, 0, 0xbb, 0x80};
    size_t length = 11;
    if (channels > 2) {
        dops[10] = 1; // mapping family
        dops[11] = layout[channels - 3].streams;
        dops[12] = layout[channels - 3].coupled;
        memcpy(dops + 13, layout[channels - 3].order, channels);
        length = 13 + channels;
    }
    track_init(out, CODEC_OPUS);
    out->timescale = out->sample_rate = 48000;
    out->channels = channels;
    out->config = buf_new_copy(dops, length);
    return 0;
}

uint32_t opus_packet_duration(struct bytes packet)
{
    if (packet.length == 0)
        return 0;
    unsigned config = packet.data[0] >> 3, frames;
    uint32_t frame;
    if (config < 12)
        frame = (config & 3) == 3 ? 2880 : 480u << (config & 3);
    else if (config < 16)
        frame = 480u << (config & 1);
    else
        frame = 120u << (config & 3);
    switch (packet.data[0] & 3) {
    case 0:
        frames = 1;
        break;
    case 3:
        frames = packet.length > 1 ? packet.data[1] & 63 : 0;
        break;
    default:
        frames = 2;
    }
    return frame * frames <= 5760 ? frame * frames : 0; // 120 ms at most
}

int g711_track_make(enum codec codec, uint32_t rate, unsigned channels, struct track *out)
{
    ENSURE(codec == CODEC_PCMA || codec == CODEC_PCMU);
    if (rate == 0 || channels == 0)
        return ERR_INVALID;
    track_init(out, codec);
    out->timescale = out->sample_rate = rate;
    out->channels = channels;
    return 0;
}

int mp3_header_parse(struct bytes in, struct mp3_header *out)
{
    static const uint16_t rate[3] = {44100, 48000, 32000};
    // kbit/s by version and layer; index 0 is free format, 15 is forbidden
    static const uint16_t table[5][15] = {
        {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, // 1, layer I
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},    // 1, layer II
        {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},     // 1, layer III
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},    // 2, layer I
        {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},         // 2, II and III
    };
    if ((in.length > 0 && in.data[0] != 0xff) || (in.length > 1 && (in.data[1] & 0xe0) != 0xe0))
        return ERR_INVALID;
    if (in.length < 4)
        return ERR_AGAIN;
    unsigned version = in.data[1] >> 3 & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    unsigned layer = 4 - (in.data[1] >> 1 & 3);
    unsigned rate_index = in.data[2] >> 2 & 3, bitrate_index = in.data[2] >> 4;
    if (version == 1 || layer == 4 || rate_index == 3 || bitrate_index == 0 || bitrate_index == 15)
        return ERR_INVALID;
    struct mp3_header header = {.mpeg1 = version == 3};
    unsigned row = header.mpeg1 ? layer - 1 : (layer == 1 ? 3 : 4);
    unsigned padding = in.data[2] >> 1 & 1;
    uint32_t bitrate = table[row][bitrate_index] * 1000u;
    header.sample_rate = rate[rate_index] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    header.channels = in.data[3] >> 6 == 3 ? 1 : 2;
    header.samples = layer == 1 ? 384 : layer == 3 && !header.mpeg1 ? 576 : 1152;
    if (layer == 1)
        header.length = (12 * bitrate / header.sample_rate + padding) * 4;
    else
        header.length = header.samples / 8 * bitrate / header.sample_rate + padding;
    *out = header;
    return 0;
}

void mp3_track_make(const struct mp3_header *header, struct track *out)
{
    track_init(out, CODEC_MP3);
    out->timescale = out->sample_rate = header->sample_rate;
    out->channels = header->channels;
}
