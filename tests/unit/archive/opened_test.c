// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static unsigned answers;

static void on_ready(void *arg)
{
    (void)arg;
    answers++;
}

static struct hour_name first_name(void)
{
    return hour_name_of(&room_archive()->hours.hour[0]);
}

// A stream with one finished file of three segments.
static void room_with_a_file(void)
{
    room_open();
    room_record(3);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    opened_drop_all(room_archive());
    room_settle();
    answers = 0;
}

static void opened_want_reads_once_for_all_who_wait(void **state)
{
    (void)state;
    room_with_a_file();
    unsigned reads = file_faults_count(FAULT_READ);
    struct opened *a = opened_get(room_archive(), first_name());
    struct opened *b = opened_get(room_archive(), first_name());
    assert_ptr_equal(a, b);
    struct opened_waiter one = {0}, two = {0}, three = {0};
    assert_int_equal(opened_want(a, OPENED_INDEX, &one, on_ready, NULL), ERR_AGAIN);
    assert_int_equal(opened_want(a, OPENED_INDEX, &one, on_ready, NULL), ERR_AGAIN); // still
    assert_int_equal(opened_want(b, OPENED_INDEX | OPENED_MEDIA, &two, on_ready, NULL), ERR_AGAIN);
    assert_int_equal(opened_want(b, OPENED_INDEX, &three, on_ready, NULL), ERR_AGAIN);
    opened_forget(&three);
    assert_int_equal(answers, 0);
    room_settle();
    assert_int_equal(answers, 2);
    assert_int_equal(opened_want(a, OPENED_INDEX | OPENED_MEDIA, &one, on_ready, NULL), 0);
    assert_true(a->index->count >= 3);
    assert_int_equal(a->tracks->count, 2);
    assert_int_equal(a->tracks->generation, a->index->generation);
    assert_true(file_faults_count(FAULT_READ) - reads <=
                4); // index and init segment, with their ends
    opened_put(&a);
    opened_put(&b);
    // Kept for the next one.
    reads = file_faults_count(FAULT_READ);
    a = opened_get(room_archive(), first_name());
    assert_int_equal(opened_want(a, OPENED_INDEX | OPENED_MEDIA, &one, on_ready, NULL), 0);
    assert_int_equal(file_faults_count(FAULT_READ), reads);
    opened_put(&a);
    room_close();
}

static void opened_error_is_told_and_not_kept(void **state)
{
    (void)state;
    room_with_a_file();
    struct opened_waiter waiter = {0};
    file_faults_fail(FAULT_OPEN, 2, false, EIO); // the hour file, after its index
    struct opened *opened = opened_get(room_archive(), first_name());
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), ERR_AGAIN);
    room_settle();
    assert_int_equal(answers, 1);
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), ERR_IO);
    assert_null(opened_find(room_archive(), first_name()));
    opened_put(&opened);
    opened = opened_get(room_archive(), first_name());
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), ERR_AGAIN);
    room_settle();
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), 0);
    opened_put(&opened);
    room_close();
}

static void opened_drop_leaves_it_to_its_users(void **state)
{
    (void)state;
    room_with_a_file();
    struct opened_waiter waiter = {0};
    struct opened *opened = opened_get(room_archive(), first_name());
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), ERR_AGAIN);
    opened_drop(room_archive(), first_name());
    room_settle();
    assert_int_equal(answers, 1);
    assert_int_equal(opened_want(opened, OPENED_MEDIA, &waiter, on_ready, NULL), 0);
    struct opened *other = opened_get(room_archive(), first_name());
    assert_ptr_not_equal(opened, other);
    opened_put(&opened);
    opened_put(&other);
    room_close();
}

static void opened_unused_are_kept_up_to_a_bound(void **state)
{
    (void)state;
    room_with_a_file();
    struct archive *archive = room_archive();
    struct hour_name name = {.second = 1000};
    for (unsigned i = 0; i < 3 * ARCHIVE_OPENED_MAX; i++, name.second++) {
        assert_int_equal(hours_add(&archive->hours, name, 1), 0);
        struct opened *opened = opened_get(archive, name);
        opened_put(&opened);
    }
    assert_int_equal(room.archives->opened.count, ARCHIVE_OPENED_MAX);
    name.second--;
    assert_non_null(opened_find(archive, name)); // the least recently used went
    room_close();
}

// The init segment is longer than the first guess: sixteen tracks with large configurations.
static void opened_long_init_segment_is_read_whole(void **state)
{
    (void)state;
    room_open_plain("cam");
    struct track track[4];
    for (unsigned i = 0; i < 4; i++) {
        struct tracks *tracks = room_tracks();
        track_init(&track[i], CODEC_H264);
        track[i] = tracks->track[0];
        track[i].config = buf_ref(tracks->track[0].config);
        tracks_unref(&tracks);
        // A config with many parameter sets.
        struct buf *longer = buf_new(40000);
        buf_append(longer, track[i].config->data, 5);
        buf_append(longer, "\xe1\x00\x15", 3);
        buf_append(longer, track[i].config->data + 8, 21);
        buf_append(longer, "\xff", 1);
        for (unsigned k = 0; k < 255; k++) {
            buf_append(longer, "\x00\x60\x68", 3);
            memset(longer->data + longer->length, 0xea, 95);
            longer->length += 95;
        }
        buf_unref(&track[i].config);
        track[i].config = longer;
    }
    struct tracks *tracks = tracks_new(track, 4);
    source_tracks(room.source, &tracks);
    room_attach();
    room_settle();
    for (unsigned i = 0; i < 160; i++) {
        room_push_frame(0, i * 3600, i % 50 == 0 ? FRAME_KEY : 0, 300);
        clock_advance_test(40000);
        if (i % 10 == 0)
            loop_fixture_settle(room.loop);
    }
    room_settle();
    archive_detach(room.archives, room.stream);
    room_settle();
    assert_true(room_files(".mp4")->count == 1);
    room_attach();
    room_settle();
    struct got *got = room_read_all();
    assert_true(got->count >= 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(got->segment[i].sum, room.known[i].sum);
    struct opened *opened = opened_find(room_archive(), first_name());
    assert_true(opened->init_length > 64u << 10);
    room_close();
}

TEST_MAIN(TEST(opened_want_reads_once_for_all_who_wait), TEST(opened_error_is_told_and_not_kept),
          TEST(opened_drop_leaves_it_to_its_users), TEST(opened_unused_are_kept_up_to_a_bound),
          TEST(opened_long_init_segment_is_read_whole))
