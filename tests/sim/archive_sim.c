// SPDX-License-Identifier: MIT
// A seeded simulation of recorders, disks, clocks and readers with faults, in virtual time: the
// real archive and the real segmenter over a disk in memory, its workers by hand. One run is a day
// of three cameras on one disk; a seed tells all of it.
//
// What happens: cameras stall, drop pictures, go, come back, change their tracks; the disk hangs,
// fails, is flaky, read-only or full; the clock steps (odd seeds; with every other one of them
// files are dated anew, and the server is killed in the midst of it); readers list, read, pause and
// let go; the server is stopped, killed, or the power goes. What is checked:
//
// 1. Each turn: what waits for the disk is bounded, and memory; no file goes that holds what is
//    promised, unless it is older than the depth or the disk was full.
// 2. When the disk is well, each hour and after each start: what is listed can be read and what can
//    be read is listed, each segment once, in order of time, byte for byte what was given out (or
//    the beginning of it that a fault left); what a returned sync covered is there.
// 3. A minute after the disk became well, recording goes on.
//
// Points of the list of peers' troubles (2.1): 2, 3 short source drops, 4 silent stop, 5 disk
// fills, 6 clock steps, 8 tracks change, 13 power loss, 15 a disk that hangs; of the design
// lessons: fsync failure, recovery from a checkpoint, retention from running sums.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/code.h"
#include "base/digest.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "file_hand.h"
#include "format/cmaf.h"
#include "loop_fixture.h"
#include "media/audio.h"
#include "media/h264.h"
#include "memory_disk.h"
#include "sim_world.h"
#include "stream/protocol.h"
#include "stream/source.h"
#include "stream/stream.h"
#include "volume.h"

struct sim sim;

// ---- chance ------------------------------------------------------------------------------------

static unsigned chance(unsigned below)
{
    sim.random ^= sim.random << 13;
    sim.random ^= sim.random >> 7;
    sim.random ^= sim.random << 17;
    return (unsigned)(sim.random % below);
}

static bool once_in(unsigned times)
{
    return chance(times) == 0;
}

void sim_fail(const char *what, int line)
{
    printf("sim: FAILED seed=%llu second=%u disk=%d life=%u line=%d: %s\n%s",
           (unsigned long long)sim.seed, sim.second, (int)sim.disk_state, sim.lives, line, what,
           sim.log_length > 4000 ? sim.log + sim.log_length - 4000 : sim.log);
    fflush(stdout);
    _exit(1);
}

static void keep_log(enum log_level level, const char *text, void *arg)
{
    (void)level, (void)arg;
    if (sim.log_length + 1000 > sizeof sim.log) {
        memmove(sim.log, sim.log + sim.log_length - 4000, 4000);
        sim.log_length = 4000;
    }
    int length = snprintf(sim.log + sim.log_length, 1000, "%u: %.900s\n", sim.second, text);
    sim.log_length += length > 0 ? (size_t)length : 0;
}

// ---- the disk ----------------------------------------------------------------------------------

static bool was_full(void)
{
    return sim.disk_state == DISK_FULL || sim.second < sim.full_until;
}

// The camera that the path is of; NULL: of the disk itself.
static struct camera *camera_of(const char *path)
{
    if (strncmp(path, "/dvr/cam", 8) != 0 || path[8] < '0' || path[8] >= '0' + CAMERAS)
        return NULL;
    return &sim.camera[path[8] - '0'];
}

// A file goes: what was promised of it is not any more, if it may go.
static void note_unlink(const char *path)
{
    struct camera *camera = camera_of(path);
    if (!camera || !text_ends(path, ".mp4"))
        return;
    for (unsigned i = 0; i < camera->count; i++) {
        struct given *given = &camera->given[i];
        if (!given->promised || strcmp(given->file, path + strlen("/dvr/cam0")) != 0)
            continue;
        // Of the last one of a file that was recovered only its last picture counts.
        CHECK(was_full() || given->date_us + DEPTH_US <= utc_us());
        given->promised = false;
    }
}

// The kernel has dropped what this sync was for; readers see it until the power goes.
static void note_failed_sync(const char *path)
{
    struct camera *camera = camera_of(path);
    for (unsigned i = 0; camera && text_ends(path, ".mp4") && i < camera->count; i++)
        if (!camera->given[i].promised && camera->given[i].start_us > utc_us() - 4000 * US_PER_S)
            camera->given[i].doubtful = true;
}

static int64_t offset_of(const char *path)
{
    const char *name = strrchr(path, '/'), *offset = name ? strchr(name, 'o') : NULL;
    return offset ? strtoll(offset + 1, NULL, 10) * US_PER_S : 0;
}

// A file is dated anew: what is in it is that much later.
static void note_rename(const char *from, const char *to)
{
    struct camera *camera = camera_of(to);
    if (!camera || !text_ends(to, ".mp4"))
        return;
    size_t head = strlen("/dvr/cam0");
    int64_t by_us = offset_of(to) - offset_of(from);
    CHECK(camera == camera_of(from) && by_us != 0);
    for (unsigned i = 0; i < camera->count; i++) {
        struct given *given = &camera->given[i];
        if (!given->promised || strcmp(given->file, from + head) != 0)
            continue;
        given->date_us += by_us;
        (void)text_copy(given->file, sizeof given->file, to + head);
    }
    sim.moved++;
}

static int fault(void *arg, const char *call, const char *path)
{
    (void)arg;
    if (strcmp(call, "rename") == 0)
        (void)text_copy(sim.renamed, sizeof sim.renamed, path);
    if (strcmp(call, "renamed") == 0) {
        note_rename(sim.renamed, path);
        return 0;
    }
    bool writes = strcmp(call, "open") != 0 && strcmp(call, "read_at") != 0 &&
                  strcmp(call, "stat") != 0 && strcmp(call, "fstat") != 0 &&
                  strcmp(call, "statvfs") != 0 && strcmp(call, "scandir") != 0;
    int error = 0;
    if (sim.disk_state == DISK_DEAD || (sim.disk_state == DISK_FLAKY && once_in(12)))
        error = EIO;
    if (sim.disk_state == DISK_READ_ONLY && writes)
        error = EROFS;
    if (error && strcmp(call, "sync") == 0)
        note_failed_sync(path);
    if (error)
        return error;
    if (strcmp(call, "unlink") == 0)
        note_unlink(path);
    return 0;
}

static void change_disk(void)
{
    if (sim.disk_state != DISK_WELL) {
        if (sim.disk_state == DISK_FULL)
            sim.full_until = sim.second + 60;
        sim.disk_state = DISK_WELL;
        sim.well_since = sim.second;
        memory_disk_space(sim.disk, 0);
        file_hand_release();
    } else {
        sim.disk_state = (enum disk_state)(1 + chance(DISK_STATES - 1));
        if (sim.disk_state == DISK_FULL)
            memory_disk_space(sim.disk, memory_disk_used(sim.disk) + 1 + chance(20000));
    }
    sim.disk_until = sim.second + (sim.disk_state == DISK_WELL ? 300 + chance(3000) : chance(150));
}

// ---- cameras -----------------------------------------------------------------------------------

static void camera_stop(struct source *source)
{
    struct camera *camera = source_engine(source);
    camera->source = NULL;
}

static struct tracks *make_tracks(const struct camera *camera)
{
    static const char avcc[] = "014d400affe10015674d400adb11ec0440000003004000000c83c489b801000568"
                               "eac3cb20";
    struct track track[2];
    struct buf *config = buf_new(sizeof avcc);
    ENSURE(hex_decode(avcc, sizeof avcc - 1, config->data, config->capacity, &config->length));
    ENSURE(h264_track_from_config(config, &track[0]) == 0);
    buf_unref(&config);
    track[0].width = 64 + camera->tracks % 8;
    ENSURE(g711_track_make(CODEC_PCMA, 8000, 1, &track[1]) == 0);
    return tracks_new(track, camera->tracks % 3 == 0 ? 1 : 2); // the sound comes and goes
}

static void give_tracks(struct camera *camera)
{
    struct tracks *tracks = make_tracks(camera);
    camera->picture = 0;
    source_tracks(camera->source, &tracks);
}

static int camera_pull(const struct protocol_env *env, struct source *source)
{
    static const struct source_ops ops = {.stop = camera_stop};
    (void)env;
    struct camera *camera = &sim.camera[source_stream_name(source)[3] - '0'];
    camera->source = source;
    camera->fresh = true;
    source_set_engine(source, &ops, camera);
    return 0;
}

static const struct protocol camera_protocol = {
    .name = "test", .schemes = {"test"}, .pull = camera_pull};
static const struct protocol *const protocol_table[] = {&camera_protocol, NULL};

static void push_frame(struct camera *camera, unsigned track, int64_t dts, uint8_t flags,
                       size_t length)
{
    struct buf *buf = buf_new(length);
    memset(buf->data, (int)(dts / 90000 + track), length);
    buf->length = length;
    struct frame *frame = frame_new(track, &buf);
    frame->dts = dts;
    frame->flags = flags;
    source_push_frame(camera->source, &frame);
}

static void camera_second(struct camera *camera)
{
    if (!camera->source)
        return;
    if (camera->fresh || once_in(2000)) {
        camera->tracks += once_in(4) ? 1 : 0;
        give_tracks(camera);
        camera->fresh = false;
    }
    if (once_in(900))
        camera->stalled = 1 + chance(60);
    if (once_in(1500)) {
        source_lost(camera->source, REASON_PEER_CLOSED, NULL);
        return;
    }
    int64_t n = camera->picture++;
    if (camera->stalled) {
        camera->stalled--;
        return;
    }
    if (once_in(50) && n % 4 != 0)
        return;
    push_frame(camera, 0, n * 90000, n % 4 == 0 ? FRAME_KEY : 0, 40 + chance(60));
    if (camera->tracks % 3 != 0)
        push_frame(camera, 1, n * 8000, FRAME_KEY, 20);
}

// ---- what is given out -------------------------------------------------------------------------

static struct given **slot_of(struct camera *camera, int64_t start_us)
{
    uint64_t at = (uint64_t)start_us * 0x9e3779b97f4a7c15u >> (64 - SLOT_BITS);
    while (camera->slot[at] && camera->slot[at]->start_us != start_us)
        at = (at + 1) % SLOTS;
    return &camera->slot[at];
}

struct given *sim_given(struct camera *camera, int64_t start_us, uint64_t number)
{
    const struct archive *archive = stream_slot(camera->stream, STREAM_SLOT_ARCHIVE);
    struct given *given = *slot_of(camera, start_us);
    if (given && given->number == number)
        return given;
    for (unsigned i = 0; archive && i < archive->hours.count; i++) {
        int64_t offset_s = archive->hours.hour[i].offset_s;
        given = offset_s ? *slot_of(camera, start_us - offset_s * US_PER_S) : NULL;
        if (given && given->number == number)
            return given;
    }
    return NULL;
}

static struct given *give(struct camera *camera, const struct segment_info *info)
{
    struct given **slot = slot_of(camera, info->utc_start_us);
    if (!*slot) {
        CHECK(camera->count < GIVEN_MAX);
        *slot = &camera->given[camera->count++];
        (*slot)->start_us = (*slot)->date_us = info->utc_start_us;
        (*slot)->number = info->number;
    }
    CHECK((*slot)->number == info->number); // nothing else is known by that start
    return *slot;
}

static void on_part(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count)
{
    (void)tracks, (void)part, (void)frames, (void)count;
    give(arg, info);
}

static void on_segment(void *arg, struct segment *segment)
{
    struct given *given = give(arg, &segment->info);
    const struct chain *bytes = cmaf_segment(segment);
    given->whole = true;
    given->bytes = (uint32_t)bytes->bytes;
    given->sum = sim_sum(bytes);
    given->end_us = segment->info.utc_start_us + segment->info.duration_us;
}

static void on_lost(void *arg, enum reason reason)
{
    (void)arg, (void)reason;
}

// What a returned sync covers is promised from now on. The newest first: the others are.
static void note_promises(struct camera *camera)
{
    struct archive *archive = stream_slot(camera->stream, STREAM_SLOT_ARCHIVE);
    if (!archive)
        return;
    LIST_FOREACH(&archive->recorder.volumes, it, after)
    {
        const struct volume *volume = LIST_OWNER(it, struct volume, node);
        for (unsigned i = volume->index ? volume->index->count : 0; i-- > 0;) {
            const struct index_entry *entry = &volume->index->entries[i];
            struct given *given = sim_given(camera, entry->utc_start_us, entry->number);
            if (!given || !given->whole || entry->bytes != given->bytes ||
                entry->offset + entry->bytes > volume->synced)
                continue;
            if (given->promised)
                break;
            char path[HOUR_PATH];
            archive_path(archive, volume->name, "mp4", path);
            (void)text_copy(given->file, sizeof given->file, path + strlen("/dvr/cam0"));
            given->promised = true;
        }
    }
}

// ---- lives -------------------------------------------------------------------------------------

static void attach(struct camera *camera)
{
    struct dvr_conf dvr;
    dvr_conf_init(&dvr);
    dvr.path[0] = (char *)(uintptr_t) "/dvr"; // only read
    dvr.path_count = 1;
    dvr.depth_s = DEPTH_US / US_PER_S;
    ENSURE(archive_attach(sim.archives, camera->stream, &dvr) == 0);
}

static void begin_life(void)
{
    sim.lives++;
    sim.loop = loop_new();
    sim.env = (struct protocol_env){.loop = sim.loop, .cluster_key = ""};
    protocols_install(protocol_table);
    file_hand_install(sim.random | 1);
    memory_disk_mount(sim.disk);
    memory_disk_faults(sim.disk, fault, NULL);
    file_set_calls_test(&memory_disk_calls);
    sim.env.streams = streams_new(sim.loop, &sim.env);
    sim.archives = archives_new(sim.loop);
    for (unsigned i = 0; i < CAMERAS; i++) {
        struct camera *camera = &sim.camera[i];
        struct stream_conf conf;
        stream_conf_init(&conf);
        (void)text_format(conf.name, sizeof conf.name, "cam%u", i);
        (void)stream_conf_add_input(&conf, "test://a");
        conf.is_static = true;
        conf.segment_duration_us = 4 * US_PER_S;
        conf.source_timeout_us = 20 * US_PER_S;
        ENSURE(stream_create(sim.env.streams, &conf, &camera->stream) == 0);
        stream_conf_fini(&conf);
        camera->listener = (struct segment_listener){
            .on_part = on_part, .on_segment = on_segment, .on_lost = on_lost, .arg = camera};
        stream_listen_segments(camera->stream, &camera->listener);
        attach(camera);
    }
}

static void settle(void)
{
    do
        loop_fixture_settle(sim.loop);
    while (file_hand_step());
}

// In order, or the process just ends: then what it still does reaches a disk that nobody sees.
static void end_life(bool in_order)
{
    if (!in_order) {
        memory_disk_faults(sim.disk, NULL, NULL);
        memory_disk_space(sim.disk, 0);
    }
    file_hand_release();
    sim_readers_end();
    for (unsigned i = 0; i < CAMERAS; i++)
        if (in_order && sim.camera[i].source) // its last segment is given out while we listen
            source_lost(sim.camera[i].source, REASON_PEER_CLOSED, NULL);
    loop_fixture_settle(sim.loop);
    for (unsigned i = 0; i < CAMERAS; i++)
        stream_unlisten_segments(sim.camera[i].stream, &sim.camera[i].listener);
    if (in_order)
        (void)archives_flush(sim.archives, US_PER_S);
    streams_free(&sim.env.streams);
    settle();
    archives_free(&sim.archives);
    settle();
    loop_free(&sim.loop);
    file_hand_remove();
}

static void restart(void)
{
    unsigned how = chance(sim.dates ? 2 : 3); // of a power cut nobody knows which name is left
    struct memory_disk *left = NULL;
    if (how > 0) {
        static const enum memory_cut cuts[] = {CUT_RANDOM, CUT_SYNCED, CUT_NAMES, CUT_BYTES};
        left = memory_disk_cut(sim.disk, how == 1 ? CUT_ALL : cuts[chance(4)], sim.random);
    }
    end_life(how == 0);
    CHECK(memory_disk_open_count(sim.disk) == 0);
    CHECK(mem_live_count() == 0);
    if (left) {
        memory_disk_free(&sim.disk);
        sim.disk = left;
    }
    if (sim.disk_state == DISK_FULL)
        sim.full_until = sim.second + 60;
    sim.disk_state = DISK_WELL;
    memory_disk_space(sim.disk, 0);
    sim.disk_until = sim.second + 100 + chance(2000);
    sim.well_since = sim.second;
    begin_life();
    settle();
    sim_check_all();
}

// ---- a day -------------------------------------------------------------------------------------

static void check_turn(void)
{
    CHECK(mem_live_count() < 100000);
    for (unsigned i = 0; i < CAMERAS; i++) {
        struct archive_stats stats;
        CHECK(archive_get_stats(sim.camera[i].stream, &stats));
        CHECK(stats.bytes_queued < ARCHIVE_QUEUE_BYTES_MAX + (1u << 20));
        bool well = sim.disk_state == DISK_WELL && sim.second > sim.well_since + 90;
        if (well && sim.camera[i].source && sim.camera[i].steady > 90) {
            CHECK(now_us() - stats.last_write_us < 30 * US_PER_S);
            CHECK(stats.problem == NULL);
        }
    }
}

static void one_second(void)
{
    sim.second++;
    if (sim.second >= sim.disk_until)
        change_disk();
    if (sim.disk_state == DISK_HUNG && once_in(5))
        file_hand_hang(50);
    for (unsigned i = 0; i < CAMERAS; i++) {
        struct camera *camera = &sim.camera[i];
        camera_second(camera);
        camera->steady = camera->source && !camera->stalled ? camera->steady + 1 : 0;
    }
    clock_advance_test(US_PER_S);
    if (sim.seed % 2 && once_in(sim.dates ? 7000 : 20000)) {
        clock_set_test(now_us(), utc_us() + ((int64_t)chance(14400) - 7200) * 999983);
        sim.stepped = true;
    }
    loop_fixture_settle(sim.loop);
    if (once_in(8)) { // it is slow now
        for (unsigned left = chance(10); left > 0 && file_hand_step(); left--)
            loop_fixture_settle(sim.loop);
    } else {
        settle();
    }
    for (unsigned i = 0; i < CAMERAS; i++)
        note_promises(&sim.camera[i]);
    check_turn();
    sim_readers_turn(chance(64), chance(DEPTH_US / US_PER_S));
    if (once_in(9000))
        restart();
    if (sim.second % 3600 == 1800 && sim.disk_state == DISK_WELL &&
        sim.second > sim.well_since + 60)
        sim_check_all();
}

static void run_day(uint64_t seed)
{
    memset(&sim, 0, sizeof sim);
    sim.seed = seed;
    sim.random = seed * 0x9e3779b97f4a7c15u + 1;
    sim.disk_until = 1000;
    digest_seed_test(sim.random);
    clock_set_test(1000 * US_PER_S, 1767225600 * US_PER_S);
    sim.dates = seed % 4 == 3;
    clock_set_boot_test(sim.dates, true); // which boot it is may not be known
    log_set_hook(keep_log, NULL);
    sim.disk = memory_disk_new();
    memory_disk_mount(sim.disk);
    ENSURE(memory_disk_calls.mkdir("/dvr", 0755) == 0);
    int root = memory_disk_calls.open("/", 0200000, 0);
    ENSURE(root >= 0 && memory_disk_calls.sync(root) == 0);
    memory_disk_calls.close(root);
    begin_life();
    while (sim.second < DAY_S)
        one_second();
    end_life(true);
    CHECK(mem_live_count() == 0);
    printf("sim: seed=%llu ok: lives=%u segments=%u read=%llu checks=%u dated_anew=%u\n",
           (unsigned long long)seed, sim.lives,
           sim.camera[0].count + sim.camera[1].count + sim.camera[2].count,
           (unsigned long long)sim.segments_read, sim.checks, sim.moved);
    fflush(stdout);
    memory_disk_free(&sim.disk);
    log_set_hook(NULL, NULL);
    file_set_calls_test(NULL);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    digest_seed_test(1); // the seed of all maps is chosen with the first
    struct map *first = map_new();
    map_set(first, "any", first);
    map_free(&first);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < runs; i++)
        run_day(seed + i);
    printf("sim: %u passed, 0 failed, 0 skipped\n", runs);
    return 0;
}
