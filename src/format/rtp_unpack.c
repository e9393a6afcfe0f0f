// SPDX-License-Identifier: MIT
// Choosing an unpacker, and what all of them do: time.
#include "format/rtp_unpack.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "rtp_unpack_priv.h"

static const struct {
    const char *encoding;
    enum codec codec;
    struct rtp_unpack *(*make)(const struct sdp_format *format, const char **why);
} table[] = {
    {"H264", CODEC_H264, unpack_h264_new},        {"H265", CODEC_H265, unpack_h265_new},
    {"HEVC", CODEC_H265, unpack_h265_new}, // as some cameras call it
    {"MPEG4-GENERIC", CODEC_AAC, unpack_aac_new}, {"MP4A-LATM", CODEC_AAC, unpack_latm_new},
    {"OPUS", CODEC_OPUS, unpack_opus_new},        {"PCMA", CODEC_PCMA, unpack_g711_new},
    {"PCMU", CODEC_PCMU, unpack_g711_new},
};
enum { TABLE_COUNT = sizeof(table) / sizeof(table[0]) };

static unsigned table_find(const struct sdp_format *format)
{
    unsigned i = 0;
    while (i < TABLE_COUNT && !text_equal_nocase(table[i].encoding, format->encoding))
        i++;
    return i;
}

enum codec rtp_unpack_codec(const struct sdp_format *format)
{
    unsigned row = table_find(format);
    return row < TABLE_COUNT ? table[row].codec : CODEC_COUNT;
}

int rtp_unpack_new(const struct sdp_format *format, const struct rtp_unpack_events *events,
                   void *arg, struct rtp_unpack **out, const char **why)
{
    *out = NULL;
    *why = "no unpacker for this codec";
    unsigned row = table_find(format);
    if (row == TABLE_COUNT)
        return ERR_UNSUPPORTED;
    struct rtp_unpack *unpack = table[row].make(format, why);
    if (!unpack)
        return ERR_UNSUPPORTED;
    ENSURE(unpack->clock > 0 && unpack->timescale > 0);
    unpack->events = events;
    unpack->arg = arg;
    unpack->unwrap.bits = 32;
    *out = unpack;
    return 0;
}

void rtp_unpack_free(struct rtp_unpack **unpack)
{
    struct rtp_unpack *gone = *unpack;
    *unpack = NULL;
    if (!gone)
        return;
    if (gone->kind->fini)
        gone->kind->fini(gone);
    track_fini(&gone->track);
    mem_free(gone);
}

const struct track *rtp_unpack_track(const struct rtp_unpack *unpack)
{
    return unpack->has_track ? &unpack->track : NULL;
}

uint32_t rtp_unpack_timescale(const struct rtp_unpack *unpack)
{
    return unpack->timescale;
}

uint32_t rtp_unpack_clock(const struct rtp_unpack *unpack)
{
    return unpack->clock;
}

void rtp_unpack_input(struct rtp_unpack *unpack, const struct rtp_packet *packet, unsigned lost,
                      int64_t arrived_us)
{
    int64_t ticks = unwrap_next(&unpack->unwrap, packet->timestamp);
    unpack->kind->input(unpack, packet, ticks_rescale(ticks, unpack->clock, unpack->timescale),
                        lost, arrived_us);
}

int64_t rtp_unpack_ticks(const struct rtp_unpack *unpack, uint32_t timestamp)
{
    struct unwrap unwrap = unpack->unwrap;
    return ticks_rescale(unwrap_next(&unwrap, timestamp), unpack->clock, unpack->timescale);
}

void unpack_error(struct rtp_unpack *unpack, const char *what)
{
    unpack->events->on_error(unpack->arg, what);
}

void unpack_audio_take(struct rtp_unpack *unpack, struct buf **buf, int64_t ticks,
                       uint32_t duration, int64_t arrived_us)
{
    struct frame *frame = frame_new(0, buf);
    frame->flags = FRAME_KEY;
    frame->dts = ticks;
    frame->duration = duration;
    frame->arrived_us = arrived_us;
    unpack->events->on_frame(unpack->arg, &frame);
}

void unpack_audio_frame(struct rtp_unpack *unpack, struct bytes bytes, int64_t ticks,
                        uint32_t duration, int64_t arrived_us)
{
    if (bytes.length == 0)
        return;
    struct buf *buf = buf_try_new(bytes.length);
    if (!buf) {
        unpack_error(unpack, "no memory");
        return;
    }
    buf_append(buf, bytes.data, bytes.length);
    unpack_audio_take(unpack, &buf, ticks, duration, arrived_us);
}
