// SPDX-License-Identifier: MIT
#include "archive_feeding.h"
#include "archive_files.h"
#include "archive_reading.h"

static int64_t start_of(unsigned number)
{
    return room.known[number].info.utc_start_us;
}

static void reader_gives_what_overlaps_the_range(void **state)
{
    (void)state;
    room_open();
    room_record(8);
    assert_known(room_read(start_of(2), start_of(5), HISTORY_WHOLE), 2, 3);
    assert_known(room_read(start_of(2) + 1, start_of(5) + 1, HISTORY_WHOLE), 2, 4);
    assert_known(room_read(start_of(3) - 1, start_of(3), HISTORY_WHOLE), 2, 1);
    assert_known(room_read(0, start_of(0), HISTORY_WHOLE), 0, 0);
    assert_known(room_read(start_of(7) + 2000000, INT64_MAX / 2, HISTORY_WHOLE), 0, 0);
    room_close();
}

static void reader_open_hour_is_readable_while_written(void **state)
{
    (void)state;
    room_open();
    for (unsigned i = 1; i <= 8; i++) {
        room_record(1);
        room_align();
        assert_true(room_read_all()->count >= i - 1);
        assert_known(room_read_all(), 0, room.known_count);
    }
    room_close();
}

static void reader_receiver_sets_the_pace(void **state)
{
    (void)state;
    room_open();
    room_record(8);
    static struct got got;
    file_faults_uncached(true);
    got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
    assert_int_equal(got.count, 0); // never inside the call
    got.pause_after = 3;
    room_settle();
    assert_int_equal(got.count, 3);
    unsigned reads = file_faults_count(FAULT_READ);
    room_wait(100 * US_PER_S); // the receiver may take its time
    assert_int_equal(file_faults_count(FAULT_READ), reads);
    assert_false(got.ended);
    // The next one was read ahead, and no more.
    file_faults_hold(FAULT_READ, true);
    got.pause_after = 4;
    history_next(got.request);
    assert_int_equal(got.count, 3);
    loop_fixture_settle(room.loop);
    assert_int_equal(got.count, 4);
    got.pause_after = 0;
    history_next(got.request);
    loop_fixture_settle(room.loop);
    assert_int_equal(got.count, 4);
    file_faults_hold(FAULT_READ, false);
    room_settle();
    assert_true(got.ended);
    assert_known(&got, 0, 8);
    room_close();
}

// Cached and uncached, whole and heads: the same.
static void reader_heads_are_those_of_the_segments(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 400, 20000};
    for (unsigned size = 0; size < 3; size++) {
        room_open();
        room.picture_bytes = sizes[size];
        room_record(3);
        for (int uncached = 0; uncached < 2; uncached++) {
            file_faults_uncached(uncached);
            static struct got got;
            got = *room_read(0, INT64_MAX / 2, HISTORY_HEADS);
            assert_int_equal(got.err, 0);
            assert_int_equal(got.count, 3);
            struct segment *segment;
            for (unsigned i = 0; i < 3; i++) {
                assert_same_info(&got.segment[i].info, &room.known[i].info);
                segment = stream_find_segment(room.stream, start_of(i) / 1000);
                assert_non_null(segment);
                struct buf *heads = cmaf_segment_heads(segment);
                assert_int_equal(got.heads[i], heads->length);
                assert_int_equal(got.heads_sum[i], crc32c(0, heads->data, heads->length));
                buf_unref(&heads);
            }
            assert_known(room_read_all(), 0, 3);
        }
        room_close();
    }
}

// peers.md 2.1.12.
static void reader_heads_of_large_segments_read_little(void **state)
{
    (void)state;
    room_open();
    room.picture_bytes = 60000;
    room_record(2);
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    file_faults_uncached(true);
    unsigned before = file_faults_count(FAULT_READ);
    struct got *got = room_read(0, start_of(1), HISTORY_HEADS);
    assert_int_equal(got->count, 1);
    // One read a part, and index and init segment.
    assert_in_range(file_faults_count(FAULT_READ) - before, 4, 16);
    room_close();
}

// Of what was read nothing is in memory any more.
static void forget_kept(void)
{
    loop_fixture_run(room.loop, 60 * US_PER_S);
    room_settle();
}

static void reader_damaged_segment_is_left_out_and_the_next_says_so(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    struct files *files = room_files(".mp4");
    const struct index *index = room_archive()->recorder.volume->index;
    off_t at = (off_t)(index->entries[2].offset + index->entries[2].bytes / 2);
    file_write_byte(files->path[0], at, file_read_byte(files->path[0], at) ^ 1);
    struct got *got = room_read_all();
    assert_int_equal(got->count, 4);
    assert_int_equal(got->segment[1].sum, room.known[1].sum);
    assert_int_equal(got->segment[2].sum, room.known[3].sum);
    assert_true(got->segment[2].info.flags & SEGMENT_DISCONTINUITY);
    assert_false(got->segment[3].info.flags & SEGMENT_DISCONTINUITY);
    assert_int_equal(room_logged("segment left out"), 1);
    // Heads do not look at the payload.
    assert_int_equal(room_read(0, INT64_MAX / 2, HISTORY_HEADS)->count, 5);
    room_close();
}

static void reader_damaged_head_is_left_out(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    struct files *files = room_files(".mp4");
    const struct index *index = room_archive()->recorder.volume->index;
    for (off_t at = 0; at < 200; at += 13) {
        off_t place = (off_t)index->entries[2].offset + at;
        uint8_t before = file_read_byte(files->path[0], place);
        file_write_byte(files->path[0], place, before ^ 0x81);
        struct got *got = room_read_all();
        assert_int_equal(got->count, 4);
        assert_int_equal(got->segment[2].sum, room.known[3].sum);
        (void)room_read(0, INT64_MAX / 2, HISTORY_HEADS);
        file_write_byte(files->path[0], place, before);
    }
    assert_known(room_read_all(), 0, 5);
    room_close();
}

// Somebody cuts the file behind our back, right between two parts.
static void reader_segment_that_is_not_all_there_is_left_out(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    assert_known(room_read_all(), 0, 3);
    const struct index *index = room_archive()->recorder.volume->index;
    struct segment *segment = stream_find_segment(room.stream, start_of(2) / 1000);
    const struct chain *bytes = cmaf_segment(segment);
    struct buf *joined = chain_join(bytes);
    size_t second = cmaf_chunk_find(buf_bytes(joined), 1);
    assert_true(second < joined->length);
    buf_unref(&joined);
    assert_int_equal(
        truncate(room_files(".mp4")->path[0], (off_t)(index->entries[2].offset + second)), 0);
    forget_kept();
    assert_known(room_read_all(), 0, 2);
    room_close();
}

// An index that is well in itself, and speaks of other segments than there are.
static void reader_segment_that_is_another_is_left_out(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    struct index *index = room_archive()->recorder.volume->index;
    index->entries[1].number += 5;
    struct got *got = room_read_all();
    assert_int_equal(got->count, 2);
    assert_int_equal(got->segment[1].sum, room.known[2].sum);
    index->entries[1].number -= 5;
    index->entries[2].utc_start_us += 7;
    assert_known(room_read_all(), 0, 2);
    room_close();
}

static void reader_of_a_removed_file_reads_to_its_end(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    room_lose(); // the file is finished by the detach
    archive_detach(room.archives, room.stream);
    room_settle();
    room_attach();
    room_settle();
    static struct got got;
    file_faults_uncached(true);
    got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
    got.pause_after = 2;
    room_settle();
    assert_int_equal(got.count, 2);
    struct archive *archive = room_archive();
    assert_true(retention_remove(archive, &archive->hours.hour[0]));
    room_settle();
    assert_int_equal(room_files("")->count, 0);
    got.pause_after = 0;
    history_next(got.request);
    room_settle();
    assert_true(got.ended);
    assert_known(&got, 0, room.known_count);
    assert_int_equal(room_read_all()->count, 0);
    room_close();
}

static void make_folders_of(const char *path)
{
    char folder[256];
    (void)text_copy(folder, sizeof folder, path);
    for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        (void)mkdir(folder, 0755);
        *at = '/';
    }
}

// The name of a file says when it was recorded; what stands in it may be another clock's time.
static void reader_dates_what_it_gives_as_the_name_does(void **state)
{
    (void)state;
    static const int64_t by_s[] = {7200, -7200, 86400 * 40};
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"2026/01/01/020000o7200", "2025/12/31/220000o-7200",
                                            "2026/02/10/000000o3456000"};
        room_open();
        room_record(4);
        room_lose();
        static struct got heads, before;
        heads = *room_read(0, INT64_MAX / 2, HISTORY_HEADS);
        before = *room_read_all();
        archive_detach(room.archives, room.stream);
        room_settle();
        // The index goes along, or is made anew.
        for (unsigned idx = 0; idx < (i == 2 ? 1 : 2); idx++) {
            char from[256], to[256];
            (void)text_format(from, sizeof from, "%s", room_files(idx ? ".idx" : ".mp4")->path[0]);
            (void)text_format(to, sizeof to, "%s/cam/%s", room.folder.path, names[i]);
            assert_non_null(strstr(from, "cam/2026/01/01/000000."));
            make_folders_of(to);
            (void)text_format(to, sizeof to, "%s/cam/%s.%s", room.folder.path, names[i],
                              idx ? "idx" : "mp4");
            assert_int_equal(rename(from, to), 0);
        }
        room_attach();
        room_settle();
        static struct got got;
        got = *room_read_all();
        assert_true(before.count >= 4);
        assert_int_equal(got.count, before.count);
        for (unsigned k = 0; k < got.count; k++) {
            struct segment_info info = before.segment[k].info;
            info.utc_start_us += by_s[i] * US_PER_S;
            assert_same_info(&got.segment[k].info, &info);
            assert_true(got.segment[k].sum != before.segment[k].sum);
        }
        assert_list_is_read();
        int64_t from_us = got.segment[1].info.utc_start_us;
        assert_int_equal(room_read(from_us, from_us + 1, HISTORY_WHOLE)->count, 1);
        struct got *ranges = room_ranges(0, INT64_MAX / 2);
        assert_int_equal(ranges->range[0].from_us, got.segment[0].info.utc_start_us);
        struct got *dated = room_read(0, INT64_MAX / 2, HISTORY_HEADS);
        assert_int_equal(dated->count, got.count);
        assert_int_equal(dated->heads[0], heads.heads[0]);
        assert_true(dated->heads_sum[0] != heads.heads_sum[0]);
        // What is deleted stays deleted.
        clock_set_test(now_us(), utc_us() + 86400 * 50 * US_PER_S);
        assert_int_equal(archive_delete(room.stream, from_us, from_us + 1), 0);
        room_settle();
        assert_int_equal(room_read_all()->count, got.count - 1);
        room_close();
    }
}

static void reader_hung_disk_is_a_timeout(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    static struct got got;
    file_faults_uncached(true);
    file_faults_hold(FAULT_READ, true);
    got_begin(&got, 0, INT64_MAX / 2, HISTORY_WHOLE);
    loop_fixture_run(room.loop, 20 * US_PER_S);
    assert_false(got.ended);
    loop_fixture_run(room.loop, 60 * US_PER_S);
    assert_true(got.ended);
    assert_int_equal(got.err, ERR_TIMEOUT);
    file_faults_hold(FAULT_READ, false);
    room_settle();
    assert_known(room_read_all(), 0, 3);
    room_close();
}

static void reader_segment_read_lately_needs_no_disk(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    assert_known(room_read_all(), 0, 5);
    file_faults_uncached(true);
    file_faults_fail(FAULT_READ, 1, true, EIO);

    assert_known(room_read_all(), 0, 5);

    forget_kept();
    assert_int_equal(room_read_all()->count, 0);
    room_close();
}

static void reader_read_error_leaves_one_out(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    assert_known(room_read_all(), 0, 5); // the file is open now
    forget_kept();
    file_faults_uncached(true);
    file_faults_fail(FAULT_READ, 2, false, EIO);
    struct got *got = room_read_all();
    assert_int_equal(got->count, 4);
    assert_int_equal(got->segment[1].sum, room.known[2].sum);
    assert_true(got->segment[1].info.flags & SEGMENT_DISCONTINUITY);
    room_close();
}

// ---- cancelling --------------------------------------------------------------------------------

struct canceller {
    struct history_request *request;
    unsigned count, cancel_at;
    bool ended;
};

static void canceller_on_segment(void *arg, struct segment **segment)
{
    struct canceller *canceller = arg;
    segment_unref(segment);
    if (++canceller->count == canceller->cancel_at)
        history_cancel(&canceller->request);
    else
        history_next(canceller->request);
}

static void canceller_on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                               struct bytes heads)
{
    struct segment *none = NULL;
    (void)info, (void)tracks, (void)heads;
    canceller_on_segment(arg, &none);
}

static void canceller_on_end(void *arg, int err)
{
    struct canceller *canceller = arg;
    (void)err;
    canceller->ended = true;
    canceller->request = NULL;
}

static const struct history_events canceller_events = {
    .on_segment = canceller_on_segment, .on_heads = canceller_on_heads, .on_end = canceller_on_end};

static void reader_cancel_inside_its_callback_is_the_last_of_it(void **state)
{
    (void)state;
    room_open();
    room_record(5);
    for (int uncached = 0; uncached < 2; uncached++) {
        file_faults_uncached(uncached);
        for (unsigned at = 1; at <= 6; at++) {
            struct canceller canceller = {.cancel_at = at};
            canceller.request =
                history_read(stream_history(room.stream), 0, INT64_MAX / 2,
                             at % 2 ? HISTORY_WHOLE : HISTORY_HEADS, &canceller_events, &canceller);
            room_settle();
            assert_int_equal(canceller.count, at < 5 ? at : 5);
            assert_int_equal(canceller.ended, at == 6);
        }
    }
    room_close();
}

// After every number of turns, with each kind of call held: nothing comes any more, nothing leaks.
static void reader_cancel_in_every_state_is_quiet(void **state)
{
    (void)state;
    static const enum fault_call held[] = {FAULT_CALLS, FAULT_OPEN, FAULT_READ, FAULT_WRITE};
    room_open();
    room_record(3);
    archive_detach(room.archives, room.stream);
    room_settle();
    for (unsigned hold = 0; hold < 4; hold++) {
        for (unsigned turns = 0; turns < 12; turns++) {
            room_attach();
            if (hold == 0)
                room_settle();
            else
                file_faults_hold(held[hold], true);
            file_faults_uncached(turns % 2);
            struct canceller canceller = {0};
            canceller.request = history_read(stream_history(room.stream), 0, INT64_MAX / 2,
                                             turns % 3 ? HISTORY_WHOLE : HISTORY_HEADS,
                                             &canceller_events, &canceller);
            for (unsigned i = 0; i < turns; i++)
                loop_turn(room.loop, false);
            unsigned count = canceller.count;
            bool ended = canceller.ended;
            history_cancel(&canceller.request);
            if (hold)
                file_faults_hold(held[hold], false);
            room_settle();
            assert_int_equal(canceller.count, count);
            assert_int_equal(canceller.ended, ended);
            archive_detach(room.archives, room.stream);
            room_settle();
        }
    }
    room_close();
}

static void reader_closing_the_archive_ends_it(void **state)
{
    (void)state;
    room_open();
    room_record(3);
    static struct got read, list, ranges;
    got_begin(&read, 0, INT64_MAX / 2, HISTORY_WHOLE);
    memset(&list, 0, sizeof list);
    memset(&ranges, 0, sizeof ranges);
    (void)history_list(stream_history(room.stream), 0, 1, got_on_list, &list);
    (void)history_ranges(stream_history(room.stream), 0, 1, got_on_ranges, &ranges);
    archive_detach(room.archives, room.stream);
    assert_int_equal(read.err, ERR_CANCELLED);
    assert_int_equal(list.err, ERR_CANCELLED);
    assert_int_equal(ranges.err, ERR_CANCELLED);
    room_settle();
    room_close();
}

TEST_MAIN(TEST(reader_gives_what_overlaps_the_range),
          TEST(reader_open_hour_is_readable_while_written), TEST(reader_receiver_sets_the_pace),
          TEST(reader_heads_are_those_of_the_segments),
          TEST(reader_heads_of_large_segments_read_little),
          TEST(reader_damaged_segment_is_left_out_and_the_next_says_so),
          TEST(reader_damaged_head_is_left_out),
          TEST(reader_segment_that_is_not_all_there_is_left_out),
          TEST(reader_segment_that_is_another_is_left_out),
          TEST(reader_of_a_removed_file_reads_to_its_end),
          TEST(reader_dates_what_it_gives_as_the_name_does), TEST(reader_hung_disk_is_a_timeout),
          TEST(reader_segment_read_lately_needs_no_disk), TEST(reader_read_error_leaves_one_out),
          TEST(reader_cancel_inside_its_callback_is_the_last_of_it),
          TEST(reader_cancel_in_every_state_is_quiet), TEST(reader_closing_the_archive_ends_it))
