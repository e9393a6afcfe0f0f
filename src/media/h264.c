// SPDX-License-Identifier: MIT
// H.264 access units, parameter sets and avcC. The SPS is read in h264_sps.c.
#include "media/h264.h"

#include "base/bits.h"
#include "base/ensure.h"
#include "media/nal.h"
#include "nal_sets.h"

enum {
    NAL_PARTITION_A = 2,
    NAL_END_OF_SEQUENCE = 10,
    NAL_FILLER = 12,
    NAL_UNSPECIFIED = 24, // to 31: structures of RTP, never part of a stream
    SEI_RECOVERY_POINT = 6,
    ID_MAX = 255,
};

static int set_id(unsigned kind, struct bytes nal, unsigned *id)
{
    if (kind == SETS_SPS) {
        struct h264_sps sps;
        if (h264_sps_parse(nal, &sps) < 0)
            return ERR_INVALID;
    }
    struct nal_bits reader;
    nal_bits_init(&reader, nal);
    bits_skip(&reader.bits, kind == SETS_SPS ? 32 : 8); // header; profile, constraints, level
    *id = bits_read_ue(&reader.bits);
    return reader.bits.overrun || *id > ID_MAX ? ERR_INVALID : 0;
}

int h264_param_sets_add(struct param_sets *sets, struct bytes nal)
{
    nal = param_set_trim(nal);
    if (nal.length < 2 || nal.data[0] & 0x80)
        return ERR_INVALID;
    switch (h264_nal_type(nal)) {
    case H264_SPS:
        return param_sets_put(sets, SETS_SPS, nal, set_id);
    case H264_PPS:
        return param_sets_put(sets, SETS_PPS, nal, set_id);
    default:
        return ERR_INVALID;
    }
}

// Profiles whose avcC ends with the chroma format and depths (all but Baseline, Main, Extended).
static bool profile_is_high(uint8_t profile)
{
    return profile != 66 && profile != 77 && profile != 88;
}

static void put_u8(struct buf *out, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    buf_append(out, &byte, 1);
}

static void put_sets(struct buf *out, const struct param_sets *sets, unsigned kind)
{
    for (unsigned i = 0; i < sets->count[kind]; i++) {
        struct bytes nal = param_sets_get(sets, kind, i);
        put_u8(out, (unsigned)nal.length >> 8);
        put_u8(out, (unsigned)nal.length);
        buf_append(out, nal.data, nal.length);
    }
}

int h264_config_make(struct param_sets *sets, struct buf **out)
{
    *out = NULL;
    if (sets->count[SETS_SPS] == 0 || sets->count[SETS_PPS] == 0)
        return ERR_AGAIN;
    struct bytes first = param_sets_get(sets, SETS_SPS, 0);
    struct h264_sps sps;
    if (h264_sps_parse(first, &sps) < 0)
        return ERR_INVALID;
    size_t size = 7 + param_sets_size(sets, SETS_SPS) + param_sets_size(sets, SETS_PPS) + 4;
    if (size > CODEC_CONFIG_MAX)
        return ERR_LIMIT;
    struct buf *config = buf_try_new(size);
    if (!config)
        return ERR_LIMIT;
    // ISO/IEC 14496-15, 5.3.3.1.2
    put_u8(config, 1);
    buf_append(config, first.data + 1, 3); // profile, constraints, level as they stand in the SPS
    put_u8(config, 0xfc | 3);              // NAL lengths are four bytes wide
    put_u8(config, 0xe0 | sets->count[SETS_SPS]);
    put_sets(config, sets, SETS_SPS);
    put_u8(config, sets->count[SETS_PPS]);
    put_sets(config, sets, SETS_PPS);
    if (profile_is_high(sps.profile)) {
        put_u8(config, 0xfcu | sps.chroma_format);
        put_u8(config, 0xf8u | (sps.bit_depth_luma - 8u));
        put_u8(config, 0xf8u | (sps.bit_depth_chroma - 8u));
        put_u8(config, 0); // no SPS extensions
    }
    sets->changed = false;
    *out = config;
    return 0;
}

int h264_config_parse(struct bytes avcc, struct param_sets *sets, unsigned *width)
{
    uint8_t version, profile[3], lengths, count;
    if (!bytes_read_u8(&avcc, &version) || version != 1)
        return ERR_INVALID;
    for (unsigned i = 0; i < 3; i++)
        if (!bytes_read_u8(&avcc, &profile[i]))
            return ERR_INVALID;
    if (!bytes_read_u8(&avcc, &lengths) || (lengths & 3) == 2 || !bytes_read_u8(&avcc, &count))
        return ERR_INVALID;
    int result = param_sets_read(&avcc, count & 31, sets, h264_param_sets_add);
    if (result < 0)
        return result;
    if (!bytes_read_u8(&avcc, &count))
        return ERR_INVALID;
    result = param_sets_read(&avcc, count, sets, h264_param_sets_add);
    if (result < 0)
        return result;
    *width = (lengths & 3u) + 1;
    return 0;
}

int h264_track_from_config(struct buf *config, struct track *out)
{
    struct param_sets sets = {0};
    struct h264_sps sps;
    unsigned width;
    int result = h264_config_parse(buf_bytes(config), &sets, &width);
    if (result == 0)
        result = sets.count[SETS_SPS] == 0
                     ? ERR_INVALID
                     : h264_sps_parse(param_sets_get(&sets, SETS_SPS, 0), &sps);
    param_sets_fini(&sets);
    if (result < 0)
        return result;
    track_init(out, CODEC_H264);
    out->timescale = 90000;
    out->config = config_with_wide_lengths(config, 4);
    out->width = sps.width;
    out->height = sps.height;
    out->fps_num = sps.fps_num;
    out->fps_den = sps.fps_den;
    return 0;
}

static bool is_slice(unsigned type)
{
    return type == H264_SLICE || type == NAL_PARTITION_A || type == H264_IDR;
}

int h264_slice_type_parse(struct bytes nal, unsigned *type)
{
    if (!is_slice(h264_nal_type(nal)))
        return ERR_INVALID;
    // first_mb_in_slice and slice_type stand in the first bytes; reading more would only cost.
    uint8_t head[16];
    struct bits bits = bits_of(bytes_of(head, nal_unescape(nal, head, sizeof(head))));
    bits_skip(&bits, 8);
    bits_read_ue(&bits);
    uint32_t value = bits_read_ue(&bits);
    if (bits.overrun || value > 9)
        return ERR_INVALID;
    static const uint8_t kind[5] = {0, 1, 2, 0, 2}; // SP counts as P, SI as I
    *type = kind[value % 5];
    return 0;
}

// Looks for a recovery point among the messages of an SEI (7.3.2.3.1, D.1.8).
static void read_sei(struct au_builder *au, struct bytes nal)
{
    struct nal_bits reader;
    nal_bits_init(&reader, nal);
    struct bits *bits = &reader.bits;
    bits_skip(bits, 8);
    while (bits_left(bits) >= 24 && !bits->overrun) {
        uint32_t type = 0, size = 0, byte;
        do
            type += byte = bits_read(bits, 8);
        while (byte == 255);
        do
            size += byte = bits_read(bits, 8);
        while (byte == 255);
        if (type == SEI_RECOVERY_POINT) {
            uint32_t frames = bits_read_ue(bits);
            if (bits->overrun)
                return;
            au->has_recovery = true;
            au->recovery_gradual = frames > 0;
            return;
        }
        bits_skip(bits, (size_t)size * 8);
    }
}

static bool slice_is_key(const struct au_builder *au, struct bytes nal)
{
    if (h264_nal_type(nal) == H264_IDR || (au->has_recovery && au->recovery_gradual))
        return true;
    unsigned type;
    return (au->has_recovery || au->has_sps) && h264_slice_type_parse(nal, &type) == 0 && type == 2;
}

int h264_au_add(struct au_builder *au, struct param_sets *sets, struct bytes nal)
{
    if (nal.length == 0 || nal.data[0] & 0x80)
        return ERR_INVALID;
    unsigned type = h264_nal_type(nal);
    if (type == H264_SPS || type == H264_PPS) {
        au->has_sps |= type == H264_SPS;
        au->set_refused |= sets && h264_param_sets_add(sets, nal) < 0;
        return 0;
    }
    if (type == 0 || type >= NAL_UNSPECIFIED || (type >= H264_AUD && type <= NAL_FILLER))
        return 0;
    int result = au_builder_append(au, nal);
    if (result < 0)
        return result;
    if (type == H264_SEI && !au->has_picture)
        read_sei(au, nal);
    if (is_slice(type)) {
        bool reference = nal.data[0] >> 5 & 3;
        // The first slice decides: of an interlaced pair only the first field may be I.
        if (!au->has_picture)
            au->key = slice_is_key(au, nal);
        au->droppable = !reference && (au->droppable || !au->has_picture);
        au->has_picture = true;
    }
    return 0;
}

bool h264_starts_access_unit(const struct au_builder *au, struct bytes nal)
{
    if (!au->has_picture || nal.length == 0)
        return false;
    unsigned type = h264_nal_type(nal);
    if (is_slice(type)) // first_mb_in_slice is ue(v): zero is a single one bit
        return nal.length > 1 && nal.data[1] & 0x80;
    return (type >= H264_SEI && type <= H264_AUD) || (type >= 14 && type <= 18);
}
