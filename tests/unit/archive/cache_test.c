// SPDX-License-Identifier: MIT
// A stream that has its past from another server (a memory_history behind scheme "far") and a cache
// in a temporary folder; real files, virtual time.
#include "archive/cache.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache_priv.h"
#include "file_faults.h"
#include "format/cmaf.h"
#include "hand.h"
#include "loop_fixture.h"
#include "memory_history.h"
#include "stream/protocol.h"
#include "stream/stream.h"
#include "temp_folder.h"
#include "unit.h"

#define FIRST_US (1767000000 * US_PER_S)

static struct {
    struct loop *loop;
    struct temp_folder folder;
    struct protocol_env env;
    struct caches *caches;
    struct stream *stream;
    struct tracks *tracks;
    struct memory_history far;
    struct cache_conf conf;
    char path[160];
} room;

static struct history *far_history(const struct protocol_env *env, const struct input_conf *input,
                                   const char *name)
{
    (void)env, (void)input, (void)name;
    return &room.far.history;
}

static const struct protocol far_protocol = {
    .name = "far", .schemes = {"far"}, .history = far_history};
static const struct protocol *const table[] = {&far_protocol, NULL};

static void settle(void)
{
    for (unsigned i = 0; i < 400; i++) {
        size_t cursor = 0;
        bool busy = false;
        loop_fixture_settle(room.loop);
        LIST_FOREACH(&room.caches->caches, it, after)
        {
            struct cache *cache = LIST_OWNER(it, struct cache, node);
            struct file_stats reads, writes;
            file_queue_stats(cache->reads, &reads);
            file_queue_stats(cache->writes, &writes);
            busy |= reads.queued || writes.queued || cache->writing.count;
            (void)file_queue_flush(cache->reads, US_PER_S);
            (void)file_queue_flush(cache->writes, US_PER_S);
        }
        (void)cursor;
        if (!busy && !loop_pending(room.loop))
            return;
    }
    fail_msg("it does not come to rest");
}

static void open_server(void)
{
    struct stream_conf conf;
    room.caches = caches_new(room.loop);
    room.env.streams = streams_new(room.loop, &room.env);
    memory_history_init(&room.far, room.loop);
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "site/main");
    conf.is_static = false;
    (void)stream_conf_add_input(&conf, "far://there");
    assert_int_equal(stream_create(room.env.streams, &conf, &room.stream), 0);
    stream_conf_fini(&conf);
    cache_attach(room.caches, room.stream, &room.conf);
}

static void close_server(void)
{
    streams_free(&room.env.streams);
    caches_free(&room.caches);
    loop_fixture_settle(room.loop);
    memory_history_fini(&room.far);
}

static void add_far_with(unsigned first, unsigned count, unsigned pictures, uint8_t flags)
{
    for (unsigned i = first; i < first + count; i++) {
        struct segment *segment =
            hand_segment(room.tracks, 1000 + i, FIRST_US + i * US_PER_S, pictures, 400);
        segment->info.duration_us = US_PER_S;
        segment->info.flags |= flags;
        segment->info.bytes = cmaf_segment(segment)->bytes;
        memory_history_add(&room.far, &segment);
    }
}

static void add_far(unsigned first, unsigned count)
{
    add_far_with(first, count, 25, 0);
}

static void begin(void)
{
    memset(&room, 0, sizeof room);
    room.loop = loop_fixture_new_virtual();
    room.env.loop = room.loop;
    room.env.cluster_key = "";
    protocols_install(table);
    temp_folder_make(&room.folder);
    snprintf(room.path, sizeof room.path, "%s/ssd", room.folder.path);
    room.conf = (struct cache_conf){.path = room.path};
    room.tracks = hand_tracks_new(0, true);
    room.tracks->generation = 7;
    open_server();
}

static void end(void)
{
    close_server();
    tracks_unref(&room.tracks);
    temp_folder_remove(&room.folder);
    loop_fixture_free(&room.loop);
    assert_int_equal(segment_live_count(), 0);
}

static void restart(void)
{
    close_server();
    open_server();
}

static struct cache_stats stats(void)
{
    struct cache_stats out;
    unsigned cursor = 0;
    assert_true(caches_next(room.caches, &cursor, &out));
    return out;
}

struct reader {
    struct history_request *request;
    unsigned count, ends;
    int err;
    uint32_t sum[64];
    uint64_t number[64];
};

static void on_segment(void *arg, struct segment **segment)
{
    struct reader *reader = arg;
    struct segment *given = *segment;
    *segment = NULL;
    struct buf *bytes = chain_join(cmaf_segment(given));
    reader->number[reader->count] = given->info.number;
    reader->sum[reader->count++] = crc32c(0, bytes->data, bytes->length);
    assert_int_equal(given->tracks->generation, 7);
    buf_unref(&bytes);
    segment_unref(&given);
    history_next(reader->request);
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    struct reader *reader = arg;
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(heads, tracks, &head), 0);
    reader->number[reader->count] = info->number;
    reader->sum[reader->count++] = crc32c(0, heads.data, heads.length);
    history_next(reader->request);
}

static void on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->ends++;
    reader->err = err;
}

static const struct history_events events = {on_segment, on_heads, on_end};

struct told {
    struct history_range range[8];
    size_t count;
    bool ended;
};

static void on_ranges(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct told *told = arg;
    assert_int_equal(err, 0);
    assert_true(count <= 8);
    memcpy(told->range, ranges, count * sizeof ranges[0]);
    told->count = count;
    told->ended = true;
}

static struct told ask_ranges(unsigned from_s, unsigned to_s)
{
    static struct told told;
    told = (struct told){0};
    (void)history_ranges(stream_history(room.stream), FIRST_US + from_s * US_PER_S,
                         FIRST_US + to_s * US_PER_S, on_ranges, &told);
    settle();
    assert_true(told.ended);
    return told;
}

static struct reader look(unsigned from_s, unsigned to_s, enum history_what what)
{
    static struct reader reader;
    reader = (struct reader){0};
    reader.request = history_read(stream_history(room.stream), FIRST_US + from_s * US_PER_S,
                                  FIRST_US + to_s * US_PER_S, what, &events, &reader);
    settle();
    assert_int_equal(reader.ends, 1);
    return reader;
}

static void assert_same(const struct reader *a, const struct reader *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->sum, b->sum, a->count * sizeof a->sum[0]);
    assert_memory_equal(a->number, b->number, a->count * sizeof a->number[0]);
}

// The file of the n-th segment, in order of start.
static const char *file_of(unsigned n)
{
    static char path[512];
    char pattern[256];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*/site,main/*.seg", room.path);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_true(n < found.gl_pathc);
    snprintf(path, sizeof path, "%s", found.gl_pathv[n]);
    globfree(&found);
    return path;
}

static void turn_byte(const char *path, off_t at)
{
    char byte;
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    close(file);
}

static void cache_second_look_costs_no_uplink(void **state)
{
    (void)state;
    begin();
    add_far(0, 6);
    struct reader first = look(0, 6, HISTORY_WHOLE);
    assert_int_equal(first.count, 6);
    struct reader heads = look(0, 6, HISTORY_HEADS);
    unsigned given = room.far.given;
    assert_int_equal(given, 6); // heads came from the cache already
    struct reader second = look(0, 6, HISTORY_WHOLE);
    assert_same(&first, &second);
    assert_int_equal(room.far.given, given);
    assert_int_equal(heads.count, 6);
    for (unsigned i = 0; i < 6; i++) {
        struct buf *bytes = cmaf_segment_heads(room.far.segment[i]);
        assert_int_equal(heads.sum[i], crc32c(0, bytes->data, bytes->length));
        buf_unref(&bytes);
    }
    assert_int_equal(stats().hits, 12);
    assert_int_equal(stats().misses, 6);
    assert_int_equal(stats().segments, 6);
    end();
}

// What comes whole takes the place of what came thinned, and not the other way round.
static void cache_prefers_what_is_whole(void **state)
{
    (void)state;
    begin();
    add_far_with(0, 2, 1, SEGMENT_THINNED);
    struct reader thinned = look(0, 2, HISTORY_WHOLE);
    assert_int_equal(thinned.count, 2);
    (void)look(0, 2, HISTORY_WHOLE);
    assert_int_equal(room.far.given, 2); // as good as it gets
    add_far(2, 1);
    assert_int_equal(look(0, 3, HISTORY_WHOLE).count, 3);
    room.far.fail = ERR_CLOSED;
    struct told told = ask_ranges(0, 3);
    room.far.fail = 0;
    assert_int_equal(told.count, 2);
    assert_int_equal(told.range[0].reason, REASON_THINNED);
    assert_int_equal(told.range[0].to_us, FIRST_US + 2 * US_PER_S);
    assert_int_equal(told.range[1].reason, REASON_NONE);
    assert_int_equal(told.range[1].to_us, FIRST_US + 3 * US_PER_S);
    segment_unref(&room.far.segment[2]);
    for (unsigned i = 0; i < 2; i++)
        segment_unref(&room.far.segment[i]);
    room.far.count = 0;
    add_far(0, 2);
    struct reader whole = look(0, 2, HISTORY_WHOLE);
    assert_int_equal(room.far.given, 5);
    assert_int_not_equal(whole.sum[0], thinned.sum[0]);
    assert_int_equal(stats().segments, 3);
    struct reader again = look(0, 2, HISTORY_WHOLE);
    assert_same(&whole, &again);
    assert_int_equal(room.far.given, 5);
    for (unsigned i = 0; i < 2; i++)
        segment_unref(&room.far.segment[i]);
    room.far.count = 0;
    add_far_with(0, 2, 1, SEGMENT_THINNED);
    struct reader worse = look(0, 2, HISTORY_WHOLE); // as it is listed there
    assert_same(&worse, &thinned);
    room.far.fail = ERR_CLOSED;
    again = look(0, 2, HISTORY_WHOLE);
    assert_same(&whole, &again);
    end();
}

// Two at once: the second does not fetch what is on its way to the disk.
static void cache_waits_for_what_is_being_written(void **state)
{
    (void)state;
    struct reader first = {0}, second = {0};
    begin();
    add_far(0, 2);
    (void)look(1, 2, HISTORY_WHOLE); // the scan is over
    first.request = history_read(stream_history(room.stream), FIRST_US, FIRST_US + 1, HISTORY_WHOLE,
                                 &events, &first);
    while (first.count == 0)
        loop_turn(room.loop, false);
    second.request = history_read(stream_history(room.stream), FIRST_US, FIRST_US + 1,
                                  HISTORY_WHOLE, &events, &second);
    settle();
    assert_int_equal(second.count, 1);
    assert_int_equal(room.far.given, 2);
    end();
}

static void cache_survives_a_restart_and_a_link_that_is_down(void **state)
{
    (void)state;
    begin();
    add_far(0, 4);
    struct reader first = look(0, 4, HISTORY_WHOLE);
    uint64_t bytes = stats().bytes;
    restart();
    room.far.fail = ERR_CLOSED;
    struct reader again = look(0, 9, HISTORY_WHOLE); // asked while the scan is under way
    assert_same(&first, &again);
    assert_int_equal(again.err, 0);
    assert_int_equal(stats().bytes, bytes);
    end();
}

static void cache_heals_a_file_that_is_damaged(void **state)
{
    (void)state;
    begin();
    add_far(0, 5);
    struct reader first = look(0, 5, HISTORY_WHOLE);
    struct stat whole;
    assert_int_equal(stat(file_of(1), &whole), 0);
    turn_byte(file_of(1), 900);               // of the media
    turn_byte(file_of(2), whole.st_size - 3); // of the tail
    assert_int_equal(truncate(file_of(3), 500), 0);
    assert_int_equal(unlink(file_of(4)), 0);
    struct reader second = look(0, 5, HISTORY_WHOLE);
    assert_same(&first, &second);
    assert_int_equal(room.far.given, 9);
    assert_int_equal(stats().damaged, 4);
    struct reader third = look(0, 5, HISTORY_WHOLE);
    assert_same(&first, &third);
    assert_int_equal(room.far.given, 9);
    end();
}

static void cache_of_foreign_and_cut_files_is_read_all_the_same(void **state)
{
    (void)state;
    char path[600];
    begin();
    add_far(0, 3);
    struct reader first = look(0, 3, HISTORY_WHOLE);
    assert_int_equal(truncate(file_of(0), 10), 0);
    snprintf(path, sizeof path, "%s.new", file_of(1));
    close(open(path, O_CREAT | O_WRONLY, 0644));
    snprintf(path, sizeof path, "%s/notes", room.path);
    assert_int_equal(mkdir(path, 0755), 0);
    restart();
    add_far(0, 3);
    struct reader second = look(0, 3, HISTORY_WHOLE);
    assert_same(&first, &second);
    assert_int_equal(room.far.given, 1);
    end();
}

static void cache_bounded_by_size_drops_what_was_fetched_first(void **state)
{
    (void)state;
    begin();
    add_far(0, 8);
    (void)look(0, 1, HISTORY_WHOLE);
    room.conf.size_bytes = stats().bytes * 4 + 100;
    cache_attach(room.caches, room.stream, &room.conf);
    for (unsigned i = 1; i < 8; i++)
        (void)look(i, i + 1, HISTORY_WHOLE);
    assert_int_equal(stats().segments, 4);
    assert_true(stats().bytes <= room.conf.size_bytes);
    unsigned given = room.far.given;
    (void)look(4, 8, HISTORY_WHOLE);
    assert_int_equal(room.far.given, given);
    (void)look(0, 1, HISTORY_WHOLE);
    assert_int_equal(room.far.given, given + 1);
    end();
}

static void cache_bounded_by_age_forgets(void **state)
{
    (void)state;
    begin();
    room.conf.depth_s = 7200;
    cache_attach(room.caches, room.stream, &room.conf);
    add_far(0, 3);
    (void)look(0, 3, HISTORY_WHOLE);
    loop_fixture_run(room.loop, 3600 * US_PER_S);
    settle();
    assert_int_equal(stats().segments, 3);
    loop_fixture_run(room.loop, 3 * 3600 * US_PER_S);
    settle();
    assert_int_equal(stats().segments, 0);
    glob_t found;
    char pattern[256];
    snprintf(pattern, sizeof pattern, "%s/*", room.path);
    assert_int_equal(glob(pattern, 0, NULL, &found), GLOB_NOMATCH); // folders go as well
    end();
}

static void cache_on_a_disk_that_refuses_means_fetching_again(void **state)
{
    (void)state;
    begin();
    int file = open(room.path, O_CREAT | O_WRONLY, 0644); // no folder can be made there
    close(file);
    restart();
    add_far(0, 3);
    struct reader first = look(0, 3, HISTORY_WHOLE);
    struct reader second = look(0, 3, HISTORY_WHOLE);
    assert_int_equal(first.count, 3);
    assert_same(&first, &second);
    assert_int_equal(room.far.given, 6);
    assert_int_equal(stats().segments, 0);
    assert_true(stats().errors > 0 && stats().refused > 0);
    end();
}

static void cache_taken_away_and_given_again(void **state)
{
    (void)state;
    struct cache_conf none = {0};
    begin();
    add_far(0, 2);
    (void)look(0, 2, HISTORY_WHOLE);
    struct reader reader = {0};
    reader.request = history_read(stream_history(room.stream), FIRST_US, FIRST_US + 1,
                                  HISTORY_WHOLE, &events, &reader);
    cache_attach(room.caches, room.stream, &none);
    assert_int_equal(reader.err, ERR_CANCELLED);
    assert_true(room.far.closed);
    end();
}

static unsigned files_there(void)
{
    glob_t found;
    char pattern[256];
    snprintf(pattern, sizeof pattern, "%s/*/*/*.seg", room.path);
    unsigned count = glob(pattern, 0, NULL, &found) == 0 ? (unsigned)found.gl_pathc : 0;
    if (count)
        globfree(&found);
    return count;
}

static void cache_unmounted_is_not_written_and_found_again(void **state)
{
    (void)state;
    begin();
    settle();
    assert_int_equal(mkdir(room.path, 0755), 0);
    file_faults_install();
    file_faults_mount(room.path, 77);
    restart();
    add_far(0, 4);
    (void)look(0, 2, HISTORY_WHOLE);
    assert_int_equal(stats().segments, 2);
    assert_false(stats().unmounted);

    file_faults_mount(NULL, 0);
    struct reader reader = look(2, 4, HISTORY_WHOLE);

    assert_int_equal(reader.count, 2);
    assert_true(stats().unmounted);
    assert_int_equal(stats().segments, 0);
    assert_int_equal(files_there(), 2);
    loop_fixture_run(room.loop, 60 * US_PER_S);
    settle();
    assert_int_equal(look(0, 4, HISTORY_WHOLE).count, 4);
    assert_int_equal(files_there(), 2);

    file_faults_mount(room.path, 77);
    loop_fixture_run(room.loop, 11 * US_PER_S);
    settle();
    assert_false(stats().unmounted);
    unsigned given = room.far.given;
    assert_int_equal(look(0, 2, HISTORY_WHOLE).count, 2);
    assert_int_equal(room.far.given, given);
    end();
    file_faults_remove();
}

static void cache_named_in_fstab_waits_for_its_mount(void **state)
{
    (void)state;
    char fstab[200];
    begin();
    settle(); // nothing is under way when its queues go
    assert_int_equal(mkdir(room.path, 0755), 0);
    snprintf(fstab, sizeof fstab, "%s/fstab", room.folder.path);
    FILE *out = fopen(fstab, "w");
    assert_non_null(out);
    fprintf(out, "/dev/sdx %s ext4 defaults 0 2\n", room.path);
    fclose(out);
    struct cache_conf none = {0};
    cache_attach(room.caches, room.stream, &none);
    close_server();
    struct cache_conf kept = room.conf;
    room.conf = none;
    open_server();
    room.caches->fstab = fstab;
    room.conf = kept;
    cache_attach(room.caches, room.stream, &room.conf);
    add_far(0, 2);

    assert_int_equal(look(0, 2, HISTORY_WHOLE).count, 2);

    assert_true(stats().unmounted);
    assert_int_equal(files_there(), 0);
    end();
}

TEST_MAIN(TEST(cache_second_look_costs_no_uplink), TEST(cache_prefers_what_is_whole),
          TEST(cache_waits_for_what_is_being_written),
          TEST(cache_survives_a_restart_and_a_link_that_is_down),
          TEST(cache_heals_a_file_that_is_damaged),
          TEST(cache_of_foreign_and_cut_files_is_read_all_the_same),
          TEST(cache_bounded_by_size_drops_what_was_fetched_first),
          TEST(cache_bounded_by_age_forgets),
          TEST(cache_on_a_disk_that_refuses_means_fetching_again),
          TEST(cache_taken_away_and_given_again),
          TEST(cache_unmounted_is_not_written_and_found_again),
          TEST(cache_named_in_fstab_waits_for_its_mount))
