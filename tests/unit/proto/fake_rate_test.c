// SPDX-License-Identifier: MIT
// The decisions about quantiser and snow, with a picture that costs what the test says.
#include "fake_rate.h"

#include "fake_transform.h"
#include "unit.h"

enum { FPS = 25, GOP = 50, MACROBLOCKS = 920, SNOW = 100, FRAME_BITS = 40000 };

static void rate_begin(struct fake_rate *rate)
{
    fake_rate_init(rate, FRAME_BITS * FPS, FPS, GOP, MACROBLOCKS);
}

// One picture: `bits` that must be, then snow whose macroblocks cost 100 bits a step. What it cost.
static size_t picture(struct fake_rate *rate, bool idr, size_t bits)
{
    fake_rate_begin_picture(rate, idr);
    for (unsigned i = 0; i < SNOW; i++) {
        unsigned step = fake_rate_snow_step(rate, idr, bits, SNOW - i);

        fake_rate_snow_done(rate, idr, step, step * 100);
        bits += step * 100;
    }
    fake_rate_end_picture(rate, bits);
    return bits;
}

static size_t gop(struct fake_rate *rate, size_t idr_bits, size_t other_bits)
{
    size_t bits = picture(rate, true, idr_bits);

    for (unsigned i = 1; i < GOP; i++)
        bits += picture(rate, false, other_bits);
    return bits;
}

static void fake_rate_dear_picture_is_coded_coarser(void **state)
{
    struct fake_rate rate;
    unsigned qp;

    (void)state;
    rate_begin(&rate);
    qp = rate.qp;
    gop(&rate, 200000, 60000);
    gop(&rate, 200000, 60000);
    assert_int_equal(rate.qp, qp + 3);
    for (unsigned i = 0; i < 40; i++)
        gop(&rate, 200000, 60000);
    assert_int_equal(rate.qp, FAKE_QP_MAX);
}

static void fake_rate_cheap_picture_is_coded_finer(void **state)
{
    struct fake_rate rate;
    unsigned qp;

    (void)state;
    fake_rate_init(&rate, FRAME_BITS * FPS / 4, FPS, GOP, MACROBLOCKS);
    qp = rate.qp;
    gop(&rate, 10000, 1000);
    gop(&rate, 10000, 1000);
    assert_int_equal(rate.qp, qp - 1);
    for (unsigned i = 0; i < 40; i++)
        gop(&rate, 10000, 1000);
    assert_int_equal(rate.qp, FAKE_QP_MIN);
}

static void fake_rate_snow_takes_what_is_left(void **state)
{
    struct fake_rate rate;

    (void)state;
    rate_begin(&rate);
    gop(&rate, 200000, 20000);
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(gop(&rate, 200000, 20000), FRAME_BITS * GOP * 97 / 100,
                        FRAME_BITS * GOP * 103 / 100);
}

static void fake_rate_snow_of_idr_is_like_that_before(void **state)
{
    struct fake_rate rate;
    unsigned before;

    (void)state;
    rate_begin(&rate);
    gop(&rate, 40000, 20000);
    before = rate.snow_steps / rate.snow_count;
    assert_in_range(before, 1, 4);
    fake_rate_begin_picture(&rate, true);
    assert_in_range(fake_rate_snow_step(&rate, true, 400000, SNOW), before, before + 1);
}

TEST_MAIN(TEST(fake_rate_dear_picture_is_coded_coarser),
          TEST(fake_rate_cheap_picture_is_coded_finer), TEST(fake_rate_snow_takes_what_is_left),
          TEST(fake_rate_snow_of_idr_is_like_that_before))
