// SPDX-License-Identifier: MIT
// Exports: a stretch of the past written to a file of this server, by jobs that nobody needs to
// wait for.
//
// States of a job: TABLES (reading heads) -> WRITING (head, then segment by segment: each is asked
// for when the one before is on the disk) -> SAVING (sync, then the name) -> DONE, FAILED or
// CANCELLED.
//
// 1. One operation at a time is under way: of history, or of the disk. One of the disk is never
//    cancelled: a job that ended meanwhile lives until it is done, and cleans up then.
// 2. The file is NAME.part, made with O_EXCL, until it is whole. Nothing is ever overwritten; what
//    is not whole is removed, what a server that was killed has left by the next one (sweep).
// 3. Names stay below env->export_path; without that nothing is written at all. Who may begin, see
//    and end jobs: http_may_change.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http.h"
#include "io/file.h"
#include "io/timeout.h"
#include "mp4_export_disk.h"
#include "mp4_layout.h"
#include "mp4_priv.h"
#include "stream/protocol.h"
#include "stream/stream.h"

enum {
    RUNNING_MOST = 4, // more would only wait for the same disk
    KEPT_MOST = 100,  // jobs that are over, for who asks later
    PATH_MOST = 1024,
    PIECE_BYTES = 1 << 20, // of the tables, written at a time
};
#define STREAMS "streamer/api/v3/streams/"
#define JOBS "/streamer/api/v3/dvr_export_jobs"
#define SECONDS_MOST (1LL << 40)

enum job_state { JOB_TABLES, JOB_WRITING, JOB_SAVING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job {
    struct list_node node;
    const struct protocol_env *env;
    uint64_t id;
    enum job_state state;
    char stream[STREAM_NAME_MAX];
    char path[PATH_MOST], part[PATH_MOST]; // below export_path
    const char *name;                      // in path, as it was asked for
    struct mp4_wanted wanted;
    struct mp4_layout layout;
    uint64_t at, length;
    int reading_segment; // that on_segment will bring
    struct history_request *reading;
    struct file *file;
    struct file_op *op;
    const char *why; // it failed
    bool gone;       // forgotten: to be freed when `op` is done
};

static struct list jobs;
static uint64_t next_id;
static unsigned running;
static struct file_queue *queue; // one thread: all in the order of submission; NULL at first

// The folder that was swept last. It is touched by the worker from when it is submitted until it
// is done.
static struct sweep {
    const struct protocol_env *env;
    struct timeout soon; // after the start, when the configuration is known
    char folder[PATH_MOST];
    int lock; // descriptor, -1: none
    int old;  // lock of the folder before, to be closed
    bool under_way;
} sweep = {.lock = -1, .old = -1};

static bool is_over(const struct job *job)
{
    return job->state >= JOB_DONE;
}

// ---- the end -----------------------------------------------------------------------------------

static void job_forget(struct job *job)
{
    list_remove(&jobs, &job->node);
    job->gone = job->op != NULL;
    if (!job->gone)
        mem_free(job);
}

static void forget_oldest(void)
{
    LIST_FOREACH(&jobs, node, next)
    {
        struct job *job = LIST_OWNER(node, struct job, node);
        if (jobs.count <= KEPT_MOST)
            return;
        if (is_over(job))
            job_forget(job);
    }
}

// The operation of the job is done. True when the job has ended meanwhile: it may be gone now.
static bool op_done(struct job *job)
{
    job->op = NULL;
    if (!is_over(job))
        return false;
    if (job->gone)
        mem_free(job);
    return true;
}

static void remove_file(const char *path)
{
    (void)file_remove(queue, path, NULL, NULL, NULL);
}

static void job_end(struct job *job, enum job_state state, const char *why)
{
    if (is_over(job))
        return;
    bool partial = job->file != NULL && state != JOB_DONE;
    history_cancel(&job->reading);
    file_close(&job->file);
    if (partial)
        remove_file(job->part);
    mp4_layout_fini(&job->layout);
    job->state = state;
    job->why = why;
    running--;
    if (state == JOB_FAILED)
        log_error("export", "stream=%s failed file=%s detail=\"%s\"", job->stream, job->name, why);
    else
        log_info("export", "stream=%s %s file=%s bytes=%llu", job->stream,
                 state == JOB_DONE ? "done" : "cancelled", job->name, (unsigned long long)job->at);
}

static const char *disk_says(const struct file_result *result)
{
    switch (result->os_error) {
    case 0:
        return err_name(result->err);
    case ENOSPC:
    case EDQUOT:
        return "the disk is full";
    default: {
        const char *text = strerrordesc_np(result->os_error);
        return text ? text : err_name(result->err);
    }
    }
}

// ---- saving ------------------------------------------------------------------------------------

// In a worker.
static int64_t name_it(void *arg)
{
    const struct job *job = arg;
    return export_name_now(job->part, job->path);
}

static void on_named(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    if (result->err || is_over(job)) // cancelled a moment too late, or not named
        remove_file(result->err ? job->part : job->path);
    if (op_done(job))
        return;
    if (result->err) {
        job_end(job, JOB_FAILED,
                result->err == ERR_EXISTS ? "a file of this name is there"
                                          : "the file could not be given its name");
    } else {
        job_end(job, JOB_DONE, NULL);
    }
}

static void on_synced(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    if (op_done(job))
        return;
    if (result->err) {
        job_end(job, JOB_FAILED, disk_says(result));
        return;
    }
    file_close(&job->file);
    job->op = file_run(queue, name_it, job, on_named, job);
    if (!job->op)
        job_end(job, JOB_FAILED, "the disk is too slow");
}

// ---- writing -----------------------------------------------------------------------------------

static void go_on(struct job *job);

static void on_written(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    if (op_done(job))
        return;
    if (result->err) {
        job_end(job, JOB_FAILED, disk_says(result));
        return;
    }
    job->at += (uint64_t)result->value;
    go_on(job);
}

static void append(struct job *job, struct chain *bytes)
{
    job->op = file_append(job->file, bytes, on_written, job);
    if (!job->op)
        job_end(job, JOB_FAILED, "the disk is too slow");
}

static void on_segment(void *arg, struct segment **segment)
{
    struct job *job = arg;
    struct chain bytes = {0};
    if ((*segment)->info.utc_start_us != job->layout.infos[job->reading_segment].utc_start_us) {
        segment_unref(segment); // not the one: the read began a little earlier
        history_next(job->reading);
        return;
    }
    int err = mp4_layout_payload(&job->layout, job->at, job->length, *segment, &bytes);
    segment_unref(segment);
    job->reading_segment++;
    if (err == 0) {
        append(job, &bytes);
        return;
    }
    chain_fini(&bytes);
    job_end(job, JOB_FAILED, "a segment has changed");
}

static void on_segments_end(void *arg, int err)
{
    struct job *job = arg;
    job->reading = NULL;
    // The last one is being written, or one that was laid out is gone.
    if (!job->op)
        job_end(job, JOB_FAILED, err ? err_name(err) : "a segment is gone");
}

static const struct history_events segment_events = {.on_segment = on_segment,
                                                     .on_end = on_segments_end};

static void ask_segment(struct job *job, int segment)
{
    if (job->reading && job->reading_segment == segment) {
        history_next(job->reading);
        return;
    }
    struct stream *stream = streams_get(job->env->streams, job->stream);
    struct history *history = stream ? stream_history(stream) : NULL;
    if (!history) {
        job_end(job, JOB_FAILED, "the archive is gone");
        return;
    }
    history_cancel(&job->reading);
    job->reading_segment = segment;
    job->reading = history_read(history, job->layout.infos[segment].utc_start_us,
                                job->layout.infos[job->layout.count - 1].utc_start_us + 1,
                                HISTORY_WHOLE, &segment_events, job);
}

static void go_on(struct job *job)
{
    if (job->at == job->length) {
        history_cancel(&job->reading);
        job->state = JOB_SAVING;
        job->op = file_sync(job->file, on_synced, job);
        if (!job->op)
            job_end(job, JOB_FAILED, "the disk is too slow");
        return;
    }
    struct bytes head;
    struct chain bytes = {0};
    int segment;
    uint64_t offset, length;
    mp4_file_at(job->layout.file, job->at, &head, &segment, &offset, &length);
    if (segment >= 0) {
        ask_segment(job, segment);
        return;
    }
    chain_add_copy(&bytes, head.data, head.length < PIECE_BYTES ? head.length : PIECE_BYTES);
    append(job, &bytes);
}

static void on_opened(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    struct file *file = result->file;
    if (file && is_over(job)) {
        file_close(&file);
        remove_file(job->part);
    }
    if (op_done(job))
        return;
    job->file = file;
    if (result->err) {
        job_end(job, JOB_FAILED,
                result->err == ERR_EXISTS ? "its .part file is there" : disk_says(result));
        return;
    }
    go_on(job);
}

// ---- tables ------------------------------------------------------------------------------------

// How much room there is: data has the bytes in all and those free.
static void on_room(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    uint64_t bytes[3] = {0};
    bool known = result->err == 0 && result->data && result->data->length >= sizeof bytes;
    if (known)
        memcpy(bytes, result->data->data, sizeof bytes);
    if (op_done(job))
        return;
    if (known && bytes[1] < job->length) {
        job_end(job, JOB_FAILED, "there is not enough room on the disk");
        return;
    }
    job->op =
        file_open(queue, job->part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644, on_opened, job);
    if (!job->op)
        job_end(job, JOB_FAILED, "the disk is too slow");
}

static void on_heads_end(void *arg, int err)
{
    struct job *job = arg;
    job->reading = NULL;
    if (err != 0 && err != ERR_NOT_FOUND) {
        job_end(job, JOB_FAILED, err_name(err));
        return;
    }
    if (mp4_layout_finish(&job->layout) != 0) {
        job_end(job, JOB_FAILED, "nothing is recorded there");
        return;
    }
    job->state = JOB_WRITING;
    job->length = mp4_file_length(job->layout.file);
    job->reading_segment = -1;
    job->op = file_disk_usage(queue, job->env->export_path, on_room, job);
    if (!job->op)
        job_end(job, JOB_FAILED, "the disk is too slow");
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    struct job *job = arg;
    int err = mp4_layout_add(&job->layout, info, tracks, heads);
    if (err != 0)
        job_end(job, JOB_FAILED, "too long a stretch for one file");
    else
        history_next(job->reading);
}

static const struct history_events heads_events = {.on_heads = on_heads, .on_end = on_heads_end};

// In a worker: a name that is taken is told before anything is read.
static int64_t is_there(void *arg)
{
    const struct job *job = arg;
    struct stat found;
    return lstat(job->path, &found) == 0 ? ERR_EXISTS : 0;
}

static void on_looked(void *arg, const struct file_result *result)
{
    struct job *job = arg;
    if (op_done(job))
        return;
    struct stream *stream = streams_get(job->env->streams, job->stream);
    struct history *history = stream ? stream_history(stream) : NULL;
    if (result->err || !history) {
        job_end(job, JOB_FAILED,
                result->err ? "a file of this name is there" : "the archive is gone");
        return;
    }
    job->reading = history_read(history, mp4_wanted_read_from(&job->wanted), job->wanted.to_us,
                                HISTORY_HEADS, &heads_events, job);
}

// ---- what was left -----------------------------------------------------------------------------

// In a worker.
static int64_t sweep_it(void *arg)
{
    (void)arg;
    if (sweep.old >= 0)
        (void)close(sweep.old); // another server may export there now
    sweep.old = -1;
    return export_sweep_now(sweep.folder, &sweep.lock);
}

static void on_swept(void *arg, const struct file_result *result)
{
    (void)arg;
    sweep.under_way = false;
    if (result->err == 0 && result->value > 0)
        log_warn("export", "removed=%lld folder=%s detail=\"files of exports that were cut off\"",
                 (long long)result->value, sweep.folder);
    else if (result->err == ERR_NOT_FOUND || result->err == ERR_IO)
        sweep.folder[0] = 0; // again with the next job, which makes the folder
}

// Once for each export_path, before anything is written there.
static void sweep_when_new(const struct protocol_env *env)
{
    if (sweep.under_way || !env->export_path[0] || strcmp(sweep.folder, env->export_path) == 0 ||
        !text_copy(sweep.folder, sizeof sweep.folder, env->export_path))
        return;
    if (!queue)
        queue = file_queue_new(env->loop, "export", 1);
    sweep.old = sweep.lock;
    sweep.lock = -1;
    sweep.under_way = file_run(queue, sweep_it, NULL, on_swept, NULL) != NULL;
}

static void on_soon(void *arg)
{
    sweep_when_new(arg);
}

// ---- asking ------------------------------------------------------------------------------------

static const char *state_name(enum job_state state)
{
    static const char *const names[] = {"starting", "running", "saving",
                                        "done",     "failed",  "cancelled"};
    return names[state];
}

static void write_job(struct json *json, const struct job *job)
{
    json_object_begin(json);
    json_key_int(json, "id", (int64_t)job->id);
    json_key_text(json, "stream", job->stream);
    json_key_text(json, "path", job->name);
    json_key_int(json, "from", job->wanted.from_us / US_PER_S);
    json_key_int(json, "duration", (job->wanted.to_us - job->wanted.from_us) / US_PER_S);
    json_key_text(json, "status", state_name(job->state));
    json_key_int(json, "bytes", (int64_t)job->at);
    json_key_int(json, "size", (int64_t)job->length);
    if (job->why)
        json_key_text(json, "reason", job->why);
    json_object_end(json);
}

static void respond_job(struct http_request *request, const struct job *job)
{
    struct writer writer = {0};
    struct json json;
    json_init(&json, &writer);
    write_job(&json, job);
    writer_text(&writer, "\n");
    struct buf *body = writer_take(&writer);
    http_set_header(request, "Cache-Control", "no-cache");
    http_respond(request, 200, "application/json", &body);
}

// Begins a job and answers with it.
static void begin(const struct protocol_env *env, struct http_request *request, const char *stream,
                  const struct mp4_wanted *wanted, const char *name)
{
    struct stream *found = streams_get(env->streams, stream);
    if (!env->export_path[0]) {
        http_respond_error(request, 403,
                           "nothing may be written here: there is no export_path in the "
                           "configuration");
        return;
    }
    if (!found || !stream_history(found)) {
        http_respond_error(request, 404, found ? "this stream has no archive" : "no such stream");
        return;
    }
    if (!export_name_is_good(name)) {
        http_respond_error(request, 400,
                           "expected a file name of letters, digits, '.', '-', '_' and '/' that "
                           "ends in .mp4");
        return;
    }
    if (running >= RUNNING_MOST) {
        http_respond_error(request, 503, "too many exports are under way");
        return;
    }
    struct job *job = mem_alloc(sizeof *job);
    job->env = env;
    if (!text_copy(job->stream, sizeof job->stream, stream) ||
        !text_format(job->path, sizeof job->path, "%s/%s", env->export_path, name) ||
        !text_format(job->part, sizeof job->part, "%s.part", job->path)) {
        mem_free(job);
        http_respond_error(request, 400, "too long a name");
        return;
    }
    LIST_FOREACH(&jobs, node, next)
    {
        const struct job *other = LIST_OWNER(node, struct job, node);
        if (!is_over(other) && strcmp(other->path, job->path) == 0) {
            mem_free(job);
            http_respond_error(request, 409, "this file is being written");
            return;
        }
    }
    if (!queue)
        queue = file_queue_new(env->loop, "export", 1);
    (void)file_make_folders(queue, env->export_path, NULL, NULL);
    sweep_when_new(env);
    job->id = ++next_id;
    job->name = job->path + strlen(env->export_path) + 1;
    job->wanted = *wanted;
    mp4_layout_init(&job->layout, wanted);
    list_append(&jobs, &job->node);
    running++;
    job->op = file_run(queue, is_there, job, on_looked, job);
    if (!job->op)
        job_end(job, JOB_FAILED, "the disk is too slow");
    forget_oldest();
    respond_job(request, job);
}

static bool read_number(const char *text, int64_t most, int64_t *out)
{
    return text_to_int(text, 1, most, out) == 0;
}

static bool range_of(int64_t from_s, int64_t duration_s, struct mp4_wanted *wanted)
{
    wanted->from_us = from_s * US_PER_S;
    wanted->to_us = (from_s + duration_s) * US_PER_S;
    return true;
}

// save-mp4-FROM-DURATION?file=NAME.mp4
void mp4_handle_save(void *arg, struct http_request *request)
{
    if (!http_may_change(request))
        return;
    char from[32], name[PATH_MOST];
    const char *tail = http_tail(request) + strlen("save-mp4-");
    const char *dash = strchr(tail, '-');
    int64_t from_s, duration_s;
    struct mp4_wanted wanted = {0};
    if (!dash || !text_copy_n(from, sizeof from, tail, (size_t)(dash - tail)) ||
        !read_number(from, SECONDS_MOST, &from_s) ||
        !read_number(dash + 1, MP4_DURATION_MOST_S, &duration_s) ||
        !range_of(from_s, duration_s, &wanted) || !mp4_wanted_lapse(request, &wanted) ||
        !http_query_get(request, "file", name, sizeof name)) {
        http_respond_error(request, 400,
                           "expected save-mp4-FROM-DURATION?file=NAME.mp4 in seconds, 12 hours at "
                           "most");
        return;
    }
    begin(arg, request, http_prefix(request), &wanted, name);
}

static bool query_number(const struct http_request *request, const char *key, int64_t most,
                         int64_t *out)
{
    char text[32];
    return http_query_get(request, key, text, sizeof text) && read_number(text, most, out);
}

// POST .../streams/NAME/dvr/export?from=&duration=&path=
void mp4_handle_export(void *arg, struct http_request *request)
{
    if (!http_may_change(request))
        return;
    char stream[STREAM_NAME_MAX], name[PATH_MOST];
    const char *tail = http_tail(request) + strlen(STREAMS);
    size_t length = strlen(tail) - strlen("/dvr/export");
    int64_t from_s, duration_s;
    struct mp4_wanted wanted = {0};
    if (!text_copy_n(stream, sizeof stream, tail, length)) {
        http_respond_error(request, 404, "no such stream");
        return;
    }
    if (!query_number(request, "from", SECONDS_MOST, &from_s) ||
        !query_number(request, "duration", MP4_DURATION_MOST_S, &duration_s) ||
        !range_of(from_s, duration_s, &wanted) || !mp4_wanted_lapse(request, &wanted) ||
        !http_query_get(request, "path", name, sizeof name)) {
        http_respond_error(request, 400,
                           "expected from, duration (seconds, 12 hours at most) and path");
        return;
    }
    begin(arg, request, stream, &wanted, name);
}

void mp4_handle_jobs(void *arg, struct http_request *request)
{
    (void)arg;
    if (!http_may_change(request))
        return;
    struct writer writer = {0};
    struct json json;
    json_init(&json, &writer);
    json_object_begin(&json);
    json_key(&json, "jobs");
    json_array_begin(&json);
    LIST_FOREACH(&jobs, node, next)
    {
        write_job(&json, LIST_OWNER(node, struct job, node));
    }
    json_array_end(&json);
    json_object_end(&json);
    writer_text(&writer, "\n");
    struct buf *body = writer_take(&writer);
    http_set_header(request, "Cache-Control", "no-cache");
    http_respond(request, 200, "application/json", &body);
}

// NULL when the request was answered.
static struct job *job_of(struct http_request *request)
{
    int64_t id;
    if (!http_may_change(request))
        return NULL;
    if (!read_number(http_path(request) + strlen(JOBS "/"), INT64_MAX / 2, &id))
        id = 0;
    LIST_FOREACH(&jobs, node, next)
    {
        struct job *job = LIST_OWNER(node, struct job, node);
        if (job->id == (uint64_t)id)
            return job;
    }
    http_respond_error(request, 404, "no such job");
    return NULL;
}

void mp4_handle_job(void *arg, struct http_request *request)
{
    (void)arg;
    struct job *job = job_of(request);
    if (job)
        respond_job(request, job);
}

void mp4_handle_job_delete(void *arg, struct http_request *request)
{
    (void)arg;
    struct job *job = job_of(request);
    struct buf *none = NULL;
    if (!job)
        return;
    if (is_over(job))
        job_forget(job);
    else
        job_end(job, JOB_CANCELLED, NULL);
    http_respond(request, 204, NULL, &none);
}

void mp4_export_init(const struct protocol_env *env)
{
    list_init(&jobs);
    timeout_init(&sweep.soon, env->loop, on_soon, (void *)env);
    timeout_start(&sweep.soon, US_PER_S);
}

void mp4_export_fini(void)
{
    struct list_node *node;
    while ((node = list_first(&jobs)) != NULL) {
        struct job *job = LIST_OWNER(node, struct job, node);
        job_end(job, JOB_CANCELLED, NULL);
        job_forget(job);
    }
    timeout_stop(&sweep.soon);
    if (queue) {
        // What a disk that hangs still holds is lost with its memory.
        (void)file_queue_flush(queue, US_PER_S);
        file_queue_free(&queue);
    }
    if (!sweep.under_way) { // else it hangs in the worker
        if (sweep.lock >= 0)
            (void)close(sweep.lock);
        sweep = (struct sweep){.lock = -1, .old = -1};
    }
    running = 0;
}
