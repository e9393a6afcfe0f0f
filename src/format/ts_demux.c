// SPDX-License-Identifier: MIT
// MPEG transport stream in: packets, tables, PES heads, and the list of tracks.
//
//   WAITING   tracks are being found; frames are held, bounded in number, bytes and time
//   RUNNING   a list was given out; frames go through
//
// WAITING -> RUNNING by release: every stream of the programme has shown its parameters, or a bound
// of what is held was met (a stream that is announced and never comes must not hold up the others).
// RUNNING -> WAITING by apply_program: the PMT names other streams, and no picture goes on. A
// change of parameters stays RUNNING and gives a new list; so does a PMT by which sound comes or
// goes, and a stream that shows itself late, but the list is given with the next key frame of the
// picture that goes on: a list in the middle of a GOP would cost the rest of it.
//
// 1. Every frame given out refers to the last list given out.
// 2. carry[0, carry_length) are bytes not yet understood as packets; when synchronised they begin a
//    packet and are less than one.
// 3. One counter unwraps the times of all streams, so that they stay together across a wrap.
#include "format/ts_demux.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "media/timebase.h"
#include "ts_elementary.h"

enum {
    DEMUX_MAGIC = 0x54534458,
    SYNC_PACKETS = 3, // sync bytes in a row that are believed
    PES_HEAD_MAX = 9 + 255,
    HELD_FRAMES_MAX = 512,
    HELD_BYTES_MAX = 2 * FRAME_BYTES_MAX,
    HELD_US_MAX = 2000000, // broadcasts send audio up to a second behind its picture
    DUE_US_MAX = 10000000, // who sends no key frame for so long gets the list without one
};

enum pes_state { PES_NONE, PES_HEAD, PES_DATA };

// One PID that carries a stream of the programme.
struct input {
    struct ts_elementary *es; // owned
    uint8_t continuity;
    bool has_continuity;
    bool indicated; // a discontinuity_indicator came since the last time
    enum pes_state state;
    uint8_t head[PES_HEAD_MAX];
    size_t head_length;
    int track; // in the last list given out, or -1
};

struct ts_demux {
    uint32_t magic;
    struct ts_demux_events events;
    void *arg;
    uint64_t continuity_errors;
    // Packets.
    uint8_t carry[SYNC_PACKETS * TS_PACKET];
    size_t carry_length;
    bool synchronised;
    // Tables.
    struct ts_section pat, pmt;
    uint16_t program, pmt_pid; // pmt_pid 0: no PAT yet
    uint16_t pcr_pid;
    // Streams, in the order of the PMT.
    unsigned count;
    struct input *input[TRACKS_MAX]; // owned
    struct unwrap unwrap;
    // The list of tracks and what waits for it.
    bool waiting;
    bool due;              // another list is to be given, with the next key frame
    int64_t due_since_us;  // time of the first frame since then; INT64_MIN: none came
    struct tracks *tracks; // the last given out, one reference; NULL before
    unsigned held_count;
    struct {
        struct frame *frame; // owned
        struct ts_elementary *es;
    } held[HELD_FRAMES_MAX];
    size_t held_bytes;
    int64_t held_since_us;
};

// ---- tracks and frames
// ---------------------------------------------------------------------------

// Makes the list of all streams whose parameters are known and gives it out when it differs.
static void give_tracks(struct ts_demux *demux)
{
    struct track list[TRACKS_MAX];
    unsigned count = 0;
    demux->due = false;
    for (unsigned i = 0; i < demux->count; i++) {
        struct ts_elementary *es = demux->input[i]->es;
        es->track_changed = false;
        demux->input[i]->track = es->has_track ? (int)count : -1;
        if (!es->has_track)
            continue;
        list[count] = es->track;
        if (es->track.config)
            buf_ref(es->track.config);
        count++;
    }
    if (count == 0)
        return;
    struct tracks *tracks = tracks_new(list, count);
    if (demux->tracks && tracks_equal(tracks, demux->tracks)) {
        tracks_unref(&tracks);
        return;
    }
    tracks_unref(&demux->tracks);
    demux->tracks = tracks_ref(tracks);
    demux->events.on_tracks(demux->arg, &tracks);
}

static struct input *input_of(struct ts_demux *demux, const struct ts_elementary *es)
{
    for (unsigned i = 0; i < demux->count; i++)
        if (demux->input[i]->es == es)
            return demux->input[i];
    return NULL;
}

static void give_frame(struct ts_demux *demux, struct ts_elementary *es, struct frame **frame)
{
    const struct input *input = input_of(demux, es);
    ENSURE(input && (input->track >= 0 || demux->due));
    if (input->track < 0) { // not in the list before the next key frame
        frame_unref(frame);
        return;
    }
    (*frame)->track = (uint8_t)input->track;
    demux->events.on_frame(demux->arg, frame);
}

// The picture whose key frames a list may begin with: it is in the list. NULL: there is none.
static const struct input *going_on(const struct ts_demux *demux)
{
    for (unsigned i = 0; i < demux->count; i++)
        if (demux->input[i]->track >= 0 && demux->input[i]->es->track.kind == MEDIA_VIDEO)
            return demux->input[i];
    return NULL;
}

static void list_due(struct ts_demux *demux)
{
    if (!demux->due)
        demux->due_since_us = INT64_MIN;
    demux->due = true;
}

// Before this frame, which is the next to be given.
static void give_tracks_in_time(struct ts_demux *demux, const struct ts_elementary *es,
                                const struct frame *frame)
{
    const struct input *picture = going_on(demux);
    bool own = !picture || picture->es == es;
    int64_t now_us = ticks_to_us(frame->dts, es->track.timescale);
    if (es->track_changed && !own)
        list_due(demux);
    if (demux->due && demux->due_since_us == INT64_MIN)
        demux->due_since_us = now_us;
    if ((own && es->track_changed) || (demux->due && own && frame_is_key(frame)) ||
        (demux->due && (now_us - demux->due_since_us > DUE_US_MAX || now_us < demux->due_since_us)))
        give_tracks(demux);
}

static void release(struct ts_demux *demux)
{
    if (!demux->waiting)
        return;
    demux->waiting = false;
    give_tracks(demux);
    for (unsigned i = 0; i < demux->held_count; i++)
        give_frame(demux, demux->held[i].es, &demux->held[i].frame);
    demux->held_count = 0;
    demux->held_bytes = 0;
}

static bool all_known(const struct ts_demux *demux)
{
    for (unsigned i = 0; i < demux->count; i++)
        if (!demux->input[i]->es->has_track)
            return false;
    return true;
}

// Parameters changed while frames wait: those that were made with the old ones could not be told
// from the new ones later.
static void drop_held(struct ts_demux *demux, const struct ts_elementary *es)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < demux->held_count; i++) {
        if (demux->held[i].es != es) {
            demux->held[kept++] = demux->held[i];
            continue;
        }
        demux->held_bytes -= demux->held[i].frame->length;
        frame_unref(&demux->held[i].frame);
    }
    demux->held_count = kept;
}

static void on_frame(void *arg, struct ts_elementary *es, struct frame **frame)
{
    struct ts_demux *demux = arg;
    if (!demux->waiting) {
        give_tracks_in_time(demux, es, *frame);
        give_frame(demux, es, frame);
        return;
    }
    if (es->track_changed)
        drop_held(demux, es);
    es->track_changed = false;
    int64_t now = ticks_to_us((*frame)->dts, es->track.timescale);
    if (demux->held_count == 0)
        demux->held_since_us = now;
    demux->held[demux->held_count].frame = *frame;
    demux->held[demux->held_count++].es = es;
    demux->held_bytes += (*frame)->length;
    *frame = NULL;
    int64_t span = now - demux->held_since_us;
    if (all_known(demux) || demux->held_count == HELD_FRAMES_MAX ||
        demux->held_bytes > HELD_BYTES_MAX || span > HELD_US_MAX || span < -HELD_US_MAX)
        release(demux);
}

// ---- tables
// --------------------------------------------------------------------------------------

static void input_free(struct input **input)
{
    ts_elementary_free(&(*input)->es);
    mem_free(*input);
    *input = NULL;
}

static bool same_stream(const struct ts_stream *a, const struct ts_stream *b)
{
    return a->pid == b->pid && a->codec == b->codec && a->channels == b->channels;
}

static void apply_program(struct ts_demux *demux, const struct ts_program *program)
{
    struct input *next[TRACKS_MAX] = {NULL};
    bool added = false;
    for (unsigned i = 0; i < program->count; i++) {
        for (unsigned j = 0; j < demux->count && !next[i]; j++) {
            struct input *have = demux->input[j];
            if (same_stream(&have->es->about, &program->stream[i]))
                next[i] = have;
        }
        added = added || !next[i];
    }
    if (!added && program->count == demux->count)
        return;
    // Streams that end give what they have, and what is held goes out under the list it was made
    // for.
    for (unsigned j = 0; j < demux->count; j++) {
        bool stays = false;
        for (unsigned i = 0; i < program->count; i++)
            stays = stays || next[i] == demux->input[j];
        if (!stays)
            ts_elementary_flush(demux->input[j]->es);
    }
    release(demux);
    for (unsigned j = 0; j < demux->count; j++) {
        bool stays = false;
        for (unsigned i = 0; i < program->count; i++)
            stays = stays || next[i] == demux->input[j];
        if (!stays)
            input_free(&demux->input[j]);
    }
    for (unsigned i = 0; i < program->count; i++) {
        if (!next[i]) {
            next[i] = mem_alloc(sizeof(*next[i]));
            next[i]->es = ts_elementary_new(&program->stream[i], on_frame, demux);
            next[i]->track = -1;
        }
        demux->input[i] = next[i];
    }
    demux->count = program->count;
    if (going_on(demux)) {
        list_due(demux);
        return;
    }
    demux->waiting = true;
    if (!added) // only less than before: nothing to wait for
        release(demux);
}

static void on_pmt(void *arg, struct bytes section)
{
    struct ts_demux *demux = arg;
    struct ts_program program;
    if (ts_psi_parse_pmt(section, &program) < 0 || program.number != demux->program)
        return;
    demux->pcr_pid = program.pcr_pid;
    apply_program(demux, &program);
}

static void on_pat(void *arg, struct bytes section)
{
    struct ts_demux *demux = arg;
    uint16_t program, pid;
    if (ts_psi_parse_pat(section, &program, &pid) < 0)
        return;
    if (program == demux->program && pid == demux->pmt_pid)
        return;
    demux->program = program;
    demux->pmt_pid = pid;
    demux->pmt.open = false;
}

// ---- PES
// -----------------------------------------------------------------------------------------

// 33 bits with markers between (2.4.3.6).
static uint64_t read_time(const uint8_t *at)
{
    return (uint64_t)(at[0] >> 1 & 7) << 30 | (uint64_t)at[1] << 22 | (uint64_t)(at[2] >> 1) << 15 |
           (uint64_t)at[3] << 7 | at[4] >> 1;
}

// Whether a PES of this stream_id has the optional head (2.4.3.7): all but tables, padding and the
// private and control streams.
static bool has_optional_head(uint8_t stream_id)
{
    static const uint8_t without[] = {0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff};
    return stream_id >= 0xbc && !memchr(without, stream_id, sizeof(without));
}

// The head is complete: false when this PES is nothing we can use.
static bool begin_pes(struct ts_demux *demux, struct input *input)
{
    const uint8_t *head = input->head;
    struct ts_time time = {0};
    if (head[0] != 0 || head[1] != 0 || head[2] != 1 || !has_optional_head(head[3]) ||
        (head[6] & 0xc0) != 0x80)
        return false;
    if (head[7] & 0x80 && head[8] >= 5) {
        uint64_t pts = read_time(head + 9), dts = pts;
        if (head[7] & 0x40 && head[8] >= 10)
            dts = read_time(head + 14);
        time.known = true;
        time.jump = input->indicated;
        input->indicated = false;
        time.dts = unwrap_next(&demux->unwrap, dts);
        // pts - dts modulo 2^33, as a signed number
        time.pts = time.dts + ((int64_t)((pts - dts) << 31) >> 31);
    }
    ts_elementary_begin(input->es, &time);
    return true;
}

static void pes_payload(struct ts_demux *demux, struct input *input, struct bytes payload,
                        bool unit_start)
{
    if (unit_start) {
        input->state = PES_HEAD;
        input->head_length = 0;
    }
    while (input->state == PES_HEAD) {
        size_t want = input->head_length < 9 ? 9 : 9 + (size_t)input->head[8];
        size_t missing = want - input->head_length;
        size_t take = missing < payload.length ? missing : payload.length;
        memcpy(input->head + input->head_length, payload.data, take);
        input->head_length += take;
        bytes_skip(&payload, take);
        if (take < missing)
            return;
        if (want > 9 || input->head[8] == 0)
            input->state = begin_pes(demux, input) ? PES_DATA : PES_NONE;
    }
    if (input->state == PES_DATA && payload.length > 0)
        ts_elementary_data(input->es, payload);
}

// ---- packets
// -------------------------------------------------------------------------------------

// False when the packet is a repetition of the one before it.
static bool check_continuity(struct ts_demux *demux, struct input *input, unsigned continuity,
                             bool discontinuity)
{
    if (input->has_continuity && !discontinuity) {
        if (continuity == input->continuity)
            return false;
        if (continuity != ((input->continuity + 1u) & 15)) {
            demux->continuity_errors++;
            if (input->state == PES_HEAD)
                input->state = PES_NONE;
            ts_elementary_lost(input->es);
        }
    }
    input->has_continuity = true;
    input->continuity = (uint8_t)continuity;
    return true;
}

static void stream_packet(struct ts_demux *demux, struct input *input, const uint8_t *packet,
                          struct bytes payload, bool discontinuity)
{
    if (!check_continuity(demux, input, packet[3] & 15, discontinuity))
        return;
    pes_payload(demux, input, payload, packet[1] & 0x40);
}

static void take_packet(struct ts_demux *demux, const uint8_t *packet)
{
    unsigned pid = (packet[1] & 0x1fu) << 8 | packet[2];
    bool unit_start = packet[1] & 0x40, discontinuity = false;
    struct bytes payload = bytes_of(packet + 4, TS_PAYLOAD);
    if (packet[1] & 0x80 || packet[3] & 0xc0 || pid == TS_PID_NULL)
        return; // known to be damaged, or scrambled
    if (packet[3] & 0x20) {
        size_t field = 1 + (size_t)packet[4];
        if (field > TS_PAYLOAD)
            return;
        discontinuity = field > 1 && packet[5] & 0x80;
        bytes_skip(&payload, field);
    }
    if (discontinuity && pid == demux->pcr_pid)
        for (unsigned i = 0; i < demux->count; i++)
            demux->input[i]->indicated = true;
    if (!(packet[3] & 0x10) || payload.length == 0)
        return;
    if (pid == TS_PID_PAT) {
        ts_section_add(&demux->pat, payload, unit_start, on_pat, demux);
        return;
    }
    if (pid == demux->pmt_pid) {
        ts_section_add(&demux->pmt, payload, unit_start, on_pmt, demux);
        return;
    }
    for (unsigned i = 0; i < demux->count; i++) {
        if (demux->input[i]->es->about.pid == pid) {
            stream_packet(demux, demux->input[i], packet, payload, discontinuity);
            return;
        }
    }
}

// Offset in carry of a sync byte that is repeated as far as carry reaches; carry_length when none.
static size_t find_sync(const struct ts_demux *demux)
{
    for (size_t at = 0; at < demux->carry_length; at++) {
        size_t next = at;
        while (next < demux->carry_length && demux->carry[next] == TS_SYNC)
            next += TS_PACKET;
        if (next >= demux->carry_length)
            return at;
    }
    return demux->carry_length;
}

// Takes the packets out of carry, which is searched for them first when out of step. What is left
// is less than a packet, or, out of step, too little to tell.
static void take_carry(struct ts_demux *demux, bool final)
{
    while (demux->carry_length >= TS_PACKET) {
        size_t eaten = TS_PACKET;
        if (demux->synchronised && demux->carry[0] != TS_SYNC)
            demux->synchronised = false;
        if (!demux->synchronised) {
            if (demux->carry_length < sizeof(demux->carry) && !final)
                return;
            // Within the first packet's length every sync byte has two more to confirm it.
            size_t at = find_sync(demux);
            demux->synchronised = final ? demux->carry_length - at >= TS_PACKET : at < TS_PACKET;
            if (demux->synchronised)
                eaten = at;
            else if (final)
                eaten = demux->carry_length;
        } else {
            take_packet(demux, demux->carry);
        }
        demux->carry_length -= eaten;
        memmove(demux->carry, demux->carry + eaten, demux->carry_length);
    }
}

void ts_demux_input(struct ts_demux *demux, struct bytes bytes)
{
    OBJ_CHECK(demux, DEMUX_MAGIC);
    while (bytes.length > 0) {
        if (demux->synchronised && demux->carry_length == 0 && bytes.length >= TS_PACKET &&
            bytes.data[0] == TS_SYNC) {
            take_packet(demux, bytes.data);
            bytes_skip(&bytes, TS_PACKET);
            continue;
        }
        size_t want = demux->synchronised ? TS_PACKET : sizeof(demux->carry);
        size_t missing = want - demux->carry_length;
        size_t take = missing < bytes.length ? missing : bytes.length;
        memcpy(demux->carry + demux->carry_length, bytes.data, take);
        demux->carry_length += take;
        bytes_skip(&bytes, take);
        if (demux->carry_length == want)
            take_carry(demux, false);
    }
}

// ---- life
// ----------------------------------------------------------------------------------------

struct ts_demux *ts_demux_new(const struct ts_demux_events *events, void *arg)
{
    struct ts_demux *demux = mem_alloc(sizeof(*demux));
    demux->magic = DEMUX_MAGIC;
    demux->events = *events;
    demux->arg = arg;
    demux->unwrap.bits = 33;
    return demux;
}

void ts_demux_free(struct ts_demux **demux)
{
    struct ts_demux *gone = *demux;
    *demux = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, DEMUX_MAGIC);
    for (unsigned i = 0; i < gone->held_count; i++)
        frame_unref(&gone->held[i].frame);
    for (unsigned i = 0; i < gone->count; i++)
        input_free(&gone->input[i]);
    tracks_unref(&gone->tracks);
    gone->magic = 0;
    mem_free(gone);
}

void ts_demux_flush(struct ts_demux *demux)
{
    OBJ_CHECK(demux, DEMUX_MAGIC);
    take_carry(demux, true);
    demux->carry_length = 0;
    for (unsigned i = 0; i < demux->count; i++)
        ts_elementary_flush(demux->input[i]->es);
    release(demux);
}

uint64_t ts_demux_continuity_errors(const struct ts_demux *demux)
{
    OBJ_CHECK(demux, DEMUX_MAGIC);
    return demux->continuity_errors;
}
