// SPDX-License-Identifier: MIT
// A stream with an archive in a temporary folder, in virtual time, fed by hand: real files, real
// workers, faults of the file system on demand. What the segmenter gave out is remembered, so that
// what is read back can be compared byte for byte.
#ifndef TESTS_ARCHIVE_FIXTURE_H
#define TESTS_ARCHIVE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/text.h"
#include "file_faults.h"
#include "format/cmaf.h"
#include "loop_fixture.h"
#include "media/audio.h"
#include "media/h264.h"
#include "media/timebase.h"
#include "stream/protocol.h"
#include "stream/source.h"
#include "temp_folder.h"
#include "unit.h"
#include "archive_priv.h"
#include "volume.h"

enum {
    ROOM_SEGMENTS = 4000,
    ROOM_SEGMENT_PICTURES = 50, // two seconds
    ROOM_LOG = 1 << 16,
};

// 2026-01-01 00:00:00 UTC, where virtual time begins.
#define ROOM_START_US 1767225600000000LL

// A segment as it was given out or as it came back.
struct known {
    struct segment_info info;
    uint32_t sum; // of its bytes
};

struct room {
    struct loop *loop;
    long blocks; // what the loop has
    struct temp_folder folder;
    struct protocol_env env;
    struct archives *archives;
    struct stream *stream;
    struct source *source;
    struct stream_conf conf;
    struct segment_listener listener;
    unsigned width;  // of the picture: another one is another track list
    int64_t picture; // number of the next one; its time follows from it
    int64_t base_us;
    size_t picture_bytes;
    struct known known[ROOM_SEGMENTS];
    unsigned known_count;
    char log[ROOM_LOG];
    bool by_hand, keys_only, no_keys; // workers are stepped (memory_room.h); not a key each second
};

static struct room room;

static void room_stop(struct source *source)
{
    (void)source;
    room.source = NULL;
}

static int room_pull(const struct protocol_env *env, struct source *source)
{
    static const struct source_ops ops = {.stop = room_stop};
    (void)env;
    room.source = source;
    source_set_engine(source, &ops, &room);
    return 0;
}

static const struct protocol room_protocol = {
    .name = "test", .schemes = {"test"}, .pull = room_pull};
static const struct protocol *const room_table[] = {&room_protocol, NULL};

static uint32_t chain_sum(const struct chain *chain)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_slice *slice = &chain->slices[chain->first + i];
        sum = crc32c(sum, slice->buf->data + slice->offset, slice->length);
    }
    return sum;
}

static struct known known_of(struct segment *segment)
{
    const struct chain *bytes = cmaf_segment(segment);
    struct known known = {.info = segment->info, .sum = chain_sum(bytes)};
    known.info.bytes = bytes->bytes;
    return known;
}

static void room_on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                         unsigned part, struct frame *const *frames, unsigned count)
{
    (void)arg, (void)tracks, (void)info, (void)part, (void)frames, (void)count;
}

static void room_on_segment(void *arg, struct segment *segment)
{
    (void)arg;
    ENSURE(room.known_count < ROOM_SEGMENTS);
    room.known[room.known_count++] = known_of(segment);
}

static void room_on_lost(void *arg, enum reason reason)
{
    (void)arg, (void)reason;
}

static void room_log(enum log_level level, const char *line, void *arg)
{
    (void)level, (void)arg;
    (void)text_append(room.log, sizeof room.log, "%s\n", line);
}

static inline unsigned room_logged(const char *text)
{
    unsigned count = 0;
    for (const char *at = room.log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static inline struct tracks *room_tracks(void)
{
    static const char avcc[] = "014d400affe10015674d400adb11ec0440000003004000000c83c489b801000568"
                               "eac3cb20";
    struct track track[2];
    struct buf *config = buf_new(sizeof avcc);
    assert_true(hex_decode(avcc, sizeof avcc - 1, config->data, config->capacity, &config->length));
    assert_int_equal(h264_track_from_config(config, &track[0]), 0);
    buf_unref(&config);
    if (room.width)
        track[0].width = room.width;
    track[0].fps_num = 25;
    track[0].fps_den = 1;
    assert_int_equal(g711_track_make(CODEC_PCMA, 8000, 1, &track[1]), 0);
    return tracks_new(track, 2);
}

static inline void room_give_tracks(void)
{
    struct tracks *tracks = room_tracks();
    source_tracks(room.source, &tracks);
}

static void room_settle(void);

// A stream without an archive, its input connected.
static inline void room_open_plain(const char *name)
{
    memset(&room, 0, sizeof room);
    room.loop = loop_fixture_new_virtual();
    clock_set_boot_test(1, true);
    struct timeout any; // its heap of timers is made with the first one
    timeout_init(&any, room.loop, NULL, NULL);
    timeout_start(&any, US_PER_S);
    timeout_stop(&any);
    room.blocks = mem_live_count();
    room.picture_bytes = 400;
    temp_folder_make(&room.folder);
    file_faults_install();
    log_set_hook(room_log, NULL);
    room.env.loop = room.loop;
    room.env.cluster_key = "";
    protocols_install(room_table);
    room.env.streams = streams_new(room.loop, &room.env);
    room.archives = archives_new(room.loop);
    room.archives->fstab = "/nowhere/fstab";
    stream_conf_init(&room.conf);
    (void)text_copy(room.conf.name, sizeof room.conf.name, name);
    (void)stream_conf_add_input(&room.conf, "test://a");
    room.conf.is_static = true;
    room.conf.segment_duration_us = ROOM_SEGMENT_PICTURES * 40000LL;
    room.conf.source_timeout_us = 0;
    assert_int_equal(stream_create(room.env.streams, &room.conf, &room.stream), 0);
    room.listener = (struct segment_listener){
        .on_part = room_on_part, .on_segment = room_on_segment, .on_lost = room_on_lost};
    stream_listen_segments(room.stream, &room.listener);
    room_give_tracks();
    room.base_us = utc_us();
}

static inline void room_attach(void)
{
    struct dvr_conf dvr = room.conf.dvr;
    dvr.path[0] = room.folder.path;
    dvr.path_count = 1;
    assert_int_equal(archive_attach(room.archives, room.stream, &dvr), 0);
}

static inline void room_open(void)
{
    room_open_plain("cam");
    room_attach();
    room_settle();
}

static inline struct archive *room_archive(void)
{
    struct archive *archive = stream_slot(room.stream, STREAM_SLOT_ARCHIVE);
    assert_non_null(archive);
    return archive;
}

static inline struct archive_stats room_stats(void)
{
    struct archive_stats stats;
    assert_true(archive_get_stats(room.stream, &stats));
    return stats;
}

static inline void room_close(void)
{
    if (room.stream)
        stream_unlisten_segments(room.stream, &room.listener);
    streams_free(&room.env.streams);
    if (room.archives) {
        room_settle();
        archives_free(&room.archives);
    }
    stream_conf_fini(&room.conf);
    file_faults_remove();
    // The queues of the disks go when the last file is closed. If something else is left, this
    // waits in vain.
    alarm(10);
    loop_fixture_settle(room.loop);
    while (mem_live_count() > room.blocks)
        loop_turn(room.loop, true);
    log_set_hook(NULL, NULL);
    loop_fixture_free(&room.loop);
    temp_folder_remove(&room.folder);
}

#endif
