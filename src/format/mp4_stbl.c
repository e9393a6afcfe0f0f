// SPDX-License-Identifier: MIT
// Sample tables, written.
//
// 1. A writer is empty or begins with the head of its box, whose size and count mp4_stbl_finish
// sets.
// 2. The run that grows is written when another value comes, or at the end.
#include "mp4_stbl.h"

#include "base/ensure.h"

#include "mp4_box.h"

enum { ROWS_AT = 16, STSZ_ROWS_AT = 20 }; // of a box: size, type, version and flags, count

void mp4_stbl_fini(struct mp4_stbl *stbl)
{
    writer_fini(&stbl->stts);
    writer_fini(&stbl->ctts);
    writer_fini(&stbl->stss);
    writer_fini(&stbl->stsz);
    writer_fini(&stbl->stsc);
    writer_fini(&stbl->co64);
    *stbl = (struct mp4_stbl){0};
}

// Makes sure that the head of the box is there.
static void box_begin(struct writer *box, const char *type)
{
    if (writer_length(box) > 0)
        return;
    mp4_full_box_open(box, type, 0, 0);
    writer_u32(box, 0);
}

static void box_end(struct writer *box, uint32_t count)
{
    mp4_box_close(box, 0);
    writer_patch_u32(box, ROWS_AT - 4, count);
}

static void run_write(struct mp4_stbl_run *run, struct writer *box, const char *type)
{
    if (run->count == 0)
        return;
    box_begin(box, type);
    writer_u32(box, run->count);
    writer_u32(box, run->value);
    run->rows++;
    run->count = 0;
}

static void run_add(struct mp4_stbl_run *run, struct writer *box, const char *type, uint32_t value)
{
    if (run->count && value != run->value)
        run_write(run, box, type);
    run->value = value;
    run->count++;
}

// The samples per chunk are known when the next chunk begins.
static void chunk_end(struct mp4_stbl *stbl)
{
    const struct mp4_stbl_chunks *chunk = &stbl->chunk, *row = &stbl->row;
    if (stbl->chunks == 0 ||
        (chunk->samples == row->samples && chunk->description == row->description))
        return;
    box_begin(&stbl->stsc, "stsc");
    writer_u32(&stbl->stsc, stbl->chunks);
    writer_u32(&stbl->stsc, chunk->samples);
    writer_u32(&stbl->stsc, chunk->description);
    stbl->row = *chunk;
    stbl->rows++;
}

void mp4_stbl_chunk(struct mp4_stbl *stbl, uint64_t offset, uint32_t description)
{
    ENSURE(stbl->chunks == 0 || stbl->chunk.samples > 0);
    chunk_end(stbl);
    box_begin(&stbl->co64, "co64");
    writer_u64(&stbl->co64, offset);
    stbl->chunks++;
    stbl->chunk = (struct mp4_stbl_chunks){.description = description};
}

static void duration_add(struct mp4_stbl *stbl, uint32_t ticks)
{
    run_add(&stbl->durations, &stbl->stts, "stts", ticks);
    stbl->time += ticks;
}

void mp4_stbl_add(struct mp4_stbl *stbl, int64_t time, uint32_t duration, uint32_t size,
                  int32_t cts, bool key)
{
    if (stbl->samples > 0) {
        int64_t step = time - (int64_t)stbl->time;
        duration_add(stbl, step < 0 ? 0 : step > UINT32_MAX ? UINT32_MAX : (uint32_t)step);
    } else {
        stbl->size = size;
        mp4_full_box_open(&stbl->stsz, "stsz", 0, 0);
        writer_u32(&stbl->stsz, 0);
        writer_u32(&stbl->stsz, 0);
    }
    stbl->samples++;
    stbl->chunk.samples++;
    stbl->last_duration = duration;
    stbl->sizes_differ |= size != stbl->size;
    writer_u32(&stbl->stsz, size);
    stbl->has_negative |= cts < 0;
    run_add(&stbl->offsets, &stbl->ctts, "ctts", (uint32_t)cts);
    if (key) {
        box_begin(&stbl->stss, "stss");
        writer_u32(&stbl->stss, stbl->samples);
        stbl->keys++;
    }
}

void mp4_stbl_finish(struct mp4_stbl *stbl)
{
    ENSURE(stbl->samples > 0);
    duration_add(stbl, stbl->last_duration);
    run_write(&stbl->durations, &stbl->stts, "stts");
    box_end(&stbl->stts, stbl->durations.rows);
    run_write(&stbl->offsets, &stbl->ctts, "ctts");
    if (stbl->offsets.rows == 1 && stbl->offsets.value == 0) {
        writer_fini(&stbl->ctts);
    } else {
        box_end(&stbl->ctts, stbl->offsets.rows);
        stbl->ctts.buf->data[MP4_BOX_HEAD] = stbl->has_negative; // version
    }
    box_begin(&stbl->stss, "stss"); // no key at all is an empty table
    if (stbl->keys == stbl->samples)
        writer_fini(&stbl->stss);
    else
        box_end(&stbl->stss, stbl->keys);
    if (!stbl->sizes_differ) {
        writer_patch_u32(&stbl->stsz, STSZ_ROWS_AT - 8, stbl->size);
        if (stbl->size)
            stbl->stsz.buf->length = STSZ_ROWS_AT;
    }
    mp4_box_close(&stbl->stsz, 0);
    writer_patch_u32(&stbl->stsz, STSZ_ROWS_AT - 4, stbl->samples);
    chunk_end(stbl);
    box_end(&stbl->stsc, stbl->rows);
    box_end(&stbl->co64, stbl->chunks);
}

size_t mp4_stbl_size(const struct mp4_stbl *stbl)
{
    return writer_length(&stbl->stts) + writer_length(&stbl->ctts) + writer_length(&stbl->stss) +
           writer_length(&stbl->stsz) + writer_length(&stbl->stsc) + writer_length(&stbl->co64);
}

static void box_take(struct writer *box, struct chain *out)
{
    struct buf *taken = writer_take(box);
    chain_take(out, &taken);
}

void mp4_stbl_take(struct mp4_stbl *stbl, uint64_t base, struct chain *out)
{
    uint8_t *row = stbl->co64.buf->data + ROWS_AT;
    for (uint32_t i = 0; i < stbl->chunks; i++, row += 8) {
        uint64_t offset = mp4_u64_at(row) + base;
        for (unsigned byte = 0; byte < 8; byte++)
            row[byte] = (uint8_t)(offset >> (56 - 8 * byte));
    }
    box_take(&stbl->stts, out);
    box_take(&stbl->ctts, out);
    box_take(&stbl->stss, out);
    box_take(&stbl->stsc, out);
    box_take(&stbl->stsz, out);
    box_take(&stbl->co64, out);
}
