// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static void make(const char *name)
{
    char path[512], why[100];
    (void)text_format(path, sizeof path, "%s/%s", room.folder.path, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(archive_path_usable(path, why, sizeof why));
    *slash = '/';
    int descriptor = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "0123456789", 10), 10);
    close(descriptor);
}

static bool exists(const char *name)
{
    return access(temp_path(&room.folder, name), F_OK) == 0;
}

static void tree_lists_hours_in_order_and_leaves_others_alone(void **state)
{
    (void)state;
    room_open_plain("cam");
    make("cam/2025/12/31/235959.mp4");
    make("cam/2025/12/31/235959.idx");
    make("cam/2024/02/29/010203.mp4");
    make("cam/2025/01/01/000000-2.mp4");
    make("cam/2025/01/01/000000.mp4");
    make("cam/2025/01/01/000000-2.idx");
    // Not ours.
    make("cam/2025/02/30/000000.mp4");
    make("cam/2025/13/01/000000.mp4");
    make("cam/2025/1/01/000000.mp4");
    make("cam/notes.txt");
    make("cam/2025/01/01/evening.mp4");
    make("cam/2025/01/01/000000.mp4.bak");
    make("cam/2025/01/000000.mp4");
    make("cam/inner/2025/01/01/050505.mp4");
    // What a crash may leave of an index.
    make("cam/2025/06/01/120000.idx");
    make("cam/2025/12/31/235959.idx.new");
    file_faults_fail(FAULT_OPEN, 1, true, EIO); // nothing is looked into
    room_attach();
    room_settle();
    static const int64_t seconds[] = {1709168523, 1735689600, 1735689600, 1767225599};
    struct hours *hours = &room_archive()->hours;
    assert_int_equal(hours->count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(hours->hour[i].second, seconds[i]);
    assert_int_equal(hours->hour[1].suffix, 0);
    assert_int_equal(hours->hour[2].suffix, 2);
    assert_int_equal(hours->hour[2].bytes, 20);
    assert_int_equal(hours->bytes, 60);
    assert_false(exists("cam/2025/06"));
    assert_false(exists("cam/2025/12/31/235959.idx.new"));
    assert_true(exists("cam/2025/12/31/235959.idx"));
    assert_true(exists("cam/2025/02/30/000000.mp4"));
    assert_true(exists("cam/2025/01/01/000000.mp4.bak"));
    assert_true(exists("cam/notes.txt"));
    file_faults_fail(FAULT_OPEN, 0, false, 0);
    room_close();
}

static void tree_without_a_folder_is_empty(void **state)
{
    (void)state;
    room_open();
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_int_equal(room_stats().files, 0);
    struct history_range whole;
    assert_true(stream_has_archive(room.stream, &whole));
    assert_int_equal(whole.to_us, 0);
    room_close();
}

// A stream within the folder of another: neither sees the other's files.
static void tree_streams_within_one_another_are_apart(void **state)
{
    (void)state;
    room_open_plain("cam/2025");
    make("cam/2025/12/31/235959.mp4");
    make("cam/2025/2025/12/31/101010.mp4");
    file_faults_fail(FAULT_OPEN, 1, true, EIO);
    room_attach();
    room_settle();
    struct hours *hours = &room_archive()->hours;
    assert_int_equal(hours->count, 1);
    assert_int_equal(hours->hour[0].second, 1767175810);
    file_faults_fail(FAULT_OPEN, 0, false, 0);
    room_close();
}

TEST_MAIN(TEST(tree_lists_hours_in_order_and_leaves_others_alone),
          TEST(tree_without_a_folder_is_empty), TEST(tree_streams_within_one_another_are_apart))
