// SPDX-License-Identifier: MIT
// The sound of the test picture: AAC-LC (ISO/IEC 14496-3, subpart 4), 48 kHz, a soft chord of 375,
// 468.75 and 562.5 Hz, and a beep of 937.5 Hz at the beginning of each second, when the lamp of the
// picture is lit. All tones go round a whole number of times in a frame, so there are only five
// different access units: they are coded once, and after that sound is a look-up. Under 2 KB.
#ifndef FAKE_AAC_H
#define FAKE_AAC_H

#include "base/bytes.h"

enum { FAKE_AAC_RATE = 48000, FAKE_AAC_SAMPLES = 1024, FAKE_AAC_CONFIG_LENGTH = 2 };

struct fake_aac;

struct fake_aac *fake_aac_new(unsigned channels); // 1, or 2 with the same sound in both
void fake_aac_free(struct fake_aac **aac);        // NULL is fine

// AudioSpecificConfig, 1.6.2.1.
void fake_aac_config(const struct fake_aac *aac, uint8_t out[FAKE_AAC_CONFIG_LENGTH]);

// The access unit (no ADTS) that is played from `sample` on, counted at 48 kHz from 1970 UTC, not
// negative. Units come in order, each FAKE_AAC_SAMPLES after the one before; where a caller jumps
// there may be a click. Borrowed until fake_aac_free.
struct bytes fake_aac_unit(const struct fake_aac *aac, int64_t sample);

#endif
