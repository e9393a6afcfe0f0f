// SPDX-License-Identifier: MIT
// A scripted life of an archive with the n-th call of the file system failing, shortened or late,
// for every n there is. Points of the list of peers' troubles: seconds lost at a rotation, silent
// stop after a fault (recording goes on, and says what was wrong), power loss and unreadable files,
// a slow disk that stalls all; of the design lessons: an fsync that fails is never believed, order
// of fsync for files and folders, recovery from a checkpoint, deletion with the folder's sync.
#include "memory_room.h"

enum { LOST_MAX = 2, LATE_SEGMENTS = 7 };

// One fault may cost the segment it struck and the one that was begun.
static void check_after(unsigned lost_max)
{
    file_faults_fail(FAULT_ANY, 0, false, 0);
    file_faults_fail(FAULT_WRITE, 0, false, 0);
    file_hand_hang_at(0);
    file_hand_release();
    room_settle();
    CHECK(check_promises() <= lost_max);
    // It goes on, whatever happened: within the pause before another try; the next sync says so.
    room_wait(2 * US_PER_S);
    step_segments(LATE_SEGMENTS);
    CHECK(got_whole(room_read_all(), &room.known[room.known_count - 2]));
    CHECK(room_stats().problem == NULL);
    another_life();
    CHECK(check_promises() <= lost_max);
    step_segments(3);
    CHECK(got_whole(room_read_all(), &room.known[room.known_count - 2]));
    CHECK(check_promises() <= lost_max);
}

typedef void (*set_fault)(unsigned nth, int error);

// Runs the scenario with the fault set at the n-th call, n = 1, 2 ... until the call was never
// made.
static void for_every_call(const char *name, enum fault_call call, set_fault set, int error,
                           unsigned lost_max)
{
    for (unsigned n = 1;; n++) {
        snprintf(doing, sizeof doing, "%s, call %u", name, n);
        struct memory_disk *disk = memory_room_disk();
        scenario_begin(disk, 0);
        set(n, error);
        scenario();
        bool met = file_faults_count(call) >= n;
        check_after(lost_max);
        memory_room_close();
        CHECK(memory_disk_open_count(disk) == 0);
        memory_disk_free(&disk);
        if (!met) {
            CHECK(n > 10);
            return;
        }
    }
}

static void fail_any(unsigned nth, int error)
{
    file_faults_fail(FAULT_ANY, nth, false, error);
}

static void fail_write(unsigned nth, int error)
{
    file_faults_fail(FAULT_WRITE, nth, false, error);
}

static void shorten_write(unsigned nth, int error)
{
    file_faults_shorten_write(nth, 7);
    file_faults_fail(FAULT_WRITE, nth + 1, false, error); // and the rest of it does not go
}

static void faults_each_call_fails_once(void **state)
{
    (void)state;
    for_every_call("fails", FAULT_ANY, fail_any, EIO, LOST_MAX);
}

static void faults_each_write_finds_the_disk_full_once(void **state)
{
    (void)state;
    for_every_call("full", FAULT_WRITE, fail_write, ENOSPC, LOST_MAX);
}

static void faults_each_write_is_cut_short_once(void **state)
{
    (void)state;
    for_every_call("short", FAULT_WRITE, shorten_write, EIO, LOST_MAX);
}

// The n-th operation and all behind it in its worker are two seconds late, others go on.
static void faults_each_operation_is_late_once(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 1000; n++) {
        snprintf(doing, sizeof doing, "late, operation %u", n);
        struct memory_disk *disk = memory_room_disk();
        scenario_begin(disk, 0);
        file_hand_hang_at(n);
        scenario();
        bool met = file_hand_hang_at_left() == 0;
        check_after(0);
        memory_room_close();
        memory_disk_free(&disk);
        if (!met)
            return;
    }
    fail_msg("the scenario has no end");
}

// Operations of different files end in any order.
static void faults_operations_end_in_any_order(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        snprintf(doing, sizeof doing, "order, seed %u", seed);
        struct memory_disk *disk = memory_room_disk();
        scenario_begin(disk, seed);
        scenario();
        check_after(0);
        memory_room_close();
        memory_disk_free(&disk);
    }
}

TEST_MAIN(TEST(faults_each_call_fails_once), TEST(faults_each_write_finds_the_disk_full_once),
          TEST(faults_each_write_is_cut_short_once), TEST(faults_each_operation_is_late_once),
          TEST(faults_operations_end_in_any_order))
