// SPDX-License-Identifier: MIT
// H.265 access units, parameter sets and hvcC. The SPS is read in h265_sps.c.
#include "media/h265.h"

#include "base/bits.h"
#include "media/nal.h"
#include "nal_sets.h"

enum {
    NAL_REFERENCE_KINDS = 16, // below it, even types are sub-layer non-reference pictures
    NAL_VCL_END = 32,
    NAL_FILLER = 38,
    NAL_AGGREGATE = 48, // to 50: structures of RTP, never part of a stream
    NAL_PACI = 50,
    HVCC_FIXED = 23, // bytes in front of the arrays
};

// kind of param_sets of a NAL unit type, or 3.
static unsigned set_kind(unsigned type)
{
    return type >= H265_VPS && type <= H265_PPS ? type - H265_VPS : 3;
}

static unsigned layer_id(struct bytes nal)
{
    return (nal.data[0] & 1u) << 5 | nal.data[1] >> 3;
}

static int set_id(unsigned kind, struct bytes nal, unsigned *id)
{
    struct nal_bits reader;
    nal_bits_init(&reader, nal);
    bits_skip(&reader.bits, 16);
    if (kind == SETS_VPS) {
        *id = bits_read(&reader.bits, 4);
    } else if (kind == SETS_SPS) {
        struct h265_sps sps;
        if (h265_sps_parse(nal, &sps) < 0)
            return ERR_INVALID;
        *id = sps.id;
    } else {
        *id = bits_read_ue(&reader.bits);
        if (*id > 63)
            return ERR_INVALID;
    }
    return reader.bits.overrun ? ERR_INVALID : 0;
}

int h265_param_sets_add(struct param_sets *sets, struct bytes nal)
{
    nal = param_set_trim(nal);
    if (nal.length < 3 || nal.data[0] & 0x80)
        return ERR_INVALID;
    unsigned kind = set_kind(h265_nal_type(nal));
    if (kind > SETS_PPS || layer_id(nal) > 0)
        return ERR_INVALID;
    return param_sets_put(sets, kind, nal, set_id);
}

static void put_u8(struct buf *out, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    buf_append(out, &byte, 1);
}

static void put_u16(struct buf *out, unsigned value)
{
    put_u8(out, value >> 8);
    put_u8(out, value);
}

// The 23 bytes in front of the arrays (ISO/IEC 14496-15, 8.3.3.1.2).
static void put_fixed(struct buf *out, const struct h265_sps *sps)
{
    put_u8(out, 1);
    put_u8(out, (unsigned)sps->profile_space << 6 | (unsigned)sps->tier << 5 | sps->profile);
    put_u16(out, sps->compatibility >> 16);
    put_u16(out, sps->compatibility & 0xffff);
    buf_append(out, sps->constraints, sizeof(sps->constraints));
    put_u8(out, sps->level);
    put_u16(out, 0xf000); // min_spatial_segmentation_idc: not known
    put_u8(out, 0xfc);    // parallelismType: not known
    put_u8(out, 0xfcu | sps->chroma_format);
    put_u8(out, 0xf8u | (sps->bit_depth_luma - 8u));
    put_u8(out, 0xf8u | (sps->bit_depth_chroma - 8u));
    put_u16(out, 0); // avgFrameRate: not said
    put_u8(out, (unsigned)sps->temporal_layers << 3 | (unsigned)sps->temporal_nested << 2 | 3);
    put_u8(out, 3); // arrays: VPS, SPS, PPS
}

int h265_config_make(struct param_sets *sets, struct buf **out)
{
    *out = NULL;
    size_t size = HVCC_FIXED;
    for (unsigned kind = SETS_VPS; kind <= SETS_PPS; kind++) {
        if (sets->count[kind] == 0)
            return ERR_AGAIN;
        size += 3 + param_sets_size(sets, kind);
    }
    struct h265_sps sps;
    if (h265_sps_parse(param_sets_get(sets, SETS_SPS, 0), &sps) < 0)
        return ERR_INVALID;
    if (size > CODEC_CONFIG_MAX)
        return ERR_LIMIT;
    struct buf *config = buf_try_new(size);
    if (!config)
        return ERR_LIMIT;
    put_fixed(config, &sps);
    for (unsigned kind = SETS_VPS; kind <= SETS_PPS; kind++) {
        put_u8(config, 0x80 | (H265_VPS + kind)); // complete: none of them is in the samples
        put_u16(config, sets->count[kind]);
        for (unsigned i = 0; i < sets->count[kind]; i++) {
            struct bytes nal = param_sets_get(sets, kind, i);
            put_u16(config, (unsigned)nal.length);
            buf_append(config, nal.data, nal.length);
        }
    }
    sets->changed = false;
    *out = config;
    return 0;
}

int h265_config_parse(struct bytes hvcc, struct param_sets *sets, unsigned *width)
{
    struct bytes fixed;
    if (!bytes_take(&hvcc, HVCC_FIXED, &fixed) || fixed.data[0] != 1 || (fixed.data[21] & 3) == 2)
        return ERR_INVALID;
    for (unsigned array = 0; array < fixed.data[22]; array++) {
        uint8_t type;
        uint16_t count;
        if (!bytes_read_u8(&hvcc, &type) || !bytes_read_u16(&hvcc, &count))
            return ERR_INVALID;
        if (set_kind(type & 63) <= SETS_PPS) {
            int result = param_sets_read(&hvcc, count, sets, h265_param_sets_add);
            if (result < 0)
                return result;
            continue;
        }
        for (unsigned i = 0; i < count; i++) { // SEI that holds for the whole stream
            struct bytes nal;
            if (nal_next_prefixed(&hvcc, 2, &nal) < 0)
                return ERR_INVALID;
        }
    }
    *width = (fixed.data[21] & 3u) + 1;
    return 0;
}

int h265_track_from_config(struct buf *config, struct track *out)
{
    struct param_sets sets = {0};
    struct h265_sps sps;
    unsigned width;
    int result = h265_config_parse(buf_bytes(config), &sets, &width);
    if (result == 0)
        result = sets.count[SETS_SPS] == 0
                     ? ERR_INVALID
                     : h265_sps_parse(param_sets_get(&sets, SETS_SPS, 0), &sps);
    param_sets_fini(&sets);
    if (result < 0)
        return result;
    track_init(out, CODEC_H265);
    out->timescale = 90000;
    out->config = config_with_wide_lengths(config, 21);
    out->width = sps.width;
    out->height = sps.height;
    out->fps_num = sps.fps_num;
    out->fps_den = sps.fps_den;
    return 0;
}

int h265_au_add(struct au_builder *au, struct param_sets *sets, struct bytes nal)
{
    if (nal.length < 2 || nal.data[0] & 0x80)
        return ERR_INVALID;
    unsigned type = h265_nal_type(nal);
    if (layer_id(nal) > 0)
        return 0;
    if (set_kind(type) <= SETS_PPS) {
        au->set_refused |= sets && h265_param_sets_add(sets, nal) < 0;
        return 0;
    }
    if ((type >= H265_AUD && type <= NAL_FILLER) || (type >= NAL_AGGREGATE && type <= NAL_PACI))
        return 0;
    int result = au_builder_append(au, nal);
    if (result < 0)
        return result;
    if (type < NAL_VCL_END) {
        bool unreferenced = type < NAL_REFERENCE_KINDS && type % 2 == 0;
        au->key |= type >= H265_IRAP_FIRST && type <= H265_IRAP_LAST;
        au->droppable = unreferenced && (au->droppable || !au->has_picture);
        au->has_picture = true;
    }
    return 0;
}

bool h265_starts_access_unit(const struct au_builder *au, struct bytes nal)
{
    if (!au->has_picture || nal.length < 2 || layer_id(nal) > 0)
        return false;
    unsigned type = h265_nal_type(nal);
    if (type < NAL_VCL_END) // first_slice_segment_in_pic_flag
        return nal.length > 2 && nal.data[2] & 0x80;
    return (type >= H265_VPS && type <= H265_AUD) || type == H265_SEI_PREFIX ||
           (type >= 41 && type <= 44) || (type >= 48 && type <= 55);
}
