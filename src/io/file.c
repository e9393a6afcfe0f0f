// SPDX-License-Identifier: MIT
// The loop's side of the file system: submitting, completing, bounds, stopping.
//
// 1. An op is in `outstanding` from its submission until its completion has been delivered; in that
//    time it is also in a worker's queue, in a worker's hands, or in `completed`.
// 2. Ops with the same key go to the same worker, whose queue is first in, first out.
// 3. Everything that is counted (ops, bufs, chains) is made and freed here, never by a worker.
// 4. A file's memory goes with the completion of its close, so no earlier op can still need it.
// 5. The eventfd belongs to what threads share, not to the loop: a worker that comes back from a
//    hung disk after the queue and the loop are gone harms nobody.
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "file_priv.h"
#include "loop_priv.h"

#define QUEUE_MAGIC 0x46515545u
#define FILE_MAGIC 0x46494c45u
enum { WORKER_STACK = 1 << 20 };

struct file_queue {
    uint32_t magic;
    struct loop *loop;
    char *name;
    unsigned threads;
    bool started;
    bool closing; // file_queue_free was called
    bool delivering;
    struct file_shared *shared;
    struct ev_io watcher; // shared->event
    struct list outstanding;
    struct file_stats stats; // oldest_us is computed when asked for
    struct defer gone;
};

// ---- queue -------------------------------------------------------------------------------------

static struct file_shared *shared_new(unsigned threads)
{
    struct file_shared *shared = calloc(1, sizeof(*shared));
    ENSURE(shared != NULL);
    pthread_mutex_init(&shared->lock, NULL);
    list_init(&shared->completed);
    shared->users = 1;
    shared->workers = threads;
    shared->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ENSURE(shared->event >= 0);
    for (unsigned i = 0; i < FILE_THREADS_MAX; i++) {
        shared->worker[i].shared = shared;
        list_init(&shared->worker[i].queue);
        pthread_cond_init(&shared->worker[i].wake, NULL);
    }
    return shared;
}

// Signals are the loop's: workers have all of them blocked.
static void start_workers(struct file_queue *queue)
{
    queue->started = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (unsigned i = 0; i < queue->threads; i++)
        file_worker_start(&queue->shared->worker[i], &attributes);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void deliver(struct file_queue *queue);

static void on_event(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    deliver(watcher->data);
}

struct file_queue *file_queue_new(struct loop *loop, const char *name, unsigned threads)
{
    ENSURE(threads >= 1 && threads <= FILE_THREADS_MAX);
    struct file_queue *queue = mem_alloc(sizeof(*queue));
    queue->magic = QUEUE_MAGIC;
    queue->loop = loop;
    queue->name = mem_strdup(name);
    queue->threads = threads;
    queue->shared = shared_new(threads);
    list_init(&queue->outstanding);
    ev_io_init(&queue->watcher, on_event, queue->shared->event, EV_READ);
    queue->watcher.data = queue;
    ev_io_start(loop->ev, &queue->watcher);
    return queue;
}

static void queue_gone(void *arg)
{
    struct file_queue *queue = arg;
    ev_io_stop(queue->loop->ev, &queue->watcher);
    struct file_shared *shared = queue->shared;
    pthread_mutex_lock(&shared->lock);
    shared->stopping = true;
    for (unsigned i = 0; i < shared->workers; i++)
        pthread_cond_signal(&shared->worker[i].wake);
    file_shared_leave(shared);
    queue->magic = 0;
    mem_free(queue->name);
    mem_free(queue);
}

static void queue_end_when_done(struct file_queue *queue)
{
    if (queue->closing && list_empty(&queue->outstanding))
        loop_defer(queue->loop, &queue->gone, queue_gone, queue);
}

void file_queue_free(struct file_queue **where)
{
    struct file_queue *queue = *where;
    *where = NULL;
    if (!queue)
        return;
    OBJ_CHECK(queue, QUEUE_MAGIC);
    queue->closing = true;
    if (!queue->delivering)
        deliver(queue); // what is complete needs no further turn
    queue_end_when_done(queue);
}

bool file_queue_flush(struct file_queue *queue, int64_t timeout_us)
{
    OBJ_CHECK(queue, QUEUE_MAGIC);
    ENSURE(!queue->delivering);
    // A timer of the system: tests may have stopped now_us, and this really waits.
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec limit = {
        .it_value = {.tv_sec = timeout_us / US_PER_S, .tv_nsec = timeout_us % US_PER_S * 1000 + 1}};
    ENSURE(timer >= 0 && timerfd_settime(timer, 0, &limit, NULL) == 0);
    struct pollfd fds[2] = {{.fd = queue->shared->event, .events = POLLIN},
                            {.fd = timer, .events = POLLIN}};
    while (!list_empty(&queue->outstanding) && !(fds[1].revents & POLLIN)) {
        file_workers_help();
        if (poll(fds, 2, -1) > 0)
            deliver(queue);
    }
    close(timer);
    return list_empty(&queue->outstanding);
}

void file_queue_stats(const struct file_queue *queue, struct file_stats *out)
{
    OBJ_CHECK(queue, QUEUE_MAGIC);
    *out = queue->stats;
    struct list_node *first = list_first(&queue->outstanding);
    if (first)
        out->oldest_us = now_us() - LIST_OWNER(first, struct file_op, outstanding)->submitted_us;
}

// ---- completion --------------------------------------------------------------------------------

static void free_raw(void *arg)
{
    free(arg);
}

static void op_free(struct file_op *op)
{
    chain_fini(&op->chain);
    buf_unref(&op->data);
    free(op->raw);
    mem_free(op->path);
    mem_free(op->other);
    mem_free(op->stop);
    mem_free(op);
}

static void complete(struct file_queue *queue, struct file_op *op)
{
    list_remove(&queue->outstanding, &op->outstanding);
    queue->stats.queued--;
    queue->stats.done++;
    queue->stats.failed += op->err != 0;
    if (op->kind == FILE_WRITE || op->kind == FILE_REPLACE)
        queue->stats.bytes_queued -= op->chain.bytes;
    if (op->raw) {
        op->data = buf_new_foreign(op->raw, op->raw_length, free_raw, op->raw);
        op->raw = NULL;
    }
    struct file_result result = {
        .err = op->err, .os_error = op->os_error, .value = op->value, .data = op->data};
    bool wanted = op->done && !op->cancelled && !queue->closing;
    if (op->kind == FILE_OPEN) {
        if (op->err != 0)
            mem_free(op->file);
        else if (wanted)
            result.file = op->file;
        else
            file_close(&op->file);
    }
    if (op->kind == FILE_CLOSE) {
        if (op->err != 0)
            log_warn(queue->name, "close failed errno=%d", op->os_error);
        mem_free(op->file);
    }
    if (wanted)
        op->done(op->arg, &result);
    op_free(op);
}

static void deliver(struct file_queue *queue)
{
    struct file_shared *shared = queue->shared;
    uint64_t count;
    queue->delivering = true;
    pthread_mutex_lock(&shared->lock);
    ssize_t got = read(shared->event, &count, sizeof(count));
    (void)got; // nothing to read: flush was here before, or its time is over
    struct list ready;
    list_init(&ready);
    struct list_node *node;
    while ((node = list_take_first(&shared->completed)))
        list_append(&ready, node);
    pthread_mutex_unlock(&shared->lock);
    while ((node = list_take_first(&ready)))
        complete(queue, LIST_OWNER(node, struct file_op, node));
    queue->delivering = false;
    queue_end_when_done(queue);
}

// ---- submission --------------------------------------------------------------------------------

static uint32_t key_of(const char *path)
{
    uint32_t hash = 2166136261u; // FNV-1a
    for (const char *at = path; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return hash;
}

// The op to fill, or NULL when the queue is full.
static struct file_op *op_new(struct file_queue *queue, enum file_kind kind, file_done_fn done,
                              void *arg)
{
    OBJ_CHECK(queue, QUEUE_MAGIC);
    ENSURE(!queue->closing || kind == FILE_CLOSE);
    if (queue->stats.queued >= FILE_QUEUE_MAX && kind != FILE_CLOSE) {
        queue->stats.refused++;
        return NULL;
    }
    struct file_op *op = mem_alloc(sizeof(*op));
    op->queue = queue;
    op->kind = kind;
    op->done = done;
    op->arg = arg;
    op->submitted_us = now_us();
    return op;
}

static struct file_op *op_submit(struct file_op *op, struct file_worker *worker)
{
    struct file_queue *queue = op->queue;
    list_append(&queue->outstanding, &op->outstanding);
    queue->stats.queued++;
    if (!queue->started)
        start_workers(queue);
    pthread_mutex_lock(&queue->shared->lock);
    list_append(&worker->queue, &op->node);
    worker->count++;
    pthread_mutex_unlock(&queue->shared->lock);
    file_worker_wake(worker);
    return op;
}

static struct file_op *submit_by_key(struct file_op *op, uint32_t key)
{
    return op_submit(op, &op->queue->shared->worker[key % op->queue->threads]);
}

static struct file_op *path_op(struct file_queue *queue, enum file_kind kind, const char *path,
                               file_done_fn done, void *arg)
{
    struct file_op *op = op_new(queue, kind, done, arg);
    if (op)
        op->path = mem_strdup(path);
    return op;
}

static struct file_op *submit_path(struct file_op *op)
{
    return op ? submit_by_key(op, key_of(op->path)) : NULL;
}

static struct file_op *file_op_of(struct file *file, enum file_kind kind, file_done_fn done,
                                  void *arg)
{
    OBJ_CHECK(file, FILE_MAGIC);
    struct file_op *op = op_new(file->queue, kind, done, arg);
    if (op)
        op->file = file;
    return op;
}

// Moves the chain into the op; NULL and an empty chain when there is no op or no room.
static struct file_op *with_chain(struct file_queue *queue, struct file_op *op, struct chain *chain)
{
    if (op && queue->stats.bytes_queued + chain->bytes > FILE_QUEUE_BYTES_MAX) {
        queue->stats.refused++;
        op_free(op);
        op = NULL;
    }
    if (op) {
        chain_move(&op->chain, chain);
        queue->stats.bytes_queued += op->chain.bytes;
    }
    chain_fini(chain);
    return op;
}

static struct file_op *open_op(struct file_queue *queue, const char *path, file_done_fn done,
                               void *arg)
{
    struct file_op *op = path_op(queue, FILE_OPEN, path, done, arg);
    if (!op)
        return NULL;
    op->file = mem_alloc(sizeof(*op->file));
    op->file->magic = FILE_MAGIC;
    op->file->queue = queue;
    op->file->key = key_of(path);
    op->file->descriptor = -1;
    return op;
}

struct file_op *file_open(struct file_queue *queue, const char *path, int flags, unsigned mode,
                          file_done_fn done, void *arg)
{
    struct file_op *op = open_op(queue, path, done, arg);
    if (!op)
        return NULL;
    op->flags = flags;
    op->mode = mode;
    return submit_path(op);
}

struct file_op *file_lock(struct file_queue *queue, const char *path, const char *text,
                          file_done_fn done, void *arg)
{
    struct file_op *op = open_op(queue, path, done, arg);
    if (op)
        op->other = mem_strdup(text);
    return submit_path(op);
}

void file_close(struct file **where)
{
    struct file *file = *where;
    *where = NULL;
    if (!file)
        return;
    struct file_op *op = file_op_of(file, FILE_CLOSE, NULL, NULL);
    file->magic = 0; // of no more use to anyone but the worker
    submit_by_key(op, file->key);
}

static struct file_op *write_op(struct file *file, uint64_t offset, struct chain *chain,
                                file_done_fn done, void *arg)
{
    struct file_op *op = file_op_of(file, FILE_WRITE, done, arg);
    op = with_chain(file->queue, op, chain);
    if (!op)
        return NULL;
    op->offset = offset;
    return submit_by_key(op, file->key);
}

struct file_op *file_append(struct file *file, struct chain *chain, file_done_fn done, void *arg)
{
    return write_op(file, FILE_AT_END, chain, done, arg);
}

struct file_op *file_write_at(struct file *file, uint64_t offset, struct chain *chain,
                              file_done_fn done, void *arg)
{
    ENSURE(offset != FILE_AT_END);
    return write_op(file, offset, chain, done, arg);
}

struct file_op *file_read(struct file *file, uint64_t offset, size_t length, file_done_fn done,
                          void *arg)
{
    struct file_op *op = file_op_of(file, FILE_READ, done, arg);
    if (!op)
        return NULL;
    op->offset = offset;
    op->length = length;
    op->data = buf_try_new(length);
    if (!op->data) {
        file->queue->stats.refused++;
        op_free(op);
        return NULL;
    }
    return submit_by_key(op, file->key);
}

int file_read_cached(struct file *file, uint64_t offset, size_t length, struct buf **out)
{
    OBJ_CHECK(file, FILE_MAGIC);
    *out = NULL;
    struct buf *buf = buf_try_new(length);
    if (!buf)
        return ERR_AGAIN;
    while (buf->length < length) {
        ssize_t got = file_calls_now()->read_now(file->descriptor, buf->data + buf->length,
                                                 length - buf->length, offset + buf->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) { // not cached, or a file system that cannot tell
            buf_unref(&buf);
            return ERR_AGAIN;
        }
        if (got == 0)
            break;
        buf->length += (size_t)got;
    }
    *out = buf;
    return 0;
}

struct file_op *file_sync(struct file *file, file_done_fn done, void *arg)
{
    struct file_op *op = file_op_of(file, FILE_SYNC, done, arg);
    return op ? submit_by_key(op, file->key) : NULL;
}

struct file_op *file_truncate(struct file *file, uint64_t length, file_done_fn done, void *arg)
{
    struct file_op *op = file_op_of(file, FILE_TRUNCATE, done, arg);
    if (!op)
        return NULL;
    op->offset = length;
    return submit_by_key(op, file->key);
}

struct file_op *file_punch(struct file *file, uint64_t offset, uint64_t length, file_done_fn done,
                           void *arg)
{
    struct file_op *op = file_op_of(file, FILE_PUNCH, done, arg);
    if (!op)
        return NULL;
    op->offset = offset;
    op->length = length;
    return submit_by_key(op, file->key);
}

struct file_op *file_read_whole(struct file_queue *queue, const char *path, size_t most,
                                file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_READ_WHOLE, path, done, arg);
    if (op)
        op->length = most;
    return submit_path(op);
}

struct file_op *file_replace(struct file_queue *queue, const char *path, struct chain *chain,
                             file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_REPLACE, path, done, arg);
    return submit_path(with_chain(queue, op, chain));
}

struct file_op *file_rename(struct file_queue *queue, const char *from, const char *to,
                            file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_RENAME, from, done, arg);
    if (op)
        op->other = mem_strdup(to);
    return submit_path(op);
}

struct file_op *file_move(struct file_queue *queue, const char *from, const char *to,
                          const char *stop, file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_MOVE, from, done, arg);
    if (op) {
        op->other = mem_strdup(to);
        op->stop = mem_strdup(stop);
    }
    return submit_path(op);
}

struct file_op *file_remove(struct file_queue *queue, const char *path, const char *stop,
                            file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_REMOVE, path, done, arg);
    if (op && stop)
        op->other = mem_strdup(stop);
    return submit_path(op);
}

struct file_op *file_make_folders(struct file_queue *queue, const char *path, file_done_fn done,
                                  void *arg)
{
    return submit_path(path_op(queue, FILE_MAKE_FOLDERS, path, done, arg));
}

static struct file_op *list_op(struct file_queue *queue, const char *path, int flags,
                               file_done_fn done, void *arg)
{
    struct file_op *op = path_op(queue, FILE_LIST, path, done, arg);
    if (op)
        op->flags = flags;
    return submit_path(op);
}

struct file_op *file_list(struct file_queue *queue, const char *path, file_done_fn done, void *arg)
{
    return list_op(queue, path, 0, done, arg);
}

struct file_op *file_list_used(struct file_queue *queue, const char *path, file_done_fn done,
                               void *arg)
{
    return list_op(queue, path, FILE_LIST_USED, done, arg);
}

struct file_op *file_names(struct file_queue *queue, const char *path, file_done_fn done, void *arg)
{
    return list_op(queue, path, FILE_LIST_NAMES, done, arg);
}

struct file_op *file_disk_usage(struct file_queue *queue, const char *path, file_done_fn done,
                                void *arg)
{
    return submit_path(path_op(queue, FILE_DISK_USAGE, path, done, arg));
}

struct file_op *file_mount(struct file_queue *queue, const char *path, file_done_fn done, void *arg)
{
    return submit_path(path_op(queue, FILE_MOUNT, path, done, arg));
}

struct file_op *file_run(struct file_queue *queue, int64_t (*fn)(void *fn_arg), void *fn_arg,
                         file_done_fn done, void *arg)
{
    struct file_op *op = op_new(queue, FILE_RUN, done, arg);
    if (!op)
        return NULL;
    op->fn = fn;
    op->fn_arg = fn_arg;
    // It has no path to keep order with: to the worker with the least to do.
    struct file_worker *least = &queue->shared->worker[0];
    pthread_mutex_lock(&queue->shared->lock);
    for (unsigned i = 1; i < queue->threads; i++) {
        if (queue->shared->worker[i].count < least->count)
            least = &queue->shared->worker[i];
    }
    pthread_mutex_unlock(&queue->shared->lock);
    return op_submit(op, least);
}

void file_op_cancel(struct file_op **where)
{
    struct file_op *op = *where;
    *where = NULL;
    if (!op)
        return;
    pthread_mutex_lock(&op->queue->shared->lock);
    op->cancelled = true;
    pthread_mutex_unlock(&op->queue->shared->lock);
}
