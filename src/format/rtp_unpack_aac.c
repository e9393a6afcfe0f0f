// SPDX-License-Identifier: MIT
// AAC out of RTP: MPEG4-GENERIC (RFC 3640; modes AAC-hbr and AAC-lbr and whatever the parameters
// describe) and MP4A-LATM (RFC 6416) whose configuration is in the description.
#include "base/bits.h"
#include "base/code.h"
#include "base/mem.h"
#include "base/text.h"
#include "media/audio.h"
#include "rtp_unpack_priv.h"

enum { AU_BYTES_MAX = 64 << 10, LATM_SUBFRAMES_MAX = 64, AOT_SBR = 5, AOT_PS = 29 };

struct unpack_aac {
    struct rtp_unpack base;
    unsigned frame_samples;
    // MPEG4-GENERIC, 4.1: widths in bits of the fields of an AU-header.
    unsigned size_bits, index_bits, delta_bits, cts_bits, dts_bits, state_bits, auxiliary_bits;
    bool random_access;
    // An access unit (LATM: an element) whose other fragments are still to come.
    struct buf *pending;
    size_t pending_size; // bytes it will have
    int64_t pending_ticks;
    unsigned subframes; // LATM: access units in an element
};

static void aac_fini(struct rtp_unpack *unpack)
{
    buf_unref(&((struct unpack_aac *)unpack)->pending);
}

static void pending_drop(struct unpack_aac *aac, const char *why)
{
    if (!aac->pending)
        return;
    buf_unref(&aac->pending);
    unpack_error(&aac->base, why);
}

// Some cameras leave the ADTS header in front of the access unit.
static struct bytes without_adts(struct bytes bytes)
{
    struct adts adts;
    if (adts_parse(bytes, &adts) == 0 && adts.frame_length == bytes.length)
        bytes_skip(&bytes, adts.header_length);
    return bytes;
}

// ---- MPEG4-GENERIC -----------------------------------------------------------------------------

// One AU-header (3.2.1.1).
static unsigned read_header(struct unpack_aac *aac, struct bits *bits, bool first, unsigned *index)
{
    unsigned size = bits_read(bits, aac->size_bits);
    unsigned step = bits_read(bits, first ? aac->index_bits : aac->delta_bits);
    *index = first ? 0 : *index + 1 + step;
    if (aac->cts_bits && bits_read_flag(bits))
        bits_skip(bits, aac->cts_bits);
    if (aac->dts_bits && bits_read_flag(bits))
        bits_skip(bits, aac->dts_bits);
    if (aac->random_access)
        bits_skip(bits, 1);
    bits_skip(bits, aac->state_bits);
    return size;
}

static void begin_pending(struct unpack_aac *aac, struct bytes data, unsigned size, int64_t ticks)
{
    if (size > AU_BYTES_MAX || !(aac->pending = buf_try_new(size))) {
        unpack_error(&aac->base, "an AAC access unit above the limit");
        return;
    }
    buf_append(aac->pending, data.data, data.length);
    aac->pending_size = size;
    aac->pending_ticks = ticks;
}

// Each fragment repeats the header, with the size of the whole.
static void add_pending(struct unpack_aac *aac, struct bytes data, int64_t arrived_us)
{
    if (data.length > aac->pending_size - aac->pending->length) {
        pending_drop(aac, "more fragments than the AAC access unit has bytes");
        return;
    }
    buf_append(aac->pending, data.data, data.length);
    if (aac->pending->length == aac->pending_size)
        unpack_audio_take(&aac->base, &aac->pending, aac->pending_ticks, aac->frame_samples,
                          arrived_us);
}

static bool skip_auxiliary(const struct unpack_aac *aac, struct bytes *in)
{
    if (!aac->auxiliary_bits)
        return true;
    struct bits bits = bits_of(*in);
    uint32_t length = bits_read(&bits, aac->auxiliary_bits);
    return !bits.overrun && bytes_skip(in, (aac->auxiliary_bits + (size_t)length + 7) / 8);
}

// headers: `header_bits` of them are AU-headers, the rest fills up a byte.
static void generic_units(struct unpack_aac *aac, struct bits headers, size_t header_bits,
                          struct bytes in, int64_t ticks, bool marker, int64_t arrived_us)
{
    unsigned index = 0;
    for (bool first = true; first || headers.bit + aac->size_bits + aac->delta_bits <= header_bits;
         first = false) {
        unsigned size = read_header(aac, &headers, first, &index);
        struct bytes unit;
        if (headers.overrun) {
            unpack_error(&aac->base, "AAC headers longer than their section");
            return;
        }
        if (first && size > in.length && aac->pending && aac->pending_ticks == ticks &&
            aac->pending_size == size) {
            add_pending(aac, in, arrived_us);
            return;
        }
        pending_drop(aac, "an AAC access unit without its end");
        if (first && size > in.length && !marker) {
            begin_pending(aac, in, size, ticks);
            return;
        }
        if (!bytes_take(&in, size, &unit)) {
            unpack_error(&aac->base, "an AAC access unit longer than its packet");
            return;
        }
        unpack_audio_frame(&aac->base, without_adts(unit),
                           ticks + (int64_t)index * aac->frame_samples, aac->frame_samples,
                           arrived_us);
    }
}

static void generic_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                          unsigned lost, int64_t arrived_us)
{
    struct unpack_aac *aac = (struct unpack_aac *)unpack;
    struct bytes in = packet->payload, section;
    if (lost)
        pending_drop(aac, "an AAC access unit with a fragment lost");
    if (in.length == 0)
        return;
    uint16_t header_bits;
    if (!bytes_read_u16(&in, &header_bits)) {
        unpack_error(unpack, "an AAC packet without headers");
        return;
    }
    if (header_bits < aac->size_bits + aac->index_bits)
        header_bits = (uint16_t)(header_bits * 8); // senders who count bytes
    if (!bytes_take(&in, (header_bits + 7u) / 8, &section)) {
        unpack_error(unpack, "AAC headers longer than their packet");
        return;
    }
    if (!skip_auxiliary(aac, &in)) {
        unpack_error(unpack, "an auxiliary section longer than its packet");
        return;
    }
    generic_units(aac, bits_of(section), header_bits, in, ticks, packet->marker, arrived_us);
}

static const struct rtp_unpack_kind generic_kind = {.input = generic_input, .fini = aac_fini};

// ---- the configuration -------------------------------------------------------------------------

// Hexadecimal value of a parameter, quotes allowed around it.
static bool get_hex(const struct sdp_format *format, const char *key, uint8_t *out, size_t room,
                    size_t *length)
{
    struct bytes value;
    if (!sdp_format_get(format, key, &value))
        return false;
    if (value.length >= 2 && value.data[0] == '"') {
        bytes_skip(&value, 1);
        value.length--;
    }
    return hex_decode((const char *)value.data, value.length, out, room, length) && *length > 0;
}

static bool config_apply(struct unpack_aac *aac, struct bytes config)
{
    struct aac_config parsed;
    if (aac_config_parse(config, &parsed) < 0 ||
        aac_track_from_config(config, &aac->base.track) < 0)
        return false;
    aac->frame_samples = parsed.frame_samples;
    aac->base.has_track = true;
    aac->base.timescale = aac->base.track.timescale;
    return true;
}

// A description without a configuration: the rate and the channels of the rtpmap must do (LC).
static bool config_guess(struct unpack_aac *aac, const struct sdp_format *format)
{
    for (unsigned index = 0; index < 13; index++) {
        struct adts adts = {.object_type = 2,
                            .rate_index = index,
                            .channel_config = format->channels ? format->channels : 1};
        uint8_t config[2];
        struct aac_config parsed;
        if (adts.channel_config > 7)
            return false;
        adts_config(&adts, config);
        if (aac_config_parse(bytes_of(config, sizeof(config)), &parsed) == 0 &&
            parsed.sample_rate == format->clock)
            return config_apply(aac, bytes_of(config, sizeof(config)));
    }
    return false;
}

static unsigned width(const struct sdp_format *format, const char *key, unsigned absent)
{
    uint32_t bits = sdp_format_number(format, key, absent);
    return bits > 32 ? 32 : bits;
}

struct rtp_unpack *unpack_aac_new(const struct sdp_format *format, const char **why)
{
    uint8_t config[256];
    size_t length;
    struct bytes mode;
    bool low = sdp_format_get(format, "mode", &mode) && mode.length == 7 &&
               memcmp(mode.data + 4, "lbr", 3) == 0;
    struct unpack_aac *aac = mem_alloc(sizeof(*aac));
    aac->base.kind = &generic_kind;
    aac->size_bits = width(format, "sizelength", low ? 6 : 13);
    aac->index_bits = width(format, "indexlength", low ? 2 : 3);
    aac->delta_bits = width(format, "indexdeltalength", low ? 2 : 3);
    aac->cts_bits = width(format, "ctsdeltalength", 0);
    aac->dts_bits = width(format, "dtsdeltalength", 0);
    aac->state_bits = width(format, "streamstateindication", 0);
    aac->auxiliary_bits = width(format, "auxiliarydatasizelength", 0);
    aac->random_access = sdp_format_number(format, "randomaccessindication", 0);
    bool known = get_hex(format, "config", config, sizeof(config), &length) &&
                 config_apply(aac, bytes_of(config, length));
    if ((!known && !config_guess(aac, format)) || !aac->size_bits) {
        *why = "an AAC configuration that cannot be read";
        track_fini(&aac->base.track);
        mem_free(aac);
        return NULL;
    }
    aac->base.clock = format->clock ? format->clock : aac->base.timescale;
    return &aac->base;
}

// ---- MP4A-LATM ---------------------------------------------------------------------------------

// An element: for each access unit its length (bytes of 255 and one smaller), then its bytes
// (ISO/IEC 14496-3, 1.7.3.1).
static void latm_element(struct unpack_aac *aac, struct bytes in, int64_t ticks, int64_t arrived_us)
{
    for (unsigned i = 0; i < aac->subframes; i++) {
        size_t length = 0;
        uint8_t byte;
        struct bytes unit;
        do {
            if (!bytes_read_u8(&in, &byte)) {
                unpack_error(&aac->base, "a LATM element longer than its packet");
                return;
            }
            length += byte;
        } while (byte == 255);
        if (!bytes_take(&in, length, &unit)) {
            unpack_error(&aac->base, "a LATM element longer than its packet");
            return;
        }
        unpack_audio_frame(&aac->base, unit, ticks + (int64_t)i * aac->frame_samples,
                           aac->frame_samples, arrived_us);
    }
}

// The marker is on the last packet of an element (RFC 6416, 6.1); nearly always it is the only one.
static void latm_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                       unsigned lost, int64_t arrived_us)
{
    struct unpack_aac *aac = (struct unpack_aac *)unpack;
    struct bytes in = packet->payload;
    if (lost || (aac->pending && aac->pending_ticks != ticks))
        pending_drop(aac, "a LATM element without its end");
    if (!aac->pending && packet->marker) {
        latm_element(aac, in, ticks, arrived_us);
        return;
    }
    if (!aac->pending)
        begin_pending(aac, bytes_of(in.data, 0), AU_BYTES_MAX, ticks);
    if (!aac->pending)
        return;
    if (in.length > aac->pending->capacity - aac->pending->length) {
        pending_drop(aac, "a LATM element above the limit");
        return;
    }
    buf_append(aac->pending, in.data, in.length);
    if (packet->marker) {
        latm_element(aac, buf_bytes(aac->pending), ticks, arrived_us);
        buf_unref(&aac->pending);
    }
}

static const struct rtp_unpack_kind latm_kind = {.input = latm_input, .fini = aac_fini};

// The AudioSpecificConfig within a StreamMuxConfig of version 0 with one program and layer
// (1.7.3.2); it begins inside a byte. 0 when there is anything else.
static size_t latm_config(struct bytes mux, unsigned *subframes, uint8_t out[16])
{
    struct bits bits = bits_of(mux);
    if (bits_read_flag(&bits) ||
        !bits_read_flag(&bits)) // audioMuxVersion, allStreamsSameTimeFraming
        return 0;
    *subframes = bits_read(&bits, 6) + 1;
    if (bits_read(&bits, 4) != 0 || bits_read(&bits, 3) != 0) // numProgram, numLayer
        return 0;
    struct bits start = bits;
    unsigned type = bits_read(&bits, 5);
    if (bits_read(&bits, 4) == 15)
        bits_skip(&bits, 24);
    unsigned channels = bits_read(&bits, 4);
    if (type == AOT_SBR || type == AOT_PS) {
        if (bits_read(&bits, 4) == 15)
            bits_skip(&bits, 24);
        type = bits_read(&bits, 5);
    }
    bits_skip(&bits, 3);
    if (bits.overrun || channels == 0 || type == 31)
        return 0;
    struct bits_writer writer = {.data = out, .capacity = 16};
    for (size_t left = bits.bit - start.bit; left > 0; left--)
        bits_write(&writer, bits_read(&start, 1), 1);
    return (writer.bit + 7) / 8;
}

struct rtp_unpack *unpack_latm_new(const struct sdp_format *format, const char **why)
{
    uint8_t mux[64], config[16] = {0};
    size_t length, config_length = 0;
    *why = "a LATM configuration that is not in the description or cannot be read";
    if (sdp_format_number(format, "cpresent", 0) != 0)
        return NULL;
    struct unpack_aac *aac = mem_alloc(sizeof(*aac));
    aac->base.kind = &latm_kind;
    if (get_hex(format, "config", mux, sizeof(mux), &length))
        config_length = latm_config(bytes_of(mux, length), &aac->subframes, config);
    if (!config_length || !config_apply(aac, bytes_of(config, config_length))) {
        mem_free(aac);
        return NULL;
    }
    aac->base.clock = format->clock ? format->clock : aac->base.timescale;
    return &aac->base;
}
