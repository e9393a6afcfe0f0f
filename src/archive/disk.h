// SPDX-License-Identifier: MIT
// A path that archives record to: its file queues. Shared by all archives under the path; a hung
// one holds up nobody on another.
#ifndef ARCHIVE_DISK_H
#define ARCHIVE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "io/file.h"

struct archives;

// Reads have a queue of their own: they do not wait behind syncs.
struct disk {
    struct list_node node; // archives->disks
    struct archives *owner;
    char *path;
    unsigned users; // places of archives
    struct file_queue *writes, *reads;
    uint64_t queued_bytes; // of its recorders
    bool checking;         // the fill of the disk was asked for
};

// One user more; the disk of that path, made when there is none.
struct disk *disk_get(struct archives *archives, const char *path);
void disk_put(struct disk *disk); // goes with the last user

#endif
