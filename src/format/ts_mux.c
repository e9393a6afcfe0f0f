// SPDX-License-Identifier: MIT
// MPEG transport stream out. It is on the path of every frame that a TS viewer or an HLS segment
// gets: one pass over the payload, no allocation but the growth of the writer.
//
// 1. The number of packets of a PES is known before its first byte is written, so that the room is
//    reserved once and only the last packet is stuffed.
// 2. PTS, DTS and PCR are the 64-bit absolute times modulo 2^33: a mux that starts in the middle of
// a
//    stream writes the same times as one that ran from its beginning.
// 3. PCR is the dts of the leading track minus a constant, and never runs backwards within a run of
//    dts. The constant is more than the longest that audio is held back.
// 4. Held audio belongs to frames that went before whatever is written next.
#include "format/ts_mux.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "media/audio.h"
#include "media/h265.h"
#include "media/nal.h"
#include "media/timebase.h"
#include "ts_psi.h"

enum {
    MUX_MAGIC = 0x54534d58,
    PROGRAM = 1,
    PID_PMT = 0x1000,
    PID_FIRST = 0x100,           // of track 0; the others follow
    TABLES_TICKS = 36000,        // 400 ms: below the 500 ms that receivers may count on
    PCR_TICKS = 3150,            // 35 ms: each frame at 25 a second, every other one at 30
    PCR_LEAD_TICKS = 13500,      // 150 ms
    HELD_TICKS = 6300,           // 70 ms: with the frame that reaches it, PCR stays within 100 ms
    HELD_BYTES = 4096,           // more than that is at 320 kbit/s
    TABLES_MAX = 8,              // packets of PAT, SDT and PMT
    PES_BOUNDED_MAX = 65535 - 8, // payload that PES_packet_length can say
    OPUS_HEAD_MAX = 2 + PES_BOUNDED_MAX / 255 + 1,
};

// What one PES says and needs besides its payload and track.
struct pes {
    size_t length; // of the payload
    int64_t pts, dts;
    bool has_pcr, random_access, discontinuity;
};

struct mux_track {
    bool carried;
    enum codec codec;
    uint32_t timescale;
    uint16_t pid;
    uint8_t stream_id;
    uint8_t continuity; // of the next packet
    bool started;       // a packet was written
    struct aac_config aac;
    struct buf *head; // H.264, H.265: delimiter, then the parameter sets, as byte stream
    size_t delimiter; // bytes of head in front of a picture that is not key
    // Audio that is held back, as it will stand in the PES; nothing while held_pes.length is 0.
    uint8_t *held; // HELD_BYTES, NULL until something was
    struct pes held_pes;
    int64_t held_next; // dts that the next frame must have to go on, ticks of the track
};

struct ts_mux {
    uint32_t magic;
    struct tracks *tracks; // one reference
    char *title;           // NULL: no SDT
    unsigned version;
    bool collect;
    unsigned leading; // the track with the PCR
    struct mux_track track[TRACKS_MAX];
    uint8_t table[TABLES_MAX][TS_PACKET]; // ready but for the continuity counters
    unsigned table_packets;
    uint8_t pat_continuity, sdt_continuity, pmt_continuity;
    bool has_tables_dts, has_pcr; // the next two are set
    int64_t tables_dts, pcr_dts;  // 90 kHz, of the leading frame when they were last written
};

// Writes a PES of known length into packets.
struct packer {
    struct mux_track *track;
    uint8_t *out;  // next byte
    size_t room;   // bytes of payload left in the open packet
    size_t unsent; // bytes of the PES, its head included, behind the open packet
};

// ---- tables
// --------------------------------------------------------------------------------------

static void add_table(struct ts_mux *mux, uint16_t pid, const uint8_t *section, size_t length)
{
    for (size_t at = 0; at < length;) {
        ENSURE(mux->table_packets < TABLES_MAX);
        uint8_t *packet = mux->table[mux->table_packets++];
        size_t head = at == 0 ? 5 : 4, room = TS_PACKET - head; // pointer_field in the first
        size_t take = length - at < room ? length - at : room;
        memset(packet, 0xff, TS_PACKET);
        packet[0] = TS_SYNC;
        packet[1] = (uint8_t)((at == 0 ? 0x40 : 0) | pid >> 8);
        packet[2] = (uint8_t)pid;
        packet[3] = 0x10;
        if (at == 0)
            packet[4] = 0;
        memcpy(packet + head, section + at, take);
        at += take;
    }
}

static void make_tables(struct ts_mux *mux)
{
    uint8_t section[TS_SECTION_MAX];
    struct ts_program program = {.number = PROGRAM, .pcr_pid = mux->track[mux->leading].pid};
    for (unsigned i = 0; i < mux->tracks->count; i++) {
        const struct track *track = &mux->tracks->track[i];
        if (!mux->track[i].carried)
            continue;
        struct ts_stream *stream = &program.stream[program.count++];
        *stream = (struct ts_stream){.pid = mux->track[i].pid,
                                     .type = codec_info(track->codec)->ts_type,
                                     .codec = track->codec,
                                     .channels = track->channels};
        if (track->codec == CODEC_MP3 && track->sample_rate < 32000)
            stream->type = 4; // ISO/IEC 13818-3
        memcpy(stream->language, track->language, sizeof(stream->language));
    }
    mux->table_packets = 0;
    add_table(mux, TS_PID_PAT, section, ts_psi_write_pat(section, mux->version, PROGRAM, PID_PMT));
    if (mux->title)
        add_table(mux, TS_PID_SDT, section,
                  ts_psi_write_sdt(section, mux->version, PROGRAM, mux->title));
    add_table(mux, PID_PMT, section, ts_psi_write_pmt(section, mux->version, &program));
}

void ts_mux_tables(struct ts_mux *mux, struct writer *out)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    size_t length = (size_t)mux->table_packets * TS_PACKET;
    uint8_t *at = writer_reserve(out, length);
    memcpy(at, mux->table, length);
    for (unsigned i = 0; i < mux->table_packets; i++, at += TS_PACKET) {
        unsigned pid = (at[1] & 0x1fu) << 8 | at[2];
        uint8_t *counter = pid == TS_PID_PAT   ? &mux->pat_continuity
                           : pid == TS_PID_SDT ? &mux->sdt_continuity
                                               : &mux->pmt_continuity;
        at[3] |= *counter;
        *counter = (*counter + 1) & 15;
    }
}

// ---- tracks
// --------------------------------------------------------------------------------------

static void put_sets(struct writer *head, const struct param_sets *sets)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        for (unsigned i = 0; i < sets->count[kind]; i++) {
            writer_u32(head, 1);
            writer_bytes(head, sets->set[kind][i]->data, sets->set[kind][i]->length);
        }
    }
}

// Delimiter and parameter sets. False when the configuration cannot be read.
static bool make_head(struct mux_track *out, const struct track *track)
{
    struct param_sets sets = {0};
    struct writer head = {0};
    unsigned width;
    bool is_h264 = track->codec == CODEC_H264;
    int result = ERR_INVALID;
    if (track->config)
        result = is_h264 ? h264_config_parse(buf_bytes(track->config), &sets, &width)
                         : h265_config_parse(buf_bytes(track->config), &sets, &width);
    if (result == 0) {
        writer_u32(&head, 1);
        if (is_h264)
            writer_u16(&head, H264_AUD << 8 | 0xf0); // any slice type
        else
            writer_u24(&head, H265_AUD << 17 | 1 << 8 | 0x50);
        out->delimiter = writer_length(&head);
        put_sets(&head, &sets);
        out->head = writer_take(&head);
    }
    param_sets_fini(&sets);
    return result == 0;
}

static bool prepare(struct mux_track *out, const struct track *track)
{
    switch (track->codec) {
    case CODEC_H264:
    case CODEC_H265:
        return make_head(out, track);
    case CODEC_AAC:
        // What ADTS has no number for (channel layouts in the data, low delay) cannot be carried.
        return track->config && aac_config_parse(buf_bytes(track->config), &out->aac) == 0 &&
               out->aac.channel_config >= 1 && out->aac.channel_config <= 7 &&
               out->aac.object_type <= 4 && out->aac.frame_samples == 1024;
    case CODEC_OPUS:
        return track->channels >= 1 && track->channels <= 8;
    case CODEC_MP3:
        return true;
    default:
        return false;
    }
}

static void drop_tracks(struct ts_mux *mux)
{
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        buf_unref(&mux->track[i].head);
        mux->track[i].carried = false;
        mux->track[i].held_pes.length = 0;
    }
    tracks_unref(&mux->tracks);
}

int ts_mux_set_tracks(struct ts_mux *mux, struct tracks *tracks)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    struct mux_track prepared[TRACKS_MAX] = {0};
    unsigned carried = 0, videos = 0, audios = 0;
    for (unsigned i = 0; i < tracks->count; i++) {
        const struct track *track = &tracks->track[i];
        struct mux_track *out = &prepared[i];
        out->carried = prepare(out, track);
        carried += out->carried;
        out->codec = track->codec;
        out->timescale = track->timescale;
        out->pid = (uint16_t)(PID_FIRST + i);
        if (track->codec == CODEC_OPUS)
            out->stream_id = 0xbd; // private_stream_1
        else
            out->stream_id =
                (uint8_t)(track->kind == MEDIA_VIDEO ? 0xe0 + videos++ : 0xc0 + audios++);
    }
    if (carried == 0)
        return ERR_UNSUPPORTED;
    tracks = tracks_ref(tracks);
    drop_tracks(mux);
    mux->tracks = tracks;
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        // Counters go on, and so does the memory for held audio.
        prepared[i].continuity = mux->track[i].continuity;
        prepared[i].started = mux->track[i].started;
        prepared[i].held = mux->track[i].held;
        mux->track[i] = prepared[i];
    }
    mux->leading = tracks_leading(tracks);
    for (unsigned i = 0; !mux->track[mux->leading].carried; i++)
        mux->leading = i;
    mux->version++;
    mux->has_tables_dts = mux->has_pcr = false;
    make_tables(mux);
    return 0;
}

int ts_mux_new(struct ts_mux **out, struct tracks *tracks, const char *title)
{
    struct ts_mux *mux = mem_alloc(sizeof(*mux));
    mux->magic = MUX_MAGIC;
    mux->version = UINT32_MAX; // the first list makes it 0
    mux->title = title ? mem_strdup(title) : NULL;
    int result = ts_mux_set_tracks(mux, tracks);
    if (result < 0)
        ts_mux_free(&mux);
    *out = mux;
    return result;
}

void ts_mux_free(struct ts_mux **mux)
{
    struct ts_mux *gone = *mux;
    *mux = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, MUX_MAGIC);
    drop_tracks(gone);
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        mem_free(gone->track[i].held);
    mem_free(gone->title);
    gone->magic = 0;
    mem_free(gone);
}

bool ts_mux_carries(const struct ts_mux *mux, unsigned track)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    return track < TRACKS_MAX && mux->track[track].carried;
}

// ---- packets
// -------------------------------------------------------------------------------------

// Head of the next packet; `field`: bytes of adaptation field that it must have, in which the first
// is the length and the second the flags, filled in by the caller. Stuffs when the PES ends in it.
static uint8_t *open_packet(struct packer *packer, bool first, size_t field)
{
    uint8_t *packet = packer->out;
    size_t room = TS_PAYLOAD - field, stuffing = 0;
    if (packer->unsent < room)
        stuffing = room - packer->unsent;
    packet[0] = TS_SYNC;
    packet[1] = (uint8_t)((first ? 0x40 : 0) | packer->track->pid >> 8);
    packet[2] = (uint8_t)packer->track->pid;
    packet[3] = (uint8_t)((field + stuffing ? 0x30 : 0x10) | packer->track->continuity);
    packer->track->continuity = (packer->track->continuity + 1) & 15;
    if (stuffing > 0) {
        uint8_t *at = packet + 4 + field, *end = at + stuffing;
        if (field == 0)
            *at++ = 0; // the length, set below
        if (field == 0 && at < end)
            *at++ = 0; // no flags
        memset(at, 0xff, (size_t)(end - at));
    }
    if (field + stuffing > 0)
        packet[4] = (uint8_t)(field + stuffing - 1);
    packer->room = room - stuffing;
    packer->unsent -= packer->room;
    packer->out = packet + TS_PACKET - packer->room;
    return packet + 4;
}

static void put(struct packer *packer, const uint8_t *data, size_t length)
{
    while (length > 0) {
        if (packer->room == 0)
            open_packet(packer, false, 0);
        if (packer->room == TS_PAYLOAD && length >= TS_PAYLOAD) {
            memcpy(packer->out, data, TS_PAYLOAD); // a constant size is faster
            packer->out += TS_PAYLOAD;
            packer->room = 0;
            data += TS_PAYLOAD;
            length -= TS_PAYLOAD;
            continue;
        }
        size_t take = length < packer->room ? length : packer->room;
        memcpy(packer->out, data, take);
        packer->out += take;
        packer->room -= take;
        data += take;
        length -= take;
    }
}

// 33 bits of time with their markers (2.4.3.6).
static void put_time(uint8_t out[5], unsigned prefix, int64_t ticks)
{
    uint64_t time = (uint64_t)ticks;
    out[0] = (uint8_t)(prefix << 4 | (time >> 30 & 7) << 1 | 1);
    out[1] = (uint8_t)(time >> 22);
    out[2] = (uint8_t)((time >> 15 & 127) << 1 | 1);
    out[3] = (uint8_t)(time >> 7);
    out[4] = (uint8_t)((time & 127) << 1 | 1);
}

static void put_pcr(uint8_t out[6], int64_t ticks)
{
    uint64_t time = (uint64_t)ticks;
    out[0] = (uint8_t)(time >> 25);
    out[1] = (uint8_t)(time >> 17);
    out[2] = (uint8_t)(time >> 9);
    out[3] = (uint8_t)(time >> 1);
    out[4] = (uint8_t)((time & 1) << 7 | 0x7e);
    out[5] = 0;
}

// Reserves the packets of the whole PES, writes its head; the payload is then put.
static struct packer begin_pes(struct mux_track *track, const struct pes *pes, struct writer *out)
{
    uint8_t head[19] = {0, 0, 1, track->stream_id};
    bool has_dts = pes->pts != pes->dts;
    bool is_video = codec_info(track->codec)->kind == MEDIA_VIDEO;
    size_t times = has_dts ? 10 : 5, head_length = 9 + times;
    size_t counted = is_video ? 0 : 3 + times + pes->length; // video may leave its length open
    head[4] = (uint8_t)(counted >> 8);
    head[5] = (uint8_t)counted;
    head[6] = 0x84; // data_alignment_indicator: an access unit begins here
    head[7] = has_dts ? 0xc0 : 0x80;
    head[8] = (uint8_t)times;
    put_time(head + 9, has_dts ? 3 : 2, pes->pts);
    if (has_dts)
        put_time(head + 14, 1, pes->dts);

    // The first packet says that its counter goes on from nowhere: segments made by muxers of their
    // own may then stand one behind the other.
    bool discontinuity = pes->discontinuity || !track->started;
    track->started = true;
    size_t field = pes->has_pcr ? 8 : pes->random_access || discontinuity ? 2 : 0;
    size_t total = head_length + pes->length, first = TS_PAYLOAD - field;
    size_t packets = total <= first ? 1 : 1 + (total - first + TS_PAYLOAD - 1) / TS_PAYLOAD;
    struct packer packer = {
        .track = track, .out = writer_reserve(out, packets * TS_PACKET), .unsent = total};
    uint8_t *adaptation = open_packet(&packer, true, field);
    if (field > 0)
        adaptation[1] = (uint8_t)((discontinuity ? 0x80 : 0) | (pes->random_access ? 0x40 : 0) |
                                  (pes->has_pcr ? 0x10 : 0));
    if (pes->has_pcr)
        put_pcr(adaptation + 2, pes->dts - PCR_LEAD_TICKS);
    put(&packer, head, head_length);
    return packer;
}

static void end_pes(const struct packer *packer)
{
    ENSURE(packer->room == 0 && packer->unsent == 0); // invariant 1
}

// ---- frames
// --------------------------------------------------------------------------------------

// Whether a PES of the leading track carries PCR, and what else its first packet says.
static void mark_leading(struct ts_mux *mux, struct pes *pes, const struct frame *frame, bool joint)
{
    bool jump = frame->flags & FRAME_DISCONTINUITY || pes->dts < mux->pcr_dts;
    pes->discontinuity = mux->has_pcr && jump;
    pes->random_access = joint;
    pes->has_pcr =
        !mux->has_pcr || pes->discontinuity || joint || pes->dts - mux->pcr_dts >= PCR_TICKS;
    if (pes->has_pcr)
        mux->pcr_dts = pes->dts;
    mux->has_pcr = true;
}

// What stands in front of an audio frame in the elementary stream; returns its length. *fits is
// false when the format cannot carry so long a frame.
static size_t audio_head(const struct mux_track *track, size_t length, uint8_t *head, bool *fits)
{
    size_t at = 0;
    *fits = length > 0 && length <= PES_BOUNDED_MAX - OPUS_HEAD_MAX - 10;
    if (track->codec == CODEC_AAC) {
        *fits = length > 0 && length <= ADTS_PAYLOAD_MAX;
        if (*fits)
            adts_write(&track->aac, length, head);
        at = *fits ? ADTS_HEADER : 0;
    } else if (track->codec == CODEC_OPUS && *fits) {
        head[at++] = 0x7f; // control_header_prefix, nothing trimmed
        head[at++] = 0xe0;
        for (; length >= 255; length -= 255)
            head[at++] = 255;
        head[at++] = (uint8_t)length;
    }
    return at;
}

static void flush_track(struct mux_track *track, struct writer *out)
{
    if (track->held_pes.length == 0)
        return;
    struct packer packer = begin_pes(track, &track->held_pes, out);
    put(&packer, track->held, track->held_pes.length);
    end_pes(&packer);
    track->held_pes.length = 0;
}

static bool apart(int64_t a, int64_t b, int64_t most)
{
    return a - b >= most || b - a >= most;
}

// Writes held audio that waited long enough by the time of this frame, or all of it.
static void flush_held(struct ts_mux *mux, int64_t dts, bool all, struct writer *out)
{
    for (unsigned i = 0; i < mux->tracks->count; i++)
        if (all || apart(dts, mux->track[i].held_pes.dts, HELD_TICKS))
            flush_track(&mux->track[i], out);
}

static void write_video(struct ts_mux *mux, struct pes *pes, const struct frame *frame, bool joint,
                        struct writer *out)
{
    static const uint8_t start_code[3] = {0, 0, 1};
    struct mux_track *track = &mux->track[frame->track];
    struct bytes in = bytes_of(frame_data(frame), frame->length), nal;
    size_t units = 0;
    int result;
    while ((result = nal_next_prefixed(&in, 4, &nal)) == 0)
        units++;
    if (result != ERR_NOT_FOUND || units == 0)
        return; // came broken from a peer or a disk: one bad frame costs one frame
    if (frame->track == mux->leading)
        mark_leading(mux, pes, frame, joint);
    size_t head = frame_is_key(frame) ? track->head->length : track->delimiter;
    pes->length = head + frame->length - units; // lengths of four bytes become codes of three
    struct packer packer = begin_pes(track, pes, out);
    put(&packer, track->head->data, head);
    in = bytes_of(frame_data(frame), frame->length);
    while (nal_next_prefixed(&in, 4, &nal) == 0) {
        put(&packer, start_code, sizeof(start_code));
        put(&packer, nal.data, nal.length);
    }
    end_pes(&packer);
}

static void write_audio(struct ts_mux *mux, struct pes *pes, const struct frame *frame, bool joint,
                        struct writer *out)
{
    uint8_t head[OPUS_HEAD_MAX];
    bool fits;
    struct mux_track *track = &mux->track[frame->track];
    size_t head_length = audio_head(track, frame->length, head, &fits);
    size_t length = head_length + frame->length;
    if (!fits)
        return;
    bool hold = mux->collect && frame->duration > 0 && length <= HELD_BYTES;
    if (!hold || frame->dts != track->held_next || track->held_pes.length + length > HELD_BYTES)
        flush_track(track, out);
    if (track->held_pes.length == 0 && frame->track == mux->leading)
        mark_leading(mux, pes, frame, joint);
    if (!hold) {
        pes->length = length;
        struct packer packer = begin_pes(track, pes, out);
        put(&packer, head, head_length);
        put(&packer, frame_data(frame), frame->length);
        end_pes(&packer);
        return;
    }
    if (!track->held)
        track->held = mem_alloc(HELD_BYTES);
    if (track->held_pes.length == 0)
        track->held_pes = *pes;
    uint8_t *at = track->held + track->held_pes.length;
    memcpy(at, head, head_length);
    memcpy(at + head_length, frame_data(frame), frame->length);
    track->held_pes.length += length;
    track->held_next = frame->dts + frame->duration;
}

void ts_mux_frame(struct ts_mux *mux, const struct frame *frame, struct writer *out)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    ENSURE(frame->track < mux->tracks->count);
    const struct mux_track *track = &mux->track[frame->track];
    if (!track->carried)
        return;
    struct pes pes = {.dts = ticks_rescale(frame->dts, track->timescale, 90000)};
    pes.pts =
        frame->cts ? ticks_rescale(frame->dts + frame->cts, track->timescale, 90000) : pes.dts;
    bool is_video = codec_info(track->codec)->kind == MEDIA_VIDEO;
    bool is_leading = frame->track == mux->leading;
    bool joint = is_leading && is_video && frame_is_key(frame); // players may begin here
    bool tables = joint || !mux->has_tables_dts || apart(pes.dts, mux->tables_dts, TABLES_TICKS);
    flush_held(mux, pes.dts, tables, out);
    if (tables) {
        ts_mux_tables(mux, out);
        mux->has_tables_dts = true;
        mux->tables_dts = pes.dts;
        joint = joint || (is_leading && !is_video);
    }
    if (is_video)
        write_video(mux, &pes, frame, joint, out);
    else
        write_audio(mux, &pes, frame, joint, out);
}

void ts_mux_set_collect(struct ts_mux *mux, bool collect)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    mux->collect = collect;
}

void ts_mux_flush(struct ts_mux *mux, struct writer *out)
{
    OBJ_CHECK(mux, MUX_MAGIC);
    flush_held(mux, 0, true, out);
}
