// SPDX-License-Identifier: MIT
// Made-up pictures and sound for the stream of archive_fixture.h, and time for them.
#ifndef TESTS_ARCHIVE_FEEDING_H
#define TESTS_ARCHIVE_FEEDING_H

#include "archive_fixture.h"

#include "file_hand.h"

// Until neither the loop nor the disks have anything to do now.
static void room_settle(void)
{
    bool busy = true;
    if (room.by_hand) {
        do
            loop_fixture_settle(room.loop);
        while (file_hand_step());
        return;
    }
    for (unsigned i = 0; busy; i++) {
        assert_true(i < 100000);
        busy = false;
        loop_fixture_settle(room.loop);
        LIST_FOREACH(&room.archives->disks, it, after)
        {
            struct disk *disk = LIST_OWNER(it, struct disk, node);
            struct file_stats writes, reads, chores;
            file_queue_stats(disk->chores, &chores);
            file_queue_stats(disk->writes, &writes);
            file_queue_stats(disk->reads, &reads);
            busy |= writes.queued || reads.queued || chores.queued;
            assert_true(file_queue_flush(disk->writes, 20 * US_PER_S));
            assert_true(file_queue_flush(disk->reads, 20 * US_PER_S));
            assert_true(file_queue_flush(disk->chores, 20 * US_PER_S));
        }
    }
}

// Virtual time goes on, with what is due in it.
// To so long before the hour file of now ends.
static inline void room_before_roll(int64_t before_us)
{
    clock_advance_test(recorder_roll_us("cam", utc_us()) - before_us - utc_us());
}

// To a time from which on there is the same file for an hour.
static inline void room_after_roll(void)
{
    clock_advance_test(recorder_roll_us("cam", utc_us()) - utc_us());
}

static inline void room_wait(int64_t duration_us)
{
    int64_t end = now_us() + duration_us;
    while (now_us() < end) {
        int64_t due = loop_next_due_us(room.loop);
        int64_t to = due > now_us() && due < end ? due : end;
        clock_advance_test(to - now_us());
        room_settle();
    }
}

static inline void room_push_frame(unsigned track, int64_t dts, uint8_t flags, size_t length)
{
    struct buf *buf = buf_new(length);
    uint32_t seed = (uint32_t)(dts * 2654435761u) ^ track;
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525u + 1013904223u;
        buf->data[i] = (uint8_t)(seed >> 24);
    }
    buf->length = length;
    struct frame *frame = frame_new(track, &buf);
    frame->dts = dts;
    frame->flags = flags;
    source_push_frame(room.source, &frame);
}

// One picture, and 40 ms of sound; time goes on by as much. A key frame a second.
static inline void room_push_picture(void)
{
    int64_t n = room.picture++;
    bool key = (n % 25 == 0 && !room.no_keys) || room.keys_only;
    room_push_frame(0, n * 3600, key ? FRAME_KEY : 0, room.picture_bytes + (key ? 500 : 0) + n % 7);
    room_push_frame(1, n * 320, FRAME_KEY, 320);
    clock_advance_test(40000);
}

static inline void room_push(unsigned pictures)
{
    for (unsigned i = 0; i < pictures; i++) {
        room_push_picture();
        // Turned more rarely than in life, but parts are parts.
        if (i % 5 == 4 || i + 1 == pictures)
            loop_fixture_settle(room.loop);
    }
}

// So many closed segments more, written; the next one is open with one picture.
static inline void room_record(unsigned segments)
{
    for (unsigned i = 0; i < segments; i++) {
        room_push(ROOM_SEGMENT_PICTURES);
        room_settle();
    }
    if (room.picture % ROOM_SEGMENT_PICTURES == 0) {
        room_push(1);
        room_settle();
    }
}

// The rest of the open segment, so that room_record goes on at a boundary.
static inline void room_align(void)
{
    while (room.picture % ROOM_SEGMENT_PICTURES != 0)
        room_push_picture();
    room_settle();
}

static inline void room_lose(void)
{
    source_lost(room.source, REASON_PEER_CLOSED, NULL);
    room_settle();
}

// Waits for the retry of the input; frames go on at the time it is then.
static inline void room_reconnect(int64_t after_us)
{
    room_wait(after_us);
    while (!room.source)
        room_wait(100000);
    room_give_tracks();
    room.picture = 0;
}

#endif
