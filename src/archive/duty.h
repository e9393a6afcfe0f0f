// SPDX-License-Identifier: MIT
// Whether a stream is to be recorded now: the switch of the API, which the journal keeps, and the
// schedule of the configuration. Asked once for each segment, by its start: a segment is recorded
// whole or not at all, so it takes effect with the next one.
#ifndef ARCHIVE_DUTY_H
#define ARCHIVE_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "stream/conf.h"

struct archive;

struct duty {
    struct dvr_span span[DVR_SPANS_MAX];
    unsigned span_count; // 0: at all times
    bool offline;        // until it is switched on
    int64_t asked_us;    // start of the segment asked about last
    enum reason pause;   // the answer; REASON_NONE: it is recorded
};

void duty_set(struct duty *duty, const struct dvr_conf *dvr);
// REASON_NONE, REASON_DISABLED or REASON_SCHEDULE at that moment.
enum reason duty_pause(const struct archive *archive, int64_t utc_us);
// Whether the segment that starts there is recorded. The hole that begins is marked in the journal.
bool duty_takes(struct archive *archive, int64_t utc_start_us);

#endif
