// SPDX-License-Identifier: MIT
// The arguments of `sluice check`, and its status where there is nothing to look over.
#include "main_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include "temp_folder.h"
#include "unit.h"

// What it complains of is not shown.
static int run(int argc, const char *const *argv)
{
    int kept = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY);
    fflush(stderr);
    dup2(nothing, STDERR_FILENO);
    int status = main_archive_check(argc, argv);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(nothing);
    return status;
}

static void main_archive_wrong_arguments_are_refused(void **state)
{
    (void)state;
    const char *nothing[] = {NULL}, *option[] = {"/", "--mend"}, *two[] = {"/", "/tmp"};
    assert_int_equal(run(0, nothing), 2);
    assert_int_equal(run(2, option), 2);
    assert_int_equal(run(2, two), 2);
}

static void main_archive_no_archive_is_not_well(void **state)
{
    (void)state;
    struct temp_folder folder;
    temp_folder_make(&folder);
    const char *empty[] = {folder.path}, *none[] = {"--repair", temp_path(&folder, "none")};
    assert_int_equal(run(1, empty), 2);
    assert_int_equal(run(2, none), 2);
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(main_archive_wrong_arguments_are_refused), TEST(main_archive_no_archive_is_not_well))
