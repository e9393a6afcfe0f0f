// SPDX-License-Identifier: MIT
#include "archive_disks.h"
#include "archive_files.h"
#include "archive_reading.h"

static void disk_is_one_for_all_who_use_the_path(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_attach_disks("one", "two");
    assert_int_equal(room.archives->disks.count, 2);
    struct disk *disk = disk_get(room.archives, room_archive()->place[1].disk->path);
    assert_ptr_equal(disk, room_archive()->place[1].disk);
    assert_int_equal(room.archives->disks.count, 2);
    disk_put(disk);
    archive_detach(room.archives, room.stream);
    room_settle();
    assert_int_equal(room.archives->disks.count, 0);
    room_close();
}

TEST_MAIN(TEST(disk_is_one_for_all_who_use_the_path))
