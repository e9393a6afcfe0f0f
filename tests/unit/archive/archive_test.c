// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static void archive_records_and_reads_back_equal_bytes(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    assert_int_equal(room.known_count, 5);
    assert_known(room_read_all(), 0, 5);
    assert_list_is_read();
    struct archive_stats stats = room_stats();
    assert_int_equal(stats.state, ARCHIVE_READY);
    assert_null(stats.problem);
    assert_int_equal(stats.segments_written, 5);
    assert_int_equal(stats.files, 1);
    assert_int_equal(stats.from_us, room.known[0].info.utc_start_us);
    assert_int_equal(stats.to_us, room.known[4].info.utc_start_us + room.known[4].info.duration_us);
    assert_true(stats.bytes >= 5 * room.known[0].info.bytes);
    assert_true(stats.last_write_us > 0);
    assert_int_equal(stats.bytes_queued, 0);
    room_close();
}

static void archive_of_an_earlier_life_is_there_and_not_appended_to(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    room_lose();
    unsigned first = room.known_count;
    off_t size = room_files(".mp4")->size[0];
    archive_detach(room.archives, room.stream);
    room_settle();
    size = room_files(".mp4")->size[0] > size ? room_files(".mp4")->size[0] : size;
    struct history_range whole;
    assert_false(stream_has_archive(room.stream, &whole));
    room_attach();
    room_settle();
    assert_true(stream_has_archive(room.stream, &whole));
    assert_int_equal(whole.from_us, room.known[0].info.utc_start_us);
    room_reconnect(10 * US_PER_S);
    room_record(3);
    assert_int_equal(room_files(".mp4")->count, 2);
    assert_int_equal(room_files(".mp4")->size[0], size);
    assert_known(room_read_all(), 0, first + 3);
    room_close();
}

static void archive_attach_again_only_changes_limits(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    struct archive *before = room_archive();
    room.conf.dvr.depth_s = 86400;
    room_attach();
    assert_ptr_equal(room_archive(), before);
    assert_int_equal(before->depth_us, 86400 * US_PER_S);
    // Another spelling of the same path.
    struct dvr_conf dvr = {.depth_s = 5, .path_count = 1};
    char path[200];
    (void)text_format(path, sizeof path, "%s//", room.folder.path);
    dvr.path[0] = path;
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    assert_ptr_equal(room_archive(), before);
    room_align();
    room_record(2);
    assert_int_equal(room_files(".mp4")->count, 1);
    assert_known(room_read_all(), 0, room.known_count);
    room_close();
}

static void archive_attach_elsewhere_finishes_here_and_begins_there(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    char other[200];
    (void)text_format(other, sizeof other, "%s/second", room.folder.path);
    struct dvr_conf dvr = {.path = {other}, .path_count = 1};
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    room_settle();
    assert_int_equal(room_read_all()->count, 0);
    room_align();
    room_record(2);
    struct got *got = room_read_all();
    assert_int_equal(got->count, room.known_count - 2); // from the one that was open on
    assert_int_equal(got->segment[0].sum, room.known[2].sum);
    assert_int_equal(room_files(".mp4")->count, 2);
    assert_int_equal(room.archives->disks.count, 1);
    room_close();
}

static void archive_attach_bad_path_is_refused(void **state)
{
    (void)state;
    room_open_plain("cam");
    char path[2000];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 0;
    struct dvr_conf dvr = {.path = {path}, .path_count = 1};
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), ERR_INVALID);
    path[0] = 0;
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), ERR_INVALID);
    dvr.path_count = 0;
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
    struct archive_stats stats;
    assert_false(archive_get_stats(room.stream, &stats));
    room_close();
}

// Detached and attached again while the disk hangs: the second waits for the first, so that two
// never work on one file.
static void archive_attach_again_waits_for_what_is_being_finished(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_push(30);
    loop_fixture_settle(room.loop);
    file_faults_hold(FAULT_WRITE, true);
    room_push(15);
    archive_detach(room.archives, room.stream);
    loop_fixture_settle(room.loop);
    room_attach();
    loop_fixture_run(room.loop, 30 * US_PER_S);
    for (unsigned i = 0; i < 10; i++) { // a listing would be done by now
        assert_true(file_queue_flush(room_archive()->place[0].disk->reads, 5 * US_PER_S));
        loop_fixture_settle(room.loop);
    }
    assert_int_equal(room_stats().state, ARCHIVE_OPENING);
    file_faults_hold(FAULT_WRITE, false);
    room_settle();
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_int_equal(room.archives->archives.count, 1);
    assert_int_equal(room_read_all()->count, 3);
    room_close();
}

static void archive_of_a_closed_stream_is_finished(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_push(20);
    stream_unlisten_segments(room.stream, &room.listener);
    stream_close(&room.stream, REASON_CONFIG);
    room_settle();
    assert_true(list_empty(&room.archives->archives));
    assert_true(list_empty(&room.archives->disks));
    // Three segments and the head and the end of the index.
    assert_int_equal(room_files(".idx")->size[0], (1 + 3 + 1) * INDEX_RECORD);
    room_close();
}

static void archives_flush_writes_and_syncs(void **state)
{
    (void)state;
    room_open();
    room_record(1);
    for (unsigned i = 0; i < 14; i++)
        room_push_picture(); // a part is complete, and its turn has not ended
    unsigned syncs = file_faults_count(FAULT_SYNC);
    assert_true(room_stats().bytes_queued > 0);
    assert_true(archives_flush(room.archives, 10 * US_PER_S));
    assert_int_equal(room_stats().bytes_queued, 0);
    assert_true(file_faults_count(FAULT_SYNC) > syncs);
    const struct volume *volume = room_archive()->recorder.volume;
    assert_int_equal(volume->synced, volume->end);
    assert_int_equal(volume->end, room_files(".mp4")->size[0]);
    assert_int_equal(volume->indexed, 1);
    room_close();
}

static void archives_flush_hung_disk_says_no(void **state)
{
    (void)state;
    room_open();
    room_record(1);
    file_faults_hold(FAULT_WRITE, true);
    room_push(20);
    assert_false(archives_flush(room.archives, 50000));
    file_faults_hold(FAULT_WRITE, false);
    room_settle();
    room_close();
}

static void archives_free_with_everything_under_way_is_quiet(void **state)
{
    (void)state;
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_READ, FAULT_WRITE, FAULT_SYNC,
                                            FAULT_STAT};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        room_open();
        room_record(2);
        static struct got got;
        file_faults_uncached(true);
        file_faults_hold(calls[i], true);
        got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
        for (unsigned k = 0; k < 20 * 25; k++) {
            room_push_picture();
            loop_fixture_settle(room.loop);
        }
        archives_free(&room.archives);
        assert_true(got.ended);
        file_faults_hold(calls[i], false);
        room_close();
    }
}

static void archive_path_usable_says_why_not(void **state)
{
    (void)state;
    struct temp_folder folder;
    char why[200];
    temp_folder_make(&folder);
    assert_true(archive_path_usable(temp_path(&folder, "a/b/c"), why, sizeof why));
    assert_int_equal(access(temp_path(&folder, "a/b/c"), F_OK), 0);
    assert_true(archive_path_usable(temp_path(&folder, "a/b/c"), why, sizeof why));
    int descriptor = open(temp_path(&folder, "file"), O_WRONLY | O_CREAT, 0644);
    close(descriptor);
    assert_false(archive_path_usable(temp_path(&folder, "file"), why, sizeof why));
    assert_string_equal(why, "it is not a folder");
    assert_false(archive_path_usable(temp_path(&folder, "file/x"), why, sizeof why));
    assert_non_null(strstr(why, "cannot be made"));
    assert_false(archive_path_usable("/proc/sluice", why, sizeof why));
    assert_false(archive_path_usable("", why, sizeof why));
    temp_folder_remove(&folder);
}

TEST_MAIN(TEST(archive_records_and_reads_back_equal_bytes),
          TEST(archive_of_an_earlier_life_is_there_and_not_appended_to),
          TEST(archive_attach_again_only_changes_limits),
          TEST(archive_attach_elsewhere_finishes_here_and_begins_there),
          TEST(archive_attach_bad_path_is_refused),
          TEST(archive_attach_again_waits_for_what_is_being_finished),
          TEST(archive_of_a_closed_stream_is_finished), TEST(archives_flush_writes_and_syncs),
          TEST(archives_flush_hung_disk_says_no),
          TEST(archives_free_with_everything_under_way_is_quiet),
          TEST(archive_path_usable_says_why_not))
