// SPDX-License-Identifier: MIT
// Faults of the file system for tests of what stands on io/file: the n-th call fails, a write is
// short, a call hangs until released, the disk is full. Safe against the worker threads.
#ifndef TESTS_SUPPORT_FILE_FAULTS_H
#define TESTS_SUPPORT_FILE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_call {
    FAULT_OPEN,
    FAULT_CLOSE,
    FAULT_WRITE,
    FAULT_READ,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_PUNCH,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_RMDIR,
    FAULT_MKDIR,
    FAULT_STAT,
    FAULT_STATVFS,
    FAULT_LIST,
    FAULT_ANY, // counts every call of the kinds above
    FAULT_CALLS
};

// From here on calls are counted; no fault is set.
void file_faults_install(void);
// As much, over other calls than the system's (memory_disk.h).
struct file_calls;
void file_faults_install_on(const struct file_calls *calls);
// Back to the system's calls; releases what is held.
void file_faults_remove(void);
// The n-th call of that kind from now (1: the next) fails with the errno; `all` true: and every one
// after it. nth 0 takes the fault away.
void file_faults_fail(enum fault_call call, unsigned nth, bool all, int error);
// The n-th write from now takes only so many bytes (0 of them: none, which is an error).
void file_faults_shorten_write(unsigned nth, size_t bytes);
// Calls of that kind wait until held is false again.
void file_faults_hold(enum fault_call call, bool held);
// How many calls wait now.
unsigned file_faults_waiting(void);
// Room on the disk for writes from now on: then ENOSPC. SIZE_MAX: no bound.
void file_faults_space(size_t bytes);
// Something is mounted at the path (NULL: nothing any more), on that device.
void file_faults_mount(const char *path, uint64_t device);
// Opens, writes and syncs of other files than those under this path are let through, uncounted.
// NULL: all are struck again.
void file_faults_only_under(const char *path);
// file_read_cached finds nothing in the cache.
void file_faults_uncached(bool uncached);
// Calls since file_faults_install.
unsigned file_faults_count(enum fault_call call);

#endif
