// SPDX-License-Identifier: MIT
#include "file_faults.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/file_calls.h"

struct fault {
    unsigned count; // calls so far
    unsigned fail_at;
    bool fail_all, held;
    int error;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static struct fault faults[FAULT_CALLS];
static unsigned short_at, waiting;
static size_t short_bytes, space = SIZE_MAX;
static bool uncached_now;
static const struct file_calls *under = &file_calls_system;
static char only_under[512];

// What file_faults_mount says is mounted besides what is; the device there.
static struct {
    char path[512];
    uint64_t device;
} mount_told;

static bool strikes(struct fault *fault)
{
    fault->count++;
    if (!fault->fail_at)
        return false;
    return fault->fail_all ? fault->count >= fault->fail_at : fault->count == fault->fail_at;
}

// True when the call is to fail; errno is set.
static bool fails(enum fault_call call)
{
    pthread_mutex_lock(&lock);
    waiting++;
    while (faults[call].held || faults[FAULT_ANY].held)
        pthread_cond_wait(&released, &lock);
    waiting--;
    int error = 0;
    if (strikes(&faults[call]))
        error = faults[call].error;
    if (strikes(&faults[FAULT_ANY]))
        error = faults[FAULT_ANY].error;
    pthread_mutex_unlock(&lock);
    if (error)
        errno = error;
    return error != 0;
}

// Whether faults are for files under another path than this one's.
static bool path_elsewhere(const char *path)
{
    pthread_mutex_lock(&lock);
    bool elsewhere = only_under[0] && strncmp(path, only_under, strlen(only_under)) != 0;
    pthread_mutex_unlock(&lock);
    return elsewhere;
}

static bool elsewhere(int descriptor)
{
    char name[64], path[512];
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return path_elsewhere(path);
}

void file_faults_only_under(const char *path)
{
    pthread_mutex_lock(&lock);
    (void)snprintf(only_under, sizeof only_under, "%s", path ? path : "");
    pthread_mutex_unlock(&lock);
}

static int faulty_open(const char *path, int flags, unsigned mode)
{
    return !path_elsewhere(path) && fails(FAULT_OPEN) ? -1 : under->open(path, flags, mode);
}

static int faulty_close(int descriptor)
{
    bool failed = fails(FAULT_CLOSE);
    int error = errno;
    int result = under->close(descriptor); // the descriptor is gone either way
    if (!failed)
        return result;
    errno = error;
    return -1;
}

static ssize_t faulty_write_at(int descriptor, const struct iovec *vectors, int count,
                               uint64_t offset)
{
    if (elsewhere(descriptor))
        return under->write_at(descriptor, vectors, count, offset);
    if (fails(FAULT_WRITE))
        return -1;
    pthread_mutex_lock(&lock);
    size_t most = faults[FAULT_WRITE].count == short_at ? short_bytes : SIZE_MAX;
    bool full = space == 0;
    if (most > space)
        most = space;
    pthread_mutex_unlock(&lock);
    if (full) {
        errno = ENOSPC;
        return -1;
    }
    struct iovec cut[64];
    int used = 0;
    for (; used < count && most > 0; used++) {
        cut[used] = vectors[used];
        if (cut[used].iov_len > most)
            cut[used].iov_len = most;
        if (most != SIZE_MAX)
            most -= cut[used].iov_len;
    }
    ssize_t written = used ? under->write_at(descriptor, cut, used, offset) : 0;
    pthread_mutex_lock(&lock);
    if (written > 0 && space != SIZE_MAX)
        space -= (size_t)written;
    pthread_mutex_unlock(&lock);
    return written;
}

static ssize_t faulty_read_at(int descriptor, void *data, size_t length, uint64_t offset)
{
    return fails(FAULT_READ) ? -1 : under->read_at(descriptor, data, length, offset);
}

static ssize_t faulty_read_now(int descriptor, void *data, size_t length, uint64_t offset)
{
    if (!uncached_now)
        return under->read_now(descriptor, data, length, offset);
    errno = EAGAIN;
    return -1;
}

static int faulty_sync(int descriptor)
{
    return !elsewhere(descriptor) && fails(FAULT_SYNC) ? -1 : under->sync(descriptor);
}

static int faulty_truncate(int descriptor, uint64_t length)
{
    return fails(FAULT_TRUNCATE) ? -1 : under->truncate(descriptor, length);
}

static int faulty_punch(int descriptor, uint64_t offset, uint64_t length)
{
    return fails(FAULT_PUNCH) ? -1 : under->punch(descriptor, offset, length);
}

static int faulty_rename(const char *from, const char *to)
{
    return fails(FAULT_RENAME) ? -1 : under->rename(from, to);
}

static int faulty_rename_new(const char *from, const char *to)
{
    return fails(FAULT_RENAME) ? -1 : under->rename_new(from, to);
}

static int faulty_unlink(const char *path)
{
    return fails(FAULT_UNLINK) ? -1 : under->unlink(path);
}

static int faulty_rmdir(const char *path)
{
    return fails(FAULT_RMDIR) ? -1 : under->rmdir(path);
}

static int faulty_mkdir(const char *path, unsigned mode)
{
    return fails(FAULT_MKDIR) ? -1 : under->mkdir(path, mode);
}

static int faulty_stat(const char *path, struct stat *out)
{
    return fails(FAULT_STAT) ? -1 : under->stat(path, out);
}

static int faulty_fstat(int descriptor, struct stat *out)
{
    return fails(FAULT_STAT) ? -1 : under->fstat(descriptor, out);
}

void file_faults_mount(const char *path, uint64_t device)
{
    pthread_mutex_lock(&lock);
    (void)snprintf(mount_told.path, sizeof mount_told.path, "%s", path ? path : "");
    mount_told.device = device;
    pthread_mutex_unlock(&lock);
}

static int faulty_lock(const char *path, const char *text, char *other, size_t room)
{
    return under->lock(path, text, other, room);
}

static int faulty_mounted_at(const char *path, bool *mounted, uint64_t *device)
{
    int result = under->mounted_at(path, mounted, device);
    pthread_mutex_lock(&lock);
    size_t length = strlen(mount_told.path);
    if (result == 0 && length && strncmp(path, mount_told.path, length) == 0 &&
        (path[length] == '/' || !path[length])) {
        *mounted = !path[length];
        *device = mount_told.device;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int faulty_statvfs(const char *path, struct statvfs *out)
{
    return fails(FAULT_STATVFS) ? -1 : under->statvfs(path, out);
}

static int faulty_scandir(const char *path, struct dirent ***entries,
                          int (*wanted)(const struct dirent *entry),
                          int (*compare)(const struct dirent **a, const struct dirent **b))
{
    return fails(FAULT_LIST) ? -1 : under->scandir(path, entries, wanted, compare);
}

static const struct file_calls faulty = {
    .open = faulty_open,
    .close = faulty_close,
    .write_at = faulty_write_at,
    .read_at = faulty_read_at,
    .read_now = faulty_read_now,
    .sync = faulty_sync,
    .truncate = faulty_truncate,
    .punch = faulty_punch,
    .rename = faulty_rename,
    .rename_new = faulty_rename_new,
    .unlink = faulty_unlink,
    .rmdir = faulty_rmdir,
    .mkdir = faulty_mkdir,
    .stat = faulty_stat,
    .fstat = faulty_fstat,
    .statvfs = faulty_statvfs,
    .scandir = faulty_scandir,
    .lock = faulty_lock,
    .mounted_at = faulty_mounted_at,
};

static void reset(void)
{
    pthread_mutex_lock(&lock);
    memset(faults, 0, sizeof(faults));
    short_at = 0;
    space = SIZE_MAX;
    mount_told.path[0] = 0;
    only_under[0] = 0;
    uncached_now = false;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&lock);
}

void file_faults_install(void)
{
    file_faults_install_on(&file_calls_system);
}

void file_faults_install_on(const struct file_calls *calls)
{
    under = calls;
    reset();
    file_set_calls_test(&faulty);
}

void file_faults_remove(void)
{
    reset();
    file_set_calls_test(NULL);
}

void file_faults_fail(enum fault_call call, unsigned nth, bool all, int error)
{
    pthread_mutex_lock(&lock);
    faults[call].fail_at = nth ? faults[call].count + nth : 0;
    faults[call].fail_all = all;
    faults[call].error = error;
    pthread_mutex_unlock(&lock);
}

void file_faults_shorten_write(unsigned nth, size_t bytes)
{
    pthread_mutex_lock(&lock);
    short_at = faults[FAULT_WRITE].count + nth;
    short_bytes = bytes;
    pthread_mutex_unlock(&lock);
}

void file_faults_hold(enum fault_call call, bool held)
{
    pthread_mutex_lock(&lock);
    faults[call].held = held;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&lock);
}

unsigned file_faults_waiting(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = waiting;
    pthread_mutex_unlock(&lock);
    return count;
}

void file_faults_space(size_t bytes)
{
    pthread_mutex_lock(&lock);
    space = bytes;
    pthread_mutex_unlock(&lock);
}

void file_faults_uncached(bool uncached)
{
    uncached_now = uncached; // read by the loop's thread only
}

unsigned file_faults_count(enum fault_call call)
{
    pthread_mutex_lock(&lock);
    unsigned count = faults[call].count;
    pthread_mutex_unlock(&lock);
    return count;
}
