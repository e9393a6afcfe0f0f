// SPDX-License-Identifier: MIT
#include "fake_rate.h"

#include <math.h>

#include "fake_transform.h"

enum { AMPLITUDE_MAX = 90 };

// What a GOP without snow costs, in bits. Edges are what costs, so it grows with the sides of the
// picture and not with its area. Measured from 160x90 to 1920x1080, at QP 24 and 51.
static double gop_cost(unsigned macroblocks, unsigned gop_frames, double idr, double other)
{
    return sqrt(macroblocks) * (idr + other * (gop_frames - 1));
}

unsigned fake_rate_least(unsigned fps, unsigned gop_frames, unsigned macroblocks)
{
    return (unsigned)(gop_cost(macroblocks, gop_frames, 1100, 130) * fps / gop_frames);
}

// The quantiser to begin with: the cost falls by about 3.75 % of that at QP 24 with each step.
static unsigned first_qp(double budget, unsigned gop_frames, unsigned macroblocks)
{
    double part = budget / gop_cost(macroblocks, gop_frames, 5600, 650);
    double qp = 24 + (1 - part) / 0.0375;

    return (unsigned)(qp < FAKE_QP_MIN ? FAKE_QP_MIN : qp > FAKE_QP_MAX ? FAKE_QP_MAX : qp);
}

static void set_qp(struct fake_rate *rate, unsigned qp)
{
    double step = 0.625 * pow(2, qp / 6.0); // quantiser step in samples

    rate->qp = qp;
    rate->amplitude[0] = 0;
    for (unsigned i = 1; i < FAKE_SNOW_STEPS; i++) {
        double amplitude = round(step * 0.6 * pow(2, i / 4.0));

        rate->amplitude[i] = (unsigned)(amplitude > AMPLITUDE_MAX ? AMPLITUDE_MAX : amplitude);
    }
}

void fake_rate_init(struct fake_rate *rate, unsigned bitrate, unsigned fps, unsigned gop_frames,
                    unsigned macroblocks)
{
    *rate = (struct fake_rate){.frame_bits = bitrate / fps, .gop_frames = gop_frames, .fps = fps};
    set_qp(rate, first_qp(0.55 * bitrate / fps * gop_frames, gop_frames, macroblocks));
    for (unsigned i = 1; i < FAKE_SNOW_STEPS; i++)
        rate->cost[i] = 60.0 * i;
}

static void begin_gop(struct fake_rate *rate)
{
    int64_t budget = rate->frame_bits * rate->gop_frames;
    int64_t unspent = rate->frame_bits * rate->fps / 8;
    unsigned qp = rate->qp;

    if (rate->gop_bits > budget)
        qp += 3;
    else if (rate->gop_bits > budget * 3 / 4)
        qp += 1;
    else if (rate->gop_bits && (rate->gop_bits < budget / 3 || rate->debt < -unspent))
        qp -= 1;
    qp = qp < FAKE_QP_MIN ? FAKE_QP_MIN : qp > FAKE_QP_MAX ? FAKE_QP_MAX : qp;
    if (qp != rate->qp)
        set_qp(rate, qp);
    rate->gop_bits = 0;
    rate->frame = 0;
}

void fake_rate_begin_picture(struct fake_rate *rate, bool idr)
{
    if (idr)
        begin_gop(rate);
    rate->snow_bits = 0;
    if (rate->snow_count) // rounded up: a little snow does not become none
        rate->mean_step = (rate->snow_steps + rate->snow_count - 1) / rate->snow_count;
    rate->snow_count = rate->snow_steps = 0;
}

unsigned fake_rate_snow_step(struct fake_rate *rate, bool idr, size_t bits, unsigned left)
{
    unsigned spread = rate->gop_frames - rate->frame, most = 2 * rate->fps;
    double want = (double)(rate->frame_bits - (int64_t)bits) -
                  (double)rate->debt / (spread < most ? spread : most);
    unsigned step = FAKE_SNOW_STEPS - 1;

    // An IDR picture shows the snow as strong as the pictures before it: otherwise it would blink.
    if (idr && rate->gop_frames > 1)
        return rate->mean_step;
    while (step > 0 &&
           (rate->cost[step] > want / left || rate->amplitude[step] == rate->amplitude[step - 1]))
        step--;
    return step;
}

void fake_rate_snow_done(struct fake_rate *rate, bool idr, unsigned step, size_t bits)
{
    rate->snow_bits += (int64_t)bits;
    rate->snow_count++;
    rate->snow_steps += step;
    if (!idr || rate->gop_frames == 1)
        rate->cost[step] += ((double)bits - rate->cost[step]) / 16;
}

void fake_rate_end_picture(struct fake_rate *rate, size_t bits)
{
    int64_t most = rate->frame_bits * rate->fps * 4;

    rate->gop_bits += (int64_t)bits - rate->snow_bits;
    rate->debt += (int64_t)bits - rate->frame_bits;
    // A debt that cannot be paid back in seconds is not carried on for ever.
    rate->debt = rate->debt > most ? most : rate->debt < -most ? -most : rate->debt;
    rate->frame++;
}
