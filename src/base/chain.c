// SPDX-License-Identifier: MIT
// Slices on their way out.
//
// 1. first + count <= capacity; no slice is empty.
// 2. bytes is the sum of the lengths of the slices in use.
// 3. The array moves to its front or doubles only when its end is reached with at least half of it
//    in use, or more than half of it consumed: adding and consuming are O(1) in the mean.
#include "base/chain.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"

enum { CHAIN_FIRST_CAPACITY = 8 };

void chain_init(struct chain *chain)
{
    *chain = (struct chain){0};
}

void chain_fini(struct chain *chain)
{
    struct chain old = *chain;
    chain_init(chain); // before the references go: a release function may look
    for (size_t i = 0; i < old.count; i++)
        buf_unref(&old.slices[old.first + i].buf);
    mem_free(old.slices);
}

static struct chain_slice *chain_slot(struct chain *chain)
{
    if (chain->first + chain->count == chain->capacity) {
        if (chain->first > chain->capacity / 2) {
            memmove(chain->slices, chain->slices + chain->first,
                    chain->count * sizeof(*chain->slices));
            chain->first = 0;
        } else {
            chain->capacity = chain->capacity ? chain->capacity * 2 : CHAIN_FIRST_CAPACITY;
            chain->slices = mem_resize(chain->slices, chain->capacity * sizeof(*chain->slices));
        }
    }
    return &chain->slices[chain->first + chain->count];
}

// Takes the reference over. length > 0.
static void chain_push(struct chain *chain, struct buf *buf, size_t offset, size_t length)
{
    *chain_slot(chain) = (struct chain_slice){.buf = buf, .offset = offset, .length = length};
    chain->count++;
    chain->bytes += length;
}

void chain_add(struct chain *chain, struct buf *buf, size_t offset, size_t length)
{
    ENSURE(offset <= buf->length && length <= buf->length - offset);
    if (length)
        chain_push(chain, buf_ref(buf), offset, length);
}

void chain_take(struct chain *chain, struct buf **buf)
{
    struct buf *mine = *buf;
    if (mine->length == 0) {
        buf_unref(buf);
        return;
    }
    *buf = NULL;
    chain_push(chain, mine, 0, mine->length);
}

void chain_add_copy(struct chain *chain, const void *data, size_t length)
{
    if (length)
        chain_push(chain, buf_new_copy(data, length), 0, length);
}

void chain_move(struct chain *to, struct chain *from)
{
    ENSURE(to != from);
    if (to->count == 0) {
        struct chain empty = *to;
        *to = *from;
        *from = empty;
        from->first = 0;
        return;
    }
    for (size_t i = 0; i < from->count; i++) {
        const struct chain_slice *slice = &from->slices[from->first + i];
        chain_push(to, slice->buf, slice->offset, slice->length);
    }
    from->first = from->count = from->bytes = 0;
}

void chain_add_range(struct chain *to, const struct chain *from, size_t offset, size_t length)
{
    ENSURE(to != from && offset <= from->bytes && length <= from->bytes - offset);
    for (size_t i = from->first; length > 0; i++) {
        const struct chain_slice *slice = &from->slices[i];
        if (offset >= slice->length) {
            offset -= slice->length;
            continue;
        }
        size_t part = slice->length - offset;
        if (part > length)
            part = length;
        chain_add(to, slice->buf, slice->offset + offset, part);
        length -= part;
        offset = 0;
    }
}

void chain_consume(struct chain *chain, size_t bytes)
{
    ENSURE(bytes <= chain->bytes);
    chain->bytes -= bytes;
    while (bytes > 0) {
        struct chain_slice *slice = &chain->slices[chain->first];
        if (bytes < slice->length) {
            slice->offset += bytes;
            slice->length -= bytes;
            return;
        }
        bytes -= slice->length;
        struct buf *gone = slice->buf;
        chain->count--;
        chain->first = chain->count ? chain->first + 1 : 0;
        buf_unref(&gone);
    }
}

int chain_iovec(const struct chain *chain, struct iovec *vectors, int most)
{
    int count = 0;
    for (; count < most && (size_t)count < chain->count; count++) {
        const struct chain_slice *slice = &chain->slices[chain->first + (size_t)count];
        vectors[count].iov_base = slice->buf->data + slice->offset;
        vectors[count].iov_len = slice->length;
    }
    return count;
}

struct buf *chain_join(const struct chain *chain)
{
    struct buf *joined = buf_new(chain->bytes);
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_slice *slice = &chain->slices[chain->first + i];
        buf_append(joined, slice->buf->data + slice->offset, slice->length);
    }
    return joined;
}
