// SPDX-License-Identifier: MIT
// An input that the test plays by hand, scheme "hand": a camera of H.264 at 25 pictures a second
// and AAC, without an encoder. Virtual time.
#ifndef TESTS_SUPPORT_HAND_H
#define TESTS_SUPPORT_HAND_H

#include <stdbool.h>
#include <stdint.h>

#include "media/segment.h"
#include "stream/protocol.h"

enum { HAND_INPUTS = 64 };

// One pull. Where it is zero, hand_play uses a GOP of 25 pictures of 200 bytes and key frames of
// 1000.
struct hand {
    struct source *source; // NULL once stopped
    char path[32];         // behind hand://
    bool told;             // hand_tracks was called
    unsigned variant;      // of the tracks: 0 or 1
    unsigned gop, key_bytes, picture_bytes;
    bool b_frames; // the pictures between are shown before the one they follow
    bool silent;   // no audio
    uint64_t pictures, sounds;
    int64_t offset_us; // of its own count
};

extern const struct protocol hand_protocol;
extern struct hand hands[HAND_INPUTS]; // by pull
extern unsigned hand_pulls, hand_stops;

void hand_reset(void);
// The running input of this path; NULL when there is none.
struct hand *hand_find(const char *path);
// H.264 (64x48, or 1280x720 as variant 1) and AAC of 48 kHz, mono. Count one.
struct tracks *hand_tracks_new(unsigned variant, bool silent);
void hand_tracks(struct hand *hand);  // tells its tracks; hand_play does it when it is due
void hand_picture(struct hand *hand); // the next picture
void hand_lost(struct hand *hand);    // the input is lost
// Plays so many milliseconds, moving the time.
void hand_play(struct loop *loop, struct hand *hand, int64_t duration_ms);
// A segment as the segmenter makes it: `pictures` pictures from `first` on, numbers from 1000.
struct segment *hand_segment(struct tracks *tracks, uint64_t number, int64_t utc_start_us,
                             unsigned pictures, uint32_t picture_bytes);

#endif
