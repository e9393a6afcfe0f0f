// SPDX-License-Identifier: MIT
// MPEG-TS files: read from front to back.
#include "base/mem.h"
#include "file_priv.h"
#include "format/ts_demux.h"
#include "io/file.h"

enum { PIECE_BYTES = 188 * 512 };

struct ts_reader {
    struct file_reader base;
    struct file *file; // borrowed
    struct file_op *op;
    uint64_t at;
    struct ts_demux *demux;
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct ts_reader *reader = arg;
    file_source_tracks(reader->base.owner, *tracks);
    tracks_unref(tracks);
}

static void on_frame(void *arg, struct frame **frame)
{
    struct ts_reader *reader = arg;
    (*frame)->flags &= (uint8_t)~FRAME_DISCONTINUITY; // a jump of time is taken out by the source
    file_source_frame(reader->base.owner, frame);
}

static const struct ts_demux_events demux_events = {.on_tracks = on_tracks, .on_frame = on_frame};

static void on_read(void *arg, const struct file_result *result)
{
    struct ts_reader *reader = arg;
    struct file_source *owner = reader->base.owner;
    reader->op = NULL;
    if (result->err < 0) {
        file_source_fail(owner, REASON_IO, "the file cannot be read");
        return;
    }
    size_t got = result->data->length;
    reader->at += got;
    file_source_bytes(owner, got);
    ts_demux_input(reader->demux, buf_bytes(result->data));
    if (got == PIECE_BYTES) {
        file_source_done(owner);
        return;
    }
    ts_demux_flush(reader->demux);
    file_source_end(owner);
}

static void more(struct file_reader *base)
{
    struct ts_reader *reader = (struct ts_reader *)base;
    reader->op = file_read(reader->file, reader->at, PIECE_BYTES, on_read, reader);
    if (!reader->op)
        file_source_fail(base->owner, REASON_LIMIT, "too many file operations");
}

static void ts_free(struct file_reader *base)
{
    struct ts_reader *reader = (struct ts_reader *)base;
    file_op_cancel(&reader->op);
    ts_demux_free(&reader->demux);
    mem_free(reader);
}

struct file_reader *file_ts_new(struct file_source *owner, struct file *file)
{
    static const struct file_reader_ops ops = {.name = "mpegts", .more = more, .free = ts_free};
    struct ts_reader *reader = mem_alloc(sizeof(*reader));
    reader->base = (struct file_reader){.ops = &ops, .owner = owner};
    reader->file = file;
    reader->demux = ts_demux_new(&demux_events, reader);
    return &reader->base;
}
