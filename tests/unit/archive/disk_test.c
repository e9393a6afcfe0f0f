// SPDX-License-Identifier: MIT
#include "archive_disks.h"
#include "archive_files.h"
#include "archive_reading.h"

#include "io/file_calls.h"

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

// ---- taking over -------------------------------------------------------------------------------

static const char *path_of(const char *name)
{
    return temp_path(&room.folder, name);
}

static bool has(const struct got *got, const struct known *known)
{
    for (unsigned i = 0; i < got->count; i++)
        if (got->segment[i].sum == known->sum)
            return true;
    return false;
}

static unsigned missing(const struct got *got)
{
    unsigned count = 0;
    for (unsigned i = 0; i < room.known_count; i++)
        count += !has(got, &room.known[i]);
    return count;
}

static const char *writes_to(void)
{
    const struct volume *volume = room_archive()->recorder.volume;
    return volume ? volume->place->disk->path : "";
}

// In order of time, none twice.
static void assert_no_double(const struct got *got)
{
    for (unsigned i = 1; i < got->count; i++)
        assert_true(got->segment[i].info.utc_start_us > got->segment[i - 1].info.utc_start_us);
}

// 2.1.4, 2.1.15: an error of the first disk costs at most the segment that was being written; the
// first is used again when it works.
static void take_over(int error)
{
    room_open_plain("cam");
    room_attach_disks("one", "two");
    room_record(4);
    assert_true(text_ends(writes_to(), "/one"));
    file_faults_only_under(path_of("one"));
    file_faults_fail(FAULT_WRITE, 1, true, error);
    room_record(6);
    assert_true(text_ends(writes_to(), "/two"));
    assert_true(room_logged("disk failed path=") == 1);
    room_record(30); // probed in vain
    assert_true(text_ends(writes_to(), "/two"));
    file_faults_fail(FAULT_WRITE, 0, false, 0);
    room_record(40);
    assert_true(text_ends(writes_to(), "/one"));
    assert_int_equal(room_logged("disk works again"), 1);
    room_align();
    room_record(2);
    struct got *got = room_read_all();
    assert_true(missing(got) <= 1);
    assert_no_double(got);
    assert_list_is_read();
    assert_null(room_stats().problem);
    room_close();
}

// peers.md 6.11.
static void disk_error_makes_the_next_take_over(void **state)
{
    (void)state;
    take_over(EIO);
    take_over(EROFS);
}

static void disk_that_cannot_be_opened_makes_the_next_take_over(void **state)
{
    (void)state;
    room_open_plain("cam");
    file_faults_only_under(path_of("one"));
    file_faults_fail(FAULT_OPEN, 1, true, EROFS);
    room_attach_disks("one", "two");
    room_record(3);
    assert_true(text_ends(writes_to(), "/two"));
    assert_int_equal(missing(room_read_all()), 0);
    room_close();
}

// 2.1.15: a write that does not return. What was under way is written to the other disk; when it
// returns at last, what it wrote is cut off again.
static void disk_silence_makes_the_next_take_over(void **state)
{
    (void)state;
    room_open_plain("cam");
    room_attach_disks("one", "two");
    room_record(4);
    file_faults_only_under(path_of("one"));
    file_faults_hold(FAULT_WRITE, true);
    for (unsigned i = 0; i < 20 * 25; i++) { // 20 s
        room_push_picture();
        loop_fixture_settle(room.loop);
    }
    for (unsigned i = 0; i < 1000 && !text_ends(writes_to(), "/two"); i++) {
        (void)file_queue_flush(room_archive()->place[1].disk->chores, US_PER_S);
        (void)file_queue_flush(room_archive()->place[1].disk->writes, US_PER_S);
        loop_fixture_settle(room.loop);
    }
    assert_true(text_ends(writes_to(), "/two"));
    assert_true(room_logged("reason=disk_slow") >= 1);
    file_faults_hold(FAULT_WRITE, false); // and now it returns
    room_settle();
    room_align();
    room_record(60);
    assert_true(text_ends(writes_to(), "/one"));
    struct got *got = room_read_all();
    assert_true(missing(got) <= 1); // the one of which the beginning was written
    assert_no_double(got);
    assert_list_is_read();
    room_close();
}

// 2.1.5: ENOSPC and nothing to remove.
static void disk_full_for_good_makes_the_next_take_over(void **state)
{
    (void)state;
    room_open_plain("cam");
    file_faults_only_under(path_of("one"));
    file_faults_space(0);
    room_attach_disks("one", "two");
    room_record(5);
    assert_true(text_ends(writes_to(), "/two"));
    assert_int_equal(missing(room_read_all()), 0);
    room_close();
}

// ---- mounts ------------------------------------------------------------------------------------

static void write_fstab(const char *mount)
{
    static char path[256];
    (void)text_copy(path, sizeof path, path_of("fstab"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "/dev/sdz %s/%s ext4 defaults 0 2\n", room.folder.path, mount);
    fclose(file);
    room.archives->fstab = path;
}

static bool is_empty(const char *name)
{
    struct dirent **entries;
    int count = scandir(path_of(name), &entries, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    return count <= 2;
}

// Section 6: never written behind the back of a mount that is named but not there.
static void disk_named_in_fstab_waits_for_its_mount(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    write_fstab("disk");
    room_attach_disks("disk", NULL);
    room_record(5);
    assert_true(is_empty("disk"));
    assert_int_equal(room_stats().state, ARCHIVE_FAILED);
    assert_string_equal(room_stats().problem, "unmounted");
    file_faults_mount(path_of("disk"), 77);
    room_wait(5 * US_PER_S);
    room_align();
    room_record(2);
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_null(room_stats().problem);
    struct got *got = room_read_all();
    assert_true(has(got, &room.known[0])); // it waited in memory
    room_close();
}

// The word `mounted`: the file system of "/" is none of its own.
static void disk_must_be_mounted_refuses_the_root(void **state)
{
    (void)state;
    bool mounted;
    uint64_t device, root;
    room_open_plain("cam");
    assert_int_equal(file_calls_system.mounted_at("/", &mounted, &root), 0);
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    assert_int_equal(file_calls_system.mounted_at(path_of("disk"), &mounted, &device), 0);
    file_faults_mount(path_of("disk"), root); // as if it lay there
    room.conf.dvr.mounted = true;
    room_attach_disks("disk", "other");
    assert_true(is_empty("disk"));
    assert_string_equal(reason_name(room_archive()->place[0].disk->problem), "unmounted");
    file_faults_mount(path_of("disk"), 77);
    room_wait(5 * US_PER_S);
    room_record(2);
    assert_true(text_ends(writes_to(), "/disk"));
    room_close();
}

// Taken away while recording: nothing more is written there or listed, and what comes waits; its
// files are there again when it is back.
static void disk_unmounted_while_recording_is_left(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    file_faults_mount(path_of("disk"), 77);
    room_after_roll();
    room_attach_disks("disk", NULL);
    room_record(3);
    unsigned there = room_hours_on(0);
    assert_true(there > 0);
    file_faults_mount(NULL, 0);
    room_wait(25 * US_PER_S); // a look
    assert_string_equal(room_stats().problem, "unmounted");
    assert_int_equal(room_stats().files, 0);
    off_t before = room_files(".mp4")->size[0];
    room_record(3);
    assert_true(room_files(".mp4")->count == 1 && room_files(".mp4")->size[0] == before);
    file_faults_mount(path_of("disk"), 77);
    room_wait(5 * US_PER_S);
    room_align();
    room_record(1);
    assert_null(room_stats().problem);
    assert_int_equal(room_hours_on(0), there + 1);
    assert_true(missing(room_read_all()) <= 1);
    assert_no_double(room_read_all());
    room_close();
}

static bool is_locked(void)
{
    char other[FILE_LOCK_TEXT], mine[24];
    (void)text_format(mine, sizeof mine, "%d ", (int)getpid());
    return file_is_locked_now(path_of("disk/.sluice.lock"), other, sizeof other) &&
           text_starts(other, mine);
}

static int lock_of_another(void)
{
    char other[FILE_LOCK_TEXT];
    int descriptor =
        file_lock_now(path_of("disk/.sluice.lock"), "4711 other\n", other, sizeof other);
    assert_true(descriptor >= 0);
    return descriptor;
}

// Another server records there: nothing is listed, repaired or written until it is gone.
static void disk_in_use_by_another_server_waits_for_its_end(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    int other = lock_of_another();
    room_attach_disks("disk", NULL);
    room_record(5);
    assert_int_equal(room_files("")->count, 0);
    assert_int_equal(room_stats().state, ARCHIVE_FAILED);
    assert_string_equal(room_stats().problem, "in_use");
    assert_int_equal(room_logged("reason=in_use pid=4711"), 1);
    close(other);
    room_wait(2 * US_PER_S);
    assert_null(room_stats().problem);
    assert_true(is_locked());
    room_align();
    room_record(2);
    assert_int_equal(room_stats().state, ARCHIVE_READY);
    assert_true(has(room_read_all(), &room.known[0])); // it waited in memory
    archive_detach(room.archives, room.stream);
    room_settle();
    for (unsigned i = 0; i < 100000 && is_locked();
         i++) // a worker of a queue that is gone closes it
        loop_fixture_settle(room.loop);
    assert_false(is_locked());
    room_close();
}

static void disk_in_use_makes_the_next_take_over(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    int other = lock_of_another();
    room_attach_disks("disk", "two");
    room_record(3);
    assert_true(text_ends(writes_to(), "/two"));
    close(other);
    room_wait(2 * US_PER_S);
    room_align();
    room_record(2);
    assert_true(text_ends(writes_to(), "/disk"));
    assert_int_equal(missing(room_read_all()), 0);
    room_close();
}

// All below the path was removed, the lock with it: the next look makes it anew; when another was
// faster the path is its.
static void disk_lock_that_was_removed_is_taken_again(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    room_attach_disks("disk", NULL);
    room_record(2);
    assert_true(is_locked());
    assert_int_equal(unlink(path_of("disk/.sluice.lock")), 0);
    room_wait(25 * US_PER_S);
    assert_true(is_locked());
    assert_null(room_stats().problem);
    assert_int_equal(unlink(path_of("disk/.sluice.lock")), 0);
    int other = lock_of_another();
    room_wait(25 * US_PER_S);
    assert_string_equal(room_stats().problem, "in_use");
    close(other);
    room_wait(2 * US_PER_S);
    assert_null(room_stats().problem);
    room_close();
}

// Two spellings of one path are no two servers.
static void disk_of_the_same_server_is_not_in_use(void **state)
{
    (void)state;
    room_open_plain("cam");
    assert_int_equal(mkdir(path_of("disk"), 0755), 0);
    assert_int_equal(symlink("disk", path_of("link")), 0);
    struct disk *first = disk_get(room.archives, path_of("disk"));
    struct disk *second = disk_get(room.archives, path_of("link"));
    room_settle();
    assert_int_equal(first->problem, REASON_NONE);
    assert_int_equal(second->problem, REASON_NONE);
    assert_int_equal(room_logged("in_use"), 0);
    disk_put(first);
    disk_put(second);
    room_settle();
    room_close();
}

TEST_MAIN(TEST(disk_in_use_by_another_server_waits_for_its_end),
          TEST(disk_in_use_makes_the_next_take_over),
          TEST(disk_lock_that_was_removed_is_taken_again),
          TEST(disk_of_the_same_server_is_not_in_use), TEST(disk_is_one_for_all_who_use_the_path),
          TEST(disk_error_makes_the_next_take_over),
          TEST(disk_that_cannot_be_opened_makes_the_next_take_over),
          TEST(disk_silence_makes_the_next_take_over),
          TEST(disk_full_for_good_makes_the_next_take_over),
          TEST(disk_named_in_fstab_waits_for_its_mount),
          TEST(disk_must_be_mounted_refuses_the_root), TEST(disk_unmounted_while_recording_is_left))
