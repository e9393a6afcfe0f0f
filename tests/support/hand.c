// SPDX-License-Identifier: MIT
#include "hand.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "loop_fixture.h"
#include "media/audio.h"
#include "media/h264.h"
#include "media/timebase.h"

static const char *const avcc[2] = {
    "014d400affe10015674d400adb11ec0440000003004000000c83c489b801000568eac3cb20",
    "0164001fffe1001a6764001facd9405005bb011000000300100000030320f1831960"
    "01000568eac3cb20",
};

struct hand hands[HAND_INPUTS];
unsigned hand_pulls, hand_stops;

static void stop(struct source *source)
{
    hand_stops++;
    for (unsigned i = 0; i < hand_pulls; i++)
        if (hands[i].source == source)
            hands[i].source = NULL;
}

static int pull(const struct protocol_env *env, struct source *source)
{
    static const struct source_ops ops = {.stop = stop};
    (void)env;
    ENSURE(hand_pulls < HAND_INPUTS);
    struct hand *hand = &hands[hand_pulls++];
    *hand = (struct hand){.source = source};
    snprintf(hand->path, sizeof hand->path, "%s", source_input(source)->url + strlen("hand://"));
    source_set_engine(source, &ops, hand);
    return 0;
}

const struct protocol hand_protocol = {.name = "hand", .schemes = {"hand"}, .pull = pull};

void hand_reset(void)
{
    memset(hands, 0, sizeof hands);
    hand_pulls = hand_stops = 0;
}

struct hand *hand_find(const char *path)
{
    for (unsigned i = hand_pulls; i-- > 0;)
        if (hands[i].source && strcmp(hands[i].path, path) == 0)
            return &hands[i];
    return NULL;
}

static struct track video_track(unsigned variant)
{
    struct track track;
    struct buf *config = buf_new(64);
    ENSURE(hex_decode(avcc[variant], strlen(avcc[variant]), config->data, config->capacity,
                      &config->length));
    ENSURE(h264_track_from_config(config, &track) == 0);
    buf_unref(&config);
    return track;
}

struct tracks *hand_tracks_new(unsigned variant, bool silent)
{
    static const uint8_t aac[] = {0x11, 0x88};
    struct track track[2] = {video_track(variant)};
    if (!silent)
        ENSURE(aac_track_from_config(bytes_of(aac, sizeof aac), &track[1]) == 0);
    return tracks_new(track, silent ? 1 : 2);
}

void hand_tracks(struct hand *hand)
{
    struct tracks *tracks = hand_tracks_new(hand->variant, hand->silent);
    hand->told = true;
    source_tracks(hand->source, &tracks);
}

// One NAL unit behind its length, or bytes of sound.
static struct frame *make(unsigned track, uint64_t number, uint32_t length, bool key)
{
    struct buf *buf = buf_new(length);
    buf->length = length;
    for (uint32_t i = 0; i < length; i++)
        buf->data[i] = (uint8_t)(number * 7 + track * 3 + i + 1);
    if (track == 0) {
        for (unsigned i = 0; i < 4; i++)
            buf->data[i] = (uint8_t)((length - 4) >> (24 - 8 * i));
        buf->data[4] = key ? 0x65 : 0x41;
    }
    struct frame *frame = frame_new(track, &buf);
    frame->flags = key ? FRAME_KEY : 0;
    return frame;
}

void hand_picture(struct hand *hand)
{
    unsigned gop = hand->gop ? hand->gop : 25;
    unsigned in_gop = (unsigned)(hand->pictures % gop);
    bool key = in_gop == 0;
    uint32_t length = key ? (hand->key_bytes ? hand->key_bytes : 1000)
                          : (hand->picture_bytes ? hand->picture_bytes : 200);
    struct frame *frame = make(0, hand->pictures, length, key);
    frame->dts = (int64_t)hand->pictures * 3600 + ticks_from_us(hand->offset_us, 90000);
    // I P B B: shown I B B P.
    if (hand->b_frames)
        frame->cts = key ? 3600 : in_gop % 3 == 1 ? 4 * 3600 : 0;
    if (hand->b_frames && !key && in_gop % 3 != 1)
        frame->flags |= FRAME_DROPPABLE;
    hand->pictures++;
    source_push_frame(hand->source, &frame);
}

static void sound(struct hand *hand)
{
    struct frame *frame = make(1, hand->sounds, 20 + hand->sounds % 3, true);
    frame->dts = (int64_t)hand->sounds * 1024 + ticks_from_us(hand->offset_us, 48000);
    frame->duration = 1024;
    hand->sounds++;
    source_push_frame(hand->source, &frame);
}

void hand_lost(struct hand *hand)
{
    source_lost(hand->source, REASON_PEER_CLOSED, "by hand");
}

void hand_play(struct loop *loop, struct hand *hand, int64_t duration_ms)
{
    if (!hand->told)
        hand_tracks(hand);
    for (int64_t at = 0; at < duration_ms && hand->source; at += 40) {
        hand_picture(hand);
        while (!hand->silent && hand->sounds * 1024 * 25 < hand->pictures * 48000)
            sound(hand);
        loop_fixture_run(loop, 40 * US_PER_MS);
    }
}

struct segment *hand_segment(struct tracks *tracks, uint64_t number, int64_t utc_start_us,
                             unsigned pictures, uint32_t picture_bytes)
{
    const struct segment_info info = {.number = number,
                                      .utc_start_us = utc_start_us,
                                      .duration_us = (int64_t)pictures * 40000,
                                      .generation = tracks->generation,
                                      .flags = SEGMENT_KEY};
    struct segment *segment = segment_new(&info, tracks);
    for (unsigned i = 0; i < pictures; i++) {
        struct frame *frame = make(0, number * 100 + i, picture_bytes, i == 0);
        frame->dts = ticks_from_us(utc_start_us, 90000) + (int64_t)i * 3600;
        segment_add_frame(segment, &frame, i % 13 == 0);
    }
    return segment;
}
