// SPDX-License-Identifier: MIT
// An archive with one thing wrong at a time: what is said of it, what a repair makes of it, and
// that no byte of a segment is touched.
#include "archive/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/file.h"
#include "journal_parse.h"
#include "scan_fixture.h"
#include "summary_parse.h"
#include "temp_folder.h"

#define DAY "main/2026/01/01/"
enum { SEGMENTS = 5, TEXT = 4096 };

static struct temp_folder folder;
static struct tracks *tracks;
static char said[TEXT];
static struct check_sums sums;

// ---- an archive --------------------------------------------------------------------------------

static const char *at(const char *name)
{
    return temp_path(&folder, name);
}

static void make_folders(const char *name)
{
    char path[256];
    (void)text_copy(path, sizeof path, at(name));
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(path, 0755);
        *slash = '/';
    }
}

static void write_file(const char *name, const void *data, size_t length)
{
    make_folders(name);
    int descriptor = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, data, length), (ssize_t)length);
    close(descriptor);
}

static struct buf *read_file(const char *name)
{
    struct stat found;
    int descriptor = open(at(name), O_RDONLY);
    if (descriptor < 0)
        return NULL;
    assert_int_equal(fstat(descriptor, &found), 0);
    struct buf *out = buf_new((size_t)found.st_size + 1);
    out->length = (size_t)found.st_size;
    assert_int_equal(read(descriptor, out->data, out->length), found.st_size);
    close(descriptor);
    return out;
}

static bool is_there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static void flip(const char *name, size_t offset)
{
    struct buf *bytes = read_file(name);
    assert_true(offset < bytes->length);
    bytes->data[offset] ^= 0x10;
    write_file(name, bytes->data, bytes->length);
    buf_unref(&bytes);
}

static void append(const char *name, const char *what, size_t length)
{
    struct buf *bytes = read_file(name);
    buf_reserve(&bytes, length);
    buf_append(bytes, what, length);
    write_file(name, bytes->data, bytes->length);
    buf_unref(&bytes);
}

// Segments [from, from + SEGMENTS) as an hour file and its index.
static struct summary_file make_hour(const char *name, unsigned from)
{
    char path[64];
    struct chain chain = {0};
    struct buf *head = cmaf_init_write_at(tracks, SCAN_START_US);
    size_t init = head->length;
    chain_take(&chain, &head);
    for (unsigned i = from; i < from + SEGMENTS; i++)
        for (unsigned part = 0; part < 4; part++)
            scan_chunk(&chain, tracks, i, part, SEGMENT_KEY);
    struct buf *data = chain_join(&chain);
    chain_fini(&chain);
    struct scan scan;
    scan_all(&scan, buf_bytes(data), tracks, init, 0);
    assert_int_equal(scan.index->count, SEGMENTS);
    scan.index->closed = true;
    scan.index->file_length = data->length;
    struct writer out = {0};
    index_write(&out, scan.index);
    struct buf *index = writer_take(&out);
    (void)text_format(path, sizeof path, DAY "%s.mp4", name);
    write_file(path, data->data, data->length);
    (void)text_format(path, sizeof path, DAY "%s.idx", name);
    write_file(path, index->data, index->length);
    struct summary_file sum = {.name = {.second = SCAN_START_US / US_PER_S + from * 2},
                               .indexed = true,
                               .bytes = data->length + index->length};
    assert_true(index_span(scan.index, &sum.start_us, &sum.end_us));
    buf_unref(&index);
    buf_unref(&data);
    scan_fini(&scan);
    return sum;
}

static void write_summary(struct summary_file *file, unsigned files)
{
    struct writer out = {0};
    struct summary summary = {.day_s = SCAN_START_US / US_PER_S, .file = file, .files = files};
    summary_write(&out, &summary);
    struct buf *bytes = writer_take(&out);
    write_file(DAY "day.sum", bytes->data, bytes->length);
    buf_unref(&bytes);
}

static void write_journal(void)
{
    struct writer out = {0};
    journal_head_write(&out, &(struct journal_head){0});
    for (unsigned i = 0; i < 4; i++) {
        struct journal_record record = {.kind = JOURNAL_LOCK,
                                        .from_us = SCAN_START_US + i * 10 * US_PER_S,
                                        .to_us = SCAN_START_US + (i * 10 + 5) * US_PER_S};
        journal_record_write(&out, &record);
    }
    struct buf *bytes = writer_take(&out);
    write_file("main/journal", bytes->data, bytes->length);
    buf_unref(&bytes);
}

#define OLD DAY "000000"
#define NEWEST DAY "000010"

static void archive_make(void)
{
    temp_folder_make(&folder);
    tracks = scan_tracks();
    struct summary_file file[2] = {make_hour("000000", 0), make_hour("000010", SEGMENTS)};
    write_summary(file, 2);
    write_journal();
}

static void archive_drop(void)
{
    tracks_unref(&tracks);
    temp_folder_remove(&folder);
}

// ---- checking ----------------------------------------------------------------------------------

static void on_line(void *arg, enum check_kind kind, const char *path, const char *text)
{
    static const char *const mark[] = {"!", "+", "?"};
    (void)arg;
    assert_true(text_starts(path, folder.path));
    (void)text_append(said, sizeof said, "%s %s %s\n", mark[kind],
                      path[strlen(folder.path)] ? path + strlen(folder.path) + 1 : "", text);
}

static uint64_t look(bool repair)
{
    struct check_want want = {.path = folder.path, .repair = repair, .say = on_line};
    said[0] = 0;
    assert_int_equal(archive_check(&want, &sums), 0);
    return sums.findings;
}

#define assert_said(text)                                                                          \
    do {                                                                                           \
        if (!strstr(said, text))                                                                   \
            fail_msg("not said: %s\nsaid:\n%s", text, said);                                       \
    } while (0)

// Says so; a look changes nothing; after a repair nothing is left.
static void assert_found(uint64_t findings, const char *text)
{
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(look(false), findings);
        assert_int_equal(sums.repaired, 0);
        assert_said(text);
    }
    assert_int_equal(look(true), findings);
    assert_said(text);
    assert_int_equal(sums.repaired, findings);
    assert_int_equal(look(false), 0);
}

static void check_of_a_good_archive_finds_nothing(void **state)
{
    (void)state;
    archive_make();
    assert_int_equal(look(false), 0);
    assert_string_equal(said, "");
    assert_int_equal(sums.streams, 1);
    assert_int_equal(sums.files, 2);
    assert_int_equal(sums.segments, 2 * SEGMENTS);
    assert_int_equal(sums.media_us, 2 * SEGMENTS * 2000000);
    struct buf *old = read_file(OLD ".mp4"), *newest = read_file(NEWEST ".mp4");
    assert_int_equal(sums.bytes,
                     old->length + newest->length - 2 * cmaf_chunk_find(buf_bytes(old), 0));
    buf_unref(&old);
    buf_unref(&newest);
    // The folder of the stream, with a slash behind it, is an archive too.
    char path[200];
    (void)text_format(path, sizeof path, "%s/main/", folder.path);
    struct check_want want = {.path = path, .say = on_line};
    assert_int_equal(archive_check(&want, &sums), 0);
    assert_int_equal(sums.files, 2);
    assert_int_equal(sums.findings + sums.notes, 0);
    archive_drop();
}

static void check_without_an_archive_says_so(void **state)
{
    (void)state;
    temp_folder_make(&folder);
    struct check_want want = {.path = folder.path, .say = on_line};
    assert_int_equal(archive_check(&want, &sums), ERR_NOT_FOUND);
    want.path = at("nothing");
    assert_int_equal(archive_check(&want, &sums), ERR_NOT_FOUND);
    write_file("file", "x", 1);
    want.path = at("file");
    assert_int_equal(archive_check(&want, &sums), ERR_NOT_FOUND);
    temp_folder_remove(&folder);
}

static void check_damaged_chunk_is_told_with_what_it_hides(void **state)
{
    (void)state;
    archive_make();
    struct buf *before = read_file(OLD ".mp4");
    size_t chunk = cmaf_chunk_find(buf_bytes(before), 0);
    for (unsigned i = 0; i < 6; i++) // part 2 of the second segment
        chunk = cmaf_chunk_find(buf_bytes(before), chunk + 24);
    flip(OLD ".mp4", chunk + 400);
    buf_unref(&before);
    before = read_file(OLD ".mp4");
    assert_found(1, "! main/2026/01/01/000000.mp4 damaged at 2026-01-01T00:00:03");
    // Parts 2 and 3 of four.
    assert_said(", hides 1.0 s; the index leaves it out");
    assert_int_equal(sums.notes, 1);
    assert_int_equal(sums.segments, 2 * SEGMENTS);
    assert_false(is_there(DAY "day.sum")); // it said what the index said before
    struct buf *after = read_file(OLD ".mp4");
    assert_int_equal(after->length, before->length);
    assert_memory_equal(after->data, before->data, after->length);
    buf_unref(&before);
    buf_unref(&after);
    archive_drop();
}

// A flipped bit in the newest file is no torn end: nothing that the index speaks of is cut off.
static void check_damaged_last_chunk_is_not_cut_off(void **state)
{
    (void)state;
    archive_make();
    struct buf *before = read_file(NEWEST ".mp4");
    flip(NEWEST ".mp4", before->length - 10);
    assert_found(1, "hides 0.5 s");
    struct buf *after = read_file(NEWEST ".mp4");
    assert_int_equal(after->length, before->length);
    buf_unref(&before);
    buf_unref(&after);
    archive_drop();
}

static void check_torn_end_of_the_newest_file_is_cut(void **state)
{
    (void)state;
    archive_make();
    struct buf *before = read_file(NEWEST ".mp4");
    write_file(NEWEST ".mp4", before->data, before->length - 1000);
    assert_found(2, "! main/2026/01/01/000010.mp4 torn end of ");
    assert_int_equal(sums.notes, 0);
    assert_int_equal(sums.segments, 2 * SEGMENTS); // of the last one three parts
    struct buf *after = read_file(NEWEST ".mp4");
    assert_true(after->length < before->length - 1000);
    assert_int_equal(cmaf_chunk_find(buf_bytes(before), after->length), after->length);
    assert_memory_equal(after->data, before->data, after->length);
    buf_unref(&after);
    // As a power cut may leave it: the length is there, the bytes are not.
    unlink(at(NEWEST ".idx"));
    memset(before->data + before->length - 1000, 0, 1000);
    write_file(NEWEST ".mp4", before->data, before->length);
    assert_found(2, "! main/2026/01/01/000010.idx the index is missing");
    buf_unref(&before);
    archive_drop();
}

static void check_torn_end_of_an_older_file_stays(void **state)
{
    (void)state;
    archive_make();
    struct buf *before = read_file(OLD ".mp4");
    write_file(OLD ".mp4", before->data, before->length - 1000);
    assert_found(2, "! main/2026/01/01/000000.mp4 torn end of ");
    assert_said("? main/2026/01/01/000000.mp4 torn end of ");
    struct buf *after = read_file(OLD ".mp4");
    assert_int_equal(after->length, before->length - 1000);
    buf_unref(&before);
    buf_unref(&after);
    archive_drop();
}

static void check_bad_indexes_are_written_again(void **state)
{
    (void)state;
    archive_make();
    struct buf *good = read_file(OLD ".idx"), *after;
    struct {
        const char *text;
        size_t from, length; // what is left of it
        bool flipped;
    } cases[] = {
        {"the index is damaged at its beginning", 0, 0, false},
        {"the index is damaged at its beginning", 48, 200, false},
        {"the index is damaged behind segment 2 of 5", 0, good->length, true},
        {"the index is not closed, it has 5 of 5 segments", 0, good->length - 48, false},
        {"the index is damaged behind segment 1 of 5", 0, 2 * 48 + 20, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf *bad = buf_new_copy(good->data + cases[i].from, cases[i].length);
        if (cases[i].flipped)
            bad->data[3 * 48 + 7] ^= 1;
        write_file(OLD ".idx", bad->data, bad->length);
        assert_found(1, cases[i].text);
        after = read_file(OLD ".idx");
        assert_int_equal(after->length, good->length);
        assert_memory_equal(after->data, good->data, good->length);
        buf_unref(&after);
        buf_unref(&bad);
    }
    // That of the next file, which is closed and whole.
    struct buf *other = read_file(NEWEST ".idx");
    write_file(OLD ".idx", other->data, other->length);
    assert_found(1, "! main/2026/01/01/000000.idx the index is wrong from segment 0 on");
    append(OLD ".mp4", "garbage", 7);
    assert_found(2, "the index is of ");
    buf_unref(&other);
    buf_unref(&good);
    archive_drop();
}

static void check_wrong_summaries_are_removed(void **state)
{
    (void)state;
    static const char sum[] = DAY "day.sum";
    archive_make();
    struct summary_file file[2] = {make_hour("000000", 0), make_hour("000010", SEGMENTS)};
    flip(sum, 30);
    assert_found(1, "! main/2026/01/01/day.sum the summary is damaged");
    assert_false(is_there(sum));
    write_summary(file, 1);
    assert_found(1, "the summary speaks of other files than are there");
    file[0].end_us++;
    write_summary(file, 2);
    assert_found(1, "the summary has wrong times");
    file[0].end_us--;
    file[1].bytes++;
    write_summary(file, 2);
    assert_found(1, "the summary has wrong sizes");
    file[1].bytes--;
    file[1].indexed = false;
    write_summary(file, 2);
    assert_found(1, "the summary speaks of other files than are there");
    file[1].indexed = true;
    write_summary(file, 2);
    assert_int_equal(look(false), 0);
    archive_drop();
}

static void check_journal_keeps_the_records_that_count(void **state)
{
    (void)state;
    archive_make();
    append("main/journal", "torn", 4);
    assert_found(1, "! main/journal the journal has a torn end of 4 bytes");
    flip("main/journal", 48 * 2 + 9);
    assert_found(1, "the journal has 1 damaged records");
    struct buf *journal = read_file("main/journal");
    assert_int_equal(journal->length, 48 * 4);
    flip("main/journal", 0);
    assert_found(1, "the journal is damaged at its beginning");
    assert_false(is_there("main/journal"));
    assert_said("? main/journal.bad ");
    buf_unref(&journal);
    archive_drop();
}

static void check_leftovers_go_and_what_is_not_ours_stays(void **state)
{
    (void)state;
    static const char *const left[] = {OLD ".idx.new", DAY "day.sum.new", DAY "010101.idx",
                                       "main/journal.new", ".sluice-probe"};
    static const char *const others[] = {
        "note.txt",        "main/notes",     "main/2026/x",        "main/2026/01/y/z",
        DAY "holiday.mp4", DAY "010101.txt", DAY "000000.mp4.bak", "main/2026/02/30/000000.mp4"};
    archive_make();
    for (unsigned i = 0; i < sizeof left / sizeof *left; i++)
        write_file(left[i], "x", 1);
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        write_file(others[i], "x", 1);
    assert_found(sizeof left / sizeof *left, "an index without its hour file");
    assert_int_equal(sums.notes, sizeof others / sizeof *others);
    for (unsigned i = 0; i < sizeof left / sizeof *left; i++)
        assert_false(is_there(left[i]));
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(is_there(others[i]));
    archive_drop();
}

static void check_files_without_a_segment(void **state)
{
    (void)state;
    archive_make();
    struct buf *good = read_file(OLD ".mp4");
    size_t init = cmaf_chunk_find(buf_bytes(good), 0);
    // Nothing was written yet, or not all of the init segment.
    for (size_t length = 0; length <= init; length += init / 3) {
        write_file(DAY "000005.mp4", good->data, length);
        write_file(DAY "000030.mp4", good->data, length);
        unlink(at(DAY "day.sum"));
        assert_found(2, "no segment is in it");
        assert_false(is_there(DAY "000005.mp4"));
        assert_false(is_there(DAY "000030.mp4"));
    }
    // A torn chunk: goes as the newest file, as recovery does it, else it is for somebody to look
    // at.
    write_file(DAY "000030.mp4", good->data, init + 100);
    assert_found(2, "! main/2026/01/01/000030.mp4 no segment is in it");
    assert_false(is_there(DAY "000030.mp4"));
    write_file(DAY "000005.mp4", good->data, init + 100);
    assert_int_equal(look(true), 2);
    assert_int_equal(sums.repaired, 0);
    assert_true(is_there(DAY "000005.mp4"));
    unlink(at(DAY "000005.mp4"));
    // Footage behind an init segment that cannot be read is never taken for nothing.
    size_t moov = good->data[3];
    for (unsigned i = 0; i < 2; i++) {
        flip(NEWEST ".mp4", i * (moov + 7));
        struct buf *before = read_file(NEWEST ".mp4");
        assert_int_equal(look(true), 1);
        assert_int_equal(sums.repaired, 0);
        assert_said("init segment");
        struct buf *after = read_file(NEWEST ".mp4");
        assert_int_equal(after->length, before->length);
        flip(NEWEST ".mp4", i * (moov + 7));
        buf_unref(&after);
        buf_unref(&before);
    }
    buf_unref(&good);
    archive_drop();
}

static void check_overlapping_and_misnamed_files_are_noted(void **state)
{
    (void)state;
    archive_make();
    assert_int_equal(rename(at(NEWEST ".mp4"), at(DAY "000012-2.mp4")), 0);
    assert_int_equal(rename(at(NEWEST ".idx"), at(DAY "000012-2.idx")), 0);
    struct buf *old = read_file(OLD ".mp4"), *index = read_file(OLD ".idx");
    write_file(OLD "-1.mp4", old->data, old->length);
    write_file(OLD "-1.idx", index->data, index->length);
    unlink(at(DAY "day.sum"));
    assert_int_equal(look(false), 0);
    assert_int_equal(sums.notes, 2);
    assert_said("? main/2026/01/01/000000-1.mp4 overlaps an earlier file by 10.0 s");
    assert_said("? main/2026/01/01/000012-2.mp4 begins at 2026-01-01T00:00:10");
    buf_unref(&old);
    buf_unref(&index);
    archive_drop();
}

// Footage that was deleted in the middle of a file is a free box there, and no damage.
static void check_steps_over_what_was_deleted(void **state)
{
    (void)state;
    archive_make();
    struct buf *data = read_file(OLD ".mp4");
    struct writer box = {0};
    size_t from = cmaf_chunk_find(buf_bytes(data), 0), to;
    for (unsigned i = 0; i < 4; i++) // the first segment stays
        from = cmaf_chunk_find(buf_bytes(data), from + 24);
    to = from;
    for (unsigned i = 0; i < 8; i++)
        to = cmaf_chunk_find(buf_bytes(data), to + 24);
    cmaf_free_write(&box, to - from);
    memset(data->data + from, 0, to - from);
    memcpy(data->data + from, box.buf->data, CMAF_FREE_HEAD);
    write_file(OLD ".mp4", data->data, data->length);
    writer_fini(&box);
    buf_unref(&data);
    // The index still speaks of it: a crash came between.
    assert_found(1, "! main/2026/01/01/000000.idx the index is wrong from segment 1 on");
    assert_int_equal(sums.notes, 0);
    assert_int_equal(sums.segments, 2 * SEGMENTS - 2);
    archive_drop();
}

static void check_takes_the_date_of_the_name(void **state)
{
    (void)state;
    archive_make();
    assert_int_equal(rename(at(NEWEST ".mp4"), at(DAY "010010o3600.mp4")), 0);
    assert_int_equal(rename(at(NEWEST ".idx"), at(DAY "010010o3600.idx")), 0);
    unlink(at(DAY "day.sum"));
    assert_int_equal(look(false), 0);
    assert_string_equal(said, "");
    flip(DAY "010010o3600.mp4", 3000);
    assert_found(1, "! main/2026/01/01/010010o3600.mp4 damaged at 2026-01-01T01:00:10");
    archive_drop();
}

static int lock_of_another(const char *name)
{
    char other[FILE_LOCK_TEXT];
    int descriptor = file_lock_now(at(name), "4711 other\n", other, sizeof other);
    assert_true(descriptor >= 0);
    return descriptor;
}

static void make_old(const char *name)
{
    const struct timespec when[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, at(name), when, 0), 0);
}

// What a server writes at this moment is no finding; all the rest is.
static void check_beside_a_server_leaves_out_what_is_new(void **state)
{
    (void)state;
    archive_make();
    int other = lock_of_another(".sluice.lock");
    struct buf *data = read_file(NEWEST ".mp4"), *index = read_file(NEWEST ".idx");
    write_file(NEWEST ".mp4", data->data, data->length - 1000);
    write_file(NEWEST ".idx", index->data, 3 * 48 + 20);
    write_file(OLD ".idx.new", "x", 1);
    write_file("main/journal.new", "x", 1);
    append("main/journal", "torn", 4);
    unlink(at(DAY "day.sum"));
    assert_int_equal(look(false), 0);
    assert_said("?  in use by process 4711");
    assert_int_equal(sums.notes, 1);
    write_file(NEWEST ".mp4", data->data, data->length / 10); // nothing whole yet
    unlink(at(NEWEST ".idx"));
    assert_int_equal(look(false), 0);
    unlink(at(OLD ".idx"));
    make_old(OLD ".mp4");
    make_old(OLD ".idx.new");
    assert_int_equal(look(false), 2);
    assert_said("! main/2026/01/01/000000.idx the index is missing");
    assert_said("! main/2026/01/01/000000.idx.new ");
    close(other);
    assert_true(look(false) > 3);
    buf_unref(&data);
    buf_unref(&index);
    archive_drop();
}

static void on_line_locked(void *arg, enum check_kind kind, const char *path, const char *text)
{
    char other[FILE_LOCK_TEXT];
    *(bool *)arg = file_is_locked_now(at(".sluice.lock"), other, sizeof other);
    on_line(NULL, kind, path, text);
}

static void check_does_not_repair_what_is_in_use(void **state)
{
    (void)state;
    bool locked = false;
    char path[200], other_text[FILE_LOCK_TEXT];
    archive_make();
    unlink(at(OLD ".idx"));
    int other = lock_of_another(".sluice.lock");
    struct check_want want = {
        .path = folder.path, .repair = true, .say = on_line_locked, .arg = &locked};
    assert_int_equal(archive_check(&want, &sums), ERR_EXISTS);
    assert_int_equal(sums.pid, 4711);
    (void)text_format(path, sizeof path, "%s/main/", folder.path);
    want.path = path;
    assert_int_equal(archive_check(&want, &sums), ERR_EXISTS);
    assert_false(is_there(OLD ".idx"));
    close(other);
    // The repair of a stream takes the lock of the path above it.
    assert_int_equal(archive_check(&want, &sums), 0);
    assert_int_equal(sums.repaired, 1);
    assert_true(locked);
    assert_true(is_there(OLD ".idx"));
    assert_false(file_is_locked_now(at(".sluice.lock"), other_text, sizeof other_text));
    // One that is missing is made.
    unlink(at(".sluice.lock"));
    unlink(at(OLD ".idx"));
    want.path = folder.path;
    locked = false;
    assert_int_equal(archive_check(&want, &sums), 0);
    assert_true(locked);
    assert_int_equal(sums.repaired, 1);
    archive_drop();
}

// A path below the one that is looked at.
static void check_leaves_out_what_is_in_use_below(void **state)
{
    (void)state;
    archive_make();
    assert_int_equal(mkdir(at("path"), 0755), 0);
    assert_int_equal(rename(at("main"), at("path/main")), 0);
    unlink(at("path/" OLD ".idx"));
    unlink(at("path/" DAY "day.sum"));
    int other = lock_of_another("path/.sluice.lock");
    assert_int_equal(look(true), 1);
    assert_said("! path in use by process 4711");
    assert_int_equal(sums.repaired, 0);
    make_old("path/" OLD ".mp4");
    assert_int_equal(look(false), 1);
    assert_said("? path in use by process 4711");
    assert_said("000000.idx the index is missing");
    close(other);
    assert_int_equal(look(true), 1);
    assert_int_equal(sums.repaired, 1);
    archive_drop();
}

static void check_finds_streams_in_folders_once(void **state)
{
    (void)state;
    archive_make();
    assert_int_equal(mkdir(at("site"), 0755), 0);
    assert_int_equal(mkdir(at("site/a"), 0755), 0);
    assert_int_equal(rename(at("main"), at("site/a/main")), 0);
    assert_int_equal(symlink("..", at("site/round")), 0);
    assert_int_equal(look(false), 0);
    assert_int_equal(sums.streams, 1);
    assert_int_equal(sums.files, 2);
    archive_drop();
}

TEST_MAIN(TEST(check_of_a_good_archive_finds_nothing), TEST(check_without_an_archive_says_so),
          TEST(check_damaged_chunk_is_told_with_what_it_hides),
          TEST(check_damaged_last_chunk_is_not_cut_off),
          TEST(check_torn_end_of_the_newest_file_is_cut),
          TEST(check_torn_end_of_an_older_file_stays), TEST(check_bad_indexes_are_written_again),
          TEST(check_wrong_summaries_are_removed), TEST(check_journal_keeps_the_records_that_count),
          TEST(check_leftovers_go_and_what_is_not_ours_stays), TEST(check_files_without_a_segment),
          TEST(check_overlapping_and_misnamed_files_are_noted),
          TEST(check_steps_over_what_was_deleted), TEST(check_takes_the_date_of_the_name),
          TEST(check_beside_a_server_leaves_out_what_is_new),
          TEST(check_does_not_repair_what_is_in_use), TEST(check_leaves_out_what_is_in_use_below),
          TEST(check_finds_streams_in_folders_once))
