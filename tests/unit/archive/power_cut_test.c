// SPDX-License-Identifier: MIT
// The power goes at every moment of a scripted life: after each single thing that changed the disk,
// what may be left of it is opened by another life, which has to keep every promise of
// memory_room.h. Points of the list of peers' troubles: power loss leaves unreadable files; of the
// design lessons: order of fsync for files and folders, recovery from a checkpoint, a failed fsync
// is never believed, a cache that is never the truth.
#include "memory_room.h"

enum {
    IMAGES_MAX = 8000,
    // What a cut may take: the time between two syncs, the sync itself, and what was begun.
    LOST_MAX = 10 / 2 + 3,
    // As much for a process that is killed: what was given in that turn (here: a whole segment).
    KILLED_MAX = 2,
};

struct image {
    struct memory_disk *disk;
    enum memory_cut kind;
    unsigned effect, known_count;
    int64_t mono_us, utc_us;
    bool promised[32];
};

static struct image image[IMAGES_MAX];
static unsigned image_count, effects;
static struct known known[32]; // of the whole life

static void take_images(void *arg)
{
    struct memory_disk *disk = arg;
    effects++;
    note_promises();
    assert_true(room.known_count <= 32);
    for (unsigned i = 0; i < CUT_KINDS + 2; i++) {
        enum memory_cut kind = i < CUT_KINDS ? (enum memory_cut)i : CUT_RANDOM;
        assert_true(image_count < IMAGES_MAX);
        struct image *out = &image[image_count++];
        *out = (struct image){.disk = memory_disk_cut(disk, kind, effects * 16 + i),
                              .kind = kind,
                              .effect = effects,
                              .known_count = room.known_count,
                              .mono_us = now_us(),
                              .utc_us = utc_us()};
        memcpy(out->promised, promised, sizeof out->promised);
    }
}

// Another life on it: what is promised is there, and recording goes on.
static void open_image(struct image *from, unsigned lost_max)
{
    snprintf(doing, sizeof doing, "effect %u, cut %d", from->effect, (int)from->kind);
    memory_room_open(from->disk, 0);
    memcpy(room.known, known, sizeof known);
    // The one that was being collected then is known too, as it became.
    while (room.known_count < from->known_count + 1 && room.known_count < 32 &&
           known[room.known_count].info.bytes > 0 &&
           known[room.known_count].info.utc_start_us < from->utc_us)
        room.known_count++;
    memcpy(promised, from->promised, sizeof from->promised);
    clock_set_test(from->mono_us, from->utc_us);
    room.base_us = from->utc_us;
    memory_room_attach();
    CHECK(check_promises() <= lost_max);
    if (from->effect % 8 == 0) {
        step_segments(3);
        CHECK(got_whole(room_read_all(), &room.known[room.known_count - 2]));
        check_promises();
    }
    memory_room_close();
    CHECK(memory_disk_open_count(from->disk) == 0);
}

static void live_and_take_images(struct memory_disk *disk)
{
    image_count = effects = 0;
    scenario_begin(disk, 0);
    memory_disk_on_effect(disk, take_images, disk);
    scenario();
    memory_disk_on_effect(disk, NULL, NULL);
    room_lose(); // so that the last one is known too
    memcpy(known, room.known, sizeof known);
    memory_room_close();
}

// peers.md 2.1.13, 6.4.
static void power_cut_at_every_effect_keeps_every_promise(void **state)
{
    (void)state;
    struct memory_disk *disk = memory_room_disk();
    live_and_take_images(disk);
    memory_disk_free(&disk);
    unsigned promises = 0;
    for (unsigned i = 0; i < 32; i++)
        promises += image[image_count - 1].promised[i];
    assert_true(promises > 10 && effects > 100);
    for (unsigned i = 0; i < image_count; i++) {
        open_image(&image[i], image[i].kind == CUT_ALL ? KILLED_MAX : LOST_MAX);
        memory_disk_free(&image[i].disk);
    }
}

// A recovery that a second cut interrupts: what it had made safe is as good as what was there.
static void power_cut_while_recovering_keeps_every_promise(void **state)
{
    (void)state;
    struct memory_disk *disk = memory_room_disk();
    live_and_take_images(disk);
    memory_disk_free(&disk);
    for (unsigned i = 0; i < image_count; i++) {
        if (image[i].kind == CUT_RANDOM && image[i].effect % 8 == 3) {
            open_image(&image[i], LOST_MAX);
            struct image again = image[i];
            again.kind = CUT_RANDOM;
            again.disk = memory_disk_cut(image[i].disk, CUT_RANDOM, i + 1);
            again.effect = image[i].effect / 8 * 8 + 1;
            open_image(&again, LOST_MAX);
            memory_disk_free(&again.disk);
        }
        memory_disk_free(&image[i].disk);
    }
}

static unsigned syncs, fail_at;

static int fail_sync(void *arg, const char *call, const char *path)
{
    (void)arg, (void)path;
    return strcmp(call, "sync") == 0 && ++syncs == fail_at ? EIO : 0;
}

// What a failed sync was to make safe is lost when the power goes. It is not promised, and a later
// sync does not make it so.
// peers.md 6.11.
static void power_cut_after_each_failed_sync_keeps_every_promise(void **state)
{
    (void)state;
    for (fail_at = 1; fail_at == 1 || syncs >= fail_at - 1; fail_at++) {
        struct memory_disk *disk = memory_room_disk();
        scenario_begin(disk, 0);
        syncs = 0;
        memory_disk_faults(disk, fail_sync, NULL);
        scenario();
        struct image end = {.disk = memory_disk_cut(disk, CUT_SYNCED, 0),
                            .kind = CUT_SYNCED,
                            .effect = fail_at * 8,
                            .known_count = room.known_count,
                            .mono_us = now_us(),
                            .utc_us = utc_us()};
        memcpy(end.promised, promised, sizeof end.promised);
        room_lose();
        memcpy(known, room.known, sizeof known);
        memory_room_close();
        memory_disk_free(&disk);
        open_image(&end, 2 * LOST_MAX);
        memory_disk_free(&end.disk);
    }
    assert_true(fail_at > 5);
}

TEST_MAIN(TEST(power_cut_at_every_effect_keeps_every_promise),
          TEST(power_cut_while_recovering_keeps_every_promise),
          TEST(power_cut_after_each_failed_sync_keeps_every_promise))
