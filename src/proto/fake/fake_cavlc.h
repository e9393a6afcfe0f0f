// SPDX-License-Identifier: MIT
// Context-adaptive variable-length coding of transform coefficients (ITU-T H.264, 9.2), writing
// side.
#ifndef FAKE_CAVLC_H
#define FAKE_CAVLC_H

#include "fake_bits.h"

// Contexts that are not a count of neighbouring coefficients.
enum { FAKE_CAVLC_CHROMA_DC = -1 };

// Writes residual_block_cavlc of `room` coefficients in scanning order: 16, 15 (without the DC) or
// 4 (chroma DC). context is nC of 9.2.1: 0.. or FAKE_CAVLC_CHROMA_DC. |level| is under 2048.
// Returns how many coefficients are not zero, which neighbours need as their context.
unsigned fake_cavlc_write(struct fake_bits *out, const int16_t *level, unsigned room, int context);

// coded_block_pattern of an inter macroblock, mapped to the number me(v) codes (table 9-4).
unsigned fake_cavlc_inter_pattern(unsigned pattern);

#endif
