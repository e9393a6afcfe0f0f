// SPDX-License-Identifier: MIT
// The index of one hour file: its segments in order of time, in memory and as the bytes of the .idx
// file (docs/formats/archive.md). Counted: the writer adds to it while readers hold it; entries are
// only ever appended.
#ifndef ARCHIVE_INDEX_PARSE_H
#define ARCHIVE_INDEX_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/writer.h"
#include "media/segment.h"

enum { INDEX_RECORD = 48 }; // bytes of the head and of each entry

// Two segments belong together when the second begins at most this after the end of the first.
#define INDEX_HOLE_US 100000

struct index_entry {
    uint64_t number;
    int64_t utc_start_us;
    uint64_t offset;      // of its first chunk in the hour file
    uint32_t bytes;       // of all its chunks, which stand together
    uint32_t head_bytes;  // of the heads of its chunks together
    uint32_t duration_us; // longer ones say UINT32_MAX
    uint16_t parts;
    uint8_t flags; // enum segment_flags
};

struct index {
    uint32_t refs;
    uint32_t generation;  // of the one track list of the file
    uint32_t init_length; // offset of the first chunk
    bool closed;          // no entry comes any more
    uint64_t file_length; // of the hour file, when closed
    int64_t shift_us;     // that entries are later than what stands in the file; 0 while it grows
    struct index_entry *entries;
    unsigned count, capacity;
};

struct index *index_new(uint32_t generation, uint32_t init_length); // count one
struct index *index_ref(struct index *index);
void index_unref(struct index **index); // NULL is fine, is NULL afterwards
// False, and not added, when the entry does not agree with what is there already: offsets and
// starts go on, it has parts and bytes and a duration; or the file has too many.
MUST_USE bool index_add(struct index *index, const struct index_entry *entry);
// All entries are so much later from now on (hour_name.offset_s), than what stands in the file.
void index_shift(struct index *index, int64_t shift_us);
// Where the bytes end that the entries speak of.
uint64_t index_covered(const struct index *index);
static inline int64_t index_entry_end_us(const struct index_entry *entry)
{
    return entry->utc_start_us + entry->duration_us;
}
// From the first start to the latest end; false when empty.
bool index_span(const struct index *index, int64_t *from_us, int64_t *to_us);
// Whether there is a hole between entry - 1 and entry.
bool index_hole_before(const struct index *index, unsigned entry);
unsigned index_holes(const struct index *index);
// The first entry that ends after utc_us; count when there is none. O(log count).
unsigned index_find(const struct index *index, int64_t utc_us);
// As lists and segments tell it: with SEGMENT_DISCONTINUITY where a hole is before it.
struct segment_info index_info(const struct index *index, unsigned entry);

// ---- bytes -------------------------------------------------------------------------------------
// Foreign bytes. 0 and an index with the entries that count, count one; it may be empty, and is
// closed only when all of the file counts. ERR_INVALID when the head does not count.
MUST_USE int index_parse(struct bytes in, struct index **out);
void index_head_write(struct writer *out, const struct index *index);
void index_entry_write(struct writer *out, const struct index_entry *entry);
void index_end_write(struct writer *out, const struct index *index, uint64_t file_length);
// All of it; with the last entry when closed.
void index_write(struct writer *out, const struct index *index);

#endif
