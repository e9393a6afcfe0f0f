// SPDX-License-Identifier: MIT
// Opens a film, finds out what it is, and gives its frames when they are due.
//
// States: OPENING (file and first bytes) -> READING (a reader fills the queue; the timer gives what is
// due) -> lost. At the end of the film the reader starts again and the length is added to the times, the
// same for all tracks, so that nothing moves against anything else.
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url_parse.h"
#include "file_priv.h"
#include "media/timebase.h"

enum { LOOK_BYTES = 4096, BAD_MOST = 100, TS_PACKET = 188 };
// A loop held up for longer than this does not send what it missed all at once.
#define LATE_MOST_US (2 * US_PER_S)

static void step(struct film *film);

bool film_full(const struct film *film)
{
    if (film->count == 0)
        return false;
    unsigned last = (film->first + film->count - 1) % FILE_AHEAD_FRAMES;
    return film->count == FILE_AHEAD_FRAMES || film->bytes >= FILE_AHEAD_BYTES ||
           film->at_us[last] - film->at_us[film->first] >= FILE_AHEAD_US;
}

void film_frame(struct film *film, struct frame **frame)
{
    struct frame *given = *frame;
    *frame = NULL;
    uint32_t timescale = film->tracks->track[given->track].timescale;
    int64_t at_us = ticks_to_us(given->dts, timescale);
    if (!film->timed || at_us < film->begin_us)
        film->begin_us = at_us;
    film->timed = true;
    int64_t last_us = at_us + (given->duration ? ticks_to_us(given->duration, timescale) : 40000);
    if (last_us > film->end_us)
        film->end_us = last_us;
    given->dts += ticks_from_us(film->loop_us, timescale);
    if (film->count == FILE_AHEAD_FRAMES) { // a reader gave more than it was asked for
        source_count_error(film->source);
        frame_unref(&given);
        return;
    }
    unsigned slot = (film->first + film->count++) % FILE_AHEAD_FRAMES;
    film->frames[slot] = given;
    film->at_us[slot] = at_us + film->loop_us;
    film->bytes += given->length;
    film->bad = 0;
    source_count_bytes(film->source, given->length);
}

void film_tracks(struct film *film, struct tracks **tracks)
{
    tracks_unref(&film->tracks);
    film->tracks = tracks_ref(*tracks);
    source_tracks(film->source, tracks);
}

void film_end(struct film *film) { film->ended = true; }

void film_failed(struct film *film, enum reason reason, const char *detail)
{
    source_lost(film->source, reason, detail);
}

void film_skip(struct film *film)
{
    source_count_error(film->source);
    if (++film->bad > BAD_MOST)
        film_failed(film, REASON_IO, "the film cannot be read any more");
}

void film_busy_done(struct film *film)
{
    film->op = NULL;
    step(film);
}

static void push_due(struct film *film)
{
    int64_t mono_us = now_us();
    while (film->count && film->clock_us + film->at_us[film->first] <= mono_us) {
        struct frame *frame = film->frames[film->first];
        film->bytes -= frame->length;
        film->first = (film->first + 1) % FILE_AHEAD_FRAMES;
        film->count--;
        source_push_frame(film->source, &frame);
    }
}

static void step(struct film *film)
{
    if (film->count && !film->paced) {
        film->paced = true;
        film->clock_us = now_us() - film->at_us[film->first];
    }
    // Held up (a suspended machine, a hung disk): go on from here, without a burst.
    if (film->count && now_us() - (film->clock_us + film->at_us[film->first]) > LATE_MOST_US)
        film->clock_us = now_us() - film->at_us[film->first];
    push_due(film);
    if (film->ended && film->count == 0) {
        if (!film->timed) {
            film_failed(film, REASON_NO_MEDIA, "there is no frame in this film");
            return;
        }
        film->ended = false;
        film->loop_us += film->end_us - film->begin_us;
        film->ops->rewind(film);
    }
    if (film->ops && !film->op && !film->ended && !film_full(film))
        film->ops->more(film);
    if (film->count)
        timeout_start_at(&film->due, film->clock_us + film->at_us[film->first]);
    else if (film->ended)
        timeout_start(&film->due, 0);
}

static void on_due(void *arg) { step(arg); }

// ---- opening -----------------------------------------------------------------------------------

static bool looks_like_ts(const struct buf *head)
{
    return head->length > 2 * TS_PACKET && head->data[0] == 0x47 &&
           head->data[TS_PACKET] == 0x47 && head->data[2 * TS_PACKET] == 0x47;
}

static bool looks_like_mp4(const struct buf *head)
{
    static const char *const boxes[] = {"ftyp", "moov", "mdat", "free", "styp", "wide", "skip"};
    for (size_t i = 0; head->length >= 8 && i < sizeof boxes / sizeof *boxes; i++)
        if (memcmp(head->data + 4, boxes[i], 4) == 0)
            return true;
    return false;
}

static void on_look(void *arg, const struct file_result *result)
{
    struct film *film = arg;
    film->op = NULL;
    if (result->err != 0)
        film_failed(film, REASON_IO, strerror(result->os_error));
    else if (looks_like_mp4(result->data))
        film_mp4_open(film);
    else if (looks_like_ts(result->data))
        film_ts_open(film);
    else
        film_failed(film, REASON_UNSUPPORTED, "neither MP4 nor MPEG-TS");
}

static void on_open(void *arg, const struct file_result *result)
{
    struct film *film = arg;
    film->op = NULL;
    if (result->err != 0) {
        film_failed(film, result->err == ERR_NOT_FOUND ? REASON_NOT_FOUND : REASON_IO,
                    strerror(result->os_error));
        return;
    }
    film->file = result->file;
    film->op = file_read(film->file, 0, LOOK_BYTES, on_look, film);
    if (!film->op)
        film_failed(film, REASON_LIMIT, "too much waits for the disk");
}

static void stop(struct source *source)
{
    struct film *film = source_engine(source);
    timeout_stop(&film->due);
    file_op_cancel(&film->op);
    if (film->ops)
        film->ops->close(film);
    for (unsigned i = 0; i < film->count; i++)
        frame_unref(&film->frames[(film->first + i) % FILE_AHEAD_FRAMES]);
    if (film->file)
        file_close(&film->file);
    tracks_unref(&film->tracks);
    mem_free(film->frames);
    mem_free(film->at_us);
    mem_free(film);
}

static const struct source_ops source_ops = {.stop = stop};

int film_pull(const struct protocol_env *env, struct source *source)
{
    struct url url;
    const char *why;
    if (url_parse(source_input(source)->url, &url, &why) != 0 || !url_decode(url.path))
        return ERR_INVALID;
    struct film *film = mem_alloc(sizeof *film);
    film->source = source;
    film->frames = mem_alloc(FILE_AHEAD_FRAMES * sizeof *film->frames);
    film->at_us = mem_alloc(FILE_AHEAD_FRAMES * sizeof *film->at_us);
    timeout_init(&film->due, env->loop, on_due, film);
    source_set_engine(source, &source_ops, film);
    film->op = file_open(film_queue, url.path, O_RDONLY, 0, on_open, film);
    if (!film->op)
        source_lost(source, REASON_LIMIT, "too much waits for the disk");
    return 0;
}
