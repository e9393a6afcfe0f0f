// SPDX-License-Identifier: MIT
// Sample tables as a cursor.
//
// 1. Every table was checked to have the bytes for its count; rows are read nowhere else than below
//    that count.
// 2. Each call of mp4_table_next takes time in proportion to the rows it passes, not to numbers
//    that stand in them.
#include "mp4_table.h"

#include "base/limits.h"

#include "mp4_box.h"

// Reads the head of a table: full box, count, then count rows of row_bits bits.
static bool rows_parse(struct bytes stbl, const char *type, unsigned row_bits, struct mp4_rows *out)
{
    struct bytes body;
    uint8_t version;
    uint32_t flags;
    *out = (struct mp4_rows){0};
    int found = mp4_box_find(stbl, MP4_TYPE(type), &body);
    if (found < 0)
        return found == ERR_NOT_FOUND; // an absent table is an empty one
    if (!mp4_full_box_read(&body, &version, &flags) || !bytes_read_u32(&body, &out->count) ||
        ((uint64_t)out->count * row_bits + 7) / 8 > body.length)
        return false;
    out->data = body.data;
    return true;
}

static bool sizes_parse(struct bytes stbl, struct mp4_table *out)
{
    struct bytes body;
    uint8_t version;
    uint32_t flags;
    if (mp4_box_find(stbl, MP4_TYPE("stsz"), &body) == 0) {
        if (!mp4_full_box_read(&body, &version, &flags) || !bytes_read_u32(&body, &out->size))
            return false;
        out->size_bits = out->size ? 0 : 32;
    } else if (mp4_box_find(stbl, MP4_TYPE("stz2"), &body) == 0) {
        if (!mp4_full_box_read(&body, &version, &flags) || !bytes_read_u32(&body, &flags))
            return false;
        out->size_bits = flags & 0xff;
        if (out->size_bits != 4 && out->size_bits != 8 && out->size_bits != 16)
            return false;
    } else {
        return false;
    }
    if (!bytes_read_u32(&body, &out->samples) ||
        ((uint64_t)out->samples * out->size_bits + 7) / 8 > body.length)
        return false;
    out->sizes = (struct mp4_rows){body.data, out->samples};
    return true;
}

uint32_t mp4_group_most(uint32_t wanted, uint32_t size)
{
    uint32_t fit = FRAME_BYTES_MAX / size;
    return wanted < fit ? wanted : fit > 0 ? fit : 1;
}

int mp4_table_parse(struct bytes stbl, uint32_t group_most, struct mp4_table *out)
{
    struct bytes ignored;
    *out = (struct mp4_table){.group_most = 1};
    out->long_offsets = mp4_box_find(stbl, MP4_TYPE("co64"), &ignored) == 0;
    out->has_stss = mp4_box_find(stbl, MP4_TYPE("stss"), &ignored) == 0;
    if (!rows_parse(stbl, "stts", 64, &out->stts) || !rows_parse(stbl, "ctts", 64, &out->ctts) ||
        !rows_parse(stbl, "stss", 32, &out->stss) || !rows_parse(stbl, "stsc", 96, &out->stsc) ||
        !rows_parse(stbl, out->long_offsets ? "co64" : "stco", out->long_offsets ? 64 : 32,
                    &out->chunks) ||
        !sizes_parse(stbl, out))
        return ERR_INVALID;
    for (uint32_t i = 0; i < out->stsc.count; i++) {
        const uint8_t *row = out->stsc.data + 12ULL * i;
        uint32_t first = mp4_u32_at(row);
        if (first == 0 || (i == 0 && first != 1) || (i > 0 && first <= mp4_u32_at(row - 12)))
            return ERR_INVALID;
        if (mp4_u32_at(row + 8) != 1)
            return ERR_UNSUPPORTED;
    }
    if (out->size > FRAME_BYTES_MAX) // none that would be left out: there may be four billion
        out->samples = 0;
    if (out->size && out->stts.count == 1 && mp4_u32_at(out->stts.data + 4) == 1)
        out->group_most = mp4_group_most(group_most, out->size);
    return 0;
}

void mp4_table_rewind(struct mp4_table *table)
{
    table->at = (struct mp4_table_cursor){0};
}

uint32_t mp4_table_usual_duration(const struct mp4_table *table)
{
    if (table->stts.count == 0 || mp4_u32_at(table->stts.data) <= table->samples / 2)
        return 0;
    return mp4_u32_at(table->stts.data + 4);
}

static uint32_t size_at(const struct mp4_table *table, uint32_t sample)
{
    const uint8_t *data = table->sizes.data;
    switch (table->size_bits) {
    case 0:
        return table->size;
    case 4:
        return sample & 1 ? data[sample / 2] & 15 : data[sample / 2] >> 4;
    case 8:
        return data[sample];
    case 16:
        return (uint32_t)data[2ULL * sample] << 8 | data[2ULL * sample + 1];
    default:
        return mp4_u32_at(data + 4ULL * sample);
    }
}

// Samples of the chunk the cursor is in that were not taken yet; 0 when there is no further chunk.
static uint32_t chunk_left(struct mp4_table *table)
{
    struct mp4_table_cursor *at = &table->at;
    for (; at->chunk < table->chunks.count; at->chunk++, at->chunk_done = 0) {
        while (at->stsc_row + 1 < table->stsc.count &&
               mp4_u32_at(table->stsc.data + 12ULL * (at->stsc_row + 1)) <= at->chunk + 1)
            at->stsc_row++;
        if (table->stsc.count == 0)
            return 0;
        uint32_t holds = mp4_u32_at(table->stsc.data + 12ULL * at->stsc_row + 4);
        if (at->chunk_done < holds)
            return holds - at->chunk_done;
    }
    return 0;
}

// The value of a run-length table (stts, ctts) for the next sample; goes on by `count` samples.
// Past the end the last value counts.
static uint32_t run_take(const struct mp4_rows *rows, uint32_t *row, uint32_t *done, uint32_t count,
                         uint32_t past)
{
    while (*row < rows->count && *done >= mp4_u32_at(rows->data + 8ULL * *row)) {
        *done -= mp4_u32_at(rows->data + 8ULL * *row);
        ++*row;
    }
    if (*row >= rows->count)
        return past;
    *done += count;
    return mp4_u32_at(rows->data + 8ULL * *row + 4);
}

static bool key_take(struct mp4_table *table)
{
    uint32_t *row = &table->at.stss_row, number = table->at.sample + 1;
    if (!table->has_stss)
        return true;
    while (*row < table->stss.count && mp4_u32_at(table->stss.data + 4ULL * *row) < number)
        ++*row;
    return *row < table->stss.count && mp4_u32_at(table->stss.data + 4ULL * *row) == number;
}

int mp4_table_next(struct mp4_table *table, struct mp4_raw_sample *out)
{
    struct mp4_table_cursor *at = &table->at;
    uint32_t left = chunk_left(table);
    if (at->sample >= table->samples || left == 0 || at->dts > MP4_TICKS_MAX)
        return ERR_NOT_FOUND;
    if (at->chunk_done == 0)
        at->offset = table->long_offsets ? mp4_u64_at(table->chunks.data + 8ULL * at->chunk)
                                         : mp4_u32_at(table->chunks.data + 4ULL * at->chunk);
    uint32_t count = table->group_most;
    if (count > left)
        count = left;
    if (count > table->samples - at->sample)
        count = table->samples - at->sample;
    uint64_t length = (uint64_t)size_at(table, at->sample) * count;
    if (at->offset > INT64_MAX || length > UINT32_MAX)
        return ERR_NOT_FOUND;
    uint32_t usual =
        table->stts.count ? mp4_u32_at(table->stts.data + 8ULL * (table->stts.count - 1) + 4) : 0;
    uint32_t step = run_take(&table->stts, &at->stts_row, &at->stts_done, count, usual);
    *out = (struct mp4_raw_sample){
        .dts = at->dts,
        // Offsets are signed in version 1; writers of version 0 mean it too.
        .cts = (int32_t)run_take(&table->ctts, &at->ctts_row, &at->ctts_done, count, 0),
        .duration = table->group_most > 1 ? count : step,
        .offset = at->offset,
        .length = (uint32_t)length,
        .key = key_take(table),
    };
    at->dts += out->duration;
    at->offset += length;
    at->sample += count;
    at->chunk_done += count;
    return 0;
}
