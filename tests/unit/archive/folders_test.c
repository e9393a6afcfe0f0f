// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "base/text.h"
#include "temp_folder.h"
#include "unit.h"

static struct temp_folder folder;

static void make(const char *name)
{
    char path[300];
    (void)text_format(path, sizeof path, "%s/%s", folder.path, name);
    for (char *at = path + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        (void)mkdir(path, 0755);
    }
    (void)mkdir(path, 0755);
}

static void archive_folders_finds_those_with_months(void **state)
{
    (void)state;
    static const char *const folders[] = {"a/2026/01",
                                          "b/c/2025/12/31",
                                          "b/2024/02",
                                          "empty/2026",
                                          "other/things",
                                          "b/d/20/26",
                                          "1/2/3/4/5/6/7/8/2026/01",
                                          "1/2/3/4/5/6/7/8/9/2026/01",
                                          "bad name/2026/01",
                                          "2026/01"};
    char out[256];
    temp_folder_make(&folder);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make(folders[i]);
    assert_int_equal(archive_folders(folder.path, out, sizeof out), 4);
    assert_true(strstr(out, "a\n") && strstr(out, "b\n") && strstr(out, "b/c\n"));
    assert_non_null(strstr(out, "1/2/3/4/5/6/7/8\n"));
    assert_in_range(archive_folders(folder.path, out, 6), 1, 2); // what there is room for
    assert_in_range(strlen(out), 2, 5);
    assert_int_equal(archive_folders("/nowhere/at/all", out, sizeof out), 0);
    assert_string_equal(out, "");
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(archive_folders_finds_those_with_months))
