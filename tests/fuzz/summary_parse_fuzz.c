// SPDX-License-Identifier: MIT
// Any bytes as the summary of a day: what is believed obeys its rules, and is read again the same
// from what is written of it.
#include "summary_parse.h"

#include "base/code.h"
#include "base/ensure.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct summary *summary)
{
    unsigned holes = 0;
    for (unsigned i = 0; i < summary->files; i++) {
        const struct summary_file *file = &summary->file[i];
        ENSURE(file->name.second >= summary->day_s && file->name.second < summary->day_s + 86400);
        ENSURE(i == 0 || hour_name_compare(file[-1].name, file->name) < 0);
        ENSURE(file->start_us <= file->end_us && file->first_hole == holes);
        int64_t behind = file->start_us;
        for (unsigned k = 0; k < file->holes; k++) {
            const struct hour_hole *hole = &summary->hole[holes + k];
            ENSURE(hole->from_us >= behind && hole->to_us > hole->from_us);
            behind = hole->to_us;
        }
        ENSURE(behind <= file->end_us);
        holes += file->holes;
    }
    ENSURE(holes == summary->holes);
}

static void parse(struct bytes in, int64_t day_s)
{
    struct summary summary, again;
    if (summary_parse(in, day_s, &summary) != 0)
        return;
    check(&summary);
    struct writer out = {0};
    summary_write(&out, &summary);
    struct buf *bytes = writer_take(&out);
    ENSURE(summary_parse(buf_bytes(bytes), day_s, &again) == 0);
    ENSURE(again.files == summary.files && again.holes == summary.holes);
    summary_fini(&again);
    summary_fini(&summary);
    buf_unref(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size), day = in;
    uint64_t day_s = 0;
    (void)(bytes_skip(&day, 8) && bytes_read_u64(&day, &day_s));
    day_s %= 200000000000u;
    parse(in, (int64_t)day_s);
    // And with a checksum that is right, to see what stands before it.
    if (size > 4) {
        uint32_t sum = crc32c(0, copy, size - 4);
        for (unsigned i = 0; i < 4; i++)
            copy[size - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
        parse(in, (int64_t)day_s);
    }
    mem_free(copy);
    return 0;
}
