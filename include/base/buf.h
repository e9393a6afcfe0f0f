// SPDX-License-Identifier: MIT
// Counted bytes. Made with a count of one; buf_ref adds, buf_unref(&b) takes away, blanks the
// pointer and frees at zero. May be written only while the count is one. One thread: the count is
// a plain integer.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct buf {
    uint32_t magic;
    uint32_t refs;
    size_t length;              // bytes in use
    size_t capacity;            // bytes there are
    uint8_t *data;              // follows the structure in the same block, or foreign
    void (*release)(void *arg); // foreign memory: called once at zero; NULL for our own
    void *release_arg;
};

// Length zero, the given capacity, dies when there is no memory: for sizes we choose.
struct buf *buf_new(size_t capacity);
// The same for sizes a peer chose (after a check against base/limits.h); NULL when there is none.
struct buf *buf_try_new(size_t capacity);
// A copy of the bytes.
struct buf *buf_new_copy(const void *data, size_t length);
// Wraps memory that is not ours; release(arg) is called when the last reference goes.
struct buf *buf_new_foreign(uint8_t *data, size_t length, void (*release)(void *), void *arg);
struct buf *buf_ref(struct buf *buf); // returns its argument
void buf_unref(struct buf **buf);     // *buf may be NULL; is NULL afterwards
void buf_append(struct buf *buf, const void *data, size_t length); // ENSUREs that it fits
// Room for `more` bytes after the length, by doubling. *buf may move: it must be our own memory
// with a count of one. Dies without memory.
void buf_reserve(struct buf **buf, size_t more);
// Gives back the memory behind the length. *buf may move: our own memory with a count of one.
void buf_trim(struct buf **buf);
static inline struct bytes buf_bytes(const struct buf *buf)
{
    return bytes_of(buf->data, buf->length);
}

#endif
