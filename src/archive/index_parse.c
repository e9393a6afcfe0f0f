// SPDX-License-Identifier: MIT
// The index of one hour file.
//
// 1. entries[] go on in offset and in start; each has bytes, parts and a duration. So a binary
//    search by time is right, and no entry speaks of the init segment or of another's bytes.
// 2. Ends may lie beyond the next start by what durations are rounded or damaged; index_find looks
//    at ends as they stand, which for entries from index_add grow too.
#include "index_parse.h"

#include "base/code.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    VERSION = 1,
    KIND_SEGMENT = 1,
    KIND_END = 2,
    FIRST_CAPACITY = 64,
};

#define MAGIC 0x534c4958u // "SLIX"
// Heads are far smaller than payload; no segment of ours is larger.
#define ENTRY_BYTES_MAX (2u * SEGMENT_BYTES_MAX)
// Until the year 10000: sums with durations cannot overflow.
#define UTC_MAX_US 253402300800000000LL

struct index *index_new(uint32_t generation, uint32_t init_length)
{
    struct index *index = mem_alloc(sizeof *index);
    index->refs = 1;
    index->generation = generation;
    index->init_length = init_length;
    return index;
}

struct index *index_ref(struct index *index)
{
    ENSURE(index->refs > 0);
    index->refs++;
    return index;
}

void index_unref(struct index **index)
{
    struct index *gone = *index;
    *index = NULL;
    if (!gone)
        return;
    ENSURE(gone->refs > 0);
    if (--gone->refs > 0)
        return;
    mem_free(gone->entries);
    mem_free(gone);
}

void index_shift(struct index *index, int64_t shift_us)
{
    for (unsigned i = 0; i < index->count; i++)
        index->entries[i].utc_start_us += shift_us - index->shift_us;
    index->shift_us = shift_us;
}

uint64_t index_covered(const struct index *index)
{
    if (index->count == 0)
        return index->init_length;
    const struct index_entry *last = &index->entries[index->count - 1];
    return last->offset + last->bytes;
}

static bool agrees(const struct index *index, const struct index_entry *entry)
{
    if (entry->bytes == 0 || entry->bytes > ENTRY_BYTES_MAX || entry->head_bytes == 0 ||
        entry->head_bytes > entry->bytes || entry->parts == 0 || entry->duration_us == 0)
        return false;
    if (entry->utc_start_us < 0 || entry->utc_start_us > UTC_MAX_US ||
        entry->offset > INT64_MAX - ENTRY_BYTES_MAX || entry->offset < index_covered(index))
        return false;
    return index->count == 0 || entry->utc_start_us > index->entries[index->count - 1].utc_start_us;
}

bool index_add(struct index *index, const struct index_entry *entry)
{
    if (index->closed || index->count >= ARCHIVE_ENTRIES_MAX || !agrees(index, entry))
        return false;
    if (index->count == index->capacity) {
        index->capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY;
        index->entries = mem_resize(index->entries, index->capacity * sizeof *index->entries);
    }
    if (index->count > 0) {
        // What overlaps by a wrong duration is cut to where the next one begins: ends grow.
        struct index_entry *last = &index->entries[index->count - 1];
        if (index_entry_end_us(last) > entry->utc_start_us)
            last->duration_us = (uint32_t)(entry->utc_start_us - last->utc_start_us);
    }
    index->entries[index->count++] = *entry;
    return true;
}

bool index_span(const struct index *index, int64_t *from_us, int64_t *to_us)
{
    if (index->count == 0)
        return false;
    *from_us = index->entries[0].utc_start_us;
    *to_us = index_entry_end_us(&index->entries[index->count - 1]);
    return true;
}

bool index_hole_before(const struct index *index, unsigned entry)
{
    if (entry == 0)
        return false;
    return index->entries[entry].utc_start_us - index_entry_end_us(&index->entries[entry - 1]) >
           INDEX_HOLE_US;
}

unsigned index_holes(const struct index *index)
{
    unsigned holes = 0;
    for (unsigned i = 1; i < index->count; i++)
        holes += index_hole_before(index, i);
    return holes;
}

unsigned index_find(const struct index *index, int64_t utc_us)
{
    unsigned low = 0, high = index->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (index_entry_end_us(&index->entries[middle]) > utc_us)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct segment_info index_info(const struct index *index, unsigned entry)
{
    ENSURE(entry < index->count);
    const struct index_entry *from = &index->entries[entry];
    struct segment_info info = {
        .number = from->number,
        .utc_start_us = from->utc_start_us,
        .duration_us = from->duration_us,
        .bytes = from->bytes,
        .generation = index->generation,
        .flags = from->flags,
    };
    if (index_hole_before(index, entry))
        info.flags |= SEGMENT_DISCONTINUITY;
    return info;
}

// ---- bytes -------------------------------------------------------------------------------------

// The next record, without its checksum, when that is right.
static bool record_take(struct bytes *in, struct bytes *out)
{
    struct bytes record, rest = *in;
    uint32_t checksum;
    if (!bytes_take(&rest, INDEX_RECORD, &record))
        return false;
    *out = bytes_of(record.data, INDEX_RECORD - 4);
    struct bytes tail = bytes_of(record.data + INDEX_RECORD - 4, 4);
    if (!bytes_read_u32(&tail, &checksum) || checksum != crc32c(0, out->data, out->length))
        return false;
    *in = rest;
    return true;
}

static bool head_parse(struct bytes *in, struct index **out)
{
    struct bytes record;
    uint32_t magic, generation, init_length;
    uint16_t version, size;
    if (!record_take(in, &record) || !bytes_read_u32(&record, &magic) ||
        !bytes_read_u16(&record, &version) || !bytes_read_u16(&record, &size) ||
        !bytes_read_u32(&record, &generation) || !bytes_read_u32(&record, &init_length))
        return false;
    if (magic != MAGIC || version != VERSION || size != INDEX_RECORD)
        return false;
    *out = index_new(generation, init_length);
    return true;
}

static bool segment_parse(struct bytes record, struct index_entry *out)
{
    uint8_t kind;
    uint64_t start = 0;
    bool all = bytes_read_u8(&record, &kind) && bytes_read_u8(&record, &out->flags) &&
               bytes_read_u16(&record, &out->parts) && bytes_read_u32(&record, &out->bytes) &&
               bytes_read_u64(&record, &out->number) && bytes_read_u64(&record, &start) &&
               bytes_read_u64(&record, &out->offset) && bytes_read_u32(&record, &out->head_bytes) &&
               bytes_read_u32(&record, &out->duration_us);
    out->utc_start_us = (int64_t)start;
    return all;
}

// The last entry agrees with the ones before it.
static bool end_parse(struct bytes record, struct index *index)
{
    uint64_t count, end, length;
    if (!bytes_skip(&record, 8) || !bytes_read_u64(&record, &count) ||
        !bytes_read_u64(&record, &end) || !bytes_read_u64(&record, &length))
        return false;
    if (count != index->count || length < index_covered(index) || length > INT64_MAX)
        return false;
    index->closed = true;
    index->file_length = length;
    return true;
}

int index_parse(struct bytes in, struct index **out)
{
    struct bytes record;
    if (!head_parse(&in, out))
        return ERR_INVALID;
    while (record_take(&in, &record)) {
        struct index_entry entry;
        if (record.data[0] == KIND_SEGMENT) {
            if (!segment_parse(record, &entry) || !index_add(*out, &entry))
                break;
        } else if (record.data[0] == KIND_END) {
            // Nothing is believed of an index that goes on after its end.
            if (in.length == 0)
                (void)end_parse(record, *out);
            break;
        }
    }
    return 0;
}

static void checksum_write(struct writer *out, size_t from)
{
    while (writer_length(out) - from < INDEX_RECORD - 4)
        writer_u8(out, 0);
    writer_u32(out, crc32c(0, out->buf->data + from, INDEX_RECORD - 4));
}

void index_head_write(struct writer *out, const struct index *index)
{
    size_t from = writer_length(out);
    writer_u32(out, MAGIC);
    writer_u16(out, VERSION);
    writer_u16(out, INDEX_RECORD);
    writer_u32(out, index->generation);
    writer_u32(out, index->init_length);
    checksum_write(out, from);
}

void index_entry_write(struct writer *out, const struct index_entry *entry)
{
    size_t from = writer_length(out);
    writer_u8(out, KIND_SEGMENT);
    writer_u8(out, entry->flags);
    writer_u16(out, entry->parts);
    writer_u32(out, entry->bytes);
    writer_u64(out, entry->number);
    writer_u64(out, (uint64_t)entry->utc_start_us);
    writer_u64(out, entry->offset);
    writer_u32(out, entry->head_bytes);
    writer_u32(out, entry->duration_us);
    checksum_write(out, from);
}

void index_end_write(struct writer *out, const struct index *index, uint64_t file_length)
{
    size_t from = writer_length(out);
    int64_t start, end = 0;
    (void)index_span(index, &start, &end);
    writer_u64(out, (uint64_t)KIND_END << 56);
    writer_u64(out, index->count);
    writer_u64(out, (uint64_t)end);
    writer_u64(out, file_length);
    checksum_write(out, from);
}

void index_write(struct writer *out, const struct index *index)
{
    index_head_write(out, index);
    for (unsigned i = 0; i < index->count; i++)
        index_entry_write(out, &index->entries[i]);
    if (index->closed)
        index_end_write(out, index, index->file_length);
}
