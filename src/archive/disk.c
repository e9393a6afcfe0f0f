// SPDX-License-Identifier: MIT
// Paths that archives record to.
#include "disk.h"

#include <string.h>

#include "archive_priv.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    WRITE_THREADS = 2, // a sync does not hold up the appends of half of the streams
    READ_THREADS = 2,
};

struct disk *disk_get(struct archives *archives, const char *path)
{
    LIST_FOREACH(&archives->disks, it, after)
    {
        struct disk *disk = LIST_OWNER(it, struct disk, node);
        if (strcmp(disk->path, path) == 0) {
            disk->users++;
            return disk;
        }
    }
    struct disk *disk = mem_alloc(sizeof *disk);
    disk->owner = archives;
    disk->path = mem_strdup(path);
    disk->users = 1;
    char name[64];
    (void)text_format(name, sizeof name, "dvr=%s", path);
    disk->writes = file_queue_new(archives->loop, name, WRITE_THREADS);
    disk->reads = file_queue_new(archives->loop, name, READ_THREADS);
    list_append(&archives->disks, &disk->node);
    return disk;
}

void disk_put(struct disk *disk)
{
    if (--disk->users > 0)
        return;
    list_remove(&disk->owner->disks, &disk->node);
    file_queue_free(&disk->writes);
    file_queue_free(&disk->reads);
    mem_free(disk->path);
    mem_free(disk);
}
