// SPDX-License-Identifier: MIT
// The worker threads of io/file: system calls and nothing else.
//
// 1. A worker touches the op it runs, the file of that op, and `shared` under its lock.
// 2. Memory made here comes from malloc (raw, never base/mem, whose counters belong to the loop)
//    and is handed over with the op.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "file_priv.h"

enum { VECTORS = 64, PATH_ROOM = 4096 };

// ---- system calls ------------------------------------------------------------------------------

static int system_open(const char *path, int flags, unsigned mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

static ssize_t system_write_at(int descriptor, const struct iovec *vectors, int count,
                               uint64_t offset)
{
    return pwritev(descriptor, vectors, count, (off_t)offset);
}

static ssize_t system_read_at(int descriptor, void *data, size_t length, uint64_t offset)
{
    return pread(descriptor, data, length, (off_t)offset);
}

static ssize_t system_read_now(int descriptor, void *data, size_t length, uint64_t offset)
{
    struct iovec vector = {data, length};
    return preadv2(descriptor, &vector, 1, (off_t)offset, RWF_NOWAIT);
}

static int system_truncate(int descriptor, uint64_t length)
{
    return ftruncate(descriptor, (off_t)length);
}

static int system_punch(int descriptor, uint64_t offset, uint64_t length)
{
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                     (off_t)length);
}

static int system_mkdir(const char *path, unsigned mode)
{
    return mkdir(path, mode);
}

static int system_stat(const char *path, struct stat *out)
{
    return stat(path, out);
}

static int system_fstat(int descriptor, struct stat *out)
{
    return fstat(descriptor, out);
}

// Names of files live in their folder's data: fdatasync may leave some of what it needs behind.
static int system_sync(int descriptor)
{
    struct stat found;
    bool folder = fstat(descriptor, &found) == 0 && S_ISDIR(found.st_mode);
    return folder ? fsync(descriptor) : fdatasync(descriptor);
}

// Where the file system cannot do it in one step, it is done in two.
static int system_rename_new(const char *from, const char *to)
{
    struct stat found;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (lstat(to, &found) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static int system_mounted_at(const char *path, bool *mounted, uint64_t *device)
{
    struct statx found;
    if (statx(AT_FDCWD, path, 0, STATX_TYPE, &found) != 0)
        return -1;
    *mounted = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    *device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor;
    return 0;
}

const struct file_calls file_calls_system = {
    .open = system_open,
    .close = close,
    .write_at = system_write_at,
    .read_at = system_read_at,
    .read_now = system_read_now,
    .sync = system_sync,
    .truncate = system_truncate,
    .punch = system_punch,
    .rename = rename,
    .rename_new = system_rename_new,
    .unlink = unlink,
    .rmdir = rmdir,
    .mkdir = system_mkdir,
    .stat = system_stat,
    .fstat = system_fstat,
    .statvfs = statvfs,
    .scandir = scandir,
    .lock = file_lock_now,
    .mounted_at = system_mounted_at,
};

static const struct file_calls *_Atomic calls = &file_calls_system;

void file_set_calls_test(const struct file_calls *wanted)
{
    atomic_store(&calls, wanted ? wanted : &file_calls_system);
}

const struct file_calls *file_calls_now(void)
{
    return atomic_load(&calls);
}

// ---- pieces ------------------------------------------------------------------------------------
// These return 0 or an errno.

// Makes the folders of path; with_last: the last component too.
static int make_folders(const struct file_calls *call, const char *path, bool with_last)
{
    char text[PATH_ROOM];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(text))
        return ENAMETOOLONG;
    memcpy(text, path, length + 1);
    for (char *at = text + 1;; at++) {
        if (*at != '/' && *at != 0)
            continue;
        bool last = *at == 0;
        if (last && !with_last)
            return 0;
        *at = 0;
        if (call->mkdir(text, 0755) != 0 && errno != EEXIST) {
            // A folder above may exist that we are not allowed to make.
            struct stat found;
            int error = errno;
            if (call->stat(text, &found) != 0)
                return error;
        }
        if (last)
            return 0;
        *at = '/';
    }
}

static int vectors_from(const struct chain *chain, size_t skip, struct iovec *vectors)
{
    int count = 0;
    for (size_t i = 0; i < chain->count && count < VECTORS; i++) {
        const struct chain_slice *slice = &chain->slices[chain->first + i];
        if (skip >= slice->length) {
            skip -= slice->length;
            continue;
        }
        vectors[count].iov_base = slice->buf->data + slice->offset + skip;
        vectors[count].iov_len = slice->length - skip;
        skip = 0;
        count++;
    }
    return count;
}

static int write_all(const struct file_calls *call, int descriptor, const struct chain *chain,
                     uint64_t offset, size_t *written)
{
    *written = 0;
    while (*written < chain->bytes) {
        struct iovec vectors[VECTORS];
        int count = vectors_from(chain, *written, vectors);
        ssize_t taken = call->write_at(descriptor, vectors, count, offset + *written);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            return taken < 0 ? errno : ENOSPC;
        *written += (size_t)taken;
    }
    return 0;
}

static int read_all(const struct file_calls *call, int descriptor, uint8_t *data, size_t length,
                    uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < length) {
        ssize_t some = call->read_at(descriptor, data + *got, length - *got, offset + *got);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return errno;
        if (some == 0)
            break;
        *got += (size_t)some;
    }
    return 0;
}

static int error_now(int result)
{
    return result == 0 ? 0 : errno;
}

// ---- operations --------------------------------------------------------------------------------
// Each returns 0 or an errno.

static int run_lock(const struct file_calls *call, struct file_op *op)
{
    char other[FILE_LOCK_TEXT];
    op->file->descriptor = call->lock(op->path, op->other, other, sizeof(other));
    if (op->file->descriptor >= 0)
        return 0;
    int error = errno;
    if (error == EEXIST && (op->raw = malloc(sizeof(other)))) {
        op->raw_length = strlen(other);
        memcpy(op->raw, other, op->raw_length);
    }
    return error;
}

static int run_open(const struct file_calls *call, struct file_op *op)
{
    int descriptor = call->open(op->path, op->flags, op->mode);
    if (descriptor < 0 && errno == ENOENT && (op->flags & O_CREAT)) {
        int error = make_folders(call, op->path, false);
        if (error)
            return error;
        descriptor = call->open(op->path, op->flags, op->mode);
    }
    if (descriptor < 0)
        return errno;
    struct stat found;
    if (call->fstat(descriptor, &found) != 0) {
        int error = errno;
        call->close(descriptor);
        return error;
    }
    op->file->descriptor = descriptor;
    op->file->end = (uint64_t)found.st_size;
    op->value = found.st_size;
    return 0;
}

static int run_write(const struct file_calls *call, struct file_op *op)
{
    bool append = op->offset == FILE_AT_END;
    uint64_t offset = append ? op->file->end : op->offset;
    size_t written;
    int error = write_all(call, op->file->descriptor, &op->chain, offset, &written);
    op->value = (int64_t)written;
    if (append)
        op->file->end += written;
    return error;
}

static int run_read(const struct file_calls *call, struct file_op *op)
{
    int error = read_all(call, op->file->descriptor, op->data->data, op->length, op->offset,
                         &op->data->length);
    op->value = (int64_t)op->data->length;
    return error;
}

static int run_truncate(const struct file_calls *call, struct file_op *op)
{
    int error = error_now(call->truncate(op->file->descriptor, op->offset));
    if (!error)
        op->file->end = op->offset;
    return error;
}

static int run_punch(const struct file_calls *call, struct file_op *op)
{
    struct stat found;
    if (call->punch(op->file->descriptor, op->offset, op->length) != 0 ||
        call->fstat(op->file->descriptor, &found) != 0)
        return errno;
    op->value = (int64_t)found.st_blocks * FILE_BLOCK;
    return 0;
}

static int read_descriptor(const struct file_calls *call, struct file_op *op, int descriptor)
{
    struct stat found;
    if (call->fstat(descriptor, &found) != 0)
        return errno;
    if (found.st_size < 0 || (uint64_t)found.st_size > op->length) {
        op->err = ERR_LIMIT;
        return EFBIG;
    }
    op->raw = malloc((size_t)found.st_size + 1);
    if (!op->raw)
        return ENOMEM;
    int error = read_all(call, descriptor, op->raw, (size_t)found.st_size, 0, &op->raw_length);
    op->value = (int64_t)op->raw_length;
    return error;
}

static int run_read_whole(const struct file_calls *call, struct file_op *op)
{
    int descriptor = call->open(op->path, O_RDONLY, 0);
    if (descriptor < 0)
        return errno;
    int error = read_descriptor(call, op, descriptor);
    call->close(descriptor);
    return error;
}

static int sync_folder_of(const struct file_calls *call, const char *path)
{
    char folder[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 1;
    if (length == 0)
        length = 1; // "/name"
    memcpy(folder, slash ? path : ".", length);
    folder[length] = 0;
    int descriptor = call->open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (descriptor < 0)
        return errno;
    int error = error_now(call->sync(descriptor));
    call->close(descriptor);
    return error;
}

static int run_replace(const struct file_calls *call, struct file_op *op)
{
    char beside[PATH_ROOM];
    int length = snprintf(beside, sizeof(beside), "%s.new", op->path);
    if (length < 0 || (size_t)length >= sizeof(beside))
        return ENAMETOOLONG;
    int descriptor = call->open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (descriptor < 0)
        return errno;
    size_t written;
    int error = write_all(call, descriptor, &op->chain, 0, &written);
    op->value = (int64_t)written;
    if (!error)
        error = error_now(call->sync(descriptor));
    int closed = error_now(call->close(descriptor));
    if (!error)
        error = closed;
    if (!error)
        error = error_now(call->rename(beside, op->path));
    if (error) {
        call->unlink(beside);
        return error;
    }
    return sync_folder_of(call, op->path);
}

// Removes the folders above `path` that are empty, below `stop`.
static void remove_folders(const struct file_calls *call, const char *path, const char *stop)
{
    char folder[PATH_ROOM];
    size_t floor = strlen(stop), length = strlen(path);
    if (length >= sizeof(folder) || length <= floor || strncmp(path, stop, floor) != 0)
        return;
    memcpy(folder, path, length + 1);
    for (;;) {
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) <= floor)
            return;
        *slash = 0;
        if (call->rmdir(folder) != 0)
            return; // not empty, usually
    }
}

static int run_remove(const struct file_calls *call, struct file_op *op)
{
    struct stat found;
    if (call->stat(op->path, &found) != 0)
        return errno;
    if (call->unlink(op->path) != 0)
        return errno;
    op->value = (int64_t)found.st_blocks * FILE_BLOCK;
    if (op->other)
        remove_folders(call, op->path, op->other);
    return 0;
}

static int run_move(const struct file_calls *call, struct file_op *op)
{
    int error = make_folders(call, op->other, false);
    if (!error)
        error = error_now(call->rename_new(op->path, op->other));
    if (error)
        return error;
    (void)sync_folder_of(call, op->other); // either name is right until it is safe
    remove_folders(call, op->path, op->stop);
    return 0;
}

static int run_disk_usage(const struct file_calls *call, struct file_op *op)
{
    struct statvfs disk;
    struct stat found;
    if (call->statvfs(op->path, &disk) != 0 || call->stat(op->path, &found) != 0)
        return errno;
    uint64_t used = (uint64_t)disk.f_blocks - disk.f_bfree;
    uint64_t usable = used + disk.f_bavail; // what root keeps for itself is not ours to fill
    uint64_t out[3] = {(uint64_t)disk.f_blocks * disk.f_frsize,
                       (uint64_t)disk.f_bavail * disk.f_frsize, (uint64_t)found.st_dev};
    op->raw = malloc(sizeof(out));
    if (!op->raw)
        return ENOMEM;
    memcpy(op->raw, out, sizeof(out));
    op->raw_length = sizeof(out);
    op->value = usable ? (int64_t)((double)used * 1000. / (double)usable + 0.5) : 1000;
    return 0;
}

static int look_at_mount(const struct file_calls *call, const char *of, uint64_t device[2],
                         size_t *mount)
{
    char path[PATH_ROOM];
    bool mounted, have_device = false;
    size_t length = strlen(of);
    if (length == 0 || length >= sizeof(path) || of[0] != '/')
        return ENAMETOOLONG;
    memcpy(path, of, length + 1);
    if (call->mounted_at("/", &mounted, &device[1]) != 0)
        return errno;
    while (length > 1) {
        uint64_t here;
        if (call->mounted_at(path, &mounted, &here) == 0) {
            if (!have_device)
                device[0] = here;
            have_device = true;
            if (mounted)
                break;
        } else if (errno != ENOENT) {
            return errno;
        }
        char *slash = strrchr(path, '/');
        length = slash > path ? (size_t)(slash - path) : 1;
        path[length] = 0;
    }
    if (!have_device)
        device[0] = device[1];
    *mount = length;
    return 0;
}

int file_mount_now(const char *path, uint64_t device[2], size_t *mount)
{
    return look_at_mount(&file_calls_system, path, device, mount) == 0 ? 0 : ERR_IO;
}

static int run_mount(const struct file_calls *call, struct file_op *op)
{
    uint64_t device[2];
    size_t mount;
    int error = look_at_mount(call, op->path, device, &mount);
    if (error)
        return error;
    op->raw_length = sizeof(device);
    op->raw = malloc(sizeof(device));
    if (!op->raw)
        return ENOMEM;
    memcpy(op->raw, device, sizeof(device));
    op->value = (int64_t)mount;
    return 0;
}

// ---- the thread --------------------------------------------------------------------------------

static int run_call(const struct file_calls *call, struct file_op *op)
{
    switch (op->kind) {
    case FILE_OPEN:
        return op->other ? run_lock(call, op) : run_open(call, op);
    case FILE_CLOSE:
        return error_now(call->close(op->file->descriptor));
    case FILE_WRITE:
        return run_write(call, op);
    case FILE_READ:
        return run_read(call, op);
    case FILE_SYNC:
        return error_now(call->sync(op->file->descriptor));
    case FILE_TRUNCATE:
        return run_truncate(call, op);
    case FILE_PUNCH:
        return run_punch(call, op);
    case FILE_READ_WHOLE:
        return run_read_whole(call, op);
    case FILE_REPLACE:
        return run_replace(call, op);
    case FILE_RENAME:
        return error_now(call->rename(op->path, op->other));
    case FILE_MOVE:
        return run_move(call, op);
    case FILE_REMOVE:
        return run_remove(call, op);
    case FILE_MOUNT:
        return run_mount(call, op);
    case FILE_MAKE_FOLDERS:
        return make_folders(call, op->path, true);
    case FILE_LIST:
        return file_list_run(call, op);
    case FILE_DISK_USAGE:
        return run_disk_usage(call, op);
    case FILE_RUN:
        op->value = op->fn(op->fn_arg);
        op->err = op->value < 0 ? (int)op->value : 0;
        return 0;
    }
    return ENOSYS;
}

static void run_op(struct file_op *op)
{
    op->os_error = run_call(file_calls_now(), op);
    if (op->os_error == 0 || op->err != 0)
        return;
    if (op->os_error == ENOENT || op->os_error == ENOTDIR)
        op->err = ERR_NOT_FOUND;
    else
        op->err = op->os_error == EEXIST ? ERR_EXISTS : ERR_IO;
}

static bool may_skip(const struct file_op *op)
{
    return op->cancelled &&
           (op->kind == FILE_READ || op->kind == FILE_READ_WHOLE || op->kind == FILE_LIST ||
            op->kind == FILE_DISK_USAGE || op->kind == FILE_MOUNT);
}

void file_shared_leave(struct file_shared *shared)
{
    bool last = --shared->users == 0;
    pthread_mutex_unlock(&shared->lock);
    if (!last)
        return;
    close(shared->event);
    pthread_mutex_destroy(&shared->lock);
    for (unsigned i = 0; i < FILE_THREADS_MAX; i++)
        pthread_cond_destroy(&shared->worker[i].wake);
    free(shared);
}

// With the lock held, given back meanwhile: runs the first op. False when there is none.
static bool run_first(struct file_worker *worker)
{
    struct file_shared *shared = worker->shared;
    struct list_node *node = list_take_first(&worker->queue);
    if (!node)
        return false;
    struct file_op *op = LIST_OWNER(node, struct file_op, node);
    bool skip = may_skip(op);
    pthread_mutex_unlock(&shared->lock);
    if (!skip)
        run_op(op);
    pthread_mutex_lock(&shared->lock);
    worker->count--;
    bool first = list_empty(&shared->completed);
    list_append(&shared->completed, &op->node);
    uint64_t one = 1;
    if (first && write(shared->event, &one, sizeof(one)) < 0)
        return true; // the counter is full: the event is set
    return true;
}

static void *worker_main(void *arg)
{
    struct file_worker *worker = arg;
    struct file_shared *shared = worker->shared;
    pthread_mutex_lock(&shared->lock);
    while (run_first(worker) || !shared->stopping) {
        if (list_empty(&worker->queue) && !shared->stopping)
            pthread_cond_wait(&worker->wake, &shared->lock);
    }
    file_shared_leave(shared);
    return NULL;
}

static void (*by_hand)(struct file_worker *worker);
static void (*flush_by_hand)(void);

void file_set_workers_test(void (*queued)(struct file_worker *worker), void (*flush)(void))
{
    by_hand = queued;
    flush_by_hand = flush;
}

void file_worker_start(struct file_worker *worker, const pthread_attr_t *attributes)
{
    if (by_hand)
        return;
    pthread_mutex_lock(&worker->shared->lock);
    worker->shared->users++;
    pthread_mutex_unlock(&worker->shared->lock);
    pthread_t thread;
    int error = pthread_create(&thread, attributes, worker_main, worker);
    ENSURE(error == 0);
    pthread_setname_np(thread, "file");
}

void file_worker_wake(struct file_worker *worker)
{
    if (by_hand)
        by_hand(worker);
    else
        pthread_cond_signal(&worker->wake);
}

bool file_worker_step_test(struct file_worker *worker)
{
    pthread_mutex_lock(&worker->shared->lock);
    bool ran = run_first(worker);
    pthread_mutex_unlock(&worker->shared->lock);
    return ran;
}

void file_workers_help(void)
{
    if (flush_by_hand)
        flush_by_hand();
}
