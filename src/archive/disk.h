// SPDX-License-Identifier: MIT
// A path that archives record to: its file queues, and whether it can be used. Shared by all
// archives under the path; a hung one holds up nobody on another.
//
// States: not looked at (nothing is listed or written) -> well (problem REASON_NONE) -> away
// (UNMOUNTED: another file system than its own is there; IN_USE: another server has the lock of the
// path; neither read nor written, looked at again) -> well; or well -> failed (disk_failed: written
// to only where there is no other) -> probed -> well.
#ifndef ARCHIVE_DISK_H
#define ARCHIVE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/reason.h"
#include "io/file.h"
#include "io/timeout.h"

struct archives;

// Reads have a queue of their own: they do not wait behind syncs. Chores are removals, probes and
// looks: removing a large file can take long and holds up no append.
struct disk {
    struct list_node node; // archives->disks
    struct archives *owner;
    char *path;
    unsigned users; // places of archives
    struct file_queue *writes, *reads, *chores;
    uint64_t queued_bytes;                 // of its recorders
    bool keeps_deleted;                    // its file system cannot give back parts of files
    bool checking;                         // the fill of the disk was asked for
    uint64_t total_bytes, unchecked_bytes; // size, 0 not known; written since it was asked for
    uint64_t free_bytes;                   // then
    enum reason problem;
    bool must_be_mounted; // the word `mounted`
    bool looking, looked; // a look is under way; there was one
    int64_t looked_us;    // monotonic, of the last one
    size_t belongs;       // length of the mount point that fstab names for it, 0 none
    size_t mount;         // and of the one it had when it was seen first; 0 not seen
    uint64_t device;      // then
    size_t seen_mount;    // while looking: what was found
    uint64_t seen_device;
    struct file *lock; // held: .sluice.lock
    bool unlocked;     // it cannot be had here, which was said
    bool probing;
    int64_t well_us, probe_us; // monotonic: well since; to be probed at
    struct backoff backoff;
    struct timeout watch;
    struct list walks; // struct tree, each with something to do
    unsigned walking;  // what they do now
};

// One user more; the disk of that path, made and looked at when there is none.
struct disk *disk_get(struct archives *archives, const char *path);
void disk_put(struct disk *disk); // goes with the last user
// Whether the right file system was there just now. False: it is looked at, and
// archive_disk_changed of all its archives comes.
bool disk_is_fresh(struct disk *disk);
// Whether what is there belongs there. mount: length of its mount point; device: of the path and of
// "/"; belongs: length of the mount point that fstab names, 0 none.
bool disk_is_its_own(size_t mount, const uint64_t device[2], size_t belongs, bool must_be_mounted);
void disk_look(struct disk *disk);
// Nothing under the path may be touched, however urgent.
bool disk_is_away(const struct disk *disk);
// What was submitted has to be answered within seconds; else the disk is failed.
void disk_watch(struct disk *disk);
void disk_failed(struct disk *disk, enum reason problem, int os_error);

#endif
