// SPDX-License-Identifier: MIT
#include "mp4_export_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp_folder.h"
#include "unit.h"

static void make(struct temp_folder *folder, const char *name, const char *text)
{
    FILE *file = fopen(temp_path(folder, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool there(struct temp_folder *folder, const char *name)
{
    return access(temp_path(folder, name), F_OK) == 0;
}

static int name_it(struct temp_folder *folder, const char *part, const char *name)
{
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/%s", folder->path, part);
    snprintf(to, sizeof to, "%s/%s", folder->path, name);
    return export_name_now(from, to);
}

static void export_name_is_given_once(void **state)
{
    (void)state;
    struct temp_folder folder;
    char text[16] = "";
    temp_folder_make(&folder);
    make(&folder, "a.mp4.part", "new");
    assert_int_equal(name_it(&folder, "a.mp4.part", "a.mp4"), 0);
    assert_true(there(&folder, "a.mp4") && !there(&folder, "a.mp4.part"));
    make(&folder, "a.mp4.part", "newer");
    assert_int_equal(name_it(&folder, "a.mp4.part", "a.mp4"), ERR_EXISTS);
    assert_true(there(&folder, "a.mp4.part"));
    FILE *file = fopen(temp_path(&folder, "a.mp4"), "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "new"); // nothing is overwritten
    assert_int_equal(name_it(&folder, "none.part", "b.mp4"), ERR_IO);
    assert_int_equal(name_it(&folder, "a.mp4.part", "no/b.mp4"), ERR_IO);
    temp_folder_remove(&folder);
}

static void export_sweep_removes_what_was_cut_off(void **state)
{
    (void)state;
    struct temp_folder folder;
    int lock, second;
    temp_folder_make(&folder);
    assert_int_equal(mkdir(temp_path(&folder, "day"), 0755), 0);
    assert_int_equal(mkdir(temp_path(&folder, "day/cam"), 0755), 0);
    assert_int_equal(mkdir(temp_path(&folder, ".hidden"), 0755), 0);
    assert_int_equal(mkdir(temp_path(&folder, "dir.mp4.part"), 0755), 0);
    static const char *const kept[] = {
        "a.mp4", "b.part", "c.mp4.parts", ".d.mp4.part", ".hidden/e.mp4.part", "day/f.mp4"};
    static const char *const cut[] = {"g.mp4.part", "day/h.mp4.part", "day/cam/i.mp4.part",
                                      "dir.mp4.part/j.mp4.part"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        make(&folder, kept[i], "x");
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        make(&folder, cut[i], "x");
    // Links lead elsewhere: they are not followed and stay.
    assert_int_equal(symlink(".hidden", temp_path(&folder, "link")), 0);
    assert_int_equal(symlink("a.mp4", temp_path(&folder, "l.mp4.part")), 0);
    assert_int_equal(export_sweep_now(folder.path, &lock), 4);
    assert_true(lock >= 0);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        assert_true(there(&folder, kept[i]));
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        assert_false(there(&folder, cut[i]));
    assert_true(there(&folder, "l.mp4.part"));
    // Another server exports there: its files are under way.
    make(&folder, "k.mp4.part", "x");
    assert_int_equal(export_sweep_now(folder.path, &second), ERR_EXISTS);
    assert_int_equal(second, -1);
    assert_true(there(&folder, "k.mp4.part"));
    close(lock);
    assert_int_equal(export_sweep_now(folder.path, &lock), 1);
    close(lock);
    assert_int_equal(export_sweep_now(temp_path(&folder, "none"), &lock), ERR_NOT_FOUND);
    temp_folder_remove(&folder);
}

static void export_name_is_good_only_below_the_folder(void **state)
{
    (void)state;
    static const char *const good[] = {"a.mp4", "a/b_c/d-1.2.mp4", "A.mp4.mp4"};
    static const char *const bad[] = {"",           ".mp4",     "/a.mp4", "a//b.mp4",
                                      "../a.mp4",   "a.ts",     "a/.mp4", "a b.mp4",
                                      "a/../b.mp4", ".a/b.mp4", "a.mp4/", "\xc3\xa4.mp4"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(export_name_is_good(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(export_name_is_good(bad[i]));
}

TEST_MAIN(TEST(export_name_is_given_once), TEST(export_sweep_removes_what_was_cut_off),
          TEST(export_name_is_good_only_below_the_folder))
