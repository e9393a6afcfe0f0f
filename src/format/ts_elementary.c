// SPDX-License-Identifier: MIT
// Elementary streams.
//
// Video is a byte stream in which PES borders mean little: a frame may take several PES, a PES may
// hold several frames, a NAL unit may even cross a border. What does hold is that the time in a PES
// head belongs to the first access unit that begins in it (ISO/IEC 13818-1, 2.4.3.7). A frame ends
// where the next one begins; when a PES with a new time begins with a start code, as nearly all do,
// that is known at once and the frame comes out without waiting.
//
// Audio is a row of units that say their own length; they come out as their bytes arrive.
//
// 1. data[0, length) has not been given out; mark <= length while pending.
// 2. Nothing comes out before its time and its track are known, nor, for video, before a key frame.
// 3. No start code begins in data[1, scanned): a NAL unit that grows through many PES is not
// searched
//    again from its beginning each time.
// 4. Memory: at most PAYLOAD_MAX here, and as much in the access unit builder.
#include "ts_elementary.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "media/nal.h"
#include "media/timebase.h"

enum {
    PAYLOAD_MAX = FRAME_BYTES_MAX + 65536, // one access unit with start codes, delimiters, filler
    PAYLOAD_KEPT = 32768,                  // memory kept between frames
    AUDIO_PAYLOAD_MAX = 131072,            // the longest unit (Opus in one PES) and a packet
    CTS_MAX = 10 * 90000,                  // a longer reordering is a broken DTS
    STEP_DEFAULT = 3600,                   // 25 frames a second
    STEP_MAX = 90000,
};

struct ts_elementary *ts_elementary_new(const struct ts_stream *about, ts_elementary_fn on_frame,
                                        void *arg)
{
    struct ts_elementary *es = mem_alloc(sizeof(*es));
    es->about = *about;
    es->on_frame = on_frame;
    es->arg = arg;
    return es;
}

void ts_elementary_free(struct ts_elementary **es)
{
    struct ts_elementary *gone = *es;
    *es = NULL;
    if (!gone)
        return;
    track_fini(&gone->track);
    param_sets_fini(&gone->sets);
    au_builder_reset(&gone->au);
    mem_free(gone->data);
    mem_free(gone);
}

static bool is_video(const struct ts_elementary *es)
{
    return codec_info(es->about.codec)->kind == MEDIA_VIDEO;
}

// False when there is no room or no memory; nothing is appended then.
static bool append(struct ts_elementary *es, struct bytes payload)
{
    size_t most = is_video(es) ? PAYLOAD_MAX : AUDIO_PAYLOAD_MAX;
    if (payload.length > most - es->length)
        return false;
    if (es->length + payload.length > es->capacity) {
        size_t capacity = es->capacity ? es->capacity * 2 : 4096;
        while (capacity < es->length + payload.length)
            capacity *= 2;
        uint8_t *wider = mem_try_alloc(capacity);
        if (!wider)
            return false;
        if (es->length > 0)
            memcpy(wider, es->data, es->length);
        mem_free(es->data);
        es->data = wider;
        es->capacity = capacity;
    }
    if (payload.length > 0)
        memcpy(es->data + es->length, payload.data, payload.length);
    es->length += payload.length;
    return true;
}

// Forgets the first `count` bytes.
static void consume(struct ts_elementary *es, size_t count)
{
    ENSURE(count <= es->length);
    es->length -= count;
    es->scanned = 0;
    es->mark = es->mark > count ? es->mark - count : 0;
    if (es->capacity > PAYLOAD_KEPT && es->length < 4096) {
        uint8_t *narrow = mem_alloc(4096);
        memcpy(narrow, es->data + count, es->length);
        mem_free(es->data);
        es->data = narrow;
        es->capacity = 4096;
    } else if (es->length > 0 && count > 0) {
        memmove(es->data, es->data + count, es->length);
    }
}

static void set_track(struct ts_elementary *es, struct track *track)
{
    memcpy(track->language, es->about.language, sizeof(track->language));
    track_fini(&es->track);
    es->track = *track;
    es->has_track = es->track_changed = true;
}

static void give(struct ts_elementary *es, struct buf **buf, unsigned flags, int64_t dts,
                 int64_t cts, uint32_t duration)
{
    struct frame *frame = frame_new(0, buf);
    // Segments that were put one behind the other say at each border that the clock may jump. Only
    // a clock that did is worth the word.
    if (es->may_jump && es->gave &&
        (dts < es->last_dts || dts - es->last_dts > es->track.timescale))
        es->discontinuity = true;
    frame->flags = (uint8_t)(flags | (es->discontinuity ? FRAME_DISCONTINUITY : 0));
    es->gave = true;
    es->last_dts = dts;
    frame->dts = dts;
    frame->cts = (int32_t)cts;
    frame->duration = duration;
    es->discontinuity = false;
    es->on_frame(es->arg, es, &frame);
}

// ---- video
// ---------------------------------------------------------------------------------------

// Takes new parameter sets into use; they are complete when a key frame comes.
static void update_video_track(struct ts_elementary *es)
{
    if (es->has_track && !es->sets.changed)
        return;
    struct buf *config;
    struct track track;
    bool h264 = es->about.codec == CODEC_H264;
    if ((h264 ? h264_config_make(&es->sets, &config) : h265_config_make(&es->sets, &config)) < 0)
        return;
    if ((h264 ? h264_track_from_config(config, &track) : h265_track_from_config(config, &track)) ==
        0)
        set_track(es, &track);
    buf_unref(&config);
}

static void take_picture(struct ts_elementary *es)
{
    bool key, droppable;
    struct buf *buf = au_builder_take(&es->au, &key, &droppable);
    es->au_open = false;
    if (!buf)
        return;
    if (key)
        update_video_track(es);
    if (!es->has_track || !es->au_time.known || (!es->started && !key)) {
        buf_unref(&buf);
        return;
    }
    es->started = true;
    unsigned flags = (key ? FRAME_KEY : 0) | (droppable ? FRAME_DROPPABLE : 0) |
                     (es->corrupt ? FRAME_CORRUPT : 0);
    es->corrupt = false;
    give(es, &buf, flags, es->au_time.dts, es->au_time.pts - es->au_time.dts, 0);
}

// The time of an access unit that begins: its own, or one step after the last.
static void begin_picture(struct ts_elementary *es)
{
    es->au_open = true;
    if (es->time.known) {
        int64_t step = es->since_time ? (es->time.dts - es->timed_dts) / es->since_time : 0;
        if (step > 0 && step <= STEP_MAX)
            es->step = step;
        es->au_time = es->time;
        es->may_jump = es->time.jump;
        es->timed_dts = es->time.dts;
        es->since_time = 1;
        es->time.known = false;
        return;
    }
    int64_t step = es->step;
    if (step == 0 && es->has_track && es->track.fps_num > 0)
        step = ticks_rescale(es->track.fps_den, es->track.fps_num, 90000);
    if (step <= 0 || step > STEP_MAX)
        step = STEP_DEFAULT;
    es->au_time.dts += step;
    es->au_time.pts += step;
    es->since_time++;
}

static void add_nal(struct ts_elementary *es, struct bytes nal)
{
    bool h264 = es->about.codec == CODEC_H264;
    if (h264 ? h264_starts_access_unit(&es->au, nal) : h265_starts_access_unit(&es->au, nal))
        take_picture(es);
    if (es->pending && nal.data >= es->data + es->mark && !es->au_open) {
        es->time = es->next;
        es->pending = false;
    }
    if (!es->au_open)
        begin_picture(es);
    if ((h264 ? h264_au_add(&es->au, &es->sets, nal) : h265_au_add(&es->au, &es->sets, nal)) < 0)
        es->corrupt = true;
}

// Eats the NAL units of data[0, end). When they are not `complete` the last one stays: it may go
// on.
static void drain_video(struct ts_elementary *es, size_t end, bool complete)
{
    struct bytes in = bytes_of(es->data, end), nal;
    size_t eaten = complete ? end : end > 3 ? end - 3 : 0; // three bytes may begin a start code
    if (!complete && es->scanned > 0) {
        struct bytes added = bytes_of(es->data + es->scanned, end - es->scanned);
        if (nal_next_annexb(&added, &nal) < 0) {
            es->scanned = eaten;
            return;
        }
    }
    while (nal_next_annexb(&in, &nal) == 0) {
        if (in.length == 0 && !complete) {
            eaten = (size_t)(nal.data - es->data) - 3;
            break;
        }
        add_nal(es, nal);
    }
    consume(es, eaten);
    if (!complete)
        es->scanned = es->length > 3 ? es->length - 3 : 0;
}

static bool is_start_code(const uint8_t *four)
{
    return four[0] == 0 && four[1] == 0 && (four[2] == 1 || (four[2] == 0 && four[3] == 1));
}

static void begin_video(struct ts_elementary *es, const struct ts_time *time)
{
    bool repeated =
        es->last_head.known && time->pts == es->last_head.pts && time->dts == es->last_head.dts;
    if (!time->known || repeated || es->pending)
        drain_video(es, es->length, false);
    if (!time->known || repeated)
        return; // goes on, or begins units whose time is counted
    es->last_head = es->next = *time;
    es->mark = es->length;
    es->pending = es->unchecked = true;
}

static void video_data(struct ts_elementary *es, struct bytes payload)
{
    if (!append(es, payload)) {
        drain_video(es, es->length, false);
        if (!append(es, payload)) { // a NAL unit longer than any picture
            consume(es, es->length);
            au_builder_reset(&es->au);
            es->au_open = false;
            es->corrupt = true;
            return;
        }
    }
    if (!es->pending || !es->unchecked || es->length - es->mark < 4)
        return;
    es->unchecked = false;
    if (!is_start_code(es->data + es->mark))
        return;
    drain_video(es, es->mark, true);
    take_picture(es);
    es->time = es->next;
    es->pending = false;
}

// ---- audio
// ---------------------------------------------------------------------------------------

struct unit {
    size_t head, length; // bytes in front of the payload; of the whole unit
    uint32_t samples;
};

// Control header of Opus in TS, then the packet. ERR_AGAIN, ERR_INVALID.
static int parse_opus(struct bytes in, struct unit *out)
{
    struct bytes rest = in;
    uint8_t prefix, flags, byte = 255, extension = 0;
    size_t size = 0;
    if ((in.length > 0 && in.data[0] != 0x7f) || (in.length > 1 && (in.data[1] & 0xe0) != 0xe0))
        return ERR_INVALID;
    if (!bytes_read_u8(&rest, &prefix) || !bytes_read_u8(&rest, &flags))
        return ERR_AGAIN;
    while (byte == 255 && size <= UINT16_MAX) {
        if (!bytes_read_u8(&rest, &byte))
            return ERR_AGAIN;
        size += byte;
    }
    size_t trims = (flags & 0x10 ? 2u : 0) + (flags & 0x08 ? 2u : 0);
    if (!bytes_skip(&rest, trims) || (flags & 0x04 && !bytes_read_u8(&rest, &extension)) ||
        !bytes_skip(&rest, extension))
        return ERR_AGAIN;
    if (size == 0 || size > UINT16_MAX)
        return ERR_INVALID;
    out->head = in.length - rest.length;
    out->length = out->head + size;
    if (rest.length < (size < 2 ? size : 2))
        return ERR_AGAIN; // the bytes that say the duration
    rest.length = size < rest.length ? size : rest.length;
    out->samples = opus_packet_duration(rest);
    return out->samples == 0 ? ERR_INVALID : 0;
}

static int parse_adts(struct bytes in, struct unit *out, struct adts *adts)
{
    int result = adts_parse(in, adts);
    if (result == 0)
        *out = (struct unit){.head = adts->header_length,
                             .length = adts->frame_length,
                             .samples = 1024 * adts->blocks};
    return result;
}

static int parse_mp3(struct bytes in, struct unit *out, struct mp3_header *mp3)
{
    int result = mp3_header_parse(in, mp3);
    if (result == 0)
        *out = (struct unit){.length = mp3->length, .samples = mp3->samples};
    return result;
}

static int parse_unit(const struct ts_elementary *es, struct bytes in, struct unit *out)
{
    struct adts adts;
    struct mp3_header mp3;
    switch (es->about.codec) {
    case CODEC_AAC:
        return parse_adts(in, out, &adts);
    case CODEC_MP3:
        return parse_mp3(in, out, &mp3);
    default:
        return parse_opus(in, out);
    }
}

// The track as this unit says it is; false when it cannot be used.
static bool update_audio_track(struct ts_elementary *es, struct bytes in)
{
    struct unit unit;
    struct adts adts;
    struct mp3_header mp3;
    struct track track;
    uint32_t old_scale = es->track.timescale;
    if (es->about.codec == CODEC_AAC) {
        uint8_t config[2];
        if (parse_adts(in, &unit, &adts) < 0)
            return false;
        adts_config(&adts, config);
        if (es->has_track && memcmp(config, es->config, sizeof(config)) == 0)
            return true;
        if (aac_track_from_config(bytes_of(config, sizeof(config)), &track) < 0)
            return false;
        memcpy(es->config, config, sizeof(config));
    } else if (es->about.codec == CODEC_MP3) {
        if (parse_mp3(in, &unit, &mp3) < 0)
            return false;
        if (es->has_track && es->track.sample_rate == mp3.sample_rate &&
            es->track.channels == mp3.channels)
            return true;
        mp3_track_make(&mp3, &track);
    } else {
        if (es->has_track)
            return true;
        if (opus_track_make(es->about.channels ? es->about.channels : 2, 0, &track) < 0)
            return false;
    }
    set_track(es, &track);
    if (es->has_clock && old_scale != es->track.timescale)
        es->clock = ticks_rescale(es->clock, old_scale, es->track.timescale);
    return true;
}

// The clock of the unit that begins at `at`: what the PES head says, unless the count of samples
// says the same within a millisecond, which is how exactly some writers know the time.
static void set_clock(struct ts_elementary *es, size_t at)
{
    if (!es->pending || at < es->mark)
        return;
    es->pending = false;
    int64_t said = ticks_rescale(es->next.pts, 90000, es->track.timescale);
    int64_t off = said - es->clock, most = es->track.timescale / 1000 + 1;
    if (!es->has_clock || off > most || off < -most)
        es->clock = said;
    es->has_clock = true;
    es->may_jump = es->next.jump;
}

static void give_unit(struct ts_elementary *es, size_t at, const struct unit *unit)
{
    struct bytes in = bytes_of(es->data + at, unit->length);
    if (!update_audio_track(es, in))
        return;
    set_clock(es, at);
    if (!es->has_clock)
        return;
    struct buf *buf = buf_try_new(unit->length - unit->head);
    if (buf) {
        buf_append(buf, in.data + unit->head, unit->length - unit->head);
        give(es, &buf, FRAME_KEY, es->clock, 0, unit->samples);
    }
    es->clock += unit->samples;
}

// Eats whole units. A unit that is not behind another one counts only when what follows it looks
// like a unit too, or when it ends where the data end and nothing more is to be waited for
// (`final`).
static void drain_audio(struct ts_elementary *es, bool final)
{
    size_t at = 0;
    while (at < es->length) {
        struct unit unit, after;
        struct bytes in = bytes_of(es->data + at, es->length - at);
        int result = parse_unit(es, in, &unit);
        if (result == ERR_AGAIN || (result == 0 && unit.length > in.length))
            break;
        bool good = result == 0;
        if (good && !es->locked) {
            struct bytes rest = in;
            bytes_skip(&rest, unit.length);
            if (rest.length < 2 && !final)
                break;
            good = parse_unit(es, rest, &after) != ERR_INVALID;
        }
        if (!good) {
            es->locked = false;
            at++;
            continue;
        }
        es->locked = true;
        give_unit(es, at, &unit);
        at += unit.length;
    }
    consume(es, at);
}

// ---- both
// ----------------------------------------------------------------------------------------

void ts_elementary_begin(struct ts_elementary *es, const struct ts_time *time)
{
    struct ts_time checked = *time;
    if (checked.pts < checked.dts || checked.pts - checked.dts > CTS_MAX)
        checked.dts = checked.pts;
    if (is_video(es)) {
        begin_video(es, &checked);
        return;
    }
    drain_audio(es, true);
    if (!checked.known)
        return;
    es->next = checked;
    es->mark = es->length;
    es->pending = true;
}

void ts_elementary_data(struct ts_elementary *es, struct bytes payload)
{
    if (is_video(es)) {
        video_data(es, payload);
        return;
    }
    if (!append(es, payload)) {
        ts_elementary_lost(es);
        return;
    }
    drain_audio(es, false);
}

void ts_elementary_lost(struct ts_elementary *es)
{
    if (is_video(es)) {
        es->corrupt = true;
        return;
    }
    // Half a unit is no sound, and how many were lost is not known: the next time tells.
    consume(es, es->length);
    es->pending = es->locked = es->has_clock = false;
    es->discontinuity = true;
}

void ts_elementary_flush(struct ts_elementary *es)
{
    if (is_video(es)) {
        drain_video(es, es->length, true);
        take_picture(es);
    } else {
        drain_audio(es, true);
    }
}
