// SPDX-License-Identifier: MIT
#include "fstab_parse.h"

#include "unit.h"

static const char fstab[] = "# /dev/x /etc ext4\n"
                            "UUID=1 / ext4 defaults 0 1\n"
                            "  /dev/sdb1   /disk\\040one  ext4 noauto 0 2\n"
                            "/dev/sdc\t/mnt/data/ xfs\n"
                            "/dev/sdd /mnt xfs\n"
                            "swap none swap sw 0 0\n"
                            "broken\n"
                            "/dev/sde /last";

static void fstab_mount_point_is_the_longest_above(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t length;
    } cases[] = {{"/disk one", 9},   {"/disk one/cams", 9}, {"/disk", 0}, {"/disk ones", 0},
                 {"/mnt/data/a", 9}, {"/mnt/database", 4},  {"/mnt", 4},  {"/srv/a", 0},
                 {"/etc/x", 0},      {"/last/a", 5},        {"/", 0}};
    struct bytes in = {.data = (const uint8_t *)fstab, .length = sizeof fstab - 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(fstab_mount_point(in, cases[i].path), cases[i].length);
    assert_int_equal(fstab_mount_point((struct bytes){0}, "/mnt"), 0);
}

TEST_MAIN(TEST(fstab_mount_point_is_the_longest_above))
