// SPDX-License-Identifier: MIT
// Any bytes as an index file: what counts of them obeys the rules of an index, and is read again
// the same from what is written of it.
#include "index_parse.h"

#include "base/code.h"
#include "base/ensure.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct index *index)
{
    uint64_t offset = index->init_length;
    int64_t start = -1, end = -1;
    for (unsigned i = 0; i < index->count; i++) {
        const struct index_entry *entry = &index->entries[i];
        ENSURE(entry->offset >= offset && entry->bytes > 0 && entry->parts > 0);
        ENSURE(entry->utc_start_us > start && index_entry_end_us(entry) > end);
        ENSURE(index_find(index, entry->utc_start_us) == i);
        offset = entry->offset + entry->bytes;
        start = entry->utc_start_us;
        end = index_entry_end_us(entry);
        (void)index_info(index, i);
    }
    ENSURE(index_covered(index) == offset);
    ENSURE(!index->closed || index->file_length >= offset);
}

static void parse(struct bytes in)
{
    struct index *index, *again;
    if (index_parse(in, &index) != 0)
        return;
    check(index);
    struct writer out = {0};
    index_write(&out, index);
    struct buf *bytes = writer_take(&out);
    ENSURE(index_parse(buf_bytes(bytes), &again) == 0);
    ENSURE(again->count == index->count && again->closed == index->closed);
    ENSURE(index_covered(again) == index_covered(index));
    buf_unref(&bytes);
    index_unref(&again);
    index_unref(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    parse(bytes_of(copy, size));
    // And with checksums that are right, to see what stands behind them.
    for (size_t at = 0; at + INDEX_RECORD <= size; at += INDEX_RECORD) {
        uint32_t sum = crc32c(0, copy + at, INDEX_RECORD - 4);
        for (unsigned i = 0; i < 4; i++)
            copy[at + INDEX_RECORD - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    parse(bytes_of(copy, size));
    mem_free(copy);
    return 0;
}
