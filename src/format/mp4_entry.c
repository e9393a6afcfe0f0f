// SPDX-License-Identifier: MIT
// Sample entries, written and read.
//
// 1. What mp4_entry_write made, mp4_entry_parse reads as an equal track.
// 2. An entry of a known type whose configuration is broken is refused; one of an unknown type is
//    carried without being looked into.
#include "mp4_entry.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "media/audio.h"
#include "media/h265.h"

enum {
    ENTRY_VISUAL_BODY = 78, // of a VisualSampleEntry before its boxes
    ENTRY_AUDIO_BODY = 28,  // of an AudioSampleEntry, version 0
    ENTRY_SOUND_1 = 16,     // QuickTime: what version 1 adds
    ENTRY_SOUND_2 = 36,     // and version 2
    OTI_AAC = 0x40,         // object types of esds (ISO/IEC 14496-1, table 5)
    OTI_AAC_MAIN_MPEG2 = 0x66,
    OTI_AAC_SSR_MPEG2 = 0x68,
    OTI_MP3_MPEG2 = 0x69,
    OTI_MP3 = 0x6b,
    DESCRIPTOR_ES = 3,
    DESCRIPTOR_CONFIG = 4,
    DESCRIPTOR_SPECIFIC = 5,
    DESCRIPTOR_SL = 6,
};

static void config_box_write(struct writer *out, const char *type, const struct track *track)
{
    ENSURE(track->config);
    size_t box = mp4_box_open(out, type);
    writer_bytes(out, track->config->data, track->config->length);
    mp4_box_close(out, box);
}

static void visual_write(struct writer *out, const struct track *track, const char *config)
{
    size_t box = mp4_box_open(out, codec_info(track->codec)->mp4);
    mp4_zeros_write(out, 6);
    writer_u16(out, 1); // data reference: in this file
    mp4_zeros_write(out, 16);
    writer_u16(out, (uint16_t)(track->width > UINT16_MAX ? 0 : track->width));
    writer_u16(out, (uint16_t)(track->height > UINT16_MAX ? 0 : track->height));
    writer_u32(out, 72 << 16); // pixels per inch, as the standard wants it
    writer_u32(out, 72 << 16);
    writer_u32(out, 0);
    writer_u16(out, 1); // one frame per sample
    mp4_zeros_write(out, 32);
    writer_u16(out, 24); // depth
    writer_u16(out, 0xffff);
    config_box_write(out, config, track);
    mp4_box_close(out, box);
}

static void descriptor_head(struct writer *out, uint8_t tag, size_t length)
{
    ENSURE(length < 1u << 28);
    writer_u8(out, tag);
    if (length >= 1u << 21)
        writer_u8(out, (uint8_t)(length >> 21 | 0x80));
    if (length >= 1u << 14)
        writer_u8(out, (uint8_t)(length >> 14 | 0x80));
    if (length >= 1u << 7)
        writer_u8(out, (uint8_t)(length >> 7 | 0x80));
    writer_u8(out, length & 0x7f);
}

static size_t descriptor_size(size_t length)
{
    return 2 + (length >= 1u << 7) + (length >= 1u << 14) + (length >= 1u << 21) + length;
}

static void esds_write(struct writer *out, const struct track *track)
{
    size_t specific = track->config ? track->config->length : 0;
    size_t config = 13 + (specific ? descriptor_size(specific) : 0);
    size_t box = mp4_full_box_open(out, "esds", 0, 0);
    descriptor_head(out, DESCRIPTOR_ES, 3 + descriptor_size(config) + descriptor_size(1));
    writer_u16(out, 0); // ES_ID: 0 in files
    writer_u8(out, 0);
    descriptor_head(out, DESCRIPTOR_CONFIG, config);
    writer_u8(out, track->codec == CODEC_MP3 ? OTI_MP3 : OTI_AAC);
    writer_u8(out, 5 << 2 | 1); // audio stream
    writer_u24(out, 0);         // buffer size
    writer_u32(out, 0);         // most and mean bit rate: not known
    writer_u32(out, 0);
    if (specific) {
        descriptor_head(out, DESCRIPTOR_SPECIFIC, specific);
        writer_bytes(out, track->config->data, specific);
    }
    descriptor_head(out, DESCRIPTOR_SL, 1);
    writer_u8(out, 2); // the predefined one for MP4 files
    mp4_box_close(out, box);
}

static void audio_write(struct writer *out, const struct track *track)
{
    bool has_esds = track->codec == CODEC_AAC || track->codec == CODEC_MP3;
    size_t box = mp4_box_open(out, has_esds ? "mp4a" : codec_info(track->codec)->mp4);
    mp4_zeros_write(out, 6);
    writer_u16(out, 1);
    mp4_zeros_write(out, 8);
    writer_u16(out, (uint16_t)track->channels);
    writer_u16(out, 16); // bits, of what is decoded
    writer_u32(out, 0);
    writer_u32(out, track->sample_rate > UINT16_MAX ? 0 : track->sample_rate << 16);
    if (has_esds)
        esds_write(out, track);
    else if (track->codec == CODEC_OPUS)
        config_box_write(out, "dOps", track);
    mp4_box_close(out, box);
}

void mp4_entry_write(struct writer *out, const struct track *track)
{
    switch (track->codec) {
    case CODEC_H264:
        visual_write(out, track, "avcC");
        return;
    case CODEC_H265:
        visual_write(out, track, "hvcC");
        return;
    case CODEC_AV1:
        visual_write(out, track, "av1C");
        return;
    case CODEC_AAC:
    case CODEC_OPUS:
    case CODEC_PCMA:
    case CODEC_PCMU:
    case CODEC_MP3:
        audio_write(out, track);
        return;
    case CODEC_OTHER_VIDEO:
    case CODEC_OTHER_AUDIO:
        ENSURE(track->sample_entry);
        writer_bytes(out, track->sample_entry->data, track->sample_entry->length);
        return;
    case CODEC_COUNT:
        break;
    }
    ENSURE(!"a codec");
}

bool mp4_entry_size(struct bytes entry, uint32_t *width, uint32_t *height)
{
    if (entry.length < MP4_BOX_HEAD + ENTRY_VISUAL_BODY)
        return false;
    uint32_t both = mp4_u32_at(entry.data + MP4_BOX_HEAD + 24);
    *width = both >> 16;
    *height = both & 0xffff;
    return true;
}

static int av1_track(struct bytes config, struct track *out)
{
    if (config.length < 4 || config.data[0] != 0x81) // marker and version
        return ERR_INVALID;
    track_init(out, CODEC_AV1);
    out->timescale = 90000;
    out->config = buf_new_copy(config.data, config.length);
    return 0;
}

static int h264_track(struct bytes config, struct track *out, unsigned *nal_width)
{
    struct param_sets sets = {0};
    int result = h264_config_parse(config, &sets, nal_width);
    param_sets_fini(&sets);
    if (result < 0)
        return result;
    struct buf *copy = buf_new_copy(config.data, config.length);
    result = h264_track_from_config(copy, out);
    buf_unref(&copy);
    return result;
}

static int h265_track(struct bytes config, struct track *out, unsigned *nal_width)
{
    struct param_sets sets = {0};
    int result = h265_config_parse(config, &sets, nal_width);
    param_sets_fini(&sets);
    if (result < 0)
        return result;
    struct buf *copy = buf_new_copy(config.data, config.length);
    result = h265_track_from_config(copy, out);
    buf_unref(&copy);
    return result;
}

static int other_track(struct bytes entry, enum codec codec, struct track *out)
{
    track_init(out, codec);
    out->sample_entry = buf_new_copy(entry.data, entry.length);
    return 0;
}

static int visual_parse(struct bytes entry, uint32_t type, struct track *out, unsigned *nal_width)
{
    uint32_t width, height, config_type = 0;
    if (!mp4_entry_size(entry, &width, &height))
        return ERR_INVALID;
    if (type == MP4_TYPE("avc1") || type == MP4_TYPE("avc3"))
        config_type = MP4_TYPE("avcC");
    else if (type == MP4_TYPE("hvc1") || type == MP4_TYPE("hev1"))
        config_type = MP4_TYPE("hvcC");
    else if (type == MP4_TYPE("av01"))
        config_type = MP4_TYPE("av1C");
    int result;
    if (config_type) {
        struct bytes config, boxes = entry;
        bytes_skip(&boxes, MP4_BOX_HEAD + ENTRY_VISUAL_BODY);
        if (mp4_box_find(boxes, config_type, &config) < 0)
            return ERR_INVALID;
        result = config_type == MP4_TYPE("avcC")   ? h264_track(config, out, nal_width)
                 : config_type == MP4_TYPE("hvcC") ? h265_track(config, out, nal_width)
                                                   : av1_track(config, out);
    } else {
        result = other_track(entry, CODEC_OTHER_VIDEO, out);
        out->timescale = 90000;
    }
    if (result == 0 && (out->width == 0 || out->height == 0)) {
        out->width = width;
        out->height = height;
    }
    return result;
}

// Head of the next descriptor (ISO/IEC 14496-1, 8.3.3); its body is borrowed in *body.
static bool descriptor_next(struct bytes *in, uint8_t *tag, struct bytes *body)
{
    size_t length = 0;
    uint8_t byte = 0x80;
    if (!bytes_read_u8(in, tag))
        return false;
    for (unsigned i = 0; i < 4 && byte & 0x80; i++) {
        if (!bytes_read_u8(in, &byte))
            return false;
        length = length << 7 | (byte & 0x7f);
    }
    return bytes_take(in, length, body);
}

// The object type and the decoder specific information (may be empty) of an esds body.
static bool esds_parse(struct bytes in, uint8_t *object_type, struct bytes *specific)
{
    uint8_t version, tag, flags, url;
    uint32_t full;
    struct bytes es, config;
    if (!mp4_full_box_read(&in, &version, &full) || !descriptor_next(&in, &tag, &es) ||
        tag != DESCRIPTOR_ES || !bytes_skip(&es, 2) || !bytes_read_u8(&es, &flags))
        return false;
    if ((flags & 0x80 && !bytes_skip(&es, 2)) ||
        (flags & 0x40 && (!bytes_read_u8(&es, &url) || !bytes_skip(&es, url))) ||
        (flags & 0x20 && !bytes_skip(&es, 2)))
        return false;
    if (!descriptor_next(&es, &tag, &config) || tag != DESCRIPTOR_CONFIG ||
        !bytes_read_u8(&config, object_type) || !bytes_skip(&config, 12))
        return false;
    while (descriptor_next(&config, &tag, specific))
        if (tag == DESCRIPTOR_SPECIFIC)
            return true;
    *specific = bytes_of(NULL, 0);
    return true;
}

static int mp4a_parse(struct bytes entry, struct bytes boxes, uint32_t rate, struct track *out)
{
    struct bytes esds, specific, wave;
    uint8_t object_type;
    int found = mp4_box_find(boxes, MP4_TYPE("esds"), &esds);
    if (found < 0 && mp4_box_find(boxes, MP4_TYPE("wave"), &wave) == 0) // QuickTime
        found = mp4_box_find(wave, MP4_TYPE("esds"), &esds);
    if (found < 0 || !esds_parse(esds, &object_type, &specific))
        return ERR_INVALID;
    if (object_type == OTI_AAC ||
        (object_type >= OTI_AAC_MAIN_MPEG2 && object_type <= OTI_AAC_SSR_MPEG2)) {
        int result = aac_track_from_config(specific, out);
        // Other MPEG-4 audio (ALS, xHE-AAC, ...): the players know more object types than we do.
        if (result != ERR_UNSUPPORTED)
            return result;
    } else if (object_type == OTI_MP3 || object_type == OTI_MP3_MPEG2) {
        if (rate == 0)
            return ERR_INVALID;
        track_init(out, CODEC_MP3);
        return 0;
    }
    return other_track(entry, CODEC_OTHER_AUDIO, out);
}

// Rate and channels of the entry, and the boxes behind its fixed part, whose length depends on the
// QuickTime version.
static bool sound_head(struct bytes entry, uint32_t *rate, uint32_t *channels, struct bytes *boxes)
{
    const uint8_t *body = entry.data + MP4_BOX_HEAD;
    struct bytes rest = entry;
    if (!bytes_skip(&rest, MP4_BOX_HEAD + ENTRY_AUDIO_BODY))
        return false;
    unsigned version = (unsigned)body[8] << 8 | body[9];
    *channels = mp4_u32_at(body + 16) >> 16;
    *rate = mp4_u32_at(body + 24) >> 16;
    if (version == 2 && rest.length >= ENTRY_SOUND_2) {
        union {
            uint64_t bits;
            double value;
        } exact = {.bits = mp4_u64_at(rest.data + 4)};
        *rate = exact.value >= 1 && exact.value < 1e7 ? (uint32_t)exact.value : 0;
        *channels = mp4_u32_at(rest.data + 12);
    }
    if (!bytes_skip(&rest, version == 1 ? ENTRY_SOUND_1 : version == 2 ? ENTRY_SOUND_2 : 0))
        return false;
    *boxes = rest;
    return *channels <= UINT16_MAX;
}

static int audio_parse(struct bytes entry, uint32_t type, struct track *out)
{
    uint32_t rate, channels;
    struct bytes boxes, dops;
    if (!sound_head(entry, &rate, &channels, &boxes))
        return ERR_INVALID;
    int result = 0;
    if (type == MP4_TYPE("mp4a")) {
        result = mp4a_parse(entry, boxes, rate, out);
    } else if (type == MP4_TYPE("Opus")) {
        if (mp4_box_find(boxes, MP4_TYPE("dOps"), &dops) < 0 || dops.length < 11 ||
            dops.data[1] == 0)
            return ERR_INVALID;
        track_init(out, CODEC_OPUS);
        out->config = buf_new_copy(dops.data, dops.length);
        rate = 48000;
        channels = dops.data[1];
    } else if (type == MP4_TYPE("alaw") || type == MP4_TYPE("ulaw")) {
        if (rate == 0 || channels == 0)
            return ERR_INVALID;
        track_init(out, type == MP4_TYPE("alaw") ? CODEC_PCMA : CODEC_PCMU);
    } else if (type == MP4_TYPE(".mp3") && rate > 0) {
        track_init(out, CODEC_MP3);
    } else {
        result = other_track(entry, CODEC_OTHER_AUDIO, out);
    }
    if (result == 0 && out->sample_rate == 0) {
        out->sample_rate = rate;
        out->channels = channels;
        out->timescale = rate ? rate : 90000;
    }
    return result;
}

int mp4_entry_parse(struct bytes entry, enum media_kind kind, struct track *out,
                    unsigned *nal_width)
{
    if (entry.length < MP4_BOX_HEAD + 8)
        return ERR_INVALID;
    if (entry.length > CODEC_CONFIG_MAX)
        return ERR_LIMIT;
    uint32_t type = mp4_u32_at(entry.data + 4);
    *nal_width = 4;
    if (type == MP4_TYPE("encv") || type == MP4_TYPE("enca"))
        return ERR_UNSUPPORTED;
    return kind == MEDIA_VIDEO ? visual_parse(entry, type, out, nal_width)
                               : audio_parse(entry, type, out);
}
