// SPDX-License-Identifier: MIT
// A disk in memory under io/file that knows what a sync has made safe, so that a power cut can be
// tried at any moment. Strict POSIX: fsync of a file makes its bytes safe but not its name; fsync
// of a folder the names in it but not the folder's own; what was not synced may be there, in part
// and in any order, or not. One is mounted at a time, and used by one thread: with
// file_set_workers_test.
#ifndef TESTS_SUPPORT_MEMORY_DISK_H
#define TESTS_SUPPORT_MEMORY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/file_calls.h"

struct memory_disk;

extern const struct file_calls memory_disk_calls;

struct memory_disk *memory_disk_new(void);
void memory_disk_free(struct memory_disk **disk); // NULL is fine
// Calls go to this one from now on.
void memory_disk_mount(struct memory_disk *disk);

enum memory_cut {
    CUT_ALL,    // as after kill -9: what was written is there
    CUT_SYNCED, // of what was not synced nothing is there
    CUT_NAMES,  // of that only the names
    CUT_BYTES,  // only the bytes
    CUT_RANDOM, // any part of it, in sectors of 512 bytes and single names
    CUT_KINDS
};
// What may be found after the power went now: another disk, nothing open.
struct memory_disk *memory_disk_cut(const struct memory_disk *disk, enum memory_cut kind,
                                    uint64_t seed);

// Called after each thing that changed the disk, a sync included.
void memory_disk_on_effect(struct memory_disk *disk, void (*effect)(void *arg), void *arg);
// Asked before each call that can fail ("open", "sync", ...): an errno, or 0. `path` is that of the
// file. What a failed sync of a file was to make safe is lost at a power cut, whatever is synced
// later; names of a folder stay in the journal, and the next sync of it takes them.
void memory_disk_faults(struct memory_disk *disk,
                        int (*fault)(void *arg, const char *call, const char *path), void *arg);
// Room for the bytes of files; 0: no bound. Writes beyond it are short, then ENOSPC.
void memory_disk_space(struct memory_disk *disk, uint64_t bytes);
uint64_t memory_disk_used(const struct memory_disk *disk);
unsigned memory_disk_open_count(const struct memory_disk *disk);
// Flips one byte of the file, as a bad sector would. False: there is no such file or byte.
bool memory_disk_damage(struct memory_disk *disk, const char *path, uint64_t offset);
// Calls `file` for each file that can be reached, in order of path.
void memory_disk_walk(const struct memory_disk *disk,
                      void (*file)(void *arg, const char *path, const uint8_t *data, size_t length),
                      void *arg);

#endif
