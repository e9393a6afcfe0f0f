// SPDX-License-Identifier: MIT
// Finds the segments of an hour file by its chunks, without an index: docs/formats/archive.md,
// "Recovery". No IO: it says which bytes it wants, and is given them.
//
//   while (scan_wants(&scan, &offset, &length))
//       scan_give(&scan, bytes read there);
//
// States: HEAD (the head of the chunk at `at`) -> BODY (the whole chunk, where checksums are
// compared) -> HEAD of the next; FIND (bytes that are no chunk: look for the next one) -> HEAD;
// DONE.
#ifndef ARCHIVE_SCAN_PARSE_H
#define ARCHIVE_SCAN_PARSE_H

#include "format/cmaf.h"
#include "index_parse.h"

enum scan_state { SCAN_HEAD, SCAN_BODY, SCAN_FIND, SCAN_DONE };

struct scan {
    enum scan_state state;
    struct index *index;         // what is found is added; one reference
    const struct tracks *tracks; // borrowed
    uint64_t size;               // of the file
    uint64_t verify_from;        // chunks that begin here or later are compared with their checksum
    uint64_t at;                 // where the next chunk should be, or the search goes on
    uint64_t chunks_end;         // behind the last whole chunk, or where the scan began
    unsigned chunks;             // whole ones found
    uint64_t skipped;            // bytes that are no chunk, or a damaged one
    // Private.
    size_t guess;
    struct cmaf_head head; // SCAN_BODY
    bool open, gap;        // a segment is being collected; something was skipped after it
    bool freed;            // what was deleted stands before the next segment
    bool bare;             // the index knew no generation yet
    struct index_entry segment;
    int64_t segment_end_us;
    struct cmaf_head segment_head; // of its first chunk
};

// Of the front of an hour file: bytes of the boxes up to and with moov, which may be more than
// these; 0 when that is not to be told from them, SIZE_MAX when there is none.
size_t scan_init_length(struct bytes in);
// From index_covered on, or from the first chunk of an empty index; bare: take the generation from
// the first chunk found. Takes the caller's reference of *index.
void scan_init(struct scan *scan, struct index **index, bool bare, const struct tracks *tracks,
               uint64_t size, uint64_t verify_from);
void scan_fini(struct scan *scan);
// False when done: the last segment is in the index.
bool scan_wants(const struct scan *scan, uint64_t *offset, size_t *length);
// Fewer bytes than wanted: the file ends there.
void scan_give(struct scan *scan, struct bytes bytes);

#endif
