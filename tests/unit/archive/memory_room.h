// SPDX-License-Identifier: MIT
// archive_fixture.h on a disk in memory, its workers by hand, and what an archive promises,
// checked:
//
// 1. A segment that a returned sync covered (file and folders) is there, byte for byte, until it is
//    older than the depth.
// 2. What is listed can be read; what can be read is listed; nothing twice; in order of time.
// 3. A segment that is there is what was given out, or the beginning of it that a fault left.
#ifndef TESTS_ARCHIVE_MEMORY_ROOM_H
#define TESTS_ARCHIVE_MEMORY_ROOM_H

#include "archive_feeding.h"
#include "archive_reading.h"
#include "memory_disk.h"

#define DEPTH_US (30 * US_PER_S)

static char doing[128]; // said when a check fails
static bool promised[ROOM_SEGMENTS];

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: line %d: not so: %s\n%.6000s", doing, __LINE__, #condition,              \
                     strlen(room.log) > 6000 ? room.log + strlen(room.log) - 6000 : room.log);     \
    } while (0)

static inline void memory_room_attach(void)
{
    room.conf.dvr.depth_s = DEPTH_US / US_PER_S;
    room_attach();
    room_settle();
}

// A new disk with the folder of the archives on it.
static inline struct memory_disk *memory_room_disk(void)
{
    struct memory_disk *disk = memory_disk_new();
    memory_disk_mount(disk);
    assert_int_equal(memory_disk_calls.mkdir("/dvr", 0755), 0);
    int root = memory_disk_calls.open("/", O_RDONLY | O_DIRECTORY, 0);
    assert_true(root >= 0);
    assert_int_equal(memory_disk_calls.sync(root), 0);
    memory_disk_calls.close(root);
    return disk;
}

static inline void memory_room_open(struct memory_disk *disk, uint64_t seed)
{
    room_open_plain("cam");
    temp_folder_remove(&room.folder);
    (void)text_copy(room.folder.path, sizeof room.folder.path, "/dvr");
    room.by_hand = true;
    room.picture_bytes = 40;
    memset(promised, 0, sizeof promised);
    memory_disk_mount(disk);
    file_faults_install_on(&memory_disk_calls);
    file_hand_install(seed);
}

static inline void memory_room_close(void)
{
    file_hand_release();
    stream_unlisten_segments(room.stream, &room.listener);
    streams_free(&room.env.streams);
    room_settle();
    archives_free(&room.archives);
    stream_conf_fini(&room.conf);
    room_settle();
    file_faults_remove();
    file_hand_remove();
    log_set_hook(NULL, NULL);
    loop_fixture_free(&room.loop);
}

// The one known that begins then; -1: none.
static inline int known_at(int64_t utc_start_us)
{
    for (unsigned i = room.known_count; i-- > 0;)
        if (room.known[i].info.utc_start_us == utc_start_us)
            return (int)i;
    return -1;
}

// What is promised from now on.
static inline void note_promises(void)
{
    LIST_FOREACH(&room_archive()->recorder.volumes, it, after)
    {
        const struct volume *volume = LIST_OWNER(it, struct volume, node);
        for (unsigned i = 0; volume->index && i < volume->index->count; i++) {
            const struct index_entry *entry = &volume->index->entries[i];
            int known = known_at(entry->utc_start_us);
            if (known >= 0 && entry->offset + entry->bytes <= volume->synced &&
                entry->bytes == room.known[known].info.bytes)
                promised[known] = true;
        }
    }
}

static inline bool got_whole(const struct got *got, const struct known *known)
{
    for (unsigned i = 0; i < got->count; i++)
        if (got->segment[i].info.utc_start_us == known->info.utc_start_us)
            return got->segment[i].sum == known->sum;
    return false;
}

// Checks what is there now; returns how many of the known are missing or cut short that are not
// older than the depth.
static inline unsigned check_promises(void)
{
    static struct got list;
    struct got *read = room_read(0, INT64_MAX / 2, HISTORY_WHOLE);
    CHECK(read->err == 0);
    list = *room_list(0, INT64_MAX / 2);
    CHECK(list.err == 0 && list.count == read->count);
    for (unsigned i = 0; i < read->count; i++) {
        const struct segment_info *info = &read->segment[i].info;
        CHECK(list.segment[i].info.utc_start_us == info->utc_start_us);
        CHECK(list.segment[i].info.bytes == info->bytes);
        CHECK(i == 0 || info->utc_start_us > read->segment[i - 1].info.utc_start_us);
        int known = known_at(info->utc_start_us);
        if (known < 0) { // the beginning of the one that is being collected
            CHECK(i + 1 == read->count);
            CHECK(room.known_count == 0 ||
                  info->utc_start_us > room.known[room.known_count - 1].info.utc_start_us);
            continue;
        }
        CHECK(info->bytes <= room.known[known].info.bytes);
        CHECK(info->bytes < room.known[known].info.bytes ||
              read->segment[i].sum == room.known[known].sum);
    }
    unsigned missing = 0;
    for (unsigned i = 0; i < room.known_count; i++) {
        const struct known *known = &room.known[i];
        if (known->info.utc_start_us + known->info.duration_us + DEPTH_US <= utc_us())
            continue;
        bool whole = got_whole(read, known);
        CHECK(whole || !promised[i]);
        missing += !whole;
    }
    return missing;
}

static inline void step_segments(unsigned segments)
{
    for (unsigned i = 0; i < segments; i++) {
        for (unsigned half = 0; half < 2; half++) {
            room_push(ROOM_SEGMENT_PICTURES / 2);
            room_settle();
        }
        note_promises();
        file_hand_release(); // what hung did so for a segment
    }
}

// Some segments over an hour's end, a source that goes and comes back, syncs, another track list,
// and retention, which removes the first hour file meanwhile. Time stands at its beginning.
static inline void scenario(void)
{
    memory_room_attach();
    step_segments(5);
    room_lose();
    note_promises();
    room_reconnect(3 * US_PER_S);
    step_segments(7);
    room.width = 128;
    room_give_tracks();
    step_segments(6);
    note_promises();
}

static inline void another_life(void)
{
    room_lose();
    archive_detach(room.archives, room.stream);
    room_settle();
    memory_room_attach();
    room_reconnect(US_PER_S);
}

// Five seconds before another hour file begins.
static inline void scenario_begin(struct memory_disk *disk, uint64_t seed)
{
    memory_room_open(disk, seed);
    room_before_roll(5 * US_PER_S);
}

#endif
