// SPDX-License-Identifier: MIT
// The sound: its configuration, and what a decoder that is not ours hears in it.
#include "fake_aac.h"

#include <math.h>

#include "fake_decode.h"
#include "media/audio.h"
#include "unit.h"

enum { SECONDS = 3, UNITS = SECONDS * FAKE_AAC_RATE / FAKE_AAC_SAMPLES };
static const int64_t NEW_YEAR = 1767225600LL * FAKE_AAC_RATE; // 2026, in samples

// Amplitude of a frequency that goes round a whole number of times in the samples.
static double strength(const int16_t *sample, unsigned channels, double frequency)
{
    double re = 0, im = 0;

    for (unsigned i = 0; i < FAKE_AAC_SAMPLES; i++) {
        double turn = 2 * M_PI * frequency * i / FAKE_AAC_RATE;

        re += sample[i * channels] * cos(turn);
        im += sample[i * channels] * sin(turn);
    }
    return 2 * sqrt(re * re + im * im) / FAKE_AAC_SAMPLES;
}

// Samples from the second that begins after `first` units; mem_free them.
static int16_t *decode_sound(unsigned channels, size_t *count)
{
    struct fake_aac *aac = fake_aac_new(channels);
    uint8_t asc[FAKE_AAC_CONFIG_LENGTH], head[7];
    struct aac_config config;
    struct fake_decode decode;
    uint8_t *decoded;
    size_t length;

    fake_aac_config(aac, asc);
    assert_int_equal(aac_config_parse(bytes_of(asc, sizeof(asc)), &config), 0);
    fake_decode_begin(&decode);
    for (unsigned i = 0; i < UNITS; i++) {
        struct bytes unit = fake_aac_unit(aac, NEW_YEAR + i * FAKE_AAC_SAMPLES);

        adts_write(&config, unit.length, head);
        assert_int_equal(fwrite(head, 1, sizeof(head), decode.file), sizeof(head));
        assert_int_equal(fwrite(unit.data, 1, unit.length, decode.file), unit.length);
    }
    fake_aac_free(&aac);
    decoded = fake_decode_end(&decode, "-f aac", "-f s16le", &length);
    *count = length / 2 / channels;
    return (int16_t *)decoded;
}

static void fake_aac_config_stereo_and_mono_are_read_back(void **state)
{
    (void)state;
    for (unsigned channels = 1; channels <= 2; channels++) {
        struct fake_aac *aac = fake_aac_new(channels);
        uint8_t asc[FAKE_AAC_CONFIG_LENGTH];
        struct aac_config config;

        fake_aac_config(aac, asc);
        assert_int_equal(aac_config_parse(bytes_of(asc, sizeof(asc)), &config), 0);
        assert_int_equal(config.object_type, 2);
        assert_int_equal(config.sample_rate, FAKE_AAC_RATE);
        assert_int_equal(config.channels, channels);
        fake_aac_free(&aac);
    }
}

static void fake_aac_unit_each_second_has_one_beep(void **state)
{
    struct fake_aac *aac = fake_aac_new(2);
    struct bytes chord = fake_aac_unit(aac, NEW_YEAR + FAKE_AAC_RATE / 2);
    unsigned others = 0;

    (void)state;
    // 8 seconds are a whole number of units: the pattern comes round.
    for (unsigned i = 0; i < 375; i++)
        others += fake_aac_unit(aac, NEW_YEAR + i * FAKE_AAC_SAMPLES).data != chord.data;
    assert_int_equal(others, 8 * 4); // three blocks touch four units
    for (unsigned i = 0; i < 375; i++) {
        struct bytes now = fake_aac_unit(aac, NEW_YEAR + i * FAKE_AAC_SAMPLES);
        struct bytes later = fake_aac_unit(aac, NEW_YEAR + (i + 375) * FAKE_AAC_SAMPLES);

        assert_ptr_equal(now.data, later.data);
    }
    fake_aac_free(&aac);
}

static void fake_aac_unit_decoded_has_chord_and_beep(void **state)
{
    (void)state;
    if (!fake_decode_possible())
        skip();
    for (unsigned channels = 1; channels <= 2; channels++) {
        size_t count;
        int16_t *sample = decode_sound(channels, &count);
        // The units that begin first after one second, and in the middle of it.
        const int16_t *beep = sample + 48 * FAKE_AAC_SAMPLES * channels;
        const int16_t *chord = sample + 70 * FAKE_AAC_SAMPLES * channels;

        assert_in_range(count, (UNITS - 1) * FAKE_AAC_SAMPLES, UNITS * FAKE_AAC_SAMPLES);
        for (unsigned side = 0; side < channels; side++) {
            static const double tones[] = {375, 468.75, 562.5};

            for (unsigned i = 0; i < 3; i++)
                assert_in_range((unsigned)strength(chord + side, channels, tones[i]), 590, 720);
            assert_in_range((unsigned)strength(chord + side, channels, 421.875), 0, 6);
            assert_in_range((unsigned)strength(chord + side, channels, 937.5), 0, 6);
            assert_in_range((unsigned)strength(beep + side, channels, 937.5), 5800, 7200);
        }
        mem_free(sample);
    }
}

TEST_MAIN(TEST(fake_aac_config_stereo_and_mono_are_read_back),
          TEST(fake_aac_unit_each_second_has_one_beep),
          TEST(fake_aac_unit_decoded_has_chord_and_beep))
