// SPDX-License-Identifier: MIT
// Reading segments, or their chunk heads, one at a time at the receiver's pace.
//
// 1. At most one is ready and not yet asked for: it is read while the receiver is busy with the one
//    before it.
// 2. Nothing is given that was not checked: a segment whose bytes are not what they were is left
// out,
//    and the next one says that it is not continuous.
// 3. Callbacks come from deliver() only, which runs from the loop.
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/cmaf.h"
#include "request.h"

enum {
    // What is in the page cache is read in the loop, up to this; longer copies take a worker.
    CACHED_MAX = 4u << 20,
    // Heads of segments up to this size are read with their payload in one read.
    HEADS_WHOLE_MAX = 128u << 10,
    HEADS_STEP = 4096,
    HEAD_MAX = 2u << 20,
};

struct reader {
    struct request request; // first
    enum history_what what;
    struct history_events events;
    bool asked;     // the receiver wants one
    bool ended;     // there is no more
    bool reading;   // an operation is under way
    bool gap;       // one was left out
    unsigned entry; // of the index, to be read next
    struct file_op *op;
    struct segment *segment; // ready; one reference
    struct buf *heads;       // ready, or being collected
    bool heads_ready;
    struct segment_info info; // of what is ready
    struct tracks *tracks;    // of the heads, one reference
    // The walk over heads: bytes [window_at, +length) of the file; the next head is at `at`.
    uint64_t at, until;
    size_t step;
};

static void fill(struct reader *reader);

static struct reader *reader_of(struct request *request)
{
    return (struct reader *)request;
}

static const struct index_entry *current(const struct reader *reader)
{
    const struct index *index = reader->request.opened->index;
    ENSURE(reader->entry < index->count);
    return &index->entries[reader->entry];
}

static bool is_ready(const struct reader *reader)
{
    return reader->segment || reader->heads_ready;
}

// ---- one segment is there, or not --------------------------------------------------------------

static void note_info(struct reader *reader)
{
    reader->info = index_info(reader->request.opened->index, reader->entry);
    if (reader->gap)
        reader->info.flags |= SEGMENT_DISCONTINUITY;
    reader->gap = false;
    reader->entry++;
}

// Deleted while it was being read, or (dropped) since the index was.
static bool is_gone(const struct reader *reader)
{
    const struct request *request = &reader->request;
    return request->opened->dropped ||
           archive_hides(request->archive, request->cursor, current(reader));
}

static void leave_out(struct reader *reader, const char *why)
{
    struct archive *archive = reader->request.archive;
    char time[32];
    text_utc(time, sizeof time, current(reader)->utc_start_us);
    if (!is_gone(reader)) {
        log_warn(archive->log_name, "segment left out start=%s reason=%s", time, why);
        archive->errors++;
    }
    buf_unref(&reader->heads);
    reader->gap = true;
    reader->entry++;
}

static void take_segment(struct reader *reader, struct buf **buf)
{
    const struct index_entry *entry = current(reader);
    struct segment *segment;
    if ((*buf)->length != entry->bytes) {
        buf_unref(buf);
        leave_out(reader, "short");
        return;
    }
    const struct opened *opened = reader->request.opened;
    int err = 0;
    if (opened->name.offset_s)
        err = cmaf_shift((*buf)->data, (*buf)->length, opened->tracks, opened->name.offset_s);
    if (err == 0)
        err = cmaf_segment_from_bytes(buf, opened->tracks, &segment);
    if (err == 0 && (segment->info.utc_start_us != entry->utc_start_us ||
                     segment->info.number != entry->number)) {
        segment_unref(&segment);
        err = ERR_INVALID;
    }
    if (err != 0) {
        buf_unref(buf);
        leave_out(reader, err_name(err));
        return;
    }
    uint64_t offset = entry->offset;
    bool gap = reader->gap;
    note_info(reader);
    segment->info = reader->info;
    reader->segment = segment;
    if (!gap) // what one reader left out is no matter of the others
        kept_add(&reader->request.archive->owner->kept, opened, offset, segment);
}

// One that somebody else has read.
static bool take_kept(struct reader *reader)
{
    const struct opened *opened = reader->request.opened;
    struct segment_info info = index_info(opened->index, reader->entry);
    if (reader->what != HISTORY_WHOLE || reader->gap)
        return false;
    reader->segment =
        kept_find(&reader->request.archive->owner->kept, opened, current(reader)->offset, &info);
    if (reader->segment)
        note_info(reader);
    return reader->segment != NULL;
}

// ---- heads -------------------------------------------------------------------------------------

// Takes the heads that lie in `in`, the bytes from reader->at on. False when something is wrong.
static bool take_heads(struct reader *reader, struct bytes in)
{
    const struct opened *opened = reader->request.opened;
    size_t length = in.length;
    while (reader->at < reader->until && in.length > 0) {
        struct cmaf_head head;
        int err = cmaf_head_parse(in, opened->tracks, &head);
        if (err == ERR_AGAIN && length == in.length && reader->at + in.length < reader->until &&
            reader->step < HEAD_MAX) {
            reader->step *= 4; // one head is longer than what was read
            return true;
        }
        if (err == ERR_AGAIN && length != in.length)
            return true; // read on from here
        if (err != 0)
            return false;
        uint64_t whole = head.head_length + head.payload_length;
        if (whole > reader->until - reader->at)
            return false;
        buf_reserve(&reader->heads, head.head_length);
        buf_append(reader->heads, in.data, head.head_length);
        reader->at += whole;
        if (!bytes_skip(&in, whole < in.length ? (size_t)whole : in.length))
            return false;
    }
    return true;
}

static bool date_heads(struct reader *reader)
{
    const struct opened *opened = reader->request.opened;
    struct buf *heads = reader->heads;
    return !opened->name.offset_s ||
           cmaf_shift_heads(heads->data, heads->length, opened->tracks, opened->name.offset_s) == 0;
}

static void give_heads(struct reader *reader, struct buf *buf)
{
    if (buf->length == 0 || !take_heads(reader, buf_bytes(buf)) ||
        (reader->at >= reader->until && !date_heads(reader))) {
        leave_out(reader, "damaged");
    } else if (reader->at >= reader->until) {
        reader->heads_ready = true;
        tracks_unref(&reader->tracks);
        reader->tracks = tracks_ref(reader->request.opened->tracks);
        note_info(reader);
    }
}

// ---- reading -----------------------------------------------------------------------------------

static void give(struct reader *reader, struct buf **buf)
{
    if (reader->what == HISTORY_WHOLE) {
        take_segment(reader, buf);
    } else {
        give_heads(reader, *buf);
        buf_unref(buf);
    }
}

static void run(struct request *request);

static void on_read(void *arg, const struct file_result *result)
{
    struct reader *reader = arg;
    reader->op = NULL;
    reader->reading = false;
    request_answered(&reader->request);
    if (result->err != 0) {
        leave_out(reader, err_name(result->err));
    } else {
        struct buf *buf = buf_ref(result->data);
        give(reader, &buf);
    }
    run(&reader->request);
}

// The segment, or the next piece of the walk over its heads.
static void read_on(struct reader *reader)
{
    struct opened *opened = reader->request.opened;
    const struct index_entry *entry = current(reader);
    uint64_t offset = entry->offset;
    size_t length = entry->bytes;
    if (reader->what == HISTORY_HEADS) {
        if (!reader->heads) {
            reader->heads = buf_new(entry->head_bytes);
            reader->at = entry->offset;
            reader->until = entry->offset + entry->bytes;
            reader->step = entry->head_bytes / entry->parts;
            reader->step += reader->step / 4 + 512; // heads differ a little
            if (entry->bytes <= HEADS_WHOLE_MAX || reader->step > entry->bytes / entry->parts)
                reader->step = entry->bytes;
        }
        offset = reader->at;
        uint64_t left = reader->until - reader->at;
        length = reader->step < left ? reader->step : (size_t)left;
    }
    struct buf *buf;
    if (length <= CACHED_MAX && file_read_cached(opened->file, offset, length, &buf) == 0) {
        give(reader, &buf);
        return;
    }
    reader->op = file_read(opened->file, offset, length, on_read, reader);
    reader->reading = reader->op != NULL;
    if (reader->reading)
        request_await(&reader->request);
    else
        leave_out(reader, err_name(ERR_LIMIT));
}

static void fill(struct reader *reader)
{
    struct request *request = &reader->request;
    while (!is_ready(reader) && !reader->ended && !reader->reading) {
        bool fresh;
        int err = request_hour(request, OPENED_INDEX | OPENED_MEDIA, &fresh);
        if (err == ERR_AGAIN)
            return;
        if (err != 0) {
            reader->ended = true;
            return;
        }
        const struct index *index = request->opened->index;
        if (fresh)
            reader->entry = index_find(index, request->from_us);
        for (; reader->entry < index->count &&
               archive_hides(request->archive, request->cursor, current(reader));
             reader->entry++)
            reader->gap = true;
        if (reader->entry >= index->count || current(reader)->utc_start_us >= request->to_us)
            request_leave_hour(request);
        else if (!take_kept(reader))
            read_on(reader);
    }
}

// ---- giving ------------------------------------------------------------------------------------

// False when the request is gone.
static bool deliver(struct reader *reader)
{
    struct request *request = &reader->request;
    if (!reader->asked)
        return true;
    if (is_ready(reader)) {
        reader->asked = false;
        request->archive->segments_read++;
        if (reader->segment) {
            struct segment *segment = reader->segment;
            reader->segment = NULL;
            reader->events.on_segment(request->arg, &segment);
        } else {
            struct buf *heads = reader->heads;
            struct tracks *tracks = tracks_ref(reader->tracks);
            reader->heads = NULL;
            reader->heads_ready = false;
            reader->events.on_heads(request->arg, &reader->info, tracks, buf_bytes(heads));
            buf_unref(&heads);
            tracks_unref(&tracks);
        }
    } else if (reader->ended) {
        reader->asked = false;
        reader->events.on_end(request->arg, 0);
        request_free(request);
    }
    return !request->dead;
}

static void run(struct request *request)
{
    struct reader *reader = reader_of(request);
    fill(reader);
    if (!deliver(reader))
        return;
    fill(reader); // ahead
    // Asked for more from inside the callback: in a later turn.
    if (reader->asked && (is_ready(reader) || reader->ended))
        request_wake(request);
}

static void end(struct request *request, int err)
{
    struct reader *reader = reader_of(request);
    reader->events.on_end(request->arg, err);
}

static void fini(struct request *request)
{
    struct reader *reader = reader_of(request);
    file_op_cancel(&reader->op);
    segment_unref(&reader->segment);
    buf_unref(&reader->heads);
    tracks_unref(&reader->tracks);
}

static const struct request_ops reader_ops = {.run = run, .end = end, .fini = fini};

struct history_request *reader_new(struct archive *archive, int64_t from_us, int64_t to_us,
                                   enum history_what what, const struct history_events *events,
                                   void *arg)
{
    struct reader *reader =
        (struct reader *)request_new(archive, sizeof *reader, &reader_ops, from_us, to_us, arg);
    reader->what = what;
    reader->events = *events;
    reader->asked = true;
    return &reader->request.base;
}

void reader_next(struct request *request)
{
    struct reader *reader = reader_of(request);
    if (request->dead || reader->asked)
        return;
    reader->asked = true;
    request_wake(request);
}
