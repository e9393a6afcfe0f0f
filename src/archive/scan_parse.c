// SPDX-License-Identifier: MIT
// Finds the segments of an hour file by its chunks.
//
// 1. `at` never goes back, and each chunk or search moves it on: the scan ends.
// 2. Only chunks that follow one another without a gap, part by part from 0, make a segment.
// 3. A segment that goes on after damage or at the end of the file lasts as long as what is there.
#include "scan_parse.h"

#include "base/ensure.h"
#include "base/limits.h"

enum {
    GUESS = 4096,         // holds the head of half a second of pictures and sound
    GUESS_MAX = 2u << 20, // more than any head
    WINDOW = 256u << 10,  // of a search
    MARK = 23,            // a mark cut off by the end of the window is not longer
    BODY_MAX = 32u << 20, // half a second at 500 Mbit/s; longer ones are compared when read
};

size_t scan_init_length(struct bytes in)
{
    size_t at = 0;
    for (;;) {
        struct bytes rest = bytes_of(in.data + at, in.length - at);
        uint32_t size, type;
        if (!bytes_read_u32(&rest, &size) || !bytes_read_u32(&rest, &type))
            return 0;
        if (size < 8 || size > ARCHIVE_INIT_MAX || at + size > ARCHIVE_INIT_MAX)
            return SIZE_MAX;
        at += size;
        if (type == 0x6d6f6f76) // moov
            return at;
        if (at > in.length)
            return 0;
    }
}

void scan_init(struct scan *scan, struct index **index, bool bare, const struct tracks *tracks,
               uint64_t size, uint64_t verify_from)
{
    *scan = (struct scan){
        .index = *index,
        .tracks = tracks,
        .size = size,
        .verify_from = verify_from,
        .at = index_covered(*index),
        .guess = GUESS,
        .bare = bare,
    };
    *index = NULL;
    scan->chunks_end = scan->at;
    scan->state = scan->at < size ? SCAN_HEAD : SCAN_DONE;
}

void scan_fini(struct scan *scan)
{
    index_unref(&scan->index);
}

bool scan_wants(const struct scan *scan, uint64_t *offset, size_t *length)
{
    uint64_t left = scan->size > scan->at ? scan->size - scan->at : 0, most = 0;
    switch (scan->state) {
    case SCAN_HEAD:
        most = scan->guess;
        break;
    case SCAN_BODY:
        most = scan->head.head_length + scan->head.payload_length;
        break;
    case SCAN_FIND:
        most = WINDOW;
        break;
    case SCAN_DONE:
        return false;
    }
    *offset = scan->at;
    *length = (size_t)(most < left ? most : left);
    return true;
}

// next: the chunk that begins the next segment, or NULL.
static void close_segment(struct scan *scan, const struct cmaf_head *next)
{
    if (!scan->open)
        return;
    scan->open = false;
    struct index_entry *segment = &scan->segment;
    int64_t end_us = scan->segment_end_us;
    bool follows = next && !scan->gap && next->part == 0 &&
                   next->segment_number == segment->number + 1 &&
                   !(next->segment_flags & SEGMENT_DISCONTINUITY);
    if (follows)
        end_us = next->segment_utc_us;
    int64_t duration_us = end_us - segment->utc_start_us;
    segment->duration_us = duration_us < 1            ? 1
                           : duration_us < UINT32_MAX ? (uint32_t)duration_us
                                                      : UINT32_MAX;
    if (!index_add(scan->index, segment))
        scan->skipped += segment->bytes; // it contradicts what stands before it
}

static void begin_segment(struct scan *scan, const struct cmaf_head *head)
{
    scan->open = true;
    scan->gap = false;
    unsigned flags = head->segment_flags | (scan->freed ? SEGMENT_DISCONTINUITY : 0u);
    scan->freed = false;
    scan->segment = (struct index_entry){
        .number = head->segment_number,
        .utc_start_us = head->segment_utc_us,
        .offset = scan->at,
        .flags = (uint8_t)flags,
    };
    scan->segment_head = *head;
    scan->segment_end_us = head->segment_utc_us;
}

static bool continues(const struct scan *scan, const struct cmaf_head *head, uint64_t length)
{
    const struct cmaf_head *first = &scan->segment_head;
    return scan->open && !scan->gap && head->part == scan->segment.parts &&
           head->segment_number == first->segment_number &&
           head->segment_utc_us == first->segment_utc_us &&
           head->segment_flags == first->segment_flags &&
           scan->segment.bytes + length <= 2u * SEGMENT_BYTES_MAX;
}

static void skip_to(struct scan *scan, uint64_t to)
{
    scan->gap = true;
    scan->skipped += to - scan->at;
    scan->at = to;
}

static void take_chunk(struct scan *scan, const struct cmaf_head *head)
{
    uint64_t length = head->head_length + head->payload_length;
    scan->chunks++;
    if (scan->bare) {
        scan->index->generation = head->generation;
        scan->bare = false;
    }
    if (head->generation != scan->index->generation) {
        skip_to(scan, scan->at + length);
        return;
    }
    if (!continues(scan, head, length)) {
        close_segment(scan, head);
        if (head->part != 0 || head->segment_utc_us < 0) { // its beginning is gone
            skip_to(scan, scan->at + length);
            return;
        }
        begin_segment(scan, head);
    }
    scan->segment.parts++;
    scan->segment.bytes += (uint32_t)length;
    scan->segment.head_bytes += head->head_length;
    int64_t end_us = head->utc_first_us + head->duration_us;
    if (end_us > scan->segment_end_us)
        scan->segment_end_us = end_us;
    scan->at += length;
    scan->chunks_end = scan->at;
}

static void next_head(struct scan *scan)
{
    scan->guess = GUESS;
    scan->state = SCAN_HEAD;
    if (scan->at >= scan->size) {
        close_segment(scan, NULL);
        scan->state = SCAN_DONE;
    }
}

// What was deleted in the middle of a file.
static bool skip_free(struct scan *scan, struct bytes bytes)
{
    uint64_t length = cmaf_free_length(bytes);
    if (length == 0 || length > scan->size - scan->at)
        return false;
    scan->gap = scan->freed = true;
    scan->at += length;
    scan->chunks_end = scan->at;
    next_head(scan);
    return true;
}

static void give_head(struct scan *scan, struct bytes bytes)
{
    if (skip_free(scan, bytes))
        return;
    int result = cmaf_head_parse(bytes, scan->tracks, &scan->head);
    bool all = scan->at + bytes.length >= scan->size;
    if (result == ERR_AGAIN && !all && scan->guess < GUESS_MAX) {
        scan->guess *= 4;
        return;
    }
    uint64_t length = scan->head.head_length + scan->head.payload_length;
    if (result < 0 || length > scan->size - scan->at) {
        skip_to(scan, scan->at + 1); // not a chunk, or torn
        scan->state = SCAN_FIND;
        return;
    }
    if (scan->at >= scan->verify_from && length <= BODY_MAX) {
        scan->state = SCAN_BODY;
        return;
    }
    take_chunk(scan, &scan->head);
    next_head(scan);
}

static void give_body(struct scan *scan, struct bytes bytes)
{
    if (cmaf_chunk_intact(bytes)) {
        take_chunk(scan, &scan->head);
        next_head(scan);
        return;
    }
    // Its lengths may be as wrong as its payload: the next one is looked for inside it.
    skip_to(scan, scan->at + 1);
    scan->state = SCAN_FIND;
}

static void give_window(struct scan *scan, struct bytes bytes)
{
    size_t found = cmaf_chunk_find(bytes, 0);
    if (found < bytes.length) {
        skip_to(scan, scan->at + found);
        next_head(scan);
        return;
    }
    bool all = scan->at + bytes.length >= scan->size;
    if (all || bytes.length <= MARK) {
        skip_to(scan, scan->size);
        next_head(scan);
        return;
    }
    skip_to(scan, scan->at + bytes.length - MARK);
}

void scan_give(struct scan *scan, struct bytes bytes)
{
    uint64_t offset;
    size_t wanted;
    ENSURE(scan_wants(scan, &offset, &wanted) && bytes.length <= wanted);
    if (bytes.length < wanted)
        scan->size = scan->at + bytes.length;
    switch (scan->state) {
    case SCAN_HEAD:
        give_head(scan, bytes);
        break;
    case SCAN_BODY:
        give_body(scan, bytes);
        break;
    default:
        give_window(scan, bytes);
        break;
    }
    if (scan->at >= scan->size && scan->state != SCAN_DONE)
        next_head(scan);
}
