// SPDX-License-Identifier: MIT
// MP4: the boxes at the top are walked until the moov is found (and every moof, in a fragmented film);
// then samples are read one by one, from the page cache where they are in it.
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "file_priv.h"
#include "format/mp4_parse.h"

enum { PEEK = 32, BOXES_MOST = 200000, MOOV_MOST = 256 << 20 };

struct mp4_reader {
    struct film *film;
    struct mp4_movie *movie; // NULL until the moov was read
    uint64_t at;             // of the box being looked at
    uint64_t box_size;
    bool is_moof;
    unsigned boxes;
    struct mp4_sample sample; // being read
    bool ready;               // tables are complete
};

static void look(struct mp4_reader *reader);
static void more(struct film *film);

static void submit(struct mp4_reader *reader, uint64_t offset, size_t length, file_done_fn done)
{
    struct film *film = reader->film;
    film->op = file_read(film->file, offset, length, done, reader);
    if (!film->op)
        film_failed(film, REASON_LIMIT, "too much waits for the disk");
}

static void tables_complete(struct mp4_reader *reader)
{
    struct film *film = reader->film;
    if (!reader->movie) {
        film_failed(film, REASON_UNSUPPORTED, "there is no moov box: the film is not complete");
        return;
    }
    const char *left_out = mp4_movie_left_out(reader->movie);
    if (left_out[0])
        log_info(source_name(film->source), "tracks left out: %s", left_out);
    struct tracks *tracks = tracks_ref(mp4_movie_tracks(reader->movie));
    reader->ready = true;
    mp4_movie_rewind(reader->movie);
    film_tracks(film, &tracks);
    film_busy_done(film);
}

static void on_tables(void *arg, const struct file_result *result)
{
    struct mp4_reader *reader = arg;
    struct film *film = reader->film;
    film->op = NULL;
    int err = result->err;
    if (err == 0 && result->data->length < reader->box_size)
        err = ERR_INVALID;
    if (err == 0 && reader->is_moof)
        err = mp4_movie_add_fragment(reader->movie, buf_bytes(result->data), reader->at);
    else if (err == 0)
        err = mp4_movie_parse(buf_bytes(result->data), &reader->movie);
    if (err != 0) {
        film_failed(film, err == ERR_UNSUPPORTED ? REASON_UNSUPPORTED : REASON_IO,
                    "the film's tables cannot be read");
        return;
    }
    reader->at += reader->box_size;
    look(reader);
}

static void on_peek(void *arg, const struct file_result *result)
{
    struct mp4_reader *reader = arg;
    struct film *film = reader->film;
    char type[5];
    film->op = NULL;
    int err = result->err;
    if (err == 0 && result->data->length < 8) {
        tables_complete(reader); // the end of the file
        return;
    }
    if (err == 0)
        err = mp4_box_peek(buf_bytes(result->data), type, &reader->box_size);
    if (err == ERR_AGAIN || (err == 0 && (reader->box_size == 0 || ++reader->boxes > BOXES_MOST))) {
        tables_complete(reader); // a last box that runs to the end
        return;
    }
    if (err != 0) {
        film_failed(film, REASON_UNSUPPORTED, "a broken box");
        return;
    }
    reader->is_moof = strcmp(type, "moof") == 0;
    bool is_moov = strcmp(type, "moov") == 0 && !reader->movie;
    if (is_moov || (reader->is_moof && reader->movie)) {
        if (reader->box_size > MOOV_MOST)
            film_failed(film, REASON_LIMIT, "the film's tables are too large");
        else
            submit(reader, reader->at, reader->box_size, on_tables);
        return;
    }
    reader->at += reader->box_size;
    look(reader);
}

static void look(struct mp4_reader *reader)
{
    submit(reader, reader->at, PEEK, on_peek);
}

// ---- samples -----------------------------------------------------------------------------------

static void take_sample(struct mp4_reader *reader, const struct buf *data)
{
    struct film *film = reader->film;
    const struct mp4_sample *sample = &reader->sample;
    struct buf *payload;
    if (data->length < sample->length ||
        mp4_sample_payload(reader->movie, sample, bytes_of(data->data, sample->length),
                           &payload) != 0) {
        film_skip(film);
        return;
    }
    if (payload->length == 0) {
        buf_unref(&payload);
        return;
    }
    struct frame *frame = frame_new(sample->track, &payload);
    frame->dts = sample->dts;
    frame->cts = sample->cts;
    frame->duration = sample->duration;
    frame->flags = sample->key ? FRAME_KEY : 0;
    film_frame(film, &frame);
}

static void on_sample(void *arg, const struct file_result *result)
{
    struct mp4_reader *reader = arg;
    if (result->err == 0)
        take_sample(reader, result->data);
    else
        film_skip(reader->film);
    film_busy_done(reader->film);
}

static void more(struct film *film)
{
    struct mp4_reader *reader = film->reader;
    if (!reader->ready)
        return;
    while (!film_full(film)) {
        struct buf *data;
        if (mp4_movie_next(reader->movie, &reader->sample) != 0) {
            film_end(film);
            return;
        }
        if (file_read_cached(film->file, reader->sample.offset, reader->sample.length, &data) !=
            0) {
            submit(reader, reader->sample.offset, reader->sample.length, on_sample);
            return;
        }
        take_sample(reader, data);
        buf_unref(&data);
    }
}

static void rewind_reader(struct film *film)
{
    struct mp4_reader *reader = film->reader;
    mp4_movie_rewind(reader->movie);
}

static void close_reader(struct film *film)
{
    struct mp4_reader *reader = film->reader;
    mp4_movie_free(&reader->movie);
    mem_free(reader);
}

const struct film_ops film_mp4 = {.more = more, .rewind = rewind_reader, .close = close_reader};

void film_mp4_open(struct film *film)
{
    struct mp4_reader *reader = mem_alloc(sizeof *reader);
    reader->film = film;
    film->reader = reader;
    film->ops = &film_mp4;
    look(reader);
}
