// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static const struct volume *volume_now(void)
{
    const struct volume *volume = room_archive()->recorder.volume;
    assert_non_null(volume);
    return volume;
}

static unsigned indexed_on_disk(void)
{
    struct files *files = room_files(".idx");
    return files->count && files->size[0] ? (unsigned)(files->size[0] / INDEX_RECORD) - 1 : 0;
}

static void volume_index_follows_the_sync(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    file_faults_hold(FAULT_SYNC, true);
    for (unsigned i = 0; i < 30 * 25; i++) {
        room_push_picture();
        loop_fixture_settle(room.loop);
        // The append of another part may be under way, the sync is not done: no entry is written.
        assert_int_equal(indexed_on_disk(), 0);
    }
    assert_int_equal(volume_now()->synced, 0);
    assert_in_range(file_faults_waiting(), 1, 2); // and the probe of a disk that is silent
    uint64_t asked = volume_now()->sync_to;
    file_faults_hold(FAULT_SYNC, false);
    room_settle();
    const struct volume *volume = volume_now();
    assert_true(volume->synced >= asked);
    unsigned indexed = indexed_on_disk();
    assert_true(indexed > 0);
    assert_int_equal(indexed, volume->indexed);
    const struct index_entry *last = &volume->index->entries[indexed - 1];
    assert_true(last->offset + last->bytes <= volume->synced);
    room_close();
}

static void volume_syncs_every_ten_seconds_when_there_is_something(void **state)
{
    (void)state;
    room_open();
    room_after_roll();
    for (unsigned i = 0; i < 60; i++) {
        room_push(25);
        room_settle();
    }
    unsigned syncs = file_faults_count(FAULT_SYNC);
    // Of the file, and once of the folders: day, month, year, stream, PATH.
    assert_in_range(syncs, 5 + 5, 7 + 5);
    room_wait(15 * US_PER_S);
    syncs = file_faults_count(FAULT_SYNC);
    room_wait(60 * US_PER_S);
    assert_int_equal(file_faults_count(FAULT_SYNC), syncs); // nothing new: no sync
    room_close();
}

// Folders above that of the day are synced with the first file of a day only.
static void volume_second_file_of_a_day_syncs_one_folder(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_wait(12 * US_PER_S);
    unsigned syncs = file_faults_count(FAULT_SYNC);
    assert_in_range(syncs, 1 + 5, 2 + 5); // the file; day, month, year, stream, PATH
    room.width = 128;
    room_give_tracks();
    room_align();
    room_record(1);
    room_wait(12 * US_PER_S);
    assert_int_equal(room_files(".mp4")->count, 2);
    // What was not safe yet of the first file; the second one, and the day.
    assert_in_range(file_faults_count(FAULT_SYNC) - syncs, 1 + 1, 1 + 2 + 1);
    room_close();
}

static void volume_streams_sync_at_different_moments(void **state)
{
    (void)state;
    int64_t due[3];
    static const char *const names[] = {"a", "b", "front/door"};
    for (unsigned i = 0; i < 3; i++) {
        room_open_plain(names[i]);
        room_attach();
        room_settle();
        room_push(20);
        room_settle();
        due[i] = room_archive()->recorder.sync.due_us;
        assert_true(due[i] > 0);
        room_close();
    }
    assert_true(due[0] != due[1] && due[1] != due[2] && due[0] != due[2]);
}

static void volume_finished_file_is_synced_and_its_index_complete(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    archive_detach(room.archives, room.stream);
    room_settle();
    assert_true(file_faults_count(FAULT_SYNC) >= 1);
    struct files *files = room_files(".idx");
    assert_int_equal(files->count, 1);
    assert_int_equal(files->size[0], (1 + 2 + 1) * INDEX_RECORD);
    int descriptor = open(files->path[0], O_RDONLY);
    uint8_t bytes[4 * INDEX_RECORD];
    assert_int_equal(read(descriptor, bytes, sizeof bytes), sizeof bytes);
    close(descriptor);
    struct index *index;
    assert_int_equal(index_parse(bytes_of(bytes, sizeof bytes), &index), 0);
    assert_true(index->closed);
    assert_int_equal(index->file_length, room_files(".mp4")->size[0]);
    index_unref(&index);
    room_close();
}

// A failed sync is not believed and not tried again: another file is begun.
static void volume_failed_sync_begins_another_file(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    assert_known(room_read_all(), 0, 2);
    file_faults_fail(FAULT_SYNC, 1, false, EIO);
    room_wait(12 * US_PER_S);
    assert_string_equal(room_stats().problem, "io");
    room_align();
    room_record(2);
    assert_int_equal(room_files(".mp4")->count, 2);
    room_wait(12 * US_PER_S);
    assert_null(room_stats().problem);
    // Nor is what memory says about the file: it is looked at.
    assert_int_equal(room_logged(" recovered "), 0);
    struct got *got = room_read_all();
    assert_int_equal(room_logged(" recovered "), 1);
    assert_true(got->count >= 4);
    assert_list_is_read();
    room_close();
}

// The index is a cache: that it cannot be written is said, and recording goes on.
static void volume_index_that_cannot_be_written_harms_nothing(void **state)
{
    (void)state;
    room_open();
    room_record(1);
    unsigned writes = file_faults_count(FAULT_WRITE);
    room_wait(12 * US_PER_S); // the sync, and the first write of the index
    assert_int_equal(file_faults_count(FAULT_WRITE), writes + 1);
    room_align();
    room_record(1);
    file_faults_fail(FAULT_WRITE, 1, false, EIO);
    room_wait(12 * US_PER_S);
    assert_int_equal(room_logged("index not written"), 1);
    room_align();
    room_record(3);
    assert_int_equal(room_files(".mp4")->count, 1);
    assert_known(room_read_all(), 0, room.known_count);
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    assert_int_equal(room_logged(" recovered "), 1);
    assert_in_range(room_read_all()->count, room.known_count, room.known_count + 1);
    assert_list_is_read();
    room_close();
}

TEST_MAIN(TEST(volume_index_follows_the_sync),
          TEST(volume_syncs_every_ten_seconds_when_there_is_something),
          TEST(volume_second_file_of_a_day_syncs_one_folder),
          TEST(volume_streams_sync_at_different_moments),
          TEST(volume_finished_file_is_synced_and_its_index_complete),
          TEST(volume_failed_sync_begins_another_file),
          TEST(volume_index_that_cannot_be_written_harms_nothing))
