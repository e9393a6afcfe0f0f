// SPDX-License-Identifier: MIT
// What h264.c and h265.c share: keeping parameter sets, growing an access unit.
#ifndef NAL_SETS_H
#define NAL_SETS_H

#include "base/bits.h"
#include "media/h264.h"

enum { SETS_VPS, SETS_SPS, SETS_PPS };

// A parameter set is read from a copy without emulation prevention. What is longer than this is
// cut, and the fields behind the cut read as an overrun; those that matter stand far in front of
// it.
enum { NAL_READ_MAX = 2048 };
struct nal_bits {
    uint8_t bytes[NAL_READ_MAX];
    struct bits bits;
};
void nal_bits_init(struct nal_bits *nal_bits, struct bytes nal);

// The id of a parameter set of that kind. ERR_INVALID when it cannot be one.
typedef int (*param_set_id_fn)(unsigned kind, struct bytes nal, unsigned *id);

// Without a start code in front (some SDP has one) and zeros behind (some cameras send them).
struct bytes param_set_trim(struct bytes nal);
// ERR_INVALID, ERR_LIMIT; `nal` is trimmed.
MUST_USE int param_sets_put(struct param_sets *sets, unsigned kind, struct bytes nal,
                            param_set_id_fn id);
static inline struct bytes param_sets_get(const struct param_sets *sets, unsigned kind,
                                          unsigned number)
{
    return buf_bytes(sets->set[kind][number]);
}
// Bytes that the sets of a kind take with a 16-bit length each.
size_t param_sets_size(const struct param_sets *sets, unsigned kind);
// `count` sets behind 16-bit lengths, each offered to `add`.
MUST_USE int param_sets_read(struct bytes *in, unsigned count, struct param_sets *sets,
                             int (*add)(struct param_sets *sets, struct bytes nal));

// Appends one NAL unit in canonical form. ERR_LIMIT past FRAME_BYTES_MAX or without memory.
MUST_USE int au_builder_append(struct au_builder *au, struct bytes nal);
// num / den in lowest terms; 0/0 when either is zero or the rate is above 1000 a second.
void frame_rate_set(uint64_t num, uint64_t den, uint32_t *fps_num, uint32_t *fps_den);
// A configuration whose NAL lengths are said to be four bytes wide, as the frames have them:
// `config` itself with one more reference, or a corrected copy. `at`: offset of the byte whose low
// two bits are lengthSizeMinusOne.
struct buf *config_with_wide_lengths(struct buf *config, size_t at);

#endif
