// SPDX-License-Identifier: MIT
// MPEG-TS: read from front to end in pieces, through the demuxer.
#include "base/mem.h"
#include "file_priv.h"
#include "format/ts_demux.h"

enum { PIECE = 188 * 348 };

struct ts_reader {
    struct film *film;
    struct ts_demux *demux;
    uint64_t offset;
    bool told; // tracks are known in this round
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct ts_reader *reader = arg;
    // The same film from its beginning has the same tracks: nothing to tell.
    if (reader->film->tracks && tracks_equal(reader->film->tracks, *tracks))
        tracks_unref(tracks);
    else
        film_tracks(reader->film, tracks);
    reader->told = true;
}

static void on_frame(void *arg, struct frame **frame)
{
    struct ts_reader *reader = arg;
    if (reader->told)
        film_frame(reader->film, frame);
    else
        frame_unref(frame);
}

static const struct ts_demux_events events = {.on_tracks = on_tracks, .on_frame = on_frame};

static void take(struct ts_reader *reader, const struct buf *data)
{
    struct film *film = reader->film;
    reader->offset += data->length;
    if (data->length)
        ts_demux_input(reader->demux, buf_bytes(data));
    if (data->length < PIECE) {
        ts_demux_flush(reader->demux);
        film_end(film);
    }
}

static void on_read(void *arg, const struct file_result *result)
{
    struct ts_reader *reader = arg;
    struct film *film = reader->film;
    if (result->err != 0) {
        film->op = NULL;
        film_failed(film, REASON_IO, "the film cannot be read");
        return;
    }
    take(reader, result->data);
    film_busy_done(film);
}

static void more(struct film *film)
{
    struct ts_reader *reader = film->reader;
    film->op = file_read(film->file, reader->offset, PIECE, on_read, reader);
    if (!film->op)
        film_failed(film, REASON_LIMIT, "too much waits for the disk");
}

static void rewind_reader(struct film *film)
{
    struct ts_reader *reader = film->reader;
    ts_demux_free(&reader->demux);
    reader->demux = ts_demux_new(&events, reader);
    reader->offset = 0;
    reader->told = false;
}

static void close_reader(struct film *film)
{
    struct ts_reader *reader = film->reader;
    ts_demux_free(&reader->demux);
    mem_free(reader);
}

const struct film_ops film_ts = {.more = more, .rewind = rewind_reader, .close = close_reader};

void film_ts_open(struct film *film)
{
    struct ts_reader *reader = mem_alloc(sizeof *reader);
    reader->film = film;
    reader->demux = ts_demux_new(&events, reader);
    film->reader = reader;
    film->ops = &film_ts;
    more(film);
}
