// SPDX-License-Identifier: MIT
// Archives on several disks: folders `one`, `two` ... of the temporary folder of archive_fixture.h.
#ifndef TESTS_ARCHIVE_DISKS_H
#define TESTS_ARCHIVE_DISKS_H

#include "archive_feeding.h"

static inline void room_attach_disks(const char *first, const char *second)
{
    char paths[2][256];
    struct dvr_conf dvr = room.conf.dvr;
    (void)text_format(paths[0], sizeof paths[0], "%s/%s", room.folder.path, first);
    dvr.path[dvr.path_count++] = paths[0];
    if (second) {
        (void)text_format(paths[1], sizeof paths[1], "%s/%s", room.folder.path, second);
        dvr.path[dvr.path_count++] = paths[1];
    }
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    room_settle();
}

// Hour files that the archive knows on its n-th path.
static inline unsigned room_hours_on(unsigned disk)
{
    const struct hours *hours = &room_archive()->hours;
    unsigned count = 0;
    for (unsigned i = 0; i < hours->count; i++)
        count += hours->hour[i].disk == disk;
    return count;
}

#endif
