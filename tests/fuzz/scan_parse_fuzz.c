// SPDX-License-Identifier: MIT
// Any bytes as an hour file behind its init segment, with and without checksums compared: the scan
// ends, and what it finds lies in the file and reads as segments. Byte 0: bit 0 compares checksums,
// bit 1 reads short.
#include "scan_parse.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "media/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tracks *tracks_make(void)
{
    struct track track;
    ENSURE(g711_track_make(CODEC_PCMA, 8000, 1, &track) == 0);
    return tracks_new(&track, 1);
}

static void check_segment(struct bytes file, const struct index_entry *entry, struct tracks *tracks,
                          bool verified)
{
    ENSURE(entry->offset + entry->bytes <= file.length);
    struct buf *buf = buf_new_copy(file.data + entry->offset, entry->bytes);
    struct segment *segment;
    if (cmaf_segment_from_bytes(&buf, tracks, &segment) != 0)
        return; // its tables may still disagree with themselves
    ENSURE(segment->info.utc_start_us == entry->utc_start_us);
    ENSURE(!verified || segment->info.number == entry->number);
    segment_unref(&segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool verify = data[0] & 1, cut = data[0] & 2;
    struct bytes file = bytes_of(data + 1, size - 1);
    struct tracks *tracks = tracks_make();
    struct index *index = index_new(0, 0);
    struct scan scan;
    uint64_t offset, before = 0;
    size_t length, steps = 0;
    scan_init(&scan, &index, true, tracks, file.length, verify ? 0 : UINT64_MAX);
    while (scan_wants(&scan, &offset, &length)) {
        ENSURE(offset >= before && offset <= file.length && length <= file.length - offset);
        ENSURE(++steps < 8 * file.length + 100);
        before = offset;
        size_t given = cut && steps == 3 ? length / 2 : length;
        uint8_t *copy = mem_dup(file.data + offset, given);
        scan_give(&scan, bytes_of(copy, given));
        mem_free(copy);
    }
    ENSURE(scan.chunks_end <= file.length);
    for (unsigned i = 0; i < scan.index->count; i++)
        check_segment(file, &scan.index->entries[i], tracks, verify);
    scan_fini(&scan);
    tracks_unref(&tracks);
    return 0;
}
