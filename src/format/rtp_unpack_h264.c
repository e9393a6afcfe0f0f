// SPDX-License-Identifier: MIT
// H.264 out of RTP (RFC 6184): single NAL units, STAP-A and FU-A, and their relatives with a
// decoding order number, which is skipped: interleaved packets would have to wait for one another,
// and no camera sends them.
#include "base/mem.h"
#include "media/nal.h"
#include "rtp_unpack_priv.h"

enum { STAP_A = 24, STAP_B = 25, FU_A = 28, FU_B = 29, FU_START = 0x80, FU_END = 0x40 };

static bool is_slice(struct bytes nal)
{
    unsigned type = h264_nal_type(nal);
    return type >= H264_SLICE && type <= H264_IDR;
}

static bool is_set(struct bytes nal)
{
    unsigned type = h264_nal_type(nal);
    return type == H264_SPS || type == H264_PPS;
}

static bool is_key_head(struct bytes nal)
{
    return h264_nal_type(nal) == H264_IDR || is_set(nal);
}

static bool has_fields(const struct param_sets *sets)
{
    struct h264_sps sps;
    return sets->count[1] > 0 && h264_sps_parse(buf_bytes(sets->set[1][0]), &sps) == 0 &&
           !sps.frame_mbs_only;
}

static const struct video_codec h264_codec = {
    .head = 1,
    .is_slice = is_slice,
    .is_set = is_set,
    .is_key_head = is_key_head,
    .sets_add = h264_param_sets_add,
    .config_make = h264_config_make,
    .track_from_config = h264_track_from_config,
    .au_add = h264_au_add,
    .starts = h264_starts_access_unit,
    .has_fields = has_fields,
};

static void input_aggregate(struct unpack_video *video, struct bytes in)
{
    struct bytes nal;
    int result;
    while ((result = nal_next_prefixed(&in, 2, &nal)) == 0)
        video_nal(video, nal);
    if (result == ERR_INVALID && in.length > 1)
        video_broken(video, "an aggregate longer than its packet");
}

static void input_fragment(struct unpack_video *video, struct bytes in, bool has_order)
{
    uint8_t indicator, header;
    if (!bytes_read_u8(&in, &indicator) || !bytes_read_u8(&in, &header) ||
        (has_order && !bytes_skip(&in, 2))) {
        video_broken(video, "a fragment without its header");
        return;
    }
    if (header & FU_START) {
        uint8_t head = (uint8_t)((indicator & 0xe0) | (header & 0x1f));
        video_fragment_begin(video, &head, in);
    } else {
        video_fragment_add(video, in);
    }
    if (header & FU_END)
        video_fragment_end(video);
}

// A NAL unit, or several behind start codes, as some senders leave them.
static void input_single(struct unpack_video *video, struct bytes in)
{
    bool start_code = in.length > 4 && in.data[0] == 0 && in.data[1] == 0 &&
                      (in.data[2] == 1 || (in.data[2] == 0 && in.data[3] == 1));
    if (!start_code) {
        video_nal(video, in);
        return;
    }
    struct bytes nal;
    while (nal_next_annexb(&in, &nal) == 0)
        video_nal(video, nal);
}

static void input(struct rtp_unpack *unpack, const struct rtp_packet *packet, int64_t ticks,
                  unsigned lost, int64_t arrived_us)
{
    struct unpack_video *video = (struct unpack_video *)unpack;
    struct bytes in = packet->payload;
    video_packet_begin(video, ticks, lost, arrived_us);
    if (in.length > 0) {
        unsigned type = h264_nal_type(in);
        switch (type) {
        case STAP_A:
        case STAP_B:
            bytes_skip(&in, type == STAP_A ? 1 : in.length < 3 ? in.length : 3);
            input_aggregate(video, in);
            break;
        case FU_A:
        case FU_B:
            // Only the first fragment of an FU-B is one; the others are FU-A.
            input_fragment(video, in, type == FU_B);
            break;
        case 26:
        case 27:
        case 30:
        case 31:
            video_broken(video, "an H.264 packet of a kind that is not read");
            break;
        default:
            input_single(video, in);
        }
    }
    video_packet_end(video, packet->marker);
}

static const struct rtp_unpack_kind h264_kind = {.input = input, .fini = video_fini};

struct rtp_unpack *unpack_h264_new(const struct sdp_format *format, const char **why)
{
    (void)why;
    struct unpack_video *video = mem_alloc(sizeof(*video));
    video_init(video, &h264_codec, &h264_kind, format->clock);
    video_add_described(video, format, "sprop-parameter-sets");
    video_sets_done(video);
    return &video->base;
}
