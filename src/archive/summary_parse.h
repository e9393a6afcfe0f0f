// SPDX-License-Identifier: MIT
// The summary of a closed day: what memory keeps of its hour files, as one small file beside them
// (day.sum; docs/formats/archive.md). A cache: believed only when the names in the folder are those
// it speaks of.
#ifndef ARCHIVE_SUMMARY_PARSE_H
#define ARCHIVE_SUMMARY_PARSE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/writer.h"
#include "hours.h"

enum { SUMMARY_BYTES_MAX = 256 << 10 }; // the most files and holes of a day that are summed up

struct summary_file {
    struct hour_name name; // of disk 0
    bool indexed;          // its index file is there
    bool more;             // it has holes that are not listed here
    uint64_t bytes;        // of the file and its index
    int64_t start_us, end_us;
    unsigned first_hole, holes; // in summary.hole
};

struct summary {
    int64_t day_s; // UTC second the day begins
    struct summary_file *file;
    struct hour_hole *hole;
    unsigned files, holes;
};

// Foreign bytes of the day that begins at day_s. 0: files in order of name, holes of a file in
// order and inside it. ERR_INVALID.
MUST_USE int summary_parse(struct bytes in, int64_t day_s, struct summary *out);
void summary_fini(struct summary *summary);
void summary_write(struct writer *out, const struct summary *summary);

#endif
