// SPDX-License-Identifier: MIT
// H.265 out of RTP (RFC 7798): single NAL units, aggregates (AP) and fragments (FU). Decoding order
// numbers are there when the description says sprop-max-don-diff above 0; they are skipped.
#include "base/mem.h"
#include "media/h265.h"
#include "media/nal.h"
#include "rtp_unpack_priv.h"

enum { AP = 48, FU = 49, PACI = 50, FU_START = 0x80, FU_END = 0x40 };

struct unpack_h265 {
    struct unpack_video video;
    bool has_order; // packets carry DONL and DOND fields
};

static bool is_slice(struct bytes nal)
{
    return h265_nal_type(nal) < H265_VPS;
}

static bool is_set(struct bytes nal)
{
    unsigned type = h265_nal_type(nal);
    return type >= H265_VPS && type <= H265_PPS;
}

static bool is_key_head(struct bytes nal)
{
    unsigned type = h265_nal_type(nal);
    return (type >= H265_IRAP_FIRST && type <= H265_IRAP_LAST) || is_set(nal);
}

static const struct video_codec h265_codec = {
    .head = 2,
    .is_slice = is_slice,
    .is_set = is_set,
    .is_key_head = is_key_head,
    .sets_add = h265_param_sets_add,
    .config_make = h265_config_make,
    .track_from_config = h265_track_from_config,
    .au_add = h265_au_add,
    .starts = h265_starts_access_unit,
};

// 4.4.2: DONL in front of the first unit, DOND in front of each further one.
static void input_aggregate(struct unpack_h265 *h265, struct bytes in)
{
    struct bytes nal;
    int result = 0;
    if (!bytes_skip(&in, h265->has_order ? 4 : 2))
        result = ERR_INVALID;
    for (bool first = true; result == 0; first = false) {
        if (!first && h265->has_order && in.length && !bytes_skip(&in, 1))
            break;
        result = nal_next_prefixed(&in, 2, &nal);
        if (result == 0)
            video_nal(&h265->video, nal);
    }
    if (result == ERR_INVALID && in.length > 1)
        video_broken(&h265->video, "an aggregate longer than its packet");
}

static void input_fragment(struct unpack_h265 *h265, struct bytes in)
{
    uint8_t head[2], header;
    if (!bytes_read_u8(&in, &head[0]) || !bytes_read_u8(&in, &head[1]) ||
        !bytes_read_u8(&in, &header) ||
        (h265->has_order && header & FU_START && !bytes_skip(&in, 2))) {
        video_broken(&h265->video, "a fragment without its header");
        return;
    }
    if (header & FU_START) {
        head[0] = (uint8_t)((head[0] & 0x81) | (header & 0x3f) << 1);
        video_fragment_begin(&h265->video, head, in);
    } else {
        video_fragment_add(&h265->video, in);
    }
    if (header & FU_END)
        video_fragment_end(&h265->video);
}

// DONL stands between the header and the rest of a single NAL unit (4.4.1).
static void input_single(struct unpack_h265 *h265, struct bytes in)
{
    if (!h265->has_order) {
        video_nal(&h265->video, in);
        return;
    }
    uint8_t head[2];
    if (in.length < 5)
        return;
    memcpy(head, in.data, sizeof(head));
    bytes_skip(&in, 4);
    video_fragment_begin(&h265->video, head, in);
    video_fragment_end(&h265->video);
}

static void input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                  unsigned lost, int64_t arrived_us)
{
    struct unpack_h265 *h265 = (struct unpack_h265 *)unpack;
    struct bytes in = packet->payload;
    video_packet_begin(&h265->video, ticks, lost, arrived_us);
    if (in.length >= 2) {
        switch (h265_nal_type(in)) {
        case AP:
            input_aggregate(h265, in);
            break;
        case FU:
            input_fragment(h265, in);
            break;
        case PACI:
            video_broken(&h265->video, "an H.265 packet of a kind that is not read");
            break;
        default:
            input_single(h265, in);
        }
    }
    video_packet_end(&h265->video, packet->marker);
}

static const struct rtp_unpack_kind h265_kind = {.input = input, .fini = video_fini};

struct rtp_unpack *unpack_h265_new(const struct sdp_format *format, const char **why)
{
    (void)why;
    static const char *const keys[] = {"sprop-vps", "sprop-sps", "sprop-pps"};
    struct unpack_h265 *h265 = mem_alloc(sizeof(*h265));
    video_init(&h265->video, &h265_codec, &h265_kind, format->clock);
    h265->has_order = sdp_format_number(format, "sprop-max-don-diff", 0) > 0;
    for (unsigned i = 0; i < 3; i++)
        video_add_described(&h265->video, format, keys[i]);
    video_sets_done(&h265->video);
    return &h265->video.base;
}
