// SPDX-License-Identifier: MIT
// A file being laid out, and the segments it is made of: what a download and an export share.
#ifndef PROTO_MP4_LAYOUT_H
#define PROTO_MP4_LAYOUT_H

#include "format/mp4_file.h"

// Longer stretches have tables that are worth more than one answer: 12 hours of one camera have 4
// million samples.
#define MP4_DURATION_MOST_S (12 * 3600)

struct mp4_layout {
    struct mp4_file *file;
    struct segment_info *infos; // of the segments laid out
    size_t count, capacity;
};

// What is wanted: [from_us, to_us) UTC, whole or as a time-lapse.
struct mp4_wanted {
    int64_t from_us, to_us;
    bool is_lapse;
    int64_t lapse_us; // 0: as long as it is
};

// From when heads are to be read for it: with B frames the first picture of a segment is shown a
// little after the segment begins, and until then the one before it.
int64_t mp4_wanted_read_from(const struct mp4_wanted *wanted);
void mp4_layout_init(struct mp4_layout *layout, const struct mp4_wanted *wanted);
void mp4_layout_fini(struct mp4_layout *layout);
// The next heads. 0: go on, also when they were damaged; ERR_LIMIT: too much for one file.
MUST_USE int mp4_layout_add(struct mp4_layout *layout, const struct segment_info *info,
                            struct tracks *tracks, struct bytes heads);
// All heads were added. ERR_NOT_FOUND when there is nothing.
MUST_USE int mp4_layout_finish(struct mp4_layout *layout);
// What stands at `at`, up to `end`, given the segment it comes from: every byte up to where another
// segment or the end comes. `at` is in the payload of that segment. ERR_INVALID when the segment is
// not what was laid out.
MUST_USE int mp4_layout_payload(const struct mp4_layout *layout, uint64_t at, uint64_t end,
                                struct segment *segment, struct chain *out);
// "timelapse" and "timelapse=SECONDS" of a query into wanted; false when it cannot be read.
struct http_request;
bool mp4_wanted_lapse(const struct http_request *request, struct mp4_wanted *wanted);

#endif
