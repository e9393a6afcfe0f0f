// SPDX-License-Identifier: MIT
// MP4 files, progressive and fragmented: walks the boxes up to moov, then reads samples in batches
// of half a second. Samples of a batch that lie near one another are read at once. In a fragmented
// file the walk goes on whenever the samples known so far are used up.
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "file_priv.h"
#include "format/mp4_parse.h"
#include "io/file.h"
#include "media/timebase.h"

#define BATCH_US 500000LL
enum {
    BATCH_SAMPLES = 256,
    BATCH_BYTES = 2 << 20,
    RANGES_MAX = 16,
    GAP_BYTES = 32 << 10, // bytes that are read in vain rather than by another operation
    HEAD_BYTES = 16,
    BOX_BYTES_MAX = 64 << 20, // moov or moof
};

// A run of the file that is read in one operation.
struct range {
    struct mp4_reader *reader;
    uint64_t from, to;
    struct file_op *op;
    struct buf *data; // one reference; shorter than asked for at the end of the file
};

struct mp4_reader {
    struct file_reader base;
    struct file *file; // borrowed
    struct file_op *op;
    uint64_t at;                             // of the box that is looked at
    bool at_end;                             // there are no more boxes
    uint64_t box_size;                       // of the box that is being read
    struct mp4_movie *movie;                 // NULL before moov
    struct mp4_sample sample[BATCH_SAMPLES]; // in the order in which they are given out
    uint8_t in_range[BATCH_SAMPLES];
    unsigned samples;
    bool has_held; // the sample with which the next batch begins: it did not fit into this one
    struct mp4_sample held;
    struct range range[RANGES_MAX];
    unsigned ranges, reads_out;
    bool short_file; // some samples lie behind the end of the file
};

static void step(struct mp4_reader *reader);

static void fail(struct mp4_reader *reader, enum reason reason, const char *detail)
{
    file_source_fail(reader->base.owner, reason, detail);
}

static bool submit(struct mp4_reader *reader, struct file_op **op, uint64_t offset, size_t length,
                   file_done_fn done, void *arg)
{
    *op = file_read(reader->file, offset, length, done, arg);
    if (!*op)
        fail(reader, REASON_LIMIT, "too many file operations");
    return *op != NULL;
}

// ---- boxes -------------------------------------------------------------------------------------

static void movie_found(struct mp4_reader *reader, struct bytes moov)
{
    int result = mp4_movie_parse(moov, &reader->movie);
    if (result < 0) {
        fail(reader, result == ERR_UNSUPPORTED ? REASON_NO_MEDIA : REASON_PROTOCOL,
             result == ERR_UNSUPPORTED ? "no track of a known codec" : "a damaged moov box");
        return;
    }
    const char *left_out = mp4_movie_left_out(reader->movie);
    if (left_out[0] && file_source_first_loop(reader->base.owner))
        log_info(file_source_name(reader->base.owner), "tracks left out=\"%s\"", left_out);
    file_source_tracks(reader->base.owner, mp4_movie_tracks(reader->movie));
    step(reader);
}

static void on_box(void *arg, const struct file_result *result)
{
    struct mp4_reader *reader = arg;
    reader->op = NULL;
    if (result->err < 0) {
        fail(reader, REASON_IO, "the file cannot be read");
        return;
    }
    struct bytes box = buf_bytes(result->data);
    uint64_t at = reader->at;
    reader->at += reader->box_size;
    if (box.length < reader->box_size) { // a file that is cut short, or still being written
        reader->at_end = true;
        step(reader);
    } else if (!reader->movie) {
        movie_found(reader, box);
    } else {
        if (mp4_movie_add_fragment(reader->movie, box, at) < 0)
            file_source_error(reader->base.owner);
        step(reader);
    }
}

static void on_head(void *arg, const struct file_result *result)
{
    struct mp4_reader *reader = arg;
    char type[5];
    uint64_t size;
    reader->op = NULL;
    if (result->err < 0) {
        fail(reader, REASON_IO, "the file cannot be read");
        return;
    }
    // Damage behind moov ends the file there; in front of it nothing can be played, as is said
    // then.
    if (mp4_box_peek(buf_bytes(result->data), type, &size) < 0 || size == 0 ||
        size > INT64_MAX - reader->at) {
        reader->at_end = true;
        step(reader);
        return;
    }
    bool moov = memcmp(type, "moov", 4) == 0 && !reader->movie;
    bool moof = memcmp(type, "moof", 4) == 0 && reader->movie;
    if (!moov && !moof) {
        reader->at += size;
        step(reader);
    } else if (size > BOX_BYTES_MAX) {
        fail(reader, REASON_LIMIT, "a moov or moof box above the limit");
    } else {
        reader->box_size = size;
        submit(reader, &reader->op, reader->at, size, on_box, reader);
    }
}

// ---- samples -----------------------------------------------------------------------------------

static int64_t sample_us(const struct mp4_reader *reader, const struct mp4_sample *sample)
{
    const struct tracks *tracks = mp4_movie_tracks(reader->movie);
    return ticks_to_us(sample->dts, tracks->track[sample->track].timescale);
}

// Sound that an edit list cuts off in front (the encoder's delay) is not given out.
static bool is_cut_off(const struct mp4_reader *reader, const struct mp4_sample *sample)
{
    const struct tracks *tracks = mp4_movie_tracks(reader->movie);
    return tracks->track[sample->track].kind == MEDIA_AUDIO && sample->duration > 0 &&
           sample->dts + sample->cts + sample->duration <= 0;
}

// Where the sample's bytes are read: an old range that grows, or a new one. False: no more ranges.
static bool place(struct mp4_reader *reader, unsigned number)
{
    const struct mp4_sample *sample = &reader->sample[number];
    uint64_t from = sample->offset, to = sample->offset + sample->length;
    for (unsigned i = 0; i < reader->ranges; i++) {
        struct range *range = &reader->range[i];
        uint64_t low = from < range->from ? from : range->from;
        uint64_t high = to > range->to ? to : range->to;
        bool near = from <= range->to + GAP_BYTES && to + GAP_BYTES >= range->from;
        if (near && high - low <= FRAME_BYTES_MAX + BATCH_BYTES) {
            range->from = low;
            range->to = high;
            reader->in_range[number] = (uint8_t)i;
            return true;
        }
    }
    if (reader->ranges == RANGES_MAX)
        return false;
    reader->in_range[number] = (uint8_t)reader->ranges;
    reader->range[reader->ranges++] = (struct range){.reader = reader, .from = from, .to = to};
    return true;
}

// Collects the next batch; how many samples it has.
static unsigned collect(struct mp4_reader *reader)
{
    size_t bytes = 0;
    reader->samples = reader->ranges = 0;
    while (reader->samples < BATCH_SAMPLES && bytes < BATCH_BYTES) {
        struct mp4_sample *sample = &reader->sample[reader->samples];
        if (reader->has_held)
            *sample = reader->held;
        else if (mp4_movie_next(reader->movie, sample) < 0)
            break;
        reader->has_held = false;
        if (is_cut_off(reader, sample))
            continue;
        bool late = reader->samples > 0 &&
                    sample_us(reader, sample) - sample_us(reader, &reader->sample[0]) > BATCH_US;
        if (late || sample->offset > INT64_MAX - FRAME_BYTES_MAX ||
            !place(reader, reader->samples)) {
            reader->held = *sample;
            reader->has_held = late || reader->ranges == RANGES_MAX;
            if (reader->has_held)
                break;
            continue; // an offset that no file has
        }
        bytes += sample->length;
        reader->samples++;
    }
    return reader->samples;
}

static void give_sample(struct mp4_reader *reader, unsigned number)
{
    const struct mp4_sample *sample = &reader->sample[number];
    const struct range *range = &reader->range[reader->in_range[number]];
    uint64_t from = sample->offset - range->from;
    struct buf *payload;
    if (!range->data || range->data->length < from + sample->length) {
        reader->short_file = true;
        return;
    }
    struct bytes bytes = bytes_of(range->data->data + from, sample->length);
    if (mp4_sample_payload(reader->movie, sample, bytes, &payload) < 0) {
        file_source_error(reader->base.owner);
        return;
    }
    struct frame *frame = frame_new(sample->track, &payload);
    frame->dts = sample->dts;
    frame->cts = sample->cts;
    frame->duration = sample->duration;
    frame->flags = sample->key ? FRAME_KEY : 0;
    file_source_frame(reader->base.owner, &frame);
}

static void batch_done(struct mp4_reader *reader)
{
    for (unsigned i = 0; i < reader->samples; i++)
        give_sample(reader, i);
    for (unsigned i = 0; i < reader->ranges; i++)
        buf_unref(&reader->range[i].data);
    reader->ranges = 0;
    if (!reader->short_file) {
        file_source_done(reader->base.owner);
        return;
    }
    if (file_source_first_loop(reader->base.owner))
        log_warn(file_source_name(reader->base.owner), "the file ends before its last frame");
    file_source_end(reader->base.owner);
}

static void on_range(void *arg, const struct file_result *result)
{
    struct range *range = arg;
    struct mp4_reader *reader = range->reader;
    range->op = NULL;
    reader->reads_out--;
    if (result->err < 0) {
        fail(reader, REASON_IO, "the file cannot be read");
        return;
    }
    range->data = buf_ref(result->data);
    file_source_bytes(reader->base.owner, result->data->length);
    if (reader->reads_out == 0)
        batch_done(reader);
}

static void read_batch(struct mp4_reader *reader)
{
    reader->reads_out = reader->ranges;
    for (unsigned i = 0; i < reader->ranges; i++) {
        struct range *range = &reader->range[i];
        if (!submit(reader, &range->op, range->from, range->to - range->from, on_range, range))
            return;
    }
}

// Goes on: another batch, another box, or the end.
static void step(struct mp4_reader *reader)
{
    bool walk = !reader->movie || mp4_movie_is_fragmented(reader->movie);
    if (reader->movie && collect(reader) > 0)
        read_batch(reader);
    else if (walk && !reader->at_end)
        submit(reader, &reader->op, reader->at, HEAD_BYTES, on_head, reader);
    else if (reader->movie)
        file_source_end(reader->base.owner);
    else
        fail(reader, REASON_NO_MEDIA, "no moov box: not a whole MP4 file, or not finished yet");
}

static void more(struct file_reader *base)
{
    step((struct mp4_reader *)base);
}

static void mp4_free(struct file_reader *base)
{
    struct mp4_reader *reader = (struct mp4_reader *)base;
    file_op_cancel(&reader->op);
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        file_op_cancel(&reader->range[i].op);
        buf_unref(&reader->range[i].data);
    }
    mp4_movie_free(&reader->movie);
    mem_free(reader);
}

struct file_reader *file_mp4_new(struct file_source *owner, struct file *file)
{
    static const struct file_reader_ops ops = {.name = "mp4", .more = more, .free = mp4_free};
    struct mp4_reader *reader = mem_alloc(sizeof(*reader));
    reader->base = (struct file_reader){.ops = &ops, .owner = owner};
    reader->file = file;
    return &reader->base;
}
