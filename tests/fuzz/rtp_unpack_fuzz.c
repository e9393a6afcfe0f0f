// SPDX-License-Identifier: MIT
// A run of RTP packets through everything that stands between the socket and the stream: order,
// unpacking, decode times. The first byte chooses the codec; then each packet is a byte of flags, a
// byte of timestamp step, a byte of sequence step, a length byte (in units of 1, or of 32 with
// flag 2) and that many bytes of payload.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "format/rtp_dts.h"
#include "format/rtp_order.h"
#include "format/rtp_unpack.h"
#include "media/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sdp_format formats[] = {
    {.encoding = "H264", .fmtp = ""},
    {.encoding = "H264",
     .fmtp = "sprop-parameter-sets=Z2QADKzZQUH7ARAAAAMAEAAAAwMg8UKZYA==,aOvjyyLA"},
    {.encoding = "H265", .fmtp = ""},
    {.encoding = "H265",
     .fmtp = "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8lZQJ;sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oAoIDxZZ"
             "WWSTK8BaAgAAAwACAAADADIQ;sprop-pps=RAHBcrRiQA==;sprop-max-don-diff=1"},
    {.encoding = "MPEG4-GENERIC", .clock = 44100, .fmtp = "mode=AAC-hbr;config=1210"},
    {.encoding = "MPEG4-GENERIC",
     .clock = 8000,
     .fmtp = "mode=AAC-lbr;config=1588;ctsdeltalength=3;dtsdeltalength=4;randomaccessindication=1;"
             "auxiliarydatasizelength=5"},
    {.encoding = "MP4A-LATM", .clock = 44100, .fmtp = "config=400024203fc0"},
    {.encoding = "OPUS", .fmtp = ""},
    {.encoding = "PCMA", .clock = 8000, .channels = 2, .fmtp = ""},
};

struct run {
    struct rtp_unpack *unpack;
    struct rtp_dts dts;
};

static void on_timed(void *arg, struct frame **frame)
{
    struct run *run = arg;
    struct bytes in = bytes_of(frame_data(*frame), (*frame)->length), nal;
    int result;
    while ((result = nal_next_prefixed(&in, 4, &nal)) == 0)
        ENSURE(nal.length > 0);
    ENSURE(result == ERR_NOT_FOUND && (*frame)->cts >= 0 && run->unpack);
    frame_unref(frame);
}

static void on_track(void *arg)
{
    struct run *run = arg;
    rtp_dts_set_track(&run->dts, rtp_unpack_track(run->unpack));
}

static void on_frame(void *arg, struct frame **frame)
{
    struct run *run = arg;
    ENSURE((*frame)->length > 0 && (*frame)->length <= FRAME_BYTES_MAX);
    ENSURE(!((*frame)->flags & FRAME_CORRUPT && (*frame)->flags & FRAME_KEY));
    if (rtp_unpack_track(run->unpack)->kind == MEDIA_VIDEO)
        rtp_dts_input(&run->dts, frame);
    else
        frame_unref(frame);
}

static void on_error(void *arg, const char *what)
{
    (void)arg;
    ENSURE(what);
}

static const struct rtp_unpack_events events = {on_track, on_frame, on_error};

static void on_packet(void *arg, const struct rtp_packet *packet, unsigned lost, int64_t arrived_us)
{
    struct run *run = arg;
    // A block of exactly its size, so that no byte behind it is read.
    struct rtp_packet exact = *packet;
    uint8_t *copy = mem_dup(packet->payload.data, packet->payload.length);
    exact.payload.data = copy;
    rtp_unpack_input(run->unpack, &exact, lost, arrived_us);
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct run run = {0};
    struct rtp_order order;
    struct rtp_packet packet = {.ssrc = 1};
    const char *why;
    uint8_t choice, flags, step, ahead, length;
    int64_t now = 1;
    if (!bytes_read_u8(&in, &choice))
        return 0;
    const struct sdp_format *format = &formats[choice % (sizeof(formats) / sizeof(formats[0]))];
    ENSURE(rtp_unpack_new(format, &events, &run, &run.unpack, &why) == 0);
    rtp_dts_init(&run.dts, on_timed, &run);
    if (rtp_unpack_track(run.unpack))
        on_track(&run);
    rtp_order_init(&order, choice & 0x80, on_packet, &run);
    while (bytes_read_u8(&in, &flags) && bytes_read_u8(&in, &step) && bytes_read_u8(&in, &ahead) &&
           bytes_read_u8(&in, &length)) {
        size_t bytes = (size_t)length * (flags & 2 ? 32 : 1);
        if (!bytes_take(&in, bytes < in.length ? bytes : in.length, &packet.payload))
            break;
        packet.marker = flags & 1;
        packet.sequence = (uint16_t)(packet.sequence + 1 + (int8_t)ahead);
        packet.timestamp += (uint32_t)(int8_t)step * (flags & 4 ? 900u : flags & 8 ? 90000000u : 1);
        packet.ssrc ^= flags >> 4 == 15;
        now += 10000;
        rtp_order_input(&order, &packet, now);
        rtp_order_expire(&order, now);
        rtp_unpack_ticks(run.unpack, packet.timestamp ^ 0x80000000);
    }
    rtp_order_fini(&order);
    rtp_dts_flush(&run.dts);
    rtp_dts_fini(&run.dts);
    rtp_unpack_free(&run.unpack);
    ENSURE(mem_live_count() == 0);
    return 0;
}
