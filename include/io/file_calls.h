// SPDX-License-Identifier: MIT
// The system calls of io/file, as a table that tests replace to fail, shorten, delay or hold the
// n-th of them (tests/support/file_faults.h). All run in worker threads except read_now.
#ifndef IO_FILE_CALLS_H
#define IO_FILE_CALLS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

// Each returns what the system call of that name returns: -1 and errno when it failed.
struct file_calls {
    int (*open)(const char *path, int flags, unsigned mode);
    int (*close)(int descriptor);
    ssize_t (*write_at)(int descriptor, const struct iovec *vectors, int count, uint64_t offset);
    ssize_t (*read_at)(int descriptor, void *data, size_t length, uint64_t offset);
    ssize_t (*read_now)(int descriptor, void *data, size_t length, uint64_t offset); // RWF_NOWAIT
    int (*sync)(int descriptor); // fdatasync; of a folder fsync
    int (*truncate)(int descriptor, uint64_t length);
    int (*punch)(int descriptor, uint64_t offset, uint64_t length); // FALLOC_FL_PUNCH_HOLE
    int (*rename)(const char *from, const char *to);
    int (*rename_new)(const char *from, const char *to); // EEXIST: never over another
    int (*unlink)(const char *path);
    int (*rmdir)(const char *path);
    int (*mkdir)(const char *path, unsigned mode);
    int (*stat)(const char *path, struct stat *out);
    int (*fstat)(int descriptor, struct stat *out);
    int (*statvfs)(const char *path, struct statvfs *out);
    int (*scandir)(const char *path, struct dirent ***entries,
                   int (*wanted)(const struct dirent *entry),
                   int (*compare)(const struct dirent **a, const struct dirent **b));
    // file_lock_now.
    int (*lock)(const char *path, const char *text, char *other, size_t room);
    // statx: whether something is mounted at the path itself, and the device it is on.
    int (*mounted_at)(const char *path, bool *mounted, uint64_t *device);
};

extern const struct file_calls file_calls_system;
// NULL: the system's. Set it while no operation is under way.
void file_set_calls_test(const struct file_calls *calls);

// Workers without threads, for tests that choose the order of everything
// (tests/support/file_hand.h). `queued` is called with the worker that an operation was given to,
// once for each; `flush` is to run what is queued. NULL: threads again. Set it while there is no
// queue.
struct file_worker;
void file_set_workers_test(void (*queued)(struct file_worker *worker), void (*flush)(void));
// Runs the first operation of the worker; false when none is queued.
bool file_worker_step_test(struct file_worker *worker);

#endif
