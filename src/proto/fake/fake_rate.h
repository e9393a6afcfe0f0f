// SPDX-License-Identifier: MIT
// Decides how fine the test picture is coded and how strong its snow is, so that the stream has the
// bitrate that was asked for. Arithmetic only.
//
// 1. The quantiser is one for a whole GOP. It follows what the picture without the snow cost in the
//    GOP before: that shall be between a third and three quarters of the budget.
// 2. The snow takes the rest. A picture may spend its share of the bitrate, less what the pictures
//    before it overspent (the IDR picture, mostly), spread over the rest of the GOP.
// 3. Snow comes in steps of strength, in proportion to the quantiser: so the bits that a
//    macroblock of each step costs hardly depend on it, and are learnt once.
#ifndef FAKE_RATE_H
#define FAKE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Step 0 is none: in an IDR picture plain grey, in others what was there is left.
enum { FAKE_SNOW_STEPS = 24 };

struct fake_rate {
    unsigned qp;                         // of the running GOP
    unsigned amplitude[FAKE_SNOW_STEPS]; // of the snow for this qp

    int64_t frame_bits; // a picture's share of the bitrate; from here on private
    unsigned gop_frames, fps;
    int64_t debt;                    // bits spent more than the share, up to the picture before
    unsigned frame;                  // of the running picture in the GOP
    int64_t gop_bits;                // without snow, in the running GOP
    int64_t snow_bits;               // of the running picture
    unsigned snow_count, snow_steps; // macroblocks of snow in it, and the sum of their steps
    unsigned mean_step;              // of the snow in the picture before
    double cost[FAKE_SNOW_STEPS];    // bits a macroblock, learnt
};

// The least bitrate that holds what must be coded, at the coarsest quantiser; about right.
// macroblocks: of the picture, also below.
unsigned fake_rate_least(unsigned fps, unsigned gop_frames, unsigned macroblocks);

void fake_rate_init(struct fake_rate *rate, unsigned bitrate, unsigned fps, unsigned gop_frames,
                    unsigned macroblocks);
void fake_rate_begin_picture(struct fake_rate *rate, bool idr);
// The step for the next macroblock of snow, when the picture has `bits` so far and `left`
// macroblocks of snow, this one included, are to come.
unsigned fake_rate_snow_step(struct fake_rate *rate, bool idr, size_t bits, unsigned left);
void fake_rate_snow_done(struct fake_rate *rate, bool idr, unsigned step, size_t bits);
void fake_rate_end_picture(struct fake_rate *rate, size_t bits);

#endif
