// SPDX-License-Identifier: MIT
// The journal of an archive: holes with reasons (peers.md 2.1.3, typed holes; section 6 idea
// 7), that outlive restarts, crashes and damage, and never stop recording (2.1 points 4 and 15).
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static int64_t end_of(unsigned number)
{
    return room.known[number].info.utc_start_us + room.known[number].info.duration_us;
}

static void again(void)
{
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
}

static struct got *all_ranges(void)
{
    return room_ranges(0, INT64_MAX / 2);
}

static void mark_is_said_once_until_media_come(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_lose();
    unsigned marks = room_archive()->journal.records.marks.count;
    room_wait(20 * US_PER_S); // the input is tried again and again
    for (unsigned i = 0; i < 5; i++)
        archive_mark(room_archive(), REASON_SOURCE_LOST);
    assert_int_equal(room_archive()->journal.records.marks.count, marks);
    room_reconnect(0);
    room_record(1);
    room_lose();
    assert_int_equal(room_archive()->journal.records.marks.count, marks + 1);
    room_close();
}

static void hole_that_goes_on_is_told_until_now(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    assert_int_equal(all_ranges()->ranges, 1);
    room_lose();
    room_wait(5 * US_PER_S);
    struct got *got = all_ranges();
    assert_int_equal(got->ranges, 2);
    assert_int_equal(got->range[1].reason, REASON_SOURCE_LOST);
    assert_int_equal(got->range[1].from_us, got->range[0].to_us);
    assert_int_equal(got->range[1].to_us, utc_us());
    // It ends where the segment begins that is being recorded, not where that is closed.
    room_reconnect(0);
    room_push(20);
    room_settle();
    int64_t begun_us = utc_us() - 20 * 40000;
    got = all_ranges();
    assert_int_equal(got->ranges, 2);
    assert_in_range(got->range[1].to_us, begun_us - 100000, begun_us + 100000);
    room_close();
}

// A hole that lasts while reasons change is told in pieces.
// peers.md 6.7.
static void hole_is_cut_where_marks_lie(void **state)
{
    (void)state;
    room_open();
    room_record(2);
    room_lose();
    int64_t lost_us = end_of(room.known_count - 1);
    room_wait(10 * US_PER_S);
    int64_t off_us = utc_us();
    archive_mark(room_archive(), REASON_DISABLED);
    again(); // a restart switches nothing on
    room_wait(10 * US_PER_S);
    struct got *got = all_ranges();
    assert_int_equal(got->ranges, 3);
    assert_int_equal(got->range[1].reason, REASON_SOURCE_LOST);
    assert_int_equal(got->range[1].from_us, lost_us);
    assert_int_equal(got->range[1].to_us, off_us);
    assert_int_equal(got->range[2].reason, REASON_DISABLED);
    room_close();
}

static void write_journal(const void *data, size_t length)
{
    int descriptor = open(room_files("journal")->path[0], O_WRONLY | O_TRUNC);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, data, length), (ssize_t)length);
    close(descriptor);
}

static struct got remembered;

// Media, a hole because of the source, media, and the archive let go of.
static void record_a_hole(void)
{
    room_open();
    room_record(2);
    room_lose();
    room_reconnect(10 * US_PER_S);
    room_record(2);
    room_lose();
    remembered = *room_ranges(0, utc_us() - US_PER_S);
    assert_int_equal(remembered.range[1].reason, REASON_SOURCE_LOST);
}

static void assert_remembered(void)
{
    struct got *got = room_ranges(0, remembered.range[2].from_us + 1);
    assert_int_equal(got->ranges, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(got->range[i].from_us, remembered.range[i].from_us);
        assert_int_equal(got->range[i].reason, remembered.range[i].reason);
    }
}

static void journal_outlives_restarts(void **state)
{
    (void)state;
    record_a_hole();
    for (unsigned i = 0; i < 3; i++) {
        again();
        assert_remembered();
    }
    assert_int_equal(room_files("journal")->size[0] % JOURNAL_RECORD, 0);
    room_close();
}

// Media that come while the file is still being read must not lie before the mark: the hole of a
// restart would then be told as one that nobody can explain.
static void journal_life_begins_with_the_archive(void **state)
{
    (void)state;
    room_open_plain("cam");
    int64_t begun_us = utc_us();
    room_attach();
    clock_advance_test(300 * US_PER_MS); // before the file has been read
    room_settle();
    const struct journal_records *records = &room_archive()->journal.records;
    assert_int_equal(records->clocks.item[0].from_us, begun_us);
    assert_int_equal(records->marks.item[0].from_us, begun_us);
    room_close();
}

// A crash in the middle of an append, at every byte of the last record.
static void journal_torn_end_is_cut_off(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 16];
    record_a_hole();
    archive_detach(room.archives, room.stream);
    room_settle();
    int descriptor = open(room_files("journal")->path[0], O_RDONLY);
    ssize_t length = read(descriptor, bytes, sizeof bytes);
    close(descriptor);
    for (unsigned torn = 1; torn <= JOURNAL_RECORD; torn += 7) {
        write_journal(bytes, (size_t)length - torn);
        room_attach();
        room_settle();
        assert_remembered();
        archive_detach(room.archives, room.stream);
        room_settle();
        assert_int_equal(room_files("journal")->size[0] % JOURNAL_RECORD, 0);
    }
    room_attach();
    room_settle();
    room_close();
}

static void journal_not_understood_is_kept_aside(void **state)
{
    (void)state;
    record_a_hole();
    archive_detach(room.archives, room.stream);
    room_settle();
    write_journal("of another version", 18);
    room_attach();
    room_settle();
    assert_int_equal(room_files("journal.bad")->count, 1);
    struct got *got = room_ranges(0, remembered.range[2].from_us + 1);
    assert_int_equal(got->ranges, 3);
    assert_int_equal(got->range[1].reason, REASON_UNKNOWN);
    room_reconnect(10 * US_PER_S);
    room_record(2);
    assert_int_equal(room_files("journal")->count, 1);
    room_close();
}

// Each write of a recording fails once: media and reasons are there in the end.
static void journal_each_write_fails_once(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 12; n++) {
        room_open();
        file_faults_fail(FAULT_WRITE, n, false, EIO);
        room_record(3);
        room_lose();
        room_reconnect(40 * US_PER_S);
        room_record(2);
        room_wait(40 * US_PER_S);
        again();
        struct got *got = room_ranges(0, INT64_MAX / 2);
        bool source_lost = false;
        for (unsigned i = 0; i < got->ranges; i++)
            source_lost |= got->range[i].reason == REASON_SOURCE_LOST;
        assert_true(source_lost);
        assert_true(room_read_all()->count >= 4);
        room_close();
    }
}

// It cannot be read for a while: recording goes on, nothing that stands in it is lost.
// peers.md 2.1.14: nothing but appends stands on the way of a write.
static void journal_unreadable_stops_nothing(void **state)
{
    (void)state;
    record_a_hole();
    archive_detach(room.archives, room.stream);
    room_settle();
    file_faults_fail(FAULT_READ, 1, false, EIO);
    room_attach();
    room_settle();
    assert_true(room_archive()->journal.copy[0].unreadable);
    room_reconnect(US_PER_S);
    room_record(3);
    room_lose();
    int64_t lost_us = room_archive()->recorder.taken_end_us;
    room_wait(15 * US_PER_S);
    assert_false(room_archive()->journal.copy[0].unreadable);
    assert_remembered();
    again();
    assert_remembered();
    const struct journal_record *mark =
        journal_mark_at(&room_archive()->journal.records, lost_us + 1);
    assert_int_equal(mark->from_us, lost_us);
    assert_int_equal(mark->reason, REASON_SOURCE_LOST);
    room_close();
}

// A camera that comes and goes: the file stays bounded, the newest reasons stay.
static void journal_is_written_anew_when_it_has_grown(void **state)
{
    (void)state;
    room_open();
    room_record(1);
    struct archive *archive = room_archive();
    for (unsigned i = 0; i < 3 * JOURNAL_MARKS_MAX; i++) {
        journal_mark(archive, utc_us(), 0, i % 2 ? REASON_SOURCE_LOST : REASON_DISABLED);
        clock_advance_test(1000);
        if (i % 64 == 0)
            room_settle();
    }
    for (unsigned i = 0; i < 2000; i++) {
        journal_switch(archive, i % 2);
        if (i % 100 == 0)
            room_settle();
    }
    room_settle();
    assert_true(archive->journal.records.marks.count <= JOURNAL_MARKS_MAX);
    assert_in_range(room_files("journal")->size[0], 1,
                    (2 * JOURNAL_MARKS_MAX + 4096) * JOURNAL_RECORD);
    journal_switch(archive, false);
    again();
    assert_int_equal(room_archive()->journal.records.recording, SWITCH_OFF);
    assert_true(room_archive()->journal.records.marks.count > JOURNAL_MARKS_MAX / 2);
    room_close();
}

TEST_MAIN(TEST(mark_is_said_once_until_media_come), TEST(hole_that_goes_on_is_told_until_now),
          TEST(hole_is_cut_where_marks_lie), TEST(journal_outlives_restarts),
          TEST(journal_life_begins_with_the_archive), TEST(journal_torn_end_is_cut_off),
          TEST(journal_not_understood_is_kept_aside), TEST(journal_each_write_fails_once),
          TEST(journal_unreadable_stops_nothing), TEST(journal_is_written_anew_when_it_has_grown))
