// SPDX-License-Identifier: MIT
// Parameter sets and access units, the part that H.264 and H.265 have in common.
#include "nal_sets.h"

#include <string.h>

#include "base/ensure.h"
#include "media/nal.h"

enum { SETS_MAX = sizeof(((struct param_sets *)NULL)->set[0]) / sizeof(struct buf *) };

void nal_bits_init(struct nal_bits *nal_bits, struct bytes nal)
{
    size_t length = nal_unescape(nal, nal_bits->bytes, sizeof(nal_bits->bytes));
    nal_bits->bits = bits_of(bytes_of(nal_bits->bytes, length));
}

void param_sets_fini(struct param_sets *sets)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        for (unsigned i = 0; i < sets->count[kind]; i++)
            buf_unref(&sets->set[kind][i]);
        sets->count[kind] = 0;
    }
    sets->changed = false;
}

struct bytes param_set_trim(struct bytes nal)
{
    while (nal.length > 0 && nal.data[nal.length - 1] == 0)
        nal.length--;
    struct bytes inner = nal;
    while (inner.length > 0 && inner.data[0] == 0)
        bytes_skip(&inner, 1);
    if (nal.length - inner.length >= 2 && inner.length > 0 && inner.data[0] == 1) {
        bytes_skip(&inner, 1);
        return inner;
    }
    return nal;
}

int param_sets_put(struct param_sets *sets, unsigned kind, struct bytes nal, param_set_id_fn id)
{
    // Cameras repeat their sets before every key frame: nearly every call ends here.
    for (unsigned i = 0; i < sets->count[kind]; i++) {
        struct bytes have = param_sets_get(sets, kind, i);
        if (have.length == nal.length && memcmp(have.data, nal.data, nal.length) == 0)
            return 0;
    }
    unsigned new_id, at;
    int result = id(kind, nal, &new_id);
    if (result < 0)
        return result;
    for (at = 0; at < sets->count[kind]; at++) {
        unsigned old_id;
        if (id(kind, param_sets_get(sets, kind, at), &old_id) == 0 && old_id == new_id)
            break;
    }
    if (at == SETS_MAX || nal.length > UINT16_MAX)
        return ERR_LIMIT;
    struct buf *copy = buf_try_new(nal.length);
    if (!copy)
        return ERR_LIMIT;
    buf_append(copy, nal.data, nal.length);
    if (at == sets->count[kind])
        sets->count[kind]++;
    else
        buf_unref(&sets->set[kind][at]);
    sets->set[kind][at] = copy;
    sets->changed = true;
    return 0;
}

size_t param_sets_size(const struct param_sets *sets, unsigned kind)
{
    size_t size = 0;
    for (unsigned i = 0; i < sets->count[kind]; i++)
        size += 2 + sets->set[kind][i]->length;
    return size;
}

int param_sets_read(struct bytes *in, unsigned count, struct param_sets *sets,
                    int (*add)(struct param_sets *sets, struct bytes nal))
{
    for (unsigned i = 0; i < count; i++) {
        struct bytes nal;
        if (nal_next_prefixed(in, 2, &nal) < 0)
            return ERR_INVALID;
        int result = add(sets, nal);
        if (result < 0)
            return result;
    }
    return 0;
}

void au_builder_reset(struct au_builder *au)
{
    buf_unref(&au->buf);
    memset(au, 0, sizeof(*au));
}

int au_builder_append(struct au_builder *au, struct bytes nal)
{
    size_t have = au->buf ? au->buf->length : 0;
    if (nal.length > FRAME_BYTES_MAX || have + 4 + nal.length > FRAME_BYTES_MAX)
        return ERR_LIMIT;
    size_t need = have + 4 + nal.length;
    if (!au->buf || need > au->buf->capacity) {
        // Most pictures are a small SEI and one slice: the second step is then exact. Pictures of
        // many slices grow by halves.
        size_t capacity = need > have + have / 2 ? need : have + have / 2;
        struct buf *wider = buf_try_new(capacity);
        if (!wider)
            return ERR_LIMIT;
        if (au->buf)
            buf_append(wider, au->buf->data, have);
        buf_unref(&au->buf);
        au->buf = wider;
    }
    uint32_t length = (uint32_t)nal.length;
    uint8_t prefix[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                         (uint8_t)length};
    buf_append(au->buf, prefix, sizeof(prefix));
    buf_append(au->buf, nal.data, nal.length);
    return 0;
}

struct buf *au_builder_take(struct au_builder *au, bool *key, bool *droppable)
{
    struct buf *taken = NULL;
    if (au->has_picture) {
        *key = au->key;
        *droppable = au->droppable;
        taken = au->buf;
        au->buf = NULL;
        // Frames live in rings and segments for long: memory they do not use is given back.
        if (taken->capacity - taken->length > taken->length / 8 + 64) {
            struct buf *exact = buf_try_new(taken->length);
            if (exact) {
                buf_append(exact, taken->data, taken->length);
                buf_unref(&taken);
                taken = exact;
            }
        }
    }
    au_builder_reset(au);
    return taken;
}

void frame_rate_set(uint64_t num, uint64_t den, uint32_t *fps_num, uint32_t *fps_den)
{
    *fps_num = *fps_den = 0;
    if (num == 0 || den == 0 || num / den > 1000)
        return;
    uint64_t a = num, b = den;
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    num /= a;
    den /= a;
    if (num > UINT32_MAX || den > UINT32_MAX)
        return;
    *fps_num = (uint32_t)num;
    *fps_den = (uint32_t)den;
}

struct buf *config_with_wide_lengths(struct buf *config, size_t at)
{
    ENSURE(at < config->length);
    if ((config->data[at] & 3) == 3)
        return buf_ref(config);
    struct buf *copy = buf_new_copy(config->data, config->length);
    copy->data[at] |= 3;
    return copy;
}
