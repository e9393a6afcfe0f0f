// SPDX-License-Identifier: MIT
// Counted bytes.
//
// 1. refs >= 1 while anyone can see the structure.
// 2. length <= capacity.
// 3. Without release, data is the byte after the structure; with it, data is foreign.
#include "base/buf.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"

#define BUF_MAGIC 0x42554631u

static struct buf *buf_begin(void *block, size_t capacity)
{
    struct buf *buf = block;
    *buf = (struct buf){
        .magic = BUF_MAGIC, .refs = 1, .capacity = capacity, .data = (uint8_t *)(buf + 1)};
    return buf;
}

struct buf *buf_new(size_t capacity)
{
    ENSURE(capacity <= SIZE_MAX - sizeof(struct buf));
    // mem_resize does not zero, and nobody reads past the length.
    return buf_begin(mem_resize(NULL, sizeof(struct buf) + capacity), capacity);
}

struct buf *buf_try_new(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct buf))
        return NULL;
    void *block = mem_try_alloc_raw(sizeof(struct buf) + capacity);
    return block ? buf_begin(block, capacity) : NULL;
}

struct buf *buf_new_copy(const void *data, size_t length)
{
    struct buf *buf = buf_new(length);
    buf_append(buf, data, length);
    return buf;
}

struct buf *buf_new_foreign(uint8_t *data, size_t length, void (*release)(void *), void *arg)
{
    ENSURE(release != NULL);
    struct buf *buf = buf_new(0);
    buf->data = data;
    buf->length = buf->capacity = length;
    buf->release = release;
    buf->release_arg = arg;
    return buf;
}

struct buf *buf_ref(struct buf *buf)
{
    OBJ_CHECK(buf, BUF_MAGIC);
    ENSURE(buf->refs < UINT32_MAX);
    buf->refs++;
    return buf;
}

void buf_unref(struct buf **buf)
{
    struct buf *mine = *buf;
    *buf = NULL;
    if (!mine)
        return;
    OBJ_CHECK(mine, BUF_MAGIC);
    ENSURE(mine->refs > 0);
    if (--mine->refs > 0)
        return;
    mine->magic = 0;
    if (mine->release)
        mine->release(mine->release_arg);
    mem_free(mine);
}

void buf_append(struct buf *buf, const void *data, size_t length)
{
    OBJ_CHECK(buf, BUF_MAGIC);
    ENSURE(buf->refs == 1 && length <= buf->capacity - buf->length);
    if (length)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
}

void buf_reserve(struct buf **buf, size_t more)
{
    struct buf *mine = *buf;
    OBJ_CHECK(mine, BUF_MAGIC);
    ENSURE(mine->refs == 1 && !mine->release);
    if (more <= mine->capacity - mine->length)
        return;
    ENSURE(more <= SIZE_MAX / 4 && mine->capacity <= SIZE_MAX / 4);
    size_t capacity = mine->capacity * 2;
    if (capacity < mine->length + more)
        capacity = mine->length + more;
    mine = mem_resize(mine, sizeof(*mine) + capacity);
    mine->data = (uint8_t *)(mine + 1);
    mine->capacity = capacity;
    *buf = mine;
}

void buf_trim(struct buf **buf)
{
    struct buf *mine = *buf;
    OBJ_CHECK(mine, BUF_MAGIC);
    ENSURE(mine->refs == 1 && !mine->release);
    if (mine->capacity == mine->length)
        return;
    mine = mem_resize(mine, sizeof(*mine) + mine->length);
    mine->data = (uint8_t *)(mine + 1);
    mine->capacity = mine->length;
    *buf = mine;
}
