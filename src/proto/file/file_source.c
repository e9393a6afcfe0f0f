// SPDX-License-Identifier: MIT
// A file as a live stream: opens, finds out what it is, lets a reader run ahead of time, gives the
// frames out when they are due, and begins again at the end.
//
// States: opening -> looking at the first bytes -> reading -> opening again (the next loop) ...
// Whatever fails is told by source_lost, once.
//
// 1. The file is opened anew for each loop: one that was replaced or has grown is taken as it is
// then.
// 2. A reader is at most READ_AHEAD_US of media ahead, or READ_AHEAD_BYTES.
// 3. Output time = time in the file + shift. The shift of a loop is that of the one before plus the
//    longest span of a track: no track overlaps itself, all keep their distance.
// 4. A jump of time inside a file is taken out: the track goes on by its usual step, and the other
//    tracks follow when they come to it.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "file_priv.h"
#include "format/mp4_parse.h"
#include "io/file.h"
#include "io/timeout.h"
#include "media/timebase.h"

#define READ_AHEAD_US (2 * US_PER_S)
#define READ_AHEAD_BYTES (32u << 20)
// A step of time larger than this, or backwards, is a jump.
#define JUMP_US (3 * US_PER_S)
// Frames that are later than this wait for nothing any more: the disk was slow, time goes on from
// now.
#define LATE_US (US_PER_S / 2)
#define USUAL_STEP_US 40000LL
// So much is read before the first frame goes out: tracks may lie apart in a file.
#define START_US (US_PER_S / 2)
enum { LOOK_BYTES = 4096, TS_PACKET = 188, TS_SYNC = 0x47 };

// A frame that is read and not yet due, or the tracks of those that follow.
struct item {
    struct list_node node;
    struct frame *frame;   // one reference, or NULL
    struct tracks *tracks; // one reference, or NULL
    int64_t out_us;        // of a frame
};

// Of one loop:
struct file_track {
    bool started;                               // a frame was given; video: a key frame
    int64_t shift_us;                           // output minus file time
    int64_t first_us, end_us, last_us, step_us; // output times; end: of the last frame's duration
};

struct file_source {
    struct source *source;
    struct loop *loop;
    char *path; // owned
    struct file_queue *queue;
    struct file *file;          // NULL while it is opened
    struct file_op *op;         // opening, looking
    struct file_reader *reader; // NULL before the first bytes were looked at
    bool reading;               // the reader was asked for more
    bool failed;
    unsigned loops;        // finished
    unsigned loop_frames;  // of this loop
    struct tracks *tracks; // of the frames that are added; one reference, NULL before the first
    struct file_track track[TRACKS_MAX];
    int64_t base_us;  // output time at which this loop begins
    int64_t shift_us; // the newest shift, see 4.
    bool has_shift;
    struct list items;
    size_t item_bytes;
    bool anchored;
    int64_t anchor_us; // monotonic time of output time 0
    struct timeout due;
};

static void file_begin(struct file_source *file);
static void want_more(struct file_source *file);

// ---- giving out --------------------------------------------------------------------------------

static void item_free(struct item *item)
{
    frame_unref(&item->frame);
    tracks_unref(&item->tracks);
    mem_free(item);
}

static void item_give(struct file_source *file, struct item *item, int64_t now)
{
    if (item->tracks) {
        source_tracks(file->source, &item->tracks);
    } else {
        item->frame->arrived_us = now;
        file->item_bytes -= item->frame->length;
        source_push_frame(file->source, &item->frame);
    }
    item_free(item);
}

// Media that wait to be given out.
static int64_t ahead_us(const struct file_source *file)
{
    int64_t from = INT64_MAX, to = INT64_MAX;
    LIST_FOREACH(&file->items, it, after)
    {
        const struct item *item = LIST_OWNER(it, struct item, node);
        if (item->frame) {
            from = item->out_us;
            break;
        }
    }
    const struct list_node *last = list_last(&file->items);
    if (last && LIST_OWNER(last, struct item, node)->frame)
        to = LIST_OWNER(last, struct item, node)->out_us;
    return to > from ? to - from : 0;
}

static void on_due(void *arg)
{
    struct file_source *file = arg;
    int64_t now = now_us();
    if (!file->anchored && file->reading && ahead_us(file) < START_US)
        return; // the next frame that is read comes here again
    while (!list_empty(&file->items) && !file->failed) {
        struct item *item = LIST_OWNER(list_first(&file->items), struct item, node);
        if (!file->anchored && item->frame) {
            file->anchored = true;
            file->anchor_us = now - item->out_us;
        }
        int64_t due = item->frame ? file->anchor_us + item->out_us : now;
        if (due > now) {
            timeout_start_at(&file->due, due);
            break;
        }
        if (now - due > LATE_US) {
            log_debug(source_name(file->source), "late by=%ldms", (long)((now - due) / US_PER_MS));
            file->anchor_us += now - due;
        }
        list_remove(&file->items, &item->node);
        item_give(file, item, now);
    }
    want_more(file);
}

static void want_more(struct file_source *file)
{
    if (file->failed || file->reading || !file->reader || ahead_us(file) >= READ_AHEAD_US ||
        file->item_bytes >= READ_AHEAD_BYTES)
        return;
    file->reading = true;
    file->reader->ops->more(file->reader);
}

// In the order of output time, but never in front of the tracks it belongs to.
static void item_add(struct file_source *file, struct item *item)
{
    struct list_node *at = &file->items.head;
    while (item->frame && at->prev != &file->items.head) {
        const struct item *before = LIST_OWNER(at->prev, struct item, node);
        if (!before->frame || before->out_us <= item->out_us)
            break;
        at = at->prev;
    }
    list_insert_before(&file->items, at, &item->node);
    if (!timeout_active(&file->due))
        timeout_start(&file->due, 0);
}

// ---- from readers ------------------------------------------------------------------------------

const char *file_source_name(const struct file_source *file)
{
    return source_name(file->source);
}

bool file_source_first_loop(const struct file_source *file)
{
    return file->loops == 0;
}

void file_source_tracks(struct file_source *file, struct tracks *tracks)
{
    if (file->tracks && tracks_equal(file->tracks, tracks))
        return;
    tracks_unref(&file->tracks);
    file->tracks = tracks_ref(tracks);
    struct item *item = mem_alloc(sizeof(*item));
    item->tracks = tracks_ref(tracks);
    item_add(file, item);
}

// Output time of a frame at `us` of the file; see 3 and 4.
static int64_t output_time(struct file_source *file, struct file_track *track, int64_t us)
{
    if (!file->has_shift) {
        file->has_shift = true;
        file->shift_us = file->base_us - us;
    }
    if (!track->started) {
        track->shift_us = file->shift_us;
        return us + track->shift_us;
    }
    int64_t expected = track->last_us + track->step_us;
    int64_t out = us + track->shift_us;
    if (out > track->last_us && out < expected + JUMP_US)
        return out;
    int64_t joined = us + file->shift_us;
    if (joined <= track->last_us || joined > expected + JUMP_US)
        file->shift_us = expected - us;
    track->shift_us = file->shift_us;
    return us + track->shift_us;
}

void file_source_frame(struct file_source *file, struct frame **frame)
{
    struct frame *given = *frame;
    *frame = NULL;
    ENSURE(file->tracks && given->track < file->tracks->count);
    const struct track *info = &file->tracks->track[given->track];
    struct file_track *track = &file->track[given->track];
    // Each loop begins with a key frame: what comes before it needs pictures that are not there.
    if (!track->started && info->kind == MEDIA_VIDEO && !frame_is_key(given)) {
        frame_unref(&given);
        return;
    }
    int64_t us = ticks_to_us(given->dts, info->timescale);
    int64_t out = output_time(file, track, us);
    if (track->started && out > track->last_us)
        track->step_us = out - track->last_us;
    else if (!track->started)
        track->first_us = out;
    track->started = true;
    track->last_us = out;
    int64_t duration_us = ticks_to_us(given->duration, info->timescale);
    // The last access unit of sound may be said to be shorter than it is: players cut it there.
    if (given->duration == 0 || (info->kind == MEDIA_AUDIO && duration_us < track->step_us))
        duration_us = track->step_us;
    track->end_us = out + duration_us;
    // Only the shift is rounded, so that steps stay as they are in the file.
    given->dts += ticks_from_us(track->shift_us, info->timescale);
    struct item *item = mem_alloc(sizeof(*item));
    item->frame = given;
    item->out_us = out;
    file->item_bytes += given->length;
    file->loop_frames++;
    item_add(file, item);
}

void file_source_error(struct file_source *file)
{
    source_count_error(file->source);
}

void file_source_bytes(struct file_source *file, size_t count)
{
    source_count_bytes(file->source, count);
}

void file_source_done(struct file_source *file)
{
    file->reading = false;
    want_more(file);
}

static void let_go(struct file_source *file)
{
    file_op_cancel(&file->op);
    if (file->reader)
        file->reader->ops->free(file->reader);
    file->reader = NULL;
    file->reading = false;
    file_close(&file->file);
}

void file_source_fail(struct file_source *file, enum reason reason, const char *detail)
{
    if (file->failed)
        return;
    file->failed = true;
    timeout_stop(&file->due);
    source_lost(file->source, reason, detail);
}

void file_source_end(struct file_source *file)
{
    if (file->failed)
        return;
    if (file->loop_frames == 0) {
        file_source_fail(file, REASON_NO_MEDIA, "there is no frame in the file");
        return;
    }
    int64_t longest = USUAL_STEP_US; // of a single picture without a duration
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        const struct file_track *track = &file->track[i];
        if (track->started && track->end_us - track->first_us > longest)
            longest = track->end_us - track->first_us;
    }
    log_debug(source_name(file->source), "looped frames=%u duration=%.3fs", file->loop_frames,
              (double)longest / US_PER_S);
    file->base_us += longest;
    file->has_shift = false;
    file->loops++;
    file->loop_frames = 0;
    memset(file->track, 0, sizeof(file->track));
    let_go(file);
    file_begin(file);
}

// ---- opening -----------------------------------------------------------------------------------

static void fail_os(struct file_source *file, const struct file_result *result)
{
    char detail[96];
    if (result->err == ERR_NOT_FOUND) {
        file_source_fail(file, REASON_NOT_FOUND, "there is no such file");
        return;
    }
    text_copy(detail, sizeof(detail),
              result->os_error ? strerror(result->os_error) : err_name(result->err));
    file_source_fail(file, REASON_IO, detail);
}

static bool is_ts(struct bytes in)
{
    for (size_t at = 0; at < TS_PACKET && at + 2 * TS_PACKET < in.length; at++)
        if (in.data[at] == TS_SYNC && in.data[at + TS_PACKET] == TS_SYNC &&
            in.data[at + 2 * TS_PACKET] == TS_SYNC)
            return true;
    return false;
}

static bool is_mp4(struct bytes in)
{
    static const char first[][5] = {"ftyp", "moov", "mdat", "free", "skip", "wide", "styp", "pnot"};
    char type[5];
    uint64_t size;
    if (mp4_box_peek(in, type, &size) < 0)
        return false;
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        if (strcmp(type, first[i]) == 0)
            return true;
    return false;
}

// By content: a name says what somebody hoped for.
static void on_look(void *arg, const struct file_result *result)
{
    struct file_source *file = arg;
    file->op = NULL;
    if (result->err < 0) {
        fail_os(file, result);
        return;
    }
    struct bytes in = buf_bytes(result->data);
    if (in.length == 0) {
        file_source_fail(file, REASON_NO_MEDIA, "the file is empty");
        return;
    }
    if (is_mp4(in))
        file->reader = file_mp4_new(file, file->file);
    else if (is_ts(in))
        file->reader = file_ts_new(file, file->file);
    if (!file->reader) {
        file_source_fail(file, REASON_UNSUPPORTED, "the file is neither MP4 nor MPEG-TS");
        return;
    }
    if (file->loops == 0)
        log_info(source_name(file->source), "opened format=%s", file->reader->ops->name);
    want_more(file);
}

static void on_opened(void *arg, const struct file_result *result)
{
    struct file_source *file = arg;
    file->op = NULL;
    if (result->err < 0) {
        fail_os(file, result);
        return;
    }
    file->file = result->file;
    file->op = file_read(file->file, 0, LOOK_BYTES, on_look, file);
    if (!file->op)
        file_source_fail(file, REASON_LIMIT, "too many file operations");
}

static void file_begin(struct file_source *file)
{
    file->op = file_open(file->queue, file->path, O_RDONLY, 0, on_opened, file);
    if (!file->op)
        file_source_fail(file, REASON_LIMIT, "too many file operations");
}

// ---- life --------------------------------------------------------------------------------------

static void stop(struct source *source)
{
    struct file_source *file = source_engine(source);
    struct list_node *node;
    timeout_stop(&file->due);
    let_go(file);
    file_queue_free(&file->queue);
    while ((node = list_take_first(&file->items)))
        item_free(LIST_OWNER(node, struct item, node));
    tracks_unref(&file->tracks);
    mem_free(file->path);
    mem_free(file);
}

static const struct source_ops ops = {.stop = stop};

int file_pull(const struct protocol_env *env, struct source *source)
{
    struct url url;
    const char *why;
    if (url_parse(source_input(source)->url, &url, &why) < 0 || url.host[0] || !url.path[0])
        return ERR_INVALID;
    struct file_source *file = mem_alloc(sizeof(*file));
    file->source = source;
    file->loop = env->loop;
    file->path = mem_strdup(url.path);
    if (!url_decode(file->path)) { // a name with a '%' of its own
        mem_free(file->path);
        file->path = mem_strdup(url.path);
    }
    // A queue, and so a thread, of its own: a disk that hangs holds up nobody else.
    file->queue = file_queue_new(env->loop, "input", 1);
    list_init(&file->items);
    timeout_init(&file->due, env->loop, on_due, file);
    source_set_engine(source, &ops, file);
    file_begin(file);
    return 0;
}
