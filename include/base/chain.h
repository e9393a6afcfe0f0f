// SPDX-License-Identifier: MIT
// Slices on their way out: an ordered list of {buf, offset, length}, each holding one reference.
// This is how payload reaches sockets and disk without being copied. The array grows by doubling
// and is kept while the chain lives.
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"

struct chain_slice {
    struct buf *buf; // one reference
    size_t offset, length;
};

struct chain {
    struct chain_slice *slices; // [first, first + count) are in use
    size_t first, count, capacity;
    size_t bytes; // sum of the lengths
};

void chain_init(struct chain *chain); // a zeroed chain is the same
void chain_fini(struct chain *chain); // drops everything; the chain is empty and usable after
// Adds a slice; takes a reference of its own. Length 0 adds nothing.
void chain_add(struct chain *chain, struct buf *buf, size_t offset, size_t length);
// Adds the whole of *buf, takes the caller's reference and blanks the pointer.
void chain_take(struct chain *chain, struct buf **buf);
// Copies the bytes into a block of their own (small heads).
void chain_add_copy(struct chain *chain, const void *data, size_t length);
// Moves all slices of `from` to the end of `to`; `from` is empty after.
void chain_move(struct chain *to, struct chain *from);
// Adds references to slices [offset, offset + length) of `from`; ENSUREs that the range exists.
void chain_add_range(struct chain *to, const struct chain *from, size_t offset, size_t length);
void chain_consume(struct chain *chain, size_t bytes); // from the front; ENSUREs there are as many
// Fills at most `most` vectors from the front; returns how many.
int chain_iovec(const struct chain *chain, struct iovec *vectors, int most);
// One block with all bytes, count one; the chain is unchanged.
struct buf *chain_join(const struct chain *chain);

#endif
